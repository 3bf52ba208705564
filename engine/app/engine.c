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
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/shard/bus.h"
#include "engine/shard/delivery.h"

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
    struct io *io = io_uring_new(es->io_config, es->why, sizeof(es->why));
    if (io == NULL) {
        sem_post(&s->ready);
        return NULL;
    }
    shard_init(&es->shard, s->index, io, es->pool_bytes);
    es->shard.carry_budget = es->carry_budget;
    es->shard.nic = es->nic;
    es->running = true;
    sem_post(&s->ready); /* `s` is gone from here on */
    if (es->nic != NULL) es->nic->nics->backend->thread_begin();
    shard_run(&es->shard);
    if (es->nic != NULL) es->nic->nics->backend->thread_end();
    return NULL;
}

static void join(void *engine_, struct shard *shard)
{
    struct engine *engine = engine_;
    struct shard *all[ENGINE_SHARDS_MAX];
    for (uint32_t i = 0; i < engine->shard_n; i++) all[i] = &engine->shard[i].shard;
    bus_join(shard, all, engine->shard_n);
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

/* All of them before any shard runs, because they know each other. */
static void nics_start(struct engine *engine, uint32_t shards)
{
    struct nic_poll *nic[ENGINE_SHARDS_MAX];
    for (uint32_t i = 0; i < shards && nics_get() != NULL; i++) {
        nic[i] = engine->shard[i].nic = nic_poll_new(i, nic);
        engine->nic_n++;
    }
}

err engine_start(struct engine *engine, const struct tuning *t)
{
    uint32_t shards = t->shards;
    ASSERT(shards > 0 && shards <= ENGINE_SHARDS_MAX);
    memset(engine, 0, sizeof(*engine));
    pthread_mutex_init(&engine->lock, NULL);
    pthread_mutex_init(&engine->view, NULL);
    engine->memory_bytes = t->memory_bytes;
    engine->lanes_bytes = t->lanes_bytes;
    engine->carry_budget.max_bytes = t->carry_bytes;
    engine->carry_budget.shard_n = shards;
    engine->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->shard = aligned_alloc(CACHE_LINE, shards * sizeof(*engine->shard));
    ASSERT(engine->shard != NULL && engine->event_fd >= 0);
    memset(engine->shard, 0, shards * sizeof(*engine->shard));
    nics_start(engine, shards);
    for (uint32_t i = 0; i < shards; i++) {
        struct engine_shard *es = &engine->shard[i];
        es->cpu = t->cpus.n == 0 ? -1 : t->cpus.at[i % t->cpus.n];
        es->pool_bytes = t->pool_bytes;
        es->carry_budget = &engine->carry_budget;
        es->io_config = t->io_config;
        err e = shard_start(es, i);
        if (e != ERR_OK) {
            engine_stop(engine);
            return e;
        }
        engine->shard_n++;
    }
    for (uint32_t i = 0; i < shards; i++) shard_call(&engine->shard[i].shard, join, engine);
    return ERR_OK;
}

void engine_share_memory(struct engine *engine)
{
    uint64_t lanes = 0;
    for (uint32_t i = 0; i < engine->pipeline_n; i++)
        lanes += (uint64_t)engine->pipeline[i]->plan->output_n * engine->pipeline[i]->shard_n;
    uint64_t each = tuning_lane_bytes(engine->lanes_bytes, lanes);
    for (uint32_t i = 0; i < engine->shard_n; i++)
        atomic_store_explicit(&engine->shard[i].shard.lane_bytes_max, each, memory_order_relaxed);
}

static void take_frames(void *arg, struct shard *shard)
{
    (void)arg;
    shard->nic->started = true;
}

void engine_take_frames(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->nic_n; i++)
        shard_call(&engine->shard[i].shard, take_frames, NULL);
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
        /* Not on the shard's thread: shard_call may still be ringing its bell when it ends. */
        struct io *io = engine->shard[i].shard.io;
        shard_fini(&engine->shard[i].shard);
        io_free(io);
    }
    /* Running shards pass frames on to those that have ended. */
    for (uint32_t i = 0; i < engine->nic_n; i++) nic_poll_free(engine->shard[i].nic);
    free(engine->shard);
    close(engine->event_fd);
    pthread_mutex_destroy(&engine->lock);
    pthread_mutex_destroy(&engine->view);
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

