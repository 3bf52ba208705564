/* digest.c - OpenSSL's plain hash states, HMAC over them, MurmurHash3. */
/* The EVP interface allocates when a state is copied, which HMAC does per event; these functions
 * run the same assembly (SHA extensions included) on plain structures. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "engine/plan/digest.h"

#include "engine/base/cpu.h"
#include "engine/base/sha256_pair.h"

#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>
#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

union state {
    SHA_CTX sha1;
    SHA256_CTX sha256;
    SHA512_CTX sha512;
    MD5_CTX md5;
    unsigned char raw[DIGEST_STATE_BYTES];
};
_Static_assert(sizeof(union state) == DIGEST_STATE_BYTES, "room for every state");

static void state_begin(union state *s, enum digest_method method)
{
    switch (method) {
    case DIGEST_SHA1: SHA1_Init(&s->sha1); break;
    case DIGEST_SHA256: SHA256_Init(&s->sha256); break;
    case DIGEST_SHA384: SHA384_Init(&s->sha512); break;
    case DIGEST_SHA512: SHA512_Init(&s->sha512); break;
    case DIGEST_MD5: MD5_Init(&s->md5); break;
    }
}

static void state_add(union state *s, enum digest_method method, const void *p, size_t n)
{
    switch (method) {
    case DIGEST_SHA1: SHA1_Update(&s->sha1, p, n); break;
    case DIGEST_SHA256: SHA256_Update(&s->sha256, p, n); break;
    case DIGEST_SHA384:
    case DIGEST_SHA512: SHA512_Update(&s->sha512, p, n); break;
    case DIGEST_MD5: MD5_Update(&s->md5, p, n); break;
    }
}

static uint32_t state_end(union state *s, enum digest_method method, unsigned char *out)
{
    switch (method) {
    case DIGEST_SHA1: SHA1_Final(out, &s->sha1); return SHA_DIGEST_LENGTH;
    case DIGEST_SHA256: SHA256_Final(out, &s->sha256); return SHA256_DIGEST_LENGTH;
    case DIGEST_SHA384: SHA384_Final(out, &s->sha512); return SHA384_DIGEST_LENGTH;
    case DIGEST_SHA512: SHA512_Final(out, &s->sha512); return SHA512_DIGEST_LENGTH;
    case DIGEST_MD5: MD5_Final(out, &s->md5); return MD5_DIGEST_LENGTH;
    }
    return 0;
}

/* Copies only as much as the method uses. */
static size_t state_bytes(enum digest_method method)
{
    switch (method) {
    case DIGEST_SHA1: return sizeof(SHA_CTX);
    case DIGEST_SHA256: return sizeof(SHA256_CTX);
    case DIGEST_MD5: return sizeof(MD5_CTX);
    default: return sizeof(SHA512_CTX);
    }
}

static void pad_begin(unsigned char *to, enum digest_method method, const unsigned char *key,
                      uint32_t block, unsigned char pad)
{
    unsigned char bytes[128];
    union state s;
    for (uint32_t i = 0; i < block; i++) bytes[i] = key[i] ^ pad;
    state_begin(&s, method);
    state_add(&s, method, bytes, block);
    memcpy(to, &s, state_bytes(method));
}

void digest_init(struct digest *d, enum digest_method method, slice key)
{
    union state s;
    *d = (struct digest){.method = method, .keyed = key.p != NULL};
    if (!d->keyed) {
        state_begin(&s, method);
        memcpy(d->inner, &s, state_bytes(method));
        return;
    }
    unsigned char block_key[128] = {0};
    uint32_t block = method == DIGEST_SHA384 || method == DIGEST_SHA512 ? 128 : 64;
    if (key.n > block) {
        state_begin(&s, method);
        state_add(&s, method, key.p, key.n);
        state_end(&s, method, block_key);
    } else {
        memcpy(block_key, key.p, key.n);
    }
    pad_begin(d->inner, method, block_key, block, 0x36);
    pad_begin(d->outer, method, block_key, block, 0x5c);
}

