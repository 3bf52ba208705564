/*
 * pipeline.h - a running plan: its inputs' and outputs' shared parts, and one worker per shard.
 *
 * Made, drained and closed by the control thread, which talks to shards by synchronous calls
 * (engine.h: shard_call). Inputs start after every worker and output is ready; they stop first.
 */
#ifndef ENGINE_APP_PIPELINE_H
#define ENGINE_APP_PIPELINE_H
#include <stdatomic.h>

#include "engine/plan/plan.h"
#include "engine/shard/worker.h"

struct engine;

/* One pipeline on one shard. */
struct pipeline_shard {
    struct shard *shard;
    struct worker *worker;
    void **input_state; /* one per input; NULL where the input does not run on this shard */
    bool drained, inputs_stopped;
};

struct pipeline {
    struct engine *engine;
    struct plan *plan;
    struct input *input;
    struct output *output;
    struct pipeline_shard *on; /* one per shard the pipeline runs on */
    uint32_t shard_n;
    uint32_t home;        /* index in `on` of the shard that runs INPUT_SINGLE inputs */
    uint32_t inputs_left; /* INPUT_ENDS inputs that have not finished; engine->lock */
    bool endless;         /* some input never ends by itself */
    int64_t started_ns;
    uint64_t reloads_ok, reloads_failed;
    char ephemeral_id[40];
};

/* Takes the plan. NULL after a log line when an input or output refuses to open. */
struct pipeline *pipeline_start(struct engine *engine, struct plan *plan);
/* Inputs stop taking data in. */
void pipeline_stop_inputs(struct pipeline *p);
/* Waits until all that was taken is delivered, or the monotonic deadline; true when drained. */
bool pipeline_drain(struct pipeline *p, int64_t deadline_ns);
/* After pipeline_stop_inputs; what is still in flight fails. Frees the plan. */
void pipeline_close(struct pipeline *p);
/* Puts a new plan in place of the old between batches: inputs that are the same keep their
 * sockets. ERR_CONFIG (old one keeps running) when the new one cannot be opened. */
err pipeline_replace(struct pipeline *p, struct plan *plan) MUST_USE;

#endif
