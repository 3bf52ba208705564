/*
 * json_write_kernel.h - the JSON encoder with vectors of any width.
 *
 * Functions take the place to write at and return the place behind what they wrote; room()
 * is asked before, and leaves BUF_PAD bytes beyond that whole vectors may spill into.
 * Included by json_write_sse42.c and json_write_avx2.c only.
 */
#ifndef PARSERS_JSON_JSON_WRITE_KERNEL_H
#define PARSERS_JSON_JSON_WRITE_KERNEL_H
#include "engine/base/number.h"
#include "parsers/json/json_write.h"
#include "parsers/scan/vec.h"

struct json_write_kernel {
    void (*event)(struct buf *out, const struct event *ev, struct time_iso_cache *cache);
    void (*events)(struct buf *out, const struct batch *b, const struct sel *sel, slice prefix,
                   slice suffix, struct time_iso_cache *cache);
    void (*value)(struct buf *out, const struct value *val, struct time_iso_cache *cache);
    void (*string)(struct buf *out, slice text);
};
extern const struct json_write_kernel json_write_sse42, json_write_avx2;

/* The longest value that is not a string: a number or a quoted time. */
#define JSON_SCALAR_BYTES_MAX (NUMBER_TEXT_MAX + TIME_ISO_BYTES_MAX + 2u)

/* Makes room for `more` bytes and BUF_PAD at `to`, which may move. */
static inline char *room(struct buf *out, char *to, size_t more)
{
    if (__builtin_expect((size_t)(out->data + out->cap - to) < more, 0)) {
        out->n = (size_t)(to - out->data);
        buf_grow(out, more);
        to = buf_end(out);
    }
    return to;
}

/* n < VEC_BYTES bytes at p in the low end of a vector; the rest is undefined.
 * Reading past the end is harmless as long as it stays on the page: it cannot fault, and what
 * it reads is not used. Strings of the configuration have no padding. Sanitizers would object,
 * so their builds always take the copy. */
static inline vec load_part(const char *p, uint32_t n)
{
#ifndef SPATE_DEBUG
    if (__builtin_expect(n > 0 && ((uintptr_t)p & 4095) <= 4096 - VEC_BYTES, 1)) return vec_load(p);
#endif
    char copy[VEC_BYTES] = {0};
    if (n > 0) memcpy(copy, p, n);
    return vec_load(copy);
}

/* Copies in whole vectors; writes up to VEC_BYTES - 1 bytes more. */
static inline char *put_bytes(char *to, const char *p, size_t n)
{
    while (__builtin_expect(n >= VEC_BYTES, 0)) {
        vec_store(to, vec_load(p));
        to += VEC_BYTES;
        p += VEC_BYTES;
        n -= VEC_BYTES;
    }
    vec_store(to, load_part(p, (uint32_t)n));
    return to + n;
}

static inline uint64_t needs_escape(vec v)
{
    return vec_mask_le(v, vec_set1(0x1f)) | vec_mask_eq(v, vec_set1('"')) |
           vec_mask_eq(v, vec_set1('\\'));
}

