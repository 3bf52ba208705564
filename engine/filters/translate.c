/*
 * translate.c - replaces values by what a dictionary has for them.
 *
 * engine/plan/dictionary looks up; this file decides what is looked up and where it goes: one
 * field (of a list its first item), each item of a list, or a member of each hash of a list.
 * The dictionary is written in the configuration, or is a file that is read again when it changes.
 * An item that an expression cannot be tried on (a number in a list) leaves its event as it
 * is, counted. State: the shard's view of the dictionary, scratch.
 */
#include <stdio.h>

#include "engine/base/log.h"
#include "engine/plan/dictionary_box.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/ruby_text.h"

static const char *const behaviours[] = {"merge", "replace", NULL};
static const char *const strategies[] = {"one_shot", "streaming", NULL};

struct translate_cfg {
    slice source_name, target_name, iterate_name, path, fallback_text;
    struct config_hash given;
    bool exact, regex, override, iterates, over_values, in_place, has_fallback;
    int behaviour, strategy;
    int64_t code_points_max;
    double refresh_sec;
    struct fieldref source, target, iterate;
    struct template fallback;
    struct dictionary *dictionary; /* of the configuration */
    struct dictionary_box *box;    /* of a file */
    enum dictionary_mode mode;
};

struct translate_state {
    struct dictionary_user *user;
    const struct dictionary *dictionary;
    struct regex_list_scratch *scratch;
    const struct dictionary *scratch_of;
    struct buf text;
    struct log_gate gate;
    struct counter failures;
};

struct translate_run {
    struct translate_state *state;
    const struct translate_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    struct value *source; /* when it is known already */
};

/* ---- looking up ------------------------------------------------------------------------ */

static bool lookup_text(struct translate_run *r, slice text, struct value *out)
{
    struct translate_state *s = r->state;
    struct arena *arena = &r->batch->arena;
    const struct value *found;
    if (r->cfg->mode == DICTIONARY_UNION) {
        if (!dictionary_replace(s->dictionary, text, arena, &s->text)) return false;
        *out = value_string(arena_copy(arena, buf_slice(&s->text)));
        return true;
    }
    if (r->cfg->mode == DICTIONARY_REGEX)
        found = dictionary_match(s->dictionary, s->scratch, text);
    else
        found = dictionary_get(s->dictionary, text, false);
    if (found == NULL) return false;
    /* A file's dictionary may go before its batches do; nobody may change either's lists. */
    *out = r->cfg->box != NULL ? value_copy_deep(found, arena) : value_copy(found, arena);
    return true;
}

enum looked { LOOKED_NOTHING, LOOKED_FOUND, LOOKED_ERROR };

/* Items of lists are looked up as they are: a number equals no text. */
static enum looked lookup_item(struct translate_run *r, struct value *item, struct value *out)
{
    char digits[24];
    value_resolve(item, &r->batch->arena);
    if (item->type == VALUE_STRING)
        return lookup_text(r, value_slice(item), out) ? LOOKED_FOUND : LOOKED_NOTHING;
    if (r->cfg->mode != DICTIONARY_EXACT) return LOOKED_ERROR;
    if (item->type != VALUE_INT) return LOOKED_NOTHING;
    int n = snprintf(digits, sizeof(digits), "%lld", (long long)item->u.num);
    const struct value *found =
        dictionary_get(r->state->dictionary, slice_make(digits, (size_t)n), true);
    if (found == NULL) return LOOKED_NOTHING;
    *out = value_copy_deep(found, &r->batch->arena);
    return LOOKED_FOUND;
}

static struct value fallback_value(struct translate_run *r)
{
    return value_string(template_render(&r->cfg->fallback, r->batch, r->ev, NULL));
}

static bool failed(struct translate_run *r)
{
    uint64_t held;
    counter_add(&r->state->failures, 1);
    if (log_gate_open(&r->state->gate, &held))
        log_error("filters.translate",
                  "Something went wrong when attempting to translate from dictionary: field "
                  "`%.*s` (%llu more since the last report)",
                  SLICE_FMT(r->cfg->source.text), (unsigned long long)held);
    return false;
}

/* ---- what is translated ------------------------------------------------------------------ */

static bool has_target(struct translate_run *r)
{
    const struct fieldref *target = &r->cfg->target;
    const struct map *data = &r->ev->data;
    if (target->top && data->cap <= MAP_SCAN_MAX && map_lacks(data, target->step->key.hash))
        return false;
    return event_has(r->batch, r->ev, target);
}

