/*
 * literal.h - regular expressions that are plain text, and replacing plain text.
 *
 * Most patterns of gsub are one: "/", "\.", "[,]", ": ". Searching for its bytes is the same as
 * searching for the expression, because whole characters are never found inside of others, nor
 * across bytes that are no UTF-8. Pure: any thread.
 */
#ifndef PARSERS_TEXT_LITERAL_H
#define PARSERS_TEXT_LITERAL_H
#include "engine/base/pages.h"

/* The text that is all the expression matches, at out (room for pattern.n), its length in *n. */
bool literal_of_regex(slice pattern, char *out, uint32_t *n);

enum literal_status { LITERAL_ABSENT, LITERAL_REPLACED, LITERAL_TOO_LONG };
/* `needle` is not empty. *out is in the arena; text that grows to more than bytes_max is too long.
 */
enum literal_status literal_replace(slice subject, slice needle, slice with, size_t bytes_max,
                                    struct arena *arena, slice *out);

#endif
