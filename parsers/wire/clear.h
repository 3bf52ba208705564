/*
 * clear.h - zeroes a small struct by vector stores.
 *
 * Inside parsers/wire, for results cleared once per message: the string instruction compilers make
 * of a struct assignment this size takes longer to start (some 10 ns) than all the stores.
 */
#ifndef PARSERS_WIRE_CLEAR_H
#define PARSERS_WIRE_CLEAR_H
#include <emmintrin.h>
#include <stddef.h>

/* n is a constant of at least 16. */
static inline __attribute__((always_inline)) void clear_small(void *p, size_t n)
{
    char *at = p;
    for (size_t i = 0; i + 16 <= n; i += 16) {
        _mm_storeu_si128((__m128i *)(void *)(at + i), _mm_setzero_si128());
        __asm__("" : : : "memory"); /* or the loop is turned back into that instruction */
    }
    _mm_storeu_si128((__m128i *)(void *)(at + n - 16), _mm_setzero_si128());
}

#endif
