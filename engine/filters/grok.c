/*
 * grok.c - named patterns cut text into fields.
 *
 * Each field of `match` has one set of patterns (parsers/grok), and each pattern a list of what
 * its captures are called, parsed when the configuration is compiled. Captured text stays where it
 * is: values are slices of the source field's bytes. Existing fields are kept: strings and lists
 * get the capture appended, anything else wins over it, unless the name is in `overwrite`.
 * Success of a field is that of the last pattern tried; a search that gives up ends the event
 * with tag_on_timeout alone. State: one scratch per set, and layouts of what matches stored.
 */
#include "parsers/grok/grok.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/plan/common_options.h"
#include "engine/plan/grok_report.h"
#include "engine/plan/pattern_dict.h"
#include "engine/plan/ruby_text.h"
#include "parsers/text/ruby_number.h"

/* timeout_millis is a bound on backtracking steps here: what PCRE2's JIT does in a millisecond,
 * roughly, and never more than the cap, which stands for "no timeout". */
#define GROK_STEPS_PER_MS 50000
#define GROK_STEPS_CAP 100000000

enum { TIMEOUT_PATTERN, TIMEOUT_EVENT };
static const char *const timeout_scopes[] = {"pattern", "event", NULL};

enum capture_kind { CAPTURE_PLAIN /* a top-level field */, CAPTURE_NESTED, CAPTURE_SPECIAL };

struct capture {
    struct fieldref ref;
    enum grok_coerce coerce;
    enum capture_kind kind;
    bool overwrite;
    uint32_t parent;     /* node that holds it, or NODE_EVENT */
    struct member field; /* laid out for store_fresh */
};

/* A map that captures of one pattern make. */
#define NODES_MAX 64u
#define NODE_EVENT UINT32_MAX
struct capture_node {
    const struct key *key;
    struct member field;
    uint32_t parent;  /* node, or NODE_EVENT */
    uint32_t members; /* that it can get */
    uint32_t at;      /* bytes before its map in what store_fresh allocates */
};

/* What store_fresh needs of a capture, apart from the rest, which is large. */
struct fresh_capture {
    struct member field;
    uint32_t parent; /* node, or n_nodes: the event */
    enum grok_coerce coerce;
};

/* What the captures of one pattern become. */
struct grok_pattern_fields {
    struct capture *capture;
    bool distinct; /* no capture can meet a field that an earlier one of this match has made */
    /* All of them are made anew in an event that has none of the top-level fields: */
    bool fresh;
    bool laid_out;  /* and its matches have layouts: maps are worth them, plain fields are not */
    uint64_t roots; /* a bit for each top-level field, see root_bit */
    uint32_t n_roots, n_nodes, node_bytes;
    struct capture_node *node;
    struct fresh_capture *fresh_capture;
};

struct grok_field {
    struct fieldref ref;
    slice name;
    struct grok_set *set;
    struct grok_pattern_fields *pattern;
    uint32_t patterns;
};

struct grok_cfg {
    struct config_hash match, pattern_definitions;
    struct config_list patterns_dir, overwrite, tag_on_failure;
    slice patterns_files_glob, tag_on_timeout, target_name;
    bool break_on_match, named_captures_only, keep_empty_captures;
    int64_t timeout_millis;
    int timeout_scope;

    struct fieldref target;
    struct grok_field *field;
    uint32_t field_n;
};

/* Where a member is in a layout: in the event's map, or in the maps below it. */
struct place {
    uint32_t at; /* bytes */
    bool below;
};

#define CAPTURES_MAX 64u /* of a pattern with layouts: a bit each */

/*
 * All that a match of a pattern adds to an event, when the same captures have text: it is copied,
 * and only the addresses and lengths of the texts and the addresses of the maps are set.
 */
struct grok_layout {
    uint64_t captures; /* that have text */
    uint8_t flags;     /* of the matched text */
    uint8_t hits;      /* as far as it counts, and less with each that wants the place */
    uint32_t n_roots, n_maps;
    struct member *root; /* of the event */
    char *maps;          /* of all nodes */
    struct {
        uint32_t node_at;
        struct place member;
    } map[NODES_MAX];
    struct place text[CAPTURES_MAX]; /* by capture */
};

/* A pattern's lines differ in few ways: optional parts are there or not. Captures choose the set,
 * and each of its places may have their layout. */
#define LAYOUT_SETS 4u
#define LAYOUT_WAYS 2u
#define LAYOUT_BYTES_MAX 8192u

struct grok_layouts {
    struct {
        struct grok_layout way[LAYOUT_WAYS];
        uint64_t last_captures; /* of the last match without a layout */
        uint8_t last_flags;
    } set[LAYOUT_SETS];
};

struct grok_state {
    struct grok_scratch **scratch;  /* per field, heap */
    struct grok_layouts ***layouts; /* per field and pattern; NULL: none yet */
    struct counter matches, failures, timeouts;
    struct log_gate gate, timeout_gate;
};

