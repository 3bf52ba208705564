/*
 * csv.c - rows of comma-separated values, one event each, and back.
 *
 * Rows of a stream end at a newline. What comes as a whole (a message, the end of a stream) is
 * read row by row, so that quoted columns may hold newlines there. A row that cannot be read
 * becomes an event with the text in `message` and the tag _csvparsefailure.
 * State: the row, detected names, whether the names were written.
 */
#include "parsers/text/csv.h"

#include <stdio.h>

#include "engine/base/log.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/csv_convert.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/text_event.h"
#include "parsers/text/ruby_inspect.h"

struct csv_codec_cfg {
    slice separator, quote_char, charset, target_name;
    struct config_list column_names;
    struct config_hash convert;
    bool include_headers, autogenerate, skip_empty, autodetect;

    struct text_event_cfg text;
    struct csv_format format;
    struct fieldref target;
    struct fieldref *column; /* for encoding */
    slice *name;
    uint32_t n;
    const struct tz *zone;
};

struct csv_codec_state {
    struct text_event_state text;
    struct csv_row row;
    struct page_pool pool; /* of detected names */
    struct arena arena;
    slice *name;
    uint32_t n;
    bool detected, headers_written;
    struct buf scratch;
    struct log_gate gate;
};

/* ---- decoding ----------------------------------------------------------------- */

static void names_detect(struct csv_codec_state *s)
{
    page_pool_init(&s->pool, SIZE_MAX);
    arena_init(&s->arena, &s->pool);
    s->name = arena_alloc(&s->arena, s->row.n * sizeof(slice), 8);
    s->n = s->row.n;
    for (uint32_t i = 0; i < s->n; i++)
        s->name[i] = s->row.at[i].nil ? SLICE_NONE : arena_copy(&s->arena, s->row.at[i].text);
    s->detected = true;
}

/* The name of a column; .p NULL when it is to be left out. */
static slice column_name(const struct csv_codec_cfg *cfg, const struct csv_codec_state *s,
                         uint32_t at, struct arena *arena)
{
    const slice *name = s->detected ? s->name : cfg->name;
    uint32_t n = s->detected ? s->n : cfg->n;
    if (at < n && name[at].p != NULL) return s->detected ? arena_copy(arena, name[at]) : name[at];
    if (!cfg->autogenerate) return SLICE_NONE;
    char text[24];
    int length = snprintf(text, sizeof(text), "column%u", at + 1);
    return arena_copy(arena, slice_make(text, (size_t)length));
}

static void row_event(struct csv_codec_state *s, const struct csv_codec_cfg *cfg, slice line,
                      struct batch *b)
{
    struct map map = {0};
    map_reserve(&map, &b->arena, s->row.n + 2);
    for (uint32_t i = 0; i < s->row.n; i++) {
        const struct csv_field *field = &s->row.at[i];
        if (cfg->skip_empty && field->text.n == 0) continue;
        slice name = column_name(cfg, s, i, &b->arena);
        if (name.p == NULL) continue;
        enum csv_type to = cfg->convert.n == 0 ? CSV_TEXT : csv_type_of(cfg->convert, name);
        struct value val =
            field->nil ? value_nil() : csv_converted(to, field->text, cfg->zone, &b->arena);
        map_put(&map, &b->arena, key_borrow(name), val);
    }
    struct event *ev = codec_event(b, cfg->target_name.p == NULL ? NULL : &cfg->target, map);
    if (ev != NULL && cfg->text.keep_original) text_event_original(&cfg->text, b, ev, line);
}

static slice first_line(slice text)
{
    int64_t end = slice_find_byte(text, '\n');
    return end < 0 ? text : slice_part(text, 0, (uint32_t)end);
}

/* One row from the front of `text`; returns the bytes used. */
static uint32_t row_decode(struct csv_codec_state *s, const struct csv_codec_cfg *cfg, slice text,
                           struct decode *d)
{
    struct batch *b = d->batch;
    enum csv_status status = csv_row_read(&cfg->format, text, &b->arena, &s->row);
    if (status == CSV_BLANK) return text.n;
    if (status != CSV_ROW) {
        slice line = first_line(text);
        uint64_t held;
        if (log_gate_open(&s->gate, &held))
            log_error("codecs.csv", "CSV parse failure: %s (%llu more since the last report)",
                      csv_status_text(status), (unsigned long long)held);
        codec_failure(d, line, SLICE("_csvparsefailure"));
        return line.n < text.n ? line.n + 1 : line.n;
    }
    slice line = slice_part(text, 0, s->row.used);
    if (cfg->autodetect && cfg->n == 0 && !s->detected) {
        if (s->row.n > 0) names_detect(s);
    } else if (s->row.n > 0) {
        row_event(s, cfg, line, b);
    }
    return s->row.used;
}