/* RFC 8259 section 7; the short form where there is one. */
static inline char *put_escape(char *to, unsigned char c)
{
    static const char letter[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *to++ = '\\';
    if (c >= 0x20) {
        *to++ = (char)c;
    } else if (letter[c] != 0) {
        *to++ = letter[c];
    } else {
        memcpy(to, "u00", 3);
        to[3] = (char)('0' + (c >> 4));
        to[4] = "0123456789abcdef"[c & 15];
        to += 5;
    }
    return to;
}

/* What put_text may need behind its n bytes: an escape is made of one byte, and a quote follows. */
#define JSON_TEXT_SLACK 8u

/* Copies and tests at once; room for n + JSON_TEXT_SLACK bytes was made, more is made when
 * escapes need it. */
static inline char *put_text(struct buf *out, char *to, const char *p, uint32_t n)
{
    while (n > 0) {
        uint32_t step = n < VEC_BYTES ? n : VEC_BYTES;
        vec v = n < VEC_BYTES ? load_part(p, n) : vec_load(p);
        uint64_t mask = needs_escape(v) & mask_low(step);
        vec_store(to, v);
        if (__builtin_expect(mask != 0, 0)) {
            step = mask_first(mask);
            to = room(out, to + step, (size_t)(n - step) + JSON_TEXT_SLACK);
            to = put_escape(to, (unsigned char)p[step]);
            step++;
        } else {
            to += step;
        }
        p += step;
        n -= step;
    }
    return to;
}

/* The string with its quotes; room for its n + JSON_TEXT_SLACK bytes was made. */
static inline char *put_quoted(struct buf *out, char *to, const char *p, uint32_t n, bool verbatim)
{
    *to++ = '"';
    to = verbatim ? put_bytes(to, p, n) : put_text(out, to, p, n);
    *to++ = '"';
    return to;
}

static inline char *put_string(struct buf *out, char *to, const char *p, uint32_t n)
{
    return put_quoted(out, room(out, to, (size_t)n + JSON_TEXT_SLACK), p, n, false);
}

static inline char *put_time(char *to, int64_t ns, struct time_iso_cache *cache)
{
    *to++ = '"';
    to += time_iso_write(ns, cache, to);
    *to++ = '"';
    return to;
}

static char *put_map(struct buf *out, char *to, const struct map *map,
                     struct time_iso_cache *cache);
static char *put_list(struct buf *out, char *to, const struct value *list,
                      struct time_iso_cache *cache);

static inline char *put_literal(char *to, const char *word, uint32_t n)
{
    memcpy(to, word, n);
    return to + n;
}

static inline char *put_value(struct buf *out, char *to, const struct value *v,
                              struct time_iso_cache *cache)
{
    if (__builtin_expect(v->type == VALUE_STRING, 1))
        return put_quoted(out, room(out, to, (size_t)v->n + JSON_TEXT_SLACK), v->u.str, v->n,
                          (v->flags & (VALUE_CLEAN | VALUE_ESCAPED)) != 0);
    if ((v->flags & VALUE_RAW) != 0 || v->type == VALUE_BIGNUM)
        return put_bytes(room(out, to, v->n), v->u.str, v->n);
    to = room(out, to, JSON_SCALAR_BYTES_MAX);
    switch ((enum value_type)v->type) {
    case VALUE_BOOL: return v->u.yes ? put_literal(to, "true", 4) : put_literal(to, "false", 5);
    case VALUE_INT: return to + number_i64_text(v->u.num, to);
    case VALUE_FLOAT: return to + number_f64_json(v->u.real, to);
    case VALUE_TIME: return put_time(to, v->u.time_ns, cache);
    case VALUE_LIST: return put_list(out, to, v, cache);
    case VALUE_MAP: return put_map(out, to, v->u.map, cache);
    default: return put_literal(to, "null", 4);
    }
}

/* "key": */
static inline char *put_key(struct buf *out, char *to, const struct member *m)
{
    to = room(out, to, (size_t)m->key_n + 4);
    if (__builtin_expect(m->val.key_flags & KEY_WIRE, 1)) {
        uint32_t n = m->key_n + 3;
        if (__builtin_expect(n > BLOCK_BYTES, 0)) return put_bytes(to, m->key - 1, n);
        struct block wire = block_load(m->key - 1);
        for (uint32_t i = 0; i < BLOCK_VECS; i++) vec_store(to + i * VEC_BYTES, wire.v[i]);
        return to + n;
    }
    if (m->val.key_flags & KEY_QUOTED) {
        to = put_bytes(to, m->key - 1, (size_t)m->key_n + 2);
    } else {
        to = put_string(out, to, m->key, m->key_n);
        to = room(out, to, 1);
    }
    *to++ = ':';
    return to;
}

/* The end of the JSON text "key":value in memory, when the member still is one run of it: a
 * decoded field nobody touched. NULL otherwise. The bytes in question are looked at, so that it
 * does not matter where they came from. */
static inline const char *member_run(const struct member *m)
{
    const struct value *v = &m->val;
    const char *at = m->key + m->key_n + 2;
    if ((v->key_flags & KEY_WIRE) == 0) return NULL;
    if (v->type == VALUE_STRING) {
        if ((v->flags & (VALUE_CLEAN | VALUE_ESCAPED)) == 0 || v->u.str != at + 1) return NULL;
        return *at == '"' && at[1 + v->n] == '"' ? at + v->n + 2 : NULL;
    }
    if ((v->flags & VALUE_RAW) != 0) return v->u.str == at ? at + v->n : NULL;
    if (m->key_n > BLOCK_BYTES - 16) return NULL; /* KEY_WIRE: these bytes are readable */
    uint32_t word, want = 0;
    memcpy(&word, at, 4);
    if (v->type == VALUE_NIL) memcpy(&want, "null", 4);
    if (v->type == VALUE_BOOL) memcpy(&want, v->u.yes ? "true" : "fals", 4);
    if (want == 0 || word != want) return NULL;
    if (v->type == VALUE_NIL || v->u.yes) return at + 4;
    return at[4] == 'e' ? at + 5 : NULL;
}

/* The usual member of a filtered event in one go: laid out key, string value. */
static inline char *put_wired_string(struct buf *out, char *to, const struct member *m)
{
    const struct value *v = &m->val;
    to = room(out, to, (size_t)m->key_n + 3 + v->n + JSON_TEXT_SLACK);
    struct block wire = block_load(m->key - 1);
    for (uint32_t i = 0; i < BLOCK_VECS; i++) vec_store(to + i * VEC_BYTES, wire.v[i]);
    to += m->key_n + 3;
    return put_quoted(out, to, v->u.str, v->n, (v->flags & (VALUE_CLEAN | VALUE_ESCAPED)) != 0);
}

/* The members with their commas; *comma tells whether the first needs one. Neighbours that
 * are neighbours in the text they came from too are copied in one go. */
static inline char *put_members(struct buf *out, char *to, const struct map *map, bool comma,
                                struct time_iso_cache *cache)
{
    for (uint32_t i = 0; i < map->n; i++) {
        const struct member *m = &map->at[i];
        to = room(out, to, 1);
        *to = ',';
        to += comma;
        comma = true;
        const char *end = member_run(m), *from = m->key - 1;
        if (end == NULL) {
            bool wired = (m->val.key_flags & KEY_WIRE) != 0 && m->key_n <= BLOCK_BYTES - 3;
            if (__builtin_expect(wired && m->val.type == VALUE_STRING, 1))
                to = put_wired_string(out, to, m);
            else
                to = put_value(out, put_key(out, to, m), &m->val, cache);
            continue;
        }
        while (i + 1 < map->n && map->at[i + 1].key == end + 2 && *end == ',') {
            const char *next = member_run(&map->at[i + 1]);
            if (next == NULL) break;
            end = next;
            i++;
        }
        to = put_bytes(room(out, to, (size_t)(end - from)), from, (size_t)(end - from));
    }
    return to;
}

static char *put_map(struct buf *out, char *to, const struct map *map, struct time_iso_cache *cache)
{
    to = room(out, to, 1);
    *to++ = '{';
    to = put_members(out, to, map, false, cache);
    to = room(out, to, 1);
    *to++ = '}';
    return to;
}

static char *put_list(struct buf *out, char *to, const struct value *list,
                      struct time_iso_cache *cache)
{
    to = room(out, to, 1);
    *to++ = '[';
    for (uint32_t i = 0; i < list->n; i++) {
        to = room(out, to, 1);
        *to = ',';
        to += i > 0;
        to = put_value(out, to, &list->u.list[i], cache);
    }
    to = room(out, to, 1);
    *to++ = ']';
    return to;
}

static inline char *put_event(struct buf *out, char *to, const struct event *ev,
                              struct time_iso_cache *cache)
{
    static const char head[] = "{\"@timestamp\":";
    to = room(out, to, sizeof(head) + JSON_SCALAR_BYTES_MAX);
    bool timed = ev->time.type == VALUE_TIME;
    if (timed)
        to = put_time(put_literal(to, head, sizeof(head) - 1), ev->time.u.time_ns, cache);
    else
        *to++ = '{';
    to = put_members(out, to, &ev->data, timed, cache);
    to = room(out, to, 1);
    *to++ = '}';
    return to;
}

static inline void write_event(struct buf *out, const struct event *ev,
                               struct time_iso_cache *cache)
{
    buf_room(out, 1);
    out->n = (size_t)(put_event(out, buf_end(out), ev, cache) - out->data);
}

static inline void write_events(struct buf *out, const struct batch *b, const struct sel *sel,
                                slice prefix, slice suffix, struct time_iso_cache *cache)
{
    buf_room(out, 1);
    char *to = buf_end(out);
    for (uint32_t i = 0; i < sel->n; i++) {
        to = put_bytes(room(out, to, prefix.n), prefix.p, prefix.n);
        to = put_event(out, to, &b->event[sel->at[i]], cache);
        to = put_bytes(room(out, to, suffix.n), suffix.p, suffix.n);
    }
    out->n = (size_t)(to - out->data);
}

static inline void write_value(struct buf *out, const struct value *val,
                               struct time_iso_cache *cache)
{
    buf_room(out, 1);
    out->n = (size_t)(put_value(out, buf_end(out), val, cache) - out->data);
}

static inline void write_string(struct buf *out, slice text)
{
    buf_room(out, 1);
    out->n = (size_t)(put_string(out, buf_end(out), text.p, text.n) - out->data);
}

#endif
