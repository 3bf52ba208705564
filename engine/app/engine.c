/* engine.c - shard threads and synchronous calls to them. */
#define _GNU_SOURCE
#include "engine/app/engine.h"

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"

struct starting {
    struct engine_shard *es;
    uint32_t index;
    sem_t ready;
};

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        log_warn("engine", "cannot pin a shard to CPU %d", cpu);
}

static void *shard_main(void *arg)
{
    struct starting *s = arg;
    struct engine_shard *es = s->es;
    char name[16];
    snprintf(name, sizeof(name), "shard %u", s->index);
    pthread_setname_np(pthread_self(), name);
    if (es->cpu >= 0) pin(es->cpu);
    struct io *io = io_uring_new(IO_CONFIG_DEFAULT, es->why, sizeof(es->why));
    if (io == NULL) {
        sem_post(&s->ready);
        return NULL;
    }
    shard_init(&es->shard, s->index, io, es->pool_bytes);
    es->running = true;
    sem_post(&s->ready); /* `s` is gone from here on */
    shard_run(&es->shard);
    shard_fini(&es->shard);
    io_free(io);
    return NULL;
}

static err shard_start(struct engine_shard *es, uint32_t index)
{
    struct starting s = {.es = es, .index = index};
    sem_init(&s.ready, 0, 0);
    /* Signals are the control thread's: shards inherit a full mask. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&es->thread, NULL, shard_main, &s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        log_error("engine", "cannot start a thread: %s", strerror(failed));
        return ERR_SYSTEM;
    }
    while (sem_wait(&s.ready) != 0) continue;
    sem_destroy(&s.ready);
    if (es->running) return ERR_OK;
    pthread_join(es->thread, NULL);
    log_error("engine", "cannot start shard %u: %s", index, es->why);
    return ERR_SYSTEM;
}

err engine_start(struct engine *engine, uint32_t shards, const int *cpus, size_t memory_bytes)
{
    ASSERT(shards > 0 && shards <= ENGINE_SHARDS_MAX);
    memset(engine, 0, sizeof(*engine));
    pthread_mutex_init(&engine->lock, NULL);
    engine->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->shard = aligned_alloc(CACHE_LINE, shards * sizeof(*engine->shard));
    ASSERT(engine->shard != NULL && engine->event_fd >= 0);
    memset(engine->shard, 0, shards * sizeof(*engine->shard));
    for (uint32_t i = 0; i < shards; i++) {
        struct engine_shard *es = &engine->shard[i];
        es->cpu = cpus == NULL ? -1 : cpus[i];
        es->pool_bytes = memory_bytes / shards;
        err e = shard_start(es, i);
        if (e != ERR_OK) {
            engine_stop(engine);
            return e;
        }
        engine->shard_n++;
    }
    return ERR_OK;
}

static void stop_shard(void *arg, struct shard *shard)
{
    (void)arg;
    shard->stop = true;
}

void engine_stop(struct engine *engine)
{
    ASSERT(engine->pipeline_n == 0);
    for (uint32_t i = 0; i < engine->shard_n; i++) {
        shard_call(&engine->shard[i].shard, stop_shard, NULL);
        pthread_join(engine->shard[i].thread, NULL);
    }
    free(engine->shard);
    close(engine->event_fd);
    pthread_mutex_destroy(&engine->lock);
    engine->shard = NULL;
    engine->shard_n = 0;
}

struct call {
    struct message message;
    void (*fn)(void *arg, struct shard *shard);
    void *arg;
    sem_t done;
};

static void call_run(struct message *message, struct shard *shard)
{
    struct call *call = (struct call *)message;
    call->fn(call->arg, shard);
    sem_post(&call->done);
}

void shard_call(struct shard *shard, void (*fn)(void *arg, struct shard *shard), void *arg)
{
    struct call call = {.message = {call_run}, .fn = fn, .arg = arg};
    sem_init(&call.done, 0, 0);
    shard_post(shard, &call.message);
    while (sem_wait(&call.done) != 0) continue;
    sem_destroy(&call.done);
}

void engine_input_finished(struct engine *engine, struct pipeline *p)
{
    pthread_mutex_lock(&engine->lock);
    ASSERT(p->inputs_left > 0);
    p->inputs_left--;
    pthread_mutex_unlock(&engine->lock);
    uint64_t one = 1;
    ssize_t n = write(engine->event_fd, &one, sizeof(one));
    (void)n;
}

bool engine_all_finished(struct engine *engine)
{
    bool all = engine->pipeline_n > 0;
    pthread_mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < engine->pipeline_n; i++)
        if (engine->pipeline[i]->endless || engine->pipeline[i]->inputs_left > 0) all = false;
    pthread_mutex_unlock(&engine->lock);
    return all;
}
