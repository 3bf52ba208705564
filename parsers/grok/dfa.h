/*
 * dfa.h - a leftmost-first automaton for a part without captures. Private to parsers/grok.
 *
 * It finds the end that ordered backtracking would try first among the ends whose next symbol is
 * in the follow set: states are ordered lists of NFA threads, cut behind the first that matches.
 * Matches are seen one symbol late, so that assertions about the next symbol can be decided.
 * Counted repeats make states; when those are too many, upper bounds are dropped, and then parts
 * with more bytes than the smallest bound are unknown. Immutable; any thread.
 */
#ifndef PARSERS_GROK_DFA_H
#define PARSERS_GROK_DFA_H
#include <stdbool.h>
#include <stdint.h>

#include "parsers/grok/shape.h"

#define DFA_FAIL UINT32_MAX          /* no end */
#define DFA_UNKNOWN (UINT32_MAX - 1) /* \b beside a byte above ASCII, a long part: ask PCRE2 */

struct dfa;

/* The sequence from `first` up to, not including, `end`; NULL when it grows too large. */
struct dfa *dfa_new(const struct shape *first, const struct shape *end, struct symbols follow);
void dfa_free(struct dfa *);
uint32_t dfa_states(const struct dfa *);
/* What bytes below `below` can be before the part, and can be its first n; or more than that. */
void dfa_starts(const struct dfa *, uint32_t below, struct symbols *before, struct symbols *bytes,
                uint32_t n);

#endif
