/*
 * wanted.h - which pipelines should run: from -e, -f, the settings file, or pipelines.yml.
 *
 * A set is read anew for every reload, because pipelines.yml may have changed; it lives as long as
 * a plan that was compiled with its settings. Control thread.
 */
#ifndef ENGINE_APP_WANTED_H
#define ENGINE_APP_WANTED_H
#include "engine/config/process_settings.h"
#include "engine/lint/lint.h"
#include "engine/plan/plan.h"

struct wanted {
    const struct process_settings *settings;
    const struct env *env; /* of ${NAME}; NULL: the process's environment alone */
    const char *id;
    const char *path; /* path.config; NULL: the text */
    const char *text; /* config.string; missing input and output are filled in */
};

struct wanted_set {
    struct heap heap;
    struct wanted *at;
    uint32_t n;
    uint32_t users; /* plans, and whoever reads it now */
};

/* The set has one user, the caller, who drops it in any case, but not before the messages have
 * been printed: they point into it. ERR_CONFIG after reporting. `path_settings` may be NULL. */
err wanted_read(const struct process_settings *base, const char *path_settings,
                const struct env *env, struct wanted_set **out, struct diag *diag) MUST_USE;
void wanted_drop(struct wanted_set *set);

/* What loading a pipeline had to say. */
struct load_report {
    struct buf text; /* errors and warnings with their places */
    char first[300]; /* the first error */
    uint32_t errors, warnings;
};
void load_report_fini(struct load_report *r);

/* Which warnings are wanted besides those of reading and compiling. */
struct lint_request {
    bool run;
    struct lint_allow allow;
};

/* Reads, expands and compiles. NULL when there are errors. `lint` may be NULL. */
struct plan *wanted_compile(const struct wanted *w, const char *cache_dir,
                            const struct lint_request *lint, struct load_report *r);
/* A number that changes when the configuration's text or settings do. ERR_CONFIG: unreadable. */
err wanted_hash(const struct wanted *w, uint64_t *out) MUST_USE;

#endif
