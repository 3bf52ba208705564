/*
 * bytes.h - single bytes of short texts, sixteen at once.
 *
 * For filters that look for one byte many times in a text of a few dozen bytes, where each call of
 * memchr would take longer than its search. SSE2, or plain code. Any thread.
 */
#ifndef ENGINE_BASE_BYTES_H
#define ENGINE_BASE_BYTES_H
#include "engine/base/slice.h"

/* Copies the text, for which there is room, and returns the place behind it. */
static inline char *bytes_add(char *to, slice text)
{
    if (text.n > 0) memcpy(to, text.p, text.n);
    return to + text.n;
}

/* How often `c` is in the text. */
uint32_t bytes_count(slice text, char c);
/* Where it is; room for bytes_count. */
void bytes_places(slice text, char c, uint32_t *place);
/* A copy in which every `from` is `to`; returns whether there was one. */
bool bytes_swapped(slice text, char from, char to, char *out);

#endif
