/*
 * fuzz_packet.c - Ethernet frames: nothing outside of the frame is read or pointed at, and an
 * answer is a frame that is no question.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "net/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void inside(slice frame, const void *p, size_t n)
{
    if (p == NULL) return;
    const char *at = p;
    ASSERT(at >= frame.p && at + n <= frame.p + frame.n);
}

static void answer(const struct packet *p, enum packet_kind kind)
{
    static const uint8_t mac[PACKET_MAC_BYTES] = {2, 0, 0, 0, 0, 1};
    uint8_t *out = malloc(PACKET_ANSWER_BYTES(p->frame.n));
    struct packet again;
    ASSERT(out != NULL);
    uint32_t bytes = packet_answer(p, kind, mac, out);
    ASSERT(bytes >= 60 && bytes <= PACKET_ANSWER_BYTES(p->frame.n));
    enum packet_kind back = packet_parse(slice_make((const char *)out, bytes), 0, &again);
    ASSERT(back == (kind == PACKET_ARP ? PACKET_NOT_IP : PACKET_OTHER_PROTOCOL));
    free(out);
}

/* The first byte says what the device has checked. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) return 0;
    slice frame = slice_make((const char *)data + 1, n - 1);
    struct packet p;
    enum packet_kind kind = packet_parse(frame, data[0] & 3u, &p);
    ASSERT(kind < PACKET_KINDS && packet_kind_name(kind) != NULL);
    inside(frame, p.from, p.version == 6 ? 16 : 4);
    inside(frame, p.to, p.version == 6 ? 16 : 4);
    inside(frame, p.segment.p, p.segment.n);
    inside(frame, p.payload.p, p.payload.n);
    if (kind == PACKET_DATAGRAM) {
        ASSERT(p.segment.n == p.payload.n + 8);
        (void)packet_checksum_good(&p);
    } else if (kind < PACKET_SHORT) {
        answer(&p, kind);
    }
    return 0;
}
