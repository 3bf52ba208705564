/*
 * mutate.c - general changes to fields, in Logstash's fixed order.
 *
 * The options become one flat list of operations per plugin: coerce, rename, update, replace,
 * convert, gsub, uppercase, capitalize, lowercase, strip, split, join, merge, copy, whatever
 * their order in the file. An operation that fails (an unconvertible number, a field reference
 * through a scalar) ends the event's mutation: tag_on_failure, and no common options.
 * State: a regex scratch, a text buffer and the compiled regexes of dynamic gsub needles.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/filters/mutate_convert.h"
#include "engine/plan/common_options.h"
#include "engine/plan/ruby_text.h"
#include "parsers/grok/regex_replace.h"
#include "parsers/text/literal.h"
#include "parsers/text/unicode_case.h"

/* Text one gsub may produce; more is a failure of the event. */
#define GSUB_BYTES_MAX (16u << 20)
/* Regexes of needles with %{...} that stay compiled, per shard. */
#define GSUB_CACHE_SLOTS 16u

enum op_kind {
    OP_COERCE,
    OP_RENAME,
    OP_UPDATE,
    OP_REPLACE,
    OP_CONVERT,
    OP_GSUB,
    OP_CASE,
    OP_STRIP,
    OP_SPLIT,
    OP_JOIN,
    OP_MERGE,
    OP_COPY
};

struct op {
    enum op_kind kind;
    struct fieldref ref;        /* the field it works on */
    struct template text;       /* the new value, or gsub's replacement */
    struct field_name from, to; /* rename */
    struct fieldref *other;     /* merge: the added fields; copy: the destination */
    uint32_t other_n;
    enum conversion conversion;
    enum unicode_case to_case;
    slice separator;
    struct regex *regex; /* gsub; NULL: rendered from `needle` for each event */
    slice literal;       /* what `regex` matches if it is plain text, else empty */
    bool plain;          /* ... and its replacement is constant, without backslashes */
    struct template needle;
};

struct mutate_cfg {
    struct config_hash coerce, rename, update, replace, convert, split, join, merge, copy;
    struct config_list gsub, uppercase, capitalize, lowercase, strip;
    slice tag_on_failure;
    struct op *op;
    uint32_t op_n;
};

struct gsub_slot {
    slice text; /* heap */
    struct regex *regex;
};

struct mutate_state {
    struct regex_scratch *scratch;
    struct buf out;
    struct gsub_slot slot[GSUB_CACHE_SLOTS];
    uint32_t *place; /* of each operation's field in the last event that had it */
    struct counter failures, unconverted;
    struct log_gate gate;
};

/* One event being worked on. */
struct mutation {
    struct mutate_state *state;
    struct batch *batch;
    struct event *ev;
    uint32_t *place;     /* the present operation's */
    const char *failure; /* why the last operation failed */
};

static bool fail(struct mutation *m, const char *why)
{
    m->failure = why;
    return false;
}

static bool put(struct mutation *m, const struct fieldref *ref, struct value val)
{
    if (event_put(m->batch, m->ev, ref, val) == ERR_OK) return true;
    return fail(m, "the field cannot be set");
}

/* Most events have their fields in the same places. */
static struct value *get(struct mutation *m, const struct fieldref *ref)
{
    if (!ref->top) return event_get(m->batch, m->ev, ref);
    const struct key *key = &ref->step->key;
    struct member *found = map_find_near(&m->ev->data, key->name, key->hash, m->place);
    if (found == NULL) return NULL;
    value_resolve(&found->val, &m->batch->arena);
    return &found->val;
}

/* The same, also for all of @metadata, which `all` holds then. */
static struct value *get_any(struct mutation *m, const struct fieldref *ref, struct value *all)
{
    if (ref->root != FIELD_META || ref->depth > 0) return get(m, ref);
    *all = event_meta_value(m->ev);
    return all;
}

/* What is there for event.include?: null counts, but for an item of a list. */
static struct value *get_included(struct mutation *m, const struct fieldref *ref)
{
    struct value *v = get(m, ref);
    if (v == NULL || v->type != VALUE_NIL || ref->depth < 2) return v;
    struct fieldref parent = *ref;
    parent.depth--;
    return get(m, &parent)->type == VALUE_LIST ? NULL : v;
}

