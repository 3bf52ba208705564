/*
 * Every option of every plugin, as the settings tables of the registry have it: wrong values,
 * missing ones, old names and defaults. What a plugin itself makes of right values is for its own
 * tests.
 *
 * A configuration has one option, on its third line; that the plugin misses others is no matter, as
 * all mistakes are reported.
 */
#include "tests/unit/plan_fixture.h"

#define OPTION_LINE 3u
#define OPTION_COLUMN 5u
#define GOOD_FILE "docs/plugins.md"

static uint32_t failures, checks; /* all are shown before a test fails */

struct subject {
    const char *kind, *name;
    const struct setting *own, *common;
};

static void complain(const struct subject *p, const struct setting *s, const char *value,
                     const char *why, struct fixture *f)
{
    struct buf said = {0};
    diag_print(&f->diag, &said);
    print_error("%s %s: %s => %s: %s\n%s\n", p->kind, p->name, s == NULL ? "" : s->name, value, why,
                said.n == 0 ? "(nothing said)" : buf_cstr(&said));
    buf_fini(&said);
    failures++;
}

static void done(void)
{
    assert_int_not_equal(checks, 0);
    assert_int_equal(failures, 0);
}

/* ---- all plugins ---------------------------------------------------------------------- */

typedef void visit_plugin(const struct subject *p);
typedef void visit_option(const struct subject *p, const struct setting *s);

#define EACH(the_kind, list, the_common)                                                           \
    for (uint32_t i = 0; plugin_registry.list[i] != NULL; i++)                                     \
    visit(&(struct subject){.kind = the_kind,                                                      \
                            .name = plugin_registry.list[i]->name,                                 \
                            .own = plugin_registry.list[i]->settings,                              \
                            .common = the_common})

static void each_plugin(visit_plugin *visit)
{
    failures = checks = 0;
    EACH("input", inputs, common_input_settings);
    EACH("codec", codecs, common_codec_settings);
    EACH("filter", filters, common_filter_settings);
    EACH("output", outputs, common_output_settings);
    done();
}

static const struct setting *own_of(const struct subject *p, const char *name)
{
    for (const struct setting *s = p->own; s != NULL && s->name != NULL; s++)
        if (s->type != SETTING_DEFAULT && strcmp(s->name, name) == 0) return s;
    return NULL;
}

static void options_visit(const struct subject *p, visit_option *visit)
{
    for (const struct setting *s = p->own; s != NULL && s->name != NULL; s++)
        if (s->type != SETTING_DEFAULT) visit(p, s);
    for (const struct setting *s = p->common; s->name != NULL; s++)
        if (own_of(p, s->name) == NULL) visit(p, s);
}

/* ---- one configuration ----------------------------------------------------------------- */

static void compile_text(const struct subject *p, slice options, struct fixture *f)
{
    bool codec = strcmp(p->kind, "codec") == 0;
    struct buf text = {0};
    if (codec)
        buf_printf(&text, "output {\n  stdout { codec => %s {\n", p->name);
    else
        buf_printf(&text, "%s {\n  %s {\n", p->kind, p->name);
    buf_add_slice(&text, options);
    buf_add_cstr(&text, codec ? "} }\n}\n" : "  }\n}\n");
    fixture_compile(f, buf_cstr(&text));
    buf_fini(&text);
    checks++;
}

static void compile_option(const struct subject *p, const char *name, const char *value,
                           struct fixture *f)
{
    struct buf line = {0};
    buf_printf(&line, "%*s%s => %s\n", OPTION_COLUMN - 1, "", name, value);
    compile_text(p, buf_slice(&line), f);
    buf_fini(&line);
}

static bool is_at(const struct diag_entry *e, uint32_t line, uint32_t column)
{
    if (e->pos.source == NULL) return false;
    struct pos_place place = pos_place(e->pos);
    return place.line == line && place.column == column;
}

static bool says(const struct diag_entry *e, const char *text)
{
    return slice_find(e->text, slice_from_cstr(text)) >= 0;
}

/* How many warnings are about the option's line. */
static uint32_t warnings_on_line(const struct fixture *f)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->diag.n; i++) {
        const struct diag_entry *e = &f->diag.at[i];
        n += e->level == DIAG_WARNING && e->pos.source != NULL &&
             pos_place(e->pos).line == OPTION_LINE;
    }
    return n;
}

