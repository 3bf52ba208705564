/*
 * plan_fixture.h - a configuration of filters with a plan, a state and one batch, without a shard.
 *
 * For tests of what filters do with a batch and of the numbers they report. One thread; teardown
 * checks that all memory came back.
 */
#ifndef TESTS_UNIT_PLAN_FIXTURE_H
#define TESTS_UNIT_PLAN_FIXTURE_H
#include "tests/unit/t.h"

#include "engine/plan/plan.h"
#include "engine/registry.h"

struct fixture {
    struct heap heap, settings_heap;
    struct diag diag;
    struct plan *plan;
    struct plan_state *state;
    struct page_pool pool;
    struct batch batch;
    struct plan_run run;
};

/* plan stays NULL when the configuration is refused. */
static inline void fixture_compile(struct fixture *f, const char *config)
{
    *f = (struct fixture){0};
    struct ast *ast = heap_alloc(&f->heap, sizeof(*ast));
    struct process_settings *settings = process_settings_new(&f->settings_heap);
    assert_int_equal(process_settings_finish(settings, &f->diag), ERR_OK);
    const struct source *source = source_new(&f->heap, SLICE("test"), slice_from_cstr(config));
    assert_int_equal(ast_parse(source, (struct ast_options){0}, &f->heap, &f->diag, ast), ERR_OK);
    f->plan = plan_compile(ast, &f->heap, &f->diag, &plugin_registry, settings, NULL);
}

static inline void fixture_setup(struct fixture *f, const char *config)
{
    fixture_compile(f, config);
    assert_non_null(f->plan);
    f->state = plan_state_new(f->plan, NULL, NULL);
    assert_non_null(f->state);
    page_pool_init(&f->pool, SIZE_MAX);
    batch_init(&f->batch, &f->pool);
}

/* After fixture_compile alone. */
static inline void fixture_release(struct fixture *f)
{
    if (f->plan != NULL) plan_free(f->plan);
    diag_fini(&f->diag);
    heap_fini(&f->heap);
    heap_fini(&f->settings_heap);
}

static inline void fixture_teardown(struct fixture *f)
{
    batch_fini(&f->batch);
    page_pool_fini(&f->pool);
    plan_state_free(f->state);
    fixture_release(f);
}

static inline struct event *fixture_add(struct fixture *f, slice message)
{
    struct event *ev = batch_add(&f->batch);
    map_append(&ev->data, &f->batch.arena, key_make(&f->batch.arena, SLICE("message")),
               value_string(message));
    return ev;
}

static inline void fixture_run(struct fixture *f)
{
    plan_run_init(&f->run, f->state, &f->batch);
    assert_int_equal(plan_step(&f->run), STEP_DONE);
}

static inline void fixture_stats(struct fixture *f, uint32_t filter, const char *want)
{
    struct buf out = {0};
    const struct plan_filter *p = &f->plan->filter[filter];
    p->ops->stats(plan_filter_state(f->state, filter), p->cfg, &out);
    assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
    buf_fini(&out);
}

#endif
