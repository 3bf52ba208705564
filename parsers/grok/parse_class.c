/*
 * parse_class.c - character classes of Ruby's syntax: nested, with &&, POSIX and \p{..}.
 *
 * Each class is kept twice: as a bit map of its ASCII members, with the case folded in, and as a
 * PCRE2 expression for UTF-8 subjects. \d \w \s \h are ASCII in Ruby; POSIX brackets are Unicode.
 */
#include "parsers/grok/tree.h"

#include <stdio.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "engine/base/assert.h"

#define WORD_UTF "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

/* The members of one class while it is read. */
struct builder {
    struct ascii_set ascii;
    enum set_high high;
    struct buf items; /* inside of a PCRE2 class */
    struct buf other; /* alternatives that are no plain class, each led by '|' */
};

struct named_class {
    const char *name;
    const char *ranges; /* pairs of ASCII bounds */
    const char *utf;    /* inside of a PCRE2 class */
};

static const struct named_class posix[] = {
    {"alnum", "azAZ09", "\\p{Alphabetic}\\p{Nd}"},
    {"alpha", "azAZ", "\\p{Alphabetic}"},
    {"ascii", "\x01\x7f", "\\x00-\\x7f"},
    {"blank", "  \t\t", "\\p{Zs}\\t"},
    {"cntrl", "\x01\x1f\x7f\x7f", "\\p{Cc}"},
    {"digit", "09", "\\p{Nd}"},
    {"graph", "!~", "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}"},
    {"lower", "az", "\\p{Lowercase}"},
    {"print", " ~", "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}\\p{Zs}"},
    {"punct", "!/:@[`{~", "\\p{P}$+<=>^`|~"},
    {"space", "\t\r  ", "\\p{White_Space}"},
    {"upper", "AZ", "\\p{Uppercase}"},
    {"xdigit", "09afAF", "0-9a-fA-F"},
    {"word", "azAZ09__", WORD_UTF},
};

static const struct named_class shorthand[] = {
    {"d", "09", "0-9"},
    {"w", "azAZ09__", "0-9A-Za-z_"},
    {"s", "\t\r  ", "\\t-\\r\\x20"},
    {"h", "09afAF", "0-9a-fA-F"},
};

static void set_ranges(struct ascii_set *set, const char *ranges)
{
    for (; ranges[0] != 0; ranges += 2)
        for (int c = ranges[0]; c <= ranges[1]; c++) ascii_add(set, (uint32_t)c);
    /* NUL cannot be written in the table. */
}

static struct ascii_set named_ascii(const struct named_class *class)
{
    struct ascii_set set = {{0, 0}};
    set_ranges(&set, class->ranges);
    if (class->ranges[0] == '\x01') ascii_add(&set, 0);
    return set;
}

static void ascii_union(struct ascii_set *to, struct ascii_set from)
{
    to->w[0] |= from.w[0];
    to->w[1] |= from.w[1];
}

static enum set_high high_union(enum set_high a, enum set_high b)
{
    if (a == HIGH_ALL || b == HIGH_ALL) return HIGH_ALL;
    return a == HIGH_NONE ? b : HIGH_SOME;
}

static enum set_high high_not(enum set_high a)
{
    return a == HIGH_SOME ? HIGH_SOME : a == HIGH_ALL ? HIGH_NONE : HIGH_ALL;
}

/* U+212A folds to k and U+017F to s, so a set with those letters has members above ASCII. PCRE2
 * does not fold properties, so letters that come in are written, too. */
static void fold(struct builder *b)
{
    for (uint32_t c = 'a'; c <= 'z'; c++) {
        bool lower = ascii_has(b->ascii, c), upper = ascii_has(b->ascii, c - 32);
        if (!lower && !upper) continue;
        if (!lower || !upper) buf_add_byte(&b->items, (char)(lower ? c - 32 : c));
        ascii_add(&b->ascii, c);
        ascii_add(&b->ascii, c - 32);
        if (c == 'k' || c == 's') b->high = high_union(b->high, HIGH_SOME);
    }
}

