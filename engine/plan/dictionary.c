/* dictionary.c - entries in order, a hash table over them, three ways to look up. */
#define _GNU_SOURCE
#include "engine/plan/dictionary.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"

struct dictionary *dictionary_new(enum dictionary_mode mode)
{
    struct dictionary *d = calloc(1, sizeof(*d));
    ASSERT(d != NULL);
    page_pool_init(&d->pool, SIZE_MAX);
    arena_init(&d->arena, &d->pool);
    d->mode = mode;
    return d;
}

void dictionary_free(struct dictionary *d)
{
    if (d == NULL) return;
    regex_list_free(d->regexes);
    free(d->at);
    free(d->slot);
    free(d->by_byte);
    arena_fini(&d->arena);
    page_pool_fini(&d->pool);
    free(d);
}

struct value value_copy_deep(const struct value *v, struct arena *arena)
{
    struct value copy = *v;
    if (v->type == VALUE_STRING || v->type == VALUE_BIGNUM || (v->flags & VALUE_RAW)) {
        copy.u.str = arena_copy(arena, slice_make(v->u.str, v->n)).p;
    } else if (v->type == VALUE_LIST) {
        copy.u.list = arena_alloc(arena, ((size_t)v->n + 1) * sizeof(*copy.u.list), 16);
        for (uint32_t i = 0; i < v->n; i++) copy.u.list[i] = value_copy_deep(&v->u.list[i], arena);
    } else if (v->type == VALUE_MAP) {
        copy.u.map = map_new(arena);
        map_reserve(copy.u.map, arena, v->u.map->n + 1);
        for (uint32_t i = 0; i < v->u.map->n; i++) {
            const struct member *m = &v->u.map->at[i];
            map_put(copy.u.map, arena, key_make(arena, slice_make(m->key, m->key_n)),
                    value_copy_deep(&m->val, arena));
        }
    }
    return copy;
}

static struct dictionary_entry *find(const struct dictionary *d, slice key, uint32_t hash,
                                     bool is_int)
{
    if (d->slot == NULL) return NULL;
    for (uint32_t i = hash & d->slot_mask; d->slot[i].index != 0; i = (i + 1) & d->slot_mask) {
        if (d->slot[i].hash != hash) continue;
        struct dictionary_entry *e = &d->at[d->slot[i].index - 1];
        if (e->is_int == is_int && slice_equal(e->key, key)) return e;
    }
    return NULL;
}

static void slot_add(struct dictionary *d, uint32_t index)
{
    uint32_t i = d->at[index].hash & d->slot_mask;
    while (d->slot[i].index != 0) i = (i + 1) & d->slot_mask;
    d->slot[i] = (struct dictionary_slot){d->at[index].hash, index + 1};
}

#define HUGE_PAGE_BYTES (2u * 1024 * 1024)

/* Look-ups go to random places: in a large table nearly each would first wait for the address of
 * its page, unless pages are huge. */
static void *table_new(size_t bytes)
{
    bool large = bytes >= HUGE_PAGE_BYTES;
    if (large) bytes = (bytes + HUGE_PAGE_BYTES - 1) & ~(size_t)(HUGE_PAGE_BYTES - 1);
    void *table = aligned_alloc(large ? HUGE_PAGE_BYTES : 64, bytes);
    ASSERT(table != NULL);
    /* A kernel that has none makes it slower, no more. */
    if (large) (void)madvise(table, bytes, MADV_HUGEPAGE);
    return table;
}

static void grow(struct dictionary *d)
{
    ASSERT(d->cap < (1u << 29));
    d->cap = d->cap == 0 ? 64 : d->cap * 2;
    struct dictionary_entry *moved = table_new(d->cap * sizeof(*moved));
    if (d->n > 0) memcpy(moved, d->at, d->n * sizeof(*moved));
    free(d->at);
    d->at = moved;
    free(d->slot);
    d->slot_mask = d->cap * 2 - 1;
    d->slot = table_new(((size_t)d->slot_mask + 1) * sizeof(*d->slot));
    memset(d->slot, 0, ((size_t)d->slot_mask + 1) * sizeof(*d->slot));
    for (uint32_t i = 0; i < d->n; i++) slot_add(d, i);
}

void dictionary_put(struct dictionary *d, slice key, bool is_int, const struct value *val)
{
    uint32_t hash = hash_key(key.p, key.n);
    struct dictionary_entry *e = find(d, key, hash, is_int);
    if (e == NULL) {
        if (d->n == d->cap) grow(d);
        e = &d->at[d->n++];
        *e = (struct dictionary_entry){
            .key = arena_copy(&d->arena, key), .hash = hash, .is_int = is_int};
        slot_add(d, d->n - 1);
    }
    e->val = value_copy_deep(val, &d->arena);
}

