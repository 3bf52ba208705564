/*
 * newline.h - where lines end.
 *
 * Scalar truth, SSE, AVX2 and AVX-512 variants, chosen by newline_init(). No variant reads
 * past the end of the slice. Pure functions: any thread.
 */
#ifndef PARSERS_SCAN_NEWLINE_H
#define PARSERS_SCAN_NEWLINE_H
#include "engine/base/cpu.h"
#include "engine/base/slice.h"

/* Index of the first '\n' at or after `from`, or -1. */
static inline int64_t newline_find(slice s, uint32_t from)
{
    const char *at = from >= s.n ? NULL : (const char *)memchr(s.p + from, '\n', s.n - from);
    return at == NULL ? -1 : at - s.p;
}

/* Slack that `out` of newline_collect needs behind its cap entries: variants store whole
 * vectors of positions. */
#define NEWLINE_SLACK 64u

/* Writes the indices of '\n' from `from` on into out, in order, at least one and at most `cap`
 * of them if there are any; returns how many and sets *next to where to go on (s.n when all
 * is done). cap >= 64; out has room for cap + NEWLINE_SLACK entries. */
extern uint32_t (*newline_collect)(slice s, uint32_t from, uint32_t *out, uint32_t cap,
                                   uint32_t *next);

/* How many '\n' the slice holds. */
extern uint32_t (*newline_count)(slice s);

void newline_init(enum cpu_level level);

#endif