/* put() over what get() found: it need not be looked for again. */
static bool set(struct mutation *m, const struct fieldref *ref, struct value *found,
                struct value val)
{
    if (ref->tags || ref->root == FIELD_TIMESTAMP) return put(m, ref, val);
    val.key_flags = found->key_flags;
    *found = val;
    return true;
}

static const struct fieldref *name_ref(struct mutation *m, const struct field_name *name,
                                       struct fieldref *own)
{
    if (template_is_constant(&name->text)) return &name->ref;
    slice text = template_render(&name->text, m->batch, m->ev, NULL);
    return fieldref_parse(own, text, &m->batch->arena) == ERR_OK ? own : NULL;
}

/* ---- setting ---------------------------------------------------------------- */

static bool op_coerce(struct mutation *m, const struct op *op)
{
    struct value *v = get_included(m, &op->ref);
    if (v == NULL || v->type != VALUE_NIL) return true;
    return set(m, &op->ref, v, value_string(template_render(&op->text, m->batch, m->ev, NULL)));
}

static bool op_update(struct mutation *m, const struct op *op)
{
    struct value *v = get_included(m, &op->ref);
    if (v == NULL) return true;
    return set(m, &op->ref, v, value_string(template_render(&op->text, m->batch, m->ev, NULL)));
}

static bool op_replace(struct mutation *m, const struct op *op)
{
    return put(m, &op->ref, value_string(template_render(&op->text, m->batch, m->ev, NULL)));
}

static bool op_rename(struct mutation *m, const struct op *op)
{
    struct fieldref own_from, own_to;
    const struct fieldref *from = name_ref(m, &op->from, &own_from);
    const struct fieldref *to = name_ref(m, &op->to, &own_to);
    if (from == NULL || to == NULL) return fail(m, "Invalid FieldReference");
    struct value val;
    if (from->root == FIELD_META && from->depth == 0) {
        struct map *meta = map_new(&m->batch->arena);
        *meta = m->ev->meta;
        val = value_map(meta);
    } else {
        struct value *v = get_included(m, from);
        if (v == NULL) return true;
        val = *v;
    }
    if (from->top)
        map_remove_at(&m->ev->data, *m->place); /* get() found it there */
    else
        event_remove(m->batch, m->ev, from);
    return put(m, to, val);
}

static bool op_copy(struct mutation *m, const struct op *op)
{
    struct value all, *v = get_any(m, &op->ref, &all);
    if (v == NULL || v->type == VALUE_NIL) return true;
    return put(m, op->other, value_copy(v, &m->batch->arena));
}

/* ---- convert ----------------------------------------------------------------- */

typedef bool (*item_fn)(struct mutation *m, const struct op *op, struct value *in,
                        struct value *out);

/* Applies `fn` to the value or to each item of a list, and stores the result. */
static bool each_item(struct mutation *m, const struct op *op, struct value *v, item_fn fn)
{
    struct value out;
    if (v->type != VALUE_LIST) return fn(m, op, v, &out) && set(m, &op->ref, v, out);
    struct value *items =
        arena_alloc(&m->batch->arena, ((size_t)v->n + 1) * sizeof(struct value), 16);
    uint32_t n = v->n;
    struct value *in = v->u.list;
    for (uint32_t i = 0; i < n; i++) {
        value_resolve(&in[i], &m->batch->arena);
        if (!fn(m, op, &in[i], &items[i])) return false;
    }
    return set(m, &op->ref, v, value_list(items, n));
}

static bool convert_item(struct mutation *m, const struct op *op, struct value *in,
                         struct value *out)
{
    bool unconverted = false;
    *out = *in;
    if (in->type == VALUE_NIL) return true;
    const char *why = conversion_run(op->conversion, m->batch, in, out, &unconverted);
    if (unconverted) counter_add(&m->state->unconverted, 1);
    return why == NULL || fail(m, why);
}

static bool op_convert(struct mutation *m, const struct op *op)
{
    struct value *v = get(m, &op->ref);
    if (v == NULL || v->type == VALUE_NIL || v->type == VALUE_MAP) return true;
    return each_item(m, op, v, convert_item);
}

/* ---- gsub --------------------------------------------------------------------- */

