/* json_event_test.c - what becomes of the reserved fields of a decoded map. */
#include "tests/unit/t.h"

#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"
#include "parsers/json/json_write.h"

static struct page_pool pool;
static struct batch batch;
static struct json_reader reader;

static int setup(void **state)
{
    (void)state;
    parsers_init(cpu_init());
    event_adopt_zone(tz_utc());
    page_pool_init(&pool, 1u << 30);
    batch_init(&batch, &pool);
    batch.now_ns = 0;
    json_reader_init(&reader);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    json_reader_fini(&reader);
    batch_fini(&batch);
    page_pool_fini(&pool);
    return 0;
}

static struct event *adopt(const char *text)
{
    struct value v;
    int64_t used = json_decode_copy(&reader, slice_from_cstr(text), JSON_WHOLE, &batch.arena, &v);
    assert_true(used > 0 && v.type == VALUE_MAP);
    struct event *ev = batch_add(&batch);
    event_adopt(&batch, ev, *v.u.map);
    return ev;
}

static void expect(const char *text, const char *want)
{
    struct event *ev = adopt(text);
    struct buf out = {0};
    struct time_iso_cache cache = {0};
    json_write_event(&out, ev, &cache);
    assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
    buf_fini(&out);
    batch_reset(&batch);
}

#define NOW "\"@timestamp\":\"1970-01-01T00:00:00.000Z\""
#define VERSION "\"@version\":\"1\""

static void test_plain(void **state)
{
    (void)state;
    expect("{}", "{" NOW "," VERSION "}");
    expect("{\"a\":1}", "{" NOW ",\"a\":1," VERSION "}");
    expect("{\"@version\":\"2\",\"a\":1}", "{" NOW ",\"@version\":\"2\",\"a\":1}");
    expect("{\"tags\":\"x\"}", "{" NOW ",\"tags\":\"x\"," VERSION "}");
    expect("{\"tags\":[\"x\",\"y\\n\"]}", "{" NOW ",\"tags\":[\"x\",\"y\\n\"]," VERSION "}");
    expect("{\"tags\":null}", "{" NOW ",\"tags\":null," VERSION "}");
}

static void test_timestamp(void **state)
{
    (void)state;
#define TIME(t) "{\"@timestamp\":\"" t "\"," VERSION "}"
    expect("{\"@timestamp\":\"2024-03-05T06:07:08.123Z\"}", TIME("2024-03-05T06:07:08.123Z"));
    expect("{\"@timestamp\":\"2024-03-05T06:07:08.123456789+01:00\"}",
           TIME("2024-03-05T05:07:08.123456789Z"));
    expect("{\"@timestamp\":\"2024-03-05\\u005406:07:08\"}", TIME("2024-03-05T06:07:08.000Z"));
    expect("{\"@timestamp\":null}", TIME("1970-01-01T00:00:00.000Z"));
    expect("{\"@timestamp\":1709618767,\"a\":1}",
           "{" NOW
           ",\"a\":1,\"tags\":[\"_timestampparsefailure\"],\"_@timestamp\":1709618767," VERSION
           "}");
    expect("{\"@timestamp\":\"x\",\"tags\":\"t\"}",
           "{" NOW ",\"tags\":[\"t\",\"_timestampparsefailure\"],\"_@timestamp\":\"x\"," VERSION
           "}");
}

static void test_tags(void **state)
{
    (void)state;
    expect("{\"tags\":{\"a\":1}}",
           "{" NOW ",\"_tags\":[{\"a\":1}],\"tags\":[\"_tagsparsefailure\"]," VERSION "}");
    expect("{\"tags\":7,\"@timestamp\":7}",
           "{" NOW ",\"_tags\":[7],\"tags\":[\"_tagsparsefailure\",\"_timestampparsefailure\"],"
           "\"_@timestamp\":7," VERSION "}");
    expect("{\"tags\":[\"a\",1]}",
           "{" NOW ",\"_tags\":[[\"a\",1]],\"tags\":[\"_tagsparsefailure\"]," VERSION "}");
}

static void test_metadata(void **state)
{
    (void)state;
    struct event *ev = adopt("{\"a\":1,\"@metadata\":{\"beat\":\"x\",\"n\":1},\"b\":2}");
    assert_int_equal(ev->meta.n, 2);
    assert_int_equal(ev->data.n, 3);
    slice beat = SLICE("beat");
    struct member *m = map_find(&ev->meta, beat, hash_key(beat.p, beat.n));
    assert_non_null(m);
    assert_slice_equal(value_slice(&m->val), SLICE("x"));
    expect("{\"@metadata\":{\"a\":1}}", "{" NOW "," VERSION "}");
    expect("{\"@metadata\":\"no map\"}", "{" NOW "," VERSION "}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain), cmocka_unit_test(test_timestamp), cmocka_unit_test(test_tags),
        cmocka_unit_test(test_metadata)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
