/* Entries: place, caret, expectation, suggestion, several files, bounds. */
#include "engine/config/diag.h"

#include "tests/unit/t.h"

static void prints_line_and_caret(void **state)
{
    (void)state;
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct buf out = {0};
    static const char *const names[] = {"port", "host"};
    const struct source *source =
        source_new(&heap, SLICE("a.conf"), SLICE("input {\n\ttcp { \xC3\xBC prot => 1 }\r\n}"));
    diag_error(&diag, pos_make(source, 18), "an option", "unknown '%s'", "prot");
    diag_suggest(&diag, SLICE("prot"), names, 2);
    diag_print(&diag, &out);
    assert_string_equal(buf_cstr(&out), "a.conf:2:10: error: unknown 'prot'\n"
                                        "    2 | \ttcp { \xC3\xBC prot => 1 }\n"
                                        "      | \t        ^\n"
                                        "  expected an option\n"
                                        "  did you mean 'port'?\n");
    assert_int_equal(diag.errors, 1);
    buf_fini(&out);
    diag_fini(&diag);
    heap_fini(&heap);
}

static void knows_the_file(void **state)
{
    (void)state;
    struct source_part parts[] = {{SLICE("one"), 0}, {SLICE("two"), 4}};
    struct source source = {SLICE("abc\nde\nfg"), parts, 2};
    struct pos_place place = pos_place(pos_make(&source, 8));
    assert_slice_equal(place.name, SLICE("two"));
    assert_int_equal(place.line, 2);
    assert_int_equal(place.column, 2);
    place = pos_place(pos_make(&source, 3));
    assert_slice_equal(place.name, SLICE("one"));
    assert_int_equal(place.line, 1);
    /* The end, and beyond it, is still a place. */
    place = pos_place(pos_make(&source, 500));
    assert_int_equal(place.column, 3);
}

static void cuts_long_lines(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, 'x', sizeof(text));
    text[4000] = '\x01';
    text[4001] = '\xFF';
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct buf out = {0};
    const struct source *source = source_new(&heap, SLICE("long"), slice_make(text, sizeof(text)));
    diag_warn(&diag, pos_make(source, 4002), NULL, "here");
    diag_print(&diag, &out);
    assert_non_null(strstr(buf_cstr(&out), "x??x"));
    assert_true(out.n < 500);
    /* The caret stands under the byte it is about. */
    const char *line = strstr(out.data, "| ..."), *caret = strstr(out.data, "^");
    const char *second = strchr(line, '\n') + 1;
    assert_int_equal(strstr(line, "??") + 2 - line, caret - strstr(second, "| "));
    buf_fini(&out);
    diag_fini(&diag);
    heap_fini(&heap);
}

static void is_bounded(void **state)
{
    (void)state;
    struct diag diag = DIAG_INIT;
    struct buf out = {0};
    for (uint32_t i = 0; i < DIAG_MAX + 5; i++) diag_error(&diag, POS_NONE, NULL, "e%u", i);
    assert_int_equal(diag.n, DIAG_MAX);
    assert_int_equal(diag.errors, DIAG_MAX + 5);
    diag_print(&diag, &out);
    assert_non_null(strstr(buf_cstr(&out), "and 5 more"));
    buf_fini(&out);
    diag_fini(&diag);
}

static void suggests_near_names_only(void **state)
{
    (void)state;
    static const char *const names[] = {"index", "hosts", "document_id", "id"};
    assert_int_equal(nearest_name(SLICE("idnex"), names, 4), 0);
    assert_int_equal(nearest_name(SLICE("host"), names, 4), 1);
    assert_int_equal(nearest_name(SLICE("documentid"), names, 4), 2);
    assert_int_equal(nearest_name(SLICE("workers"), names, 4), -1);
    assert_int_equal(nearest_name(SLICE("xy"), names, 4), -1);
    assert_int_equal(nearest_name(SLICE(""), names, 4), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_line_and_caret),    cmocka_unit_test(knows_the_file),
        cmocka_unit_test(cuts_long_lines),          cmocka_unit_test(is_bounded),
        cmocka_unit_test(suggests_near_names_only),
    };
    return T_RUN(tests);
}
