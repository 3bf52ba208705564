/*
 * codec_rig.h - one configured codec with a batch, for tests: bytes in, documents out, and back.
 *
 * A document is the event's data as compact JSON without @version, then " @" and its metadata and
 * " #" and its time when they were asked for. One thread.
 */
#ifndef TESTS_UNIT_ENGINE_CODECS_CODEC_RIG_H
#define TESTS_UNIT_ENGINE_CODECS_CODEC_RIG_H
#include "tests/unit/rig.h"

#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"

#define CODEC_RIG_NOW_NS (INT64_C(1709618828) * 1000000000) /* 2024-03-05T06:07:08Z */

struct codec_rig_cfg {
    struct codec codec;
};
static inline err codec_rig_compile(void *cfg, struct compiler *c)
{
    struct codec *codec = &((struct codec_rig_cfg *)cfg)->codec;
    return compile_codec(c, codec, &c->common_input->codec, false);
}
static inline void codec_rig_release(void *cfg)
{
    codec_release(&((struct codec_rig_cfg *)cfg)->codec);
}
static inline err codec_rig_nothing(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}
static inline enum push codec_rig_push(void *state, const void *cfg, struct batch *b,
                                       const struct sel *in)
{
    (void)state, (void)cfg, (void)b, (void)in;
    return PUSH_TAKEN;
}

struct codec_rig {
    struct heap settings_heap;
    struct process_settings *settings;
    struct plan *plan;
    const struct codec *codec;
    void *state;
    struct bench_batch t;
    struct json_reader reader;
    struct buf text;
    bool meta, time;
};

/* The plan of an input with this codec; NULL when it is refused. */
static inline struct plan *codec_rig_plan(struct codec_rig *r, const char *codec, const char *ecs)
{
    static const struct setting none[] = {{0}};
    static const struct input_ops probe = {.name = "probe",
                                           .doc = "A codec.",
                                           .settings = none,
                                           .cfg_size = sizeof(struct codec_rig_cfg),
                                           .compile = codec_rig_compile,
                                           .release = codec_rig_release};
    static const struct output_ops sink = {.name = "sink",
                                           .doc = "Nothing.",
                                           .settings = none,
                                           .compile = codec_rig_nothing,
                                           .push = codec_rig_push};
    static const struct input_ops *const inputs[] = {&probe, NULL};
    static const struct output_ops *const outputs[] = {&sink, NULL};
    struct registry registry = plugin_registry;
    registry.inputs = inputs;
    registry.outputs = outputs;
    parsers_init(cpu_init());
    r->settings = process_settings_new(&r->settings_heap);
    struct diag diag = DIAG_INIT;
    err e = process_settings_set(r->settings, SLICE("pipeline.ecs_compatibility"),
                                 slice_from_cstr(ecs), POS_NONE, &diag);
    ASSERT(e == ERR_OK);
    diag_fini(&diag);
    char config[2048];
    snprintf(config, sizeof(config), "input { probe { codec => %s } } output { sink { } }", codec);
    return rig_compile(r->settings, &registry, config);
}

static inline void codec_rig_init(struct codec_rig *r, const char *codec, const char *ecs)
{
    memset(r, 0, sizeof(*r));
    r->plan = codec_rig_plan(r, codec, ecs);
    assert_non_null(r->plan);
    r->codec = &((const struct codec_rig_cfg *)r->plan->input[0].cfg)->codec;
    r->state = calloc(1, r->codec->ops->state_size + 1);
    if (r->codec->ops->start != NULL)
        assert_int_equal(r->codec->ops->start(r->state, r->codec->cfg), ERR_OK);
    bench_batch_init(&r->t);
    r->t.b.now_ns = CODEC_RIG_NOW_NS;
    json_reader_init(&r->reader);
}

static inline void codec_rig_fini(struct codec_rig *r)
{
    if (r->codec->ops->stop != NULL) r->codec->ops->stop(r->state, r->codec->cfg);
    free(r->state);
    json_reader_fini(&r->reader);
    buf_fini(&r->text);
    bench_batch_fini(&r->t);
    plan_free(r->plan);
    heap_fini(&r->settings_heap);
}

static inline void assert_codec_refused(const char *codec)
{
    struct codec_rig r = {0};
    assert_null(codec_rig_plan(&r, codec, "disabled"));
    heap_fini(&r.settings_heap);
}

static inline void codec_rig_document(struct codec_rig *r, struct event *ev)
{
    map_remove(&ev->data, SLICE("@version"), hash_key("@version", 8));
    struct value data = value_map(&ev->data), meta = value_map(&ev->meta);
    value_json(&data, &r->text);
    if (r->meta) {
        buf_add_cstr(&r->text, " @");
        value_json(&meta, &r->text);
    }
    if (r->time) {
        buf_add_cstr(&r->text, " #");
        value_json(&ev->time, &r->text);
    }
    buf_add_byte(&r->text, '\n');
}

/* Decodes in one call; returns the bytes used and leaves the documents in r->text. */
static inline uint32_t codec_rig_decode(struct codec_rig *r, slice bytes, bool end)
{
    batch_reset(&r->t.b);
    r->t.b.now_ns = CODEC_RIG_NOW_NS;
    char *copy = malloc((size_t)bytes.n + JSON_PAD);
    memset(copy, 0, (size_t)bytes.n + JSON_PAD);
    if (bytes.n > 0) memcpy(copy, bytes.p, bytes.n);
    struct decode d = {.batch = &r->t.b, .events_max = 1000, .end = end};
    uint32_t used = r->codec->ops->decode(r->state, r->codec->cfg, slice_make(copy, bytes.n), &d);
    if (end && used == bytes.n && r->codec->ops->flush != NULL)
        r->codec->ops->flush(r->state, r->codec->cfg, &d);
    memset(copy, 'X', bytes.n); /* Nothing may point into bytes that were not pinned. */
    free(copy);
    r->text.n = 0;
    for (uint32_t i = 0; i < r->t.b.n; i++) codec_rig_document(r, &r->t.b.event[i]);
    return used;
}

#define assert_decodes_slice(r, bytes, want)                                                       \
    do {                                                                                           \
        codec_rig_decode((r), (bytes), true);                                                      \
        t_slice_equal(buf_slice(&(r)->text), slice_from_cstr(want), __FILE__, __LINE__);           \
    } while (0)
/* The bytes of a literal, which may hold NULs. */
#define assert_decodes(r, bytes, want)                                                             \
    assert_decodes_slice(r, slice_make(bytes, sizeof(bytes) - 1), want)

/* What the codec makes of an event; the time is CODEC_RIG_NOW_NS unless the document says more. */
static inline slice codec_rig_encode(struct codec_rig *r, const char *json)
{
    batch_reset(&r->t.b);
    r->t.b.now_ns = CODEC_RIG_NOW_NS;
    struct value val;
    int64_t used =
        json_decode_copy(&r->reader, slice_from_cstr(json), JSON_WHOLE, &r->t.b.arena, &val);
    assert_true(used > 0 && val.type == VALUE_MAP);
    struct event *ev = batch_add(&r->t.b);
    event_adopt(&r->t.b, ev, *val.u.map);
    r->text.n = 0;
    r->codec->ops->encode(r->state, r->codec->cfg, &r->t.b, ev, &r->text);
    return buf_slice(&r->text);
}
#define assert_encodes(r, json, want)                                                              \
    t_slice_equal(codec_rig_encode((r), (json)), slice_from_cstr(want), __FILE__, __LINE__)

#endif
