/* settings.c - finds options in tables, fills defaults, reports what is missing or unknown. */
#include "engine/config/settings.h"

#include "engine/base/assert.h"
#include "engine/config/coerce.h"

#define SETTINGS_MAX 512u /* options of one plugin, common ones included */

struct reader {
    slice plugin_name;
    struct pos pos;
    const char *kind;
    const struct settings_table *tables;
    uint32_t n;
    struct heap *heap;
    struct diag *diag;
    const struct setting **given;
    uint32_t given_n;
};

struct found {
    const struct setting *setting;
    void *cfg;
    bool by_old_name;
};

/* Whether `name` is one of the comma-separated names. */
static bool names_have(const char *names, slice name)
{
    slice rest = slice_from_cstr(names);
    while (rest.n > 0) {
        int64_t comma = slice_find_byte(rest, ',');
        uint32_t n = comma < 0 ? rest.n : (uint32_t)comma;
        if (slice_equal(slice_trim(slice_part(rest, 0, n)), name)) return true;
        rest = slice_from(rest, n + 1);
    }
    return false;
}

static bool table_find(const struct settings_table *table, slice name, struct found *out)
{
    for (const struct setting *s = table->settings; s != NULL && s->name != NULL; s++) {
        if (s->type == SETTING_DEFAULT) continue;
        bool by_name = slice_equal(slice_from_cstr(s->name), name);
        if (!by_name && !names_have(s->old_names, name)) continue;
        *out = (struct found){s, table->cfg, !by_name};
        return true;
    }
    return false;
}

static bool reader_find(const struct reader *r, slice name, struct found *out)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (table_find(&r->tables[i], name, out)) return true;
    return false;
}

static bool was_given(const struct reader *r, const struct setting *setting)
{
    for (uint32_t i = 0; i < r->given_n; i++)
        if (r->given[i] == setting) return true;
    return false;
}

static void report_unknown(const struct reader *r, const struct ast_option *option)
{
    const char *names[SETTINGS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        for (const struct setting *s = r->tables[i].settings; s != NULL && s->name != NULL; s++) {
            bool usable = !(s->flags & (SETTING_OBSOLETE | SETTING_UNSUPPORTED));
            if (usable && s->type != SETTING_DEFAULT && n < SETTINGS_MAX) names[n++] = s->name;
        }
    }
    diag_error(r->diag, option->pos, NULL, "Unknown setting '%.*s' for the %.*s %s plugin",
               SLICE_FMT(option->name), SLICE_FMT(r->plugin_name), r->kind);
    diag_fix(r->diag, "docs/plugins.md lists the settings of the %.*s %s",
             SLICE_FMT(r->plugin_name), r->kind);
    diag_suggest(r->diag, option->name, names, n);
}

/* Says what a flag of the setting has to say; false when the option cannot be used. */
static bool usable(const struct reader *r, const struct ast_option *option,
                   const struct found *found)
{
    const struct setting *s = found->setting;
    const char *instead = s->instead == NULL ? "" : s->instead;
    if (s->flags & SETTING_OBSOLETE) {
        diag_error(r->diag, option->pos, NULL,
                   "The setting `%s` of the %.*s %s plugin is obsolete and was removed. %s",
                   s->name, SLICE_FMT(r->plugin_name), r->kind, instead);
        return false;
    }
    if (s->flags & SETTING_UNSUPPORTED) {
        diag_error(r->diag, option->pos, NULL,
                   "spate does not support the setting `%s` of the %.*s %s plugin. %s", s->name,
                   SLICE_FMT(r->plugin_name), r->kind, instead);
        return false;
    }
    char fix[200];
    snprintf(fix, sizeof(fix), "write %s", s->name);
    if (found->by_old_name)
        diag_lint(r->diag, option->pos, "old-option", fix, "`%.*s` is the old name of `%s`",
                  SLICE_FMT(option->name), s->name);
    else if (s->flags & SETTING_OLD)
        diag_lint(r->diag, option->pos, "old-option", instead, "`%s` is deprecated", s->name);
    if (s->type == SETTING_CODEC && option->times > 1) {
        diag_error(r->diag, option->pos, "one codec", "`%s` is given %u times", s->name,
                   option->times);
        return false;
    }
    return true;
}

static void read_option(struct reader *r, const struct ast_option *option)
{
    struct found found;
    if (!reader_find(r, option->name, &found)) return report_unknown(r, option);
    const struct setting *s = found.setting;
    if (was_given(r, s)) {
        diag_error(r->diag, option->pos, NULL, "`%.*s` says again what `%s` says already",
                   SLICE_FMT(option->name), s->name);
        return;
    }
    r->given[r->given_n++] = s;
    if (!usable(r, option, &found)) return;
    struct coercion c = {.kind = r->kind,
                         .plugin = r->plugin_name,
                         .setting = s,
                         .option = option->name,
                         .heap = r->heap,
                         .diag = r->diag};
    if (!coerce_value(&c, &option->val, (char *)found.cfg + s->offset) && option->times > 1)
        diag_fix(r->diag, "%.*s is written %u times here, which makes a list: write it once",
                 SLICE_FMT(option->name), option->times);
}