struct grok_run {
    struct grok_state *state;
    const struct grok_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    bool timeout;
};

/* ---- storing captures ------------------------------------------------------------ */

/* A value for a place that may be taken: text and lists grow, any other value stays. */
static void settle(struct grok_run *r, const struct capture *c, struct value *at, struct value val)
{
    uint16_t key_flags = at->key_flags;
    if (at->type == VALUE_NIL || c->overwrite) {
        *at = val;
    } else if (at->type == VALUE_STRING || at->type == VALUE_LIST) {
        value_resolve(at, &r->batch->arena);
        uint32_t n = at->type == VALUE_LIST ? at->n : 1;
        struct value *items =
            arena_alloc(&r->batch->arena, ((size_t)n + 1) * sizeof(struct value), 16);
        memcpy(items, at->type == VALUE_LIST ? at->u.list : at, n * sizeof(struct value));
        items[n] = val;
        *at = value_list(items, n + 1);
    }
    at->key_flags = key_flags;
}

/* Fields with rules of their own: tags, @timestamp, [@metadata]. */
static err store_special(struct grok_run *r, const struct capture *c, struct value val)
{
    struct value *old = c->overwrite ? NULL : event_get(r->batch, r->ev, &c->ref);
    if (old == NULL || old->type == VALUE_NIL) return event_put(r->batch, r->ev, &c->ref, val);
    if (old->type != VALUE_STRING && old->type != VALUE_LIST) return ERR_OK;
    return event_append(r->batch, r->ev, &c->ref, val);
}

/* `old_n`: how many members may hold a top-level field of this name already. */
static err store(struct grok_run *r, const struct capture *c, struct value val, uint32_t old_n)
{
    struct map *data = &r->ev->data;
    struct value *at = NULL;
    if (c->kind == CAPTURE_SPECIAL) return store_special(r, c, val);
    if (c->kind == CAPTURE_NESTED) {
        at = event_place(r->batch, r->ev, &c->ref);
        if (at == NULL) return ERR_TYPE;
        settle(r, c, at, val);
        return ERR_OK;
    }
    const struct key *key = &c->ref.step[0].key;
    struct map known = {data->at, data->cap > MAP_SCAN_MAX ? data->n : old_n, data->cap};
    struct member *m = map_find(&known, key->name, key->hash);
    if (m != NULL)
        settle(r, c, &m->val, val);
    else
        map_append(data, &r->batch->arena, *key, val);
    return ERR_OK;
}

/* The value of a capture; false: there is none to store. */
static inline bool capture_value(struct grok_run *r, enum grok_coerce coerce, slice text,
                                 uint8_t flags, struct value *val)
{
    *val = value_nil();
    if (text.p == NULL) return r->cfg->keep_empty_captures;
    if (coerce == GROK_STRING) {
        *val = value_string(text);
        val->flags = flags;
        return text.n > 0 || r->cfg->keep_empty_captures;
    }
    if (coerce == GROK_INT)
        *val = int_text_is_json(text) ? value_int_text(text) : ruby_to_i(text, &r->batch->arena);
    else
        *val = value_float(ruby_to_f(text));
    return true;
}

static inline uint64_t root_bit(uint32_t hash)
{
    return 1ULL << (hash & 63);
}

/* Whether no member can have the name of a top-level field of the pattern, and the map has no index
 * (which a large one keeps when it has lost most of its fields). */
static inline bool is_fresh(const struct grok_pattern_fields *pattern, const struct map *data)
{
    uint64_t bits = 0;
    if (!pattern->fresh || data->n + pattern->n_roots > MAP_SCAN_MAX || data->cap > MAP_SCAN_MAX)
        return false;
    for (uint32_t i = 0; i < data->n; i++) bits |= root_bit(data->at[i].hash);
    return (bits & pattern->roots) == 0;
}

/* Maps being filled: a place is behind the last member so far, so that no count is read back and
 * written for every field. */
struct filling {
    const struct grok_pattern_fields *pattern;
    char *maps;                          /* of all nodes, at their places in it */
    struct member *place[NODES_MAX + 1]; /* by node, NULL: not made yet; the last: the event */
    struct member *node[NODES_MAX];      /* that holds the node's map, when made */
    struct member *text[CAPTURES_MAX];   /* by capture, when stored and within the bound */
};

static inline struct map *node_map(char *maps, uint32_t at)
{
    return (struct map *)(void *)(maps + at);
}

/* Makes the map of a node, and those above it, where it is wanted first. */
static void node_open(struct filling *f, uint32_t index)
{
    const struct capture_node *node = &f->pattern->node[index];
    uint32_t above = node->parent == NODE_EVENT ? f->pattern->n_nodes : node->parent;
    struct map *map = node_map(f->maps, node->at);
    *map = (struct map){.at = (struct member *)(map + 2), .cap = node->members};
    if (f->place[above] == NULL) node_open(f, above);
    f->node[index] = f->place[above];
    f->place[above] = member_map(f->place[above], &node->field, map);
    f->place[index] = map->at;
}

