/*
 * prune.c - removes top-level fields by their names or values.
 *
 * Expressions are searched for, not anchored; @timestamp and @version are fields like others. A
 * list loses the items that a value rule excludes, and goes when that is all of them. With
 * interpolate the expressions are rendered for each event and compiled when their text changes.
 * What is no text is compared as text. State: compiled expressions, scratch.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/ruby_text.h"
#include "parsers/grok/regex.h"

struct prune_rule {
    struct template key, pattern; /* key: of value rules */
    struct regex *regex;          /* when constant */
    uint32_t index;               /* in the state */
};

struct prune_rules {
    struct prune_rule *at;
    uint32_t n;
};

struct prune_cfg {
    bool interpolate;
    struct config_list keep_names, drop_names;
    struct config_hash keep_values, drop_values;
    struct prune_rules names_kept, names_dropped, values_kept, values_dropped;
    uint32_t rules_n;
};

/* An expression as it was rendered last. */
struct prune_rendered {
    char *text;
    uint32_t n;
    struct regex *regex;
};

struct prune_state {
    struct regex_scratch *scratch;
    struct prune_rendered *rendered;
};

/* What is left of a list. */
struct prune_left {
    struct member *member;
    struct value *items;
    uint32_t n;
    struct prune_left *next;
};

struct prune_run {
    struct prune_state *state;
    const struct prune_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    uint8_t *doomed; /* one per member of the event */
    struct prune_left *left, **left_end;
};

static const struct regex *regex_of(struct prune_run *r, const struct prune_rule *rule)
{
    if (!r->cfg->interpolate) return rule->regex;
    struct prune_rendered *last = &r->state->rendered[rule->index];
    slice text = template_render(&rule->pattern, r->batch, r->ev, NULL);
    if (last->text != NULL && slice_equal(text, slice_make(last->text, last->n)))
        return last->regex;
    struct grok_error error;
    free(last->text);
    if (last->regex != NULL) regex_free(last->regex);
    last->text = slice_dup_cstr(text);
    last->n = text.n;
    last->regex = regex_new(text, 0, &error); /* NULL matches nothing */
    return last->regex;
}

static bool matches(struct prune_run *r, const struct prune_rule *rule, slice text)
{
    const struct regex *regex = regex_of(r, rule);
    return regex != NULL && regex_search(regex, r->state->scratch, text, 0, NULL) == REGEX_MATCH;
}

static bool any_matches(struct prune_run *r, const struct prune_rules *rules, slice text)
{
    for (uint32_t i = 0; i < rules->n; i++)
        if (matches(r, &rules->at[i], text)) return true;
    return false;
}

static bool name_goes(struct prune_run *r, slice name)
{
    if (r->cfg->names_kept.n > 0 && !any_matches(r, &r->cfg->names_kept, name)) return true;
    return any_matches(r, &r->cfg->names_dropped, name);
}

static void names_check(struct prune_run *r)
{
    for (uint32_t i = 0; i < r->ev->data.n; i++) {
        const struct member *m = &r->ev->data.at[i];
        if (name_goes(r, slice_make(m->key, m->key_n))) r->doomed[i] = 1;
    }
    if (r->ev->time.type != VALUE_NIL && name_goes(r, SLICE("@timestamp")))
        r->ev->time = value_nil();
}

static bool value_goes(struct prune_run *r, const struct prune_rule *rule, struct value *v,
                       bool keeps)
{
    slice text = ruby_text_slice(v, &r->batch->arena, &r->batch->scratch);
    return matches(r, rule, text) != keeps;
}

/* What a rule leaves of a list waits until all rules have seen the whole list: the last rule that
 * takes an item away decides, as in the plugin. */
static bool list_goes(struct prune_run *r, const struct prune_rule *rule, struct member *m,
                      bool keeps)
{
    const struct value *list = &m->val;
    struct value *items = arena_alloc(&r->batch->arena, ((size_t)list->n + 1) * sizeof(*items), 16);
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n; i++)
        if (!value_goes(r, rule, &list->u.list[i], keeps)) items[n++] = list->u.list[i];
    if (n == list->n) return false;
    if (n == 0) return true;
    struct prune_left *left = arena_alloc(&r->batch->arena, sizeof(*left), 8);
    *left = (struct prune_left){m, items, n, NULL};
    *r->left_end = left;
    r->left_end = &left->next;
    return false;
}

static void values_check(struct prune_run *r, const struct prune_rules *rules, bool keeps)
{
    for (uint32_t i = 0; i < rules->n; i++) {
        const struct prune_rule *rule = &rules->at[i];
        slice name = r->cfg->interpolate ? template_render(&rule->key, r->batch, r->ev, NULL)
                                         : rule->key.text;
        struct member *m = map_find(&r->ev->data, name, hash_key(name.p, name.n));
        if (m == NULL) continue;
        value_resolve(&m->val, &r->batch->arena);
        if (!value_is_truthy(&m->val)) continue;
        bool goes = m->val.type == VALUE_LIST ? list_goes(r, rule, m, keeps)
                                              : value_goes(r, rule, &m->val, keeps);
        if (goes) r->doomed[m - r->ev->data.at] = 1;
    }
}

