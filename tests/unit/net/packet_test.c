/* packet_test.c - frames of every kind, cut and damaged in every place, and what is answered. */
#include "tests/unit/frames.h"

#include <stdlib.h>

#include "net/packet.h"

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
static struct made_frame f;
static struct packet p;

static enum packet_kind parse(void)
{
    return packet_parse(frame_slice(&f), 0, &p);
}

static void address_is(const uint8_t *got, const char *want)
{
    uint8_t bytes[16];
    int family = strchr(want, ':') != NULL ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(family, want, bytes), 1);
    assert_memory_equal(got, bytes, family == AF_INET6 ? 16 : 4);
}

static void test_datagrams(void **state)
{
    (void)state;
    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "hello");
    memset(f.at + f.n, 0xEE, 60 - f.n); /* Ethernet pads short frames */
    f.n = 60;
    assert_int_equal(parse(), PACKET_DATAGRAM);
    assert_slice_equal(p.payload, SLICE("hello"));
    assert_true(p.version == 4 && p.from_port == 40000 && p.to_port == 514);
    address_is(p.from, "192.0.2.1");
    address_is(p.to, "192.0.2.10");
    assert_true(packet_checksum_good(&p));

    frame_datagram(&f, "2001:db8::1", "2001:db8::10", 5514, "six");
    assert_int_equal(parse(), PACKET_DATAGRAM);
    assert_slice_equal(p.payload, SLICE("six"));
    assert_true(p.version == 6 && p.to_port == 5514);
    address_is(p.from, "2001:db8::1");
    address_is(p.to, "2001:db8::10");
    assert_true(packet_checksum_good(&p));

    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "");
    assert_int_equal(parse(), PACKET_DATAGRAM);
    assert_true(p.payload.n == 0 && packet_checksum_good(&p));
}

/* The vector loop and its tail: every length, and every byte counts. */
static void test_checksums(void **state)
{
    (void)state;
    char text[300];
    for (uint32_t n = 0; n < sizeof(text); n++) {
        for (uint32_t i = 0; i < n; i++) text[i] = (char)(i * 131 + n + 1) | 1;
        text[n] = '\0';
        for (int v6 = 0; v6 < 2; v6++) {
            frame_datagram(&f, v6 ? "2001:db8::1" : "192.0.2.1", v6 ? "2001:db8::10" : "192.0.2.10",
                           514, text);
            assert_int_equal(parse(), PACKET_DATAGRAM);
            assert_true(packet_checksum_good(&p));
            if (n == 0) continue;
            uint32_t at = f.n - 1 - n * 7 % n;
            f.at[at] ^= 0x10;
            assert_int_equal(parse(), PACKET_DATAGRAM);
            assert_false(packet_checksum_good(&p));
        }
    }
}

static void test_no_checksum(void **state)
{
    (void)state;
    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "x");
    frame_put_16(&f, f.segment + 6, 0);
    assert_int_equal(parse(), PACKET_DATAGRAM);
    assert_true(packet_checksum_good(&p));
    frame_datagram(&f, "2001:db8::1", "2001:db8::10", 514, "x");
    frame_put_16(&f, f.segment + 6, 0);
    assert_int_equal(parse(), PACKET_DATAGRAM);
    assert_false(packet_checksum_good(&p));
}

static void test_tags(void **state)
{
    (void)state;
    frame_ethernet(&f, FRAME_MAC, 0x88A8);
    frame_add(&f, "\0\5\x81\0\0\7\x08\0", 8); /* outer tag 5, inner tag 7 */
    frame_ipv4(&f, "192.0.2.1", "192.0.2.10", 17);
    frame_udp(&f, 1, 514, "tagged");
    frame_close(&f);
    assert_int_equal(parse(), PACKET_DATAGRAM);
    assert_int_equal(p.link_bytes, 22);
    assert_slice_equal(p.payload, SLICE("tagged"));
}

