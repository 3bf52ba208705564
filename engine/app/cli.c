/* cli.c - flags and settings files to a running process. */
#define _GNU_SOURCE
#include "engine/app/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/app/commands.h"
#include "engine/app/control.h"
#include "engine/app/data_dir.h"
#include "engine/app/flags.h"
#include "engine/app/links.h"
#include "engine/app/log_file.h"
#include "engine/app/nic_settings.h"
#include "engine/app/tuning.h"
#include "engine/base/assert.h"
#include "engine/base/cpu.h"
#include "engine/base/log.h"
#include "engine/config/keystore.h"
#include "parsers/init.h"

/* What one run of the command line needs besides flags and settings. */
struct run {
    const struct flags *flags;
    struct process_settings *settings;
    struct keystore *keystore;
    struct env env; /* the keystore, then the process's environment */
    struct lint_request lint;
    bool strict; /* spate lint: warnings count */
    struct diag *diag;
};

/* The keystore at its usual place. One in Logstash's format cannot be read: passing it over in
 * silence could mean that a password is taken from elsewhere. */
static err open_keystore(struct run *r)
{
    char path[4096];
    if (r->flags->path_settings == NULL) return ERR_OK;
    snprintf(path, sizeof(path), "%s/%s", r->flags->path_settings, KEYSTORE_FILE);
    err e = keystore_open(path, &r->keystore, r->diag);
    if (e != ERR_MISSING) return e;
    snprintf(path, sizeof(path), "%s/logstash.keystore", r->flags->path_settings);
    if (access(path, F_OK) == 0)
        diag_warn(r->diag, POS_NONE, "a keystore made with `spate keystore create`",
                  "spate does not read %s, which is in Logstash's own format", path);
    return ERR_OK;
}

/* keystore.file, when it names another one. The settings file itself was read with the first. */
static err replace_keystore(struct run *r)
{
    slice file = process_settings_text(r->settings, "keystore.file");
    if (file.p == NULL) return ERR_OK;
    keystore_free(r->keystore);
    r->keystore = NULL;
    err e = keystore_open(file.p, &r->keystore, r->diag);
    if (e == ERR_MISSING)
        diag_error(r->diag, POS_NONE, "a file made with `spate keystore create`",
                   "keystore.file: there is no %s", file.p);
    r->env.context = r->keystore;
    return e;
}

