/*
 * kv.c - key=value pairs in a text field.
 *
 * parsers/text/kv finds the pairs; this file decides what becomes of them, in the plugin's order:
 * trim, remove, transform and select by key, prefix, the same for the value, duplicates,
 * recursion. All pairs of an event are collected first (repeated keys become lists), then set on
 * the event as field references, or as one hash in `target`.
 * State: regex scratch for split patterns, a text buffer.
 */
#include "parsers/text/kv.h"

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/plan/filter_kit.h"
#include "parsers/grok/regex.h"
#include "parsers/text/unicode_case.h"

/* Pairs one event may get; more is a failure, so that hostile text cannot fill the memory. */
#define KV_PAIRS_MAX 8192u
/* Values within values within values. */
#define KV_RECURSION_MAX 32u
/* What the scanner may look at per millisecond of timeout: a few nanoseconds a step. */
#define KV_STEPS_PER_MS 100000u

static const char *const transforms[] = {"lowercase", "uppercase", "capitalize", NULL};
static const enum unicode_case transform_case[] = {CASE_LOWER, CASE_UPPER, CASE_CAPITALIZE};
static const char *const whitespaces[] = {"strict", "lenient", NULL};

/* What is cut off keys, or values. */
struct cleaning {
    bool trims, removes;
    struct kv_class trim, remove;
};

struct kv_cfg {
    slice source_name, target_name, prefix_text;
    slice field_split, value_split, field_split_pattern, value_split_pattern;
    slice trim_key, trim_value, remove_char_key, remove_char_value, tag_on_timeout;
    struct config_list include_list, exclude_list, tag_on_failure;
    struct config_hash default_keys;
    int transform_key, transform_value, whitespace;
    int64_t timeout_millis;
    bool allow_duplicate_values, allow_empty_values, include_brackets, recursive;

    struct fieldref source, target;
    struct template prefix;
    struct template_list include, exclude;
    struct kv kv;
    struct cleaning clean_key, clean_value;
    struct regex *field_regex, *value_regex;
    struct map defaults; /* in the compiler's arena */
};

struct kv_pattern {
    const struct regex *regex;
    struct regex_scratch *scratch;
};

struct kv_state {
    struct kv kv; /* the plugin's, with this shard's patterns plugged in */
    struct kv_pattern field, value;
    struct counter failures, timeouts, limit_hits;
    struct log_gate gate;
};

struct kv_run {
    struct kv_state *state;
    const struct kv_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    uint32_t pairs;
    bool timeout, too_many;
};

/* ---- one pair ------------------------------------------------------------------ */

static slice transform(struct kv_run *r, slice text, int how)
{
    if (how < 0 || text.n == 0) return text;
    char *out = arena_alloc(&r->batch->arena, UNICODE_CASE_BYTES_MAX((size_t)text.n), 1);
    return slice_make(out, unicode_case_write(text, transform_case[how], out));
}

static slice clean(struct kv_run *r, slice text, const struct cleaning *how)
{
    char *scratch = arena_alloc(&r->batch->arena, (size_t)text.n + 1, 1);
    if (how->trims) {
        text = kv_trim(&how->trim, text, scratch);
        if (how->removes && text.p == scratch)
            scratch = arena_alloc(&r->batch->arena, (size_t)text.n + 1, 1);
    }
    return how->removes ? kv_remove(&how->remove, text, scratch) : text;
}

static inline slice cleaned(struct kv_run *r, slice text, const struct cleaning *how)
{
    return how->trims || how->removes ? clean(r, text, how) : text;
}

static bool listed(struct kv_run *r, const struct template_list *list, slice key)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (slice_equal(key, template_render(&list->at[i], r->batch, r->ev, NULL))) return true;
    return false;
}

/* String#include?, Array#include? and Hash#include? of what the key has so far. */
static bool has_value(const struct value *old, slice value)
{
    if (old->type == VALUE_STRING) return slice_find(value_slice(old), value) >= 0;
    if (old->type == VALUE_MAP)
        return map_find(old->u.map, value, hash_key(value.p, value.n)) != NULL;
    for (uint32_t i = 0; old->type == VALUE_LIST && i < old->n; i++)
        if (old->u.list[i].type == VALUE_STRING && slice_equal(value_slice(&old->u.list[i]), value))
            return true;
    return false;
}

