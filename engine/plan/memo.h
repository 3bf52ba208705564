/*
 * memo.h - answers that were hard to find, kept for the next event with the same key.
 *
 * Two generations: when the young one is full, the old one goes and the young becomes old, so a key
 * stays for at least half of the entries. An answer lives in its generation's memory, and a
 * batch that uses one pins the generation, so values may be put into events as they are.
 * Owner: one shard; nothing is atomic.
 */
#ifndef ENGINE_PLAN_MEMO_H
#define ENGINE_PLAN_MEMO_H
#include "engine/base/counters.h"
#include "engine/event/blob.h"
#include "engine/event/event.h"

#define MEMO_KEY_BYTES_MAX 4096u                      /* longer keys are not kept */
#define MEMO_GENERATION_BYTES_MAX (32u * 1024 * 1024) /* it is full then, too */

struct memo_slot {
    uint64_t hash;
    const struct memo_entry *entry; /* NULL: free */
};

struct memo_entry {
    slice key;
    const void *answer;
};

struct memo_generation {
    struct blob blob; /* no data: its pins count the users */
    struct page_pool pool;
    struct arena arena;
    struct memo_slot *slot; /* open addressing */
    uint32_t slot_mask, n;
    struct memo_store *store;
};

struct memo {
    struct memo_generation *young, *old; /* old may be NULL */
    struct memo_store *store;            /* of generations for reuse */
    uint32_t each_max;                   /* entries of one generation */
    struct counter hits, misses;
};

void memo_init(struct memo *memo, uint64_t entries_max);
/* Batches that use answers keep them. */
void memo_fini(struct memo *memo);
/* Forgets everything. */
void memo_clear(struct memo *memo);

static inline uint64_t memo_hash(slice key)
{
    return hash_bytes(key.p, key.n, 0);
}
/* Where an answer for a key that was not found is to be built: valid as long as the batch. */
struct arena *memo_arena(struct memo *memo, struct batch *b, slice key);
/* Keeps what was built in memo_arena(). */
void memo_put(struct memo *memo, slice key, uint64_t hash, const void *answer);

static inline const void *memo_probe(const struct memo_generation *g, slice key, uint64_t hash)
{
    for (uint64_t i = hash & g->slot_mask; g->slot[i].entry != NULL; i = (i + 1) & g->slot_mask)
        if (g->slot[i].hash == hash && slice_equal(g->slot[i].entry->key, key))
            return g->slot[i].entry->answer;
    return NULL;
}

/* NULL when there is none; else valid as long as the batch. */
static inline const void *memo_find(struct memo *memo, struct batch *b, slice key, uint64_t hash)
{
    struct memo_generation *g = memo->young;
    const void *answer = memo_probe(g, key, hash);
    if (answer == NULL && (g = memo->old) != NULL) answer = memo_probe(g, key, hash);
    if (answer == NULL) return NULL;
    batch_pin(b, &g->blob);
    counter_add(&memo->hits, 1);
    return answer;
}

#endif
