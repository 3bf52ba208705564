/*
 * nic_poll.h - a shard's share of the network interfaces that the process drives itself.
 *
 * Once a turn the shard asks its queues for frames. Questions (ARP, neighbour solicitations, echo)
 * are answered at once; datagrams go to the input whose address and port they are for, into the
 * same batches as those from sockets; everything else is counted by its reason. A datagram whose
 * input runs on other shards only is passed on to a lower one. While a pipeline takes nothing its
 * datagrams are kept, up to NIC_HELD_MAX a shard, then dropped and counted.
 *
 * With frames coming the shard never sleeps; when few come it sleeps for a moment, so that a batch
 * is worth its costs, and when none come for longer and longer, up to dpdk.idle_sleep. It sleeps,
 * too, when frames are dropped. Owner: one shard; counters are read by anybody.
 */
#ifndef ENGINE_SHARD_NIC_POLL_H
#define ENGINE_SHARD_NIC_POLL_H
#include "engine/base/counters.h"
#include "engine/base/ring.h"
#include "net/nic.h"

struct datagrams;

/* What became of frames, besides the kinds of packet.h. Each frame counts once: a datagram as one
 * when an input got it, a question when it was answered. */
enum nic_count {
    NIC_OTHER_ADDRESS = PACKET_KINDS, /* not one of the device */
    NIC_NO_INPUT,                     /* nobody listens to that port */
    NIC_BAD_UDP,                      /* its checksum */
    NIC_NO_ANSWER,                    /* one was due and could not be sent */
    NIC_PIPELINE_FULL,                /* NIC_HELD_MAX were kept already */
    NIC_PASSED,                       /* on to another shard, where it counts again */
    NIC_PASS_FULL,                    /* which had too many on their way */
    NIC_COUNTS
};

/* What an input listens to. */
struct nic_route {
    struct nic_address address;
    uint16_t port; /* 0: nothing */
};

struct nic_poll_route {
    struct nic_route what;
    struct datagrams *to;
};

struct nic_poll {
    const struct nics *nics;
    struct nic_poll *lower; /* whom datagrams without an input here are passed on to, or NULL */
    struct nic_poll_route *route;
    uint32_t route_n, route_cap;
    /* The last datagram's receiver: the next one's is most often the same. */
    struct {
        struct nic_address address;
        uint16_t port, device;
        struct datagrams *to;
        bool set;
    } last;
    uint32_t index;   /* of the shard, and of its queues */
    bool needed;      /* frames come from a device or from other shards */
    bool started;     /* before, frames wait in the device */
    bool full;        /* in this turn a frame was lost because too many are held */
    int64_t sleep_ns; /* the next one's length */
    uint32_t held_n;
    uint8_t *answer;
    struct mpsc passed;
    struct counter count[NIC_DEVICES_MAX][NIC_COUNTS];
};

/* For each shard in turn before any runs; `below` are those of the shards before it. NULL when no
 * devices are open. */
struct nic_poll *nic_poll_new(uint32_t index, struct nic_poll *const *below);
/* After the threads of all shards have ended. */
void nic_poll_free(struct nic_poll *np);

/* Takes what has come; returns for how long the shard may sleep, at most timeout_ns. */
int64_t nic_poll_turn(struct nic_poll *np, int64_t timeout_ns);

void nic_poll_listen(struct nic_poll *np, const struct nic_route *route, struct datagrams *to);
void nic_poll_forget(struct nic_poll *np, const struct datagrams *to);

/* For metrics: "other_address" ... */
const char *nic_count_name(uint32_t count);

#endif