static void test_ipv4_headers(void **state)
{
    (void)state;
    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "x");
    f.at[f.ip + 8] ^= 1;
    assert_int_equal(parse(), PACKET_BAD_CHECKSUM);
    assert_int_equal(packet_parse(frame_slice(&f), PACKET_IP_GOOD, &p), PACKET_DATAGRAM);

    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "x");
    f.at[f.ip] = 0x44;
    assert_int_equal(parse(), PACKET_BAD_HEADER);
    f.at[f.ip] = 0x65;
    assert_int_equal(parse(), PACKET_BAD_HEADER);

    frame_ethernet(&f, FRAME_MAC, 0x0800); /* with options */
    frame_ipv4(&f, "192.0.2.1", "192.0.2.10", 17);
    f.at[f.ip] = 0x46;
    frame_add(&f, "\1\1\1\0", 4);
    frame_udp(&f, 1, 514, "options");
    frame_close(&f);
    assert_int_equal(parse(), PACKET_DATAGRAM);
    assert_slice_equal(p.payload, SLICE("options"));

    static const uint16_t parts[] = {0x2000, 0x0001, 0x3FFF};
    for (uint32_t i = 0; i < 3; i++) {
        frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "x");
        frame_put_16(&f, f.ip + 6, parts[i]);
        frame_close(&f);
        assert_int_equal(parse(), PACKET_FRAGMENT);
        address_is(p.to, "192.0.2.10");
    }
    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "x");
    frame_put_16(&f, f.ip + 6, 0x4000); /* must not be fragmented: it is not */
    frame_close(&f);
    assert_int_equal(parse(), PACKET_DATAGRAM);

    frame_ethernet(&f, FRAME_MAC, 0x0800);
    frame_ipv4(&f, "192.0.2.1", "192.0.2.10", 6);
    frame_add(&f, "some tcp", 8);
    frame_close(&f);
    assert_int_equal(parse(), PACKET_OTHER_PROTOCOL);
}

static void test_udp_lengths(void **state)
{
    (void)state;
    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "abcdef");
    frame_put_16(&f, f.segment + 4, 7);
    assert_int_equal(parse(), PACKET_BAD_HEADER);
    frame_put_16(&f, f.segment + 4, 8 + 7);
    assert_int_equal(parse(), PACKET_SHORT);
    frame_put_16(&f, f.segment + 4, 8 + 3); /* shorter than the packet: the rest is not its */
    assert_int_equal(parse(), PACKET_DATAGRAM);
    assert_slice_equal(p.payload, SLICE("abc"));
}

/* One extension header of 8 bytes. */
static void extension(uint8_t next, uint8_t second, uint16_t third, uint8_t rest)
{
    const uint8_t bytes[8] = {next, second, (uint8_t)(third >> 8), (uint8_t)third, rest, 0, 0, 0};
    frame_add(&f, bytes, 8);
}

static enum packet_kind with_extension(uint8_t kind, uint8_t second, uint16_t third)
{
    frame_ethernet(&f, FRAME_MAC, 0x86DD);
    frame_ipv6(&f, "2001:db8::1", "2001:db8::10", kind, 17);
    extension(17, second, third, 0);
    frame_udp(&f, 1, 514, "behind");
    frame_close(&f);
    return parse();
}

static void test_ipv6_extensions(void **state)
{
    (void)state;
    static const uint8_t skipped[] = {0, 60, 135, 139, 140};
    for (uint32_t i = 0; i < sizeof(skipped); i++) {
        assert_int_equal(with_extension(skipped[i], 0, 0), PACKET_DATAGRAM);
        assert_slice_equal(p.payload, SLICE("behind"));
        assert_true(packet_checksum_good(&p));
    }
    assert_int_equal(with_extension(51, 0, 0), PACKET_DATAGRAM); /* AH counts in fours */
    assert_int_equal(with_extension(44, 0, 0), PACKET_DATAGRAM); /* the only fragment */
    assert_int_equal(with_extension(44, 0, 1), PACKET_FRAGMENT);
    assert_int_equal(with_extension(44, 0, 8), PACKET_FRAGMENT);
    assert_int_equal(with_extension(43, 0, 0), PACKET_DATAGRAM);
    assert_int_equal(with_extension(43, 0, 1), PACKET_EXTENSION); /* one more station */
    assert_int_equal(with_extension(0, 200, 0), PACKET_SHORT);
    assert_int_equal(with_extension(50, 0, 0), PACKET_OTHER_PROTOCOL); /* encrypted */
    assert_int_equal(with_extension(59, 0, 0), PACKET_OTHER_PROTOCOL); /* nothing */
    for (uint32_t n = PACKET_EXTENSIONS_MAX; n <= PACKET_EXTENSIONS_MAX + 1; n++) {
        frame_ethernet(&f, FRAME_MAC, 0x86DD);
        frame_ipv6(&f, "2001:db8::1", "2001:db8::10", 60, 17);
        for (uint32_t i = 0; i < n; i++) extension(i + 1 < n ? 60 : 17, 0, 0, 0);
        frame_udp(&f, 1, 514, "deep");
        frame_close(&f);
        assert_int_equal(parse(), n > PACKET_EXTENSIONS_MAX ? PACKET_EXTENSION : PACKET_DATAGRAM);
    }
}

