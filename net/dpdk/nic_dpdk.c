/*
 * nic_dpdk.c - poll-mode ports behind nic.h.
 *
 * One pool of mbufs for each device: its receive rings, what shards keep, and answers. A kept frame
 * uses the private area behind its mbuf. A port has as many receive queues as there are shards, if
 * it can; frames are spread over them by the device (RSS over addresses and ports), so that those
 * of one sender's socket stay in order on one shard.
 */
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "net/dpdk/eal.h"

#define LOGGER "dpdk"
#define POOL_CACHE 256u
#define SEND_DESCRIPTORS 256u
#define TAGS_BYTES 8u /* two VLAN tags */

struct port {
    uint16_t id;
    uint32_t sender_n;
    struct rte_mempool *pool;
    bool started;
};

static struct port ports[NIC_DEVICES_MAX];
static uint32_t port_n;

/* ---- opening ------------------------------------------------------------------------------ */

static err refuse(const struct nic_device *d, const char *what, int code, char *why)
{
    snprintf(why, NIC_WHY_BYTES, "dpdk.devices: %s: %s: %s", d->name, what,
             rte_strerror(code < 0 ? -code : code));
    return ERR_SYSTEM;
}

static err pool_make(struct port *p, const struct nic_config *config, const struct nic_device *d,
                     uint32_t descriptors, char *why)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    uint32_t kept = (sizeof(struct nic_kept) + RTE_MBUF_PRIV_ALIGN - 1) / RTE_MBUF_PRIV_ALIGN *
                    RTE_MBUF_PRIV_ALIGN;
    uint32_t room = RTE_PKTMBUF_HEADROOM + config->mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN +
                    TAGS_BYTES + BLOB_PAD;
    if (room < RTE_MBUF_DEFAULT_BUF_SIZE) room = RTE_MBUF_DEFAULT_BUF_SIZE;
    room = (room + 63) / 64 * 64;
    uint32_t n = d->queue_n * (descriptors + SEND_DESCRIPTORS + 2 * POOL_CACHE + NIC_HELD_MAX) +
                 NIC_PASSED_MAX + 2 * POOL_CACHE;
    snprintf(name, sizeof(name), "spate%u", p->id);
    p->pool = rte_pktmbuf_pool_create(name, n, POOL_CACHE, (uint16_t)kept, (uint16_t)room,
                                      rte_eth_dev_socket_id(p->id));
    if (p->pool != NULL) return ERR_OK;
    snprintf(
        why, NIC_WHY_BYTES,
        "dpdk.devices: %s: no memory for %u frames of %u bytes: %s (reserve more huge pages, or "
        "give dpdk.eal_args a larger -m)",
        d->name, n, room, rte_strerror(rte_errno));
    return ERR_SYSTEM;
}

static err configure(struct port *p, const struct nic_config *config, struct nic_device *d,
                     const struct rte_eth_dev_info *info, char *why)
{
    uint64_t checks = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    uint64_t hashes = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP;
    struct rte_eth_conf conf = {0};
    conf.rxmode.offloads = info->rx_offload_capa & checks;
    if (config->mtu != RTE_ETHER_MTU) conf.rxmode.mtu = config->mtu;
    d->queue_n = config->shards < info->max_rx_queues ? config->shards : info->max_rx_queues;
    p->sender_n = d->queue_n < info->max_tx_queues ? d->queue_n : info->max_tx_queues;
    if (d->queue_n > 1 && (info->flow_type_rss_offloads & hashes) != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & hashes;
        d->spreads = true;
    }
    d->checks_ip = conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
    d->checks_udp = conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    int result = rte_eth_dev_configure(p->id, (uint16_t)d->queue_n, (uint16_t)p->sender_n, &conf);
    return result < 0 ? refuse(d, "cannot be configured", result, why) : ERR_OK;
}

static err queues_make(struct port *p, const struct nic_config *config, struct nic_device *d,
                       const struct rte_eth_dev_info *info, char *why)
{
    uint16_t receive = (uint16_t)config->descriptors, send = SEND_DESCRIPTORS;
    int socket = rte_eth_dev_socket_id(p->id);
    int result = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &receive, &send);
    if (result < 0) return refuse(d, "refuses its number of descriptors", result, why);
    err e = pool_make(p, config, d, receive, why);
    if (e != ERR_OK) return e;
    struct rte_eth_rxconf conf = info->default_rxconf;
    conf.rx_drop_en = d->queue_n > 1; /* a full queue must not hold up the others */
    for (uint32_t i = 0; i < d->queue_n; i++) {
        result =
            rte_eth_rx_queue_setup(p->id, (uint16_t)i, receive, (unsigned)socket, &conf, p->pool);
        if (result < 0) return refuse(d, "cannot have a receive queue", result, why);
    }
    for (uint32_t i = 0; i < p->sender_n; i++) {
        result = rte_eth_tx_queue_setup(p->id, (uint16_t)i, send, (unsigned)socket, NULL);
        if (result < 0) return refuse(d, "cannot have a send queue", result, why);
    }
    return ERR_OK;
}

/* Solicitations of neighbours come as multicasts. */
static void multicasts_take(const struct port *p, const struct nic_device *d)
{
    if (rte_eth_allmulticast_enable(p->id) == 0 || rte_eth_promiscuous_enable(p->id) == 0) return;
    log_debug(LOGGER, "%s cannot be told to take all multicasts", d->name);
}

