/*
 * hash.h - one hash for field names and small keys.
 *
 * Two overlapping loads and two multiplications for up to 16 bytes, in the manner of
 * wyhash (Wang Yi, public domain): 2 ns for a field name. Not a defence by itself
 * against chosen keys: tables keyed by it are scanned, bounded or seeded. Any thread.
 */
#ifndef ENGINE_BASE_HASH_H
#define ENGINE_BASE_HASH_H
#include <stdint.h>
#include <string.h>

#include "engine/base/slice.h"

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_load64(const char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static inline uint32_t hash_load32(const char *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

#define HASH_K0 0xa0761d6478bd642fULL
#define HASH_K1 0xe7037ed1a0b428dbULL

/* 64-bit hash of n bytes; the same on every machine of one endianness. */
static inline uint64_t hash_bytes(const char *p, size_t n, uint64_t seed)
{
    uint64_t a = 0, b = 0;
    seed ^= HASH_K0;
    if (n >= 4 && n <= 16) {
        size_t half = (n >> 3) << 2;
        a = ((uint64_t)hash_load32(p) << 32) | hash_load32(p + half);
        b = ((uint64_t)hash_load32(p + n - 4) << 32) | hash_load32(p + n - 4 - half);
    } else if (n > 16) {
        size_t left = n;
        const char *at = p;
        while (left > 16) {
            seed = hash_mix(hash_load64(at) ^ HASH_K1, hash_load64(at + 8) ^ seed);
            at += 16;
            left -= 16;
        }
        a = hash_load64(p + n - 16);
        b = hash_load64(p + n - 8);
    } else if (n > 0) {
        a = ((uint64_t)(unsigned char)p[0] << 16) | ((uint64_t)(unsigned char)p[n >> 1] << 8) |
            (unsigned char)p[n - 1];
    }
    return hash_mix(HASH_K1 ^ n, hash_mix(a ^ HASH_K1, b ^ seed));
}

/* The hash of a field name, as members and field references carry it. */
static inline uint32_t hash_key(const char *p, size_t n)
{
    return (uint32_t)hash_bytes(p, n, 0);
}

#endif
