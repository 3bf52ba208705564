/* pipeline.c - opening, starting, draining and closing a plan's plugins. */
#include "engine/app/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/app/engine.h"
#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/prng.h"

#define DRAIN_POLL_NS (2 * NS_PER_MS)

static void input_finished(struct input *input)
{
    struct pipeline *p = input->owner;
    engine_input_finished(p->engine, p);
}

/* How many shards an input runs on. */
static uint32_t input_shards(const struct pipeline *p, const struct input_ops *ops)
{
    return ops->flags & INPUT_SINGLE ? 1 : p->shard_n;
}

static err open_outputs(struct pipeline *p, uint32_t *opened)
{
    for (*opened = 0; *opened < p->plan->output_n; (*opened)++) {
        const struct plan_output *po = &p->plan->output[*opened];
        struct output *o = &p->output[*opened];
        *o = (struct output){
            .ops = po->ops, .cfg = po->cfg, .id = po->id, .pipeline_id = p->plan->pipeline_id};
        o->shared = calloc(1, po->ops->shared_size + 1);
        ASSERT(o->shared != NULL);
        err e = po->ops->open == NULL ? ERR_OK : po->ops->open(o->shared, o->cfg, o, p->shard_n);
        if (e != ERR_OK) {
            free(o->shared);
            return e;
        }
    }
    return ERR_OK;
}

static void close_outputs(struct pipeline *p, uint32_t n)
{
    while (n-- > 0) {
        struct output *o = &p->output[n];
        if (o->ops->close != NULL) o->ops->close(o->shared, o->cfg);
        free(o->shared);
    }
}

static void describe_input(struct pipeline *p, struct input *in, const struct plan_input *pi)
{
    *in = (struct input){.ops = pi->ops,
                         .cfg = pi->cfg,
                         .decoration = &pi->decoration,
                         .id = pi->id,
                         .pipeline_id = p->plan->pipeline_id,
                         .ecs = p->plan->ecs,
                         .finished = input_finished,
                         .owner = p};
}

static err open_inputs(struct pipeline *p, uint32_t *opened)
{
    for (*opened = 0; *opened < p->plan->input_n; (*opened)++) {
        const struct plan_input *pi = &p->plan->input[*opened];
        struct input *in = &p->input[*opened];
        describe_input(p, in, pi);
        in->shared = calloc(1, pi->ops->shared_size + 1);
        ASSERT(in->shared != NULL);
        err e = pi->ops->open == NULL
                    ? ERR_OK
                    : pi->ops->open(in->shared, in->cfg, in, input_shards(p, pi->ops));
        if (e != ERR_OK) {
            free(in->shared);
            return e;
        }
        if (pi->ops->flags & INPUT_ENDS)
            p->inputs_left += input_shards(p, pi->ops);
        else
            p->endless = true;
    }
    return ERR_OK;
}

static void close_inputs(struct pipeline *p, uint32_t n)
{
    while (n-- > 0) {
        struct input *in = &p->input[n];
        if (in->ops->close != NULL) in->ops->close(in->shared, in->cfg);
        free(in->shared);
    }
}

/* ---- on the shard --------------------------------------------------------------- */

struct shard_task {
    struct pipeline *p;
    uint32_t at; /* which of p->on */
    bool ok;
};

static void worker_start_on(void *arg, struct shard *shard)
{
    struct shard_task *t = arg;
    struct pipeline_shard *ps = &t->p->on[t->at];
    ps->worker = worker_new(shard, t->p->plan, t->p->output);
    t->ok = ps->worker != NULL;
}

static bool runs_here(const struct pipeline *p, const struct input *in, uint32_t at)
{
    return !(in->ops->flags & INPUT_SINGLE) || at == p->home;
}

static void inputs_start_on(void *arg, struct shard *shard)
{
    (void)shard;
    struct shard_task *t = arg;
    struct pipeline_shard *ps = &t->p->on[t->at];
    t->ok = true;
    for (uint32_t i = 0; i < t->p->plan->input_n && t->ok; i++) {
        struct input *in = &t->p->input[i];
        if (!runs_here(t->p, in, t->at)) continue;
        void *state =
            aligned_alloc(CACHE_LINE, (in->ops->state_size + CACHE_LINE) / CACHE_LINE * CACHE_LINE);
        ASSERT(state != NULL);
        memset(state, 0, in->ops->state_size);
        t->ok = in->ops->start(state, in->shared, in->cfg, ps->worker, in) == ERR_OK;
        if (t->ok)
            ps->input_state[i] = state;
        else
            free(state);
    }
}

static void inputs_stop_on(void *arg, struct shard *shard)
{
    (void)shard;
    struct shard_task *t = arg;
    struct pipeline_shard *ps = &t->p->on[t->at];
    for (uint32_t i = 0; i < t->p->plan->input_n; i++)
        if (ps->input_state[i] != NULL)
            t->p->input[i].ops->stop(ps->input_state[i], t->p->input[i].cfg);
}

