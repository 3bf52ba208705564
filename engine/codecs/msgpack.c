/*
 * msgpack.c - MessagePack maps as events.
 *
 * A message is one map; maps of a stream follow each other. A message that is not made of whole
 * maps becomes an event with its bytes as text in `message` and the tag _msgpackparsefailure. One
 * that is a single nil is an event without fields, and a target takes any single value.
 */
#include "parsers/wire/msgpack.h"

#include "engine/base/log.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/text_event.h"

struct msgpack_cfg {
    slice format_text, target_name;
    struct template format;
    struct fieldref target, message;
};

struct msgpack_state {
    struct log_gate gate;
};

static void fail(struct msgpack_state *s, struct decode *d, struct event *ev, slice text,
                 int64_t status)
{
    uint64_t held;
    if (log_gate_open(&s->gate, &held))
        log_warn("codecs.msgpack",
                 "a message is no map of MessagePack: %s (%llu more since the last report)",
                 msgpack_status_text(status), (unsigned long long)held);
    codec_refuse(d, ev, text, SLICE("_msgpackparsefailure"));
}

/* The format is the message of events without one. */
static void message_set(const struct msgpack_cfg *cfg, struct batch *b, struct event *ev)
{
    struct value *old = event_get(b, ev, &cfg->message);
    if (cfg->format_text.p == NULL || (old != NULL && old->type != VALUE_NIL)) return;
    slice text = arena_copy(&b->arena, template_render(&cfg->format, b, ev, NULL));
    err e = event_put(b, ev, &cfg->message, value_string(text));
    (void)e; /* A top-level field has nothing in the way. */
}

/* Bytes of the whole value at the front; 0 to wait for more of a stream. */
static int64_t frame_bytes(slice in, bool end)
{
    int64_t used = msgpack_skip(in);
    return used == MSGPACK_CUT && !end ? 0 : used;
}

static uint32_t decode(void *state, const void *cfg_, slice in, struct decode *d)
{
    const struct msgpack_cfg *cfg = cfg_;
    const struct fieldref *target = cfg->target_name.p == NULL ? NULL : &cfg->target;
    struct batch *b = d->batch;
    uint32_t at = 0;
    while (at < in.n && b->n < d->events_max) {
        slice rest = slice_from(in, at);
        int64_t used = frame_bytes(rest, d->end);
        if (used == 0) break;
        slice frame = decode_keep(d, used < 0 ? rest : slice_part(rest, 0, (uint32_t)used));
        struct value val = value_nil();
        int64_t status = msgpack_decode(frame, &b->arena, &val);
        bool whole = d->end && frame.n == in.n;
        struct event *ev = NULL;
        at += frame.n;
        if (status < 0 || (val.type != VALUE_MAP && !whole) ||
            !codec_value_event(b, target, &val, &ev))
            fail(state, d, ev, frame, status);
        else if (ev != NULL)
            message_set(cfg, b, ev);
    }
    return at;
}

static void encode(void *state, const void *cfg, struct batch *b, struct event *ev, struct buf *out)
{
    (void)state, (void)cfg;
    msgpack_write_event(out, ev, &b->arena);
}

static err compile(void *config, struct compiler *c)
{
    struct msgpack_cfg *cfg = config;
    err e = fieldref_parse(&cfg->message, SLICE("message"), c->arena);
    if (e == ERR_OK) e = compile_field_option(c, &cfg->target, "target", cfg->target_name);
    if (e != ERR_OK || cfg->format_text.p == NULL) return e;
    return compile_template(c, &cfg->format, cfg->format_text, settings_pos(c->plugin, "format"));
}

static void release(void *cfg)
{
    template_fini(&((struct msgpack_cfg *)cfg)->format);
}

static const struct setting msgpack_settings[] = {
    {.name = "format",
     SETTING_AT(struct msgpack_cfg, format_text, STRING),
     .doc = "Decoding: the message of events that have none; may contain %{field}."},
    {.name = "target",
     SETTING_AT(struct msgpack_cfg, target_name, STRING),
     .doc = "Field that receives the map; without it, it becomes the event."},
    {0},
};

const struct codec_ops codec_msgpack = {
    .name = "msgpack",
    .doc = "Maps of MessagePack.",
    .settings = msgpack_settings,
    .cfg_size = sizeof(struct msgpack_cfg),
    .state_size = sizeof(struct msgpack_state),
    .compile = compile,
    .release = release,
    .decode = decode,
    .encode = encode,
};
