/* The grammar: values, repeated attributes, sections, messages, hostile input. */
#include "tests/unit/engine/config/fixture.h"

#define FILTER(text) "filter { mutate { " text " } }"

static const struct config_value *option(struct fixture *f, const char *name)
{
    const struct ast_option *o = ast_plugin_option(fixture_filter(f), slice_from_cstr(name));
    assert_non_null(o);
    return &o->val;
}

static void reads_values(void **state)
{
    (void)state;
    struct fixture f;
    err e = fixture_parse(&f,
                          FILTER("aa => \"x\\\"y\\n\" 'q r' => '' nn => -12 ff => 1.\n"
                                 "big => 99999999999999999999 bw => two_words # c\n"
                                 "ll => [1 , [\"in\"], {\"k\" => vv 3 => 4}] cc => json { charset"
                                 " => \"UTF-8\" }"),
                          false);
    assert_int_equal(e, ERR_OK);
    assert_slice_equal(option(&f, "aa")->text, SLICE("x\\\"y\\n"));
    assert_slice_equal(option(&f, "q r")->text, SLICE(""));
    assert_int_equal(option(&f, "nn")->u.num, -12);
    assert_int_equal(option(&f, "ff")->type, CONFIG_FLOAT);
    assert_true(option(&f, "ff")->u.real == 1.0);
    assert_true(option(&f, "big")->flags & CONFIG_BIG);
    assert_true(option(&f, "bw")->flags & CONFIG_BARE);
    const struct config_value *list = option(&f, "ll");
    assert_int_equal(list->n, 3);
    assert_slice_equal(list->u.list[1].u.list[0].text, SLICE("in"));
    assert_int_equal(list->u.list[2].n, 2);
    assert_slice_equal(list->u.list[2].u.pairs[1].key.text, SLICE("3"));
    const struct config_value *codec = option(&f, "cc");
    assert_int_equal(codec->type, CONFIG_PLUGIN);
    assert_slice_equal(codec->u.plugin->name, SLICE("json"));
    assert_int_equal(codec->u.plugin->n, 1);
    fixture_fini(&f);
}

static void escapes_on_request(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(fixture_parse(&f, FILTER("aa => \"1\\n2\\t3\\\\4\\\"5\\'6\\0007\\d\""), true),
                     ERR_OK);
    assert_slice_equal(option(&f, "aa")->text, SLICE("1\n2\t3\\4\"5'6\0"
                                                     "007\\d"));
    fixture_fini(&f);
}

static void merges_repeated_attributes(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(
        fixture_parse(&f,
                      FILTER("match => {\"a\" => \"1\"} match => {\"b\" => \"2\" \"a\" => \"3\"}\n"
                             "tag => \"x\" tag => \"x\" tag => \"y\" arr => [1] arr => [1,2]"),
                      false),
        ERR_OK);
    const struct config_value *match = option(&f, "match");
    assert_int_equal(match->n, 2);
    assert_int_equal(match->u.pairs[0].val.n, 2);
    assert_slice_equal(match->u.pairs[0].val.u.list[1].text, SLICE("3"));
    assert_int_equal(option(&f, "tag")->n, 2);
    assert_int_equal(option(&f, "arr")->n, 3);
    assert_int_equal(ast_plugin_option(fixture_filter(&f), SLICE("tag"))->times, 3);
    fixture_fini(&f);
}

static void concatenates_sections(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(
        fixture_parse(&f,
                      "filter { aa {} } output{bb{}} # x\nfilter { iffy {} if [x] { cc "
                      "{} } elsewhere { } }\ninput {}",
                      false),
        ERR_OK);
    assert_int_equal(f.ast.sections[SECTION_FILTER].n, 4);
    assert_int_equal(f.ast.sections[SECTION_OUTPUT].n, 1);
    assert_int_equal(f.ast.sections[SECTION_INPUT].n, 0);
    assert_slice_equal(f.ast.sections[SECTION_FILTER].at[3].plugin->name, SLICE("elsewhere"));
    fixture_fini(&f);
}

static void reads_branches(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(
        fixture_parse(&f, "filter { if [a]{ }else if[b] { xx {} } elseif ([c]) {} else { } }",
                      false),
        ERR_OK);
    const struct ast_branch *branch = f.ast.sections[SECTION_FILTER].at[0].branch;
    assert_int_equal(branch->n, 4);
    assert_int_equal(branch->arms[1].body->n, 1);
    assert_non_null(branch->arms[2].cond);
    assert_null(branch->arms[3].cond);
    fixture_fini(&f);
}

struct bad {
    const char *text, *says;
};

