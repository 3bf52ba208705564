/* unicode_case_test.c - mappings that change length, title case, invalid bytes. */
#include "tests/unit/t.h"

#include "parsers/text/unicode_case.h"

static void check(const char *in, enum unicode_case to, const char *want)
{
    char out[UNICODE_CASE_BYTES_MAX(256)];
    slice text = slice_from_cstr(in);
    assert_true(text.n < 256);
    uint32_t n = unicode_case_write(text, to, out);
    assert_slice_equal(slice_make(out, n), slice_from_cstr(want));
}

static void test_ascii(void **state)
{
    (void)state;
    check("", CASE_UPPER, "");
    check("aZ09[`{@", CASE_UPPER, "AZ09[`{@");
    check("aZ09[`{@", CASE_LOWER, "az09[`{@");
    check("hello WORLD", CASE_CAPITALIZE, "Hello world");
}

static void test_wide(void **state)
{
    (void)state;
    check("äöü éñ жшщ αβγ", CASE_UPPER, "ÄÖÜ ÉÑ ЖШЩ ΑΒΓ");
    check("ÄÖÜ ÉÑ ЖШЩ ΑΒΣ", CASE_LOWER, "äöü éñ жшщ αβσ");
    check("straße", CASE_UPPER, "STRASSE");
    check("ßa", CASE_CAPITALIZE, "Ssa");
    check("ǆX", CASE_CAPITALIZE, "ǅx"); /* one letter with a title form */
    check("ÿ", CASE_UPPER, "Ÿ");
    check("İ", CASE_LOWER, "i̇");
    check("\xce\x90", CASE_UPPER, "\xce\x99\xcc\x88\xcc\x81"); /* two bytes become six */
    check("東京 ñ", CASE_UPPER, "東京 Ñ");
    check("𐐨", CASE_UPPER, "𐐀"); /* beyond the BMP */
}

static void test_invalid(void **state)
{
    (void)state;
    check("a\xff\xc3"
          "b",
          CASE_UPPER,
          "A\xff\xc3"
          "B");
    check("\xe4\xb8", CASE_LOWER, "\xe4\xb8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ascii), cmocka_unit_test(test_wide),
                                       cmocka_unit_test(test_invalid)};
    return T_RUN(tests);
}