static slice tree_text(struct regex_tree *tree, slice text)
{
    char *copy = tree_alloc(tree, text.n + 1);
    memcpy(copy, text.p, text.n);
    return slice_make(copy, text.n);
}

/* The finished class; the builder is emptied. */
static struct charset *build(struct parser *p, struct builder *b, bool negate)
{
    struct charset *set = tree_alloc(p->tree, sizeof(*set));
    struct buf text = {0};
    if (p->flags & REGEX_NO_CASE) fold(b);
    bool plain = b->other.n == 0;
    if (plain && b->items.n > 0) {
        buf_printf(&text, "[%s%.*s]", negate ? "^" : "", (int)b->items.n, b->items.data);
    } else if (b->items.n == 0 && plain) {
        buf_add_cstr(&text, negate ? "[\\x{0}-\\x{10ffff}]" : "[^\\x{0}-\\x{10ffff}]");
    } else {
        buf_add_cstr(&text, negate ? "(?:(?!" : "(?:");
        if (b->items.n > 0)
            buf_printf(&text, "[%.*s]%.*s", (int)b->items.n, b->items.data, (int)b->other.n,
                       b->other.data);
        else
            buf_add(&text, b->other.data + 1, b->other.n - 1);
        buf_add_cstr(&text, negate ? ")[\\x{0}-\\x{10ffff}])" : ")");
    }
    set->utf = tree_text(p->tree, buf_slice(&text));
    set->ascii = b->ascii;
    set->high = b->high;
    if (negate) {
        set->ascii.w[0] = ~set->ascii.w[0];
        set->ascii.w[1] = ~set->ascii.w[1];
        set->high = high_not(set->high);
    }
    buf_fini(&text);
    buf_fini(&b->items);
    buf_fini(&b->other);
    *b = (struct builder){0};
    return set;
}

static void add_code_point(struct builder *b, uint32_t cp)
{
    if (cp < 128)
        buf_printf(&b->items, "\\x%02x", cp);
    else
        buf_printf(&b->items, "\\x{%x}", cp);
}

static void add_range(struct builder *b, uint32_t low, uint32_t high)
{
    for (uint32_t c = low; c <= high && c < 128; c++) ascii_add(&b->ascii, c);
    if (high >= 128)
        b->high = high_union(b->high, low <= 128 && high == 0x10ffff ? HIGH_ALL : HIGH_SOME);
    add_code_point(b, low);
    if (high > low) {
        buf_add_byte(&b->items, '-');
        add_code_point(b, high);
    }
}

static void add_named(struct builder *b, const struct named_class *class, bool negate,
                      enum set_high high)
{
    struct ascii_set set = named_ascii(class);
    if (negate) {
        set = (struct ascii_set){{~set.w[0], ~set.w[1]}};
        high = high_not(high);
        buf_printf(&b->other, "|[^%s]", class->utf);
    } else {
        buf_add_cstr(&b->items, class->utf);
    }
    ascii_union(&b->ascii, set);
    b->high = high_union(b->high, high);
}

static void add_set(struct builder *b, const struct charset *set)
{
    ascii_union(&b->ascii, set->ascii);
    b->high = high_union(b->high, set->high);
    buf_add_byte(&b->other, '|');
    buf_add_slice(&b->other, set->utf);
}

/* ---- \p{..} -------------------------------------------------------------------------------- */

/* PCRE2 knows which ASCII characters have the property, and whether it exists. */
static bool property_ascii(const char *text, struct ascii_set *set)
{
    int code_error;
    PCRE2_SIZE at;
    char pattern[100];
    int n = snprintf(pattern, sizeof(pattern), "[%s]", text);
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, (PCRE2_SIZE)n, PCRE2_UTF, &code_error, &at, NULL);
    if (code == NULL) return false;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    ASSERT(data != NULL);
    for (uint32_t c = 0; c < 128; c++) {
        unsigned char byte = (unsigned char)c;
        if (pcre2_match(code, &byte, 1, 0, 0, data, NULL) > 0) ascii_add(set, c);
    }
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return true;
}

static const struct named_class *find_posix(slice name)
{
    for (uint32_t i = 0; i < ARRAY_LEN(posix); i++)
        if (slice_equal_nocase(slice_from_cstr(posix[i].name), name)) return &posix[i];
    return NULL;
}