/* No field exists yet: nothing is looked up, and all maps are one piece, with room for all. */
static void store_fresh(struct grok_run *r, struct filling *f, const struct grok_result *result,
                        uint8_t flags)
{
    const struct grok_pattern_fields *pattern = f->pattern;
    struct map *data = &r->ev->data;
    memset(f->place, 0, pattern->n_nodes * sizeof(*f->place));
    f->maps = arena_alloc(&r->batch->arena, pattern->node_bytes, 16);
    f->place[pattern->n_nodes] = data->at + data->n;
    const struct fresh_capture *capture = pattern->fresh_capture;
    for (uint32_t i = 0; i < result->n; i++, capture++) {
        slice text = result->values[i];
        bool plain = text.n > 0 && capture->coerce == GROK_STRING; /* as nearly all are */
        struct value val;
        if (!plain && !capture_value(r, capture->coerce, text, flags, &val)) continue;
        struct member **place = &f->place[capture->parent];
        if (*place == NULL) node_open(f, capture->parent);
        if (i < CAPTURES_MAX) f->text[i] = *place; /* for layout_learn */
        *place = plain ? member_text(*place, &capture->field, text, flags)
                       : member_any(*place, &capture->field, val);
    }
    for (uint32_t i = 0; i < pattern->n_nodes; i++)
        if (f->place[i] != NULL) map_close(node_map(f->maps, pattern->node[i].at), f->place[i]);
    map_close(data, f->place[pattern->n_nodes]);
}

/* ---- layouts: many matches that store the same captures ------------------------------- */

/* Captures that are stored, a bit each, if all of them are stored as their text; else 0. */
static inline uint64_t texts_of(const struct grok_pattern_fields *pattern,
                                const struct grok_result *result)
{
    uint64_t captures = 0;
    const struct fresh_capture *capture = pattern->fresh_capture;
    for (uint32_t i = 0; i < result->n; i++) {
        slice text = result->values[i];
        enum grok_coerce coerce = capture[i].coerce;
        if (coerce != GROK_STRING && text.p != NULL &&
            (coerce == GROK_FLOAT || !int_text_is_json(text)))
            return 0;
        captures |= (uint64_t)(text.n > 0) << i;
    }
    return captures;
}

static inline uint32_t layout_set(uint64_t captures)
{
    /* The upper bits of a product by 2^64 / phi depend on all bits. */
    return captures * 0x9e3779b97f4a7c15ULL >> 62;
}
_Static_assert(LAYOUT_SETS == 4, "layout_set gives two bits");

static inline struct grok_layout *layout_find(struct grok_layouts *layouts, uint64_t captures,
                                              uint8_t flags)
{
    struct grok_layout *way = layouts->set[layout_set(captures)].way;
    for (uint32_t i = 0; i < LAYOUT_WAYS; i++)
        if (way[i].captures == captures && way[i].flags == flags) return &way[i];
    return NULL;
}

/* The place of the one used less in a set; NULL while even that is used more than what is new. */
static struct grok_layout *layout_replaced(struct grok_layouts *layouts, uint32_t set)
{
    struct grok_layout *way = layouts->set[set].way, *least = way;
    for (uint32_t i = 1; i < LAYOUT_WAYS; i++)
        if (way[i].hits < least->hits) least = &way[i];
    least->hits /= 2;
    return least->hits == 0 ? least : NULL;
}

/* Layouts of a pattern, without contents. */
static __attribute__((noinline)) struct grok_layouts *
layouts_new(const struct grok_pattern_fields *pattern)
{
    size_t roots_bytes = pattern->n_roots * sizeof(struct member);
    size_t bytes = roots_bytes + pattern->node_bytes;
    struct grok_layouts *layouts = calloc(1, sizeof(*layouts));
    char *room = calloc(LAYOUT_SETS * LAYOUT_WAYS, bytes);
    ASSERT(layouts != NULL);
    ASSERT(room != NULL);
    for (uint32_t i = 0; i < LAYOUT_SETS * LAYOUT_WAYS; i++, room += bytes) {
        struct grok_layout *layout = &layouts->set[i / LAYOUT_WAYS].way[i % LAYOUT_WAYS];
        layout->root = (struct member *)(void *)room;
        layout->maps = room + roots_bytes;
    }
    return layouts;
}

static void layouts_free(struct grok_layouts *layouts)
{
    if (layouts == NULL) return;
    free(layouts->set[0].way[0].root); /* the first part of one piece */
    free(layouts);
}

static struct place place_of(const struct member *m, const struct member *roots, uint32_t n_roots,
                             const char *maps)
{
    uintptr_t at = (uintptr_t)m - (uintptr_t)roots;
    if (at < n_roots * sizeof(struct member)) return (struct place){(uint32_t)at, false};
    return (struct place){(uint32_t)((uintptr_t)m - (uintptr_t)maps), true};
}

