/*
 * plugins.h - the simulation's own input, filter and outputs.
 *
 * `peers`: line-framed streams on struct feed, which acknowledges lines to its clients ("A n\n")
 * and hangs up when a promise failed. `pause`: a filter that sometimes waits. `remote`: an output
 * on real delivery lanes whose writer is driven by the test: it takes requests when it likes and
 * answers late, out of order, and sometimes with failure.
 */
#ifndef TESTS_SIM_PLUGINS_H
#define TESTS_SIM_PLUGINS_H
#include "engine/plan/plan.h"
#include "engine/shard/shard.h"
#include "net/sim/sim.h"
#include "tests/sim/model.h"

#define SIM_SHARDS_MAX 3u

/* What the plugins need to know of the world of this seed. */
struct world {
    struct sim *sim;
    int listener[SIM_SHARDS_MAX]; /* of each shard */
    uint32_t window_slots;
    int64_t window_bytes;
    size_t seal_bytes;
    int64_t linger_ns;
    int64_t answer_ns_max;
    uint32_t pause_chance;              /* in a thousand batches */
    uint32_t fail_chance, retry_chance; /* in a thousand requests */
};
extern struct world world;

extern const struct input_ops input_peers;
extern const struct filter_ops filter_pause;
extern const struct output_ops output_remote;

/* ---- peers ------------------------------------------------------------------------------- */
struct peers;
/* Closes connections that are done with. Between steps. */
void peers_sweep(struct peers *peers);
uint32_t peers_connections(const struct peers *peers);
/* All credit is back, nothing waits. */
void peers_check_idle(const struct peers *peers);

/* ---- remote ------------------------------------------------------------------------------ */
/* One turn of the far side: takes requests, answers those that are due. `shared` of an output. */
void remote_turn(void *shared);

#endif
