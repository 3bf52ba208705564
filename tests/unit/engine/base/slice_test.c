/* slice_test.c - slices and growable buffers. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/buf.h"
#include "engine/base/hash.h"
#include "engine/base/prng.h"

static void test_parts(void **state)
{
    (void)state;
    slice s = SLICE("hello");
    assert_slice_equal(slice_from(s, 2), SLICE("llo"));
    assert_int_equal(slice_from(s, 5).n, 0);
    assert_int_equal(slice_from(s, 99).n, 0);
    assert_slice_equal(slice_part(s, 1, 3), SLICE("ell"));
    assert_slice_equal(slice_part(s, 3, 99), SLICE("lo"));
    assert_true(slice_starts(s, SLICE("he")) && !slice_starts(s, SLICE("hello!")));
    assert_true(slice_ends(s, SLICE("lo")) && slice_ends(s, SLICE("")) &&
                !slice_ends(s, SLICE("la")));
    assert_true(slice_equal(SLICE_NONE, SLICE("")));
    assert_int_equal(slice_from_cstr(NULL).n, 0);
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(slice_find(SLICE("a\0bc"), SLICE("bc")), 2);
    assert_int_equal(slice_find(SLICE("abab"), SLICE("bb")), -1);
    assert_int_equal(slice_find(SLICE("ab"), SLICE("")), 0);
    assert_int_equal(slice_find(SLICE(""), SLICE("")), 0);
    assert_int_equal(slice_find(SLICE("ab"), SLICE("abc")), -1);
    assert_int_equal(slice_find_byte(SLICE_NONE, 'x'), -1);
    /* Against the definition. */
    struct prng r;
    prng_seed(&r, 7);
    for (int round = 0; round < 20000; round++) {
        char text[80], needle[40];
        uint32_t n = (uint32_t)prng_below(&r, 80), m = (uint32_t)prng_below(&r, 4);
        /* Long needles cross from one search to the other. */
        if (round % 8 == 0) m = (uint32_t)prng_below(&r, 40);
        for (uint32_t i = 0; i < n; i++) text[i] = (char)('a' + (prng_below(&r, 16) == 0));
        for (uint32_t i = 0; i < m; i++) needle[i] = (char)('a' + (prng_below(&r, 16) == 0));
        int64_t want = -1;
        for (uint32_t i = 0; want < 0 && i + m <= n; i++)
            if (memcmp(text + i, needle, m) == 0) want = i;
        assert_int_equal(slice_find(slice_make(text, n), slice_make(needle, m)), want);
    }
}

static void test_compare(void **state)
{
    (void)state;
    assert_true(slice_compare(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_compare(SLICE("b"), SLICE("ab")) > 0);
    assert_true(slice_compare(SLICE("\xff"), SLICE("a")) > 0);
    assert_int_equal(slice_compare(SLICE_NONE, SLICE("")), 0);
    assert_true(slice_equal_nocase(SLICE("HeLLo"), SLICE("hEllO")));
    assert_false(slice_equal_nocase(SLICE("@"), SLICE("`"))); /* differ in the case bit only */
    assert_false(slice_equal_nocase(SLICE("\xc0"), SLICE("\xe0")));
    assert_slice_equal(slice_trim(SLICE(" \t\r\n\v\f a b ")), SLICE("a b"));
    assert_int_equal(slice_trim(SLICE(" \n ")).n, 0);
}

static void test_to_i64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t num;
    } cases[] = {{"0", true, 0},
                 {"-0", true, 0},
                 {"007", true, 7},
                 {"9223372036854775807", true, INT64_MAX},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0},
                 {"99999999999999999999999", false, 0},
                 {"", false, 0},
                 {"-", false, 0},
                 {"+1", false, 0},
                 {"1 ", false, 0},
                 {"1.0", false, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t num = 0;
        assert_int_equal(slice_to_i64(slice_from_cstr(cases[i].text), &num), cases[i].ok);
        if (cases[i].ok) assert_true(num == cases[i].num);
    }
}

static void test_cstr(void **state)
{
    (void)state;
    char out[4];
    assert_string_equal(slice_cstr(SLICE("abcdef"), out, sizeof(out)), "abc");
    assert_string_equal(slice_cstr(SLICE_NONE, out, sizeof(out)), "");
    char *copy = slice_dup_cstr(SLICE("xyz"));
    assert_string_equal(copy, "xyz");
    free(copy);
}

static void test_buf(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 5000; i++) buf_add_byte(&b, (char)('a' + i % 26));
    assert_int_equal(b.n, 5000);
    for (int i = 0; i < 5000; i++) assert_int_equal(b.data[i], 'a' + i % 26);
    memset(buf_end(&b), 0, b.cap - b.n + BUF_PAD); /* the pad is really there */
    buf_add(&b, NULL, 0);
    assert_int_equal(b.n, 5000);
    b.n = 0;
    buf_printf(&b, "%s-%d", "x", 42);
    buf_add_cstr(&b, "!");
    assert_string_equal(buf_cstr(&b), "x-42!");
    /* A text longer than what printf is tried with first. */
    char long_text[3000];
    memset(long_text, 'y', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    struct buf small = {0};
    buf_printf(&small, "%s|", long_text);
    assert_int_equal(small.n, sizeof(long_text));
    assert_int_equal(small.data[small.n - 1], '|');
    buf_fini(&small);
    buf_fini(&b);
    assert_null(b.data);
}

static void test_buf_json(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_add_json(&b, SLICE("a\"\\\n\x01\xff\xc3\xa9\0"));
    assert_slice_equal(buf_slice(&b), SLICE("\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\\u0000\""));
    buf_fini(&b);
}

/* Equal bytes hash alike wherever they lie; one changed bit anywhere changes the hash. */
static void test_hash(void **state)
{
    (void)state;
    char a[80], shifted[81];
    for (uint32_t n = 0; n < 70; n++) {
        for (uint32_t i = 0; i < n; i++) a[i] = shifted[i + 1] = (char)(i * 37 + n);
        uint64_t h = hash_bytes(a, n, 0);
        assert_true(h == hash_bytes(shifted + 1, n, 0));
        if (n > 0) assert_true(h != hash_bytes(a, n - 1, 0));
        assert_true(h != hash_bytes(a, n, 1));
        for (uint32_t bit = 0; bit < n * 8; bit++) {
            a[bit / 8] = (char)(a[bit / 8] ^ (1 << bit % 8));
            assert_true(h != hash_bytes(a, n, 0));
            a[bit / 8] = (char)(a[bit / 8] ^ (1 << bit % 8));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),    cmocka_unit_test(test_find),
        cmocka_unit_test(test_compare),  cmocka_unit_test(test_to_i64),
        cmocka_unit_test(test_cstr),     cmocka_unit_test(test_buf),
        cmocka_unit_test(test_buf_json), cmocka_unit_test(test_hash),
    };
    return T_RUN(tests);
}