/* Remembers what store_fresh has added behind the event's first `old_n` members. */
static __attribute__((noinline)) void layout_learn(struct grok_layouts *layouts, uint32_t set,
                                                   const struct filling *f, const struct map *data,
                                                   uint32_t old_n)
{
    struct grok_layout *layout = layout_replaced(layouts, set);
    if (layout == NULL) return;
    const struct member *roots = data->at + old_n;
    layout->captures = layouts->set[set].last_captures;
    layout->flags = layouts->set[set].last_flags;
    layout->n_roots = data->n - old_n;
    layout->n_maps = 0;
    memcpy(layout->root, roots, layout->n_roots * sizeof(*roots));
    memcpy(layout->maps, f->maps, f->pattern->node_bytes);
    for (uint32_t i = 0; i < f->pattern->n_nodes; i++) {
        if (f->place[i] == NULL) continue;
        layout->map[layout->n_maps].node_at = f->pattern->node[i].at;
        layout->map[layout->n_maps++].member =
            place_of(f->node[i], roots, layout->n_roots, f->maps);
    }
    for (uint64_t left = layout->captures; left != 0; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        layout->text[i] = place_of(f->text[i], roots, layout->n_roots, f->maps);
    }
}

static void store_layout(struct grok_run *r, const struct grok_pattern_fields *pattern,
                         const struct grok_layout *layout, const slice *values)
{
    struct map *data = &r->ev->data;
    char *const base[2] = {(char *)(data->at + data->n),
                           arena_alloc(&r->batch->arena, pattern->node_bytes, 16)};
    memcpy(base[false], layout->root, layout->n_roots * sizeof(struct member));
    memcpy(base[true], layout->maps, pattern->node_bytes);
    for (uint32_t i = 0; i < layout->n_maps; i++) {
        struct place to = layout->map[i].member;
        struct map *map = node_map(base[true], layout->map[i].node_at);
        map->at = (struct member *)(map + 2);
        ((struct member *)(void *)(base[to.below] + to.at))->val.u.map = map;
    }
    for (uint64_t left = layout->captures; left != 0; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        struct place to = layout->text[i];
        struct value *val = &((struct member *)(void *)(base[to.below] + to.at))->val;
        val->n = values[i].n;
        val->u.str = values[i].p;
    }
    data->n += layout->n_roots;
}

/* Captures of an event that has none of their fields. */
static void store_new(struct grok_run *r, const struct grok_pattern_fields *pattern,
                      struct grok_layouts **layouts, const struct grok_result *result,
                      uint8_t flags)
{
    struct map *data = &r->ev->data;
    uint64_t captures = pattern->laid_out ? texts_of(pattern, result) : 0;
    map_reserve(data, &r->batch->arena, data->n + pattern->n_roots);
    if (captures != 0) {
        if (*layouts == NULL) *layouts = layouts_new(pattern);
        struct grok_layout *layout = layout_find(*layouts, captures, flags);
        if (layout != NULL) {
            layout->hits += layout->hits < UINT8_MAX;
            store_layout(r, pattern, layout, result->values);
            event_shape_add(r->ev, captures);
            return;
        }
    }
    struct filling f;
    uint32_t old_n = data->n, set = layout_set(captures);
    f.pattern = pattern;
    store_fresh(r, &f, result, flags);
    if (captures == 0) return;
    event_shape_add(r->ev, captures);
    /* Learning takes longer than storing, so it waits until something comes twice in a row. */
    uint64_t *last_captures = &(*layouts)->set[set].last_captures;
    uint8_t *last_flags = &(*layouts)->set[set].last_flags;
    bool again = *last_captures == captures && *last_flags == flags;
    *last_captures = captures;
    *last_flags = flags;
    if (again) layout_learn(*layouts, set, &f, data, old_n);
}

/* False when a field cannot be set: the match counts as failed then. */
static bool store_all(struct grok_run *r, uint32_t field_at, const struct grok_result *result,
                      uint8_t flags)
{
    const struct grok_pattern_fields *pattern = &r->cfg->field[field_at].pattern[result->winner];
    if (is_fresh(pattern, &r->ev->data)) {
        store_new(r, pattern, &r->state->layouts[field_at][result->winner], result, flags);
        return true;
    }
    const struct capture *capture = pattern->capture;
    uint32_t old_n = r->ev->data.n;
    for (uint32_t i = 0; i < result->n; i++, capture++) {
        struct value val;
        if (!capture_value(r, capture->coerce, result->values[i], flags, &val)) continue;
        if (store(r, capture, val, pattern->distinct ? old_n : r->ev->data.n) != ERR_OK)
            return false;
    }
    return true;
}

/* ---- matching ---------------------------------------------------------------------- */

static bool cannot_set(struct grok_run *r, const struct grok_field *field)
{
    uint64_t held;
    if (log_gate_open(&r->state->gate, &held))
        log_warn("filters.grok",
                 "Grok regexp threw exception: a capture of field `%.*s` cannot be set "
                 "(%llu more since the last report)",
                 SLICE_FMT(field->name), (unsigned long long)held);
    return false;
}

