/*
 * number.h - numbers to text and back, the way Logstash's users see them.
 *
 * Floats are printed with the fewest digits that read back equal, in Ruby's form:
 * 1.0, 0.0001, 1.0e-05, 1.0e+16. Any thread; no locale.
 */
#ifndef ENGINE_BASE_NUMBER_H
#define ENGINE_BASE_NUMBER_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define NUMBER_TEXT_MAX 32

/* Decimal text of num, returns bytes written (at most 20); no NUL. */
uint32_t number_i64_text(int64_t num, char *out);
/* Ruby's Float#to_s; at most NUMBER_TEXT_MAX bytes; NaN, Infinity, -Infinity by name. */
uint32_t number_f64_text(double real, char *out);
/* A JSON number for a finite float; the others are named in quotes, as Jackson does it. */
uint32_t number_f64_json(double real, char *out);
/* The whole slice as a decimal float (strtod grammar without hex, inf, nan). */
bool number_f64_parse(slice s, double *out);
/* The same for what is simple: "-12.5", at most 16 bytes of digits with digits around the point;
 * false for anything else, a number or not. */
bool number_f64_short(slice s, double *out);

#endif
