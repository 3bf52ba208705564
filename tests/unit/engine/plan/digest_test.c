/* digest_test.c - published test vectors, and addresses. */
#include "engine/plan/digest.h"

#include <stdlib.h>

#include "engine/base/cpu.h"
#include "engine/base/prng.h"
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

/* Vectors and pairs against plain loops and single digests, at every length around their blocks. */
static void test_lengths(void **state)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (void)state;
    struct prng r;
    prng_seed(&r, 4);
    for (uint32_t n = 0; n < 300; n++) {
        unsigned char *bytes = malloc(n + 1);
        char want[620];
        assert_non_null(bytes);
        for (uint32_t i = 0; i < n; i++) bytes[i] = (unsigned char)prng_next(&r);
        slice hex = hex_text(bytes, n, &arena), base64 = base64_text(bytes, n, &arena), back;
        for (uint32_t i = 0; i < n; i++) {
            want[2 * i] = digits[bytes[i] >> 4];
            want[2 * i + 1] = digits[bytes[i] & 15];
        }
        assert_slice_equal(hex, slice_make(want, 2 * (size_t)n));
        for (uint32_t i = 0; i + 2 < n; i += 3) {
            uint32_t group = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
            for (uint32_t k = 0; k < 4; k++)
                assert_int_equal(base64.p[i / 3 * 4 + k], letters[group >> (18 - 6 * k) & 63]);
        }
        assert_true(base64_bytes(base64, &arena, &back));
        assert_slice_equal(back, slice_make((const char *)bytes, n));
        free(bytes);
    }
}

static void test_two(void **state)
{
    (void)state;
    struct prng r;
    struct digest d;
    cpu_init();
    prng_seed(&r, 5);
    for (int round = 0; round < 2000; round++) {
        unsigned char got[2][DIGEST_BYTES_MAX], want[DIGEST_BYTES_MAX];
        unsigned char *const out[2] = {got[0], got[1]};
        char *bytes[2];
        slice text[2];
        for (uint32_t k = 0; k < 2; k++) {
            size_t n = prng_below(&r, 260);
            bytes[k] = malloc(n + (n == 0));
            assert_non_null(bytes[k]);
            for (size_t i = 0; i < n; i++) bytes[k][i] = (char)prng_next(&r);
            text[k] = slice_make(bytes[k], n);
        }
        enum digest_method method = round % 4 == 0 ? DIGEST_SHA1 : DIGEST_SHA256;
        digest_init(&d, method, round % 8 == 1 ? SLICE("key") : SLICE_NONE);
        uint32_t n = digest_two(&d, text, out);
        for (uint32_t k = 0; k < 2; k++) {
            assert_int_equal(digest_bytes(&d, text[k], want), n);
            assert_memory_equal(got[k], want, n);
            free(bytes[k]);
        }
    }
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
        cmocka_unit_test(test_digests), cmocka_unit_test(test_murmur),
        cmocka_unit_test(test_base64),  cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_two),     cmocka_unit_test(test_nets),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