/* One text against the patterns of a field. */
static bool match_text(struct grok_run *r, uint32_t at, slice text, uint8_t flags)
{
    const struct grok_field *field = &r->cfg->field[at];
    struct grok_result result;
    for (uint32_t first = 0; first < field->patterns; first = result.winner + 1) {
        enum grok_status status =
            grok_match(field->set, r->state->scratch[at], text, first, &result);
        if (status == GROK_LIMIT) r->timeout = true;
        if (status != GROK_MATCH) return false;
        if (!store_all(r, at, &result, flags)) return cannot_set(r, field);
        if (r->cfg->break_on_match) return true;
    }
    return field->patterns > 0;
}

static bool match_value(struct grok_run *r, uint32_t at, struct value *v)
{
    if (v->type == VALUE_STRING) return match_text(r, at, value_slice(v), v->flags & VALUE_CLEAN);
    return match_text(r, at, ruby_text_slice(v, &r->batch->arena, &r->batch->scratch), 0);
}

/* A missing field is matched as empty text; of a list each item, before captures change it. */
static bool match_field(struct grok_run *r, uint32_t at)
{
    struct value *v = event_get(r->batch, r->ev, &r->cfg->field[at].ref);
    if (v == NULL) return match_text(r, at, SLICE(""), 0);
    if (v->type != VALUE_LIST) {
        struct value one = *v;
        return match_value(r, at, &one);
    }
    bool success = false;
    struct value *items = v->u.list;
    uint32_t n = v->n;
    for (uint32_t i = 0; i < n && !r->timeout; i++) {
        value_resolve(&items[i], &r->batch->arena);
        struct value one = items[i];
        if (match_value(r, at, &one)) success = true;
    }
    return success;
}

static void timed_out(struct grok_run *r)
{
    uint64_t held;
    counter_add(&r->state->timeouts, 1);
    if (log_gate_open(&r->state->timeout_gate, &held))
        log_warn("filters.grok", "Timeout executing grok (%llu more since the last report)",
                 (unsigned long long)held);
    event_tag(r->batch, r->ev, r->cfg->tag_on_timeout, true);
}

static bool grok_one(struct grok_run *r)
{
    bool matched = false;
    for (uint32_t at = 0; at < r->cfg->field_n && !r->timeout; at++) {
        if (!match_field(r, at)) continue;
        matched = true;
        if (r->cfg->break_on_match) break;
    }
    if (r->timeout) {
        timed_out(r);
        return false;
    }
    for (uint32_t i = 0; !matched && i < r->cfg->tag_on_failure.n; i++)
        event_tag(r->batch, r->ev, r->cfg->tag_on_failure.at[i].text, true);
    return matched;
}

static enum applied grok_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                               struct sel *hit, struct plan_run *run)
{
    struct grok_state *s = state;
    uint32_t timeouts = 0;
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct grok_run r = {s, cfg, b, &b->event[in->at[i]], false};
        if (grok_one(&r)) sel_add(hit, in->at[i]);
        timeouts += r.timeout;
    }
    counter_add(&s->matches, hit->n);
    counter_add(&s->failures, in->n - hit->n - timeouts);
    return APPLIED;
}

static err grok_start(void *state, const void *config, struct worker *worker)
{
    const struct grok_cfg *cfg = config;
    struct grok_state *s = state;
    (void)worker;
    s->scratch = calloc(cfg->field_n + 1, sizeof(*s->scratch));
    ASSERT(s->scratch != NULL);
    s->layouts = calloc(cfg->field_n + 1, sizeof(*s->layouts));
    ASSERT(s->layouts != NULL);
    for (uint32_t i = 0; i < cfg->field_n; i++) {
        if (cfg->field[i].set == NULL) continue;
        s->scratch[i] = grok_scratch_new(cfg->field[i].set);
        s->layouts[i] = calloc(cfg->field[i].patterns + 1, sizeof(*s->layouts[i]));
        ASSERT(s->layouts[i] != NULL);
    }
    return ERR_OK;
}

static void grok_stop(void *state, const void *config)
{
    const struct grok_cfg *cfg = config;
    struct grok_state *s = state;
    for (uint32_t i = 0; i < cfg->field_n; i++) {
        if (s->scratch[i] != NULL) grok_scratch_free(s->scratch[i]);
        for (uint32_t k = 0; s->layouts[i] != NULL && k < cfg->field[i].patterns; k++)
            layouts_free(s->layouts[i][k]);
        free(s->layouts[i]);
    }
    free(s->layouts);
    free(s->scratch);
}

