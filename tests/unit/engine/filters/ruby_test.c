/* ruby_test.c - scripts that crash, hang, flood or lie; maps that end; a machine without Ruby. */
#include "tests/unit/plan_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/plan/filter_kit.h"
#include "parsers/init.h"

static int64_t number(struct fixture *f, struct event *ev, const char *name)
{
    struct value *v = event_get_named(&f->batch, ev, slice_from_cstr(name));
    assert_non_null(v);
    assert_int_equal(v->type, VALUE_INT);
    return v->u.num;
}

/* One event with `message`, then one more: the first batch fails, the next does not. */
static void fails_once(struct fixture *f, const char *message, const char *want_stats)
{
    struct event *bad = fixture_add(f, slice_from_cstr(message)),
                 *beside = fixture_add(f, SLICE("fine"));
    fixture_run(f);
    assert_true(event_has_tag(&f->batch, bad, SLICE("_rubyexception")));
    assert_true(event_has_tag(&f->batch, beside, SLICE("_rubyexception")));
    assert_int_equal(f->run.sel.n, 2);
    batch_reset(&f->batch);
    struct event *good = fixture_add(f, SLICE("fine"));
    fixture_run(f);
    assert_false(event_has_tag(&f->batch, good, SLICE("_rubyexception")));
    assert_int_equal(number(f, good, "n"), 1); /* a new process: what it had kept is gone */
    batch_reset(&f->batch);
    fixture_stats(f, 0, want_stats);
}

/* On a busy machine all but the endless ones take their time, too. */
#define SCRIPT(batch_timeout_s)                                                                    \
    "filter { ruby { batch_timeout => " batch_timeout_s " init => '$n = 0' code => '"              \
    "  case event.get(\"message\")"                                                                \
    "  when \"crash\" then Process.kill(\"KILL\", Process.pid); sleep 5\n"                         \
    "  when \"leave\" then exit!(0)\n"                                                             \
    "  when \"hang\" then loop {}\n"                                                               \
    "  when \"sleep\" then sleep 60\n"                                                             \
    "  when \"lie\" then"                                                                          \
    "    IO.for_fd(3, \"r+b\", autoclose: false).syswrite([0, 0, 90, 7].pack(\"L<2Q<2\"))\n"       \
    "  when \"nonsense\" then Spate::Reply.define_singleton_method(:change) { |out, *| out << "    \
    "0xff "                                                                                        \
    "}\n"                                                                                          \
    "  when \"flood\" then event.set(\"big\", \"x\" * 70_000_000)\n"                               \
    "  when \"huge\" then Spate::Driver::Loop.define_method(:logs) { |out| out << \"x\" * "        \
    "150_000_000 }\n"                                                                              \
    "  end\n"                                                                                      \
    "  event.set(\"n\", $n += 1)' } }"

static void test_crash(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(&f, SCRIPT("20"));
    fails_once(&f, "crash", ",\"failures\":2,\"refused\":0,\"crashes\":1,\"timeouts\":0");
    fails_once(&f, "leave", ",\"failures\":4,\"refused\":0,\"crashes\":2,\"timeouts\":0");
    fails_once(&f, "huge", ",\"failures\":6,\"refused\":0,\"crashes\":3,\"timeouts\":0");
    fixture_teardown(&f);
}

static void test_hang(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(&f, SCRIPT("1"));
    fails_once(&f, "hang", ",\"failures\":2,\"refused\":0,\"crashes\":0,\"timeouts\":1");
    fails_once(&f, "sleep", ",\"failures\":4,\"refused\":0,\"crashes\":0,\"timeouts\":2");
    fixture_teardown(&f);
}

static void test_lie(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(&f, SCRIPT("20"));
    fails_once(&f, "lie", ",\"failures\":2,\"refused\":0,\"crashes\":1,\"timeouts\":0");
    fails_once(&f, "nonsense", ",\"failures\":4,\"refused\":0,\"crashes\":1,\"timeouts\":0");
    fixture_teardown(&f);
}

/* Too much output costs one event its changes, not the batch and not the process. */
static void test_flood(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(&f, SCRIPT("20"));
    struct event *big = fixture_add(&f, SLICE("flood")), *beside = fixture_add(&f, SLICE("fine"));
    fixture_run(&f);
    assert_true(event_has_tag(&f.batch, big, SLICE("_rubyexception")));
    assert_null(event_get_named(&f.batch, big, SLICE("big")));
    assert_false(event_has_tag(&f.batch, beside, SLICE("_rubyexception")));
    assert_int_equal(number(&f, beside, "n"), 2);
    fixture_stats(&f, 0, ",\"failures\":1,\"refused\":0,\"crashes\":0,\"timeouts\":0");
    fixture_teardown(&f);
}

