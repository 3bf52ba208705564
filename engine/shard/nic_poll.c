/* nic_poll.c - bursts of frames to inputs, answers and counts. */
#include "engine/shard/nic_poll.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/shard/datagram.h"

/* Bursts of one queue before the shard looks at anything else. */
#define NIC_ROUNDS 8u
/* So many frames in a turn mean that there may be more at once; fewer, that waiting a moment makes
 * batches that are worth their costs. A receive ring of 2,048 fills in it at 30 million a second.
 */
#define NIC_MORE (NIC_BURST / 2)
#define NIC_MOMENT_NS (64 * NS_PER_US)
#define NIC_PREFETCH 4u

/* ---- who gets what -------------------------------------------------------------------------- */

static uint32_t address_bytes(uint32_t version)
{
    return version == 4 ? 4 : 16;
}

static bool is_ours(const struct nic_poll *np, uint32_t device, const struct packet *p)
{
    const struct nic_device *d = &np->nics->device[device];
    for (uint32_t i = 0; i < d->address_n; i++)
        if (d->address[i].version == p->version &&
            memcmp(d->address[i].at, p->to, address_bytes(p->version)) == 0)
            return true;
    return false;
}

/* An exact address goes before any of the family, as it does among sockets; `::` takes IPv4, too.
 */
static struct datagrams *find_input(const struct nic_poll *np, const struct packet *p)
{
    struct datagrams *any = NULL;
    for (uint32_t i = 0; i < np->route_n; i++) {
        const struct nic_poll_route *r = &np->route[i];
        const struct nic_address *a = &r->what.address;
        if (r->what.port != p->to_port) continue;
        if (a->version == p->version && memcmp(a->at, p->to, address_bytes(p->version)) == 0)
            return r->to;
        if (nic_address_is_any(a) && a->version >= p->version) any = r->to;
    }
    return any;
}

/* The input for a datagram; *ours says whether the device has its address at all. */
static struct datagrams *input_of(struct nic_poll *np, uint32_t device, const struct packet *p,
                                  bool *ours)
{
    if (np->last.set && np->last.port == p->to_port && np->last.device == device &&
        np->last.address.version == p->version &&
        memcmp(np->last.address.at, p->to, address_bytes(p->version)) == 0) {
        *ours = true;
        return np->last.to;
    }
    *ours = is_ours(np, device, p);
    if (!*ours) return NULL;
    struct nic_address address = {.version = p->version};
    memcpy(address.at, p->to, address_bytes(p->version));
    np->last.address = address;
    np->last.port = p->to_port;
    np->last.device = (uint16_t)device;
    np->last.to = find_input(np, p);
    np->last.set = true;
    return np->last.to;
}

static void address_fill(const struct packet *p, struct sockaddr_storage *out)
{
    if (p->version == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(p->from_port)};
        memcpy(&v4->sin_addr, p->from, 4);
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(p->from_port)};
        memcpy(&v6->sin6_addr, p->from, 16);
    }
}

/* ---- frames that stay longer ------------------------------------------------------------------
 */

/* The last unpin of a frame that an input held back. */
static void give_held(struct blob *blob)
{
    struct nic_poll *np = blob->owner;
    struct nic_kept *kept = (struct nic_kept *)blob;
    np->held_n--;
    np->nics->backend->give(&kept->frame, 1);
}

static struct nic_kept *keep(struct nic_poll *np, const struct nic_frame *frame)
{
    struct nic_kept *kept = np->nics->backend->keep(frame);
    kept->frame = *frame;
    kept->blob = (struct blob){
        .data = frame->p, .size = frame->n, .used = frame->n, .pins = 1, .give = give_held};
    return kept;
}

/* The input's pipeline takes nothing now. */
static bool hold(struct nic_poll *np, const struct nic_frame *frame, struct datagrams *to,
                 const struct packet *p, const struct sockaddr_storage *from)
{
    if (np->held_n == NIC_HELD_MAX) {
        np->full = true;
        datagrams_lost(to);
        return false;
    }
    struct nic_kept *kept = keep(np, frame);
    kept->blob.owner = np;
    kept->from = *from;
    np->held_n++;
    datagrams_keep(to, &kept->blob, p->payload, (const struct sockaddr *)&kept->from);
    return true;
}

static bool pass_on(struct nic_poll *np, const struct nic_frame *frame, uint32_t *count)
{
    bool passed = mpsc_push(&np->lower->passed, keep(np, frame));
    *count = passed ? NIC_PASSED : NIC_PASS_FULL;
    return passed;
}

