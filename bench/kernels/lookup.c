/*
 * lookup.c - ns an event in the filters that look things up: geoip and useragent, known and new.
 *
 * Prints one line a case: the best of several rounds over batches of 1024 events. What it takes to
 * make the events is measured without a filter and taken off. Run it from the source folder.
 */
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/plan/plan.h"
#include "engine/registry.h"
#include "parsers/init.h"

#define EVENTS 1024u
#define ROUNDS 300u

struct fixture {
    struct plan *plan;
    struct plan_state *state;
    struct page_pool pool;
    struct batch batch;
};

static void setup(struct fixture *f, const char *config)
{
    static struct heap heap, settings_heap;
    static struct diag diag;
    *f = (struct fixture){0};
    heap = settings_heap = (struct heap){0};
    struct ast *ast = heap_alloc(&heap, sizeof(*ast));
    struct process_settings *settings = process_settings_new(&settings_heap);
    const struct source *source = source_new(&heap, SLICE("bench"), slice_from_cstr(config));
    err e = process_settings_finish(settings, &diag);
    if (e == ERR_OK) e = ast_parse(source, (struct ast_options){0}, &heap, &diag, ast);
    if (e == ERR_OK) f->plan = plan_compile(ast, &heap, &diag, &plugin_registry, settings, NULL);
    if (f->plan == NULL) diag_print_file(&diag, stderr);
    ASSERT(f->plan != NULL);
    f->state = plan_state_new(f->plan, NULL, NULL);
    page_pool_init(&f->pool, SIZE_MAX);
    batch_init(&f->batch, &f->pool);
}

static void teardown(struct fixture *f)
{
    batch_fini(&f->batch);
    plan_state_free(f->state);
    plan_free(f->plan);
}

/* One batch; the # of the text becomes a number below `kinds`. */
static int64_t batch_run(struct fixture *f, const char *format, uint32_t kinds, uint32_t *at)
{
    struct arena *arena = &f->batch.arena;
    struct key key = key_make(arena, SLICE("x"));
    const char *mark = strchr(format, '#');
    char text[512];
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct event *ev = batch_add(&f->batch);
        uint32_t number = (uint32_t)((*at)++ * 7919ull % kinds);
        int n = snprintf(text, sizeof(text), "%.*s%u%s", (int)(mark - format), format, number,
                         mark + 1);
        map_append(&ev->data, arena, key,
                   value_string(arena_copy(arena, slice_make(text, (size_t)n))));
    }
    struct plan_run run;
    int64_t from_ns = clock_mono_ns();
    plan_run_init(&run, f->state, &f->batch);
    ASSERT(plan_step(&run) == STEP_DONE);
    int64_t ns = clock_mono_ns() - from_ns;
    batch_reset(&f->batch);
    return ns;
}

static double bench(const char *config, const char *format, uint32_t kinds, double empty_ns)
{
    struct fixture f;
    int64_t best_ns = INT64_MAX;
    uint32_t at = 0;
    setup(&f, config);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        int64_t ns = batch_run(&f, format, kinds, &at);
        if (ns < best_ns) best_ns = ns;
    }
    teardown(&f);
    return (double)best_ns / EVENTS - empty_ns;
}

#define CHROME                                                                                     \
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "            \
    "Chrome/#.0.6099.71 Safari/537.36"
#define ANDROID                                                                                    \
    "Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "            \
    "Chrome/#.0.6099.43 Mobile Safari/537.36"
#define CITY "database => 'tests/spec/geoip/city.mmdb'"

int main(void)
{
    parsers_init(cpu_init());
    double none = bench("filter { }", "192.0.2.#", 100, 0);
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
        printf("%-44s %9.1f ns\n", cases[i].name,
               bench(cases[i].config, cases[i].format, cases[i].kinds, none));
    return 0;
}
