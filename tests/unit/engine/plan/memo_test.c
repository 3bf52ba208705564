/* memo_test.c - what is kept, for how long, and who may still use what is not. */
#include "engine/plan/memo.h"

#include <stdio.h>

#include "tests/unit/t.h"

struct fixture {
    struct page_pool pool;
    struct batch batch;
    struct memo memo;
};

static void setup(struct fixture *f, uint64_t entries)
{
    page_pool_init(&f->pool, SIZE_MAX);
    batch_init(&f->batch, &f->pool);
    memo_init(&f->memo, entries);
}

static void teardown(struct fixture *f)
{
    memo_fini(&f->memo);
    batch_fini(&f->batch);
    page_pool_fini(&f->pool);
}

static const uint64_t *find(struct fixture *f, uint64_t number)
{
    char text[24];
    slice key = slice_make(text, (size_t)snprintf(text, sizeof(text), "k%d", (int)number));
    return memo_find(&f->memo, &f->batch, key, memo_hash(key));
}

static const uint64_t *add(struct fixture *f, uint64_t number)
{
    char text[24];
    slice key = slice_make(text, (size_t)snprintf(text, sizeof(text), "k%d", (int)number));
    struct arena *arena = memo_arena(&f->memo, &f->batch, key);
    uint64_t *answer = arena_alloc(arena, sizeof(*answer), 8);
    *answer = number;
    memo_put(&f->memo, key, memo_hash(key), answer);
    return answer;
}

static void test_generations(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f, 1000);
    const uint64_t *first = add(&f, 0);
    for (uint64_t i = 1; i < 5000; i++) {
        assert_null(find(&f, i));
        add(&f, i);
        assert_int_equal(*find(&f, i), i);
        if (i > 500) assert_int_equal(*find(&f, i - 499), i - 499);
        if (i > 1000) assert_null(find(&f, i - 1000));
    }
    /* The batch still has the first one. */
    assert_int_equal(*first, 0);
    batch_reset(&f.batch);
    assert_int_equal(*find(&f, 4999), 4999);
    memo_clear(&f.memo);
    assert_null(find(&f, 4999));
    teardown(&f);
}

static void test_long_keys(void **state)
{
    static char text[MEMO_KEY_BYTES_MAX + 1];
    struct fixture f;
    (void)state;
    setup(&f, 1);
    slice key = slice_make(text, sizeof(text));
    assert_ptr_equal(memo_arena(&f.memo, &f.batch, key), &f.batch.arena);
    memo_put(&f.memo, key, memo_hash(key), text);
    assert_null(memo_find(&f.memo, &f.batch, key, memo_hash(key)));
    add(&f, 1);
    add(&f, 2);
    assert_int_equal(*find(&f, 2), 2);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_generations),
                                       cmocka_unit_test(test_long_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
