/* shard.c - the event loop of a shard. */
#include "engine/shard/shard.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/shard/bus.h"
#include "engine/shard/lookup.h"
#include "engine/shard/worker.h"

/* Nothing to do is looked at again this often, for counters and the like. */
#define SHARD_IDLE_NS (500 * NS_PER_MS)
/* With datagrams flowing: sockets are emptied, then the shard sleeps for so long whatever comes. A
 * wake-up per datagram costs twice the CPU. The kernel receives up to 32 of a socket in one go: so
 * many or more in a step mean that there may be more at once. */
#define SHARD_DATAGRAM_WAIT_N 256u
#define SHARD_DATAGRAM_WAIT_NS (300 * NS_PER_US)
#define SHARD_DATAGRAM_BUSY 8u
#define SHARD_DATAGRAM_MORE 32u
/* The same for streams that bring a line at a time: from so many of these in a millisecond on. */
#define SHARD_PIECES_BUSY 16u
#define SHARD_PIECES_WAIT_NS (500 * NS_PER_US)
/* So often more are asked for before the batch goes on: one of 32 events pays a batch's costs. */
#define SHARD_DATAGRAM_ROUNDS 32u

void shard_init(struct shard *shard, uint32_t index, struct io *io, size_t pool_bytes)
{
    memset(shard, 0, sizeof(*shard));
    shard->index = index;
    shard->io = io;
    page_pool_init(&shard->pool, pool_bytes == 0 ? SIZE_MAX : pool_bytes);
    mailbox_init(&shard->mailbox, io);
    atomic_init(&shard->lane_bytes_max, SHARD_LANE_BYTES_MAX);
    shard->now_mono_ns = clock_mono_ns();
    shard->now_real_ns = clock_real_ns();
}

void shard_fini(struct shard *shard)
{
    ASSERT(shard->worker_n == 0);
    if (shard->bus != NULL) bus_port_free(shard);
    while (shard->free_batches != NULL) {
        struct batch *b = shard->free_batches;
        shard->free_batches = b->next;
        batch_fini(b);
        free(b);
    }
    timers_fini(&shard->timers);
    mailbox_fini(&shard->mailbox);
    page_pool_fini(&shard->pool);
}

struct batch *shard_batch_take(struct shard *shard)
{
    struct batch *b = shard->free_batches;
    if (b != NULL) {
        shard->free_batches = b->next;
        shard->free_batch_n--;
    } else {
        b = malloc(sizeof(*b));
        ASSERT(b != NULL);
        batch_init(b, &shard->pool);
    }
    b->now_ns = shard->now_real_ns;
    return b;
}

void shard_batch_give(struct shard *shard, struct batch *b)
{
    batch_reset(b);
    if (shard->free_batch_n >= SHARD_BATCHES_KEPT) {
        batch_fini(b);
        free(b);
        return;
    }
    b->next = shard->free_batches;
    shard->free_batches = b;
    shard->free_batch_n++;
}

static void publish(struct shard *shard)
{
    counter_set(&shard->counters.steps, shard->io->stats.steps);
    counter_set(&shard->counters.completions, shard->io->stats.completions);
    counter_set(&shard->counters.buffers_exhausted, shard->io->stats.buffers_exhausted);
    counter_set(&shard->counters.pages_used_bytes, shard->pool.used_bytes);
    counter_set(&shard->counters.pages_peak_bytes, shard->pool.peak_bytes);
}

static void poll_workers(struct shard *shard)
{
    if (shard->askers != NULL) lookup_poll(shard);
    for (uint32_t i = 0; i < shard->worker_n; i++) worker_poll(shard->worker[i]);
}

static void flush_workers(struct shard *shard)
{
    for (uint32_t i = 0; i < shard->worker_n; i++) worker_flush(shard->worker[i]);
}

static void pieces_count(struct shard *shard)
{
    int64_t ns = shard->now_mono_ns - shard->pieces_seen_ns;
    if (ns < NS_PER_MS) return;
    uint64_t n = shard->io->stats.pieces - shard->pieces_seen;
    shard->in_pieces = n >= (uint64_t)(ns / NS_PER_MS) * SHARD_PIECES_BUSY;
    shard->pieces_seen += n;
    shard->pieces_seen_ns = shard->now_mono_ns;
}

static void receive(struct shard *shard, int64_t timeout_ns)
{
    bool datagrams = shard->datagram_flow >= SHARD_DATAGRAM_BUSY;
    uint32_t wait_n = 1;
    pieces_count(shard);
    if (timeout_ns > 0 && (datagrams || shard->in_pieces)) {
        int64_t most_ns = datagrams ? SHARD_DATAGRAM_WAIT_NS : SHARD_PIECES_WAIT_NS;
        wait_n = SHARD_DATAGRAM_WAIT_N;
        if (timeout_ns > most_ns) timeout_ns = most_ns;
    }
    if (timeout_ns > 0) shard->datagram_flow = 0;
    for (uint32_t i = 0; i < SHARD_DATAGRAM_ROUNDS; i++) {
        shard->datagrams = 0;
        io_step(shard->io, timeout_ns, wait_n);
        shard->datagram_flow += shard->datagrams;
        if (shard->datagrams < SHARD_DATAGRAM_MORE) return;
        timeout_ns = 0;
    }
}

static void wait(struct shard *shard, int64_t timeout_ns)
{
    if (SHARD_POLLS && shard->nic != NULL) timeout_ns = nic_poll_turn(shard->nic, timeout_ns);
    if (timeout_ns > 0) {
        mailbox_sleep(&shard->mailbox);
        /* What came between the last look and the announcement rang no bell. */
        mailbox_run(&shard->mailbox, shard);
        poll_workers(shard);
        flush_workers(shard);
        timeout_ns = timers_wait(&shard->timers, shard->now_mono_ns, timeout_ns);
        for (uint32_t i = 0; i < shard->worker_n; i++)
            if (worker_is_busy(shard->worker[i])) timeout_ns = 0;
    }
    if (shard->stop || shard->datagrams >= SHARD_DATAGRAM_MORE) timeout_ns = 0;
    receive(shard, timeout_ns);
    mailbox_awake(&shard->mailbox);
}

void shard_step(struct shard *shard, int64_t timeout_ns)
{
    shard->now_mono_ns = clock_mono_ns();
    shard->now_real_ns = clock_real_ns();
    mailbox_run(&shard->mailbox, shard);
    timers_run(&shard->timers, shard->now_mono_ns);
    poll_workers(shard);
    wait(shard, timers_wait(&shard->timers, shard->now_mono_ns, timeout_ns));
    flush_workers(shard);
    publish(shard);
}

void shard_run(struct shard *shard)
{
    while (!shard->stop) shard_step(shard, SHARD_IDLE_NS);
}
