/*
 * json_write_kernel.h - the JSON encoder with vectors of any width.
 *
 * Functions take the place to write at and return the place behind what they wrote; room()
 * is asked before, and leaves BUF_PAD bytes beyond that whole vectors may spill into.
 * Included by json_write_sse42.c, json_write_avx2.c and json_write_avx512.c only, by way of
 * json_laid_out_kernel.h.
 */
#ifndef PARSERS_JSON_JSON_WRITE_KERNEL_H
#define PARSERS_JSON_JSON_WRITE_KERNEL_H
/* Most keys and values fit 32 bytes; whole 64-byte stores cost more than they save. */
#define VEC_HALF
#include "engine/base/number.h"
#include "parsers/json/json_layout.h"
#include "parsers/json/json_write.h"
#include "parsers/scan/vec.h"

struct json_write_kernel {
    void (*event)(struct buf *out, const struct event *ev, struct time_iso_cache *cache);
    void (*events)(struct buf *out, const struct batch *b, const struct sel *sel, slice prefix,
                   slice suffix, struct time_iso_cache *cache);
    void (*value)(struct buf *out, const struct value *val, struct time_iso_cache *cache);
    void (*string)(struct buf *out, slice text);
    bool (*laid_out)(struct buf *out, const struct event *ev, struct time_iso_cache *cache,
                     const struct json_layout *layout);
};
extern const struct json_write_kernel json_write_sse42, json_write_avx2, json_write_avx512;

/* The longest value that is not a string: a number or a quoted time. */
#define JSON_SCALAR_BYTES_MAX (NUMBER_TEXT_MAX + TIME_ISO_BYTES_MAX + 2u)
/* Maps within maps that are written without recursion. */
#define JSON_NESTED_MAX 8u
/* Stays free behind every value: the rest of an escape, a quote, a comma, the ends of maps. */
#define JSON_SLACK (8u + 2u + JSON_NESTED_MAX)

/* Where the text goes. */
struct writer {
    struct buf *out;
    char *limit; /* of what may be written without growing */
    struct time_iso_cache *cache;
    /* A text of this event that had escapes, and where it went: message and [event][original] are
     * the same bytes as a rule. */
    const char *known;
    uint32_t known_n;
    size_t known_at, known_out_n;
    size_t rest; /* of a known layout: what may still come, at most */
};

/* Shorter texts are written again rather than looked for. */
#define JSON_KNOWN_BYTES_MIN 64u

static inline char *writer_open(struct writer *w, struct buf *out, struct time_iso_cache *cache)
{
    buf_room(out, 1); /* an empty one has no memory to point into */
    *w = (struct writer){.out = out, .limit = out->data + out->cap, .cache = cache};
    return buf_end(out);
}

static inline void writer_close(struct writer *w, const char *to)
{
    w->out->n = (size_t)(to - w->out->data);
}

static __attribute__((noinline)) char *grow(struct writer *w, char *to, size_t more)
{
    w->out->n = (size_t)(to - w->out->data);
    buf_grow(w->out, more);
    w->limit = w->out->data + w->out->cap;
    return buf_end(w->out);
}

/* Makes room for `more` bytes and BUF_PAD at `to`, which may move. */
static inline char *room(struct writer *w, char *to, size_t more)
{
    return __builtin_expect((size_t)(w->limit - to) < more, 0) ? grow(w, to, more) : to;
}

/* n < VEC_BYTES bytes at p in the low end of a vector; the rest is undefined. */
static inline vec load_part(const char *p, uint32_t n)
{
#ifdef __AVX512BW__
    return _mm256_maskz_loadu_epi8(_bzhi_u32(UINT32_MAX, n), p);
#else
    /* Reading past the end is harmless as long as it stays on the page: it cannot fault, and what
     * it reads is not used. Strings of the configuration have no padding. Sanitizers would object,
     * so their builds always take the copy. */
#ifndef SPATE_DEBUG
    if (__builtin_expect(n > 0 && ((uintptr_t)p & 4095) <= 4096 - VEC_BYTES, 1)) return vec_load(p);
#endif
    char copy[VEC_BYTES] = {0};
    if (n > 0) memcpy(copy, p, n);
    return vec_load(copy);
#endif
}

