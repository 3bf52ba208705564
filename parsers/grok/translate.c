/*
 * translate.c - a syntax tree as PCRE2 pattern text with the same matches.
 *
 * Two texts per tree. For ASCII subjects every set is its bit map and PCRE2 runs on bytes; for
 * UTF-8 subjects sets are the expressions parse_class.c wrote and \b knows Unicode words, as
 * Ruby's does. Options of the compile: MULTILINE, DOLLAR before every newline, newline is LF.
 */
#include "parsers/grok/tree.h"

#include "engine/base/assert.h"
#include "engine/base/utf8.h"

#define WORD_UTF "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]"
/* Not [^\x00-\xff]: PCRE2 derives from x*? of it that nothing can start. */
#define NEVER "(?!)"

struct writer {
    const struct regex_tree *tree;
    struct buf *out;
    bool utf;
};

static void write_node(struct writer *w, const struct regex_node *node);

static void write_char(struct writer *w, uint32_t cp)
{
    bool plain = (cp >= '0' && cp <= '9') || (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') ||
                 cp == ' ' || cp == '_' || cp == ',' || cp == '"' || cp == '/' || cp == ':';
    if (plain)
        buf_add_byte(w->out, (char)cp);
    else if (cp < 128)
        buf_printf(w->out, "\\x%02x", cp);
    else if (w->utf)
        buf_printf(w->out, "\\x{%x}", cp);
    else
        buf_add_cstr(w->out, NEVER);
}

static void write_literal(struct writer *w, const struct regex_node *node)
{
    if (node->no_case) buf_add_cstr(w->out, "(?i:");
    for (uint32_t i = 0, step; i < node->text.n; i += step)
        write_char(w, utf8_decode(node->text, i, &step));
    if (node->no_case) buf_add_byte(w->out, ')');
}

static bool same_set(struct ascii_set a, struct ascii_set b)
{
    return a.w[0] == b.w[0] && a.w[1] == b.w[1];
}

/* Sets that PCRE2 has a short code for; a class takes 33 bytes of the 64 KB a pattern may have.
 * `high`: the set has all code points above ASCII, else none; an ASCII subject has none. */
static bool write_short_set(struct writer *w, struct ascii_set set, bool high)
{
    static const struct {
        struct ascii_set set;
        const char *text;
        bool high;
    } known[] = {{{{~0ULL, ~0ULL}}, ".", true},
                 {{{0x03ff000000000000ULL, 0}}, "\\d", false},
                 {{{0x03ff000000000000ULL, 0x07fffffe87fffffeULL}}, "\\w", false},
                 {{{0x0000000100003e00ULL, 0}}, "\\s", false},
                 {{{~0x03ff000000000000ULL, ~0ULL}}, "\\D", true},
                 {{{~0x03ff000000000000ULL, ~0x07fffffe87fffffeULL}}, "\\W", true},
                 {{{~0x0000000100003e00ULL, ~0ULL}}, "\\S", true}};
    for (uint32_t i = 0; i < ARRAY_LEN(known); i++)
        if (same_set(set, known[i].set) && (!w->utf || high == known[i].high))
            return buf_add_cstr(w->out, known[i].text), true;
    for (uint32_t c = 0; c < 128; c++) {
        struct ascii_set one = {{0, 0}};
        ascii_add(&one, c);
        if ((!w->utf || !high) && same_set(set, one)) return buf_printf(w->out, "\\x%02x", c), true;
        if ((!w->utf || high) && same_set(set, (struct ascii_set){{~one.w[0], ~one.w[1]}}))
            return buf_printf(w->out, "[^\\x%02x]", c), true;
        if (w->utf || c < 'a' || c > 'z') continue;
        ascii_add(&one, c - 32);
        if (same_set(set, one)) return buf_printf(w->out, "(?i:%c)", (int)c), true;
    }
    return false;
}

static void write_ranges(struct writer *w, struct ascii_set set, bool high)
{
    bool first = true;
    buf_add_byte(w->out, '[');
    for (uint32_t c = 0; c < 128; c++) {
        if (!ascii_has(set, c)) continue;
        uint32_t last = c;
        while (last + 1 < 128 && ascii_has(set, last + 1)) last++;
        buf_printf(w->out, last > c ? "\\x%02x-\\x%02x" : "\\x%02x", c, last);
        c = last;
        first = false;
    }
    if (w->utf && high) buf_add_cstr(w->out, "\\x{80}-\\x{10ffff}");
    /* Every byte of the subject is below 128; this lets PCRE2 see "any byte". */
    if (!w->utf && ascii_has(set, 127)) buf_add_cstr(w->out, "\\x80-\\xff");
    ASSERT(!first || high);
    buf_add_byte(w->out, ']');
}

/* Whether the set is a matter of ASCII, so that it can be written from its bit map. */
static bool by_bits(const struct writer *w, const struct charset *set)
{
    return !w->utf || set->high != HIGH_SOME;
}

static void write_set(struct writer *w, const struct regex_node *node)
{
    const struct charset *set = node->set;
    bool high = set->high == HIGH_ALL;
    if (!by_bits(w, set)) {
        if (node->no_case) buf_add_cstr(w->out, "(?i:");
        buf_add_slice(w->out, set->utf);
        if (node->no_case) buf_add_byte(w->out, ')');
    } else if (ascii_none(set->ascii) && !(w->utf && high)) {
        buf_add_cstr(w->out, NEVER);
    } else if (!write_short_set(w, set->ascii, high)) {
        write_ranges(w, set->ascii, high);
    }
}

/* Written as one item that a quantifier may follow. */
static bool is_item(const struct writer *w, const struct regex_node *node)
{
    if (node->kind != NODE_SET) return false;
    if (by_bits(w, node->set))
        return !ascii_none(node->set->ascii) || (w->utf && node->set->high == HIGH_ALL);
    return !node->no_case && node->set->utf.p[0] == '[';
}

static void write_children(struct writer *w, const struct regex_node *node, const char *between)
{
    for (const struct regex_node *at = node->child; at != NULL; at = at->next) {
        write_node(w, at);
        if (at->next != NULL) buf_add_cstr(w->out, between);
    }
}

static void write_assert(struct writer *w, enum assert_kind kind)
{
    static const char *const plain[] = {"^", "$", "\\A", "\\z", "\\Z", "\\b", "\\B", "\\G"};
    static const char word[] =
        "(?:(?<=" WORD_UTF ")(?!" WORD_UTF ")|(?<!" WORD_UTF ")(?=" WORD_UTF "))";
    static const char not_word[] =
        "(?:(?<=" WORD_UTF ")(?=" WORD_UTF ")|(?<!" WORD_UTF ")(?!" WORD_UTF "))";
    if (w->utf && kind == ASSERT_WORD)
        buf_add_cstr(w->out, word);
    else if (w->utf && kind == ASSERT_NOT_WORD)
        buf_add_cstr(w->out, not_word);
    else
        buf_add_cstr(w->out, plain[kind]);
}

/*
 * Possessive groups are written as atomic ones: PCRE2 10.42 derives from [ab]?(?:-){0,1}+[a] that
 * [ab]? never gives back, which is wrong on "a".
 */
static void write_repeat(struct writer *w, const struct regex_node *node)
{
    bool bare = is_item(w, node->child);
    bool possessive = node->mode == REPEAT_POSSESSIVE;
    if (possessive && !bare) buf_add_cstr(w->out, "(?>");
    if (!bare) buf_add_cstr(w->out, "(?:");
    write_node(w, node->child);
    if (!bare) buf_add_byte(w->out, ')');
    if (node->max == TREE_REPEAT_INFINITE && node->min <= 1)
        buf_add_byte(w->out, node->min == 0 ? '*' : '+');
    else if (node->max == TREE_REPEAT_INFINITE)
        buf_printf(w->out, "{%u,}", node->min);
    else if (node->min == 0 && node->max == 1)
        buf_add_byte(w->out, '?');
    else
        buf_printf(w->out, "{%u,%u}", node->min, node->max);
    if (node->mode == REPEAT_LAZY) buf_add_byte(w->out, '?');
    if (possessive) buf_add_byte(w->out, bare ? '+' : ')');
}

/* The branches of a look-behind may differ in length, but only at its top: (?<=^|, ) is allowed and
 * (?<=(?:^|, )) is not, so there is no group around them. */
static void write_look(struct writer *w, const struct regex_node *node)
{
    static const char *const open[] = {"(?=", "(?!", "(?<=", "(?<!"};
    const struct regex_node *child = node->child;
    while (child->kind == NODE_SEQUENCE && child->child != NULL && child->child->next == NULL)
        child = child->child;
    buf_add_cstr(w->out, open[node->mode]);
    if (child->kind == NODE_ALTERNATE)
        write_children(w, child, "|");
    else
        write_node(w, child);
    buf_add_byte(w->out, ')');
}

/* Several groups of one name: Onigmo tries them from the last to the first, without return. */
static void write_backref(struct writer *w, const struct regex_node *node)
{
    if (node->no_case) buf_add_cstr(w->out, "(?i:");
    if (node->text.n == 0) {
        buf_printf(w->out, "\\g{%u}", node->group);
    } else {
        buf_add_cstr(w->out, "(?>");
        bool first = true;
        for (uint32_t i = w->tree->n_groups; i >= 1; i--) {
            if (!slice_equal(w->tree->groups[i].name, node->text)) continue;
            buf_printf(w->out, first ? "\\g{%u}" : "|\\g{%u}", i);
            first = false;
        }
        buf_add_byte(w->out, ')');
    }
    if (node->no_case) buf_add_byte(w->out, ')');
}

static uint32_t group_of(const struct writer *w, const struct regex_node *node)
{
    if (node->text.n == 0) return node->group;
    for (uint32_t i = w->tree->n_groups; i >= 1; i--)
        if (slice_equal(w->tree->groups[i].name, node->text)) return i;
    PANIC("reference to a group that the parser did not see");
}

static void write_node(struct writer *w, const struct regex_node *node)
{
    switch (node->kind) {
    case NODE_EMPTY: break;
    case NODE_LITERAL: write_literal(w, node); break;
    case NODE_SET: write_set(w, node); break;
    case NODE_SEQUENCE: write_children(w, node, ""); break;
    case NODE_ALTERNATE:
        buf_add_cstr(w->out, "(?:");
        write_children(w, node, "|");
        buf_add_byte(w->out, ')');
        break;
    case NODE_REPEAT: write_repeat(w, node); break;
    case NODE_GROUP:
        buf_add_byte(w->out, '(');
        write_node(w, node->child);
        buf_add_byte(w->out, ')');
        break;
    case NODE_ATOMIC:
        buf_add_cstr(w->out, "(?>");
        write_node(w, node->child);
        buf_add_byte(w->out, ')');
        break;
    case NODE_LOOK: write_look(w, node); break;
    case NODE_ASSERT: write_assert(w, node->mode); break;
    case NODE_BACKREF: write_backref(w, node); break;
    case NODE_CALL: buf_printf(w->out, "(?%u)", group_of(w, node)); break;
    case NODE_CONDITION:
        buf_printf(w->out, "(?(%u)", group_of(w, node));
        write_children(w, node, "|");
        buf_add_byte(w->out, ')');
        break;
    case NODE_KEEP: buf_add_cstr(w->out, "\\K"); break;
    case NODE_NEWLINE: buf_add_cstr(w->out, "\\R"); break;
    case NODE_GRAPHEME: buf_add_cstr(w->out, w->utf ? "\\X" : "(?>\\r\\n|[\\x00-\\xff])"); break;
    }
}

void regex_translate(const struct regex_tree *tree, bool utf, struct buf *out)
{
    struct writer w = {tree, out, utf};
    write_node(&w, tree->root);
}
