/*
 * dfa_run.h - runs an automaton; compiled once for each CPU level. Private to parsers/grok.
 *
 * A shortcut (shortcut_run.h) answers where it can, else the table. Any thread.
 */
#ifndef PARSERS_GROK_DFA_RUN_H
#define PARSERS_GROK_DFA_RUN_H
#include "parsers/grok/dfa_table.h"
#include "parsers/grok/shortcut_run.h"

/* What a terminal row says that the symbol at `at` led to; the part starts at `start`. */
static inline uint32_t dfa_verdict(const struct dfa *dfa, uint32_t row, uint32_t start, uint32_t at,
                                   uint32_t end)
{
    if (row == STATE_UNKNOWN * dfa->stride || at - start > dfa->scan_max) return DFA_UNKNOWN;
    return row == STATE_DEAD_MATCH * dfa->stride ? at : end;
}

/* Steps of the table. Out of line: most parts end by their shortcut, and what the steps need in
 * registers would be spilled around all of them. */
static __attribute__((noinline)) uint32_t dfa_run_table(const struct dfa *dfa, slice line,
                                                        uint32_t start)
{
    const uint8_t *class_of = dfa->class_of;
    const uint16_t *cell = dfa->cell;
    const uint32_t first_row = dfa->first_row, match_row = dfa->match_row;
    const bool skips = dfa->n_skips > 1;
    uint32_t at = start, end = DFA_FAIL, row = dfa->start[dfa->end_class];
    if (dfa->by_previous && at > 0) row = dfa->start[class_of[(unsigned char)line.p[at - 1]]];
    for (; at < line.n; at++) {
        uint32_t next = cell[row + class_of[(unsigned char)line.p[at]]];
        if (next >= match_row) end = at;
        if (__builtin_expect(next < first_row, 0)) return dfa_verdict(dfa, next, start, at, end);
        if (skips && next == row && cell[row + dfa->n_classes] != 0)
            at = run_end(&dfa->skip[cell[row + dfa->n_classes]], line, at + 1) - 1;
        row = next;
    }
    return dfa_verdict(dfa, cell[row + dfa->end_class], start, line.n, end);
}

/* End of the part that starts at `at`, DFA_FAIL or DFA_UNKNOWN. */
static inline uint32_t dfa_run(const struct dfa *dfa, slice line, uint32_t at)
{
    if (dfa->shortcut != NULL) {
        uint32_t there = shortcut_run(dfa->shortcut, line, at);
        if (there != SHORTCUT_NONE) return there;
    }
    return dfa_run_table(dfa, line, at);
}

#endif
