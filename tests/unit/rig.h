/*
 * rig.h - a batch for tests of events, and a whole shard for tests of plans.
 *
 * struct bench_batch has a page pool and one batch on it. struct rig compiles a configuration
 * with a registry that the test gives (its own plugins beside real ones) and runs it on a shard
 * over the simulated kernel. One thread; every fini checks that all memory came back.
 */
#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/config/files.h"
#include "engine/plan/plan.h"
#include "engine/registry.h"
#include "engine/shard/worker.h"
#include "net/sim/sim.h"
#include "parsers/init.h"

struct bench_batch {
    struct page_pool pool;
    struct arena arena; /* of references and templates */
    struct batch b;
};

static inline void bench_batch_init(struct bench_batch *t)
{
    page_pool_init(&t->pool, SIZE_MAX);
    arena_init(&t->arena, &t->pool);
    batch_init(&t->b, &t->pool);
}

static inline void bench_batch_fini(struct bench_batch *t)
{
    batch_fini(&t->b);
    arena_fini(&t->arena);
    page_pool_fini(&t->pool); /* asserts that all pages are back */
}

static inline struct fieldref bench_ref(struct bench_batch *t, const char *text)
{
    struct fieldref ref;
    assert_int_equal(fieldref_parse(&ref, slice_from_cstr(text), &t->arena), ERR_OK);
    return ref;
}

static inline slice event_json(struct batch *b, struct event *ev)
{
    struct value data = value_map(&ev->data);
    b->scratch.n = 0;
    value_json(&data, &b->scratch);
    return arena_copy(&b->arena, buf_slice(&b->scratch));
}

/* The event's data as compact JSON. */
#define assert_event_json(b, ev, want)                                                             \
    t_slice_equal(event_json((b), (ev)), slice_from_cstr(want), __FILE__, __LINE__)

struct rig {
    struct sim *sim;
    struct io *io;
    struct shard shard;
    struct heap settings_heap;
    struct process_settings *settings;
    struct plan *plan;
    struct output *output;
    struct worker *worker;
};

static inline struct plan *rig_compile(const struct process_settings *settings,
                                       const struct registry *registry, const char *text)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    const struct source *source = NULL;
    struct ast *ast = heap_alloc(&heap, sizeof(*ast));
    struct plan *plan = NULL;
    if (config_string_load(slice_from_cstr(text), false, &heap, &diag, &source) == ERR_OK &&
        ast_parse(source, (struct ast_options){0}, &heap, &diag, ast) == ERR_OK)
        plan = plan_compile(ast, &heap, &diag, registry, settings, NULL);
    if (plan == NULL) diag_print_file(&diag, stderr);
    diag_fini(&diag);
    heap_fini(&heap);
    return plan;
}

static inline void rig_open_outputs(struct output *output, const struct plan *plan, uint32_t shards)
{
    for (uint32_t i = 0; i < plan->output_n; i++) {
        const struct plan_output *po = &plan->output[i];
        output[i] = (struct output){.ops = po->ops, .cfg = po->cfg, .id = po->id};
        output[i].pipeline_id = plan->pipeline_id;
        output[i].shared = calloc(1, po->ops->shared_size + 1);
        if (po->ops->open != NULL) {
            err e = po->ops->open(output[i].shared, po->cfg, &output[i], shards);
            ASSERT(e == ERR_OK);
        }
    }
}

static inline void rig_close_outputs(struct output *output, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->output_n; i++) {
        if (output[i].ops->close != NULL) output[i].ops->close(output[i].shared, output[i].cfg);
        free(output[i].shared);
    }
}

/* `batch_size` NULL: the default. */
static inline void rig_init(struct rig *r, const struct registry *registry, const char *config,
                            const char *batch_size)
{
    memset(r, 0, sizeof(*r));
    parsers_init(cpu_init());
    struct diag diag = DIAG_INIT;
    r->settings = process_settings_new(&r->settings_heap);
    if (batch_size != NULL) {
        err e = process_settings_set(r->settings, SLICE("pipeline.batch.size"),
                                     slice_from_cstr(batch_size), POS_NONE, &diag);
        ASSERT(e == ERR_OK);
    }
    diag_fini(&diag);
    r->plan = rig_compile(r->settings, registry, config);
    assert_non_null(r->plan);
    r->sim = sim_new(1, (struct sim_faults){0});
    r->io = sim_io_new(r->sim, (struct io_config){64, 8, 8});
    shard_init(&r->shard, 0, r->io, 0);
    r->output = calloc(r->plan->output_n + 1, sizeof(*r->output));
    rig_open_outputs(r->output, r->plan, 1);
    r->worker = worker_new(&r->shard, r->plan, r->output);
    assert_non_null(r->worker);
}

static inline void rig_fini(struct rig *r)
{
    worker_free(r->worker);
    rig_close_outputs(r->output, r->plan);
    free(r->output);
    shard_fini(&r->shard);
    assert_int_equal(sim_io_blobs_out(r->io), 0);
    io_free(r->io);
    sim_free(r->sim);
    plan_free(r->plan);
    heap_fini(&r->settings_heap);
}

#endif
