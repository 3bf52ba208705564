/* flags.c - the table of flags, and argv through it. */
#include "engine/app/flags.h"

#include "engine/base/assert.h"

enum flag_kind {
    FLAG_VALUE,    /* takes a value */
    FLAG_SWITCH,   /* stands alone: sets `fixed` */
    FLAG_SET,      /* NAME=VALUE of any setting */
    FLAG_SETTINGS, /* --path.settings */
    FLAG_VERSION,
    FLAG_EXPLAIN_TUNING,
    FLAG_HELP,
    FLAG_OLD_SWITCH /* a switch of older releases: works, with a warning */
};

struct flag {
    char shorter; /* '\0': none */
    const char *name;
    enum flag_kind kind;
    const char *setting, *fixed, *doc; /* no doc: hidden from --help */
};

static const struct flag table[] = {
    {'f', "--path.config", FLAG_VALUE, "path.config", NULL,
     "configuration: a file, a folder or a glob"},
    {'e', "--config.string", FLAG_VALUE, "config.string", NULL,
     "configuration as text; a missing input is stdin, a missing output stdout"},
    {'t', "--config.test_and_exit", FLAG_SWITCH, "config.test_and_exit", "true",
     "check the configuration and exit"},
    {'r', "--config.reload.automatic", FLAG_SWITCH, "config.reload.automatic", "true",
     "reload pipelines when their configuration changes"},
    {0, "--config.reload.interval", FLAG_VALUE, "config.reload.interval", NULL,
     "how often to look for changes, e.g. 3s"},
    {0, "--config.debug", FLAG_SWITCH, "config.debug", "true",
     "log the configuration at debug level (may show secrets)"},
    {'n', "--node.name", FLAG_VALUE, "node.name", NULL, "name of this node"},
    {0, "--pipeline.id", FLAG_VALUE, "pipeline.id", NULL, "name of the pipeline"},
    {'w', "--pipeline.workers", FLAG_VALUE, "pipeline.workers", NULL,
     "threads that filter and encode"},
    {0, "--pipeline.ordered", FLAG_VALUE, "pipeline.ordered", NULL, "auto, true or false"},
    {'b', "--pipeline.batch.size", FLAG_VALUE, "pipeline.batch.size", NULL, "events of a batch"},
    {'u', "--pipeline.batch.delay", FLAG_VALUE, "pipeline.batch.delay", NULL,
     "milliseconds to wait for a batch to fill"},
    {0, "--pipeline.ecs_compatibility", FLAG_VALUE, "pipeline.ecs_compatibility", NULL,
     "disabled, v1 or v8"},
    {0, "--pipeline.unsafe_shutdown", FLAG_SWITCH, "pipeline.unsafe_shutdown", "true",
     "exit at once although events are in flight"},
    {0, "--path.settings", FLAG_SETTINGS, NULL, NULL,
     "folder of spate.yml or logstash.yml, and of pipelines.yml"},
    {0, "--path.data", FLAG_VALUE, "path.data", NULL, "folder for state"},
    {'p', "--path.plugins", FLAG_VALUE, "path.plugins", NULL, "Ruby plugins (not supported)"},
    {'l', "--path.logs", FLAG_VALUE, "path.logs", NULL, "folder for log files"},
    {0, "--log.level", FLAG_VALUE, "log.level", NULL, "fatal, error, warn, info, debug or trace"},
    {0, "--log.format", FLAG_VALUE, "log.format", NULL, "plain or json"},
    {0, "--api.enabled", FLAG_VALUE, "api.enabled", NULL, "monitoring API: true or false"},
    {0, "--api.http.host", FLAG_VALUE, "api.http.host", NULL, "address of the monitoring API"},
    {0, "--api.http.port", FLAG_VALUE, "api.http.port", NULL, "its port, or a range of ports"},
    {0, "--field-reference-escape-style", FLAG_VALUE, "config.field_reference.escape_style", NULL,
     "escapes in field names: none"},
    {0, "--plugin-classloaders", FLAG_SWITCH, "pipeline.plugin_classloaders", "true", NULL},
    {0, "--enable-local-plugin-development", FLAG_SWITCH, "enable-local-plugin-development", "true",
     NULL},
    {'i', "--interactive", FLAG_VALUE, "interactive", NULL, "interactive shell (not supported)"},
    {'S', "--setting", FLAG_SET, NULL, NULL, "NAME=VALUE: any setting"},
    {0, "--explain-tuning", FLAG_EXPLAIN_TUNING, NULL, NULL,
     "print how many shards, CPUs and buffers these settings give here, and why, and exit"},
    {'V', "--version", FLAG_VERSION, NULL, NULL, "print the version and exit"},
    {'h', "--help", FLAG_HELP, NULL, NULL, "print this and exit"},
    {0, "--verbose", FLAG_OLD_SWITCH, "log.level", "info", NULL},
    {0, "--debug", FLAG_OLD_SWITCH, "log.level", "debug", NULL},
    {0, "--quiet", FLAG_OLD_SWITCH, "log.level", "error", NULL},
    {0, "--http.enabled", FLAG_VALUE, "http.enabled", NULL, NULL},
    {0, "--http.host", FLAG_VALUE, "http.host", NULL, NULL},
    {0, "--http.port", FLAG_VALUE, "http.port", NULL, NULL},
};

