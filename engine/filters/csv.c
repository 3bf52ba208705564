/*
 * csv.c - the columns of a line of comma-separated values.
 *
 * parsers/text/csv reads the row; this file names the columns, converts and sets them. Columns
 * are field references; names that are missing are column1, column2, ... With
 * autodetect_column_names the first row names them, so the pipeline then runs on one shard.
 * A first row that is empty names nothing: the next one is taken.
 * State: the row, the detected names.
 */
#include "parsers/text/csv.h"

#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/base/tz.h"
#include "engine/plan/csv_convert.h"
#include "engine/plan/filter_kit.h"

/* column1 to column256 are made once; later ones for each event. */
#define CSV_NAMES_READY 256u

struct csv_column {
    struct fieldref ref; /* below the target, if there is one */
    struct key key;      /* when the column is one step below it */
    bool plain, ignored, bad;
    uint8_t to; /* enum csv_type */
};

struct csv_columns {
    struct csv_column *at;
    slice *name; /* as given; .p NULL for none */
    uint32_t n;
};

struct csv_cfg {
    slice source_name, target_name, separator, quote_char;
    struct config_list column_names;
    struct config_hash convert;
    bool autogenerate, autodetect, skip_header, skip_empty_columns, skip_empty_rows;
    struct fieldref source, target;
    struct csv_format format;
    struct csv_columns columns; /* followed by generated names */
    uint32_t given_n;           /* columns that have names */
    const struct tz *zone;
};

struct csv_state {
    struct csv_row row;
    struct csv_columns columns; /* cfg's, or the detected ones */
    uint32_t given_n;
    struct page_pool pool; /* of detected names */
    struct arena names;
    bool detected;
    struct log_gate gate;
    struct counter failures;
};

struct csv_run {
    struct csv_state *state;
    const struct csv_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    struct map *into;  /* where plain columns go: the event, or the target's hash */
    bool into_missing; /* the target's hash is not in the event yet */
};

/* ---- columns ------------------------------------------------------------------ */

static bool is_bracketed(slice name)
{
    return name.n > 0 && name.p[0] == '[' && name.p[name.n - 1] == ']';
}

static slice bracketed(slice name, struct arena *arena)
{
    return arena_join(arena, arena_join(arena, SLICE("["), name), SLICE("]"));
}

/* The column's place; `bad` when its name makes no reference. */
static void column_make(struct csv_column *out, const struct csv_cfg *cfg, slice name,
                        struct arena *arena)
{
    *out = (struct csv_column){.to = (uint8_t)csv_type_of(cfg->convert, name)};
    bool targeted = cfg->target_name.p != NULL;
    struct fieldref own;
    slice text = is_bracketed(name) ? name : bracketed(name, arena);
    slice whole = text;
    if (targeted) {
        slice target = cfg->target_name;
        whole = arena_join(arena, is_bracketed(target) ? target : bracketed(target, arena), text);
    }
    if (fieldref_parse(&own, text, arena) != ERR_OK ||
        fieldref_parse(&out->ref, whole, arena) != ERR_OK) {
        out->bad = true;
        return;
    }
    if (own.depth == 1 && own.root == FIELD_DATA && (targeted || !own.tags)) {
        out->key = key_make(arena, own.step[0].key.name);
        out->plain = true;
    }
}

static void column_generate(struct csv_column *out, const struct csv_cfg *cfg, uint32_t index,
                            struct arena *arena)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "column%u", index + 1);
    column_make(out, cfg, slice_make(text, (size_t)n), arena);
    if (!cfg->autogenerate) out->ignored = true;
}

/* Named columns, then generated ones. */
static void columns_make(struct csv_columns *out, const struct csv_cfg *cfg, const slice *names,
                         uint32_t n, struct arena *arena)
{
    out->n = n + CSV_NAMES_READY;
    out->at = arena_alloc(arena, out->n * sizeof(*out->at), 16);
    out->name = arena_alloc(arena, ((size_t)n + 1) * sizeof(slice), 16);
    for (uint32_t i = 0; i < out->n; i++) {
        if (i < n) out->name[i] = names[i].p == NULL ? names[i] : arena_copy(arena, names[i]);
        if (i < n && names[i].p != NULL)
            column_make(&out->at[i], cfg, out->name[i], arena);
        else
            column_generate(&out->at[i], cfg, i, arena);
    }
}

/* ---- one event ------------------------------------------------------------------ */

static bool failed(struct csv_run *r, const char *why)
{
    uint64_t held;
    counter_add(&r->state->failures, 1);
    if (log_gate_open(&r->state->gate, &held))
        log_warn("filters.csv", "Error parsing csv in `%.*s`: %s (%llu more since the last report)",
                 SLICE_FMT(r->cfg->source.text), why, (unsigned long long)held);
    event_tag(r->batch, r->ev, SLICE("_csvparsefailure"), true);
    return false;
}