static void grok_stats(const void *state, const void *config, struct buf *out)
{
    const struct grok_cfg *cfg = config;
    const struct grok_state *s = state;
    buf_printf(out,
               ",\"matches\":%llu,\"failures\":%llu,\"timeouts\":%llu,\"patterns_per_field\":{",
               (unsigned long long)counter_read(&s->matches),
               (unsigned long long)counter_read(&s->failures),
               (unsigned long long)counter_read(&s->timeouts));
    for (uint32_t i = 0; i < cfg->field_n; i++) {
        if (i > 0) buf_add_byte(out, ',');
        buf_add_json(out, cfg->field[i].name);
        buf_printf(out, ":%u", cfg->field[i].patterns);
    }
    buf_add_byte(out, '}');
}

static void grok_explain(const void *config, slice sample, struct buf *out)
{
    const struct grok_cfg *cfg = config;
    for (uint32_t i = 0; i < cfg->field_n; i++) {
        const struct grok_field *field = &cfg->field[i];
        const struct config_value *v = &cfg->match.at[i].val;
        if (field->set == NULL) continue;
        slice *texts = calloc(field->patterns, sizeof(*texts));
        ASSERT(texts != NULL);
        for (uint32_t k = 0; k < field->patterns; k++)
            texts[k] = v->type == CONFIG_LIST ? v->u.list[k].text : v->text;
        buf_printf(out, "field %.*s\n", SLICE_FMT(field->name));
        grok_report(field->set, texts, sample, out);
        free(texts);
    }
}

/* ---- compiling: fields ---------------------------------------------------------------- */

static uint32_t match_limit(struct compiler *c, const struct grok_cfg *cfg, uint32_t patterns)
{
    if (!settings_given(&c->given, "timeout_millis")) return 0;
    int64_t steps = cfg->timeout_millis == 0 || cfg->timeout_millis > GROK_STEPS_CAP
                        ? GROK_STEPS_CAP
                        : cfg->timeout_millis * GROK_STEPS_PER_MS;
    /* One timeout for the whole event is shared by its patterns. */
    if (cfg->timeout_scope == TIMEOUT_EVENT && patterns > 0) steps /= patterns;
    if (steps > GROK_STEPS_CAP) steps = GROK_STEPS_CAP;
    return steps < 1000 ? 1000 : (uint32_t)steps;
}

static bool is_overwritten(const struct grok_cfg *cfg, slice name)
{
    for (uint32_t i = 0; i < cfg->overwrite.n; i++)
        if (slice_equal(cfg->overwrite.at[i].text, name)) return true;
    return false;
}

static err compile_capture(struct compiler *c, const struct grok_cfg *cfg, struct capture *out,
                           const struct grok_capture *from, struct pos pos)
{
    struct fieldref own;
    err e = compile_fieldref(c, &own, from->field, pos);
    if (e != ERR_OK) return e;
    out->ref = own;
    if (cfg->target_name.p != NULL &&
        fieldref_join(&out->ref, &cfg->target, &own, c->arena) != ERR_OK) {
        diag_error(c->diag, pos, NULL, "the field `%.*s` is too deep below the target",
                   SLICE_FMT(from->field));
        return ERR_CONFIG;
    }
    out->coerce = from->coerce;
    out->overwrite = is_overwritten(cfg, from->field);
    out->kind = out->ref.root != FIELD_DATA || out->ref.tags ? CAPTURE_SPECIAL
                : out->ref.depth > 1                         ? CAPTURE_NESTED
                                                             : CAPTURE_PLAIN;
    return ERR_OK;
}

/* Whether no top-level capture shares its name with the first step of another one. */
static bool are_distinct(const struct capture *capture, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (capture[i].kind == CAPTURE_SPECIAL) return false;
        for (uint32_t k = 0; k < i; k++)
            if (slice_equal(capture[i].ref.step[0].key.name, capture[k].ref.step[0].key.name) &&
                (capture[i].kind == CAPTURE_PLAIN || capture[k].kind == CAPTURE_PLAIN))
                return false;
    }
    return true;
}

static bool is_node(const struct grok_pattern_fields *fields, uint32_t index, uint32_t parent,
                    const struct key *key)
{
    const struct capture_node *node = &fields->node[index];
    return node->parent == parent && slice_equal(node->key->name, key->name);
}

/* The node of that name below `parent`, new or known; NODE_EVENT when they are too many. */
static uint32_t add_node(struct grok_pattern_fields *fields, uint32_t parent, const struct key *key)
{
    for (uint32_t i = 0; i < fields->n_nodes; i++)
        if (is_node(fields, i, parent, key)) return i;
    if (fields->n_nodes == NODES_MAX) return NODE_EVENT;
    fields->node[fields->n_nodes] = (struct capture_node){
        .key = key, .field = member_laid_out(key, VALUE_MAP, 0), .parent = parent};
    if (parent != NODE_EVENT) fields->node[parent].members++;
    return fields->n_nodes++;
}

