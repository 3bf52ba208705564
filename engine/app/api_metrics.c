/* api_metrics.c - /metrics: the same numbers as Prometheus text (exposition format 0.0.4). */
#include "engine/app/api.h"
#include "engine/base/clock.h"
#include "engine/shard/delivery.h"

/* ---- writing ----------------------------------------------------------------------------- */

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value with its quotes: backslash, quote and newline are escaped. */
static void label(struct buf *out, slice text)
{
    buf_add_byte(out, '"');
    for (uint32_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\n') {
            buf_add(out, "\\n", 2);
            continue;
        }
        if (c == '"' || c == '\\') buf_add_byte(out, '\\');
        buf_add_byte(out, c);
    }
    buf_add_byte(out, '"');
}

static void one(struct buf *out, const char *name, double n)
{
    buf_printf(out, "%s %.17g\n", name, n);
}

/* ---- per pipeline --------------------------------------------------------------------------- */

static void pipeline_value(struct buf *out, const char *name, const struct pipeline *p, double n)
{
    buf_printf(out, "%s{pipeline=", name);
    label(out, slice_from_cstr(p->plan->pipeline_id));
    buf_printf(out, "} %.17g\n", n);
}

struct pipeline_metric {
    const char *name, *type, *help;
    double (*read)(const struct pipeline *p, const struct event_totals *t);
};

static double read_in(const struct pipeline *p, const struct event_totals *t)
{
    (void)p;
    return (double)t->in;
}
static double read_filtered(const struct pipeline *p, const struct event_totals *t)
{
    (void)p;
    return (double)t->filtered;
}
static double read_out(const struct pipeline *p, const struct event_totals *t)
{
    (void)p;
    return (double)t->out;
}
static double read_condition_errors(const struct pipeline *p, const struct event_totals *t)
{
    (void)p;
    return (double)t->condition_errors;
}
static double read_busy(const struct pipeline *p, const struct event_totals *t)
{
    (void)p;
    return (double)t->busy_ns / 1e9;
}
static double read_blocked(const struct pipeline *p, const struct event_totals *t)
{
    (void)p;
    return (double)t->blocked_ns / 1e9;
}

/* Sums one worker counter over the shards. */
#define WORKER_READ(function, member)                                                              \
    static double function(const struct pipeline *p, const struct event_totals *t)                 \
    {                                                                                              \
        (void)t;                                                                                   \
        uint64_t sum = 0;                                                                          \
        for (uint32_t i = 0; i < p->shard_n; i++)                                                  \
            if (p->on[i].worker != NULL) sum += counter_read(&p->on[i].worker->counters.member);   \
        return (double)sum;                                                                        \
    }
WORKER_READ(read_bytes, bytes_in)
WORKER_READ(read_batches, batches)
WORKER_READ(read_parked, parked)
WORKER_READ(read_unsettled, unsettled_bytes)
WORKER_READ(read_parked_hits, parked_hits)
WORKER_READ(read_room_hits, room_hits)

/* Sums one counter of all lanes, which hold the requests to the outputs' writers. */
#define LANE_READ(function, member)                                                                \
    static double function(const struct pipeline *p, const struct event_totals *t)                 \
    {                                                                                              \
        (void)t;                                                                                   \
        uint64_t sum = 0;                                                                          \
        for (uint32_t i = 0; i < p->shard_n; i++)                                                  \
            for (const struct lane *l = p->on[i].worker == NULL ? NULL : p->on[i].worker->lanes;   \
                 l != NULL; l = l->next)                                                           \
                sum += counter_read(&l->member);                                                   \
        return (double)sum;                                                                        \
    }
LANE_READ(read_requests, requests)
LANE_READ(read_request_bytes, bytes)
LANE_READ(read_depth, depth)
LANE_READ(read_flying_bytes, flying_bytes)
LANE_READ(read_full_hits, full_hits)

static double read_reloads_ok(const struct pipeline *p, const struct event_totals *t)
{
    (void)t;
    return (double)p->reloads.successes;
}
static double read_reloads_failed(const struct pipeline *p, const struct event_totals *t)
{
    (void)t;
    return (double)p->reloads.failures;
}

