/*
 * tree.h - the syntax tree of a Ruby regular expression. Private to parsers/grok.
 *
 * regex_parse reads Onigmo's Ruby syntax (doc/RE of Onigmo; the deviations of `{n,m}+`, `{n}?` and
 * nested classes included) into nodes that later passes only read: translate.c writes PCRE2 text,
 * literal.c finds what a match must contain, program.c lowers what it can prove. A tree owns all
 * its memory and is built and freed by one thread.
 */
#ifndef PARSERS_GROK_TREE_H
#define PARSERS_GROK_TREE_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/slice.h"
#include "parsers/grok/regex.h"

#define TREE_REPEAT_INFINITE UINT32_MAX
#define TREE_REPEAT_MAX 65535u /* PCRE2's bound; Onigmo's is 100000 */

/* Bytes 0..127 as a bit map. */
struct ascii_set {
    uint64_t w[2];
};

static inline bool ascii_has(struct ascii_set s, uint32_t c)
{
    return (s.w[c >> 6 & 1] >> (c & 63)) & 1;
}
static inline void ascii_add(struct ascii_set *s, uint32_t c)
{
    s->w[c >> 6 & 1] |= 1ULL << (c & 63);
}
static inline bool ascii_none(struct ascii_set s)
{
    return (s.w[0] | s.w[1]) == 0;
}

/* Which code points above 127 a set has. */
enum set_high { HIGH_NONE, HIGH_ALL, HIGH_SOME };

/* A set of characters; `utf` is a PCRE2 expression that consumes one character of it. */
struct charset {
    struct ascii_set ascii;
    enum set_high high;
    slice utf;
};

enum node_kind {
    NODE_EMPTY,
    NODE_LITERAL, /* text: UTF-8 */
    NODE_SET,
    NODE_SEQUENCE,  /* children */
    NODE_ALTERNATE, /* children, in order of preference */
    NODE_REPEAT,    /* one child */
    NODE_GROUP,     /* capture `group`, one child */
    NODE_ATOMIC,
    NODE_LOOK, /* one child; kind in `look` */
    NODE_ASSERT,
    NODE_BACKREF,   /* text: name, or group > 0 */
    NODE_CALL,      /* \g<..> likewise */
    NODE_CONDITION, /* children: then, else; the group as above */
    NODE_KEEP,      /* \K */
    NODE_NEWLINE,   /* \R */
    NODE_GRAPHEME   /* \X */
};

enum repeat_mode { REPEAT_GREEDY, REPEAT_LAZY, REPEAT_POSSESSIVE };
enum look_kind { LOOK_AHEAD, LOOK_NOT_AHEAD, LOOK_BEHIND, LOOK_NOT_BEHIND };
enum assert_kind {
    ASSERT_LINE_BEGIN,
    ASSERT_LINE_END,
    ASSERT_TEXT_BEGIN,
    ASSERT_TEXT_END,
    ASSERT_TEXT_END_NEWLINE,
    ASSERT_WORD,
    ASSERT_NOT_WORD,
    ASSERT_SEARCH_BEGIN
};

struct regex_node {
    enum node_kind kind;
    bool no_case;
    uint8_t mode; /* repeat_mode, look_kind or assert_kind */
    uint32_t min, max;
    uint32_t group;
    uint32_t at; /* offset in the pattern */
    slice text;
    struct charset *set;
    struct regex_node *child, *next;
};

struct tree_group {
    slice name; /* n == 0: unnamed */
};

struct regex_tree {
    struct regex_node *root;
    struct tree_group *groups; /* [1..n_groups] */
    uint32_t n_groups;
    bool has_names;
    bool has_refs; /* backreferences, calls or conditions: groups may not be dropped */
    struct tree_chunk *chunks;
};

/* NULL on a syntax error. `pattern` is copied where needed. */
struct regex_tree *regex_parse(slice pattern, uint32_t flags, struct grok_error *error);
void regex_tree_free(struct regex_tree *);
void *tree_alloc(struct regex_tree *, size_t bytes); /* zeroed */

/* The parser's state, shared by parse.c and parse_class.c. */
struct parser {
    struct regex_tree *tree;
    slice in;
    uint32_t at;
    uint32_t flags;
    uint32_t depth;
    uint32_t groups_n; /* how many will capture */
    bool named;        /* some group has a name: plain groups do not capture */
    bool failed;
    struct grok_error *error;
};

/* Records the first error; always returns false. */
bool parse_fail(struct parser *, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One character after a backslash that stands for a code point; false with an error. */
bool parse_escape(struct parser *, uint32_t *cp);
bool parse_code_point(struct parser *, uint32_t *cp);
/* At '[': the set, or NULL with an error. */
struct charset *parse_class(struct parser *);
/* \d \w \s \h \p{..} and their negations after the backslash; NULL and no error when `c` is none.*/
struct charset *parse_class_escape(struct parser *);
/* The dot. */
struct charset *parse_dot(struct parser *);

/* PCRE2 text for the tree: `utf` for UTF-8 subjects, else for subjects known to be ASCII. */
void regex_translate(const struct regex_tree *, bool utf, struct buf *out);

#endif
