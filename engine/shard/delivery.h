/*
 * delivery.h - from shards to a writer thread and back: requests out, outcomes home.
 *
 * A delivery is one output's writer thread. Every shard has a lane: it fills a request (bytes and
 * the receipts of the batches they came from), seals it onto an SPSC ring, and later takes it back
 * with its outcome from another ring, which releases the receipts on the shard. Requests are
 * recycled; how much a lane may have in flight is bounded in requests and bytes. The writer gets
 * requests by delivery_next and must give each back by delivery_done, in any order.
 */
#ifndef ENGINE_SHARD_DELIVERY_H
#define ENGINE_SHARD_DELIVERY_H
#include <pthread.h>

#include "engine/base/bell.h"
#include "engine/base/buf.h"
#include "engine/base/ring.h"
#include "engine/shard/worker.h"

/* Named bounds of a lane and their defaults. How many bytes a lane may have in flight is its share
 * of spate.memory_bytes (shard->lane_bytes_max), at most DELIVERY_BYTES_MAX. */
#define DELIVERY_REQUESTS_MAX 32u
#define DELIVERY_BYTES_MAX SHARD_LANE_BYTES_MAX
#define DELIVERY_SEAL_BYTES (512u * 1024)
#define DELIVERY_LINGER_NS (5 * 1000 * 1000LL)

struct lane;

struct delivery_request {
    struct buf body;
    struct receipt **hold;
    uint32_t hold_n, hold_cap;
    uint32_t events;
    size_t sealed_bytes;
    enum outcome outcome;
    struct lane *lane;
    void *opaque; /* the writer's own */
    struct delivery_request *next;
};

struct delivery {
    struct lane **lane;
    _Atomic uint32_t lane_n; /* lanes are only added while the pipeline starts */
    uint32_t lane_max, next_lane;
    struct bell bell;
    pthread_t thread;
    _Atomic int stop; /* 1: finish; the writer leaves when it sees it */
    void (*run)(struct delivery *d);
    void *owner;
};

/* Starts the writer thread, which calls run(d) once and ends with it; `name` shows in ps. */
err delivery_start(struct delivery *d, uint32_t shards, const char *name,
                   void (*run)(struct delivery *d), void *owner) MUST_USE;
/* Tells the writer to end and waits for it. All lanes must have been closed. */
void delivery_stop(struct delivery *d);

/* ---- the writer's side ---------------------------------------------------- */

/* The next sealed request of any lane, in fair turns; waits at most timeout_ns; NULL: none. */
struct delivery_request *delivery_next(struct delivery *d, int64_t timeout_ns);
static inline bool delivery_stopping(struct delivery *d)
{
    return atomic_load(&d->stop) != 0;
}
void delivery_done(struct delivery_request *r, enum outcome outcome);

/* ---- a shard's side --------------------------------------------------------- */

struct lane {
    struct delivery *delivery;
    struct shard *shard;
    struct ring out, home;
    struct delivery_request *open, *free;
    struct delivery_request *flying[DELIVERY_REQUESTS_MAX];
    uint32_t in_flight;
    size_t in_flight_bytes;
    size_t seal_bytes;
    int64_t linger_ns;
    struct timer linger;
    struct counter requests, bytes, full_hits, depth, flying_bytes;
    _Atomic int closed; /* the shard has left */
    struct lane *next;  /* of worker->lanes */
};

struct lane *lane_new(struct delivery *d, struct worker *worker);
/* Gives up what is in flight: its receipts fail. The writer may still finish it. */
void lane_close(struct lane *lane);
/* The request being filled; NULL when the lane is full: PUSH_FULL. */
struct delivery_request *lane_request(struct lane *lane);
/* The batch's promises now also depend on the open request. Then seals it if it is large. */
void lane_add(struct lane *lane, const struct batch *b, uint32_t events);
void lane_seal(struct lane *lane);
/* Takes outcomes home. Every shard step. */
void lane_poll(struct lane *lane);
/* Seals; true when nothing is in flight. */
bool lane_drain(struct lane *lane);

#endif