/* Plain columns go straight into a map when there is one at the target, or nothing. */
static void target_find(struct csv_run *r)
{
    r->into = &r->ev->data;
    if (r->cfg->target_name.p == NULL) return;
    r->into = NULL;
    if (r->cfg->target.root != FIELD_DATA || r->cfg->target.tags) return;
    struct value *at = event_get(r->batch, r->ev, &r->cfg->target);
    if (at != NULL && at->type == VALUE_MAP) {
        r->into = at->u.map;
    } else if (at == NULL || at->type == VALUE_NIL) {
        r->into = map_new(&r->batch->arena);
        r->into_missing = true;
    }
}

static bool column_set(struct csv_run *r, const struct csv_column *column, struct value val)
{
    if (column->bad) return failed(r, "a column's name is no field reference");
    if (column->plain && r->into != NULL) {
        if (r->into_missing) {
            if (event_put(r->batch, r->ev, &r->cfg->target, value_map(r->into)) != ERR_OK)
                return failed(r, "the target cannot be set");
            r->into_missing = false;
        }
        map_put(r->into, &r->batch->arena, column->key, val);
        return true;
    }
    if (event_put(r->batch, r->ev, &column->ref, val) != ERR_OK)
        return failed(r, "a column cannot be set");
    if (r->into_missing) target_find(r); /* the column may have made it */
    return true;
}

static bool row_set(struct csv_run *r)
{
    const struct csv_row *row = &r->state->row;
    const struct csv_columns *columns = &r->state->columns;
    bool skip = r->cfg->skip_empty_columns;
    target_find(r);
    if (r->into != NULL && r->into->cap == 0) map_reserve(r->into, &r->batch->arena, row->n);
    for (uint32_t i = 0; i < row->n; i++) {
        const struct csv_field *field = &row->at[i];
        if (skip && field->text.n == 0) continue;
        struct csv_column late;
        const struct csv_column *column = &columns->at[i];
        if (__builtin_expect(i >= columns->n, 0)) {
            column_generate(&late, r->cfg, i, &r->batch->arena);
            column = &late;
        }
        if (column->ignored) continue;
        struct value val = field->nil ? value_nil() : value_string(field->text);
        if (column->to == CSV_BOOLEAN && field->nil)
            return failed(r, "an empty column is no boolean");
        if (column->to != CSV_TEXT && !field->nil)
            val = csv_converted(column->to, field->text, r->cfg->zone, &r->batch->arena);
        if (!column_set(r, column, val)) return false;
    }
    return true;
}

static bool row_is_header(const struct csv_state *s)
{
    if (s->given_n == 0 || s->row.n != s->given_n) return false;
    for (uint32_t i = 0; i < s->row.n; i++) {
        slice name = s->columns.name[i];
        if (s->row.at[i].nil != (name.p == NULL) || !slice_equal(s->row.at[i].text, name))
            return false;
    }
    return true;
}

static void columns_detect(struct csv_run *r)
{
    struct csv_state *s = r->state;
    slice *names = arena_alloc(&r->batch->arena, ((size_t)s->row.n + 1) * sizeof(slice), 16);
    for (uint32_t i = 0; i < s->row.n; i++)
        names[i] = s->row.at[i].nil ? SLICE_NONE : s->row.at[i].text;
    page_pool_init(&s->pool, SIZE_MAX);
    arena_init(&s->names, &s->pool);
    columns_make(&s->columns, r->cfg, names, s->row.n, &s->names);
    s->given_n = s->row.n;
    s->detected = true;
}

static bool csv_one(struct csv_run *r)
{
    struct csv_state *s = r->state;
    struct value *source = event_get(r->batch, r->ev, &r->cfg->source);
    if (!value_is_truthy(source)) return false;
    if (source->type != VALUE_STRING) return failed(r, "the field is no text");
    enum csv_status status =
        csv_row_read(&r->cfg->format, value_slice(source), &r->batch->arena, &s->row);
    if (status != CSV_ROW && status != CSV_BLANK) return failed(r, csv_status_text(status));
    if (r->cfg->autodetect && s->given_n == 0) {
        if (s->row.n > 0) columns_detect(r);
        event_cancel(r->batch, r->ev);
        return false;
    }
    if (r->cfg->skip_header && row_is_header(s)) {
        event_cancel(r->batch, r->ev);
        return false;
    }
    if (status == CSV_BLANK) {
        if (!r->cfg->skip_empty_rows) return failed(r, "the text is empty");
        event_tag(r->batch, r->ev, SLICE("_csvskippedemptyfield"), true);
        return false;
    }
    return row_set(r);
}