static const struct pipeline_metric pipeline_metrics[] = {
    {"spate_events_in_total", "counter", "Events that inputs decoded.", read_in},
    {"spate_bytes_in_total", "counter", "Bytes that inputs decoded.", read_bytes},
    {"spate_events_filtered_total", "counter", "Events that left the filters.", read_filtered},
    {"spate_events_out_total", "counter", "Events handed to outputs.", read_out},
    {"spate_condition_errors_total", "counter", "Conditions that could not be evaluated.",
     read_condition_errors},
    {"spate_busy_seconds_total", "counter", "Time in filters and outputs.", read_busy},
    {"spate_blocked_seconds_total", "counter", "Time in which some input was held back.",
     read_blocked},
    {"spate_batches_total", "counter", "Batches run.", read_batches},
    {"spate_batches_parked", "gauge", "Batches that wait for an output or a slow filter.",
     read_parked},
    {"spate_unsettled_bytes", "gauge", "Bytes taken in whose delivery is not settled yet.",
     read_unsettled},
    {"spate_parked_limit_hits_total", "counter", "Inputs held back because batches wait.",
     read_parked_hits},
    {"spate_memory_limit_hits_total", "counter", "Inputs held back for lack of memory.",
     read_room_hits},
    {"spate_requests_total", "counter", "Requests sealed for the outputs' writers.", read_requests},
    {"spate_request_bytes_total", "counter", "Bytes of those requests.", read_request_bytes},
    {"spate_requests_in_flight", "gauge", "Requests whose outcome is not known yet.", read_depth},
    {"spate_request_bytes_in_flight", "gauge", "Bytes of those requests.", read_flying_bytes},
    {"spate_requests_full_hits_total", "counter", "Times a lane to a writer was full.",
     read_full_hits},
    {"spate_reloads_total", "counter", "Successful reloads.", read_reloads_ok},
    {"spate_reload_failures_total", "counter", "Failed reloads.", read_reloads_failed},
};

static void dropped_for(struct buf *out, const struct pipeline *p, const char *reason, uint64_t n)
{
    buf_add_cstr(out, "spate_events_dropped_total{pipeline=");
    label(out, slice_from_cstr(p->plan->pipeline_id));
    buf_printf(out, ",reason=\"%s\"} %llu\n", reason, (unsigned long long)n);
}

static void dropped(const struct engine *engine, struct buf *out)
{
    family(out, "spate_events_dropped_total", "counter",
           "Events that the configuration dropped, and messages that no codec could decode.");
    for (uint32_t i = 0; i < engine->pipeline_n; i++) {
        const struct pipeline *p = engine->pipeline[i];
        uint64_t decode = 0;
        for (uint32_t k = 0; k < p->plan->input_n; k++) decode += api_input_sum(p, k).decode_drops;
        dropped_for(out, p, "filter", pipeline_totals(p).dropped);
        dropped_for(out, p, "decode", decode);
    }
}

static void pipelines(const struct engine *engine, struct buf *out)
{
    for (size_t m = 0; m < sizeof(pipeline_metrics) / sizeof(*pipeline_metrics); m++) {
        const struct pipeline_metric *metric = &pipeline_metrics[m];
        family(out, metric->name, metric->type, metric->help);
        for (uint32_t i = 0; i < engine->pipeline_n; i++) {
            struct event_totals t = pipeline_totals(engine->pipeline[i]);
            pipeline_value(out, metric->name, engine->pipeline[i],
                           metric->read(engine->pipeline[i], &t));
        }
    }
    dropped(engine, out);
}

/* ---- per plugin -------------------------------------------------------------------------------
 */

struct plugin_ref {
    const struct pipeline *p;
    const char *kind;
    slice id, name;
};

static void plugin_labels(struct buf *out, const char *metric, const struct plugin_ref *ref)
{
    buf_printf(out, "%s{pipeline=", metric);
    label(out, slice_from_cstr(ref->p->plan->pipeline_id));
    buf_printf(out, ",kind=\"%s\",id=", ref->kind);
    label(out, ref->id);
    buf_add_cstr(out, ",name=");
    label(out, ref->name);
}

