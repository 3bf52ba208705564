/*
 * plan_rig.h - a filter section compiled and run over batches, for benches of filters.
 *
 * One thread. Errors in the configuration end the bench.
 */
#ifndef BENCH_HARNESS_PLAN_RIG_H
#define BENCH_HARNESS_PLAN_RIG_H
#include "engine/plan/plan.h"
#include "engine/plan/plugin.h"

struct plan_rig {
    struct plan *plan;
    struct plan_state *state;
    struct page_pool pool;
    struct batch batch;
};

/* Plugins come from `registry`: linking all of them takes time. */
void plan_rig_init(struct plan_rig *rig, const struct registry *registry, const char *config);
void plan_rig_fini(struct plan_rig *rig);
/* Runs the filters over the batch; the events stay. */
void plan_rig_step(struct plan_rig *rig);

#endif
