/* parse.c - Ruby (Onigmo) regular expression syntax into a tree. */
#include "parsers/grok/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"

struct tree_chunk {
    struct tree_chunk *next;
    size_t used, cap;
    _Alignas(16) char data[];
};

void *tree_alloc(struct regex_tree *tree, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    struct tree_chunk *chunk = tree->chunks;
    if (chunk == NULL || chunk->cap - chunk->used < bytes) {
        size_t cap = bytes > 8192 ? bytes : 8192;
        chunk = calloc(1, sizeof(*chunk) + cap);
        ASSERT(chunk != NULL);
        chunk->cap = cap;
        chunk->next = tree->chunks;
        tree->chunks = chunk;
    }
    void *at = chunk->data + chunk->used;
    chunk->used += bytes;
    return at;
}

void regex_tree_free(struct regex_tree *tree)
{
    if (tree == NULL) return;
    while (tree->chunks != NULL) {
        struct tree_chunk *next = tree->chunks->next;
        free(tree->chunks);
        tree->chunks = next;
    }
    free(tree);
}

bool parse_fail(struct parser *p, uint32_t at, const char *format, ...)
{
    if (p->failed) return false;
    p->failed = true;
    p->error->at = at;
    va_list args;
    va_start(args, format);
    vsnprintf(p->error->text, sizeof(p->error->text), format, args);
    va_end(args);
    return false;
}

static struct regex_node *node_new(struct parser *p, enum node_kind kind)
{
    struct regex_node *node = tree_alloc(p->tree, sizeof(*node));
    node->kind = kind;
    node->at = p->at;
    node->no_case = (p->flags & REGEX_NO_CASE) != 0;
    return node;
}

static int peek(const struct parser *p)
{
    return p->at < p->in.n ? (unsigned char)p->in.p[p->at] : -1;
}

static int peek_at(const struct parser *p, uint32_t ahead)
{
    return p->at + ahead < p->in.n ? (unsigned char)p->in.p[p->at + ahead] : -1;
}

static bool looking_at(const struct parser *p, const char *text)
{
    return slice_starts(slice_from(p->in, p->at), slice_from_cstr(text));
}

static int hex_value(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static uint32_t take_digits(struct parser *p, uint32_t base, uint32_t digits_max)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < digits_max; i++) {
        int digit = hex_value(peek(p));
        if (digit < 0 || (uint32_t)digit >= base) break;
        value = value * base + (uint32_t)digit;
        p->at++;
    }
    return value;
}

bool parse_code_point(struct parser *p, uint32_t *cp)
{
    if (utf8_valid_at(p->in, p->at) == 0)
        return parse_fail(p, p->at, "expected a character in UTF-8");
    uint32_t step;
    *cp = utf8_decode(p->in, p->at, &step);
    p->at += step;
    return true;
}

/* \xHH above 7F are bytes of a UTF-8 sequence, each with its own \x. */
static bool take_byte_escapes(struct parser *p, uint32_t start, uint32_t first, uint32_t *cp)
{
    char bytes[4] = {(char)first};
    uint32_t n = 1, want = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2, step;
    while (n < want && peek(p) == '\\' && peek_at(p, 1) == 'x') {
        p->at += 2;
        bytes[n++] = (char)take_digits(p, 16, 2);
    }
    slice sequence = slice_make(bytes, n);
    if (utf8_valid_at(sequence, 0) != n)
        return parse_fail(p, start, "expected \\x escapes that form a character in UTF-8");
    *cp = utf8_decode(sequence, 0, &step);
    return true;
}

