/*
 * pipeline.h - a running plan: its inputs' and outputs' shared parts, and one worker per shard.
 *
 * Made, drained and closed by the control thread, which talks to shards by synchronous calls
 * (engine.h: shard_call). Inputs start after every worker and output is ready; they stop first.
 * The monitoring API reads pipelines that stand in engine->pipeline under engine->view.
 */
#ifndef ENGINE_APP_PIPELINE_H
#define ENGINE_APP_PIPELINE_H
#include "engine/app/wanted.h"
#include "engine/plan/plan.h"
#include "engine/shard/worker.h"

struct engine;

/* One pipeline on one shard. */
struct pipeline_shard {
    struct shard *shard;
    struct worker *worker;
    void **input_state; /* one per input; NULL where the input does not run on this shard */
};

struct pipeline_input {
    struct input input;
    uint32_t home;     /* index in the pipeline's `on` of the shard that runs it, if INPUT_SINGLE */
    uint32_t finished; /* shards on which an INPUT_ENDS input is through; engine->lock */
    bool open;         /* `shared` is this pipeline's to close */
    bool stopped;
};

/* Survives reloads, which copy it. */
struct pipeline_reloads {
    uint64_t successes, failures;
    int64_t success_ns, failure_ns; /* real time; 0: never */
    char error[300];
};

struct pipeline {
    struct engine *engine;
    struct plan *plan;
    struct wanted_set *set; /* keeps the plan's settings */
    uint64_t hash;          /* of configuration and settings: wanted_hash */
    struct pipeline_input *in;
    struct output *output;
    uint32_t outputs_open;
    struct pipeline_shard *on; /* one per shard the pipeline runs on */
    uint32_t shard_n;
    struct pipeline_reloads reloads;
    int64_t started_ns;
    char ephemeral_id[40];
};

/* Takes the plan, and a use of the set. NULL after a log line when a plugin refuses to open. */
struct pipeline *pipeline_start(struct engine *engine, struct plan *plan, struct wanted_set *set);
/* Inputs stop taking data in. */
void pipeline_stop_inputs(struct pipeline *p);
/* Those that take it from outside do; what other pipelines send still comes in. */
void pipeline_stop_sources(struct pipeline *p);
bool pipeline_has_sources(const struct pipeline *p);
/* Waits until all that was taken is delivered, or the monotonic deadline; true when drained. */
bool pipeline_drain(struct pipeline *p, int64_t deadline_ns);
/* After pipeline_stop_inputs; what is still in flight fails. Frees the plan. */
void pipeline_close(struct pipeline *p);
/* Puts a new plan (taken, with a use of `set`) in place of the one that engine->pipeline[index]
 * runs: see reload.c. ERR_UNSUPPORTED and ERR_CONFIG leave the old one running; *why says why. */
err pipeline_replace(struct engine *engine, uint32_t index, struct plan *plan,
                     struct wanted_set *set, const char **why) MUST_USE;
/* Whether every input that takes data from outside has come to its end. engine->lock is held. */
bool pipeline_is_finished(const struct pipeline *p);

/* ---- parts, for reload.c ------------------------------------------------------------- */

struct pipeline *pipeline_new(struct engine *engine, struct plan *plan, struct wanted_set *set);
err pipeline_outputs_open(struct pipeline *p) MUST_USE;
bool pipeline_workers_start(struct pipeline *p);
err pipeline_input_open(struct pipeline *p, uint32_t i) MUST_USE;
bool pipeline_input_start(struct pipeline *p, uint32_t i);
void pipeline_input_stop(struct pipeline *p, uint32_t i);
/* Waits until nothing refers to the input's states and frees them. All must be settled. */
void pipeline_input_free(struct pipeline *p, uint32_t i);
void pipeline_input_close(struct pipeline *p, uint32_t i);
/* Gives up what is in flight. */
void pipeline_workers_free(struct pipeline *p);
/* Runs fn on every shard of the pipeline with `at`, its index in p->on. */
void pipeline_on_all(struct pipeline *p, void *arg,
                     void (*fn)(struct pipeline *p, uint32_t at, void *arg));

#endif
