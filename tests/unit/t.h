/*
 * t.h - cmocka in the order it wants, plus the comparisons our tests need.
 */
#ifndef TESTS_UNIT_T_H
#define TESTS_UNIT_T_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/slice.h"

/* Fails with both texts shown. */
#define assert_slice_equal(got, want) t_slice_equal((got), (want), __FILE__, __LINE__)
static inline void t_slice_equal(slice got, slice want, const char *file, int line)
{
    if (slice_equal(got, want)) return;
    print_error("got  \"%.*s\"\nwant \"%.*s\"\n", SLICE_FMT(got), SLICE_FMT(want));
    _fail(file, line);
}

/* Runs the tests of an array named `tests`, e.g. int main(void) { return T_RUN(tests); } */
#define T_RUN(tests) cmocka_run_group_tests((tests), NULL, NULL)

#endif
