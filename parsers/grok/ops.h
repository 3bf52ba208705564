/*
 * ops.h - the operations of a program, between lower.c (writes them) and run.c (executes them).
 * Private to parsers/grok; immutable once program_new has returned.
 */
#ifndef PARSERS_GROK_OPS_H
#define PARSERS_GROK_OPS_H
#include "parsers/grok/dfa.h"
#include "parsers/grok/program.h"
#include "parsers/grok/run_set.h"

#define OPS_MAX 2000u
#define CHOICES_MAX 8u /* branches one OP_CHOICE can hold */

enum op_code {
    OP_BYTE,   /* arg: the byte */
    OP_STRING, /* text */
    OP_RUN,    /* greedy or, as its set then lacks what follows, lazy run */
    OP_FIND,   /* lazy run of anything up to the first `text` */
    OP_LAST,   /* greedy run, back to where `follow` can go on */
    OP_REST,   /* all that is left of the line */
    OP_DFA,
    OP_SAVE, /* arg: slot */
    OP_TEST, /* test, set */
    OP_CHOICE,
    OP_JUMP, /* back; jumps ahead are in `next` of the operations before them */
    OP_MATCH
};

struct choice {
    uint8_t viable[SYMBOLS]; /* branches that can match when this symbol is next */
    uint32_t n;
    uint32_t target[CHOICES_MAX];         /* index of the branch's first operation */
    const struct op *branch[CHOICES_MAX]; /* the same, once all are written */
};

struct op {
    uint8_t code;
    bool sure; /* when the rest fails no other end of this part can help */
    uint8_t test;
    uint16_t arg;
    uint16_t group;            /* span operations: the group that is just this span, or 0 */
    uint32_t min;              /* OP_RUN and friends: at least as many bytes */
    uint32_t target;           /* OP_JUMP: index of an operation */
    const struct op *next;     /* where it goes on, once all are written */
    const struct symbols *set; /* OP_TEST; OP_LAST: what must follow */
    const struct run_set *run;
    const struct run_set *first; /* OP_RUN: for the first `min` bytes, when they differ */
    struct choice *choice;
    struct dfa *dfa;
    slice text;
    uint64_t word, mask; /* the first 8 bytes of `text`, as they are in memory */
};

/* Bytes from a place on that tell whether a match can start there. */
#define START_BYTES 3u

struct program {
    struct op *op; /* starts with the first that is executed */
    uint32_t n_ops;
    uint32_t n_slots; /* 2 * (groups + 1) */
    bool takes_utf8;
    bool text_begin, line_begin; /* must start at \A, at ^ */
    struct symbols first;        /* what a match can start with */
    struct run_set not_first;    /* bytes that it cannot */
    /* When many_starts: what is before a match and in its first bytes, or more; all read in steps.
     */
    bool many_starts;
    struct run_set before, start[START_BYTES];
    struct regex_tree *heap; /* owns tables and texts */
    struct shape_tree shape;
};

struct frame {
    const struct op *op; /* the choice */
    uint32_t at;
    uint32_t trail;
    uint32_t viable; /* branches left */
};

#define FRAMES_MAX 256u
#define TRAIL_MAX 1024u

struct program_scratch {
    struct regex_span spans[REGEX_GROUPS_MAX + 1];
    struct frame frame[FRAMES_MAX];
    struct {
        uint32_t group;
        struct regex_span span; /* as it was */
    } trail[TRAIL_MAX];
};

/* What of a search is compiled for each CPU level: run_kernel.h. find() gives the place of a text
 * or FIND_NONE. */
#define FIND_NONE UINT32_MAX
struct run_kernel {
    enum program_status (*search)(const struct program *, struct program_scratch *, slice line,
                                  const struct need_literal *gate, const struct regex_span **spans,
                                  uint32_t *from);
    uint32_t (*find)(slice line, uint32_t at, slice text);
    bool (*is_ascii)(slice line);
};

extern const struct run_kernel run_sse42, run_avx2;

#endif
