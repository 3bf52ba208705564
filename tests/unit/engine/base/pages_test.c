/* pages_test.c - the page pool and arenas: alignment, large pages, the limit, reuse. */
#include "tests/unit/t.h"

#include "engine/base/pages.h"

static void test_alignment_and_overlap(void **state)
{
    (void)state;
    struct page_pool pool;
    struct arena arena;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    enum { N = 3000 };
    static char *at[N];
    for (uint32_t i = 0; i < N; i++) {
        size_t align = (size_t)1 << (i % 7), size = i % 97;
        at[i] = arena_alloc(&arena, size, align);
        assert_int_equal((uintptr_t)at[i] % align, 0);
        memset(at[i], (int)(i % 251), size + PAGE_PAD); /* the pad behind it may be overrun */
    }
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t k = 0; k < i % 97; k++) assert_int_equal((unsigned char)at[i][k], i % 251);
    arena_fini(&arena);
    page_pool_fini(&pool);
}

static void test_large_page_keeps_the_current_one(void **state)
{
    (void)state;
    struct page_pool pool;
    struct arena arena;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    char *before = arena_alloc(&arena, 8, 8);
    char *large = arena_alloc(&arena, 1000000, 16);
    char *after = arena_alloc(&arena, 8, 8);
    assert_ptr_equal(after, before + 8);
    memset(large, 1, 1000000 + PAGE_PAD);
    assert_true(pool.used_bytes >= PAGE_BYTES + 1000000);
    assert_int_equal(arena.bytes, pool.used_bytes);
    arena_reset(&arena);
    assert_true(pool.used_bytes <= PAGE_BYTES);
    assert_int_equal(arena.bytes, pool.used_bytes);
    assert_true(pool.peak_bytes > 1000000);
    arena_fini(&arena);
    assert_int_equal(pool.used_bytes, 0);
    page_pool_fini(&pool);
}

static void test_large_page_first(void **state)
{
    (void)state;
    struct page_pool pool;
    struct arena arena;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    memset(arena_alloc(&arena, PAGE_BYTES, 64), 1, PAGE_BYTES);
    memset(arena_alloc(&arena, 10, 1), 2, 10);
    arena_reset(&arena); /* nothing but the large page: all goes back */
    memset(arena_alloc(&arena, 10, 1), 3, 10);
    assert_int_equal(pool.used_bytes, arena.bytes);
    /* Exactly what fits into a page, and one byte more. */
    size_t most = PAGE_BYTES - sizeof(struct page) - PAGE_PAD - 1;
    memset(arena_alloc(&arena, most, 1), 4, most);
    memset(arena_alloc(&arena, most + 1, 1), 5, most + 1);
    arena_reset(&arena);
    assert_true(pool.used_bytes <= PAGE_BYTES);
    arena_fini(&arena);
    page_pool_fini(&pool);
}

static void test_limit_is_for_admission(void **state)
{
    (void)state;
    struct page_pool pool;
    struct arena arena;
    page_pool_init(&pool, 2 * PAGE_BYTES);
    arena_init(&arena, &pool);
    assert_true(pages_room(&pool, 2 * PAGE_BYTES));
    assert_false(pages_room(&pool, 2 * PAGE_BYTES + 1));
    for (int i = 0; i < 4; i++) assert_non_null(arena_alloc(&arena, PAGE_BYTES / 2, 1));
    assert_false(pages_room(&pool, 0));
    arena_reset(&arena);
    assert_true(pages_room(&pool, PAGE_BYTES));
    arena_fini(&arena);
    page_pool_fini(&pool);
}

static void test_copies(void **state)
{
    (void)state;
    struct page_pool pool;
    struct arena arena;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    assert_slice_equal(arena_copy(&arena, SLICE("abc")), SLICE("abc"));
    assert_int_equal(arena_copy(&arena, SLICE_NONE).n, 0);
    assert_slice_equal(arena_join(&arena, SLICE("ab"), SLICE("c\0d")), SLICE("abc\0d"));
    assert_slice_equal(arena_join(&arena, SLICE_NONE, SLICE("x")), SLICE("x"));
    arena_fini(&arena);
    page_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_overlap),
        cmocka_unit_test(test_large_page_keeps_the_current_one),
        cmocka_unit_test(test_large_page_first),
        cmocka_unit_test(test_limit_is_for_admission),
        cmocka_unit_test(test_copies),
    };
    return T_RUN(tests);
}
