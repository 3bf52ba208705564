/*
 * fuzz_plan.h - a plan of filters for fuzz targets, made once, and the check of what it leaves.
 *
 * The target fills fuzz.batch with events and calls fuzz_plan_run. One thread.
 */
#ifndef TESTS_FUZZ_FUZZ_PLAN_H
#define TESTS_FUZZ_FUZZ_PLAN_H
#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/plan/plan.h"
#include "engine/registry.h"
#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_write.h"

struct fuzz_plan {
    struct plan *plan;
    struct plan_state *state;
    struct page_pool pool;
    struct batch batch;
    struct json_reader reader;
    struct time_iso_cache cache;
};

/* Nothing is done when it is made already. */
static inline void fuzz_plan_make(struct fuzz_plan *f, const char *config)
{
    static struct heap heap, settings_heap;
    static struct diag diag;
    if (f->plan != NULL) return;
    parsers_init(cpu_init());
    log_set_level(LOG_FATAL);
    struct ast *ast = heap_alloc(&heap, sizeof(*ast));
    struct process_settings *settings = process_settings_new(&settings_heap);
    const struct source *source = source_new(&heap, SLICE("fuzz"), slice_from_cstr(config));
    err e = process_settings_finish(settings, &diag);
    if (e == ERR_OK) e = ast_parse(source, (struct ast_options){0}, &heap, &diag, ast);
    if (e == ERR_OK) f->plan = plan_compile(ast, &heap, &diag, &plugin_registry, settings, NULL);
    if (f->plan == NULL) diag_print_file(&diag, stderr);
    ASSERT(f->plan != NULL);
    f->state = plan_state_new(f->plan, NULL, NULL);
    page_pool_init(&f->pool, SIZE_MAX);
    batch_init(&f->batch, &f->pool);
    json_reader_init(&f->reader);
}

/* An event of text alone, which the batch's arena has. */
static inline void fuzz_plan_message(struct fuzz_plan *f, struct event *ev, slice text)
{
    map_append(&ev->data, &f->batch.arena, key_make(&f->batch.arena, SLICE("message")),
               value_string(text));
}

/* Filters the batch; what leaves must be JSON that can be read again. */
static inline void fuzz_plan_run(struct fuzz_plan *f, bool must_be_utf8)
{
    struct plan_run run;
    plan_run_init(&run, f->state, &f->batch);
    ASSERT(plan_step(&run) == STEP_DONE);
    for (uint32_t i = 0; i < run.sel.n; i++) {
        struct buf out = {0};
        struct value doc;
        json_write_event(&out, &f->batch.event[run.sel.at[i]], &f->cache);
        int64_t used =
            json_decode_copy(&f->reader, buf_slice(&out), JSON_WHOLE, &f->batch.arena, &doc);
        ASSERT(used >= 0 || used == JSON_DEPTH || used == JSON_MEMBERS);
        ASSERT(!must_be_utf8 || utf8_valid(buf_slice(&out)));
        buf_fini(&out);
    }
    batch_reset(&f->batch);
}

#endif
