/* Option tables: coercions, defaults, messages, old names, documentation. */
#include "engine/config/common.h"

#include "tests/unit/engine/config/fixture.h"

struct cfg {
    slice text, secret, path, uri;
    int64_t whole, bytes, ns, limited, old;
    double real;
    bool yes;
    int choice;
    uint64_t choices;
    struct config_list list, uris, any_list;
    struct config_hash hash, deep;
    struct config_codec codec;
    const struct config_value *any;
};

static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct setting table[] = {
    {.name = "text",
     SETTING_AT(struct cfg, text, STRING),
     .old_names = "field,words",
     .doc = "Some | text."},
    {.name = "secret", SETTING_AT(struct cfg, secret, PASSWORD)},
    {.name = "path", SETTING_AT(struct cfg, path, PATH)},
    {.name = "uri", SETTING_AT(struct cfg, uri, URI)},
    {.name = "whole", SETTING_AT(struct cfg, whole, INT), .default_text = "7"},
    {.name = "limited", SETTING_AT(struct cfg, limited, INT), .min = 1, .max = 10},
    {.name = "bytes", SETTING_AT(struct cfg, bytes, BYTES), .default_text = "10MiB"},
    {.name = "ns", SETTING_AT(struct cfg, ns, DURATION), .default_text = "1 min"},
    {.name = "real", SETTING_AT(struct cfg, real, FLOAT)},
    {.name = "yes", SETTING_AT(struct cfg, yes, BOOL), .default_text = "true"},
    {.name = "choice", SETTING_AT(struct cfg, choice, ENUM), .choices = colours},
    {.name = "choices",
     SETTING_AT(struct cfg, choices, ENUM_LIST),
     .choices = colours,
     .default_text = "[\"red\", \"blue\"]"},
    {.name = "list", SETTING_AT(struct cfg, list, LIST), .default_text = "[\"x\", \"y\"]"},
    {.name = "uris", SETTING_AT(struct cfg, uris, URI_LIST)},
    {.name = "any_list", SETTING_AT(struct cfg, any_list, ANY_LIST)},
    {.name = "hash", SETTING_AT(struct cfg, hash, HASH)},
    {.name = "deep", SETTING_AT(struct cfg, deep, HASH), .default_text = "{ \"k\" => [1] }"},
    {.name = "codec", SETTING_AT(struct cfg, codec, CODEC)},
    {.name = "any", SETTING_AT(struct cfg, any, ANY)},
    {.name = "old",
     SETTING_AT(struct cfg, old, INT),
     .flags = SETTING_OLD,
     .instead = "Use `whole`."},
    {.name = "gone", .type = SETTING_ANY, .flags = SETTING_OBSOLETE, .instead = "Use `text`."},
    {.name = "never",
     .type = SETTING_ANY,
     .flags = SETTING_UNSUPPORTED,
     .instead = "No JVM.",
     .since = "0.2.0"},
    {0},
};

struct read {
    struct fixture f;
    struct cfg cfg;
    struct common_filter_cfg common;
    struct settings_given given;
    err e;
};

static void read_text(struct read *r, const char *options)
{
    *r = (struct read){0};
    struct buf text = {0};
    buf_printf(&text, "filter { thing { %s } }", options);
    assert_int_equal(fixture_parse(&r->f, buf_cstr(&text), false), ERR_OK);
    buf_fini(&text);
    struct settings_table tables[] = {{table, &r->cfg}, {common_filter_settings, &r->common}};
    r->e = settings_read(fixture_filter(&r->f), "filter", tables, 2, &r->f.heap, &r->f.diag,
                         &r->given);
}

static void fills_defaults(void **state)
{
    (void)state;
    struct read r;
    read_text(&r, "");
    assert_int_equal(r.e, ERR_OK);
    assert_null(r.cfg.text.p);
    assert_int_equal(r.cfg.whole, 7);
    assert_int_equal(r.cfg.bytes, 10 << 20);
    assert_true(r.cfg.ns == INT64_C(60000000000));
    assert_true(r.cfg.yes);
    assert_int_equal(r.cfg.choice, -1);
    assert_int_equal(r.cfg.choices, 5);
    assert_int_equal(r.cfg.list.n, 2);
    assert_slice_equal(r.cfg.list.at[1].text, SLICE("y"));
    assert_int_equal(r.cfg.deep.at[0].val.u.list[0].u.num, 1);
    assert_null(r.cfg.any);
    assert_true(r.common.enable_metric);
    assert_int_equal(r.common.ecs, -1);
    assert_int_equal(r.given.n, 0);
    assert_false(settings_given(&r.given, "whole"));
    fixture_fini(&r.f);
}

