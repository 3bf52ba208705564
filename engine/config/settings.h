/*
 * settings.h - the options of a plugin as a const table.
 *
 * One table gives parsing, coercion, defaults, error texts and documentation. settings_read fills
 * a zeroed cfg struct through the offsets; what it points at lives in the configuration's heap,
 * as long as the plan. Control thread; the filled cfg is read-only and shared.
 *
 *   struct uuid_cfg { slice target; bool overwrite; };
 *   static const struct setting uuid_settings[] = {
 *       {.name = "target", SETTING_AT(struct uuid_cfg, target, STRING), .flags = SETTING_REQUIRED,
 *        .doc = "Field that receives the UUID."},
 *       {.name = "overwrite", SETTING_AT(struct uuid_cfg, overwrite, BOOL),
 *        .default_text = "false", .doc = "Replace an existing value."},
 *       {0},
 *   };
 */
#ifndef ENGINE_CONFIG_SETTINGS_H
#define ENGINE_CONFIG_SETTINGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/config/ast.h"

/* The C type of the cfg member stands after each; absent without default is all zero. */
enum setting_type {
    SETTING_STRING,    /* slice, NUL after it; .p == NULL when absent. Numbers give their text */
    SETTING_INT,       /* int64_t */
    SETTING_FLOAT,     /* double */
    SETTING_BOOL,      /* bool */
    SETTING_BYTES,     /* int64_t; "10MiB" 1024, "10mb" 1000, as Logstash's plugins read it */
    SETTING_DURATION,  /* int64_t nanoseconds; a number is seconds, or "5 min", "250 ms" */
    SETTING_PASSWORD,  /* slice; never shown */
    SETTING_PATH,      /* slice; must exist */
    SETTING_URI,       /* slice */
    SETTING_ENUM,      /* int: index into choices, -1 when absent */
    SETTING_ENUM_LIST, /* uint64_t: one bit per choice */
    SETTING_LIST,      /* struct config_list of scalars (use .text); a scalar is a list of one */
    SETTING_URI_LIST,  /* struct config_list of strings; each string is split at blanks */
    SETTING_ANY_LIST,  /* struct config_list of anything */
    SETTING_HASH,      /* struct config_hash; an even list [k, v, k, v] is taken too */
    SETTING_CODEC,     /* struct config_codec */
    SETTING_ANY,       /* const struct config_value *, NULL when absent */
    SETTING_DEFAULT    /* no member: this plugin's default for a common option, e.g. codec */
};

struct config_codec {
    slice name;
    const struct ast_plugin *plugin; /* its options, or NULL when only a name was given */
    struct pos pos;
};

enum setting_flag {
    SETTING_REQUIRED = 1,
    SETTING_OLD = 2,         /* still read, with one warning; `instead` names the successor */
    SETTING_OBSOLETE = 4,    /* an error that says `instead` */
    SETTING_UNSUPPORTED = 8, /* Logstash has it, spate does not: an error; `instead` says why */
    SETTING_SECRET = 16,     /* values are not shown in messages or the monitoring API */
    /* Names fields of events that come from elsewhere: whatever they hold, the plugin must cope
     * with. tools/check/spec_coverage wants such options tried with everything. */
    SETTING_FIELD = 32
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;
    uint32_t flags;
    /* As written in a configuration; lists and hashes in brackets: "[\"a\", \"b\"]". */
    const char *default_text;
    const char *const *choices; /* NULL-terminated, for ENUM and ENUM_LIST */
    const char *old_names;      /* "field,destination": same meaning, one warning */
    const char *instead;
    const char *since; /* the version that had it first; NULL: 0.1.0 */
    const char *doc;   /* one or two sentences for docs/plugins.md */
    int64_t min, max;  /* of INT, FLOAT, BYTES, DURATION in their unit; 0, 0: any */
};

#define SETTING_AT(cfg, member, kind) .type = SETTING_##kind, .offset = offsetof(cfg, member)

/* Tables are searched in order: the plugin's own first, then the common ones (common.h). */
struct settings_table {
    const struct setting *settings; /* ends with a zero entry; may be NULL */
    void *cfg;                      /* zeroed by the caller */
};

/* The names the user wrote (current names, whatever spelling was used). */
struct settings_given {
    const struct setting **at;
    uint32_t n;
};

/* Reads one plugin. `kind` is "input" "filter" "output" "codec". ERR_CONFIG after reporting every
 * problem found, not only the first. `given` may be NULL. */
err settings_read(const struct ast_plugin *plugin, const char *kind,
                  const struct settings_table *tables, uint32_t n, struct heap *heap,
                  struct diag *diag, struct settings_given *given) MUST_USE;
/* Only the defaults, for a plugin without a block (codec => json); `pos` is where it is named. */
err settings_defaults(slice name, struct pos pos, const char *kind,
                      const struct settings_table *tables, uint32_t n, struct heap *heap,
                      struct diag *diag) MUST_USE;
bool settings_given(const struct settings_given *given, const char *name);
/* Where the user wrote the option, or the plugin's name: for errors found while compiling. */
struct pos settings_pos(const struct ast_plugin *plugin, const char *name);

/* A Markdown table of the options, without heading. */
void settings_markdown(const struct setting *settings, struct buf *out);
/* "string", "number", "list of strings" ... */
const char *setting_type_text(enum setting_type type);

#endif
