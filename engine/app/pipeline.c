/* pipeline.c - opening, starting, draining and closing a plan's plugins. */
#include "engine/app/pipeline.h"

#include <stdlib.h>
#include <time.h>

#include "engine/app/data_dir.h"
#include "engine/app/engine.h"
#include "engine/app/links.h"
#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

#define DRAIN_POLL_NS (2 * NS_PER_MS)

/* ---- calls to shards ------------------------------------------------------------------- */

struct on_all {
    struct pipeline *p;
    void *arg;
    void (*fn)(struct pipeline *p, uint32_t at, void *arg);
    uint32_t at;
};

static void on_all_run(void *arg, struct shard *shard)
{
    (void)shard;
    struct on_all *call = arg;
    call->fn(call->p, call->at, call->arg);
}

void pipeline_on_all(struct pipeline *p, void *arg,
                     void (*fn)(struct pipeline *p, uint32_t at, void *arg))
{
    for (uint32_t i = 0; i < p->shard_n; i++) {
        struct on_all call = {.p = p, .arg = arg, .fn = fn, .at = i};
        shard_call(p->on[i].shard, on_all_run, &call);
    }
}

static void pause_ns(int64_t ns)
{
    struct timespec ts = {ns / NS_PER_SEC, ns % NS_PER_SEC};
    nanosleep(&ts, NULL);
}

/* ---- outputs and workers --------------------------------------------------------------- */

err pipeline_outputs_open(struct pipeline *p)
{
    while (p->outputs_open < p->plan->output_n) {
        const struct plan_output *po = &p->plan->output[p->outputs_open];
        struct output *o = &p->output[p->outputs_open];
        *o = (struct output){
            .ops = po->ops, .cfg = po->cfg, .id = po->id, .pipeline_id = p->plan->pipeline_id};
        o->shared = calloc(1, po->ops->shared_size + 1);
        ASSERT(o->shared != NULL);
        err e = po->ops->open == NULL ? ERR_OK : po->ops->open(o->shared, o->cfg, o, p->shard_n);
        if (e != ERR_OK) {
            free(o->shared);
            return e;
        }
        p->outputs_open++;
    }
    return ERR_OK;
}

static void outputs_close(struct pipeline *p)
{
    while (p->outputs_open > 0) {
        struct output *o = &p->output[--p->outputs_open];
        if (o->ops->close != NULL) o->ops->close(o->shared, o->cfg);
        free(o->shared);
    }
}

static void worker_start_on(struct pipeline *p, uint32_t at, void *ok)
{
    p->on[at].worker = worker_new(p->on[at].shard, p->plan, p->output);
    if (p->on[at].worker == NULL) *(bool *)ok = false;
}

bool pipeline_workers_start(struct pipeline *p)
{
    bool ok = true;
    pipeline_on_all(p, &ok, worker_start_on);
    return ok;
}

static void worker_free_on(struct pipeline *p, uint32_t at, void *arg)
{
    (void)arg;
    if (p->on[at].worker != NULL) worker_free(p->on[at].worker);
    p->on[at].worker = NULL;
}

void pipeline_workers_free(struct pipeline *p)
{
    pipeline_on_all(p, NULL, worker_free_on);
}

/* ---- inputs ------------------------------------------------------------------------------ */

static void input_finished(struct input *input)
{
    struct pipeline *p = input->owner;
    for (uint32_t i = 0; i < p->plan->input_n; i++)
        if (&p->in[i].input == input) engine_input_finished(p->engine, &p->in[i]);
}

/* How many shards an input runs on. */
static uint32_t input_shards(const struct pipeline *p, const struct input_ops *ops)
{
    return ops->flags & INPUT_SINGLE ? 1 : p->shard_n;
}

bool pipeline_is_finished(const struct pipeline *p)
{
    for (uint32_t i = 0; i < p->plan->input_n; i++) {
        const struct input_ops *ops = p->plan->input[i].ops;
        if (input_is_fed(ops)) continue; /* by pipelines that have to be finished, too */
        if (!(ops->flags & INPUT_ENDS)) return false;
        if (p->in[i].finished < input_shards(p, ops)) return false;
    }
    return true;
}

