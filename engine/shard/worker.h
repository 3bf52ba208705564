/*
 * worker.h - one pipeline on one shard: its open batch, its plan's state, its queue of batches.
 *
 * Inputs decode into the open batch; it is run through the plan when it is full and at the end of
 * every shard step, so that many small sources share a batch. A run that must wait is queued, and
 * later batches queue behind it, which keeps the order. Whether inputs may go on is one question,
 * worker_may_read: credit left, room in their window, fewer than WORKER_PARKED_MAX batches
 * waiting, page pool below its limit. An input that got "no" is resumed by the worker.
 */
#ifndef ENGINE_SHARD_WORKER_H
#define ENGINE_SHARD_WORKER_H
#include "engine/plan/plan.h"
#include "engine/shard/shard.h"

#define WORKER_PARKED_MAX 16u
#define WORKER_INTAKES_MAX 1024u
/* Events of a batch: enough to pay for a batch's fixed costs, few enough for its memory to stay in
 * L2. pipeline.batch.size lowers or raises it up to BATCH_EVENTS_MAX / 4. */
#define WORKER_BATCH_EVENTS 1024u
#define WORKER_BATCH_BYTES (256u * 1024)
/* A batch's worst growth is unknown; this much room in the pool is asked for before reading on,
 * while batches wait. */
#define WORKER_ROOM_BYTES (4u * 1024 * 1024)

struct worker_counters {
    struct counter events_in, bytes_in, batches, parked, parked_hits, room_hits;
    struct counter blocked_ns;      /* time in which some input was held back */
    struct counter unsettled_bytes; /* taken in and not yet delivered: credit that is out */
};

struct worker {
    struct shard *shard;
    const struct plan *plan;
    struct plan_state *state;
    struct batch *open;
    uint64_t batch_serial;        /* of the open batch; see ack_window_charge */
    uint32_t events_max;          /* of a batch */
    struct plan_run *head, *tail; /* runs that wait, oldest first */
    uint32_t parked_n;
    struct intake **intake;
    uint32_t intake_n;
    bool last_tick_done; /* draining: filters have given up what they kept */
    bool running;        /* inside plan_step: batches may not be stepped recursively */
    bool fresh;          /* a batch has been queued that no step has looked at */
    uint32_t stopped_n;  /* intakes that are held back */
    int64_t stopped_since_ns;
    bool paused; /* a reload: nothing is taken in until the old batches are delivered */
    struct input_counters *starting; /* of the input being started, for intakes */
    struct lane *lanes;              /* of the outputs, for the monitoring API */
    struct timer tick;
    struct worker_counters counters;
};

/* NULL when a plugin refuses to start. On the shard's thread. */
struct worker *worker_new(struct shard *shard, const struct plan *plan, struct output *outputs);
/* Inputs must have stopped. Batches still waiting are given up (their receipts fail). */
void worker_free(struct worker *w);

/* Inputs register what worker_may_read is asked about. */
void worker_add_intake(struct worker *w, struct intake *intake);
void worker_remove_intake(struct worker *w, struct intake *intake);
/* Forgets the intakes that lie in an input's state, which is about to be freed. Intakes elsewhere
 * are removed by their input. */
void worker_forget_intakes(struct worker *w, const void *state, size_t size);
/* A reload moves an input: its intake leaves one worker for another of the same shard. */
void worker_adopt_intake(struct worker *to, struct worker *from, struct intake *intake);
/* May this input take more in now? If not, it is marked stopped and resume() will be called. */
bool worker_may_read(struct worker *w, struct intake *intake, const struct ack_window *window);

/* The batch that is being filled. Never NULL. */
static inline struct batch *worker_batch(struct worker *w);
/* Counts what was decoded from `bytes` bytes, and makes the open batch part of `window`'s promise
 * for them; window may be NULL when the input holds receipts itself. */
void worker_took(struct worker *w, struct ack_window *window, uint32_t bytes, uint32_t events);
/* Runs the open batch if it has events. */
void worker_flush(struct worker *w);
/* The same from a later node on: for events that a filter made by itself. */
void worker_flush_from(struct worker *w, uint32_t node);
/* worker_flush once the batch is full. */
static inline void worker_flush_full(struct worker *w);
/* Puts the open batch into the queue of those that wait, and does not run it: for those who may not
 * run plans, because they stand inside of one. */
void worker_queue(struct worker *w);
/* The open batch, never a full one: that is queued. */
static inline struct batch *worker_batch_queued(struct worker *w);
/* Outcomes, lingering buffers, waiting runs. Called every shard step. */
void worker_poll(struct worker *w);
/* Whether the next step has work without waiting for anything outside. */
bool worker_is_busy(const struct worker *w);
/* A run that answered APPLY_PARKED can go on. */
void worker_resume(struct worker *w);
/* Taking in stops (worker_may_read says no) or goes on. */
void worker_pause(struct worker *w, bool paused);
/* Undoes worker_drain: a reload that failed goes on with the old worker. */
void worker_undrain(struct worker *w);
/* Filters' last tick, then everything out; true when nothing is in flight any more. */
bool worker_drain(struct worker *w);

struct batch *worker_batch_open(struct worker *w);
static inline struct batch *worker_batch(struct worker *w)
{
    return w->open != NULL ? w->open : worker_batch_open(w);
}
static inline bool worker_batch_is_full(const struct worker *w)
{
    return w->open != NULL && (w->open->n >= w->events_max || w->open->bytes >= WORKER_BATCH_BYTES);
}
static inline void worker_flush_full(struct worker *w)
{
    if (worker_batch_is_full(w)) worker_flush(w);
}
static inline struct batch *worker_batch_queued(struct worker *w)
{
    if (worker_batch_is_full(w)) worker_queue(w);
    return worker_batch(w);
}

#endif