void dictionary_put_all(struct dictionary *d, const struct dictionary *from)
{
    for (uint32_t i = 0; i < from->n; i++)
        dictionary_put(d, from->at[i].key, from->at[i].is_int, &from->at[i].val);
}

static bool regexes_make(struct dictionary *d, const char *cache_dir, char *reason)
{
    slice *patterns = malloc(((size_t)d->n + 1) * sizeof(*patterns));
    ASSERT(patterns != NULL);
    for (uint32_t i = 0; i < d->n; i++) patterns[i] = d->at[i].key;
    struct grok_error error = {0};
    d->regexes = regex_list_new(patterns, d->n, cache_dir, &error);
    if (d->regexes == NULL)
        snprintf(reason, DICTIONARY_ERROR_BYTES, "bad regular expression `%.*s`: %s",
                 SLICE_FMT(patterns[error.pattern]), error.text);
    free(patterns);
    return d->regexes != NULL;
}

static uint32_t first_byte(const struct dictionary_entry *e)
{
    return e->key.n == 0 ? 256 : (unsigned char)e->key.p[0];
}

/* A counting sort: stable, so that keys of one byte stay in order. */
static void bytes_make(struct dictionary *d)
{
    uint32_t *from = d->byte_from;
    d->by_byte = malloc(((size_t)d->n + 1) * sizeof(*d->by_byte));
    ASSERT(d->by_byte != NULL);
    for (uint32_t i = 0; i < d->n; i++) from[first_byte(&d->at[i]) + 1]++;
    for (uint32_t i = 1; i < 258; i++) from[i] += from[i - 1];
    uint32_t at[258];
    memcpy(at, from, sizeof(at));
    for (uint32_t i = 0; i < d->n; i++) d->by_byte[at[first_byte(&d->at[i])]++] = i;
}

bool dictionary_finish(struct dictionary *d, const char *cache_dir, char *reason)
{
    for (uint32_t i = 0; i < d->n; i++) {
        struct dictionary_entry *e = &d->at[i];
        if (e->key.n == 0 || e->key.n > DICTIONARY_NEAR_BYTES) continue;
        memcpy(e->near, e->key.p, e->key.n);
        e->key.p = e->near;
    }
    if (d->mode == DICTIONARY_UNION) bytes_make(d);
    return d->mode != DICTIONARY_REGEX || regexes_make(d, cache_dir, reason);
}

const struct value *dictionary_get(const struct dictionary *d, slice key, bool is_int)
{
    const struct dictionary_entry *e = find(d, key, hash_key(key.p, key.n), is_int);
    return e == NULL ? NULL : &e->val;
}

const struct value *dictionary_match(const struct dictionary *d, struct regex_list_scratch *scratch,
                                     slice text)
{
    int64_t i = regex_list_first(d->regexes, scratch, text);
    return i < 0 ? NULL : &d->at[i].val;
}

/* The first key in order that the text has at `at`, or NULL. */
static const struct dictionary_entry *key_at(const struct dictionary *d, slice text, uint32_t at)
{
    uint32_t empty =
        d->byte_from[257] > d->byte_from[256] ? d->by_byte[d->byte_from[256]] : UINT32_MAX;
    if (at < text.n) {
        unsigned char byte = (unsigned char)text.p[at];
        for (uint32_t i = d->byte_from[byte]; i < d->byte_from[byte + 1]; i++) {
            const struct dictionary_entry *e = &d->at[d->by_byte[i]];
            if (d->by_byte[i] > empty) break;
            if (text.n - at >= e->key.n && memcmp(text.p + at, e->key.p, e->key.n) == 0) return e;
        }
    }
    return empty == UINT32_MAX ? NULL : &d->at[empty];
}

bool dictionary_replace(const struct dictionary *d, slice text, struct arena *arena,
                        struct buf *out)
{
    bool any = false;
    out->n = 0;
    for (uint32_t at = 0; at <= text.n;) {
        const struct dictionary_entry *e = key_at(d, text, at);
        if (e != NULL) {
            struct value val = e->val;
            value_text_ruby(&val, arena, out);
            any = true;
        }
        if (e != NULL && e->key.n > 0) {
            at += e->key.n;
            continue;
        }
        if (at == text.n) break;
        uint32_t step = utf8_valid_at(text, at);
        if (step == 0) step = 1;
        buf_add(out, text.p + at, step);
        at += step;
    }
    return any && !slice_equal(text, buf_slice(out));
}
