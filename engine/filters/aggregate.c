/*
 * aggregate.c - collects what several events of one task say, with Ruby code.
 *
 * Maps are kept per task id in the shard's script process (ruby_worker.h, ruby/aggregate.rb). All
 * events are seen together, so the pipeline runs on one shard. Maps whose time is over can become
 * events; they are looked at every five seconds, as the plugin does. If the process dies, its maps
 * are lost. Two filters of a pipeline may work on the same map: then batches are of one event, so
 * that the events of a task come to them in order. State: the filter's number in the process,
 * ticks.
 */
#include "engine/filters/ruby_filter.h"

#define STEP_SEC 5u
#define BATCH_NS_MAX (30 * NS_PER_SEC)

static const char *const actions[] = {"create", "update", "create_or_update", NULL};

struct aggregate_cfg {
    struct ruby_filter_cfg filter;
    slice task_id, code, maps_path, timeout_code, time_field, task_id_field;
    bool end_of_task, push_on_timeout, push_previous;
    double timeout_sec, inactivity_sec;
    struct config_list tags;
    int action;
};

struct aggregate_state {
    struct ruby_filter filter;
    uint32_t ticks;
};

static enum applied aggregate_apply(void *state, const void *config, struct batch *b,
                                    const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct aggregate_cfg *cfg = config;
    (void)run;
    ruby_filter_apply(&((struct aggregate_state *)state)->filter, &cfg->filter, b, in, hit);
    return APPLIED;
}

static void aggregate_tick(void *state, const void *cfg, struct batch *out, int64_t now_ns,
                           bool last)
{
    struct aggregate_state *s = state;
    (void)cfg, (void)now_ns;
    if (last || ++s->ticks % STEP_SEC == 0) ruby_filter_tick(&s->filter, out, last);
}

static err aggregate_start(void *state, const void *config, struct worker *worker)
{
    return ruby_filter_start(&((struct aggregate_state *)state)->filter,
                             &((const struct aggregate_cfg *)config)->filter, worker);
}

static void aggregate_stop(void *state, const void *cfg)
{
    (void)cfg;
    ruby_filter_stop(&((struct aggregate_state *)state)->filter);
}

static void aggregate_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    ruby_filter_stats(&((const struct aggregate_state *)state)->filter, out);
}

static void define_seconds(struct compiler *c, struct buf *out, const char *name, double sec)
{
    if (!settings_given(&c->given, name))
        buf_printf(out, ",\"%s\":null", name);
    else if (sec == (double)(int64_t)sec)
        buf_printf(out, ",\"%s\":%lld", name, (long long)sec);
    else
        buf_printf(out, ",\"%s\":%.9f", name, sec);
}

static void define_options(const struct aggregate_cfg *cfg, struct compiler *c, struct buf *out)
{
    /* Tells the filters of this plan from those of the one before a reload. */
    buf_printf(out, ",\"generation\":%llu", (unsigned long long)(uintptr_t)c->arena);
    ruby_define_text(out, "task_id", cfg->task_id);
    ruby_define_text(out, "code", cfg->code);
    ruby_define_text(out, "map_action", slice_from_cstr(actions[cfg->action]));
    ruby_define_bool(out, "end_of_task", cfg->end_of_task);
    ruby_define_text(out, "aggregate_maps_path", cfg->maps_path);
    define_seconds(c, out, "timeout", cfg->timeout_sec);
    define_seconds(c, out, "inactivity_timeout", cfg->inactivity_sec);
    ruby_define_text(out, "timeout_code", cfg->timeout_code);
    ruby_define_bool(out, "push_map_as_event_on_timeout", cfg->push_on_timeout);
    ruby_define_bool(out, "push_previous_map_as_event", cfg->push_previous);
    ruby_define_text(out, "timeout_timestamp_field", cfg->time_field);
    ruby_define_text(out, "timeout_task_id_field", cfg->task_id_field);
    buf_add_cstr(out, ",\"timeout_tags\":[");
    for (uint32_t i = 0; i < cfg->tags.n; i++) {
        if (i > 0) buf_add_byte(out, ',');
        buf_add_json(out, cfg->tags.at[i].text);
    }
    buf_add_byte(out, ']');
}

