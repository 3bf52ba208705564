/* kafka_client.c - see the header. */
#include "engine/plan/kafka_client.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"

const char *const kafka_protocol_choices[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL",
                                              NULL};

enum store_kind { STORE_UNREADABLE, STORE_PEM, STORE_PKCS12, STORE_JKS };

void kafka_property_add(struct kafka_properties *p, struct compiler *c, const char *name,
                        slice value)
{
    ASSERT(p->n < KAFKA_PROPERTIES_MAX);
    char *copy = arena_alloc(c->arena, value.n + 1, 1);
    memcpy(copy, value.p, value.n);
    copy[value.n] = 0;
    p->at[p->n++] = (struct kafka_property){name, copy};
}

void kafka_property_int(struct kafka_properties *p, struct compiler *c, const char *name,
                        int64_t value)
{
    char text[NUMBER_TEXT_MAX];
    kafka_property_add(p, c, name, slice_make(text, number_i64_text(value, text)));
}

static bool is_name_byte(char b)
{
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '_';
}

bool kafka_jaas_find(slice line, slice name, slice *value)
{
    for (uint32_t at = 0; at + name.n < line.n; at++) {
        if (!slice_starts(slice_from(line, at), name) || (at > 0 && is_name_byte(line.p[at - 1])))
            continue;
        slice rest = slice_trim(slice_from(line, at + name.n));
        if (rest.n == 0 || rest.p[0] != '=') continue;
        rest = slice_trim(slice_from(rest, 1));
        if (rest.n > 0 && (rest.p[0] == '"' || rest.p[0] == '\'')) {
            int64_t end = slice_find_byte(slice_from(rest, 1), rest.p[0]);
            if (end < 0) return false;
            *value = slice_part(rest, 1, (uint32_t)end);
            return true;
        }
        uint32_t n = 0;
        while (n < rest.n && strchr(" \t\r\n;", rest.p[n]) == NULL) n++;
        *value = slice_part(rest, 0, n);
        return n > 0;
    }
    return false;
}

/* The option when given, else what the file's first bytes say. */
static enum store_kind store_kind(slice type, slice path)
{
    if (slice_equal_nocase(type, SLICE("PEM"))) return STORE_PEM;
    if (slice_equal_nocase(type, SLICE("PKCS12"))) return STORE_PKCS12;
    if (slice_equal_nocase(type, SLICE("JKS"))) return STORE_JKS;
    char head[4] = {0};
    int fd = open(path.p, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));
    if (fd >= 0) close(fd);
    if (n < (ssize_t)sizeof(head)) return STORE_UNREADABLE;
    if (memcmp(head, "\xfe\xed\xfe\xed", 4) == 0) return STORE_JKS;
    return head[0] == 0x30 ? STORE_PKCS12 : STORE_PEM;
}

static err refuse_store(struct compiler *c, const char *option, enum store_kind kind, slice path,
                        const char *expected)
{
    if (kind == STORE_UNREADABLE)
        compile_error(c, option, expected, "'%.*s' cannot be read", SLICE_FMT(path));
    else
        compile_error(c, option, expected,
                      "'%.*s' is a %s store, which cannot be used here; convert it with keytool "
                      "and openssl",
                      SLICE_FMT(path), kind == STORE_JKS ? "Java (JKS)" : "PKCS#12");
    return ERR_CONFIG;
}

