/* references.c - every text of the configuration, and every field that something reads. */
#include "engine/lint/checks.h"

/* ---- texts ------------------------------------------------------------------------------ */

struct text_walk {
    struct lint *l;
    const struct lint_plugin *p;
    slice option;
    text_visit *visit;
};

static void walk_value(const struct text_walk *w, const struct config_value *v)
{
    switch ((enum config_type)v->type) {
    case CONFIG_STRING: w->visit(w->l, w->p, w->option, v); return;
    case CONFIG_LIST:
        for (uint32_t i = 0; i < v->n; i++) walk_value(w, &v->u.list[i]);
        return;
    case CONFIG_HASH:
        for (uint32_t i = 0; i < v->n; i++) {
            walk_value(w, &v->u.pairs[i].key);
            walk_value(w, &v->u.pairs[i].val);
        }
        return;
    case CONFIG_PLUGIN:
        for (uint32_t i = 0; i < v->u.plugin->n; i++) walk_value(w, &v->u.plugin->options[i].val);
        return;
    default: return;
    }
}

void lint_texts(struct lint *l, text_visit *visit)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct ast_plugin *p = l->plugin[i].plugin;
        for (uint32_t k = 0; k < p->n; k++) {
            struct text_walk w = {l, &l->plugin[i], p->options[k].name, visit};
            walk_value(&w, &p->options[k].val);
        }
    }
}

/* ---- reads ------------------------------------------------------------------------------ */

struct reads {
    reference_visit *visit;
    void *context;
};

static void read_operand(struct lint *l, const struct config_value *v, const struct reads *r)
{
    if (v->type == CONFIG_SELECTOR) r->visit(l, v->text, v->pos, r->context);
    for (uint32_t i = 0; v->type == CONFIG_LIST && i < v->n; i++) read_operand(l, &v->u.list[i], r);
}

static void read_cond(struct lint *l, const struct cond *cond, const struct reads *r)
{
    if (cond == NULL) return;
    read_cond(l, cond->left, r);
    read_cond(l, cond->right, r);
    if (cond->left != NULL) return;
    read_operand(l, &cond->a, r);
    if (cond->type != COND_TRUTHY) read_operand(l, &cond->b, r);
}

/* Options whose %{...} are no fields: patterns, mappings, code. */
static bool is_foreign(const struct lint_plugin *p, slice option)
{
    static const char *const names[] = {"match",        "pattern", "pattern_definitions", "mapping",
                                        "code",         "init",    "dictionary",          "query",
                                        "timeout_code", "script",  "map_action",          NULL};
    (void)p;
    for (int i = 0; names[i] != NULL; i++)
        if (slice_equal(option, slice_from_cstr(names[i]))) return true;
    return false;
}

static void read_text(struct lint *l, const struct lint_plugin *p, slice option,
                      const struct config_value *text, const struct reads *r)
{
    struct text_part part;
    if (is_foreign(p, option)) return;
    for (uint32_t at = 0; text_part_next(text->text, &at, &part);)
        if (!part.joda && !part.java && part.text.n > 0)
            r->visit(l, part.text, config_value_pos_in(text, part.at), r->context);
}

static void read_texts(struct lint *l, const struct lint_plugin *p, slice option,
                       const struct config_value *v, const struct reads *r)
{
    if (v->type == CONFIG_STRING) read_text(l, p, option, v, r);
    for (uint32_t i = 0; v->type == CONFIG_LIST && i < v->n; i++)
        read_texts(l, p, option, &v->u.list[i], r);
    for (uint32_t i = 0; v->type == CONFIG_HASH && i < v->n; i++) {
        read_texts(l, p, option, &v->u.pairs[i].key, r);
        read_texts(l, p, option, &v->u.pairs[i].val, r);
    }
}

static void read_name(struct lint *l, const struct config_value *v, const struct reads *r)
{
    if (v == NULL || !config_is_scalar(v) || slice_find(v->text, SLICE("%{")) >= 0) return;
    if (v->text.n > 0) r->visit(l, v->text, v->pos, r->context);
}

static void read_keys(struct lint *l, const struct config_value *v, const struct reads *r)
{
    struct config_hash pairs = lint_pairs(l, v);
    for (uint32_t i = 0; i < pairs.n; i++) read_name(l, &pairs.at[i].key, r);
}

static void read_mutate(struct lint *l, const struct ast_plugin *p, const struct reads *r)
{
    static const char *const hashes[] = {"rename", "convert", "copy", "split", "join", NULL};
    static const char *const lists[] = {"uppercase", "lowercase", "capitalize", "strip", NULL};
    uint32_t n;
    for (int i = 0; hashes[i] != NULL; i++) read_keys(l, lint_option(p, hashes[i]), r);
    for (int i = 0; lists[i] != NULL; i++) {
        const struct config_value *items = lint_items(lint_option(p, lists[i]), &n);
        for (uint32_t k = 0; k < n; k++) read_name(l, &items[k], r);
    }
    const struct config_value *gsub = lint_items(lint_option(p, "gsub"), &n);
    for (uint32_t k = 0; k < n; k += 3) read_name(l, &gsub[k], r);
}

static void read_options(struct lint *l, const struct lint_plugin *p, const struct reads *r)
{
    static const char *const sources[] = {"json",      "kv",        "xml",        "csv", "geoip",
                                          "useragent", "translate", "syslog_pri", NULL};
    const struct ast_plugin *plugin = p->plugin;
    uint32_t n;
    if (p->section != SECTION_FILTER) return;
    if (lint_is(p, SECTION_FILTER, "mutate")) read_mutate(l, plugin, r);
    if (lint_is(p, SECTION_FILTER, "grok")) read_keys(l, lint_option(plugin, "match"), r);
    if (lint_is(p, SECTION_FILTER, "dissect")) read_keys(l, lint_option(plugin, "mapping"), r);
    if (lint_is(p, SECTION_FILTER, "date")) {
        const struct config_value *match = lint_items(lint_option(plugin, "match"), &n);
        if (n > 0) read_name(l, &match[0], r);
    }
    for (int i = 0; sources[i] != NULL; i++)
        if (lint_is(p, SECTION_FILTER, sources[i])) read_name(l, lint_option(plugin, "source"), r);
}

void lint_references(struct lint *l, reference_visit *visit, void *context)
{
    struct reads r = {visit, context};
    for (uint32_t i = 0; i < l->cond_n; i++) read_cond(l, l->cond[i].cond, &r);
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        read_options(l, p, &r);
        for (uint32_t k = 0; p->section != SECTION_INPUT && k < p->plugin->n; k++)
            read_texts(l, p, p->plugin->options[k].name, &p->plugin->options[k].val, &r);
    }
}