/* The compiled needle of this event, from the cache when it was seen lately. */
static const struct regex *gsub_regex(struct mutation *m, const struct op *op)
{
    if (op->regex != NULL) return op->regex;
    slice text = template_render(&op->needle, m->batch, m->ev, NULL);
    struct gsub_slot *slot = &m->state->slot[hash_key(text.p, text.n) % GSUB_CACHE_SLOTS];
    if (slot->regex != NULL && slice_equal(slot->text, text)) return slot->regex;
    struct grok_error error;
    struct regex *regex = regex_new(text, 0, &error);
    if (regex == NULL) return NULL;
    if (slot->regex != NULL) {
        regex_free(slot->regex);
        free((char *)(uintptr_t)slot->text.p);
    }
    slot->regex = regex;
    slot->text = slice_make(slice_dup_cstr(text), text.n);
    return regex;
}

static bool gsub_literal(struct mutation *m, const struct op *op, slice replacement,
                         struct value *out)
{
    slice text;
    switch (literal_replace(value_slice(out), op->literal, replacement, GSUB_BYTES_MAX,
                            &m->batch->arena, &text)) {
    case LITERAL_ABSENT: return true;
    case LITERAL_TOO_LONG: return fail(m, "gsub gave up: too much output");
    case LITERAL_REPLACED: break;
    }
    *out = value_string(text);
    return true;
}

static bool gsub_item(struct mutation *m, const struct op *op, struct value *in, struct value *out)
{
    *out = *in;
    if (in->type != VALUE_STRING) return true;
    if (op->plain) return gsub_literal(m, op, op->text.text, out);
    const struct regex *regex = gsub_regex(m, op);
    if (regex == NULL) return fail(m, "the rendered gsub pattern is no regular expression");
    slice replacement = template_render(&op->text, m->batch, m->ev, NULL);
    struct buf *text = &m->state->out;
    switch (regex_replace_all(regex, m->state->scratch, value_slice(in), replacement,
                              GSUB_BYTES_MAX, text)) {
    case REGEX_NO_MATCH: return true;
    case REGEX_LIMIT: return fail(m, "gsub gave up: too much backtracking or output");
    case REGEX_MATCH: break;
    }
    *out = value_string(arena_copy(&m->batch->arena, buf_slice(text)));
    return true;
}

static bool op_gsub(struct mutation *m, const struct op *op)
{
    struct value *v = get(m, &op->ref);
    if (v == NULL || (v->type != VALUE_STRING && v->type != VALUE_LIST)) return true;
    return each_item(m, op, v, gsub_item);
}

/* ---- case, strip ---------------------------------------------------------------- */

static bool case_item(struct mutation *m, const struct op *op, struct value *in, struct value *out)
{
    *out = *in;
    if (in->type != VALUE_STRING || in->n == 0) return true;
    slice text = value_slice(in);
    char *to = arena_alloc(&m->batch->arena, UNICODE_CASE_BYTES_MAX((size_t)text.n), 1);
    out->n = unicode_case_write(text, op->to_case, to);
    out->u.str = to;
    /* The mapping never makes a character that JSON must escape: VALUE_CLEAN stays true. */
    return true;
}

static bool op_case(struct mutation *m, const struct op *op)
{
    struct value *v = get(m, &op->ref);
    if (v == NULL || (v->type != VALUE_STRING && v->type != VALUE_LIST)) return true;
    return each_item(m, op, v, case_item);
}

static bool strip_item(struct mutation *m, const struct op *op, struct value *in, struct value *out)
{
    (void)op;
    if (in->type != VALUE_STRING) return fail(m, "strip needs strings in the list");
    *out = *in;
    slice text = ruby_strip(value_slice(in));
    out->u.str = text.p;
    out->n = text.n;
    return true;
}

static bool op_strip(struct mutation *m, const struct op *op)
{
    struct value *v = get(m, &op->ref);
    if (v == NULL || (v->type != VALUE_STRING && v->type != VALUE_LIST)) return true;
    return each_item(m, op, v, strip_item);
}

/* ---- split, join ------------------------------------------------------------------ */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Where the next piece of `rest` ends and how long the separator behind it is; the whole rest
 * when there is none. Ruby's special separators: " " is white space runs, "" single characters. */
static uint32_t piece_end(slice rest, slice separator, uint32_t *skip)
{
    *skip = 0;
    if (separator.n == 0) {
        uint32_t n = utf8_valid_at(rest, 0);
        return n == 0 ? 1 : n;
    }
    if (separator.n == 1 && separator.p[0] == ' ') {
        uint32_t at = 0;
        while (at < rest.n && !is_space(rest.p[at])) at++;
        while (at + *skip < rest.n && is_space(rest.p[at + *skip])) ++*skip;
        return at;
    }
    int64_t at = slice_find(rest, separator);
    if (at < 0) return rest.n;
    *skip = separator.n;
    return (uint32_t)at;
}