/* Adds the maps on the way to a capture; false: it cannot be stored as a fresh one. */
static bool add_way(struct grok_pattern_fields *fields, struct capture *capture)
{
    capture->parent = NODE_EVENT;
    if (capture->kind == CAPTURE_SPECIAL) return false;
    const struct fieldref *ref = &capture->ref;
    fields->roots |= root_bit(ref->step[0].key.hash);
    for (uint32_t i = 0; i + 1 < ref->depth; i++) {
        capture->parent = add_node(fields, capture->parent, &ref->step[i].key);
        if (ref->step[i + 1].is_index || capture->parent == NODE_EVENT) return false;
    }
    if (capture->parent != NODE_EVENT) fields->node[capture->parent].members++;
    return true;
}

/* Whether capture i neither is, nor is named like, what another capture makes. */
static bool is_alone(const struct grok_pattern_fields *fields, uint32_t i)
{
    const struct capture *own = &fields->capture[i];
    const struct key *key = &own->ref.step[own->ref.depth - 1].key;
    for (uint32_t k = 0; k < fields->n_nodes; k++)
        if (is_node(fields, k, own->parent, key)) return false;
    for (uint32_t k = 0; k < i; k++) {
        const struct capture *other = &fields->capture[k];
        if (other->parent == own->parent &&
            slice_equal(other->ref.step[other->ref.depth - 1].key.name, key->name))
            return false;
    }
    return true;
}

static void plan_fresh(struct compiler *c, const struct grok_cfg *cfg,
                       struct grok_pattern_fields *fields, uint32_t n)
{
    fields->node = heap_alloc(c->heap, NODES_MAX * sizeof(*fields->node));
    fields->fresh = true;
    for (uint32_t i = 0; i < n && fields->fresh; i++)
        fields->fresh = add_way(fields, &fields->capture[i]);
    for (uint32_t i = 0; i < n && fields->fresh; i++) fields->fresh = is_alone(fields, i);
    for (uint32_t i = 0; i < fields->n_nodes; i++) {
        struct capture_node *node = &fields->node[i];
        if (node->members > MAP_SCAN_MAX) fields->fresh = false;
        node->at = fields->node_bytes;
        fields->node_bytes +=
            (uint32_t)(2 * sizeof(struct map) + node->members * sizeof(struct member));
    }
    fields->fresh_capture = heap_alloc(c->heap, (n + 1) * sizeof(*fields->fresh_capture));
    for (uint32_t i = 0; i < n && fields->fresh; i++) {
        const struct capture *capture = &fields->capture[i];
        const struct key *key = &capture->ref.step[capture->ref.depth - 1].key;
        uint32_t parent = capture->parent == NODE_EVENT ? fields->n_nodes : capture->parent;
        fields->fresh_capture[i] =
            (struct fresh_capture){member_laid_out(key, VALUE_STRING, 0), parent, capture->coerce};
    }
    for (uint32_t i = 0; i < n; i++) fields->n_roots += fields->capture[i].parent == NODE_EVENT;
    for (uint32_t i = 0; i < fields->n_nodes; i++)
        fields->n_roots += fields->node[i].parent == NODE_EVENT;
    fields->laid_out = fields->fresh && fields->n_nodes > 0 && !cfg->keep_empty_captures &&
                       n <= CAPTURES_MAX && fields->n_roots <= MAP_SCAN_MAX &&
                       fields->node_bytes <= LAYOUT_BYTES_MAX;
}

static err compile_captures(struct compiler *c, const struct grok_cfg *cfg,
                            struct grok_field *field, const struct config_value *patterns)
{
    err result = ERR_OK;
    field->pattern = heap_alloc(c->heap, field->patterns * sizeof(*field->pattern));
    for (uint32_t i = 0; i < field->patterns; i++) {
        uint32_t n;
        const struct grok_capture *from = grok_set_captures(field->set, i, &n);
        struct capture *to = heap_alloc(c->heap, (n + 1) * sizeof(struct capture));
        for (uint32_t k = 0; k < n; k++)
            if (compile_capture(c, cfg, &to[k], &from[k], patterns[i].pos) != ERR_OK)
                result = ERR_CONFIG;
        field->pattern[i].capture = to;
        field->pattern[i].distinct = result == ERR_OK && are_distinct(to, n);
        if (result == ERR_OK) plan_fresh(c, cfg, &field->pattern[i], n);
    }
    return result;
}

static err compile_field(struct compiler *c, struct grok_cfg *cfg, const struct grok_dict *dict,
                         const struct config_pair *pair)
{
    struct grok_field *field = &cfg->field[cfg->field_n];
    const struct config_value *patterns = &pair->val;
    uint32_t n = 1;
    if (pair->val.type == CONFIG_LIST) {
        patterns = pair->val.u.list;
        n = pair->val.n;
    }
    field->name = pair->key.text;
    err e = compile_fieldref(c, &field->ref, pair->key.text, pair->key.pos);
    slice *texts = heap_alloc(c->heap, (n + 1) * sizeof(*texts));
    for (uint32_t i = 0; i < n; i++) {
        if (!config_is_scalar(&patterns[i])) {
            diag_error(c->diag, patterns[i].pos, "a pattern", "match needs text here");
            return ERR_CONFIG;
        }
        texts[i] = patterns[i].text;
    }
    if (e != ERR_OK) return e;
    cfg->field_n++;
    if (n == 0) return ERR_OK;
    struct grok_options options = {.capture_all = !cfg->named_captures_only,
                                   .match_limit = match_limit(c, cfg, n),
                                   .cache_dir = c->cache_dir};
    struct grok_error error = {0};
    field->set = grok_set_new(texts, n, dict, &options, &error);
    if (field->set == NULL) {
        pattern_report(c, &patterns[error.pattern < n ? error.pattern : 0], &error);
        return ERR_CONFIG;
    }
    field->patterns = n;
    return compile_captures(c, cfg, field, patterns);
}