static void test_not_ip(void **state)
{
    (void)state;
    static const uint16_t types[] = {0x88CC, 0x0026, 0x8863};
    for (uint32_t i = 0; i < 3; i++) {
        frame_ethernet(&f, FRAME_MAC, types[i]);
        frame_add(&f, "something of forty-six bytes or more, as Ethernet asks", 54);
        assert_int_equal(parse(), PACKET_NOT_IP);
    }
    frame_arp(&f, "192.0.2.1", "192.0.2.10");
    f.at[21] = 2; /* an answer */
    assert_int_equal(parse(), PACKET_NOT_IP);
}

/* Whatever is cut off, nothing is read beyond the end; the copy lets the sanitizer see it. */
static void test_cut_everywhere(void **state)
{
    (void)state;
    struct made_frame all[5];
    frame_datagram(&all[0], "192.0.2.1", "192.0.2.10", 514, "abc");
    frame_datagram(&all[1], "2001:db8::1", "2001:db8::10", 514, "abc");
    frame_arp(&all[2], "192.0.2.1", "192.0.2.10");
    frame_solicitation(&all[3], "2001:db8::1", "2001:db8::10");
    with_extension(60, 0, 0);
    all[4] = f;
    for (uint32_t i = 0; i < 5; i++)
        for (uint32_t n = 0; n < all[i].n; n++) {
            char *copy = malloc(n + 1);
            memcpy(copy, all[i].at, n);
            assert_int_equal(packet_parse(slice_make(copy, n), 0, &p), PACKET_SHORT);
            free(copy);
        }
}

static void test_arp_answer(void **state)
{
    (void)state;
    uint8_t out[PACKET_ANSWER_BYTES(2048)];
    frame_arp(&f, "192.0.2.1", "192.0.2.10");
    assert_int_equal(parse(), PACKET_ARP);
    address_is(p.to, "192.0.2.10");
    assert_int_equal(packet_answer(&p, PACKET_ARP, mac, out), 60);
    assert_memory_equal(out, FRAME_PEER FRAME_MAC "\x08\x06\0\1\x08\0\6\4\0\2" FRAME_MAC, 28);
    address_is(out + 28, "192.0.2.10");
    assert_memory_equal(out + 32, FRAME_PEER, 6);
    address_is(out + 38, "192.0.2.1");
}

/* Puts an answer where the checks of made frames look; of IPv6. */
static void answer_take(struct made_frame *answer, const uint8_t *out, uint32_t n)
{
    *answer = (struct made_frame){.n = 0, .ip = 14, .segment = 54, .protocol = 58, .v6 = true};
    frame_add(answer, out, n);
}

static void test_solicitation_answer(void **state)
{
    (void)state;
    uint8_t out[PACKET_ANSWER_BYTES(2048)];
    struct made_frame answer;
    frame_solicitation(&f, "2001:db8::1", "2001:db8::10");
    assert_int_equal(parse(), PACKET_SOLICITATION);
    address_is(p.to, "2001:db8::10");
    answer_take(&answer, out, packet_answer(&p, PACKET_SOLICITATION, mac, out));
    assert_int_equal(answer.n, 14 + 40 + 32);
    assert_memory_equal(answer.at, FRAME_PEER FRAME_MAC "\x86\xDD", 14);
    assert_true(answer.at[20] == 58 && answer.at[21] == 255);
    address_is(answer.at + 22, "2001:db8::10");
    address_is(answer.at + 38, "2001:db8::1");
    assert_memory_equal(answer.at + 54, "\x88\0", 2);
    assert_memory_equal(answer.at + 58, "\x60\0\0\0", 4); /* solicited, override */
    address_is(answer.at + 62, "2001:db8::10");
    assert_memory_equal(answer.at + 78, "\2\1" FRAME_MAC, 8);
    assert_int_equal(frame_segment_sum(&answer), 0xFFFF);

    frame_solicitation(&f, "::", "2001:db8::10"); /* is the address taken? */
    assert_int_equal(parse(), PACKET_SOLICITATION);
    answer_take(&answer, out, packet_answer(&p, PACKET_SOLICITATION, mac, out));
    assert_memory_equal(answer.at, "\x33\x33\0\0\0\1" FRAME_MAC, 12);
    address_is(answer.at + 38, "ff02::1");
    assert_memory_equal(answer.at + 58, "\x20\0\0\0", 4);
    assert_int_equal(frame_segment_sum(&answer), 0xFFFF);
}