/* A second value makes a list; lists grow by doubling, at the powers of two of their length. */
static void add_value(struct kv_run *r, struct value *old, struct value val)
{
    uint16_t key_flags = old->key_flags;
    if (old->type != VALUE_LIST) {
        struct value *items = arena_alloc(&r->batch->arena, 2 * sizeof(*items), 16);
        items[0] = *old;
        items[1] = val;
        *old = value_list(items, 2);
    } else {
        if ((old->n & (old->n - 1)) == 0) {
            struct value *items =
                arena_alloc(&r->batch->arena, (size_t)old->n * 2 * sizeof(*items), 16);
            memcpy(items, old->u.list, old->n * sizeof(*items));
            old->u.list = items;
        }
        old->u.list[old->n++] = val;
    }
    old->key_flags = key_flags;
}

static void parse(struct kv_run *r, slice text, struct map *map, uint32_t depth);

static void add_pair(struct kv_run *r, const struct kv_pair *pair, struct map *map, uint32_t depth)
{
    const struct kv_cfg *cfg = r->cfg;
    if (pair->value.n == 0 && !cfg->allow_empty_values) return;
    slice key = cleaned(r, pair->key, &cfg->clean_key);
    key = transform(r, key, cfg->transform_key);
    if (cfg->include.n > 0 && !listed(r, &cfg->include, key)) return;
    if (listed(r, &cfg->exclude, key)) return;
    if (cfg->prefix.n > 0) {
        slice prefix = template_render(&cfg->prefix, r->batch, r->ev, NULL);
        if (prefix.n > 0) key = arena_join(&r->batch->arena, prefix, key);
    }
    slice value = cleaned(r, pair->value, &cfg->clean_value);
    value = transform(r, value, cfg->transform_value);
    struct key name = key_borrow(key);
    struct member *old = map_find(map, name.name, name.hash);
    if (old != NULL && !cfg->allow_duplicate_values && has_value(&old->val, value)) return;
    if (r->pairs == KV_PAIRS_MAX) {
        r->too_many = true;
        return;
    }
    r->pairs++;
    struct value val = value_string(value);
    if (cfg->recursive && depth < KV_RECURSION_MAX) {
        struct map *inner = map_new(&r->batch->arena);
        parse(r, value, inner, depth + 1);
        if (inner->n > 0) val = value_map(inner);
        old = map_find(map, name.name, name.hash);
    }
    if (old != NULL)
        add_value(r, &old->val, val);
    else
        map_append(map, &r->batch->arena, name, val);
}

static void parse(struct kv_run *r, slice text, struct map *map, uint32_t depth)
{
    struct kv_scan scan = kv_scan_start(&r->state->kv, text);
    uint64_t steps_max = (uint64_t)r->cfg->timeout_millis * KV_STEPS_PER_MS;
    if (r->cfg->timeout_millis > 0 && steps_max < scan.steps_max) scan.steps_max = steps_max;
    struct kv_pair pair;
    while (!r->too_many && kv_scan_next(&scan, &pair)) add_pair(r, &pair, map, depth);
    if (scan.exhausted) r->timeout = true;
}

/* ---- one event ------------------------------------------------------------------- */

static bool failed(struct kv_run *r, const char *why)
{
    uint64_t held;
    counter_add(&r->state->failures, 1);
    if (log_gate_open(&r->state->gate, &held))
        log_warn("filters.kv", "Exception while parsing KV: %s (%llu more since the last report)",
                 why, (unsigned long long)held);
    for (uint32_t i = 0; i < r->cfg->tag_on_failure.n; i++)
        event_tag(r->batch, r->ev, r->cfg->tag_on_failure.at[i].text, true);
    return false;
}

/* Pairs of the source on top of the defaults, which come first. */
static void collect(struct kv_run *r, struct value *source, struct map *map)
{
    if (source != NULL && source->type == VALUE_STRING) {
        parse(r, value_slice(source), map, 0);
    } else if (source != NULL && source->type == VALUE_LIST) {
        for (uint32_t i = 0; i < source->n; i++) {
            struct value *item = &source->u.list[i];
            value_resolve(item, &r->batch->arena);
            if (item->type == VALUE_STRING) parse(r, value_slice(item), map, 0);
        }
    }
    for (uint32_t i = 0; i < r->cfg->defaults.n; i++) {
        const struct member *m = &r->cfg->defaults.at[i];
        struct key key = {{m->key, m->key_n}, m->hash, m->val.key_flags};
        if (map_find(map, key.name, key.hash) == NULL)
            map_append(map, &r->batch->arena, key, value_copy(&m->val, &r->batch->arena));
    }
}