/* Copies in whole vectors; writes up to VEC_BYTES - 1 bytes more. */
static inline char *put_bytes(char *to, const char *p, size_t n)
{
    while (n >= VEC_BYTES) {
        vec_store(to, vec_load(p));
        to += VEC_BYTES;
        p += VEC_BYTES;
        n -= VEC_BYTES;
    }
    vec_store(to, load_part(p, (uint32_t)n));
    return to + n;
}

/* n < VEC_BYTES bytes at p, then what needs no escape. */
static inline vec load_text(const char *p, uint32_t n)
{
#ifdef __AVX512BW__
    return _mm256_mask_loadu_epi8(vec_set1(' '), _bzhi_u32(UINT32_MAX, n), p);
#else
    return load_part(p, n);
#endif
}

/* Bytes to escape: up to 0x1f, '"' and '\\'. Flipping bit 1 puts '"' right above the controls and
 * leaves these among themselves. */
static inline uint64_t needs_escape(vec v)
{
    return vec_mask_le(vec_xor(v, vec_set1(2)), vec_set1(0x20)) | vec_mask_eq(v, vec_set1('\\'));
}

static inline uint64_t needs_escape_text(vec v, uint32_t n)
{
#ifdef __AVX512BW__
    (void)n;
    return needs_escape(v);
#else
    return needs_escape(v) & mask_low(n);
#endif
}

/* RFC 8259 section 7; the short form where there is one. Writes up to 6 bytes. */
static inline char *put_escape(char *to, unsigned char c)
{
    static const char letter[128] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                     ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    to[0] = '\\';
    to[1] = letter[c & 127];
    if (__builtin_expect(letter[c & 127] != 0, 1)) return to + 2;
    memcpy(to + 1, "u00", 3);
    to[4] = (char)('0' + (c >> 4));
    to[5] = "0123456789abcdef"[c & 15];
    return to + 6;
}

/* One vector of which `mask` says what to escape, n bytes of it. Room for 6 * VEC_BYTES was made.
 */
static inline char *put_escapes(char *to, vec v, uint64_t mask, uint32_t n)
{
    char copy[2 * VEC_BYTES];
    uint32_t at = 0;
    vec_store(copy, v);
    for (; mask != 0; mask &= mask - 1) {
        uint32_t next = mask_first(mask);
        vec_store(to, vec_load(copy + at));
        to = put_escape(to + (next - at), (unsigned char)copy[next]);
        at = next + 1;
    }
    vec_store(to, vec_load(copy + at));
    return to + (n - at);
}

#ifdef __AVX512VBMI2__
/* Text of which room is made for twice as much at once. */
#define JSON_ESCAPE_BLOCK_BYTES 4096u

/* The same where every escape has two bytes, which is so but for rare controls: then the text is
 * spread and the gaps are backslashes. No branch depends on where the escapes are. */
static inline char *put_spread(struct writer *w, char *to, vec v, uint32_t n, size_t left)
{
    const uint64_t bytes =
        0xaaaaaaaaaaaaaaaa; /* every byte has a place for a backslash before it */
    const __m256i letters =
        _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 'b', 't', 'n', 0, 'f', 'r', 0, 0, 0, 0, 0, 0, 0, 0,
                         0, 0, 'b', 't', 'n', 0, 'f', 'r', 0, 0);
    uint64_t mask = needs_escape(v);
    __mmask32 control = _mm256_cmple_epu8_mask(v, _mm256_set1_epi8(0x1f));
    if (__builtin_expect(control != 0, 0)) {
        __m256i letter = _mm256_shuffle_epi8(letters, v);
        __mmask32 longer = _mm256_mask_cmpgt_epu8_mask(control, v, _mm256_set1_epi8(15)) |
                           _mm256_mask_testn_epi8_mask(control, letter, letter);
        if (longer != 0) return put_escapes(room(w, to, left + 6 * VEC_BYTES), v, mask, n);
        v = _mm256_mask_mov_epi8(v, control, letter);
    }
    uint64_t places = _pdep_u64(mask, ~bytes) | bytes;
    __m512i text = _mm512_castsi256_si512(v);
    _mm512_storeu_si512(
        to, _mm512_mask_expand_epi8(_mm512_set1_epi8('\\'), _pext_u64(bytes, places), text));
    return to + n + (uint32_t)__builtin_popcountll(mask);
}

