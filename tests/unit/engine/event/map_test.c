/* map_test.c - maps against a model: small ones, indexed ones, removal in between. */
#include "tests/unit/rig.h"

#include "engine/base/prng.h"

static struct key key_of(struct bench_batch *t, uint32_t number)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "key%u", number);
    return key_make(&t->arena, slice_make(text, (size_t)n));
}

static void test_order_and_index(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct map map = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        map_put(&map, &t.arena, key_of(&t, i), value_int(i));
        assert_int_equal(map.n, i + 1);
        /* Across the border to the indexed form every key stays to be found. */
        if (i > 70 && i % 97 != 0) continue;
        for (uint32_t k = 0; k <= i; k++) {
            struct key key = key_of(&t, k);
            struct member *m = map_find(&map, key.name, key.hash);
            assert_non_null(m);
            assert_int_equal(m->val.u.num, k);
            assert_ptr_equal(m, &map.at[k]);
        }
        struct key none = key_of(&t, i + 1);
        assert_null(map_find(&map, none.name, none.hash));
    }
    bench_batch_fini(&t);
}

/* A key with the same hash but other bytes is another key. */
static void test_equal_hashes(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    for (uint32_t n = 3; n < 80; n += 38) {
        struct map map = {0};
        for (uint32_t i = 0; i < n; i++) {
            struct key key = key_of(&t, i);
            key.hash = 5;
            map_put(&map, &t.arena, key, value_int(i));
        }
        assert_int_equal(map.n, n);
        for (uint32_t i = 0; i < n; i++) {
            struct key key = key_of(&t, i);
            assert_int_equal(map_find(&map, key.name, 5)->val.u.num, i);
        }
        struct key gone = key_of(&t, 1);
        assert_true(map_remove(&map, gone.name, 5));
        assert_null(map_find(&map, gone.name, 5));
        struct key last = key_of(&t, n - 1);
        assert_non_null(map_find(&map, last.name, 5));
    }
    bench_batch_fini(&t);
}

/* Random puts and removes against an ordered list. */
static void test_model(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct prng r;
    prng_seed(&r, 11);
    struct map map = {0};
    uint32_t model[256], model_val[256], n = 0;
    for (uint32_t step = 0; step < 6000; step++) {
        /* Grows to about 60 keys and shrinks again. */
        uint32_t number = (uint32_t)prng_below(&r, 90), at = 0;
        struct key key = key_of(&t, number);
        while (at < n && model[at] != number) at++;
        if (prng_below(&r, 100) < (step / 1000 % 2 ? 35 : 65)) {
            map_put(&map, &t.arena, key, value_int(step));
            model[at] = number;
            model_val[at] = step;
            if (at == n) n++;
        } else {
            assert_int_equal(map_remove(&map, key.name, key.hash), at < n);
            if (at < n) {
                n--;
                memmove(model + at, model + at + 1, (n - at) * sizeof(*model));
                memmove(model_val + at, model_val + at + 1, (n - at) * sizeof(*model_val));
            }
        }
        assert_int_equal(map.n, n);
        for (uint32_t i = 0; i < n; i++) {
            struct key want = key_of(&t, model[i]);
            struct member *m = map_find(&map, want.name, want.hash);
            assert_ptr_equal(m, &map.at[i]);
            assert_int_equal(m->val.u.num, model_val[i]);
        }
        if (step % 500 == 0) {
            struct map copy;
            map_copy(&copy, &map, &t.arena);
            assert_int_equal(copy.n, map.n);
            for (uint32_t i = 0; i < n; i++)
                assert_slice_equal(slice_make(copy.at[i].key, copy.at[i].key_n),
                                   slice_make(map.at[i].key, map.at[i].key_n));
        }
        if (step % 50 == 0) { /* Keep the arena small: start again with a copy. */
            struct map copy;
            map_copy(&copy, &map, &t.arena);
            map = copy;
        }
    }
    bench_batch_fini(&t);
}

/* What the JSON encoder relies on around a key. */
static void test_wire_keys(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct key key = key_make(&t.arena, SLICE("host"));
    assert_int_equal(key.flags, KEY_WIRE | KEY_QUOTED);
    assert_slice_equal(slice_make(key.name.p - 1, 7), SLICE("\"host\":"));
    assert_int_equal(key_make(&t.arena, SLICE("a\"b")).flags, 0);
    assert_int_equal(key_make(&t.arena, SLICE("a\nb")).flags, 0);
    assert_int_equal(key_make(&t.arena, SLICE("a\\b")).flags, 0);
    /* Replacing a value keeps the key's bytes, so it must keep its flags. */
    struct map map = {0};
    map_put(&map, &t.arena, key, value_int(1));
    map_put(&map, &t.arena, key_borrow(SLICE("host")), value_int(2));
    assert_int_equal(map.at[0].val.key_flags, KEY_WIRE | KEY_QUOTED);
    assert_int_equal(map.at[0].val.u.num, 2);
    assert_int_equal(key_make(&t.arena, SLICE_NONE).name.n, 0);
    bench_batch_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_index),
        cmocka_unit_test(test_equal_hashes),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_wire_keys),
    };
    return T_RUN(tests);
}
