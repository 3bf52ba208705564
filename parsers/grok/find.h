/*
 * find.h - the first place of a short text in a line. Private to parsers/grok.
 *
 * A vector of places at a time is asked for the first two bytes; glibc's memmem goes byte by byte.
 * Compiled once for each CPU level. No state; any thread.
 */
#ifndef PARSERS_GROK_FIND_H
#define PARSERS_GROK_FIND_H
/* As run_end.h. */
#define VEC_HALF
#include <stdint.h>
#include <string.h>
#include "engine/base/slice.h"
#include "parsers/grok/ops.h"
#include "parsers/scan/vec.h"

/* Bits of the places from p on where a pair of bytes is; VEC_BYTES + 1 are read. */
static inline uint32_t find_pairs(const char *p, char one, char two)
{
    uint64_t first = vec_mask_eq(vec_load(p), vec_set1(one));
    return (uint32_t)(first & vec_mask_eq(vec_load(p + 1), vec_set1(two)));
}

/* The place, or FIND_NONE. `text` has a byte at least; `at` is at most line.n. */
static inline uint32_t find_text(slice line, uint32_t at, slice text)
{
    while (text.n > 1 && line.n > VEC_BYTES && line.n - at > 1) {
        /* The last places are asked together with some that have been asked already. */
        uint32_t base = line.n - at > VEC_BYTES ? at : line.n - VEC_BYTES - 1;
        uint32_t bits = find_pairs(line.p + base, text.p[0], text.p[1]) >> (at - base)
                                                                               << (at - base);
        for (; bits != 0; bits &= bits - 1) {
            uint32_t hit = base + (uint32_t)__builtin_ctz(bits);
            if (text.n == 2) return hit;
            if (line.n - hit >= text.n && memcmp(line.p + hit + 2, text.p + 2, text.n - 2) == 0)
                return hit;
        }
        at = base + VEC_BYTES;
    }
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
