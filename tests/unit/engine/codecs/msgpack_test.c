/* msgpack_test.c - every type, streams cut anywhere, messages that are no maps. */
#include "tests/unit/engine/codecs/codec_rig.h"

#define FAILED(text) "{\"message\":\"" text "\",\"tags\":[\"_msgpackparsefailure\"]}\n"

static void test_types(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "msgpack", "v8");
    assert_decodes(&r, "\x80", "{}\n");
    assert_decodes(&r,
                   "\x8a\xa1"
                   "a\xc0\xa1"
                   "b\xc3\xa1"
                   "c\xff\xa1"
                   "d\xcd\x01\x00\xa1"
                   "e\xd1\xff\x00"
                   "\xa1"
                   "f\xca\x3f\xc0\x00\x00\xa1"
                   "g\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"
                   "\xa1"
                   "h\x92\x01\xc4\x02hi\xa1"
                   "i\x81\x07\xd9\x01x"
                   "\xa1"
                   "j\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
                   "{\"a\":null,\"b\":true,\"c\":-1,\"d\":256,\"e\":-256,\"f\":1.5,\"g\":1.5,"
                   "\"h\":[1,\"hi\"],\"i\":{\"7\":\"x\"},\"j\":18446744073709551615}\n");
    assert_decodes(&r,
                   "\x82\xa1"
                   "a\x01\xa1"
                   "a\x02",
                   "{\"a\":2}\n");
    assert_decodes(&r,
                   "\x81\xa1"
                   "a\xa1\xff",
                   "{\"a\":\"\xEF\xBF\xBD\"}\n");
    slice two = SLICE("\x81\xa1"
                      "a\x01\x81\xa1"
                      "b");
    assert_int_equal(codec_rig_decode(&r, two, false), 4);
    assert_slice_equal(buf_slice(&r.text), SLICE("{\"a\":1}\n"));
    codec_rig_fini(&r);
}

static void test_failures(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "msgpack", "disabled");
    assert_decodes(&r, "", "");
    assert_decodes(&r, "\x07", FAILED("\\u0007"));
    assert_decodes(&r,
                   "\x81\xa1"
                   "a",
                   FAILED("\xEF\xBF\xBD\xEF\xBF\xBD"
                          "a"));
    assert_decodes(&r, "\xc1", FAILED("\xEF\xBF\xBD"));
    assert_decodes(&r, "\xdf\xff\xff\xff\xff",
                   FAILED("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"));
    assert_decodes(&r,
                   "\x81\xa1"
                   "a\xd4\x05x",
                   FAILED("\xEF\xBF\xBD\xEF\xBF\xBD"
                          "a\xEF\xBF\xBD\\u0005x"));
    char deep[400];
    memset(deep, '\x91', sizeof(deep));
    deep[sizeof(deep) - 1] = 0;
    codec_rig_decode(&r, slice_make(deep, sizeof(deep)), true);
    assert_true(event_has_tag(&r.t.b, &r.t.b.event[0], SLICE("_msgpackparsefailure")));
    /* Maps in keys of maps in keys: the text of each has the quotes of the one inside, escaped. */
    char keys[100];
    for (uint32_t depth = 2; depth < 40; depth += 37) {
        memset(keys, '\x81', depth);
        memset(keys + depth, '\x01', depth + 1);
        codec_rig_decode(&r, slice_make(keys, 2 * depth + 1), true);
        assert_int_equal(event_has_tag(&r.t.b, &r.t.b.event[0], SLICE("_msgpackparsefailure")),
                         depth > 2);
    }
    codec_rig_fini(&r);
}

static void test_options_and_encode(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "msgpack { format => \"a is %{[x][a]}\" target => \"[x]\" }", "disabled");
    assert_decodes(&r,
                   "\x81\xa1"
                   "a\x01",
                   "{\"x\":{\"a\":1},\"message\":\"a is 1\"}\n");
    slice got = codec_rig_encode(&r, "{\"n\":[1,-200,1.5,null,true,70000,18446744073709551615],"
                                     "\"@version\":\"1\"}");
    static const char want[] = "\x83\xaa@timestamp\xb8"
                               "2024-03-05T06:07:08.000Z\xa1n\x97\x01\xd1\xff\x38\xcb\x3f\xf8"
                               "\0\0\0\0\0\0\xc0\xc3\xce\x00\x01\x11\x70\xcf\xff\xff\xff\xff\xff"
                               "\xff\xff\xff\xa8@version\xa1"
                               "1";
    assert_slice_equal(got, slice_make(want, sizeof(want) - 1));
    codec_rig_fini(&r);
    assert_codec_refused("msgpack { target => \"[a\" }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types),
                                       cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_options_and_encode)};
    return T_RUN(tests);
}
