/*
 * kv_test.c - the kv scanner against the regex it stands for, run by Oniguruma.
 */
#include "parsers/text/kv.h"

#include <oniguruma.h>
#include <stdlib.h>

#include "engine/base/prng.h"
#include "tests/unit/t.h"

static regex_t *onig_compile(const char *pattern)
{
    regex_t *regex = NULL;
    OnigErrorInfo info;
    const OnigUChar *p = (const OnigUChar *)pattern;
    int r = onig_new(&regex, p, p + strlen(pattern), ONIG_OPTION_NONE, ONIG_ENCODING_UTF8,
                     ONIG_SYNTAX_RUBY, &info);
    if (r != ONIG_NORMAL) fail_msg("regex %s: %d", pattern, r);
    return regex;
}

static int64_t onig_match_at(void *user, slice text, uint32_t at)
{
    const OnigUChar *p = (const OnigUChar *)text.p;
    return onig_match(user, p, p + text.n, p + at, NULL, ONIG_OPTION_NONE);
}

/* A configuration and both of its readings. */
struct setup {
    const char *field, *value, *field_pattern, *value_pattern;
    bool brackets, strict;
    regex_t *scan, *field_regex, *value_regex;
    struct kv kv;
};

/* How the filter builds its regex, from the option texts. */
static void setup_compile(struct setup *c)
{
    char fs[128], vs[128], key[300], value[600], whole[2000];
    const char *spaces = c->strict ? "" : " *";
    if (c->field_pattern)
        snprintf(fs, sizeof(fs), "(?:%s)", c->field_pattern);
    else
        snprintf(fs, sizeof(fs), "[%s]", c->field);
    if (c->value_pattern)
        snprintf(vs, sizeof(vs), "(?:%s(?:%s)%s)", spaces, c->value_pattern, spaces);
    else
        snprintf(vs, sizeof(vs), "(?:%s[%s]%s)", spaces, c->value, spaces);
    if (c->field_pattern || c->value_pattern)
        snprintf(key, sizeof(key), "((?:\\\\.|(?!%s|%s).)+)", vs, fs);
    else
        snprintf(key, sizeof(key), "((?:\\\\.|[^%s%s])+)", c->value, c->field);
    int n = snprintf(value, sizeof(value), "\"((?:\\\\.|[^\"])+)?\"|'((?:\\\\.|[^'])+)?'|");
    if (c->brackets)
        n += snprintf(value + n, sizeof(value) - (size_t)n,
                      "\\(((?:\\\\.|[^\\)])+)?\\)|\\[((?:\\\\.|[^\\]])+)?\\]|"
                      "<((?:\\\\.|[^>])+)?>|");
    if (c->field_pattern)
        snprintf(value + n, sizeof(value) - (size_t)n, "((?:\\\\.|(?!%s).)+)", fs);
    else
        snprintf(value + n, sizeof(value) - (size_t)n, "((?:\\\\.|[^%s])+)", c->field);
    snprintf(whole, sizeof(whole), "%s%s(?:%s)?(?:%s|$)", key, vs, value, fs);
    c->scan = onig_compile(whole);

    struct kv_options o = {.field_split = slice_from_cstr(c->field),
                           .value_split = slice_from_cstr(c->value),
                           .include_brackets = c->brackets,
                           .whitespace_strict = c->strict};
    if (c->field_pattern) {
        c->field_regex = onig_compile(c->field_pattern);
        o.field_split_pattern = (struct kv_regex){onig_match_at, c->field_regex};
    }
    if (c->value_pattern) {
        c->value_regex = onig_compile(c->value_pattern);
        o.value_split_pattern = (struct kv_regex){onig_match_at, c->value_regex};
    }
    assert_int_equal(kv_compile(&o, &c->kv), ERR_OK);
}

static void setup_free(struct setup *c)
{
    onig_free(c->scan);
    if (c->field_regex) onig_free(c->field_regex);
    if (c->value_regex) onig_free(c->value_regex);
}