/* The names of `map` differ: until one of them is a reference, only what the event had before them
 * may have the same name. */
static bool set_all(struct kv_run *r, const struct map *map)
{
    struct map *data = &r->ev->data;
    struct arena *arena = &r->batch->arena;
    uint32_t older_n = data->n;
    bool references = false;
    if (data->n + map->n > data->cap) map_grow(data, arena, data->n + map->n);
    for (uint32_t i = 0; i < map->n; i++) {
        const struct member *m = &map->at[i];
        struct key key = {{m->key, m->key_n}, m->hash, m->val.key_flags};
        if (field_is_plain(key.name)) {
            struct member *old = map_find_first(data, older_n, key.name, key.hash);
            if (references || old != NULL)
                map_put(data, arena, key, m->val);
            else
                map_append(data, arena, key, m->val);
            continue;
        }
        references = true;
        struct fieldref ref;
        if (fieldref_parse(&ref, key.name, &r->batch->arena) != ERR_OK ||
            event_put(r->batch, r->ev, &ref, m->val) != ERR_OK)
            return failed(r, "a key is no field that can be set");
    }
    return true;
}

static bool kv_one(struct kv_run *r)
{
    struct map *map = map_new(&r->batch->arena);
    collect(r, event_get(r->batch, r->ev, &r->cfg->source), map);
    if (r->timeout) {
        counter_add(&r->state->timeouts, 1);
        event_tag(r->batch, r->ev, r->cfg->tag_on_timeout, true);
        return false;
    }
    if (r->too_many) {
        counter_add(&r->state->limit_hits, 1);
        return failed(r, "too many pairs");
    }
    if (map->n == 0) return false;
    if (r->cfg->target_name.p == NULL) return set_all(r, map);
    if (event_put(r->batch, r->ev, &r->cfg->target, value_map(map)) == ERR_OK) return true;
    return failed(r, "the target cannot be set");
}

static enum applied kv_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                             struct sel *hit, struct plan_run *run)
{
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct kv_run r = {.state = state, .cfg = cfg, .batch = b, .ev = &b->event[in->at[i]]};
        if (kv_one(&r)) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static void kv_undecorated(void *state, const void *cfg, struct batch *b, struct event *ev)
{
    struct kv_run r = {.state = state, .cfg = cfg, .batch = b, .ev = ev};
    failed(&r, "add_field cannot set its field");
}

/* ---- split patterns ---------------------------------------------------------------- */

/* The expressions were compiled behind \G, so that a search matches at `at` or nowhere. */
static int64_t pattern_match_at(void *user, slice text, uint32_t at)
{
    const struct kv_pattern *pattern = user;
    const struct regex_span *spans;
    if (regex_search(pattern->regex, pattern->scratch, text, at, &spans) != REGEX_MATCH) return -1;
    return spans[0].from == at ? (int64_t)spans[0].to - at : -1;
}

static err kv_start(void *state, const void *config, struct worker *worker)
{
    const struct kv_cfg *cfg = config;
    struct kv_state *s = state;
    (void)worker;
    s->kv = cfg->kv;
    if (cfg->field_regex == NULL && cfg->value_regex == NULL) return ERR_OK;
    struct regex_scratch *scratch = regex_scratch_new();
    s->field = (struct kv_pattern){cfg->field_regex, scratch};
    s->value = (struct kv_pattern){cfg->value_regex, scratch};
    s->kv.field_pattern.user = &s->field;
    s->kv.value_pattern.user = &s->value;
    return ERR_OK;
}

static void kv_stop(void *state, const void *cfg)
{
    struct kv_state *s = state;
    (void)cfg;
    if (s->field.scratch != NULL) regex_scratch_free(s->field.scratch);
}

static void kv_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct kv_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu,\"timeouts\":%llu,\"limit_hits\":%llu",
               (unsigned long long)counter_read(&s->failures),
               (unsigned long long)counter_read(&s->timeouts),
               (unsigned long long)counter_read(&s->limit_hits));
}

/* ---- compiling ---------------------------------------------------------------------- */

