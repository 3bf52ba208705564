/* plan.c - the batch stepper. */
#include "engine/plan/plan.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

/* An open branch: what the outer level had, and what no arm has taken so far. */
struct plan_frame {
    struct sel outer, rest;
    uint32_t batch_n; /* events at entry: later ones were added inside the branch */
};

struct plan_state *plan_state_new(const struct plan *plan, struct worker *worker,
                                  struct output *outputs)
{
    struct plan_state *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->plan = plan;
    s->worker = worker;
    s->memory = calloc(1, plan->state_bytes + 64);
    s->node = calloc(plan->node_n, sizeof(*s->node));
    ASSERT(s->memory != NULL && s->node != NULL);
    s->scratch = condition_scratch_new();
    uint32_t filters = 0, n = 0;
    for (; filters < plan->filter_n; filters++) {
        const struct plan_filter *f = &plan->filter[filters];
        if (f->ops->start != NULL &&
            f->ops->start(s->memory + f->state_at, f->cfg, worker) != ERR_OK)
            goto failed;
    }
    for (; n < plan->output_n; n++) {
        const struct plan_output *o = &plan->output[n];
        if (o->ops->start != NULL && o->ops->start(s->memory + o->state_at, outputs[n].shared,
                                                   o->cfg, worker, &outputs[n]) != ERR_OK)
            goto failed;
    }
    return s;
failed:
    while (n-- > 0)
        if (plan->output[n].ops->stop != NULL)
            plan->output[n].ops->stop(s->memory + plan->output[n].state_at, plan->output[n].cfg);
    while (filters-- > 0)
        if (plan->filter[filters].ops->stop != NULL)
            plan->filter[filters].ops->stop(s->memory + plan->filter[filters].state_at,
                                            plan->filter[filters].cfg);
    condition_scratch_free(s->scratch);
    free(s->memory);
    free(s->node);
    free(s);
    return NULL;
}

void plan_state_free(struct plan_state *s)
{
    const struct plan *plan = s->plan;
    for (uint32_t i = 0; i < plan->output_n; i++)
        if (plan->output[i].ops->stop != NULL)
            plan->output[i].ops->stop(plan_output_state(s, i), plan->output[i].cfg);
    for (uint32_t i = 0; i < plan->filter_n; i++)
        if (plan->filter[i].ops->stop != NULL)
            plan->filter[i].ops->stop(plan_filter_state(s, i), plan->filter[i].cfg);
    condition_scratch_free(s->scratch);
    free(s->memory);
    free(s->node);
    free(s);
}

void *plan_filter_state(const struct plan_state *s, uint32_t index)
{
    return s->memory + s->plan->filter[index].state_at;
}

void *plan_output_state(const struct plan_state *s, uint32_t index)
{
    return s->memory + s->plan->output[index].state_at;
}

static struct sel sel_new(struct batch *b, uint32_t cap)
{
    return (struct sel){arena_alloc(&b->arena, ((size_t)cap + 1) * sizeof(uint32_t), 4), 0, cap};
}

void plan_run_init(struct plan_run *run, struct plan_state *state, struct batch *batch)
{
    plan_run_init_at(run, state, batch, 0);
}

void plan_run_init_at(struct plan_run *run, struct plan_state *state, struct batch *batch,
                      uint32_t node)
{
    *run = (struct plan_run){.state = state, .batch = batch, .pc = node};
    run->sel = sel_new(batch, batch->n);
    for (uint32_t i = 0; i < batch->n; i++)
        if (!(batch->event[i].flags & EVENT_CANCELLED)) sel_add(&run->sel, i);
    run->frame = arena_alloc(&batch->arena, sizeof(struct plan_frame) * PLAN_DEPTH_MAX, 8);
    run->cancelled_n = batch->cancelled_n;
    /* Inside of branches: they are open, all events are in their present arm, none is left for
     * the other arms. */
    for (uint32_t i = 0; i < node; i++) {
        enum node_kind kind = state->plan->node[i].kind;
        if (kind == NODE_IF)
            run->frame[run->depth++] =
                (struct plan_frame){.outer = run->sel, .rest = {0}, .batch_n = batch->n};
        else if (kind == NODE_FI)
            run->depth--;
    }
}

