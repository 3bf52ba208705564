/*
 * kafka_client.h - Kafka client options as Logstash names them, as librdkafka properties.
 *
 * What the kafka input and output share: security, Java key stores (refused with the remedy, PEM
 * and PKCS#12 are taken), JAAS lines. Nothing here links librdkafka: the result is a list of
 * names and values for rd_kafka_conf_set. Control thread; memory is the plan's arena.
 */
#ifndef ENGINE_PLAN_KAFKA_CLIENT_H
#define ENGINE_PLAN_KAFKA_CLIENT_H
#include "engine/plan/compiler.h"

#define KAFKA_PROPERTIES_MAX 64u

struct kafka_property {
    const char *name, *value; /* what the user wrote may be secret: never log the value */
};

struct kafka_properties {
    struct kafka_property at[KAFKA_PROPERTIES_MAX];
    uint32_t n;
};

struct kafka_security_cfg {
    int protocol; /* index into kafka_protocol_choices */
    slice sasl_mechanism, sasl_jaas_config, sasl_kerberos_service_name;
    slice endpoint_algorithm;
    slice truststore_location, truststore_password, truststore_type;
    slice keystore_location, keystore_password, keystore_type, key_password;
};

extern const char *const kafka_protocol_choices[];

/* Rows of a settings table for the security options of a cfg struct with a member `security`. */
#define KAFKA_SECURITY_SETTINGS(cfg)                                                               \
    {.name = "security_protocol",                                                                  \
     SETTING_AT(cfg, security.protocol, ENUM),                                                     \
     .choices = kafka_protocol_choices,                                                            \
     .default_text = "PLAINTEXT",                                                                  \
     .doc = "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."},                                        \
        {.name = "sasl_mechanism",                                                                 \
         SETTING_AT(cfg, security.sasl_mechanism, STRING),                                         \
         .default_text = "GSSAPI",                                                                 \
         .doc = "GSSAPI, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."},                                 \
        {.name = "sasl_jaas_config",                                                               \
         SETTING_AT(cfg, security.sasl_jaas_config, STRING),                                       \
         .flags = SETTING_SECRET,                                                                  \
         .doc = "Login line with username=\"...\" password=\"...\"; for GSSAPI also keyTab and "   \
                "principal."},                                                                     \
        {.name = "sasl_kerberos_service_name",                                                     \
         SETTING_AT(cfg, security.sasl_kerberos_service_name, STRING),                             \
         .doc = "Kerberos name of the brokers."},                                                  \
        {.name = "ssl_endpoint_identification_algorithm",                                          \
         SETTING_AT(cfg, security.endpoint_algorithm, STRING),                                     \
         .default_text = "https",                                                                  \
         .doc = "https checks the broker's name in its certificate, an empty string does not."},   \
        {.name = "ssl_truststore_location",                                                        \
         SETTING_AT(cfg, security.truststore_location, PATH),                                      \
         .doc = "PEM file with the authorities to trust."},                                        \
        {.name = "ssl_truststore_password",                                                        \
         SETTING_AT(cfg, security.truststore_password, PASSWORD),                                  \
         .doc = "Password of the trust store; a PEM file has none."},                              \
        {.name = "ssl_truststore_type",                                                            \
         SETTING_AT(cfg, security.truststore_type, STRING),                                        \
         .doc = "PEM; by default the file tells."},                                                \
        {.name = "ssl_keystore_location",                                                          \
         SETTING_AT(cfg, security.keystore_location, PATH),                                        \
         .doc = "The client's certificate and key: PEM or PKCS#12."},                              \
        {.name = "ssl_keystore_password",                                                          \
         SETTING_AT(cfg, security.keystore_password, PASSWORD),                                    \
         .doc = "Password of the PKCS#12 file."},                                                  \
        {.name = "ssl_keystore_type",                                                              \
         SETTING_AT(cfg, security.keystore_type, STRING),                                          \
         .doc = "PEM or PKCS12; by default the file tells."},                                      \
        {.name = "ssl_key_password",                                                               \
         SETTING_AT(cfg, security.key_password, PASSWORD),                                         \
         .doc = "Password of the key in a PEM file."},                                             \
        {.name = "jaas_path",                                                                      \
         .type = SETTING_STRING,                                                                   \
         .flags = SETTING_UNSUPPORTED,                                                             \
         .instead = "Put the login line into sasl_jaas_config."},                                  \
        {.name = "kerberos_config",                                                                \
         .type = SETTING_STRING,                                                                   \
         .flags = SETTING_UNSUPPORTED,                                                             \
         .instead = "Set the environment variable KRB5_CONFIG."},                                  \
        {.name = "sasl_client_callback_handler_class",                                             \
         .type = SETTING_STRING,                                                                   \
         .flags = SETTING_UNSUPPORTED,                                                             \
         .instead = "Java classes cannot be loaded."},                                             \
        {.name = "sasl_login_callback_handler_class",                                              \
         .type = SETTING_STRING,                                                                   \
         .flags = SETTING_UNSUPPORTED,                                                             \
         .instead = "Java classes cannot be loaded."},                                             \
        {.name = "sasl_oauthbearer_token_endpoint_url",                                            \
         .type = SETTING_STRING,                                                                   \
         .flags = SETTING_UNSUPPORTED,                                                             \
         .instead = "OAUTHBEARER is not supported; use SCRAM or PLAIN over SASL_SSL."},            \
    {                                                                                              \
        .name = "sasl_oauthbearer_scope_claim_name", .type = SETTING_STRING,                       \
        .flags = SETTING_UNSUPPORTED,                                                              \
        .instead = "OAUTHBEARER is not supported; use SCRAM or PLAIN over SASL_SSL."               \
    }

void kafka_property_add(struct kafka_properties *p, struct compiler *c, const char *name,
                        slice value);
void kafka_property_int(struct kafka_properties *p, struct compiler *c, const char *name,
                        int64_t value);
err kafka_security_compile(struct kafka_properties *p, const struct kafka_security_cfg *cfg,
                           struct compiler *c) MUST_USE;
/* The value of `name` in a JAAS login line: name="value"; false when it is not there. */
bool kafka_jaas_find(slice line, slice name, slice *value);

#endif