/* Writes the pieces to items (or only counts when NULL) without the trailing empty ones. */
static uint32_t split_pieces(const struct value *in, slice separator, struct value *items)
{
    slice rest = value_slice(in);
    uint32_t n = 0, kept = 0;
    if (slice_equal(separator, SLICE(" ")))
        while (rest.n > 0 && is_space(rest.p[0])) rest = slice_from(rest, 1);
    while (rest.n > 0) {
        uint32_t skip, end = piece_end(rest, separator, &skip);
        if (items != NULL) {
            items[n] = value_string(slice_part(rest, 0, end));
            items[n].flags = in->flags & VALUE_CLEAN;
        }
        n++;
        if (end > 0) kept = n;
        rest = slice_from(rest, end + skip);
    }
    return items == NULL ? n : kept;
}

/* The same for a separator of one byte that is no blank. */
static struct value split_by_byte(struct mutation *m, const struct value *in, char separator)
{
    slice text = value_slice(in);
    uint32_t n = bytes_count(text, separator) + 1, kept = 0;
    struct value *items = arena_alloc(&m->batch->arena, (size_t)n * sizeof(struct value), 16);
    uint32_t few[64], *end = few;
    if (n > ARRAY_LEN(few)) end = arena_alloc(&m->batch->arena, (size_t)n * sizeof(*end), 4);
    bytes_places(text, separator, end);
    end[n - 1] = text.n;
    for (uint32_t i = 0, from = 0; i < n; from = end[i++] + 1) {
        items[i] = value_string(slice_make(text.p + from, end[i] - from));
        items[i].flags = in->flags & VALUE_CLEAN;
        if (end[i] > from) kept = i + 1;
    }
    return value_list(items, kept);
}

static bool op_split(struct mutation *m, const struct op *op)
{
    struct value *v = get(m, &op->ref);
    if (v == NULL || v->type != VALUE_STRING) return true;
    struct value in = *v;
    if (op->separator.n == 1 && op->separator.p[0] != ' ')
        return set(m, &op->ref, v, split_by_byte(m, &in, op->separator.p[0]));
    size_t n = split_pieces(&in, op->separator, NULL);
    struct value *items = arena_alloc(&m->batch->arena, (n + 1) * sizeof(struct value), 16);
    uint32_t kept = split_pieces(&in, op->separator, items);
    return set(m, &op->ref, v, value_list(items, kept));
}

/* Array#join: lists inside are joined with the same separator, and an empty one is an empty part.
 */
static void join_list(struct mutation *m, const struct value *list, slice separator)
{
    for (uint32_t i = 0; i < list->n; i++) {
        struct value *item = &list->u.list[i];
        value_resolve(item, &m->batch->arena);
        if (i > 0) buf_add_slice(&m->state->out, separator);
        if (item->type == VALUE_LIST)
            join_list(m, item, separator);
        else
            ruby_text(item, &m->batch->arena, &m->state->out);
    }
}

/* The same for a list of strings alone, straight into the arena. */
static bool join_strings(struct mutation *m, const struct value *list, slice separator, slice *out)
{
    size_t room = (size_t)list->n * separator.n;
    for (uint32_t i = 0; i < list->n; i++) {
        value_resolve(&list->u.list[i], &m->batch->arena);
        if (list->u.list[i].type != VALUE_STRING) return false;
        room += list->u.list[i].n;
    }
    char *text = arena_alloc(&m->batch->arena, room + 1, 1), *to = text;
    for (uint32_t i = 0; i < list->n; i++) {
        if (i > 0) to = bytes_add(to, separator);
        to = bytes_add(to, value_slice(&list->u.list[i]));
    }
    *out = slice_make(text, (size_t)(to - text));
    return true;
}

static bool op_join(struct mutation *m, const struct op *op)
{
    struct value *v = get(m, &op->ref);
    if (v == NULL || v->type != VALUE_LIST) return true;
    slice text;
    if (!join_strings(m, v, op->separator, &text)) {
        m->state->out.n = 0;
        join_list(m, v, op->separator);
        text = arena_copy(&m->batch->arena, buf_slice(&m->state->out));
    }
    return set(m, &op->ref, v, value_string(text));
}