static bool take_braced(struct parser *p, uint32_t start, uint32_t *cp)
{
    uint32_t first = ++p->at;
    *cp = take_digits(p, 16, 8);
    if (p->at == first || peek(p) != '}')
        return parse_fail(p, start, "expected {hexadecimal digits} after the backslash and letter");
    p->at++;
    if (*cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
        return parse_fail(p, start, "expected a Unicode code point");
    return true;
}

static bool escape_hex(struct parser *p, uint32_t start, uint32_t *cp)
{
    if (peek(p) == '{') return take_braced(p, start, cp);
    *cp = take_digits(p, 16, 2);
    return *cp < 0x80 || take_byte_escapes(p, start, *cp, cp);
}

static bool escape_unicode(struct parser *p, uint32_t start, uint32_t *cp)
{
    if (peek(p) == '{') return take_braced(p, start, cp);
    uint32_t first = p->at;
    *cp = take_digits(p, 16, 4);
    if (p->at - first != 4) return parse_fail(p, start, "expected four hexadecimal digits");
    if (*cp >= 0xd800 && *cp <= 0xdfff)
        return parse_fail(p, start, "expected a code point that is no surrogate");
    return true;
}

static bool escape_control(struct parser *p, uint32_t start, int letter, uint32_t *cp)
{
    if (letter == 'C') {
        if (peek(p) != '-') return parse_fail(p, start, "expected \\C-x");
        p->at++;
    }
    if (p->at >= p->in.n) return parse_fail(p, start, "expected a character after \\%c", letter);
    if (!parse_code_point(p, cp)) return false;
    *cp = *cp == '?' ? 0x7f : *cp & 0x1f;
    return true;
}

/* The backslash is behind us. */
bool parse_escape(struct parser *p, uint32_t *cp)
{
    static const char from[] = "tnrfvae", to[] = "\t\n\r\f\v\a\033";
    uint32_t start = p->at - 1;
    int c = peek(p);
    if (c < 0) return parse_fail(p, start, "expected a character after the backslash");
    if (c >= 0x80) return parse_code_point(p, cp);
    p->at++;
    const char *simple = strchr(from, c);
    if (simple != NULL && c != 0) return *cp = (uint32_t)to[simple - from], true;
    if (c == 'x') return escape_hex(p, start, cp);
    if (c == 'u') return escape_unicode(p, start, cp);
    if (c == 'c' || c == 'C') return escape_control(p, start, c, cp);
    if (c >= '0' && c <= '7') {
        p->at--;
        *cp = take_digits(p, 8, 3);
        if (*cp > 0x7f) return parse_fail(p, start, "expected an octal escape below \\200");
        return true;
    }
    *cp = (uint32_t)c;
    return true;
}

/* ---- pre-scan: does any group have a name, and how many groups are there? ------------------ */

static uint32_t skip_class(slice in, uint32_t i)
{
    uint32_t depth = 0;
    for (bool first = false; i < in.n; i++) {
        char c = in.p[i];
        if (c == '\\') {
            i++;
            first = false;
        } else if (c == '[') {
            depth++;
            first = true;
            if (i + 1 < in.n && in.p[i + 1] == '^') i++;
        } else if (c == ']' && !first) {
            if (--depth == 0) return i;
        } else {
            first = false;
        }
    }
    return i;
}

static void scan_groups(struct parser *p, uint32_t *plain, uint32_t *named)
{
    slice in = p->in;
    *plain = *named = 0;
    for (uint32_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\\') {
            i++;
        } else if (in.p[i] == '[') {
            i = skip_class(in, i);
        } else if (in.p[i] == '(') {
            slice rest = slice_from(in, i + 1);
            bool look = slice_starts(rest, SLICE("?<=")) || slice_starts(rest, SLICE("?<!"));
            if (slice_starts(rest, SLICE("?<")) || slice_starts(rest, SLICE("?'")))
                *named += !look;
            else if (!slice_starts(rest, SLICE("?")))
                (*plain)++;
        }
    }
}

/* ---- groups -------------------------------------------------------------------------------- */

static struct regex_node *parse_alternatives(struct parser *p);

static struct regex_node *wrap(struct parser *p, enum node_kind kind, uint8_t mode, uint32_t start)
{
    struct regex_node *node = node_new(p, kind);
    node->at = start;
    node->mode = mode;
    node->child = parse_alternatives(p);
    if (p->failed) return NULL;
    if (peek(p) != ')') return parse_fail(p, start, "expected ) for this group"), NULL;
    p->at++;
    /* (?:X) is X: a quantifier then applies to a set, not to copies of a group. */
    return kind == NODE_SEQUENCE ? node->child : node;
}

/* The tree outlives the pattern's text. */
static slice keep(struct parser *p, slice text)
{
    if (text.n == 0) return text;
    char *copy = tree_alloc(p->tree, text.n);
    memcpy(copy, text.p, text.n);
    return slice_make(copy, text.n);
}

/* Up to `close`; Logstash's expansion puts ':', '[', '@' and more into names. */
static bool take_name(struct parser *p, char close, slice *name)
{
    uint32_t start = p->at;
    while (p->at < p->in.n && p->in.p[p->at] != close && p->in.p[p->at] != ')') p->at++;
    *name = slice_part(p->in, start, p->at - start);
    if (peek(p) != close) return parse_fail(p, start, "expected %c after the name", close);
    if (name->n == 0) return parse_fail(p, start, "expected a name");
    p->at++;
    return true;
}

