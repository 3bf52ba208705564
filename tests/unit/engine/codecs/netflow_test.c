/* netflow_test.c - records of the three versions, templates, and packets that are broken. */
#include "tests/unit/engine/codecs/codec_rig.h"

/* Header: uptime 5000 ms, 2024-03-05T06:07:08Z, sequence 7. */
#define V5                                                                                         \
    "\x00\x05\x00\x01\x00\x00\x13\x88\x65\xe6\xb6\x8c\x00\x0f\x42\x40\x00\x00\x00\x07"             \
    "\x01\x02\x40\x0a"                                                                             \
    "\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x00\x00\x00\x00\x03\x00\x04\x00\x00\x00\x05"             \
    "\x00\x00\x00\x06\x00\x00\x07\xd0\x00\x00\x13\x88\x00\x50\x01\xbb\x00\x12\x06\x00"             \
    "\x00\x01\x00\x02\x18\x10\x00\x00"
#define V9 "\x00\x09\x00\x01\x00\x00\x13\x88\x65\xe6\xb6\x8c\x00\x00\x00\x07\x00\x00\x00\x2a"
#define V9_TEMPLATE                                                                                \
    "\x00\x00\x00\x18\x01\x00\x00\x04\x00\x08\x00\x04\x00\x01\x00\x08\x00\x15\x00\x04"             \
    "\x00\x52\x00\x04"
#define V9_DATA                                                                                    \
    "\x01\x00\x00\x18\x0a\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x13\x88"             \
    "wan\x00"
#define V9_EVENT                                                                                   \
    "{\"netflow\":{\"version\":9,\"flow_seq_num\":7,\"flowset_id\":256,"                           \
    "\"ipv4_src_addr\":\"10.0.0.1\",\"in_bytes\":18446744073709551615,"                            \
    "\"last_switched\":\"2024-03-05T06:07:09.000Z\",\"if_name\":\"wan\"}} "                        \
    "#\"2024-03-05T06:07:08.000Z\"\n"

static void test_version_5(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "netflow", "v8");
    r.time = true;
    assert_decodes(
        &r, V5,
        "{\"netflow\":{\"version\":5,\"flow_seq_num\":7,\"engine_type\":1,\"engine_id\":2,"
        "\"sampling_algorithm\":1,\"sampling_interval\":10,\"flow_records\":1,"
        "\"ipv4_src_addr\":\"10.0.0.1\",\"ipv4_dst_addr\":\"10.0.0.2\","
        "\"ipv4_next_hop\":\"0.0.0.0\",\"input_snmp\":3,\"output_snmp\":4,\"in_pkts\":5,"
        "\"in_bytes\":6,\"first_switched\":\"2024-03-05T06:07:05.001Z\","
        "\"last_switched\":\"2024-03-05T06:07:08.001Z\",\"l4_src_port\":80,"
        "\"l4_dst_port\":443,\"tcp_flags\":18,\"protocol\":6,\"src_tos\":0,\"src_as\":1,"
        "\"dst_as\":2,\"src_mask\":24,\"dst_mask\":16}} #\"2024-03-05T06:07:08.001Z\"\n");
    slice packet = slice_make(V5, sizeof(V5) - 1);
    for (uint32_t n = 0; n < packet.n; n++) assert_decodes_slice(&r, slice_part(packet, 0, n), "");
    codec_rig_fini(&r);
}

