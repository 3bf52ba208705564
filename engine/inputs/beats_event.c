/* beats_event.c - documents, pairs, merging. */
#include "engine/inputs/beats_event.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/frame/lumberjack.h"
#include "parsers/text/date_parse.h"

/* An event made without text carries this mark until it is tagged. */
#define EVENT_RAW EVENT_MARKED

err beats_event_compile(struct beats_event_cfg *cfg, bool tags, struct compiler *c)
{
    const struct config_codec *codec = &c->common_input->codec;
    cfg->ecs = compiler_is_ecs(c);
    cfg->tags = tags;
    if (slice_equal(codec->name, SLICE("multiline"))) {
        compile_error(c, "codec", "multiline settings in the client, e.g. Filebeat's parsers",
                      "the multiline codec would mix the lines of different files");
        return ERR_CONFIG;
    }
    cfg->direct = slice_equal(codec->name, SLICE("plain")) && codec->plugin == NULL;
    cfg->message = compile_key(c, SLICE("message"));
    cfg->line = compile_key(c, SLICE("line"));
    cfg->host = compile_key(c, SLICE("host"));
    cfg->codec_tag = arena_join(c->arena, SLICE("beats_input_codec_"),
                                arena_join(c->arena, codec->name, SLICE("_applied")));
    err e = compile_fieldref(c, &cfg->beat_hostname, SLICE("[beat][hostname]"), c->plugin->pos);
    if (e == ERR_OK) e = text_event_compile(&cfg->text, SLICE("UTF-8"), cfg->ecs, c);
    if (e != ERR_OK) return e;
    return compile_codec(c, &cfg->codec, codec, BYTES_FRAMED);
}

err beats_event_start(struct beats_event_state *s, const struct beats_event_cfg *cfg)
{
    const struct codec *codec = &cfg->codec;
    err e = text_event_start(&s->text, &cfg->text);
    if (e != ERR_OK) return e;
    s->codec_state = calloc(1, codec->ops->state_size + 1);
    ASSERT(s->codec_state != NULL);
    if (codec->ops->start != NULL) e = codec->ops->start(s->codec_state, codec->cfg);
    if (e != ERR_OK) {
        free(s->codec_state);
        text_event_stop(&s->text);
        return e;
    }
    json_reader_init(&s->reader);
    return ERR_OK;
}

void beats_event_stop(struct beats_event_state *s, const struct beats_event_cfg *cfg)
{
    const struct codec *codec = &cfg->codec;
    if (codec->ops->stop != NULL) codec->ops->stop(s->codec_state, codec->cfg);
    free(s->codec_state);
    text_event_stop(&s->text);
    json_reader_fini(&s->reader);
}

static struct member *text_member(struct beats_event_state *s, const struct beats_event_cfg *cfg,
                                  const struct map *map)
{
    struct member *m = map_find_near(map, cfg->message.name, cfg->message.hash, &s->text_at);
    return m != NULL ? m : map_find(map, cfg->line.name, cfg->line.hash);
}

/* [event][original] beside what the client says about the event; its text may be lazy. */
static void add_original(struct beats_event_state *s, const struct beats_event_cfg *cfg,
                         struct batch *b, struct event *ev, struct value text)
{
    const struct key *event = &cfg->text.event;
    struct member *m = map_find_near(&ev->data, event->name, event->hash, &s->event_at);
    struct map *map;
    if (m == NULL) {
        map = map_exact(&b->arena, 2);
        map_append(&ev->data, &b->arena, cfg->text.event, value_map(map));
    } else if (m->val.type == VALUE_MAP) {
        map = m->val.u.map;
    } else {
        return;
    }
    if (map_find(map, cfg->text.original.name, cfg->text.original.hash) == NULL)
        map_append(map, &b->arena, cfg->text.original, text);
}

static struct event *adopt(struct batch *b, struct map data)
{
    struct event *ev = batch_add(b);
    if (ev != NULL) event_adopt(b, ev, data);
    return ev;
}

/* The plain codec would put the text into message again. */
static void add_direct(struct beats_event_state *s, const struct beats_event_cfg *cfg,
                       struct batch *b, struct map *map, struct member *m)
{
    struct value text = m->val;
    if (!slice_equal(slice_make(m->key, m->key_n), cfg->message.name)) {
        uint16_t flags = cfg->message.flags;
        m->key = cfg->message.name.p;
        m->key_n = cfg->message.name.n;
        m->hash = cfg->message.hash;
        m->val.key_flags = flags;
    }
    struct event *ev = adopt(b, *map);
    if (ev != NULL && cfg->ecs) add_original(s, cfg, b, ev, text);
}

static void merge_maps(struct map *to, const struct map *from, struct arena *arena)
{
    for (uint32_t i = 0; i < from->n; i++) {
        const struct member *m = &from->at[i];
        struct key key = {slice_make(m->key, m->key_n), m->hash, m->val.key_flags};
        map_put(to, arena, key, value_copy(&m->val, arena));
    }
}