static err read_settings(struct run *r)
{
    struct process_settings *s = r->settings;
    err e = open_keystore(r);
    if (e != ERR_OK) return e;
    r->env = (struct env){keystore_lookup, r->keystore};
    if (r->flags->path_settings != NULL)
        e = process_settings_load(s, r->flags->path_settings, &r->env, r->diag);
    err applied = flags_apply(r->flags, s, r->diag);
    if (e == ERR_OK) e = applied;
    if (e == ERR_OK) e = process_settings_finish(s, r->diag);
    if (e == ERR_OK && process_settings_text(s, "interactive").p != NULL) {
        diag_error(r->diag, POS_NONE, NULL, "an interactive shell (-i) is not supported");
        e = ERR_CONFIG;
    }
    return e == ERR_OK ? replace_keystore(r) : e;
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

/* What the pipelines' addresses say against each other. Whoever tests one of them alone may have
 * the others elsewhere. */
static void test_links(struct plan *const *plan, uint32_t n, bool *ok, uint32_t *warnings)
{
    struct links_report report;
    if (n < 2 || n > LINKS_MAX) return;
    links_check((const struct plan *const *)plan, n, &report);
    fputs(buf_cstr(&report.text), stderr);
    if (report.errors > 0) *ok = false;
    *warnings += report.warnings;
    links_report_fini(&report);
}

/* Compiles every pipeline and runs none. */
static int test_configuration(const struct run *r, const struct wanted_set *set)
{
    char cache[4096];
    slice data = process_settings_text(r->settings, "path.data");
    snprintf(cache, sizeof(cache), "%.*s/cache", SLICE_FMT(data));
    bool cached = access(cache, W_OK) == 0; /* a test makes no folders */
    bool ok = true;
    uint32_t warnings = r->diag->warnings, n = 0;
    struct plan **plan = calloc(set->n + 1, sizeof(*plan));
    ASSERT(plan != NULL);
    for (uint32_t i = 0; i < set->n; i++) {
        struct load_report report;
        plan[n] = wanted_compile(&set->at[i], cached ? cache : NULL, &r->lint, &report);
        fputs(buf_cstr(&report.text), stderr);
        warnings += report.warnings;
        load_report_fini(&report);
        if (plan[n] == NULL)
            ok = false;
        else
            n++;
    }
    if (ok) test_links(plan, n, &ok, &warnings);
    while (n > 0) plan_free(plan[--n]);
    free(plan);
    if (!ok)
        fprintf(stderr, "ERROR: the configuration is not valid\n");
    else if (r->strict && warnings > 0)
        fprintf(stderr, "%u warning%s\n", warnings, warnings == 1 ? "" : "s");
    else
        printf("Configuration OK\n");
    return ok && (!r->strict || warnings == 0) ? 0 : 1;
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

/* A run reads them when it opens them. */
static err check_nics(const struct process_settings *s, struct diag *diag)
{
    struct nic_config config;
    err e = nic_settings_read(s, &config, diag);
    nic_settings_fini(&config);
    return e;
}

/* Everything that flags and files say. */
static int with_settings(struct run *r)
{
    struct process_settings *s = r->settings;
    struct wanted_set *set = NULL;
    struct data_dir data = DATA_DIR_CLOSED;
    bool test = r->strict || process_settings_bool(s, "config.test_and_exit");
    err e = set_up_log(s);
    if (e == ERR_OK && !test) e = check_user(s);
    if (e == ERR_OK && !test) e = take_data(s, &data, r->diag);
    if (e == ERR_OK && test) e = check_nics(s, r->diag);
    if (e == ERR_OK) e = wanted_read(s, r->flags->path_settings, &r->env, &set, r->diag);
    lint_name(r->diag, "settings-warning");
    lint_filter(r->diag, &r->lint.allow);
    diag_print_file(r->diag, stderr);
    int code = 1;
    if (e == ERR_OK) {
        parsers_init(cpu_init());
        code = test ? test_configuration(r, set)
                    : control_run(s, r->flags->path_settings, &r->env, &data, set);
    }
    if (e != ERR_OK || test) wanted_drop(set);
    data_dir_close(&data);
    return code;
}

static int explain_tuning(const struct run *r)
{
    struct tuning tuning;
    tuning_raise_files();
    err e = tuning_make(&tuning, r->settings, r->diag);
    diag_print_file(r->diag, stderr);
    if (e != ERR_OK) return 1;
    tuning_print(&tuning, r->settings, stdout);
    return 0;
}

static int run_flags(struct run *r, err read)
{
    int code = 1;
    if (read == ERR_OK && r->flags->help) {
        flags_help(stdout);
        code = 0;
    } else if (read == ERR_OK && r->flags->version) {
        printf("spate %s\n", SPATE_VERSION);
        code = 0;
    } else if (read == ERR_OK && read_settings(r) == ERR_OK) {
        code = r->flags->explain_tuning ? explain_tuning(r) : with_settings(r);
    } else {
        diag_print_file(r->diag, stderr);
    }
    return code;
}

/* `allow` is NULL unless this is spate lint. The diag is the caller's, and freed here. */
static int run_main(int argc, char **argv, const struct lint_allow *allow, struct diag *diag)
{
    struct heap heap = HEAP_INIT;
    struct flags flags;
    err e = flags_read(argc, argv, &flags, diag);
    struct run r = {.flags = &flags,
                    .settings = process_settings_new(&heap),
                    .lint = {.run = true},
                    .strict = allow != NULL,
                    .diag = diag};
    if (allow != NULL) r.lint.allow = *allow;
    int code = run_flags(&r, diag->errors > 0 ? ERR_CONFIG : e);
    keystore_free(r.keystore);
    diag_fini(diag);
    heap_fini(&heap);
    return code;
}

int cli_main(int argc, char **argv)
{
    struct diag diag = DIAG_INIT;
    return run_main(argc, argv, NULL, &diag);
}

/* --allow NAME and --allow=NAME are taken out of argv; the rest are the flags of the engine. */
static void take_allowed(int *argc, char **argv, struct lint_allow *allow, struct diag *diag)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        const char *name = NULL;
        if (strncmp(argv[i], "--allow=", 8) == 0)
            name = argv[i] + 8;
        else if (strcmp(argv[i], "--allow") == 0 && i + 1 < *argc)
            name = argv[++i];
        else
            argv[kept++] = argv[i];
        if (name == NULL || !lint_known(slice_from_cstr(name), diag)) continue;
        if (allow->n < LINT_ALLOW_MAX) allow->names[allow->n++] = name;
    }
    *argc = kept;
}

int lint_main(int argc, char **argv)
{
    struct diag diag = DIAG_INIT;
    struct lint_allow allow = {0};
    take_allowed(&argc, argv, &allow, &diag);
    return run_main(argc, argv, &allow, &diag);
}