static bool translate_one(struct translate_run *r)
{
    struct batch *b = r->batch;
    const struct fieldref *target = &r->cfg->target;
    struct value *v = r->source != NULL ? r->source : event_get(b, r->ev, &r->cfg->source), out;
    if (v == NULL) return false;
    if (!r->cfg->override && has_target(r)) return false;
    if (v->type == VALUE_LIST) {
        static struct value none;
        v = v->n > 0 ? &v->u.list[0] : &none;
        value_resolve(v, &b->arena);
    }
    if (!lookup_text(r, ruby_text_slice(v, &b->arena, &b->scratch), &out)) {
        if (!r->cfg->has_fallback) return r->cfg->in_place;
        out = fallback_value(r);
    }
    if (!r->cfg->override && target->top && !target->tags) {
        map_append(&r->ev->data, &b->arena, target->step->key, out); /* it is not there */
        return true;
    }
    if (event_put(b, r->ev, target, out) == ERR_OK) return true;
    return failed(r);
}

static struct value pairs_of(const struct map *map, struct arena *arena)
{
    struct value *items = arena_alloc(arena, ((size_t)map->n + 1) * sizeof(*items), 16);
    for (uint32_t i = 0; i < map->n; i++) {
        struct value *pair = arena_alloc(arena, 2 * sizeof(*pair), 16);
        pair[0] = value_string(slice_make(map->at[i].key, map->at[i].key_n));
        pair[1] = map->at[i].val;
        items[i] = value_list(pair, 2);
    }
    return value_list(items, map->n);
}

/* Array(value): nil is none, one value is a list of itself, a hash is its pairs. */
static struct value as_list(struct value *v, struct arena *arena)
{
    if (v == NULL || v->type == VALUE_NIL) return value_list(NULL, 0);
    if (v->type == VALUE_LIST) return *v;
    if (v->type == VALUE_MAP) return pairs_of(v->u.map, arena);
    struct value *item = arena_alloc(arena, sizeof(*item), 16);
    *item = *v;
    return value_list(item, 1);
}

static bool translate_values(struct translate_run *r)
{
    struct batch *b = r->batch;
    struct value *v = event_get(b, r->ev, &r->cfg->source);
    if (v == NULL) return false;
    if (!r->cfg->override && event_has(b, r->ev, &r->cfg->target)) return false;
    struct value from = as_list(v, &b->arena);
    struct value *items = arena_alloc(&b->arena, ((size_t)from.n + 1) * sizeof(*items), 16);
    struct value fallback = r->cfg->has_fallback ? fallback_value(r) : value_nil();
    bool any = false;
    for (uint32_t i = 0; i < from.n; i++) {
        items[i] = fallback;
        enum looked looked = lookup_item(r, &from.u.list[i], &items[i]);
        if (looked == LOOKED_ERROR) return failed(r);
        any = any || value_is_truthy(&items[i]);
    }
    if (event_put(b, r->ev, &r->cfg->target, value_list(items, from.n)) != ERR_OK) return failed(r);
    return any || r->cfg->in_place;
}

/* A field below one item of the list. */
static struct fieldref below(struct translate_run *r, uint32_t index, const struct fieldref *ref,
                             bool *ok)
{
    struct fieldref out = {0}, item;
    char text[24];
    int n = snprintf(text, sizeof(text), "[%u]", index);
    slice name = arena_copy(&r->batch->arena, slice_make(text, (size_t)n));
    struct fieldref step;
    *ok = fieldref_parse(&step, name, &r->batch->arena) == ERR_OK &&
          fieldref_join(&item, &r->cfg->iterate, &step, &r->batch->arena) == ERR_OK &&
          fieldref_join(&out, &item, ref, &r->batch->arena) == ERR_OK;
    return out;
}

static bool translate_maps(struct translate_run *r)
{
    struct batch *b = r->batch;
    struct value *list = event_get(b, r->ev, &r->cfg->iterate);
    if (list == NULL) return false;
    uint32_t n = as_list(list, &b->arena).n;
    bool any = false, ok;
    for (uint32_t i = 0; i < n; i++) {
        struct fieldref from = below(r, i, &r->cfg->source, &ok);
        if (!ok) return failed(r);
        struct value *v = event_get(b, r->ev, &from), out;
        if (v == NULL || v->type == VALUE_NIL) continue;
        enum looked looked = lookup_item(r, v, &out);
        if (looked == LOOKED_ERROR) return failed(r);
        if (looked == LOOKED_NOTHING && !r->cfg->has_fallback) continue;
        if (looked == LOOKED_NOTHING) out = fallback_value(r);
        struct fieldref to = below(r, i, &r->cfg->target, &ok);
        if (!ok || event_put(b, r->ev, &to, out) != ERR_OK) return failed(r);
        any = true;
    }
    return any || r->cfg->in_place;
}

