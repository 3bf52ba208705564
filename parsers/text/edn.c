/* edn.c - a recursive reader over one text. */
#include "parsers/text/edn.h"

#include <math.h>

#include "engine/base/number.h"
#include "engine/base/tz.h"
#include "engine/base/utf8.h"
#include "engine/event/time_format.h"
#include "parsers/text/date_parse.h"
#include "parsers/text/ruby_number.h"

struct reader {
    slice text;
    uint32_t at, depth;
    struct arena *arena;
};

static bool form_read(struct reader *r, struct value *out);

static int peek(const struct reader *r)
{
    return r->at < r->text.n ? (unsigned char)r->text.p[r->at] : -1;
}

static bool is_blank(int c)
{
    return c == ' ' || c == ',' || (c >= '\t' && c <= '\r');
}

static bool ends_token(int c)
{
    return c < 0 || is_blank(c) || c == '(' || c == ')' || c == '[' || c == ']' || c == '{' ||
           c == '}' || c == '"' || c == ';';
}

/* Blanks, comments and discarded forms; false when a discarded form is broken. */
static bool blanks_skip(struct reader *r)
{
    for (;;) {
        int c = peek(r);
        if (is_blank(c)) {
            r->at++;
        } else if (c == ';') {
            while (peek(r) >= 0 && peek(r) != '\n') r->at++;
        } else if (slice_starts(slice_from(r->text, r->at), SLICE("#_"))) {
            struct value dropped;
            r->at += 2;
            if (!form_read(r, &dropped)) return false;
        } else {
            return true;
        }
    }
}

static slice token_read(struct reader *r)
{
    uint32_t from = r->at;
    while (!ends_token(peek(r))) r->at++;
    return slice_part(r->text, from, r->at - from);
}

/* ---- scalars ------------------------------------------------------------------ */

static bool hex4(slice text, uint32_t at, uint32_t *out)
{
    *out = 0;
    if (at + 4 > text.n) return false;
    for (uint32_t i = at; i < at + 4; i++) {
        char c = text.p[i], lower = (char)(c | 0x20);
        bool digit = c >= '0' && c <= '9';
        if (!digit && (lower < 'a' || lower > 'f')) return false;
        *out = *out * 16 + (uint32_t)(digit ? c - '0' : lower - 'a' + 10);
    }
    return true;
}

/* The escape behind the backslash at `at`; its bytes, 0 when there is no such one. */
static uint32_t escape_read(slice text, uint32_t at, uint32_t *cp)
{
    char c = at + 1 < text.n ? text.p[at + 1] : 0;
    switch (c) {
    case 't': *cp = '\t'; return 2;
    case 'r': *cp = '\r'; return 2;
    case 'n': *cp = '\n'; return 2;
    case 'b': *cp = '\b'; return 2;
    case 'f': *cp = '\f'; return 2;
    case '"':
    case '\\': *cp = (uint32_t)c; return 2;
    case 'u':
        if (!hex4(text, at + 2, cp)) return 0;
        if (*cp >= 0xd800 && *cp < 0xe000) *cp = 0xfffd;
        return 6;
    default: return 0;
    }
}

static bool string_read(struct reader *r, struct value *out)
{
    uint32_t from = ++r->at, end = from;
    bool escaped = false;
    while (end < r->text.n && r->text.p[end] != '"') {
        bool backslash = r->text.p[end] == '\\';
        escaped = escaped || backslash;
        end += 1 + backslash;
    }
    if (end >= r->text.n) return false;
    slice body = slice_part(r->text, from, end - from);
    r->at = end + 1;
    *out = value_string(body);
    if (!escaped) return true;
    char *text = arena_alloc(r->arena, body.n, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < body.n;) {
        if (body.p[i] != '\\') {
            text[n++] = body.p[i++];
            continue;
        }
        uint32_t cp = 0, used = escape_read(body, i, &cp);
        if (used == 0) return false;
        n += utf8_encode(cp, text + n);
        i += used;
    }
    *out = value_string(slice_make(text, n));
    return true;
}

static bool char_read(struct reader *r, struct value *out)
{
    static const struct {
        slice name;
        const char *text;
    } names[] = {{{"newline", 7}, "\n"}, {{"return", 6}, "\r"},   {{"space", 5}, " "},
                 {{"tab", 3}, "\t"},     {{"formfeed", 8}, "\f"}, {{"backspace", 9}, "\b"}};
    r->at++;
    if (peek(r) < 0) return false;
    uint32_t from = r->at, step;
    utf8_decode(r->text, r->at, &step);
    r->at += step;
    token_read(r);
    slice token = slice_part(r->text, from, r->at - from);
    *out = value_string(token);
    if (token.n == step) return true;
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!slice_equal(token, names[i].name)) continue;
        *out = value_string(slice_make(names[i].text, 1));
        return true;
    }
    uint32_t cp;
    if (token.n != 5 || token.p[0] != 'u' || !hex4(token, 1, &cp)) return false;
    if (cp >= 0xd800 && cp < 0xe000) cp = 0xfffd;
    char *text = arena_alloc(r->arena, 4, 1);
    *out = value_string(slice_make(text, utf8_encode(cp, text)));
    return true;
}

