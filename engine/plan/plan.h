/*
 * plan.h - a configuration as a flat program, and the stepper that runs batches through it.
 *
 * The node array is immutable and shared by all shards; what changes sits in one plan_state per
 * shard. Branches narrow a selection of event indices; at the end of a branch the outer
 * selection is rebuilt in order, without cancelled events and with the events that filters
 * added behind their parents. A run that waits (PUSH_FULL, APPLY_PARKED) keeps its cursor.
 */
#ifndef ENGINE_PLAN_PLAN_H
#define ENGINE_PLAN_PLAN_H
#include "engine/base/log.h"
#include "engine/plan/common_options.h"
#include "engine/plan/compiler.h"
#include "engine/plan/condition.h"

enum node_kind {
    NODE_FILTER,
    NODE_OUTPUT,
    NODE_IF,
    NODE_ELSE_IF,
    NODE_ELSE,
    NODE_FI,
    NODE_FILTERS_END,
    NODE_END
};

struct plan_node {
    enum node_kind kind;
    uint32_t jump;  /* IF, ELSE_IF, ELSE: the next arm's node, when nothing is selected */
    uint32_t index; /* of the filter or output */
    struct condition *cond;
};

struct plan_filter {
    const struct filter_ops *ops;
    void *cfg;
    struct common_options common;
    slice id, name;
    size_t state_at;
    uint32_t node;
};

struct plan_output {
    const struct output_ops *ops;
    void *cfg;
    slice id, name;
    size_t state_at;
    uint32_t node;
};

struct plan_input {
    const struct input_ops *ops;
    void *cfg;
    struct decoration decoration; /* type, add_field, tags */
    struct codec codec;
    slice id, name;
    uint64_t fingerprint; /* of its kind and all options: equal means reload may keep it */
};

struct plan_codec_use { /* for the monitoring API */
    slice id, name;
    uint32_t of;  /* which input or output it belongs to */
    bool decodes; /* of an input */
};

struct plan {
    struct plan_node *node;
    uint32_t node_n;
    struct plan_input *input;
    struct plan_filter *filter;
    struct plan_output *output;
    uint32_t input_n, filter_n, output_n;
    struct plan_codec_use *codec;
    uint32_t codec_n;
    size_t state_bytes;
    bool serial; /* some filter keeps state across all events: one shard only */
    bool singly; /* batches are of one event: see FILTER_STATE_SHARED */
    uint32_t state_shared_n;
    bool ecs;
    const char *pipeline_id;
    const struct process_settings *settings;
    uint64_t hash; /* of the configuration text */
    slice text;
    struct heap heap;
    struct page_pool pool; /* behind arena */
    struct arena arena;
    uint32_t users; /* pipelines and reloads that hold it; control thread */
};

void plan_free(struct plan *plan);

/* One node's numbers on one shard. */
struct node_counters {
    struct counter calls, in, out, hits, cycles;
};

struct plan_state {
    const struct plan *plan;
    struct worker *worker;
    char *memory;         /* the plugins' states */
    void **output_shared; /* one per output, owned by the pipeline */
    struct node_counters *node;
    struct condition_scratch *scratch;
    struct counter events_filtered, events_out, events_dropped, condition_errors;
    struct log_gate condition_gate;
};

enum step { STEP_PARKED, STEP_DONE };

#define PLAN_DEPTH_MAX 100u /* as AST_DEPTH_MAX */

/* A resumable cursor over one batch. */
struct plan_run {
    struct plan_state *state;
    struct batch *batch;
    uint32_t pc;
    struct sel sel;           /* what the current node may touch */
    struct plan_frame *frame; /* open branches */
    uint32_t depth;
    uint32_t cancelled_n;  /* batch->cancelled_n when sel was last complete */
    bool waits;            /* for a filter that parked it */
    struct plan_run *next; /* the worker's queue */
};

/* NULL when a plugin refuses to start, after a log line. */
struct plan_state *plan_state_new(const struct plan *plan, struct worker *worker,
                                  struct output *outputs);
void plan_state_free(struct plan_state *state);
void *plan_filter_state(const struct plan_state *state, uint32_t index);
void *plan_output_state(const struct plan_state *state, uint32_t index);

/* Starts at the first filter with all events of the batch. */
void plan_run_init(struct plan_run *run, struct plan_state *state, struct batch *batch);
/* Starts at `node`, which may lie inside of branches: events that a filter there made itself. */
void plan_run_init_at(struct plan_run *run, struct plan_state *state, struct batch *batch,
                      uint32_t node);
/* Runs until the end or until a node asks to wait. After STEP_DONE the batch can be reset. */
enum step plan_step(struct plan_run *run);

#endif
