/*
 * ring.h - bounded lock-free ring of pointers, one producer thread, one consumer thread.
 *
 * Lamport's queue with cached opposite indices (as in FastFlow and DPDK's rte_ring): each
 * side touches the other's cache line only when its cached view says full or empty.
 * Capacity is a power of two. No waiting here: wake-ups are the caller's (eventfd).
 */
#ifndef ENGINE_BASE_RING_H
#define ENGINE_BASE_RING_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CACHE_LINE 64

struct ring {
    _Alignas(CACHE_LINE) _Atomic uint32_t head; /* written by the producer */
    uint32_t tail_seen;                         /* producer's view of tail */
    _Alignas(CACHE_LINE) _Atomic uint32_t tail; /* written by the consumer */
    uint32_t head_seen;                         /* consumer's view of head */
    _Alignas(CACHE_LINE) void **slot;
    uint32_t mask;
};

/* `slots` is rounded up to a power of two. */
void ring_init(struct ring *ring, uint32_t slots);
void ring_fini(struct ring *ring);
/* Producer only: false when full. */
bool ring_push(struct ring *ring, void *item);
/* Consumer only: NULL when empty. */
void *ring_pop(struct ring *ring);
/* Either side or an observer; a recent value. */
uint32_t ring_depth(const struct ring *ring);

/*
 * Many producers, one consumer (Vyukov's bounded queue, 1024cores.net): for mailboxes,
 * where any thread may post to a shard. Cold path: a few messages per batch at most.
 */
struct mpsc_cell {
    _Atomic uint64_t turn;
    void *item;
};
struct mpsc {
    _Alignas(CACHE_LINE) _Atomic uint64_t head;
    _Alignas(CACHE_LINE) uint64_t tail; /* consumer only */
    _Alignas(CACHE_LINE) struct mpsc_cell *cell;
    uint64_t mask;
};

void mpsc_init(struct mpsc *queue, uint32_t slots);
void mpsc_fini(struct mpsc *queue);
/* Any thread: false when full. */
bool mpsc_push(struct mpsc *queue, void *item);
/* Consumer only: NULL when empty. */
void *mpsc_pop(struct mpsc *queue);

#endif
