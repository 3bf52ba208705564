/* avro_test.c - the encodings of the specification, both ways, and what must be refused. */
#include "parsers/wire/avro.h"

#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "tests/unit/t.h"

struct bench {
    struct page_pool pool;
    struct arena arena;
    struct json_reader reader;
    struct avro_schema schema;
    struct avro_error error;
    struct buf out;
};

static void bench_init(struct bench *t)
{
    parsers_init(cpu_init());
    memset(t, 0, sizeof(*t));
    page_pool_init(&t->pool, SIZE_MAX);
    arena_init(&t->arena, &t->pool);
    json_reader_init(&t->reader);
}

static void bench_fini(struct bench *t)
{
    buf_fini(&t->out);
    json_reader_fini(&t->reader);
    arena_fini(&t->arena);
    page_pool_fini(&t->pool);
}

static bool parse(struct bench *t, const char *schema)
{
    size_t n = strlen(schema);
    char *text = arena_alloc(&t->arena, n + JSON_PAD, 1);
    memset(text, 0, n + JSON_PAD);
    memcpy(text, schema, n);
    return avro_schema_parse(&t->schema, slice_make(text, n), &t->arena, &t->error) == ERR_OK;
}

/* The JSON of the datum, or the status as a number. */
static const char *read_text(struct bench *t, slice bytes)
{
    struct value val;
    int64_t used = avro_read(&t->schema, bytes, &t->arena, &val);
    t->out.n = 0;
    if (used == bytes.n)
        value_json(&val, &t->out);
    else
        buf_printf(&t->out, "%lld", (long long)used);
    return buf_cstr(&t->out);
}

static slice written(struct bench *t, const char *json)
{
    struct value val;
    slice misfit;
    int64_t used = json_decode_copy(&t->reader, slice_from_cstr(json), JSON_WHOLE, &t->arena, &val);
    assert_true(used > 0);
    t->out.n = 0;
    if (avro_write(&t->schema, &val, &t->arena, &t->out, &misfit)) return buf_slice(&t->out);
    assert_int_equal(t->out.n, 0);
    buf_printf(&t->out, "misfit %.*s", SLICE_FMT(misfit));
    return buf_slice(&t->out);
}

#define BYTES(lit) slice_make(lit, sizeof(lit) - 1)
#define assert_reads(t, bytes, want) assert_string_equal(read_text((t), BYTES(bytes)), want)
#define assert_writes(t, json, bytes) assert_slice_equal(written((t), (json)), BYTES(bytes))
/* Both ways. */
#define assert_both(t, bytes, json)                                                                \
    do {                                                                                           \
        assert_reads(t, bytes, json);                                                              \
        assert_writes(t, json, bytes);                                                             \
    } while (0)
#define assert_schema(t, schema_text)                                                              \
    do {                                                                                           \
        if (!parse((t), (schema_text))) fail_msg("%s: %s", (schema_text), (t)->error.text);        \
    } while (0)

static void test_primitives(void **unused)
{
    (void)unused;
    struct bench t;
    bench_init(&t);
    assert_schema(&t, "\"null\"");
    assert_both(&t, "", "null");
    assert_schema(&t, "{\"type\":\"boolean\"}");
    assert_both(&t, "\x00", "false");
    assert_both(&t, "\x01", "true");
    assert_schema(&t, " \"long\" ");
    assert_both(&t, "\x00", "0");
    assert_both(&t, "\x01", "-1");
    assert_both(&t, "\x02", "1");
    assert_both(&t, "\x7f", "-64");
    assert_both(&t, "\x80\x01", "64");
    assert_both(&t, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "9223372036854775807");
    assert_both(&t, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "-9223372036854775808");
    assert_writes(&t, "1.0", "misfit ");
    assert_writes(&t, "9223372036854775808", "misfit ");
    assert_writes(&t, "\"1\"", "misfit ");
    assert_schema(&t, "\"int\"");
    assert_both(&t, "\xfe\xff\xff\xff\x0f", "2147483647");
    assert_writes(&t, "2147483648", "misfit ");
    assert_schema(&t, "\"float\"");
    assert_both(&t, "\x00\x00\xc0\x3f", "1.5");
    assert_writes(&t, "-2", "\x00\x00\x00\xc0");
    assert_schema(&t, "\"double\"");
    assert_both(&t, "\x00\x00\x00\x00\x00\x00\xf8\x3f", "1.5");
    assert_writes(&t, "9223372036854775808", "\x00\x00\x00\x00\x00\x00\xe0\x43");
    assert_schema(&t, "\"string\"");
    assert_both(&t, "\x06\x66oo", "\"foo\"");
    assert_both(&t, "\x04\xC3\xBC", "\"\xC3\xBC\"");
    assert_reads(&t, "\x04\xC3\x28", "\"\xEF\xBF\xBD(\"");
    assert_schema(&t, "\"bytes\"");
    assert_both(&t, "\x02x", "\"x\"");
    assert_schema(&t, "{\"type\":\"fixed\",\"name\":\"f\",\"size\":3}");
    assert_both(&t, "abc", "\"abc\"");
    assert_writes(&t, "\"ab\"", "misfit ");
    assert_schema(&t, "{\"type\":\"enum\",\"name\":\"Foo\",\"symbols\":[\"A\",\"B\",\"C\",\"D\"]}");
    assert_both(&t, "\x06", "\"D\"");
    assert_writes(&t, "\"E\"", "misfit ");
    bench_fini(&t);
}