static void dictionary_follow(struct translate_state *s, const struct translate_cfg *cfg)
{
    s->dictionary = cfg->box == NULL ? cfg->dictionary : dictionary_now(s->user);
    if (cfg->mode != DICTIONARY_REGEX || s->scratch_of == s->dictionary) return;
    regex_list_scratch_free(s->scratch);
    s->scratch = regex_list_scratch_new(s->dictionary->regexes);
    s->scratch_of = s->dictionary;
}

/* Smaller dictionaries are in the cache. */
#define ASK_ENTRIES_MIN 8192u
#define ASK_EVENTS 32u

/* The dictionary's memory for a few events at once: each look-up alone would wait for it. */
static void ask_ahead(const struct translate_state *s, const struct translate_cfg *cfg,
                      struct batch *b, const uint32_t *at, uint32_t n, struct value **source)
{
    uint32_t hash[ASK_EVENTS], asked = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct value *v = source[i] = event_get(b, &b->event[at[i]], &cfg->source);
        if (v != NULL && v->type == VALUE_STRING)
            hash[asked++] = dictionary_ask(s->dictionary, value_slice(v));
    }
    for (uint32_t i = 0; i < asked; i++) dictionary_ask_entry(s->dictionary, hash[i]);
    for (uint32_t i = 0; i < asked; i++) dictionary_ask_value(s->dictionary, hash[i]);
}

