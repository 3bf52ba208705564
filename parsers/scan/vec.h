/*
 * vec.h - the widest byte vector of the CPU that the including file is compiled for.
 *
 * Kernels are written once against this header and compiled by x_sse42.c, x_avx2.c and
 * x_avx512.c; the build gives those files their flags by name. Masks have bit i for byte i.
 * Only files that define a kernel include it. A kernel for short texts defines VEC_HALF first: with
 * AVX-512 it gets vectors of 32 bytes that compare into mask registers.
 */
#ifndef PARSERS_SCAN_VEC_H
#define PARSERS_SCAN_VEC_H
#include <immintrin.h>
#include <stdint.h>

#define VEC_TABLE16(...)                                                                           \
    {                                                                                              \
        __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__                                         \
    }

#if defined(__AVX512BW__) && !defined(VEC_HALF)

typedef __m512i vec;
#define VEC_BYTES 64u
static inline vec vec_load(const void *p)
{
    return _mm512_loadu_si512(p);
}
static inline void vec_store(void *p, vec v)
{
    _mm512_storeu_si512(p, v);
}
static inline vec vec_set1(char c)
{
    return _mm512_set1_epi8(c);
}
static inline vec vec_and(vec a, vec b)
{
    return _mm512_and_si512(a, b);
}
static inline vec vec_or(vec a, vec b)
{
    return _mm512_or_si512(a, b);
}
static inline vec vec_xor(vec a, vec b)
{
    return _mm512_xor_si512(a, b);
}
/* Per byte, max(a - b, 0). */
static inline vec vec_subs(vec a, vec b)
{
    return _mm512_subs_epu8(a, b);
}
static inline vec vec_sub(vec a, vec b)
{
    return _mm512_sub_epi8(a, b);
}
/* table[index & 15] per 16-byte lane, 0 where index has its high bit set. */
static inline vec vec_lookup(vec table, vec index)
{
    return _mm512_shuffle_epi8(table, index);
}
/* Per 16 bits: high nibbles are in the low ones' places, under bits of the byte above. */
static inline vec vec_down4(vec v)
{
    return _mm512_srli_epi16(v, 4);
}
static inline uint64_t vec_mask_eq(vec a, vec b)
{
    return _mm512_cmpeq_epi8_mask(a, b);
}
static inline uint64_t vec_mask_le(vec a, vec b)
{
    return _mm512_cmple_epu8_mask(a, b);
}
static inline uint64_t vec_mask_high(vec v)
{
    return (uint64_t)_mm512_movepi8_mask(v);
}

#elif defined(__AVX2__)

typedef __m256i vec;
#define VEC_BYTES 32u
static inline vec vec_load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void vec_store(void *p, vec v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}
static inline vec vec_set1(char c)
{
    return _mm256_set1_epi8(c);
}
static inline vec vec_and(vec a, vec b)
{
    return _mm256_and_si256(a, b);
}
static inline vec vec_or(vec a, vec b)
{
    return _mm256_or_si256(a, b);
}
static inline vec vec_xor(vec a, vec b)
{
    return _mm256_xor_si256(a, b);
}
static inline vec vec_subs(vec a, vec b)
{
    return _mm256_subs_epu8(a, b);
}
static inline vec vec_sub(vec a, vec b)
{
    return _mm256_sub_epi8(a, b);
}
static inline vec vec_lookup(vec table, vec index)
{
    return _mm256_shuffle_epi8(table, index);
}
static inline vec vec_down4(vec v)
{
    return _mm256_srli_epi16(v, 4);
}
static inline uint64_t vec_mask_high(vec v)
{
    return (uint32_t)_mm256_movemask_epi8(v);
}
#if defined(__AVX512BW__) && defined(__AVX512VL__)
static inline uint64_t vec_mask_eq(vec a, vec b)
{
    return _mm256_cmpeq_epi8_mask(a, b);
}
static inline uint64_t vec_mask_le(vec a, vec b)
{
    return _mm256_cmple_epu8_mask(a, b);
}
#else
static inline uint64_t vec_mask_eq(vec a, vec b)
{
    return vec_mask_high(_mm256_cmpeq_epi8(a, b));
}
static inline uint64_t vec_mask_le(vec a, vec b)
{
    return vec_mask_high(_mm256_cmpeq_epi8(_mm256_min_epu8(a, b), a));
}
#endif