void flags_help(FILE *out)
{
    fprintf(out, "Usage: spate [flags]\n"
                 "       spate lint [flags] [--allow NAME]...\n"
                 "       spate keystore create|add|list|remove [NAME]... --path.settings FOLDER\n"
                 "       spate grok explain [--sample FILE] PATTERN... | -f CONFIG\n"
                 "       spate --docs [settings | lints | json]\n\nFlags:\n");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct flag *f = &table[i];
        char shorter[] = {'-', f->shorter, ',', ' ', '\0'};
        if (f->doc == NULL) continue;
        fprintf(out, "  %4s%-32s %s\n", f->shorter == 0 ? "" : shorter, f->name, f->doc);
    }
}

static bool takes_value(const struct flag *f)
{
    return f->kind == FLAG_VALUE || f->kind == FLAG_SET || f->kind == FLAG_SETTINGS;
}

static const struct flag *find_long(slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (slice_equal(slice_from_cstr(table[i].name), name)) return &table[i];
    return NULL;
}

static const struct flag *find_short(char c)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].shorter == c && c != '\0') return &table[i];
    return NULL;
}

static err unknown(slice given, struct diag *diag)
{
    const char *names[ARRAY_LEN(table)];
    for (size_t i = 0; i < ARRAY_LEN(table); i++) names[i] = table[i].name;
    diag_error(diag, POS_NONE, NULL, "Unrecognised option '%.*s' (see spate --help)",
               SLICE_FMT(given));
    diag_suggest(diag, given, names, ARRAY_LEN(table));
    return ERR_CONFIG;
}

static err add_set(struct flags *flags, slice name, slice text, struct diag *diag)
{
    if (flags->set_n == FLAGS_MAX) {
        diag_error(diag, POS_NONE, NULL, "more than %u flags", FLAGS_MAX);
        return ERR_CONFIG;
    }
    flags->set[flags->set_n++] = (struct flag_set){name, text};
    return ERR_OK;
}

