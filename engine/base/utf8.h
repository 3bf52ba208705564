/*
 * utf8.h - UTF-8 as RFC 3629 has it: no surrogates, nothing above U+10FFFF, shortest form.
 *
 * Scalar truths; the vectorised validator is parsers/scan/utf8. Any thread.
 */
#ifndef ENGINE_BASE_UTF8_H
#define ENGINE_BASE_UTF8_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

/* Length (1..4) of the valid sequence that starts at index i, 0 when there is none. */
uint32_t utf8_valid_at(slice s, uint32_t i);
/* Code point at i and its length in *step; an invalid byte gives U+FFFD and step 1. */
uint32_t utf8_decode(slice s, uint32_t i, uint32_t *step);
/* Writes 1..4 bytes, returns how many; cp must be a scalar value. */
uint32_t utf8_encode(uint32_t cp, char out[4]);
bool utf8_valid(slice s);
/* Number of code points; invalid bytes count one each. */
uint32_t utf8_length(slice s);

#endif
