/* ring.c - the two queues and their memory ordering. */
#include "engine/base/ring.h"

#include <stdlib.h>

#include "engine/base/assert.h"

static uint32_t power_of_two(uint32_t n)
{
    uint32_t p = 2;
    while (p < n) p <<= 1;
    return p;
}

void ring_init(struct ring *ring, uint32_t slots)
{
    slots = power_of_two(slots);
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    ring->tail_seen = ring->head_seen = 0;
    ring->mask = slots - 1;
    ring->slot = calloc(slots, sizeof(void *));
    ASSERT(ring->slot != NULL);
}

void ring_fini(struct ring *ring)
{
    free(ring->slot);
    ring->slot = NULL;
}

bool ring_push(struct ring *ring, void *item)
{
    ASSERT(item != NULL);
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head - ring->tail_seen > ring->mask) {
        /* Partner: the release store of tail in ring_pop; slots read there are free now. */
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head - ring->tail_seen > ring->mask) return false;
    }
    ring->slot[head & ring->mask] = item;
    /* Partner: the acquire load of head in ring_pop; publishes the slot and the item. */
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

void *ring_pop(struct ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail == ring->head_seen) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == ring->head_seen) return NULL;
    }
    void *item = ring->slot[tail & ring->mask];
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return item;
}

uint32_t ring_depth(const struct ring *ring)
{
    struct ring *r = (struct ring *)(uintptr_t)ring;
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint32_t depth = atomic_load_explicit(&r->head, memory_order_relaxed) - tail;
    return depth > r->mask + 1 ? 0 : depth; /* The two loads are not one moment. */
}

void mpsc_init(struct mpsc *queue, uint32_t slots)
{
    slots = power_of_two(slots);
    atomic_init(&queue->head, 0);
    queue->tail = 0;
    queue->mask = slots - 1;
    queue->cell = calloc(slots, sizeof(*queue->cell));
    ASSERT(queue->cell != NULL);
    for (uint32_t i = 0; i < slots; i++) atomic_init(&queue->cell[i].turn, i);
}

void mpsc_fini(struct mpsc *queue)
{
    free(queue->cell);
    queue->cell = NULL;
}

bool mpsc_push(struct mpsc *queue, void *item)
{
    ASSERT(item != NULL);
    uint64_t at = atomic_load_explicit(&queue->head, memory_order_relaxed);
    for (;;) {
        struct mpsc_cell *cell = &queue->cell[at & queue->mask];
        /* Partner: the release store of turn in mpsc_pop, which frees the cell. */
        uint64_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
        if (turn == at) {
            if (atomic_compare_exchange_weak_explicit(&queue->head, &at, at + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                cell->item = item;
                /* Partner: the acquire load of turn in mpsc_pop. */
                atomic_store_explicit(&cell->turn, at + 1, memory_order_release);
                return true;
            }
        } else if ((int64_t)(turn - at) < 0) {
            return false;
        } else {
            at = atomic_load_explicit(&queue->head, memory_order_relaxed);
        }
    }
}

void *mpsc_pop(struct mpsc *queue)
{
    struct mpsc_cell *cell = &queue->cell[queue->tail & queue->mask];
    if (atomic_load_explicit(&cell->turn, memory_order_acquire) != queue->tail + 1) return NULL;
    void *item = cell->item;
    atomic_store_explicit(&cell->turn, queue->tail + queue->mask + 1, memory_order_release);
    queue->tail++;
    return item;
}
