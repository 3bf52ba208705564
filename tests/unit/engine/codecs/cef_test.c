/* cef_test.c - names in both modes, times, escapes, what is no CEF, and encoding. */
#include "tests/unit/engine/codecs/codec_rig.h"

#define HEAD                                                                                       \
    "{\"cefVersion\":\"0\",\"deviceVendor\":\"Acme\",\"deviceProduct\":\"fw\","                    \
    "\"deviceVersion\":\"1\",\"deviceEventClassId\":\"7\",\"name\":\"n\",\"severity\":\"3\""
#define FAILED(text) "{\"message\":\"" text "\",\"tags\":[\"_cefparsefailure\"]}\n"

static void test_legacy_names(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "cef", "disabled");
    assert_decodes(&r, "CEF:0|Acme|fw|1|7|n|3|", HEAD "}\n");
    assert_decodes(&r, "CEF:0|Acme|fw|1|7|n|3|src=10.0.0.1 cs1=a b  c cs1Label=L msg=x\\=y\\n\\\\",
                   HEAD ",\"sourceAddress\":\"10.0.0.1\",\"deviceCustomString1\":\"a b  c\","
                        "\"deviceCustomString1Label\":\"L\",\"message\":\"x=y\\n\\\\\"}\n");
    assert_decodes(&r, "CEF:0|Acme|fw|1|7|n|3|dlat=1 sourceLatitude=2 ad.x=3 l[0]=4 rt=soon\n",
                   HEAD ",\"destinationGeoLatitude\":\"1\",\"sourceLatitude\":\"2\",\"ad.x\":\"3\","
                        "\"l\":{\"0\":\"4\"},\"deviceReceiptTime\":\"soon\"}\n");
    assert_decodes(&r, "<1>Mar 5 h CEF:0|Ac\\|me|f\\\\|1|7|n|3|a=1 a=2",
                   "{\"cefVersion\":\"0\",\"deviceVendor\":\"Ac|me\",\"deviceProduct\":\"f\\\\\","
                   "\"deviceVersion\":\"1\",\"deviceEventClassId\":\"7\",\"name\":\"n\","
                   "\"severity\":\"3\",\"syslog\":\"<1>Mar 5 h\",\"a\":\"2\"}\n");
    assert_decodes(&r, "\"CEF:0|Acme|fw|1|7|n|3|act=ok\"", HEAD ",\"deviceAction\":\"ok\"}\n");
    codec_rig_fini(&r);
}

static void test_failures(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "cef", "disabled");
    assert_decodes(&r, "", FAILED(""));
    assert_decodes(&r, "hello", FAILED("hello"));
    assert_decodes(&r, "CEF:0|a|b|c|d|e", FAILED("CEF:0|a|b|c|d|e"));
    assert_decodes(&r, "CEF:0|a|b|c|d|e|f|keyless", FAILED("CEF:0|a|b|c|d|e|f|keyless"));
    assert_decodes(&r, "CEF:0|a|b|c|d|e|f|x=1 \n CEF", FAILED("CEF:0|a|b|c|d|e|f|x=1 \\n CEF"));
    assert_decodes(&r, "CEF:0|a|b|c|d|e|f|x=1 x[1]=2", FAILED("CEF:0|a|b|c|d|e|f|x=1 x[1]=2"));
    assert_decodes(&r, "CEF:\xff|a", FAILED("CEF:\xEF\xBF\xBD|a"));
    assert_decodes(&r, "\"", FAILED(""));
    codec_rig_fini(&r);
}

static void test_ecs_names(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "cef { default_timezone => \"Europe/Berlin\" }", "v8");
    r.time = true;
    assert_decodes(&r, "p CEF:0|Acme|fw|1|7|n|3|src=::1 sourceGeoLatitude=2 dvc=x cn15=9 msg=m",
                   "{\"cef\":{\"version\":\"0\",\"name\":\"n\",\"device_custom_number_15\":{"
                   "\"value\":\"9\"}},\"observer\":{\"vendor\":\"Acme\",\"product\":\"fw\","
                   "\"version\":\"1\",\"ip\":\"x\"},\"event\":{\"code\":\"7\",\"severity\":\"3\"},"
                   "\"log\":{\"syslog\":{\"header\":\"p\"}},\"source\":{\"ip\":\"::1\","
                   "\"geo\":{\"location\":{\"lat\":\"2\"}}},\"message\":\"m\"} "
                   "#\"2024-03-05T06:07:08.000Z\"\n");
    codec_rig_fini(&r);
}

