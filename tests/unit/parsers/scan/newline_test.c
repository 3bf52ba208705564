/* newline_test.c - every variant against a naive loop, at every length and offset. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/prng.h"
#include "parsers/scan/newline.h"

static void check(slice s)
{
    static uint32_t out[64 + NEWLINE_SLACK];
    uint32_t n = 0, at = 0, want_at = 0;
    while (at < s.n) {
        uint32_t got = newline_collect(s, at, out, 64, &at);
        for (uint32_t i = 0; i < got; i++, n++) {
            while (s.p[want_at] != '\n') want_at++;
            assert_int_equal(out[i], want_at++);
        }
        for (uint32_t i = want_at; i < at; i++) assert_int_not_equal(s.p[i], '\n');
    }
    assert_int_equal(newline_count(s), n);
    int64_t first = newline_find(s, 0);
    assert_int_equal(first, slice_find_byte(s, '\n'));
}

/* An exact allocation, so that AddressSanitizer sees a read past the end. */
static void check_exact(slice s)
{
    char *copy = malloc(s.n == 0 ? 1 : s.n);
    if (s.n > 0) memcpy(copy, s.p, s.n);
    check(slice_make(copy, s.n));
    free(copy);
}

static void test_all_lengths(void **state)
{
    (void)state;
    static char text[600];
    struct prng prng;
    prng_seed(&prng, 1);
    for (int level = CPU_SCALAR; level <= (int)cpu_init(); level++) {
        newline_init((enum cpu_level)level);
        for (uint32_t density = 1; density <= 64; density *= 4) {
            for (uint32_t i = 0; i < sizeof(text); i++)
                text[i] = prng_next(&prng) % density == 0 ? '\n' : (char)('a' + i % 26);
            for (uint32_t n = 0; n < 300; n++) check_exact(slice_make(text + n % 7, n));
        }
        memset(text, '\n', sizeof(text));
        check_exact(slice_make(text, sizeof(text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_lengths)};
    return T_RUN(tests);
}
