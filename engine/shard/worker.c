/* worker.c - batches from inputs through the plan, waiting runs, draining. */
#include "engine/shard/worker.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

#define WORKER_TICK_NS NS_PER_SEC

static void run_queue(struct worker *w);

static void tick_filters(struct worker *w, int64_t now_ns, bool last)
{
    const struct plan *plan = w->plan;
    for (uint32_t i = 0; i < plan->filter_n; i++) {
        const struct plan_filter *f = &plan->filter[i];
        if (f->ops->tick == NULL) continue;
        /* Events made by a tick go through the filters behind their maker only. */
        worker_flush(w);
        worker_queue(w); /* what came while that ran has not seen the first filter */
        struct batch *b = worker_batch(w);
        f->ops->tick(plan_filter_state(w->state, i), f->cfg, b, now_ns, last);
        if (f->common.any && (f->ops->flags & FILTER_TICK_DECORATES))
            for (uint32_t k = 0; k < b->n; k++)
                common_options_apply(&f->common, b, &b->event[k], false);
        if (b->n > 0) worker_flush_from(w, f->node + 1);
    }
}

static void tick(struct timer *timer, int64_t now_ns)
{
    struct worker *w = (struct worker *)((char *)timer - offsetof(struct worker, tick));
    tick_filters(w, now_ns, false);
    timer_set(&w->shard->timers, &w->tick, now_ns + WORKER_TICK_NS);
}

static void start_ticking(struct worker *w)
{
    const struct plan *plan = w->plan;
    for (uint32_t i = 0; i < plan->filter_n; i++)
        if (plan->filter[i].ops->tick != NULL && !timer_is_set(&w->tick))
            timer_set(&w->shard->timers, &w->tick, w->shard->now_mono_ns + WORKER_TICK_NS);
}

static uint32_t batch_events(const struct plan *plan)
{
    if (plan->singly) return 1;
    /* Logstash's 125 is its own default, not a wish of the user's. */
    if (!process_settings_given(plan->settings, "pipeline.batch.size")) return WORKER_BATCH_EVENTS;
    int64_t n = process_settings_int(plan->settings, "pipeline.batch.size");
    return n < 1 ? 1 : n > BATCH_EVENTS_MAX / 4 ? BATCH_EVENTS_MAX / 4 : (uint32_t)n;
}

struct worker *worker_new(struct shard *shard, const struct plan *plan, struct output *outputs)
{
    if (shard->worker_n == SHARD_WORKERS_MAX) {
        log_error("shard", "more than %u pipelines on a shard", SHARD_WORKERS_MAX);
        return NULL;
    }
    struct worker *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->shard = shard;
    w->plan = plan;
    w->events_max = batch_events(plan);
    /* No two workers of a shard count alike: a window that moves from one to another takes no
     * batch of the new one for one of the old. */
    w->batch_serial = (uint64_t)++shard->workers_made << 40;
    w->intake = calloc(WORKER_INTAKES_MAX, sizeof(*w->intake));
    ASSERT(w->intake != NULL);
    w->tick.fire = tick;
    w->state = plan_state_new(plan, w, outputs);
    if (w->state == NULL) {
        free(w->intake);
        free(w);
        return NULL;
    }
    shard->worker[shard->worker_n++] = w;
    start_ticking(w);
    return w;
}

/* Gives a batch up: what it promised is not kept. */
static void batch_abandon(struct worker *w, struct batch *b)
{
    for (uint32_t i = 0; i < b->hold_n; i++) {
        receipt_hold(b->hold[i]);
        receipt_release(b->hold[i], OUTCOME_FAILED);
    }
    shard_batch_give(w->shard, b);
}

void worker_free(struct worker *w)
{
    struct shard *shard = w->shard;
    timer_cancel(&shard->timers, &w->tick);
    if (w->open != NULL) batch_abandon(w, w->open);
    while (w->head != NULL) {
        struct plan_run *run = w->head;
        w->head = run->next;
        batch_abandon(w, run->batch);
        free(run);
    }
    plan_state_free(w->state);
    for (uint32_t i = 0; i < shard->worker_n; i++)
        if (shard->worker[i] == w) {
            shard->worker[i] = shard->worker[--shard->worker_n];
            break;
        }
    free(w->intake);
    free(w);
}

/* Keeps count of the intakes that are held back, and of the time in which there are any. */
static void intake_hold(struct worker *w, struct intake *intake, bool held)
{
    if (intake->stopped == held) return;
    intake->stopped = held;
    if (held && w->stopped_n++ == 0) w->stopped_since_ns = w->shard->now_mono_ns;
    if (!held && w->stopped_n > 0 && --w->stopped_n == 0)
        counter_add(&w->counters.blocked_ns,
                    (uint64_t)(w->shard->now_mono_ns - w->stopped_since_ns));
}

