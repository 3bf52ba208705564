/*
 * process_settings.h - logstash.yml, spate.yml, pipelines.yml and the flags that set the same.
 *
 * One table (process_settings.c) names every setting with type, default, unit and doc line. A
 * struct process_settings holds the values of the process, or of one pipeline (a copy of the
 * process's with the pipeline's own on top). Later sets win: defaults, file, flags. Values live
 * in the heap given at creation. Control thread; read by name, so look up once, not per event.
 */
#ifndef ENGINE_CONFIG_PROCESS_SETTINGS_H
#define ENGINE_CONFIG_PROCESS_SETTINGS_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/config/env.h"

enum process_type {
    PROCESS_STRING,
    PROCESS_PASSWORD,
    PROCESS_INT,
    PROCESS_BOOL,
    PROCESS_BYTES,      /* int64_t bytes; 64mb is 64 * 2^20 */
    PROCESS_TIME,       /* int64_t nanoseconds; a number without unit is nanoseconds */
    PROCESS_MS,         /* int64_t milliseconds, a plain number */
    PROCESS_CHOICE,     /* one of choices; read as text */
    PROCESS_LIST,       /* strings; in YAML a list or one string, on the command line a,b */
    PROCESS_PORT_RANGE, /* "9600" or "9600-9700": read with process_settings_ports */
    PROCESS_AGE         /* 30s 5m 2h 7d; int64_t nanoseconds, 0 when not set */
};

enum process_flag {
    PROCESS_PIPELINE = 1,    /* may stand in pipelines.yml */
    PROCESS_UNSUPPORTED = 2, /* known to Logstash, not to spate: an error unless its default */
    PROCESS_IGNORED = 4,     /* has no meaning without a JVM: accepted, one warning */
    PROCESS_NULLABLE = 8
};

struct process_setting {
    const char *name;
    enum process_type type;
    const char *default_text; /* NULL: none, or computed (see process_settings_new) */
    uint32_t flags;
    const char *const *choices;
    int64_t min, max; /* 0, 0: any */
    const char *doc;
};

extern const struct process_setting process_setting_table[]; /* ends with a zero entry */

struct process_settings;

/* Everything at its default; pipeline.workers is the number of CPUs, node.name the host's. */
struct process_settings *process_settings_new(struct heap *heap);
/* A pipeline's own settings on top of those of the process. */
struct process_settings *process_settings_copy(const struct process_settings *from,
                                               struct heap *heap);
/* Sets one by its text as a flag or -S NAME=VALUE gives it; `pos` for messages. */
err process_settings_set(struct process_settings *s, slice name, slice text, struct pos pos,
                         struct diag *diag) MUST_USE;
/* Reads `folder`/spate.yml, or logstash.yml when that is absent; neither is not an error. Flags
 * are to be set after this. */
err process_settings_load(struct process_settings *s, const char *folder, const struct env *env,
                          struct diag *diag) MUST_USE;
/* The same from a text, for tests and fuzzing. */
err process_settings_load_text(struct process_settings *s, const struct source *source,
                               const struct env *env, struct diag *diag) MUST_USE;

/* Reading. The name must be in the table and of a fitting type (else it is a panic). */
bool process_settings_bool(const struct process_settings *s, const char *name);
int64_t process_settings_int(const struct process_settings *s, const char *name);
slice process_settings_text(const struct process_settings *s, const char *name); /* .p NULL: none */
struct config_list process_settings_list(const struct process_settings *s, const char *name);
void process_settings_ports(const struct process_settings *s, const char *name, uint16_t *first,
                            uint16_t *last);
/* Whether a file or flag set it. */
bool process_settings_given(const struct process_settings *s, const char *name);
/* path.queue and path.dead_letter_queue follow path.data, spate.shards follows
 * pipeline.workers; call after all sets. Also checks what depends on several settings. */
err process_settings_finish(struct process_settings *s, struct diag *diag) MUST_USE;
/* JSON object of all values, secrets masked: the monitoring API and config.debug. */
void process_settings_json(const struct process_settings *s, struct buf *out);
/* A Markdown table of all settings. */
void process_settings_markdown(struct buf *out);

/* pipelines.yml: one struct process_settings per entry, in order. */
#define PIPELINES_MAX 256u
struct pipeline_list {
    struct process_settings **at;
    uint32_t n;
};
err pipelines_load(const struct process_settings *base, const char *path, const struct env *env,
                   struct heap *heap, struct diag *diag, struct pipeline_list *out) MUST_USE;
err pipelines_load_text(const struct process_settings *base, const struct source *source,
                        const struct env *env, struct heap *heap, struct diag *diag,
                        struct pipeline_list *out) MUST_USE;

#endif
