/*
 * json.c - the JSON decoder's two passes, and events from it written again.
 *
 * About 750 lines of 350 bytes a round, as one shard would see them in a batch. "index" is the
 * first pass alone, "index and walk" both; what the walk takes is the difference.
 */
#include "bench/harness/harness.h"
#include "bench/harness/lines.h"
#include "engine/base/assert.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"
#include "parsers/json/json_index.h"
#include "parsers/json/json_write.h"

static struct page_pool pool;
static struct batch batch;
static struct json_reader reader;
static struct lines lines;
static struct buf out;

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
    batch_fini(&batch);
    json_reader_fini(&reader);
    page_pool_fini(&pool);
    lines_fini(&lines);
    buf_fini(&out);
    return bench_end();
}