uint32_t digest_bytes(const struct digest *d, slice text, unsigned char *out)
{
    union state s;
    size_t size = state_bytes(d->method);
    memcpy(&s, d->inner, size);
    state_add(&s, d->method, text.p, text.n);
    uint32_t n = state_end(&s, d->method, out);
    if (!d->keyed) return n;
    memcpy(&s, d->outer, size);
    state_add(&s, d->method, out, n);
    return state_end(&s, d->method, out);
}

uint32_t digest_two(const struct digest *d, const slice text[2], unsigned char *const out[2])
{
    if (d->method == DIGEST_SHA256 && !d->keyed && cpu_has_sha()) {
        sha256_pair(text, out);
        return SHA256_PAIR_BYTES;
    }
    digest_bytes(d, text[0], out[0]);
    return digest_bytes(d, text[1], out[1]);
}

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#if defined(__SSSE3__)
/* Sixteen bytes as 32 digits: each half-byte is an index into the digits. */
static void hex16(const unsigned char *bytes, char *out)
{
    const __m128i digits = _mm_loadu_si128((const void *)hex_digits), low = _mm_set1_epi8(15);
    __m128i in = _mm_loadu_si128((const void *)bytes);
    __m128i high = _mm_and_si128(_mm_srli_epi16(in, 4), low);
    high = _mm_shuffle_epi8(digits, high);
    in = _mm_shuffle_epi8(digits, _mm_and_si128(in, low));
    _mm_storeu_si128((void *)out, _mm_unpacklo_epi8(high, in));
    _mm_storeu_si128((void *)(out + 16), _mm_unpackhi_epi8(high, in));
}

/* Twelve bytes as 16 digits; sixteen are read. Mula, Lemire: "Faster Base64 Encoding and Decoding
 * Using AVX2 Instructions", ACM Transactions on the Web 12 (3), 2018. */
