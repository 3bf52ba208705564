/* api_stats.c - /_node/stats: events, flow, plugins of every pipeline. */
#include "engine/app/api.h"
#include "engine/base/clock.h"

/* ---- sums over shards -------------------------------------------------------------------- */

struct api_node_sum api_node_sum(const struct pipeline *p, uint32_t node)
{
    struct api_node_sum sum = {0};
    uint64_t cycles = 0;
    for (uint32_t i = 0; i < p->shard_n; i++) {
        if (p->on[i].worker == NULL) continue;
        const struct node_counters *n = &p->on[i].worker->state->node[node];
        sum.calls += counter_read(&n->calls);
        sum.in += counter_read(&n->in);
        sum.out += counter_read(&n->out);
        sum.hits += counter_read(&n->hits);
        cycles += counter_read(&n->cycles);
    }
    sum.millis = (double)cycles / clock_cycles_per_sec() * 1e3;
    return sum;
}

struct api_input_sum api_input_sum(const struct pipeline *p, uint32_t i)
{
    struct api_input_sum sum = {0};
    for (uint32_t k = 0; k < p->engine->shard_n; k++) {
        sum.events += counter_read(&p->in[i].input.counters[k].events);
        sum.bytes += counter_read(&p->in[i].input.counters[k].bytes);
        sum.decode_failures += counter_read(&p->in[i].input.counters[k].decode_failures);
        sum.decode_drops += counter_read(&p->in[i].input.counters[k].decode_drops);
    }
    return sum;
}

void api_filter_pairs(const struct pipeline *p, uint32_t i, struct buf *out)
{
    const struct plan_filter *f = &p->plan->filter[i];
    for (uint32_t k = 0; f->ops->stats != NULL && k < p->shard_n; k++) {
        struct buf one = {0};
        if (p->on[k].worker == NULL) continue;
        f->ops->stats(plan_filter_state(p->on[k].worker->state, i), f->cfg, &one);
        json_add_numbers(out, buf_slice(&one));
        buf_fini(&one);
    }
    if (f->ops->stats_shared != NULL) f->ops->stats_shared(f->cfg, out);
}

/* ---- plugins --------------------------------------------------------------------------------- */

static void flow_per_plugin(struct json_out *j, const struct pipeline *p, double millis,
                            uint64_t events)
{
    double up_ms = (double)(clock_mono_ns() - p->started_ns) / 1e6;
    json_open(j, "flow");
    json_open(j, "worker_utilization");
    json_float(j, "lifetime", up_ms <= 0 ? 0 : 100 * millis / up_ms / p->shard_n);
    json_close(j);
    json_open(j, "worker_millis_per_event");
    json_float(j, "lifetime", events == 0 ? 0 : millis / (double)events);
    json_close(j);
    json_close(j);
}

static void inputs_json(struct json_out *j, const struct pipeline *p)
{
    double up_s = (double)(clock_mono_ns() - p->started_ns) / 1e9;
    json_array(j, "inputs");
    for (uint32_t i = 0; i < p->plan->input_n; i++) {
        const struct input *in = &p->in[i].input;
        struct api_input_sum sum = api_input_sum(p, i);
        struct buf pairs = {0};
        json_open(j, NULL);
        json_text(j, "id", in->id);
        json_text(j, "name", p->plan->input[i].name);
        json_open(j, "events");
        json_int(j, "out", (int64_t)sum.events);
        json_int(j, "queue_push_duration_in_millis", 0);
        json_close(j);
        json_int(j, "bytes", (int64_t)sum.bytes);
        json_open(j, "flow");
        json_open(j, "throughput");
        json_float(j, "lifetime", up_s <= 0 ? 0 : (double)sum.events / up_s);
        json_close(j);
        json_close(j);
        if (in->ops->stats != NULL && in->shared != NULL)
            in->ops->stats(in->shared, in->cfg, &pairs);
        json_raw_pairs(j, buf_slice(&pairs));
        buf_fini(&pairs);
        json_close(j);
    }
    json_array_end(j);
}

