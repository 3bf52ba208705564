/* flow.c - samples and the windows between them. */
#include "engine/app/flow.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

#define MINUTE_NS (60 * NS_PER_SEC)

struct event_totals engine_totals(const struct engine *engine)
{
    struct event_totals sum = engine->past;
    for (uint32_t i = 0; i < engine->pipeline_n; i++) {
        struct event_totals t = pipeline_totals(engine->pipeline[i]);
        sum.in += t.in;
        sum.filtered += t.filtered;
        sum.out += t.out;
        sum.dropped += t.dropped;
        sum.condition_errors += t.condition_errors;
        sum.busy_ns += t.busy_ns;
        sum.blocked_ns += t.blocked_ns;
    }
    return sum;
}

static struct flow *flow_get(struct flows *f, const char *id)
{
    for (struct flow *flow = f->list; flow != NULL; flow = flow->next)
        if (strcmp(flow->id, id) == 0) return flow;
    struct flow *flow = calloc(1, sizeof(*flow));
    ASSERT(flow != NULL);
    flow->fine = calloc(FLOW_FINE, sizeof(*flow->fine));
    flow->coarse = calloc(FLOW_COARSE, sizeof(*flow->coarse));
    ASSERT(flow->fine != NULL && flow->coarse != NULL);
    memcpy(flow->id, id, strlen(id) + 1);
    flow->next = f->list;
    f->list = flow;
    return flow;
}

static void flow_free(struct flow *flow)
{
    free(flow->fine);
    free(flow->coarse);
    free(flow);
}

static void flow_put(struct flow *flow, struct event_totals totals, int64_t now_ns)
{
    struct flow_sample s = {now_ns, totals};
    if (flow->fine_n == 0) flow->first = s;
    flow->seen = true;
    flow->fine[flow->fine_n++ % FLOW_FINE] = s;
    const struct flow_sample *last =
        flow->coarse_n == 0 ? NULL : &flow->coarse[(flow->coarse_n - 1) % FLOW_COARSE];
    if (last == NULL || now_ns - last->at_ns >= MINUTE_NS)
        flow->coarse[flow->coarse_n++ % FLOW_COARSE] = s;
}

static void drop_unseen(struct flows *f)
{
    for (struct flow **at = &f->list; *at != NULL;) {
        struct flow *flow = *at;
        if (flow->seen) {
            flow->seen = false;
            at = &flow->next;
        } else {
            *at = flow->next;
            flow_free(flow);
        }
    }
}

void flows_sample(struct flows *f, struct engine *engine, int64_t now_ns)
{
    bool due = now_ns >= f->next_ns;
    for (uint32_t i = 0; i < engine->pipeline_n && !due; i++)
        due = flows_find(f, engine->pipeline[i]->ephemeral_id) == NULL;
    if (!due) return;
    f->next_ns = now_ns + FLOW_SAMPLE_NS;
    flow_put(flow_get(f, ""), engine_totals(engine), now_ns);
    for (uint32_t i = 0; i < engine->pipeline_n; i++) {
        const struct pipeline *p = engine->pipeline[i];
        flow_put(flow_get(f, p->ephemeral_id), pipeline_totals(p), now_ns);
    }
    drop_unseen(f);
}

void flows_fini(struct flows *f)
{
    while (f->list != NULL) {
        struct flow *flow = f->list;
        f->list = flow->next;
        flow_free(flow);
    }
}

const struct flow *flows_find(const struct flows *f, const char *id)
{
    for (const struct flow *flow = f->list; flow != NULL; flow = flow->next)
        if (strcmp(flow->id, id) == 0) return flow;
    return NULL;
}

/* ---- windows ----------------------------------------------------------------------------- */

/* The youngest sample of a ring that is at least that old. */
static const struct flow_sample *ring_before(const struct flow_sample *ring, uint32_t n,
                                             uint32_t cap, int64_t at_ns)
{
    for (uint32_t i = 1; i <= n && i <= cap; i++)
        if (ring[(n - i) % cap].at_ns <= at_ns) return &ring[(n - i) % cap];
    return NULL;
}

static const struct flow_sample *before(const struct flow *flow, int64_t at_ns)
{
    const struct flow_sample *s = ring_before(flow->fine, flow->fine_n, FLOW_FINE, at_ns);
    return s != NULL ? s : ring_before(flow->coarse, flow->coarse_n, FLOW_COARSE, at_ns);
}

enum rate { RATE_IN, RATE_FILTERED, RATE_OUT, RATE_BLOCKED, RATE_CONCURRENCY, RATE_UTILIZATION };

static double rate_between(const struct flow_sample *a, const struct flow_sample *b, enum rate rate,
                           uint32_t workers)
{
    double seconds = (double)(b->at_ns - a->at_ns) / 1e9;
    if (seconds <= 0) return 0;
    const struct event_totals *x = &a->totals, *y = &b->totals;
    switch (rate) {
    case RATE_IN: return (double)(y->in - x->in) / seconds;
    case RATE_FILTERED: return (double)(y->filtered - x->filtered) / seconds;
    case RATE_OUT: return (double)(y->out - x->out) / seconds;
    case RATE_BLOCKED: return (double)(y->blocked_ns - x->blocked_ns) / 1e9 / seconds;
    case RATE_CONCURRENCY: return (double)(y->busy_ns - x->busy_ns) / 1e9 / seconds;
    case RATE_UTILIZATION: return (double)(y->busy_ns - x->busy_ns) / 1e9 / seconds / workers * 100;
    }
    return 0;
}

struct flow_ends {
    const struct flow *flow;
    struct flow_sample now;
    uint32_t workers;
};

static void rate_json(const struct flow_ends *ends, const char *name, enum rate rate,
                      struct json_out *j)
{
    static const struct {
        const char *name;
        int64_t ns;
    } windows[] = {
        {"last_1_minute", MINUTE_NS},           {"last_5_minutes", 5 * MINUTE_NS},
        {"last_15_minutes", 15 * MINUTE_NS},    {"last_1_hour", 60 * MINUTE_NS},
        {"last_24_hours", 24 * 60 * MINUTE_NS},
    };
    const struct flow *flow = ends->flow;
    int64_t now_ns = ends->now.at_ns;
    json_open(j, name);
    const struct flow_sample *recent = before(flow, now_ns - 2 * FLOW_SAMPLE_NS);
    if (recent == NULL) recent = &flow->first;
    json_float(j, "current", rate_between(recent, &ends->now, rate, ends->workers));
    for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
        const struct flow_sample *s = before(flow, now_ns - windows[i].ns);
        if (s != NULL)
            json_float(j, windows[i].name, rate_between(s, &ends->now, rate, ends->workers));
    }
    json_float(j, "lifetime", rate_between(&flow->first, &ends->now, rate, ends->workers));
    json_close(j);
}

void flow_json(const struct flow *flow, struct event_totals now, uint32_t workers,
               struct json_out *j)
{
    struct flow_ends ends = {flow, {clock_mono_ns(), now}, workers};
    json_open(j, "flow");
    if (flow != NULL) {
        rate_json(&ends, "input_throughput", RATE_IN, j);
        rate_json(&ends, "filter_throughput", RATE_FILTERED, j);
        rate_json(&ends, "output_throughput", RATE_OUT, j);
        rate_json(&ends, "queue_backpressure", RATE_BLOCKED, j);
        rate_json(&ends, "worker_concurrency", RATE_CONCURRENCY, j);
        if (workers > 0) rate_json(&ends, "worker_utilization", RATE_UTILIZATION, j);
    }
    json_close(j);
}
