/* value.c - resolving, copying, comparing, printing values. */
#include "engine/event/value.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"
#include "engine/base/utf8.h"
#include "engine/event/map.h"
#include "engine/event/time_format.h"

static uint32_t hex4(const char *p)
{
    uint32_t cp = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        cp = cp << 4 | (digit & 15);
    }
    return cp;
}

/* Reads the XXXX of \uXXXX at `at`, and a low surrogate's escape behind it if there is one. */
static uint32_t unescape_unicode(slice in, uint32_t *at)
{
    uint32_t cp = hex4(in.p + *at);
    *at += 4;
    if (cp < 0xd800 || cp > 0xdfff) return cp;
    if (cp > 0xdbff || *at + 6 > in.n || in.p[*at] != '\\' || in.p[*at + 1] != 'u') return 0xfffd;
    uint32_t low = hex4(in.p + *at + 2);
    if (low < 0xdc00 || low > 0xdfff) return 0xfffd;
    *at += 6;
    return 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
}

uint32_t json_string_unescape(slice in, char *out)
{
    uint32_t n = 0, i = 0;
    while (i < in.n) {
        const char *slash = memchr(in.p + i, '\\', in.n - i);
        uint32_t run = slash == NULL ? in.n - i : (uint32_t)(slash - in.p) - i;
        memmove(out + n, in.p + i, run);
        n += run;
        i += run;
        if (i + 1 >= in.n) break;
        char c = in.p[i + 1];
        i += 2;
        switch (c) {
        case 'b': out[n++] = '\b'; break;
        case 'f': out[n++] = '\f'; break;
        case 'n': out[n++] = '\n'; break;
        case 'r': out[n++] = '\r'; break;
        case 't': out[n++] = '\t'; break;
        case 'u':
            if (i + 4 > in.n) return n; /* the decoder refuses this; stay inside the bytes */
            n += utf8_encode(unescape_unicode(in, &i), out + n);
            break;
        default: out[n++] = c;
        }
    }
    return n;
}

/* An integer of more than 18 digits may not fit: then it stays exact text. */
static void resolve_int(struct value *v)
{
    int64_t num;
    if (slice_to_i64(slice_make(v->u.str, v->n), &num))
        *v = (struct value){.type = VALUE_INT, .key_flags = v->key_flags, .u.num = num};
    else
        v->type = VALUE_BIGNUM, v->flags = 0;
}

static void resolve_float(struct value *v)
{
    double real;
    /* Out of a double's range it stays exact text: an infinity would leave as a word. */
    if (!number_f64_parse(slice_make(v->u.str, v->n), &real) || !isfinite(real)) {
        v->type = VALUE_BIGNUM;
        v->flags = 0;
        return;
    }
    *v = (struct value){.type = VALUE_FLOAT, .key_flags = v->key_flags, .u.real = real};
}

/* Encoders copy the text in whole vectors and may read this much behind it. */
#define JSON_PAD_BYTES 64u

struct value value_share(struct value v, bool with_json, struct arena *arena)
{
    ASSERT(v.type == VALUE_MAP && (v.flags & VALUE_SHARED) == 0);
    struct shared_map *shared = arena_alloc(arena, sizeof(*shared), 16);
    *shared = (struct shared_map){.map = *v.u.map};
    v.u.map = &shared->map;
    v.flags = VALUE_SHARED;
    v.n = 0;
    if (with_json) {
        struct buf text = {0};
        value_json(&v, &text);
        char *json = arena_alloc(arena, text.n + JSON_PAD_BYTES, 16);
        memset(json + text.n, 0, JSON_PAD_BYTES);
        memcpy(json, text.data, text.n);
        shared->json = json;
        v.n = (uint32_t)text.n;
        buf_fini(&text);
    }
    return v;
}

static void resolve_shared(struct value *v, struct arena *arena)
{
    struct map *own = map_new(arena);
    map_copy(own, v->u.map, arena);
    v->u.map = own;
    v->flags = 0;
    v->n = 0;
}

void value_resolve_lazy(struct value *v, struct arena *arena)
{
    if (v->flags & VALUE_SHARED) {
        resolve_shared(v, arena);
        return;
    }
    if (v->flags & VALUE_ESCAPED) {
        char *out = arena_alloc(arena, v->n, 1);
        v->n = json_string_unescape(slice_make(v->u.str, v->n), out);
        v->u.str = out;
        v->flags = 0;
        return;
    }
    if (v->type == VALUE_INT)
        resolve_int(v);
    else
        resolve_float(v);
}