static err port_open(struct port *p, const struct nic_config *config, struct nic_device *d,
                     const char *device, char *why)
{
    struct rte_eth_dev_info info;
    struct rte_ether_addr mac;
    if (!eal_device_name(device, d->name, sizeof(d->name)) ||
        rte_eth_dev_get_port_by_name(d->name, &p->id) != 0) {
        snprintf(why, NIC_WHY_BYTES,
                 "dpdk.devices: there is no device %s; DPDK may have said why above, and "
                 "`dpdk-devbind.py --status` lists what is bound to a driver for user space",
                 device);
        return ERR_SYSTEM;
    }
    int result = rte_eth_dev_info_get(p->id, &info);
    if (result < 0) return refuse(d, "says nothing about itself", result, why);
    err e = configure(p, config, d, &info, why);
    if (e == ERR_OK) e = queues_make(p, config, d, &info, why);
    if (e != ERR_OK) return e;
    result = rte_eth_dev_start(p->id);
    if (result < 0) return refuse(d, "does not start", result, why);
    p->started = true;
    multicasts_take(p, d);
    result = rte_eth_macaddr_get(p->id, &mac);
    if (result < 0) return refuse(d, "has no address", result, why);
    memcpy(d->mac, mac.addr_bytes, PACKET_MAC_BYTES);
    log_info(LOGGER, "%s (%02x:%02x:%02x:%02x:%02x:%02x, %s) receives on %u queue%s", d->name,
             d->mac[0], d->mac[1], d->mac[2], d->mac[3], d->mac[4], d->mac[5], info.driver_name,
             d->queue_n, d->queue_n == 1 ? "" : "s");
    return ERR_OK;
}

static void close_all(void)
{
    for (uint32_t i = 0; i < port_n; i++) {
        if (ports[i].started) rte_eth_dev_stop(ports[i].id);
        if (ports[i].pool == NULL) continue;
        rte_eth_dev_close(ports[i].id);
        rte_mempool_free(ports[i].pool);
    }
    memset(ports, 0, sizeof(ports));
    port_n = 0;
    eal_close();
}

static err open_all(const struct nic_config *config, struct nic_device *device,
                    char why[NIC_WHY_BYTES])
{
    err e = eal_open(config, why);
    if (e != ERR_OK) return e;
    while (port_n < config->device_n && e == ERR_OK) {
        uint32_t i = port_n++;
        e = port_open(&ports[i], config, &device[i], config->device[i].device, why);
    }
    if (e != ERR_OK) close_all();
    return e;
}

/* ---- on shards ---------------------------------------------------------------------------- */

/* Without a number of its own a thread gets mbufs past the pool's caches, slowly. */
static void thread_begin(void)
{
    if (rte_thread_register() != 0)
        log_warn(LOGGER, "a shard stays unknown to DPDK and is slower for it: %s",
                 rte_strerror(rte_errno));
}

static void thread_end(void)
{
    rte_thread_unregister();
}

static uint16_t checked(uint64_t flags)
{
    uint16_t good = 0;
    if ((flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD) good = PACKET_IP_GOOD;
    if ((flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
        good |= PACKET_UDP_GOOD;
    return good;
}

static uint32_t receive(uint32_t device, uint32_t queue, struct nic_frame *at, uint32_t n)
{
    struct rte_mbuf *mbuf[NIC_BURST];
    if (n > NIC_BURST) n = NIC_BURST;
    n = rte_eth_rx_burst(ports[device].id, (uint16_t)queue, mbuf, (uint16_t)n);
    for (uint32_t i = 0; i < n; i++)
        at[i] = (struct nic_frame){.p = rte_pktmbuf_mtod(mbuf[i], char *),
                                   .n = rte_pktmbuf_data_len(mbuf[i]),
                                   .checked = checked(mbuf[i]->ol_flags),
                                   .device = (uint16_t)device,
                                   .handle = mbuf[i]};
    return n;
}

static void give(const struct nic_frame *at, uint32_t n)
{
    struct rte_mbuf *mbuf[NIC_BURST];
    ASSERT(n <= NIC_BURST);
    for (uint32_t i = 0; i < n; i++) mbuf[i] = at[i].handle;
    rte_pktmbuf_free_bulk(mbuf, n);
}

static struct nic_kept *keep(const struct nic_frame *frame)
{
    return rte_mbuf_to_priv(frame->handle);
}

static bool transmit(uint32_t device, uint32_t queue, const void *p, uint32_t n)
{
    const struct port *port = &ports[device];
    if (queue >= port->sender_n || n > UINT16_MAX) return false;
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pool);
    if (mbuf == NULL) return false;
    char *to = rte_pktmbuf_append(mbuf, (uint16_t)n);
    if (to != NULL) {
        memcpy(to, p, n);
        if (rte_eth_tx_burst(port->id, (uint16_t)queue, &mbuf, 1) == 1) return true;
    }
    rte_pktmbuf_free(mbuf);
    return false;
}

static void stats(uint32_t device, struct nic_device_stats *out)
{
    struct rte_eth_stats s = {0};
    struct rte_eth_link link = {0};
    rte_eth_stats_get(ports[device].id, &s);
    *out = (struct nic_device_stats){.frames = s.ipackets,
                                     .bytes = s.ibytes,
                                     .missed = s.imissed,
                                     .errors = s.ierrors,
                                     .no_buffer = s.rx_nombuf};
    if (rte_eth_link_get_nowait(ports[device].id, &link) == 0)
        out->link_up = link.link_status == RTE_ETH_LINK_UP;
}

const struct nic_backend *nic_backend_dpdk(void)
{
    static const struct nic_backend backend = {.name = "DPDK",
                                               .open = open_all,
                                               .close = close_all,
                                               .thread_begin = thread_begin,
                                               .thread_end = thread_end,
                                               .receive = receive,
                                               .give = give,
                                               .keep = keep,
                                               .send = transmit,
                                               .stats = stats};
    return &backend;
}
