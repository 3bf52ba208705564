/* collectd_test.c - values, notifications, NaN, broken parts, signatures and encryption. */
#include "tests/unit/engine/codecs/codec_rig.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#define HOST "\x00\x00\x00\x06h\x00"
#define TIME "\x00\x01\x00\x0c\x00\x00\x00\x00\x65\xe6\xb6\x8c"
#define LOAD "\x00\x02\x00\x09load\x00\x00\x03\x00\x05\x00\x00\x04\x00\x09load\x00"
#define VALUES3                                                                                    \
    "\x00\x06\x00\x21\x00\x03\x01\x01\x01\x00\x00\x00\x00\x00\x00\xf8\x3f"                         \
    "\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\xf8\x7f"
#define VALUE1 "\x00\x06\x00\x0f\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff"
#define LOAD_EVENT                                                                                 \
    "{\"host\":\"h\",\"plugin\":\"load\",\"collectd_type\":\"load\","                              \
    "\"shortterm\":1.5,\"midterm\":2.0,\"longterm\":0,\"tags\":[\"_collectdNaN\"]}"
#define AT " #\"2024-03-05T06:07:08.000Z\"\n"

static void test_values(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "collectd", "v8");
    r.time = true;
    assert_decodes(&r, HOST TIME "\x00\x09\x00\x0c\x00\x00\x00\x02\x80\x00\x00\x00" LOAD VALUES3,
                   LOAD_EVENT AT);
    assert_decodes(
        &r,
        HOST TIME "\x00\x04\x00\x06x\x00\x00\x05\x00\x06i\x00" VALUE1
                  "\x00\x06\x00\x0f\x00\x01\x02\xff\xff\xff\xff\xff\xff\xff\xfe",
        "{\"host\":\"h\",\"collectd_type\":\"x\",\"type_instance\":\"i\","
        "\"value\":18446744073709551615}" AT
        "{\"host\":\"h\",\"collectd_type\":\"x\",\"type_instance\":\"i\",\"value\":-2}" AT);
    assert_decodes(&r,
                   "\x00\x08\x00\x0c\x19\x79\xad\xa3\x20\x00\x00\x00"
                   "\x01\x01\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x07hi\x00",
                   "{\"severity\":4,\"message\":\"hi\"} #\"2024-03-05T06:07:08.500Z\"\n");
    codec_rig_fini(&r);
}

static void test_broken(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, "collectd { nan_handling => drop }", "disabled");
    assert_decodes(&r, HOST LOAD VALUES3 LOAD VALUE1, "");
    assert_decodes(&r, "", "");
    assert_decodes(&r, HOST "\x00", "");
    assert_decodes(&r, HOST "\x00\x01\x00\x03", "");
    assert_decodes(&r, HOST "\x00\x06\x00\x20\x00", "");
    assert_decodes(&r, HOST "\x0f\xff\x00\x05x\x00\x06\x00\x07\x00\x01\x00",
                   "{\"host\":\"h\",\"values\":null}\n");
    assert_decodes(
        &r, "\x00\x04\x00\x06z\x00\x00\x06\x00\x18\x00\x02\x02\x02\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2",
        "{\"collectd_type\":\"z\"}\n");
    assert_decodes(&r, "\x00\x06\x00\x0f\x00\x01\x09\0\0\0\0\0\0\0\0", "");
    assert_decodes(&r, "\x00\x01\x00\x0c\xff\xff\xff\xff\xff\xff\xff\xff" HOST VALUE1, "");
    assert_decodes(&r, "\x02\x10\x00\x08\x00\x01u!", "");
    codec_rig_fini(&r);
    assert_codec_refused("collectd { security_level => Sign }");
    assert_codec_refused("collectd { security_level => Sign authfile => \"/nonexistent\" }");
    assert_codec_refused("collectd { typesdb => \"/nonexistent\" }");
    assert_codec_refused("collectd { nan_handling => moon }");
}

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static slice sealed(char *out)
{
    static const char plain[] = HOST TIME VALUE1;
    unsigned char key[32], text[20 + sizeof(plain) - 1];
    unsigned n;
    int done;
    EVP_Digest("secret", 6, key, &n, EVP_sha256(), NULL);
    EVP_Digest(plain, sizeof(plain) - 1, text, &n, EVP_sha1(), NULL);
    memcpy(text + 20, plain, sizeof(plain) - 1);
    memcpy(out, "\x02\x10\x00\x00\x00\x03joe", 9);
    memset(out + 9, 7, 16);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(ctx, EVP_aes_256_ofb(), NULL, key, (unsigned char *)out + 9);
    EVP_EncryptUpdate(ctx, (unsigned char *)out + 25, &done, text, sizeof(text));
    EVP_CIPHER_CTX_free(ctx);
    out[3] = (char)(25 + sizeof(text));
    return slice_make(out, 25 + sizeof(text));
}

static void test_security(void **unused)
{
    (void)unused;
    struct codec_rig r;
    char auth[] = "/tmp/collectd_auth_XXXXXX", config[256], packet[256];
    close(mkstemp(auth));
    file_write(auth, "joe: secret\nnonsense\n");
    snprintf(config, sizeof(config), "collectd { security_level => Encrypt authfile => \"%s\" }",
             auth);
    codec_rig_init(&r, config, "disabled");
    slice text = sealed(packet);
    assert_decodes_slice(&r, text, "{\"host\":\"h\",\"value\":18446744073709551615}\n");
    packet[60]++;
    assert_decodes_slice(&r, text, "");
    assert_decodes(&r, HOST TIME VALUE1, "");
    codec_rig_fini(&r);
    snprintf(config, sizeof(config), "collectd { security_level => Sign authfile => \"%s\" }",
             auth);
    codec_rig_init(&r, config, "disabled");
    static const char body[] = "joe" HOST VALUE1;
    unsigned n;
    memcpy(packet, "\x02\x00\x00\x27", 4);
    HMAC(EVP_sha256(), "secret", 6, (const unsigned char *)body, sizeof(body) - 1,
         (unsigned char *)packet + 4, &n);
    memcpy(packet + 36, body, sizeof(body) - 1);
    text = slice_make(packet, 36 + sizeof(body) - 1);
    assert_decodes_slice(&r, text, "{\"host\":\"h\",\"value\":18446744073709551615}\n");
    packet[5]++;
    assert_decodes_slice(&r, text, "");
    codec_rig_fini(&r);
    file_write(auth, "# types\nload one:GAUGE:0:1, two:GAUGE:0:1 three:GAUGE:U:U\n");
    snprintf(config, sizeof(config),
             "collectd { typesdb => [\"%s\"] nan_value => 1.5 nan_tag => \"\" }", auth);
    codec_rig_init(&r, config, "disabled");
    assert_decodes(
        &r, LOAD VALUES3,
        "{\"plugin\":\"load\",\"collectd_type\":\"load\",\"one\":1.5,\"two\":2.0,\"three\":1.5}\n");
    codec_rig_fini(&r);
    unlink(auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_broken),
                                       cmocka_unit_test(test_security)};
    return T_RUN(tests);
}
