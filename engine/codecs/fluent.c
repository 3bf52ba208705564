/*
 * fluent.c - the forward protocol of Fluentd and Fluent Bit.
 *
 * A message is [tag, time, record], [tag, [[time, record], ...]] or [tag, packed entries], with
 * options behind; the tag becomes a tag of the event. Times are seconds, or with
 * nanosecond_precision also EventTime. What cannot be read is an event with the tag
 * _fluentparsefailure and the message, as far as it can be shown, in `message`. A record that is
 * nil, or missing at the end, is one without fields; a target takes any value.
 * Facts: Fluentd's Forward Protocol Specification v1; logstash-codec-fluent. Compressed entries are
 * refused, as they are there.
 */
#include "engine/base/civil.h"
#include "engine/base/log.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/text_event.h"
#include "parsers/wire/msgpack.h"

#define NS_PER_SEC INT64_C(1000000000)
#define EVENT_TIME_EXT 0

struct fluent_cfg {
    bool nanosecond_precision;
    slice target_name;
    struct fieldref target;
};

struct fluent_state {
    struct log_gate gate;
};

/* A message that is being read: what is left of it. */
struct fluent_run {
    const struct fluent_cfg *cfg;
    struct batch *batch;
    slice rest, tag;
    struct event *begun; /* of a record that was refused; NULL: none */
};

/* ---- decoding ----------------------------------------------------------------- */

static bool item_next(slice *rest, struct msgpack_item *out)
{
    int64_t used = msgpack_item_read(*rest, out);
    if (used < 0) return false;
    *rest = slice_from(*rest, (uint32_t)used);
    return true;
}

static bool time_of(const struct fluent_run *r, const struct msgpack_item *item, int64_t *ns)
{
    if (item->type == MSGPACK_INT && !item->beyond)
        return !__builtin_mul_overflow(item->num, NS_PER_SEC, ns);
    if (item->type != MSGPACK_EXT || !r->cfg->nanosecond_precision) return false;
    if (item->ext != EVENT_TIME_EXT || item->bytes.n != 8) return false;
    uint32_t part[2];
    memcpy(part, item->bytes.p, 8);
    *ns = (int64_t)__builtin_bswap32(part[0]) * NS_PER_SEC + __builtin_bswap32(part[1]);
    return true;
}

/* The record at the front of `rest`; `given`: there is one. */
static bool record_event(struct fluent_run *r, slice *rest, const struct msgpack_item *time,
                         bool given)
{
    struct value record = value_nil();
    int64_t ns, used = 0;
    if (!time_of(r, time, &ns)) return false;
    if (given) used = msgpack_decode(*rest, &r->batch->arena, &record);
    if (used < 0) return false;
    *rest = slice_from(*rest, (uint32_t)used);
    const struct fieldref *target = r->cfg->target_name.p == NULL ? NULL : &r->cfg->target;
    struct event *ev;
    if (!codec_value_event(r->batch, target, &record, &ev)) {
        r->begun = ev;
        return false;
    }
    if (ev == NULL) return true;
    ev->time = value_time(ns);
    event_tag(r->batch, ev, r->tag, true);
    return true;
}

/* [time, record], and perhaps more that nobody looks at. */
static bool entry_event(struct fluent_run *r, slice *rest)
{
    struct msgpack_item item, time;
    int64_t used = msgpack_skip(*rest);
    if (used < 0) return false;
    slice entry = slice_part(*rest, 0, (uint32_t)used);
    *rest = slice_from(*rest, (uint32_t)used);
    if (!item_next(&entry, &item) || item.type != MSGPACK_LIST || item.n < 1) return false;
    return item_next(&entry, &time) && record_event(r, &entry, &time, item.n > 1);
}

static bool is_compressed(slice options, struct arena *arena)
{
    struct value val;
    if (msgpack_decode(options, arena, &val) < 0 || val.type != VALUE_MAP) return false;
    struct member *m = map_find(val.u.map, SLICE("compressed"), hash_key("compressed", 10));
    return m != NULL && m->val.type == VALUE_STRING &&
           slice_equal(value_slice(&m->val), SLICE("gzip"));
}

static bool message_events(struct fluent_run *r)
{
    struct msgpack_item head, item;
    struct arena *arena = &r->batch->arena;
    if (!item_next(&r->rest, &head) || head.type != MSGPACK_LIST || head.n < 2) return false;
    struct value tag;
    int64_t used = msgpack_decode(r->rest, arena, &tag);
    if (used < 0 || tag.type != VALUE_STRING) return false;
    r->rest = slice_from(r->rest, (uint32_t)used);
    r->tag = value_slice(&tag);
    if (!item_next(&r->rest, &item)) return false;
    if (item.type == MSGPACK_LIST) {
        for (uint32_t i = 0; i < item.n; i++)
            if (!entry_event(r, &r->rest)) return false;
        return true;
    }
    if (item.type != MSGPACK_STRING) return record_event(r, &r->rest, &item, head.n > 2);
    if (head.n > 2 && is_compressed(r->rest, arena)) return false;
    while (item.bytes.n > 0)
        if (!entry_event(r, &item.bytes)) return false;
    return true;
}

