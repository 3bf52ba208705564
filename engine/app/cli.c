/* cli.c - flags and settings files to a running process. */
#define _GNU_SOURCE
#include "engine/app/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/app/control.h"
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

static int with_settings(const struct flags *flags, const struct process_settings *s,
                         struct wanted_set *set)
{
    bool test = process_settings_bool(s, "config.test_and_exit");
    if (set_up_log(s) != ERR_OK || (!test && check_user(s) != ERR_OK)) {
        wanted_drop(set);
        return 1;
    }
    parsers_init(cpu_init());
    if (!test) return control_run(s, flags->path_settings, set);
    int code = test_configuration(set, s);
    wanted_drop(set);
    return code;
}

int cli_main(int argc, char **argv)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct flags flags;
    struct wanted_set *set = NULL;
    struct process_settings *s = process_settings_new(&heap);
    err e = flags_read(argc, argv, &flags, &diag);
    bool tell = e == ERR_OK && (flags.help || flags.version);
    if (e == ERR_OK && !tell) e = read_settings(&flags, s, &diag);
    if (e == ERR_OK && !tell) e = wanted_read(s, flags.path_settings, &set, &diag);
    diag_print_file(&diag, stderr);
    diag_fini(&diag);
    int code = e == ERR_OK ? 0 : 1;
    if (tell && flags.help)
        flags_help(stdout);
    else if (tell)
        printf("spate %s\n", SPATE_VERSION);
    else if (e == ERR_OK)
        code = with_settings(&flags, s, set);
    else
        wanted_drop(set);
    heap_fini(&heap);
    return code;
}
