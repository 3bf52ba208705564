/*
 * edn.h - the extensible data notation of Clojure to values and back.
 *
 * Lists, vectors and sets become lists, keywords and characters text, #inst a time and #uuid
 * text. Symbols and other tags mean nothing to an event and are refused, as is what nests too
 * deep, or in a key. Comments, commas and discarded forms are passed over. Pure: any thread.
 * Format: the edn specification (github.com/edn-format/edn).
 */
#ifndef PARSERS_TEXT_EDN_H
#define PARSERS_TEXT_EDN_H
#include "engine/event/map.h"

#define EDN_DEPTH_MAX 128u
/* Of a key that is a list or a map itself: the text of maps in keys of maps in keys doubles. */
#define EDN_KEY_BYTES_MAX 4096u

/* The first form of the text, valid UTF-8; memory from `arena`, strings without escapes are spans
 * of the text. False when there is none. */
bool edn_read(slice text, struct arena *arena, struct value *out);
/* Appends the value; lazy ones below it are resolved. Times become ISO 8601 text. */
void edn_write(struct buf *out, struct value *v, struct arena *arena);
void edn_write_string(struct buf *out, slice text);

#endif