/* Keys of the document other than the text: maps are merged one level deep, the rest replaced. */
static void merge(struct batch *b, struct event *ev, const struct map *from, const char *text_key)
{
    struct tz_hint hint = {0};
    for (uint32_t i = 0; i < from->n; i++) {
        struct member *m = &from->at[i];
        slice name = slice_make(m->key, m->key_n);
        if (m->key == text_key) continue;
        if (slice_equal(name, SLICE("@timestamp"))) {
            int64_t ns;
            value_resolve(&m->val, &b->arena);
            if (m->val.type == VALUE_STRING &&
                iso8601_lenient_parse(value_slice(&m->val), tz_utc(), &hint, &ns))
                ev->time = value_time(ns);
            continue;
        }
        if (slice_equal(name, SLICE("@metadata"))) {
            if (m->val.type == VALUE_MAP) merge_maps(&ev->meta, m->val.u.map, &b->arena);
            continue;
        }
        struct key key = {name, m->hash, m->val.key_flags};
        struct member *there = map_find(&ev->data, name, m->hash);
        if (there != NULL && there->val.type == VALUE_MAP && m->val.type == VALUE_MAP)
            merge_maps(there->val.u.map, m->val.u.map, &b->arena);
        else
            map_put(&ev->data, &b->arena, key, value_copy(&m->val, &b->arena));
    }
}

static void add_decoded(struct beats_event_state *s, const struct beats_event_cfg *cfg,
                        struct batch *b, struct map *map, struct member *m)
{
    const struct codec *codec = &cfg->codec;
    uint32_t from = b->n;
    value_resolve(&m->val, &b->arena);
    slice text = arena_copy(&b->arena, value_to_slice(&m->val, &b->arena, &b->scratch));
    struct blob outlives = {.pins = 1};
    struct decode in = {.batch = b,
                        .events_max = BATCH_EVENTS_MAX,
                        .blob = &outlives,
                        .end = true,
                        .counters = s->counters};
    while (text.n > 0) {
        uint32_t used = codec->ops->decode(s->codec_state, codec->cfg, text, &in);
        if (used == 0) break;
        text = slice_from(text, used);
    }
    if (codec->ops->flush != NULL) codec->ops->flush(s->codec_state, codec->cfg, &in);
    for (uint32_t i = from; i < b->n; i++) merge(b, &b->event[i], map, m->key);
}

static void add_map(struct beats_event_state *s, const struct beats_event_cfg *cfg, struct batch *b,
                    struct map *map)
{
    struct member *m = text_member(s, cfg, map);
    if (m == NULL) {
        struct event *ev = adopt(b, *map);
        if (ev != NULL) ev->flags |= EVENT_RAW;
    } else if (cfg->direct && m->val.type == VALUE_STRING) {
        add_direct(s, cfg, b, map, m);
    } else {
        add_decoded(s, cfg, b, map, m);
    }
}

void beats_event_json(struct beats_event_state *s, const struct beats_event_cfg *cfg,
                      struct batch *b, slice payload)
{
    struct value val;
    int64_t used = json_decode(&s->reader, payload, JSON_FIRST, &b->arena, &val);
    if (used >= 0 && val.type == VALUE_MAP) {
        add_map(s, cfg, b, val.u.map);
        return;
    }
    /* Not worth the connection: the client would send it again for ever. */
    s->bad++;
    slice text = text_event_decode(&s->text, &cfg->text, payload, false, &b->arena);
    struct event *ev = text_event_add(&cfg->text, b, text);
    if (ev == NULL) return;
    event_tag(b, ev, SLICE("_jsonparsefailure"), true);
    ev->flags |= EVENT_RAW;
}

void beats_event_pairs(struct beats_event_state *s, const struct beats_event_cfg *cfg,
                       struct batch *b, slice payload)
{
    struct map *map = map_new(&b->arena);
    map_reserve(map, &b->arena, MAP_CAP_FIRST);
    slice rest = payload, name, text;
    while (lumberjack_pair_next(&rest, &name, &text)) {
        name = text_event_decode(&s->text, &cfg->text, name, false, &b->arena);
        text = text_event_decode(&s->text, &cfg->text, text, false, &b->arena);
        map_put(map, &b->arena, key_borrow(name), value_string(text));
    }
    add_map(s, cfg, b, map);
}

void beats_event_tags(const struct beats_event_cfg *cfg, struct batch *b, uint32_t from)
{
    for (uint32_t i = from; i < b->n; i++) {
        struct event *ev = &b->event[i];
        bool raw = (ev->flags & EVENT_RAW) != 0;
        ev->flags &= (uint16_t)~EVENT_RAW;
        if (cfg->tags)
            event_tag(b, ev, raw ? SLICE("beats_input_raw_event") : cfg->codec_tag, true);
        if (!cfg->add_hostname) continue;
        struct value *name = event_get(b, ev, &cfg->beat_hostname);
        if (name != NULL && map_find(&ev->data, cfg->host.name, cfg->host.hash) == NULL)
            map_append(&ev->data, &b->arena, cfg->host, *name);
    }
}
