/* bounds_test.c - what filters do at their named bounds, and the numbers they report. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/log.h"
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

static void setup(struct fixture *f, const char *config)
{
    *f = (struct fixture){0};
    struct ast *ast = heap_alloc(&f->heap, sizeof(*ast));
    struct process_settings *settings = process_settings_new(&f->settings_heap);
    assert_int_equal(process_settings_finish(settings, &f->diag), ERR_OK);
    const struct source *source = source_new(&f->heap, SLICE("test"), slice_from_cstr(config));
    assert_int_equal(ast_parse(source, (struct ast_options){0}, &f->heap, &f->diag, ast), ERR_OK);
    f->plan = plan_compile(ast, &f->heap, &f->diag, &plugin_registry, settings, NULL);
    assert_non_null(f->plan);
    f->state = plan_state_new(f->plan, NULL, NULL);
    page_pool_init(&f->pool, SIZE_MAX);
    batch_init(&f->batch, &f->pool);
}

static void teardown(struct fixture *f)
{
    batch_fini(&f->batch);
    page_pool_fini(&f->pool);
    plan_state_free(f->state);
    plan_free(f->plan);
    diag_fini(&f->diag);
    heap_fini(&f->settings_heap);
}

static struct event *add(struct fixture *f, slice message)
{
    struct event *ev = batch_add(&f->batch);
    map_append(&ev->data, &f->batch.arena, key_make(&f->batch.arena, SLICE("message")),
               value_string(message));
    return ev;
}

static void run(struct fixture *f)
{
    plan_run_init(&f->run, f->state, &f->batch);
    assert_int_equal(plan_step(&f->run), STEP_DONE);
}

static void stats(struct fixture *f, uint32_t filter, const char *want)
{
    struct buf out = {0};
    const struct plan_filter *p = &f->plan->filter[filter];
    p->ops->stats(plan_filter_state(f->state, filter), p->cfg, &out);
    assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
    buf_fini(&out);
}

static void test_kv_pairs(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    setup(&f, "filter { kv { } }");
    for (int i = 0; i < 8192; i++) buf_printf(&text, "k%d=1 ", i);
    struct event *fits = add(&f, arena_copy(&f.batch.arena, buf_slice(&text)));
    buf_add_cstr(&text, "more=1");
    struct event *over = add(&f, buf_slice(&text));
    run(&f);
    assert_false(event_has_tag(&f.batch, fits, SLICE("_kv_filter_error")));
    assert_int_equal(fits->data.n, 8193);
    assert_true(event_has_tag(&f.batch, over, SLICE("_kv_filter_error")));
    stats(&f, 0, ",\"failures\":1,\"timeouts\":0,\"limit_hits\":1");
    teardown(&f);
    buf_fini(&text);
}

static void test_kv_timeout(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    setup(&f, "filter { kv { timeout_millis => 1 tag_on_timeout => 'late' } }");
    while (text.n < 400000) buf_add_cstr(&text, "\\ a b");
    struct event *late = add(&f, buf_slice(&text));
    struct event *fine = add(&f, SLICE("a=1"));
    run(&f);
    assert_true(event_has_tag(&f.batch, late, SLICE("late")));
    assert_false(event_has_tag(&f.batch, fine, SLICE("late")));
    stats(&f, 0, ",\"failures\":0,\"timeouts\":1,\"limit_hits\":0");
    teardown(&f);
    buf_fini(&text);
}

/* Values within values are followed 32 deep, deeper ones stay text. */
static void test_kv_recursion(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    setup(&f, "filter { kv { recursive => true include_brackets => false } }");
    for (int i = 0; i < 100; i++) buf_add_cstr(&text, "k=");
    buf_add_cstr(&text, "end");
    struct event *ev = add(&f, buf_slice(&text));
    run(&f);
    struct value v = value_map(&ev->data);
    uint32_t depth = 0;
    for (; v.type == VALUE_MAP; depth++) {
        struct member *m = map_find(v.u.map, SLICE("k"), hash_key("k", 1));
        assert_non_null(m);
        v = m->val;
    }
    assert_int_equal(depth, 33);
    assert_int_equal(v.type, VALUE_STRING);
    teardown(&f);
    buf_fini(&text);
}

static void test_gsub_output(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    setup(&f, "filter { mutate { gsub => ['message', 'a', '%{big}'] } }");
    while (text.n < 20000) buf_add_byte(&text, 'x');
    char subject[1000];
    memset(subject, 'a', sizeof(subject));
    struct event *ev = add(&f, slice_make(subject, sizeof(subject)));
    map_append(&ev->data, &f.batch.arena, key_make(&f.batch.arena, SLICE("big")),
               value_string(buf_slice(&text)));
    run(&f);
    assert_true(event_has_tag(&f.batch, ev, SLICE("_mutate_error")));
    stats(&f, 0, ",\"failures\":1,\"unconverted\":0");
    teardown(&f);
    buf_fini(&text);
}

static void test_clone_batch(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, "filter { clone { clones => ['a', 'b'] } }");
    for (uint32_t i = 0; i < BATCH_EVENTS_MAX / 2; i++) add(&f, SLICE("m"));
    run(&f);
    assert_int_equal(f.batch.n, BATCH_EVENTS_MAX);
    assert_int_equal(f.run.sel.n, BATCH_EVENTS_MAX);
    stats(&f, 0, ",\"refused\":32768");
    teardown(&f);
}

static void test_drop_share(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, "filter { drop { percentage => 25 } }");
    for (uint32_t i = 0; i < 20000; i++) add(&f, SLICE("m"));
    run(&f);
    /* 15 000 expected, sigma 61: ten of them on each side. */
    assert_in_range(f.run.sel.n, 14390, 15610);
    teardown(&f);
}

static void test_grok_stats(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f,
          "filter { grok { match => { 'message' => ['^%{INT:n}$', '^%{WORD:w}$'] 'o' => 'x' } } }");
    add(&f, SLICE("1"));
    add(&f, SLICE("word"));
    add(&f, SLICE("- -"));
    run(&f);
    stats(&f, 0,
          ",\"matches\":2,\"failures\":1,\"timeouts\":0,\"patterns_per_field\":{\"message\":2,"
          "\"o\":1}");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kv_pairs),     cmocka_unit_test(test_kv_timeout),
        cmocka_unit_test(test_kv_recursion), cmocka_unit_test(test_gsub_output),
        cmocka_unit_test(test_clone_batch),  cmocka_unit_test(test_drop_share),
        cmocka_unit_test(test_grok_stats)};
    log_set_level(LOG_ERROR);
    return T_RUN(tests);
}