static void input_describe(struct pipeline *p, uint32_t i)
{
    const struct plan_input *pi = &p->plan->input[i];
    struct input *in = &p->in[i].input;
    *in = (struct input){.ops = pi->ops,
                         .cfg = pi->cfg,
                         .decoration = &pi->decoration,
                         .id = pi->id,
                         .pipeline_id = p->plan->pipeline_id,
                         .ecs = p->plan->ecs,
                         .finished = input_finished,
                         .owner = p};
    in->counters = aligned_alloc(CACHE_LINE, ENGINE_SHARDS_MAX * sizeof(*in->counters));
    ASSERT(in->counters != NULL);
    memset(in->counters, 0, ENGINE_SHARDS_MAX * sizeof(*in->counters));
}

err pipeline_input_open(struct pipeline *p, uint32_t i)
{
    struct input *in = &p->in[i].input;
    in->shared = calloc(1, in->ops->shared_size + 1);
    ASSERT(in->shared != NULL);
    err e = in->ops->open == NULL
                ? ERR_OK
                : in->ops->open(in->shared, in->cfg, in, input_shards(p, in->ops));
    p->in[i].open = e == ERR_OK;
    if (e == ERR_OK) return e;
    free(in->shared);
    in->shared = NULL;
    return e;
}

void pipeline_input_close(struct pipeline *p, uint32_t i)
{
    struct input *in = &p->in[i].input;
    if (!p->in[i].open) return;
    p->in[i].open = false;
    if (in->ops->close != NULL) in->ops->close(in->shared, in->cfg);
    free(in->shared);
    in->shared = NULL;
}

static bool runs_here(const struct pipeline *p, uint32_t i, uint32_t at)
{
    return !(p->in[i].input.ops->flags & INPUT_SINGLE) || at == p->in[i].home;
}

struct input_task {
    uint32_t i;
    bool ok;
};

static void input_start_on(struct pipeline *p, uint32_t at, void *arg)
{
    struct input_task *t = arg;
    struct input *in = &p->in[t->i].input;
    struct worker *w = p->on[at].worker;
    if (!t->ok || !runs_here(p, t->i, at)) return;
    size_t size = (in->ops->state_size + CACHE_LINE) / CACHE_LINE * CACHE_LINE;
    void *state = aligned_alloc(CACHE_LINE, size);
    ASSERT(state != NULL);
    memset(state, 0, size);
    w->starting = &in->counters[w->shard->index];
    t->ok = in->ops->start(state, in->shared, in->cfg, w, in) == ERR_OK;
    w->starting = NULL;
    if (t->ok)
        p->on[at].input_state[t->i] = state;
    else
        free(state);
}

bool pipeline_input_start(struct pipeline *p, uint32_t i)
{
    struct input_task t = {i, true};
    p->in[i].stopped = false;
    pipeline_on_all(p, &t, input_start_on);
    return t.ok;
}

static void input_stop_on(struct pipeline *p, uint32_t at, void *arg)
{
    const struct input_task *t = arg;
    void *state = p->on[at].input_state[t->i];
    if (state != NULL) p->in[t->i].input.ops->stop(state, p->in[t->i].input.cfg);
}

void pipeline_input_stop(struct pipeline *p, uint32_t i)
{
    struct input_task t = {i, true};
    if (p->in[i].stopped) return;
    p->in[i].stopped = true;
    pipeline_on_all(p, &t, input_stop_on);
}

/* A state goes once nothing in the kernel refers to it. */
static void input_free_on(struct pipeline *p, uint32_t at, void *arg)
{
    struct input_task *t = arg;
    const struct input *in = &p->in[t->i].input;
    void *state = p->on[at].input_state[t->i];
    if (state == NULL) return;
    if (in->ops->stopped != NULL && !in->ops->stopped(state, in->cfg)) {
        t->ok = false;
        return;
    }
    if (p->on[at].worker != NULL)
        worker_forget_intakes(p->on[at].worker, state, in->ops->state_size);
    free(state);
    p->on[at].input_state[t->i] = NULL;
}

