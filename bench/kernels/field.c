/* field.c - fields of an event found, read through references, set and appended. */
#include "bench/harness/harness.h"
#include "engine/base/assert.h"
#include "engine/event/event.h"

#define EVENTS 512u
#define FIELDS 14u

static const char *const names[FIELDS] = {
    "clientip", "ident", "auth",     "timestamp", "verb", "request", "httpversion",
    "response", "bytes", "referrer", "agent",     "host", "port",    "message"};
static struct page_pool pool;
static struct batch batch;
static struct arena keys_arena;
static struct key keys[FIELDS];
static struct fieldref top, nested, absent, deep_new;

static void fill(struct event *ev)
{
    for (uint32_t k = 0; k < FIELDS; k++)
        map_append(&ev->data, &batch.arena, keys[k], value_string(keys[k].name));
    struct map *host = map_new(&batch.arena);
    map_append(host, &batch.arena, keys[0], value_string(SLICE("web-1")));
    map_append(&ev->data, &batch.arena, key_borrow(SLICE("log")), value_map(host));
}

static void events_make(void *opaque)
{
    (void)opaque;
    batch_reset(&batch);
    for (uint32_t i = 0; i < EVENTS; i++) fill(batch_add(&batch));
}

static void events_bare(void *opaque)
{
    (void)opaque;
    batch_reset(&batch);
    for (uint32_t i = 0; i < EVENTS; i++) batch_add(&batch);
}

static uint64_t find(void *opaque)
{
    const struct key *key = opaque;
    uint64_t n = 0;
    for (uint32_t i = 0; i < EVENTS; i++)
        n += map_find(&batch.event[i].data, key->name, key->hash) != NULL;
    return n;
}

static uint64_t get(void *opaque)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < EVENTS; i++) n += event_get(&batch, &batch.event[i], opaque) != NULL;
    return n;
}

static uint64_t put(void *opaque)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < EVENTS; i++)
        n += event_put(&batch, &batch.event[i], opaque, value_int(i)) == ERR_OK;
    return n;
}

static uint64_t append_all(void *opaque)
{
    uint64_t n = 0;
    (void)opaque;
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct map *map = &batch.event[i].data;
        map_reserve(map, &batch.arena, FIELDS);
        for (uint32_t k = 0; k < FIELDS; k++)
            map_append(map, &batch.arena, keys[k], value_string(keys[k].name));
        n += map->n;
    }
    return n;
}

static uint64_t tag(void *opaque)
{
    (void)opaque;
    for (uint32_t i = 0; i < EVENTS; i++)
        event_tag(&batch, &batch.event[i], SLICE("_grokparsefailure"), true);
    return EVENTS;
}

static uint64_t rename_away(void *opaque)
{
    const struct key *key = opaque;
    uint64_t n = 0;
    for (uint32_t i = 0; i < EVENTS; i++)
        n += map_remove(&batch.event[i].data, key->name, key->hash);
    return n;
}

static void ref(struct fieldref *out, const char *text)
{
    err e = fieldref_parse(out, slice_from_cstr(text), &keys_arena);
    ASSERT(e == ERR_OK);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "field");
    page_pool_init(&pool, SIZE_MAX);
    batch_init(&batch, &pool);
    arena_init(&keys_arena, &pool);
    for (uint32_t k = 0; k < FIELDS; k++)
        keys[k] = key_make(&keys_arena, slice_from_cstr(names[k]));
    ref(&top, "agent"), ref(&nested, "[log][clientip]");
    ref(&absent, "nothing"), ref(&deep_new, "[event][dataset]");
    struct bench_case c = {.events = EVENTS, .prepare = events_make};
    c.name = "find the 1st of 15", c.body = find, c.opaque = &keys[0], bench_run(&c);
    c.name = "find the 11th of 15", c.opaque = &keys[10], bench_run(&c);
    c.name = "get a top-level field", c.body = get, c.opaque = &top, bench_run(&c);
    c.name = "get a nested field", c.opaque = &nested, bench_run(&c);
    c.name = "get an absent field", c.opaque = &absent, bench_run(&c);
    c.name = "put over a field", c.body = put, c.opaque = &top, bench_run(&c);
    c.name = "put a new nested field", c.opaque = &deep_new, bench_run(&c);
    c.name = "remove the 1st of 15", c.body = rename_away, c.opaque = &keys[0], bench_run(&c);
    c.name = "add a tag", c.body = tag, bench_run(&c);
    c.name = "append 14 fields", c.body = append_all, c.prepare = events_bare, bench_run(&c);
    arena_fini(&keys_arena);
    batch_fini(&batch);
    page_pool_fini(&pool);
    return bench_end();
}
