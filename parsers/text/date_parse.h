/*
 * date_parse.h - text to instants, the way Logstash's date filter reads it.
 *
 * A format (ISO8601, UNIX, UNIX_MS, TAI64N or a Joda-Time pattern) is compiled once by the
 * control thread into an immutable program; any thread runs it with a date_state of its own.
 * The whole text must match. Results are nanoseconds since 1970 truncated to milliseconds;
 * an instant that int64 nanoseconds cannot hold (outside 1677..2262) does not parse, but its
 * milliseconds are told, so that a caller may still show it.
 * Facts: org.joda.time.format.DateTimeFormat and DateTimeFormatterBuilder (which numbers are
 * lenient, how fields resolve), ISODateTimeFormat.dateTimeParser, the date filter's parsers.
 */
#ifndef PARSERS_TEXT_DATE_PARSE_H
#define PARSERS_TEXT_DATE_PARSE_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "engine/base/tz.h"

struct date_format;

struct date_format_error {
    uint32_t at; /* byte offset in the format */
    char expected[96];
};

/* What the last parse found out; zeroed knows nothing. One per thread and format. The text
 * around the clock of the last event, its date and zone, and the instant its day begins. */
struct date_state {
    struct tz_hint hint;
    /* The two texts, two words each that overlap or are the same, and the bits that count. */
    uint64_t before[2], before_mask, after[2], after_mask;
    uint64_t clock_zero; /* "00:00:00" with the format's separators */
    uint32_t before_n, before_second, after_n, after_second;
    bool known;
    uint8_t fraction_max;
    char fraction_separator[2]; /* either; 0: no fraction */
    bool fraction_optional;
    const struct tz *zone;
    int64_t base_ns;
    int64_t now_from_ns, now_until_ns; /* a guessed year holds while now is in here */
    int32_t year_now, month_now;
};

/* locale is a BCP 47 tag ("de", "fr-CA", also with '_'); empty or unknown means English.
 * Two-digit years are read around the year of now_ns. NULL when the format is bad. */
struct date_format *date_format_new(slice format, slice locale, int64_t now_ns,
                                    struct date_format_error *error);
void date_format_free(struct date_format *format);

/* True when texts of this format say their own zone. */
bool date_format_has_zone(const struct date_format *format);

/* What *out_ns holds when nothing was read. Of text that was read, but is too far away for
 * nanoseconds, it holds the milliseconds instead; parsing has failed then, too. */
#define DATE_UNREAD INT64_MIN

/* Text that names no zone is read in `zone`; a year that is missing is guessed from now_ns. */
bool date_parse(const struct date_format *format, struct date_state *state, slice text,
                const struct tz *zone, int64_t now_ns, int64_t *out_ns);
/* Numbers are accepted by UNIX and UNIX_MS only. */
bool date_parse_int(const struct date_format *format, int64_t num, int64_t *out_ns);
bool date_parse_float(const struct date_format *format, double real, int64_t *out_ns);

/* Logstash's reading of an event's own @timestamp: yyyy-MM-dd, optional T and local time,
 * optional zone; nanoseconds are kept. Without a zone the text is read in `zone`. */
bool iso8601_lenient_parse(slice text, const struct tz *zone, struct tz_hint *hint,
                           int64_t *out_ns);

#endif
