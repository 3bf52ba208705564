/* ttl_cache.c - a hash table of chains, and a list by use through its entries. */
#include "engine/plan/ttl_cache.h"

#include <stdlib.h>

#include "engine/base/assert.h"

#define BUCKETS_FIRST 64u

struct ttl_entry {
    struct ttl_entry *chain;         /* of the bucket */
    struct ttl_entry *newer, *older; /* by use */
    uint64_t hash;
    int64_t put_ns;
    uint32_t key_n, value_n;
    char bytes[]; /* key, value */
};

void ttl_cache_init(struct ttl_cache *c, int64_t entries_max, int64_t ttl_ns)
{
    *c = (struct ttl_cache){.ttl_ns = ttl_ns};
    if (entries_max <= 0) return;
    c->entries_max =
        entries_max > TTL_CACHE_ENTRIES_MAX ? TTL_CACHE_ENTRIES_MAX : (uint32_t)entries_max;
    c->bucket = calloc(BUCKETS_FIRST, sizeof(struct ttl_entry *));
    ASSERT(c->bucket != NULL);
    c->bucket_mask = BUCKETS_FIRST - 1;
}

void ttl_cache_fini(struct ttl_cache *c)
{
    while (c->newest != NULL) {
        struct ttl_entry *e = c->newest;
        c->newest = e->older;
        free(e);
    }
    free(c->bucket);
    *c = (struct ttl_cache){0};
}

static void unlink_use(struct ttl_cache *c, struct ttl_entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &c->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct ttl_cache *c, struct ttl_entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static struct ttl_entry **place(struct ttl_cache *c, slice key, uint64_t hash)
{
    struct ttl_entry **at = &c->bucket[hash & c->bucket_mask];
    while (*at != NULL &&
           ((*at)->hash != hash || !slice_equal(slice_make((*at)->bytes, (*at)->key_n), key)))
        at = &(*at)->chain;
    return at;
}

static void drop(struct ttl_cache *c, struct ttl_entry **at)
{
    struct ttl_entry *e = *at;
    *at = e->chain;
    unlink_use(c, e);
    c->n--;
    free(e);
}

static void grow(struct ttl_cache *c)
{
    uint32_t n = (c->bucket_mask + 1) * 2;
    free(c->bucket);
    c->bucket = calloc(n, sizeof(struct ttl_entry *));
    ASSERT(c->bucket != NULL);
    c->bucket_mask = n - 1;
    for (struct ttl_entry *e = c->newest; e != NULL; e = e->older) {
        e->chain = c->bucket[e->hash & c->bucket_mask];
        c->bucket[e->hash & c->bucket_mask] = e;
    }
}

void ttl_cache_put(struct ttl_cache *c, slice key, slice value, int64_t now_ns)
{
    if (c->entries_max == 0 || key.n > TTL_CACHE_BYTES_MAX || value.n > TTL_CACHE_BYTES_MAX) return;
    uint64_t hash = hash_bytes(key.p, key.n, 0);
    struct ttl_entry **at = place(c, key, hash);
    if (*at != NULL) drop(c, at);
    if (c->n == c->entries_max) {
        struct ttl_entry *e = c->oldest;
        drop(c, place(c, slice_make(e->bytes, e->key_n), e->hash));
    }
    if (c->n > c->bucket_mask) grow(c);
    struct ttl_entry *e = malloc(sizeof(*e) + key.n + value.n);
    ASSERT(e != NULL);
    *e = (struct ttl_entry){.hash = hash, .put_ns = now_ns, .key_n = key.n, .value_n = value.n};
    if (key.n > 0) memcpy(e->bytes, key.p, key.n);
    if (value.n > 0) memcpy(e->bytes + key.n, value.p, value.n);
    e->chain = c->bucket[hash & c->bucket_mask];
    c->bucket[hash & c->bucket_mask] = e;
    link_newest(c, e);
    c->n++;
}

bool ttl_cache_get(struct ttl_cache *c, slice key, int64_t now_ns, slice *value)
{
    if (c->n == 0) return false;
    struct ttl_entry **at = place(c, key, hash_bytes(key.p, key.n, 0)), *e = *at;
    if (e == NULL) return false;
    if (c->ttl_ns > 0 && now_ns - e->put_ns >= c->ttl_ns) {
        drop(c, at);
        return false;
    }
    if (c->newest != e) {
        unlink_use(c, e);
        link_newest(c, e);
    }
    *value = slice_make(e->bytes + e->key_n, e->value_n);
    return true;
}
