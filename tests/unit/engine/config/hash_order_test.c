/* hash_order_test.c - orders of java.util.HashMap, worked out by hand from String.hashCode. */
#include "engine/config/hash_order.h"

#include <stdio.h>

#include "tests/unit/t.h"

static void check(const char *const *given, uint32_t n, const char *const *want)
{
    struct heap heap = HEAP_INIT;
    struct config_pair pairs[64] = {0};
    for (uint32_t i = 0; i < n; i++) pairs[i].key.text = slice_from_cstr(given[i]);
    struct config_hash hash = hash_in_order(pairs, n, &heap);
    assert_int_equal(hash.n, n);
    for (uint32_t i = 0; i < n; i++)
        assert_slice_equal(hash.at[i].key.text, slice_from_cstr(want[i]));
    heap_fini(&heap);
}

static void test_buckets(void **state)
{
    (void)state;
    check((const char *[]){"len", "sport", "dport"}, 3, (const char *[]){"dport", "len", "sport"});
    check((const char *[]){"orig_p", "resp_p", "duration", "orig_bytes"}, 4,
          (const char *[]){"duration", "orig_p", "orig_bytes", "resp_p"});
    check((const char *[]){"only"}, 1, (const char *[]){"only"});
    check(NULL, 0, NULL);
}

/* "Aa" and "BB" have the same hash code: they stay as they were written. */
static void test_collisions(void **state)
{
    (void)state;
    check((const char *[]){"Aa", "BB"}, 2, (const char *[]){"Aa", "BB"});
    check((const char *[]){"BB", "Aa"}, 2, (const char *[]){"BB", "Aa"});
}

/* The table doubles at the 13th entry: "a" (97) and "q" (113) share a bucket of 16, not of 32. */
static void test_growth(void **state)
{
    (void)state;
    static const char *const letters[] = {"q", "a", "b", "c", "d", "e", "f",
                                          "g", "h", "i", "j", "k", "l"};
    static const char *const small[] = {"q", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"};
    static const char *const large[] = {"a", "b", "c", "d", "e", "f", "g",
                                        "h", "i", "j", "k", "l", "q"};
    check(letters, 12, small);
    check(letters, 13, large);
}

/* Hash codes are over UTF-16: U+1F600 is D83D DE00. 0xd83d * 31 + 0xde00 = 0x1b0d63, spread
 * 0x1b0d78, bucket 8 as "h" (104). */
static void test_utf16(void **state)
{
    (void)state;
    check((const char *[]){"i", "\xf0\x9f\x98\x80", "h", "g"}, 4,
          (const char *[]){"g", "\xf0\x9f\x98\x80", "h", "i"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_buckets),
                                       cmocka_unit_test(test_collisions),
                                       cmocka_unit_test(test_growth), cmocka_unit_test(test_utf16)};
    return T_RUN(tests);
}