static void test_containers(void **unused)
{
    (void)unused;
    struct bench t;
    bench_init(&t);
    assert_schema(&t, "{\"type\":\"record\",\"name\":\"test\",\"fields\":[{\"name\":\"a\",\"type\":"
                      "\"long\"},{\"name\":\"b\",\"type\":\"string\"}]}");
    assert_both(&t, "\x36\x06\x66oo", "{\"a\":27,\"b\":\"foo\"}");
    assert_writes(&t, "{\"b\":\"foo\",\"c\":1,\"a\":27}", "\x36\x06\x66oo");
    assert_writes(&t, "{\"a\":1}", "misfit b");
    assert_writes(&t, "[]", "misfit ");
    assert_schema(&t, "{\"type\":\"array\",\"items\":\"long\"}");
    assert_both(&t, "\x00", "[]");
    assert_both(&t, "\x04\x06\x36\x00", "[3,27]");
    assert_reads(&t, "\x03\x04\x06\x36\x00", "[3,27]"); /* -2 items of 2 bytes */
    assert_reads(&t, "\x02\x06\x01\x02\x36\x04\x02\x04\x00", "[3,27,1,2]");
    assert_schema(&t, "{\"type\":\"map\",\"values\":\"long\"}");
    assert_both(&t, "\x04\x02\x61\x02\x02\x62\x04\x00", "{\"a\":1,\"b\":2}");
    assert_reads(&t, "\x01\x06\x02\x61\x02\x02\x02\x61\x04\x00", "{\"a\":2}");
    assert_schema(&t, "[\"null\",\"string\"]");
    assert_both(&t, "\x00", "null");
    assert_both(&t, "\x02\x02\x61", "\"a\"");
    assert_writes(&t, "1", "misfit ");
    assert_schema(&t, "{\"type\":\"array\",\"items\":\"null\"}");
    assert_both(&t, "\x06\x00", "[null,null,null]");
    bench_fini(&t);
}

/* Of a union the first branch that takes all of the value. */
static void test_unions(void **unused)
{
    (void)unused;
    struct bench t;
    bench_init(&t);
    assert_schema(&t, "[{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\",\"type\":"
                      "{\"type\":\"array\",\"items\":\"int\"}}]},{\"type\":\"record\",\"name\":"
                      "\"b\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":\"array\",\"items\":["
                      "\"int\",\"string\"]}}]}]");
    assert_both(&t, "\x00\x02\x04\x00", "{\"x\":[2]}");
    assert_both(&t, "\x02\x04\x00\x04\x02\x02z\x00", "{\"x\":[2,\"z\"]}");
    assert_writes(&t, "{\"x\":[true]}", "misfit x");
    bench_fini(&t);
}

static void test_names(void **unused)
{
    (void)unused;
    struct bench t;
    bench_init(&t);
    assert_schema(&t, "{\"type\":\"record\",\"name\":\"LongList\",\"aliases\":[\"LinkedLongs\"],"
                      "\"fields\":[{\"name\":\"value\",\"type\":\"long\"},{\"name\":\"next\","
                      "\"type\":[\"null\",\"LongList\"],\"default\":null}]}");
    assert_both(&t, "\x02\x02\x04\x00", "{\"value\":1,\"next\":{\"value\":2,\"next\":null}}");
    assert_writes(&t, "{\"value\":1}", "\x02\x00");
    /* The name space of the record is that of what stands in it. */
    assert_schema(&t, "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"fields\":["
                      "{\"name\":\"x\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":"
                      "[\"P\",\"Q\"]}},{\"name\":\"y\",\"type\":\"E\"},{\"name\":\"z\",\"type\":"
                      "\"a.b.E\"},{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"c.F\","
                      "\"size\":1}},{\"name\":\"g\",\"type\":{\"type\":\"c.F\"}}]}");
    assert_both(&t, "\x00\x02\x00xy",
                "{\"x\":\"P\",\"y\":\"Q\",\"z\":\"P\",\"f\":\"x\",\"g\":\"y\"}");
    assert_schema(&t, "{\"type\":\"error\",\"name\":\"e\",\"fields\":[]}");
    assert_both(&t, "", "{}");
    bench_fini(&t);
}

