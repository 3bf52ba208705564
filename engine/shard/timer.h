/*
 * timer.h - deadlines of one shard in a binary heap.
 *
 * A timer is embedded in whatever waits; fire() runs on the shard between steps. Monotonic
 * nanoseconds. Owner: one shard.
 */
#ifndef ENGINE_SHARD_TIMER_H
#define ENGINE_SHARD_TIMER_H
#include <stdbool.h>
#include <stdint.h>

struct timer {
    int64_t deadline_ns;
    void (*fire)(struct timer *timer, int64_t now_ns);
    uint32_t at; /* place in the heap + 1; 0: not set */
};

struct timers {
    struct timer **heap;
    uint32_t n, cap;
};

void timers_fini(struct timers *t);
/* Sets or moves. */
void timer_set(struct timers *t, struct timer *timer, int64_t deadline_ns);
void timer_cancel(struct timers *t, struct timer *timer);
static inline bool timer_is_set(const struct timer *timer)
{
    return timer->at != 0;
}
/* Fires all that are due. */
void timers_run(struct timers *t, int64_t now_ns);
/* Nanoseconds until the next deadline, 0 when one is due, `idle_ns` when there is none sooner. */
int64_t timers_wait(const struct timers *t, int64_t now_ns, int64_t idle_ns);

#endif