/* The rest of a text from the vector on that has something to escape. */
static __attribute__((noinline)) char *put_escaped(struct writer *w, char *to, const char *p,
                                                   uint32_t n, uint64_t mask)
{
    (void)mask;
    while (n > 0) {
        uint32_t block = n < JSON_ESCAPE_BLOCK_BYTES ? n : JSON_ESCAPE_BLOCK_BYTES;
        n -= block;
        to = room(w, to, (size_t)n + 2 * block + JSON_SLACK);
        for (; block >= VEC_BYTES; block -= VEC_BYTES, p += VEC_BYTES)
            to = put_spread(w, to, vec_load(p), VEC_BYTES, (size_t)n + 2 * block + JSON_SLACK);
        if (block > 0)
            to = put_spread(w, to, load_text(p, block), block, (size_t)n + 2 * block + JSON_SLACK);
        p += block;
    }
    return to;
}
#else
/* The rest of a text from the vector on that has something to escape: `mask` says what of its
 * bytes at p. */
static __attribute__((noinline)) char *put_escaped(struct writer *w, char *to, const char *p,
                                                   uint32_t n, uint64_t mask)
{
    for (;;) {
        uint32_t step = n < VEC_BYTES ? n : VEC_BYTES;
        vec v = n < VEC_BYTES ? load_part(p, n) : vec_load(p);
        if (mask != 0) {
            to = room(w, to, (size_t)n + 6 * VEC_BYTES + JSON_SLACK);
            to = put_escapes(to, v, mask, step);
        } else {
            vec_store(to, v);
            to += step;
        }
        p += step;
        n -= step;
        if (n == 0) return to;
        v = n < VEC_BYTES ? load_part(p, n) : vec_load(p);
        mask = needs_escape(v) & mask_low(n);
    }
}
#endif

/* Copies and tests at once up to the first vector with something to escape: *p and *n are then the
 * rest from there on, *mask its bytes to escape. *mask is 0 when all is written. */
static inline __attribute__((always_inline)) char *put_plain(char *to, const char **p, uint32_t *n,
                                                             uint64_t *mask)
{
    for (; *n >= VEC_BYTES; to += VEC_BYTES, *p += VEC_BYTES, *n -= VEC_BYTES) {
        vec v = vec_load(*p);
        vec_store(to, v);
        *mask = needs_escape(v);
        if (__builtin_expect(*mask != 0, 0)) return to;
    }
    vec v = load_text(*p, *n);
    vec_store(to, v);
    *mask = needs_escape_text(v, *n);
    if (__builtin_expect(*mask == 0, 1)) return to + *n;
    if (*mask != 1ull << (*n - 1)) return to;
    /* Lines that keep their newline end so. */
    *mask = 0;
    return put_escape(to + *n - 1, (unsigned char)(*p)[*n - 1]);
}

/* Room for n + JSON_SLACK bytes was made, more is made when escapes need it. */
static inline __attribute__((always_inline)) char *put_text(struct writer *w, char *to,
                                                            const char *p, uint32_t n)
{
    uint64_t mask;
    to = put_plain(to, &p, &n, &mask);
    return __builtin_expect(mask == 0, 1) ? to : put_escaped(w, to, p, n, mask);
}

/* The string with its quotes; room for its n + JSON_SLACK bytes was made. */
static inline __attribute__((always_inline)) char *
put_quoted(struct writer *w, char *to, const char *p, uint32_t n, bool verbatim)
{
    *to++ = '"';
    to = verbatim ? put_bytes(to, p, n) : put_text(w, to, p, n);
    *to++ = '"';
    return to;
}

static inline char *put_time(char *to, int64_t ns, struct time_iso_cache *cache)
{
    *to++ = '"';
    to += time_iso_write(ns, cache, to);
    *to++ = '"';
    return to;
}