/* ---- merge ---------------------------------------------------------------------- */

static void merge_maps(struct mutation *m, struct map *to, const struct map *from)
{
    for (uint32_t i = 0; i < from->n; i++) {
        const struct member *member = &from->at[i];
        struct key key = {{member->key, member->key_n}, member->hash, member->val.key_flags};
        map_put(to, &m->batch->arena, key, value_copy(&member->val, &m->batch->arena));
    }
}

/* Array(a) + Array(b) of Ruby: nothing is no item, a scalar is one. */
static struct value concatenated(struct mutation *m, const struct value *a, const struct value *b)
{
    const struct value *part[2] = {a, b};
    uint32_t n = 0;
    for (uint32_t i = 0; i < 2; i++)
        if (part[i] != NULL && part[i]->type != VALUE_NIL)
            n += part[i]->type == VALUE_LIST ? part[i]->n : 1;
    struct value *items = arena_alloc(&m->batch->arena, ((size_t)n + 1) * sizeof(struct value), 16);
    n = 0;
    for (uint32_t i = 0; i < 2; i++) {
        if (part[i] == NULL || part[i]->type == VALUE_NIL) continue;
        bool list = part[i]->type == VALUE_LIST;
        for (uint32_t k = 0; k < (list ? part[i]->n : 1); k++)
            items[n++] = value_copy(list ? &part[i]->u.list[k] : part[i], &m->batch->arena);
    }
    return value_list(items, n);
}

/* The destination is looked at once, before the first field is added: a scalar destination
 * therefore only gets the last of several fields, as in the plugin. */
static bool op_merge(struct mutation *m, const struct op *op)
{
    struct value all, *at = get_any(m, &op->ref, &all);
    struct value dest = at == NULL ? value_nil() : *at;
    for (uint32_t i = 0; i < op->other_n; i++) {
        struct value more, *added = get_any(m, &op->other[i], &more);
        bool added_map = added != NULL && added->type == VALUE_MAP;
        if ((dest.type == VALUE_MAP) != added_map) {
            counter_add(&m->state->unconverted, 1);
            continue;
        }
        if (added_map) {
            merge_maps(m, dest.u.map, added->u.map);
            continue;
        }
        struct value merged = concatenated(m, &dest, added);
        if (!put(m, &op->ref, merged)) return false;
        if (dest.type == VALUE_LIST) dest = merged;
    }
    return true;
}

/* ---- running ---------------------------------------------------------------------- */

static bool (*const op_table[])(struct mutation *, const struct op *) = {
    [OP_COERCE] = op_coerce,   [OP_RENAME] = op_rename,   [OP_UPDATE] = op_update,
    [OP_REPLACE] = op_replace, [OP_CONVERT] = op_convert, [OP_GSUB] = op_gsub,
    [OP_CASE] = op_case,       [OP_STRIP] = op_strip,     [OP_SPLIT] = op_split,
    [OP_JOIN] = op_join,       [OP_MERGE] = op_merge,     [OP_COPY] = op_copy};

static void mutate_failed(struct mutation *m, const struct mutate_cfg *cfg, const struct op *op)
{
    uint64_t held;
    counter_add(&m->state->failures, 1);
    if (log_gate_open(&m->state->gate, &held))
        log_warn("filters.mutate",
                 "Exception caught while applying mutate filter on `%.*s`: %s "
                 "(%llu more since the last report)",
                 SLICE_FMT(op->ref.text), m->failure, (unsigned long long)held);
    event_tag(m->batch, m->ev, cfg->tag_on_failure, true);
}

static enum applied mutate_apply(void *state, const void *config, struct batch *b,
                                 const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct mutate_cfg *cfg = config;
    struct mutate_state *s = state;
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct mutation m = {s, b, &b->event[in->at[i]], s->place, NULL};
        uint32_t k = 0;
        while (k < cfg->op_n && op_table[cfg->op[k].kind](&m, &cfg->op[k])) k++, m.place++;
        if (k == cfg->op_n)
            sel_add(hit, in->at[i]);
        else
            mutate_failed(&m, cfg, &cfg->op[k]);
    }
    return APPLIED;
}

static void mutate_undecorated(void *state, const void *config, struct batch *b, struct event *ev)
{
    const struct mutate_cfg *cfg = config;
    (void)state;
    event_tag(b, ev, cfg->tag_on_failure, true);
}

