/*
 * encode.c - the JSON encoder over events as the syslog input makes them.
 *
 * 125 events of the ECS layout, about 700 bytes each, are written again and again into one buffer
 * that stays in the cache, with the variant of each level of the CPU.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/harness/harness.h"
#include "engine/base/assert.h"
#include "parsers/json/json_layout.h"
#include "parsers/json/json_write.h"

#define EVENTS 125u

/* Keys are made once, as plugins do when they are compiled. */
static struct key key_of(struct batch *b, const char *name)
{
    static struct key known[32];
    static uint32_t n;
    slice text = slice_from_cstr(name);
    for (uint32_t i = 0; i < n; i++)
        if (slice_equal(known[i].name, text)) return known[i];
    ASSERT(n < ARRAY_LEN(known));
    known[n] = key_make(&b->arena, text);
    known[n].flags |= KEY_STATIC;
    return known[n++];
}

static struct map *below(struct batch *b, struct map *map, const char *name)
{
    struct map *child = map_new(&b->arena);
    map_append(map, &b->arena, key_of(b, name), value_map(child));
    return child;
}

static void put(struct batch *b, struct map *map, const char *name, struct value v)
{
    map_append(map, &b->arena, key_of(b, name), v);
}

static void add_event(struct batch *b, const struct value *log, uint32_t i)
{
    char text[400];
    int n = snprintf(text, sizeof(text),
                     "<%u>Nov 21 14:37:%02u fw32-sgp1 postfix/smtpd[%u]: fd42781d3f8bade5: "
                     "client=queue18-ams2.example.net[203.0.113.%u], sasl_method=PLAIN, "
                     "sasl_username=dave@example.net, queue active in %u ms seq=%012u\n",
                     i % 190, i % 60, 1000 + i * 37, i % 255, i * 11, i);
    slice line = arena_copy(&b->arena, slice_make(text, (size_t)n));
    slice message = slice_from(line, (uint32_t)slice_find(line, SLICE(": ")) + 2);
    slice pid = slice_from(line, (uint32_t)slice_find_byte(line, '[') + 1);
    pid.n = (uint32_t)slice_find_byte(pid, ']');
    struct event *ev = batch_add(b);
    ASSERT(ev != NULL);
    put(b, &ev->data, "message", value_string(message));
    event_add_version(b, ev);
    put(b, below(b, &ev->data, "event"), "original", value_string(line));
    put(b, &ev->data, "log", *log);
    struct map *host = below(b, &ev->data, "host");
    put(b, host, "ip", value_clean(SLICE("127.0.0.1")));
    put(b, host, "hostname", value_string(SLICE("fw32-sgp1")));
    struct map *process = below(b, &ev->data, "process");
    put(b, process, "name", value_string(SLICE("postfix/smtpd")));
    put(b, process, "pid",
        (struct value){.type = VALUE_INT, .flags = VALUE_RAW, .n = pid.n, .u.str = pid.p});
    put(b, below(b, &ev->data, "service"), "type", value_string(SLICE("system")));
}

struct encoding {
    struct batch *b;
    struct sel *all;
    struct json_layouts *layouts; /* NULL: each event is walked */
    struct buf out;
};

static uint64_t encode(void *opaque)
{
    struct encoding *e = opaque;
    struct time_iso_cache cache = {0};
    e->out.n = 0;
    for (uint32_t i = 0; i < e->all->n; i++) {
        const struct event *ev = &e->b->event[e->all->at[i]];
        if (e->layouts == NULL)
            json_write_event(&e->out, ev, &cache);
        else
            json_write_laid_out(&e->out, ev, &cache, e->layouts);
    }
    return e->out.n;
}

/* The lines of a web server's log, which have six quotes each, not always in the same places. */
static char line[EVENTS][400];
static uint32_t line_n[EVENTS];

static void lines_make(void)
{
    for (uint32_t i = 0; i < EVENTS; i++)
        line_n[i] =
            (uint32_t)snprintf(line[i], sizeof(line[i]),
                               "203.0.113.%u - - [21/Nov/2026:14:37:%02u +0000] \"GET /%.*s "
                               "HTTP/1.1\" 200 %u \"https://example.net/%.*s\" \"Mozilla/5.0 "
                               "(X11; Linux x86_64; rv:109.0) Gecko/20100101\"",
                               i, i % 60, (int)(i * 7 % 31), "images/apple-touch-icon-152x152.png",
                               i * 997, (int)(i * 11 % 17), "index.html?page=2");
}

static uint64_t encode_lines(void *opaque)
{
    struct buf *out = opaque;
    out->n = 0;
    for (uint32_t i = 0; i < EVENTS; i++) json_write_string(out, slice_make(line[i], line_n[i]));
    return out->n;
}

int main(int argc, char **argv)
{
    struct page_pool pool;
    struct batch b;
    bench_begin(argc, argv, "encode");
    page_pool_init(&pool, SIZE_MAX);
    batch_init(&b, &pool);
    b.now_ns = 1763735855123456789;
    struct map *log = map_new(&b.arena), *syslog = below(&b, log, "syslog");
    put(&b, syslog, "priority", value_int(18));
    put(&b, below(&b, syslog, "severity"), "name", value_string(SLICE("Critical")));
    put(&b, below(&b, syslog, "facility"), "name", value_string(SLICE("local1")));
    struct value shared = value_share(value_map(log), true, &b.arena);
    uint32_t index[EVENTS];
    struct sel all = {index, 0, EVENTS};
    for (uint32_t i = 0; i < EVENTS; i++) {
        add_event(&b, &shared, i);
        sel_add(&all, i);
    }
    struct encoding e = {.b = &b, .all = &all};
    struct bench_case c = {.body = encode, .opaque = &e, .events = EVENTS, .simd = true};
    c.bytes = encode(&e);
    c.name = "each event walked", bench_run(&c);
    e.layouts = json_layouts_new();
    c.name = "known layouts", bench_run(&c);
    lines_make();
    c.body = encode_lines, c.opaque = &e.out, c.bytes = encode_lines(&e.out);
    c.name = "a line with six quotes", bench_run(&c);
    free(e.layouts);
    buf_fini(&e.out);
    batch_fini(&b);
    page_pool_fini(&pool);
    return bench_end();
}