struct value value_copy(const struct value *v, struct arena *arena)
{
    struct value copy = *v;
    if (v->flags & VALUE_SHARED) return copy;
    if (v->type == VALUE_LIST) {
        copy.u.list = arena_alloc(arena, (v->n + 1) * sizeof(struct value), 16);
        for (uint32_t i = 0; i < v->n; i++) copy.u.list[i] = value_copy(&v->u.list[i], arena);
    } else if (v->type == VALUE_MAP) {
        copy.u.map = map_new(arena);
        map_copy(copy.u.map, v->u.map, arena);
    }
    return copy;
}

static bool map_equal(struct map *a, struct map *b, struct arena *arena)
{
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++) {
        struct member *m = &a->at[i];
        struct member *other = map_find(b, slice_make(m->key, m->key_n), m->hash);
        if (other == NULL || !value_equal(&m->val, &other->val, arena)) return false;
    }
    return true;
}

bool value_equal(struct value *a, struct value *b, struct arena *arena)
{
    value_resolve(a, arena);
    value_resolve(b, arena);
    if (a->type != b->type) return false;
    switch ((enum value_type)a->type) {
    case VALUE_NIL: return true;
    case VALUE_BOOL: return a->u.yes == b->u.yes;
    case VALUE_INT: return a->u.num == b->u.num;
    case VALUE_FLOAT: return a->u.real == b->u.real;
    case VALUE_TIME: return a->u.time_ns == b->u.time_ns;
    case VALUE_BIGNUM:
    case VALUE_STRING: return slice_equal(value_slice(a), value_slice(b));
    case VALUE_LIST:
        if (a->n != b->n) return false;
        for (uint32_t i = 0; i < a->n; i++)
            if (!value_equal(&a->u.list[i], &b->u.list[i], arena)) return false;
        return true;
    case VALUE_MAP: return map_equal(a->u.map, b->u.map, arena);
    }
    return false;
}

static void json_string(const struct value *v, struct buf *out)
{
    if (v->flags & VALUE_ESCAPED) {
        buf_add_byte(out, '"');
        buf_add(out, v->u.str, v->n);
        buf_add_byte(out, '"');
    } else {
        buf_add_json(out, value_slice(v));
    }
}

/* How floats are written. */
enum json_floats {
    JSON_FLOATS,     /* as outputs write them; what was read from JSON as it was */
    JSON_FLOATS_JAVA /* as Logstash's sprintf writes those of a hash */
};

static void json_value(const struct value *v, enum json_floats floats, struct buf *out);

static void json_map(const struct map *map, enum json_floats floats, struct buf *out)
{
    buf_add_byte(out, '{');
    for (uint32_t i = 0; i < map->n; i++) {
        if (i > 0) buf_add_byte(out, ',');
        buf_add_json(out, slice_make(map->at[i].key, map->at[i].key_n));
        buf_add_byte(out, ':');
        json_value(&map->at[i].val, floats, out);
    }
    buf_add_byte(out, '}');
}

/* In quotes when JSON has no such number. */
static void json_float_java(double real, struct buf *out)
{
    char text[NUMBER_TEXT_MAX];
    if (!isfinite(real)) buf_add_byte(out, '"');
    buf_add(out, text, number_f64_java(real, text));
    if (!isfinite(real)) buf_add_byte(out, '"');
}

static void json_float(const struct value *v, enum json_floats floats, struct buf *out)
{
    char text[NUMBER_TEXT_MAX];
    bool raw = (v->flags & VALUE_RAW) != 0;
    double real = 0;
    if (floats == JSON_FLOATS_JAVA && (!raw || number_f64_parse(value_slice(v), &real)))
        json_float_java(raw ? real : v->u.real, out);
    else if (raw)
        buf_add(out, v->u.str, v->n);
    else
        buf_add(out, text, number_f64_json(v->u.real, text));
}