/* ---- one frame --------------------------------------------------------------------------------
 */

/* What it counts as; *stays when the frame is not to be given back. */
static uint32_t take_datagram(struct nic_poll *np, const struct nic_frame *frame,
                              const struct packet *p, bool *stays)
{
    bool ours;
    struct datagrams *to = input_of(np, frame->device, p, &ours);
    if (!ours) return NIC_OTHER_ADDRESS;
    if (to == NULL && np->lower == NULL) return NIC_NO_INPUT;
    if (!(frame->checked & PACKET_UDP_GOOD) && !packet_checksum_good(p)) return NIC_BAD_UDP;
    uint32_t count = PACKET_DATAGRAM;
    if (to == NULL) {
        *stays = pass_on(np, frame, &count);
        return count;
    }
    struct sockaddr_storage from;
    address_fill(p, &from);
    if (datagrams_offer(to, p->payload, (const struct sockaddr *)&from)) return PACKET_DATAGRAM;
    *stays = hold(np, frame, to, p, &from);
    return *stays ? PACKET_DATAGRAM : NIC_PIPELINE_FULL;
}

static bool is_one_station(const struct packet *p)
{
    return p->version == 4 ? p->to[0] < 224 : p->to[0] != 0xFF;
}

static uint32_t answer(struct nic_poll *np, const struct nic_frame *frame, const struct packet *p,
                       enum packet_kind kind)
{
    const struct nic_device *d = &np->nics->device[frame->device];
    if (!is_ours(np, frame->device, p) || !is_one_station(p)) return NIC_OTHER_ADDRESS;
    uint32_t n = packet_answer(p, kind, d->mac, np->answer);
    bool sent = np->nics->backend->send(frame->device, np->index, np->answer, n);
    return sent ? kind : NIC_NO_ANSWER;
}

/* Frames to other stations come where a switch or a device in promiscuous mode lets them. */
static bool is_for_station(const struct nic_poll *np, const struct nic_frame *frame)
{
    const char *p = frame->p;
    return frame->n < PACKET_MAC_BYTES || (p[0] & 1) ||
           memcmp(p, np->nics->device[frame->device].mac, PACKET_MAC_BYTES) == 0;
}

/* Returns whether the frame is to be given back. */
static bool take_frame(struct nic_poll *np, const struct nic_frame *frame)
{
    struct packet p;
    bool stays = false;
    uint32_t count = NIC_OTHER_ADDRESS;
    if (is_for_station(np, frame)) {
        enum packet_kind kind = packet_parse(slice_make(frame->p, frame->n), frame->checked, &p);
        count = kind;
        if (kind == PACKET_DATAGRAM)
            count = take_datagram(np, frame, &p, &stays);
        else if (kind < PACKET_SHORT)
            count = answer(np, frame, &p, kind);
        else if (kind >= PACKET_FRAGMENT && p.version != 0 && !is_ours(np, frame->device, &p))
            count = NIC_OTHER_ADDRESS;
    }
    counter_add(&np->count[frame->device][count], 1);
    return !stays;
}

/* ---- a turn -----------------------------------------------------------------------------------
 */

static uint32_t take_burst(struct nic_poll *np, uint32_t device)
{
    struct nic_frame frame[NIC_BURST + NIC_PREFETCH];
    const struct nic_backend *backend = np->nics->backend;
    uint32_t n = backend->receive(device, np->index, frame, NIC_BURST), done = 0;
    for (uint32_t i = 0; i < n && i < NIC_PREFETCH; i++) __builtin_prefetch(frame[i].p);
    for (uint32_t i = 0; i < n; i++) {
        if (i + NIC_PREFETCH < n) __builtin_prefetch(frame[i + NIC_PREFETCH].p);
        if (take_frame(np, &frame[i])) frame[done++] = frame[i];
    }
    backend->give(frame, done);
    return n;
}

static uint32_t take_passed(struct nic_poll *np)
{
    uint32_t n = 0;
    while (n < NIC_PASSED_MAX) {
        struct nic_kept *kept = mpsc_pop(&np->passed);
        if (kept == NULL) break;
        struct nic_frame frame = kept->frame;
        if (take_frame(np, &frame)) np->nics->backend->give(&frame, 1);
        n++;
    }
    return n;
}