static void drain_on(void *arg, struct shard *shard)
{
    (void)shard;
    struct shard_task *t = arg;
    struct pipeline_shard *ps = &t->p->on[t->at];
    t->ok = ps->worker == NULL || worker_drain(ps->worker);
}

/* Inputs' states go once nothing in the kernel refers to them. */
static void inputs_free_on(void *arg, struct shard *shard)
{
    (void)shard;
    struct shard_task *t = arg;
    struct pipeline_shard *ps = &t->p->on[t->at];
    t->ok = true;
    for (uint32_t i = 0; i < t->p->plan->input_n; i++) {
        if (ps->input_state[i] == NULL) continue;
        const struct input *in = &t->p->input[i];
        if (in->ops->stopped != NULL && !in->ops->stopped(ps->input_state[i], in->cfg)) {
            t->ok = false;
            continue;
        }
        free(ps->input_state[i]);
        ps->input_state[i] = NULL;
    }
}

static void worker_free_on(void *arg, struct shard *shard)
{
    (void)shard;
    struct shard_task *t = arg;
    struct pipeline_shard *ps = &t->p->on[t->at];
    if (ps->worker != NULL) worker_free(ps->worker);
    ps->worker = NULL;
}

/* Runs fn on every shard of the pipeline; whether all said ok. */
static bool on_all(struct pipeline *p, void (*fn)(void *, struct shard *))
{
    bool ok = true;
    for (uint32_t i = 0; i < p->shard_n; i++) {
        struct shard_task t = {.p = p, .at = i, .ok = true};
        shard_call(p->on[i].shard, fn, &t);
        ok = ok && t.ok;
    }
    return ok;
}

static void pause_ns(int64_t ns)
{
    struct timespec ts = {ns / NS_PER_SEC, ns % NS_PER_SEC};
    nanosleep(&ts, NULL);
}

/* ---- the control thread ------------------------------------------------------------ */

static void make_ephemeral_id(char out[40])
{
    struct prng r;
    prng_seed(&r, (uint64_t)clock_real_ns() ^ (uintptr_t)out);
    uint64_t a = prng_next(&r), b = prng_next(&r);
    snprintf(out, 40, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff, (unsigned)(b >> 52) & 0xfff,
             (unsigned long long)(b & 0xffffffffffffULL));
}

static struct pipeline *pipeline_new(struct engine *engine, struct plan *plan)
{
    struct pipeline *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    p->engine = engine;
    p->plan = plan;
    p->shard_n = plan->serial ? 1 : engine->shard_n;
    int64_t workers = process_settings_int(plan->settings, "pipeline.workers");
    if (workers >= 1 && workers < p->shard_n) p->shard_n = (uint32_t)workers;
    p->input = calloc(plan->input_n + 1, sizeof(*p->input));
    p->output = calloc(plan->output_n + 1, sizeof(*p->output));
    p->on = calloc(p->shard_n, sizeof(*p->on));
    ASSERT(p->input != NULL && p->output != NULL && p->on != NULL);
    for (uint32_t i = 0; i < p->shard_n; i++) {
        p->on[i].shard = &engine->shard[i].shard;
        p->on[i].input_state = calloc(plan->input_n + 1, sizeof(void *));
        ASSERT(p->on[i].input_state != NULL);
    }
    p->started_ns = clock_mono_ns();
    make_ephemeral_id(p->ephemeral_id);
    return p;
}

static void pipeline_free(struct pipeline *p)
{
    for (uint32_t i = 0; i < p->shard_n; i++) free(p->on[i].input_state);
    free(p->on);
    free(p->input);
    free(p->output);
    plan_free(p->plan);
    free(p);
}

struct pipeline *pipeline_start(struct engine *engine, struct plan *plan)
{
    struct pipeline *p = pipeline_new(engine, plan);
    uint32_t outputs = 0, inputs = 0;
    bool ok = open_outputs(p, &outputs) == ERR_OK && open_inputs(p, &inputs) == ERR_OK;
    if (ok && on_all(p, worker_start_on) && on_all(p, inputs_start_on)) return p;
    if (ok) {
        pipeline_stop_inputs(p);
        while (!on_all(p, inputs_free_on)) pause_ns(DRAIN_POLL_NS);
        on_all(p, worker_free_on);
    }
    close_inputs(p, inputs);
    close_outputs(p, outputs);
    pipeline_free(p);
    return NULL;
}

void pipeline_stop_inputs(struct pipeline *p)
{
    on_all(p, inputs_stop_on);
}

bool pipeline_drain(struct pipeline *p, int64_t deadline_ns)
{
    while (!on_all(p, drain_on)) {
        if (clock_mono_ns() >= deadline_ns) return false;
        pause_ns(DRAIN_POLL_NS);
    }
    return true;
}

void pipeline_close(struct pipeline *p)
{
    on_all(p, worker_free_on);
    while (!on_all(p, inputs_free_on)) pause_ns(DRAIN_POLL_NS);
    close_inputs(p, p->plan->input_n);
    close_outputs(p, p->plan->output_n);
    pipeline_free(p);
}