static void emit(struct batch *b, struct sel *out, uint32_t index, uint32_t from_n)
{
    if (!(b->event[index].flags & EVENT_CANCELLED)) sel_add(out, index);
    for (uint32_t c = b->event[index].child; c != EVENT_NONE; c = b->event[c].sibling)
        if (c >= from_n) emit(b, out, c, from_n);
}

/* A filter's children of an event go right behind it, before those that earlier filters made: the
 * order they have among the events that this filter saw must be the order after the branch too. */
static void children_newest_first(struct batch *b, struct event *parent, uint32_t from_n)
{
    uint32_t first = parent->child, last = parent->child_last, old = first;
    if (first == EVENT_NONE || first >= from_n || last < from_n) return;
    while (b->event[old].sibling < from_n) old = b->event[old].sibling;
    parent->child = b->event[old].sibling;
    parent->child_last = old;
    b->event[old].sibling = EVENT_NONE;
    b->event[last].sibling = first;
}

/* `sel` without cancelled events and with the ones added since `from_n` behind their parents. */
static struct sel sel_complete(struct batch *b, struct sel sel, uint32_t from_n)
{
    struct sel out = sel_new(b, sel.n + (b->n - from_n));
    for (uint32_t i = 0; i < sel.n; i++) emit(b, &out, sel.at[i], from_n);
    return out;
}

static void decorate(struct plan_state *s, const struct plan_node *node, struct batch *b,
                     struct event *ev)
{
    const struct plan_filter *f = &s->plan->filter[node->index];
    bool strict = f->ops->undecorated != NULL;
    if (!common_options_apply(&f->common, b, ev, strict) && strict)
        f->ops->undecorated(plan_filter_state(s, node->index), f->cfg, b, ev);
}

void plan_decorate(struct plan_run *run, struct event *ev)
{
    counter_add(&run->state->node[run->pc].hits, 1);
    decorate(run->state, &run->state->plan->node[run->pc], run->batch, ev);
}

static void run_filter(struct plan_run *run, const struct plan_node *node, enum applied *applied)
{
    struct plan_state *s = run->state;
    const struct plan_filter *f = &s->plan->filter[node->index];
    struct node_counters *counters = &s->node[run->pc];
    struct batch *b = run->batch;
    uint64_t from = clock_cycles();
    uint32_t n = b->n;
    struct sel hit = sel_new(b, run->sel.n);
    *applied = f->ops->apply(plan_filter_state(s, node->index), f->cfg, b, &run->sel, &hit, run);
    if (*applied == APPLY_PARKED) {
        /* It is applied again: events count once. */
        ASSERT(hit.n == 0 && b->n == n);
        counter_add(&counters->cycles, clock_cycles() - from);
        return;
    }
    counter_add(&counters->calls, 1);
    counter_add(&counters->in, run->sel.n);
    counter_add(&counters->hits, hit.n);
    if (f->common.any)
        for (uint32_t i = 0; i < hit.n; i++) decorate(s, node, b, &b->event[hit.at[i]]);
    for (uint32_t i = 0; b->n != n && i < run->sel.n; i++)
        children_newest_first(b, &b->event[run->sel.at[i]], n);
    if (b->n != n || b->cancelled_n != run->cancelled_n) {
        run->sel = sel_complete(b, run->sel, n);
        run->cancelled_n = b->cancelled_n;
    }
    counter_add(&counters->out, run->sel.n);
    counter_add(&counters->cycles, clock_cycles() - from);
}

static void condition_failed(struct plan_state *s, const struct plan_node *node)
{
    (void)node;
    uint64_t held;
    counter_add(&s->condition_errors, 1);
    if (log_gate_open(&s->condition_gate, &held))
        log_warn("pipeline",
                 "[%s] a condition could not be evaluated for an event and counts as false "
                 "(a field is missing or of another type; %llu more since the last report)",
                 s->plan->pipeline_id, (unsigned long long)held);
}

