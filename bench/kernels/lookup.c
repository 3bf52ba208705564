/*
 * lookup.c - the filters that look things up: geoip and useragent, known and new. Making the events
 * is not measured. Run it from the source folder.
 */
#include <stdio.h>
#include <string.h>

#include "bench/harness/harness.h"
#include "bench/harness/plan_rig.h"
#include "engine/base/assert.h"
#include "engine/registry.h"

#define EVENTS 1024u

struct looking {
    struct plan_rig rig;
    const char *format; /* its # becomes a number below `kinds` */
    uint32_t kinds, at;
};

static void events_make(void *opaque)
{
    struct looking *l = opaque;
    struct batch *b = &l->rig.batch;
    const char *mark = strchr(l->format, '#');
    char text[512];
    batch_reset(b);
    struct key key = key_make(&b->arena, SLICE("x"));
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct event *ev = batch_add(b);
        uint32_t number = (uint32_t)(l->at++ * 7919ull % l->kinds);
        int n = snprintf(text, sizeof(text), "%.*s%u%s", (int)(mark - l->format), l->format, number,
                         mark + 1);
        map_append(&ev->data, &b->arena, key,
                   value_string(arena_copy(&b->arena, slice_make(text, (size_t)n))));
    }
}

static uint64_t step(void *opaque)
{
    struct looking *l = opaque;
    plan_rig_step(&l->rig);
    return l->rig.batch.n;
}

static void measure(const char *name, const char *config, const char *format, uint32_t kinds)
{
    if (!bench_wanted(name)) return;
    struct looking l = {.format = format, .kinds = kinds};
    plan_rig_init(&l.rig, &plugin_registry, config);
    bench_run(&(struct bench_case){
        .name = name, .body = step, .prepare = events_make, .opaque = &l, .events = EVENTS});
    plan_rig_fini(&l.rig);
}

#define CHROME                                                                                     \
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "            \
    "Chrome/#.0.6099.71 Safari/537.36"
#define ANDROID                                                                                    \
    "Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "            \
    "Chrome/#.0.6099.43 Mobile Safari/537.36"
#define CITY "database => 'tests/spec/geoip/city.mmdb'"

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "lookup");
    static const struct {
        const char *name, *config, *format;
        uint32_t kinds;
    } cases[] = {
        {"geoip, known", "filter { geoip { source => 'x' target => 'g' " CITY " } }", "192.0.2.#",
         100},
        {"geoip, known, no ECS",
         "filter { geoip { source => 'x' ecs_compatibility => disabled " CITY " } }", "192.0.2.#",
         100},
        {"geoip, new", "filter { geoip { source => 'x' target => 'g' " CITY " } }", "2001:db8:a::#",
         9999},
        {"useragent, known", "filter { useragent { source => 'x' } }", CHROME, 100},
        {"useragent, known, no ECS",
         "filter { useragent { source => 'x' target => 'u' ecs_compatibility => disabled } }",
         CHROME, 100},
        {"useragent, known, no ECS, no target",
         "filter { useragent { source => 'x' ecs_compatibility => disabled } }", CHROME, 100},
        {"useragent, new desktop", "filter { useragent { source => 'x' } }", CHROME, 1u << 30},
        {"useragent, new phone", "filter { useragent { source => 'x' } }", ANDROID, 1u << 30},
        {"useragent, new robot", "filter { useragent { source => 'x' } }",
         "Mozilla/5.0 (compatible; AcmeBot/#; +https://acme.example/bot.html)", 1u << 30},
        {"useragent, new tool", "filter { useragent { source => 'x' } }", "curl/#.4.0", 1u << 30},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        measure(cases[i].name, cases[i].config, cases[i].format, cases[i].kinds);
    return bench_end();
}