static void test_logical(void **unused)
{
    (void)unused;
    struct bench t;
    bench_init(&t);
    assert_schema(&t, "{\"type\":\"int\",\"logicalType\":\"date\"}");
    assert_reads(&t, "\x02", "\"1970-01-02T00:00:00.000Z\"");
    assert_writes(&t, "1", "\x02");
    assert_schema(&t, "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}");
    assert_reads(&t, "\xf8\xcc\xbb\xd3\xc1\x63", "\"2024-03-05T06:05:21.596Z\"");
    assert_reads(&t, "\x01", "\"1969-12-31T23:59:59.999Z\"");
    assert_writes(&t, "1.75", "\x02");
    assert_writes(&t, "1e19", "misfit ");
    assert_writes(&t, "\"2024-03-05\"", "misfit ");
    /* The year 9999 is beyond what a time can hold. */
    assert_both(&t, "\xb0\xe0\xfe\xa1\xfa\x9d\x73", "253402300799000");
    assert_schema(&t, "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}");
    assert_reads(&t, "\x02", "\"1970-01-01T00:00:00.000001Z\"");
    struct value time = value_time(-1);
    slice misfit;
    t.out.n = 0;
    assert_true(avro_write(&t.schema, &time, &t.arena, &t.out, &misfit));
    assert_slice_equal(buf_slice(&t.out), SLICE("\x01"));
    /* The others are what they are made of. */
    assert_schema(&t, "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4}");
    assert_both(&t, "\x02\x41", "\"A\"");
    assert_schema(&t, "{\"type\":\"int\",\"logicalType\":\"time-millis\"}");
    assert_both(&t, "\x02", "1");
    assert_schema(&t, "{\"type\":\"int\",\"logicalType\":\"timestamp-millis\"}");
    assert_both(&t, "\x02", "1");
    bench_fini(&t);
}

