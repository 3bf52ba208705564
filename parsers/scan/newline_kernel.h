/*
 * newline_kernel.h - the newline scan over 64-byte blocks, for any vector width.
 *
 * Included by newline_sse42.c, newline_avx2.c, newline_avx512.c only.
 */
#ifndef PARSERS_SCAN_NEWLINE_KERNEL_H
#define PARSERS_SCAN_NEWLINE_KERNEL_H
#include "parsers/scan/newline.h"
#include "parsers/scan/vec.h"

struct newline_kernel {
    uint32_t (*collect)(slice s, uint32_t from, uint32_t *out, uint32_t cap, uint32_t *next);
    uint32_t (*count)(slice s);
};
extern const struct newline_kernel newline_sse42, newline_avx2, newline_avx512;

/* Two stores without asking cover almost every block of log lines. */
static inline uint32_t newline_emit(uint64_t mask, uint32_t base, uint32_t *out)
{
    uint32_t n = (uint32_t)__builtin_popcountll(mask);
    out[0] = base + mask_first(mask);
    uint64_t rest = mask & (mask - 1);
    out[1] = base + mask_first(rest);
    for (uint32_t i = 2; __builtin_expect(i < n, 0); i++) {
        rest &= rest - 1;
        out[i] = base + mask_first(rest);
    }
    return n;
}

/* The bytes behind the last whole block, from a copy: nothing past the end is read. */
static inline uint64_t newline_tail(const char *p, uint32_t n)
{
    char tail[BLOCK_BYTES] = {0};
    memcpy(tail, p, n);
    struct block b = block_load(tail);
    return block_eq(&b, '\n');
}

static inline uint32_t newline_collect_vec(slice s, uint32_t from, uint32_t *out, uint32_t cap,
                                           uint32_t *next)
{
    uint32_t n = 0;
    while (from + BLOCK_BYTES <= s.n && n + BLOCK_BYTES <= cap) {
        struct block b = block_load(s.p + from);
        n += newline_emit(block_eq(&b, '\n'), from, out + n);
        from += BLOCK_BYTES;
    }
    if (from < s.n && s.n - from < BLOCK_BYTES && n + BLOCK_BYTES <= cap) {
        n += newline_emit(newline_tail(s.p + from, s.n - from), from, out + n);
        from = s.n;
    }
    *next = from;
    return n;
}

static inline uint32_t newline_count_vec(slice s)
{
    uint32_t n = 0, at = 0;
    for (; at + BLOCK_BYTES <= s.n; at += BLOCK_BYTES) {
        struct block b = block_load(s.p + at);
        n += (uint32_t)__builtin_popcountll(block_eq(&b, '\n'));
    }
    if (at < s.n) n += (uint32_t)__builtin_popcountll(newline_tail(s.p + at, s.n - at));
    return n;
}

#endif