static bool has_error_at(const struct fixture *f, uint32_t column, const char *name)
{
    for (uint32_t i = 0; i < f->diag.n; i++) {
        const struct diag_entry *e = &f->diag.at[i];
        if (e->level == DIAG_ERROR && is_at(e, OPTION_LINE, column) && says(e, name)) return true;
    }
    return false;
}

/* ---- wrong values ---------------------------------------------------------------------- */

/* A value, and where in it the mistake is. */
struct wrong {
    const char *value;
    uint32_t at;
};

#define WRONG_MAX 8u
#define NO_SCALAR                                                                                  \
    {"{ \"hunter2\" => \"b\" }", 0}, {"[\"hunter2\", \"b\"]", 0},                                  \
    {                                                                                              \
        "[[\"a\"]]", 1                                                                             \
    }

/* A list of wrong values ends at an empty one. */
static const struct wrong wrong_values[][WRONG_MAX] = {
    [SETTING_STRING] = {NO_SCALAR, {"json { }", 0}},
    [SETTING_INT] = {NO_SCALAR, {"many", 0}, {"1.5", 0}, {"\"\"", 0}, {"92233720368547758080", 0}},
    [SETTING_FLOAT] = {NO_SCALAR, {"much", 0}, {"\"1.5 \"", 0}},
    [SETTING_BOOL] = {NO_SCALAR, {"maybe", 0}, {"1", 0}, {"\"True\"", 0}},
    [SETTING_BYTES] = {NO_SCALAR, {"\"12 parsecs\"", 0}, {"large", 0}, {"-1", 0}},
    [SETTING_DURATION] = {NO_SCALAR, {"\"5 fortnights\"", 0}, {"soon", 0}, {"-1", 0}},
    [SETTING_PASSWORD] = {NO_SCALAR, {"json { }", 0}},
    [SETTING_PATH] = {NO_SCALAR, {"\"/nonexistent/file\"", 0}},
    [SETTING_URI] = {NO_SCALAR, {"json { }", 0}},
    [SETTING_ENUM] = {NO_SCALAR, {"nosuch", 0}, {"\"\"", 0}},
    [SETTING_ENUM_LIST] = {{"{ \"a\" => \"b\" }", 0}, {"nosuch", 0}, {"[\"nosuch\"]", 1}},
    [SETTING_LIST] = {{"{ \"a\" => \"b\" }", 0}, {"[\"a\", [\"b\"]]", 6}, {"json { }", 0}},
    [SETTING_URI_LIST] = {{"{ \"a\" => \"b\" }", 0}, {"[\"a\", [\"b\"]]", 6}},
    [SETTING_ANY_LIST] = {{NULL, 0}},
    [SETTING_HASH] = {{"text", 0}, {"5", 0}, {"[\"a\", \"b\", \"c\"]", 0}, {"[[\"a\"], \"b\"]", 1}},
    [SETTING_CODEC] = {{"5", 0}, {"{ \"a\" => \"b\" }", 0}, {"[\"plain\", \"line\"]", 0}},
    [SETTING_ANY] = {{NULL, 0}},
};

static void refuse_value(const struct subject *p, const struct setting *s, const char *value,
                         uint32_t at)
{
    struct fixture f;
    compile_option(p, s->name, value, &f);
    uint32_t column = OPTION_COLUMN + (uint32_t)strlen(s->name) + 4 + at;
    if (f.plan != NULL || !has_error_at(&f, column, s->name))
        complain(p, s, value, "not refused at its place and by its name", &f);
    bool secret = s->type == SETTING_PASSWORD || (s->flags & SETTING_SECRET);
    for (uint32_t i = 0; secret && i < f.diag.n; i++)
        if (says(&f.diag.at[i], "hunter2")) complain(p, s, value, "a secret is shown", &f);
    fixture_release(&f);
}

