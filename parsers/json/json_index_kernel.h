/*
 * json_index_kernel.h - the JSON index with vectors of any width.
 *
 * Included by json_index_sse42.c, json_index_avx2.c, json_index_avx512.c only.
 */
#ifndef PARSERS_JSON_JSON_INDEX_KERNEL_H
#define PARSERS_JSON_JSON_INDEX_KERNEL_H
#include "parsers/json/json_index_bits.h"
#include "parsers/scan/vec.h"

struct json_index_kernel {
    uint32_t (*index)(const char *text, uint32_t from, uint32_t to, bool lines,
                      struct json_scan *scan, struct json_index *index);
};
extern const struct json_index_kernel json_index_sse42, json_index_avx2, json_index_avx512;

/* Looked up by low nibble: the white space, or the operator with bit 5 set, that has this
 * nibble; elsewhere a byte whose low nibble is another. 0x0c and 0x1a pass for ',' and ':'
 * that way and are taken out as control characters. */
static const uint8_t json_space_of[64] __attribute__((aligned(64))) =
    VEC_TABLE16(' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0);
static const uint8_t json_op_of[64] __attribute__((aligned(64))) =
    VEC_TABLE16(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0);

static inline void json_classify(const struct block *b, struct json_classes *c)
{
    c->quote = block_eq(b, '"');
    c->backslash = block_eq(b, '\\');
    c->control = block_le(b, 0x1f);
    c->newline = block_eq(b, '\n');
    c->high = block_high(b);
    c->op = c->space = 0;
    vec spaces = vec_load(json_space_of), ops = vec_load(json_op_of), bit5 = vec_set1(0x20);
    for (uint32_t i = 0; i < BLOCK_VECS; i++) {
        uint32_t shift = i * VEC_BYTES % 64;
        c->space |= vec_mask_eq(b->v[i], vec_lookup(spaces, b->v[i])) << shift;
        c->op |= vec_mask_eq(vec_or(b->v[i], bit5), vec_lookup(ops, b->v[i])) << shift;
    }
    c->op &= ~c->control;
}

static inline uint64_t json_inside(uint64_t quote)
{
#ifdef __PCLMUL__
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)quote), _mm_set1_epi8((char)0xff), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
#else
    return json_prefix_xor(quote);
#endif
}

#ifdef __AVX512VBMI2__

/* Offsets and bytes of the set bits, compressed to the front of a register each. Stores go
 * through registers: compressing to memory is microcoded on some CPUs. */
static inline void json_emit(uint64_t tokens, const struct block *b, const char *p, uint32_t base,
                             struct json_index *index)
{
    static const uint8_t iota[64] __attribute__((aligned(64))) = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    (void)p;
    uint32_t n = (uint32_t)__builtin_popcountll(tokens);
    __m512i offsets = _mm512_maskz_compress_epi8(tokens, vec_load(iota));
    __m512i start = _mm512_set1_epi32((int)base);
    uint32_t *out = index->position + index->n;
    vec_store(index->token + index->n, _mm512_maskz_compress_epi8(tokens, b->v[0]));
    __m128i next = _mm512_extracti32x4_epi32(offsets, 1);
    vec_store(out, _mm512_add_epi32(start, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(offsets))));
    vec_store(out + 16, _mm512_add_epi32(start, _mm512_cvtepu8_epi32(next)));
    if (__builtin_expect(n > 32, 0)) {
        next = _mm512_extracti32x4_epi32(offsets, 2);
        vec_store(out + 32, _mm512_add_epi32(start, _mm512_cvtepu8_epi32(next)));
        next = _mm512_extracti32x4_epi32(offsets, 3);
        vec_store(out + 48, _mm512_add_epi32(start, _mm512_cvtepu8_epi32(next)));
    }
    index->n += n;
}

#else

static inline void json_emit_8(uint64_t *tokens, const char *p, uint32_t base, uint8_t *token,
                               uint32_t *position)
{
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t offset = mask_first(*tokens) & 63;
        position[i] = base + offset;
        token[i] = (uint8_t)p[offset];
        *tokens &= *tokens - 1;
    }
}

/* Eight at a time without asking: more stores than needed, fewer mispredicted branches. */
static inline void json_emit(uint64_t tokens, const struct block *b, const char *p, uint32_t base,
                             struct json_index *index)
{
    (void)b;
    uint32_t n = (uint32_t)__builtin_popcountll(tokens);
    uint8_t *token = index->token + index->n;
    uint32_t *position = index->position + index->n;
    for (uint32_t i = 0; i < n; i += 8) json_emit_8(&tokens, p, base, token + i, position + i);
    index->n += n;
}

#endif

static inline uint32_t json_index_vec(const char *text, uint32_t from, uint32_t to, bool lines,
                                      struct json_scan *scan, struct json_index *index_out)
{
    /* Copies, because the stores of tokens might alias the originals. */
    struct json_scan state = *scan;
    struct json_index local = *index_out, *index = &local;
    uint64_t newlines = lines ? ~0ull : 0;
    while (from < to) {
        struct json_classes classes;
        struct block b = block_load(text + from);
        json_classify(&b, &classes);
        uint64_t broken, valid = mask_low(to - from < BLOCK_BYTES ? to - from : BLOCK_BYTES);
        uint64_t tokens = json_tokens(&classes, valid, newlines, &state, json_inside, &broken);
        if (__builtin_expect(broken != 0, 0)) {
            uint32_t offset;
            tokens = json_break(tokens, broken, &state, &offset);
            json_emit(tokens, &b, text + from, from, index);
            from += offset + 1;
            break;
        }
        json_emit(tokens, &b, text + from, from, index);
        from += BLOCK_BYTES;
    }
    *scan = state;
    *index_out = local;
    return from < to ? from : to;
}

#endif
