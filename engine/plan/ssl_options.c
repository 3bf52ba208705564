/* ssl_options.c - from options to a TLS context. */
#include "engine/plan/ssl_options.h"

#include <stdlib.h>

#include "engine/base/assert.h"

const char *const ssl_protocol_choices[] = {"TLSv1.1", "TLSv1.2", "TLSv1.3", NULL};
const char *const ssl_client_auth_choices[] = {"none", "optional", "required", NULL};
const char *const ssl_verification_choices[] = {"full", "certificate", "none", NULL};

static slice *texts(const struct config_list *list, struct arena *arena)
{
    slice *out = arena_alloc(arena, (list->n + 1) * sizeof(*out), 8);
    for (uint32_t i = 0; i < list->n; i++) out[i] = list->at[i].text;
    return out;
}

static bool has_authorities(const struct ssl_cfg *cfg)
{
    return cfg->authorities.n > 0 || cfg->truststore.p != NULL;
}

static err check(const struct ssl_cfg *cfg, bool client, struct compiler *c)
{
    if (cfg->certificate.p != NULL && cfg->key.p == NULL) {
        compile_error(c, "ssl_certificate", "ssl_key beside it", "a certificate without its key");
        return ERR_CONFIG;
    }
    if (!client && cfg->certificate.p == NULL && cfg->keystore.p == NULL) {
        compile_error(c, "ssl_enabled", "ssl_certificate and ssl_key, or ssl_keystore_path",
                      "TLS is on, but there is no certificate");
        return ERR_CONFIG;
    }
    if (!client && has_authorities(cfg) && cfg->client_auth == TLS_VERIFY_NONE &&
        settings_given(&c->given, "ssl_client_authentication")) {
        compile_error(c, "ssl_client_authentication", "\"optional\" or \"required\"",
                      "authorities are given, but clients are not asked for a certificate");
        return ERR_CONFIG;
    }
    return ERR_OK;
}

err ssl_options_compile(struct ssl_cfg *cfg, bool client, struct compiler *c)
{
    if (!cfg->enabled) return ERR_OK;
    err e = check(cfg, client, c);
    if (e != ERR_OK) return e;
    struct tls_config tls = {.client = client,
                             .certificate = cfg->certificate,
                             .key = cfg->key,
                             .key_passphrase = cfg->key_passphrase,
                             .keystore = cfg->keystore,
                             .keystore_password = cfg->keystore_password,
                             .truststore = cfg->truststore,
                             .truststore_password = cfg->truststore_password,
                             .authorities = texts(&cfg->authorities, c->arena),
                             .authority_n = cfg->authorities.n,
                             .chain = texts(&cfg->chain, c->arena),
                             .chain_n = cfg->chain.n,
                             .ciphers = texts(&cfg->ciphers, c->arena),
                             .cipher_n = cfg->ciphers.n,
                             .protocols = cfg->protocols};
    if (client) {
        tls.verify = cfg->verification == 2 ? TLS_VERIFY_NONE : TLS_VERIFY_REQUIRED;
        tls.verify_host = cfg->verification == 0;
    } else if (has_authorities(cfg)) {
        /* Without an authority there is nothing to check against, and nobody is asked. */
        tls.verify = (enum tls_verify)cfg->client_auth;
    }
    char why[TLS_WHY_BYTES];
    cfg->context = tls_context_new(&tls, why);
    if (cfg->context != NULL) return ERR_OK;
    compile_error(c, cfg->keystore.p != NULL ? "ssl_keystore_path" : "ssl_certificate",
                  "files that TLS can use", "%s", why);
    return ERR_CONFIG;
}

void ssl_options_release(struct ssl_cfg *cfg)
{
    tls_context_free(cfg->context);
    cfg->context = NULL;
}