static void coerces(void **state)
{
    (void)state;
    struct read r;
    read_text(&r,
              "text => 5.5 whole => \"-12\" real => \"1.5\" yes => \"false\" list => one\n"
              "bytes => \"2kb\" ns => 0.5 hash => [\"a\", 1, \"b\", 2, \"a\", 3] choice => blue\n"
              "choices => green uris => [\"http://a  http://b\", \"c:1\"] secret => [\"s\"]\n"
              "codec => json { a1 => 1 } any => [1, {}] path => \"/\" add_tag => \"t\"\n"
              "any_list => 3 limited => 10 ecs_compatibility => v1 uri => \"http://x\"");
    assert_int_equal(r.e, ERR_OK);
    assert_slice_equal(r.cfg.text, SLICE("5.5"));
    assert_int_equal(r.cfg.whole, -12);
    assert_true(r.cfg.real == 1.5);
    assert_false(r.cfg.yes);
    assert_slice_equal(r.cfg.list.at[0].text, SLICE("one"));
    assert_int_equal(r.cfg.bytes, 2000);
    assert_int_equal(r.cfg.ns, 500000000);
    assert_int_equal(r.cfg.hash.n, 2);
    assert_int_equal(config_hash_get(r.cfg.hash, SLICE("a"))->n, 2);
    assert_null(config_hash_get(r.cfg.hash, SLICE("c")));
    assert_int_equal(r.cfg.choice, 2);
    assert_int_equal(r.cfg.choices, 2);
    assert_int_equal(r.cfg.uris.n, 3);
    assert_slice_equal(r.cfg.uris.at[1].text, SLICE("http://b"));
    assert_slice_equal(r.cfg.secret, SLICE("s"));
    assert_slice_equal(r.cfg.codec.name, SLICE("json"));
    assert_int_equal(r.cfg.codec.plugin->n, 1);
    assert_int_equal(r.cfg.any->n, 2);
    assert_int_equal(r.common.add_tag.n, 1);
    assert_int_equal(r.common.ecs, ECS_V1);
    assert_true(settings_given(&r.given, "whole"));
    assert_true(settings_given(&r.given, "add_tag"));
    fixture_fini(&r.f);
}

struct bad {
    const char *options, *says;
};

static const struct bad bad[] = {
    {"wohle => 1", "did you mean 'whole'?"},
    {"wohle => 1", "Unknown setting 'wohle' for the thing filter plugin"},
    {"whole => abc",
     "Invalid setting for the thing filter plugin: whole must be a valid number, got abc"},
    {"whole => 1.5", "expected a whole number"},
    {"whole => 99999999999999999999", "must be a valid number"},
    {"limited => 11", "between 1 and 10"},
    {"yes => 5", "must be a valid boolean, got 5"},
    {"yes => \"yes\"", "expected true or false"},
    {"choice => grene", "did you mean 'green'?"},
    {"choice => grene", "one of \"red\", \"green\", \"blue\""},
    {"choices => [red, pink]", "got pink"},
    {"hash => [1,2,3]", "even number"},
    {"add_field => \"abc\"", "add_field must be a valid hash, got \"abc\""},
    {"list => {}", "list of strings"},
    {"text => [1,2]", "one string"},
    {"bytes => \"ten\"", "a size such as"},
    {"ns => \"5 fortnights\"", "a duration such as"},
    {"path => \"/no/such/file\"", "File does not exist or cannot be opened /no/such/file"},
    {"codec => json codec => plain", "given 2 times"},
    {"codec => 5", "a codec name"},
    {"secret => { a1 => \"hush\" }", "got <password>"},
    {"text => x1 words => y1", "says again what `text` says"},
    {"gone => 1", "obsolete and was removed. Use `text`."},
    {"never => 1",
     "spate does not support the setting `never` of the thing filter plugin. No JVM."},
};

static void reports_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct read r;
        read_text(&r, bad[i].options);
        if (r.e != ERR_CONFIG) print_error("accepted: %s\n", bad[i].options);
        assert_int_equal(r.e, ERR_CONFIG);
        assert_says(&r.f, bad[i].says);
        assert_null(strstr(fixture_said(&r.f), "hush\" must"));
        fixture_fini(&r.f);
    }
}

static void warns_about_old_spellings(void **state)
{
    (void)state;
    struct read r;
    read_text(&r, "field => \"f\" old => 3");
    assert_int_equal(r.e, ERR_OK);
    assert_slice_equal(r.cfg.text, SLICE("f"));
    assert_int_equal(r.cfg.old, 3);
    assert_int_equal(r.f.diag.warnings, 2);
    assert_says(&r.f, "`field` is the old name of `text`");
    assert_says(&r.f, "`old` is deprecated [old-option]");
    assert_true(settings_given(&r.given, "text"));
    fixture_fini(&r.f);
}

static void requires_and_overrides(void **state)
{
    (void)state;
    struct own {
        slice target;
    };
    static const struct setting own_table[] = {
        {.name = "target", SETTING_AT(struct own, target, STRING), .flags = SETTING_REQUIRED},
        {.name = "codec", .type = SETTING_DEFAULT, .default_text = "json_lines"},
        {0},
    };
    struct own own = {0};
    struct common_output_cfg common = {0};
    struct settings_table tables[] = {{own_table, &own}, {common_output_settings, &common}};
    struct fixture f = {0};
    assert_int_equal(
        settings_defaults(SLICE("thing"), POS_NONE, "output", tables, 2, &f.heap, &f.diag),
        ERR_CONFIG);
    assert_says(&f, "Missing a required setting for the thing output plugin: target");
    assert_slice_equal(common.codec.name, SLICE("json_lines"));
    fixture_fini(&f);
}

static void writes_documentation(void **state)
{
    (void)state;
    struct buf out = {0};
    settings_markdown(table, &out);
    assert_non_null(strstr(buf_cstr(&out),
                           "| `text` | string |  | Some \\| text. Old name: `field,words`. |\n"));
    assert_non_null(strstr(out.data, "| `choice` | choice: `red`, `green`, `blue` |"));
    assert_non_null(strstr(out.data, "| `whole` | number | `7` |"));
    assert_non_null(
        strstr(out.data, "| `never` | value |  | Not supported. No JVM. Since 0.2.0. |"));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_defaults),         cmocka_unit_test(coerces),
        cmocka_unit_test(reports_errors),         cmocka_unit_test(warns_about_old_spellings),
        cmocka_unit_test(requires_and_overrides), cmocka_unit_test(writes_documentation),
    };
    return T_RUN(tests);
}