static err compile_class(struct compiler *c, const char *option, slice text, struct kv_class *out)
{
    if (text.p == NULL || kv_class_parse(text, out) == ERR_OK) return ERR_OK;
    compile_error(c, option, "characters as inside the brackets of a regular expression",
                  "`%.*s` is no character class", SLICE_FMT(text));
    return ERR_CONFIG;
}

static err compile_cleaning(struct compiler *c, const char *trim_option, slice trim,
                            const char *remove_option, slice remove, struct cleaning *out)
{
    out->trims = trim.p != NULL;
    out->removes = remove.p != NULL;
    err e = compile_class(c, trim_option, trim, &out->trim);
    err e2 = compile_class(c, remove_option, remove, &out->remove);
    return e != ERR_OK ? e : e2;
}

static err compile_pattern(struct compiler *c, const char *option, slice text, struct regex **out)
{
    if (text.p == NULL) return ERR_OK;
    if (text.n == 0) {
        compile_error(c, option, NULL, "Configuration option '%s' must be a non-empty string",
                      option);
        return ERR_CONFIG;
    }
    struct grok_error error = {0};
    slice anchored = heap_printf(c->heap, "\\G(?:%.*s)", SLICE_FMT(text));
    *out = regex_new(anchored, 0, &error);
    if (*out != NULL) return ERR_OK;
    compile_error(c, option, NULL, "bad regular expression `%.*s`: %s", SLICE_FMT(text),
                  error.text);
    return ERR_CONFIG;
}

static err compile_splits(struct kv_cfg *cfg, struct compiler *c)
{
    if (cfg->value_split.n == 0) {
        compile_error(c, "value_split", NULL,
                      "Configuration option 'value_split' must be a non-empty string");
        return ERR_CONFIG;
    }
    err e[] = {
        compile_pattern(c, "field_split_pattern", cfg->field_split_pattern, &cfg->field_regex),
        compile_pattern(c, "value_split_pattern", cfg->value_split_pattern, &cfg->value_regex)};
    if (e[0] != ERR_OK || e[1] != ERR_OK) return ERR_CONFIG;
    struct kv_options options = {.field_split = cfg->field_split,
                                 .value_split = cfg->value_split,
                                 .include_brackets = cfg->include_brackets,
                                 .whitespace_strict = cfg->whitespace == 0};
    if (cfg->field_regex != NULL) options.field_split_pattern.match_at = pattern_match_at;
    if (cfg->value_regex != NULL) options.value_split_pattern.match_at = pattern_match_at;
    if (kv_compile(&options, &cfg->kv) == ERR_OK) return ERR_OK;
    compile_error(c, "field_split", "characters as inside the brackets of a regular expression",
                  "field_split `%.*s` or value_split `%.*s` is no character class",
                  SLICE_FMT(cfg->field_split), SLICE_FMT(cfg->value_split));
    return ERR_CONFIG;
}