#else

typedef __m128i vec;
#define VEC_BYTES 16u
static inline vec vec_load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}
static inline void vec_store(void *p, vec v)
{
    _mm_storeu_si128((__m128i *)p, v);
}
static inline vec vec_set1(char c)
{
    return _mm_set1_epi8(c);
}
static inline vec vec_and(vec a, vec b)
{
    return _mm_and_si128(a, b);
}
static inline vec vec_or(vec a, vec b)
{
    return _mm_or_si128(a, b);
}
static inline vec vec_xor(vec a, vec b)
{
    return _mm_xor_si128(a, b);
}
static inline vec vec_subs(vec a, vec b)
{
    return _mm_subs_epu8(a, b);
}
static inline vec vec_sub(vec a, vec b)
{
    return _mm_sub_epi8(a, b);
}
static inline vec vec_lookup(vec table, vec index)
{
    return _mm_shuffle_epi8(table, index);
}
static inline vec vec_down4(vec v)
{
    return _mm_srli_epi16(v, 4);
}
static inline uint64_t vec_mask_high(vec v)
{
    return (uint32_t)_mm_movemask_epi8(v);
}
static inline uint64_t vec_mask_eq(vec a, vec b)
{
    return vec_mask_high(_mm_cmpeq_epi8(a, b));
}
static inline uint64_t vec_mask_le(vec a, vec b)
{
    return vec_mask_high(_mm_cmpeq_epi8(_mm_min_epu8(a, b), a));
}

#endif

static inline vec vec_shr4(vec v)
{
    return vec_and(vec_down4(v), vec_set1(0x0f));
}

/* 64 bytes in as many vectors as that takes, so that masks are always 64 bits. */
#define BLOCK_BYTES 64u
#define BLOCK_VECS (BLOCK_BYTES / VEC_BYTES)
struct block {
    vec v[BLOCK_VECS];
};

static inline struct block block_load(const char *p)
{
    struct block b;
    for (uint32_t i = 0; i < BLOCK_VECS; i++) b.v[i] = vec_load(p + i * VEC_BYTES);
    return b;
}

static inline uint64_t block_eq(const struct block *b, char c)
{
    uint64_t mask = 0;
    vec want = vec_set1(c);
    for (uint32_t i = 0; i < BLOCK_VECS; i++)
        mask |= vec_mask_eq(b->v[i], want) << (i * VEC_BYTES % 64);
    return mask;
}

/* Bytes not above c, unsigned. */
static inline uint64_t block_le(const struct block *b, char c)
{
    uint64_t mask = 0;
    vec bound = vec_set1(c);
    for (uint32_t i = 0; i < BLOCK_VECS; i++)
        mask |= vec_mask_le(b->v[i], bound) << (i * VEC_BYTES % 64);
    return mask;
}

static inline uint64_t block_high(const struct block *b)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < BLOCK_VECS; i++)
        mask |= vec_mask_high(b->v[i]) << (i * VEC_BYTES % 64);
    return mask;
}

/* Index of the lowest set bit; any number when there is none. */
static inline uint32_t mask_first(uint64_t mask)
{
#ifdef __BMI__
    return (uint32_t)_tzcnt_u64(mask);
#else
    return mask == 0 ? 64 : (uint32_t)__builtin_ctzll(mask);
#endif
}

/* The lowest n bits; n <= 64. */
static inline uint64_t mask_low(uint32_t n)
{
    return n >= 64 ? ~0ull : (1ull << n) - 1;
}

#endif
