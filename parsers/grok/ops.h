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
    OP_JUMP,
    OP_MATCH
};

struct choice {
    uint8_t viable[SYMBOLS]; /* branches that can match when this symbol is next */
    uint32_t n;
    uint32_t target[CHOICES_MAX];
};

struct op {
    uint8_t code;
    bool sure; /* when the rest fails no other end of this part can help */
    uint8_t test;
    uint16_t arg;
    uint16_t group; /* span operations: the group that is just this span, or 0 */
    uint32_t min;   /* OP_RUN and friends: at least as many bytes */
    uint32_t target;
    const struct symbols *set; /* OP_TEST; OP_LAST: what must follow */
    const struct run_set *run;
    const struct run_set *first; /* OP_RUN: for the first `min` bytes, when they differ */
    const struct choice *choice;
    struct dfa *dfa;
    slice text;
    uint64_t word, mask; /* the first 8 bytes of `text`, as they are in memory */
};

struct program {
    struct op *op;
    uint32_t n_ops;
    uint32_t n_slots; /* 2 * (groups + 1) */
    bool takes_utf8;
    bool text_begin, line_begin; /* must start at \A, at ^ */
    struct symbols first;        /* what a match can start with */
    struct run_set not_first;    /* bytes that it cannot */
    struct regex_tree *heap;     /* owns tables and texts */
    struct shape_tree shape;
};

#endif
