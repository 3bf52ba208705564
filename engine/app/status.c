/* status.c - counters of shards, workers and lanes; credit of inputs. */
#include "engine/app/status.h"

#include "engine/base/log.h"
#include "engine/shard/delivery.h"

#define U(counter) (unsigned long long)counter_read(&(counter))

static void log_shards(const struct engine *engine)
{
    for (uint32_t i = 0; i < engine->shard_n; i++) {
        const struct engine_shard *es = &engine->shard[i];
        const struct shard_counters *c = &es->shard.counters;
        log_info("status",
                 "shard %u: cpu %d, steps %llu, completions %llu, buffers exhausted %llu, pages "
                 "%llu of %zu bytes (peak %llu, limit hit %llu times)",
                 i, es->cpu, U(c->steps), U(c->completions), U(c->buffers_exhausted),
                 U(c->pages_used_bytes), es->pool_bytes, U(c->pages_peak_bytes),
                 U(c->pages_limit_hits));
    }
}

static void log_worker(const struct pipeline *p, uint32_t at)
{
    const struct worker *w = p->on[at].worker;
    if (w == NULL) return;
    log_info("status",
             "pipeline %s on shard %u: in %llu, filtered %llu, out %llu, dropped %llu, batches "
             "%llu, parked %llu, inputs held back %llu ms",
             p->plan->pipeline_id, w->shard->index, U(w->counters.events_in),
             U(w->state->events_filtered), U(w->state->events_out), U(w->state->events_dropped),
             U(w->counters.batches), U(w->counters.parked), U(w->counters.blocked_ns) / 1000000);
    for (const struct lane *lane = w->lanes; lane != NULL; lane = lane->next)
        log_info("status", "  lane: %llu requests, %llu bytes; in flight %llu, %llu bytes of %llu",
                 U(lane->requests), U(lane->bytes), U(lane->depth), U(lane->flying_bytes),
                 (unsigned long long)lane->shard->lane_bytes_max);
}

static void log_intakes(struct pipeline *p, uint32_t at, void *arg)
{
    (void)arg;
    const struct worker *w = p->on[at].worker;
    for (uint32_t i = 0; w != NULL && i < w->intake_n; i++) {
        const struct intake *s = w->intake[i];
        log_info("status",
                 "pipeline %s on shard %u: intake %u: credit %lld of %lld bytes%s, %u streams wait",
                 p->plan->pipeline_id, w->shard->index, i, (long long)s->credit_bytes,
                 (long long)s->window_bytes, s->stopped ? ", held back" : "", s->waiting);
    }
}

void status_log(struct engine *engine)
{
    log_shards(engine);
    for (uint32_t i = 0; i < engine->pipeline_n; i++)
        for (uint32_t k = 0; k < engine->pipeline[i]->shard_n; k++)
            log_worker(engine->pipeline[i], k);
    for (uint32_t i = 0; i < engine->pipeline_n; i++)
        pipeline_on_all(engine->pipeline[i], NULL, log_intakes);
    for (uint32_t i = 0; i < engine->retired_n; i++)
        for (uint32_t k = 0; k < engine->retired[i]->shard_n; k++)
            log_worker(engine->retired[i], k);
}
