/*
 * charset_test.c - declared encodings to UTF-8, and Ruby's inspect form.
 */
#include "parsers/text/charset.h"

#include "parsers/text/ruby_inspect.h"
#include "tests/unit/t.h"

static struct page_pool pool;
static struct arena arena;

static int setup(void **state)
{
    (void)state;
    page_pool_init(&pool, 64 << 20);
    arena_init(&arena, &pool);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}

static void converts(const char *name, slice in, slice want, bool want_changed)
{
    const struct charset *charset;
    struct charset_decoder d;
    bool changed;
    assert_int_equal(charset_find(slice_from_cstr(name), &charset), ERR_OK);
    assert_int_equal(charset_decoder_init(&d, charset), ERR_OK);
    assert_slice_equal(charset_decode(&d, in, &arena, &changed), want);
    assert_int_equal(changed, want_changed);
    charset_decoder_fini(&d);
}

#define FFFD "\xef\xbf\xbd"

static void encodings(void **state)
{
    (void)state;
    converts("UTF-8", SLICE("gr\xc3\xbc\xc3\x9f"), SLICE("gr\xc3\xbc\xc3\x9f"), false);
    converts("ISO-8859-1", SLICE("caf\xe9"), SLICE("caf\xc3\xa9"), false);
    converts("iso-8859-15", SLICE("\xa4"), SLICE("\xe2\x82\xac"), false);
    converts("CP1252", SLICE("\x80 \x81"), SLICE("\xe2\x82\xac " FFFD), true);
    converts("Windows-1252", SLICE("plain"), SLICE("plain"), false);
    converts("UTF-16LE", SLICE("a\0\x3d\xd8\x00\xde"), SLICE("a\xf0\x9f\x98\x80"), false);
    converts("UTF-16LE", SLICE("a\0\x3d\xd8z\0"), SLICE("a" FFFD "z"), true);
    converts("UTF-16BE", SLICE("\0a\0"), SLICE("a" FFFD), true);
    converts("Shift_JIS", SLICE("\x83\x65\\~"), SLICE("\xe3\x83\x86\\~"), false);
    converts("EUC-JP", SLICE("\xa4\xa2"), SLICE("\xe3\x81\x82"), false);
    converts("ASCII-8BIT", SLICE("a\xff\xc3z"), SLICE("a" FFFD FFFD "z"), true);
    converts("BINARY", SLICE("abc"), SLICE("abc"), false);
    converts("US-ASCII", SLICE("\xe9"), SLICE(FFFD), true);
    converts("ISO-8859-1", SLICE(""), SLICE(""), false);
}

static void utf8_that_is_none(void **state)
{
    (void)state;
    converts("UTF-8", SLICE("bad \xff byte"), SLICE("bad \\xFF byte"), true);
    converts("UTF-8", SLICE("cut \xe2\x82"), SLICE("cut \\xE2\\x82"), true);
    converts("UTF-8", SLICE("caf\xe9\n"), SLICE("caf\\xE9\\n"), true);
    converts("UTF-8", SLICE("\xff\"#{a}\" #x \\ \xc3\xbc"),
             SLICE("\\xFF\\\"\\#{a}\\\" #x \\\\ \xc3\xbc"), true);
    /* Overlong forms and surrogates are no UTF-8. */
    converts("UTF-8", SLICE("\xc0\xaf\xed\xa0\x80"), SLICE("\\xC0\\xAF\\xED\\xA0\\x80"), true);
}

static void unknown_names(void **state)
{
    (void)state;
    const struct charset *charset;
    assert_int_equal(charset_find(SLICE("KLINGON"), &charset), ERR_UNSUPPORTED);
    assert_int_equal(charset_find(SLICE(""), &charset), ERR_UNSUPPORTED);
    assert_int_equal(charset_find(SLICE("UTF-8//IGNORE"), &charset), ERR_UNSUPPORTED);
}

/* Long inputs: many replacements, and a result larger than a page. */
static void long_texts(void **state)
{
    (void)state;
    static char in[200000];
    memset(in, 0xe9, sizeof(in));
    const struct charset *charset;
    struct charset_decoder d;
    assert_int_equal(charset_find(SLICE("ISO-8859-1"), &charset), ERR_OK);
    assert_int_equal(charset_decoder_init(&d, charset), ERR_OK);
    slice out = charset_decode(&d, slice_make(in, sizeof(in)), &arena, NULL);
    assert_int_equal(out.n, 2 * sizeof(in));
    charset_decoder_fini(&d);
    assert_int_equal(charset_find(SLICE("ASCII-8BIT"), &charset), ERR_OK);
    assert_int_equal(charset_decoder_init(&d, charset), ERR_OK);
    out = charset_decode(&d, slice_make(in, sizeof(in)), &arena, NULL);
    assert_int_equal(out.n, 3 * sizeof(in));
    charset_decoder_fini(&d);
}

static void inspect(void **state)
{
    (void)state;
    struct buf out = {0};
    ruby_inspect_add(&out, SLICE("a\"b\\c\n\t\r\x1b\a\b\v\f\x01\x7f\0#{x} #$y #@z # "
                                 "\xc2\x85\xe2\x80\xa8\xf4\x8f\xbf\xbf\xf0\x9f\x98\x80\xff"));
    assert_slice_equal(buf_slice(&out),
                       SLICE("\"a\\\"b\\\\c\\n\\t\\r\\e\\a\\b\\v\\f\\u0001\\u007F\\u0000\\#{x} "
                             "\\#$y \\#@z # \xc2\x85\\u2028\\u{10FFFF}\xf0\x9f\x98\x80\\xFF\""));
    out.n = 0;
    ruby_inspect_add(&out, SLICE(""));
    assert_slice_equal(buf_slice(&out), SLICE("\"\""));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings),     cmocka_unit_test(utf8_that_is_none),
        cmocka_unit_test(unknown_names), cmocka_unit_test(long_texts),
        cmocka_unit_test(inspect),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
