/* delivery.c - lanes and the writer's queue. */
#define _GNU_SOURCE
#include "engine/shard/delivery.h"

#include <signal.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"

/* A body that one huge event blew up is not kept for the next. */
#define BODY_KEEP_BYTES (4u * 1024 * 1024)

static void *writer_main(void *arg)
{
    struct delivery *d = arg;
    d->run(d);
    return NULL;
}

err delivery_start(struct delivery *d, uint32_t shards, const char *name,
                   void (*run)(struct delivery *d), void *owner)
{
    *d = (struct delivery){.lane_max = shards, .run = run, .owner = owner};
    d->lane = calloc(shards, sizeof(*d->lane));
    ASSERT(d->lane != NULL);
    if (!bell_init(&d->bell)) return ERR_SYSTEM;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&d->thread, NULL, writer_main, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        log_error("outputs", "cannot start a writer thread: %s", strerror(failed));
        bell_fini(&d->bell);
        free(d->lane);
        return ERR_SYSTEM;
    }
    pthread_setname_np(d->thread, name);
    return ERR_OK;
}

static void request_free(struct delivery_request *r)
{
    buf_fini(&r->body);
    free(r->hold);
    free(r);
}

static void lane_free(struct lane *lane)
{
    while (lane->free != NULL) {
        struct delivery_request *r = lane->free;
        lane->free = r->next;
        request_free(r);
    }
    ring_fini(&lane->out);
    ring_fini(&lane->home);
    free(lane);
}

void delivery_stop(struct delivery *d)
{
    atomic_store(&d->stop, 1);
    bell_ring(&d->bell);
    pthread_join(d->thread, NULL);
    for (uint32_t i = 0; i < atomic_load(&d->lane_n); i++) {
        struct lane *lane = d->lane[i];
        ASSERT(atomic_load(&lane->closed));
        struct delivery_request *r;
        while ((r = ring_pop(&lane->out)) != NULL) request_free(r);
        while ((r = ring_pop(&lane->home)) != NULL) request_free(r);
        lane_free(lane);
    }
    bell_fini(&d->bell);
    free(d->lane);
}

static struct delivery_request *take(struct delivery *d)
{
    uint32_t n = atomic_load(&d->lane_n);
    for (uint32_t i = 0; i < n; i++) {
        struct lane *lane = d->lane[d->next_lane++ % n];
        struct delivery_request *r = ring_pop(&lane->out);
        if (r != NULL) return r;
    }
    return NULL;
}

struct delivery_request *delivery_next(struct delivery *d, int64_t timeout_ns)
{
    struct delivery_request *r = take(d);
    if (r != NULL || timeout_ns <= 0 || delivery_stopping(d)) return r;
    bell_arm(&d->bell);
    r = take(d);
    if (r == NULL && !delivery_stopping(d)) bell_wait(&d->bell, timeout_ns);
    bell_disarm(&d->bell);
    return r != NULL ? r : take(d);
}

void delivery_done(struct delivery_request *r, enum outcome outcome)
{
    struct lane *lane = r->lane;
    r->outcome = outcome;
    /* The ring has a slot for every request that can be out, so this cannot fail. */
    bool pushed = ring_push(&lane->home, r);
    ASSERT(pushed);
    shard_notify(lane->shard); /* shards outlive every pipeline */
}

static void linger_fire(struct timer *timer, int64_t now_ns)
{
    (void)now_ns;
    lane_seal((struct lane *)((char *)timer - offsetof(struct lane, linger)));
}

struct lane *lane_new(struct delivery *d, struct worker *worker)
{
    struct lane *lane = aligned_alloc(CACHE_LINE, (sizeof(*lane) + 63) / 64 * 64);
    ASSERT(lane != NULL);
    memset(lane, 0, sizeof(*lane));
    lane->delivery = d;
    lane->shard = worker->shard;
    lane->seal_bytes = DELIVERY_SEAL_BYTES;
    lane->linger_ns = DELIVERY_LINGER_NS;
    lane->linger.fire = linger_fire;
    ring_init(&lane->out, DELIVERY_REQUESTS_MAX);
    ring_init(&lane->home, DELIVERY_REQUESTS_MAX);
    /* Lanes are added one after the other: pipelines start shard by shard. */
    uint32_t n = atomic_load(&d->lane_n);
    ASSERT(n < d->lane_max);
    d->lane[n] = lane;
    atomic_store(&d->lane_n, n + 1);
    lane->next = worker->lanes;
    worker->lanes = lane;
    return lane;
}

