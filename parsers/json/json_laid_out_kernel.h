/*
 * json_laid_out_kernel.h - events of a known layout, with vectors of any width.
 *
 * First all members are compared with the layout's and their lengths added up, without a branch for
 * each; then room for the whole is made once, and text and value are copied in turn. Included,
 * after json_write_kernel.h, by json_write_sse42.c, json_write_avx2.c and json_write_avx512.c only.
 */
#ifndef PARSERS_JSON_JSON_LAID_OUT_KERNEL_H
#define PARSERS_JSON_JSON_LAID_OUT_KERNEL_H
#include "parsers/json/json_write_kernel.h"

/* What the members of an event have in common with a layout's, gathered without a branch for each.
 */
#ifdef __AVX2__
struct likeness {
    __m256i differs, sum;
};
static inline struct likeness likeness_begin(void)
{
    return (struct likeness){_mm256_setzero_si256(), _mm256_setzero_si256()};
}
static inline void likeness_add(struct likeness *l, const struct member *m,
                                const struct member *like)
{
    /* Everything but the value's length and text. */
    const __m256i all = _mm256_setr_epi32(-1, -1, -1, -1, -1, 0, 0, 0);
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)m);
    __m256i other = _mm256_loadu_si256((const __m256i *)(const void *)like);
    l->differs = _mm256_or_si256(l->differs, _mm256_and_si256(_mm256_xor_si256(v, other), all));
    l->sum = _mm256_add_epi32(l->sum, v);
}
static inline bool likeness_end(const struct likeness *l, size_t *bytes)
{
    *bytes = (uint32_t)_mm256_extract_epi32(l->sum, 5);
    return _mm256_testz_si256(l->differs, l->differs);
}
#else
struct likeness {
    uint64_t differs, sum;
};
static inline struct likeness likeness_begin(void)
{
    return (struct likeness){0, 0};
}
static inline void likeness_add(struct likeness *l, const struct member *m,
                                const struct member *like)
{
    uint32_t head, other;
    memcpy(&head, &m->val, sizeof(head));
    memcpy(&other, &like->val, sizeof(other));
    l->differs |= ((uintptr_t)m->key ^ (uintptr_t)like->key) | (head ^ other);
    l->sum += m->val.n;
}
static inline bool likeness_end(const struct likeness *l, size_t *bytes)
{
    *bytes = l->sum;
    return l->differs == 0;
}
#endif
_Static_assert(offsetof(struct member, val) == 16 && offsetof(struct value, n) == 4,
               "likeness_add knows where the head of a value is, likeness_end where its length");

/* The values of the event that are written, when it is of this layout, and an upper bound of what
 * their texts take before escaping. */
static inline bool find_leaves(const struct event *ev, const struct json_layout *layout,
                               const struct value **leaf, size_t *bytes)
{
    const struct member *m = ev->data.at, *up[JSON_LAYOUT_DEPTH_MAX];
    const struct json_slot *slot = layout->slot, *behind = slot + layout->slot_n;
    struct likeness l = likeness_begin();
    uint32_t depth = 0;
    for (; slot < behind; slot++) {
        if (slot->turns) {
            if (slot->up > 0) m = up[depth -= slot->up];
            if (slot->kind == JSON_SLOT_MAP) {
                const struct value *v = &m->val;
                if (m->key != slot->like.key || v->type != VALUE_MAP ||
                    v->flags != slot->like.val.flags || v->u.map->n != slot->map_n)
                    return false;
                up[depth++] = m + 1;
                m = v->u.map->at;
                continue;
            }
        }
        likeness_add(&l, m, &slot->like);
        *leaf++ = &m->val;
        m++;
    }
    return likeness_end(&l, bytes);
}

/* At most BUF_PAD bytes more are written than n. */
static inline char *put_layout_text(char *to, const char *from, uint32_t n)
{
    vec_store(to, vec_load(from));
    for (uint32_t at = VEC_BYTES; __builtin_expect(at < n, 0); at += VEC_BYTES)
        vec_store(to + at, vec_load(from + at));
    return to + n;
}

/* The text of a leaf from p on, that has escapes; remembers what it became. */
static __attribute__((noinline)) char *
put_leaf_escaped(struct writer *w, char *to, const struct value *v, const char *p, uint64_t mask)
{
    uint32_t done = (uint32_t)(p - v->u.str);
    size_t at = (size_t)(to - w->out->data) - done;
    to = put_escaped(w, to, p, v->n - done, mask);
    if (v->n >= JSON_KNOWN_BYTES_MIN) {
        w->known = v->u.str;
        w->known_n = v->n;
        w->known_at = at;
        w->known_out_n = (size_t)(to - w->out->data) - at;
    }
    return room(w, to, w->rest);
}

/* What the same bytes became before. */
static __attribute__((noinline)) char *put_leaf_known(struct writer *w, char *to)
{
    to = room(w, to, w->known_out_n + w->rest);
    return put_bytes(to, w->out->data + w->known_at, w->known_out_n);
}

static inline __attribute__((always_inline)) char *put_leaf_text(struct writer *w, char *to,
                                                                 const struct value *v)
{
    const char *p = v->u.str;
    uint32_t n = v->n;
    uint64_t mask;
    if (__builtin_expect(p == w->known && n == w->known_n, 0)) return put_leaf_known(w, to);
    to = put_plain(to, &p, &n, &mask);
    return __builtin_expect(mask == 0, 1) ? to : put_leaf_escaped(w, to, v, p, mask);
}

static inline char *put_leaves(struct writer *w, char *to, const struct json_layout *layout,
                               const struct value *const *leaf)
{
    const struct json_leaf *at = layout->leaf, *behind = at + layout->leaf_n;
    for (; at < behind; at++, leaf++) {
        const struct value *v = *leaf;
        to = put_layout_text(to, layout->text + at->text_at, at->text_n);
        if (__builtin_expect(at->kind == JSON_SLOT_TEXT, 1))
            to = put_leaf_text(w, to, v);
        else if (at->kind == JSON_SLOT_VERBATIM)
            to = put_bytes(to, v->u.str, v->n);
        else if (at->kind == JSON_SLOT_SHARED)
            to = put_bytes(to, shared_map_json(v), v->n);
        else
            to = room(w, put_other(w, to, v), w->rest);
    }
    return put_layout_text(to, layout->text + layout->tail_at, layout->text_n - layout->tail_at);
}

/* False, and nothing written, when the event is not of this layout. */
static inline bool write_laid_out(struct buf *out, const struct event *ev,
                                  struct time_iso_cache *cache, const struct json_layout *layout)
{
    static const char head[] = "{\"@timestamp\":";
    const struct value *leaf[JSON_LAYOUT_SLOTS_MAX];
    struct writer w;
    size_t bytes;
    if (!find_leaves(ev, layout, leaf, &bytes)) return false;
    char *to = writer_open(&w, out, cache);
    /* For all that comes, so that only what takes more than its length asks again. */
    w.rest = sizeof(head) + layout->text_n + bytes + 2 * layout->leaf_n + JSON_SCALAR_BYTES_MAX +
             JSON_SLACK;
    to = room(&w, to, w.rest + JSON_SCALAR_BYTES_MAX);
    to = put_time(put_literal(to, head, sizeof(head) - 1), ev->time.u.time_ns, cache);
    writer_close(&w, put_leaves(&w, to, layout, leaf));
    return true;
}

#endif
