/* Expressions that loop over loops, and anchors that cannot hold; and their harmless neighbours. */
#include "parsers/grok/hazard.h"

#include "parsers/grok/regex.h"
#include "tests/unit/t.h"

#define EXP 1
#define NEVER 2

static const struct {
    const char *pattern;
    int flags, want;
} cases[] = {
    {"^(a+)+$", 0, EXP},
    {"^(?:a*)*b", 0, EXP},
    {"(\\w+\\s?)+;", 0, EXP},
    {"(?<x>(?:[a-z]|[a-m])+)\\d", 0, EXP},
    {"(?:\\w+|-)+$", 0, EXP},
    {"(.*,)*x", 0, EXP},
    {"(?:(?:ab)+)+", 0, 0},
    {"(a+)+", 0, 0}, /* nothing behind it can fail */
    {"(?>a+)+$", 0, 0},
    {"(?:a++)+$", 0, 0},
    {"(?:a+){2}$", 0, 0},
    {"(?:\\w+\\s)+;", 0, 0},
    {"(?:[^,]*,)*$", 0, 0},
    {"(?:\\w|-)+$", 0, 0},
    {"(?:\x01,?)*$", 0, 0}, /* a %{NAME}: nobody knows */
    {"a^b", 0, NEVER},
    {"a$b", 0, NEVER},
    {"a\\Ab", 0, NEVER},
    {"a\\zb", 0, NEVER},
    {"(?:x|a$b)c", 0, NEVER},
    {"^a$", 0, 0},
    {"a\n^b", 0, 0},
    {"a\\s*^b", 0, 0},
    {"a$\\s+b", 0, 0},
    {"a.^b", 0, NEVER},
    {"a.^b", REGEX_DOT_ALL, 0},
    {"(?:^|,)a(?:,|$)", 0, 0},
    {"\x01^b", 0, 0},
    {"a$\x01", 0, 0},
    {"(?<!x)^a", 0, 0},
    {"a$(?!b)", 0, 0},
    {"(", 0, 0},
    {"", 0, 0},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        slice text = slice_from_cstr(cases[i].pattern);
        struct regex_hazard h = regex_hazard_find(text, (uint32_t)cases[i].flags);
        int got = (h.exponential ? EXP : 0) | (h.impossible ? NEVER : 0);
        if (got != cases[i].want) fail_msg("%s: %d, not %d", text.p, got, cases[i].want);
    }
}

static void test_places(void **state)
{
    (void)state;
    assert_int_equal(regex_hazard_find(SLICE("ab(c+)+d"), 0).exponential_at, 2);
    assert_int_equal(regex_hazard_find(SLICE("abc$d"), 0).impossible_at, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_places)};
    return T_RUN(tests);
}