static enum applied csv_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                              struct sel *hit, struct plan_run *run)
{
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct csv_run r = {.state = state, .cfg = cfg, .batch = b, .ev = &b->event[in->at[i]]};
        if (csv_one(&r)) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static void csv_undecorated(void *state, const void *cfg, struct batch *b, struct event *ev)
{
    struct csv_run r = {.state = state, .cfg = cfg, .batch = b, .ev = ev};
    failed(&r, "add_field cannot set its field");
}

static err csv_start(void *state, const void *config, struct worker *worker)
{
    const struct csv_cfg *cfg = config;
    struct csv_state *s = state;
    (void)worker;
    s->columns = cfg->columns;
    s->given_n = cfg->given_n;
    return ERR_OK;
}

static void csv_stop(void *state, const void *cfg)
{
    struct csv_state *s = state;
    (void)cfg;
    csv_row_fini(&s->row);
    if (!s->detected) return;
    arena_fini(&s->names);
    page_pool_fini(&s->pool);
}

static void csv_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu",
               (unsigned long long)counter_read(&((const struct csv_state *)state)->failures));
}

/* ---- compiling ------------------------------------------------------------------- */

static err compile_columns(struct csv_cfg *cfg, struct compiler *c)
{
    err result = ERR_OK;
    slice *names = heap_alloc(c->heap, (cfg->column_names.n + 1) * sizeof(slice));
    for (uint32_t i = 0; i < cfg->column_names.n; i++) names[i] = cfg->column_names.at[i].text;
    cfg->given_n = cfg->column_names.n;
    columns_make(&cfg->columns, cfg, names, cfg->given_n, c->arena);
    for (uint32_t i = 0; i < cfg->given_n; i++) {
        if (!cfg->columns.at[i].bad) continue;
        diag_error(c->diag, cfg->column_names.at[i].pos, "name, [name] or [outer][inner]",
                   "Invalid FieldReference: `%.*s`", SLICE_FMT(names[i]));
        result = ERR_CONFIG;
    }
    return result;
}

static err csv_compile(void *config, struct compiler *c)
{
    struct csv_cfg *cfg = config;
    if (csv_format_compile(&cfg->format, cfg->separator, &cfg->quote_char, c) != ERR_OK)
        return ERR_CONFIG;
    if (compile_field_option(c, &cfg->source, "source", cfg->source_name) != ERR_OK ||
        compile_field_option(c, &cfg->target, "target", cfg->target_name) != ERR_OK)
        return ERR_CONFIG;
    cfg->zone = tz_host();
    if (cfg->autodetect && cfg->column_names.n == 0) c->serial = true;
    err e = csv_types_check(cfg->convert, c);
    err e2 = compile_columns(cfg, c);
    return e != ERR_OK ? e : e2;
}

#define CSV_AT(member, kind) SETTING_AT(struct csv_cfg, member, kind)

/* clang-format off */
static const struct setting csv_settings[] = {
    {.name = "source", CSV_AT(source_name, STRING), .flags = SETTING_FIELD,
     .default_text = "message",
     .doc = "The field that holds the row."},
    {.name = "columns", CSV_AT(column_names, LIST), .default_text = "[]",
     .doc = "Names of the columns, in order; further ones are column4, column5, ..."},
    {.name = "separator", CSV_AT(separator, STRING), .default_text = ",",
     .doc = "What stands between columns; may be several characters. A tab is written as a tab."},
    {.name = "quote_char", CSV_AT(quote_char, STRING), .default_text = "\"",
     .doc = "The character around quoted columns; \"\\x00\" for none."},
    {.name = "target", CSV_AT(target_name, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives the columns; without it they become fields of the event."},
    {.name = "autogenerate_column_names", CSV_AT(autogenerate, BOOL), .default_text = "true",
     .doc = "Take columns that have no name, as column1, column2, ..."},
    {.name = "autodetect_column_names", CSV_AT(autodetect, BOOL), .default_text = "false",
     .doc = "Take the names of the columns from the first row; the pipeline runs on one shard."},
    {.name = "skip_header", CSV_AT(skip_header, BOOL), .default_text = "false",
     .doc = "Cancel rows that are equal to the names of the columns."},
    {.name = "skip_empty_columns", CSV_AT(skip_empty_columns, BOOL), .default_text = "false",
     .doc = "Do not set columns that are empty."},
    {.name = "skip_empty_rows", CSV_AT(skip_empty_rows, BOOL), .default_text = "false",
     .doc = "Tag empty text with _csvskippedemptyfield, which is a failure otherwise."},
    {.name = "convert", CSV_AT(convert, HASH), .default_text = "{}",
     .doc = "Columns with the type to convert them to: integer, float, date, date_time or boolean; "
            "text that cannot be converted stays text."},
    {0}};
/* clang-format on */

const struct filter_ops filter_csv = {
    .name = "csv",
    .doc = "Takes the columns of comma-separated values apart.",
    .settings = csv_settings,
    .cfg_size = sizeof(struct csv_cfg),
    .state_size = sizeof(struct csv_state),
    .compile = csv_compile,
    .start = csv_start,
    .apply = csv_apply,
    .undecorated = csv_undecorated,
    .stop = csv_stop,
    .stats = csv_stats,
};