static enum applied translate_apply(void *state, const void *config, struct batch *b,
                                    const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct translate_cfg *cfg = config;
    struct translate_state *s = state;
    (void)run;
    dictionary_follow(s, cfg);
    struct value *source[ASK_EVENTS] = {0};
    bool asks =
        cfg->mode == DICTIONARY_EXACT && !cfg->iterates && s->dictionary->n >= ASK_ENTRIES_MIN;
    for (uint32_t i = 0; i < in->n; i++) {
        uint32_t left = in->n - i;
        if (asks && i % ASK_EVENTS == 0)
            ask_ahead(s, cfg, b, in->at + i, left < ASK_EVENTS ? left : ASK_EVENTS, source);
        struct translate_run r = {s, cfg, b, &b->event[in->at[i]], source[i % ASK_EVENTS]};
        bool ok = !cfg->iterates     ? translate_one(&r)
                  : cfg->over_values ? translate_values(&r)
                                     : translate_maps(&r);
        if (ok) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

/* An idle shard gives old dictionaries back, too. */
static void translate_tick(void *state, const void *cfg, struct batch *out, int64_t now_ns,
                           bool last)
{
    (void)out, (void)now_ns, (void)last;
    dictionary_follow(state, cfg);
}

/* ---- life --------------------------------------------------------------------------------- */

static err translate_start(void *state, const void *config, struct worker *worker)
{
    const struct translate_cfg *cfg = config;
    struct translate_state *s = state;
    (void)worker;
    if (cfg->box != NULL) s->user = dictionary_join(cfg->box);
    dictionary_follow(s, cfg);
    return ERR_OK;
}

static void translate_stop(void *state, const void *cfg)
{
    struct translate_state *s = state;
    (void)cfg;
    regex_list_scratch_free(s->scratch);
    buf_fini(&s->text);
    if (s->user != NULL) dictionary_leave(s->user);
}

static void translate_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct translate_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu", (unsigned long long)counter_read(&s->failures));
}

static err compile_inline(struct translate_cfg *cfg, struct compiler *c)
{
    char reason[DICTIONARY_ERROR_BYTES] = "";
    cfg->dictionary = dictionary_new(cfg->mode);
    for (uint32_t i = 0; i < cfg->given.n; i++) {
        struct value val = compile_value(c, &cfg->given.at[i].val);
        dictionary_put(cfg->dictionary, cfg->given.at[i].key.text, false, &val);
    }
    if (dictionary_finish(cfg->dictionary, c->cache_dir, reason)) return ERR_OK;
    compile_error(c, "dictionary", NULL, "%s", reason);
    return ERR_CONFIG;
}

static err compile_file(struct translate_cfg *cfg, struct compiler *c)
{
    char reason[DICTIONARY_ERROR_BYTES] = "";
    struct dictionary_source source = {
        .path = cfg->path.p,
        .cache_dir = c->cache_dir,
        .mode = cfg->mode,
        .merge = cfg->behaviour == 0,
        .yaml_chars_max = cfg->strategy == 0 ? (uint64_t)cfg->code_points_max : UINT64_MAX,
        .refresh_ns = cfg->refresh_sec > 0 ? (int64_t)(cfg->refresh_sec * 1e9) : 0};
    if (cfg->given.n > 0) {
        compile_error(c, "dictionary_path", NULL,
                      "The configuration options 'dictionary' and 'dictionary_path' are mutually "
                      "exclusive");
        return ERR_CONFIG;
    }
    cfg->box = dictionary_box_new(&source, reason);
    if (cfg->box != NULL) return ERR_OK;
    compile_error(c, "dictionary_path", NULL, "%s when loading dictionary file at %s", reason,
                  cfg->path.p);
    return ERR_CONFIG;
}

static err translate_compile(void *config, struct compiler *c)
{
    struct translate_cfg *cfg = config;
    slice target = cfg->target_name;
    if (target.p == NULL) target = compiler_is_ecs(c) ? cfg->source_name : SLICE("translation");
    cfg->iterates = cfg->iterate_name.p != NULL;
    cfg->over_values = cfg->iterates && slice_equal(cfg->iterate_name, cfg->source_name);
    cfg->in_place = slice_equal(cfg->source_name, target);
    if (!settings_given(&c->given, "override")) cfg->override = cfg->in_place;
    cfg->has_fallback = cfg->fallback_text.p != NULL;
    cfg->mode = !cfg->exact ? DICTIONARY_UNION : cfg->regex ? DICTIONARY_REGEX : DICTIONARY_EXACT;
    err e[] = {compile_field_option(c, &cfg->source, "source", cfg->source_name),
               compile_field_option(c, &cfg->target, "target", target),
               compile_field_option(c, &cfg->iterate, "iterate_on", cfg->iterate_name),
               compile_template(c, &cfg->fallback,
                                cfg->has_fallback ? cfg->fallback_text : SLICE(""),
                                settings_pos(c->plugin, "fallback")),
               cfg->path.p != NULL ? compile_file(cfg, c) : compile_inline(cfg, c)};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

static void translate_release(void *config)
{
    struct translate_cfg *cfg = config;
    dictionary_box_free(cfg->box);
    dictionary_free(cfg->dictionary);
    template_fini(&cfg->fallback);
}

#define TR_AT(member, kind) SETTING_AT(struct translate_cfg, member, kind)

/* clang-format off */
static const struct setting translate_settings[] = {
    {.name = "source", TR_AT(source_name, STRING), .flags = SETTING_REQUIRED | SETTING_FIELD,
     .old_names = "field", .doc = "The field to look up; of a list, its first item."},
    {.name = "target", TR_AT(target_name, STRING), .flags = SETTING_FIELD,
     .old_names = "destination",
     .doc = "The field that receives what was found; by default translation, or the source itself "
            "with ECS names."},
    {.name = "dictionary", TR_AT(given, HASH), .default_text = "{}",
     .doc = "Keys with what to put in their place."},
    {.name = "dictionary_path", TR_AT(path, PATH),
     .doc = "A file with the dictionary, in place of `dictionary`: .yml, .yaml, .json or .csv."},
    {.name = "refresh_interval", TR_AT(refresh_sec, FLOAT), .default_text = "300",
     .doc = "How often to look whether the file has changed, in seconds; 0 or less: never."},
    {.name = "refresh_behaviour", TR_AT(behaviour, ENUM), .choices = behaviours,
     .default_text = "merge",
     .doc = "Whether entries that are no longer in the file stay (merge) or go (replace)."},
    {.name = "exact", TR_AT(exact, BOOL), .default_text = "true",
     .doc = "Whether the whole value must be a key; if not, all keys inside of it are replaced."},
    {.name = "regex", TR_AT(regex, BOOL), .default_text = "false",
     .doc = "Keys are regular expressions, and the first one that matches is taken; only with "
            "exact."},
    {.name = "override", TR_AT(override, BOOL), .default_text = "false",
     .doc = "Replace a target that is there already; by default when it is the source."},
    {.name = "fallback", TR_AT(fallback_text, STRING),
     .doc = "What to put when nothing was found; may contain %{field}."},
    {.name = "iterate_on", TR_AT(iterate_name, STRING), .flags = SETTING_FIELD,
     .doc = "A list to go over: equal to the source, each item is looked up; else each item is a "
            "hash with the source and the target in it."},
    {.name = "yaml_dictionary_code_point_limit", TR_AT(code_points_max, INT),
     .default_text = "134217728", .min = 1, .max = INT64_MAX,
     .doc = "Longest YAML file, in characters; not for yaml_load_strategy streaming."},
    {.name = "yaml_load_strategy", TR_AT(strategy, ENUM), .choices = strategies,
     .default_text = "one_shot",
     .doc = "streaming lifts the limit of the file's length; both read the file in one go."},
    {0}};
/* clang-format on */

const struct filter_ops filter_translate = {
    .name = "translate",
    .doc = "Replaces values by what a dictionary has for them.",
    .settings = translate_settings,
    .cfg_size = sizeof(struct translate_cfg),
    .state_size = sizeof(struct translate_state),
    .compile = translate_compile,
    .release = translate_release,
    .start = translate_start,
    .apply = translate_apply,
    .tick = translate_tick,
    .stop = translate_stop,
    .stats = translate_stats,
};
