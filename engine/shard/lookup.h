/*
 * lookup.h - questions that a filter's batch has for the world outside, and who answers them.
 *
 * A filter that needs answers (a name server's, an HTTP server's ...) collects the questions of its
 * batch, parks it, and is applied to it again when all of them are answered:
 *
 *   filter, on its shard:  an asker; asks, waits with lookup_wait(), reads answers, lookup_end()
 *   service, a thread:     takes questions (at most running_max at a time), begins what they need,
 *                          waits for all that at once, hands each back with lookup_answer()
 *
 * A question is one block of memory, made by the filter; it belongs to the service from
 * lookup_ask() to lookup_answer(), to the asker before and after. Questions are found again by kind
 * and key, so that events of a batch that want to know the same ask once. An asker has at most
 * LOOKUP_IN_FLIGHT_MAX questions out: that bounds the services' queues. One that leaves (stop of
 * a pipeline) leaves its open questions behind; they are freed when their answers come. The
 * service's thread reaches the shard by the asker's list of answers, under a lock that is held for
 * a few instructions, and rings the bell with the last one; nobody waits. Without a shard (tests)
 * lookup_wait() sleeps until all is answered.
 */
#ifndef ENGINE_SHARD_LOOKUP_H
#define ENGINE_SHARD_LOOKUP_H
#include "engine/base/bell.h"
#include "engine/plan/plugin.h"
#include "engine/shard/shard.h"

/* Questions of one asker that are out. */
#define LOOKUP_IN_FLIGHT_MAX 1024u
/* What the answers of one batch may hold in all. They stay until the last one has come, so a server
 * with long answers could fill the memory otherwise. */
#define LOOKUP_HELD_BYTES_MAX (256u * 1024 * 1024)

struct lookup_asker;
struct lookup_service;

struct lookup_question {
    struct lookup_question *next; /* in the list it is in now */
    struct lookup_asker *asker;
    struct lookup_service *service;
    void (*discard)(struct lookup_question *q); /* frees it; on any thread */
    uint64_t hash;
    slice key;  /* its own bytes */
    bool known; /* answered; the asker's thread only */
};

/* What the API shows of a filter that looks things up, per shard. */
struct lookup_counters {
    struct counter hits;     /* answered by a cache */
    struct counter misses;   /* the world was asked */
    struct counter timeouts; /* no answer in time */
    struct counter errors;   /* answers that are none */
    struct counter full;     /* LOOKUP_IN_FLIGHT_MAX reached */
};

/* ---- asking: the shard's thread -------------------------------------------------------------- */

/* `worker` may be NULL: then lookup_wait() sleeps. */
struct lookup_asker *lookup_join(struct worker *worker);
void lookup_leave(struct lookup_asker *a);

/* A question of this batch with the same key, answered or not; NULL when there is none. */
struct lookup_question *lookup_find(struct lookup_asker *a, slice key, uint64_t hash);
/* Whether one more may be asked now; if not, wait first. */
bool lookup_may_ask(struct lookup_asker *a, struct lookup_counters *counters);
/* Takes q, with key, hash and discard filled in, until the batch ends. */
void lookup_ask(struct lookup_asker *a, struct lookup_service *service, struct lookup_question *q);
/* APPLY_PARKED: the filter returns that, and is applied again to the same batch when all that was
 * asked is answered. APPLIED: nothing is out (any more): go on. */
enum applied lookup_wait(struct lookup_asker *a);
/* lookup_wait for filters whose events wait for one thing each: asks for every event that has none
 * yet, as far as may be asked. `ask` returns what the event waits for, or what stands for nothing;
 * never NULL. *of_event is NULL when a batch begins (the filter sets it back when it ends), and
 * then an array in the batch's arena, in the order of `in`. */
enum applied lookup_each(struct lookup_asker *a, struct lookup_counters *counters, struct batch *b,
                         const struct sel *in, void ***of_event,
                         void *(*ask)(void *run, struct event *ev), void *run);
/* The batch is done: its questions are freed. None may be out. */
void lookup_end(struct lookup_asker *a);
/* The five counters, for filter_ops.stats. */
void lookup_stats(const struct lookup_counters *counters, struct buf *out);

/* Takes answers in and resumes the batches that waited for them. Every step of the shard. */
void lookup_poll(struct shard *shard);

/* ---- answering: the service's thread -------------------------------------------------------- */

struct lookup_service_ops {
    const char *name; /* of the thread */
    /* Begins on a question: it is answered now or later. */
    void (*take)(void *ctx, struct lookup_question *q);
    /* Waits for what was begun, or for `bell_fd` to be readable, at most timeout_ns, and goes on
     * with what has come. May be NULL when take() does everything. */
    void (*wait)(void *ctx, int bell_fd, int64_t timeout_ns);
};

/* Starts the thread; NULL when the system refuses. Control thread. */
struct lookup_service *lookup_service_new(const struct lookup_service_ops *ops, void *ctx,
                                          uint32_t running_max);
/* All askers must have left; what they left behind is given up. Control thread. */
void lookup_service_free(struct lookup_service *s);
/* Runs fn(arg) on the service's thread and waits for it. Control thread. */
void lookup_service_call(struct lookup_service *s, void (*fn)(void *arg), void *arg);
/* Asks for room for an answer of so many bytes, before it is handed back. False: the batch has
 * LOOKUP_HELD_BYTES_MAX already; the answer is to be given up as an error. */
bool lookup_room(struct lookup_question *q, uint64_t bytes) MUST_USE;
/* Hands an answered question back. The service's thread, once per question. */
void lookup_answer(struct lookup_question *q);

#endif
