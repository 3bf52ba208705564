/*
 * digest.h - fingerprints of bytes: MD5, SHA-1, SHA-2, keyed (HMAC) or not, and MurmurHash3.
 *
 * A digest is made once with its key's two half-way states; taking a fingerprint copies a state
 * and allocates nothing. Immutable after digest_init: any thread.
 * Sources: FIPS 180-4, RFC 1321, RFC 2104; MurmurHash3 by Austin Appleby (public domain).
 */
#ifndef ENGINE_PLAN_DIGEST_H
#define ENGINE_PLAN_DIGEST_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/pages.h"

enum digest_method { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_MD5 };
#define DIGEST_BYTES_MAX 64u
#define DIGEST_STATE_BYTES 256u

struct digest {
    enum digest_method method;
    bool keyed;
    _Alignas(16) unsigned char inner[DIGEST_STATE_BYTES], outer[DIGEST_STATE_BYTES];
};

/* key.p == NULL: not keyed. */
void digest_init(struct digest *d, enum digest_method method, slice key);
/* Returns the bytes written to out[DIGEST_BYTES_MAX]. */
uint32_t digest_bytes(const struct digest *d, slice text, unsigned char *out);
/* The same for two texts, which may take little longer than one. */
uint32_t digest_two(const struct digest *d, const slice text[2], unsigned char *const out[2]);

/* Lower-case hexadecimal, and base64 (RFC 4648 section 4) with padding, in the arena. */
slice hex_text(const unsigned char *bytes, uint32_t n, struct arena *arena);
slice base64_text(const unsigned char *bytes, uint32_t n, struct arena *arena);
/* The way back, strict: whole groups, padding at the end only. */
bool base64_bytes(slice text, struct arena *arena, slice *out) MUST_USE;

uint32_t murmur3_32(slice text, uint32_t seed);
/* The x64 variant, as 16 little-endian bytes. */
void murmur3_128(slice text, uint64_t seed, unsigned char out[16]);

#endif
