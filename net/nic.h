/*
 * nic.h - network interfaces that the process drives itself: the seam to DPDK.
 *
 * The process has one set of devices, opened by the control thread before shards start and closed
 * after they have ended; between the two it does not change. Each device has receive queues, and
 * queue i belongs to shard i, which asks for frames (engine/shard/nic_poll.h); nothing ever comes
 * by itself. A frame that is to outlive the turn is kept: it then is a blob. Frames may be given
 * back on any shard. Backends: net/dpdk (builds with SPATE_DPDK), and what tests bring.
 */
#ifndef NET_NIC_H
#define NET_NIC_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"
#include "engine/event/blob.h"
#include "net/packet.h"

/* Named bounds. */
#define NIC_DEVICES_MAX 16u
#define NIC_ADDRESSES_MAX 32u /* of one device */
#define NIC_QUEUES_MAX 256u   /* of one device */
#define NIC_BURST 64u         /* frames asked for at once */
#define NIC_HELD_MAX 2048u    /* frames that a shard keeps while a pipeline takes nothing */
#define NIC_PASSED_MAX 1024u  /* frames on their way from other shards to one */
#define NIC_WHY_BYTES 512u

/* An address of a device, or what a socket is bound to: any of a family is all zero. */
struct nic_address {
    uint8_t version; /* 4 or 6; 0: none */
    uint8_t at[16];
};

struct nic_device_config {
    const char *device; /* as DPDK names it, with its arguments: 0000:3b:00.0, net_tap0,iface=x */
    struct nic_address address[NIC_ADDRESSES_MAX];
    uint32_t address_n;
};

struct nic_config {
    struct nic_device_config device[NIC_DEVICES_MAX];
    uint32_t device_n;
    const char *eal_args; /* more of them, separated by spaces */
    uint32_t shards;      /* each takes a queue, if the device has so many */
    uint32_t mtu, descriptors;
    int64_t idle_sleep_ns; /* longest time between two looks at a silent device; 0: none */
};

struct nic_device {
    char name[64];
    uint8_t mac[PACKET_MAC_BYTES];
    uint32_t queue_n;
    bool checks_ip, checks_udp; /* the device verifies checksums */
    bool spreads;               /* over its queues, by a hash of addresses and ports */
    struct nic_address address[NIC_ADDRESSES_MAX];
    uint32_t address_n;
};

/* What the device counts. */
struct nic_device_stats {
    uint64_t frames, bytes;
    uint64_t missed;    /* no free descriptor: the shards were too slow */
    uint64_t errors;    /* damaged on the wire */
    uint64_t no_buffer; /* no memory for a frame */
    bool link_up;
};

struct nic_frame {
    char *p;
    uint32_t n;
    uint16_t checked; /* enum packet_checked */
    uint16_t device;
    void *handle; /* the backend's */
};

/* A frame that was kept, in memory that belongs to the frame. */
struct nic_kept {
    struct blob blob; /* of the frame; give() is the keeper's */
    struct nic_frame frame;
    struct sockaddr_storage from;
};

struct nic_backend {
    const char *name;
    /* ERR_SYSTEM with a sentence. */
    err (*open)(const struct nic_config *config, struct nic_device *device,
                char why[NIC_WHY_BYTES]);
    void (*close)(void);
    /* On a shard's thread, before and after it uses the rest. */
    void (*thread_begin)(void);
    void (*thread_end)(void);
    uint32_t (*receive)(uint32_t device, uint32_t queue, struct nic_frame *at, uint32_t n);
    void (*give)(const struct nic_frame *at, uint32_t n);
    struct nic_kept *(*keep)(const struct nic_frame *frame);
    /* Copies; false when it cannot be sent now. */
    bool (*send)(uint32_t device, uint32_t queue, const void *p, uint32_t n);
    void (*stats)(uint32_t device, struct nic_device_stats *out);
};

struct nics {
    const struct nic_backend *backend;
    struct nic_device device[NIC_DEVICES_MAX];
    uint32_t device_n;
    int64_t idle_sleep_ns;
};

/* NULL: this build has none. */
const struct nic_backend *nic_backend_dpdk(void);
/* Reads "DEVICE ADDRESS ..."; false with a sentence about what is wrong. The device's name is
 * allocated. */
bool nic_device_parse(slice text, struct nic_device_config *out, char why[NIC_WHY_BYTES]);

/* Opens the process's devices; ERR_SYSTEM with a sentence. */
err nics_open(const struct nic_backend *backend, const struct nic_config *config,
              char why[NIC_WHY_BYTES]) MUST_USE;
void nics_close(void);
/* NULL while none are open. */
const struct nics *nics_get(void);
/* Whether some device has exactly this address. */
bool nics_have(const struct nic_address *address);
/* Which address and port a socket address names. */
struct nic_address nic_address_of(const struct sockaddr *from);
bool nic_address_is_any(const struct nic_address *a);

/* Of two inputs on one address that only devices have no kernel tells the second: the first claims
 * it. False when somebody has. Control thread. */
bool nics_claim(const struct nic_address *address, uint16_t port);
void nics_release(const struct nic_address *address, uint16_t port);

#endif
