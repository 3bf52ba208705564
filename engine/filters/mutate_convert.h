/*
 * mutate_convert.h - values turned into other types as mutate's `convert` does it.
 *
 * Text may have white space around it and group separators in it; text that is no number is a
 * failure, text that is no boolean stays as it is. Owner: one shard.
 */
#ifndef ENGINE_FILTERS_MUTATE_CONVERT_H
#define ENGINE_FILTERS_MUTATE_CONVERT_H
#include "engine/event/event.h"

enum conversion {
    CONVERT_STRING,
    CONVERT_INTEGER,
    CONVERT_FLOAT,
    CONVERT_BOOLEAN,
    CONVERT_INTEGER_EU,
    CONVERT_FLOAT_EU
};

bool conversion_find(slice name, enum conversion *out);
/* NULL, or why `in` cannot be converted. */
const char *conversion_run(enum conversion to, struct batch *b, struct value *in, struct value *out,
                           bool *unconverted);
/* String#strip: without white space and NUL at both ends. */
slice ruby_strip(slice s);

#endif
