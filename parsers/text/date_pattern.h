/*
 * date_pattern.h - what a date format compiles to. Private to the date_*.c files.
 *
 * Compiled by the control thread, immutable afterwards, read by any thread.
 */
#ifndef PARSERS_TEXT_DATE_PATTERN_H
#define PARSERS_TEXT_DATE_PATTERN_H
#include <stdbool.h>
#include <stdint.h>

#include "parsers/text/date_fields.h"
#include "parsers/text/date_locale.h"
#include "parsers/text/date_parse.h"

enum date_op_kind {
    DATE_OP_LITERAL,  /* max bytes of the format's text from at, ASCII case aside */
    DATE_OP_NUMBER,   /* 1 to max digits, whatever the pattern's width */
    DATE_OP_SIGNED,   /* same, with an optional sign that does not count */
    DATE_OP_TWO,      /* exactly two digits around the pivot */
    DATE_OP_TWO_OR,   /* two digits around the pivot, or another number as it is */
    DATE_OP_FRACTION, /* 1 to max digits of a second */
    DATE_OP_WORD,     /* at: enum date_words */
    DATE_OP_OFFSET,
    DATE_OP_ZONE_NAME,
    DATE_OP_ZONE_ID
};

struct date_op {
    uint8_t kind, field;
    uint16_t max;
    uint32_t at;
};

enum date_kind { DATE_JODA, DATE_ISO8601, DATE_UNIX, DATE_UNIX_MS, DATE_TAI64N };

#define DATE_ZONE_NAMES 11u

/* HH:mm:ss with one byte between, and perhaps a fraction, in the middle of a pattern. Around
 * it everything is one of two texts, which rarely change: they are remembered. */
struct date_clock {
    bool present;
    uint32_t op_from, op_until; /* [from, until) are the clock's operations */
    char separator[2];
    char fraction_separator; /* 0: no fraction */
    uint8_t fraction_max;
};

struct date_format {
    enum date_kind kind;
    bool has_year, has_zone_letter; /* as the date filter tells: a letter anywhere */
    bool has_zone_op, no_memo;
    uint32_t n, text_n;
    int32_t pivot_year;
    struct date_op *op;
    char *text;
    struct date_clock clock;
    struct date_word_set words[DATE_WORDS_KINDS];
    const struct tz *zone_named[DATE_ZONE_NAMES];
    const struct tz *host; /* whose calendar the guessed year comes from */
};

/* Names that Joda-Time's z reads, longest first, and where they are spoken. */
struct date_zone_name {
    slice name, id;
};
extern const struct date_zone_name date_zone_names[DATE_ZONE_NAMES];

bool date_pattern_compile(struct date_format *format, slice pattern, slice locale,
                          struct date_format_error *error);

/* ---- pieces of the parsers: each returns bytes used, 0 when the text does not fit ---- */

/* What the reader learns on the way, for date_memo. */
struct date_trace {
    uint32_t clock_from, clock_until, fraction_from;
};

/* Z, +hh, +hhmm, +hh:mm, with seconds and milliseconds. */
uint32_t date_offset_read(slice text, int32_t *offset_ms);
/* Joda-Time's dateTimeParser; the whole text. */
bool date_iso_read(slice text, struct date_fields *f, struct date_trace *trace);
/* 1 to max digits: milliseconds of what 1.0 stands for, which is unit_ms. */
uint32_t date_fraction_read(slice text, uint32_t max, int32_t unit_ms, int32_t *ms);

#endif
