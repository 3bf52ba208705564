/* walk.c - lays the configuration flat, and small questions about plugins. */
#include "engine/lint/checks.h"
#include "parsers/grok/grok.h"

static void add_plugin(struct lint *l, struct lint_plugin p)
{
    if (l->plugin_n == l->plugin_cap) {
        l->plugin_cap = l->plugin_cap == 0 ? 32 : l->plugin_cap * 2;
        l->plugin = heap_grow(l->heap, l->plugin, l->plugin_n, l->plugin_cap, sizeof(*l->plugin));
    }
    l->plugin[l->plugin_n++] = p;
}

static void add_cond(struct lint *l, struct lint_cond c)
{
    if (l->cond_n == l->cond_cap) {
        l->cond_cap = l->cond_cap == 0 ? 32 : l->cond_cap * 2;
        l->cond = heap_grow(l->heap, l->cond, l->cond_n, l->cond_cap, sizeof(*l->cond));
    }
    l->cond[l->cond_n++] = c;
}

static void flatten_block(struct lint *l, const struct ast_block *block, enum section section,
                          const struct lint_scope *scope)
{
    for (uint32_t i = 0; i < block->n; i++) {
        const struct ast_statement *st = &block->at[i];
        if (st->type == STATEMENT_PLUGIN) {
            add_plugin(l, (struct lint_plugin){st->plugin, scope, block, i, section});
            continue;
        }
        for (uint32_t k = 0; k < st->branch->n; k++) {
            struct lint_scope *inner = heap_alloc(l->heap, sizeof(*inner));
            *inner = (struct lint_scope){st->branch, k, scope};
            if (st->branch->arms[k].cond != NULL)
                add_cond(l, (struct lint_cond){st->branch->arms[k].cond, inner, section});
            flatten_block(l, st->branch->arms[k].body, section, inner);
        }
    }
}

void lint_flatten(struct lint *l)
{
    for (int i = 0; i < SECTION_N; i++)
        flatten_block(l, &l->ast->sections[i], (enum section)i, NULL);
}

/* ---- options ---------------------------------------------------------------------------- */

const struct config_value *lint_option(const struct ast_plugin *plugin, const char *name)
{
    const struct ast_option *option = ast_plugin_option(plugin, slice_from_cstr(name));
    return option == NULL ? NULL : &option->val;
}

slice lint_option_text(const struct ast_plugin *plugin, const char *name)
{
    const struct config_value *v = lint_option(plugin, name);
    return v == NULL || !config_is_scalar(v) ? SLICE_NONE : v->text;
}

bool lint_option_true(const struct ast_plugin *plugin, const char *name)
{
    return slice_equal(lint_option_text(plugin, name), SLICE("true"));
}

slice lint_codec(const struct ast_plugin *plugin)
{
    const struct config_value *v = lint_option(plugin, "codec");
    if (v == NULL) return SLICE_NONE;
    return v->text;
}

bool lint_is_ecs(const struct lint *l, const struct ast_plugin *plugin)
{
    slice mode = lint_option_text(plugin, "ecs_compatibility");
    if (mode.p == NULL) mode = process_settings_text(l->settings, "pipeline.ecs_compatibility");
    return !slice_equal(mode, SLICE("disabled"));
}

const struct config_value *lint_items(const struct config_value *v, uint32_t *n)
{
    *n = 0;
    if (v == NULL) return NULL;
    *n = v->type == CONFIG_LIST ? v->n : 1;
    return v->type == CONFIG_LIST ? v->u.list : v;
}

struct config_hash lint_pairs(struct lint *l, const struct config_value *v)
{
    if (v == NULL) return (struct config_hash){0};
    if (v->type == CONFIG_HASH) return (struct config_hash){v->u.pairs, v->n};
    if (v->type != CONFIG_LIST) return (struct config_hash){0};
    struct config_pair *pairs = heap_alloc(l->heap, (v->n / 2 + 1) * sizeof(*pairs));
    for (uint32_t i = 0; i + 1 < v->n; i += 2)
        pairs[i / 2] = (struct config_pair){v->u.list[i], v->u.list[i + 1]};
    return (struct config_hash){pairs, v->n / 2};
}

/* ---- texts ------------------------------------------------------------------------------ */

bool text_part_next(slice text, uint32_t *at, struct text_part *out)
{
    while (*at < text.n) {
        int64_t open = slice_find(slice_from(text, *at), SLICE("%{"));
        if (open < 0) return false;
        uint32_t start = *at + (uint32_t)open, from = start + 2;
        int64_t close = slice_find_byte(slice_from(text, from), '}');
        if (close < 0) return false;
        *at = from + (uint32_t)close + 1;
        *out = (struct text_part){.text = slice_part(text, from, (uint32_t)close), .at = start};
        if (slice_starts(out->text, SLICE("+"))) {
            out->joda = true;
            out->text = slice_from(out->text, 1);
        } else if (slice_starts(out->text, SLICE("{"))) {
            out->java = true;
            out->text = slice_from(out->text, 1);
        }
        return true;
    }
    return false;
}

/* ---- groks ------------------------------------------------------------------------------ */

void lint_groks(struct lint *l, void (*visit)(struct lint *, const struct grok_use *))
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        if (!lint_is(p, SECTION_FILTER, "grok")) continue;
        struct config_hash match = lint_pairs(l, lint_option(p->plugin, "match"));
        for (uint32_t k = 0; k < match.n; k++) {
            uint32_t n;
            const struct config_value *items = lint_items(&match.at[k].val, &n);
            for (uint32_t j = 0; j < n; j++) {
                struct grok_use use = {p, &match.at[k].key, &items[j], j, n};
                if (config_is_scalar(use.pattern)) visit(l, &use);
            }
        }
    }
}

bool lint_overwritten(struct lint *l, const struct ast_plugin *plugin, slice field)
{
    uint32_t n;
    const struct config_value *items = lint_items(lint_option(plugin, "overwrite"), &n);
    for (uint32_t i = 0; i < n; i++)
        if (slice_equal(field_canon(l, items[i].text), field)) return true;
    return false;
}

/* ---- conditions ------------------------------------------------------------------------- */

typedef void relation_visit(struct lint *, const struct lint_cond *, const struct cond *);

static void relations(struct lint *l, const struct lint_cond *of, const struct cond *cond,
                      relation_visit *visit)
{
    if (cond->left == NULL) {
        visit(l, of, cond);
        return;
    }
    relations(l, of, cond->left, visit);
    if (cond->right != NULL) relations(l, of, cond->right, visit);
}

void lint_relations(struct lint *l, relation_visit *visit)
{
    for (uint32_t i = 0; i < l->cond_n; i++) relations(l, &l->cond[i], l->cond[i].cond, visit);
}

static bool operand_mentions(struct lint *l, const struct config_value *v, slice canonical)
{
    return v->type == CONFIG_SELECTOR && slice_equal(field_canon(l, v->text), canonical);
}

bool lint_mentions(struct lint *l, const struct cond *cond, slice canonical)
{
    if (cond == NULL) return false;
    if (cond->left != NULL)
        return lint_mentions(l, cond->left, canonical) || lint_mentions(l, cond->right, canonical);
    return operand_mentions(l, &cond->a, canonical) || operand_mentions(l, &cond->b, canonical);
}
