/*
 * find.h - the first place of a short text in a line. Private to parsers/grok.
 *
 * Sixteen places at a time are asked for the first two bytes; glibc's memmem goes byte by byte.
 * No state; any thread.
 */
#ifndef PARSERS_GROK_FIND_H
#define PARSERS_GROK_FIND_H
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "engine/base/slice.h"

#define FIND_NONE UINT32_MAX

/* `text` has a byte at least; `at` is at most line.n. */
static inline uint32_t find_text(slice line, uint32_t at, slice text)
{
#if defined(__SSE2__)
    const __m128i one = _mm_set1_epi8(text.p[0]), two = _mm_set1_epi8(text.p[text.n > 1]);
    for (; text.n > 1 && at + 17 <= line.n; at += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(line.p + at));
        __m128i b = _mm_loadu_si128((const __m128i *)(line.p + at + 1));
        __m128i both = _mm_and_si128(_mm_cmpeq_epi8(a, one), _mm_cmpeq_epi8(b, two));
        for (uint32_t bits = (uint32_t)_mm_movemask_epi8(both); bits != 0; bits &= bits - 1) {
            uint32_t hit = at + (uint32_t)__builtin_ctz(bits);
            if (text.n == 2) return hit;
            if (line.n - hit >= text.n && memcmp(line.p + hit + 2, text.p + 2, text.n - 2) == 0)
                return hit;
        }
    }
#endif
    while (line.n - at >= text.n) {
        const char *hit = memchr(line.p + at, text.p[0], line.n - at - text.n + 1);
        if (hit == NULL) return FIND_NONE;
        at = (uint32_t)(hit - line.p);
        if (memcmp(hit, text.p, text.n) == 0) return at;
        at++;
    }
    return FIND_NONE;
}

#endif