void engine_ring(struct engine *engine)
{
    uint64_t one = 1;
    ssize_t n = write(engine->event_fd, &one, sizeof(one));
    (void)n; /* a full counter has been rung already */
}

void engine_input_finished(struct engine *engine, struct pipeline_input *in)
{
    pthread_mutex_lock(&engine->lock);
    in->finished++;
    pthread_mutex_unlock(&engine->lock);
    engine_ring(engine);
}

bool engine_all_finished(struct engine *engine)
{
    bool all = true, any = false;
    pthread_mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < engine->pipeline_n && all; i++) {
        all = pipeline_is_finished(engine->pipeline[i]);
        any = any || pipeline_has_sources(engine->pipeline[i]);
    }
    pthread_mutex_unlock(&engine->lock);
    return all && any;
}

/* ---- pipelines ----------------------------------------------------------------------- */

static uint64_t node_cycles(const struct worker *w)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < w->plan->node_n; i++) sum += counter_read(&w->state->node[i].cycles);
    return sum;
}

struct event_totals pipeline_totals(const struct pipeline *p)
{
    struct event_totals t = {0};
    uint64_t cycles = 0;
    for (uint32_t i = 0; i < p->shard_n; i++) {
        const struct worker *w = p->on[i].worker;
        if (w == NULL) continue;
        t.in += counter_read(&w->counters.events_in);
        t.blocked_ns += (int64_t)counter_read(&w->counters.blocked_ns);
        t.filtered += counter_read(&w->state->events_filtered);
        t.out += counter_read(&w->state->events_out);
        t.dropped += counter_read(&w->state->events_dropped);
        t.condition_errors += counter_read(&w->state->condition_errors);
        cycles += node_cycles(w);
    }
    t.busy_ns = (int64_t)((double)cycles / clock_cycles_per_sec() * 1e9);
    return t;
}

uint64_t pipeline_parked(const struct pipeline *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->shard_n; i++)
        if (p->on[i].worker != NULL) sum += counter_read(&p->on[i].worker->counters.parked);
    return sum;
}

uint64_t pipeline_in_flight(const struct pipeline *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->shard_n; i++)
        for (const struct lane *lane = p->on[i].worker == NULL ? NULL : p->on[i].worker->lanes;
             lane != NULL; lane = lane->next)
            sum += counter_read(&lane->depth);
    return sum;
}

void engine_remember(struct engine *engine, const struct pipeline *p)
{
    struct event_totals t = pipeline_totals(p), *past = &engine->past;
    past->in += t.in;
    past->filtered += t.filtered;
    past->out += t.out;
    past->dropped += t.dropped;
    past->condition_errors += t.condition_errors;
    past->busy_ns += t.busy_ns;
    past->blocked_ns += t.blocked_ns;
}

void engine_add(struct engine *engine, struct pipeline *p)
{
    ASSERT(engine->pipeline_n < ENGINE_PIPELINES_MAX);
    pthread_mutex_lock(&engine->view);
    engine->pipeline[engine->pipeline_n++] = p;
    pthread_mutex_unlock(&engine->view);
    engine_share_memory(engine);
}

void engine_remove(struct engine *engine, uint32_t index)
{
    pthread_mutex_lock(&engine->view);
    engine_remember(engine, engine->pipeline[index]);
    engine->pipeline_n--;
    memmove(&engine->pipeline[index], &engine->pipeline[index + 1],
            (engine->pipeline_n - index) * sizeof(*engine->pipeline));
    pthread_mutex_unlock(&engine->view);
    engine_share_memory(engine);
}
