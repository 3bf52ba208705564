/* utf8_scan_test.c - every variant against the scalar truth. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/prng.h"
#include "engine/base/utf8.h"
#include "parsers/scan/utf8_scan.h"

static void check_exact(slice s)
{
    char *copy = malloc(s.n == 0 ? 1 : s.n);
    if (s.n > 0) memcpy(copy, s.p, s.n);
    slice exact = slice_make(copy, s.n);
    if (utf8_scan_valid(exact) != utf8_valid(exact)) {
        for (uint32_t i = 0; i < s.n; i++) print_error("%02x ", (unsigned char)s.p[i]);
        fail();
    }
    free(copy);
}

#define EACH_LEVEL(level) for (int level = CPU_SCALAR; level <= (int)cpu_init(); level++)

/* All pairs of bytes and all leads of three and four, placed across vector borders. */
static void test_sequences(void **state)
{
    (void)state;
    static const unsigned char edge[] = {0,    0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                         0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
                                         0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff};
    enum { N = sizeof(edge) };
    EACH_LEVEL(level)
    {
        utf8_scan_init((enum cpu_level)level);
        for (uint32_t i = 0; i < N * N * N * N; i++) {
            char text[80];
            memset(text, 'x', sizeof(text));
            uint32_t at = 12 + i % 53;
            text[at] = (char)edge[i % N];
            text[at + 1] = (char)edge[i / N % N];
            text[at + 2] = (char)edge[i / N / N % N];
            text[at + 3] = (char)edge[i / N / N / N];
            slice whole = slice_make(text, sizeof(text));
            assert_int_equal(utf8_scan_valid(whole), utf8_valid(whole));
            if (i % 16 == 0) check_exact(slice_make(text, at + 1 + i / 16 % 4));
        }
    }
}

static uint32_t random_text(struct prng *prng, char *out, uint32_t cap)
{
    uint32_t n = 0;
    uint32_t ascii = (uint32_t)prng_next(prng) % 5;
    while (n + 4 <= cap) {
        uint32_t cp = 0;
        switch (prng_next(prng) % (4 + ascii * 8)) {
        case 0: cp = 0x80 + (uint32_t)prng_next(prng) % 0x780; break;
        case 1: cp = 0x800 + (uint32_t)prng_next(prng) % 0xd000; break;
        case 2: cp = 0x10000 + (uint32_t)prng_next(prng) % 0x100000; break;
        default: cp = (uint32_t)prng_next(prng) % 0x80; break;
        }
        n += utf8_encode(cp, out + n);
    }
    return n;
}

/* Valid text, then one byte broken at every place; cut at every length. */
static void test_random(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 7);
    EACH_LEVEL(level)
    {
        utf8_scan_init((enum cpu_level)level);
        for (int round = 0; round < 40; round++) {
            char text[420];
            uint32_t n = random_text(&prng, text, sizeof(text));
            assert_true(utf8_scan_valid(slice_make(text, n)));
            for (uint32_t i = 0; i < n; i++) {
                char old = text[i];
                check_exact(slice_make(text, i));
                text[i] = (char)prng_next(&prng);
                check_exact(slice_make(text, n));
                text[i] = old;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequences),
                                       cmocka_unit_test(test_random)};
    return T_RUN(tests);
}