int64_t nic_poll_turn(struct nic_poll *np, int64_t timeout_ns)
{
    int64_t idle_ns = np->nics->idle_sleep_ns;
    if (!np->needed || !np->started) return timeout_ns;
    np->full = false;
    uint32_t n = take_passed(np);
    for (uint32_t i = 0; i < np->nics->device_n; i++) {
        if (np->index >= np->nics->device[i].queue_n) continue;
        uint32_t got = NIC_BURST;
        for (uint32_t round = 0; round < NIC_ROUNDS && got >= NIC_MORE && !np->full; round++)
            n += got = take_burst(np, i);
    }
    /* What is taken now is lost: leave the rest to the device, which drops it for nothing, and the
     * CPU to those who are waited for. They ring when there is room again. */
    if (np->full && idle_ns > 0) return idle_ns < timeout_ns ? idle_ns : timeout_ns;
    if (n >= NIC_MORE || idle_ns == 0) {
        np->sleep_ns = 0;
        return 0;
    }
    np->sleep_ns = n > 0 || np->sleep_ns == 0 ? NIC_MOMENT_NS : np->sleep_ns * 2;
    if (np->sleep_ns > idle_ns) np->sleep_ns = idle_ns;
    return np->sleep_ns < timeout_ns ? np->sleep_ns : timeout_ns;
}

/* ---- life -------------------------------------------------------------------------------------
 */

struct nic_poll *nic_poll_new(uint32_t index, struct nic_poll *const *below)
{
    const struct nics *nics = nics_get();
    if (nics == NULL) return NULL;
    struct nic_poll *np =
        aligned_alloc(CACHE_LINE, (sizeof(*np) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    ASSERT(np != NULL);
    memset(np, 0, sizeof(*np));
    np->nics = nics;
    np->index = index;
    np->answer = malloc(PACKET_ANSWER_BYTES(UINT16_MAX));
    ASSERT(np->answer != NULL);
    mpsc_init(&np->passed, NIC_PASSED_MAX);
    for (uint32_t i = 0; i < nics->device_n; i++)
        if (index < nics->device[i].queue_n) np->needed = true;
    if (index == 0) return np;
    /* Without the highest bit: pipelines run on the first shards, and so those get equal shares. */
    np->lower = below[index & ~(1u << (31 - (uint32_t)__builtin_clz(index)))];
    for (struct nic_poll *to = np->lower; np->needed && to != NULL; to = to->lower)
        to->needed = true;
    return np;
}

void nic_poll_free(struct nic_poll *np)
{
    if (np == NULL) return;
    ASSERT(np->held_n == 0 && np->route_n == 0);
    for (struct nic_kept *kept; (kept = mpsc_pop(&np->passed)) != NULL;)
        np->nics->backend->give(&kept->frame, 1);
    mpsc_fini(&np->passed);
    free(np->answer);
    free(np->route);
    free(np);
}

void nic_poll_listen(struct nic_poll *np, const struct nic_route *route, struct datagrams *to)
{
    ASSERT(route->port != 0);
    np->last.set = false;
    if (np->route_n == np->route_cap) {
        np->route_cap = np->route_cap == 0 ? 16 : np->route_cap * 2;
        np->route = realloc(np->route, np->route_cap * sizeof(*np->route));
        ASSERT(np->route != NULL);
    }
    np->route[np->route_n++] = (struct nic_poll_route){*route, to};
}

void nic_poll_forget(struct nic_poll *np, const struct datagrams *to)
{
    np->last.set = false;
    for (uint32_t i = np->route_n; i-- > 0;)
        if (np->route[i].to == to) np->route[i] = np->route[--np->route_n];
}

const char *nic_count_name(uint32_t count)
{
    static const char *const names[NIC_COUNTS - PACKET_KINDS] = {
        [NIC_OTHER_ADDRESS - PACKET_KINDS] = "other_address",
        [NIC_NO_INPUT - PACKET_KINDS] = "no_input",
        [NIC_BAD_UDP - PACKET_KINDS] = "bad_udp_checksum",
        [NIC_NO_ANSWER - PACKET_KINDS] = "not_answered",
        [NIC_PIPELINE_FULL - PACKET_KINDS] = "pipeline_full",
        [NIC_PASSED - PACKET_KINDS] = "passed_on",
        [NIC_PASS_FULL - PACKET_KINDS] = "passing_full",
    };
    if (count < PACKET_KINDS) return packet_kind_name((enum packet_kind)count);
    return names[count - PACKET_KINDS];
}
