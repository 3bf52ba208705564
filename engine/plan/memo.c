/* memo.c - generations of answers. */
#include "engine/plan/memo.h"

#include <stdlib.h>

#define SLOTS_FIRST 256u

/* Generations that nobody uses any more, kept for the next ones: new memory would cost as much
 * in page faults as most answers. It outlives its memo while batches have generations of it. */
struct memo_store {
    struct memo_generation *spare[2];
    uint32_t users; /* the memo, and each generation that is in use */
    bool closed;
};
/* A generation that grew larger is not kept. */
#define SPARE_BYTES_MAX (4u * 1024 * 1024)

static void generation_free(struct memo_generation *g)
{
    arena_fini(&g->arena);
    page_pool_fini(&g->pool);
    free(g->slot);
    free(g);
}

static void store_release(struct memo_store *store)
{
    if (--store->users == 0) free(store);
}

static void generation_give(struct blob *blob)
{
    struct memo_generation *g = blob->owner;
    struct memo_store *store = g->store;
    uint32_t at = store->spare[0] == NULL ? 0 : 1;
    if (store->closed || store->spare[at] != NULL || g->arena.bytes > SPARE_BYTES_MAX)
        generation_free(g);
    else
        store->spare[at] = g;
    store_release(store);
}

static struct memo_slot *slots_new(uint32_t n)
{
    struct memo_slot *slot = calloc(n, sizeof(*slot));
    ASSERT(slot != NULL);
    return slot;
}

static struct memo_generation *generation_again(struct memo_generation *g)
{
    memset(g->slot, 0, ((size_t)g->slot_mask + 1) * sizeof(*g->slot));
    g->n = 0;
    arena_reset(&g->arena);
    g->blob.pins = 1;
    return g;
}

static struct memo_generation *generation_new(struct memo_store *store)
{
    store->users++;
    for (uint32_t i = 0; i < 2; i++) {
        struct memo_generation *spare = store->spare[i];
        store->spare[i] = NULL;
        if (spare != NULL) return generation_again(spare);
    }
    struct memo_generation *g = calloc(1, sizeof(*g));
    ASSERT(g != NULL);
    g->store = store;
    g->blob = (struct blob){.pins = 1, .owner = g, .give = generation_give};
    page_pool_init(&g->pool, SIZE_MAX);
    arena_init(&g->arena, &g->pool);
    g->slot = slots_new(SLOTS_FIRST);
    g->slot_mask = SLOTS_FIRST - 1;
    return g;
}

static void slot_add(struct memo_generation *g, struct memo_slot slot)
{
    uint64_t i = slot.hash & g->slot_mask;
    while (g->slot[i].entry != NULL) i = (i + 1) & g->slot_mask;
    g->slot[i] = slot;
}

static void grow(struct memo_generation *g)
{
    struct memo_slot *older = g->slot;
    uint32_t n = g->slot_mask + 1;
    g->slot = slots_new(n * 2);
    g->slot_mask = n * 2 - 1;
    for (uint32_t i = 0; i < n; i++)
        if (older[i].entry != NULL) slot_add(g, older[i]);
    free(older);
}

void memo_init(struct memo *memo, uint64_t entries_max)
{
    uint64_t each = (entries_max + 1) / 2;
    struct memo_store *store = calloc(1, sizeof(*store));
    ASSERT(store != NULL);
    store->users = 1;
    *memo = (struct memo){.young = generation_new(store), .store = store};
    memo->each_max = each > (1u << 28) ? 1u << 28 : (uint32_t)each;
}

static void generations_leave(struct memo *memo)
{
    if (memo->young != NULL) blob_unpin(&memo->young->blob);
    if (memo->old != NULL) blob_unpin(&memo->old->blob);
    memo->young = memo->old = NULL;
}

void memo_fini(struct memo *memo)
{
    struct memo_store *store = memo->store;
    if (store == NULL) return;
    store->closed = true;
    generations_leave(memo);
    for (uint32_t i = 0; i < 2; i++)
        if (store->spare[i] != NULL) generation_free(store->spare[i]);
    store_release(store);
    memo->store = NULL;
}

void memo_clear(struct memo *memo)
{
    generations_leave(memo);
    memo->young = generation_new(memo->store);
}

struct arena *memo_arena(struct memo *memo, struct batch *b, slice key)
{
    counter_add(&memo->misses, 1);
    if (key.n > MEMO_KEY_BYTES_MAX) return &b->arena;
    struct memo_generation *g = memo->young;
    if (g->n >= memo->each_max || g->arena.bytes >= MEMO_GENERATION_BYTES_MAX) {
        if (memo->old != NULL) blob_unpin(&memo->old->blob);
        memo->old = g;
        memo->young = generation_new(memo->store);
    }
    batch_pin(b, &memo->young->blob);
    return &memo->young->arena;
}

void memo_put(struct memo *memo, slice key, uint64_t hash, const void *answer)
{
    struct memo_generation *g = memo->young;
    if (key.n > MEMO_KEY_BYTES_MAX) return;
    struct memo_entry *entry = arena_alloc(&g->arena, sizeof(*entry), 16);
    *entry = (struct memo_entry){arena_copy(&g->arena, key), answer};
    if ((g->n + 1) * 2 > g->slot_mask) grow(g);
    slot_add(g, (struct memo_slot){hash, entry});
    g->n++;
}