static void test_solicitation_refused(void **state)
{
    (void)state;
    frame_solicitation(&f, "2001:db8::1", "2001:db8::10");
    f.at[f.ip + 7] = 254; /* came through a router */
    assert_int_equal(parse(), PACKET_BAD_HEADER);
    frame_solicitation(&f, "2001:db8::1", "ff02::10");
    assert_int_equal(parse(), PACKET_BAD_HEADER);
    frame_solicitation(&f, "2001:db8::1", "2001:db8::10");
    f.at[f.segment + 25] = 0; /* an option of no length */
    frame_close(&f);
    assert_int_equal(parse(), PACKET_BAD_HEADER);
    frame_solicitation(&f, "2001:db8::1", "2001:db8::10");
    f.at[f.n - 1] ^= 1;
    assert_int_equal(parse(), PACKET_BAD_CHECKSUM);
}

static void test_echo(void **state)
{
    (void)state;
    uint8_t out[PACKET_ANSWER_BYTES(2048)];
    struct made_frame answer;
    frame_ethernet(&f, FRAME_MAC, 0x0800);
    frame_ipv4(&f, "192.0.2.1", "192.0.2.10", 1);
    frame_add(&f, "\x08\0\0\0\x12\x34\0\1odd", 11);
    frame_close(&f);
    assert_int_equal(parse(), PACKET_ECHO);
    assert_int_equal(packet_answer(&p, PACKET_ECHO, mac, out), 60);
    assert_int_equal(frame_sum(out + 14, 20), 0xFFFF);
    assert_memory_equal(out + 16, "\0\x1F", 2);
    address_is(out + 26, "192.0.2.10");
    address_is(out + 30, "192.0.2.1");
    assert_int_equal(frame_sum(out + 34, 11), 0xFFFF);
    assert_memory_equal(out + 34, "\0\0", 2);
    assert_memory_equal(out + 38, "\x12\x34\0\1odd", 7);
    f.at[f.n - 1] ^= 1;
    assert_int_equal(parse(), PACKET_BAD_CHECKSUM);

    frame_ethernet(&f, FRAME_MAC, 0x8100); /* answered with its tag */
    frame_add(&f, "\0\7\x86\xDD", 4);
    frame_ipv6(&f, "2001:db8::1", "2001:db8::10", 58, 58);
    frame_add(&f, "\x80\0\0\0\x12\x34\0\1payload", 15);
    frame_close(&f);
    assert_int_equal(parse(), PACKET_ECHO);
    uint32_t n = packet_answer(&p, PACKET_ECHO, mac, out);
    assert_int_equal(n, 18 + 40 + 15);
    assert_memory_equal(out + 12, "\x81\0\0\7\x86\xDD", 6);
    answer = (struct made_frame){.ip = 18, .segment = 58, .protocol = 58, .v6 = true};
    frame_add(&answer, out, n);
    assert_int_equal(frame_segment_sum(&answer), 0xFFFF);
    assert_int_equal(answer.at[58], 129);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_no_checksum),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_ipv4_headers),
        cmocka_unit_test(test_udp_lengths),
        cmocka_unit_test(test_ipv6_extensions),
        cmocka_unit_test(test_not_ip),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_arp_answer),
        cmocka_unit_test(test_solicitation_answer),
        cmocka_unit_test(test_solicitation_refused),
        cmocka_unit_test(test_echo),
    };
    return T_RUN(tests);
}