static struct regex_node *capture_group(struct parser *p, slice name, uint32_t start)
{
    struct regex_tree *tree = p->tree;
    if (tree->n_groups >= REGEX_GROUPS_MAX)
        return parse_fail(p, start, "more than %u groups", REGEX_GROUPS_MAX), NULL;
    uint32_t group = ++tree->n_groups;
    if (name.n > 0) tree->has_names = true;
    tree->groups[group].name = keep(p, name);
    struct regex_node *node = wrap(p, NODE_GROUP, 0, start);
    if (node != NULL) node->group = group;
    return node;
}

static struct regex_node *named_group(struct parser *p, uint32_t start, char close)
{
    slice name;
    uint32_t at = p->at;
    if (!take_name(p, close, &name)) return NULL;
    if ((name.p[0] >= '0' && name.p[0] <= '9') || name.p[0] == '-')
        return parse_fail(p, at, "expected a group name that starts with a letter"), NULL;
    return capture_group(p, name, start);
}

static bool take_flags(struct parser *p, uint32_t start, uint32_t *flags)
{
    bool on = true;
    *flags = p->flags;
    for (;; p->at++) {
        uint32_t flag = 0;
        switch (peek(p)) {
        case '-': on = false; continue;
        case 'i': flag = REGEX_NO_CASE; break;
        case 'm': flag = REGEX_DOT_ALL; break;
        case 'x': flag = REGEX_EXTENDED; break;
        case ')':
        case ':': return true;
        default:
            return parse_fail(p, start, "expected i, m, x, - and then : or ) in an option group");
        }
        *flags = on ? *flags | flag : *flags & ~flag;
    }
}

/* (?i) lasts to the end of the enclosing group and takes the alternatives along, as in Ruby. */
static struct regex_node *option_group(struct parser *p, uint32_t start)
{
    uint32_t flags, outer = p->flags;
    if (!take_flags(p, start, &flags)) return NULL;
    bool to_end = peek(p) == ')';
    p->at++;
    p->flags = flags;
    struct regex_node *node;
    if (to_end) {
        node = parse_alternatives(p);
        if (p->failed) return NULL;
    } else {
        node = wrap(p, NODE_SEQUENCE, 0, start);
    }
    p->flags = outer;
    return node;
}

static bool take_reference(struct parser *p, char close, struct regex_node *node)
{
    slice name;
    uint32_t at = p->at;
    if (!take_name(p, close, &name)) return false;
    p->tree->has_refs = true;
    int64_t number;
    if (!slice_to_i64(name, &number)) {
        node->text = keep(p, name);
        return true;
    }
    if (p->named && node->kind != NODE_CALL)
        return parse_fail(p, at, "expected a name: numbers do not work beside named groups");
    if (number < 0) number += (int64_t)p->tree->n_groups + 1;
    if (number < 0 || number > REGEX_GROUPS_MAX || (number == 0 && node->kind != NODE_CALL))
        return parse_fail(p, at, "expected the number of a group");
    node->group = (uint32_t)number;
    return true;
}

static struct regex_node *condition_group(struct parser *p, uint32_t start)
{
    struct regex_node *node = node_new(p, NODE_CONDITION);
    p->at += 2;
    int open = peek(p);
    char close = open == '<' ? '>' : open == '\'' ? '\'' : ')';
    if (close != ')') p->at++;
    if (!take_reference(p, close, node)) return NULL;
    if (close != ')' && peek(p) != ')') return parse_fail(p, p->at, "expected )"), NULL;
    if (close != ')') p->at++;
    struct regex_node *body = parse_alternatives(p);
    if (p->failed) return NULL;
    if (peek(p) != ')') return parse_fail(p, start, "expected ) for this group"), NULL;
    p->at++;
    if (body->kind == NODE_ALTERNATE) {
        node->child = body->child;
        if (body->child->next->next != NULL)
            return parse_fail(p, start, "expected at most two alternatives in a condition"), NULL;
    } else {
        node->child = body;
    }
    return node;
}

