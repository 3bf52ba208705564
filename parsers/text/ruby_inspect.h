/*
 * ruby_inspect.h - a string the way Ruby's String#inspect shows it.
 *
 * For texts that claim to be UTF-8: \n \t \e ... by name, other unprintable characters as
 * \u0001 or \u{10FFFF}, bytes that are no UTF-8 as \xNN, quotes, backslashes and the # of
 * an interpolation escaped. Code points are unprintable when they are controls, line or paragraph
 * separators or noncharacters; unassigned ones are shown as they are. Any thread.
 */
#ifndef PARSERS_TEXT_RUBY_INSPECT_H
#define PARSERS_TEXT_RUBY_INSPECT_H
#include "engine/base/buf.h"
#include "engine/base/pages.h"

/* Bytes the body of `text` takes. */
size_t ruby_inspect_bytes(slice text);
/* Writes the body (no quotes) and returns its end; `out` has ruby_inspect_bytes(text) room. */
char *ruby_inspect_write(slice text, char *out);
/* The body without quotes, in the arena. */
slice ruby_inspect_body(slice text, struct arena *arena);
/* With quotes, appended. */
void ruby_inspect_add(struct buf *out, slice text);

#endif
