/*
 * engine.h - the process: shards with their threads, pipelines, and the control thread's calls.
 *
 * `pipeline` and `retired` are changed by the control thread only, under `view`, which the
 * monitoring API holds while it reads. No shard ever takes `view`, so holding it across shard_call
 * is safe; `lock` is taken by shards and never held across one.
 */
#ifndef ENGINE_APP_ENGINE_H
#define ENGINE_APP_ENGINE_H
#include <pthread.h>

#include "engine/app/pipeline.h"
#include "engine/app/tuning.h"

#define ENGINE_SHARDS_MAX SHARDS_MAX
#define ENGINE_PIPELINES_MAX 256u
/* Replaced plans that are still delivering; with more, reloads are refused. */
#define ENGINE_RETIRED_MAX 8u

struct engine_shard {
    struct shard shard;
    pthread_t thread;
    int cpu; /* pinned to, or -1 */
    size_t pool_bytes;
    struct carry_budget *carry_budget;
    struct io_config io_config;
    struct nic_poll *nic; /* NULL: no interfaces of our own */
    char why[200];        /* what io_uring said when the thread could not start */
    bool running;
};

struct event_totals {
    uint64_t in, filtered, out, dropped, condition_errors;
    int64_t busy_ns, blocked_ns; /* in filters and outputs; inputs held back */
};

struct engine {
    struct engine_shard *shard;
    uint32_t shard_n;
    uint32_t nic_n; /* shards that have a share of dpdk.devices: all, or none */
    struct pipeline *pipeline[ENGINE_PIPELINES_MAX];
    uint32_t pipeline_n;
    struct pipeline *retired[ENGINE_RETIRED_MAX];
    uint32_t retired_n;
    size_t memory_bytes, lanes_bytes; /* all of it; what outputs may hold of it */
    struct carry_budget carry_budget;
    struct event_totals past; /* of pipelines that are gone */
    uint64_t reloads_ok, reloads_failed;
    pthread_mutex_t view, lock;
    int event_fd;          /* rung when an input has finished or a signal came */
    _Atomic int must_stop; /* a signal asked for the end of the process */
};

/* Starts shard threads; ERR_SYSTEM after a log line. */
err engine_start(struct engine *engine, const struct tuning *t) MUST_USE;
void engine_stop(struct engine *engine); /* no pipeline may be left */
/* The pipelines of the start listen: shards begin to take frames from dpdk.devices. */
void engine_take_frames(struct engine *engine);

/* Runs fn(arg) on the shard's thread between steps and waits for it. Control thread only. */
void shard_call(struct shard *shard, void (*fn)(void *arg, struct shard *shard), void *arg);
/* An input came to its end on one shard; from that shard. */
void engine_input_finished(struct engine *engine, struct pipeline_input *in);
/* Whether every input of every pipeline has ended. */
bool engine_all_finished(struct engine *engine);
/* Any thread: wakes the control thread. */
void engine_ring(struct engine *engine);
static inline bool engine_must_stop(struct engine *engine)
{
    return atomic_load(&engine->must_stop) != 0;
}

/* Adds and removes under `view`; what a removed one counted is kept in `past`. */
void engine_add(struct engine *engine, struct pipeline *p);
void engine_remove(struct engine *engine, uint32_t index);
void engine_remember(struct engine *engine, const struct pipeline *p);
/* Shares the outputs' part of memory_bytes out between all lanes. */
void engine_share_memory(struct engine *engine);

/* Batches that wait, and requests whose outcome is not known, on all shards. */
uint64_t pipeline_parked(const struct pipeline *p);
uint64_t pipeline_in_flight(const struct pipeline *p);
/* What a pipeline has counted so far. */
struct event_totals pipeline_totals(const struct pipeline *p);

#endif
