/*
 * ttl_cache.h - answers of the world outside, kept for a while: least recently used goes first.
 *
 * Keys and values are bytes, copied in; what ttl_cache_get() returns is valid until the next put.
 * The time an entry lives is counted from when it was put, whatever is asked for in between. A
 * cache of no entries keeps nothing and finds nothing. Owner: one shard; nothing is atomic.
 */
#ifndef ENGINE_PLAN_TTL_CACHE_H
#define ENGINE_PLAN_TTL_CACHE_H
#include "engine/base/hash.h"

#define TTL_CACHE_ENTRIES_MAX (1u << 24)
/* Longer keys and values are not kept. */
#define TTL_CACHE_BYTES_MAX (1u << 20)

struct ttl_entry;

struct ttl_cache {
    struct ttl_entry **bucket; /* chains */
    uint32_t bucket_mask, n, entries_max;
    int64_t ttl_ns;                    /* 0 or less: for ever */
    struct ttl_entry *newest, *oldest; /* by use */
};

void ttl_cache_init(struct ttl_cache *c, int64_t entries_max, int64_t ttl_ns);
void ttl_cache_fini(struct ttl_cache *c);
void ttl_cache_put(struct ttl_cache *c, slice key, slice value, int64_t now_ns);
bool ttl_cache_get(struct ttl_cache *c, slice key, int64_t now_ns, slice *value);

#endif
