/* sha256_pair_shani.c - see sha256_pair.h. */
#include "engine/base/sha256_pair.h"

#include <string.h>
#if defined(__SHA__) && defined(__SSE4_1__)
#include <immintrin.h>

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* The eight words as the instructions take them. */
struct lane {
    __m128i abef, cdgh;
};

struct message {
    slice text;
    uint32_t blocks, whole; /* all, and those that lie in the text */
    unsigned char tail[128];
};

static void message_begin(struct message *m, slice text)
{
    uint32_t rest = text.n % 64, tail_blocks = rest < 56 ? 1 : 2;
    uint64_t bits = __builtin_bswap64((uint64_t)text.n * 8);
    m->text = text;
    m->whole = text.n / 64;
    m->blocks = m->whole + tail_blocks;
    memset(m->tail, 0, sizeof(m->tail));
    if (rest > 0) memcpy(m->tail, text.p + text.n - rest, rest);
    m->tail[rest] = 0x80;
    memcpy(m->tail + 64 * tail_blocks - 8, &bits, 8);
}

static inline const void *block_at(const struct message *m, uint32_t i)
{
    if (i < m->whole) return m->text.p + (size_t)i * 64;
    return m->tail + (size_t)(i - m->whole) * 64;
}

/* Four rounds with words w. */
static inline __attribute__((always_inline)) void rounds(struct lane *s, __m128i w, uint32_t i)
{
    w = _mm_add_epi32(w, _mm_load_si128((const __m128i *)(const void *)(round_constants + i)));
    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, w);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(w, 0x0e));
}

/* The next four words of the schedule, from the last sixteen. */
static inline __attribute__((always_inline)) __m128i words(__m128i w0, __m128i w1, __m128i w2,
                                                           __m128i w3)
{
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
    return _mm_sha256msg2_epu32(sum, w3);
}

static void blocks_add(struct lane *a, struct lane *b, const void *block_a, const void *block_b)
{
    const __m128i swap = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
    struct lane s = *a, t = *b;
    __m128i v[4], w[4];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        v[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block_a + i), swap);
        w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block_b + i), swap);
        rounds(&s, v[i], 4 * i);
        rounds(&t, w[i], 4 * i);
    }
#pragma GCC unroll 12
    for (uint32_t i = 4; i < 16; i++) {
        v[i & 3] = words(v[i & 3], v[(i + 1) & 3], v[(i + 2) & 3], v[(i + 3) & 3]);
        w[i & 3] = words(w[i & 3], w[(i + 1) & 3], w[(i + 2) & 3], w[(i + 3) & 3]);
        rounds(&s, v[i & 3], 4 * i);
        rounds(&t, w[i & 3], 4 * i);
    }
    a->abef = _mm_add_epi32(a->abef, s.abef), a->cdgh = _mm_add_epi32(a->cdgh, s.cdgh);
    b->abef = _mm_add_epi32(b->abef, t.abef), b->cdgh = _mm_add_epi32(b->cdgh, t.cdgh);
}

static void lane_end(struct lane s, unsigned char *out)
{
    const __m128i swap = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
    __m128i feba = _mm_shuffle_epi32(s.abef, 0x1b), dchg = _mm_shuffle_epi32(s.cdgh, 0xb1);
    __m128i low = _mm_blend_epi16(feba, dchg, 0xf0), high = _mm_alignr_epi8(dchg, feba, 8);
    _mm_storeu_si128((__m128i *)(void *)out, _mm_shuffle_epi8(low, swap));
    _mm_storeu_si128((__m128i *)(void *)(out + 16), _mm_shuffle_epi8(high, swap));
}

void sha256_pair(const slice text[2], unsigned char *const out[2])
{
    struct message m[2];
    /* The initial words a b e f, c d g h, the first one highest. */
    const __m128i abef = _mm_setr_epi32((int)0x9b05688c, 0x510e527f, (int)0xbb67ae85, 0x6a09e667);
    const __m128i cdgh = _mm_setr_epi32(0x5be0cd19, 0x1f83d9ab, (int)0xa54ff53a, 0x3c6ef372);
    struct lane lane[2] = {{abef, cdgh}, {abef, cdgh}}, unused;
    message_begin(&m[0], text[0]);
    message_begin(&m[1], text[1]);
    uint32_t longer = m[0].blocks < m[1].blocks, i = 0;
    for (; i < m[!longer].blocks; i++)
        blocks_add(&lane[0], &lane[1], block_at(&m[0], i), block_at(&m[1], i));
    /* What is left of the longer one runs beside itself. */
    for (; i < m[longer].blocks; i++) {
        unused = lane[longer];
        blocks_add(&lane[longer], &unused, block_at(&m[longer], i), block_at(&m[longer], i));
    }
    lane_end(lane[0], out[0]);
    lane_end(lane[1], out[1]);
}
#else
#include "engine/base/assert.h"

void sha256_pair(const slice text[2], unsigned char *const out[2])
{
    (void)text, (void)out;
    PANIC("this machine has no SHA extensions");
}
#endif