static void base64_12(const unsigned char *bytes, char *out)
{
    /* What is added to an index: by its class, which is 0 for 26..51, 1..12 for 52..63, 13 below.
     */
    const __m128i add =
        _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                      '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    __m128i in = _mm_loadu_si128((const void *)bytes);
    in = _mm_shuffle_epi8(in, _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
    /* Each 32 bits hold three bytes; the multiplications shift six bits of them into each byte. */
    __m128i odd = _mm_and_si128(in, _mm_set1_epi32(0x0fc0fc00));
    odd = _mm_mulhi_epu16(odd, _mm_set1_epi32(0x04000040));
    __m128i even = _mm_and_si128(in, _mm_set1_epi32(0x003f03f0));
    even = _mm_mullo_epi16(even, _mm_set1_epi32(0x01000010));
    __m128i index = _mm_or_si128(odd, even);
    __m128i class = _mm_subs_epu8(index, _mm_set1_epi8(51));
    __m128i upper = _mm_cmpgt_epi8(_mm_set1_epi8(26), index);
    class = _mm_or_si128(class, _mm_and_si128(upper, _mm_set1_epi8(13)));
    _mm_storeu_si128((void *)out, _mm_add_epi8(_mm_shuffle_epi8(add, class), index));
}
#endif

slice hex_text(const unsigned char *bytes, uint32_t n, struct arena *arena)
{
    char *out = arena_alloc(arena, (size_t)n * 2 + 1, 1);
    uint32_t i = 0;
#if defined(__SSSE3__)
    for (; i + 16 <= n; i += 16) hex16(bytes + i, out + 2 * i);
#endif
    for (; i < n; i++) {
        out[2 * i] = hex_digits[bytes[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    return slice_make(out, (size_t)n * 2);
}

slice base64_text(const unsigned char *bytes, uint32_t n, struct arena *arena)
{
    char *out = arena_alloc(arena, ((size_t)n + 2) / 3 * 4 + 1, 1);
    uint32_t at = 0, i = 0;
#if defined(__SSSE3__)
    for (; n - i >= 16; i += 12, at += 16) base64_12(bytes + i, out + at);
#endif
    for (; i < n; i += 3) {
        uint32_t left = n - i;
        uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? bytes[i + 2] : 0);
        out[at++] = base64_digits[group >> 18];
        out[at++] = base64_digits[group >> 12 & 63];
        out[at++] = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        out[at++] = left > 2 ? base64_digits[group & 63] : '=';
    }
    return slice_make(out, at);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_bytes(slice text, struct arena *arena, slice *out)
{
    if (text.n % 4 != 0) return false;
    uint32_t pad = 0, n = 0;
    while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=') pad++;
    char *bytes = arena_alloc(arena, (size_t)text.n / 4 * 3 + 1, 1);
    for (uint32_t i = 0; i < text.n; i += 4) {
        uint32_t group = 0;
        for (uint32_t k = 0; k < 4; k++) {
            int digit = i + k >= text.n - pad ? 0 : base64_digit(text.p[i + k]);
            if (digit < 0) return false;
            group = group << 6 | (uint32_t)digit;
        }
        bytes[n++] = (char)(group >> 16);
        bytes[n++] = (char)(group >> 8);
        bytes[n++] = (char)group;
    }
    *out = slice_make(bytes, n - pad);
    return true;
}

/* ---- MurmurHash3 ------------------------------------------------------------------ */

static inline uint32_t rotl32(uint32_t x, int r)
{
    return x << r | x >> (32 - r);
}
static inline uint64_t rotl64(uint64_t x, int r)
{
    return x << r | x >> (64 - r);
}

static inline uint32_t mix32(uint32_t k)
{
    return rotl32(k * 0xcc9e2d51u, 15) * 0x1b873593u;
}

uint32_t murmur3_32(slice text, uint32_t seed)
{
    uint32_t h = seed, i = 0, k;
    for (; i + 4 <= text.n; i += 4) {
        memcpy(&k, text.p + i, 4);
        h = rotl32(h ^ mix32(k), 13) * 5 + 0xe6546b64u;
    }
    k = 0;
    for (uint32_t j = 0; i + j < text.n; j++)
        k |= (uint32_t)(unsigned char)text.p[i + j] << (8 * j);
    if (i < text.n) h ^= mix32(k);
    h ^= text.n;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

#define MURMUR_C1 0x87c37b91114253d5ULL
#define MURMUR_C2 0x4cf5ad432745937fULL

static uint64_t fmix64(uint64_t h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
    return h ^ h >> 33;
}

/* Up to 8 bytes, the first one lowest. */
static uint64_t load_tail(slice text, uint32_t from)
{
    uint64_t k = 0;
    for (uint32_t j = 0; j < 8 && from + j < text.n; j++)
        k |= (uint64_t)(unsigned char)text.p[from + j] << (8 * j);
    return k;
}

void murmur3_128(slice text, uint64_t seed, unsigned char out[16])
{
    uint64_t h1 = seed, h2 = seed, k1, k2;
    uint32_t i = 0;
    for (; i + 16 <= text.n; i += 16) {
        memcpy(&k1, text.p + i, 8);
        memcpy(&k2, text.p + i + 8, 8);
        h1 ^= rotl64(k1 * MURMUR_C1, 31) * MURMUR_C2;
        h1 = (rotl64(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= rotl64(k2 * MURMUR_C2, 33) * MURMUR_C1;
        h2 = (rotl64(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    h2 ^= rotl64(load_tail(text, i + 8) * MURMUR_C2, 33) * MURMUR_C1;
    h1 ^= rotl64(load_tail(text, i) * MURMUR_C1, 31) * MURMUR_C2;
    h1 ^= text.n;
    h2 ^= text.n;
    h1 += h2;
    h2 += h1;
    h1 = fmix64(h1);
    h2 = fmix64(h2);
    h1 += h2;
    h2 += h1;
    memcpy(out, &h1, 8);
    memcpy(out + 8, &h2, 8);
}
