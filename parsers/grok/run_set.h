/*
 * run_set.h - sets of bytes and the end of a run of them. Private to parsers/grok.
 *
 * Membership by byte, and by nibbles for 16 bytes at a time (W. Mula's byte lookup). Constant
 * after run_set_init; any thread.
 */
#ifndef PARSERS_GROK_RUN_SET_H
#define PARSERS_GROK_RUN_SET_H
#include <stdbool.h>
#include <stdint.h>
#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

#include "engine/base/slice.h"
#include "parsers/grok/shape.h"

struct run_set {
    uint8_t has[256];
    uint8_t low[16]; /* by low nibble: bit h set when 0xh? is a member, h < 8 */
    bool high;       /* all bytes above 0x7f are members; else none is */
    bool by_nibble;  /* the two tables say it all */
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
    run->high = high == 128;
    run->by_nibble = high == 0 || high == 128;
}

#if defined(__SSSE3__)
/* Bits of the 16 bytes at p that are no members; the set is by_nibble. */
static inline uint32_t run_stops(const struct run_set *set, const char *p)
{
    const __m128i low = _mm_loadu_si128((const __m128i *)set->low);
    const __m128i bit = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i nibble = _mm_set1_epi8(0x0f);
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    /* Bytes above 0x7f shuffle to zero, so they are no members here. */
    __m128i by_low = _mm_shuffle_epi8(low, _mm_and_si128(v, nibble));
    __m128i by_high = _mm_shuffle_epi8(bit, _mm_and_si128(_mm_srli_epi16(v, 4), nibble));
    __m128i out = _mm_cmpeq_epi8(_mm_and_si128(by_low, by_high), _mm_setzero_si128());
    uint32_t stop = (uint32_t)_mm_movemask_epi8(out);
    return set->high ? stop & ~(uint32_t)_mm_movemask_epi8(v) : stop;
}
#endif

/* End of the run of members that starts at `at`. */
static inline uint32_t run_end(const struct run_set *set, slice line, uint32_t at)
{
#if defined(__SSSE3__)
    for (; set->by_nibble && at + 16 <= line.n; at += 16) {
        uint32_t stop = run_stops(set, line.p + at);
        if (stop != 0) return at + (uint32_t)__builtin_ctz(stop);
    }
#endif
    while (at < line.n && set->has[(unsigned char)line.p[at]]) at++;
    return at;
}

#endif
