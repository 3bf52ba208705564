/* bytes_test.c - the sixteen-byte loops against plain ones; equality of every length. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/bytes.h"
#include "engine/base/prng.h"

/* Exactly n bytes of heap, so that a read behind them is seen. */
static char *text_make(struct prng *r, uint32_t n)
{
    char *text = malloc(n + (n == 0));
    assert_non_null(text);
    for (uint32_t i = 0; i < n; i++) text[i] = (char)('a' + prng_below(r, 3));
    return text;
}

static void test_one_byte(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 1);
    for (int round = 0; round < 3000; round++) {
        uint32_t n = (uint32_t)prng_below(&r, 70), count = 0, places[70];
        char *text = text_make(&r, n), *swapped = malloc(n + 1);
        slice s = slice_make(text, n);
        assert_non_null(swapped);
        bytes_places(s, 'b', places);
        bool any = bytes_swapped(s, 'b', '/', swapped);
        for (uint32_t i = 0; i < n; i++) {
            if (text[i] == 'b') assert_int_equal(places[count++], i);
            assert_int_equal(swapped[i], text[i] == 'b' ? '/' : text[i]);
        }
        assert_int_equal(bytes_count(s, 'b'), count);
        assert_int_equal(any, count > 0);
        free(text);
        free(swapped);
    }
}

static void test_equal(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 2);
    for (uint32_t n = 0; n < 40; n++) {
        char *a = text_make(&r, n), *b = malloc(n + (n == 0));
        assert_non_null(b);
        memcpy(b, a, n);
        assert_true(bytes_equal(a, b, n));
        for (uint32_t i = 0; i < n; i++) {
            b[i] ^= 1;
            assert_false(bytes_equal(a, b, n));
            b[i] ^= 1;
        }
        free(a);
        free(b);
    }
    assert_true(slice_equal(SLICE_NONE, SLICE("")));
    assert_false(slice_equal(SLICE_NONE, SLICE("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_byte),
                                       cmocka_unit_test(test_equal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
