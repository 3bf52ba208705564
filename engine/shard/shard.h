/*
 * shard.h - one pinned thread that owns everything from receive to encode.
 *
 * shard_step() never blocks beyond its wait, so tests and the simulator can drive several shards
 * from one thread. Other threads reach a shard only by its mailbox.
 */
#ifndef ENGINE_SHARD_SHARD_H
#define ENGINE_SHARD_SHARD_H
#include <pthread.h>

#include "engine/base/counters.h"
#include "engine/base/pages.h"
#include "engine/event/event.h"
#include "engine/shard/mailbox.h"
#include "engine/shard/nic_poll.h"
#include "engine/shard/timer.h"

#define SHARD_WORKERS_MAX 256u
/* Batches kept for reuse; each holds a page or two. */
#define SHARD_BATCHES_KEPT 8u

/* What a lane of an output may have in flight when nobody has shared memory out. */
#define SHARD_LANE_BYTES_MAX (64u * 1024 * 1024)

/* Whether a shard may have interfaces of its own: builds without DPDK do not even ask. */
#if defined(SPATE_DPDK) || defined(SPATE_DEBUG)
#define SHARD_POLLS 1
#else
#define SHARD_POLLS 0
#endif

struct bus_port;
struct lookup_asker;
struct ruby_worker;
struct worker;

#define SHARDS_MAX 256u

/* What the feeds of all shards hold in long frames that are not complete yet. Each shard writes
 * its own counter and reads all, which is seldom. */
struct carry_budget {
    struct counter used_bytes[SHARDS_MAX];
    uint32_t shard_n;
    uint64_t max_bytes;
};

struct shard_counters {
    struct counter steps, completions, buffers_exhausted, pages_used_bytes, pages_peak_bytes,
        pages_limit_hits, timers;
};

struct shard {
    struct io *io;
    struct mailbox mailbox;
    struct timers timers;
    struct page_pool pool;
    struct batch *free_batches;
    uint32_t free_batch_n;
    struct worker *worker[SHARD_WORKERS_MAX];
    uint32_t worker_n;
    uint64_t workers_made;
    struct ruby_worker *ruby;          /* the script process of its filters, while there are any */
    struct lookup_asker *askers;       /* filters that look things up */
    struct bus_port *bus;              /* what pipelines hand to each other; NULL: nothing so far */
    _Atomic uint64_t lane_bytes_max;   /* in flight per lane; the control thread's share-out */
    struct carry_budget *carry_budget; /* NULL: no bound */
    uint32_t index;
    int64_t now_mono_ns; /* read once a step */
    int64_t now_real_ns;
    uint32_t datagrams;     /* received in this step */
    uint32_t datagram_flow; /* received since the last sleep: many mean that a longer one pays */
    uint64_t pieces_seen;   /* of streams, when they were counted last, which was then */
    int64_t pieces_seen_ns;
    bool in_pieces; /* many connections, a line each: then, too, a longer sleep pays */
    bool stop;      /* set by message: leave shard_run */
    struct shard_counters counters;
    struct nic_poll *nic; /* its share of dpdk.devices, or NULL */
};

/* Memory for batches of all pipelines on this shard; 0: no limit. */
void shard_init(struct shard *shard, uint32_t index, struct io *io, size_t pool_bytes);
void shard_fini(struct shard *shard);
/* One turn: messages, timers, outcomes, then io for at most timeout_ns, then batches. */
void shard_step(struct shard *shard, int64_t timeout_ns);
/* Steps until shard->stop. */
void shard_run(struct shard *shard);
static inline void shard_post(struct shard *shard, struct message *message)
{
    mailbox_post(&shard->mailbox, message);
}
/* Any thread, e.g. a writer that has put an outcome on its ring. */
static inline void shard_notify(struct shard *shard)
{
    mailbox_notify(&shard->mailbox);
}

struct batch *shard_batch_take(struct shard *shard);
/* Resets it and keeps it for the next. */
void shard_batch_give(struct shard *shard, struct batch *b);

#endif
