/*
 * kv_class.c - the inside of a Ruby character class.
 */
#include <ctype.h>

#include "engine/base/utf8.h"
#include "parsers/text/kv.h"

struct class_reader {
    slice text;
    uint32_t at;
};

static void class_add_ascii(struct kv_class *c, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i <= to && i < 128; i++) c->ascii[i] = true;
}

static err class_add(struct kv_class *c, uint32_t from, uint32_t to)
{
    if (from > to) return ERR_SYNTAX;
    class_add_ascii(c, from, to);
    if (to < 128) return ERR_OK;
    if (c->range_n == KV_CLASS_RANGES_MAX) return ERR_LIMIT;
    c->range[c->range_n].from = from < 128 ? 128 : from;
    c->range[c->range_n].to = to;
    c->range_n++;
    return ERR_OK;
}

/* One of \s \d \w \h or their opposites. */
static bool class_add_shorthand(struct kv_class *c, char letter)
{
    for (int i = 0; i < 128; i++) {
        bool in;
        switch (letter | 0x20) {
        case 's': in = i == ' ' || (i >= '\t' && i <= '\r'); break;
        case 'd': in = isdigit(i) != 0; break;
        case 'w': in = isalnum(i) != 0 || i == '_'; break;
        case 'h': in = isxdigit(i) != 0; break;
        default: return false;
        }
        bool negated = (letter & 0x20) == 0;
        if (in != negated) c->ascii[i] = true;
    }
    if ((letter & 0x20) == 0) c->others = true;
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') return (c | 0x20) - 'a' + 10;
    return -1;
}

static uint32_t read_hex(struct class_reader *r, uint32_t digits_max)
{
    uint32_t value = 0;
    for (uint32_t n = 0; n < digits_max && r->at < r->text.n; n++) {
        int digit = hex_value(r->text.p[r->at]);
        if (digit < 0) break;
        value = value * 16 + (uint32_t)digit;
        r->at++;
    }
    return value;
}

/* The character behind a backslash. */
static uint32_t read_escape(struct class_reader *r)
{
    uint32_t step;
    uint32_t cp = utf8_decode(r->text, r->at, &step);
    r->at += step;
    switch (cp) {
    case 't': return '\t';
    case 'n': return '\n';
    case 'r': return '\r';
    case 'f': return '\f';
    case 'v': return '\v';
    case 'a': return '\a';
    case 'e': return 0x1b;
    case 'b': return '\b';
    case '0': return 0;
    case 'x': return read_hex(r, 2);
    case 'u': return read_hex(r, 4);
    default: return cp;
    }
}

static uint32_t read_char(struct class_reader *r)
{
    if (r->text.p[r->at] == '\\' && r->at + 1 < r->text.n) {
        r->at++;
        return read_escape(r);
    }
    uint32_t step;
    uint32_t cp = utf8_decode(r->text, r->at, &step);
    r->at += step;
    return cp;
}

/* [:name:] or [:^name:]; false when the text is none. Non-ASCII letters count as alpha, alnum,
 * graph, print and word, as nearly all of them are. */
static bool class_add_posix(struct kv_class *c, struct class_reader *r)
{
    static const struct {
        const char *name;
        int (*is)(int);
        bool others;
    } sets[] = {{"alpha", isalpha, true},  {"digit", isdigit, false},   {"alnum", isalnum, true},
                {"upper", isupper, false}, {"lower", islower, false},   {"space", isspace, false},
                {"punct", ispunct, false}, {"cntrl", iscntrl, false},   {"graph", isgraph, true},
                {"print", isprint, true},  {"xdigit", isxdigit, false}, {"blank", isblank, false}};
    slice rest = slice_from(r->text, r->at);
    int64_t end = slice_find(rest, SLICE(":]"));
    if (!slice_starts(rest, SLICE("[:")) || end < 2) return false;
    slice name = slice_part(rest, 2, (uint32_t)end - 2);
    bool negated = name.n > 0 && name.p[0] == '^';
    if (negated) name = slice_from(name, 1);
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if (!slice_equal(name, slice_from_cstr(sets[i].name))) continue;
        for (int b = 0; b < 128; b++)
            if ((sets[i].is(b) != 0) != negated) c->ascii[b] = true;
        if (sets[i].others != negated) c->others = true;
        r->at += (uint32_t)end + 2;
        return true;
    }
    return false;
}