static struct regex_node *special_group(struct parser *p, uint32_t start)
{
    static const struct {
        const char *open;
        enum node_kind kind;
        uint8_t mode;
    } table[] = {{"?:", NODE_SEQUENCE, 0},
                 {"?=", NODE_LOOK, LOOK_AHEAD},
                 {"?!", NODE_LOOK, LOOK_NOT_AHEAD},
                 {"?<=", NODE_LOOK, LOOK_BEHIND},
                 {"?<!", NODE_LOOK, LOOK_NOT_BEHIND},
                 {"?>", NODE_ATOMIC, 0}};
    for (uint32_t i = 0; i < ARRAY_LEN(table); i++) {
        if (!looking_at(p, table[i].open)) continue;
        p->at += (uint32_t)strlen(table[i].open);
        return wrap(p, table[i].kind, table[i].mode, start);
    }
    p->at++;
    int c = peek(p);
    if (c == '<' || c == '\'') {
        p->at++;
        return named_group(p, start, c == '<' ? '>' : '\'');
    }
    if (c == '(') {
        p->at--;
        return condition_group(p, start);
    }
    if (c == '#') {
        while (p->at < p->in.n && peek(p) != ')') p->at += peek(p) == '\\' ? 2 : 1;
        if (peek(p) != ')') return parse_fail(p, start, "expected ) for this comment"), NULL;
        p->at++;
        return node_new(p, NODE_EMPTY);
    }
    return option_group(p, start);
}

/* (?:[a-z]) is [a-z]: PCRE2 copies a repeated group for each round, a repeated set not, and
 * expansion puts groups around everything. */
static struct regex_node *unwrapped(struct regex_node *node)
{
    struct regex_node *inner = node;
    while (inner != NULL && inner->kind == NODE_SEQUENCE && inner->child != NULL &&
           inner->child->next == NULL)
        inner = inner->child;
    return inner != NULL && inner->kind == NODE_SET ? inner : node;
}

static struct regex_node *parse_group(struct parser *p)
{
    uint32_t start = p->at, outer = p->flags;
    if (++p->depth > REGEX_NESTING_MAX)
        return parse_fail(p, start, "groups nested deeper than %u", REGEX_NESTING_MAX), NULL;
    p->at++;
    struct regex_node *node;
    if (peek(p) == '?')
        node = special_group(p, start);
    else if (p->named)
        node = wrap(p, NODE_SEQUENCE, 0, start);
    else
        node = capture_group(p, SLICE_NONE, start);
    p->flags = outer;
    p->depth--;
    return unwrapped(node);
}

/* ---- atoms --------------------------------------------------------------------------------- */

static struct regex_node *literal(struct parser *p, uint32_t cp)
{
    struct regex_node *node = node_new(p, NODE_LITERAL);
    char *bytes = tree_alloc(p->tree, 4);
    node->text = slice_make(bytes, utf8_encode(cp, bytes));
    return node;
}

static struct regex_node *assertion(struct parser *p, enum assert_kind kind, uint32_t step)
{
    struct regex_node *node = node_new(p, NODE_ASSERT);
    node->mode = (uint8_t)kind;
    p->at += step;
    return node;
}

/* \1 .. : a reference when such a group exists or it has one digit, else an octal escape. */
static bool numbered_reference(struct parser *p, struct regex_node **out)
{
    int first = peek(p);
    if (first < '1' || first > '9') return false;
    uint32_t start = p->at;
    uint32_t number = take_digits(p, 10, 4);
    if (number > p->groups_n && number > 9) return p->at = start, false;
    *out = node_new(p, NODE_BACKREF);
    if (p->named || number > p->groups_n) {
        parse_fail(p, start - 1,
                   p->named ? "expected \\k<name>: numbers do not work beside named groups"
                            : "expected the number of a group of this expression");
        return true;
    }
    (*out)->group = number;
    p->tree->has_refs = true;
    return true;
}

static bool named_reference(struct parser *p, struct regex_node **out)
{
    int c = peek(p), open = peek_at(p, 1);
    if ((c != 'k' && c != 'g') || (open != '<' && open != '\'')) return false;
    *out = node_new(p, c == 'k' ? NODE_BACKREF : NODE_CALL);
    (*out)->at--;
    p->at += 2;
    if (!take_reference(p, open == '<' ? '>' : '\'', *out)) *out = NULL;
    return true;
}

