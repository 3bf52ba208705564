/*
 * json_index_bits.h - from character classes of 64 bytes to tokens, as bit arithmetic.
 *
 * Shared by the scalar truth and the vector kernels: they only differ in how classes are
 * found and how set bits become index entries. The escape and in-string computations are those
 * of Langdale and Lemire (2019, section 3.1), with the later branch-saving form of simdjson.
 */
#ifndef PARSERS_JSON_JSON_INDEX_BITS_H
#define PARSERS_JSON_JSON_INDEX_BITS_H
#include "parsers/json/json_index.h"

/* Bit i: text[i] is of that class. */
struct json_classes {
    uint64_t quote, backslash, op, space, control, newline, high;
};

/* Bit i is the xor of bits 0..i: turns quotes into "inside". */
static inline uint64_t json_prefix_xor(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    return bits;
}

/* Splits backslashes into those that begin an escape (returned) and bytes that are escaped. */
static inline uint64_t json_escapes(uint64_t backslash, uint64_t *carry, uint64_t *escaped)
{
    const uint64_t odd = 0xaaaaaaaaaaaaaaaaull;
    if (backslash == 0) {
        *escaped = *carry;
        *carry = 0;
        return 0;
    }
    /* Runs of backslashes: subtraction carries through a run, so that a run's start parity
     * decides which of its bytes are escapes. */
    uint64_t begin = backslash & ~*carry;
    uint64_t codes = (((begin << 1) | odd) - begin) ^ odd;
    uint64_t escape = codes & backslash;
    *escaped = codes ^ (backslash | *carry);
    *carry = escape >> 63;
    return escape;
}

/* Tokens of the block; `valid` has a bit for each byte of the text. Sets *broken to the bits
 * of newlines that stand inside a string. */
static inline uint64_t json_tokens(const struct json_classes *c, uint64_t valid, uint64_t lines,
                                   struct json_scan *scan, uint64_t inside_of(uint64_t),
                                   uint64_t *broken)
{
    uint64_t escaped, escape = json_escapes(c->backslash & valid, &scan->escaped, &escaped);
    uint64_t quote = c->quote & valid & ~escaped;
    uint64_t inside = inside_of(quote) ^ scan->in_string; /* with the opening quote */
    scan->in_string = (uint64_t)((int64_t)inside >> 63);

    uint64_t plain = ~(c->op | c->space | quote) & valid;
    uint64_t begin = plain & ~(plain << 1 | scan->scalar);
    scan->scalar = plain >> 63;
    scan->high |= c->high & valid;

    uint64_t newline = c->newline & valid & lines;
    *broken = newline & inside;
    uint64_t outside = ((c->op & valid) | begin | newline) & ~inside;
    return outside | quote | (inside & (escape | (c->control & valid)));
}

/* Cuts the block behind the first newline inside a string and forgets the string: returns the
 * tokens up to and with that newline, and its offset. */
static inline uint64_t json_break(uint64_t tokens, uint64_t broken, struct json_scan *scan,
                                  uint32_t *offset)
{
    *offset = (uint32_t)__builtin_ctzll(broken);
    scan->in_string = scan->escaped = scan->scalar = 0;
    return tokens & (broken ^ (broken - 1));
}

#endif