/* Just outside of what the table allows. */
static void refuse_bounds(const struct subject *p, const struct setting *s)
{
    if (s->min == 0 && s->max == 0) return;
    int64_t unit = s->type == SETTING_DURATION ? 1000000000 : 1;
    bool signs = s->type == SETTING_INT || s->type == SETTING_FLOAT;
    char value[32];
    if (s->min > 0 || (signs && s->min > INT64_MIN)) {
        snprintf(value, sizeof(value), "%lld", (long long)((s->min - 1) / unit));
        refuse_value(p, s, value, 0);
    }
    if (s->max < INT64_MAX / 2) {
        snprintf(value, sizeof(value), "%lld", (long long)(s->max / unit + 1));
        refuse_value(p, s, value, 0);
    }
}

static void refuse_wrong_values(const struct subject *p, const struct setting *s)
{
    if (s->flags & (SETTING_OBSOLETE | SETTING_UNSUPPORTED)) return;
    const struct wrong *wrong = wrong_values[s->type];
    for (uint32_t i = 0; i < WRONG_MAX && wrong[i].value != NULL; i++)
        refuse_value(p, s, wrong[i].value, wrong[i].at);
    refuse_bounds(p, s);
}

static void refuse_wrong_values_of(const struct subject *p)
{
    options_visit(p, refuse_wrong_values);
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    each_plugin(refuse_wrong_values_of);
}

/* ---- options that cannot be used, and that must be ---------------------------------------- */

static void refuse_dead_option(const struct subject *p, const struct setting *s)
{
    if (!(s->flags & (SETTING_OBSOLETE | SETTING_UNSUPPORTED))) return;
    struct fixture f;
    compile_option(p, s->name, "\"1\"", &f);
    if (s->instead == NULL || s->instead[0] == '\0')
        complain(p, s, "1", "no reason in the table", &f);
    else if (f.plan != NULL || !has_error_at(&f, OPTION_COLUMN, s->name) ||
             !has_error_at(&f, OPTION_COLUMN, s->instead))
        complain(p, s, "1", "not refused with its reason", &f);
    fixture_release(&f);
}

static void refuse_dead_options(const struct subject *p)
{
    options_visit(p, refuse_dead_option);
}

static void dead_options_are_refused(void **state)
{
    (void)state;
    each_plugin(refuse_dead_options);
}

static void refuse_unknown_option(const struct subject *p)
{
    struct fixture f;
    compile_option(p, "no_such_option", "1", &f);
    if (f.plan != NULL || !has_error_at(&f, OPTION_COLUMN, "no_such_option"))
        complain(p, NULL, "1", "an unknown option is not refused", &f);
    fixture_release(&f);
}

static void unknown_options_are_refused(void **state)
{
    (void)state;
    each_plugin(refuse_unknown_option);
}

static void need_required(const struct subject *p)
{
    struct fixture f;
    compile_text(p, SLICE(""), &f);
    for (const struct setting *s = p->own; s != NULL && s->name != NULL; s++) {
        if (s->type == SETTING_DEFAULT || !(s->flags & SETTING_REQUIRED)) continue;
        char want[200];
        snprintf(want, sizeof(want), "Missing a required setting for the %s %s plugin: %s", p->name,
                 p->kind, s->name);
        bool said = false;
        uint32_t column = strcmp(p->kind, "codec") == 0 ? 21 : 3;
        for (uint32_t i = 0; i < f.diag.n; i++)
            said = said || (is_at(&f.diag.at[i], 2, column) && says(&f.diag.at[i], want));
        if (f.plan != NULL || !said) complain(p, s, "(not given)", "not missed", &f);
        if (s->default_text != NULL) complain(p, s, "(not given)", "required, with a default", &f);
    }
    fixture_release(&f);
}

static void required_options_are_missed(void **state)
{
    (void)state;
    each_plugin(need_required);
}

/* ---- right values ---------------------------------------------------------------------- */

/* Something that the table has nothing against. */
static void good_value(const struct setting *s, struct buf *out)
{
    int64_t unit = s->type == SETTING_DURATION ? 1000000000 : 1;
    switch (s->type) {
    case SETTING_INT:
    case SETTING_FLOAT:
    case SETTING_BYTES:
    case SETTING_DURATION:
        buf_printf(out, "%lld", (long long)(s->min > 1 ? (s->min + unit - 1) / unit : 1));
        break;
    case SETTING_BOOL: buf_add_cstr(out, "true"); break;
    case SETTING_PATH: buf_add_cstr(out, "\"" GOOD_FILE "\""); break;
    case SETTING_ENUM:
    case SETTING_ENUM_LIST: buf_printf(out, "\"%s\"", s->choices[0]); break;
    case SETTING_HASH: buf_add_cstr(out, "{ \"a\" => \"b\" }"); break;
    case SETTING_CODEC: buf_add_cstr(out, "plain"); break;
    default: buf_add_cstr(out, "\"a\""); break;
    }
}

