/*
 * ssl_options.h - the ssl_* options that network inputs share, and what becomes of them.
 *
 * The table entries come as macros, because a plugin's table holds offsets into its own cfg. The
 * context is made when the configuration is compiled, so that a bad certificate is an error of
 * the configuration. Control thread.
 */
#ifndef ENGINE_PLAN_SSL_OPTIONS_H
#define ENGINE_PLAN_SSL_OPTIONS_H
#include "engine/plan/compiler.h"
#include "net/tls.h"

struct ssl_cfg {
    bool enabled;
    slice certificate, key, key_passphrase;
    slice keystore, keystore_password, truststore, truststore_password;
    struct config_list authorities, chain, ciphers;
    uint64_t protocols;
    int client_auth;             /* enum tls_verify */
    int verification;            /* of clients: index in ssl_verification_choices */
    struct tls_context *context; /* NULL: plain connections */
};

extern const char *const ssl_protocol_choices[];     /* "TLSv1.1" ... */
extern const char *const ssl_client_auth_choices[];  /* "none" "optional" "required" */
extern const char *const ssl_verification_choices[]; /* "full" "certificate" "none" */

#define SSL_OPTIONS_COMMON(cfg, ssl, old_enabled, old_certificate)                                 \
    {.name = "ssl_enabled",                                                                        \
     SETTING_AT(cfg, ssl.enabled, BOOL),                                                           \
     .default_text = "false",                                                                      \
     .old_names = old_enabled,                                                                     \
     .doc = "Speak TLS."},                                                                         \
        {.name = "ssl_certificate",                                                                \
         SETTING_AT(cfg, ssl.certificate, PATH),                                                   \
         .old_names = old_certificate,                                                             \
         .doc = "Certificate (PEM), followed by its chain."},                                      \
        {.name = "ssl_key",                                                                        \
         SETTING_AT(cfg, ssl.key, PATH),                                                           \
         .doc = "Private key (PEM) of the certificate."},                                          \
        {.name = "ssl_key_passphrase",                                                             \
         SETTING_AT(cfg, ssl.key_passphrase, PASSWORD),                                            \
         .doc = "Passphrase of the private key."},                                                 \
        {.name = "ssl_certificate_authorities",                                                    \
         SETTING_AT(cfg, ssl.authorities, LIST),                                                   \
         .old_names = "ssl_cacert",                                                                \
         .doc = "Files (PEM) with authorities that the peer's certificate is checked against."},   \
        {.name = "ssl_cipher_suites",                                                              \
         SETTING_AT(cfg, ssl.ciphers, LIST),                                                       \
         .old_names = "cipher_suites",                                                             \
         .doc = "Cipher suites to allow, by IANA or OpenSSL name."},                               \
        {.name = "ssl_keystore_path",                                                              \
         SETTING_AT(cfg, ssl.keystore, PATH),                                                      \
         .doc = "Certificate and key in a PKCS#12 store."},                                        \
        {.name = "ssl_keystore_password",                                                          \
         SETTING_AT(cfg, ssl.keystore_password, PASSWORD),                                         \
         .doc = "Password of the key store."},                                                     \
        {.name = "ssl_truststore_path",                                                            \
         SETTING_AT(cfg, ssl.truststore, PATH),                                                    \
         .doc = "Authorities in a PKCS#12 store."},                                                \
        {.name = "ssl_truststore_password",                                                        \
         SETTING_AT(cfg, ssl.truststore_password, PASSWORD),                                       \
         .doc = "Password of the trust store."},                                                   \
    {                                                                                              \
        .name = "ssl_supported_protocols", SETTING_AT(cfg, ssl.protocols, ENUM_LIST),              \
        .choices = ssl_protocol_choices,                                                           \
        .doc = "Versions of TLS to allow; 1.2 and 1.3 if not given."                               \
    }
#define SSL_OPTIONS_CLIENT_AUTH(cfg, ssl, by_default)                                              \
    {                                                                                              \
        .name = "ssl_client_authentication", SETTING_AT(cfg, ssl.client_auth, ENUM),               \
        .choices = ssl_client_auth_choices, .default_text = by_default,                            \
        .doc = "Whether clients must show a certificate that an authority has signed."             \
    }

/* Makes cfg->context when TLS is on. */
err ssl_options_compile(struct ssl_cfg *cfg, bool client, struct compiler *c) MUST_USE;
void ssl_options_release(struct ssl_cfg *cfg);

#endif