static void fail(struct fluent_state *s, struct decode *d, struct event *begun, slice message)
{
    struct batch *b = d->batch;
    uint64_t held;
    if (log_gate_open(&s->gate, &held))
        log_error("codecs.fluent",
                  "Fluent parse error: the message is in the message field of its event "
                  "(%llu more since the last report)",
                  (unsigned long long)held);
    struct event *ev = codec_refuse(d, begun, message, SLICE("_fluentparsefailure"));
    struct value val;
    if (ev == NULL || msgpack_decode(message, &b->arena, &val) < 0) return;
    map_put(&ev->data, &b->arena, key_borrow(SLICE("message")), val);
}

static uint32_t decode(void *state, const void *cfg, slice in, struct decode *d)
{
    uint32_t at = 0;
    while (at < in.n && d->batch->n < d->events_max) {
        slice rest = slice_from(in, at);
        int64_t used = msgpack_skip(rest);
        if (used == MSGPACK_CUT) return d->end ? in.n : at;
        slice message = decode_keep(d, used < 0 ? rest : slice_part(rest, 0, (uint32_t)used));
        struct fluent_run r = {.cfg = cfg, .batch = d->batch, .rest = message};
        if (used < 0 || !message_events(&r)) fail(state, d, r.begun, message);
        at += message.n;
    }
    return at;
}

/* ---- encoding ----------------------------------------------------------------- */

/* The tags joined by dots, since Fluentd takes one tag only. */
static void tag_write(struct batch *b, struct event *ev, struct buf *out)
{
    struct member *m = map_find(&ev->data, SLICE("tags"), hash_key("tags", 4));
    if (m == NULL || m->val.type == VALUE_NIL) {
        msgpack_write_string(out, SLICE("log"));
        return;
    }
    value_resolve(&m->val, &b->arena);
    b->scratch.n = 0;
    for (uint32_t i = 0; m->val.type == VALUE_LIST && i < m->val.n; i++) {
        if (i > 0) buf_add_byte(&b->scratch, '.');
        value_resolve(&m->val.u.list[i], &b->arena);
        value_text_ruby(&m->val.u.list[i], &b->arena, &b->scratch);
    }
    if (m->val.type != VALUE_LIST) value_text_ruby(&m->val, &b->arena, &b->scratch);
    msgpack_write_string(out, buf_slice(&b->scratch));
}

static void time_write(const struct fluent_cfg *cfg, int64_t ns, struct buf *out)
{
    int64_t seconds = civil_floor_div(ns, NS_PER_SEC);
    if (!cfg->nanosecond_precision) {
        msgpack_write_int(out, seconds);
        return;
    }
    /* Logstash hands over microseconds. */
    int64_t rest_ns = (ns - seconds * NS_PER_SEC) / 1000 * 1000;
    uint32_t part[2] = {__builtin_bswap32((uint32_t)seconds), __builtin_bswap32((uint32_t)rest_ns)};
    buf_add(out, "\xd7\x00", 2);
    buf_add(out, part, 8);
}

static void encode(void *state, const void *cfg, struct batch *b, struct event *ev, struct buf *out)
{
    (void)state;
    bool timed = ev->time.type == VALUE_TIME;
    msgpack_write_list(out, 3);
    tag_write(b, ev, out);
    time_write(cfg, timed ? ev->time.u.time_ns : b->now_ns, out);
    msgpack_write_event(out, ev, &b->arena);
}

static err compile(void *config, struct compiler *c)
{
    struct fluent_cfg *cfg = config;
    return compile_field_option(c, &cfg->target, "target", cfg->target_name);
}

static const struct setting fluent_settings[] = {
    {.name = "nanosecond_precision",
     SETTING_AT(struct fluent_cfg, nanosecond_precision, BOOL),
     .default_text = "false",
     .doc = "Take and write times as EventTime, with nanoseconds."},
    {.name = "target",
     SETTING_AT(struct fluent_cfg, target_name, STRING),
     .doc = "Field that receives the record; without it, it becomes the event."},
    {0},
};

const struct codec_ops codec_fluent = {
    .name = "fluent",
    .doc = "The forward protocol of Fluentd and Fluent Bit.",
    .settings = fluent_settings,
    .cfg_size = sizeof(struct fluent_cfg),
    .state_size = sizeof(struct fluent_state),
    .compile = compile,
    .decode = decode,
    .encode = encode,
};
