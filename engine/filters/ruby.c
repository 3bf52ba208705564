/*
 * ruby.c - changes events with Ruby code, given in the configuration or in a script file.
 *
 * The code runs in a real Ruby, one process per shard (ruby_worker.h); the driver there gives it
 * the event API. Instance variables and globals live as long as the pipeline and are those of one
 * shard: with several shards (pipeline.workers) each has its own, where Logstash's workers share
 * them. An exception tags the event. Code is checked when the configuration is compiled, and the
 * tests in a script file are run then. State: the filter's number in the process.
 */
#include "engine/filters/ruby_filter.h"
#include "engine/plan/filter_kit.h"

struct ruby_cfg {
    struct ruby_filter_cfg filter;
    slice init, code, path, tag;
    struct config_hash script_params;
    bool tag_with_message;
    int64_t wait_ns;
};

static enum applied ruby_apply(void *state, const void *config, struct batch *b,
                               const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct ruby_cfg *cfg = config;
    (void)run;
    ruby_filter_apply(state, &cfg->filter, b, in, hit);
    return APPLIED;
}

static err ruby_start(void *state, const void *config, struct worker *worker)
{
    return ruby_filter_start(state, &((const struct ruby_cfg *)config)->filter, worker);
}

static void ruby_stop(void *state, const void *cfg)
{
    (void)cfg;
    ruby_filter_stop(state);
}

static void ruby_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    ruby_filter_stats(state, out);
}

static void define_params(const struct ruby_cfg *cfg, struct compiler *c, struct buf *out)
{
    struct map *map = map_new(c->arena);
    for (uint32_t i = 0; i < cfg->script_params.n; i++)
        map_put(map, c->arena, compile_key(c, cfg->script_params.at[i].key.text),
                compile_value(c, &cfg->script_params.at[i].val));
    struct value v = value_map(map);
    buf_add_cstr(out, ",\"script_params\":");
    value_json(&v, out);
}

static err ruby_compile(void *config, struct compiler *c)
{
    struct ruby_cfg *cfg = config;
    struct buf text = {0};
    if ((cfg->code.p == NULL) == (cfg->path.p == NULL)) {
        compile_error(c, cfg->code.p == NULL ? NULL : "path", "code => \"...\" or path => \"...\"",
                      "You must either use an inline script with the \"code\" option or a script "
                      "file using \"path\".");
        return ERR_CONFIG;
    }
    ruby_define(c, "ruby", cfg->tag, &text);
    ruby_define_text(&text, "code", cfg->code);
    ruby_define_text(&text, "init", cfg->init);
    ruby_define_text(&text, "path", cfg->path);
    ruby_define_bool(&text, "tag_with_exception_message", cfg->tag_with_message);
    define_params(cfg, c, &text);
    cfg->filter.failure_tag = cfg->tag;
    cfg->filter.wait_ns = cfg->wait_ns;
    return ruby_define_end(c, cfg->code.p != NULL ? "code" : "path", &text,
                           &cfg->filter.definition);
}

#define RB_AT(member, kind) SETTING_AT(struct ruby_cfg, member, kind)

/* clang-format off */
static const struct setting ruby_settings[] = {
    {.name = "code", RB_AT(code, STRING),
     .doc = "Ruby code to run for each event, which is `event`. Not with `path`."},
    {.name = "init", RB_AT(init, STRING), .doc = "Ruby code to run once at the start."},
    {.name = "path", RB_AT(path, PATH),
     .doc = "A script file that defines `filter(event)`, maybe `register(params)` and tests."},
    {.name = "script_params", RB_AT(script_params, HASH), .default_text = "{}",
     .doc = "What `register` of the script file gets."},
    {.name = "tag_on_exception", RB_AT(tag, STRING), .default_text = "_rubyexception",
     .doc = "The tag of events that the code failed on."},
    {.name = "tag_with_exception_message", RB_AT(tag_with_message, BOOL), .default_text = "false",
     .doc = "Add a tag with the exception's message, too."},
    {.name = "batch_timeout", RB_AT(wait_ns, DURATION), .default_text = "30", .min = 1000000,
     .max = 3600 * NS_PER_SEC,
     .doc = "Time the code may take for a batch of events. After that its process is killed and "
            "started again, and the events of the batch are tagged. Not in Logstash."},
    {0}};
/* clang-format on */

const struct filter_ops filter_ruby = {
    .name = "ruby",
    .doc =
        "Changes events with Ruby code. Needs the program `ruby`, which runs as a process of its "
        "own per shard; `@variables` and `$globals` are per shard.",
    .settings = ruby_settings,
    .cfg_size = sizeof(struct ruby_cfg),
    .state_size = sizeof(struct ruby_filter),
    .compile = ruby_compile,
    .start = ruby_start,
    .apply = ruby_apply,
    .stop = ruby_stop,
    .stats = ruby_stats,
};
