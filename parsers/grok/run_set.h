/*
 * run_set.h - sets of bytes and the end of a run of them. Private to parsers/grok.
 *
 * Membership by byte, and by nibbles for RUN_STEP bytes at a time (W. Mula's byte lookup): as many
 * as the CPU that the including file is compiled for can take. Constant after run_set_init; any
 * thread.
 */
#ifndef PARSERS_GROK_RUN_SET_H
#define PARSERS_GROK_RUN_SET_H
#include <stdbool.h>
#include <stdint.h>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSSE3__)
#include <tmmintrin.h>
#endif

#include "engine/base/slice.h"
#include "parsers/grok/shape.h"

#define RUN_WIDTH_MAX 32u /* bytes of the widest vector */

/*
 * Vectors are as wide as the widest one, and constant ones are members, too: a load is one
 * instruction, and building them from immediates before each of many short runs is three.
 */
struct run_set {
    uint8_t has[256];
    uint8_t low[RUN_WIDTH_MAX];    /* by low nibble: bit h set when 0xh? is a member, h < 8 */
    uint8_t bit[RUN_WIDTH_MAX];    /* by high nibble: 1 << h */
    uint8_t nibble[RUN_WIDTH_MAX]; /* 0x0f */
    uint8_t high[RUN_WIDTH_MAX];   /* 0x80: all bytes above 0x7f are members; 0: none is */
    uint32_t line_n_min;           /* lines of so many bytes are read in steps; UINT32_MAX when
                                      low and high cannot say it all */
};

/* `run` is zeroed. */
static inline void run_set_init(struct run_set *run, const struct symbols *set)
{
    uint32_t high = 0;
    for (uint32_t c = 0; c < 256; c++) {
        run->has[c] = symbols_has(set, c);
        if (run->has[c] && c < 128) run->low[c & 15] |= (uint8_t)(1u << (c >> 4));
        high += c >= 128 && run->has[c];
    }
    memcpy(run->low + 16, run->low, 16);
    for (uint32_t i = 0; i < RUN_WIDTH_MAX; i++)
        run->bit[i] = (i & 15) < 8 ? (uint8_t)(1u << (i & 15)) : 0;
    memset(run->nibble, 0x0f, sizeof(run->nibble));
    memset(run->high, high == 128 ? 0x80 : 0, sizeof(run->high));
    run->line_n_min = high == 0 || high == 128 ? RUN_WIDTH_MAX : UINT32_MAX;
}

/*
 * run_stops: bits of the RUN_STEP bytes at p that are no members. Bytes above 0x7f find no bit in
 * either table, and what they are compared with is 0, too, unless they are members: then it is
 * 0x80.
 */
#if defined(__AVX2__)
#define RUN_STEP 32u
static inline uint32_t run_stops(const struct run_set *set, const char *p)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)p);
    __m256i high_nibble =
        _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_loadu_si256((const __m256i *)set->nibble));
    /* A shuffle looks at the low nibble, and gives 0 for bytes above 0x7f. */
    __m256i by_low = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)set->low), v);
    __m256i by_high =
        _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)set->bit), high_nibble);
    __m256i none = _mm256_and_si256(v, _mm256_loadu_si256((const __m256i *)set->high));
    __m256i out = _mm256_cmpeq_epi8(_mm256_and_si256(by_low, by_high), none);
    return (uint32_t)_mm256_movemask_epi8(out);
}
#elif defined(__SSSE3__)
#define RUN_STEP 16u
static inline uint32_t run_stops(const struct run_set *set, const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    __m128i high_nibble =
        _mm_and_si128(_mm_srli_epi16(v, 4), _mm_loadu_si128((const __m128i *)set->nibble));
    __m128i by_low = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)set->low), v);
    __m128i by_high = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)set->bit), high_nibble);
    __m128i none = _mm_and_si128(v, _mm_loadu_si128((const __m128i *)set->high));
    __m128i out = _mm_cmpeq_epi8(_mm_and_si128(by_low, by_high), none);
    return (uint32_t)_mm_movemask_epi8(out);
}
#endif

#if defined(__AVX2__)
/* Bits of the RUN_STEP bytes at p that are above 0x7f. */
static inline uint32_t run_high(const char *p)
{
    return (uint32_t)_mm256_movemask_epi8(_mm256_loadu_si256((const __m256i *)p));
}
#elif defined(__SSSE3__)
static inline uint32_t run_high(const char *p)
{
    return (uint32_t)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)p));
}
#endif

/* End of the run of members that starts at `at`, which is in the line or its end. */
static inline uint32_t run_end(const struct run_set *set, slice line, uint32_t at)
{
#if defined(RUN_STEP)
    if (__builtin_expect(line.n >= set->line_n_min, 1)) {
        for (; __builtin_expect(line.n - at >= RUN_STEP, 1); at += RUN_STEP) {
            uint32_t stop = run_stops(set, line.p + at);
            if (__builtin_expect(stop != 0, 1)) return at + (uint32_t)__builtin_ctz(stop);
        }
        /* Of the line's last RUN_STEP bytes some have been seen: they are shifted out, and the bit
         * shifted in stands for the end of the line. */
        uint64_t stop = run_stops(set, line.p + line.n - RUN_STEP) | 1ULL << RUN_STEP;
        return at + (uint32_t)__builtin_ctzll(stop >> (RUN_STEP - (line.n - at)));
    }
#endif
    while (at < line.n && set->has[(unsigned char)line.p[at]]) at++;
    return at;
}

#endif