static void test_broken_datums(void **unused)
{
    (void)unused;
    struct bench t;
    bench_init(&t);
    assert_schema(&t, "\"long\"");
    assert_reads(&t, "", "-1");
    assert_reads(&t, "\x80", "-1");
    assert_reads(&t, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "-2");
    assert_reads(&t, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", "-2");
    assert_reads(&t, "\x02\x02", "1"); /* what follows is not looked at */
    assert_schema(&t, "\"string\"");
    assert_reads(&t, "\x01", "-2");
    assert_reads(&t, "\x04x", "-1");
    assert_reads(&t, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "-1");
    assert_schema(&t, "\"double\"");
    assert_reads(&t, "1234567", "-1");
    assert_schema(&t, "[\"null\",\"int\"]");
    assert_reads(&t, "\x04", "-2");
    assert_reads(&t, "\x01", "-2");
    assert_schema(&t, "[]");
    assert_reads(&t, "\x00", "-2");
    assert_schema(&t, "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"]}");
    assert_reads(&t, "\x02", "-2");
    assert_schema(&t, "{\"type\":\"array\",\"items\":\"int\"}");
    assert_reads(&t, "\x08\x02\x02\x02", "-1");
    assert_reads(&t, "\x08\x02\x02", "-1");
    assert_reads(&t, "\x01\x01\x02\x00", "-2"); /* a block of -1 bytes */
    assert_reads(&t, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", "-2");
    assert_schema(&t, "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"r\","
                      "\"fields\":[{\"name\":\"a\",\"type\":\"null\"}]}}");
    assert_reads(&t, "\xfe\xff\xff\xff\x0f\x00", "-3");
    assert_schema(&t, "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":"
                      "\"r\"}]}");
    assert_reads(&t, "\x00", "-3");
    assert_schema(&t, "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":"
                      "{\"type\":\"array\",\"items\":\"r\"}}]}");
    char deep[1000];
    memset(deep, 2, sizeof(deep));
    assert_string_equal(read_text(&t, slice_make(deep, sizeof(deep))), "-3");
    bench_fini(&t);
}

/* Each level of the value has two branches that fail at the bottom only. */
static void test_tries_are_bounded(void **unused)
{
    (void)unused;
    struct bench t;
    bench_init(&t);
    assert_schema(&t, "[{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\",\"type\":"
                      "[\"int\",\"a\",{\"type\":\"record\",\"name\":\"b\",\"fields\":[{\"name\":"
                      "\"x\",\"type\":[\"int\",\"a\",\"b\"]}]}]}]}]");
    struct buf json = {0};
    for (uint32_t i = 0; i < 60; i++) buf_add_cstr(&json, "{\"x\":");
    buf_add_cstr(&json, "true");
    for (uint32_t i = 0; i < 60; i++) buf_add_byte(&json, '}');
    assert_writes(&t, buf_cstr(&json), "misfit x");
    buf_fini(&json);
    bench_fini(&t);
}

static void test_broken_schemas(void **unused)
{
    (void)unused;
    static const struct {
        const char *schema, *text;
        uint32_t at;
    } bad[] = {
        {"", "no JSON in it", 0},
        {"{\"type\":", "", 8},
        {"\"strng\"", "unknown type `strng`", 1},
        {"\"record\"", "`record` cannot stand alone", 1},
        {"3", "something that is no type", 0},
        {"{}", "an object without a `type`", 0},
        {"{\"type\":[\"null\"]}", "an object without a `type`", 0},
        {"{\"type\":\"array\"}", "the array has no `items`", 9},
        {"{\"type\":\"map\",\"values\":\"x.y\"}", "unknown type `x.y`", 24},
        {"{\"type\":\"fixed\",\"name\":\"f\"}", "the fixed `f` has no size", 24},
        {"{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}", "the fixed `f` has no size", 24},
        {"{\"type\":\"fixed\",\"name\":\"1f\",\"size\":1}", "`1f` is no name for a type", 24},
        {"{\"type\":\"fixed\",\"size\":1}", "`` is no name for a type", 9},
        {"{\"type\":\"fixed\",\"name\":\"int\",\"size\":1}", "the name `int` is taken", 24},
        {"{\"type\":\"enum\",\"name\":\"e\"}", "the enum `e` has no list of symbols", 23},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B-\"]}", "symbol 2 of the enum",
         42},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"A\"]}", "has the symbol `A` twice",
         42},
        {"{\"type\":\"record\",\"name\":\"r\"}", "the record `r` has no list of fields", 25},
        {"{\"type\":\"record\",\"name\":\"n.r\",\"fields\":[1]}", "field 1 of `n.r` has no name",
         25},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\"}]}",
         "the field `a` has no type", 47},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"
         "{\"name\":\"a\",\"type\":\"int\"}]}",
         "the field `a` is defined twice", 73},
        {"[\"int\",[\"null\"]]", "a union directly in a union", 9},
        {"[\"int\",\"int\"]", "a union has the type int twice", 8},
        {"[{\"type\":\"fixed\",\"name\":\"f\",\"size\":1},{\"type\":\"fixed\",\"name\":\"f\","
         "\"size\":"
         "2}]",
         "the type `f` is defined twice", 62},
    };
    struct bench t;
    bench_init(&t);
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(parse(&t, bad[i].schema));
        if (strstr(t.error.text, bad[i].text) == NULL || t.error.at != bad[i].at)
            fail_msg("%s: got %s at %u", bad[i].schema, t.error.text, t.error.at);
    }
    struct buf deep = {0};
    for (uint32_t i = 0; i < 400; i++) buf_add_cstr(&deep, "{\"type\":\"array\",\"items\":");
    buf_add_cstr(&deep, "\"int\"");
    for (uint32_t i = 0; i < 400; i++) buf_add_byte(&deep, '}');
    assert_false(parse(&t, buf_cstr(&deep)));
    assert_non_null(strstr(t.error.text, "nested too deep"));
    buf_fini(&deep);
    bench_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_primitives),
                                       cmocka_unit_test(test_containers),
                                       cmocka_unit_test(test_unions),
                                       cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_logical),
                                       cmocka_unit_test(test_broken_datums),
                                       cmocka_unit_test(test_tries_are_bounded),
                                       cmocka_unit_test(test_broken_schemas)};
    return T_RUN(tests);
}
