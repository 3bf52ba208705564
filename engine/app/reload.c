/*
 * reload.c - a new plan in the place of a running one.
 *
 * Everything that can fail is tried first: outputs open, workers start. An input that is the same
 * in both plans (fingerprint) moves with its sockets and connections, between batches; the
 * workers are paused until the old plan has delivered, so that the order of events holds, but not
 * for longer than RELOAD_PAUSE_NS: then the old plan goes on delivering beside the new one
 * (engine->retired). Inputs that changed are stopped, drained and closed before their successors
 * open, because both may want the same port or file; if a successor refuses, the old inputs are
 * opened again and everything moves back.
 */
#include <stdlib.h>

#include "engine/app/engine.h"
#include "engine/app/pipeline.h"
#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

#define RELOAD_PAUSE_NS (2 * NS_PER_SEC)
#define NOT_SAME UINT32_MAX

enum keep {
    KEEP_NOTHING,
    KEEP_SHARED, /* stopped and started anew around the same sockets */
    KEEP_ALL     /* moves as it is */
};

struct replacing {
    struct engine *engine;
    struct pipeline *old, *new;
    uint32_t *old_of;    /* per new input: the old one that is the same */
    enum keep *keep_new; /* per new input */
    enum keep *keep_old; /* per old input */
    bool replaced_any;   /* some old input is not moved */
    const char *why;
};

/* ---- what stays --------------------------------------------------------------------------- */

static enum keep keep_of(const struct replacing *r, uint32_t old_i, uint32_t new_i)
{
    const struct plan_input *a = &r->old->plan->input[old_i], *b = &r->new->plan->input[new_i];
    if (a->fingerprint != b->fingerprint || a->ops != b->ops) return KEEP_NOTHING;
    if (!(a->ops->flags & INPUT_SHARED_STAYS)) return KEEP_NOTHING;
    if (r->old->shard_n != r->new->shard_n) return KEEP_NOTHING;
    if (r->old->in[old_i].home != r->new->in[new_i].home) return KEEP_NOTHING;
    return a->ops->moved != NULL ? KEEP_ALL : KEEP_SHARED;
}

static void match_inputs(struct replacing *r)
{
    const struct plan *was = r->old->plan, *is = r->new->plan;
    r->old_of = calloc(is->input_n + 1, sizeof(*r->old_of));
    r->keep_new = calloc(is->input_n + 1, sizeof(*r->keep_new));
    r->keep_old = calloc(was->input_n + 1, sizeof(*r->keep_old));
    ASSERT(r->old_of != NULL && r->keep_new != NULL && r->keep_old != NULL);
    for (uint32_t i = 0; i < is->input_n; i++) {
        r->old_of[i] = NOT_SAME;
        for (uint32_t k = 0; k < was->input_n && r->old_of[i] == NOT_SAME; k++) {
            enum keep keep = keep_of(r, k, i);
            if (keep == KEEP_NOTHING || r->keep_old[k] != KEEP_NOTHING) continue;
            r->old_of[i] = k;
            r->keep_new[i] = r->keep_old[k] = keep;
        }
    }
    for (uint32_t k = 0; k < was->input_n; k++)
        if (r->keep_old[k] != KEEP_ALL) r->replaced_any = true;
}

static bool can_reload(struct replacing *r)
{
    const struct plan *plans[] = {r->old->plan, r->new->plan};
    for (int side = 0; side < 2; side++) {
        if (!process_settings_bool(plans[side]->settings, "pipeline.reloadable")) {
            r->why = "pipeline.reloadable is false";
            return false;
        }
        for (uint32_t i = 0; i < plans[side]->input_n; i++)
            if (plans[side]->input[i].ops->flags & INPUT_NOT_RELOADABLE) {
                r->why = "it has an input that cannot be reloaded (stdin)";
                return false;
            }
    }
    if (r->engine->retired_n == ENGINE_RETIRED_MAX) {
        r->why = "too many earlier configurations still have undelivered events";
        return false;
    }
    return true;
}

/* ---- moving --------------------------------------------------------------------------------- */