static void test_version_9(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "netflow { cache_ttl => 10 }", "disabled");
    r.time = true;
    assert_decodes(&r, V9 V9_DATA, "");
    assert_decodes(&r, V9 V9_TEMPLATE V9_DATA V9_DATA, V9_EVENT V9_EVENT);
    assert_decodes(&r, V9 V9_DATA, V9_EVENT);
    /* Another source has no template; neither has this one when it has expired. */
    assert_decodes(
        &r,
        "\x00\x09\x00\x01\x00\x00\x13\x88\x65\xe6\xb6\x8c\x00\x00\x00\x07\x00\x00\x00\x2b" V9_DATA,
        "");
    slice packet = slice_make(V9 V9_DATA, sizeof(V9 V9_DATA) - 1);
    struct decode d = {.batch = &r.t.b, .events_max = 100, .end = true};
    batch_reset(&r.t.b);
    r.t.b.now_ns = CODEC_RIG_NOW_NS + INT64_C(11) * 1000000000;
    r.codec->ops->decode(r.state, r.codec->cfg, packet, &d);
    assert_int_equal(r.t.b.n, 0);
    /* Options: one scope, one field; then data of them. */
    assert_decodes(
        &r,
        V9 "\x00\x01\x00\x12\x01\x01\x00\x04\x00\x04\x00\x01\x00\x04\x00\x22\x00\x02"
           "\x01\x01\x00\x0a\x00\x00\x00\x09\x00\x64",
        "{\"netflow\":{\"version\":9,\"flow_seq_num\":7,\"flowset_id\":257,"
        "\"scope_system\":9,\"sampling_interval\":100}} #\"2024-03-05T06:07:08.000Z\"\n");
    /* A template with an unknown field is not kept. */
    assert_decodes(
        &r, V9 "\x00\x00\x00\x0c\x01\x02\x00\x01\xee\xee\x00\x04\x01\x02\x00\x08\x00\x00\x00\x01",
        "");
    /* A set that is longer than the packet, and one of a reserved number. */
    assert_decodes(&r, V9 V9_TEMPLATE "\x01\x00\x00\x20\x00\x00", "");
    assert_decodes(&r, V9 "\x00\x07\x00\x08\x00\x00\x00\x00", "");
    codec_rig_fini(&r);
}

static void test_ipfix(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "netflow { include_flowset_id => true target => \"[flow][ipfix]\" }", "v8");
    r.time = true;
    /* 16 + 28 + 4 + 8 + 4 + 8 + 6 = 74 bytes: template and one record, two bytes of padding. */
    assert_decodes(
        &r,
        "\x00\x0a\x00\x4a\x65\xe6\xb6\x8c\x00\x00\x00\x07\x00\x00\x00\x2a"
        "\x00\x02\x00\x18\x01\x00\x00\x04\x00\x98\x00\x08\x00\x52\xff\xff\x00\x9a\x00\x08\x00\x38"
        "\x00\x06"
        "\x01\x00\x00\x22\x00\x00\x01\x8e\x0d\x39\x12\xe0\x03"
        "eth"
        "\xe9\x91\x35\x0c\x80\x00\x00\x00\x00\x1b\x21\x3c\x9d\xf8\x00\x00\x00\x00",
        "{\"flow\":{\"ipfix\":{\"version\":10,\"flowset_id\":256,"
        "\"flowStartMilliseconds\":\"2024-03-05T06:07:08.000Z\",\"interfaceName\":\"eth\","
        "\"flowStartMicroseconds\":\"2024-03-05T06:07:08.500Z\","
        "\"sourceMacAddress\":\"00:1b:21:3c:9d:f8\"}}} #\"2024-03-05T06:07:08.000Z\"\n");
    codec_rig_fini(&r);
}

static void test_options(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "netflow { versions => [9] }", "disabled");
    assert_decodes(&r, V5, "");
    assert_decodes(&r, "\x00\x63", "");
    assert_decodes(&r, "\x00", "");
    assert_decodes(&r, "", "");
    codec_rig_fini(&r);
    assert_codec_refused("netflow { versions => [7] }");
    assert_codec_refused("netflow { cache_save_path => \"/tmp\" }");
    assert_codec_refused("netflow { ipfix_definitions => \"x.yml\" }");
    assert_codec_refused("netflow { target => \"[a\" }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_5),
        cmocka_unit_test(test_version_9),
        cmocka_unit_test(test_ipfix),
        cmocka_unit_test(test_options),
    };
    return T_RUN(tests);
}