void worker_add_intake(struct worker *w, struct intake *intake)
{
    ASSERT(w->intake_n < WORKER_INTAKES_MAX);
    w->intake[w->intake_n++] = intake;
    if (intake->stopped && w->stopped_n++ == 0) w->stopped_since_ns = w->shard->now_mono_ns;
    if (w->starting != NULL) intake->counters = w->starting;
}

void worker_forget_intakes(struct worker *w, const void *state, size_t size)
{
    for (uint32_t i = w->intake_n; i-- > 0;) {
        uintptr_t at = (uintptr_t)w->intake[i];
        if (at >= (uintptr_t)state && at < (uintptr_t)state + size)
            worker_remove_intake(w, w->intake[i]);
    }
}

void worker_adopt_intake(struct worker *to, struct worker *from, struct intake *intake)
{
    ASSERT(to->shard == from->shard);
    worker_remove_intake(from, intake);
    worker_add_intake(to, intake);
}

void worker_pause(struct worker *w, bool paused)
{
    w->paused = paused;
}

void worker_undrain(struct worker *w)
{
    w->last_tick_done = false;
    start_ticking(w);
}

void worker_remove_intake(struct worker *w, struct intake *intake)
{
    for (uint32_t i = 0; i < w->intake_n; i++)
        if (w->intake[i] == intake) {
            bool stopped = intake->stopped;
            intake_hold(w, intake, false);
            intake->stopped = stopped; /* for the worker that adopts it */
            w->intake[i] = w->intake[--w->intake_n];
            return;
        }
    PANIC("an intake that was never added");
}

/* With no batch waiting on the shard, what is in use is the open batches' and what is kept for the
 * next: nothing would ever give it back, so refusing to read then would be for ever. */
static bool has_memory(const struct worker *w, const struct intake *intake)
{
    const struct shard *shard = w->shard;
    if (pages_room(&shard->pool, WORKER_ROOM_BYTES)) return true;
    if (intake->fed) return w->parked_n == 0;
    for (uint32_t i = 0; i < shard->worker_n; i++)
        if (shard->worker[i]->parked_n > 0) return false;
    return true;
}

static bool has_room(const struct worker *w, const struct intake *intake)
{
    return !w->paused && w->parked_n < WORKER_PARKED_MAX && has_memory(w, intake);
}

bool worker_may_read(struct worker *w, struct intake *intake, const struct ack_window *window)
{
    if (intake->credit_bytes > 0 && (window == NULL || !ack_window_full(window)) &&
        has_room(w, intake))
        return true;
    if (window != NULL && ack_window_full(window)) intake->window_full = true;
    if (!intake->stopped) {
        intake_hold(w, intake, true);
        if (w->parked_n >= WORKER_PARKED_MAX) counter_add(&w->counters.parked_hits, 1);
        if (!has_memory(w, intake)) {
            counter_add(&w->counters.room_hits, 1);
            counter_add(&w->shard->counters.pages_limit_hits, 1);
        }
    }
    return false;
}

struct batch *worker_batch_open(struct worker *w)
{
    w->open = shard_batch_take(w->shard);
    w->batch_serial++;
    return w->open;
}

void worker_took(struct worker *w, struct ack_window *window, uint32_t bytes, uint32_t events)
{
    struct batch *b = worker_batch(w);
    b->bytes += bytes;
    counter_add(&w->counters.bytes_in, bytes);
    counter_add(&w->counters.events_in, events);
    if (window == NULL) return;
    intake_took(window->intake, bytes, events);
    bool fresh;
    struct receipt *r = ack_window_charge(window, w->batch_serial, bytes, &fresh);
    if (!fresh) return;
    batch_hold(b, r);
    receipt_release(r, OUTCOME_DELIVERED); /* the batch is the only holder from here on */
}

/* Steps one run as far as it goes; true when it is done and its batch is back. */
static bool run_step(struct worker *w, struct plan_run *run)
{
    w->running = true;
    enum step step = plan_step(run);
    w->running = false;
    if (step == STEP_PARKED) return false;
    shard_batch_give(w->shard, run->batch);
    return true;
}

/* `first`: it was being stepped while the queue was empty, so whatever is there now came later. */
static void park(struct worker *w, const struct plan_run *run, bool first)
{
    struct plan_run *parked = malloc(sizeof(*parked));
    ASSERT(parked != NULL);
    *parked = *run;
    parked->next = NULL;
    if (w->head == NULL) {
        w->head = w->tail = parked;
    } else if (first) {
        parked->next = w->head;
        w->head = parked;
    } else {
        w->tail->next = parked;
        w->tail = parked;
    }
    w->parked_n++;
    counter_set(&w->counters.parked, w->parked_n);
}

