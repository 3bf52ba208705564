/*
 * csv.h - the fields of the first row of a text, as Ruby's CSV.parse_line reads it.
 *
 * Separators may be several bytes, the quote one character or none. The row separator is found in
 * the text: the first of \r\n, \n, \r. Fields are spans of the text, quoted ones without their
 * quotes; only doubled quotes make a copy in the arena. An empty field without quotes is nil, one
 * with quotes is an empty string. Any error spoils the row. Pure: any thread.
 * Facts: the documentation of Ruby's csv library (CSV.new options, MalformedCSVError).
 */
#ifndef PARSERS_TEXT_CSV_H
#define PARSERS_TEXT_CSV_H
#include "engine/base/err.h"
#include "engine/base/pages.h"

struct csv_format {
    slice separator, quote;
    bool special[256]; /* bytes that may end an unquoted field */
};

struct csv_field {
    slice text;
    bool nil; /* empty and not quoted */
};

enum csv_status {
    CSV_ROW,         /* *n fields, perhaps none: an empty line */
    CSV_BLANK,       /* the text is empty: no row at all */
    CSV_BAD_QUOTE,   /* a quote inside an unquoted field */
    CSV_AFTER_QUOTE, /* something follows a closing quote */
    CSV_UNCLOSED,
    CSV_NEWLINE, /* a line break that is not the row's, outside of quotes */
    CSV_TOO_MANY
};

struct csv_row {
    struct csv_field *at; /* made by csv_row_read, freed by csv_row_fini */
    uint32_t n, cap;
    uint32_t used; /* bytes of the text up to the next row */
};

#define CSV_FIELDS_MAX 65536u

/* ERR_CONFIG when the separator is empty or the quote is not one character; quote.p may be NULL. */
err csv_format_init(struct csv_format *format, slice separator, slice quote) MUST_USE;
/* The bytes of row->at are reused by the next row; the texts lie in `text` and the arena. */
enum csv_status csv_row_read(const struct csv_format *format, slice text, struct arena *arena,
                             struct csv_row *row);
void csv_row_fini(struct csv_row *row);
const char *csv_status_text(enum csv_status status);

#endif
