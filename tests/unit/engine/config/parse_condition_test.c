/* Conditions: operators, operands, Logstash's grouping and its warnings. */
#include "tests/unit/engine/config/fixture.h"

static struct cond *parse(struct fixture *f, const char *text)
{
    struct buf config = {0};
    buf_printf(&config, "filter { if %s { } }", text);
    err e = fixture_parse(f, buf_cstr(&config), false);
    buf_fini(&config);
    if (e != ERR_OK) {
        print_error("%s\n", fixture_said(f));
        fail();
    }
    return f->ast.sections[SECTION_FILTER].at[0].branch->arms[0].cond;
}

static void assert_groups(const char *text, const char *want, bool warns)
{
    struct fixture f;
    struct buf shown = {0};
    cond_show(parse(&f, text), &shown);
    assert_string_equal(buf_cstr(&shown), want);
    assert_int_equal(f.diag.warnings, warns);
    buf_fini(&shown);
    fixture_fini(&f);
}

/* The table was made by running the published algorithm over all chains up to five terms. */
static void groups_like_logstash(void **state)
{
    (void)state;
    assert_groups("[a] and [b] or [c]", "([a] and [b]) or [c]", false);
    assert_groups("[a] or [b] and [c]", "[a] or ([b] and [c])", false);
    assert_groups("[a] and [b] or [c] and [d]", "([a] and [b]) or ([c] and [d])", false);
    assert_groups("[a] and [b] and [c] or [d]", "[a] and (([b] and [c]) or [d])", true);
    assert_groups("[a] and [b] and [c] or [d] and [e]", "[a] and (([b] and [c]) or ([d] and [e]))",
                  true);
    assert_groups("[a] and [b] and [c] or [d] or [e]", "[a] and (([b] and [c]) or [d] or [e])",
                  true);
    assert_groups("[a] or [b] and [c] and [d] or [e]", "[a] or ([b] and (([c] and [d]) or [e]))",
                  true);
    assert_groups("([a] and [b] and [c]) or [d]", "([a] and [b] and [c]) or [d]", false);
    assert_groups("[a] xor [b]", "[a] xor [b]", false);
    assert_groups("([a] nand [b]) and [c]", "([a] nand [b]) and [c]", false);
}

static void warns_with_both_readings(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f, "[a] and [b] and [c] or [d]");
    assert_says(&f, "it means:     [a] and (([b] and [c]) or [d])");
    assert_says(&f, "not:          ([a] and [b] and [c]) or [d]");
    fixture_fini(&f);
}

static void reads_operators(void **state)
{
    (void)state;
    assert_groups("[a]==\"x\"", "[a] == \"x\"", false);
    assert_groups("[a] != 1", "[a] != 1", false);
    assert_groups("[a]<=1.5", "[a] <= 1.5", false);
    assert_groups("1 > [a]", "1 > [a]", false);
    assert_groups("[a][b c] >= [c]", "[a][b c] >= [c]", false);
    assert_groups("[a] < 2", "[a] < 2", false);
    assert_groups("[a] =~ \"^x\"", "[a] =~ /^x/", false);
    assert_groups("[a] !~ /x\\/y/", "[a] !~ /x\\/y/", false);
    assert_groups("\"x\" in [tags]", "\"x\" in [tags]", false);
    assert_groups("[a] not  in [\"x\", yy, 3]", "!([a] in [\"x\", yy, 3])", false);
    assert_groups("![a]", "![a]", false);
    assert_groups("! ( [a] and # c\n [b] )", "!([a] and [b])", false);
    assert_groups("[a] in[\"x\",\"y\"]and[b]", "[a] in [\"x\", \"y\"] and [b]", false);
}

/* [f] in ["x"] is the field named "x": known since 2014 and kept, with a warning. */
static void warns_about_lists_of_one(void **state)
{
    (void)state;
    struct fixture f;
    struct cond *cond = parse(&f, "[f] in [\"x\"]");
    assert_int_equal(cond->b.type, CONFIG_SELECTOR);
    assert_says(&f, "a list of one string is read as the field [\"x\"]");
    fixture_fini(&f);
    parse(&f, "\"x\" in [\"x\", \"y\"]");
    assert_says(&f, "both sides of `in` are constants");
    fixture_fini(&f);
}

static void bounds_chains(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_add_cstr(&text, "filter { if [a]");
    for (int i = 0; i < 999; i++) buf_add_cstr(&text, " or [a]");
    size_t fits = text.n;
    buf_add_cstr(&text, " { } }");
    struct fixture f;
    assert_int_equal(fixture_parse(&f, buf_cstr(&text), false), ERR_OK);
    struct buf shown = {0};
    cond_show(f.ast.sections[SECTION_FILTER].at[0].branch->arms[0].cond, &shown);
    assert_int_equal(shown.n, 999 * 7 + 3);
    fixture_fini(&f);
    text.n = fits;
    buf_add_cstr(&text, " or [a] { } }");
    assert_int_equal(fixture_parse(&f, buf_cstr(&text), false), ERR_CONFIG);
    assert_says(&f, "more than 1000 terms");
    fixture_fini(&f);
    /* Depth adds up over parentheses: 60 levels of chains of 60. */
    text.n = 0;
    buf_add_cstr(&text, "filter { if ");
    for (int level = 0; level < 60; level++)
        for (int i = 0; i < 60; i++) buf_add_cstr(&text, i == 59 ? "(" : "[a] or ");
    assert_int_equal(fixture_parse(&f, buf_cstr(&text), false), ERR_CONFIG);
    fixture_fini(&f);
    buf_add_cstr(&text, "[a]");
    for (int level = 0; level < 60; level++) buf_add_cstr(&text, ")");
    buf_add_cstr(&text, " { } }");
    assert_int_equal(fixture_parse(&f, buf_cstr(&text), false), ERR_CONFIG);
    assert_says(&f, "nests deeper than 1000");
    fixture_fini(&f);
    buf_fini(&shown);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_like_logstash), cmocka_unit_test(warns_with_both_readings),
        cmocka_unit_test(reads_operators),      cmocka_unit_test(warns_about_lists_of_one),
        cmocka_unit_test(bounds_chains),
    };
    return T_RUN(tests);
}