/* After the p or P: {name} or {^name}. POSIX names work here too. With `negated` the property
 * itself is added, and whether its opposite is meant is said there. */
static bool add_property(struct parser *p, struct builder *b, bool negate, bool *negated)
{
    uint32_t start = p->at - 2;
    slice rest = slice_from(p->in, p->at);
    int64_t end = slice_find_byte(rest, '}');
    if (rest.n == 0 || rest.p[0] != '{' || end < 0 || end > 60)
        return parse_fail(p, start, "expected {property} after \\p");
    slice name = slice_part(rest, 1, (uint32_t)end - 1);
    p->at += (uint32_t)end + 1;
    if (name.n > 0 && name.p[0] == '^') {
        negate = !negate;
        name = slice_from(name, 1);
    }
    if (negated != NULL) {
        *negated = negate;
        negate = false;
    }
    const struct named_class *class = find_posix(name);
    if (class != NULL) return add_named(b, class, negate, HIGH_SOME), true;
    if (slice_equal_nocase(name, SLICE("any"))) name = SLICE("Any");
    char text[80];
    snprintf(text, sizeof(text), "\\%c{%.*s}", negate ? 'P' : 'p', SLICE_FMT(name));
    struct ascii_set set = {{0, 0}};
    if (!property_ascii(text, &set))
        return parse_fail(p, start, "expected a property name, not {%.*s}", SLICE_FMT(name));
    ascii_union(&b->ascii, set);
    b->high = high_union(b->high, HIGH_SOME);
    buf_add_cstr(&b->items, text);
    return true;
}

/* At the letter after a backslash. Sets *taken when it named a class. */
static bool add_class_escape(struct parser *p, struct builder *b, bool *taken, bool *negated)
{
    char c = p->at < p->in.n ? p->in.p[p->at] : 0;
    *taken = true;
    if (c == 'p' || c == 'P') {
        p->at++;
        return add_property(p, b, c == 'P', negated);
    }
    for (uint32_t i = 0; i < ARRAY_LEN(shorthand); i++) {
        char letter = shorthand[i].name[0];
        if (c != letter && c != letter - 32) continue;
        p->at++;
        add_named(b, &shorthand[i], c != letter, HIGH_NONE);
        return true;
    }
    *taken = false;
    return true;
}

struct charset *parse_class_escape(struct parser *p)
{
    struct builder b = {0};
    bool taken, negated = false;
    /* Without regard to case \P{..} is the opposite of the folded property. */
    bool ok = add_class_escape(p, &b, &taken, &negated);
    if (ok && taken) return build(p, &b, negated);
    buf_fini(&b.items);
    buf_fini(&b.other);
    return NULL;
}

struct charset *parse_dot(struct parser *p)
{
    struct builder b = {0};
    if (!(p->flags & REGEX_DOT_ALL)) add_range(&b, '\n', '\n');
    return build(p, &b, true);
}

/* ---- [..] ---------------------------------------------------------------------------------- */

/* [:name:] or [:^name:]; anything else that starts with [: is a nested class. */
static bool take_posix(struct parser *p, struct builder *b)
{
    slice rest = slice_from(p->in, p->at);
    if (!slice_starts(rest, SLICE("[:"))) return false;
    slice name = slice_from(rest, 2);
    bool negate = slice_starts(name, SLICE("^"));
    if (negate) name = slice_from(name, 1);
    int64_t end = slice_find(name, SLICE(":]"));
    if (end < 0 || end > 8) return false;
    const struct named_class *class = find_posix(slice_part(name, 0, (uint32_t)end));
    if (class == NULL) return false;
    bool ascii = class->name[0] == 'x' || slice_equal(slice_from_cstr(class->name), SLICE("ascii"));
    add_named(b, class, negate, ascii ? HIGH_NONE : HIGH_SOME);
    p->at += 2u + negate + (uint32_t)end + 2;
    return true;
}

