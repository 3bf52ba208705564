/* number_shortest.c - doubles to the shortest decimals; names as in the paper. */
#include "engine/base/number_shortest.h"

#include <string.h>

#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1075 /* of the mantissa as an integer */
#define POW10_MIN (-292)

struct pow10 {
    uint64_t high, low;
};
static const struct pow10 pow10_table[] = {
#include "engine/base/number_pow10.def"
};

/* floor(log2(10^e)) and floor(log10(2^e)), exact in the range of doubles. */
static int32_t log2_pow10(int32_t e)
{
    return e * 1741647 >> 19;
}
static int32_t log10_pow2(int32_t e)
{
    return e * 1262611 >> 22;
}
/* floor(log10(3/4 * 2^e)) */
static int32_t log10_three_quarters_pow2(int32_t e)
{
    return (e * 1262611 - 524031) >> 22;
}

/* The upper 64 bits of g * c / 2^64; the lowest one is set when anything was cut off. */
static uint64_t round_to_odd(struct pow10 g, uint64_t c)
{
    unsigned __int128 low = (unsigned __int128)g.low * c;
    unsigned __int128 sum = (unsigned __int128)g.high * c + (uint64_t)(low >> 64);
    return (uint64_t)(sum >> 64) | ((uint64_t)sum > 1);
}

static struct decimal_float without_zeros(uint64_t digits, int32_t exponent)
{
    if (digits % 100000000 == 0) digits /= 100000000, exponent += 8;
    if (digits % 10000 == 0) digits /= 10000, exponent += 4;
    if (digits % 100 == 0) digits /= 100, exponent += 2;
    while (digits % 10 == 0) digits /= 10, exponent++;
    return (struct decimal_float){digits, exponent};
}

struct decimal_float number_shortest(double real)
{
    uint64_t bits, c;
    memcpy(&bits, &real, sizeof(bits));
    uint64_t fraction = bits & ((1ull << MANTISSA_BITS) - 1);
    int32_t biased = (int32_t)(bits >> MANTISSA_BITS & 0x7ff), q;
    if (biased == 0 && fraction == 0) return (struct decimal_float){0, 0};
    if (biased != 0) {
        c = 1ull << MANTISSA_BITS | fraction;
        q = biased - EXPONENT_BIAS;
        if (q <= 0 && q > -MANTISSA_BITS - 1 && (c & ((1ull << -q) - 1)) == 0)
            return without_zeros(c >> -q, 0); /* a whole number */
    } else {
        c = fraction;
        q = 1 - EXPONENT_BIAS;
    }
    uint64_t odd = c & 1;
    /* Below a power of two the neighbour is half as far away. */
    int closer = fraction == 0 && biased > 1;
    int32_t k = closer ? log10_three_quarters_pow2(q) : log10_pow2(q);
    int32_t h = q + log2_pow10(-k) + 1;
    struct pow10 g = pow10_table[-k - POW10_MIN];
    uint64_t middle = round_to_odd(g, 4 * c << h);
    uint64_t lower = round_to_odd(g, (4 * c - 2 + (uint64_t)closer) << h) + odd;
    uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - odd;
    uint64_t s = middle / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        int below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) return without_zeros(tens + (uint64_t)above, k + 1);
    }
    int below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above) return without_zeros(s + (uint64_t)above, k);
    uint64_t half = 4 * s + 2;
    return without_zeros(s + (middle > half || (middle == half && (s & 1) != 0)), k);
}
