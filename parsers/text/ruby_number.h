/*
 * ruby_number.h - text to numbers the way Ruby reads it.
 *
 * Two manners: String#to_i and #to_f take what they can from the front (junk is 0); Integer(),
 * Float() and BigDecimal() take the whole text or refuse it. Integers beyond 64 bits become
 * exact VALUE_BIGNUM text in the arena. Pure functions: any thread.
 * Facts: Ruby's documentation of String#to_i, String#to_f, Kernel#Float, Kernel#BigDecimal.
 */
#ifndef PARSERS_TEXT_RUBY_NUMBER_H
#define PARSERS_TEXT_RUBY_NUMBER_H
#include <stdbool.h>

#include "engine/event/value.h"

/* Digits an exponent may add ("1e999999999" must not become a gigabyte). */
#define RUBY_EXPONENT_MAX 4096

struct value ruby_to_i(slice text, struct arena *arena);
double ruby_to_f(slice text);

/* BigDecimal(text).to_i, or Integer(Float(text)) of signed hexadecimal: decimals are cut. */
bool ruby_integer_parse(slice text, struct arena *arena, struct value *out);
/* Integer(text): prefixes 0x 0b 0o 0d and 0, underscores between digits, blanks around. */
bool ruby_kernel_integer(slice text, struct arena *arena, struct value *out);
/* Float(text). */
bool ruby_float_parse(slice text, struct arena *arena, double *out);
/* A double without its fraction; false for NaN and the infinities. */
bool ruby_float_to_i(double real, struct arena *arena, struct value *out);

#endif
