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
/* A float with the fewest digits that read as it, the exponent form from 1e16 on; at most
 * NUMBER_TEXT_MAX bytes; NaN, Infinity, -Infinity by name. */
uint32_t number_f64_text(double real, char *out);
/* Java's Double.toString: 1.0E7 from there on, and below 1e-3. */
uint32_t number_f64_java(double real, char *out);
/* JRuby's Float#to_s: 20 places before the point at most, 15 digits where it needs all of them. */
uint32_t number_f64_ruby(double real, char *out);
/* A JSON number for a finite float; the others are named in quotes, as Jackson does it. */
uint32_t number_f64_json(double real, char *out);
/* The whole slice as a decimal float (strtod grammar without hex, inf, nan). */
bool number_f64_parse(slice s, double *out);
/* The same for what is simple: "-12.5", at most 16 bytes of digits with digits around the point;
 * false for anything else, a number or not. */
bool number_f64_short(slice s, double *out);

#endif
