/*
 * clone.c - copies of events, one per name in `clones`.
 *
 * A clone follows its original and goes on with the next filter. With ECS names it is tagged with
 * its name, else its field `type` is set to it. Common options apply to the clones only. A batch
 * that is full takes no more: clones that find no place are counted and logged.
 */
#include "engine/base/log.h"
#include "engine/plan/common_options.h"

struct clone_cfg {
    struct config_list clones;
    bool ecs;
    struct key type;
};

struct clone_state {
    struct counter refused;
    struct log_gate gate;
};

static void clone_refused(struct clone_state *s)
{
    uint64_t held;
    counter_add(&s->refused, 1);
    if (log_gate_open(&s->gate, &held))
        log_warn("filters.clone",
                 "a batch is full at %u events: clones are lost (%llu more since the last report)",
                 BATCH_EVENTS_MAX, (unsigned long long)held);
}

static enum applied clone_apply(void *state, const void *config, struct batch *b,
                                const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct clone_cfg *cfg = config;
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        for (uint32_t k = 0; k < cfg->clones.n; k++) {
            struct event *clone = batch_add_child(b, in->at[i]);
            if (clone == NULL) {
                clone_refused(state);
                continue;
            }
            event_copy(b, clone, &b->event[in->at[i]]);
            slice name = cfg->clones.at[k].text;
            if (cfg->ecs)
                event_tag(b, clone, name, false);
            else
                map_put(&clone->data, &b->arena, cfg->type, value_string(name));
            sel_push(b, hit, batch_index(b, clone));
        }
    }
    return APPLIED;
}

static void clone_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct clone_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"refused\":%llu", (unsigned long long)counter_read(&s->refused));
}

static err clone_compile(void *config, struct compiler *c)
{
    struct clone_cfg *cfg = config;
    cfg->ecs = compiler_is_ecs(c);
    cfg->type = compile_key(c, SLICE("type"));
    if (cfg->clones.n == 0)
        diag_warn(c->diag, settings_pos(c->plugin, "clones"), NULL,
                  "The parameter 'clones' is empty, so no clones will be created");
    return ERR_OK;
}

/* clang-format off */
static const struct setting clone_settings[] = {
    {.name = "clones", SETTING_AT(struct clone_cfg, clones, LIST), .flags = SETTING_REQUIRED,
     .doc = "Names of the clones: their tag, or their type with ecs_compatibility disabled."},
    {0}};
/* clang-format on */

const struct filter_ops filter_clone = {
    .name = "clone",
    .doc = "Makes copies of events.",
    .settings = clone_settings,
    .cfg_size = sizeof(struct clone_cfg),
    .state_size = sizeof(struct clone_state),
    .compile = clone_compile,
    .apply = clone_apply,
    .stats = clone_stats,
};