static enum applied prune_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                                struct sel *hit, struct plan_run *run)
{
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct prune_run r = {state, cfg, b, &b->event[in->at[i]], NULL, NULL, NULL};
        r.left_end = &r.left;
        uint32_t n = r.ev->data.n;
        r.doomed = arena_alloc(&b->arena, (size_t)n + 1, 1);
        memset(r.doomed, 0, (size_t)n + 1);
        names_check(&r);
        values_check(&r, &r.cfg->values_kept, true);
        values_check(&r, &r.cfg->values_dropped, false);
        for (const struct prune_left *left = r.left; left != NULL; left = left->next) {
            left->member->val.u.list = left->items;
            left->member->val.n = left->n;
        }
        for (uint32_t k = n; k > 0; k--)
            if (r.doomed[k - 1]) map_remove_at(&r.ev->data, k - 1);
        sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static err prune_start(void *state, const void *config, struct worker *worker)
{
    const struct prune_cfg *cfg = config;
    struct prune_state *s = state;
    (void)worker;
    s->scratch = regex_scratch_new();
    s->rendered = calloc((size_t)cfg->rules_n + 1, sizeof(*s->rendered));
    ASSERT(s->rendered != NULL);
    return ERR_OK;
}

static void prune_stop(void *state, const void *config)
{
    const struct prune_cfg *cfg = config;
    struct prune_state *s = state;
    for (uint32_t i = 0; s->rendered != NULL && i < cfg->rules_n; i++) {
        free(s->rendered[i].text);
        if (s->rendered[i].regex != NULL) regex_free(s->rendered[i].regex);
    }
    free(s->rendered);
    if (s->scratch != NULL) regex_scratch_free(s->scratch);
}

static err compile_rule(struct prune_cfg *cfg, struct compiler *c, struct prune_rules *out,
                        slice key, const struct config_value *pattern)
{
    if (!config_is_scalar(pattern)) {
        diag_error(c->diag, pattern->pos, "one regular expression",
                   "prune cannot match the values of `%.*s` with this", SLICE_FMT(key));
        return ERR_CONFIG;
    }
    struct prune_rule *rule = &out->at[out->n++];
    struct grok_error error = {0};
    rule->index = cfg->rules_n++;
    if (cfg->interpolate) {
        err e = compile_template(c, &rule->pattern, pattern->text, pattern->pos);
        err e2 = compile_template(c, &rule->key, key, pattern->pos);
        return e != ERR_OK ? e : e2;
    }
    rule->key.text = key;
    rule->regex = regex_new(pattern->text, 0, &error);
    if (rule->regex != NULL) return ERR_OK;
    diag_error(c->diag, pattern->pos, NULL, "bad regular expression `%.*s`: %s",
               SLICE_FMT(pattern->text), error.text);
    return ERR_CONFIG;
}

static err compile_names(struct prune_cfg *cfg, struct compiler *c, struct prune_rules *out,
                         struct config_list list)
{
    err e = ERR_OK;
    out->at = heap_alloc(c->heap, (list.n + 1) * sizeof(*out->at));
    for (uint32_t i = 0; i < list.n; i++)
        if (compile_rule(cfg, c, out, SLICE(""), &list.at[i]) != ERR_OK) e = ERR_CONFIG;
    return e;
}

static err compile_values(struct prune_cfg *cfg, struct compiler *c, struct prune_rules *out,
                          struct config_hash hash)
{
    err e = ERR_OK;
    out->at = heap_alloc(c->heap, (hash.n + 1) * sizeof(*out->at));
    for (uint32_t i = 0; i < hash.n; i++)
        if (compile_rule(cfg, c, out, hash.at[i].key.text, &hash.at[i].val) != ERR_OK)
            e = ERR_CONFIG;
    return e;
}

static err prune_compile(void *config, struct compiler *c)
{
    struct prune_cfg *cfg = config;
    err e[] = {compile_names(cfg, c, &cfg->names_kept, cfg->keep_names),
               compile_names(cfg, c, &cfg->names_dropped, cfg->drop_names),
               compile_values(cfg, c, &cfg->values_kept, cfg->keep_values),
               compile_values(cfg, c, &cfg->values_dropped, cfg->drop_values)};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

static void prune_release(void *config)
{
    struct prune_cfg *cfg = config;
    struct prune_rules *lists[] = {&cfg->names_kept, &cfg->names_dropped, &cfg->values_kept,
                                   &cfg->values_dropped};
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t k = 0; k < lists[i]->n; k++) {
            struct prune_rule *rule = &lists[i]->at[k];
            if (rule->regex != NULL) regex_free(rule->regex);
            template_fini(&rule->pattern);
            template_fini(&rule->key);
        }
    }
}

/* clang-format off */
static const struct setting prune_settings[] = {
    {.name = "interpolate", SETTING_AT(struct prune_cfg, interpolate, BOOL),
     .default_text = "false", .doc = "Expressions may contain %{field}. Slow."},
    {.name = "whitelist_names", SETTING_AT(struct prune_cfg, keep_names, LIST),
     .default_text = "[]", .doc = "Keep only fields whose name one of these expressions matches."},
    {.name = "blacklist_names", SETTING_AT(struct prune_cfg, drop_names, LIST),
     .default_text = "[\"%\\{[^}]+\\}\"]",
     .doc = "Remove fields whose name one of these expressions matches."},
    {.name = "whitelist_values", SETTING_AT(struct prune_cfg, keep_values, HASH),
     .flags = SETTING_FIELD,
     .default_text = "{}", .doc = "Fields to remove unless the expression matches their value."},
    {.name = "blacklist_values", SETTING_AT(struct prune_cfg, drop_values, HASH),
     .flags = SETTING_FIELD,
     .default_text = "{}", .doc = "Fields to remove if the expression matches their value."},
    {0}};
/* clang-format on */

const struct filter_ops filter_prune = {
    .name = "prune",
    .doc = "Removes fields by their names or values.",
    .settings = prune_settings,
    .cfg_size = sizeof(struct prune_cfg),
    .state_size = sizeof(struct prune_state),
    .compile = prune_compile,
    .release = prune_release,
    .start = prune_start,
    .apply = prune_apply,
    .stop = prune_stop,
};
