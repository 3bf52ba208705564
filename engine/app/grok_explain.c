/*
 * grok_explain.c - spate grok explain: how patterns are matched, and what they cost.
 *
 *     spate grok explain [flags] [--patterns-dir PATH]... PATTERN...
 *     spate grok explain [flags] -f CONFIG
 *     flags: --sample FILE, --pipeline.ecs_compatibility disabled|v1|v8 (default v8)
 *
 * The patterns are those given, as one list of which the first that matches wins, or those of all
 * grok filters of a configuration.
 */
#include <stdio.h>
#include <string.h>

#include "engine/app/commands.h"
#include "engine/app/wanted.h"
#include "engine/base/cpu.h"
#include "engine/plan/grok_report.h"
#include "engine/plan/pattern_dict.h"
#include "parsers/init.h"

#define SAMPLE_BYTES_MAX (256u << 20)
#define ARGS_MAX 256u

struct explain_args {
    const char *sample, *config, *ecs;
    struct config_value dir[ARGS_MAX]; /* texts */
    slice pattern[ARGS_MAX];
    uint32_t dir_n, pattern_n;
};

static int usage(void)
{
    fprintf(stderr, "usage: spate grok explain [flags] [--patterns-dir PATH] PATTERN...\n"
                    "       spate grok explain [flags] -f CONFIG\n"
                    "flags: --sample FILE, --pipeline.ecs_compatibility disabled|v1|v8\n");
    return 1;
}

static bool add_word(struct explain_args *args, const char *word)
{
    if (args->pattern_n == ARGS_MAX) return false;
    args->pattern[args->pattern_n++] = slice_from_cstr(word);
    return true;
}

static bool add_dir(struct explain_args *args, const char *path)
{
    if (args->dir_n == ARGS_MAX) return false;
    args->dir[args->dir_n++] =
        (struct config_value){.type = CONFIG_STRING, .text = slice_from_cstr(path)};
    return true;
}

static bool read_args(int argc, char **argv, struct explain_args *args)
{
    for (int i = 0; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--pipeline.ecs_compatibility") == 0 && more) {
            args->ecs = argv[++i];
        } else if (strcmp(argv[i], "--sample") == 0 && more) {
            args->sample = argv[++i];
        } else if (strcmp(argv[i], "-f") == 0 && more) {
            args->config = argv[++i];
        } else if (strcmp(argv[i], "--patterns-dir") == 0 && more) {
            if (!add_dir(args, argv[++i])) return false;
        } else if (argv[i][0] == '-' || !add_word(args, argv[i])) {
            return false;
        }
    }
    return args->config != NULL ? args->pattern_n == 0 && args->dir_n == 0 : args->pattern_n > 0;
}

static bool read_sample(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    size_t n = 1;
    while (file != NULL && n > 0 && out->n < SAMPLE_BYTES_MAX) {
        buf_room(out, 1 << 16);
        n = fread(buf_end(out), 1, 1 << 16, file);
        out->n += n;
    }
    bool good = file != NULL && !ferror(file);
    if (file != NULL) fclose(file);
    if (!good) fprintf(stderr, "ERROR: cannot read %s: %m\n", path);
    return good;
}

/* ---- patterns of the command line ------------------------------------------------------ */

static bool explain_set(const struct explain_args *args, const struct grok_dict *dict, slice sample,
                        struct buf *out)
{
    struct grok_error error = {0};
    struct grok_set *set = grok_set_new(args->pattern, args->pattern_n, dict, NULL, &error);
    if (set == NULL) {
        fprintf(stderr, "ERROR: pattern %u: %s\n", error.pattern, error.text);
        return false;
    }
    grok_report(set, args->pattern, sample, out);
    grok_set_free(set);
    return true;
}

static bool explain_patterns(const struct explain_args *args,
                             const struct process_settings *settings, struct heap *heap,
                             struct diag *diag, slice sample, struct buf *out)
{
    slice ecs = process_settings_text(settings, "pipeline.ecs_compatibility");
    struct compiler c = {.diag = diag,
                         .heap = heap,
                         .ecs = slice_equal(ecs, SLICE("disabled")) ? ECS_DISABLED : ECS_V8};
    struct config_list dirs = {.at = (struct config_value *)args->dir, .n = args->dir_n};
    struct pattern_dict dict;
    bool good = pattern_dict_open(&dict, &c, &dirs, SLICE("*"), NULL) == ERR_OK &&
                explain_set(args, dict.own, sample, out);
    pattern_dict_close(&dict);
    return good;
}

/* ---- patterns of a configuration --------------------------------------------------------- */

static void explain_plan(const struct plan *plan, slice sample, struct buf *out)
{
    bool any = false;
    for (uint32_t i = 0; i < plan->filter_n; i++) {
        const struct plan_filter *f = &plan->filter[i];
        if (f->ops->explain == NULL) continue;
        buf_printf(out, "%s== filter %.*s\n", any ? "\n" : "", SLICE_FMT(f->id));
        f->ops->explain(f->cfg, sample, out);
        any = true;
    }
    if (!any) buf_add_cstr(out, "the configuration has no grok filter\n");
}

static bool explain_config(const char *path, const struct process_settings *settings, slice sample,
                           struct buf *out)
{
    struct wanted wanted = {.settings = settings, .id = "main", .path = path};
    struct load_report report;
    struct plan *plan = wanted_compile(&wanted, NULL, NULL, &report);
    fprintf(stderr, "%.*s", (int)report.text.n, report.text.n == 0 ? "" : report.text.data);
    load_report_fini(&report);
    if (plan == NULL) return false;
    explain_plan(plan, sample, out);
    plan_free(plan);
    return true;
}

static bool explain(const struct explain_args *args, slice sample, struct buf *out)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct process_settings *settings = process_settings_new(&heap);
    err e = ERR_OK;
    if (args->ecs != NULL)
        e = process_settings_set(settings, SLICE("pipeline.ecs_compatibility"),
                                 slice_from_cstr(args->ecs), POS_NONE, &diag);
    if (e == ERR_OK) e = process_settings_finish(settings, &diag);
    bool good = e == ERR_OK;
    if (good && args->config != NULL)
        good = explain_config(args->config, settings, sample, out);
    else if (good)
        good = explain_patterns(args, settings, &heap, &diag, sample, out);
    diag_print_file(&diag, stderr);
    diag_fini(&diag);
    heap_fini(&heap);
    return good;
}

int grok_explain_main(int argc, char **argv)
{
    struct explain_args args = {0};
    struct buf sample = {0}, out = {0};
    if (!read_args(argc, argv, &args)) return usage();
    parsers_init(cpu_init());
    bool good = args.sample == NULL || read_sample(args.sample, &sample);
    if (good) good = explain(&args, buf_slice(&sample), &out);
    if (good) good = fwrite(out.data, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_fini(&sample);
    buf_fini(&out);
    return good ? 0 : 1;
}