static void pause_on(struct pipeline *p, uint32_t at, void *paused)
{
    worker_pause(p->on[at].worker, *(bool *)paused);
}

static void undrain_on(struct pipeline *p, uint32_t at, void *arg)
{
    (void)arg;
    worker_undrain(p->on[at].worker);
}

struct move {
    struct pipeline *to;
    uint32_t from_i, to_i;
};

static void move_on(struct pipeline *from, uint32_t at, void *arg)
{
    struct move *m = arg;
    void *state = from->on[at].input_state[m->from_i];
    struct worker *w = m->to->on[at].worker;
    struct input *in = &m->to->in[m->to_i].input;
    if (state == NULL) return;
    worker_flush(from->on[at].worker);
    w->starting = &in->counters[w->shard->index];
    in->ops->moved(state, in->cfg, w, in);
    w->starting = NULL;
    m->to->on[at].input_state[m->to_i] = state;
    from->on[at].input_state[m->from_i] = NULL;
}

static void hand_over(struct pipeline *from, uint32_t from_i, struct pipeline *to, uint32_t to_i)
{
    struct pipeline_input *a = &from->in[from_i], *b = &to->in[to_i];
    b->input.shared = a->input.shared;
    b->open = true;
    a->open = false;
    pthread_mutex_lock(&to->engine->lock);
    b->finished = a->finished;
    pthread_mutex_unlock(&to->engine->lock);
}

static void move_inputs(struct replacing *r, bool back)
{
    struct pipeline *from = back ? r->new : r->old, *to = back ? r->old : r->new;
    pthread_mutex_lock(&r->engine->view);
    for (uint32_t i = 0; i < r->new->plan->input_n; i++) {
        uint32_t k = r->old_of[i];
        if (k == NOT_SAME) continue;
        struct move m = {to, back ? i : k, back ? k : i};
        hand_over(from, m.from_i, to, m.to_i);
        if (r->keep_new[i] == KEEP_ALL) pipeline_on_all(from, &m, move_on);
    }
    pthread_mutex_unlock(&r->engine->view);
}

/* ---- the steps --------------------------------------------------------------------------------
 */

/* Before anything running is touched. */
static bool prepare(struct replacing *r)
{
    r->why = "an output or input of the new configuration cannot be opened (see the log)";
    if (pipeline_outputs_open(r->new) != ERR_OK) return false;
    for (uint32_t i = 0; i < r->new->plan->input_n && !r->replaced_any; i++)
        if (r->old_of[i] == NOT_SAME && pipeline_input_open(r->new, i) != ERR_OK) return false;
    return pipeline_workers_start(r->new);
}

static int64_t patience_ns(const struct replacing *r)
{
    if (engine_must_stop(r->engine)) return 0;
    return process_settings_int(r->old->plan->settings, "shutdown.timeout");
}

/* The old inputs that do not move end, with everything they took. */
static bool end_replaced(struct replacing *r)
{
    int64_t deadline_ns = clock_mono_ns() + patience_ns(r);
    bool drained;
    do {
        int64_t slice_ns = clock_mono_ns() + 100 * NS_PER_MS;
        drained = pipeline_drain(r->old, slice_ns < deadline_ns ? slice_ns : deadline_ns);
    } while (!drained && clock_mono_ns() < deadline_ns && !engine_must_stop(r->engine));
    if (!drained) {
        log_warn("agent",
                 "pipeline %s: the outputs of the old configuration did not deliver everything "
                 "within shutdown.timeout; what is left is given up and not acknowledged",
                 r->old->plan->pipeline_id);
    }
    pthread_mutex_lock(&r->engine->view); /* the old pipeline still stands in engine->pipeline */
    if (!drained) pipeline_workers_free(r->old);
    for (uint32_t k = 0; k < r->old->plan->input_n; k++) {
        if (r->keep_old[k] == KEEP_ALL) continue;
        pipeline_input_free(r->old, k);
        if (r->keep_old[k] == KEEP_NOTHING) pipeline_input_close(r->old, k);
    }
    pthread_mutex_unlock(&r->engine->view);
    return drained;
}

