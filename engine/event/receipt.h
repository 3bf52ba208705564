/*
 * receipt.h - promises: acknowledgement and credit.
 *
 * A source opens a receipt for each unit it may have to acknowledge (a beats window, a file
 * chunk, a batch of lines) and pays for it with credit. Batches, output requests and stateful
 * filters hold receipts; the last release settles one with the worst outcome, returns its
 * credit and lets the window tell its source how far the contiguous settled prefix reaches.
 * Owner: one shard; other threads send outcomes home by ring.
 */
#ifndef ENGINE_EVENT_RECEIPT_H
#define ENGINE_EVENT_RECEIPT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/counters.h"

/* Worst one wins. */
enum outcome { OUTCOME_DELIVERED, OUTCOME_DEAD_LETTERED, OUTCOME_FAILED };

struct ack_window;

struct receipt {
    uint32_t holders;
    uint8_t outcome; /* enum outcome */
    uint8_t settled;
    uint32_t bytes;    /* credit that comes back when it settles */
    uint64_t position; /* beats sequence, file offset, kafka offset: the source's own meaning */
    struct ack_window *window;
};

/* One input's numbers on one shard, which is the only one to write them. */
struct input_counters {
    _Alignas(64) struct counter events, bytes;
    struct counter decode_failures; /* messages that became events with a failure's tag */
    struct counter decode_drops;    /* messages that were dropped */
};

/* What a source may still take in. */
struct intake {
    int64_t credit_bytes;            /* <= 0: stop receiving */
    int64_t window_bytes;            /* credit when nothing is outstanding */
    uint32_t waiting;                /* streams that hold bytes they could not hand on yet */
    struct input_counters *counters; /* of the input on this shard; may be NULL */
    bool stopped;                    /* set by the source when it stopped for lack of credit */
    bool window_full; /* one of its windows was: nothing to resume before a receipt settles */
    bool fed; /* by other workers of the shard, whose batches may be waiting for it: those do not
                 count when there is little memory */
    /* Called by the worker between batches, once there is credit again. Resuming at half the
     * window, not at the first free byte: waking for every receipt costs more than reading. */
    void (*resume)(struct intake *);
};

/* Receipts of one ordered stream (connection, file, partition). They settle in any order; the
 * source only ever hears about the contiguous prefix. */
struct ack_window {
    struct receipt *ring;
    uint32_t mask;
    uint32_t head, tail; /* free-running: tail = oldest open, head = next to open */
    struct intake *intake;
    /* All up to `position` is safe. */
    void (*acked)(struct ack_window *window, uint64_t position);
    /* This one is not, nor is anything after it reported: replay, or hang up. May be NULL. */
    void (*failed)(struct ack_window *window, uint64_t position);
    bool broken;             /* a failure was reported: nothing is acknowledged behind it */
    struct receipt *current; /* of ack_window_charge */
    uint64_t current_serial;
    uint64_t full_n; /* times the window was full */
};

#define ACK_WINDOW_SLOTS 1024u

/* `slots` is rounded up to a power of two. The window is idle until receipts are opened. */
void ack_window_init(struct ack_window *w, uint32_t slots, struct intake *intake);
/* All receipts must have settled. */
void ack_window_fini(struct ack_window *w);
/* A receipt with one holder (the caller), paid for with `bytes` of the source's credit.
 * NULL when the window is full: stop reading, resume() will be called by the worker. */
struct receipt *ack_window_open(struct ack_window *w, uint64_t position, uint32_t bytes);
/* For sources that promise nothing and only pay credit: one receipt per batch. The first charge
 * under a serial opens it (*fresh; the caller is its holder), later ones add to it. The window
 * must not be full, which worker_may_read has checked. */
struct receipt *ack_window_charge(struct ack_window *w, uint64_t serial, uint32_t bytes,
                                  bool *fresh);
static inline bool ack_window_idle(const struct ack_window *w)
{
    return w->head == w->tail;
}
static inline bool ack_window_full(const struct ack_window *w)
{
    return w->head - w->tail > w->mask;
}

static inline bool intake_ready(const struct intake *s)
{
    return s->credit_bytes > s->window_bytes / 2 && !s->window_full;
}

/* Counts what an input took in. Inputs that decode through a feed or pass a window to worker_took
 * need not call it. */
static inline void intake_took(struct intake *s, uint32_t bytes, uint32_t events)
{
    if (s->counters == NULL) return;
    counter_add(&s->counters->events, events);
    counter_add(&s->counters->bytes, bytes);
}

static inline void receipt_hold(struct receipt *r)
{
    r->holders++;
}
void receipt_release(struct receipt *r, enum outcome outcome);

void intake_init(struct intake *s, int64_t window_bytes, void (*resume)(struct intake *));

#endif
