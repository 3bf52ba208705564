/*
 * pipeline.c - events to the inputs of other pipelines (shard/bus.h).
 *
 * One outlet per address and shard. A batch goes to one address after the other: where one has no
 * room, or must be waited for, the batch is parked, and goes on with that address when it comes
 * again, so that none gets it twice.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/plan/compiler.h"
#include "engine/shard/bus.h"

struct pipeline_output_cfg {
    struct config_list send_to; /* no address twice */
    bool ensure_delivery;
};

struct pipeline_output_shared {
    struct bus_outlet_counters *counters; /* of the shards, in turn for each address */
    uint32_t shard_n;
};

struct pipeline_output_state {
    struct bus_outlet *outlet;
    uint32_t outlet_n;
    uint32_t done_n; /* addresses that have the batch which is being sent */
};

static const struct setting pipeline_output_settings[] = {
    {.name = "send_to",
     SETTING_AT(struct pipeline_output_cfg, send_to, LIST),
     .flags = SETTING_REQUIRED,
     .doc = "Addresses of `pipeline` inputs. Each gets a copy of every event."},
    {.name = "ensure_delivery",
     SETTING_AT(struct pipeline_output_cfg, ensure_delivery, BOOL),
     .default_text = "true",
     .doc = "Wait for an address at which no pipeline listens. With false its events are dropped "
            "and counted. A pipeline that listens and is full is waited for in any case."},
    {0},
};

static err compile(void *cfg_, struct compiler *c)
{
    struct pipeline_output_cfg *cfg = cfg_;
    struct config_list all = cfg->send_to, *once = &cfg->send_to;
    *once = (struct config_list){heap_alloc(c->heap, (all.n + 1) * sizeof(*all.at)), 0};
    for (uint32_t i = 0; i < all.n; i++) {
        bool again = false;
        for (uint32_t k = 0; k < once->n && !again; k++)
            again = slice_equal(once->at[k].text, all.at[i].text);
        if (!again) ((struct config_value *)(uintptr_t)once->at)[once->n++] = all.at[i];
    }
    if (once->n > 0) return ERR_OK;
    compile_error(c, "send_to", "at least one address", "there is nothing to send to");
    return ERR_CONFIG;
}

static err open_output(void *shared, const void *cfg_, struct output *self, uint32_t shards)
{
    (void)self;
    struct pipeline_output_shared *sh = shared;
    const struct pipeline_output_cfg *cfg = cfg_;
    size_t bytes = (size_t)shards * cfg->send_to.n * sizeof(*sh->counters);
    sh->shard_n = shards;
    sh->counters = aligned_alloc(CACHE_LINE, bytes);
    ASSERT(sh->counters != NULL);
    memset(sh->counters, 0, bytes);
    return ERR_OK;
}

static void close_output(void *shared, const void *cfg)
{
    (void)cfg;
    free(((struct pipeline_output_shared *)shared)->counters);
}

static err start(void *state, void *shared, const void *cfg_, struct worker *worker,
                 struct output *self)
{
    struct pipeline_output_state *s = state;
    struct pipeline_output_shared *sh = shared;
    const struct pipeline_output_cfg *cfg = cfg_;
    ASSERT(worker->shard->index < sh->shard_n);
    s->outlet_n = cfg->send_to.n;
    s->outlet = calloc(s->outlet_n, sizeof(*s->outlet));
    ASSERT(s->outlet != NULL);
    for (uint32_t i = 0; i < s->outlet_n; i++)
        bus_outlet_open(&s->outlet[i], worker->shard, cfg->send_to.at[i].text,
                        !cfg->ensure_delivery, self->pipeline_id,
                        &sh->counters[i * sh->shard_n + worker->shard->index]);
    return ERR_OK;
}

static enum push push(void *state, const void *cfg_, struct batch *b, const struct sel *in)
{
    struct pipeline_output_state *s = state;
    const struct pipeline_output_cfg *cfg = cfg_;
    for (; s->done_n < s->outlet_n; s->done_n++) {
        struct bus_outlet *o = &s->outlet[s->done_n];
        enum bus_room room = bus_outlet_room(o);
        if (room == BUS_FULL) return PUSH_FULL;
        if (room == BUS_ABSENT) {
            bus_outlet_absent(o, cfg->ensure_delivery ? 0 : in->n);
            if (cfg->ensure_delivery) return PUSH_FULL;
        } else {
            bus_send(o, b, in);
        }
    }
    s->done_n = 0;
    return PUSH_TAKEN;
}

static void tick(void *state, const void *cfg, int64_t now_ns)
{
    (void)cfg, (void)now_ns;
    struct pipeline_output_state *s = state;
    for (uint32_t i = 0; i < s->outlet_n; i++) bus_outlet_tick(&s->outlet[i]);
}

static bool drain(void *state, const void *cfg)
{
    (void)cfg;
    const struct pipeline_output_state *s = state;
    for (uint32_t i = 0; i < s->outlet_n; i++)
        if (!bus_outlet_idle(&s->outlet[i])) return false;
    return true;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct pipeline_output_state *s = state;
    for (uint32_t i = 0; i < s->outlet_n; i++) bus_outlet_close(&s->outlet[i]);
    free(s->outlet);
}

static void stats(const void *shared, const void *cfg_, struct buf *out)
{
    const struct pipeline_output_shared *sh = shared;
    const struct pipeline_output_cfg *cfg = cfg_;
    uint64_t dropped = 0, full_hits = 0;
    for (uint32_t i = 0; i < sh->shard_n * cfg->send_to.n; i++) {
        dropped += counter_read(&sh->counters[i].dropped);
        full_hits += counter_read(&sh->counters[i].full_hits);
    }
    buf_add_cstr(out, ",\"send_to\":[");
    for (uint32_t i = 0; i < cfg->send_to.n; i++) {
        struct value address = value_string(cfg->send_to.at[i].text);
        if (i > 0) buf_add_byte(out, ',');
        value_json(&address, out);
    }
    buf_printf(out, "],\"dropped\":{\"unavailable\":%llu},\"full_hits\":%llu",
               (unsigned long long)dropped, (unsigned long long)full_hits);
}

static struct config_list sends_to(const void *cfg)
{
    return ((const struct pipeline_output_cfg *)cfg)->send_to;
}

const struct output_ops output_pipeline = {
    .name = "pipeline",
    .doc = "Sends events to `pipeline` inputs of other pipelines of the same process.",
    .settings = pipeline_output_settings,
    .cfg_size = sizeof(struct pipeline_output_cfg),
    .shared_size = sizeof(struct pipeline_output_shared),
    .state_size = sizeof(struct pipeline_output_state),
    .compile = compile,
    .open = open_output,
    .start = start,
    .push = push,
    .tick = tick,
    .drain = drain,
    .stop = stop,
    .close = close_output,
    .stats = stats,
    .sends_to = sends_to,
};