static bool start_new(struct replacing *r)
{
    for (uint32_t i = 0; i < r->new->plan->input_n; i++) {
        if (r->keep_new[i] == KEEP_ALL) continue;
        if (!r->new->in[i].open && pipeline_input_open(r->new, i) != ERR_OK) return false;
        if (!pipeline_input_start(r->new, i)) return false;
    }
    return true;
}

/* The new inputs could not start: the old plan goes on. */
static void move_back(struct replacing *r)
{
    for (uint32_t i = 0; i < r->new->plan->input_n; i++)
        if (r->keep_new[i] != KEEP_ALL) pipeline_input_stop(r->new, i);
    move_inputs(r, true);
    if (!pipeline_drain(r->new, clock_mono_ns() + patience_ns(r))) pipeline_workers_free(r->new);
    for (uint32_t i = 0; i < r->new->plan->input_n; i++) {
        if (r->keep_new[i] == KEEP_ALL) continue;
        pipeline_input_free(r->new, i);
        if (r->keep_new[i] == KEEP_NOTHING) pipeline_input_close(r->new, i);
    }
    pipeline_on_all(r->old, NULL, undrain_on);
    pthread_mutex_lock(&r->engine->view);
    for (uint32_t k = 0; k < r->old->plan->input_n; k++) {
        if (r->keep_old[k] == KEEP_ALL) continue;
        if ((!r->old->in[k].open && pipeline_input_open(r->old, k) != ERR_OK) ||
            !pipeline_input_start(r->old, k))
            log_error("agent", "pipeline %s: the input %.*s cannot be opened again",
                      r->old->plan->pipeline_id, SLICE_FMT(r->old->plan->input[k].id));
    }
    pthread_mutex_unlock(&r->engine->view);
}

static void commit(struct replacing *r, uint32_t index, bool drained)
{
    pthread_mutex_lock(&r->engine->view);
    engine_remember(r->engine, r->old);
    r->new->reloads = r->old->reloads;
    r->engine->pipeline[index] = r->new;
    if (!drained) r->engine->retired[r->engine->retired_n++] = r->old;
    pthread_mutex_unlock(&r->engine->view);
    if (drained) pipeline_close(r->old);
}

/* Moves everything over; what is left to do depends on whether old inputs had to end. */
static bool exchange(struct replacing *r, uint32_t index)
{
    bool yes = true, no = false, drained = false;
    if (!r->replaced_any) {
        pipeline_on_all(r->old, &yes, pause_on);
        drained = pipeline_drain(r->old, clock_mono_ns() + RELOAD_PAUSE_NS);
    }
    for (uint32_t k = 0; k < r->old->plan->input_n; k++)
        if (r->keep_old[k] != KEEP_ALL) pipeline_input_stop(r->old, k);
    move_inputs(r, false);
    pipeline_on_all(r->old, &no, pause_on);
    bool usable = true; /* the old plan could still go on */
    if (r->replaced_any) {
        usable = end_replaced(r);
        drained = true;
    }
    if (start_new(r)) {
        commit(r, index, drained);
        return true;
    }
    r->why = "an input of the new configuration cannot be opened (see the log)";
    if (usable) {
        move_back(r);
        return false;
    }
    log_error("agent", "pipeline %s runs without the input that could not be opened",
              r->new->plan->pipeline_id);
    commit(r, index, drained);
    return true;
}

err pipeline_replace(struct engine *engine, uint32_t index, struct plan *plan,
                     struct wanted_set *set, const char **why)
{
    struct replacing r = {.engine = engine, .old = engine->pipeline[index]};
    r.new = pipeline_new(engine, plan, set);
    match_inputs(&r);
    bool done = can_reload(&r) && prepare(&r) && exchange(&r, index);
    if (!done) pipeline_close(r.new);
    free(r.old_of);
    free(r.keep_new);
    free(r.keep_old);
    *why = r.why;
    return done ? ERR_OK : ERR_CONFIG;
}
