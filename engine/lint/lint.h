/*
 * lint.h - warnings about configurations that are valid and yet not what their author meant.
 *
 * One function per lint, one table of them. A lint looks at the parsed configuration, variables
 * expanded, after it has been compiled without errors; it says what happens, why, and what to write
 * instead, and stays silent when it cannot be sure. A warning is silenced by its name: for a run
 * (lint_allow), or by a comment on its line or the line before: # spate: allow NAME, NAME.
 * Names that only the reader of configurations warns about (no function) stand in the table too.
 * Control thread; texts live in the diag.
 */
#ifndef ENGINE_LINT_LINT_H
#define ENGINE_LINT_LINT_H
#include "engine/config/ast.h"
#include "engine/config/process_settings.h"

struct lint;

struct lint_entry {
    const char *name;
    const char *doc;              /* one sentence for docs/configuration.md */
    void (*check)(struct lint *); /* NULL: found while reading */
};

extern const struct lint_entry lint_table[]; /* ends with a zero entry */

#define LINT_ALLOW_MAX 64u
struct lint_allow {
    const char *names[LINT_ALLOW_MAX];
    uint32_t n;
};

/* Whether there is a lint of that name; if not it is an error that suggests one. */
bool lint_known(slice name, struct diag *diag);
/* Runs all lints on a configuration without errors. */
void lint_run(const struct ast *ast, const struct process_settings *settings, struct diag *diag);
/* Takes out what is said twice of one place, and what is silenced, by the list (may be NULL) or by
 * comments in the source. */
void lint_filter(struct diag *diag, const struct lint_allow *allow);
/* Gives the warnings about a text that have no name of their own this one. */
void lint_name(struct diag *diag, const char *name);
/* Warns about comments that silence a lint which does not exist. */
void lint_comments(const struct source *source, struct diag *diag);
/* A Markdown table of the lints. */
void lint_markdown(struct buf *out);

#endif
