/*
 * packet.h - Ethernet frames: what is in one, and what to answer.
 *
 * Pure functions of the bytes, for those who receive frames themselves (net/nic.h). A frame is a
 * UDP datagram, a question that the owner of an address has to answer, or none of both for one of
 * the reasons below. Nothing is copied: what a struct packet points at lies in the frame. Up to two
 * VLAN tags are skipped, and kept in answers. Any thread.
 *
 * IEEE 802.3, 802.1Q; RFC 826 (ARP), 791 (IPv4), 768 (UDP), 792 (ICMP), 1071 (checksums), 8200
 * (IPv6), 6946 (fragments that are none), 4443 (ICMPv6), 4861 (neighbour discovery).
 */
#ifndef NET_PACKET_H
#define NET_PACKET_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

enum packet_kind {
    PACKET_DATAGRAM,       /* UDP; its checksum is still to be asked for */
    PACKET_ARP,            /* a request */
    PACKET_SOLICITATION,   /* of a neighbour's address */
    PACKET_ECHO,           /* a request, of IPv4 or IPv6 */
    PACKET_SHORT,          /* ends before its headers, or before the length that they give */
    PACKET_BAD_HEADER,     /* of IPv4, IPv6, UDP, ICMPv6 */
    PACKET_BAD_CHECKSUM,   /* of the IPv4 header, of ICMP */
    PACKET_FRAGMENT,       /* not put together here */
    PACKET_EXTENSION,      /* IPv6 extension headers that are unknown, not for us, or too many */
    PACKET_OTHER_PROTOCOL, /* TCP, other ICMP ... */
    PACKET_NOT_IP,         /* LLDP, spanning tree, ARP answers ... */
    PACKET_KINDS
};

/* What the device has found to be right, so that it is not asked again. */
enum packet_checked { PACKET_IP_GOOD = 1, PACKET_UDP_GOOD = 2 };

struct packet {
    slice frame;
    slice segment;       /* datagram, echo: from the UDP or ICMP header on */
    slice payload;       /* of a datagram */
    const uint8_t *from; /* 4 or 16 bytes of the sender's address */
    const uint8_t *to;   /* the same of the receiver, or of who is asked for */
    uint32_t link_bytes; /* the Ethernet header with its tags */
    uint16_t from_port, to_port;
    uint8_t version; /* of IP: 4 or 6; 0: not known */
};

#define PACKET_MAC_BYTES 6u
#define PACKET_EXTENSIONS_MAX 8u
/* Room for every answer to a frame of n bytes. */
#define PACKET_ANSWER_BYTES(n) ((n) + 128u)

/* `checked` is of enum packet_checked. Of the reasons, from FRAGMENT on `version`, `from` and `to`
 * are set if the frame has them. */
enum packet_kind packet_parse(slice frame, uint32_t checked, struct packet *out);
/* Whether the checksum of a PACKET_DATAGRAM is right; in IPv4 it may be left out. */
bool packet_checksum_good(const struct packet *p);
/* Writes the answer of the station `mac` to an ARP request, solicitation or echo into `out`, which
 * has PACKET_ANSWER_BYTES(frame.n); returns its length. */
uint32_t packet_answer(const struct packet *p, enum packet_kind kind,
                       const uint8_t mac[PACKET_MAC_BYTES], uint8_t *out);
/* For metrics: "datagrams", "fragments" ... */
const char *packet_kind_name(enum packet_kind kind);

#endif
