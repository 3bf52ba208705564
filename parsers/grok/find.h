/*
 * find.h - the first place of a short text in a line. Private to parsers/grok.
 *
 * FIND_STEP places at a time are asked for the first two bytes; glibc's memmem goes byte by byte.
 * As wide as the CPU that the including file is compiled for can take. No state; any thread.
 */
#ifndef PARSERS_GROK_FIND_H
#define PARSERS_GROK_FIND_H
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "engine/base/slice.h"

#define FIND_NONE UINT32_MAX

/* find_pairs: bits of the places from p on where a pair of bytes is; FIND_STEP + 1 are read. */
#if defined(__AVX2__)
#define FIND_STEP 32u
static inline uint32_t find_pairs(const char *p, char one, char two)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(p + 1));
    return (uint32_t)_mm256_movemask_epi8(_mm256_and_si256(
        _mm256_cmpeq_epi8(a, _mm256_set1_epi8(one)), _mm256_cmpeq_epi8(b, _mm256_set1_epi8(two))));
}
#elif defined(__SSE2__)
#define FIND_STEP 16u
static inline uint32_t find_pairs(const char *p, char one, char two)
{
    __m128i a = _mm_loadu_si128((const __m128i *)p);
    __m128i b = _mm_loadu_si128((const __m128i *)(p + 1));
    return (uint32_t)_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(a, _mm_set1_epi8(one)),
                                                     _mm_cmpeq_epi8(b, _mm_set1_epi8(two))));
}
#endif

/* `text` has a byte at least; `at` is at most line.n. */
static inline uint32_t find_text(slice line, uint32_t at, slice text)
{
#if defined(FIND_STEP)
    while (text.n > 1 && line.n > FIND_STEP && line.n - at > 1) {
        /* The last places are asked together with some that have been asked already. */
        uint32_t base = line.n - at > FIND_STEP ? at : line.n - FIND_STEP - 1;
        uint32_t bits = find_pairs(line.p + base, text.p[0], text.p[1]) >> (at - base)
                                                                               << (at - base);
        for (; bits != 0; bits &= bits - 1) {
            uint32_t hit = base + (uint32_t)__builtin_ctz(bits);
            if (text.n == 2) return hit;
            if (line.n - hit >= text.n && memcmp(line.p + hit + 2, text.p + 2, text.n - 2) == 0)
                return hit;
        }
        at = base + FIND_STEP;
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
