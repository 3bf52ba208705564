/*
 * drop.c - cancels the events that reach it, or a share of them.
 *
 * Dropped events are delivered as far as their source is concerned. They never count as matched,
 * so that no common option applies. State: a random sequence per shard.
 */
#include "engine/base/prng.h"
#include "engine/plan/plugin.h"

#include "engine/base/clock.h"

struct drop_cfg {
    double percentage;
};

struct drop_state {
    struct prng random;
};

static enum applied drop_apply(void *state, const void *config, struct batch *b,
                               const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct drop_cfg *cfg = config;
    struct drop_state *s = state;
    (void)hit, (void)run;
    /* In parts of a million, so that 0.5 % is exact. */
    uint64_t share = cfg->percentage <= 0 ? 0 : (uint64_t)(cfg->percentage * 10000.0 + 0.5);
    for (uint32_t i = 0; i < in->n; i++)
        if (share >= 1000000 || prng_below(&s->random, 1000000) < share)
            event_cancel(b, &b->event[in->at[i]]);
    return APPLIED;
}

static err drop_start(void *state, const void *cfg, struct worker *worker)
{
    struct drop_state *s = state;
    (void)cfg, (void)worker;
    /* Shards must not drop in step; the address tells them apart even within one tick. */
    prng_seed(&s->random, (uint64_t)clock_cycles() ^ (uint64_t)(uintptr_t)state);
    return ERR_OK;
}

/* clang-format off */
static const struct setting drop_settings[] = {
    {.name = "percentage", SETTING_AT(struct drop_cfg, percentage, FLOAT), .default_text = "100",
     .doc = "How many of the events, in percent, are dropped."},
    {0}};
/* clang-format on */

const struct filter_ops filter_drop = {
    .name = "drop",
    .doc = "Drops events.",
    .settings = drop_settings,
    .cfg_size = sizeof(struct drop_cfg),
    .state_size = sizeof(struct drop_state),
    .start = drop_start,
    .apply = drop_apply,
};
