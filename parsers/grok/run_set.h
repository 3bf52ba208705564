/*
 * run_set.h - sets of bytes, made for run_end.h. Private to parsers/grok.
 *
 * Membership by byte, and by nibbles for a vector of bytes at a time (W. Mula's byte lookup).
 * Constant after run_set_init; any thread.
 */
#ifndef PARSERS_GROK_RUN_SET_H
#define PARSERS_GROK_RUN_SET_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "parsers/grok/shape.h"

#define RUN_WIDTH_MAX 32u /* bytes of the widest vector */

/*
 * Vectors are as wide as the widest one, and constant ones are members, too: a load is one
 * instruction, and building them from immediates before each of many short runs is three.
 */
struct run_set {
    uint8_t has[256];
    uint8_t low[RUN_WIDTH_MAX];    /* by low nibble: bit h set when 0xh? is a member, h < 8 */
    uint8_t bit[RUN_WIDTH_MAX];    /* by high nibble: 1 << h */
    uint8_t nibble[RUN_WIDTH_MAX]; /* 0x0f */
    uint8_t high[RUN_WIDTH_MAX];   /* 0x80: all bytes above 0x7f are members; 0: none is */
    uint32_t line_n_min;           /* lines of so many bytes are read in steps; UINT32_MAX when
                                      low and high cannot say it all */
};

/* `run` is zeroed. */
static inline void run_set_init(struct run_set *run, const struct symbols *set)
{
    uint32_t high = 0;
    for (uint32_t c = 0; c < 256; c++) {
        run->has[c] = symbols_has(set, c);
        if (run->has[c] && c < 128) run->low[c & 15] |= (uint8_t)(1u << (c >> 4));
        high += c >= 128 && run->has[c];
    }
    memcpy(run->low + 16, run->low, 16);
    for (uint32_t i = 0; i < RUN_WIDTH_MAX; i++)
        run->bit[i] = (i & 15) < 8 ? (uint8_t)(1u << (i & 15)) : 0;
    memset(run->nibble, 0x0f, sizeof(run->nibble));
    memset(run->high, high == 128 ? 0x80 : 0, sizeof(run->high));
    run->line_n_min = high == 0 || high == 128 ? RUN_WIDTH_MAX : UINT32_MAX;
}

#endif
