/*
 * flow.h - rates over time windows, as the monitoring API shows them.
 *
 * The API's thread samples the counters of every pipeline every FLOW_SAMPLE_NS: the last quarter
 * of an hour is kept at that resolution, the last day by the minute. A window is shown once it has
 * been lived through. Owner: the API's thread.
 */
#ifndef ENGINE_APP_FLOW_H
#define ENGINE_APP_FLOW_H
#include "engine/app/engine.h"
#include "engine/app/json_out.h"

#define FLOW_SAMPLE_NS 5000000000LL
#define FLOW_FINE 182u
#define FLOW_COARSE 1442u

struct flow_sample {
    int64_t at_ns;
    struct event_totals totals;
};

struct flow {
    char id[40]; /* ephemeral id of the pipeline; "" for the whole process */
    bool seen;   /* in this round of sampling */
    struct flow_sample first;
    struct flow_sample *fine, *coarse; /* rings */
    uint32_t fine_n, coarse_n;         /* ever put */
    struct flow *next;
};

struct flows {
    struct flow *list;
    int64_t next_ns;
};

/* Takes a sample of everything when it is time. engine->view is held. */
void flows_sample(struct flows *f, struct engine *engine, int64_t now_ns);
void flows_fini(struct flows *f);
/* NULL when it was never sampled. */
const struct flow *flows_find(const struct flows *f, const char *id);
struct event_totals engine_totals(const struct engine *engine);
/* The "flow" object: rates from earlier samples to `now`, the present totals. `workers` is what
 * worker_utilization is a share of; 0 leaves it out. `flow` may be NULL. */
void flow_json(const struct flow *flow, struct event_totals now, uint32_t workers,
               struct json_out *j);

#endif
