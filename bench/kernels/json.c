/*
 * json.c - the JSON decoder's two passes, events from it written again, and what the json_lines
 * codec and the beats input make of what they receive.
 *
 * About 750 lines of 350 bytes a round, as one shard would see them in a batch. "index" is the
 * first pass alone, "index and walk" both; what the walk takes is the difference.
 */
#include "bench/harness/harness.h"
#include "bench/harness/input_rig.h"
#include "engine/base/assert.h"
#include "engine/event/blob.h"
#include "engine/inputs/beats_event.h"
#include "engine/plan/json_codec.h"
#include "engine/registry.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"
#include "parsers/json/json_index.h"
#include "parsers/json/json_write.h"

static struct page_pool pool;
static struct batch batch;
static struct json_reader reader;
static struct lines lines;
static struct buf out;
static struct json_codec_cfg codec_cfg;
static struct beats_event_cfg beats_cfg;

static void write_plain(struct prng *r, struct buf *to)
{
    line_json(r, "order shipped", to);
}
static void write_accents(struct prng *r, struct buf *to)
{
    line_json(r,
              "commande pay\xc3\xa9"
              "e \xe2\x82\xac",
              to);
}

static uint64_t index_only(void *opaque)
{
    static uint8_t token[JSON_WINDOW_BYTES + JSON_INDEX_SLACK];
    static uint32_t position[JSON_WINDOW_BYTES + JSON_INDEX_SLACK];
    struct json_scan scan = {0};
    uint64_t n = 0;
    (void)opaque;
    for (uint32_t from = 0; from < lines.text.n;) {
        struct json_index index = {token, position, 0};
        uint32_t left = (uint32_t)lines.text.n - from;
        uint32_t to = left > JSON_WINDOW_BYTES ? from + JSON_WINDOW_BYTES : from + left;
        from = json_index(lines.text.data, from, to, true, &scan, &index);
        n += index.n;
    }
    return n;
}

static uint64_t decode(void *adopt)
{
    struct json_line line;
    batch_reset(&batch);
    json_lines_begin(&reader, buf_slice(&lines.text), JSON_FIRST, &batch.arena);
    while (json_lines_next(&reader, &line)) {
        ASSERT(line.status == JSON_OK);
        struct event *ev = batch_add(&batch);
        if (adopt != NULL)
            event_adopt(&batch, ev, *line.value.u.map);
        else
            ev->data = *line.value.u.map;
    }
    return batch.n;
}

static uint64_t encode(void *opaque)
{
    static uint32_t all[BATCH_EVENTS_MAX];
    static struct time_iso_cache cache;
    struct sel sel = {.at = all, .n = batch.n};
    (void)opaque;
    for (uint32_t i = 0; i < batch.n; i++) all[i] = i;
    out.n = 0;
    json_write_events(&out, &batch, &sel, SLICE("{\"create\":{}}\n"), SLICE("\n"), &cache);
    return out.n;
}

/* As grok or syslog leave them: constant keys, plain strings that lie where they were cut. */
static void make_plain(void)
{
    static struct key keys[64];
    for (uint32_t i = 0; i < batch.n; i++) {
        struct map *map = &batch.event[i].data;
        for (uint32_t k = 0; k < map->n && k < 64; k++) {
            struct member *m = &map->at[k];
            if (i == 0) keys[k] = key_make(&batch.arena, slice_make(m->key, m->key_n));
            m->key = keys[k].name.p;
            m->val.key_flags = keys[k].flags;
            if (m->val.type == VALUE_INT || m->val.type == VALUE_FLOAT) m->val.type = VALUE_STRING;
            m->val.flags = 0;
        }
    }
}

static void run(const char *name, uint64_t (*body)(void *), void *opaque)
{
    bench_run(&(struct bench_case){.name = name,
                                   .body = body,
                                   .opaque = opaque,
                                   .events = lines.n,
                                   .bytes = lines.text.n,
                                   .simd = true});
}

/* As the tcp input does with the whole lines of a pinned buffer. */
static uint64_t lines_to_events(void *state)
{
    struct blob outlives = {.pins = 1};
    struct decode in = {.batch = &batch, .events_max = BATCH_EVENTS_MAX, .blob = &outlives};
    batch_reset(&batch);
    ASSERT(json_codec_lines(state, &codec_cfg, buf_slice(&lines.text), &in) == lines.text.n);
    ASSERT(batch.n == lines.n);
    return batch.n;
}

static uint64_t beats_to_events(void *state)
{
    batch_reset(&batch);
    for (uint32_t i = 0; i < lines.n; i++) {
        beats_event_json(state, &beats_cfg, &batch, lines.line[i]);
        beats_event_tags(&beats_cfg, &batch, i);
    }
    ASSERT(batch.n == lines.n);
    return batch.n;
}

static void run_inputs(void)
{
    static struct input_rig rig;
    static struct json_codec_state codec;
    static struct beats_event_state beats;
    input_rig_init(&rig, &plugin_registry);
    err e = json_codec_compile(&codec_cfg, SLICE("UTF-8"), SLICE_NONE, false, &rig.compiler);
    if (e == ERR_OK) e = json_codec_start(&codec, &codec_cfg);
    if (e == ERR_OK) e = beats_event_compile(&beats_cfg, true, &rig.compiler);
    if (e == ERR_OK) e = beats_event_start(&beats, &beats_cfg);
    ASSERT(e == ERR_OK);
    lines_load(&lines, 750, WORKLOAD_NDJSON, NULL);
    run("NDJSON line to event", lines_to_events, &codec);
    lines_fini(&lines);
    lines_load(&lines, 750, WORKLOAD_BEATS, NULL);
    run("beats event to event", beats_to_events, &beats);
    lines_fini(&lines);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "json");
    page_pool_init(&pool, 1u << 30);
    batch_init(&batch, &pool);
    json_reader_init(&reader);
    lines_make(&lines, 750, write_accents);
    run("index and walk, accents", decode, NULL);
    lines_fini(&lines);
    lines_make(&lines, 750, write_plain);
    run("index", index_only, NULL);
    run("index and walk", decode, NULL);
    run("index, walk, into events", decode, &batch);
    decode(NULL);
    run("write untouched", encode, NULL);
    make_plain();
    run("write 14 plain strings", encode, NULL);
    lines_fini(&lines);
    run_inputs();
    batch_fini(&batch);
    json_reader_fini(&reader);
    page_pool_fini(&pool);
    buf_fini(&out);
    return bench_end();
}
