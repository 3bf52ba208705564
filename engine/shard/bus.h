/*
 * bus.h - events from one pipeline to another of the same process.
 *
 * A pipeline listens at an address with an inlet on each of its shards; another sends to it through
 * an outlet. Events are copied (event/transplant.h) straight into the open batch of the listening
 * pipeline's worker on the same shard, and run when that worker has its turn, never inside of the
 * sender's. Where the listener has fewer shards than the sender, a copy travels as cargo by the
 * mailbox to one of them and is copied into a batch there.
 *
 * Promises: a parcel stands for what one batch sent to one address. On its own shard it holds the
 * receipts of that batch; on the listener's it is a window with one receipt, which the batches made
 * from it hold. When that settles the parcel goes home and releases what it holds with the same
 * outcome. An outlet that closes lets its receipts fail at once; its parcels come home to nobody.
 *
 * Bounds: BUS_PARCELS_MAX parcels of an outlet and BUS_AWAY_MAX of a shard whose promise is open,
 * BUS_CARGO_MAX cargoes of an outlet that have not been unloaded. Everything belongs to the shard
 * it is on; claims of addresses belong to the control thread.
 */
#ifndef ENGINE_SHARD_BUS_H
#define ENGINE_SHARD_BUS_H
#include "engine/shard/worker.h"

#define BUS_PARCELS_MAX 1024u
#define BUS_AWAY_MAX (MAILBOX_SLOTS / 4)
#define BUS_CARGO_MAX 4u
/* How often an address on another shard that nobody listened at is tried again. */
#define BUS_RETRY_NS (200 * 1000 * 1000LL)

/* ---- addresses: control thread -------------------------------------------------------- */

struct bus_claim {
    slice address;    /* its own copy */
    char *owner;      /* the pipeline's id */
    uint32_t shard_n; /* on which it listens */
    struct bus_claim *next;
};

/* NULL when another one has the address: *owner is then its pipeline. */
struct bus_claim *bus_claim(slice address, const char *pipeline_id, uint32_t shards,
                            const char **owner);
void bus_unclaim(struct bus_claim *claim);

/* ---- shards ----------------------------------------------------------------------------- */

/* On each shard once all are there: who the others are, by index. Without it, events stay on their
 * shard. */
void bus_join(struct shard *shard, struct shard *const *all, uint32_t n);
void bus_port_free(struct shard *shard);

/* ---- listening -------------------------------------------------------------------------- */

struct bus_cargo;

struct bus_inlet {
    const struct bus_claim *claim;
    struct shard *shard; /* outlives the worker */
    struct worker *worker;
    const struct decoration *decoration;
    struct intake intake;
    struct bus_cargo *first, *last; /* arrived while the worker could not take more */
    uint32_t unsettled_n;           /* parcels unloaded and not yet settled */
    struct bus_inlet *next;         /* of the shard's */
};

/* The inlet is zeroed memory that stays where it is. */
void bus_listen(struct bus_inlet *inlet, const struct bus_claim *claim, struct worker *worker,
                const struct decoration *decoration);
/* Nothing more is taken; what has arrived is. */
void bus_unlisten(struct bus_inlet *inlet);
/* A reload: from now on events go to another worker of the same shard. */
void bus_inlet_move(struct bus_inlet *inlet, struct worker *worker,
                    const struct decoration *decoration);
/* The worker may be gone. Gives up what waits; true when every promise is settled. */
bool bus_inlet_stopped(struct bus_inlet *inlet);

/* ---- sending ------------------------------------------------------------------------------ */

struct bus_parcel;

/* An outlet's numbers on its shard. */
struct bus_outlet_counters {
    _Alignas(CACHE_LINE) struct counter dropped, full_hits;
};

struct bus_outlet {
    slice address; /* of the configuration */
    const char *pipeline_id;
    struct shard *shard;
    bool drops; /* what nobody listens to is dropped and counted, not kept */
    struct bus_outlet_counters *counters;
    struct bus_parcel *free;
    struct bus_parcel **flying;
    uint32_t flying_n, away_n, cargo_n;
    struct bus_cargo *back, *back_last; /* found nobody on the other shard, oldest first */
    uint32_t to;                        /* the shard that cargo is sent to */
    int64_t retry_ns;
    int64_t absent_since_ns, complain_ns; /* 0: somebody listens */
};

enum bus_room {
    BUS_READY,
    BUS_FULL,  /* the listener, or the way to it */
    BUS_ABSENT /* nobody listens there now */
};

void bus_outlet_open(struct bus_outlet *o, struct shard *shard, slice address, bool drops,
                     const char *pipeline_id, struct bus_outlet_counters *counters);
/* Whether bus_send would be taken now. */
enum bus_room bus_outlet_room(struct bus_outlet *o);
/* After BUS_READY: copies the events; the batch's promises now also depend on them. */
void bus_send(struct bus_outlet *o, const struct batch *b, const struct sel *in);
/* After BUS_ABSENT: says so every few seconds, in case of `drops` with how much is lost. */
void bus_outlet_absent(struct bus_outlet *o, uint32_t dropped);
/* Every shard step. */
void bus_outlet_tick(struct bus_outlet *o);
static inline bool bus_outlet_idle(const struct bus_outlet *o)
{
    return o->flying_n == 0;
}
/* Promises that are open fail. */
void bus_outlet_close(struct bus_outlet *o);

#endif