static const struct bad bad[] = {
    {"input { stdin { } }\nfilters { }\n",
     "t.conf:2:1: error: found 'filters' at line 2, column 1, expected"},
    {"filters {", "did you mean 'filter'?"},
    {"filter {\n drop { }\n }\n}\n", "t.conf:4:1: error: found '}'"},
    {"filter {\n if [a] and { drop {} }\n}", "t.conf:2:13: "},
    {"filter {\n if [a] =~ /abc { drop {} }\n}\n", "t.conf:2:12: "},
    {"filter {\n if [a] {\n  if [b] {\n   mutate { x }\n  }\n }\n}", "t.conf:4:15: "},
    {"filter {\n if [a] === 1 { drop {} }\n}", "t.conf:2:11: "},
    {"filter {\n if [a] { drop {} } elsif [b] { drop {} }\n}", "fix: write else if"},
    {"filter {\n \x01 drop { }\n}", "t.conf:2:2: error: found the byte 0x01"},
    {"filter {\n mutate { add.tag => \"x\" }\n}", "'=>' after the option name"},
    {FILTER("aa => 1, bb => 2"), "white space between two options"},
    {FILTER("aa => \"1\"bb => 2"), "white space between two options"},
    {FILTER("aa => [1,]"), "a value"},
    {FILTER("aa => b"), "two letters or more"},
    {FILTER("aa => my-index"), "white space"},
    {FILTER("aa => +1"), "a value"},
    {FILTER("aa => { b => 1 }"), "a key"},
    {FILTER("aa => { \"b\" => 1, \"c\" => 2 }"), "a key"},
    {FILTER("aa => { \"b\" => 1 \"b\" => 2 }"),
     "Duplicate keys found in your configuration: ['b']"},
    {FILTER("aa => \"open"), "closing quote"},
    {FILTER("aa => 09"), "octal"},
    {FILTER("aa => {} aa => 1"), "cannot be merged"},
    {"filter { else { } }", "an `if` before"},
    {"filter { if [a] == true { } }", "no such constant"},
    {"filter { if \"a\" { } }", "alone is not a condition"},
    {"filter { if ! [a] == 1 { } }", "expected "},
    {"filter { if foo([a]) { } }", "method calls"},
    {"filter { if [a] == [\"x\",\"y\"] { } }", "a list cannot be compared"},
    {"filter { if 5 =~ /x/ { } }", "a number cannot be matched"},
    {"filter { if [a] =~ [b] { } }", "a regular expression"},
    {"filter { if [a] xor [b] and [c] { } }", "Unexpected operator xor"},
    {"filter { if [a,b] { } }", "expected "},
    {"filter {", "never closed"},
};

static void reports_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fixture f;
        err e = fixture_parse(&f, bad[i].text, false);
        if (e != ERR_CONFIG) print_error("accepted: %s\n", bad[i].text);
        assert_int_equal(e, ERR_CONFIG);
        assert_says(&f, bad[i].says);
        fixture_fini(&f);
    }
}

/* Any prefix of a good configuration either parses or says why; it never reads past the end. */
static void survives_truncation(void **state)
{
    (void)state;
    static const char good[] =
        "input { tcp { port => 1.5 codec => json { a1 => \"x\" } } }\n"
        "filter { if !([a] in [\"x\",1]) and [b] =~ /q\\/r/ { m { } } else if "
        "[c] not in [d] { } else { p { h => { \"k\" => [1, 'two'] } } } }";
    char text[sizeof(good)];
    for (size_t n = 0; n < sizeof(good); n++) {
        memcpy(text, good, n);
        text[n] = '\0';
        struct fixture f;
        err e = fixture_parse(&f, text, false);
        assert_true((e == ERR_OK) == (f.diag.errors == 0));
        fixture_fini(&f);
    }
}

static void bounds_depth(void **state)
{
    (void)state;
    static const char *const openings[] = {"aa => [", "[", "{ aa => ", "json { aa => "};
    for (size_t i = 1; i < 4; i++) {
        struct buf text = {0};
        buf_add_cstr(&text, "filter { mutate { aa => ");
        for (int n = 0; n < 20000; n++) buf_add_cstr(&text, openings[i]);
        struct fixture f;
        assert_int_equal(fixture_parse(&f, buf_cstr(&text), false), ERR_CONFIG);
        assert_says(&f, "nested deeper than 100 levels");
        fixture_fini(&f);
        buf_fini(&text);
    }
    struct buf text = {0};
    buf_add_cstr(&text, "filter { ");
    for (int n = 0; n < 20000; n++) buf_add_cstr(&text, "if [a] { ");
    struct fixture f;
    assert_int_equal(fixture_parse(&f, buf_cstr(&text), false), ERR_CONFIG);
    assert_says(&f, "nested deeper than 100 levels");
    fixture_fini(&f);
    buf_fini(&text);
}

static void bounds_repetition(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_add_cstr(&text, "filter { mutate { ");
    for (int n = 0; n < 3000; n++) buf_printf(&text, "aa => %d ", n);
    buf_add_cstr(&text, "} }");
    struct fixture f;
    assert_int_equal(fixture_parse(&f, buf_cstr(&text), false), ERR_CONFIG);
    assert_says(&f, "more than 1000 times");
    fixture_fini(&f);
    buf_fini(&text);
}

static void points_into_strings(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(fixture_parse(&f, FILTER("aa => \"%{BAD}\" bb => bare"), false), ERR_OK);
    const struct config_value *v = option(&f, "aa");
    assert_int_equal(config_value_pos_in(v, 2).at, v->pos.at + 3);
    assert_int_equal(config_value_pos_in(option(&f, "bb"), 1).at, option(&f, "bb")->pos.at + 1);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),
        cmocka_unit_test(escapes_on_request),
        cmocka_unit_test(merges_repeated_attributes),
        cmocka_unit_test(concatenates_sections),
        cmocka_unit_test(reads_branches),
        cmocka_unit_test(reports_errors),
        cmocka_unit_test(survives_truncation),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(bounds_repetition),
        cmocka_unit_test(points_into_strings),
    };
    return T_RUN(tests);
}
