/*
 * flags.h - the command line, read the way Logstash reads its own.
 *
 * --name VALUE, --name=VALUE, -x VALUE, -xVALUE, joined switches (-tr), -- ends the flags. A flag
 * sets a process setting or one of the few things that are none. Nothing is applied here: the
 * settings file comes between reading the flags and applying them. Control thread; texts belong to
 * argv. Errors go to a struct diag.
 */
#ifndef ENGINE_APP_FLAGS_H
#define ENGINE_APP_FLAGS_H
#include "engine/config/process_settings.h"

#define FLAGS_MAX 256u

struct flag_set { /* a setting and its text, in the order given */
    slice name, text;
};

struct flags {
    const char *path_settings; /* NULL: not given */
    bool version, help, explain_tuning;
    struct flag_set set[FLAGS_MAX];
    uint32_t set_n;
};

/* ERR_CONFIG after reporting every flag that is wrong. */
err flags_read(int argc, char *const *argv, struct flags *out, struct diag *diag) MUST_USE;
/* Applies the settings that flags gave, in order. */
err flags_apply(const struct flags *flags, struct process_settings *s, struct diag *diag) MUST_USE;
/* The text of --help. */
void flags_help(FILE *out);

#endif
