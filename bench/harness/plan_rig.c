/* plan_rig.c - filters over batches. */
#include "bench/harness/plan_rig.h"

#include "engine/base/assert.h"

void plan_rig_init(struct plan_rig *rig, const struct registry *registry, const char *config)
{
    static struct heap heap, settings_heap;
    static struct diag diag;
    *rig = (struct plan_rig){0};
    heap = settings_heap = (struct heap){0};
    struct ast *ast = heap_alloc(&heap, sizeof(*ast));
    struct process_settings *settings = process_settings_new(&settings_heap);
    const struct source *source = source_new(&heap, SLICE("bench"), slice_from_cstr(config));
    err e = process_settings_finish(settings, &diag);
    if (e == ERR_OK) e = ast_parse(source, (struct ast_options){0}, &heap, &diag, ast);
    if (e == ERR_OK) rig->plan = plan_compile(ast, &heap, &diag, registry, settings, NULL);
    if (rig->plan == NULL) diag_print_file(&diag, stderr);
    ASSERT(rig->plan != NULL);
    rig->state = plan_state_new(rig->plan, NULL, NULL);
    page_pool_init(&rig->pool, SIZE_MAX);
    batch_init(&rig->batch, &rig->pool);
}

void plan_rig_fini(struct plan_rig *rig)
{
    batch_fini(&rig->batch);
    plan_state_free(rig->state);
    plan_free(rig->plan);
    page_pool_fini(&rig->pool);
}

void plan_rig_step(struct plan_rig *rig)
{
    struct plan_run run;
    plan_run_init(&run, rig->state, &rig->batch);
    ASSERT(plan_step(&run) == STEP_DONE);
}