/* ---- defaults -------------------------------------------------------------------------- */

/* A plugin may override the default of a common option. */
static const char *default_text(const struct reader *r, const struct setting *setting)
{
    for (uint32_t i = 0; i < r->n; i++)
        for (const struct setting *s = r->tables[i].settings; s != NULL && s->name != NULL; s++)
            if (s->type == SETTING_DEFAULT && strcmp(s->name, setting->name) == 0)
                return s->default_text;
    return setting->default_text;
}

static bool is_structured(enum setting_type type)
{
    return type == SETTING_LIST || type == SETTING_URI_LIST || type == SETTING_ANY_LIST ||
           type == SETTING_HASH || type == SETTING_ENUM_LIST || type == SETTING_ANY;
}

static void set_default(const struct reader *r, const struct setting *s, void *member)
{
    if (s->type == SETTING_ENUM) *(int *)member = -1;
    const char *text = default_text(r, s);
    if (text == NULL) return;
    struct config_value *v = heap_alloc(r->heap, sizeof(*v));
    *v = (struct config_value){.type = CONFIG_STRING, .flags = CONFIG_BARE};
    v->text = heap_dup(r->heap, slice_from_cstr(text));
    if (is_structured(s->type) && (text[0] == '[' || text[0] == '{')) {
        const struct source *source = source_new(r->heap, SLICE("default"), v->text);
        err e = ast_parse_value(source, r->heap, r->diag, v);
        ASSERT(e == ERR_OK); /* Tables are ours: a bad default is a bug. */
    }
    struct coercion c = {.kind = r->kind,
                         .plugin = r->plugin_name,
                         .setting = s,
                         .option = slice_from_cstr(s->name),
                         .heap = r->heap,
                         .diag = r->diag};
    bool ok = coerce_value(&c, v, member);
    ASSERT(ok || s->type == SETTING_PATH);
}

static void report_missing(const struct reader *r, const struct setting *s)
{
    diag_error(r->diag, r->pos, NULL, "Missing a required setting for the %.*s %s plugin: %s",
               SLICE_FMT(r->plugin_name), r->kind, s->name);
    diag_fix(r->diag, "add %s => ... (a %s) to its block", s->name, setting_type_text(s->type));
}

static void read_defaults(const struct reader *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        for (const struct setting *s = r->tables[i].settings; s != NULL && s->name != NULL; s++) {
            bool unused =
                s->type == SETTING_DEFAULT || (s->flags & (SETTING_OBSOLETE | SETTING_UNSUPPORTED));
            if (unused || was_given(r, s)) continue;
            if (s->flags & SETTING_REQUIRED)
                report_missing(r, s);
            else
                set_default(r, s, (char *)r->tables[i].cfg + s->offset);
        }
    }
}

err settings_read(const struct ast_plugin *plugin, const char *kind,
                  const struct settings_table *tables, uint32_t n, struct heap *heap,
                  struct diag *diag, struct settings_given *given)
{
    uint32_t errors = diag->errors;
    struct reader r = {.plugin_name = plugin->name,
                       .pos = plugin->pos,
                       .kind = kind,
                       .tables = tables,
                       .n = n,
                       .heap = heap,
                       .diag = diag};
    r.given = heap_alloc(heap, plugin->n * sizeof(const struct setting *));
    for (uint32_t i = 0; i < plugin->n; i++) read_option(&r, &plugin->options[i]);
    read_defaults(&r);
    if (given != NULL) *given = (struct settings_given){r.given, r.given_n};
    return diag->errors == errors ? ERR_OK : ERR_CONFIG;
}

err settings_defaults(slice name, struct pos pos, const char *kind,
                      const struct settings_table *tables, uint32_t n, struct heap *heap,
                      struct diag *diag)
{
    struct ast_plugin plugin = {.name = name, .pos = pos};
    return settings_read(&plugin, kind, tables, n, heap, diag, NULL);
}

bool settings_given(const struct settings_given *given, const char *name)
{
    for (uint32_t i = 0; i < given->n; i++)
        if (strcmp(given->at[i]->name, name) == 0) return true;
    return false;
}

struct pos settings_pos(const struct ast_plugin *plugin, const char *name)
{
    const struct ast_option *option = ast_plugin_option(plugin, slice_from_cstr(name));
    return option == NULL ? plugin->pos : option->val.pos;
}
