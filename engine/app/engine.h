/*
 * engine.h - the process: shards with their threads, pipelines, and the control thread's calls.
 */
#ifndef ENGINE_APP_ENGINE_H
#define ENGINE_APP_ENGINE_H
#include <pthread.h>

#include "engine/app/pipeline.h"

#define ENGINE_SHARDS_MAX 256u
#define ENGINE_PIPELINES_MAX 256u

struct engine_shard {
    struct shard shard;
    pthread_t thread;
    int cpu; /* pinned to, or -1 */
    size_t pool_bytes;
    char why[200]; /* what io_uring said when the thread could not start */
    bool running;
};

struct engine {
    struct engine_shard *shard;
    uint32_t shard_n;
    struct pipeline *pipeline[ENGINE_PIPELINES_MAX];
    uint32_t pipeline_n;
    pthread_mutex_t lock; /* what finished() of inputs touches */
    int event_fd;         /* rung when an input has finished */
};

/* Starts shard threads; ERR_SYSTEM after a log line. cpus: NULL or one per shard, -1: unpinned. */
err engine_start(struct engine *engine, uint32_t shards, const int *cpus,
                 size_t memory_bytes) MUST_USE;
void engine_stop(struct engine *engine); /* no pipeline may be left */

/* Runs fn(arg) on the shard's thread between steps and waits for it. Control thread only. */
void shard_call(struct shard *shard, void (*fn)(void *arg, struct shard *shard), void *arg);
/* An input of a pipeline came to its end; from any shard. */
void engine_input_finished(struct engine *engine, struct pipeline *p);
/* Whether every input of every pipeline has ended. */
bool engine_all_finished(struct engine *engine);

#endif
