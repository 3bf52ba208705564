/*
 * shortcut.h - ends of common texts that need no steps of an automaton. Private to parsers/grok.
 *
 * Numbers, decimals, words, quoted texts, IPv4 addresses and time stamps are recognized 16 bytes at
 * a time. A shortcut is a language and a set of symbols that may come next; it exists only when
 * every text of the language, from the given previous symbols on and before every such next symbol,
 * provably takes the automaton to "ends here, and nowhere else" (shortcut.c walks all of them).
 * What does not fit is left to the automaton, so answers never differ. Immutable; any thread.
 */
#ifndef PARSERS_GROK_SHORTCUT_H
#define PARSERS_GROK_SHORTCUT_H
#include <stdint.h>

#include "engine/base/slice.h"
#include "parsers/grok/run_set.h"

#define SHORTCUT_NONE UINT32_MAX
#define SHORTCUT_STAMPS_MAX 4u
#define STAMP_BYTES_MAX 32u

/* Bits of the tables below; stamps follow. */
enum { SHORTCUT_RUN = 1, SHORTCUT_QUOTED = 2, SHORTCUT_QUAD = 4, SHORTCUT_STAMP = 8 };
#define SHORTCUT_STAMPS 0x78u
#define SHORTCUT_DECIMAL 0x80
#define QUAD_BYTES_MAX 15u

/* Byte i is at most span[i] above low[i]; the rest are offsets, or STAMP_NONE. */
#define STAMP_NONE 255u
struct stamp {
    uint8_t low[STAMP_BYTES_MAX], span[STAMP_BYTES_MAX];
    uint8_t n;
    uint8_t day, hour, month; /* of two digits */
    uint8_t name;             /* of a month in three letters */
    uint8_t sign;
};

struct shortcut {
    uint8_t starts[SYMBOLS]; /* shortcuts that hold, by previous symbol */
    uint8_t first[256];      /* by first byte */
    uint8_t stops[SYMBOLS];  /* by the symbol behind them */
    uint8_t quote;
    uint32_t run_max; /* bytes */
    struct run_set run, quoted;
    struct stamp stamp[SHORTCUT_STAMPS_MAX];
};

struct dfa;

/* NULL when nothing could be proven. Freed by free(). */
struct shortcut *shortcut_new(const struct dfa *);

#endif
