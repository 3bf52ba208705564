/* ruby_marshal.c - one byte of type, then what it needs. */
#include "parsers/wire/ruby_marshal.h"

#include <stdio.h>
#include <stdlib.h>

#include "parsers/text/utf8_scrub.h"

/* ---- reading --------------------------------------------------------------------------------- */

struct table {
    struct value *at;
    uint32_t n, cap;
};

struct reader {
    slice in;
    uint32_t at, depth;
    struct arena *arena;
    struct table objects, symbols;
    err error;
};

static bool fail(struct reader *r, err e)
{
    if (r->error == ERR_OK) r->error = e;
    return false;
}

static bool take(struct reader *r, uint32_t n, slice *out)
{
    if (n > r->in.n - r->at) return fail(r, ERR_FRAME);
    *out = slice_part(r->in, r->at, n);
    r->at += n;
    return true;
}

static bool take_byte(struct reader *r, uint8_t *out)
{
    slice one;
    if (!take(r, 1, &one)) return false;
    *out = (uint8_t)one.p[0];
    return true;
}

/* Small numbers are in the byte, others in up to four bytes behind it. */
static bool take_long(struct reader *r, int64_t *out)
{
    uint8_t byte;
    slice rest;
    if (!take_byte(r, &byte)) return false;
    int c = (int8_t)byte;
    if (c == 0 || c > 4 || c < -4) {
        *out = c == 0 ? 0 : c > 0 ? c - 5 : c + 5;
        return true;
    }
    uint32_t n = (uint32_t)(c < 0 ? -c : c);
    if (!take(r, n, &rest)) return false;
    int64_t value = c < 0 ? -1 : 0;
    for (uint32_t i = 0; i < n; i++) {
        value &= ~((int64_t)0xff << (8 * i));
        value |= (int64_t)(uint8_t)rest.p[i] << (8 * i);
    }
    *out = value;
    return true;
}

static bool take_count(struct reader *r, uint32_t *out)
{
    int64_t n;
    if (!take_long(r, &n)) return false;
    /* Every item takes a byte at least. */
    if (n < 0 || n > (int64_t)(r->in.n - r->at)) return fail(r, ERR_FRAME);
    *out = (uint32_t)n;
    return true;
}

static bool take_bytes(struct reader *r, slice *out)
{
    uint32_t n;
    return take_count(r, &n) && take(r, n, out);
}

static bool table_add(struct reader *r, struct table *t, struct value v)
{
    if (t->n == MARSHAL_OBJECTS_MAX) return fail(r, ERR_LIMIT);
    if (t->n == t->cap) {
        uint32_t cap = t->cap == 0 ? 16 : t->cap * 2;
        struct value *at = arena_alloc(r->arena, cap * sizeof(*at), 16);
        if (t->n > 0) memcpy(at, t->at, t->n * sizeof(*at));
        t->at = at;
        t->cap = cap;
    }
    t->at[t->n++] = v;
    return true;
}

static struct value text_value(struct reader *r, slice bytes)
{
    return value_string(utf8_scrub(arena_copy(r->arena, bytes), r->arena));
}

static bool read_value(struct reader *r, struct value *out);

static bool read_link(struct reader *r, const struct table *t, struct value *out)
{
    int64_t at;
    if (!take_long(r, &at)) return false;
    if (at < 0 || at >= t->n) return fail(r, ERR_FRAME);
    *out = t->at[at];
    /* A list inside of itself. */
    return out->type != VALUE_NIL || fail(r, ERR_UNSUPPORTED);
}

static bool read_float(struct reader *r, struct value *out)
{
    char text[64], *end;
    slice bytes;
    if (!take_bytes(r, &bytes)) return false;
    if (bytes.n == 0 || bytes.n >= sizeof(text)) return fail(r, ERR_FRAME);
    *out = value_float(strtod(slice_cstr(bytes, text, sizeof(text)), &end));
    if (*end != 0) return fail(r, ERR_FRAME);
    return table_add(r, &r->objects, *out);
}

