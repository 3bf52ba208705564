/*
 * datagram.h - receiving datagrams on a shard: senders, credit, starvation, what got lost.
 *
 * One struct datagrams per socket. take() sees one datagram at a time, in a receive buffer that is
 * given back when it returns, so it copies what it keeps. While the worker takes nothing,
 * receiving stops and what was already received is held in its buffers; the rest waits in the
 * kernel, which drops what does not fit and counts it. Datagrams from interfaces that the process
 * drives itself (nic_poll.h) come the same way, beside a socket or instead of one. Owner: one
 * shard.
 */
#ifndef ENGINE_SHARD_DATAGRAM_H
#define ENGINE_SHARD_DATAGRAM_H
#include "engine/shard/nic_poll.h"
#include "engine/shard/stamp.h"
#include "engine/shard/worker.h"
#include "net/listener.h"

/* Receive buffers there can be at the most; more need not be held. */
#define DATAGRAMS_HELD_MAX 4096u
#define SENDERS_MAX 64u /* remembered */

/* Where datagrams come from, with what is the same for all of them. */
struct sender {
    uint8_t key[17]; /* family, address */
    char text[ADDRESS_TEXT_BYTES];
    uint32_t text_n;
    uint64_t serial;    /* of the batch whose arena holds: */
    slice kept;         /* the text */
    struct stamp stamp; /* the plugin's; empty for a new sender */
};

struct datagram_counters {
    struct counter received, bytes, empty, truncated, dropped_by_kernel, starved, held;
    struct counter polled, dropped_polled; /* of those received, from our own interfaces; lost */
};

struct datagrams;
struct datagrams_config {
    int fd; /* bound; stays the caller's; -1: none */
    struct nic_route route;
    int64_t window_bytes;
    struct datagram_counters *counters;
    void (*take)(struct datagrams *d, slice payload, struct sender *from, bool truncated);
};

struct datagrams {
    struct intake intake;
    struct ack_window window; /* for worker_took */
    struct worker *worker;
    struct shard *shard;
    struct datagram_counters *counters;
    void (*take)(struct datagrams *d, slice payload, struct sender *from, bool truncated);
    struct io_op op;
    int fd;
    struct sender *sender, *last;
    struct held_datagram *held;
    uint32_t held_n, held_cap;
    struct timer retry, drops;
    uint8_t hungry;
    bool paused, stopping;
};

/* listener_open for datagrams of n shards, and what *route is to be. Only an interface of ours has
 * the address: no sockets then, all of fd is -1. Control thread. */
err datagrams_open(const struct listener_config *config, int *fd, uint32_t n, int64_t *got_bytes,
                   struct nic_route *route, char why[LISTENER_WHY_BYTES]) MUST_USE;
void datagrams_close(int *fd, uint32_t n, const struct nic_route *route);
/* Whether only an interface of ours has the address, on which the kernel cannot listen. */
bool datagrams_only_polled(slice host, uint16_t port);

void datagrams_start(struct datagrams *d, struct worker *worker,
                     const struct datagrams_config *config);
/* A reload: the same socket, for another worker of the shard and an equal configuration. */
void datagrams_move(struct datagrams *d, struct worker *worker, const void *old_cfg,
                    const void *new_cfg);
void datagrams_stop(struct datagrams *d);
/* true when nothing refers to it any more; the worker may be gone. */
bool datagrams_stopped(struct datagrams *d);
/* One from an interface of ours; false when it has to be held back, or is lost. */
bool datagrams_offer(struct datagrams *d, slice payload, const struct sockaddr *from);
/* Takes the pin; `from` lives as long as the blob. */
void datagrams_keep(struct datagrams *d, struct blob *blob, slice payload,
                    const struct sockaddr *from);
void datagrams_lost(struct datagrams *d);
/* The sender's address in the open batch's memory. */
slice sender_text(struct sender *from, struct worker *worker);
void datagram_counters_json(const struct datagram_counters *counters, uint32_t n, struct buf *out);

#endif