/* Splits `from` into what satisfies the condition and the rest. */
static void split(struct plan_run *run, const struct plan_node *node, struct sel from,
                  struct sel *yes, struct sel *rest)
{
    struct plan_state *s = run->state;
    uint8_t *verdict = arena_alloc(&run->batch->arena, (size_t)from.n + 1, 1);
    *yes = sel_new(run->batch, from.n);
    *rest = sel_new(run->batch, from.n);
    condition_test(node->cond, s->scratch, run->batch, from.at, from.n, verdict);
    uint32_t *yes_at = yes->at, *rest_at = rest->at, yes_n = 0;
    /* Each event is written to both and counted in one: there is room for one more, and a branch
     * would be guessed wrong too often. */
    for (uint32_t i = 0; i < from.n; i++) {
        if (__builtin_expect(verdict[i] == VERDICT_ERROR, 0)) condition_failed(s, node);
        bool is_true = verdict[i] == VERDICT_TRUE;
        yes_at[yes_n] = rest_at[i - yes_n] = from.at[i];
        yes_n += is_true;
    }
    yes->n = yes_n;
    rest->n = from.n - yes_n;
}

static void branch_enter(struct plan_run *run, const struct plan_node *node)
{
    ASSERT(run->depth < PLAN_DEPTH_MAX);
    struct plan_frame *frame = &run->frame[run->depth++];
    frame->outer = run->sel;
    frame->batch_n = run->batch->n;
    split(run, node, run->sel, &run->sel, &frame->rest);
}

static void branch_leave(struct plan_run *run)
{
    struct plan_frame *frame = &run->frame[--run->depth];
    struct batch *b = run->batch;
    /* Whatever happened inside: the outer selection minus the cancelled plus the added. */
    if (b->n != frame->batch_n || b->cancelled_n != 0)
        run->sel = sel_complete(b, frame->outer, frame->batch_n);
    else
        run->sel = frame->outer;
}

static bool run_output(struct plan_run *run, const struct plan_node *node)
{
    struct plan_state *s = run->state;
    const struct plan_output *o = &s->plan->output[node->index];
    struct node_counters *counters = &s->node[run->pc];
    uint64_t from = clock_cycles();
    enum push push = o->ops->push(plan_output_state(s, node->index), o->cfg, run->batch, &run->sel);
    counter_add(&counters->cycles, clock_cycles() - from);
    if (push == PUSH_FULL) return false;
    counter_add(&counters->calls, 1);
    counter_add(&counters->in, run->sel.n);
    counter_add(&counters->out, run->sel.n);
    counter_add(&counters->hits, run->sel.n);
    return true;
}

enum step plan_step(struct plan_run *run)
{
    struct plan_state *s = run->state;
    for (;; run->pc++) {
        const struct plan_node *node = &s->plan->node[run->pc];
        enum applied applied = APPLIED;
        switch (node->kind) {
        case NODE_FILTER:
            if (run->sel.n > 0) run_filter(run, node, &applied);
            if (applied == APPLY_PARKED) {
                run->waits = true;
                return STEP_PARKED;
            }
            break;
        case NODE_OUTPUT:
            if (run->sel.n > 0 && !run_output(run, node)) return STEP_PARKED;
            break;
        case NODE_IF:
            branch_enter(run, node);
            if (run->sel.n == 0) run->pc = node->jump - 1;
            break;
        case NODE_ELSE_IF: {
            struct plan_frame *frame = &run->frame[run->depth - 1];
            split(run, node, frame->rest, &run->sel, &frame->rest);
            if (run->sel.n == 0) run->pc = node->jump - 1;
            break;
        }
        case NODE_ELSE:
            run->sel = run->frame[run->depth - 1].rest;
            if (run->sel.n == 0) run->pc = node->jump - 1;
            break;
        case NODE_FI: branch_leave(run); break;
        case NODE_FILTERS_END:
            counter_add(&s->events_filtered, run->sel.n);
            counter_add(&s->events_dropped, run->batch->n - run->sel.n);
            break;
        case NODE_END: counter_add(&s->events_out, run->sel.n); return STEP_DONE;
        }
    }
}
