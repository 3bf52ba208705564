/* csv_test.c - names, conversions, broken rows, streams cut anywhere, and encoding. */
#include "tests/unit/engine/codecs/codec_rig.h"

static void test_names(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "csv", "disabled");
    assert_decodes(
        &r, "a,,\"\",\"b,\"\"c\"",
        "{\"column1\":\"a\",\"column2\":null,\"column3\":\"\",\"column4\":\"b,\\\"c\"}\n");
    assert_decodes(&r, "a\r\nb\n\nc",
                   "{\"column1\":\"a\"}\n{\"column1\":\"b\"}\n{\"column1\":\"c\"}\n");
    assert_decodes(&r, "\"a\nb\",c\n", "{\"column1\":\"a\\nb\",\"column2\":\"c\"}\n");
    assert_decodes(&r, "", "");
    codec_rig_fini(&r);
    codec_rig_init(&r,
                   "csv { columns => [one, \"[two]\"] separator => \";\" quote_char => \"'\" "
                   "skip_empty_columns => true autogenerate_column_names => false }",
                   "disabled");
    assert_decodes(&r, "'x;y';2;3", "{\"one\":\"x;y\",\"[two]\":\"2\"}\n");
    assert_decodes(&r, ";2", "{\"[two]\":\"2\"}\n");
    codec_rig_fini(&r);
}

static void test_ecs_and_target(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "csv", "v8");
    assert_decodes(&r, "a,b",
                   "{\"column1\":\"a\",\"column2\":\"b\",\"event\":{\"original\":\"a,b\"}}\n");
    codec_rig_fini(&r);
    codec_rig_init(&r, "csv { target => \"[doc][row]\" charset => \"ISO-8859-1\" }", "disabled");
    assert_decodes(&r, "\xe4", "{\"doc\":{\"row\":{\"column1\":\"\xc3\xa4\"}}}\n");
    codec_rig_fini(&r);
}

static void test_convert(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r,
                   "csv { columns => [in, fl, bo, dt] convert => { in => integer fl => float "
                   "bo => boolean dt => date_time } }",
                   "disabled");
    assert_decodes(&r, "7,1.5,TRUE,2024-03-05 06:07:08",
                   "{\"in\":7,\"fl\":1.5,\"bo\":true,\"dt\":\"2024-03-05T06:07:08.000Z\"}\n");
    assert_decodes(&r, "x,,No,y", "{\"in\":\"x\",\"fl\":null,\"bo\":\"no\",\"dt\":\"y\"}\n");
    codec_rig_fini(&r);
}

static void test_failures_and_streams(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "csv { autodetect_column_names => true }", "disabled");
    slice text = SLICE("x,y\n1,2\na\"b\n\"open\n3,4");
    assert_int_equal(codec_rig_decode(&r, text, false), text.n - 3);
    assert_slice_equal(buf_slice(&r.text),
                       SLICE("{\"x\":\"1\",\"y\":\"2\"}\n"
                             "{\"message\":\"a\\\"b\",\"tags\":[\"_csvparsefailure\"]}\n"
                             "{\"message\":\"\\\"open\",\"tags\":[\"_csvparsefailure\"]}\n"));
    assert_decodes(&r, "3,4,5", "{\"x\":\"3\",\"y\":\"4\",\"column3\":\"5\"}\n");
    assert_decodes(&r, "\xff,1", "{\"x\":\"\\\\xFF\",\"y\":\"1\"}\n");
    codec_rig_fini(&r);
}

static void test_encode(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "csv { columns => [aa, \"[bb][cc]\", dd] include_headers => true }",
                   "disabled");
    assert_encodes(&r, "{\"aa\":\"x,\\\"y\",\"bb\":{\"cc\":\"\"}}",
                   "aa,[bb][cc],dd\n\"x,\"\"y\",\"\",\n");
    assert_encodes(&r, "{\"aa\":1.5,\"bb\":{\"cc\":true},\"dd\":{\"k\":[1,null,\"s\"]}}",
                   "1.5,true,\"{\"\"k\"\"=>[1, nil, \"\"s\"\"]}\"\n");
    codec_rig_fini(&r);
    codec_rig_init(&r, "csv { separator => \";\" include_headers => true }", "disabled");
    assert_encodes(&r, "{\"b\":\"x\",\"@version\":\"1\"}",
                   "@timestamp;b;@version\n2024-03-05T06:07:08.000Z;x;1\n");
    codec_rig_fini(&r);
}

static void test_refused(void **unused)
{
    (void)unused;
    assert_codec_refused("csv { separator => \"\" }");
    assert_codec_refused("csv { quote_char => \"ab\" }");
    assert_codec_refused("csv { convert => { aa => moon } }");
    assert_codec_refused("csv { charset => \"moon\" }");
    assert_codec_refused("csv { columns => [\"[a\"] }");
    assert_codec_refused("csv { target => \"[a\" }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_ecs_and_target),
        cmocka_unit_test(test_convert), cmocka_unit_test(test_failures_and_streams),
        cmocka_unit_test(test_encode),  cmocka_unit_test(test_refused),
    };
    return T_RUN(tests);
}
