/*
 * diag.h - errors and warnings that point at the text they are about.
 *
 *   conf.d/10-in.conf:3:14: error: unknown option 'prot' for the tcp input
 *      3 |     tcp { prot => 5000 }
 *        |           ^
 *     did you mean 'port'?
 *
 * A source is the text of one configuration, possibly several files one after the other (as
 * Logstash joins them); a position is a byte offset in it and is printed as file, line, column.
 * Sources live in a heap that outlives every position. A diag collects up to DIAG_MAX entries
 * and counts the rest. Control thread only.
 */
#ifndef ENGINE_CONFIG_DIAG_H
#define ENGINE_CONFIG_DIAG_H
#include <stdint.h>
#include <stdio.h>

#include "engine/base/buf.h"
#include "engine/base/slice.h"
#include "engine/config/heap.h"

#define DIAG_MAX 200u
#define DIAG_LINE_MAX 160u /* longer source lines are cut around the caret */

/* One file's share of a source: it starts at `start` and ends where the next part starts. */
struct source_part {
    slice name;
    uint32_t start;
};

struct source {
    slice text;
    struct source_part *parts; /* ascending by start; at least one */
    uint32_t n;
};

/* A place in a source; {NULL, 0} when there is none (a command line flag, a default). */
struct pos {
    const struct source *source;
    uint32_t at;
};
#define POS_NONE ((struct pos){NULL, 0})

/* What a position means to a person; line and column count from 1, column in characters. */
struct pos_place {
    slice name, line_text;
    uint32_t line, column, column_bytes;
};

/* A source of a single named text, allocated in the heap; the text is copied. */
struct source *source_new(struct heap *heap, slice name, slice text);
struct pos_place pos_place(struct pos pos);
static inline struct pos pos_make(const struct source *source, uint32_t at)
{
    return (struct pos){source, at};
}

enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diag_entry {
    enum diag_level level;
    struct pos pos;
    slice text, expected, suggestion, fix; /* all but the first may be empty */
    const char *lint; /* the name by which this warning can be silenced, or NULL */
};

struct diag {
    struct heap heap; /* texts of the entries */
    struct diag_entry *at;
    uint32_t n, cap, errors, warnings;
};

#define DIAG_INIT ((struct diag){0})
void diag_fini(struct diag *diag);

/* `expected` is a phrase such as "a number between 1 and 65535", or NULL. */
void diag_error(struct diag *diag, struct pos pos, const char *expected, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void diag_warn(struct diag *diag, struct pos pos, const char *expected, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A warning of the lint `name` (engine/lint/lint.h), with what to do about it. */
void diag_lint(struct diag *diag, struct pos pos, const char *name, const char *fix,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Adds what to do about it to the entry just made, in place of an earlier one. */
void diag_fix(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds "did you mean 'x'?" to the entry just made, if some candidate is near enough. */
void diag_suggest(struct diag *diag, slice name, const char *const *candidates, uint32_t n);

/* All entries in order, with their source lines. */
void diag_print(const struct diag *diag, struct buf *out);
void diag_print_file(const struct diag *diag, FILE *out);

/* Index of the candidate nearest to `name` by edit distance (Damerau-Levenshtein, optimal string
 * alignment), or -1 when none is near enough to be a likely misspelling. */
int32_t nearest_name(slice name, const char *const *candidates, uint32_t n);

#endif
