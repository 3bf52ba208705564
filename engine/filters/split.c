/*
 * split.c - one event per item of a list, or per part of a text.
 *
 * The event itself is cancelled, its children follow in its place; items that are empty text or
 * null make none. Text without the terminator stays as it is. Common options apply
 * to the children only. A field that is neither list nor text tags the event. A batch that is full
 * takes no more: children that find no place are counted and logged.
 */
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/plan/filter_kit.h"

struct split_cfg {
    slice terminator, field_name, target_name;
    struct fieldref field, target;
};

struct split_state {
    struct counter refused;
    struct log_gate gate;
};

struct split_run {
    struct split_state *state;
    const struct split_cfg *cfg;
    struct batch *batch;
    uint32_t parent;
    struct sel *hit;
};

static void refused(struct split_state *s)
{
    uint64_t held;
    counter_add(&s->refused, 1);
    if (log_gate_open(&s->gate, &held))
        log_warn("filters.split",
                 "a batch is full at %u events: parts are lost (%llu more since the last report)",
                 BATCH_EVENTS_MAX, (unsigned long long)held);
}

static void child_add(struct split_run *r, struct value val)
{
    struct batch *b = r->batch;
    struct event *child = batch_add_child(b, r->parent);
    if (child == NULL) {
        refused(r->state);
        return;
    }
    event_copy(b, child, &b->event[r->parent]);
    if (event_put(b, child, &r->cfg->target, val) != ERR_OK)
        event_tag(b, child, SLICE("_split_type_failure"), true);
    sel_push(b, r->hit, batch_index(b, child));
}

static bool is_empty(const struct value *v)
{
    return v->type == VALUE_NIL || (v->type == VALUE_STRING && v->n == 0);
}

/* Children that get an item in its place are copied without the list. */
static void split_list(struct split_run *r, const struct value *list)
{
    /* The list may lie in the event's map, which moves when children are added. */
    struct value items = *list;
    if (r->cfg->target_name.p == NULL)
        event_remove(r->batch, &r->batch->event[r->parent], &r->cfg->field);
    for (uint32_t i = 0; i < items.n; i++) {
        value_resolve(&items.u.list[i], &r->batch->arena);
        if (!is_empty(&items.u.list[i]))
            child_add(r, value_copy(&items.u.list[i], &r->batch->arena));
    }
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A single blank splits at runs of white space, as Ruby's String#split has it. */
static bool split_words(struct split_run *r, slice text)
{
    while (text.n > 0 && is_blank(text.p[0])) text = slice_from(text, 1);
    bool several = false;
    while (text.n > 0) {
        uint32_t n = 0;
        while (n < text.n && !is_blank(text.p[n])) n++;
        if (n == text.n && !several) return false;
        several = true;
        child_add(r, value_string(slice_part(text, 0, n)));
        while (n < text.n && is_blank(text.p[n])) n++;
        text = slice_from(text, n);
    }
    return several;
}

/* No terminator at all stands between any two characters, and behind the last one. */
static void split_characters(struct split_run *r, slice text)
{
    while (text.n > 0) {
        uint32_t n = utf8_valid_at(text, 0);
        if (n == 0) n = 1;
        child_add(r, value_string(slice_part(text, 0, n)));
        text = slice_from(text, n);
    }
}

/* False when there is only one part. */
static bool split_text(struct split_run *r, slice text)
{
    slice end = r->cfg->terminator;
    if (text.n == 0) return true;
    if (slice_equal(end, SLICE(" "))) return split_words(r, text);
    if (end.n == 0) {
        split_characters(r, text);
        return true;
    }
    int64_t at = slice_find(text, end);
    if (at < 0) return false;
    while (at >= 0) {
        if (at > 0) child_add(r, value_string(slice_part(text, 0, (uint32_t)at)));
        text = slice_from(text, (uint32_t)at + end.n);
        at = slice_find(text, end);
    }
    if (text.n > 0) child_add(r, value_string(text));
    return true;
}

static void split_one(struct split_run *r)
{
    struct batch *b = r->batch;
    struct event *ev = &b->event[r->parent];
    struct value *v = event_get(b, ev, &r->cfg->field);
    if (v != NULL && v->type == VALUE_LIST) {
        split_list(r, v);
    } else if (v != NULL && v->type == VALUE_STRING) {
        if (!split_text(r, value_slice(v))) return;
    } else {
        event_tag(b, ev, SLICE("_split_type_failure"), true);
        return;
    }
    event_cancel(b, &b->event[r->parent]);
}

static enum applied split_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                                struct sel *hit, struct plan_run *run)
{
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct split_run r = {state, cfg, b, in->at[i], hit};
        split_one(&r);
    }
    return APPLIED;
}

static void split_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    buf_printf(out, ",\"refused\":%llu",
               (unsigned long long)counter_read(&((const struct split_state *)state)->refused));
}

static err split_compile(void *config, struct compiler *c)
{
    struct split_cfg *cfg = config;
    if (compile_field_option(c, &cfg->field, "field", cfg->field_name) != ERR_OK ||
        compile_field_option(c, &cfg->target, "target", cfg->target_name) != ERR_OK)
        return ERR_CONFIG;
    if (cfg->target_name.p == NULL) cfg->target = cfg->field;
    return ERR_OK;
}

/* clang-format off */
static const struct setting split_settings[] = {
    {.name = "field", SETTING_AT(struct split_cfg, field_name, STRING), .flags = SETTING_FIELD,
     .default_text = "message",
     .doc = "The field with the list or text."},
    {.name = "terminator", SETTING_AT(struct split_cfg, terminator, STRING), .default_text = "\n",
     .doc = "What stands between the parts of a text; if it is empty, characters are the parts."},
    {.name = "target", SETTING_AT(struct split_cfg, target_name, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives the item; without it, the field itself."},
    {0}};
/* clang-format on */

const struct filter_ops filter_split = {
    .name = "split",
    .doc = "Makes an event of each item of a list or part of a text.",
    .settings = split_settings,
    .cfg_size = sizeof(struct split_cfg),
    .state_size = sizeof(struct split_state),
    .compile = split_compile,
    .apply = split_apply,
    .stats = split_stats,
};
