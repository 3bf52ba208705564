/*
 * date_fields.h - the fields a text gave, and the wall clock reading they add up to.
 *
 * Joda-Time's rules (DateTimeParserBucket): fields are set on 1970-01-01T00:00 from the widest
 * to the narrowest, twice, so that a weekday moves the date within its ISO week and a day that
 * its month lacks is an error. A date without a year is set in 2000. Plain values, any thread.
 */
#ifndef PARSERS_TEXT_DATE_FIELDS_H
#define PARSERS_TEXT_DATE_FIELDS_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/tz.h"

/* The order matters: it is the order in which they are set. */
enum date_field {
    DATE_ERA,
    DATE_CENTURY,
    DATE_YEAR,
    DATE_YEAR_OF_ERA,
    DATE_WEEKYEAR,
    DATE_MONTH,
    DATE_WEEK,
    DATE_DAY_OF_YEAR,
    DATE_DAY,
    DATE_WEEKDAY,
    DATE_HALFDAY,
    DATE_HOUR,
    DATE_CLOCKHOUR,
    DATE_HALF_HOUR,
    DATE_HALF_CLOCKHOUR,
    DATE_MINUTE,
    DATE_MS_OF_HOUR,
    DATE_SECOND,
    DATE_MS_OF_MINUTE,
    DATE_MS
};

#define DATE_FIELDS_MAX 32u
#define DATE_DAY_MS INT64_C(86400000)

struct date_fields {
    uint32_t n, seen; /* seen: bits of enum date_field */
    bool has_offset, twice;
    int32_t offset_ms;
    const struct tz *zone; /* named by the text; NULL: not */
    struct {
        uint8_t field;
        int32_t value;
    } at[DATE_FIELDS_MAX];
};

static inline void date_fields_add(struct date_fields *f, enum date_field field, int32_t value)
{
    f->twice |= (f->seen >> field) & 1;
    f->seen |= 1u << field;
    f->at[f->n].field = (uint8_t)field;
    f->at[f->n++].value = value;
}

/* Milliseconds since 1970 on the wall clock; false when a field is out of its range. */
bool date_fields_resolve(struct date_fields *f, int64_t *local_ms);

#endif