static void text_decode(void *state, const void *cfg_, slice text, struct decode *d)
{
    struct csv_codec_state *s = state;
    const struct csv_codec_cfg *cfg = cfg_;
    text = text_event_decode(&s->text, &cfg->text, text, false, &d->batch->arena);
    while (text.n > 0) text = slice_from(text, row_decode(s, cfg, text, d));
}

static uint32_t csv_decode(void *state, const void *cfg, slice in, struct decode *d)
{
    if (d->end) {
        text_decode(state, cfg, decode_keep(d, in), d);
        return in.n;
    }
    return codec_frames(in, SLICE("\n"), d, text_decode, state, cfg);
}

/* ---- encoding ----------------------------------------------------------------- */

static void inspect_add(struct value *v, struct arena *arena, struct buf *out)
{
    value_resolve(v, arena);
    if (v->type == VALUE_NIL)
        buf_add_cstr(out, "nil");
    else if (v->type == VALUE_STRING)
        ruby_inspect_add(out, value_slice(v));
    else if (v->type == VALUE_LIST) {
        for (uint32_t i = 0; i < v->n; i++) {
            buf_add_cstr(out, i == 0 ? "[" : ", ");
            inspect_add(&v->u.list[i], arena, out);
        }
        buf_add_cstr(out, v->n == 0 ? "[]" : "]");
    } else if (v->type == VALUE_MAP) {
        struct map *map = v->u.map;
        for (uint32_t i = 0; i < map->n; i++) {
            buf_add_cstr(out, i == 0 ? "{" : ", ");
            ruby_inspect_add(out, slice_make(map->at[i].key, map->at[i].key_n));
            buf_add_cstr(out, "=>");
            inspect_add(&map->at[i].val, arena, out);
        }
        buf_add_cstr(out, map->n == 0 ? "{}" : "}");
    } else
        value_text_ruby(v, arena, out);
}

/* Quoted when it is empty or holds what separates. */
static void text_add(const struct csv_codec_cfg *cfg, slice text, struct buf *out)
{
    bool quoted = text.n == 0;
    for (uint32_t i = 0; i < text.n && !quoted; i++) {
        char c = text.p[i];
        quoted = c == '\r' || c == '\n' || c == cfg->quote_char.p[0] ||
                 slice_find_byte(cfg->separator, c) >= 0;
    }
    if (!quoted) {
        buf_add_slice(out, text);
        return;
    }
    buf_add_slice(out, cfg->quote_char);
    while (text.n > 0) {
        int64_t at = slice_find(text, cfg->quote_char);
        uint32_t n = at < 0 ? text.n : (uint32_t)at + cfg->quote_char.n;
        buf_add_slice(out, slice_part(text, 0, n));
        if (at >= 0) buf_add_slice(out, cfg->quote_char);
        text = slice_from(text, n);
    }
    buf_add_slice(out, cfg->quote_char);
}

static void column_add(struct csv_codec_state *s, const struct csv_codec_cfg *cfg, struct batch *b,
                       struct value *val, uint32_t at, struct buf *out)
{
    if (at > 0) buf_add_slice(out, cfg->separator);
    if (val == NULL || val->type == VALUE_NIL) return;
    s->scratch.n = 0;
    if (val->type == VALUE_LIST || val->type == VALUE_MAP)
        inspect_add(val, &b->arena, &s->scratch);
    else
        value_text_ruby(val, &b->arena, &s->scratch);
    text_add(cfg, buf_slice(&s->scratch), out);
}

static void headers_add(const struct csv_codec_cfg *cfg, struct event *ev, struct buf *out)
{
    uint32_t n = 0;
    for (; n < cfg->n; n++) {
        if (n > 0) buf_add_slice(out, cfg->separator);
        text_add(cfg, cfg->name[n], out);
    }
    if (cfg->n == 0 && ev->time.type != VALUE_NIL) {
        text_add(cfg, SLICE("@timestamp"), out);
        n++;
    }
    for (uint32_t i = 0; cfg->n == 0 && i < ev->data.n; i++) {
        if (n++ > 0) buf_add_slice(out, cfg->separator);
        text_add(cfg, slice_make(ev->data.at[i].key, ev->data.at[i].key_n), out);
    }
    buf_add_byte(out, '\n');
}

