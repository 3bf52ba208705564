/* cli.c - flags to settings, configuration to pipelines, signals to their end. */
#define _GNU_SOURCE
#include "engine/app/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine/app/engine.h"
#include "engine/app/load.h"
#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/base/log.h"
#include "engine/config/files.h"
#include "parsers/init.h"

#ifndef SPATE_VERSION
#define SPATE_VERSION "0.1.0"
#endif

struct flags {
    const char *config_string, *path_settings;
    bool test, version, help;
};

/* A flag and the setting it sets; takes_value false means that the flag itself says "true". */
struct flag {
    const char *shorter, *name, *setting;
    bool takes_value;
    const char *doc;
};

static const struct flag flag_table[] = {
    {"-f", "--path.config", "path.config", true, "configuration file, folder or glob"},
    {"-e", "--config.string", NULL, true, "configuration text"},
    {"-t", "--config.test_and_exit", NULL, false, "check the configuration and exit"},
    {"-r", "--config.reload.automatic", "config.reload.automatic", false, "reload on change"},
    {NULL, "--config.reload.interval", "config.reload.interval", true, "how often to look"},
    {"-w", "--pipeline.workers", "pipeline.workers", true, "shards of the pipeline"},
    {"-b", "--pipeline.batch.size", "pipeline.batch.size", true, "events of a batch"},
    {"-u", "--pipeline.batch.delay", "pipeline.batch.delay", true, "ms to wait for a batch"},
    {NULL, "--pipeline.id", "pipeline.id", true, "name of the pipeline"},
    {NULL, "--pipeline.ecs_compatibility", "pipeline.ecs_compatibility", true, "disabled, v1, v8"},
    {NULL, "--pipeline.ordered", "pipeline.ordered", true, "auto, true, false"},
    {NULL, "--pipeline.unsafe_shutdown", "pipeline.unsafe_shutdown", false,
     "exit with events in flight"},
    {"-l", "--path.logs", "path.logs", true, "folder for log files"},
    {NULL, "--path.data", "path.data", true, "folder for state"},
    {NULL, "--path.settings", NULL, true, "folder of logstash.yml or spate.yml"},
    {"-n", "--node.name", "node.name", true, "name of this node"},
    {NULL, "--log.level", "log.level", true, "fatal, error, warn, info, debug, trace"},
    {NULL, "--log.format", "log.format", true, "plain or json"},
    {NULL, "--config.debug", "config.debug", false, "log the compiled configuration"},
    {NULL, "--api.enabled", "api.enabled", true, "monitoring API on or off"},
    {NULL, "--api.http.host", "api.http.host", true, "address of the monitoring API"},
    {NULL, "--api.http.port", "api.http.port", true, "port, or range of ports"},
    {"-S", "--setting", "", true, "NAME=VALUE: any setting"},
    {"-V", "--version", NULL, false, "print the version"},
    {"-h", "--help", NULL, false, "print this"},
};

static void print_help(void)
{
    printf("usage: spate [-f PATH | -e TEXT] [flags]\n\n");
    for (size_t i = 0; i < sizeof(flag_table) / sizeof(*flag_table); i++) {
        const struct flag *f = &flag_table[i];
        printf("  %s%s%-32s %s\n", f->shorter == NULL ? "    " : f->shorter,
               f->shorter == NULL ? "" : ", ", f->name, f->doc);
    }
}

static const struct flag *find_flag(const char *arg, const char **value)
{
    const char *equals = strchr(arg, '=');
    size_t n = equals == NULL ? strlen(arg) : (size_t)(equals - arg);
    *value = equals == NULL ? NULL : equals + 1;
    for (size_t i = 0; i < sizeof(flag_table) / sizeof(*flag_table); i++) {
        const struct flag *f = &flag_table[i];
        if (f->shorter != NULL && strcmp(arg, f->shorter) == 0) {
            *value = NULL;
            return f;
        }
        if (strlen(f->name) == n && strncmp(arg, f->name, n) == 0) return f;
    }
    return NULL;
}

static err set(struct process_settings *s, const char *name, const char *text, struct diag *diag)
{
    return process_settings_set(s, slice_from_cstr(name), slice_from_cstr(text), POS_NONE, diag);
}

static err apply(const struct flag *f, const char *value, struct flags *flags,
                 struct process_settings *s, struct diag *diag)
{
    if (f->setting != NULL && f->setting[0] == '\0') {
        const char *equals = strchr(value, '=');
        if (equals == NULL) {
            diag_error(diag, POS_NONE, "NAME=VALUE", "-S %s", value);
            return ERR_CONFIG;
        }
        return process_settings_set(s, slice_make(value, (size_t)(equals - value)),
                                    slice_from_cstr(equals + 1), POS_NONE, diag);
    }
    if (f->setting != NULL) return set(s, f->setting, value == NULL ? "true" : value, diag);
    if (strcmp(f->name, "--config.string") == 0)
        flags->config_string = value;
    else if (strcmp(f->name, "--path.settings") == 0)
        flags->path_settings = value;
    else if (strcmp(f->name, "--config.test_and_exit") == 0)
        flags->test = true;
    else if (strcmp(f->name, "--version") == 0)
        flags->version = true;
    else if (strcmp(f->name, "--help") == 0)
        flags->help = true;
    return ERR_OK;
}

