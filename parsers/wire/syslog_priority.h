/*
 * syslog_priority.h - "<1..>" at the start of a message, read as one word.
 *
 * Inside parsers/wire, for both formats. Any thread.
 */
#ifndef PARSERS_WIRE_SYSLOG_PRIORITY_H
#define PARSERS_WIRE_SYSLOG_PRIORITY_H
#include <string.h>

#include "engine/base/slice.h"

/* One to three digits, the first not 0, with eight bytes to load: no branch depends on how many.
 * The digits are moved to the top of a word, so that absent ones are zero. Returns the index behind
 * the '>', or 0 when it is not that plain. */
static inline uint32_t syslog_priority_plain(slice text, uint32_t at, uint32_t *priority)
{
    if (text.n - at < 8) return 0;
    uint32_t word;
    memcpy(&word, text.p + at + 1, 4);
    uint32_t digits = word - 0x30303030u;
    uint32_t marks = word ^ 0x3e3e3e3eu; /* zero where '>' is */
    marks = (marks - 0x01010101u) & ~marks & 0x80808080u;
    if (marks == 0) return 0;
    uint32_t n = (uint32_t)__builtin_ctz(marks) / 8;
    if (n == 0 || n > 3) return 0;
    digits = digits << 8 << (8 * (3 - n));
    /* All bytes at most 9: adding 0x76 carries none into its top bit. */
    if (((digits + 0x76767676u) | digits) & 0x80808080u) return 0;
    uint32_t first = (word & 0xff) - '0';
    if (first == 0) return 0;
    *priority = (digits >> 8 & 0xff) * 100 + (digits >> 16 & 0xff) * 10 + (digits >> 24);
    return at + 2 + n;
}

#endif