static struct regex_node *simple_escape(struct parser *p)
{
    switch (peek(p)) {
    case 'A': return assertion(p, ASSERT_TEXT_BEGIN, 1);
    case 'z': return assertion(p, ASSERT_TEXT_END, 1);
    case 'Z': return assertion(p, ASSERT_TEXT_END_NEWLINE, 1);
    case 'b': return assertion(p, ASSERT_WORD, 1);
    case 'B': return assertion(p, ASSERT_NOT_WORD, 1);
    case 'G': return assertion(p, ASSERT_SEARCH_BEGIN, 1);
    case 'K': p->at++; return node_new(p, NODE_KEEP);
    case 'R': p->at++; return node_new(p, NODE_NEWLINE);
    case 'X': p->at++; return node_new(p, NODE_GRAPHEME);
    default: return NULL;
    }
}

static struct regex_node *set_node(struct parser *p, struct charset *set)
{
    if (set == NULL) return NULL;
    struct regex_node *node = node_new(p, NODE_SET);
    node->set = set;
    return node;
}

static struct regex_node *parse_backslash(struct parser *p)
{
    p->at++;
    struct regex_node *node = simple_escape(p);
    if (node != NULL) return node;
    if (numbered_reference(p, &node)) return p->failed ? NULL : node;
    if (named_reference(p, &node)) return node;
    struct charset *set = parse_class_escape(p);
    if (set != NULL || p->failed) return set_node(p, set);
    uint32_t cp;
    return parse_escape(p, &cp) ? literal(p, cp) : NULL;
}

static struct regex_node *parse_atom(struct parser *p)
{
    int c = peek(p);
    switch (c) {
    case '(': return parse_group(p);
    case '[': return set_node(p, parse_class(p));
    case '\\': return parse_backslash(p);
    case '.': p->at++; return set_node(p, parse_dot(p));
    case '^': return assertion(p, ASSERT_LINE_BEGIN, 1);
    case '$': return assertion(p, ASSERT_LINE_END, 1);
    case '*':
    case '+':
    case '?': return parse_fail(p, p->at, "expected something to repeat before %c", c), NULL;
    default: break;
    }
    uint32_t cp;
    return parse_code_point(p, &cp) ? literal(p, cp) : NULL;
}

/* ---- quantifiers --------------------------------------------------------------------------- */

static bool take_number(struct parser *p, uint32_t *value)
{
    uint32_t start = p->at;
    *value = take_digits(p, 10, 6);
    return p->at > start;
}

/* {n} {n,} {,m} {n,m}; anything else is literal text and false. */
static bool take_interval(struct parser *p, uint32_t *min, uint32_t *max)
{
    uint32_t start = p->at;
    p->at++;
    bool low = take_number(p, min), high = false;
    *max = *min;
    if (!low) *min = 0;
    if (peek(p) == ',') {
        p->at++;
        high = take_number(p, max);
        if (!high) *max = TREE_REPEAT_INFINITE;
    }
    if (peek(p) != '}' || (!low && !high)) return p->at = start, false;
    p->at++;
    if (*min > TREE_REPEAT_MAX || (*max != TREE_REPEAT_INFINITE && *max > TREE_REPEAT_MAX))
        return parse_fail(p, start, "a repeat count above %u", TREE_REPEAT_MAX);
    if (*min > *max) return parse_fail(p, start, "expected {low,high} with low <= high");
    return true;
}

/*
 * Suffixes: ? makes lazy and + possessive after * + ?. After an interval, + is a second
 * quantifier, and so is ? when the interval is {n}.
 */
static bool take_quantifier(struct parser *p, struct regex_node *repeat)
{
    bool interval = false;
    switch (peek(p)) {
    case '*': repeat->min = 0, repeat->max = TREE_REPEAT_INFINITE, p->at++; break;
    case '+': repeat->min = 1, repeat->max = TREE_REPEAT_INFINITE, p->at++; break;
    case '?': repeat->min = 0, repeat->max = 1, p->at++; break;
    case '{':
        if (!take_interval(p, &repeat->min, &repeat->max)) return false;
        interval = true;
        break;
    default: return false;
    }
    repeat->mode = REPEAT_GREEDY;
    if (peek(p) == '?' && !(interval && repeat->min == repeat->max)) {
        repeat->mode = REPEAT_LAZY;
        p->at++;
    } else if (peek(p) == '+' && !interval) {
        repeat->mode = REPEAT_POSSESSIVE;
        p->at++;
    }
    return true;
}

static void skip_extended(struct parser *p)
{
    if (!(p->flags & REGEX_EXTENDED)) return;
    for (int c; (c = peek(p)) >= 0; p->at++) {
        if (c == '#')
            while (peek(p) >= 0 && peek(p) != '\n') p->at++;
        else if (c != ' ' && (c < '\t' || c > '\r'))
            return;
    }
}

