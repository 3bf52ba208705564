/* json_out_test.c - the monitoring API's JSON: commas, indentation, sums of several shards. */
#include "engine/app/json_out.h"

#include "tests/unit/t.h"

static void writes(void **state)
{
    (void)state;
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_open(&j, NULL);
    json_cstr(&j, "text", "a\"b");
    json_cstr(&j, "none", NULL);
    json_array(&j, "list");
    json_int(&j, NULL, -1);
    json_float(&j, NULL, 0.5);
    json_bool(&j, NULL, true);
    json_array_end(&j);
    json_open(&j, "empty");
    json_close(&j);
    json_raw_pairs(&j, SLICE(",\"more\":1"));
    json_time(&j, "at", 1500);
    json_time(&j, "never", 0);
    json_close(&j);
    assert_slice_equal(
        buf_slice(&out),
        SLICE("{\"text\":\"a\\\"b\",\"none\":null,\"list\":[-1,0.5,true],\"empty\":{}"
              ",\"more\":1,\"at\":\"1970-01-01T00:00:00.000Z\",\"never\":null}"));
    buf_fini(&out);
}

static void indents(void **state)
{
    (void)state;
    struct buf out = {0};
    json_pretty(SLICE("{\"a\":[1,{\"b\":\"{,:\\\"}\"}],\"c\":{},\"d\":[]}"), &out);
    assert_slice_equal(
        buf_slice(&out),
        SLICE("{\n  \"a\": [\n    1,\n    {\n      \"b\": \"{,:\\\"}\"\n    }\n  ],\n"
              "  \"c\": {},\n  \"d\": []\n}\n"));
    buf_fini(&out);
}

static void add(const char *a, const char *b, const char *want)
{
    struct buf sum = {0};
    json_add_numbers(&sum, slice_from_cstr(a));
    json_add_numbers(&sum, slice_from_cstr(b));
    assert_slice_equal(buf_slice(&sum), slice_from_cstr(want));
    buf_fini(&sum);
}

static void adds_numbers(void **state)
{
    (void)state;
    add(",\"a\":1,\"b\":{\"c\":99}", ",\"a\":2,\"b\":{\"c\":1}", ",\"a\":3,\"b\":{\"c\":100}");
    add(",\"k1\":1", ",\"k1\":1", ",\"k1\":2");
    /* What does not agree, or is no whole number, stays as the first shard said. */
    add(",\"a\":1,\"b\":2", ",\"a\":1", ",\"a\":1,\"b\":2");
    add(",\"a\":1.5", ",\"a\":1.5", ",\"a\":1.5");
    add(",\"a\":\"x\"", ",\"a\":\"y\"", ",\"a\":\"x\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes),
        cmocka_unit_test(indents),
        cmocka_unit_test(adds_numbers),
    };
    return T_RUN(tests);
}
