/* cli.c - flags and settings files to a running process. */
#define _GNU_SOURCE
#include "engine/app/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/app/control.h"
#include "engine/app/data_dir.h"
#include "engine/app/flags.h"
#include "engine/app/log_file.h"
#include "engine/base/cpu.h"
#include "engine/base/log.h"
#include "parsers/init.h"

/* ${NAME} comes from the environment only; a keystore that would be passed over in silence could
 * mean that a password is taken from elsewhere. */
static err check_keystore(const struct flags *flags, const struct process_settings *s,
                          struct diag *diag)
{
    char path[4096];
    if (process_settings_text(s, "keystore.file").p != NULL) {
        diag_error(diag, POS_NONE, "environment variables",
                   "spate does not read keystores (keystore.file)");
        return ERR_CONFIG;
    }
    if (flags->path_settings == NULL) return ERR_OK;
    snprintf(path, sizeof(path), "%s/logstash.keystore", flags->path_settings);
    if (access(path, F_OK) == 0)
        diag_warn(diag, POS_NONE, "environment variables", "spate does not read %s", path);
    return ERR_OK;
}

static err read_settings(const struct flags *flags, struct process_settings *s, struct diag *diag)
{
    struct env env = ENV_PROCESS;
    err e = ERR_OK;
    if (flags->path_settings != NULL)
        e = process_settings_load(s, flags->path_settings, &env, diag);
    err applied = flags_apply(flags, s, diag);
    if (e == ERR_OK) e = applied;
    if (e == ERR_OK) e = process_settings_finish(s, diag);
    if (e == ERR_OK && process_settings_text(s, "interactive").p != NULL) {
        diag_error(diag, POS_NONE, NULL, "an interactive shell (-i) is not supported");
        e = ERR_CONFIG;
    }
    return e == ERR_OK ? check_keystore(flags, s, diag) : e;
}

static err set_up_log(const struct process_settings *s)
{
    enum log_level level;
    if (log_level_parse(process_settings_text(s, "log.level").p, &level)) log_set_level(level);
    if (slice_equal(process_settings_text(s, "log.format"), SLICE("json")))
        log_set_format(LOG_JSON);
    return log_file_open(s);
}

static err check_user(const struct process_settings *s)
{
    if (geteuid() != 0) return ERR_OK;
    if (!process_settings_given(s, "allow_superuser") ||
        process_settings_bool(s, "allow_superuser"))
        return ERR_OK; /* control.c says so once it is known where the log goes */
    log_error("runner", "will not run as root, because allow_superuser is false");
    return ERR_PERMISSION;
}

/* Compiles every pipeline and runs none. */
static int test_configuration(const struct wanted_set *set, const struct process_settings *s)
{
    char cache[4096];
    snprintf(cache, sizeof(cache), "%.*s/cache", SLICE_FMT(process_settings_text(s, "path.data")));
    bool cached = access(cache, W_OK) == 0; /* a test makes no folders */
    bool ok = true;
    for (uint32_t i = 0; i < set->n; i++) {
        struct load_report report;
        struct plan *plan = wanted_compile(&set->at[i], cached ? cache : NULL, &report);
        fputs(buf_cstr(&report.text), stderr);
        load_report_fini(&report);
        if (plan == NULL)
            ok = false;
        else
            plan_free(plan);
    }
    if (ok)
        printf("Configuration OK\n");
    else
        fprintf(stderr, "ERROR: the configuration is not valid\n");
    return ok ? 0 : 1;
}

/*
 * Takes the folder for state. A configuration on the command line is a trial beside whatever else
 * runs here, so it does without the default folder where that cannot be had; a service must not:
 * the positions it would not find are in it.
 */
static err take_data(struct process_settings *s, struct data_dir *data, struct diag *diag)
{
    slice path = process_settings_text(s, "path.data");
    if (process_settings_given(s, "path.data") ||
        process_settings_text(s, "config.string").p == NULL)
        return data_dir_open(data, path.p);
    err e = data_dir_open_scratch(data, path.p);
    if (e != ERR_OK || data->scratch[0] == '\0') return e;
    diag_warn(diag, POS_NONE, NULL,
              "path.data %s is in use or cannot be written to; this run keeps its state in %s and "
              "removes it at the end",
              path.p, data->scratch);
    e = process_settings_set(s, SLICE("path.data"), slice_from_cstr(data->scratch), POS_NONE, diag);
    return e == ERR_OK ? process_settings_finish(s, diag) : e;
}

/* Everything that flags and files say. */
static int with_settings(const struct flags *flags, struct process_settings *s, struct diag *diag)
{
    struct wanted_set *set = NULL;
    struct data_dir data = DATA_DIR_CLOSED;
    bool test = process_settings_bool(s, "config.test_and_exit");
    err e = set_up_log(s);
    if (e == ERR_OK && !test) e = check_user(s);
    if (e == ERR_OK && !test) e = take_data(s, &data, diag);
    if (e == ERR_OK) e = wanted_read(s, flags->path_settings, &set, diag);
    diag_print_file(diag, stderr);
    int code = 1;
    if (e == ERR_OK) {
        parsers_init(cpu_init());
        code = test ? test_configuration(set, s) : control_run(s, flags->path_settings, &data, set);
    }
    if (e != ERR_OK || test) wanted_drop(set);
    data_dir_close(&data);
    return code;
}

int cli_main(int argc, char **argv)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct flags flags;
    struct process_settings *s = process_settings_new(&heap);
    int code = 1;
    err e = flags_read(argc, argv, &flags, &diag);
    if (e == ERR_OK && flags.help) {
        flags_help(stdout);
        code = 0;
    } else if (e == ERR_OK && flags.version) {
        printf("spate %s\n", SPATE_VERSION);
        code = 0;
    } else if (e == ERR_OK && read_settings(&flags, s, &diag) == ERR_OK) {
        code = with_settings(&flags, s, &diag);
    } else {
        diag_print_file(&diag, stderr);
    }
    diag_fini(&diag);
    heap_fini(&heap);
    return code;
}