static err mutate_start(void *state, const void *config, struct worker *worker)
{
    const struct mutate_cfg *cfg = config;
    struct mutate_state *s = state;
    (void)worker;
    s->scratch = regex_scratch_new();
    s->place = calloc((size_t)cfg->op_n + 1, sizeof(*s->place));
    ASSERT(s->place != NULL);
    return ERR_OK;
}

static void mutate_stop(void *state, const void *cfg)
{
    struct mutate_state *s = state;
    (void)cfg;
    regex_scratch_free(s->scratch);
    free(s->place);
    buf_fini(&s->out);
    for (uint32_t i = 0; i < GSUB_CACHE_SLOTS; i++) {
        if (s->slot[i].regex == NULL) continue;
        regex_free(s->slot[i].regex);
        free((char *)(uintptr_t)s->slot[i].text.p);
    }
}

static void mutate_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct mutate_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu,\"unconverted\":%llu",
               (unsigned long long)counter_read(&s->failures),
               (unsigned long long)counter_read(&s->unconverted));
}

/* ---- compiling ---------------------------------------------------------------------- */

static struct op *op_add(struct mutate_cfg *cfg, enum op_kind kind)
{
    struct op *op = &cfg->op[cfg->op_n++];
    op->kind = kind;
    return op;
}

static err scalar_only(struct compiler *c, const struct config_value *val)
{
    if (config_is_scalar(val)) return ERR_OK;
    diag_error(c->diag, val->pos, "a string", "this is not a value mutate can use here");
    return ERR_CONFIG;
}

static err compile_set(struct compiler *c, struct op *op, const struct config_pair *pair)
{
    err e = scalar_only(c, &pair->val);
    if (e == ERR_OK) e = compile_fieldref(c, &op->ref, pair->key.text, pair->key.pos);
    if (e == ERR_OK) e = compile_template(c, &op->text, pair->val.text, pair->val.pos);
    return e;
}

static err compile_name(struct compiler *c, struct field_name *out, slice text, struct pos pos)
{
    err e = compile_template(c, &out->text, text, pos);
    if (e == ERR_OK && template_is_constant(&out->text))
        e = compile_fieldref(c, &out->ref, text, pos);
    return e;
}

static err compile_rename(struct compiler *c, struct op *op, const struct config_pair *pair)
{
    err e = scalar_only(c, &pair->val);
    if (e == ERR_OK) e = compile_name(c, &op->from, pair->key.text, pair->key.pos);
    if (e == ERR_OK) e = compile_name(c, &op->to, pair->val.text, pair->val.pos);
    op->ref.text = pair->key.text; /* for messages */
    return e;
}

static err compile_convert(struct compiler *c, struct op *op, const struct config_pair *pair)
{
    err e = compile_fieldref(c, &op->ref, pair->key.text, pair->key.pos);
    if (config_is_scalar(&pair->val) && conversion_find(pair->val.text, &op->conversion)) return e;
    if (config_is_scalar(&pair->val))
        diag_error(c->diag, pair->val.pos,
                   "one of string, integer, float, boolean, integer_eu, "
                   "float_eu",
                   "Invalid conversion type '%.*s'", SLICE_FMT(pair->val.text));
    else
        diag_error(c->diag, pair->val.pos, "one conversion type",
                   "Invalid conversion type for `%.*s`", SLICE_FMT(pair->key.text));
    return ERR_CONFIG;
}

static err compile_separator(struct compiler *c, struct op *op, const struct config_pair *pair)
{
    err e = scalar_only(c, &pair->val);
    op->separator = pair->val.text;
    return e == ERR_OK ? compile_fieldref(c, &op->ref, pair->key.text, pair->key.pos) : e;
}

/* merge's value may be a list of fields, copy's is one. */
static err compile_others(struct compiler *c, struct op *op, const struct config_pair *pair)
{
    const struct config_value *names = &pair->val;
    op->other_n = 1;
    if (op->kind == OP_MERGE && pair->val.type == CONFIG_LIST) {
        names = pair->val.u.list;
        op->other_n = pair->val.n;
    }
    op->other = heap_alloc(c->heap, (op->other_n + 1) * sizeof(struct fieldref));
    err e = compile_fieldref(c, &op->ref, pair->key.text, pair->key.pos);
    for (uint32_t i = 0; e == ERR_OK && i < op->other_n; i++) {
        e = scalar_only(c, &names[i]);
        if (e == ERR_OK) e = compile_fieldref(c, &op->other[i], names[i].text, names[i].pos);
    }
    return e;
}