/* Sign, then shorts; what 64 bits cannot hold becomes a float. */
static bool read_big(struct reader *r, struct value *out)
{
    uint8_t sign;
    int64_t shorts;
    slice bytes;
    if (!take_byte(r, &sign) || !take_long(r, &shorts)) return false;
    if (shorts < 0 || shorts > 1024 || !take(r, (uint32_t)shorts * 2, &bytes))
        return fail(r, ERR_FRAME);
    double real = 0;
    uint64_t whole = 0;
    bool fits = true;
    for (uint32_t i = bytes.n; i-- > 0;) {
        real = real * 256 + (uint8_t)bytes.p[i];
        fits = fits && whole >> 55 == 0;
        whole = whole << 8 | (uint8_t)bytes.p[i];
    }
    *out = fits ? value_int(sign == '-' ? -(int64_t)whole : (int64_t)whole)
                : value_float(sign == '-' ? -real : real);
    return table_add(r, &r->objects, *out);
}

static bool read_list(struct reader *r, struct value *out)
{
    uint32_t n, place = r->objects.n;
    if (!take_count(r, &n) || !table_add(r, &r->objects, value_nil())) return false;
    struct value *items = arena_alloc(r->arena, ((size_t)n + 1) * sizeof(*items), 16);
    for (uint32_t i = 0; i < n; i++)
        if (!read_value(r, &items[i])) return false;
    *out = r->objects.at[place] = value_list(items, n);
    return true;
}

static bool read_map(struct reader *r, struct value *out)
{
    uint32_t n, place = r->objects.n;
    struct value key, val;
    struct map *map = map_new(r->arena);
    if (!take_count(r, &n) || !table_add(r, &r->objects, value_nil())) return false;
    for (uint32_t i = 0; i < n; i++) {
        struct buf scratch = {0};
        if (!read_value(r, &key) || !read_value(r, &val)) return false;
        slice name = arena_copy(r->arena, value_to_slice(&key, r->arena, &scratch));
        buf_fini(&scratch);
        map_put(map, r->arena, key_make(r->arena, name), val);
    }
    *out = r->objects.at[place] = value_map(map);
    return true;
}

/* A value with instance variables: of a string, its encoding. */
static bool read_ivars(struct reader *r, struct value *out)
{
    uint32_t n;
    struct value ignored;
    if (!read_value(r, out) || !take_count(r, &n)) return false;
    for (uint32_t i = 0; i < n * 2; i++)
        if (!read_value(r, &ignored)) return false;
    return true;
}

static bool read_typed(struct reader *r, uint8_t type, struct value *out)
{
    slice bytes;
    int64_t num;
    switch (type) {
    case '0': *out = value_nil(); return true;
    case 'T': *out = value_bool(true); return true;
    case 'F': *out = value_bool(false); return true;
    case 'i':
        if (!take_long(r, &num)) return false;
        *out = value_int(num);
        return true;
    case ':':
        if (!take_bytes(r, &bytes)) return false;
        *out = text_value(r, bytes);
        return table_add(r, &r->symbols, *out);
    case '"':
        if (!take_bytes(r, &bytes)) return false;
        *out = text_value(r, bytes);
        return table_add(r, &r->objects, *out);
    case ';': return read_link(r, &r->symbols, out);
    case '@': return read_link(r, &r->objects, out);
    case 'l': return read_big(r, out);
    case 'f': return read_float(r, out);
    case '[': return read_list(r, out);
    case '{': return read_map(r, out);
    case 'I': return read_ivars(r, out);
    default: return fail(r, ERR_UNSUPPORTED);
    }
}

static bool read_value(struct reader *r, struct value *out)
{
    uint8_t type;
    if (r->depth == MARSHAL_DEPTH_MAX) return fail(r, ERR_LIMIT);
    r->depth++;
    bool ok = take_byte(r, &type) && read_typed(r, type, out);
    r->depth--;
    return ok;
}

