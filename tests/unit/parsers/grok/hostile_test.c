/*
 * hostile_test.c - long lines made to be slow, against every pattern that comes with spate: each
 * search is bounded, by a match, by "no match" or by a limit that is counted. What is measured is
 * processor time of this thread, so that a busy machine changes nothing.
 */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/prng.h"
#include "parsers/grok/grok.h"
#include "parsers/grok/patterns.h"

#define LINE_BYTES 65536u
/* 50 ms in a release build, where 35 are seen; sanitizers make programs some ten times slower. */
#define SEARCH_NS_MOST (500 * NS_PER_MS)

/* What the lines repeat. */
static const char *const units[] = {
    "a",  "A",   " ",        "1",        "\"",   "[",    "]",       "(",   "'",           "a ",
    "1.", "a.",  "a:",       "1:",       "a@",   "\\\"", "\\",      "/a",  "1/",          "- ",
    "\n", "a\n", "x=y ",     "::",       "%41",  "00 ",  "Mar  9 ", "10:", "2020-01-01 ", "http://",
    "a-", "_",   "1.2.3.4 ", "1.2.3.4:", "[1] ", "<1>",  "\"a\" ",  "a, ", "\xc3\xa4"};

static char line[LINE_BYTES];

static slice fill_line(const char *unit, bool spoiled)
{
    uint32_t n = (uint32_t)strlen(unit), at = 0;
    for (; at + n <= LINE_BYTES; at += n) memcpy(line + at, unit, n);
    if (spoiled && (unsigned char)line[at - 1] < 0x80) line[at - 1] = '\x01';
    return slice_make(line, at);
}

static bool lookup(void *library, slice name, slice *pattern)
{
    const char *text = grok_pattern_find(*(enum grok_library *)library, name);
    *pattern = slice_from_cstr(text);
    return text != NULL;
}

struct worst {
    int64_t ns;
    const char *name, *unit;
    uint32_t limited, searches;
};

/* One search; with `never` of a pattern that has an end no line has. */
static void search(struct worst *worst, const struct grok_dict *dict, const char *name, bool never,
                   const char *unit, bool spoiled)
{
    char text[200];
    struct grok_error error;
    struct grok_options options = {.program_after = 1};
    snprintf(text, sizeof(text), never ? "%%{%s:x}\x02" : "%%{%s:x}", name);
    slice pattern = slice_from_cstr(text);
    struct grok_set *set = grok_set_new(&pattern, 1, dict, &options, &error);
    assert_non_null(set);
    struct grok_scratch *scratch = grok_scratch_new(set);
    struct grok_result result;
    grok_match(set, scratch, SLICE("x"), 0, &result); /* builds what is built at first use */
    int64_t start = clock_thread_cpu_ns();
    enum grok_status status = grok_match(set, scratch, fill_line(unit, spoiled), 0, &result);
    int64_t took = clock_thread_cpu_ns() - start;
    assert_false(never && status == GROK_MATCH);
    assert_int_equal(status == GROK_LIMIT, status != GROK_MATCH && result.limited > 0);
    if (took > worst->ns) {
        worst->ns = took;
        worst->name = name;
        worst->unit = unit;
    }
    worst->limited += result.limited > 0;
    worst->searches++;
    grok_scratch_free(scratch);
    grok_set_free(set);
}

/* Each pattern meets some of the lines; SPATE_GROK_SEED chooses others. */
static void whole_library(enum grok_library library, const struct grok_pattern *list, uint32_t n)
{
    struct grok_dict *dict = grok_dict_new(NULL);
    struct worst worst = {0};
    struct prng rng;
    const char *seed = getenv("SPATE_GROK_SEED");
    grok_dict_lookup(dict, lookup, &library);
    prng_seed(&rng, seed == NULL ? 5 : strtoull(seed, NULL, 10));
    for (uint32_t i = 0; i < n; i++) {
        const char *unit = units[prng_below(&rng, ARRAY_LEN(units))];
        search(&worst, dict, list[i].name, prng_below(&rng, 2) == 0, unit,
               prng_below(&rng, 2) == 0);
    }
    print_message("%u searches, %u limited, the longest %.1f ms (%s on '%s')\n", worst.searches,
                  worst.limited, (double)worst.ns / NS_PER_MS, worst.name, worst.unit);
    assert_true(worst.ns < SEARCH_NS_MOST);
    grok_dict_free(dict);
}

/* Patterns whose attempts each read to the end of the line, so that all of them are quadratic. */
static void test_quadratic(void **state)
{
    (void)state;
    enum grok_library library = GROK_LEGACY;
    static const char *const list[][2] = {{"CISCO_INTERVAL", "1"}, {"PATH", "a"},
                                          {"SYSLOG5424SD", "["},   {"URI", "http://"},
                                          {"QS", "\\\""},          {"IPV6", "1:"}};
    struct grok_dict *dict = grok_dict_new(NULL);
    struct worst worst = {0};
    grok_dict_lookup(dict, lookup, &library);
    for (uint32_t i = 0; i < ARRAY_LEN(list); i++)
        for (uint32_t k = 0; k < 4; k++) search(&worst, dict, list[i][0], k & 1, list[i][1], k & 2);
    assert_true(worst.limited > 0);
    assert_true(worst.ns < SEARCH_NS_MOST);
    grok_dict_free(dict);
}

static void test_legacy(void **state)
{
    (void)state;
    whole_library(GROK_LEGACY, grok_patterns_legacy, grok_patterns_legacy_n);
}

static void test_ecs_v1(void **state)
{
    (void)state;
    whole_library(GROK_ECS_V1, grok_patterns_ecs_v1, grok_patterns_ecs_v1_n);
}

/* What is searched in strides is found all the same, wherever it is. */
static void find_everywhere(const char *expression, const char *unit, uint32_t before)
{
    struct grok_options options = {.no_program = true};
    struct grok_dict *dict = grok_dict_new(NULL);
    struct grok_error error;
    struct grok_result result;
    slice pattern = slice_from_cstr(expression);
    struct grok_set *set = grok_set_new(&pattern, 1, dict, &options, &error);
    assert_non_null(set);
    struct grok_scratch *scratch = grok_scratch_new(set);
    for (uint32_t at = 2; at < 6000; at += 14) {
        slice text = fill_line(unit, false);
        memcpy(line + at, "needle", 6);
        text.n = 7000;
        assert_int_equal(grok_match(set, scratch, text, 0, &result), GROK_MATCH);
        assert_int_equal(result.whole.p - line, at - before);
    }
    grok_scratch_free(scratch);
    grok_set_free(set);
    grok_dict_free(dict);
}

static void test_strides(void **state)
{
    (void)state;
    find_everywhere("needle", "x", 0);
    find_everywhere("(?<=x)nee(?<a>dle)|\\Aneedle", "x", 0);
    find_everywhere("needle|(?<=x)\\Gx", "x", 0);
    find_everywhere(".needle", "\xc3\xa4", 2);
    find_everywhere("(?<=\xc3\xa4)needle", "\xc3\xa4", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_ecs_v1),
        cmocka_unit_test(test_quadratic),
        cmocka_unit_test(test_strides),
    };
    return T_RUN(tests);
}
