/*
 * es_bulk.c - the lines of Elasticsearch's bulk requests: an action, then its document.
 *
 * The action's parameters, with its name as `action`, become the event's [@metadata], or
 * [@metadata][codec][es_bulk] in ECS modes. A delete has no document and is an event of its own.
 * Lines that are no JSON object are logged and left out, as Logstash does.
 * State: the text of the action that waits for its document.
 */
#include "engine/base/log.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/text_event.h"
#include "parsers/json/json_decode.h"

struct es_bulk_cfg {
    slice target_name;
    struct fieldref target, meta;
    bool ecs;
};

struct es_bulk_state {
    struct json_reader reader;
    struct buf action;
    bool waits; /* for the document of `action` */
    struct log_gate gate;
};

static void complain(struct es_bulk_state *s, const struct decode *d, const char *why)
{
    uint64_t held;
    decode_dropped(d);
    if (log_gate_open(&s->gate, &held))
        log_error("codecs.es_bulk", "a line is left out: %s (%llu more since the last report)", why,
                  (unsigned long long)held);
}

/* The parameters of the action, with its name; NULL when the line is none. */
static struct map *action_read(struct value *line, struct arena *arena)
{
    if (line->type != VALUE_MAP) return NULL;
    value_resolve(line, arena);
    struct map *map = line->u.map;
    if (map->n == 0 || map->at[0].val.type != VALUE_MAP) return NULL;
    value_resolve(&map->at[0].val, arena);
    struct map *action = map->at[0].val.u.map;
    slice name = slice_make(map->at[0].key, map->at[0].key_n);
    map_put(action, arena, key_borrow(SLICE("action")), value_string(name));
    return action;
}

static void event_make(const struct es_bulk_cfg *cfg, struct batch *b, struct map data,
                       struct map *action)
{
    struct event *ev = codec_event(b, cfg->target_name.p == NULL ? NULL : &cfg->target, data);
    if (ev == NULL) return;
    if (!cfg->ecs) {
        ev->meta = *action;
        return;
    }
    err e = event_put(b, ev, &cfg->meta, value_map(action));
    (void)e; /* A document may have a scalar there; then it keeps it. */
}

static bool line_read(struct es_bulk_state *s, slice line, struct decode *d, struct value *out)
{
    int64_t used = json_decode_copy(&s->reader, line, JSON_FIRST, &d->batch->arena, out);
    if (used == JSON_BLANK) return false;
    if (used < 0)
        complain(s, d, json_status_text((int)used));
    else if (out->type != VALUE_MAP)
        complain(s, d, "it is no object");
    return used >= 0 && out->type == VALUE_MAP;
}

static void line_decode(void *state, const void *cfg_, slice line, struct decode *d)
{
    struct es_bulk_state *s = state;
    const struct es_bulk_cfg *cfg = cfg_;
    struct batch *b = d->batch;
    struct value val, action_val;
    if (!line_read(s, line, d, &val)) return;
    if (s->waits) {
        s->waits = false;
        if (!line_read(s, buf_slice(&s->action), d, &action_val)) return;
        struct map *action = action_read(&action_val, &b->arena);
        if (action != NULL) event_make(cfg, b, *val.u.map, action);
        return;
    }
    struct map *action = action_read(&val, &b->arena);
    if (action == NULL) {
        complain(s, d, "it is no action");
        return;
    }
    slice name = slice_make(val.u.map->at[0].key, val.u.map->at[0].key_n);
    if (slice_equal(name, SLICE("delete"))) {
        event_make(cfg, b, (struct map){0}, action);
        return;
    }
    s->action.n = 0;
    buf_add_slice(&s->action, line);
    s->waits = true;
}

static uint32_t decode(void *state, const void *cfg, slice in, struct decode *d)
{
    return codec_frames(in, SLICE("\n"), d, line_decode, state, cfg);
}

static err compile(void *config, struct compiler *c)
{
    struct es_bulk_cfg *cfg = config;
    cfg->ecs = compiler_is_ecs(c);
    err e = fieldref_parse(&cfg->meta, SLICE("[@metadata][codec][es_bulk]"), c->arena);
    if (e != ERR_OK) return e;
    return compile_field_option(c, &cfg->target, "target", cfg->target_name);
}

static err start(void *state, const void *cfg)
{
    (void)cfg;
    json_reader_init(&((struct es_bulk_state *)state)->reader);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct es_bulk_state *s = state;
    json_reader_fini(&s->reader);
    buf_fini(&s->action);
}

static const struct setting es_bulk_settings[] = {
    {.name = "target",
     SETTING_AT(struct es_bulk_cfg, target_name, STRING),
     .doc = "Field that receives the document; without it, it becomes the event."},
    {0},
};

const struct codec_ops codec_es_bulk = {
    .name = "es_bulk",
    .doc = "Bulk requests of Elasticsearch; decodes only.",
    .settings = es_bulk_settings,
    .cfg_size = sizeof(struct es_bulk_cfg),
    .state_size = sizeof(struct es_bulk_state),
    .compile = compile,
    .start = start,
    .ends_at_newline = codec_ends_at_newline,
    .decode = decode,
    .stop = stop,
};