static struct regex_node *parse_quantified(struct parser *p)
{
    uint32_t start = p->at;
    struct regex_node *node = parse_atom(p);
    if (node == NULL) return NULL;
    for (;;) {
        skip_extended(p);
        struct regex_node repeat = {.kind = NODE_REPEAT, .at = start};
        if (!take_quantifier(p, &repeat)) break;
        repeat.child = node;
        node = tree_alloc(p->tree, sizeof(*node));
        *node = repeat;
    }
    return p->failed ? NULL : node;
}

/* Longer runs of plain text become several nodes, which keeps joining linear. */
#define LITERAL_BYTES_MAX 256u

/* Joins neighbouring literals of one case mode. */
static bool join_literal(struct parser *p, struct regex_node *last, const struct regex_node *node)
{
    if (last == NULL || last->kind != NODE_LITERAL || node->kind != NODE_LITERAL) return false;
    if (last->no_case != node->no_case || last->text.n > LITERAL_BYTES_MAX) return false;
    char *bytes = tree_alloc(p->tree, last->text.n + node->text.n);
    memcpy(bytes, last->text.p, last->text.n);
    memcpy(bytes + last->text.n, node->text.p, node->text.n);
    last->text = slice_make(bytes, last->text.n + node->text.n);
    return true;
}

static struct regex_node *parse_sequence(struct parser *p)
{
    struct regex_node *node = node_new(p, NODE_SEQUENCE), *last = NULL;
    for (;;) {
        skip_extended(p);
        int c = peek(p);
        if (c < 0 || c == '|' || c == ')') break;
        struct regex_node *item = parse_quantified(p);
        if (item == NULL) return NULL;
        if (join_literal(p, last, item)) continue;
        if (last == NULL)
            node->child = item;
        else
            last->next = item;
        last = item;
    }
    if (node->child == NULL) node->kind = NODE_EMPTY;
    if (node->child != NULL && node->child->next == NULL) return node->child;
    return node;
}

static struct regex_node *parse_alternatives(struct parser *p)
{
    uint32_t start = p->at;
    struct regex_node *first = parse_sequence(p), *last = first;
    if (first == NULL || peek(p) != '|') return first;
    while (peek(p) == '|') {
        p->at++;
        last->next = parse_sequence(p);
        if (last->next == NULL) return NULL;
        last = last->next;
    }
    struct regex_node *node = node_new(p, NODE_ALTERNATE);
    node->at = start;
    node->child = first;
    return node;
}

static bool known_group(const struct regex_tree *tree, slice name)
{
    for (uint32_t i = 1; i <= tree->n_groups; i++)
        if (slice_equal(tree->groups[i].name, name)) return true;
    return false;
}

static bool check_references(struct parser *p, const struct regex_node *node)
{
    for (; node != NULL; node = node->next) {
        bool reference =
            node->kind == NODE_BACKREF || node->kind == NODE_CALL || node->kind == NODE_CONDITION;
        if (reference && node->text.n > 0 && !known_group(p->tree, node->text))
            return parse_fail(p, node->at, "no group is named <%.*s>", SLICE_FMT(node->text));
        if (reference && node->text.n == 0 && node->group > p->tree->n_groups)
            return parse_fail(p, node->at, "there is no group %u", node->group);
        if (!check_references(p, node->child)) return false;
    }
    return true;
}

struct regex_tree *regex_parse(slice pattern, uint32_t flags, struct grok_error *error)
{
    struct regex_tree *tree = calloc(1, sizeof(*tree));
    ASSERT(tree != NULL);
    struct parser p = {.tree = tree, .in = pattern, .flags = flags, .error = error};
    if (pattern.n > REGEX_PATTERN_BYTES_MAX) {
        parse_fail(&p, 0, "longer than %u bytes", REGEX_PATTERN_BYTES_MAX);
    } else {
        uint32_t plain, named;
        scan_groups(&p, &plain, &named);
        p.named = named > 0;
        p.groups_n = named > 0 ? named : plain;
        tree->groups = tree_alloc(tree, (REGEX_GROUPS_MAX + 1) * sizeof(*tree->groups));
        tree->root = parse_alternatives(&p);
        if (!p.failed && p.at < pattern.n) parse_fail(&p, p.at, "expected no ) here");
        if (!p.failed) check_references(&p, tree->root);
    }
    if (!p.failed) return tree;
    regex_tree_free(tree);
    return NULL;
}