static void events_json(struct json_out *j, uint64_t in, uint64_t out, double millis)
{
    json_open(j, "events");
    json_int(j, "in", (int64_t)in);
    json_int(j, "out", (int64_t)out);
    json_int(j, "duration_in_millis", (int64_t)millis);
    json_close(j);
}

static void filters_json(struct json_out *j, const struct pipeline *p)
{
    json_array(j, "filters");
    for (uint32_t i = 0; i < p->plan->filter_n; i++) {
        const struct plan_filter *f = &p->plan->filter[i];
        struct api_node_sum sum = api_node_sum(p, f->node);
        struct buf pairs = {0};
        json_open(j, NULL);
        json_text(j, "id", f->id);
        json_text(j, "name", f->name);
        events_json(j, sum.in, sum.out, sum.millis);
        json_int(j, "hits", (int64_t)sum.hits);
        flow_per_plugin(j, p, sum.millis, sum.in);
        api_filter_pairs(p, i, &pairs);
        json_raw_pairs(j, buf_slice(&pairs));
        buf_fini(&pairs);
        json_close(j);
    }
    json_array_end(j);
}

static void outputs_json(struct json_out *j, const struct pipeline *p)
{
    json_array(j, "outputs");
    for (uint32_t i = 0; i < p->plan->output_n; i++) {
        const struct plan_output *po = &p->plan->output[i];
        const struct output *o = &p->output[i];
        struct api_node_sum sum = api_node_sum(p, po->node);
        struct buf pairs = {0};
        json_open(j, NULL);
        json_text(j, "id", po->id);
        json_text(j, "name", po->name);
        events_json(j, sum.in, sum.out, sum.millis);
        flow_per_plugin(j, p, sum.millis, sum.in);
        if (o->ops->stats != NULL && o->shared != NULL) o->ops->stats(o->shared, o->cfg, &pairs);
        json_raw_pairs(j, buf_slice(&pairs));
        buf_fini(&pairs);
        json_close(j);
    }
    json_array_end(j);
}

static void codecs_json(struct json_out *j, const struct pipeline *p)
{
    json_array(j, "codecs");
    for (uint32_t i = 0; i < p->plan->codec_n; i++) {
        const struct plan_codec_use *use = &p->plan->codec[i];
        struct api_input_sum in = {0};
        struct api_node_sum out = {0};
        if (use->decodes && use->of < p->plan->input_n) in = api_input_sum(p, use->of);
        if (!use->decodes && use->of < p->plan->output_n)
            out = api_node_sum(p, p->plan->output[use->of].node);
        json_open(j, NULL);
        json_text(j, "id", use->id);
        json_text(j, "name", use->name);
        json_open(j, "decode");
        json_int(j, "writes_in", (int64_t)in.events);
        json_int(j, "out", (int64_t)in.events);
        json_int(j, "failures", (int64_t)in.decode_failures);
        json_int(j, "dropped", (int64_t)in.decode_drops);
        json_int(j, "duration_in_millis", 0);
        json_close(j);
        json_open(j, "encode");
        json_int(j, "writes_in", (int64_t)out.in);
        json_int(j, "duration_in_millis", 0);
        json_close(j);
        json_close(j);
    }
    json_array_end(j);
}

/* ---- a pipeline ---------------------------------------------------------------------------------
 */

static void totals_json(struct json_out *j, const struct event_totals *t)
{
    json_open(j, "events");
    json_int(j, "in", (int64_t)t->in);
    json_int(j, "filtered", (int64_t)t->filtered);
    json_int(j, "out", (int64_t)t->out);
    json_int(j, "dropped", (int64_t)t->dropped);
    json_int(j, "condition_errors", (int64_t)t->condition_errors);
    json_int(j, "duration_in_millis", t->busy_ns / NS_PER_MS);
    json_int(j, "queue_push_duration_in_millis", t->blocked_ns / NS_PER_MS);
    json_close(j);
}

static void reloads_json(struct json_out *j, const struct pipeline_reloads *r)
{
    json_open(j, "reloads");
    json_int(j, "successes", (int64_t)r->successes);
    json_int(j, "failures", (int64_t)r->failures);
    json_time(j, "last_success_timestamp", r->success_ns);
    json_time(j, "last_failure_timestamp", r->failure_ns);
    if (r->failure_ns == 0) {
        json_cstr(j, "last_error", NULL);
    } else {
        json_open(j, "last_error");
        json_cstr(j, "message", r->error);
        json_array(j, "backtrace");
        json_array_end(j);
        json_close(j);
    }
    json_close(j);
}