static err take(const struct flag *f, const char *text, struct flags *flags, struct diag *diag)
{
    slice value = slice_from_cstr(text);
    int64_t equals;
    switch (f->kind) {
    case FLAG_OLD_SWITCH:
        diag_warn(diag, POS_NONE, NULL, "the flag %s is deprecated: use --log.level=%s", f->name,
                  f->fixed);
        return add_set(flags, slice_from_cstr(f->setting), slice_from_cstr(f->fixed), diag);
    case FLAG_SWITCH:
        return add_set(flags, slice_from_cstr(f->setting), slice_from_cstr(f->fixed), diag);
    case FLAG_VALUE: return add_set(flags, slice_from_cstr(f->setting), value, diag);
    case FLAG_SET:
        equals = slice_find_byte(value, '=');
        if (equals > 0)
            return add_set(flags, slice_part(value, 0, (uint32_t)equals),
                           slice_from(value, (uint32_t)equals + 1), diag);
        diag_error(diag, POS_NONE, "NAME=VALUE", "%s %s", f->name, text);
        return ERR_CONFIG;
    case FLAG_SETTINGS: flags->path_settings = text; return ERR_OK;
    case FLAG_VERSION: flags->version = true; return ERR_OK;
    case FLAG_EXPLAIN_TUNING: flags->explain_tuning = true; return ERR_OK;
    case FLAG_HELP: flags->help = true; return ERR_OK;
    }
    PANIC("a flag of no kind");
}

/* A cursor over argv. */
struct args {
    int n, at;
    char *const *argv;
};

/* The value that stands in the next argument. */
static err take_next(const struct flag *f, slice given, struct args *args, struct flags *flags,
                     struct diag *diag)
{
    if (args->at < args->n) return take(f, args->argv[args->at++], flags, diag);
    diag_error(diag, POS_NONE, NULL, "the option '%.*s' needs a value", SLICE_FMT(given));
    return ERR_CONFIG;
}

static err read_long(const char *arg, struct args *args, struct flags *flags, struct diag *diag)
{
    slice given = slice_from_cstr(arg);
    int64_t equals = slice_find_byte(given, '=');
    slice name = equals < 0 ? given : slice_part(given, 0, (uint32_t)equals);
    const struct flag *f = find_long(name);
    if (f == NULL) return unknown(name, diag);
    if (takes_value(f))
        return equals < 0 ? take_next(f, name, args, flags, diag)
                          : take(f, arg + equals + 1, flags, diag);
    if (equals < 0) return take(f, NULL, flags, diag);
    diag_error(diag, POS_NONE, NULL, "the option '%s' takes no value", f->name);
    return ERR_CONFIG;
}

/* -x, -xVALUE, or several switches joined. */
static err read_short(const char *arg, struct args *args, struct flags *flags, struct diag *diag)
{
    for (const char *at = arg + 1; *at != '\0'; at++) {
        char name[] = {'-', *at, '\0'};
        const struct flag *f = find_short(*at);
        if (f == NULL) return unknown(slice_from_cstr(at == arg + 1 ? arg : name), diag);
        if (takes_value(f))
            return at[1] != '\0' ? take(f, at + 1, flags, diag)
                                 : take_next(f, slice_from_cstr(name), args, flags, diag);
        err e = take(f, NULL, flags, diag);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

err flags_read(int argc, char *const *argv, struct flags *out, struct diag *diag)
{
    *out = (struct flags){0};
    struct args args = {.n = argc, .at = 1, .argv = argv};
    err result = ERR_OK;
    bool literal = false;
    while (args.at < args.n) {
        const char *arg = args.argv[args.at++];
        err e = ERR_OK;
        if (!literal && strcmp(arg, "--") == 0) {
            literal = true;
        } else if (!literal && strncmp(arg, "--", 2) == 0) {
            e = read_long(arg, &args, out, diag);
        } else if (!literal && arg[0] == '-' && arg[1] != '\0') {
            e = read_short(arg, &args, out, diag);
        } else {
            diag_error(diag, POS_NONE, "a flag", "too many arguments: '%s'", arg);
            e = ERR_CONFIG;
        }
        if (e != ERR_OK) result = e;
    }
    return result;
}

err flags_apply(const struct flags *flags, struct process_settings *s, struct diag *diag)
{
    err result = ERR_OK;
    for (uint32_t i = 0; i < flags->set_n; i++) {
        err e = process_settings_set(s, flags->set[i].name, flags->set[i].text, POS_NONE, diag);
        if (e != ERR_OK) result = e;
    }
    return result;
}