static uint32_t compare(const struct setup *c, slice text, OnigRegion *region)
{
    const OnigUChar *p = (const OnigUChar *)text.p;
    const OnigUChar *end = p + text.n;
    const OnigUChar *at = p;
    uint32_t pairs = 0;
    struct kv_scan scan = kv_scan_start(&c->kv, text);
    for (;; pairs++) {
        int r = onig_search(c->scan, p, end, at, end, region, ONIG_OPTION_NONE);
        struct kv_pair pair;
        bool got = kv_scan_next(&scan, &pair);
        assert_false(scan.exhausted);
        if (got != (r >= 0))
            fail_msg("pair %u: %s, regex %d (fs %s vs %s): %.*s", pairs, got ? "found" : "none", r,
                     c->field, c->value, SLICE_FMT(text));
        if (!got) return pairs;
        slice key = slice_make(text.p + region->beg[1], (size_t)(region->end[1] - region->beg[1]));
        slice value = {text.p, 0};
        for (int g = 2; g < region->num_regs; g++)
            if (region->beg[g] >= 0)
                value =
                    slice_make(text.p + region->beg[g], (size_t)(region->end[g] - region->beg[g]));
        if (!slice_equal(key, pair.key) || !slice_equal(value, pair.value))
            fail_msg("pair %u: got %.*s -> %.*s want %.*s -> %.*s in: %.*s", pairs,
                     SLICE_FMT(pair.key), SLICE_FMT(pair.value), SLICE_FMT(key), SLICE_FMT(value),
                     SLICE_FMT(text));
        at = p + region->end[0];
    }
}

static void random_texts_agree(void **state)
{
    (void)state;
    struct setup setups[] = {
        {.field = " ", .value = "=", .brackets = true},
        {.field = " ", .value = "=", .brackets = false, .strict = true},
        {.field = "&?", .value = "=", .brackets = true},
        {.field = ",;", .value = ":= ", .brackets = true},
        {.field = "\n", .value = "=", .brackets = true},
        {.field = "\\s", .value = ":", .brackets = true, .strict = true},
        {.field = " \\\\", .value = "=", .brackets = true},
        {.field = "\xc3\xbc ", .value = "=\xe2\x98\x83", .brackets = true},
        {.field = " ^", .value = "=^", .brackets = true},
        {.field = "-z", .value = ":", .brackets = true},
        {.field = " ", .value = " ", .brackets = true},
        {.field = "a-c ", .value = "[:digit:]", .brackets = true},
        {.field = " ", .value = "=", .field_pattern = ", ?|\\n", .brackets = true},
        {.field = " ", .value = "=", .value_pattern = "=>?|:", .brackets = true},
        {.field = " ", .value = "=", .field_pattern = ";;", .value_pattern = "::", .strict = true},
        {.field = " ", .value = "=", .field_pattern = "\\s+", .value_pattern = " ?= ?"},
    };
    static const char *const atoms[] = {
        "a",   "b",          "key", "=",   "=",  " ", " ",        "  ",
        "\"",  "'",          "(",   ")",   "[",  "]", "<",        ">",
        "\\",  "\\\"",       "\\ ", "\\=", "\n", "&", "?",        ",",
        ";",   ":",          "::",  ";;",  "=>", "1", "\xc3\xbc", "\xe2\x98\x83",
        "a=1", "b=\"x y\" ", "\\\\"};
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    OnigRegion *region = onig_region_new();
    struct prng r;
    prng_seed(&r, 42);
    for (size_t k = 0; k < sizeof(setups) / sizeof(setups[0]); k++) {
        setup_compile(&setups[k]);
        uint32_t pairs = 0;
        for (int i = 0; i < 8000; i++) {
            char line[512];
            uint32_t n = 0;
            for (uint64_t m = prng_below(&r, 24); m > 0; m--) {
                const char *atom = atoms[prng_below(&r, sizeof(atoms) / sizeof(atoms[0]))];
                memcpy(line + n, atom, strlen(atom));
                n += (uint32_t)strlen(atom);
            }
            char *exact = malloc(n + (n == 0));
            assert_non_null(exact);
            if (n > 0) memcpy(exact, line, n);
            pairs += compare(&setups[k], slice_make(exact, n), region);
            free(exact);
        }
        assert_true(pairs > 500);
        setup_free(&setups[k]);
    }
    onig_region_free(region, 1);
    onig_end();
}

/* "key=value;key=value;" of all pairs. */
static void expect(const struct kv_options *options, const char *text, const char *want)
{
    struct kv kv;
    assert_int_equal(kv_compile(options, &kv), ERR_OK);
    struct kv_scan scan = kv_scan_start(&kv, slice_from_cstr(text));
    struct kv_pair pair;
    char got[512];
    int n = 0;
    got[0] = 0;
    while (kv_scan_next(&scan, &pair))
        n += snprintf(got + n, sizeof(got) - (size_t)n, "%.*s=%.*s;", SLICE_FMT(pair.key),
                      SLICE_FMT(pair.value));
    assert_string_equal(got, want);
}

