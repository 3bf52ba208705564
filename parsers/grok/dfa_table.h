/*
 * dfa_table.h - the table of an automaton, between dfa.c (makes and runs it) and shortcut.c (proves
 * things about it). Private to parsers/grok; immutable once dfa_new has returned.
 */
#ifndef PARSERS_GROK_DFA_TABLE_H
#define PARSERS_GROK_DFA_TABLE_H
#include "parsers/grok/dfa.h"
#include "parsers/grok/run_set.h"
#include "parsers/grok/shortcut.h"

#define DFA_STATES_MAX 3000u

/* States in which nothing goes on: no end, no end known, an end just before. */
enum { STATE_DEAD, STATE_UNKNOWN, STATE_DEAD_MATCH, STATES_TERMINAL };

/*
 * cell[row + class] is the row of the next state; the last cell of a row is the number of its
 * skip, 0 for none. State n has its row at n * stride. To be in a state from match_row on means
 * that the part could have ended before the symbol that led there. The critical path of a step is
 * one addition and one load.
 */
struct dfa {
    uint8_t class_of[256];
    uint32_t end_class;
    uint32_t n_classes, n_states, stride;
    uint32_t match_row, first_row; /* first_row: the first that is not terminal */
    uint16_t *start;               /* row by class of the previous symbol */
    uint16_t *cell;
    struct run_set *skip; /* bytes that lead back to a state, when they are many */
    uint32_t n_skips;
    struct shortcut *shortcut; /* NULL: none */
    uint32_t scan_max;         /* bytes after which the table is not exact, see dfa_new */
    bool by_previous;
};

#endif
