/*
 * load.h - configuration text to a compiled plan. Control thread.
 */
#ifndef ENGINE_APP_LOAD_H
#define ENGINE_APP_LOAD_H
#include "engine/plan/plan.h"

/* Where a pipeline's configuration comes from. */
struct load_source {
    const char *path; /* -f; NULL: the text */
    const char *text; /* -e */
    bool complete;    /* -e: missing input and output are filled in */
};

/* NULL after printing what is wrong to stderr. Warnings are printed too. */
struct plan *load_plan(const struct load_source *source, const struct process_settings *settings);

#endif
