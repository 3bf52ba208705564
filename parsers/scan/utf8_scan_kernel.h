/*
 * utf8_scan_kernel.h - the lookup validator of Keiser and Lemire, for any vector width.
 *
 * Every byte is looked at together with the one before it: three table lookups (high and low
 * nibble of the first, high nibble of the second) give sets of possible errors, whose
 * intersection is not empty exactly for a bad pair. Third and fourth bytes are told by the bytes
 * two and three before. Included by utf8_scan_sse42.c, _avx2.c, _avx512.c only.
 */
#ifndef PARSERS_SCAN_UTF8_SCAN_KERNEL_H
#define PARSERS_SCAN_UTF8_SCAN_KERNEL_H
#include "parsers/scan/utf8_scan.h"
#include "parsers/scan/vec.h"

struct utf8_scan_kernel {
    bool (*valid)(slice s);
};
extern const struct utf8_scan_kernel utf8_scan_sse42, utf8_scan_avx2, utf8_scan_avx512;

/* What can be wrong with a pair of bytes; the names are the paper's. */
enum {
    TOO_SHORT = 1 << 0,      /* a lead byte, then no continuation */
    TOO_LONG = 1 << 1,       /* ASCII, then a continuation */
    OVERLONG_3 = 1 << 2,     /* E0 80..9F */
    TOO_LARGE = 1 << 3,      /* F4 90.., F5.. */
    SURROGATE = 1 << 4,      /* ED A0..BF */
    OVERLONG_2 = 1 << 5,     /* C0, C1 */
    TOO_LARGE_1000 = 1 << 6, /* F5.. 80..8F; shares its bit with OVERLONG_4, F0 80..8F */
    OVERLONG_4 = 1 << 6,
    TWO_CONTS = 1 << 7, /* two continuations: right only after a long enough lead */
    CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS /* errors that the low nibble says nothing about */
};

/* clang-format off */
static const uint8_t utf8_first_high[64] __attribute__((aligned(64))) = VEC_TABLE16(
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
    TWO_CONTS, TWO_CONTS, TWO_CONTS, TWO_CONTS,
    TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
static const uint8_t utf8_first_low[64] __attribute__((aligned(64))) = VEC_TABLE16(
    CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4, CARRY | OVERLONG_2, CARRY, CARRY,
    CARRY | TOO_LARGE,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000);
static const uint8_t utf8_second_high[64] __attribute__((aligned(64))) = VEC_TABLE16(
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
/* clang-format on */

/* Errors of the vector at p; the three bytes before p are readable. */
static inline vec utf8_errors(const char *p)
{
    vec now = vec_load(p), back1 = vec_load(p - 1);
    vec pair =
        vec_and(vec_and(vec_lookup(vec_load(utf8_first_high), vec_shr4(back1)),
                        vec_lookup(vec_load(utf8_first_low), vec_and(back1, vec_set1(0x0f)))),
                vec_lookup(vec_load(utf8_second_high), vec_shr4(now)));
    /* The high bit stays set where two back is E0.. or three back is F0..: there, and only
     * there, a second continuation must be. */
    vec third = vec_subs(vec_load(p - 2), vec_set1((char)(0xe0 - 0x80)));
    vec fourth = vec_subs(vec_load(p - 3), vec_set1((char)(0xf0 - 0x80)));
    return vec_xor(vec_and(vec_or(third, fourth), vec_set1((char)0x80)), pair);
}

static inline bool vec_is_zero(vec v)
{
    vec zero = vec_set1(0);
    return vec_mask_eq(v, zero) == (VEC_BYTES == 64 ? ~0ull : mask_low(VEC_BYTES));
}

/* Checks n bytes (at most VEC_BYTES) from a copy, `back` bytes before them (at most 3) as they
 * are and NULs around: what is cut off by the end is an error then. */
static inline bool utf8_edge(const char *p, uint32_t back, uint32_t n)
{
    char copy[3 + 2 * VEC_BYTES] = {0};
    memcpy(copy + 3 - back, p - back, back + n);
    vec errors = utf8_errors(copy + 3);
    if (n > VEC_BYTES - 3) errors = vec_or(errors, utf8_errors(copy + 3 + VEC_BYTES));
    return vec_is_zero(errors);
}

static inline bool utf8_scan_vec(slice s)
{
    uint32_t first = s.n < VEC_BYTES ? s.n : VEC_BYTES;
    if (s.n <= VEC_BYTES) return s.n == 0 || utf8_edge(s.p, 0, first);
    /* The vector at 0 has no bytes before it; its last sequence may go on behind it. */
    char copy[3 + VEC_BYTES] = {0};
    memcpy(copy + 3, s.p, VEC_BYTES);
    vec errors = utf8_errors(copy + 3);
    uint64_t high = vec_mask_high(vec_load(s.p));
    uint32_t at = VEC_BYTES;
    for (; at + 4 * VEC_BYTES <= s.n; at += 4 * VEC_BYTES) {
        const char *p = s.p + at;
        vec all = vec_or(vec_or(vec_load(p), vec_load(p + VEC_BYTES)),
                         vec_or(vec_load(p + 2 * VEC_BYTES), vec_load(p + 3 * VEC_BYTES)));
        uint64_t now = vec_mask_high(all);
        if ((now | high) != 0)
            for (uint32_t i = 0; i < 4; i++)
                errors = vec_or(errors, utf8_errors(p + i * VEC_BYTES));
        high = now;
    }
    for (; at + VEC_BYTES <= s.n; at += VEC_BYTES) errors = vec_or(errors, utf8_errors(s.p + at));
    return vec_is_zero(errors) && utf8_edge(s.p + at, 3, s.n - at);
}

#endif