/* Numbers anywhere in a plugin's `,"key":value` pairs, each under the names that lead to it. */
static void flatten(struct buf *out, const struct plugin_ref *ref, slice pairs)
{
    slice path[16];
    uint32_t depth = 0, at = 0;
    slice key = SLICE_NONE;
    while (at < pairs.n) {
        char c = pairs.p[at];
        if (c == '"') {
            uint32_t end = at + 1;
            while (end < pairs.n && pairs.p[end] != '"') end += pairs.p[end] == '\\' ? 2 : 1;
            if (end < pairs.n && end + 1 < pairs.n && pairs.p[end + 1] == ':')
                key = slice_part(pairs, at + 1, end - at - 1);
            at = end + 1;
        } else if (c == '{') {
            if (depth == 15) return;
            path[depth++] = key;
            at++;
        } else if (c == '}') {
            if (depth == 0) return;
            depth--;
            at++;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            uint32_t end = at;
            while (end < pairs.n && strchr("+-.0123456789eE", pairs.p[end]) != NULL) end++;
            plugin_labels(out, "spate_plugin_stat", ref);
            struct buf name = {0};
            for (uint32_t i = 0; i < depth; i++) buf_printf(&name, "%.*s_", SLICE_FMT(path[i]));
            buf_add_slice(&name, key);
            buf_add_cstr(out, ",stat=");
            label(out, buf_slice(&name));
            buf_printf(out, "} %.*s\n", (int)(end - at), pairs.p + at);
            buf_fini(&name);
            at = end;
        } else {
            at++;
        }
    }
}

typedef void each_plugin(struct buf *out, const struct plugin_ref *ref, uint32_t i);

static void plugin_in(struct buf *out, const struct plugin_ref *ref, uint32_t i)
{
    uint64_t n;
    if (ref->kind[0] == 'i')
        n = api_input_sum(ref->p, i).events;
    else if (ref->kind[0] == 'f')
        n = api_node_sum(ref->p, ref->p->plan->filter[i].node).in;
    else
        n = api_node_sum(ref->p, ref->p->plan->output[i].node).in;
    plugin_labels(out, "spate_plugin_events_total", ref);
    buf_printf(out, "} %llu\n", (unsigned long long)n);
}

static void plugin_seconds(struct buf *out, const struct plugin_ref *ref, uint32_t i)
{
    if (ref->kind[0] == 'i') return;
    uint32_t node =
        ref->kind[0] == 'f' ? ref->p->plan->filter[i].node : ref->p->plan->output[i].node;
    plugin_labels(out, "spate_plugin_seconds_total", ref);
    buf_printf(out, "} %.9g\n", api_node_sum(ref->p, node).millis / 1e3);
}

static void plugin_decode_failures(struct buf *out, const struct plugin_ref *ref, uint32_t i)
{
    if (ref->kind[0] != 'i') return;
    struct api_input_sum sum = api_input_sum(ref->p, i);
    plugin_labels(out, "spate_plugin_decode_failures_total", ref);
    buf_printf(out, ",result=\"tagged\"} %llu\n", (unsigned long long)sum.decode_failures);
    plugin_labels(out, "spate_plugin_decode_failures_total", ref);
    buf_printf(out, ",result=\"dropped\"} %llu\n", (unsigned long long)sum.decode_drops);
}

static void plugin_stats(struct buf *out, const struct plugin_ref *ref, uint32_t i)
{
    struct buf pairs = {0};
    const struct input *in = &ref->p->in[i].input;
    const struct output *o = &ref->p->output[i];
    if (ref->kind[0] == 'i') {
        if (in->ops->stats != NULL && in->shared != NULL)
            in->ops->stats(in->shared, in->cfg, &pairs);
    } else if (ref->kind[0] == 'f') {
        api_filter_pairs(ref->p, i, &pairs);
    } else if (o->ops->stats != NULL && o->shared != NULL) {
        o->ops->stats(o->shared, o->cfg, &pairs);
    }
    flatten(out, ref, buf_slice(&pairs));
    buf_fini(&pairs);
}

