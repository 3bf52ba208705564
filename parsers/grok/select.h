/*
 * select.h - which patterns of a set can match a line at all. Private to parsers/grok.
 *
 * Hyperscan's literal matcher over the required literals of all patterns; a Hyperscan regex
 * database in prefilter mode for patterns without literals, for ASCII lines, when there are enough
 * of them to pay; the rest is always a candidate. Immutable after select_new; scratches per thread.
 * The regex database takes long to build and is kept in cache_dir, named by a hash of its content,
 * Hyperscan's version and the CPU; a damaged file is built anew.
 */
#ifndef PARSERS_GROK_SELECT_H
#define PARSERS_GROK_SELECT_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "parsers/grok/code.h"

struct selector;
struct selector_scratch;

enum select_how { SELECT_ALWAYS, SELECT_LITERAL, SELECT_REGEX };

/* Never fails: what Hyperscan refuses is always tried. */
struct selector *select_new(struct regex *const *patterns, uint32_t n, const char *cache_dir);
void select_free(struct selector *);
struct selector_scratch *select_scratch_new(const struct selector *);
void select_scratch_free(struct selector_scratch *);
/* Sets bit i of candidates[] for every pattern that may match; the words are cleared first. */
void select_run(const struct selector *, struct selector_scratch *, slice line, enum encoding,
                uint64_t *candidates);
enum select_how select_how(const struct selector *, uint32_t pattern);
/* One line about a pattern. */
void select_explain(const struct selector *, uint32_t pattern, struct buf *out);

#endif
