/* java_text_test.c - events and values in the spelling of Java. */
#include "engine/plan/java_text.h"
#include "tests/unit/rig.h"

static void put(struct batch *b, struct event *ev, const char *field, struct value val)
{
    struct fieldref ref;
    assert_int_equal(fieldref_parse(&ref, slice_from_cstr(field), &b->arena), ERR_OK);
    assert_int_equal(event_put(b, ev, &ref, val), ERR_OK);
}

static void expect(struct batch *b, struct event *ev, const char *want)
{
    struct buf out = {0};
    java_text_event(b, ev, &out);
    assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
    buf_fini(&out);
}

static void test_event(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct batch *b = &t.b;
    struct event *ev = batch_add(b);
    struct value list[3] = {value_string(SLICE("x")), value_int(5), value_nil()};
    ev->time = value_time(500000000);
    expect(b, ev, "1970-01-01T00:00:00.500Z %{host} %{message}");
    put(b, ev, "message", value_list(list, 3));
    put(b, ev, "[host][name]", value_string(SLICE("h")));
    put(b, ev, "[host][up]", value_bool(true));
    expect(b, ev, "1970-01-01T00:00:00.500Z {name=h, up=true} [x, 5, null]");
    ev->time = value_nil();
    put(b, ev, "host", value_nil());
    put(b, ev, "message", value_float(1.5));
    expect(b, ev, "%{host} 1.5");
    bench_batch_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_event)};
    return T_RUN(tests);
}
