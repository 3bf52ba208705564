/*
 * json.c - ns per event of the JSON kernels, for every CPU level of the machine.
 *
 * Synthetic NDJSON of about 350 bytes an event, 256 KiB a batch, as one shard would see it. The
 * best of many rounds is printed, because the machine is shared. Arguments: a level, and a part of
 * the names of the benches wanted.
 */
#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/prng.h"
#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"
#include "parsers/json/json_index.h"
#include "parsers/json/json_write.h"
#include "parsers/scan/newline.h"
#include "parsers/scan/utf8_scan.h"

#define ROUNDS 400
#define BATCH_BYTES (256u * 1024)

static struct page_pool pool;
static struct batch batch;
static struct json_reader reader;
static struct buf lines, accents, out;
static uint32_t lines_n;

static void add_event(struct buf *to, struct prng *r, const char *word)
{
    static const char *const verb[] = {"GET", "POST", "PUT", "HEAD"};
    static const char *const level[] = {"info", "warn", "error", "debug"};
    buf_printf(
        to,
        "{\"time\":\"2024-03-05T06:%02u:%02u.%03uZ\",\"level\":\"%s\",\"service\":\"checkout-%u\","
        "\"host\":\"web-%02u.example.net\",\"method\":\"%s\",\"path\":\"/api/v1/orders/%u\","
        "\"status\":%u,\"bytes\":%u,\"duration_ms\":%u.%03u,\"client\":\"10.%u.%u.%u\","
        "\"user_id\":%u,\"ok\":%s,\"trace\":\"%016llx%016llx\",\"message\":\"%s %u done\"}\n",
        (unsigned)prng_below(r, 60), (unsigned)prng_below(r, 60), (unsigned)prng_below(r, 1000),
        level[prng_below(r, 4)], (unsigned)prng_below(r, 20), (unsigned)prng_below(r, 100),
        verb[prng_below(r, 4)], (unsigned)prng_below(r, 1000000),
        (unsigned)(200 + prng_below(r, 300)), (unsigned)prng_below(r, 100000),
        (unsigned)prng_below(r, 1000), (unsigned)prng_below(r, 1000), (unsigned)prng_below(r, 256),
        (unsigned)prng_below(r, 256), (unsigned)prng_below(r, 256),
        (unsigned)prng_below(r, 1000000), prng_below(r, 2) ? "true" : "false",
        (unsigned long long)prng_next(r), (unsigned long long)prng_next(r), word,
        (unsigned)prng_below(r, 100000));
}

static void make_lines(struct buf *to, const char *word)
{
    struct prng r;
    prng_seed(&r, 42);
    lines_n = 0;
    to->n = 0;
    for (; to->n < BATCH_BYTES; lines_n++) add_event(to, &r, word);
    buf_room(to, JSON_PAD);
}

static void bench_scan_newline(void)
{
    static uint32_t at[4096 + NEWLINE_SLACK];
    slice s = buf_slice(&lines);
    for (uint32_t from = 0; from < s.n;) newline_collect(s, from, at, 4096, &from);
}
static void bench_scan_utf8(void)
{
    if (!utf8_scan_valid(buf_slice(&lines))) puts("invalid?");
}
static void bench_scan_utf8_accents(void)
{
    if (!utf8_scan_valid(buf_slice(&accents))) puts("invalid?");
}

static void bench_index(void)
{
    static uint8_t token[JSON_WINDOW_BYTES + JSON_INDEX_SLACK];
    static uint32_t position[JSON_WINDOW_BYTES + JSON_INDEX_SLACK];
    struct json_scan scan = {0};
    for (uint32_t from = 0; from < lines.n;) {
        struct json_index index = {token, position, 0};
        uint32_t to = (uint32_t)lines.n - from;
        to = to > JSON_WINDOW_BYTES ? from + JSON_WINDOW_BYTES : from + to;
        from = json_index(lines.data, from, to, true, &scan, &index);
    }
}

static void decode(const struct buf *text, bool adopt)
{
    struct json_line line;
    batch_reset(&batch);
    json_lines_begin(&reader, buf_slice(text), JSON_FIRST, &batch.arena);
    while (json_lines_next(&reader, &line)) {
        if (line.status != JSON_OK) puts(json_status_text(line.status));
        struct event *ev = batch_add(&batch);
        if (adopt)
            event_adopt(&batch, ev, *line.value.u.map);
        else
            ev->data = *line.value.u.map;
    }
}
static void bench_decode(void)
{
    decode(&lines, false);
}
static void bench_decode_accents(void)
{
    decode(&accents, false);
}
static void bench_decode_adopt(void)
{
    decode(&lines, true);
}

static uint32_t all[BATCH_EVENTS_MAX];
static struct time_iso_cache cache;

static void bench_write(void)
{
    out.n = 0;
    struct sel sel = {.at = all, .n = batch.n};
    json_write_events(&out, &batch, &sel, SLICE("{\"create\":{}}\n"), SLICE("\n"), &cache);
}

/* As grok or syslog leave them: constant keys, plain strings that lie where they were cut. */
static void make_plain(void)
{
    static struct key keys[64];
    for (uint32_t i = 0; i < batch.n; i++) {
        struct event *ev = &batch.event[i];
        struct map *map = &ev->data;
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

static const char *wanted = "";

static void run(const char *name, void body(void))
{
    if (strstr(name, wanted) == NULL) return;
    int64_t best = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t begin = clock_mono_ns();
        body();
        int64_t took = clock_mono_ns() - begin;
        if (took < best) best = took;
    }
    double per_event = (double)best / lines_n;
    printf("  %-28s %7.1f ns/event  %6.2f GB/s\n", name, per_event, (double)lines.n / (double)best);
}

int main(int argc, char **argv)
{
    if (argc > 2) wanted = argv[2];
    enum cpu_level top = cpu_init();
    page_pool_init(&pool, 1u << 30);
    batch_init(&batch, &pool);
    json_reader_init(&reader);
    make_lines(&accents, "commande pay\xc3\xa9"
                         "e \xe2\x82\xac");
    make_lines(&lines, "order shipped");
    for (uint32_t i = 0; i < BATCH_EVENTS_MAX; i++) all[i] = i;
    printf("%u events of %zu bytes\n", lines_n, lines.n / lines_n);
    for (int level = CPU_SCALAR; level <= (int)top; level++) {
        if (argc > 1 && strcmp(argv[1], cpu_level_name((enum cpu_level)level)) != 0) continue;
        parsers_init((enum cpu_level)level);
        decode(&lines, false);
        printf("%s\n", cpu_level_name((enum cpu_level)level));
        run("newline", bench_scan_newline);
        run("utf8, ASCII", bench_scan_utf8);
        run("utf8, some accents", bench_scan_utf8_accents);
        run("decode: index only", bench_index);
        run("decode", bench_decode);
        run("decode, some accents", bench_decode_accents);
        run("decode + adopt", bench_decode_adopt);
        run("encode untouched", bench_write);
        make_plain();
        run("encode 14 plain strings", bench_write);
    }
    batch_fini(&batch);
    json_reader_fini(&reader);
    page_pool_fini(&pool);
    buf_fini(&lines);
    buf_fini(&accents);
    buf_fini(&out);
    return 0;
}