static err grok_compile(void *config, struct compiler *c)
{
    struct grok_cfg *cfg = config;
    struct pattern_dict dict;
    err result = pattern_dict_open(&dict, c, &cfg->patterns_dir, cfg->patterns_files_glob,
                                   &cfg->pattern_definitions);
    if (cfg->target_name.p != NULL && compile_fieldref(c, &cfg->target, cfg->target_name,
                                                       settings_pos(c->plugin, "target")) != ERR_OK)
        result = ERR_CONFIG;
    cfg->field = heap_alloc(c->heap, (cfg->match.n + 1) * sizeof(struct grok_field));
    for (uint32_t i = 0; result == ERR_OK && i < cfg->match.n; i++)
        if (compile_field(c, cfg, dict.own, &cfg->match.at[i]) != ERR_OK) result = ERR_CONFIG;
    pattern_dict_close(&dict);
    return result;
}

static void grok_release(void *config)
{
    struct grok_cfg *cfg = config;
    for (uint32_t i = 0; i < cfg->field_n; i++)
        if (cfg->field[i].set != NULL) grok_set_free(cfg->field[i].set);
}

#define GROK_AT(member, kind) SETTING_AT(struct grok_cfg, member, kind)

/* clang-format off */
static const struct setting grok_settings[] = {
    {.name = "match", GROK_AT(match, HASH), .flags = SETTING_FIELD, .default_text = "{}",
     .doc = "Fields and their patterns, one or a list each; the first that matches wins."},
    {.name = "patterns_dir", GROK_AT(patterns_dir, LIST), .default_text = "[]",
     .doc = "Folders, files or globs of pattern files; they win over the built-in patterns."},
    {.name = "patterns_files_glob", GROK_AT(patterns_files_glob, STRING), .default_text = "*",
     .doc = "Which files of a folder in patterns_dir are read."},
    {.name = "pattern_definitions", GROK_AT(pattern_definitions, HASH), .default_text = "{}",
     .doc = "Patterns by name for this filter alone; they win over all others."},
    {.name = "break_on_match", GROK_AT(break_on_match, BOOL), .default_text = "true",
     .doc = "Stop at the first match; else every pattern of every field is tried and the last one "
            "of a field decides about its success."},
    {.name = "named_captures_only", GROK_AT(named_captures_only, BOOL), .default_text = "true",
     .doc = "Only keep what has a field name; else %{NAME} is kept in the field NAME."},
    {.name = "keep_empty_captures", GROK_AT(keep_empty_captures, BOOL), .default_text = "false",
     .doc = "Set fields whose capture is empty or took no part in the match."},
    {.name = "overwrite", GROK_AT(overwrite, LIST), .flags = SETTING_FIELD, .default_text = "[]",
     .doc = "Fields whose old value is replaced instead of extended, as spelled in the pattern."},
    {.name = "target", GROK_AT(target_name, STRING), .flags = SETTING_FIELD,
     .doc = "The field below which all captures go."},
    {.name = "tag_on_failure", GROK_AT(tag_on_failure, LIST),
     .default_text = "[\"_grokparsefailure\"]", .doc = "Tags of events that do not match."},
    {.name = "tag_on_timeout", GROK_AT(tag_on_timeout, STRING), .default_text = "_groktimeout",
     .doc = "Tag of events on which a search gave up."},
    {.name = "timeout_millis", GROK_AT(timeout_millis, INT), .default_text = "30000", .min = 0,
     .max = INT64_MAX, .doc = "When given, scales the bound of backtracking steps of a search; 0 "
                              "is the largest bound there is."},
    {.name = "timeout_scope", GROK_AT(timeout_scope, ENUM), .choices = timeout_scopes,
     .default_text = "pattern",
     .doc = "Whether the timeout_millis that was given counts for each pattern, or is shared by "
            "all patterns of a field."},
    {0}};
/* clang-format on */

const struct filter_ops filter_grok = {
    .name = "grok",
    .doc = "Cuts text into fields by named patterns.",
    .settings = grok_settings,
    .cfg_size = sizeof(struct grok_cfg),
    .state_size = sizeof(struct grok_state),
    .compile = grok_compile,
    .release = grok_release,
    .start = grok_start,
    .apply = grok_apply,
    .stop = grok_stop,
    .stats = grok_stats,
    .explain = grok_explain,
};
