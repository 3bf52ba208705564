/*
 * frames.h - Ethernet frames for tests, written out slowly: every checksum byte by byte.
 *
 * frame_* append to a struct made_frame, outermost header first; frame_close fills in lengths and
 * checksums. Addresses are texts.
 */
#ifndef TESTS_UNIT_FRAMES_H
#define TESTS_UNIT_FRAMES_H
#include "tests/unit/t.h"

#include <arpa/inet.h>

#include "engine/base/slice.h"

#define FRAME_MAC "\x02\x00\x00\x00\x00\x01"  /* ours */
#define FRAME_PEER "\x02\x00\x00\x00\x00\x99" /* who sends */

struct made_frame {
    uint8_t at[2048];
    uint32_t n, ip, segment; /* where the IP header and what it carries begin */
    uint8_t protocol;
    bool v6;
};

static inline void frame_add(struct made_frame *f, const void *p, size_t n)
{
    assert_true(f->n + n <= sizeof(f->at));
    memcpy(f->at + f->n, p, n);
    f->n += (uint32_t)n;
}

static inline void frame_add_16(struct made_frame *f, uint32_t n)
{
    const uint8_t bytes[2] = {(uint8_t)(n >> 8), (uint8_t)n};
    frame_add(f, bytes, 2);
}

static inline void frame_put_16(struct made_frame *f, uint32_t at, uint32_t n)
{
    f->at[at] = (uint8_t)(n >> 8);
    f->at[at + 1] = (uint8_t)n;
}

static inline void frame_ethernet(struct made_frame *f, const char *to, uint32_t type)
{
    *f = (struct made_frame){.n = 0};
    frame_add(f, to, 6);
    frame_add(f, FRAME_PEER, 6);
    frame_add_16(f, type);
}

static inline void frame_ipv4(struct made_frame *f, const char *from, const char *to,
                              uint8_t protocol)
{
    const uint8_t head[12] = {0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0};
    uint8_t address[4];
    f->ip = f->n;
    f->v6 = false;
    f->protocol = protocol;
    frame_add(f, head, sizeof(head));
    assert_int_equal(inet_pton(AF_INET, from, address), 1);
    frame_add(f, address, 4);
    assert_int_equal(inet_pton(AF_INET, to, address), 1);
    frame_add(f, address, 4);
    f->segment = f->n;
}

/* `next` is the first next header, `protocol` what is at the end. */
static inline void frame_ipv6(struct made_frame *f, const char *from, const char *to, uint8_t next,
                              uint8_t protocol)
{
    const uint8_t head[8] = {0x60, 0, 0, 0, 0, 0, next, 255};
    uint8_t address[16];
    f->ip = f->n;
    f->v6 = true;
    f->protocol = protocol;
    frame_add(f, head, sizeof(head));
    assert_int_equal(inet_pton(AF_INET6, from, address), 1);
    frame_add(f, address, 16);
    assert_int_equal(inet_pton(AF_INET6, to, address), 1);
    frame_add(f, address, 16);
    f->segment = f->n;
}

static inline void frame_udp(struct made_frame *f, uint16_t from, uint16_t to, const char *text)
{
    f->segment = f->n;
    frame_add_16(f, from);
    frame_add_16(f, to);
    frame_add_16(f, 8 + (uint32_t)strlen(text));
    frame_add_16(f, 0);
    frame_add(f, text, strlen(text));
}

/* RFC 1071 as it is written: 16 bits at a time, in network order. */
static inline uint32_t frame_sum(const uint8_t *p, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
    return sum;
}

static inline uint32_t frame_segment_sum(const struct made_frame *f)
{
    uint32_t n = f->n - f->segment, address = f->v6 ? 32 : 8;
    uint32_t sum = frame_sum(f->at + f->segment, n);
    if (f->protocol != 1)
        sum += frame_sum(f->at + f->ip + (f->v6 ? 8 : 12), address) + f->protocol + n;
    while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
    return sum;
}

/* Lengths and checksums. */
static inline void frame_close(struct made_frame *f)
{
    uint32_t at = f->segment + (f->protocol == 17 ? 6 : 2);
    if (f->v6) {
        frame_put_16(f, f->ip + 4, f->n - f->ip - 40);
    } else {
        uint32_t head = (f->at[f->ip] & 15u) * 4;
        frame_put_16(f, f->ip + 2, f->n - f->ip);
        frame_put_16(f, f->ip + 10, 0);
        frame_put_16(f, f->ip + 10, ~frame_sum(f->at + f->ip, head) & 0xFFFF);
    }
    if (f->protocol != 17 && f->protocol != 1 && f->protocol != 58) return;
    frame_put_16(f, at, 0);
    uint32_t sum = ~frame_segment_sum(f) & 0xFFFF;
    frame_put_16(f, at, sum == 0 && f->protocol == 17 ? 0xFFFF : sum);
}

static inline void frame_datagram(struct made_frame *f, const char *from, const char *to,
                                  uint16_t port, const char *text)
{
    bool v6 = strchr(to, ':') != NULL;
    frame_ethernet(f, FRAME_MAC, v6 ? 0x86DD : 0x0800);
    if (v6)
        frame_ipv6(f, from, to, 17, 17);
    else
        frame_ipv4(f, from, to, 17);
    frame_udp(f, 40000, port, text);
    frame_close(f);
}

static inline void frame_arp(struct made_frame *f, const char *from, const char *to)
{
    uint8_t address[4];
    frame_ethernet(f, "\xFF\xFF\xFF\xFF\xFF\xFF", 0x0806);
    frame_add(f, "\0\1\x08\0\6\4\0\1" FRAME_PEER, 14);
    assert_int_equal(inet_pton(AF_INET, from, address), 1);
    frame_add(f, address, 4);
    frame_add(f, "\0\0\0\0\0\0", 6);
    assert_int_equal(inet_pton(AF_INET, to, address), 1);
    frame_add(f, address, 4);
}

/* With a source link-address option, unless the sender has no address yet. */
static inline void frame_solicitation(struct made_frame *f, const char *from, const char *target)
{
    uint8_t address[16];
    frame_ethernet(f, "\x33\x33\xFF\x00\x00\x10", 0x86DD);
    frame_ipv6(f, from, "ff02::1:ff00:10", 58, 58);
    frame_add(f, "\x87\0\0\0\0\0\0\0", 8);
    assert_int_equal(inet_pton(AF_INET6, target, address), 1);
    frame_add(f, address, 16);
    if (strcmp(from, "::") != 0) frame_add(f, "\1\1" FRAME_PEER, 8);
    frame_close(f);
}

static inline slice frame_slice(const struct made_frame *f)
{
    return slice_make((const char *)f->at, f->n);
}

#endif
