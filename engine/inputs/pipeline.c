/*
 * pipeline.c - events that the outputs of other pipelines send to an address (shard/bus.h).
 *
 * `shared` is the claim of the address, `state` a shard's inlet. The claim is made when the input
 * opens, so two that want one address are found before anything runs.
 */
#include "engine/base/log.h"
#include "engine/plan/compiler.h"
#include "engine/shard/bus.h"

#define LOGGER "inputs.pipeline"

struct pipeline_input_cfg {
    slice address;
};

struct pipeline_input_shared {
    struct bus_claim *claim;
};

static const struct setting pipeline_input_settings[] = {
    {.name = "address",
     SETTING_AT(struct pipeline_input_cfg, address, STRING),
     .flags = SETTING_REQUIRED,
     .doc = "Name that outputs of other pipelines send to; no two inputs have the same."},
    {0},
};

static err compile(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}

static err open_input(void *shared, const void *cfg_, struct input *self, uint32_t shards)
{
    struct pipeline_input_shared *sh = shared;
    const struct pipeline_input_cfg *cfg = cfg_;
    const char *owner = NULL;
    sh->claim = bus_claim(cfg->address, self->pipeline_id, shards, &owner);
    if (sh->claim != NULL) return ERR_OK;
    log_error(LOGGER,
              "[%s] the address \"%.*s\" already belongs to an input of pipeline %s: addresses are "
              "unique across pipelines",
              self->pipeline_id, SLICE_FMT(cfg->address), owner);
    return ERR_CONFIG;
}

static void close_input(void *shared, const void *cfg)
{
    (void)cfg;
    bus_unclaim(((struct pipeline_input_shared *)shared)->claim);
}

static err start(void *state, void *shared, const void *cfg, struct worker *worker,
                 struct input *self)
{
    (void)cfg;
    bus_listen(state, ((struct pipeline_input_shared *)shared)->claim, worker, self->decoration);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    bus_unlisten(state);
}

static bool stopped(void *state, const void *cfg)
{
    (void)cfg;
    return bus_inlet_stopped(state);
}

static void moved(void *state, const void *cfg, struct worker *worker, struct input *self)
{
    (void)cfg;
    bus_inlet_move(state, worker, self->decoration);
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)shared;
    struct value address = value_string(((const struct pipeline_input_cfg *)cfg)->address);
    buf_add_cstr(out, ",\"address\":");
    value_json(&address, out);
}

static slice address(const void *cfg)
{
    return ((const struct pipeline_input_cfg *)cfg)->address;
}

const struct input_ops input_pipeline = {
    .name = "pipeline",
    .doc = "Takes events from `pipeline` outputs of other pipelines of the same process. Each is a "
           "copy, with its metadata; the source of an event is acknowledged when every pipeline "
           "that it was sent to has delivered it.",
    .flags = INPUT_SHARED_STAYS,
    .settings = pipeline_input_settings,
    .cfg_size = sizeof(struct pipeline_input_cfg),
    .shared_size = sizeof(struct pipeline_input_shared),
    .state_size = sizeof(struct bus_inlet),
    .compile = compile,
    .open = open_input,
    .start = start,
    .stop = stop,
    .stopped = stopped,
    .moved = moved,
    .close = close_input,
    .stats = stats,
    .address = address,
};
