/* edn_test.c - every form, broken ones, lines, and encoding. */
#include "tests/unit/engine/codecs/codec_rig.h"

static void test_forms(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "edn", "v8");
    assert_decodes(&r,
                   "{:a nil, \"b\" true :c/d [1 -2 +3 4N 99999999999999999999] ; note\n"
                   ":e (1.5 -2e3 3.25M) :f #{\"x\" :y} 7 \\a}",
                   "{\"a\":null,\"b\":true,\"c/d\":[1,-2,3,4,99999999999999999999],"
                   "\"e\":[1.5,-2000.0,3.25],\"f\":[\"x\",\"y\"],\"7\":\"a\"}\n");
    assert_decodes(
        &r,
        " #_ {:x [} 1]} {:a \"q\\\"\\\\\\n\\u00e4\" :b \\newline :c \\u0041 :d \\} "
        ":e #_ 1 {} :f #inst \"2024-03-05T06:07:08Z\" :g #uuid \"u\"} trailing",
        "{\"message\":\" #_ {:x [} 1]} {:a \\\"q\\\\\\\"\\\\\\\\\\\\n\\\\u00e4\\\" :b \\\\newline "
        ":c \\\\u0041 :d \\\\} :e #_ 1 {} :f #inst \\\"2024-03-05T06:07:08Z\\\" "
        ":g #uuid \\\"u\\\"} trailing\"}\n");
    assert_decodes(&r,
                   " #_ {:x [1]} {:a \"q\\\"\\\\\\n\\u00e4\" :b \\newline :c \\u0041 :d \\} "
                   ":e #_ 1 {} :f #inst \"2024-03-05T06:07:08Z\" :g #uuid \"u\"} trailing",
                   "{\"a\":\"q\\\"\\\\\\n\xc3\xa4\",\"b\":\"\\n\",\"c\":\"A\",\"d\":\"}\",\"e\":{},"
                   "\"f\":\"2024-03-05T06:07:08.000Z\",\"g\":\"u\"}\n");
    codec_rig_fini(&r);
}

static void test_failures(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"",
                                      "{",
                                      "[1]",
                                      "{:a}",
                                      "{:a sym}",
                                      "{:a #other 1}",
                                      "{:a \"",
                                      "{:a 1x}",
                                      "{:a \"\\q\"}",
                                      "}",
                                      "{:a \\",
                                      "#",
                                      "#_",
                                      "{: 1}",
                                      "{:a #inst \"no\"}",
                                      "{:a \\ud80}",
                                      "{:a -}",
                                      "{:a 1e999}"};
    struct codec_rig r;
    codec_rig_init(&r, "edn", "disabled");
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        codec_rig_decode(&r, slice_from_cstr(bad[i]), true);
        assert_int_equal(r.t.b.n, 1);
        struct value *message = &r.t.b.event[0].data.at[0].val;
        assert_slice_equal(value_slice(message), slice_from_cstr(bad[i]));
        assert_int_equal(r.t.b.event[0].data.n, 1);
    }
    assert_decodes(&r, "{:a \"\xff\"}", "{\"message\":\"{:a \\\"\xEF\xBF\xBD\\\"}\"}\n");
    char deep[1000];
    memset(deep, '[', sizeof(deep));
    codec_rig_decode(&r, slice_make(deep, sizeof(deep)), true);
    assert_int_equal(r.t.b.n, 1);
    assert_decodes(&r, "{{{:a 1} 2} 3}", "{\"{\\\"{\\\\\\\"a\\\\\\\":1}\\\":2}\":3}\n");
    memset(deep, '{', 40);
    memset(deep + 40, ' ', 160);
    for (uint32_t i = 0; i < 40; i++) memcpy(deep + 40 + 4 * i, i == 0 ? "1 2}" : "  3}", 4);
    codec_rig_decode(&r, slice_make(deep, 200), true);
    assert_slice_equal(slice_make(r.t.b.event[0].data.at[0].key, 7), SLICE("message"));
    codec_rig_fini(&r);
    assert_codec_refused("edn { target => \"[a\" }");
    assert_codec_refused("edn_lines { moon => 1 }");
}

static void test_lines_and_encode(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "edn_lines { target => \"[doc]\" }", "v8");
    slice cut = SLICE("{:a 1}\nbroken\n{:b");
    assert_int_equal(codec_rig_decode(&r, cut, false), 14);
    assert_slice_equal(buf_slice(&r.text),
                       SLICE("{\"doc\":{\"a\":1}}\n{\"message\":\"broken\"}\n"));
    assert_encodes(&r, "{\"a\":[1,null,1.5,\"x\\n\\\"\"],\"b\":{\"c\":true},\"@version\":\"1\"}",
                   "{\"@timestamp\" \"2024-03-05T06:07:08.000Z\", \"a\" [1 nil 1.5 \"x\\n\\\"\"], "
                   "\"b\" {\"c\" true}, \"@version\" \"1\"}\n");
    codec_rig_fini(&r);
    codec_rig_init(&r, "edn", "disabled");
    assert_encodes(&r, "{\"@version\":\"1\"}",
                   "{\"@timestamp\" \"2024-03-05T06:07:08.000Z\", \"@version\" \"1\"}");
    codec_rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_lines_and_encode)};
    return T_RUN(tests);
}