/* One item: a posix set, a shorthand, a character or a range. */
static err class_item(struct kv_class *c, struct class_reader *r)
{
    const slice text = r->text;
    if (text.p[r->at] == '[' && class_add_posix(c, r)) return ERR_OK;
    if (text.p[r->at] == '\\' && r->at + 1 < text.n && class_add_shorthand(c, text.p[r->at + 1])) {
        r->at += 2;
        return ERR_OK;
    }
    if (text.p[r->at] == '\\' && r->at + 1 == text.n) return ERR_SYNTAX;
    /* A nested [...] or an early end would mean something else to Ruby. */
    if (text.p[r->at] == '[') return ERR_UNSUPPORTED;
    if (text.p[r->at] == ']' && r->at > 0) return ERR_SYNTAX;
    uint32_t from = read_char(r);
    bool range = r->at + 1 < text.n && text.p[r->at] == '-';
    if (!range) return class_add(c, from, from);
    r->at++;
    return class_add(c, from, read_char(r));
}

static void class_and(struct kv_class *a, const struct kv_class *b)
{
    for (int i = 0; i < 128; i++) a->ascii[i] = a->ascii[i] && b->ascii[i];
    a->others = a->others && b->others;
    a->range_n = 0;
}

err kv_class_parse(slice text, struct kv_class *out)
{
    struct class_reader r = {text, 0};
    struct kv_class left;
    bool has_left = false;
    *out = (struct kv_class){0};
    bool negated = text.n > 0 && text.p[0] == '^';
    if (negated) r.at = 1;
    if (r.at == text.n) return ERR_SYNTAX; /* an empty class */
    while (r.at < text.n) {
        if (slice_starts(slice_from(text, r.at), SLICE("&&"))) {
            if (has_left) class_and(out, &left);
            left = *out;
            has_left = true;
            *out = (struct kv_class){0};
            r.at += 2;
            continue;
        }
        err e = class_item(out, &r);
        if (e != ERR_OK) return e;
    }
    if (has_left) {
        class_and(out, &left);
        out->intersected = true;
    }
    if (negated) {
        for (int i = 0; i < 128; i++) out->ascii[i] = !out->ascii[i];
        out->negated = true;
    }
    return ERR_OK;
}

bool kv_class_at(const struct kv_class *c, slice s, uint32_t i, uint32_t *n)
{
    uint8_t byte = (uint8_t)s.p[i];
    if (byte < 128) {
        *n = 1;
        return c->ascii[byte];
    }
    uint32_t cp = utf8_decode(s, i, n);
    bool in = c->others;
    for (uint32_t k = 0; k < c->range_n && !in; k++)
        in = cp >= c->range[k].from && cp <= c->range[k].to;
    return in != c->negated;
}

slice kv_remove(const struct kv_class *c, slice s, char *scratch)
{
    uint32_t n = 0;
    uint32_t step;
    for (uint32_t i = 0; i < s.n; i += step) {
        if (kv_class_at(c, s, i, &step)) continue;
        memmove(scratch + n, s.p + i, step);
        n += step;
    }
    return slice_make(scratch, n);
}

/* s, one line, without the class at both ends. */
static slice trim_line(const struct kv_class *c, slice line)
{
    uint32_t n;
    while (line.n > 0 && kv_class_at(c, line, 0, &n)) line = slice_from(line, n);
    while (line.n > 0) {
        uint32_t back = 1;
        while (back < 4 && back < line.n && (line.p[line.n - back] & 0xc0) == 0x80) back++;
        if (!kv_class_at(c, line, line.n - back, &n) || n != back) break;
        line.n -= back;
    }
    return line;
}

static bool line_ends(slice s, uint32_t i)
{
    return i == s.n || s.p[i] == '\n';
}

/* The end of the run of class characters at i, and in *eol the last end of a line in it after i
 * (0: none). */
static uint32_t trim_run(const struct kv_class *c, slice s, uint32_t i, uint32_t *eol)
{
    uint32_t step;
    uint32_t from = i;
    *eol = 0;
    while (i < s.n && kv_class_at(c, s, i, &step)) {
        i += step;
        if (i > from && line_ends(s, i)) *eol = i;
    }
    return i;
}

slice kv_trim(const struct kv_class *c, slice s, char *scratch)
{
    if (slice_find_byte(s, '\n') < 0) return trim_line(c, s);
    /* The filter substitutes ^[class]+|[class]+$ everywhere; the class may contain newlines. */
    uint32_t n = 0;
    uint32_t step = 1;
    uint32_t run_end = 0;
    uint32_t eol = 0;
    for (uint32_t i = 0; i < s.n;) {
        if (!kv_class_at(c, s, i, &step)) {
            memmove(scratch + n, s.p + i, step);
            n += step;
            i += step;
            continue;
        }
        if (i >= run_end) run_end = trim_run(c, s, i, &eol);
        if (i == 0 || s.p[i - 1] == '\n') {
            i = run_end;
        } else if (eol > i) {
            i = eol;
        } else {
            memmove(scratch + n, s.p + i, step);
            n += step;
            i += step;
        }
    }
    return slice_make(scratch, n);
}