static void documented_cases(void **state)
{
    (void)state;
    struct kv_options o = {.include_brackets = true};
    expect(&o, "a = 1 b= 2 c =3", "a=1;b=2;c=3;");
    expect(&o, "b= c=1", "b=c=1;");
    expect(&o, "a=(x) b=[y] c=<z>", "a=x;b=y;c=z;");
    expect(&o, "a=\"b=1 c=2\" d=3", "a=b=1 c=2;d=3;");
    expect(&o, "a=\"say \\\"hi\\\"\" b=x\\ y", "a=say \\\"hi\\\";b=x\\ y;");
    expect(&o, "\xd0\xba\xd0\xbb=\xd0\xb7 \xc3\xbc=\xc3\xb6",
           "\xd0\xba\xd0\xbb=\xd0\xb7;\xc3\xbc=\xc3\xb6;");
    expect(&o, "no pairs at all", "");
    o.include_brackets = false;
    expect(&o, "a=(x) b=[y] c=<z>", "a=(x);b=[y];c=<z>;");
    o.field_split = SLICE("&?");
    expect(&o, "http?a=1&b=2?c=3", "a=1;b=2;c=3;");
    expect(&o, "a=&b=2&c=", "a=;b=2;c=;");
    o.field_split = SLICE("\n");
    expect(&o, "a=1\nb=2 3", "a=1;b=2 3;");
}

static void trim_and_remove(void **state)
{
    (void)state;
    char scratch[64];
    struct kv_class c;
    assert_int_equal(kv_class_parse(SLICE("!;"), &c), ERR_OK);
    assert_slice_equal(kv_trim(&c, SLICE("!x!y;;"), scratch), SLICE("x!y"));
    assert_slice_equal(kv_trim(&c, SLICE("!;!"), scratch), SLICE(""));
    assert_slice_equal(kv_trim(&c, SLICE("!a;\n;b!\n"), scratch), SLICE("a\nb\n"));
    assert_slice_equal(kv_remove(&c, SLICE("!a;b!"), scratch), SLICE("ab"));
    assert_int_equal(kv_class_parse(SLICE("\\n "), &c), ERR_OK);
    assert_slice_equal(kv_trim(&c, SLICE(" a \n b \n"), scratch), SLICE("a\nb"));
    assert_int_equal(kv_class_parse(SLICE("\\[\\]\xc3\xbc"), &c), ERR_OK);
    assert_slice_equal(kv_trim(&c, SLICE("\xc3\xbc[a]\xc3\xbc"), scratch), SLICE("a"));
}

static void bad_classes(void **state)
{
    (void)state;
    struct kv_class c;
    assert_int_equal(kv_class_parse(SLICE(""), &c), ERR_SYNTAX);
    assert_int_equal(kv_class_parse(SLICE("^"), &c), ERR_SYNTAX);
    assert_int_equal(kv_class_parse(SLICE("z-a"), &c), ERR_SYNTAX);
    assert_int_equal(kv_class_parse(SLICE("a]b"), &c), ERR_SYNTAX);
    assert_int_equal(kv_class_parse(SLICE("a\\"), &c), ERR_SYNTAX);
    assert_int_equal(kv_class_parse(SLICE("[ab]"), &c), ERR_UNSUPPORTED);
    assert_int_equal(kv_class_parse(SLICE("a&&b"), &c), ERR_OK);
    struct kv kv;
    static const struct kv_options refused[] = {
        {.field_split = {"^a", 2}},
        {.value_split = {"^a", 2}},
        {.value_split = {"=&&=", 4}},
        {.value_split = {"a-", 2}, .field_split = {"z", 1}}};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(kv_compile(&refused[i], &kv), ERR_UNSUPPORTED);
    assert_false(c.ascii['a'] || c.ascii['b'] || c.ascii['&']);
}

/* Hostile texts end within the work bound, in bounded time. */
static void hostile_texts_end(void **state)
{
    (void)state;
    static const char *const units[] = {"\\", "\\=", "a=(\\)", "a=\" ", "= ", " "};
    struct kv kv;
    assert_int_equal(kv_compile(&(struct kv_options){.include_brackets = true}, &kv), ERR_OK);
    static char text[1 << 18];
    for (size_t k = 0; k < sizeof(units) / sizeof(units[0]); k++) {
        size_t unit = strlen(units[k]);
        for (size_t i = 0; i < sizeof(text); i++) text[i] = units[k][i % unit];
        struct kv_scan scan = kv_scan_start(&kv, slice_make(text, sizeof(text)));
        struct kv_pair pair;
        while (kv_scan_next(&scan, &pair)) assert_true(pair.key.n > 0);
        assert_true(scan.steps < scan.steps_max + 4 * sizeof(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_cases),  cmocka_unit_test(trim_and_remove),
        cmocka_unit_test(bad_classes),       cmocka_unit_test(random_texts_agree),
        cmocka_unit_test(hostile_texts_end),
    };
    return T_RUN(tests);
}