/* Errors of the table come with this beginning; the plugin may have its own against the value. */
static bool table_refuses(const struct fixture *f)
{
    for (uint32_t i = 0; i < f->diag.n; i++)
        if (f->diag.at[i].level == DIAG_ERROR && says(&f->diag.at[i], "Invalid setting for"))
            return true;
    return false;
}

static void accept_old(const struct subject *p, const struct setting *s, const char *name)
{
    struct buf value = {0};
    struct fixture f;
    good_value(s, &value);
    compile_option(p, name, buf_cstr(&value), &f);
    const struct diag_entry *warning = NULL;
    for (uint32_t i = 0; i < f.diag.n; i++)
        if (f.diag.at[i].level == DIAG_WARNING && is_at(&f.diag.at[i], OPTION_LINE, OPTION_COLUMN))
            warning = &f.diag.at[i];
    if (table_refuses(&f) || warnings_on_line(&f) != 1 || warning == NULL)
        complain(p, s, buf_cstr(&value), "an old name has to give one warning", &f);
    else if (!says(warning, name) || !says(warning, s->name) || warning->fix.n == 0)
        complain(p, s, buf_cstr(&value), "the warning does not say what to write", &f);
    buf_fini(&value);
    fixture_release(&f);
}

static void accept_old_names(const struct subject *p, const struct setting *s)
{
    if (s->flags & (SETTING_OBSOLETE | SETTING_UNSUPPORTED)) return;
    if (s->flags & SETTING_OLD) accept_old(p, s, s->name);
    char names[200];
    snprintf(names, sizeof(names), "%s", s->old_names == NULL ? "" : s->old_names);
    char *rest = names;
    for (char *name; (name = strsep(&rest, ",")) != NULL;)
        if (name[0] != '\0') accept_old(p, s, name);
}

static void accept_old_names_of(const struct subject *p)
{
    options_visit(p, accept_old_names);
}

static void old_names_give_one_warning(void **state)
{
    (void)state;
    each_plugin(accept_old_names_of);
}

/* A table's text as somebody would write it. */
static void write_value(const struct setting *s, const char *text, struct buf *out)
{
    bool structured = s->type == SETTING_LIST || s->type == SETTING_URI_LIST ||
                      s->type == SETTING_ANY_LIST || s->type == SETTING_HASH ||
                      s->type == SETTING_ENUM_LIST || s->type == SETTING_ANY;
    if (structured && (text[0] == '[' || text[0] == '{'))
        buf_add_cstr(out, text);
    else
        buf_printf(out, strchr(text, '"') == NULL ? "\"%s\"" : "'%s'", text);
}

static void accept_text(const struct subject *p, const struct setting *s, const char *text)
{
    struct buf value = {0};
    struct fixture f;
    write_value(s, text, &value);
    compile_option(p, s->name, buf_cstr(&value), &f);
    if (table_refuses(&f)) complain(p, s, buf_cstr(&value), "is refused", &f);
    buf_fini(&value);
    fixture_release(&f);
}

/* A default that is written out is right, and so is every choice. */
static void accept_table_texts(const struct subject *p, const struct setting *s)
{
    if (s->flags & (SETTING_OBSOLETE | SETTING_UNSUPPORTED)) return;
    const char *text = s->default_text;
    for (const struct setting *d = p->own; d != NULL && d->name != NULL; d++)
        if (d->type == SETTING_DEFAULT && strcmp(d->name, s->name) == 0) text = d->default_text;
    if (text != NULL && s->type != SETTING_PATH) accept_text(p, s, text);
    for (uint32_t i = 0; s->choices != NULL && s->choices[i] != NULL; i++)
        accept_text(p, s, s->choices[i]);
}

static void accept_table_texts_of(const struct subject *p)
{
    options_visit(p, accept_table_texts);
}

