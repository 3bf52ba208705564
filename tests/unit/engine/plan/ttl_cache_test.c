/* ttl_cache_test.c - what is kept, for how long, and what goes first; against a slow twin. */
#include "engine/plan/ttl_cache.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/prng.h"
#include "tests/unit/t.h"

static slice key_text(char text[16], uint64_t n)
{
    return slice_make(text, (size_t)snprintf(text, 16, "k%d", (int)n));
}

static void test_time(void **state)
{
    struct ttl_cache c;
    slice v;
    (void)state;
    ttl_cache_init(&c, 10, 100);
    ttl_cache_put(&c, SLICE("a"), SLICE("1"), 0);
    assert_true(ttl_cache_get(&c, SLICE("a"), 99, &v)); /* does not prolong */
    assert_slice_equal(v, SLICE("1"));
    assert_false(ttl_cache_get(&c, SLICE("a"), 100, &v));
    assert_int_equal(c.n, 0);
    ttl_cache_put(&c, SLICE(""), SLICE(""), 100);
    assert_true(ttl_cache_get(&c, SLICE(""), 100, &v));
    assert_int_equal(v.n, 0);
    ttl_cache_fini(&c);
    ttl_cache_init(&c, 0, 100);
    ttl_cache_put(&c, SLICE("a"), SLICE("1"), 0);
    assert_false(ttl_cache_get(&c, SLICE("a"), 0, &v));
    ttl_cache_fini(&c);
}

static void test_least_recently_used_goes(void **state)
{
    struct ttl_cache c;
    slice v;
    (void)state;
    ttl_cache_init(&c, 2, 0);
    ttl_cache_put(&c, SLICE("a"), SLICE("1"), 0);
    ttl_cache_put(&c, SLICE("b"), SLICE("2"), 0);
    assert_true(ttl_cache_get(&c, SLICE("a"), 0, &v));
    ttl_cache_put(&c, SLICE("c"), SLICE("3"), 0);
    assert_false(ttl_cache_get(&c, SLICE("b"), 0, &v));
    ttl_cache_put(&c, SLICE("a"), SLICE("4"), 0);
    assert_int_equal(c.n, 2);
    assert_true(ttl_cache_get(&c, SLICE("a"), 0, &v));
    assert_slice_equal(v, SLICE("4"));
    ttl_cache_fini(&c);
}

/* The bound and the order of use, over many random steps. */
static void test_random(void **state)
{
    enum { KEYS = 500, ROOM = 200 };
    struct ttl_cache c;
    static int64_t used[KEYS], put[KEYS]; /* 0: not there */
    struct prng prng;
    (void)state;
    prng_seed(&prng, 7);
    ttl_cache_init(&c, ROOM, 1000);
    for (int64_t now = 1; now < 50000; now++) {
        char text[16];
        uint64_t k = prng_below(&prng, KEYS);
        slice key = key_text(text, k), v;
        bool want = put[k] != 0 && now - put[k] < 1000;
        bool got = ttl_cache_get(&c, key, now, &v);
        assert_int_equal(got, want);
        if (got) {
            assert_slice_equal(v, key);
            used[k] = now;
            continue;
        }
        put[k] = 0;
        uint32_t n = 0, oldest = KEYS;
        for (uint32_t i = 0; i < KEYS; i++) {
            if (put[i] == 0) continue;
            n++;
            if (oldest == KEYS || used[i] < used[oldest]) oldest = i;
        }
        if (n == ROOM) put[oldest] = 0;
        ttl_cache_put(&c, key, key, now);
        used[k] = put[k] = now;
        assert_true(c.n <= ROOM);
    }
    ttl_cache_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_least_recently_used_goes),
        cmocka_unit_test(test_random),
    };
    return T_RUN(tests);
}
