/*
 * csv_convert.h - options of comma-separated values that the csv filter and codec share: the
 * format, and the types that columns can be converted to.
 *
 * Compiling runs on the control thread, the rest on the shard that owns the arena.
 */
#ifndef ENGINE_PLAN_CSV_CONVERT_H
#define ENGINE_PLAN_CSV_CONVERT_H
#include "engine/base/tz.h"
#include "engine/plan/compiler.h"
#include "parsers/text/csv.h"

enum csv_type {
    CSV_INTEGER,
    CSV_FLOAT,
    CSV_DATE,
    CSV_DATE_TIME,
    CSV_BOOLEAN,
    CSV_TEXT /* no conversion */
};

/* Of the options `separator` and `quote_char`, of which the spelling "\x00" becomes the byte;
 * reports what is wrong with them. */
err csv_format_compile(struct csv_format *format, slice separator, slice *quote_char,
                       struct compiler *c) MUST_USE;
/* Reports values of the option `convert` that are no types. */
err csv_types_check(struct config_hash convert, struct compiler *c) MUST_USE;
/* The type of a column. */
enum csv_type csv_type_of(struct config_hash convert, slice column);
/* Text that is not of the type stays text; dates are midnights in `zone`. */
struct value csv_converted(enum csv_type to, slice text, const struct tz *zone,
                           struct arena *arena);

#endif
