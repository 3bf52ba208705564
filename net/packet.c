/* packet.c - reading headers, one's complement sums, three kinds of answers. */
#include "net/packet.h"

#include <string.h>

#include "engine/base/assert.h"

#define ETHERNET_BYTES 14u
#define ETHERNET_LEAST_BYTES 60u /* without the frame check sequence */
#define TAG_BYTES 4u
#define TAGS_MAX 2u
#define ARP_BYTES 28u
#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define UDP_BYTES 8u
#define ICMP_BYTES 8u
#define SOLICITATION_BYTES 24u
#define ADVERTISEMENT_BYTES 32u /* with one option: our link address */
#define TTL 64u
#define TTL_OF_NEIGHBOUR 255u

enum {
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_TAG = 0x8100,
    TYPE_SERVICE_TAG = 0x88A8,
    TYPE_IPV6 = 0x86DD
};
/* Protocols and IPv6 next headers (IANA). */
enum {
    IP_HOP_BY_HOP = 0,
    IP_ICMP = 1,
    IP_UDP = 17,
    IP_ROUTING = 43,
    IP_FRAGMENT = 44,
    IP_AH = 51,
    IP_ICMPV6 = 58,
    IP_DESTINATION = 60,
    IP_MOBILITY = 135,
    IP_HIP = 139,
    IP_SHIM6 = 140
};
enum { ECHO_REPLY = 0, ECHO = 8, ECHO6 = 128, ECHO6_REPLY = 129, SOLICIT = 135, ADVERTISE = 136 };

static uint16_t read_16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void write_16(uint8_t *p, uint32_t n)
{
    p[0] = (uint8_t)(n >> 8);
    p[1] = (uint8_t)n;
}

static const uint8_t *bytes_of(slice s)
{
    return (const uint8_t *)s.p;
}

/* ---- checksums (RFC 1071) ----------------------------------------------------------------- */

/* Words of 32 bits in the machine's order: their sum folds to the same 16 bits, and 2^32 of them
 * fit into 64. A loop that compilers turn into vector instructions. */
static uint64_t sum_of(const uint8_t *p, uint32_t n)
{
    uint64_t sum = 0;
    uint32_t words = n / 4;
    for (uint32_t i = 0; i < words; i++) {
        uint32_t word;
        memcpy(&word, p + (size_t)i * 4, 4);
        sum += word;
    }
    uint32_t rest = 0;
    memcpy(&rest, p + (size_t)words * 4, n % 4);
    return sum + rest;
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xFFFFFFFF) + (sum >> 32);
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)sum;
}