/* The open batch as a run from `node` on; false when it is empty. */
static bool open_run(struct worker *w, struct plan_run *run, uint32_t node)
{
    struct batch *b = w->open;
    if (b == NULL || b->n == 0) return false;
    w->open = NULL;
    counter_add(&w->counters.batches, 1);
    plan_run_init_at(run, w->state, b, node);
    return true;
}

void worker_flush_from(struct worker *w, uint32_t node)
{
    struct plan_run run;
    if (!open_run(w, &run, node)) return;
    ASSERT(!w->running);
    bool first = w->head == NULL;
    if (first && run_step(w, &run)) return;
    park(w, &run, first);
}

void worker_queue(struct worker *w)
{
    struct plan_run run;
    if (!open_run(w, &run, 0)) return;
    park(w, &run, false);
    w->fresh = true;
}

void worker_flush(struct worker *w)
{
    /* Bytes that made no event (an empty frame, a half one) still settle with a batch. */
    if (w->open != NULL && w->open->n == 0 && w->open->hold_n > 0) {
        struct batch *b = w->open;
        w->open = NULL;
        shard_batch_give(w->shard, b);
        return;
    }
    worker_flush_from(w, 0);
}

static void run_queue(struct worker *w)
{
    w->fresh = false;
    while (w->head != NULL) {
        struct plan_run *run = w->head;
        if (run->waits || !run_step(w, run)) break;
        w->head = run->next;
        if (w->head == NULL) w->tail = NULL;
        w->parked_n--;
        free(run);
    }
    counter_set(&w->counters.parked, w->parked_n);
}

static void publish_credit(struct worker *w)
{
    int64_t out_bytes = 0;
    for (uint32_t i = 0; i < w->intake_n; i++)
        out_bytes += w->intake[i]->window_bytes - w->intake[i]->credit_bytes;
    counter_set(&w->counters.unsettled_bytes, out_bytes < 0 ? 0 : (uint64_t)out_bytes);
}

static void resume_intakes(struct worker *w)
{
    for (uint32_t i = 0; i < w->intake_n; i++) {
        struct intake *intake = w->intake[i];
        if (!intake->stopped || !intake_ready(intake) || !has_room(w, intake)) continue;
        intake_hold(w, intake, false);
        intake->resume(intake); /* may stop again at once */
    }
}

bool worker_is_busy(const struct worker *w)
{
    if (w->fresh || (w->open != NULL && w->open->n > 0)) return true;
    for (uint32_t i = 0; i < w->intake_n; i++) {
        const struct intake *intake = w->intake[i];
        if (intake->stopped && intake_ready(intake) && has_room(w, intake)) return true;
    }
    return false;
}

void worker_poll(struct worker *w)
{
    const struct plan *plan = w->plan;
    for (uint32_t i = 0; i < plan->output_n; i++) {
        const struct plan_output *o = &plan->output[i];
        if (o->ops->tick != NULL)
            o->ops->tick(plan_output_state(w->state, i), o->cfg, w->shard->now_mono_ns);
    }
    if (w->head != NULL) run_queue(w);
    publish_credit(w);
    if (w->stopped_n > 0) {
        int64_t now_ns = w->shard->now_mono_ns;
        counter_add(&w->counters.blocked_ns, (uint64_t)(now_ns - w->stopped_since_ns));
        w->stopped_since_ns = now_ns;
    }
    resume_intakes(w);
}

void worker_resume(struct worker *w)
{
    if (w->head != NULL) w->head->waits = false;
    run_queue(w);
}

bool worker_drain(struct worker *w)
{
    if (!w->last_tick_done) {
        w->last_tick_done = true;
        timer_cancel(&w->shard->timers, &w->tick);
        tick_filters(w, w->shard->now_mono_ns, true);
    }
    worker_flush(w);
    worker_poll(w);
    if (w->head != NULL || (w->open != NULL && w->open->n > 0)) return false;
    /* What waits while the worker is paused will be decoded by the next one. */
    for (uint32_t i = 0; !w->paused && i < w->intake_n; i++)
        if (w->intake[i]->waiting > 0) return false;
    const struct plan *plan = w->plan;
    bool done = true;
    for (uint32_t i = 0; i < plan->output_n; i++)
        if (plan->output[i].ops->drain != NULL &&
            !plan->output[i].ops->drain(plan_output_state(w->state, i), plan->output[i].cfg))
            done = false;
    return done;
}
