/* bounds_test.c - what filters do at their named bounds, and the numbers they report. */
#include "tests/unit/plan_fixture.h"

#include <stdlib.h>

#include "engine/base/log.h"

static void test_kv_pairs(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    fixture_setup(&f, "filter { kv { } }");
    for (int i = 0; i < 8192; i++) buf_printf(&text, "k%d=1 ", i);
    struct event *fits = fixture_add(&f, arena_copy(&f.batch.arena, buf_slice(&text)));
    buf_add_cstr(&text, "more=1");
    struct event *over = fixture_add(&f, buf_slice(&text));
    fixture_run(&f);
    assert_false(event_has_tag(&f.batch, fits, SLICE("_kv_filter_error")));
    assert_int_equal(fits->data.n, 8193);
    assert_true(event_has_tag(&f.batch, over, SLICE("_kv_filter_error")));
    fixture_stats(&f, 0, ",\"failures\":1,\"timeouts\":0,\"limit_hits\":1");
    fixture_teardown(&f);
    buf_fini(&text);
}

static void test_kv_timeout(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    fixture_setup(&f, "filter { kv { timeout_millis => 1 tag_on_timeout => 'late' } }");
    while (text.n < 400000) buf_add_cstr(&text, "\\ a b");
    struct event *late = fixture_add(&f, buf_slice(&text));
    struct event *fine = fixture_add(&f, SLICE("a=1"));
    fixture_run(&f);
    assert_true(event_has_tag(&f.batch, late, SLICE("late")));
    assert_false(event_has_tag(&f.batch, fine, SLICE("late")));
    fixture_stats(&f, 0, ",\"failures\":0,\"timeouts\":1,\"limit_hits\":0");
    fixture_teardown(&f);
    buf_fini(&text);
}

/* Values within values are followed 32 deep, deeper ones stay text. */
static void test_kv_recursion(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    fixture_setup(&f, "filter { kv { recursive => true include_brackets => false } }");
    for (int i = 0; i < 100; i++) buf_add_cstr(&text, "k=");
    buf_add_cstr(&text, "end");
    struct event *ev = fixture_add(&f, buf_slice(&text));
    fixture_run(&f);
    struct value v = value_map(&ev->data);
    uint32_t depth = 0;
    for (; v.type == VALUE_MAP; depth++) {
        struct member *m = map_find(v.u.map, SLICE("k"), hash_key("k", 1));
        assert_non_null(m);
        v = m->val;
    }
    assert_int_equal(depth, 33);
    assert_int_equal(v.type, VALUE_STRING);
    fixture_teardown(&f);
    buf_fini(&text);
}

static void test_gsub_output(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    fixture_setup(&f, "filter { mutate { gsub => ['message', 'a', '%{big}'] } }");
    while (text.n < 20000) buf_add_byte(&text, 'x');
    char subject[1000];
    memset(subject, 'a', sizeof(subject));
    struct event *ev = fixture_add(&f, slice_make(subject, sizeof(subject)));
    map_append(&ev->data, &f.batch.arena, key_make(&f.batch.arena, SLICE("big")),
               value_string(buf_slice(&text)));
    fixture_run(&f);
    assert_true(event_has_tag(&f.batch, ev, SLICE("_mutate_error")));
    fixture_stats(&f, 0, ",\"failures\":1,\"unconverted\":0");
    fixture_teardown(&f);
    buf_fini(&text);
}

static void test_clone_batch(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(&f, "filter { clone { clones => ['a', 'b'] } }");
    for (uint32_t i = 0; i < BATCH_EVENTS_MAX / 2; i++) fixture_add(&f, SLICE("m"));
    fixture_run(&f);
    assert_int_equal(f.batch.n, BATCH_EVENTS_MAX);
    assert_int_equal(f.run.sel.n, BATCH_EVENTS_MAX);
    fixture_stats(&f, 0, ",\"refused\":32768");
    fixture_teardown(&f);
}

static void test_drop_share(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(&f, "filter { drop { percentage => 25 } }");
    for (uint32_t i = 0; i < 20000; i++) fixture_add(&f, SLICE("m"));
    fixture_run(&f);
    /* 15 000 expected, sigma 61: ten of them on each side. */
    assert_in_range(f.run.sel.n, 14390, 15610);
    fixture_teardown(&f);
}

static void test_grok_stats(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(
        &f,
        "filter { grok { match => { 'message' => ['^%{INT:n}$', '^%{WORD:w}$'] 'o' => 'x' } } }");
    fixture_add(&f, SLICE("1"));
    fixture_add(&f, SLICE("word"));
    fixture_add(&f, SLICE("- -"));
    fixture_run(&f);
    fixture_stats(
        &f, 0,
        ",\"matches\":2,\"failures\":1,\"timeouts\":0,\"patterns_per_field\":{\"message\":2,"
        "\"o\":1}");
    fixture_teardown(&f);
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
