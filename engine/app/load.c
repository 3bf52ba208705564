/* load.c - read, parse, expand, compile. */
#include "engine/app/load.h"

#include <stdio.h>

#include "engine/config/files.h"
#include "engine/registry.h"

static const struct source *read_source(const struct load_source *from, struct heap *heap,
                                        struct diag *diag)
{
    const struct source *source = NULL;
    err e = from->path != NULL ? config_files_load(slice_from_cstr(from->path), heap, diag, &source)
                               : config_string_load(slice_from_cstr(from->text), from->complete,
                                                    heap, diag, &source);
    return e == ERR_OK ? source : NULL;
}

struct plan *load_plan(const struct load_source *from, const struct process_settings *settings)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct env env = ENV_PROCESS;
    struct ast *ast = heap_alloc(&heap, sizeof(*ast));
    struct plan *plan = NULL;
    struct ast_options options = {.support_escapes =
                                      process_settings_bool(settings, "config.support_escapes")};
    const struct source *source = read_source(from, &heap, &diag);
    if (source != NULL && ast_parse(source, options, &heap, &diag, ast) == ERR_OK &&
        env_expand_ast(&env, ast, &heap, &diag) == ERR_OK)
        plan = plan_compile(ast, &heap, &diag, &plugin_registry, settings, NULL);
    diag_print_file(&diag, stderr);
    diag_fini(&diag);
    heap_fini(&heap);
    return plan;
}
