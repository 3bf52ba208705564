/*
 * json_encode.c - a field as JSON text. A missing field is null. State: text, the last second.
 */
#include "engine/plan/filter_kit.h"
#include "parsers/json/json_write.h"

struct json_encode_cfg {
    slice source_name, target_name;
    struct fieldref source, target;
};

struct json_encode_state {
    struct buf text;
    struct time_iso_cache cache;
    struct counter failures;
};

static enum applied json_encode_apply(void *state, const void *config, struct batch *b,
                                      const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct json_encode_cfg *cfg = config;
    struct json_encode_state *s = state;
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        struct value all = value_nil(), *v = event_get(b, ev, &cfg->source);
        if (cfg->source.root == FIELD_META && cfg->source.depth == 0) all = event_meta_value(ev);
        s->text.n = 0;
        json_write_value(&s->text, v == NULL ? &all : v, &s->cache);
        slice text = arena_copy(&b->arena, buf_slice(&s->text));
        if (event_put(b, ev, &cfg->target, value_string(text)) == ERR_OK) {
            sel_add(hit, in->at[i]);
            continue;
        }
        counter_add(&s->failures, 1);
        event_tag(b, ev, SLICE("_jsongeneratefailure"), true);
    }
    return APPLIED;
}

static void json_encode_stop(void *state, const void *cfg)
{
    (void)cfg;
    buf_fini(&((struct json_encode_state *)state)->text);
}

static void json_encode_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    buf_printf(
        out, ",\"failures\":%llu",
        (unsigned long long)counter_read(&((const struct json_encode_state *)state)->failures));
}

static err json_encode_compile(void *config, struct compiler *c)
{
    struct json_encode_cfg *cfg = config;
    slice target = cfg->target_name.p == NULL ? cfg->source_name : cfg->target_name;
    err e = compile_field_option(c, &cfg->source, "source", cfg->source_name);
    err e2 = compile_field_option(c, &cfg->target, "target", target);
    return e != ERR_OK ? e : e2;
}

/* clang-format off */
static const struct setting json_encode_settings[] = {
    {.name = "source", SETTING_AT(struct json_encode_cfg, source_name, STRING),
     .flags = SETTING_REQUIRED | SETTING_FIELD, .doc = "The field to write."},
    {.name = "target", SETTING_AT(struct json_encode_cfg, target_name, STRING),
     .flags = SETTING_FIELD, .doc = "The field that receives the text; without it, the source."},
    {0}};
/* clang-format on */

const struct filter_ops filter_json_encode = {
    .name = "json_encode",
    .doc = "Writes a field as JSON text.",
    .settings = json_encode_settings,
    .cfg_size = sizeof(struct json_encode_cfg),
    .state_size = sizeof(struct json_encode_state),
    .compile = json_encode_compile,
    .apply = json_encode_apply,
    .stop = json_encode_stop,
    .stats = json_encode_stats,
};
