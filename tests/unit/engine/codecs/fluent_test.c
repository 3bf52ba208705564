/* fluent_test.c - the three forms of messages, times, broken ones, and encoding. */
#include "tests/unit/engine/codecs/codec_rig.h"

static void test_forms(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "fluent", "v8");
    r.time = true;
    const char *want = "{\"k\":1,\"tags\":[\"t\"]} #\"2024-03-05T06:07:08.000Z\"\n";
    assert_decodes(&r, "\x93\xa1t\xce\x65\xe6\xb6\x8c\x81\xa1k\x01", want);
    assert_decodes(&r, "\x92\xa1t\x91\x92\xce\x65\xe6\xb6\x8c\x81\xa1k\x01", want);
    assert_decodes(&r, "\x93\xa1t\xc4\x0a\x92\xce\x65\xe6\xb6\x8c\x81\xa1k\x01\x80", want);
    slice two = SLICE("\x93\xa1t\x00\x80\x93\xa1t\x01");
    assert_int_equal(codec_rig_decode(&r, two, false), 5);
    assert_slice_equal(buf_slice(&r.text),
                       SLICE("{\"tags\":[\"t\"]} #\"1970-01-01T00:00:00.000Z\"\n"));
    codec_rig_fini(&r);
    codec_rig_init(&r, "fluent { nanosecond_precision => true target => \"[doc]\" }", "disabled");
    r.time = true;
    assert_decodes(&r, "\x93\xa1t\xd7\x00\x65\xe6\xb6\x8c\x00\x00\x00\x07\x81\xa1k\x01",
                   "{\"doc\":{\"k\":1},\"tags\":[\"t\"]} #\"2024-03-05T06:07:08.000000007Z\"\n");
    codec_rig_fini(&r);
}

static void test_failures(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "fluent", "disabled");
#define FAILED(message) "{\"message\":" message ",\"tags\":[\"_fluentparsefailure\"]}\n"
    assert_decodes(&r, "\x07", FAILED("7"));
    assert_decodes(&r, "\x93\xa1t\xc3\x80", FAILED("[\"t\",true,{}]"));
    assert_decodes(&r, "\x93\xa1t\x01\x02", FAILED("[\"t\",1,2]"));
    assert_decodes(&r, "\x93\x05\x01\x80", FAILED("[5,1,{}]"));
    assert_decodes(&r, "\x92\xa1t\x92\x92\x01\x80\x05",
                   "{\"tags\":[\"t\"]}\n" FAILED("[\"t\",[[1,{}],5]]"));
    assert_decodes(&r,
                   "\x93\xa1t\xc4\x01x\x81\xaa"
                   "compressed\xa4gzip",
                   FAILED("[\"t\",\"x\",{\"compressed\":\"gzip\"}]"));
    assert_decodes(&r, "\xc1", FAILED("\"\xEF\xBF\xBD\""));
    assert_decodes(&r, "\x93\xa1t", "");
    codec_rig_decode(&r, SLICE("\x93\xa1t\xd7\x00\x00\x00\x00\x01\x00\x00\x00\x00\x80"), true);
    assert_true(event_has_tag(&r.t.b, &r.t.b.event[0], SLICE("_fluentparsefailure")));
    codec_rig_fini(&r);
    assert_codec_refused("fluent { target => \"[a\" }");
    assert_codec_refused("fluent { nanosecond_precision => maybe }");
}

static void test_encode(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "fluent", "disabled");
    static const char plain[] = "\x93\xa3log\xce\x65\xe6\xb6\x8c\x83\xaa@timestamp\xb8"
                                "2024-03-05T06:07:08.000Z\xa1k\x01\xa8@version\xa1"
                                "1";
    assert_slice_equal(codec_rig_encode(&r, "{\"k\":1}"), slice_make(plain, sizeof(plain) - 1));
    codec_rig_fini(&r);
    codec_rig_init(&r, "fluent { nanosecond_precision => true }", "disabled");
    slice got = codec_rig_encode(&r, "{\"tags\":[\"a\",\"b\"],\"@timestamp\":"
                                     "\"2024-03-05T06:07:08.123456789Z\"}");
    static const char head[] = "\x93\xa3"
                               "a.b\xd7\x00\x65\xe6\xb6\x8c\x07\x5b\xca\x00\x83";
    assert_slice_equal(slice_part(got, 0, sizeof(head) - 1), slice_make(head, sizeof(head) - 1));
    codec_rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_encode)};
    return T_RUN(tests);
}
