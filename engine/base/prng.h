/*
 * prng.h - reproducible pseudo-random numbers (xorshift64*, Vigna 2016).
 *
 * For jitter, sampling and simulation; never for secrets. State belongs to one thread.
 */
#ifndef ENGINE_BASE_PRNG_H
#define ENGINE_BASE_PRNG_H
#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline void prng_seed(struct prng *r, uint64_t seed)
{
    r->state = seed * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL;
    if (r->state == 0) r->state = 1;
}

static inline uint64_t prng_next(struct prng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545f4914f6cdd1dULL;
}

/* Uniform in [0, n); n > 0. */
static inline uint64_t prng_below(struct prng *r, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)prng_next(r) * n) >> 64);
}

#endif