static void each(const struct engine *engine, struct buf *out, each_plugin *fn)
{
    for (uint32_t k = 0; k < engine->pipeline_n; k++) {
        const struct pipeline *p = engine->pipeline[k];
        const struct plan *plan = p->plan;
        for (uint32_t i = 0; i < plan->input_n; i++)
            fn(out, &(struct plugin_ref){p, "input", plan->input[i].id, plan->input[i].name}, i);
        for (uint32_t i = 0; i < plan->filter_n; i++)
            fn(out, &(struct plugin_ref){p, "filter", plan->filter[i].id, plan->filter[i].name}, i);
        for (uint32_t i = 0; i < plan->output_n; i++)
            fn(out, &(struct plugin_ref){p, "output", plan->output[i].id, plan->output[i].name}, i);
    }
}

/* ---- shards and process
 * --------------------------------------------------------------------------- */

struct shard_metric {
    const char *name, *type, *help;
    size_t offset; /* of the counter in struct shard_counters */
};

static const struct shard_metric shard_metrics[] = {
    {"spate_shard_steps_total", "counter", "Turns of the event loop.",
     offsetof(struct shard_counters, steps)},
    {"spate_shard_completions_total", "counter", "Completions from the kernel.",
     offsetof(struct shard_counters, completions)},
    {"spate_shard_buffers_exhausted_total", "counter", "Receives that found no buffer.",
     offsetof(struct shard_counters, buffers_exhausted)},
    {"spate_shard_memory_bytes", "gauge", "Batch memory in use.",
     offsetof(struct shard_counters, pages_used_bytes)},
    {"spate_shard_memory_peak_bytes", "gauge", "Most batch memory ever in use.",
     offsetof(struct shard_counters, pages_peak_bytes)},
    {"spate_shard_memory_limit_hits_total", "counter", "Times the batch memory was at its limit.",
     offsetof(struct shard_counters, pages_limit_hits)},
};

static void shards(const struct engine *engine, struct buf *out)
{
    for (size_t m = 0; m < sizeof(shard_metrics) / sizeof(*shard_metrics); m++) {
        const struct shard_metric *metric = &shard_metrics[m];
        family(out, metric->name, metric->type, metric->help);
        for (uint32_t i = 0; i < engine->shard_n; i++) {
            const char *counters = (const char *)&engine->shard[i].shard.counters;
            const struct counter *n = (const struct counter *)(counters + metric->offset);
            buf_printf(out, "%s{shard=\"%u\"} %llu\n", metric->name, i,
                       (unsigned long long)counter_read(n));
        }
    }
}

static void process(const struct api *api, struct buf *out)
{
    family(out, "process_cpu_seconds_total", "counter", "CPU time of the process.");
    one(out, "process_cpu_seconds_total", (double)api_cpu_ns() / 1e9);
    family(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
    one(out, "process_resident_memory_bytes", (double)api_resident_bytes());
    family(out, "spate_memory_budget_bytes", "gauge", "spate.memory_bytes.");
    one(out, "spate_memory_budget_bytes", (double)api->engine->memory_bytes);
    family(out, "spate_uptime_seconds", "gauge", "Time since the start.");
    one(out, "spate_uptime_seconds", (double)(clock_mono_ns() - api->started_ns) / 1e9);
    family(out, "spate_pipelines", "gauge", "Pipelines that run.");
    one(out, "spate_pipelines", api->engine->pipeline_n);
    family(out, "spate_pipelines_retired", "gauge",
           "Replaced configurations that are still delivering.");
    one(out, "spate_pipelines_retired", api->engine->retired_n);
}

void api_metrics(struct api_call *c)
{
    struct buf *out = c->j.out;
    const struct engine *engine = c->api->engine;
    c->type = "text/plain; version=0.0.4; charset=utf-8";
    process(c->api, out);
    shards(engine, out);
    api_nics_metrics(out, engine);
    pipelines(engine, out);
    family(out, "spate_plugin_events_total", "counter", "Events a plugin took.");
    each(engine, out, plugin_in);
    family(out, "spate_plugin_seconds_total", "counter", "Time in a filter or output.");
    each(engine, out, plugin_seconds);
    family(out, "spate_plugin_decode_failures_total", "counter",
           "Messages that an input's codec could not decode.");
    each(engine, out, plugin_decode_failures);
    family(out, "spate_plugin_stat", "untyped", "A plugin's own numbers, as in /_node/stats.");
    each(engine, out, plugin_stats);
}