static void queue_json(struct json_out *j)
{
    json_open(j, "queue");
    json_cstr(j, "type", "memory");
    json_int(j, "events_count", 0);
    json_int(j, "queue_size_in_bytes", 0);
    json_int(j, "max_queue_size_in_bytes", 0);
    json_close(j);
}

static void pipeline_json(struct api_call *c, const struct pipeline *p)
{
    struct json_out *j = &c->j;
    struct event_totals t = pipeline_totals(p);
    char hash[20];
    snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)p->plan->hash);
    json_open(j, p->plan->pipeline_id);
    totals_json(j, &t);
    flow_json(flows_find(&c->api->flows, p->ephemeral_id), t, p->shard_n, j);
    json_open(j, "plugins");
    inputs_json(j, p);
    codecs_json(j, p);
    filters_json(j, p);
    outputs_json(j, p);
    json_close(j);
    reloads_json(j, &p->reloads);
    queue_json(j);
    json_open(j, "pipeline");
    json_int(j, "workers", p->shard_n);
    json_int(j, "batch_size", process_settings_int(p->plan->settings, "pipeline.batch.size"));
    json_int(j, "batch_delay", process_settings_int(p->plan->settings, "pipeline.batch.delay"));
    json_close(j);
    json_cstr(j, "hash", hash);
    json_cstr(j, "ephemeral_id", p->ephemeral_id);
    json_close(j);
}

static bool pipelines_json(struct api_call *c, slice id)
{
    const struct engine *engine = c->api->engine;
    if (id.p != NULL && api_pipeline(c->api, id) == NULL) return false;
    json_open(&c->j, "pipelines");
    for (uint32_t i = 0; i < engine->pipeline_n; i++) {
        const struct pipeline *p = engine->pipeline[i];
        bool hidden = process_settings_bool(p->plan->settings, "pipeline.system");
        if (id.p == NULL ? !hidden : p == api_pipeline(c->api, id)) pipeline_json(c, p);
    }
    json_close(&c->j);
    return true;
}

/* ---- sections
 * ------------------------------------------------------------------------------------ */

static void engine_reloads(struct json_out *j, const struct engine *engine)
{
    json_open(j, "reloads");
    json_int(j, "successes", (int64_t)engine->reloads_ok);
    json_int(j, "failures", (int64_t)engine->reloads_failed);
    json_close(j);
}

void api_stats(struct api_call *c, uint32_t at)
{
    struct json_out *j = &c->j;
    const struct engine *engine = c->api->engine;
    struct event_totals totals = engine_totals(engine);
    slice section = c->part_n > at ? c->part[at] : SLICE_NONE;
    bool found = section.p == NULL;
#define WANTED(name) (section.p == NULL || (slice_equal(section, SLICE(name)) && (found = true)))
    json_open(j, NULL);
    api_root(c);
    if (WANTED("jvm")) api_jvm(j, c->api);
    if (WANTED("process")) api_process(j);
    if (WANTED("events")) totals_json(j, &totals);
    if (WANTED("flow")) flow_json(flows_find(&c->api->flows, ""), totals, 0, j);
    if (WANTED("pipelines") &&
        !pipelines_json(c, c->part_n > at + 1 ? c->part[at + 1] : SLICE_NONE))
        found = false;
    if (WANTED("dpdk")) api_nics(j, engine);
    if (WANTED("reloads")) engine_reloads(j, engine);
    if (WANTED("os")) {
        json_open(j, "os");
        json_close(j);
    }
    /* Databases are the user's files: nothing is ever downloaded. */
    if (section.p != NULL && WANTED("geoip_download_manager")) {
        json_open(j, "geoip_download_manager");
        json_close(j);
    }
    if (section.p == NULL) {
        json_open(j, "queue");
        json_int(j, "events_count", 0);
        json_close(j);
    }
#undef WANTED
    json_close(j);
    if (!found) api_error(c, 404, "Not Found");
}
