/*
 * counters.h - numbers that one thread writes and any thread reads.
 *
 * A counter has a single writer (its shard or writer thread): adding is a plain load and
 * store, no locked instruction. Readers (the monitoring API) see a recent value; the
 * partner of the relaxed store is the relaxed load in counter_read.
 */
#ifndef ENGINE_BASE_COUNTERS_H
#define ENGINE_BASE_COUNTERS_H
#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t n;
};

static inline void counter_add(struct counter *c, uint64_t n)
{
    uint64_t now = atomic_load_explicit(&c->n, memory_order_relaxed);
    atomic_store_explicit(&c->n, now + n, memory_order_relaxed);
}

/* For gauges: the owner sets the present value. */
static inline void counter_set(struct counter *c, uint64_t n)
{
    atomic_store_explicit(&c->n, n, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *c)
{
    return atomic_load_explicit(&((struct counter *)(uintptr_t)c)->n, memory_order_relaxed);
}

#endif