void pipeline_input_free(struct pipeline *p, uint32_t i)
{
    for (;;) {
        struct input_task t = {i, true};
        pipeline_on_all(p, &t, input_free_on);
        if (t.ok) return;
        pause_ns(DRAIN_POLL_NS);
    }
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* One shard each, in turn; pipelines begin at different ones. */
static void spread_single_inputs(struct pipeline *p)
{
    uint32_t next = p->engine->pipeline_n;
    for (uint32_t i = 0; i < p->plan->input_n; i++)
        if (p->in[i].input.ops->flags & INPUT_SINGLE) p->in[i].home = next++ % p->shard_n;
}

struct pipeline *pipeline_new(struct engine *engine, struct plan *plan, struct wanted_set *set)
{
    struct pipeline *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    p->engine = engine;
    p->plan = plan;
    p->set = set;
    p->shard_n = plan->serial ? 1 : engine->shard_n;
    int64_t workers = process_settings_int(plan->settings, "pipeline.workers");
    if (workers >= 1 && workers < p->shard_n) p->shard_n = (uint32_t)workers;
    p->in = calloc(plan->input_n + 1, sizeof(*p->in));
    p->output = calloc(plan->output_n + 1, sizeof(*p->output));
    p->on = calloc(p->shard_n, sizeof(*p->on));
    ASSERT(p->in != NULL && p->output != NULL && p->on != NULL);
    for (uint32_t i = 0; i < p->shard_n; i++) {
        p->on[i].shard = &engine->shard[i].shard;
        p->on[i].input_state = calloc(plan->input_n + 1, sizeof(void *));
        ASSERT(p->on[i].input_state != NULL);
    }
    for (uint32_t i = 0; i < plan->input_n; i++) input_describe(p, i);
    spread_single_inputs(p);
    p->started_ns = clock_mono_ns();
    uuid_make(p->ephemeral_id);
    return p;
}

static void pipeline_free(struct pipeline *p)
{
    for (uint32_t i = 0; i < p->shard_n; i++) free(p->on[i].input_state);
    for (uint32_t i = 0; i < p->plan->input_n; i++) free(p->in[i].input.counters);
    free(p->on);
    free(p->in);
    free(p->output);
    plan_free(p->plan);
    wanted_drop(p->set);
    free(p);
}

static bool start_all(struct pipeline *p)
{
    if (pipeline_outputs_open(p) != ERR_OK) return false;
    for (uint32_t i = 0; i < p->plan->input_n; i++)
        if (pipeline_input_open(p, i) != ERR_OK) return false;
    if (!pipeline_workers_start(p)) return false;
    for (uint32_t i = 0; i < p->plan->input_n; i++)
        if (!pipeline_input_start(p, i)) return false;
    return true;
}

struct pipeline *pipeline_start(struct engine *engine, struct plan *plan, struct wanted_set *set)
{
    struct pipeline *p = pipeline_new(engine, plan, set);
    if (start_all(p)) return p;
    pipeline_stop_inputs(p);
    pipeline_close(p);
    return NULL;
}

void pipeline_stop_inputs(struct pipeline *p)
{
    for (uint32_t i = 0; i < p->plan->input_n; i++) pipeline_input_stop(p, i);
}

void pipeline_stop_sources(struct pipeline *p)
{
    for (uint32_t i = 0; i < p->plan->input_n; i++)
        if (!input_is_fed(p->plan->input[i].ops)) pipeline_input_stop(p, i);
}

bool pipeline_has_sources(const struct pipeline *p)
{
    for (uint32_t i = 0; i < p->plan->input_n; i++)
        if (!input_is_fed(p->plan->input[i].ops)) return true;
    return false;
}

static void drain_on(struct pipeline *p, uint32_t at, void *ok)
{
    struct worker *w = p->on[at].worker;
    if (w != NULL && !worker_drain(w)) *(bool *)ok = false;
}

bool pipeline_drain(struct pipeline *p, int64_t deadline_ns)
{
    for (;;) {
        bool ok = true;
        pipeline_on_all(p, &ok, drain_on);
        if (ok) return true;
        if (clock_mono_ns() >= deadline_ns) return false;
        pause_ns(DRAIN_POLL_NS);
    }
}

void pipeline_close(struct pipeline *p)
{
    pipeline_workers_free(p);
    for (uint32_t i = 0; i < p->plan->input_n; i++) {
        pipeline_input_free(p, i);
        pipeline_input_close(p, i);
    }
    outputs_close(p);
    pipeline_free(p);
}
