/*
 * shape.h - an expression over bytes, and what can be proven about it. Private to parsers/grok.
 *
 * The tree of parse.c with every set turned into bytes of valid UTF-8, groups without a name
 * removed and possessive quantifiers turned into atomic groups. Symbols are the 256 bytes and the
 * end (or, looking back, the start) of the subject.
 */
#ifndef PARSERS_GROK_SHAPE_H
#define PARSERS_GROK_SHAPE_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "parsers/grok/tree.h"

#define SYMBOL_END 256u
#define SYMBOLS 257u

struct symbols {
    uint64_t w[5];
};

static inline bool symbols_has(const struct symbols *s, uint32_t c)
{
    return (s->w[c >> 6] >> (c & 63)) & 1;
}
static inline void symbols_add(struct symbols *s, uint32_t c)
{
    s->w[c >> 6] |= 1ULL << (c & 63);
}
struct symbols symbols_all(void);
struct symbols symbols_or(struct symbols a, struct symbols b);
struct symbols symbols_and(struct symbols a, struct symbols b);
struct symbols symbols_minus(struct symbols a, struct symbols b);
bool symbols_disjoint(struct symbols a, struct symbols b);
bool symbols_equal(const struct symbols *a, const struct symbols *b);

enum shape_kind {
    SHAPE_SET,
    SHAPE_SEQUENCE,
    SHAPE_ALTERNATE,
    SHAPE_REPEAT,
    SHAPE_ATOMIC,
    SHAPE_GROUP,
    SHAPE_NEXT,      /* the next symbol is in set */
    SHAPE_PREVIOUS,  /* the previous symbol is in set */
    SHAPE_WORD,      /* \b */
    SHAPE_NOT_WORD,  /* \B */
    SHAPE_LINE_BEGIN /* ^ */
};

struct shape {
    enum shape_kind kind;
    bool lazy;
    bool run;       /* an endless repeat of one set, whose bytes are in `set` */
    bool flattened; /* a repeat made plain, as only holds when it is unambiguous */
    bool captures;  /* a group is inside */
    bool nullable;
    uint32_t min, max;
    uint32_t group;
    struct symbols set;
    struct shape *child, *next;
};

/* What may come after a part. `accept`: whatever comes, the match is complete. */
struct follow {
    struct symbols set;
    bool accept;
    const struct shape *next; /* what comes first, where that is known */
};

struct shape_tree {
    struct regex_tree *heap; /* memory only */
    struct shape *root;
    bool ascii_only;
};

/* False when some part has no shape; `why` names it. */
bool shape_build(const struct regex_tree *, struct shape_tree *out, struct buf *why);
void shape_free(struct shape_tree *);

/* Symbols that may come first (never too few). The list is `s` and its successors. */
struct symbols shape_first(const struct shape *s, struct symbols follow);
struct symbols shape_first_list(const struct shape *s, struct symbols follow);
/* All bytes it may consume. */
struct symbols shape_bytes(const struct shape *s);
/* At most one way to match from a position, when what follows is as given. */
bool shape_unique(const struct shape *s, struct follow follow);
/*
 * Unique, and the way tried first is the one: choices prefer to consume. Then an atomic group,
 * which commits to its first way before it sees what follows, commits to the right one.
 */
bool shape_commits(const struct shape *s, struct follow follow);
/* Atomic groups inside change nothing, when what follows is as given. */
bool shape_atomics_plain(const struct shape *s, struct follow follow);
bool shape_nullable_list(const struct shape *s);
/* What follows `s` within its sequence that is followed by `after`. */
struct follow shape_follow(const struct shape *s, struct follow after);

#endif