/* More names than are numbered: both sides forget them together. */
static void test_names(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(&f, "filter { ruby { code => 'event.set(\"n\", event.to_hash.keys.size);"
                      " event.set(\"m\", event.get(\"[h][message]\"))' } }");
    for (int round = 0; round < 6; round++) {
        struct event *ev = fixture_add(&f, SLICE("x"));
        struct map *map = map_new(&f.batch.arena);
        for (int i = 0; i < 3000; i++) {
            struct buf name = {0};
            buf_printf(&name, "k%d-%d", round, i);
            slice key = arena_copy(&f.batch.arena, buf_slice(&name));
            buf_fini(&name);
            map_put(&ev->data, &f.batch.arena, key_borrow(key), value_int(i));
            map_put(map, &f.batch.arena, key_borrow(key), value_int(i));
        }
        map_put(map, &f.batch.arena, key_borrow(SLICE("message")), value_int(round));
        map_put(&ev->data, &f.batch.arena, key_borrow(SLICE("h")), value_map(map));
        fixture_run(&f);
        assert_int_equal(number(&f, ev, "n"), 3003);
        assert_int_equal(number(&f, ev, "m"), round);
        batch_reset(&f.batch);
    }
    fixture_teardown(&f);
}

static void test_full(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(
        &f, "filter { ruby { code => '70_000.times { new_event_block.call(event.clone) }' } }");
    fixture_add(&f, SLICE("x"));
    fixture_run(&f);
    assert_int_equal(f.batch.n, BATCH_EVENTS_MAX);
    fixture_stats(&f, 0, ",\"failures\":0,\"refused\":4465,\"crashes\":0,\"timeouts\":0");
    fixture_teardown(&f);
}

static void test_init_fails(void **state)
{
    (void)state;
    struct fixture f;
    fixture_compile(&f,
                    "filter { ruby { code => '' } ruby { init => 'raise \"no\"' code => '' } }");
    assert_non_null(f.plan);
    assert_null(plan_state_new(f.plan, NULL, NULL));
    fixture_release(&f);
}

static void test_no_ruby(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    char *path = slice_dup_cstr(slice_from_cstr(getenv("PATH")));
    setenv("PATH", "/nonexistent", 1);
    fixture_compile(&f, "filter { ruby { code => '' } }");
    setenv("PATH", path, 1);
    free(path);
    assert_null(f.plan);
    diag_print(&f.diag, &text);
    assert_true(slice_find(buf_slice(&text), SLICE("package `ruby`")) >= 0);
    buf_fini(&text);
    fixture_release(&f);
}

static void aggregate_tick(struct fixture *f, bool last)
{
    const struct plan_filter *p = &f->plan->filter[0];
    p->ops->tick(plan_filter_state(f->state, 0), p->cfg, &f->batch, 0, last);
}

static void test_aggregate_end(void **state)
{
    (void)state;
    struct fixture f;
    fixture_setup(
        &f,
        "filter { aggregate { task_id => '%{message}' code => 'map[\"n\"] ||= 0; map[\"n\"] += 1'"
        " push_map_as_event_on_timeout => true timeout => 1 timeout_task_id_field => 'id'"
        " timeout_tags => ['over'] } }");
    fixture_add(&f, SLICE("a"));
    fixture_add(&f, SLICE("a"));
    fixture_run(&f);
    batch_reset(&f.batch);
    usleep(1300000);
    for (int i = 0; i < 5; i++) aggregate_tick(&f, false);
    assert_int_equal(f.batch.n, 1);
    assert_int_equal(number(&f, &f.batch.event[0], "n"), 2);
    assert_true(event_has_tag(&f.batch, &f.batch.event[0], SLICE("over")));
    assert_false(event_has_tag(&f.batch, &f.batch.event[0], SLICE("_aggregatefinalflush")));
    fixture_teardown(&f);
}

/* Maps of a task that is not over survive a restart in their file. */
static void test_aggregate_file(void **state)
{
    (void)state;
    struct fixture f;
    char path[64];
    struct buf config = {0};
    snprintf(path, sizeof(path), "/tmp/spate_maps_%d", (int)getpid());
    buf_printf(&config,
               "filter { aggregate { task_id => '%%{message}' aggregate_maps_path => '%s'"
               " code => 'map[\"n\"] ||= 0; event.set(\"n\", map[\"n\"] += 1)' } }",
               path);
    for (int64_t round = 1; round <= 3; round++) {
        fixture_setup(&f, buf_cstr(&config));
        struct event *ev = fixture_add(&f, SLICE("a"));
        fixture_run(&f);
        assert_int_equal(number(&f, ev, "n"), round);
        fixture_teardown(&f);
    }
    assert_int_equal(unlink(path), 0);
    buf_fini(&config);
}

static void test_aggregate_singly(void **state)
{
    (void)state;
    struct fixture f;
    fixture_compile(&f, "filter { aggregate { task_id => '%{a}' code => '' }"
                        " aggregate { task_id => '%{b}' code => '' } }");
    assert_non_null(f.plan);
    assert_true(f.plan->serial);
    assert_true(f.plan->singly);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_hang),
        cmocka_unit_test(test_lie),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_init_fails),
        cmocka_unit_test(test_no_ruby),
        cmocka_unit_test(test_aggregate_end),
        cmocka_unit_test(test_aggregate_file),
        cmocka_unit_test(test_aggregate_singly),
    };
    parsers_init(cpu_init());
    log_set_level(LOG_FATAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