static void json_value(const struct value *v, enum json_floats floats, struct buf *out)
{
    char text[NUMBER_TEXT_MAX + TIME_ISO_BYTES_MAX];
    switch ((enum value_type)v->type) {
    case VALUE_NIL: buf_add_cstr(out, "null"); break;
    case VALUE_BOOL: buf_add_cstr(out, v->u.yes ? "true" : "false"); break;
    case VALUE_INT:
        if (v->flags & VALUE_RAW)
            buf_add(out, v->u.str, v->n);
        else
            buf_add(out, text, number_i64_text(v->u.num, text));
        break;
    case VALUE_FLOAT: json_float(v, floats, out); break;
    case VALUE_BIGNUM: buf_add(out, v->u.str, v->n); break;
    case VALUE_TIME:
        buf_add_byte(out, '"');
        buf_add(out, text, time_iso_write(v->u.time_ns, &(struct time_iso_cache){0}, text));
        buf_add_byte(out, '"');
        break;
    case VALUE_STRING: json_string(v, out); break;
    case VALUE_LIST:
        buf_add_byte(out, '[');
        for (uint32_t i = 0; i < v->n; i++) {
            if (i > 0) buf_add_byte(out, ',');
            json_value(&v->u.list[i], floats, out);
        }
        buf_add_byte(out, ']');
        break;
    case VALUE_MAP: json_map(v->u.map, floats, out); break;
    }
}

void value_json(const struct value *v, struct buf *out)
{
    json_value(v, JSON_FLOATS, out);
}

void value_text_java(struct value *v, struct arena *arena, struct buf *out)
{
    value_resolve(v, arena);
    if (v->type == VALUE_NIL) {
        buf_add_cstr(out, "null");
    } else if (v->type == VALUE_LIST) {
        buf_add_byte(out, '[');
        for (uint32_t i = 0; i < v->n; i++) {
            if (i > 0) buf_add_cstr(out, ", ");
            value_text_java(&v->u.list[i], arena, out);
        }
        buf_add_byte(out, ']');
    } else if (v->type == VALUE_MAP) {
        buf_add_byte(out, '{');
        for (uint32_t i = 0; i < v->u.map->n; i++) {
            struct member *m = &v->u.map->at[i];
            if (i > 0) buf_add_cstr(out, ", ");
            buf_add(out, m->key, m->key_n);
            buf_add_byte(out, '=');
            value_text_java(&m->val, arena, out);
        }
        buf_add_byte(out, '}');
    } else {
        value_text(v, arena, out);
    }
}

void value_text_ruby(struct value *v, struct arena *arena, struct buf *out)
{
    char text[NUMBER_TEXT_MAX];
    value_resolve(v, arena);
    if (v->type == VALUE_FLOAT)
        buf_add(out, text, number_f64_ruby(v->u.real, text));
    else
        value_text(v, arena, out);
}

void value_text(struct value *v, struct arena *arena, struct buf *out)
{
    char text[NUMBER_TEXT_MAX + TIME_ISO_BYTES_MAX];
    value_resolve(v, arena);
    switch ((enum value_type)v->type) {
    case VALUE_NIL: break;
    case VALUE_BOOL: buf_add_cstr(out, v->u.yes ? "true" : "false"); break;
    case VALUE_INT: buf_add(out, text, number_i64_text(v->u.num, text)); break;
    case VALUE_FLOAT: buf_add(out, text, number_f64_java(v->u.real, text)); break;
    case VALUE_TIME:
        buf_add(out, text, time_iso_write(v->u.time_ns, &(struct time_iso_cache){0}, text));
        break;
    case VALUE_BIGNUM:
    case VALUE_STRING: buf_add(out, v->u.str, v->n); break;
    case VALUE_LIST:
        for (uint32_t i = 0; i < v->n; i++) {
            struct value *item = &v->u.list[i];
            if (i > 0) buf_add_byte(out, ',');
            value_resolve(item, arena);
            (item->type == VALUE_MAP ? value_text_java : value_text)(item, arena, out);
        }
        break;
    case VALUE_MAP: json_map(v->u.map, JSON_FLOATS_JAVA, out); break;
    }
}

slice value_to_slice(struct value *v, struct arena *arena, struct buf *scratch)
{
    value_resolve(v, arena);
    if (v->type == VALUE_STRING || v->type == VALUE_BIGNUM) return value_slice(v);
    scratch->n = 0;
    value_text(v, arena, scratch);
    return arena_copy(arena, buf_slice(scratch));
}
