/* xml_raw_test.c - what is escaped, what is refused, and the way back. */
#include "engine/filters/xml_raw.h"

#include "tests/unit/rig.h"
#include "tests/unit/t.h"

static void assert_escaped(struct arena *arena, const char *text, const char *wanted)
{
    slice out = SLICE("");
    enum xml_raw kind = xml_raw_escape(slice_from_cstr(text), arena, &out);
    if (wanted == NULL) {
        assert_int_equal(kind, XML_RAW_SAME);
        return;
    }
    assert_int_equal(kind, XML_RAW_ESCAPED);
    assert_slice_equal(out, slice_from_cstr(wanted));
}

static void test_escape(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct arena *arena = &t.arena;
    assert_escaped(arena, "", NULL);
    assert_escaped(arena, "<r a='1'>x<b/></r>", NULL);
    assert_escaped(arena, "<r>&amp;</r>", "<r>&amp;amp;</r>");
    assert_escaped(arena, "<r>&x-1.y;</r>&#65;", "<r>&amp;x-1.y;</r>&amp;#65;");
    assert_escaped(arena, "<r a=\"'>\n\t\r\r\n&lt;\" b='\"'>",
                   "<r a=\"'>&#10;&#9;&#10;&#10;&amp;lt;\" b='\"'>");
    assert_escaped(arena, "<r\na='1'\n>]]></r>", "<r\na='1'\n>]]&gt;</r>");
    /* Where references mean nothing, and where the end is missing. */
    assert_escaped(arena, "<!-- & --><?p & ?><![CDATA[&>]]>", NULL);
    assert_escaped(arena, "<!-- &", NULL);
    assert_escaped(arena, "<![CDATA[&", NULL);
    assert_escaped(arena, "<r a='", NULL);
    assert_escaped(arena, "<", NULL);
    bench_batch_fini(&t);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "&",        "&;",       "& amp;",         "&amp", "&1;",
        "&#;",      "&#x;",     "&#xg;",          "&#0;", "&#31;",
        "&#xd800;", "&#xFFFF;", "&#99999999999;", "&#65", "<r a='&'>"};
    struct bench_batch t;
    bench_batch_init(&t);
    slice out;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (xml_raw_escape(slice_from_cstr(bad[i]), &t.arena, &out) != XML_RAW_BAD)
            fail_msg("%s was taken", bad[i]);
    assert_int_equal(xml_raw_escape(SLICE("<!DOCTYPE r><r>&x;</r>"), &t.arena, &out),
                     XML_RAW_DOCTYPE);
    bench_batch_fini(&t);
}

static void test_decode(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    assert_slice_equal(xml_raw_decode(SLICE("plain"), &t.arena), SLICE("plain"));
    assert_slice_equal(xml_raw_decode(SLICE("&lt;&gt;&amp;&quot;&apos;&amp;lt;"), &t.arena),
                       SLICE("<>&\"'&lt;"));
    assert_slice_equal(xml_raw_decode(SLICE("&#65;&#xe9;&#x65e5;&#x1D11E;&nope;&"), &t.arena),
                       SLICE("A\xc3\xa9\xe6\x97\xa5\xf0\x9d\x84\x9e&nope;&"));
    bench_batch_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escape),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_decode)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
