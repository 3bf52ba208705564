/*
 * alter.c - sets fields whose content, or whose neighbour's, is as expected.
 *
 * Three lists, in this order: condrewrite (field, expected, new), condrewriteother (field,
 * expected, other field, value), coalesce (field, values: the first one without a percent sign).
 * Common options apply always. Stateless.
 */
#include "engine/plan/filter_kit.h"

struct alter_rule {
    struct fieldref field, other;
    struct template expected, text;
};

struct alter_cfg {
    struct config_list rewrite_given, other_given, coalesce_given;
    struct alter_rule *rewrite, *other;
    uint32_t rewrite_n, other_n;
    struct fieldref coalesce;
    struct template_list candidates;
};

static bool is_expected(const struct value *v, slice expected)
{
    return v->type == VALUE_STRING && slice_equal(value_slice(v), expected);
}

static void put(struct batch *b, struct event *ev, const struct fieldref *ref, slice text)
{
    err e = event_put(b, ev, ref, value_string(text));
    (void)e; /* A scalar in the way: the field cannot be there. */
}

static void rewrite(const struct alter_rule *rule, struct batch *b, struct event *ev)
{
    struct value *v = event_get(b, ev, &rule->field);
    if (v == NULL) return;
    slice expected = template_render(&rule->expected, b, ev, NULL);
    slice text = template_render(&rule->text, b, ev, NULL);
    if (v->type != VALUE_LIST) {
        if (is_expected(v, expected)) put(b, ev, &rule->field, text);
        return;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        value_resolve(&v->u.list[i], &b->arena);
        if (is_expected(&v->u.list[i], expected)) v->u.list[i] = value_string(text);
    }
}

static void rewrite_other(const struct alter_rule *rule, struct batch *b, struct event *ev)
{
    struct value *v = event_get(b, ev, &rule->field);
    if (v == NULL) return;
    slice expected = template_render(&rule->expected, b, ev, NULL);
    bool found = is_expected(v, expected);
    for (uint32_t i = 0; v->type == VALUE_LIST && i < v->n; i++) {
        value_resolve(&v->u.list[i], &b->arena);
        found = found || is_expected(&v->u.list[i], expected);
    }
    if (found) put(b, ev, &rule->other, template_render(&rule->text, b, ev, NULL));
}

/* The plugin takes every percent sign for a field that was not found. */
static void coalesce(const struct alter_cfg *cfg, struct batch *b, struct event *ev)
{
    for (uint32_t i = 0; i < cfg->candidates.n; i++) {
        slice text = template_render(&cfg->candidates.at[i], b, ev, NULL);
        if (slice_find_byte(text, '%') >= 0 || slice_equal(text, SLICE("nil"))) continue;
        put(b, ev, &cfg->coalesce, text);
        return;
    }
}

static enum applied alter_apply(void *state, const void *config, struct batch *b,
                                const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct alter_cfg *cfg = config;
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        for (uint32_t k = 0; k < cfg->rewrite_n; k++) rewrite(&cfg->rewrite[k], b, ev);
        for (uint32_t k = 0; k < cfg->other_n; k++) rewrite_other(&cfg->other[k], b, ev);
        coalesce(cfg, b, ev);
        sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

/* Threes, or fours with the other field in third place. */
static err compile_rules(struct compiler *c, struct config_list list, const char *option,
                         uint32_t size, struct alter_rule **out, uint32_t *n)
{
    err result = ERR_OK;
    if (list.n % size != 0) {
        compile_error(c, option, NULL, "%s has to define %u elements per config entry", option,
                      size);
        return ERR_CONFIG;
    }
    *out = heap_alloc(c->heap, (list.n / size + 1) * sizeof(**out));
    for (uint32_t i = 0; i < list.n; i += size) {
        const struct config_value *v = &list.at[i];
        struct alter_rule *rule = &(*out)[(*n)++];
        err e[] = {compile_fieldref(c, &rule->field, v[0].text, v[0].pos),
                   compile_template(c, &rule->expected, v[1].text, v[1].pos),
                   size == 4 ? compile_fieldref(c, &rule->other, v[2].text, v[2].pos) : ERR_OK,
                   compile_template(c, &rule->text, v[size - 1].text, v[size - 1].pos)};
        for (uint32_t k = 0; k < 4; k++)
            if (e[k] != ERR_OK) result = ERR_CONFIG;
    }
    return result;
}

static err compile_coalesce(struct alter_cfg *cfg, struct compiler *c)
{
    struct config_list list = cfg->coalesce_given;
    if (list.at == NULL || !settings_given(&c->given, "coalesce")) return ERR_OK;
    if (list.n < 2) {
        compile_error(c, "coalesce", NULL,
                      "coalesce has to define one Array of at least 2 elements");
        return ERR_CONFIG;
    }
    struct config_list values = {list.at + 1, list.n - 1};
    err e = compile_fieldref(c, &cfg->coalesce, list.at[0].text, list.at[0].pos);
    err e2 = compile_template_list(c, &cfg->candidates, values);
    return e != ERR_OK ? e : e2;
}

static err alter_compile(void *config, struct compiler *c)
{
    struct alter_cfg *cfg = config;
    err e[] = {
        compile_rules(c, cfg->rewrite_given, "condrewrite", 3, &cfg->rewrite, &cfg->rewrite_n),
        compile_rules(c, cfg->other_given, "condrewriteother", 4, &cfg->other, &cfg->other_n),
        compile_coalesce(cfg, c)};
    for (uint32_t i = 0; i < 3; i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

static void alter_release(void *config)
{
    struct alter_cfg *cfg = config;
    for (uint32_t i = 0; i < cfg->rewrite_n; i++) {
        template_fini(&cfg->rewrite[i].expected);
        template_fini(&cfg->rewrite[i].text);
    }
    for (uint32_t i = 0; i < cfg->other_n; i++) {
        template_fini(&cfg->other[i].expected);
        template_fini(&cfg->other[i].text);
    }
    template_list_fini(&cfg->candidates);
}

/* clang-format off */
static const struct setting alter_settings[] = {
    {.name = "condrewrite", SETTING_AT(struct alter_cfg, rewrite_given, LIST),
     .flags = SETTING_FIELD, .default_text = "[]",
     .doc = "Threes of field, expected content, new content; texts may contain %{field}."},
    {.name = "condrewriteother", SETTING_AT(struct alter_cfg, other_given, LIST),
     .flags = SETTING_FIELD, .default_text = "[]",
     .doc = "Fours of field, expected content, field to set, its new content."},
    {.name = "coalesce", SETTING_AT(struct alter_cfg, coalesce_given, LIST), .flags = SETTING_FIELD,
     .default_text = "[]",
     .doc = "A field, and texts of which the first whose fields are all there is put into it."},
    {0}};
/* clang-format on */

const struct filter_ops filter_alter = {
    .name = "alter",
    .doc = "Sets fields whose content is as expected.",
    .settings = alter_settings,
    .cfg_size = sizeof(struct alter_cfg),
    .compile = alter_compile,
    .release = alter_release,
    .apply = alter_apply,
};