static err kv_compile_cfg(void *config, struct compiler *c)
{
    struct kv_cfg *cfg = config;
    err e[] = {
        compile_fieldref(c, &cfg->source, cfg->source_name, settings_pos(c->plugin, "source")),
        cfg->target_name.p == NULL ? ERR_OK
                                   : compile_fieldref(c, &cfg->target, cfg->target_name,
                                                      settings_pos(c->plugin, "target")),
        compile_template(c, &cfg->prefix, cfg->prefix_text, settings_pos(c->plugin, "prefix")),
        compile_template_list(c, &cfg->include, cfg->include_list),
        compile_template_list(c, &cfg->exclude, cfg->exclude_list),
        compile_cleaning(c, "trim_key", cfg->trim_key, "remove_char_key", cfg->remove_char_key,
                         &cfg->clean_key),
        compile_cleaning(c, "trim_value", cfg->trim_value, "remove_char_value",
                         cfg->remove_char_value, &cfg->clean_value),
        compile_splits(cfg, c)};
    for (uint32_t i = 0; i < cfg->default_keys.n; i++) {
        const struct config_pair *pair = &cfg->default_keys.at[i];
        map_put(&cfg->defaults, c->arena, compile_key(c, pair->key.text),
                compile_value(c, &pair->val));
    }
    for (uint32_t i = 0; i < ARRAY_LEN(e); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

static void kv_release(void *config)
{
    struct kv_cfg *cfg = config;
    template_fini(&cfg->prefix);
    template_list_fini(&cfg->include);
    template_list_fini(&cfg->exclude);
    if (cfg->field_regex != NULL) regex_free(cfg->field_regex);
    if (cfg->value_regex != NULL) regex_free(cfg->value_regex);
}

#define KV_AT(member, kind) SETTING_AT(struct kv_cfg, member, kind)

/* clang-format off */
static const struct setting kv_settings[] = {
    {.name = "source", KV_AT(source_name, STRING), .flags = SETTING_FIELD,
     .default_text = "message",
     .doc = "The field with the pairs."},
    {.name = "target", KV_AT(target_name, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives the pairs as a hash; without it they become fields."},
    {.name = "prefix", KV_AT(prefix_text, STRING), .default_text = "",
     .doc = "Text to put before every key; may contain %{field}."},
    {.name = "field_split", KV_AT(field_split, STRING), .default_text = " ",
     .doc = "Characters between pairs, as inside the brackets of a regular expression."},
    {.name = "field_split_pattern", KV_AT(field_split_pattern, STRING),
     .doc = "Regular expression for what stands between pairs, in place of field_split."},
    {.name = "value_split", KV_AT(value_split, STRING), .default_text = "=",
     .doc = "Characters between key and value, as inside the brackets of a regular expression."},
    {.name = "value_split_pattern", KV_AT(value_split_pattern, STRING),
     .doc = "Regular expression for what stands between key and value, in place of value_split."},
    {.name = "whitespace", KV_AT(whitespace, ENUM), .choices = whitespaces,
     .default_text = "lenient", .doc = "Whether blanks around value_split are forgiven."},
    {.name = "include_brackets", KV_AT(include_brackets, BOOL), .default_text = "true",
     .doc = "Treat (), [] and <> around a value as quotes."},
    {.name = "trim_key", KV_AT(trim_key, STRING),
     .doc = "Characters to cut off both ends of keys."},
    {.name = "trim_value", KV_AT(trim_value, STRING),
     .doc = "Characters to cut off both ends of values."},
    {.name = "remove_char_key", KV_AT(remove_char_key, STRING),
     .doc = "Characters to remove from keys."},
    {.name = "remove_char_value", KV_AT(remove_char_value, STRING),
     .doc = "Characters to remove from values."},
    {.name = "transform_key", KV_AT(transform_key, ENUM), .choices = transforms,
     .doc = "Change the case of keys."},
    {.name = "transform_value", KV_AT(transform_value, ENUM), .choices = transforms,
     .doc = "Change the case of values."},
    {.name = "include_keys", KV_AT(include_list, LIST), .default_text = "[]",
     .doc = "Take only these keys; may contain %{field}."},
    {.name = "exclude_keys", KV_AT(exclude_list, LIST), .default_text = "[]",
     .doc = "Do not take these keys; may contain %{field}."},
    {.name = "default_keys", KV_AT(default_keys, HASH), .default_text = "{}",
     .doc = "Keys with their values for when the text lacks them."},
    {.name = "allow_duplicate_values", KV_AT(allow_duplicate_values, BOOL),
     .default_text = "true", .doc = "Keep a value that a key has already."},
    {.name = "allow_empty_values", KV_AT(allow_empty_values, BOOL), .default_text = "false",
     .doc = "Take keys whose value is empty."},
    {.name = "recursive", KV_AT(recursive, BOOL), .default_text = "false",
     .doc = "Look for pairs inside of values too."},
    {.name = "tag_on_failure", KV_AT(tag_on_failure, LIST),
     .default_text = "[\"_kv_filter_error\"]",
     .doc = "Tags of events whose pairs cannot be set."},
    {.name = "tag_on_timeout", KV_AT(tag_on_timeout, STRING),
     .default_text = "_kv_filter_timeout", .doc = "Tag of events that took too long."},
    {.name = "timeout_millis", KV_AT(timeout_millis, INT), .default_text = "30000", .min = 0,
     .max = 86400000, .doc = "Bound of the work on one text, as scanning steps; 0 is none but the "
                             "built-in one."},
    {0}};
/* clang-format on */

const struct filter_ops filter_kv = {
    .name = "kv",
    .doc = "Takes key=value pairs out of text.",
    .settings = kv_settings,
    .cfg_size = sizeof(struct kv_cfg),
    .state_size = sizeof(struct kv_state),
    .compile = kv_compile_cfg,
    .release = kv_release,
    .start = kv_start,
    .apply = kv_apply,
    .undecorated = kv_undecorated,
    .stop = kv_stop,
    .stats = kv_stats,
};
