/* memo.c - generations of answers. */
#include "engine/plan/memo.h"

#include <stdlib.h>

#define SLOTS_FIRST 256u

static void generation_give(struct blob *blob)
{
    struct memo_generation *g = blob->owner;
    arena_fini(&g->arena);
    page_pool_fini(&g->pool);
    free(g->slot);
    free(g);
}

static struct memo_slot *slots_new(uint32_t n)
{
    struct memo_slot *slot = calloc(n, sizeof(*slot));
    ASSERT(slot != NULL);
    return slot;
}

static struct memo_generation *generation_new(void)
{
    struct memo_generation *g = calloc(1, sizeof(*g));
    ASSERT(g != NULL);
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
    *memo = (struct memo){.young = generation_new()};
    memo->each_max = each > (1u << 28) ? 1u << 28 : (uint32_t)each;
}

void memo_fini(struct memo *memo)
{
    if (memo->young != NULL) blob_unpin(&memo->young->blob);
    if (memo->old != NULL) blob_unpin(&memo->old->blob);
    memo->young = memo->old = NULL;
}

void memo_clear(struct memo *memo)
{
    memo_fini(memo);
    memo->young = generation_new();
}

struct arena *memo_arena(struct memo *memo, struct batch *b, slice key)
{
    counter_add(&memo->misses, 1);
    if (key.n > MEMO_KEY_BYTES_MAX) return &b->arena;
    struct memo_generation *g = memo->young;
    if (g->n >= memo->each_max || g->arena.bytes >= MEMO_GENERATION_BYTES_MAX) {
        if (memo->old != NULL) blob_unpin(&memo->old->blob);
        memo->old = g;
        memo->young = generation_new();
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