/* An integer, perhaps with N, or a float, perhaps with M. */
static bool number_read(slice token, struct arena *arena, struct value *out)
{
    uint32_t sign = token.p[0] == '-' || token.p[0] == '+', digits = sign;
    while (digits < token.n && token.p[digits] >= '0' && token.p[digits] <= '9') digits++;
    if (digits == sign) return false;
    slice rest = slice_from(token, digits);
    if (rest.n == 0 || slice_equal(rest, SLICE("N"))) {
        *out = ruby_to_i(slice_part(token, 0, digits), arena);
        return true;
    }
    if (rest.p[rest.n - 1] == 'M') token.n--;
    double real;
    if (token.p[0] == '+') token = slice_from(token, 1);
    if (!number_f64_parse(token, &real) || !isfinite(real)) return false;
    *out = value_float(real);
    return true;
}

static bool token_value(struct reader *r, struct value *out)
{
    slice token = token_read(r);
    if (token.n == 0) return false;
    if (slice_equal(token, SLICE("nil")))
        *out = value_nil();
    else if (slice_equal(token, SLICE("true")))
        *out = value_bool(true);
    else if (slice_equal(token, SLICE("false")))
        *out = value_bool(false);
    else if (token.p[0] == ':' && token.n > 1)
        *out = value_string(slice_from(token, 1));
    else
        return number_read(token, r->arena, out);
    return true;
}

/* ---- containers --------------------------------------------------------------- */

static bool list_read(struct reader *r, char close, struct value *out)
{
    struct value *items = NULL;
    uint32_t n = 0, cap = 0;
    for (;;) {
        if (!blanks_skip(r)) return false;
        if (peek(r) == close) break;
        if (n == cap) {
            uint32_t more = cap == 0 ? 8 : cap * 2;
            struct value *grown = arena_alloc(r->arena, more * sizeof(*grown), 16);
            if (n > 0) memcpy(grown, items, n * sizeof(*items));
            items = grown;
            cap = more;
        }
        if (!form_read(r, &items[n])) return false;
        n++;
    }
    r->at++;
    *out = value_list(items, n);
    return true;
}

static bool map_read(struct reader *r, struct value *out)
{
    struct map *map = map_new(r->arena);
    for (;;) {
        struct value key, val;
        if (!blanks_skip(r)) return false;
        if (peek(r) == '}') break;
        if (!form_read(r, &key) || !form_read(r, &val)) return false;
        struct buf text = {0};
        slice name = arena_copy(r->arena, value_to_slice(&key, r->arena, &text));
        buf_fini(&text);
        bool nested = key.type == VALUE_LIST || key.type == VALUE_MAP;
        if (nested && name.n > EDN_KEY_BYTES_MAX) return false;
        map_put(map, r->arena, key_borrow(name), val);
    }
    r->at++;
    *out = value_map(map);
    return true;
}

static bool tagged_read(struct reader *r, struct value *out)
{
    r->at++;
    if (peek(r) == '{') {
        r->at++;
        return list_read(r, '}', out);
    }
    slice tag = token_read(r);
    if (!form_read(r, out) || out->type != VALUE_STRING) return false;
    if (slice_equal(tag, SLICE("uuid"))) return true;
    int64_t ns;
    if (!slice_equal(tag, SLICE("inst")) ||
        !iso8601_lenient_parse(value_slice(out), tz_utc(), NULL, &ns))
        return false;
    *out = value_time(ns);
    return true;
}

static bool form_read(struct reader *r, struct value *out)
{
    if (r->depth == EDN_DEPTH_MAX) return false;
    r->depth++;
    bool good = blanks_skip(r);
    int c = peek(r);
    if (good && (c == '(' || c == '[' || c == '{')) r->at++;
    if (!good) c = -1;
    switch (c) {
    case -1: good = false; break;
    case '"': good = string_read(r, out); break;
    case '\\': good = char_read(r, out); break;
    case '(': good = list_read(r, ')', out); break;
    case '[': good = list_read(r, ']', out); break;
    case '{': good = map_read(r, out); break;
    case '#': good = tagged_read(r, out); break;
    default: good = token_value(r, out);
    }
    r->depth--;
    return good;
}

bool edn_read(slice text, struct arena *arena, struct value *out)
{
    struct reader r = {.text = text, .arena = arena};
    return form_read(&r, out);
}

/* ---- writing ------------------------------------------------------------------ */

void edn_write_string(struct buf *out, slice text)
{
    buf_add_byte(out, '"');
    for (uint32_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        char name = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c;
        if (name != c || c == '"' || c == '\\') buf_add_byte(out, '\\');
        buf_add_byte(out, name);
    }
    buf_add_byte(out, '"');
}

void edn_write(struct buf *out, struct value *v, struct arena *arena)
{
    value_resolve(v, arena);
    char text[TIME_ISO_BYTES_MAX];
    struct time_iso_cache cache = {0};
    switch ((enum value_type)v->type) {
    case VALUE_NIL: buf_add_cstr(out, "nil"); break;
    case VALUE_STRING: edn_write_string(out, value_slice(v)); break;
    case VALUE_TIME:
        edn_write_string(out, slice_make(text, time_iso_write(v->u.time_ns, &cache, text)));
        break;
    case VALUE_LIST:
        buf_add_byte(out, '[');
        for (uint32_t i = 0; i < v->n; i++) {
            if (i > 0) buf_add_byte(out, ' ');
            edn_write(out, &v->u.list[i], arena);
        }
        buf_add_byte(out, ']');
        break;
    case VALUE_MAP:
        buf_add_byte(out, '{');
        for (uint32_t i = 0; i < v->u.map->n; i++) {
            struct member *m = &v->u.map->at[i];
            if (i > 0) buf_add_cstr(out, ", ");
            edn_write_string(out, slice_make(m->key, m->key_n));
            buf_add_byte(out, ' ');
            edn_write(out, &m->val, arena);
        }
        buf_add_byte(out, '}');
        break;
    default: value_text_ruby(v, arena, out);
    }
}
