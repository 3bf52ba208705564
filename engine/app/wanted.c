/* wanted.c - finding, reading and compiling the configurations of pipelines. */
#include "engine/app/wanted.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/config/files.h"
#include "engine/registry.h"

static struct wanted wanted_of(const struct process_settings *s, const struct env *env)
{
    return (struct wanted){.settings = s,
                           .env = env,
                           .id = process_settings_text(s, "pipeline.id").p,
                           .path = process_settings_text(s, "path.config").p,
                           .text = process_settings_text(s, "config.string").p};
}

static err from_flags(struct wanted_set *set, const struct process_settings *base,
                      const struct env *env, bool pipelines_file, struct diag *diag)
{
    set->at = heap_alloc(&set->heap, sizeof(*set->at));
    set->at[0] = wanted_of(base, env);
    set->n = 1;
    if (pipelines_file)
        diag_warn(diag, POS_NONE, NULL,
                  "pipelines.yml is ignored because a configuration was given with -e or -f");
    if (set->at[0].path != NULL && set->at[0].text != NULL) {
        diag_error(diag, POS_NONE, NULL,
                   "path.config (-f) and config.string (-e) cannot be used together");
        return ERR_CONFIG;
    }
    if (set->at[0].text != NULL && process_settings_bool(base, "config.reload.automatic")) {
        diag_error(diag, POS_NONE, NULL,
                   "automatic reloading (-r) needs configuration files: it cannot be used with "
                   "config.string (-e)");
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static err from_pipelines(struct wanted_set *set, const struct process_settings *base,
                          const struct env *env, const char *path, struct diag *diag)
{
    struct env process = ENV_PROCESS;
    struct pipeline_list list;
    err e = pipelines_load(base, path, env == NULL ? &process : env, &set->heap, diag, &list);
    if (e != ERR_OK) return e;
    set->at = heap_alloc(&set->heap, (list.n + 1) * sizeof(*set->at));
    for (uint32_t i = 0; i < list.n; i++) {
        e = process_settings_finish(list.at[i], diag);
        if (e != ERR_OK) return e;
        set->at[set->n++] = wanted_of(list.at[i], env);
    }
    if (set->n > 0) return ERR_OK;
    diag_error(diag, POS_NONE, "a list of pipelines", "%s: no pipeline", path);
    return ERR_CONFIG;
}

err wanted_read(const struct process_settings *base, const char *path_settings,
                const struct env *env, struct wanted_set **out, struct diag *diag)
{
    struct wanted_set *set = calloc(1, sizeof(*set));
    ASSERT(set != NULL);
    set->users = 1;
    bool given = process_settings_text(base, "path.config").p != NULL ||
                 process_settings_text(base, "config.string").p != NULL;
    slice path = path_settings == NULL ? SLICE_NONE
                                       : heap_printf(&set->heap, "%s/pipelines.yml", path_settings);
    bool file = path.p != NULL && access(path.p, F_OK) == 0;
    err e;
    if (given) {
        e = from_flags(set, base, env, file, diag);
    } else if (path.p != NULL) {
        e = from_pipelines(set, base, env, path.p, diag);
    } else {
        diag_error(diag, POS_NONE, NULL,
                   "no configuration: give -f PATH, -e TEXT, or --path.settings FOLDER with a "
                   "pipelines.yml (see spate --help)");
        e = ERR_CONFIG;
    }
    *out = set;
    return e;
}

void wanted_drop(struct wanted_set *set)
{
    if (set == NULL) return;
    ASSERT(set->users > 0);
    if (--set->users > 0) return;
    heap_fini(&set->heap);
    free(set);
}

/* ---- one pipeline ------------------------------------------------------------------- */

static err read_source(const struct wanted *w, struct heap *heap, struct diag *diag,
                       const struct source **out)
{
    if (w->path != NULL) return config_files_load(slice_from_cstr(w->path), heap, diag, out);
    return config_string_load(slice_from_cstr(w->text), true, heap, diag, out);
}

static void check_order(const struct process_settings *s, struct diag *diag)
{
    if (slice_equal(process_settings_text(s, "pipeline.ordered"), SLICE("true")) &&
        process_settings_int(s, "pipeline.workers") > 1)
        diag_error(diag, POS_NONE, "pipeline.workers: 1 (-w 1)",
                   "pipeline.ordered: true needs a single worker");
}

/* Promises about events that are not kept must not be taken for given. */
static void check_promises(const struct process_settings *s, struct diag *diag)
{
    if (slice_equal(process_settings_text(s, "queue.type"), SLICE("persisted")))
        diag_error(diag, POS_NONE, "queue.type: memory", "queue.type: persisted is not supported");
    if (process_settings_bool(s, "dead_letter_queue.enable"))
        diag_error(diag, POS_NONE, NULL, "dead_letter_queue.enable is not supported");
}

static void report(struct load_report *r, const struct diag *diag)
{
    diag_print(diag, &r->text);
    r->errors = diag->errors;
    r->warnings = diag->warnings;
    for (uint32_t i = 0; i < diag->n && r->first[0] == '\0'; i++)
        if (diag->at[i].level == DIAG_ERROR) slice_cstr(diag->at[i].text, r->first, 300);
}

struct plan *wanted_compile(const struct wanted *w, const char *cache_dir,
                            const struct lint_request *lint, struct load_report *r)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct env process = ENV_PROCESS;
    const struct env *env = w->env == NULL ? &process : w->env;
    struct ast *ast = heap_alloc(&heap, sizeof(*ast));
    struct ast_options options = {process_settings_bool(w->settings, "config.support_escapes")};
    const struct source *source = NULL;
    struct plan *plan = NULL;
    *r = (struct load_report){0};
    check_order(w->settings, &diag);
    check_promises(w->settings, &diag);
    if (read_source(w, &heap, &diag, &source) == ERR_OK &&
        ast_parse(source, options, &heap, &diag, ast) == ERR_OK &&
        env_expand_ast(env, ast, &heap, &diag) == ERR_OK)
        plan = plan_compile(ast, &heap, &diag, &plugin_registry, w->settings, cache_dir);
    if (plan != NULL && lint != NULL && lint->run) lint_run(ast, w->settings, &diag);
    lint_name(&diag, "plugin-warning");
    lint_filter(&diag, lint == NULL ? NULL : &lint->allow);
    report(r, &diag);
    diag_fini(&diag);
    heap_fini(&heap);
    return plan;
}

void load_report_fini(struct load_report *r)
{
    buf_fini(&r->text);
}

err wanted_hash(const struct wanted *w, uint64_t *out)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    const struct source *source = NULL;
    struct buf settings = {0};
    err e = read_source(w, &heap, &diag, &source);
    process_settings_json(w->settings, &settings);
    if (e == ERR_OK)
        *out = hash_bytes(settings.data, (uint32_t)settings.n,
                          hash_bytes(source->text.p, source->text.n, 0));
    buf_fini(&settings);
    diag_fini(&diag);
    heap_fini(&heap);
    return e;
}