/* Two rounds: the first finds --path.settings, whose file the other flags then override. */
static err read_flags(int argc, char **argv, bool first, struct flags *flags,
                      struct process_settings *s, struct diag *diag)
{
    err result = ERR_OK;
    for (int i = 1; i < argc; i++) {
        const char *value;
        const struct flag *f = find_flag(argv[i], &value);
        if (f == NULL) {
            if (first) diag_error(diag, POS_NONE, NULL, "unknown flag '%s' (see --help)", argv[i]);
            result = ERR_CONFIG;
            continue;
        }
        if (f->takes_value && value == NULL) {
            if (i + 1 == argc) {
                if (first) diag_error(diag, POS_NONE, NULL, "the flag %s needs a value", argv[i]);
                return ERR_CONFIG;
            }
            value = argv[++i];
        }
        if (first && f->setting != NULL) continue;
        if (!first && f->setting == NULL) continue;
        if (apply(f, value, flags, s, diag) != ERR_OK) result = ERR_CONFIG;
    }
    return result;
}

static err read_settings(int argc, char **argv, struct flags *flags, struct process_settings *s,
                         struct diag *diag)
{
    struct env env = ENV_PROCESS;
    err e = read_flags(argc, argv, true, flags, s, diag);
    if (e != ERR_OK || flags->help || flags->version) return e;
    if (flags->path_settings != NULL)
        e = process_settings_load(s, flags->path_settings, &env, diag);
    if (e == ERR_OK) e = read_flags(argc, argv, false, flags, s, diag);
    if (e == ERR_OK) e = process_settings_finish(s, diag);
    return e;
}

static void set_up_log(const struct process_settings *s)
{
    enum log_level level;
    if (log_level_parse(process_settings_text(s, "log.level").p, &level)) log_set_level(level);
    if (slice_equal(process_settings_text(s, "log.format"), SLICE("json")))
        log_set_format(LOG_JSON);
}

/* Blocks the signals that end or reload the process; they are read from a descriptor. */
static int signals_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Returns when the process should end: a signal, or every input has finished. */
static void serve(struct engine *engine, int signals)
{
    for (;;) {
        if (engine_all_finished(engine)) return;
        struct pollfd fds[] = {{signals, POLLIN, 0}, {engine->event_fd, POLLIN, 0}};
        if (poll(fds, 2, 1000) < 0 && errno != EINTR) return;
        uint64_t rung;
        ssize_t n = read(engine->event_fd, &rung, sizeof(rung));
        struct signalfd_siginfo info;
        n = read(signals, &info, sizeof(info));
        if (n != sizeof(info)) continue;
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) return;
    }
}

static void shut_down(struct engine *engine, const struct process_settings *s)
{
    int64_t limit_ns = process_settings_int(s, "shutdown.timeout");
    int64_t deadline_ns = clock_mono_ns() + limit_ns;
    for (uint32_t i = 0; i < engine->pipeline_n; i++) pipeline_stop_inputs(engine->pipeline[i]);
    for (uint32_t i = 0; i < engine->pipeline_n; i++)
        if (!pipeline_drain(engine->pipeline[i], deadline_ns))
            log_warn("runner",
                     "pipeline %s: not everything was delivered within the shutdown "
                     "timeout; what was not is not acknowledged",
                     engine->pipeline[i]->plan->pipeline_id);
    while (engine->pipeline_n > 0) pipeline_close(engine->pipeline[--engine->pipeline_n]);
    engine_stop(engine);
}

static int run(struct plan *plan, const struct process_settings *s)
{
    char why[200];
    if (!io_uring_usable(why, sizeof(why))) {
        log_error("runner", "%s", why);
        plan_free(plan);
        return 1;
    }
    int signals = signals_open();
    struct engine engine;
    uint32_t shards = (uint32_t)process_settings_int(s, "spate.shards");
    if (engine_start(&engine, shards, NULL,
                     (size_t)process_settings_int(s, "spate.memory_bytes")) != ERR_OK) {
        plan_free(plan);
        return 1;
    }
    struct pipeline *p = pipeline_start(&engine, plan);
    if (p == NULL) {
        engine_stop(&engine);
        return 1;
    }
    engine.pipeline[engine.pipeline_n++] = p;
    serve(&engine, signals);
    shut_down(&engine, s);
    close(signals);
    return 0;
}

static int with_settings(const struct flags *flags, const struct process_settings *s)
{
    slice path = process_settings_text(s, "path.config");
    struct load_source source = {.path = path.p, .text = flags->config_string, .complete = true};
    if (path.p == NULL && flags->config_string == NULL) {
        fprintf(stderr, "ERROR: no configuration: use -f PATH or -e TEXT (see --help)\n");
        return 1;
    }
    if (path.p != NULL && flags->config_string != NULL) {
        fprintf(stderr, "ERROR: -e and -f cannot be used together\n");
        return 1;
    }
    set_up_log(s);
    parsers_init(cpu_init());
    struct plan *plan = load_plan(&source, s);
    if (plan == NULL) return 1;
    if (flags->test) {
        printf("Configuration OK\n");
        plan_free(plan);
        return 0;
    }
    return run(plan, s);
}

int cli_main(int argc, char **argv)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct flags flags = {0};
    struct process_settings *s = process_settings_new(&heap);
    err e = read_settings(argc, argv, &flags, s, &diag);
    diag_print_file(&diag, stderr);
    diag_fini(&diag);
    int code = 1;
    if (flags.help) {
        print_help();
        code = 0;
    } else if (flags.version) {
        printf("spate %s\n", SPATE_VERSION);
        code = 0;
    } else if (e == ERR_OK) {
        code = with_settings(&flags, s);
    }
    heap_fini(&heap);
    return code;
}
