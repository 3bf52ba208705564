/* csv.c - one row at a time, by a table of the bytes that end a field. */
#include "parsers/text/csv.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"

err csv_format_init(struct csv_format *format, slice separator, slice quote)
{
    *format = (struct csv_format){.separator = separator, .quote = quote};
    if (separator.n == 0) return ERR_CONFIG;
    if (quote.p != NULL && utf8_length(quote) != 1) return ERR_CONFIG;
    format->special[(unsigned char)separator.p[0]] = true;
    format->special['\r'] = format->special['\n'] = true;
    if (quote.n > 0) format->special[(unsigned char)quote.p[0]] = true;
    return ERR_OK;
}

/* The first line break says what ends rows; none: a newline would. */
static slice row_separator(slice text)
{
    int64_t lf = slice_find_byte(text, '\n');
    int64_t cr = slice_find_byte(text, '\r');
    if (cr < 0 || (lf >= 0 && lf < cr)) return SLICE("\n");
    return lf == cr + 1 ? SLICE("\r\n") : SLICE("\r");
}

struct scan {
    const struct csv_format *format;
    slice text, row_end;
    uint32_t at;
    struct arena *arena;
};

static bool starts_at(slice text, uint32_t at, slice with)
{
    return with.n > 0 && text.n - at >= with.n && text.p[at] == with.p[0] &&
           (with.n == 1 || memcmp(text.p + at, with.p, with.n) == 0);
}

/* Leaves `at` behind the field. */
static enum csv_status unquoted_read(struct scan *s, struct csv_field *out)
{
    const bool *special = s->format->special;
    slice text = s->text;
    uint32_t from = s->at, at = s->at;
    for (;; at++) {
        while (at < text.n && !special[(unsigned char)text.p[at]]) at++;
        if (at == text.n || starts_at(text, at, s->format->separator) ||
            starts_at(text, at, s->row_end))
            break;
        if (starts_at(text, at, s->format->quote)) return CSV_BAD_QUOTE;
        if (text.p[at] == '\n' || text.p[at] == '\r') return CSV_NEWLINE;
    }
    *out = (struct csv_field){slice_part(text, from, at - from), at == from};
    s->at = at;
    return CSV_ROW;
}

/* Copies a field's body with its doubled quotes made single. */
static slice undouble(struct scan *s, slice body)
{
    slice quote = s->format->quote;
    char *out = arena_alloc(s->arena, (size_t)body.n + 1, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < body.n;) {
        bool doubled = starts_at(body, i, quote);
        uint32_t step = doubled ? quote.n : 1;
        memcpy(out + n, body.p + i, step);
        n += step;
        i += doubled ? 2 * quote.n : 1;
    }
    return slice_make(out, n);
}

static enum csv_status quoted_read(struct scan *s, struct csv_field *out)
{
    slice text = s->text, quote = s->format->quote;
    uint32_t from = s->at + quote.n, at = from;
    bool doubled = false;
    for (;;) {
        const char *found = at < text.n ? memchr(text.p + at, quote.p[0], text.n - at) : NULL;
        if (found == NULL) return CSV_UNCLOSED;
        at = (uint32_t)(found - text.p);
        if (!starts_at(text, at, quote)) {
            at++;
            continue;
        }
        if (at + quote.n >= text.n || !starts_at(text, at + quote.n, quote)) break;
        doubled = true;
        at += 2 * quote.n;
    }
    slice body = slice_part(text, from, at - from);
    *out = (struct csv_field){doubled ? undouble(s, body) : body, false};
    s->at = at + quote.n;
    if (s->at == text.n || starts_at(text, s->at, s->format->separator) ||
        starts_at(text, s->at, s->row_end))
        return CSV_ROW;
    return CSV_AFTER_QUOTE;
}

static void row_grow(struct csv_row *row)
{
    row->cap = row->cap == 0 ? 64 : row->cap * 2;
    row->at = realloc(row->at, row->cap * sizeof(*row->at));
    ASSERT(row->at != NULL);
}

enum csv_status csv_row_read(const struct csv_format *format, slice text, struct arena *arena,
                             struct csv_row *row)
{
    struct scan s = {format, text, row_separator(text), 0, arena};
    row->n = row->used = 0;
    if (text.n == 0) return CSV_BLANK;
    for (;;) {
        if (row->n == row->cap) row_grow(row);
        struct csv_field *field = &row->at[row->n];
        bool quoted = s.at < text.n && starts_at(text, s.at, format->quote);
        enum csv_status status = quoted ? quoted_read(&s, field) : unquoted_read(&s, field);
        if (status != CSV_ROW) return status;
        bool ends = s.at == text.n || !starts_at(text, s.at, format->separator);
        if (!ends || row->n > 0 || !field->nil) row->n++;
        if (ends) break;
        if (row->n == CSV_FIELDS_MAX) return CSV_TOO_MANY;
        s.at += format->separator.n;
    }
    row->used = s.at == text.n ? s.at : s.at + s.row_end.n;
    return CSV_ROW;
}

void csv_row_fini(struct csv_row *row)
{
    free(row->at);
    *row = (struct csv_row){0};
}

const char *csv_status_text(enum csv_status status)
{
    static const char *const texts[] = {
        [CSV_ROW] = "a row",
        [CSV_BLANK] = "empty text",
        [CSV_BAD_QUOTE] = "Illegal quoting",
        [CSV_AFTER_QUOTE] = "Any value after quoted field isn't allowed",
        [CSV_UNCLOSED] = "Unclosed quoted field",
        [CSV_NEWLINE] = "Unquoted fields do not allow new line",
        [CSV_TOO_MANY] = "too many fields",
    };
    return texts[status];
}
