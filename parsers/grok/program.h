/*
 * program.h - span operations that extract without backtracking. Private to parsers/grok.
 *
 * An expression is lowered to a few operations on byte spans (literal, class run, until-byte, a
 * small automaton for everything without captures) wherever the result provably equals what
 * leftmost, ordered backtracking finds. Every operation takes the highest-priority way through its
 * part; when the rest then fails although another way existed, the program does not guess: it says
 * PROGRAM_UNDECIDED and PCRE2 decides. So a match is the match, and "no match" is proven.
 *
 * Leftmost-first automata as in R. Cox, "Regular Expression Matching in the Wild" (2010).
 * A program is immutable and shared; a scratch belongs to a thread.
 */
#ifndef PARSERS_GROK_PROGRAM_H
#define PARSERS_GROK_PROGRAM_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "parsers/grok/code.h"
#include "parsers/grok/literal.h"

struct program;
struct program_scratch;

enum program_status { PROGRAM_NO_MATCH, PROGRAM_MATCH, PROGRAM_UNDECIDED };

/* NULL when the expression has a part that cannot be lowered; `why` then says which. */
struct program *program_new(const struct regex_tree *, struct buf *why);
void program_free(struct program *);
/* Whether it may run on subjects beyond ASCII. */
bool program_takes_utf8(const struct program *);
void program_explain(const struct program *, struct buf *out);

struct program_scratch *program_scratch_new(void);
void program_scratch_free(struct program_scratch *);

/*
 * Search from the start of a valid UTF-8 line. `gate`, when given, is looked for once the first
 * position has failed: a line without it cannot match. *spans has 1 + groups entries on a match;
 * when undecided *from is where PCRE2 must go on (nothing matches before it).
 */
enum program_status program_run(const struct program *, struct program_scratch *, slice line,
                                const struct need_literal *gate, const struct regex_span **spans,
                                uint32_t *from);

/* Whether the literal is in the line. */
bool program_gate_open(const struct need_literal *gate, slice line);
bool line_is_ascii(slice line);

#endif
