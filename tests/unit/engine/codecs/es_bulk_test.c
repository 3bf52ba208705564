/* es_bulk_test.c - actions and documents in both modes, deletes, broken lines, streams. */
#include "tests/unit/engine/codecs/codec_rig.h"

static void test_actions(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "es_bulk", "disabled");
    r.meta = true;
    assert_decodes(&r,
                   "{\"index\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{\"a\":1}\n"
                   "{\"delete\":{\"_id\":\"2\"}}\n{\"create\":{}}\n\n{\"b\":{\"c\":2}}\n",
                   "{\"a\":1} @{\"_index\":\"i\",\"_id\":\"1\",\"action\":\"index\"}\n"
                   "{} @{\"_id\":\"2\",\"action\":\"delete\"}\n"
                   "{\"b\":{\"c\":2}} @{\"action\":\"create\"}\n");
    slice cut = SLICE("{\"index\":{}}\n{\"a\":");
    assert_int_equal(codec_rig_decode(&r, cut, false), 13);
    assert_decodes(&r, "{\"a\":1}", "{\"a\":1} @{\"action\":\"index\"}\n");
    codec_rig_fini(&r);
}

static void test_ecs_and_target(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "es_bulk { target => \"[doc]\" }", "v8");
    r.meta = true;
    assert_decodes(
        &r, "{\"update\":{\"_id\":1}}\n{\"a\":1}\n{\"delete\":{}}",
        "{\"doc\":{\"a\":1}} @{\"codec\":{\"es_bulk\":{\"_id\":1,\"action\":\"update\"}}}\n"
        "{\"doc\":{}} @{\"codec\":{\"es_bulk\":{\"action\":\"delete\"}}}\n");
    codec_rig_fini(&r);
}

static void test_broken(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "es_bulk", "disabled");
    assert_decodes(&r,
                   "nonsense\n[1]\n{}\n{\"index\":1}\n\xff\n{\"index\":{}}\nbroken\n{\"a\":1}\n",
                   "{\"a\":1}\n");
    codec_rig_fini(&r);
    assert_codec_refused("es_bulk { target => \"[a\" }");
    assert_codec_refused("es_bulk { moon => 1 }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_ecs_and_target),
        cmocka_unit_test(test_broken),
    };
    return T_RUN(tests);
}
