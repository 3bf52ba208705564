/*
 * fuzz_config.c - the configuration language, environment expansion, lints and settings files.
 *
 * The first byte chooses: a configuration with or without escapes, logstash.yml, pipelines.yml.
 * Whatever comes in, there is an answer or a message; every position can be printed.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/config/common.h"
#include "engine/config/process_settings.h"
#include "engine/lint/lint.h"

static bool lookup(void *context, slice name, slice *out)
{
    (void)context;
    if (name.n % 2 == 0) return false;
    *out = SLICE("\"[a, 'b', \"c\"]\"");
    return true;
}

static void read_plugins(const struct ast_block *block, struct heap *heap, struct diag *diag)
{
    for (uint32_t i = 0; i < block->n; i++) {
        const struct ast_statement *s = &block->at[i];
        if (s->type == STATEMENT_PLUGIN) {
            struct common_input_cfg cfg = {0};
            struct settings_table table = {common_input_settings, &cfg};
            err e = settings_read(s->plugin, "input", &table, 1, heap, diag, NULL);
            ASSERT(e == ERR_OK || diag->errors > 0);
            continue;
        }
        for (uint32_t arm = 0; arm < s->branch->n; arm++)
            read_plugins(s->branch->arms[arm].body, heap, diag);
    }
}

static void fuzz_language(const struct source *source, bool escapes, struct heap *heap,
                          struct diag *diag)
{
    struct env env = {lookup, NULL};
    struct ast ast;
    err e = ast_parse(source, (struct ast_options){escapes}, heap, diag, &ast);
    ASSERT((e == ERR_OK) == (diag->errors == 0));
    if (e != ERR_OK) return;
    e = env_expand_ast(&env, &ast, heap, diag);
    ASSERT((e == ERR_OK) == (diag->errors == 0));
    for (int i = 0; i < SECTION_N; i++) read_plugins(&ast.sections[i], heap, diag);
    /* Lints see configurations that compiled; here they must do with any. */
    lint_run(&ast, process_settings_new(heap), diag);
    lint_filter(diag, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0 || n > 65536) return 0;
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct buf out = {0};
    struct env env = {lookup, NULL};
    const struct source *source =
        source_new(&heap, SLICE("fuzz"), slice_make((const char *)data + 1, n - 1));
    if (data[0] == 'y' || data[0] == 'p') {
        struct process_settings *s = process_settings_new(&heap);
        struct pipeline_list list;
        err e = data[0] == 'y' ? process_settings_load_text(s, source, &env, &diag)
                               : pipelines_load_text(s, source, &env, &heap, &diag, &list);
        ASSERT((e == ERR_OK) == (diag.errors == 0));
    } else {
        fuzz_language(source, data[0] == 'e', &heap, &diag);
    }
    diag_print(&diag, &out);
    buf_fini(&out);
    diag_fini(&diag);
    heap_fini(&heap);
    return 0;
}