static void csv_encode(void *state, const void *cfg_, struct batch *b, struct event *ev,
                       struct buf *out)
{
    struct csv_codec_state *s = state;
    const struct csv_codec_cfg *cfg = cfg_;
    if (cfg->include_headers && !s->headers_written) headers_add(cfg, ev, out);
    s->headers_written = true;
    uint32_t n = 0;
    for (; n < cfg->n; n++) column_add(s, cfg, b, event_get(b, ev, &cfg->column[n]), n, out);
    if (cfg->n == 0 && ev->time.type != VALUE_NIL) column_add(s, cfg, b, &ev->time, n++, out);
    for (uint32_t i = 0; cfg->n == 0 && i < ev->data.n; i++) {
        value_resolve(&ev->data.at[i].val, &b->arena);
        column_add(s, cfg, b, &ev->data.at[i].val, n++, out);
    }
    buf_add_byte(out, '\n');
}

/* ---- life --------------------------------------------------------------------- */

static err csv_start(void *state, const void *cfg)
{
    return text_event_start(&((struct csv_codec_state *)state)->text,
                            &((const struct csv_codec_cfg *)cfg)->text);
}

static void csv_stop(void *state, const void *cfg)
{
    struct csv_codec_state *s = state;
    (void)cfg;
    text_event_stop(&s->text);
    csv_row_fini(&s->row);
    buf_fini(&s->scratch);
    if (!s->detected) return;
    arena_fini(&s->arena);
    page_pool_fini(&s->pool);
}

static err compile_columns(struct csv_codec_cfg *cfg, struct compiler *c)
{
    cfg->n = cfg->column_names.n;
    cfg->name = heap_alloc(c->heap, (cfg->n + 1) * sizeof(*cfg->name));
    cfg->column = heap_alloc(c->heap, (cfg->n + 1) * sizeof(*cfg->column));
    for (uint32_t i = 0; i < cfg->n; i++) {
        cfg->name[i] = cfg->column_names.at[i].text;
        err e = compile_fieldref(c, &cfg->column[i], cfg->name[i], cfg->column_names.at[i].pos);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

static err csv_compile(void *config, struct compiler *c)
{
    struct csv_codec_cfg *cfg = config;
    if (csv_format_compile(&cfg->format, cfg->separator, &cfg->quote_char, c) != ERR_OK)
        return ERR_CONFIG;
    cfg->zone = tz_host();
    err e = text_event_compile(&cfg->text, cfg->charset, compiler_is_ecs(c), c);
    if (e == ERR_OK) e = compile_field_option(c, &cfg->target, "target", cfg->target_name);
    if (e == ERR_OK) e = csv_types_check(cfg->convert, c);
    return e == ERR_OK ? compile_columns(cfg, c) : e;
}

#define CSV_AT(member, kind) SETTING_AT(struct csv_codec_cfg, member, kind)

/* clang-format off */
static const struct setting csv_settings[] = {
    {.name = "columns", CSV_AT(column_names, LIST), .flags = SETTING_FIELD, .default_text = "[]",
     .doc = "Decoding: names of the columns, in order. Encoding: the fields to write; all of them "
            "when empty."},
    {.name = "separator", CSV_AT(separator, STRING), .default_text = ",",
     .doc = "What stands between columns; may be several characters."},
    {.name = "quote_char", CSV_AT(quote_char, STRING), .default_text = "\"",
     .doc = "The character around quoted columns; \"\\x00\" for none."},
    {.name = "include_headers", CSV_AT(include_headers, BOOL), .default_text = "false",
     .doc = "Encoding: write the names of the columns before the first event."},
    {.name = "autogenerate_column_names", CSV_AT(autogenerate, BOOL), .default_text = "true",
     .doc = "Take columns that have no name, as column1, column2, ..."},
    {.name = "skip_empty_columns", CSV_AT(skip_empty, BOOL), .default_text = "false",
     .doc = "Do not set columns that are empty."},
    {.name = "autodetect_column_names", CSV_AT(autodetect, BOOL), .default_text = "false",
     .doc = "Take the names of the columns from the first row of each stream."},
    {.name = "convert", CSV_AT(convert, HASH), .default_text = "{}",
     .doc = "Columns with the type to convert them to: integer, float, date, date_time or boolean; "
            "text that cannot be converted stays text."},
    {.name = "charset", CSV_AT(charset, STRING), .default_text = "UTF-8",
     .doc = "Character encoding of the input."},
    {.name = "target", CSV_AT(target_name, STRING),
     .doc = "Field that receives the columns; without it they become fields of the event."},
    {0}};
/* clang-format on */

const struct codec_ops codec_csv = {
    .name = "csv",
    .doc = "Rows of comma-separated values.",
    .settings = csv_settings,
    .cfg_size = sizeof(struct csv_codec_cfg),
    .state_size = sizeof(struct csv_codec_state),
    .compile = csv_compile,
    .start = csv_start,
    .ends_at_newline = codec_ends_at_newline,
    .decode = csv_decode,
    .encode = csv_encode,
    .stop = csv_stop,
};
