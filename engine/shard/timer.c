/* timer.c - the heap. */
#include "engine/shard/timer.h"

#include <stdlib.h>

#include "engine/base/assert.h"

static void put(struct timers *t, uint32_t at, struct timer *timer)
{
    t->heap[at] = timer;
    timer->at = at + 1;
}

static void sift_up(struct timers *t, uint32_t at)
{
    struct timer *timer = t->heap[at];
    while (at > 0 && t->heap[(at - 1) / 2]->deadline_ns > timer->deadline_ns) {
        put(t, at, t->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(t, at, timer);
}

static void sift_down(struct timers *t, uint32_t at)
{
    struct timer *timer = t->heap[at];
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= t->n) break;
        if (child + 1 < t->n && t->heap[child + 1]->deadline_ns < t->heap[child]->deadline_ns)
            child++;
        if (t->heap[child]->deadline_ns >= timer->deadline_ns) break;
        put(t, at, t->heap[child]);
        at = child;
    }
    put(t, at, timer);
}

void timers_fini(struct timers *t)
{
    free(t->heap);
    *t = (struct timers){0};
}

void timer_set(struct timers *t, struct timer *timer, int64_t deadline_ns)
{
    if (timer->at != 0) timer_cancel(t, timer);
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 64 : t->cap * 2;
        t->heap = realloc(t->heap, t->cap * sizeof(*t->heap));
        ASSERT(t->heap != NULL);
    }
    timer->deadline_ns = deadline_ns;
    put(t, t->n, timer);
    sift_up(t, t->n++);
}

void timer_cancel(struct timers *t, struct timer *timer)
{
    if (timer->at == 0) return;
    uint32_t at = timer->at - 1;
    ASSERT(at < t->n && t->heap[at] == timer);
    timer->at = 0;
    struct timer *last = t->heap[--t->n];
    if (last == timer) return;
    put(t, at, last);
    sift_up(t, at);
    sift_down(t, last->at - 1);
}

void timers_run(struct timers *t, int64_t now_ns)
{
    while (t->n > 0 && t->heap[0]->deadline_ns <= now_ns) {
        struct timer *timer = t->heap[0];
        timer_cancel(t, timer);
        timer->fire(timer, now_ns);
    }
}

int64_t timers_wait(const struct timers *t, int64_t now_ns, int64_t idle_ns)
{
    if (t->n == 0) return idle_ns;
    int64_t wait_ns = t->heap[0]->deadline_ns - now_ns;
    return wait_ns < 0 ? 0 : wait_ns < idle_ns ? wait_ns : idle_ns;
}