static char *put_members(struct writer *w, char *to, const struct map *map);
static char *put_list(struct writer *w, char *to, const struct value *list);

static inline char *put_literal(char *to, const char *word, uint32_t n)
{
    memcpy(to, word, n);
    return to + n;
}

/* A map by recursion. */
static __attribute__((noinline)) char *put_map(struct writer *w, char *to, const struct map *map)
{
    *to++ = '{';
    if (map->n > 0) to = put_members(w, to, map) - 1;
    to = room(w, to, JSON_SLACK);
    *to++ = '}';
    return to;
}

/* What any value may need at `to`: its n counts the bytes of a string and nothing much of others.
 */
static inline size_t value_room(const struct value *v)
{
    return (size_t)v->n + JSON_SCALAR_BYTES_MAX + JSON_SLACK;
}

/* What is no string; room for value_room() was made. */
static __attribute__((noinline)) char *put_other(struct writer *w, char *to, const struct value *v)
{
    if ((v->flags & VALUE_RAW) != 0 || v->type == VALUE_BIGNUM)
        return put_bytes(to, v->u.str, v->n);
    switch ((enum value_type)v->type) {
    case VALUE_BOOL: return v->u.yes ? put_literal(to, "true", 4) : put_literal(to, "false", 5);
    case VALUE_INT: return to + number_i64_text(v->u.num, to);
    case VALUE_FLOAT: return to + number_f64_json(v->u.real, to);
    case VALUE_TIME: return put_time(to, v->u.time_ns, w->cache);
    case VALUE_LIST: return put_list(w, to, v);
    case VALUE_MAP:
        if ((v->flags & VALUE_SHARED) != 0 && v->n > 0)
            return put_bytes(to, shared_map_json(v), v->n);
        return put_map(w, to, v->u.map);
    default: return put_literal(to, "null", 4);
    }
}

static inline __attribute__((always_inline)) char *put_string_value(struct writer *w, char *to,
                                                                    const struct value *v)
{
    return put_quoted(w, to, v->u.str, v->n, (v->flags & (VALUE_CLEAN | VALUE_ESCAPED)) != 0);
}

