/* graphite_test.c - lines to events and back, expressions, formats. */
#include "tests/unit/engine/codecs/codec_rig.h"

static void test_decode(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "graphite", "v8");
    r.time = true;
    assert_decodes(&r, "a.b 1.5 1709618828\n\n  c\t7 x\nd\n",
                   "{\"a.b\":1.5} #\"2024-03-05T06:07:08.000Z\"\n"
                   "{\"c\":7.0} #\"1970-01-01T00:00:00.000Z\"\n"
                   "{\"d\":0.0} #\"1970-01-01T00:00:00.000Z\"\n");
    codec_rig_fini(&r);
    codec_rig_init(&r, "graphite { as_key_value => true }", "disabled");
    assert_decodes(&r, "a 2 3", "{\"key\":\"a\",\"value\":2.0}\n");
    codec_rig_fini(&r);
}

static void test_encode(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r,
                   "graphite { metrics => { \"%{h}.up\" => \"%{u}\" \"%{no}\" => 1 }"
                   " metrics_format => \"x.*.y.*\" }",
                   "disabled");
    assert_encodes(&r, "{\"h\":\"web\",\"u\":\"3 days\"}", "x.web.up.y.web.up 3.0 1709618828\n");
    codec_rig_fini(&r);
    codec_rig_init(&r,
                   "graphite { fields_are_metrics => true include_metrics => [\"^a\", \"b\"]"
                   " exclude_metrics => [\"2$\"] }",
                   "disabled");
    assert_encodes(&r, "{\"a1\":1,\"a2\":2,\"cb\":\"1e3\",\"d\":4,\"ab\":[5],\"@version\":\"1\"}",
                   "a1 1.0 1709618828\ncb 1000.0 1709618828\nab 0.0 1709618828\n");
    assert_encodes(&r, "{\"x\":1}", "");
    codec_rig_fini(&r);
    assert_codec_refused("graphite { include_metrics => [\"(\"] }");
    assert_codec_refused("graphite { metrics => 5 }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode),
                                       cmocka_unit_test(test_encode)};
    return T_RUN(tests);
}
