/* codec_kit.c - frames and failures. */
#include "engine/plan/codec_kit.h"

#include "engine/plan/text_event.h"
#include "parsers/json/json_event.h"
#include "parsers/text/utf8_scrub.h"

uint32_t codec_frames(slice in, slice delimiter, struct decode *d,
                      void (*take)(void *state, const void *cfg, slice frame, struct decode *d),
                      void *state, const void *cfg)
{
    uint32_t at = 0;
    while (at < in.n && d->batch->n < d->events_max) {
        slice rest = slice_from(in, at);
        int64_t end = slice_find(rest, delimiter);
        if (end < 0 && !d->end) break;
        slice frame = slice_part(rest, 0, end < 0 ? rest.n : (uint32_t)end);
        take(state, cfg, decode_keep(d, frame), d);
        at += frame.n + (end < 0 ? 0 : delimiter.n);
    }
    return at;
}

int64_t codec_frame_end(slice rest, slice delimiter, uint32_t *looked)
{
    uint32_t from = *looked < rest.n ? *looked : 0;
    int64_t end = slice_find(slice_from(rest, from), delimiter);
    if (end >= 0) return end + from;
    *looked = rest.n < delimiter.n ? 0 : rest.n - (delimiter.n - 1);
    return -1;
}

bool codec_ends_at_newline(const void *cfg)
{
    (void)cfg;
    return true;
}

void codec_fail(struct decode *d, struct event *ev, slice text, slice tag)
{
    struct batch *b = d->batch;
    decode_failed(d);
    ev->data = ev->meta = (struct map){0};
    ev->time = value_time(b->now_ns);
    map_put(&ev->data, &b->arena, key_borrow(SLICE("message")),
            value_string(utf8_scrub(text, &b->arena)));
    event_add_version(b, ev);
    if (tag.n > 0) event_tag(b, ev, tag, true);
}

struct event *codec_failure(struct decode *d, slice text, slice tag)
{
    struct event *ev = batch_add(d->batch);
    if (ev != NULL) codec_fail(d, ev, text, tag);
    return ev;
}

struct event *codec_refuse(struct decode *d, struct event *ev, slice text, slice tag)
{
    if (ev == NULL) return codec_failure(d, text, tag);
    codec_fail(d, ev, text, tag);
    return ev;
}

bool codec_value_event(struct batch *b, const struct fieldref *target, const struct value *val,
                       struct event **ev)
{
    bool nil = val->type == VALUE_NIL;
    *ev = NULL;
    if (target == NULL && !nil && val->type != VALUE_MAP) return false;
    *ev = batch_add(b);
    if (*ev == NULL) return true;
    if (target == NULL) {
        event_adopt(b, *ev, nil ? (struct map){0} : *val->u.map);
        return true;
    }
    event_add_version(b, *ev);
    return event_put(b, *ev, target, *val) == ERR_OK;
}

struct event *codec_event(struct batch *b, const struct fieldref *target, struct map data)
{
    struct event *ev = batch_add(b);
    if (ev == NULL) return NULL;
    if (target == NULL) {
        event_adopt(b, ev, data);
        return ev;
    }
    struct map *inner = map_new(&b->arena);
    *inner = data;
    event_add_version(b, ev);
    err e = event_put(b, ev, target, value_map(inner));
    (void)e; /* A fresh event has nothing in the way; tags take no map and stay away. */
    return ev;
}
