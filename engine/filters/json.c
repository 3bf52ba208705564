/*
 * json.c - parses the JSON text in a field.
 *
 * Without target every key of the object is set on the event as a field reference ("[a][b]"
 * nests), @timestamp becomes the event's time; a value that is no object is a failure then.
 * What follows the first value is ignored and blank text is null, as in Logstash's decoder.
 * Values keep pointing into the source text while that text has readable bytes behind it.
 * Failures tag the event, whatever was set before stays. State: one decoder.
 */
#include "parsers/json/json_decode.h"

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/base/tz.h"
#include "engine/event/blob.h"
#include "engine/plan/common_options.h"
#include "engine/plan/ruby_text.h"
#include "parsers/text/date_parse.h"

struct json_cfg {
    slice source_name, target_name;
    struct config_list tag_on_failure;
    bool skip_on_invalid_json;
    struct fieldref source, target;
    struct key failed_time;
    const struct tz *zone; /* of timestamps that name none */
};

struct json_state {
    struct json_reader reader;
    struct tz_hint hint;
    struct log_gate gate;
    struct counter failures;
};

struct json_run {
    struct json_state *state;
    const struct json_cfg *cfg;
    struct batch *batch;
    struct event *ev;
};

static bool failed(struct json_run *r, const char *why)
{
    uint64_t held;
    counter_add(&r->state->failures, 1);
    if (log_gate_open(&r->state->gate, &held))
        log_warn("filters.json",
                 "Error parsing json in `%.*s`: %s (%llu more since the last report)",
                 SLICE_FMT(r->cfg->source.text), why, (unsigned long long)held);
    for (uint32_t i = 0; i < r->cfg->tag_on_failure.n; i++)
        event_tag(r->batch, r->ev, r->cfg->tag_on_failure.at[i].text, true);
    return false;
}

/* Whether the decoder may read JSON_PAD bytes behind the text: in a receive buffer of the batch
 * or on the newest pages of its arena. Text of the configuration may lack them. */
static bool is_padded(const struct batch *b, slice text)
{
    _Static_assert(JSON_PAD <= BLOB_PAD && JSON_PAD <= PAGE_PAD, "pads must be long enough");
    const struct page *page = b->arena.pages;
    for (uint32_t i = 0; i < 2 && page != NULL; i++, page = page->next)
        if (text.p >= (const char *)page && text.p < (const char *)page + page->bytes) return true;
    for (uint32_t i = b->pin_n; i > 0 && b->pin_n - i < 4; i--) {
        const struct blob *blob = b->pin[i - 1];
        if (text.p >= blob->data && text.p < blob->data + blob->size) return true;
    }
    return false;
}

static int64_t decode(struct json_run *r, slice text, struct value *out)
{
    struct arena *arena = &r->batch->arena;
    if (is_padded(r->batch, text))
        return json_decode(&r->state->reader, text, JSON_FIRST, arena, out);
    return json_decode_copy(&r->state->reader, text, JSON_FIRST, arena, out);
}

static bool set_member(struct json_run *r, struct member *m)
{
    slice name = {m->key, m->key_n};
    struct key key = {name, m->hash, m->val.key_flags};
    if (field_is_plain(name)) {
        map_put(&r->ev->data, &r->batch->arena, key, m->val);
        return true;
    }
    struct fieldref ref;
    if (fieldref_parse(&ref, name, &r->batch->arena) != ERR_OK) return false;
    value_resolve(&m->val, &r->batch->arena);
    for (uint32_t i = 0; ref.tags && m->val.type == VALUE_LIST && i < m->val.n; i++)
        value_resolve(&m->val.u.list[i], &r->batch->arena);
    return event_put(r->batch, r->ev, &ref, m->val) == ERR_OK;
}

/* Null and false count as not given, text is read leniently; anything else is kept aside. */
static void set_time(struct json_run *r, struct value *v)
{
    struct batch *b = r->batch;
    int64_t ns;
    value_resolve(v, &b->arena);
    if (v->type == VALUE_NIL || (v->type == VALUE_BOOL && !v->u.yes)) return;
    if (v->type == VALUE_STRING &&
        iso8601_lenient_parse(value_slice(v), r->cfg->zone, &r->state->hint, &ns)) {
        r->ev->time = value_time(ns);
        return;
    }
    r->ev->time = value_time(b->now_ns);
    event_tag(b, r->ev, SLICE("_timestampparsefailure"), true);
    slice text = ruby_text_slice(v, &b->arena, &b->scratch);
    map_put(&r->ev->data, &b->arena, r->cfg->failed_time, value_string(text));
}

