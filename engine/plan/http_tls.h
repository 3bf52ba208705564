/*
 * http_tls.h - the TLS options of plugins that are HTTP clients, onto libcurl.
 *
 * Certificates and keys in PEM or PKCS#12, and what needs OpenSSL directly: PKCS#12 truststores and
 * the fingerprint of an authority, which are applied to the SSL_CTX of each connection. Compiled
 * on the control thread into the plan's heap; http_tls_apply() runs on the thread that owns the
 * handle, and what it was given must live as long as the handle.
 */
#ifndef ENGINE_PLAN_HTTP_TLS_H
#define ENGINE_PLAN_HTTP_TLS_H
#include <curl/curl.h>

#include "engine/plan/compiler.h"

/* As written; the tables of the plugins name them. */
struct http_tls_options {
    struct config_list cas, cipher_suites, fingerprints;
    uint64_t protocols; /* bits of http_tls_protocols */
    slice certificate, key, keystore, keystore_password, truststore, truststore_password;
    int keystore_type, truststore_type; /* of http_tls_store_types; -1: not given */
    int verification;                   /* of http_tls_verifications */
};

extern const char *const http_tls_protocols[];     /* "TLSv1.1" ... */
extern const char *const http_tls_store_types[];   /* "jks" "pkcs12" */
extern const char *const http_tls_verifications[]; /* "full" "none" */

struct http_tls {
    const char *ca_file, *cert, *key, *keystore, *keystore_password, *truststore,
        *truststore_password, *ciphers12, *ciphers13;
    unsigned char fingerprint[32];
    bool has_fingerprint, verify;
    long version;
};

/* The options that all HTTP clients have by the same names; `tls` is a struct http_tls_options in
 * the plugin's cfg. */
#define HTTP_TLS_SETTINGS(cfg, tls, old_cas, old_certificate, old_key)                             \
    {.name = "ssl_certificate_authorities",                                                        \
     SETTING_AT(cfg, tls.cas, LIST),                                                               \
     .old_names = old_cas,                                                                         \
     .doc = "A file (PEM) with the certificates that are trusted."},                               \
        {.name = "ssl_certificate",                                                                \
         SETTING_AT(cfg, tls.certificate, PATH),                                                   \
         .old_names = old_certificate,                                                             \
         .doc = "Own certificate, PEM."},                                                          \
        {.name = "ssl_key",                                                                        \
         SETTING_AT(cfg, tls.key, PATH),                                                           \
         .old_names = old_key,                                                                     \
         .doc = "Its key, PEM."},                                                                  \
        {.name = "ssl_keystore_path",                                                              \
         SETTING_AT(cfg, tls.keystore, PATH),                                                      \
         .old_names = "keystore",                                                                  \
         .doc = "PKCS#12 file with own certificate and key."},                                     \
        {.name = "ssl_keystore_password",                                                          \
         SETTING_AT(cfg, tls.keystore_password, PASSWORD),                                         \
         .old_names = "keystore_password",                                                         \
         .doc = "Its password."},                                                                  \
        {.name = "ssl_keystore_type",                                                              \
         SETTING_AT(cfg, tls.keystore_type, ENUM),                                                 \
         .choices = http_tls_store_types,                                                          \
         .doc = "Only pkcs12 can be read."},                                                       \
        {.name = "ssl_truststore_path",                                                            \
         SETTING_AT(cfg, tls.truststore, PATH),                                                    \
         .old_names = "truststore",                                                                \
         .doc = "PKCS#12 file with the certificates that are trusted."},                           \
        {.name = "ssl_truststore_password",                                                        \
         SETTING_AT(cfg, tls.truststore_password, PASSWORD),                                       \
         .old_names = "truststore_password",                                                       \
         .doc = "Its password."},                                                                  \
        {.name = "ssl_truststore_type",                                                            \
         SETTING_AT(cfg, tls.truststore_type, ENUM),                                               \
         .choices = http_tls_store_types,                                                          \
         .doc = "Only pkcs12 can be read."},                                                       \
        {.name = "ssl_verification_mode",                                                          \
         SETTING_AT(cfg, tls.verification, ENUM),                                                  \
         .choices = http_tls_verifications,                                                        \
         .default_text = "full",                                                                   \
         .doc = "Whether the server's certificate and name are checked."},                         \
        {.name = "ssl_supported_protocols",                                                        \
         SETTING_AT(cfg, tls.protocols, ENUM_LIST),                                                \
         .choices = http_tls_protocols,                                                            \
         .doc = "TLS versions to use; the range from the lowest to the highest named."},           \
    {                                                                                              \
        .name = "ssl_cipher_suites", SETTING_AT(cfg, tls.cipher_suites, LIST),                     \
        .doc = "Cipher suites to use, by IANA name."                                               \
    }

err http_tls_compile(struct http_tls *tls, const struct http_tls_options *options,
                     struct compiler *c) MUST_USE;
void http_tls_apply(const struct http_tls *tls, CURL *easy);

#endif
