/*
 * unicode_case.h - upper, lower and capitalised text, as Ruby's String has it.
 *
 * Full Unicode mappings without locale and without context (one character may become up to
 * three, a final sigma is an ordinary one). Invalid bytes are copied. Pure functions: any thread.
 * Source: UnicodeData.txt and SpecialCasing.txt, through tools/unicode_case_table.py.
 */
#ifndef PARSERS_TEXT_UNICODE_CASE_H
#define PARSERS_TEXT_UNICODE_CASE_H
#include <stdint.h>

#include "engine/base/slice.h"

/* capitalize: the first character in title case, the rest in lower case. */
enum unicode_case { CASE_UPPER, CASE_LOWER, CASE_CAPITALIZE };

/* No text of n bytes needs more than this: two bytes can become six (U+0390). */
#define UNICODE_CASE_BYTES_MAX(n) ((n)*3u)

/* Writes the mapped text to out, returns its bytes. */
uint32_t unicode_case_write(slice text, enum unicode_case to, char *out);

#endif