static err compile_hash(struct compiler *c, struct mutate_cfg *cfg, enum op_kind kind,
                        struct config_hash hash,
                        err (*compile)(struct compiler *, struct op *, const struct config_pair *))
{
    err result = ERR_OK;
    for (uint32_t i = 0; i < hash.n; i++)
        if (compile(c, op_add(cfg, kind), &hash.at[i]) != ERR_OK) result = ERR_CONFIG;
    return result;
}

static err compile_fields(struct compiler *c, struct mutate_cfg *cfg, enum op_kind kind,
                          struct config_list list, enum unicode_case to_case)
{
    err result = ERR_OK;
    for (uint32_t i = 0; i < list.n; i++) {
        struct op *op = op_add(cfg, kind);
        op->to_case = to_case;
        if (compile_fieldref(c, &op->ref, list.at[i].text, list.at[i].pos) != ERR_OK)
            result = ERR_CONFIG;
    }
    return result;
}

static err compile_one_gsub(struct compiler *c, struct op *op, const struct config_value *triple)
{
    err e = compile_fieldref(c, &op->ref, triple[0].text, triple[0].pos);
    if (e == ERR_OK) e = compile_template(c, &op->text, triple[2].text, triple[2].pos);
    if (e != ERR_OK) return e;
    if (slice_find(triple[1].text, SLICE("%{")) >= 0)
        return compile_template(c, &op->needle, triple[1].text, triple[1].pos);
    struct grok_error error = {0};
    op->regex = regex_new(triple[1].text, 0, &error);
    char *literal = heap_alloc(c->heap, (size_t)triple[1].text.n + 1);
    if (literal_of_regex(triple[1].text, literal, &op->literal.n)) op->literal.p = literal;
    if (op->literal.p == NULL) op->literal.n = 0;
    op->plain = op->literal.n > 0 && template_is_constant(&op->text) &&
                slice_find_byte(op->text.text, '\\') < 0;
    if (op->regex != NULL) return ERR_OK;
    diag_error(c->diag, config_value_pos_in(&triple[1], error.at), NULL,
               "gsub: bad regular expression `%.*s`: %s", SLICE_FMT(triple[1].text), error.text);
    return ERR_CONFIG;
}

static err compile_gsub(struct compiler *c, struct mutate_cfg *cfg)
{
    err result = ERR_OK;
    if (cfg->gsub.n % 3 != 0) {
        compile_error(c, "gsub", "field, pattern, replacement, and so on",
                      "Invalid gsub configuration: gsub requires 3 non-nil elements per config "
                      "entry, there are %u in all",
                      cfg->gsub.n);
        return ERR_CONFIG;
    }
    for (uint32_t i = 0; i < cfg->gsub.n; i += 3)
        if (compile_one_gsub(c, op_add(cfg, OP_GSUB), &cfg->gsub.at[i]) != ERR_OK)
            result = ERR_CONFIG;
    return result;
}