static size_t bytes_max(const struct lane *lane)
{
    /* A plain bound, no partner: a little late is as good. */
    return atomic_load_explicit(&lane->shard->lane_bytes_max, memory_order_relaxed);
}

struct delivery_request *lane_request(struct lane *lane)
{
    if (lane->open != NULL) return lane->open;
    if (lane->in_flight >= DELIVERY_REQUESTS_MAX || lane->in_flight_bytes >= bytes_max(lane)) {
        counter_add(&lane->full_hits, 1);
        return NULL;
    }
    struct delivery_request *r = lane->free;
    if (r != NULL)
        lane->free = r->next;
    else
        r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->lane = lane;
    r->body.n = 0;
    r->hold_n = r->events = 0;
    lane->open = r;
    if (lane->linger_ns > 0)
        timer_set(&lane->shard->timers, &lane->linger, lane->shard->now_mono_ns + lane->linger_ns);
    return r;
}

void lane_add(struct lane *lane, const struct batch *b, uint32_t events)
{
    struct delivery_request *r = lane->open;
    r->events += events;
    for (uint32_t i = 0; i < b->hold_n; i++) {
        if (r->hold_n == r->hold_cap) {
            r->hold_cap = r->hold_cap == 0 ? 16 : r->hold_cap * 2;
            r->hold = realloc(r->hold, r->hold_cap * sizeof(*r->hold));
            ASSERT(r->hold != NULL);
        }
        r->hold[r->hold_n++] = b->hold[i];
        receipt_hold(b->hold[i]);
    }
    if (r->body.n >= lane->seal_bytes || lane->linger_ns == 0) lane_seal(lane);
}

void lane_seal(struct lane *lane)
{
    struct delivery_request *r = lane->open;
    if (r == NULL) return;
    timer_cancel(&lane->shard->timers, &lane->linger);
    lane->open = NULL;
    r->sealed_bytes = r->body.n;
    lane->flying[lane->in_flight++] = r;
    lane->in_flight_bytes += r->sealed_bytes;
    counter_add(&lane->requests, 1);
    counter_add(&lane->bytes, r->body.n);
    counter_set(&lane->depth, lane->in_flight);
    counter_set(&lane->flying_bytes, lane->in_flight_bytes);
    bool pushed = ring_push(&lane->out, r);
    ASSERT(pushed); /* in_flight is bounded by the ring's size */
    bell_ring(&lane->delivery->bell);
}

static void release(struct delivery_request *r, enum outcome outcome)
{
    for (uint32_t i = 0; i < r->hold_n; i++) receipt_release(r->hold[i], outcome);
    r->hold_n = 0;
}

static void landed(struct lane *lane, const struct delivery_request *r)
{
    uint32_t i = 0;
    while (lane->flying[i] != r) i++;
    lane->flying[i] = lane->flying[--lane->in_flight];
    lane->in_flight_bytes -= r->sealed_bytes;
}

void lane_poll(struct lane *lane)
{
    struct delivery_request *r;
    while ((r = ring_pop(&lane->home)) != NULL) {
        landed(lane, r);
        counter_set(&lane->depth, lane->in_flight);
        counter_set(&lane->flying_bytes, lane->in_flight_bytes);
        release(r, r->outcome);
        if (r->body.cap > BODY_KEEP_BYTES) buf_fini(&r->body);
        r->next = lane->free;
        lane->free = r;
    }
}

bool lane_drain(struct lane *lane)
{
    lane_seal(lane);
    lane_poll(lane);
    return lane->in_flight == 0;
}

void lane_close(struct lane *lane)
{
    lane_seal(lane);
    lane_poll(lane);
    timer_cancel(&lane->shard->timers, &lane->linger);
    /* The writer never touches the receipts of a request, so they can go while it works. */
    for (uint32_t i = 0; i < lane->in_flight; i++) release(lane->flying[i], OUTCOME_FAILED);
    atomic_store(&lane->closed, 1);
}