static void test_times(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *want; /* NULL: refused */
    } cases[] = {
        {"rt=1709618828123", "2024-03-05T06:07:08.123Z"},
        {"rt=1709618828123.5", "2024-03-05T06:07:08.123500Z"},
        {"rt=Mar 04 2024 10:11:12", "2024-03-04T09:11:12.000Z"},
        {"rt=Jul 04 2023 10:11:12.123456", "2023-07-04T08:11:12.123456Z"},
        {"rt=Mar 04 2024 10:11:12 dtz=America/New_York", "2024-03-04T15:11:12.000Z"},
        {"rt=Mar 04 2024 10:11:12 UTC dtz=America/New_York", "2024-03-04T10:11:12.000Z"},
        {"rt=Mar 04 2024 10:11:12.250 PST", "2024-03-04T18:11:12.250Z"},
        {"rt=Mar 04 10:11:12", "2024-03-04T09:11:12.000Z"},
        {"rt=Mar 08 10:11:12", "2023-03-08T09:11:12.000Z"},
        {"rt=Dec 31 10:11:12", "2023-12-31T09:11:12.000Z"},
        {"rt=Feb 30 2023 10:11:12 UTC", "2023-02-28T10:11:12.000Z"},
        {"rt=", NULL},
        {"rt=soon", NULL},
        {"rt=Mar 4 2024 10:11:12", NULL},
        {"rt=Mar 04 2024 24:11:12", NULL},
        {"rt=Mar 04 2024 10:11:12 Nowhere/Land", NULL},
        {"rt=Mar 04 2024 10:11:12 dtz=Nowhere", NULL},
        {"rt=99999999999999999999", NULL},
    };
    struct codec_rig r;
    codec_rig_init(&r, "cef { default_timezone => \"Europe/Berlin\" }", "v8");
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256], want[64];
        snprintf(text, sizeof(text), "CEF:0|Acme|fw|1|7|n|3|%s", cases[i].text);
        codec_rig_decode(&r, slice_from_cstr(text), true);
        struct event *ev = &r.t.b.event[0];
        assert_int_equal(event_has_tag(&r.t.b, ev, SLICE("_cefparsefailure")),
                         cases[i].want == NULL);
        if (cases[i].want == NULL) continue;
        snprintf(want, sizeof(want), "\"%s\"", cases[i].want);
        r.text.n = 0;
        value_json(&ev->time, &r.text);
        assert_slice_equal(buf_slice(&r.text), slice_from_cstr(want));
    }
    codec_rig_fini(&r);
}

static void test_device_host_and_raw(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "cef { device => host raw_data_field => \"[event][original]\" }", "v1");
    assert_decodes(
        &r, "CEF:0|Acme|fw|1|7|n|3|dvchost=h deviceExternalId=7 end=",
        "{\"event\":{\"original\":\"CEF:0|Acme|fw|1|7|n|3|dvchost=h "
        "deviceExternalId=7 end=\",\"code\":\"7\",\"severity\":\"3\",\"end\":null},"
        "\"cef\":{\"version\":\"0\",\"name\":\"n\"},\"observer\":{\"vendor\":\"Acme\","
        "\"product\":\"fw\",\"version\":\"1\"},\"host\":{\"name\":\"h\",\"id\":\"7\"}}\n");
    codec_rig_fini(&r);
}

static void test_delimiter(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "cef { delimiter => \"\\r\\n\" }", "disabled");
    slice text = SLICE("CEF:0|Acme|fw|1|7|n|3|a=1\r\nCEF:0|Acme|fw|1|7|n|3|a=2");
    assert_int_equal(codec_rig_decode(&r, text, false), 27);
    assert_slice_equal(buf_slice(&r.text), SLICE(HEAD ",\"a\":\"1\"}\n"));
    assert_decodes_slice(&r, text, HEAD ",\"a\":\"1\"}\n" HEAD ",\"a\":\"2\"}\n");
    assert_encodes(&r, "{}", "CEF:0|Elasticsearch|Logstash|1.0|Logstash|Logstash|6|\r\n");
    codec_rig_fini(&r);
}

static void test_encode(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r,
                   "cef { vendor => \"%{v}\" name => \"\" severity => \"%{s}\" "
                   "fields => [sourceAddress, \"my field\", li, \"@timestamp\", gone, bo] }",
                   "disabled");
    assert_encodes(&r,
                   "{\"v\":\"a|b\\r\\nc\\\\\",\"s\":\"7.0\",\"sourceAddress\":\"1=2\\r\\n\\\\\","
                   "\"my field\":1.5,\"li\":[1,\"x\"],\"bo\":false}",
                   "CEF:0|a\\|b c\\\\|Logstash|1.0|Logstash|Logstash|7|sourceAddress=1\\=2\\n\\\\ "
                   "myfield=1.5 li=[1,\"x\"] timestamp=2024-03-05T06:07:08.000Z bo=false");
    assert_encodes(&r, "{\"v\":\"x\",\"s\":\"11\"}",
                   "CEF:0|x|Logstash|1.0|Logstash|Logstash|6|timestamp=2024-03-05T06:07:08.000Z");
    codec_rig_fini(&r);
    codec_rig_init(&r, "cef { reverse_mapping => true fields => [\"[source][ip]\", message] }",
                   "v8");
    assert_encodes(&r, "{\"source\":{\"ip\":\"::1\"},\"message\":\"m\"}",
                   "CEF:0|Elasticsearch|Logstash|1.0|Logstash|Logstash|6|src=::1 msg=m");
    codec_rig_fini(&r);
    codec_rig_init(&r, "cef { fields => [\"[source][registered_domain]\", \"@timestamp\"] }", "v8");
    assert_encodes(&r, "{\"source\":{\"registered_domain\":\"d\"}}",
                   "CEF:0|Elasticsearch|Logstash|1.0|Logstash|Logstash|6|sourceDnsDomain=d "
                   "deviceReceiptTime=2024-03-05T06:07:08.000Z");
    codec_rig_fini(&r);
}

static void test_refused(void **unused)
{
    (void)unused;
    assert_codec_refused("cef { delimiter => \"\" }");
    assert_codec_refused("cef { device => moon }");
    assert_codec_refused("cef { default_timezone => \"Mars/Base\" }");
    assert_codec_refused("cef { fields => [\"[a\"] }");
    assert_codec_refused("cef { sev => 6 }");
    assert_codec_refused("cef { raw_data_field => \"[a\" }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy_names),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_ecs_names),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_device_host_and_raw),
        cmocka_unit_test(test_delimiter),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_refused),
    };
    return T_RUN(tests);
}
