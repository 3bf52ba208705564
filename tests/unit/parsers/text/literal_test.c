/* literal_test.c - which expressions are plain text, and replacing it as the expression would. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/prng.h"
#include "parsers/grok/regex_replace.h"
#include "parsers/init.h"
#include "parsers/text/literal.h"

static void check(const char *pattern, const char *want)
{
    char out[64];
    uint32_t n;
    bool is = literal_of_regex(slice_from_cstr(pattern), out, &n);
    assert_int_equal(is, want != NULL);
    if (is) assert_slice_equal(slice_make(out, n), slice_from_cstr(want));
}

static void test_which(void **state)
{
    (void)state;
    check("/", "/");
    check("session id", "session id");
    check("\\.", ".");
    check("a\\.b\\/c", "a.b/c");
    check("[,]", ",");
    check("[.]x", ".x");
    check("[&]", "&");
    check("a[-]", "a-");
    check("\\\\", "\\");
    check("ü: ", "ü: ");
    static const char *const others[] = {"",    "a.b",  "a|b",    "^a",      "a$",    "a?",   "a*",
                                         "a+",  "a{2}", "(a)",    "[ab]",    "[^a]",  "[a-]", "\\d",
                                         "\\n", "\\",   "[",      "[]",      "[[]",   "[\\]", "a]",
                                         "x}",  "\xff", "\\k<a>", "\\u00e4", "[a&&b]"};
    for (uint32_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) check(others[i], NULL);
}

/* Against the expression itself. */
static void test_replace(void **state)
{
    (void)state;
    static const char *const needles[] = {"a", "ab",   "aa",  "aba",
                                          "é", "b\\.", "[c]", "abcabcabcab"};
    static const char *const withs[] = {"", "x", "yy", "aa", "long text"};
    static const char *const letters[] = {"a", "b", "c", ".", "é", "\xff"};
    struct page_pool pool;
    struct arena arena;
    struct prng r;
    struct buf wanted = {0}, subject = {0};
    struct grok_error error;
    struct regex_scratch *scratch = regex_scratch_new();
    parsers_init(CPU_SCALAR);
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    prng_seed(&r, 5);
    for (int round = 0; round < 4000; round++) {
        slice pattern = slice_from_cstr(needles[prng_below(&r, 8)]);
        slice with = slice_from_cstr(withs[prng_below(&r, 5)]), got = SLICE_NONE;
        char text[32];
        uint32_t n;
        assert_true(literal_of_regex(pattern, text, &n));
        subject.n = 0;
        for (uint64_t i = prng_below(&r, 40); i > 0; i--)
            buf_add_cstr(&subject, letters[prng_below(&r, round % 10 == 0 ? 6 : 5)]);
        struct regex *regex = regex_new(pattern, 0, &error);
        assert_non_null(regex);
        enum regex_status want =
            regex_replace_all(regex, scratch, buf_slice(&subject), with, 1 << 20, &wanted);
        enum literal_status is =
            literal_replace(buf_slice(&subject), slice_make(text, n), with, 1 << 20, &arena, &got);
        assert_int_equal(is, want == REGEX_MATCH ? LITERAL_REPLACED : LITERAL_ABSENT);
        if (want == REGEX_MATCH) assert_slice_equal(got, buf_slice(&wanted));
        regex_free(regex);
        arena_reset(&arena);
    }
    assert_int_equal(
        literal_replace(SLICE("aaaa"), SLICE("a"), SLICE("bcd"), 8, &arena, &(slice){0}),
        LITERAL_TOO_LONG);
    regex_scratch_free(scratch);
    buf_fini(&wanted);
    buf_fini(&subject);
    arena_fini(&arena);
    page_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_which),
                                       cmocka_unit_test(test_replace)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
