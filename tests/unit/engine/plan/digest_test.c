/* digest_test.c - published test vectors, and addresses. */
#include "engine/plan/digest.h"

#include "engine/plan/ip_net.h"
#include "tests/unit/t.h"

static struct page_pool pool;
static struct arena arena;

static void assert_digest(enum digest_method method, slice key, slice text, const char *hex)
{
    struct digest d;
    unsigned char out[DIGEST_BYTES_MAX];
    digest_init(&d, method, key);
    uint32_t n = digest_bytes(&d, text, out);
    assert_slice_equal(hex_text(out, n, &arena), slice_from_cstr(hex));
}

static void test_digests(void **state)
{
    (void)state;
    slice none = SLICE_NONE, abc = SLICE("abc");
    assert_digest(DIGEST_MD5, none, abc, "900150983cd24fb0d6963f7d28e17f72");
    assert_digest(DIGEST_SHA1, none, abc, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_digest(DIGEST_SHA256, none, SLICE(""),
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    /* RFC 2202 and RFC 4231, test cases 2; an empty key is a key. */
    assert_digest(DIGEST_SHA1, SLICE("Jefe"), SLICE("what do ya want for nothing?"),
                  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    assert_digest(DIGEST_SHA384, SLICE("Jefe"), SLICE("what do ya want for nothing?"),
                  "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
                  "8e2240ca5e69e2c78b3239ecfab21649");
    assert_digest(DIGEST_SHA256, SLICE(""), SLICE(""),
                  "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_murmur(void **state)
{
    unsigned char out[16];
    (void)state;
    /* Values that other implementations agree on. */
    assert_int_equal(murmur3_32(SLICE(""), 0), 0);
    assert_int_equal(murmur3_32(SLICE("test"), 0), 0xba6bd213);
    assert_int_equal(murmur3_32(SLICE("Hello, world!"), 0), 0xc0363e43);
    murmur3_128(SLICE("The quick brown fox jumps over the lazy dog"), 0, out);
    assert_slice_equal(hex_text(out, 16, &arena), SLICE("6c1b07bc7bbc4be347939ac4a93c437a"));
}

static void test_base64(void **state)
{
    (void)state;
    assert_slice_equal(base64_text((const unsigned char *)"", 0, &arena), SLICE(""));
    assert_slice_equal(base64_text((const unsigned char *)"f", 1, &arena), SLICE("Zg=="));
    assert_slice_equal(base64_text((const unsigned char *)"fo", 2, &arena), SLICE("Zm8="));
    assert_slice_equal(base64_text((const unsigned char *)"foobar", 6, &arena), SLICE("Zm9vYmFy"));
}

static void assert_net(const char *text, const char *address, int bits)
{
    struct ip_net net;
    assert_true(ip_net_parse(slice_from_cstr(text), &net));
    assert_slice_equal(ip_net_text(&net, &arena), slice_from_cstr(address));
    assert_int_equal(net.bits, bits);
}

static void test_nets(void **state)
{
    static const char *const bad[] = {"",          "10.0.0",    "10.0.0.0/33",
                                      "10.0.0.0/", "010.0.0.1", "10.0.0.0/255.0.255.0",
                                      "::1/129",   "x",         "/8"};
    struct ip_net net;
    (void)state;
    assert_net("10.1.2.3/8", "10.0.0.0", 8);
    assert_net("10.1.2.3/255.255.254.0", "10.1.2.0", 23);
    assert_net("10.1.2.3", "10.1.2.3", 32);
    assert_net("[2001:DB8::1]/33", "2001:db8::", 33);
    assert_net("fe80::1%eth0", "fe80::1", 128);
    assert_net("0.0.0.0/0", "0.0.0.0", 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ip_net_parse(slice_from_cstr(bad[i]), &net));
}

static int setup(void **state)
{
    (void)state;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_murmur),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_nets),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