static void defaults_and_choices_are_accepted(void **state)
{
    (void)state;
    each_plugin(accept_table_texts_of);
}

/* ---- codecs ---------------------------------------------------------------------------- */

/* The required options with values that the table has nothing against, and the codec. */
static void refuse_unknown_codec(const struct subject *p, const struct setting *s)
{
    if (s->type != SETTING_CODEC) return;
    struct fixture f;
    struct buf text = {0};
    buf_printf(&text, "%*s%s => nosuch\n", OPTION_COLUMN - 1, "", s->name);
    for (const struct setting *r = p->own; r != NULL && r->name != NULL; r++) {
        if (r->type == SETTING_DEFAULT || !(r->flags & SETTING_REQUIRED)) continue;
        buf_printf(&text, "    %s => ", r->name);
        good_value(r, &text);
        buf_add_byte(&text, '\n');
    }
    compile_text(p, buf_slice(&text), &f);
    if (f.plan != NULL ||
        !has_error_at(&f, OPTION_COLUMN + (uint32_t)strlen(s->name) + 4, "nosuch"))
        complain(p, s, "nosuch", "not refused at its place and by its name", &f);
    buf_fini(&text);
    fixture_release(&f);
}

static void refuse_unknown_codecs(const struct subject *p)
{
    options_visit(p, refuse_unknown_codec);
}

static void unknown_codecs_are_refused(void **state)
{
    (void)state;
    each_plugin(refuse_unknown_codecs);
}

/* ---- the tables themselves ----------------------------------------------------------------- */

/* Whether the name is one of the plugin's options, or the old name of one. */
static uint32_t names_n(const struct subject *p, const char *name)
{
    uint32_t n = 0;
    for (const struct setting *s = p->own; s != NULL && s->name != NULL; s++) {
        if (s->type == SETTING_DEFAULT) continue;
        n += strcmp(s->name, name) == 0;
        char names[200];
        snprintf(names, sizeof(names), "%s", s->old_names == NULL ? "" : s->old_names);
        char *rest = names;
        for (char *old; (old = strsep(&rest, ",")) != NULL;) n += strcmp(old, name) == 0;
    }
    return n;
}

static bool is_sentence(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && text[n - 1] == '.';
}

static void look_at_table(const struct subject *p)
{
    struct fixture f = {0};
    checks++;
    for (const struct setting *s = p->own; s != NULL && s->name != NULL; s++) {
        if (s->type == SETTING_DEFAULT) {
            bool known = false;
            for (const struct setting *c = p->common; c->name != NULL; c++)
                known = known || strcmp(c->name, s->name) == 0;
            if (!known) complain(p, s, "", "a default of no common option", &f);
            continue;
        }
        bool choice = s->type == SETTING_ENUM || s->type == SETTING_ENUM_LIST;
        if (names_n(p, s->name) != 1) complain(p, s, "", "stands twice", &f);
        if (choice != (s->choices != NULL)) complain(p, s, "", "choices", &f);
        bool replaced = s->flags & (SETTING_OLD | SETTING_OBSOLETE | SETTING_UNSUPPORTED);
        if (replaced ? s->instead == NULL : s->doc == NULL) complain(p, s, "", "no doc", &f);
        if (s->doc != NULL && !is_sentence(s->doc)) complain(p, s, s->doc, "no sentence", &f);
        if (s->instead != NULL && !is_sentence(s->instead))
            complain(p, s, s->instead, "no sentence", &f);
        unsigned int number[3];
        if (s->since != NULL &&
            sscanf(s->since, "%u.%u.%u", &number[0], &number[1], &number[2]) != 3)
            complain(p, s, s->since, "no version", &f);
        if (s->min > s->max) complain(p, s, "", "bounds", &f);
    }
}

static void tables_are_sound(void **state)
{
    (void)state;
    each_plugin(look_at_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(dead_options_are_refused),
        cmocka_unit_test(unknown_options_are_refused),
        cmocka_unit_test(required_options_are_missed),
        cmocka_unit_test(old_names_give_one_warning),
        cmocka_unit_test(defaults_and_choices_are_accepted),
        cmocka_unit_test(unknown_codecs_are_refused),
    };
    return T_RUN(tests);
}
