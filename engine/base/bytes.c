/* bytes.c - see bytes.h. */
#include "engine/base/bytes.h"

#if defined(__SSE2__)
#include <emmintrin.h>

/* A bit for each of the 16 bytes at p. */
static inline uint32_t hits16(const char *p, __m128i wanted)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(block, wanted));
}

static inline __m128i wanted_byte(char c)
{
    return _mm_set1_epi8(c);
}

/* A bit for each of the bytes from `at` on, up to sixteen. What is left at the end of a longer
 * text is looked at with bytes before it, which are shifted out. */
static inline uint32_t hits_from(slice text, uint32_t at, __m128i wanted)
{
    uint32_t left = text.n - at, hits = 0;
    if (left >= 16) return hits16(text.p + at, wanted);
    if (text.n >= 16) return hits16(text.p + text.n - 16, wanted) >> (16 - left);
    char c = (char)_mm_cvtsi128_si32(wanted);
    for (uint32_t i = 0; i < left; i++) hits |= (uint32_t)(text.p[at + i] == c) << i;
    return hits;
}
#else
static inline char wanted_byte(char c)
{
    return c;
}

static inline uint32_t hits_from(slice text, uint32_t at, char c)
{
    uint32_t hits = 0;
    for (uint32_t i = 0; i < 16 && at + i < text.n; i++)
        hits |= (uint32_t)(text.p[at + i] == c) << i;
    return hits;
}
#endif

uint32_t bytes_count(slice text, char c)
{
    uint32_t n = 0;
    for (uint32_t at = 0; at < text.n; at += 16)
        n += (uint32_t)__builtin_popcount(hits_from(text, at, wanted_byte(c)));
    return n;
}

void bytes_places(slice text, char c, uint32_t *place)
{
    for (uint32_t at = 0; at < text.n; at += 16)
        for (uint32_t hits = hits_from(text, at, wanted_byte(c)); hits != 0; hits &= hits - 1)
            *place++ = at + (uint32_t)__builtin_ctz(hits);
}

bool bytes_swapped(slice text, char from, char to, char *out)
{
    bool any = false;
    uint32_t i = 0;
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi8(from), change = _mm_set1_epi8((char)(from ^ to));
    for (; i + 16 <= text.n; i += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(text.p + i));
        __m128i hits = _mm_cmpeq_epi8(block, wanted);
        block = _mm_xor_si128(block, _mm_and_si128(hits, change));
        _mm_storeu_si128((__m128i *)(void *)(out + i), block);
        any |= _mm_movemask_epi8(hits) != 0;
    }
#endif
    for (; i < text.n; i++) {
        any |= text.p[i] == from;
        out[i] = text.p[i] == from ? to : text.p[i];
    }
    return any;
}
