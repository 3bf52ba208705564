/*
 * run_end.h - the end of a run of bytes of a set; compiled once for each CPU level. Private to
 * parsers/grok. Any thread.
 */
#ifndef PARSERS_GROK_RUN_END_H
#define PARSERS_GROK_RUN_END_H
/* Runs are short, and masks have 32 bits. */
#define VEC_HALF
#include "parsers/grok/run_set.h"
#include "parsers/scan/vec.h"

_Static_assert(VEC_BYTES <= RUN_WIDTH_MAX, "the tables of a set fill a vector");

/*
 * Bits of the VEC_BYTES bytes at p that are no members. Bytes above 0x7f find no bit in either
 * table, and what they are compared with is 0, too, unless they are members: then it is 0x80.
 */
static inline uint32_t run_stops(const struct run_set *set, const char *p)
{
    vec v = vec_load(p);
    /* A lookup takes the low nibble, and gives 0 for bytes above 0x7f. */
    vec by_low = vec_lookup(vec_load(set->low), v);
    vec by_high = vec_lookup(vec_load(set->bit), vec_and(vec_down4(v), vec_load(set->nibble)));
    vec none = vec_and(v, vec_load(set->high));
    return (uint32_t)vec_mask_eq(vec_and(by_low, by_high), none);
}

/* End of the run of members that starts at `at`, which is in the line or its end. */
static inline uint32_t run_end(const struct run_set *set, slice line, uint32_t at)
{
    if (__builtin_expect(line.n >= set->line_n_min, 1)) {
        for (; __builtin_expect(line.n - at >= VEC_BYTES, 1); at += VEC_BYTES) {
            uint32_t stop = run_stops(set, line.p + at);
            if (__builtin_expect(stop != 0, 1)) return at + (uint32_t)__builtin_ctz(stop);
        }
        /* Of the line's last VEC_BYTES bytes some have been seen: they are shifted out, and the bit
         * shifted in stands for the end of the line. */
        uint64_t stop = run_stops(set, line.p + line.n - VEC_BYTES) | 1ULL << VEC_BYTES;
        return at + (uint32_t)__builtin_ctzll(stop >> (VEC_BYTES - (line.n - at)));
    }
    while (at < line.n && set->has[(unsigned char)line.p[at]]) at++;
    return at;
}

#endif
