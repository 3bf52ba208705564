/* cpus_test.c - which CPUs shards are pinned to when the choice is left to the program. */
#include "tests/unit/t.h"

#include "engine/app/cpus.h"

static struct cpus chosen(uint32_t n, uint32_t usable)
{
    struct machine m = {.cpus_online = 64, .cpus_allowed = n, .cpus_usable = usable};
    struct cpus out;
    int allowed[64];
    for (uint32_t i = 0; i < n; i++) allowed[i] = (int)(i * 2 + 1);
    cpus_choose(&m, allowed, n, &out);
    assert_true(out.automatic);
    return out;
}

static void a_quarter_is_left(void **state)
{
    (void)state;
    assert_int_equal(chosen(4, 4).n, 3);
    assert_int_equal(chosen(5, 5).n, 3);
    assert_int_equal(chosen(8, 8).n, 6);
    struct cpus c = chosen(64, 64);
    assert_int_equal(c.n, 48);
    assert_int_equal(c.at[0], 1);
    assert_int_equal(c.at[47], 95);
}

static void few_or_bounded_are_not_pinned(void **state)
{
    (void)state;
    assert_int_equal(chosen(1, 1).n, 0);
    assert_int_equal(chosen(3, 3).n, 0);
    assert_int_equal(chosen(16, 4).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quarter_is_left),
        cmocka_unit_test(few_or_bounded_are_not_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