static bool set_all(struct json_run *r, struct map *map)
{
    struct value *time = NULL;
    for (uint32_t i = 0; i < map->n; i++) {
        struct member *m = &map->at[i];
        if (slice_equal(slice_make(m->key, m->key_n), SLICE("@timestamp")))
            time = &m->val;
        else if (!set_member(r, m))
            return failed(r, "a key is no field that can be set");
    }
    if (time != NULL) set_time(r, time);
    return true;
}

static bool json_one(struct json_run *r)
{
    struct value *source = event_get(r->batch, r->ev, &r->cfg->source), out;
    if (source == NULL || source->type == VALUE_NIL ||
        (source->type == VALUE_BOOL && !source->u.yes))
        return false;
    if (source->type != VALUE_STRING)
        return r->cfg->skip_on_invalid_json ? false : failed(r, "the field is no text");
    int64_t used = decode(r, value_slice(source), &out);
    if (used == JSON_BLANK)
        out = value_nil();
    else if (used < 0)
        return r->cfg->skip_on_invalid_json ? false : failed(r, json_status_text((int)used));
    if (r->cfg->target_name.p != NULL) {
        value_resolve(&out, &r->batch->arena);
        if (event_put(r->batch, r->ev, &r->cfg->target, out) == ERR_OK) return true;
        return failed(r, "the target cannot be set");
    }
    if (out.type == VALUE_MAP) return set_all(r, out.u.map);
    return failed(r, "Parsed JSON object/hash requires a target configuration option");
}

static enum applied json_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                               struct sel *hit, struct plan_run *run)
{
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct json_run r = {state, cfg, b, &b->event[in->at[i]]};
        if (json_one(&r)) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static void json_undecorated(void *state, const void *cfg, struct batch *b, struct event *ev)
{
    struct json_run r = {.state = state, .cfg = cfg, .batch = b, .ev = ev};
    failed(&r, "add_field cannot set its field");
}

static err json_start(void *state, const void *cfg, struct worker *worker)
{
    struct json_state *s = state;
    (void)cfg, (void)worker;
    json_reader_init(&s->reader);
    return ERR_OK;
}

static void json_stop(void *state, const void *cfg)
{
    (void)cfg;
    json_reader_fini(&((struct json_state *)state)->reader);
}

static void json_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct json_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu", (unsigned long long)counter_read(&s->failures));
}

static err json_compile(void *config, struct compiler *c)
{
    struct json_cfg *cfg = config;
    err e = compile_fieldref(c, &cfg->source, cfg->source_name, settings_pos(c->plugin, "source"));
    if (cfg->target_name.p != NULL && compile_fieldref(c, &cfg->target, cfg->target_name,
                                                       settings_pos(c->plugin, "target")) != ERR_OK)
        e = ERR_CONFIG;
    cfg->failed_time = compile_key(c, SLICE("_@timestamp"));
    cfg->zone = tz_host();
    return e;
}

/* clang-format off */
static const struct setting json_settings[] = {
    {.name = "source", SETTING_AT(struct json_cfg, source_name, STRING),
     .flags = SETTING_REQUIRED | SETTING_FIELD, .doc = "The field that holds JSON text."},
    {.name = "target", SETTING_AT(struct json_cfg, target_name, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives the value; without it an object's members become fields of "
            "the event."},
    {.name = "tag_on_failure", SETTING_AT(struct json_cfg, tag_on_failure, LIST),
     .default_text = "[\"_jsonparsefailure\"]", .doc = "Tags of events whose text is no JSON."},
    {.name = "skip_on_invalid_json", SETTING_AT(struct json_cfg, skip_on_invalid_json, BOOL),
     .default_text = "false",
     .doc = "Leave events whose text is no JSON as they are, without tag and log line."},
    {0}};
/* clang-format on */

const struct filter_ops filter_json = {
    .name = "json",
    .doc = "Parses JSON text in a field into fields.",
    .settings = json_settings,
    .cfg_size = sizeof(struct json_cfg),
    .state_size = sizeof(struct json_state),
    .compile = json_compile,
    .start = json_start,
    .apply = json_apply,
    .undecorated = json_undecorated,
    .stop = json_stop,
    .stats = json_stats,
};
