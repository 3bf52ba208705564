/*
 * time_pattern.h - what a time pattern compiles to. Private to time_format.c and time_pattern.c.
 *
 * Compiled by the control thread, immutable afterwards, read by any thread.
 */
#ifndef ENGINE_EVENT_TIME_PATTERN_H
#define ENGINE_EVENT_TIME_PATTERN_H
#include <stdint.h>

#include "engine/event/time_format.h"

enum time_field {
    TIME_FIELD_YEAR,
    TIME_FIELD_YEAR_OF_ERA,
    TIME_FIELD_CENTURY,
    TIME_FIELD_ISO_WEEKYEAR,
    TIME_FIELD_US_WEEKYEAR,
    TIME_FIELD_ISO_WEEK,
    TIME_FIELD_US_WEEK,
    TIME_FIELD_US_WEEK_OF_MONTH,
    TIME_FIELD_ALIGNED_WEEK_OF_MONTH,
    TIME_FIELD_MONTH,
    TIME_FIELD_QUARTER,
    TIME_FIELD_DAY,
    TIME_FIELD_DAY_OF_YEAR,
    TIME_FIELD_ISO_WEEKDAY,
    TIME_FIELD_US_WEEKDAY,
    TIME_FIELD_MODIFIED_JULIAN,
    TIME_FIELD_HOUR,
    TIME_FIELD_CLOCKHOUR,
    TIME_FIELD_HALF_HOUR,
    TIME_FIELD_HALF_CLOCKHOUR,
    TIME_FIELD_MINUTE,
    TIME_FIELD_SECOND,
    TIME_FIELD_NANO,
    TIME_FIELD_MILLI_OF_DAY,
    TIME_FIELD_NANO_OF_DAY
};

enum time_text { TIME_TEXT_SHORT, TIME_TEXT_FULL, TIME_TEXT_NARROW };

enum time_zone_text {
    TIME_ZONE_JODA_SHORT,
    TIME_ZONE_JODA_LONG,
    TIME_ZONE_JODA_ID,
    TIME_ZONE_JAVA_ID,
    TIME_ZONE_JAVA_NAME
};

enum time_offset_flag {
    TIME_OFFSET_Z = 1,       /* zero is "Z" */
    TIME_OFFSET_COLON = 2,   /* between the parts */
    TIME_OFFSET_SECONDS = 4, /* shown when they are not zero */
    TIME_OFFSET_SHORT = 8    /* minutes too only when they are not zero */
};

enum time_op_kind {
    TIME_OP_LITERAL,     /* width bytes of text from at */
    TIME_OP_NUMBER,      /* arg: enum time_field */
    TIME_OP_NUMBER_PLUS, /* same, with '+' when there are more digits than the width */
    TIME_OP_TWO_DIGITS,
    TIME_OP_FRACTION,
    TIME_OP_MONTH, /* arg: enum time_text, here and below */
    TIME_OP_WEEKDAY,
    TIME_OP_HALFDAY,
    TIME_OP_ERA,
    TIME_OP_QUARTER,
    TIME_OP_DAY_PERIOD,
    TIME_OP_OFFSET, /* arg: enum time_offset_flag */
    TIME_OP_GMT,    /* arg: 1 for the long form */
    TIME_OP_ZONE    /* arg: enum time_zone_text */
};

struct time_op {
    uint8_t kind, arg;
    uint16_t pad; /* java.time's p: at least this wide, blanks on the left; 0: no */
    uint32_t width, at;
};

struct time_format {
    enum time_syntax syntax;
    uint32_t n, cap, text_n, bytes_max;
    int64_t step_ns;
    uint64_t id; /* the same for equal patterns, never 0 */
    struct time_op *op;
    char *text; /* the literals */
};

#endif
