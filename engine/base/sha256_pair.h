/*
 * sha256_pair.h - SHA-256 of two texts at once, with the processor's SHA extensions.
 *
 * Each round of a digest waits for the one before it, four cycles on the machines of today, which
 * begin one every two: a second text fits in between and costs nothing. FIPS 180-4; the order of
 * the registers is that of "Intel SHA Extensions" (Gulley et al., 2013). Any thread.
 */
#ifndef ENGINE_BASE_SHA256_PAIR_H
#define ENGINE_BASE_SHA256_PAIR_H
#include "engine/base/slice.h"

#define SHA256_PAIR_BYTES 32u

/* Only where cpu_has_sha(). */
void sha256_pair(const slice text[2], unsigned char *const out[2]);

#endif
