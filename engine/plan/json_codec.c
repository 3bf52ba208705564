/* json_codec.c - values to events, failures to tags. */
#define _GNU_SOURCE
#include "engine/plan/json_codec.h"

#include <string.h>

#include "engine/plan/codec_kit.h"

err json_codec_compile(struct json_codec_cfg *cfg, slice charset, slice target, bool keep_original,
                       struct compiler *c)
{
    err e = text_event_compile(&cfg->text, charset, keep_original, c);
    if (e != ERR_OK || target.p == NULL) return e;
    cfg->has_target = true;
    return compile_fieldref(c, &cfg->target, target, settings_pos(c->plugin, "target"));
}

err json_codec_start(struct json_codec_state *s, const struct json_codec_cfg *cfg)
{
    json_reader_init(&s->reader);
    return text_event_start(&s->text, &cfg->text);
}

void json_codec_stop(struct json_codec_state *s)
{
    text_event_stop(&s->text);
    json_reader_fini(&s->reader);
}

static void add_failure(const struct json_codec_cfg *cfg, struct decode *d, slice text)
{
    struct text_event_cfg plain = cfg->text;
    plain.keep_original = false;
    struct event *ev = text_event_add(&plain, d->batch, text);
    if (ev == NULL) return;
    decode_failed(d);
    event_tag(d->batch, ev, SLICE("_jsonparsefailure"), true);
}

/* False when the target takes no document. */
static bool add_object(const struct json_codec_cfg *cfg, struct decode *d, struct value *val,
                       slice original, slice text)
{
    struct event *ev;
    if (!cfg->has_target) {
        ev = batch_add(d->batch);
        if (ev != NULL) event_adopt(d->batch, ev, *val->u.map);
    } else if (!codec_value_event(d->batch, &cfg->target, val, &ev)) {
        codec_refuse(d, ev, text, SLICE("_jsonparsefailure"));
        return false;
    }
    if (ev != NULL && original.p != NULL) text_event_original(&cfg->text, d->batch, ev, original);
    return true;
}

/* Whether [event][original] has a place in the document. */
static bool original_fits(const struct json_codec_cfg *cfg, const struct value *doc)
{
    struct member *m = map_find(doc->u.map, cfg->text.event.name, cfg->text.event.hash);
    return cfg->has_target || m == NULL || m->val.type == VALUE_MAP || m->val.type == VALUE_NIL;
}

/* A single document keeps its text, several of one text do not. */
static void add_value(const struct json_codec_cfg *cfg, struct decode *d, struct value *val,
                      slice text)
{
    bool list = val->type == VALUE_LIST;
    struct value *doc = list ? val->u.list : val;
    uint32_t n = list ? val->n : 1;
    bool keeps = cfg->text.keep_original && n == 1, good = true;
    for (uint32_t i = 0; i < n && good; i++) good = doc[i].type == VALUE_MAP;
    if (!good || (keeps && !original_fits(cfg, doc))) {
        add_failure(cfg, d, text);
        return;
    }
    for (uint32_t i = 0; i < n && good; i++)
        good = add_object(cfg, d, &doc[i], keeps ? text : SLICE_NONE, text);
}

void json_codec_text(struct json_codec_state *s, const struct json_codec_cfg *cfg, slice text,
                     struct decode *d)
{
    struct batch *b = d->batch;
    slice decoded = text_event_decode(&s->text, &cfg->text, text, false, &b->arena);
    struct value val;
    int64_t used = decoded.p == text.p
                       ? json_decode(&s->reader, text, JSON_FIRST, &b->arena, &val)
                       : json_decode_copy(&s->reader, decoded, JSON_FIRST, &b->arena, &val);
    if (used >= 0)
        add_value(cfg, d, &val, decoded);
    else if (used != JSON_BLANK)
        add_failure(cfg, d, decoded);
}

uint32_t json_codec_lines(struct json_codec_state *s, const struct json_codec_cfg *cfg, slice in,
                          struct decode *d)
{
    const char *last = in.n == 0 ? NULL : memrchr(in.p, '\n', in.n);
    uint32_t whole = d->end ? in.n : last == NULL ? 0 : (uint32_t)(last - in.p) + 1;
    if (whole == 0) return 0;
    slice lines = decode_keep(d, slice_part(in, 0, whole));
    struct batch *b = d->batch;
    if (!cfg->text.charset->utf8) {
        uint32_t at = 0;
        while (at < lines.n && b->n < d->events_max) {
            slice rest = slice_from(lines, at);
            int64_t end = slice_find_byte(rest, '\n');
            slice text = slice_part(rest, 0, end < 0 ? rest.n : (uint32_t)end);
            json_codec_text(s, cfg, text, d);
            at += text.n + (end >= 0);
        }
        return at;
    }
    struct json_line line;
    uint32_t used = 0;
    json_lines_begin(&s->reader, lines, JSON_FIRST, &b->arena);
    while (b->n < d->events_max && json_lines_next(&s->reader, &line)) {
        if (line.status == JSON_OK) {
            add_value(cfg, d, &line.value, line.text);
        } else if (line.status != JSON_BLANK) {
            /* Bytes that are no UTF-8 are shown escaped, and that text is no JSON either. */
            add_failure(cfg, d,
                        text_event_decode(&s->text, &cfg->text, line.text, false, &b->arena));
        }
        used = (uint32_t)(line.text.p + line.text.n - lines.p);
        if (used < lines.n) used++;
    }
    return used;
}