static err mutate_compile(void *config, struct compiler *c)
{
    struct mutate_cfg *cfg = config;
    uint32_t n = cfg->coerce.n + cfg->rename.n + cfg->update.n + cfg->replace.n + cfg->convert.n +
                 cfg->split.n + cfg->join.n + cfg->merge.n + cfg->copy.n + cfg->gsub.n +
                 cfg->uppercase.n + cfg->capitalize.n + cfg->lowercase.n + cfg->strip.n;
    cfg->op = heap_alloc(c->heap, (n + 1) * sizeof(struct op));
    err e[] = {compile_hash(c, cfg, OP_COERCE, cfg->coerce, compile_set),
               compile_hash(c, cfg, OP_RENAME, cfg->rename, compile_rename),
               compile_hash(c, cfg, OP_UPDATE, cfg->update, compile_set),
               compile_hash(c, cfg, OP_REPLACE, cfg->replace, compile_set),
               compile_hash(c, cfg, OP_CONVERT, cfg->convert, compile_convert),
               compile_gsub(c, cfg),
               compile_fields(c, cfg, OP_CASE, cfg->uppercase, CASE_UPPER),
               compile_fields(c, cfg, OP_CASE, cfg->capitalize, CASE_CAPITALIZE),
               compile_fields(c, cfg, OP_CASE, cfg->lowercase, CASE_LOWER),
               compile_fields(c, cfg, OP_STRIP, cfg->strip, CASE_LOWER),
               compile_hash(c, cfg, OP_SPLIT, cfg->split, compile_separator),
               compile_hash(c, cfg, OP_JOIN, cfg->join, compile_separator),
               compile_hash(c, cfg, OP_MERGE, cfg->merge, compile_others),
               compile_hash(c, cfg, OP_COPY, cfg->copy, compile_others)};
    for (uint32_t i = 0; i < ARRAY_LEN(e); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

static void mutate_release(void *config)
{
    struct mutate_cfg *cfg = config;
    for (uint32_t i = 0; i < cfg->op_n; i++) {
        struct op *op = &cfg->op[i];
        template_fini(&op->text);
        template_fini(&op->from.text);
        template_fini(&op->to.text);
        template_fini(&op->needle);
        if (op->regex != NULL) regex_free(op->regex);
    }
}

#define MUTATE_AT(member, kind) SETTING_AT(struct mutate_cfg, member, kind)

/* clang-format would put each brace of these on a line of its own. */
/* clang-format off */
static const struct setting mutate_settings[] = {
    {.name = "coerce", MUTATE_AT(coerce, HASH), .flags = SETTING_FIELD,
     .doc = "Values for fields that exist but are null."},
    {.name = "rename", MUTATE_AT(rename, HASH), .flags = SETTING_FIELD,
     .doc = "New names for fields; both sides may contain %{field}."},
    {.name = "update", MUTATE_AT(update, HASH), .flags = SETTING_FIELD,
     .doc = "New values for fields that exist; %{field} is replaced."},
    {.name = "replace", MUTATE_AT(replace, HASH), .flags = SETTING_FIELD,
     .doc = "Values for fields, whether they exist or not; %{field} is replaced."},
    {.name = "convert", MUTATE_AT(convert, HASH), .flags = SETTING_FIELD,
     .doc = "Types for fields: string, integer, float, boolean, integer_eu, float_eu. Text that "
            "is no number fails the event."},
    {.name = "gsub", MUTATE_AT(gsub, LIST), .flags = SETTING_FIELD,
     .doc = "Triples of field, regular expression and replacement for strings and lists of "
            "strings."},
    {.name = "uppercase", MUTATE_AT(uppercase, LIST), .flags = SETTING_FIELD,
     .doc = "Fields to turn to upper case."},
    {.name = "capitalize", MUTATE_AT(capitalize, LIST), .flags = SETTING_FIELD,
     .doc = "Fields whose first letter becomes upper case and the rest lower case."},
    {.name = "lowercase", MUTATE_AT(lowercase, LIST), .flags = SETTING_FIELD,
     .doc = "Fields to turn to lower case."},
    {.name = "strip", MUTATE_AT(strip, LIST), .flags = SETTING_FIELD,
     .doc = "Fields that lose white space at both ends."},
    {.name = "split", MUTATE_AT(split, HASH), .flags = SETTING_FIELD,
     .doc = "Separators that cut text fields into lists; empty parts at the end are dropped."},
    {.name = "join", MUTATE_AT(join, HASH), .flags = SETTING_FIELD,
     .doc = "Separators that join lists into text."},
    {.name = "merge", MUTATE_AT(merge, HASH), .flags = SETTING_FIELD,
     .doc = "Fields whose items are added to the list or hash in the named field."},
    {.name = "copy", MUTATE_AT(copy, HASH), .flags = SETTING_FIELD,
     .doc = "Fields to copy to other fields, which are overwritten."},
    {.name = "tag_on_failure", MUTATE_AT(tag_on_failure, STRING), .default_text = "_mutate_error",
     .doc = "Tag of events for which an operation failed."},
    {0}};
/* clang-format on */

const struct filter_ops filter_mutate = {
    .name = "mutate",
    .doc = "Renames, replaces, converts and edits fields.",
    .settings = mutate_settings,
    .cfg_size = sizeof(struct mutate_cfg),
    .state_size = sizeof(struct mutate_state),
    .compile = mutate_compile,
    .release = mutate_release,
    .start = mutate_start,
    .apply = mutate_apply,
    .undecorated = mutate_undecorated,
    .stop = mutate_stop,
    .stats = mutate_stats,
};