/* The addresses, protocol and length that UDP and ICMPv6 sum besides their own bytes. */
static uint64_t sum_pseudo(uint32_t version, const uint8_t *from, const uint8_t *to,
                           uint32_t protocol, uint32_t n)
{
    uint32_t address = version == 4 ? 4 : 16;
    const uint8_t rest[8] = {
        (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0,
        (uint8_t)protocol};
    return sum_of(from, address) + sum_of(to, address) + sum_of(rest, sizeof(rest));
}

/* Stores the complement of the sum at `at`, whose bytes were zero; sums are in machine order. */
static void checksum_put(uint8_t *at, uint64_t sum)
{
    uint16_t n = (uint16_t)~fold(sum);
    memcpy(at, &n, 2);
}

bool packet_checksum_good(const struct packet *p)
{
    const uint8_t *udp = bytes_of(p->segment);
    if (udp[6] == 0 && udp[7] == 0) return p->version == 4;
    uint64_t sum = sum_pseudo(p->version, p->from, p->to, IP_UDP, p->segment.n);
    return fold(sum + sum_of(udp, p->segment.n)) == 0xFFFF;
}

/* ---- what is in a packet ------------------------------------------------------------------ */

static enum packet_kind parse_udp(struct packet *p)
{
    const uint8_t *udp = bytes_of(p->segment);
    if (p->segment.n < UDP_BYTES) return PACKET_SHORT;
    uint32_t n = read_16(udp + 4);
    if (n < UDP_BYTES) return PACKET_BAD_HEADER;
    if (n > p->segment.n) return PACKET_SHORT;
    p->from_port = read_16(udp);
    p->to_port = read_16(udp + 2);
    p->segment.n = n;
    p->payload = slice_from(p->segment, UDP_BYTES);
    return PACKET_DATAGRAM;
}

static enum packet_kind parse_icmp(struct packet *p)
{
    const uint8_t *icmp = bytes_of(p->segment);
    if (p->segment.n < ICMP_BYTES) return PACKET_SHORT;
    if (icmp[0] != ECHO || icmp[1] != 0) return PACKET_OTHER_PROTOCOL;
    return fold(sum_of(icmp, p->segment.n)) == 0xFFFF ? PACKET_ECHO : PACKET_BAD_CHECKSUM;
}

/* RFC 4861, 7.1.1: what a solicitation must be to count. */
static bool solicitation_valid(const struct packet *p, uint32_t hop_limit)
{
    static const uint8_t none[16] = {0};
    const uint8_t *icmp = bytes_of(p->segment);
    bool nameless = memcmp(p->from, none, 16) == 0;
    if (hop_limit != TTL_OF_NEIGHBOUR || p->segment.n < SOLICITATION_BYTES) return false;
    if (icmp[8] == 0xFF || (nameless && p->to[0] != 0xFF)) return false;
    for (uint32_t at = SOLICITATION_BYTES; at < p->segment.n;) {
        uint32_t left = p->segment.n - at;
        uint32_t n = left < 2 ? 0 : icmp[at + 1] * 8u;
        if (n == 0 || n > left) return false;
        at += n;
    }
    return true;
}

static enum packet_kind parse_icmpv6(struct packet *p, uint32_t hop_limit)
{
    const uint8_t *icmp = bytes_of(p->segment);
    if (p->segment.n < ICMP_BYTES) return PACKET_SHORT;
    bool asks = icmp[0] == SOLICIT || icmp[0] == ECHO6;
    if (!asks || icmp[1] != 0) return PACKET_OTHER_PROTOCOL;
    uint64_t sum = sum_pseudo(6, p->from, p->to, IP_ICMPV6, p->segment.n);
    if (fold(sum + sum_of(icmp, p->segment.n)) != 0xFFFF) return PACKET_BAD_CHECKSUM;
    if (icmp[0] == ECHO6) return PACKET_ECHO;
    if (!solicitation_valid(p, hop_limit)) return PACKET_BAD_HEADER;
    p->to = icmp + 8;
    return PACKET_SOLICITATION;
}

static enum packet_kind parse_ipv4(slice in, uint32_t checked, struct packet *p)
{
    const uint8_t *ip = bytes_of(in);
    if (in.n < IPV4_BYTES) return PACKET_SHORT;
    uint32_t head = (ip[0] & 15u) * 4, total = read_16(ip + 2);
    if (ip[0] >> 4 != 4 || head < IPV4_BYTES || total < head) return PACKET_BAD_HEADER;
    if (total > in.n) return PACKET_SHORT;
    if (!(checked & PACKET_IP_GOOD) && fold(sum_of(ip, head)) != 0xFFFF) return PACKET_BAD_CHECKSUM;
    p->version = 4;
    p->from = ip + 12;
    p->to = ip + 16;
    if ((read_16(ip + 6) & 0x3FFF) != 0) return PACKET_FRAGMENT; /* more follow, or an offset */
    p->segment = slice_part(in, head, total - head);             /* padding is behind it */
    if (ip[9] == IP_UDP) return parse_udp(p);
    return ip[9] == IP_ICMP ? parse_icmp(p) : PACKET_OTHER_PROTOCOL;
}

/* Steps over one extension header. DATAGRAM means that there was one, and what follows it is next;
 * anything else ends the search. */
static enum packet_kind skip_extension(slice *rest, uint32_t *next)
{
    const uint8_t *head = bytes_of(*rest);
    uint32_t kind = *next;
    if (rest->n < 8) return PACKET_SHORT;
    uint32_t n = kind == IP_AH ? (head[1] + 2u) * 4 : (head[1] + 1u) * 8;
    if (kind == IP_FRAGMENT) {
        if ((read_16(head + 2) & 0xFFF9) != 0) return PACKET_FRAGMENT;
        n = 8;
    }
    if (n > rest->n) return PACKET_SHORT;
    /* We are not the last of the stations that it is to visit. */
    if (kind == IP_ROUTING && head[3] != 0) return PACKET_EXTENSION;
    *next = head[0];
    *rest = slice_from(*rest, n);
    return PACKET_DATAGRAM;
}

static bool is_extension(uint32_t next)
{
    return next == IP_HOP_BY_HOP || next == IP_ROUTING || next == IP_FRAGMENT || next == IP_AH ||
           next == IP_DESTINATION || next == IP_MOBILITY || next == IP_HIP || next == IP_SHIM6;
}

static enum packet_kind parse_ipv6(slice in, struct packet *p)
{
    const uint8_t *ip = bytes_of(in);
    if (in.n < IPV6_BYTES) return PACKET_SHORT;
    uint32_t n = read_16(ip + 4), next = ip[6];
    if (ip[0] >> 4 != 6 || n == 0) return PACKET_BAD_HEADER; /* 0: a jumbogram, or nothing */
    if (n > in.n - IPV6_BYTES) return PACKET_SHORT;
    p->version = 6;
    p->from = ip + 8;
    p->to = ip + 24;
    slice rest = slice_part(in, IPV6_BYTES, n);
    for (uint32_t i = 0; is_extension(next); i++) {
        enum packet_kind kind =
            i == PACKET_EXTENSIONS_MAX ? PACKET_EXTENSION : skip_extension(&rest, &next);
        if (kind != PACKET_DATAGRAM) return kind;
    }
    p->segment = rest;
    if (next == IP_UDP) return parse_udp(p);
    return next == IP_ICMPV6 ? parse_icmpv6(p, ip[7]) : PACKET_OTHER_PROTOCOL;
}

/* Requests for an address of Ethernet by one of IPv4. */
static enum packet_kind parse_arp(slice in, struct packet *p)
{
    static const uint8_t request[] = {0, 1, 8, 0, 6, 4, 0, 1};
    const uint8_t *arp = bytes_of(in);
    if (in.n < ARP_BYTES) return PACKET_SHORT;
    if (memcmp(arp, request, sizeof(request)) != 0) return PACKET_NOT_IP;
    p->version = 4;
    p->from = arp + 14;
    p->to = arp + 24;
    return PACKET_ARP;
}

enum packet_kind packet_parse(slice frame, uint32_t checked, struct packet *out)
{
    const uint8_t *p = bytes_of(frame);
    *out = (struct packet){.frame = frame, .link_bytes = ETHERNET_BYTES};
    if (frame.n < ETHERNET_BYTES) return PACKET_SHORT;
    uint32_t type = read_16(p + 12);
    for (uint32_t i = 0; i < TAGS_MAX && (type == TYPE_TAG || type == TYPE_SERVICE_TAG); i++) {
        out->link_bytes += TAG_BYTES;
        if (frame.n < out->link_bytes) return PACKET_SHORT;
        type = read_16(p + out->link_bytes - 2);
    }
    slice in = slice_from(frame, out->link_bytes);
    switch (type) {
    case TYPE_IPV4: return parse_ipv4(in, checked, out);
    case TYPE_IPV6: return parse_ipv6(in, out);
    case TYPE_ARP: return parse_arp(in, out);
    default: return PACKET_NOT_IP;
    }
}

/* ---- answers ------------------------------------------------------------------------------ */

/* The Ethernet header back to the sender, with the tags that it had; returns its length. */
static uint32_t answer_link(const struct packet *p, const uint8_t mac[PACKET_MAC_BYTES],
                            uint8_t *out)
{
    const uint8_t *frame = bytes_of(p->frame);
    memcpy(out, frame, p->link_bytes);
    memcpy(out, frame + PACKET_MAC_BYTES, PACKET_MAC_BYTES);
    memcpy(out + PACKET_MAC_BYTES, mac, PACKET_MAC_BYTES);
    return p->link_bytes;
}

static uint32_t answer_arp(const struct packet *p, const uint8_t mac[PACKET_MAC_BYTES],
                           uint8_t *out)
{
    static const uint8_t reply[] = {0, 1, 8, 0, 6, 4, 0, 2};
    memcpy(out, reply, sizeof(reply));
    memcpy(out + 8, mac, PACKET_MAC_BYTES);
    memcpy(out + 14, p->to, 4);
    memcpy(out + 18, p->from - PACKET_MAC_BYTES, PACKET_MAC_BYTES + 4);
    return ARP_BYTES;
}

static void put_ipv6(uint8_t *ip, const uint8_t *from, const uint8_t *to, uint32_t n, uint32_t ttl)
{
    const uint8_t head[8] = {6 << 4,     0,         0,           0, (uint8_t)(n >> 8),
                             (uint8_t)n, IP_ICMPV6, (uint8_t)ttl};
    memcpy(ip, head, sizeof(head));
    memcpy(ip + 8, from, 16);
    memcpy(ip + 24, to, 16);
}

/* RFC 4861, 7.2.4. Who asks without an address of its own wants to know whether it is taken: all
 * nodes are told. */
static uint32_t answer_solicitation(const struct packet *p, const uint8_t mac[PACKET_MAC_BYTES],
                                    uint8_t *link, uint8_t *out)
{
    static const uint8_t none[16] = {0};
    static const uint8_t all_nodes[16] = {0xFF, 2, [15] = 1};
    static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
    bool nameless = memcmp(p->from, none, 16) == 0;
    const uint8_t *to = nameless ? all_nodes : p->from;
    uint8_t *icmp = out + IPV6_BYTES;
    if (nameless) memcpy(link, all_nodes_mac, PACKET_MAC_BYTES);
    put_ipv6(out, p->to, to, ADVERTISEMENT_BYTES, TTL_OF_NEIGHBOUR);
    memset(icmp, 0, ADVERTISEMENT_BYTES);
    icmp[0] = ADVERTISE;
    icmp[4] = nameless ? 0x20 : 0x60; /* override; and that it was asked for */
    memcpy(icmp + 8, p->to, 16);
    icmp[24] = 2; /* option: target link-layer address, of one times 8 bytes */
    icmp[25] = 1;
    memcpy(icmp + 26, mac, PACKET_MAC_BYTES);
    uint64_t sum = sum_pseudo(6, p->to, to, IP_ICMPV6, ADVERTISEMENT_BYTES);
    checksum_put(icmp + 2, sum + sum_of(icmp, ADVERTISEMENT_BYTES));
    return IPV6_BYTES + ADVERTISEMENT_BYTES;
}

static uint32_t answer_echo(const struct packet *p, uint8_t *out)
{
    uint32_t n = p->segment.n, head = p->version == 4 ? IPV4_BYTES : IPV6_BYTES;
    uint8_t *icmp = out + head;
    memcpy(icmp, p->segment.p, n);
    icmp[0] = p->version == 4 ? ECHO_REPLY : ECHO6_REPLY;
    icmp[2] = icmp[3] = 0;
    if (p->version == 6) {
        put_ipv6(out, p->to, p->from, n, TTL);
        checksum_put(icmp + 2, sum_pseudo(6, p->to, p->from, IP_ICMPV6, n) + sum_of(icmp, n));
        return head + n;
    }
    memset(out, 0, head);
    out[0] = 4 << 4 | IPV4_BYTES / 4;
    write_16(out + 2, head + n);
    out[8] = TTL;
    out[9] = IP_ICMP;
    memcpy(out + 12, p->to, 4);
    memcpy(out + 16, p->from, 4);
    checksum_put(out + 10, sum_of(out, head));
    checksum_put(icmp + 2, sum_of(icmp, n));
    return head + n;
}

uint32_t packet_answer(const struct packet *p, enum packet_kind kind,
                       const uint8_t mac[PACKET_MAC_BYTES], uint8_t *out)
{
    uint32_t n = answer_link(p, mac, out);
    if (kind == PACKET_ARP) {
        n += answer_arp(p, mac, out + n);
    } else if (kind == PACKET_SOLICITATION) {
        n += answer_solicitation(p, mac, out, out + n);
    } else {
        ASSERT(kind == PACKET_ECHO);
        n += answer_echo(p, out + n);
    }
    if (n >= ETHERNET_LEAST_BYTES) return n;
    memset(out + n, 0, ETHERNET_LEAST_BYTES - n);
    return ETHERNET_LEAST_BYTES;
}

const char *packet_kind_name(enum packet_kind kind)
{
    static const char *const names[PACKET_KINDS] = {
        [PACKET_DATAGRAM] = "datagrams",
        [PACKET_ARP] = "arp_requests",
        [PACKET_SOLICITATION] = "neighbour_solicitations",
        [PACKET_ECHO] = "echo_requests",
        [PACKET_SHORT] = "short",
        [PACKET_BAD_HEADER] = "bad_header",
        [PACKET_BAD_CHECKSUM] = "bad_checksum",
        [PACKET_FRAGMENT] = "fragment",
        [PACKET_EXTENSION] = "extension_header",
        [PACKET_OTHER_PROTOCOL] = "other_protocol",
        [PACKET_NOT_IP] = "not_ip",
    };
    ASSERT(kind < PACKET_KINDS);
    return names[kind];
}