static bool class_char(struct parser *p, uint32_t *cp)
{
    if (p->in.p[p->at] != '\\') return parse_code_point(p, cp);
    p->at++;
    if (p->at < p->in.n && p->in.p[p->at] == 'b') return p->at++, *cp = '\b', true;
    return parse_escape(p, cp);
}

static bool looking_at_byte(const struct parser *p, uint32_t ahead, char c)
{
    return p->at + ahead < p->in.n && p->in.p[p->at + ahead] == c;
}

/* A character, or a range when '-' and an upper bound follow. */
static bool take_range(struct parser *p, struct builder *b)
{
    uint32_t start = p->at, low, high;
    if (!class_char(p, &low)) return false;
    bool range = looking_at_byte(p, 0, '-') && p->at + 1 < p->in.n && p->in.p[p->at + 1] != ']' &&
                 p->in.p[p->at + 1] != '[';
    if (range && looking_at_byte(p, 1, '\\') && p->at + 2 < p->in.n &&
        strchr("dDwWsShHpP", p->in.p[p->at + 2]) != NULL)
        range = false; /* [a-\d]: the '-' is a plain member */
    if (range && looking_at_byte(p, 1, '&') && looking_at_byte(p, 2, '&')) range = false;
    if (!range) return add_range(b, low, low), true;
    p->at++;
    if (!class_char(p, &high)) return false;
    if (low > high) return parse_fail(p, start, "expected a range with low <= high");
    add_range(b, low, high);
    return true;
}

static bool take_item(struct parser *p, struct builder *b)
{
    char c = p->in.p[p->at];
    if (c == '[') {
        if (take_posix(p, b)) return true;
        if (++p->depth > REGEX_NESTING_MAX)
            return parse_fail(p, p->at, "classes nested deeper than %u", REGEX_NESTING_MAX);
        const struct charset *inner = parse_class(p);
        p->depth--;
        if (inner == NULL) return false;
        add_set(b, inner);
        return true;
    }
    if (c == '\\') {
        bool taken;
        p->at++;
        if (!add_class_escape(p, b, &taken, NULL)) return false;
        if (taken) return true;
        p->at--;
    }
    return take_range(p, b);
}

/* What && has on its left and right, as one set. */
static void intersect(struct parser *p, struct charset *left, struct charset *right,
                      struct builder *b)
{
    struct charset both = {.high = HIGH_SOME};
    struct buf text = {0};
    both.ascii = (struct ascii_set){
        {left->ascii.w[0] & right->ascii.w[0], left->ascii.w[1] & right->ascii.w[1]}};
    if (left->high == HIGH_NONE || right->high == HIGH_NONE) both.high = HIGH_NONE;
    if (left->high == HIGH_ALL && right->high == HIGH_ALL) both.high = HIGH_ALL;
    buf_printf(&text, "(?:(?=%.*s)%.*s)", SLICE_FMT(left->utf), SLICE_FMT(right->utf));
    both.utf = tree_text(p->tree, buf_slice(&text));
    buf_fini(&text);
    add_set(b, &both);
}

static bool take_items(struct parser *p, uint32_t start, struct builder *b)
{
    struct charset *left = NULL;
    /* A ] that comes first is a member, and so is every one if none would close the class. */
    if (looking_at_byte(p, 0, ']')) {
        add_range(b, ']', ']');
        p->at++;
    }
    for (;;) {
        if (p->at >= p->in.n) return parse_fail(p, start, "expected ] for this class");
        bool and = looking_at_byte(p, 0, '&') && looking_at_byte(p, 1, '&');
        bool end = looking_at_byte(p, 0, ']');
        if (!and&&!end) {
            if (!take_item(p, b)) return false;
            continue;
        }
        p->at += and? 2 : 1;
        if (left != NULL) intersect(p, left, build(p, b, false), b);
        if (end) return true;
        left = build(p, b, false);
    }
}

struct charset *parse_class(struct parser *p)
{
    uint32_t start = p->at++;
    bool negate = looking_at_byte(p, 0, '^');
    if (negate) p->at++;
    struct builder b = {0};
    bool ok = take_items(p, start, &b);
    if (ok) return build(p, &b, negate);
    buf_fini(&b.items);
    buf_fini(&b.other);
    return NULL;
}