err marshal_read(slice in, struct arena *arena, struct value *out)
{
    struct reader r = {.in = in, .arena = arena};
    if (!slice_starts(in, SLICE("\x04\x08"))) return ERR_FRAME;
    r.at = 2;
    return read_value(&r, out) ? ERR_OK : r.error;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct writer {
    struct buf *out;
    struct arena *arena;
    bool has_symbol; /* :E was written */
};

static void add_long(struct buf *out, int64_t num)
{
    if (num == 0) {
        buf_add_byte(out, 0);
    } else if (num > 0 && num < 123) {
        buf_add_byte(out, (char)(num + 5));
    } else if (num < 0 && num > -124) {
        buf_add_byte(out, (char)(num - 5));
    } else {
        uint32_t n = 1;
        for (int64_t rest = num >> 8; rest != (num < 0 ? -1 : 0); rest >>= 8) n++;
        buf_add_byte(out, (char)(num < 0 ? -(int)n : (int)n));
        for (uint32_t i = 0; i < n; i++) buf_add_byte(out, (char)(num >> (8 * i)));
    }
}

static void add_bytes(struct buf *out, slice bytes)
{
    add_long(out, bytes.n);
    buf_add_slice(out, bytes);
}

/* With its encoding, UTF-8. */
static void add_string(struct writer *w, slice text)
{
    buf_add_cstr(w->out, "I\"");
    add_bytes(w->out, text);
    add_long(w->out, 1);
    if (w->has_symbol)
        buf_add(w->out, ";\0", 2);
    else
        buf_add_cstr(w->out, ":\x06"
                             "E");
    w->has_symbol = true;
    buf_add_byte(w->out, 'T');
}

/* Ruby's small integers have 31 bits in this format. */
static void add_int(struct buf *out, int64_t num)
{
    if (num >= -(1LL << 30) && num < (1LL << 30)) {
        buf_add_byte(out, 'i');
        add_long(out, num);
        return;
    }
    uint64_t size = num < 0 ? 0 - (uint64_t)num : (uint64_t)num;
    uint32_t shorts = 0;
    for (uint64_t rest = size; rest != 0; rest >>= 16) shorts++;
    buf_add_byte(out, 'l');
    buf_add_byte(out, num < 0 ? '-' : '+');
    add_long(out, shorts);
    for (uint32_t i = 0; i < shorts * 2; i++) buf_add_byte(out, (char)(size >> (8 * i)));
}

static void add_value(struct writer *w, struct value *v)
{
    char text[40];
    struct buf scratch = {0};
    value_resolve(v, w->arena);
    switch (v->type) {
    case VALUE_NIL: buf_add_byte(w->out, '0'); break;
    case VALUE_BOOL: buf_add_byte(w->out, v->u.yes ? 'T' : 'F'); break;
    case VALUE_INT: add_int(w->out, v->u.num); break;
    case VALUE_FLOAT:
        buf_add_byte(w->out, 'f');
        add_bytes(w->out,
                  slice_make(text, (size_t)snprintf(text, sizeof(text), "%.17g", v->u.real)));
        break;
    case VALUE_LIST:
        buf_add_byte(w->out, '[');
        add_long(w->out, v->n);
        for (uint32_t i = 0; i < v->n; i++) add_value(w, &v->u.list[i]);
        break;
    case VALUE_MAP:
        buf_add_byte(w->out, '{');
        add_long(w->out, v->u.map->n);
        for (uint32_t i = 0; i < v->u.map->n; i++) {
            struct member *m = &v->u.map->at[i];
            add_string(w, slice_make(m->key, m->key_n));
            add_value(w, &m->val);
        }
        break;
    default: add_string(w, value_to_slice(v, w->arena, &scratch)); break;
    }
    buf_fini(&scratch);
}

void marshal_write(struct value *v, struct arena *arena, struct buf *out)
{
    struct writer w = {.out = out, .arena = arena};
    buf_add_cstr(out, "\x04\x08");
    add_value(&w, v);
}
