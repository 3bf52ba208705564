/* ${VAR}: where it is expanded, how the result is refined, what is an error. */
#include "engine/config/env.h"

#include <stdlib.h>

#include "tests/unit/engine/config/fixture.h"

static bool keystore(void *context, slice name, slice *out)
{
    (void)context;
    if (!slice_equal(name, SLICE("SECRET.x"))) return false;
    *out = SLICE("from keystore");
    return true;
}

static const struct env env = {keystore, NULL};

static err expand(struct fixture *f, const char *text)
{
    setenv("SPATE_T1", "one", 1);
    setenv("SPATE_LIST", "[a, 'b' ,\"c\"]", 1);
    setenv("SPATE_QUOTED", "\"q\"", 1);
    setenv("SPATE_EMPTY", "", 1);
    setenv("SECRET.x", "from environment", 1);
    unsetenv("SPATE_NONE");
    assert_int_equal(fixture_parse(f, text, false), ERR_OK);
    return env_expand_ast(&env, &f->ast, &f->heap, &f->diag);
}

static slice text_of(struct fixture *f, const char *name)
{
    return ast_plugin_option(fixture_filter(f), slice_from_cstr(name))->val.text;
}

static void expands_options(void **state)
{
    (void)state;
    struct fixture f;
    err e =
        expand(&f, "filter { m { aa => \"x${SPATE_T1}y${SPATE_NONE:d:d}z\" bb => '${SPATE_EMPTY}'\n"
                   "cc => \"${SECRET.x}\" dd => \"${SPATE_NONE:}\" ee => \"${1X} ${} $ ${a\"\n"
                   "ff => \"${SPATE_QUOTED}\" gg => { \"${SPATE_T1}\" => [\"${SPATE_T1}\"] }\n"
                   "hh => json { ii => \"${SPATE_T1}\" } } }");
    assert_int_equal(e, ERR_OK);
    assert_slice_equal(text_of(&f, "aa"), SLICE("xoneyd:dz"));
    assert_slice_equal(text_of(&f, "bb"), SLICE(""));
    assert_slice_equal(text_of(&f, "cc"), SLICE("from keystore"));
    assert_slice_equal(text_of(&f, "dd"), SLICE(""));
    assert_slice_equal(text_of(&f, "ee"), SLICE("${1X} ${} $ ${a"));
    assert_slice_equal(text_of(&f, "ff"), SLICE("q"));
    const struct config_pair *pair =
        ast_plugin_option(fixture_filter(&f), SLICE("gg"))->val.u.pairs;
    assert_slice_equal(pair->key.text, SLICE("${SPATE_T1}"));
    assert_slice_equal(pair->val.u.list[0].text, SLICE("one"));
    const struct ast_option *nested = ast_plugin_option(fixture_filter(&f), SLICE("hh"));
    assert_slice_equal(nested->val.u.plugin->options[0].val.text, SLICE("one"));
    fixture_fini(&f);
}

static void makes_lists(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(
        expand(
            &f,
            "filter { m { aa => \"${SPATE_LIST}\" bb => \"[x,y]\" cc => \"[${SPATE_EMPTY}]\" } }"),
        ERR_OK);
    const struct config_value *v = &ast_plugin_option(fixture_filter(&f), SLICE("aa"))->val;
    assert_int_equal(v->type, CONFIG_LIST);
    assert_int_equal(v->n, 3);
    assert_slice_equal(v->u.list[0].text, SLICE("a"));
    assert_slice_equal(v->u.list[1].text, SLICE("b"));
    assert_slice_equal(v->u.list[2].text, SLICE("c"));
    /* Nothing was expanded, so nothing is refined. */
    assert_slice_equal(text_of(&f, "bb"), SLICE("[x,y]"));
    v = &ast_plugin_option(fixture_filter(&f), SLICE("cc"))->val;
    assert_int_equal(v->type, CONFIG_LIST);
    assert_int_equal(v->n, 0);
    fixture_fini(&f);
}

static void expands_whole_strings_in_conditions(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(expand(&f,
                            "filter { if [a] == \"${SPATE_T1}\" and [b] == \"x${SPATE_T1}\" and "
                            "[c] in [\"${SPATE_T1}\", \"${SPATE_NONE:zz}\"] { } }"),
                     ERR_OK);
    struct buf shown = {0};
    cond_show(f.ast.sections[SECTION_FILTER].at[0].branch->arms[0].cond, &shown);
    assert_string_equal(buf_cstr(&shown),
                        "[a] == \"one\" and [b] == \"x${SPATE_T1}\" and [c] in [\"one\", \"zz\"]");
    buf_fini(&shown);
    fixture_fini(&f);
}

static void reports_undefined_variables(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(
        expand(&f, "filter { m { aa => \"ab${SPATE_NONE}\" } if [a] == \"${SPATE_NONE}\" { } }"),
        ERR_CONFIG);
    assert_int_equal(f.diag.errors, 2);
    assert_says(&f, "t.conf:1:23: error: Cannot evaluate `${SPATE_NONE}`");
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands_options),
        cmocka_unit_test(makes_lists),
        cmocka_unit_test(expands_whole_strings_in_conditions),
        cmocka_unit_test(reports_undefined_variables),
    };
    return T_RUN(tests);
}