static err add_tls(struct kafka_properties *p, const struct kafka_security_cfg *cfg,
                   struct compiler *c)
{
    if (cfg->truststore_location.n > 0) {
        enum store_kind kind = store_kind(cfg->truststore_type, cfg->truststore_location);
        if (kind != STORE_PEM)
            return refuse_store(c, "ssl_truststore_location", kind, cfg->truststore_location,
                                "a PEM file with certificates");
        kafka_property_add(p, c, "ssl.ca.location", cfg->truststore_location);
    }
    if (cfg->keystore_location.n > 0) {
        enum store_kind kind = store_kind(cfg->keystore_type, cfg->keystore_location);
        if (kind == STORE_PEM) {
            kafka_property_add(p, c, "ssl.certificate.location", cfg->keystore_location);
            kafka_property_add(p, c, "ssl.key.location", cfg->keystore_location);
            slice password = cfg->key_password.n > 0 ? cfg->key_password : cfg->keystore_password;
            if (password.n > 0) kafka_property_add(p, c, "ssl.key.password", password);
        } else if (kind == STORE_PKCS12) {
            kafka_property_add(p, c, "ssl.keystore.location", cfg->keystore_location);
            if (cfg->keystore_password.n > 0)
                kafka_property_add(p, c, "ssl.keystore.password", cfg->keystore_password);
        } else {
            return refuse_store(c, "ssl_keystore_location", kind, cfg->keystore_location,
                                "a PEM or PKCS#12 file");
        }
    }
    bool names = slice_equal_nocase(cfg->endpoint_algorithm, SLICE("https"));
    if (!names && cfg->endpoint_algorithm.n > 0) {
        compile_error(c, "ssl_endpoint_identification_algorithm", "\"https\" or \"\"",
                      "this way of checking names is not known");
        return ERR_CONFIG;
    }
    kafka_property_add(p, c, "ssl.endpoint.identification.algorithm",
                       names ? SLICE("https") : SLICE("none"));
    return ERR_OK;
}

static err add_sasl(struct kafka_properties *p, const struct kafka_security_cfg *cfg,
                    struct compiler *c)
{
    slice mechanism = cfg->sasl_mechanism, line = cfg->sasl_jaas_config, value;
    static const char *const known[] = {"GSSAPI", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    bool ok = false;
    for (uint32_t i = 0; i < 4; i++) ok = ok || slice_equal(mechanism, slice_from_cstr(known[i]));
    if (!ok) {
        compile_error(c, "sasl_mechanism", "GSSAPI, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                      "'%.*s' is not supported", SLICE_FMT(mechanism));
        return ERR_CONFIG;
    }
    kafka_property_add(p, c, "sasl.mechanisms", mechanism);
    if (slice_equal(mechanism, SLICE("GSSAPI"))) {
        if (cfg->sasl_kerberos_service_name.n == 0 &&
            !kafka_jaas_find(line, SLICE("serviceName"), &value)) {
            compile_error(c, "sasl_kerberos_service_name", NULL,
                          "GSSAPI needs the name of the service");
            return ERR_CONFIG;
        }
        kafka_property_add(p, c, "sasl.kerberos.service.name",
                           cfg->sasl_kerberos_service_name.n > 0 ? cfg->sasl_kerberos_service_name
                                                                 : value);
        if (kafka_jaas_find(line, SLICE("keyTab"), &value))
            kafka_property_add(p, c, "sasl.kerberos.keytab", value);
        if (kafka_jaas_find(line, SLICE("principal"), &value))
            kafka_property_add(p, c, "sasl.kerberos.principal", value);
        return ERR_OK;
    }
    slice user, password;
    if (!kafka_jaas_find(line, SLICE("username"), &user) ||
        !kafka_jaas_find(line, SLICE("password"), &password)) {
        compile_error(c, "sasl_jaas_config", "username=\"...\" and password=\"...\"",
                      "%.*s needs a login line with a name and a password", SLICE_FMT(mechanism));
        return ERR_CONFIG;
    }
    kafka_property_add(p, c, "sasl.username", user);
    kafka_property_add(p, c, "sasl.password", password);
    return ERR_OK;
}

err kafka_security_compile(struct kafka_properties *p, const struct kafka_security_cfg *cfg,
                           struct compiler *c)
{
    static const char *const names[] = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"};
    kafka_property_add(p, c, "security.protocol", slice_from_cstr(names[cfg->protocol]));
    err e = ERR_OK;
    if (cfg->protocol == 1 || cfg->protocol == 3) e = add_tls(p, cfg, c);
    if (e == ERR_OK && cfg->protocol >= 2) e = add_sasl(p, cfg, c);
    return e;
}