static err aggregate_compile(void *config, struct compiler *c)
{
    struct aggregate_cfg *cfg = config;
    struct buf text = {0};
    int64_t open = slice_find(cfg->task_id, SLICE("%{"));
    if (open < 0 || slice_find_byte(slice_from(cfg->task_id, (uint32_t)open + 3), '}') < 0) {
        compile_error(c, "task_id", "task_id => \"%{field}\"",
                      "Aggregate plugin: task_id pattern '%.*s' must contain a dynamic expression "
                      "like '%%{field}'",
                      SLICE_FMT(cfg->task_id));
        return ERR_CONFIG;
    }
    cfg->filter.failure_tag = SLICE("_aggregateexception");
    cfg->filter.wait_ns = BATCH_NS_MAX;
    ruby_define(c, "aggregate", cfg->filter.failure_tag, &text);
    define_options(cfg, c, &text);
    return ruby_define_end(c, "code", &text, &cfg->filter.definition);
}

#define AG_AT(member, kind) SETTING_AT(struct aggregate_cfg, member, kind)

/* clang-format off */
static const struct setting aggregate_settings[] = {
    {.name = "task_id", AG_AT(task_id, STRING), .flags = SETTING_REQUIRED,
     .doc = "What the events of a task have in common: text with %{field}. Events without the "
            "field are left alone."},
    {.name = "code", AG_AT(code, STRING), .flags = SETTING_REQUIRED,
     .doc = "Ruby code to run for each event, with `event`, `map` and `map_meta`."},
    {.name = "map_action", AG_AT(action, ENUM), .choices = actions,
     .default_text = "create_or_update",
     .doc = "Whether the event may begin a task, belong to one, or both."},
    {.name = "end_of_task", AG_AT(end_of_task, BOOL), .default_text = "false",
     .doc = "The event ends its task: the map is deleted after the code has run."},
    {.name = "aggregate_maps_path", AG_AT(maps_path, STRING),
     .doc = "A file that keeps the maps while the pipeline is stopped."},
    {.name = "timeout", AG_AT(timeout_sec, FLOAT), .min = 0, .max = INT32_MAX,
     .doc = "Seconds after its first event that a task is over; 1800 when no filter says."},
    {.name = "inactivity_timeout", AG_AT(inactivity_sec, FLOAT), .min = 0, .max = INT32_MAX,
     .doc = "Seconds after its last event that a task is over; as `timeout` when not given."},
    {.name = "timeout_code", AG_AT(timeout_code, STRING),
     .doc = "Ruby code for the `event` that a map became."},
    {.name = "push_map_as_event_on_timeout", AG_AT(push_on_timeout, BOOL), .default_text = "false",
     .doc = "The map of a task whose time is over becomes an event."},
    {.name = "push_previous_map_as_event", AG_AT(push_previous, BOOL), .default_text = "false",
     .doc = "The first event of a task makes the map of the task before it an event."},
    {.name = "timeout_timestamp_field", AG_AT(time_field, STRING), .flags = SETTING_FIELD,
     .doc = "The field that tells the time, instead of the clock."},
    {.name = "timeout_task_id_field", AG_AT(task_id_field, STRING), .flags = SETTING_FIELD,
     .doc = "The field of pushed events that gets the task id."},
    {.name = "timeout_tags", AG_AT(tags, LIST), .default_text = "[]",
     .doc = "Tags of pushed events."},
    {0}};
/* clang-format on */

const struct filter_ops filter_aggregate = {
    .name = "aggregate",
    .doc =
        "Collects what several events of one task say, with Ruby code. Needs the program `ruby`.",
    .flags = FILTER_SERIAL | FILTER_STATE_SHARED,
    .settings = aggregate_settings,
    .cfg_size = sizeof(struct aggregate_cfg),
    .state_size = sizeof(struct aggregate_state),
    .compile = aggregate_compile,
    .start = aggregate_start,
    .apply = aggregate_apply,
    .tick = aggregate_tick,
    .stop = aggregate_stop,
    .stats = aggregate_stats,
};