/* "key": of a key that is not laid out, or is long; makes room for itself and the value. */
static __attribute__((noinline)) char *put_odd_key(struct writer *w, char *to,
                                                   const struct member *m)
{
    to = room(w, to, (size_t)m->key_n + JSON_SLACK);
    if (m->val.key_flags & KEY_QUOTED)
        to = put_bytes(to, m->key - 1, (size_t)m->key_n + 2);
    else
        to = put_quoted(w, to, m->key, m->key_n, false);
    to = room(w, to, 1 + value_room(&m->val));
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

/* At most 64 bytes, which are readable. */
static inline char *put_wire(char *to, const char *from, uint32_t n)
{
    vec_store(to, vec_load(from));
    for (uint32_t at = VEC_BYTES; __builtin_expect(at < n, 0); at += VEC_BYTES)
        vec_store(to + at, vec_load(from + at));
    return to + n;
}

/* Whether member_run is worth a look: not for the fields that filters make. */
static inline bool may_run(const struct value *v)
{
    return (v->flags & (VALUE_CLEAN | VALUE_LAZY)) != 0 || v->type <= VALUE_BOOL;
}

/* Neighbours that are neighbours in the text they came from too are copied in one go. *at is the
 * last member written. */
static __attribute__((noinline)) char *put_run(struct writer *w, char *to, const char *end,
                                               const struct member **at,
                                               const struct member *behind)
{
    const struct member *m = *at;
    const char *from = m->key - 1;
    while (m + 1 < behind && m[1].key == end + 2 && *end == ',') {
        const char *next = member_run(m + 1);
        if (next == NULL) break;
        end = next;
        m++;
    }
    *at = m;
    size_t n = (size_t)(end - from);
    return put_bytes(room(w, to, n + JSON_SLACK), from, n);
}

/* The members, each with a comma behind it. */
static char *put_members(struct writer *w, char *to, const struct map *map)
{
    struct {
        const struct member *m, *behind;
    } up[JSON_NESTED_MAX];
    uint32_t depth = 0;
    const struct member *m = map->at, *behind = m + map->n;
    for (;;) {
        if (m == behind) {
            if (depth == 0) return to;
            to[-1] = '}';
            *to++ = ',';
            depth--;
            m = up[depth].m;
            behind = up[depth].behind;
            continue;
        }
        const struct value *v = &m->val;
        const char *end = may_run(v) ? member_run(m) : NULL;
        if (end != NULL) {
            to = put_run(w, to, end, &m, behind);
            *to++ = ',';
            m++;
            continue;
        }
        to = room(w, to, BLOCK_BYTES + value_room(v));
        if (__builtin_expect((v->key_flags & KEY_WIRE) != 0 && m->key_n <= BLOCK_BYTES - 3, 1))
            to = put_wire(to, m->key - 1, m->key_n + 3);
        else
            to = put_odd_key(w, to, m);
        if (__builtin_expect(v->type == VALUE_STRING, 1)) {
            to = put_string_value(w, to, v);
        } else if (v->type == VALUE_MAP && (v->flags & VALUE_SHARED) == 0 && v->u.map->n > 0 &&
                   depth < JSON_NESTED_MAX) {
            *to++ = '{';
            up[depth].m = m + 1;
            up[depth++].behind = behind;
            m = v->u.map->at;
            behind = m + v->u.map->n;
            continue;
        } else {
            to = put_other(w, to, v);
        }
        *to++ = ',';
        m++;
    }
}

static inline char *put_value(struct writer *w, char *to, const struct value *v)
{
    return v->type == VALUE_STRING ? put_string_value(w, to, v) : put_other(w, to, v);
}

static char *put_list(struct writer *w, char *to, const struct value *list)
{
    *to++ = '[';
    for (uint32_t i = 0; i < list->n; i++) {
        to = put_value(w, room(w, to, value_room(&list->u.list[i])), &list->u.list[i]);
        *to++ = ',';
    }
    if (list->n > 0) to--;
    to = room(w, to, JSON_SLACK);
    *to++ = ']';
    return to;
}

static inline char *put_event(struct writer *w, char *to, const struct event *ev)
{
    static const char head[] = "{\"@timestamp\":";
    to = room(w, to, sizeof(head) + JSON_SCALAR_BYTES_MAX + JSON_SLACK);
    bool timed = ev->time.type == VALUE_TIME;
    if (timed) {
        to = put_time(put_literal(to, head, sizeof(head) - 1), ev->time.u.time_ns, w->cache);
        *to++ = ',';
    } else {
        *to++ = '{';
    }
    if (ev->data.n > 0) to = put_members(w, to, &ev->data);
    if (timed || ev->data.n > 0) to--;
    *to++ = '}';
    return to;
}

static inline void write_event(struct buf *out, const struct event *ev,
                               struct time_iso_cache *cache)
{
    struct writer w;
    char *to = writer_open(&w, out, cache);
    writer_close(&w, put_event(&w, to, ev));
}

static inline void write_events(struct buf *out, const struct batch *b, const struct sel *sel,
                                slice prefix, slice suffix, struct time_iso_cache *cache)
{
    struct writer w;
    char *to = writer_open(&w, out, cache);
    for (uint32_t i = 0; i < sel->n; i++) {
        to = put_bytes(room(&w, to, prefix.n), prefix.p, prefix.n);
        to = put_event(&w, to, &b->event[sel->at[i]]);
        to = put_bytes(room(&w, to, suffix.n), suffix.p, suffix.n);
    }
    writer_close(&w, to);
}

static inline void write_value(struct buf *out, const struct value *val,
                               struct time_iso_cache *cache)
{
    struct writer w;
    char *to = writer_open(&w, out, cache);
    writer_close(&w, put_value(&w, room(&w, to, value_room(val)), val));
}

static inline void write_string(struct buf *out, slice text)
{
    struct writer w;
    char *to = writer_open(&w, out, NULL);
    to = room(&w, to, (size_t)text.n + 1 + JSON_SLACK);
    writer_close(&w, put_quoted(&w, to, text.p, text.n, false));
}

#endif
