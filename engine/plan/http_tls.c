/* http_tls.c - TLS options onto libcurl, and what needs OpenSSL directly. */
#include "engine/plan/http_tls.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"

const char *const http_tls_protocols[] = {"TLSv1.1", "TLSv1.2", "TLSv1.3", NULL};
const char *const http_tls_store_types[] = {"jks", "pkcs12", NULL};
const char *const http_tls_verifications[] = {"full", "none", NULL};

/* ---- control thread --------------------------------------------------------------------- */

static const char *keep(struct compiler *c, slice text)
{
    return text.p == NULL ? NULL : heap_dup(c->heap, text).p;
}

static err refuse_jks(struct compiler *c, const char *type_name, int type, const char *path_name,
                      slice path)
{
    unsigned char magic[4] = {0};
    FILE *file = path.n > 0 ? fopen(path.p, "re") : NULL;
    bool jks = type == 0;
    if (file != NULL) {
        if (fread(magic, 1, 4, file) == 4 && memcmp(magic, "\xfe\xed\xfe\xed", 4) == 0) jks = true;
        fclose(file);
    }
    if (!jks) return ERR_OK;
    compile_error(c, type == 0 ? type_name : path_name,
                  "a PKCS#12 or PEM file (keytool -importkeystore -deststoretype pkcs12)",
                  "Java keystores (JKS) cannot be read");
    return ERR_CONFIG;
}

static err compile_fingerprint(struct http_tls *tls, const struct http_tls_options *o,
                               struct compiler *c)
{
    struct config_list list = o->fingerprints;
    if (list.n == 0) return ERR_OK;
    slice text = list.at[0].text;
    uint32_t n = 0;
    bool bad = list.n != 1;
    for (uint32_t i = 0; i < text.n && !bad; i++) {
        char ch = text.p[i];
        if (ch == ':') continue;
        int digit = ch >= '0' && ch <= '9'   ? ch - '0'
                    : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
                    : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
                                             : -1;
        bad = digit < 0 || n >= 64;
        if (!bad) {
            unsigned char *byte = &tls->fingerprint[n++ / 2];
            *byte = (unsigned char)(*byte << 4 | digit);
        }
    }
    tls->has_fingerprint = !bad && n == 64;
    if (tls->has_fingerprint) return ERR_OK;
    compile_error(c, "ca_trusted_fingerprint", "one SHA-256 digest of 64 hex digits",
                  "a fingerprint that is none");
    return ERR_CONFIG;
}

static err compile_ciphers(struct http_tls *tls, const struct http_tls_options *o,
                           struct compiler *c)
{
    struct buf old = {0}, new = {0};
    err e = ERR_OK;
    for (uint32_t i = 0; i < o->cipher_suites.n && e == ERR_OK; i++) {
        slice name = o->cipher_suites.at[i].text;
        const char *openssl = OPENSSL_cipher_name(name.p);
        if (slice_starts(name, SLICE("TLS_")) && slice_find(name, SLICE("_WITH_")) < 0) {
            buf_printf(&new, "%s%.*s", new.n > 0 ? ":" : "", SLICE_FMT(name));
        } else if (openssl != NULL && strcmp(openssl, "(NONE)") != 0) {
            buf_printf(&old, "%s%s", old.n > 0 ? ":" : "", openssl);
        } else {
            compile_error(c, "ssl_cipher_suites", "IANA names such as TLS_AES_256_GCM_SHA384",
                          "unknown cipher suite `%.*s`", SLICE_FMT(name));
            e = ERR_CONFIG;
        }
    }
    if (old.n > 0) tls->ciphers12 = keep(c, buf_slice(&old));
    if (new.n > 0) tls->ciphers13 = keep(c, buf_slice(&new));
    buf_fini(&old);
    buf_fini(&new);
    return e;
}

static void compile_versions(struct http_tls *tls, const struct http_tls_options *o)
{
    static const long least[] = {CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
                                 CURL_SSLVERSION_TLSv1_3};
    static const long most[] = {CURL_SSLVERSION_MAX_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_2,
                                CURL_SSLVERSION_MAX_TLSv1_3};
    uint64_t set = o->protocols;
    tls->version = CURL_SSLVERSION_TLSv1_2;
    if (set == 0) return;
    tls->version = least[__builtin_ctzll(set)] | most[63 - __builtin_clzll(set)];
}

static err compile_authorities(struct http_tls *tls, const struct http_tls_options *o,
                               struct compiler *c)
{
    if (o->cas.n == 0) return ERR_OK;
    if (o->cas.n > 1) {
        compile_error(c, "ssl_certificate_authorities",
                      "one file; a PEM file may hold several certificates",
                      "%u files of certificate authorities", o->cas.n);
        return ERR_CONFIG;
    }
    tls->ca_file = keep(c, o->cas.at[0].text);
    FILE *file = fopen(tls->ca_file, "re");
    if (file != NULL) {
        fclose(file);
        return ERR_OK;
    }
    compile_error(c, "ssl_certificate_authorities", "a PEM file", "`%s` cannot be read",
                  tls->ca_file);
    return ERR_CONFIG;
}

/* What libcurl will read at the first connection: a mistake in it is one of the configuration. */
static err check_certificate(const struct http_tls *tls, struct compiler *c)
{
    if (tls->cert == NULL) return ERR_OK;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    ASSERT(ctx != NULL);
    const char *wrong = NULL;
    if (SSL_CTX_use_certificate_chain_file(ctx, tls->cert) != 1)
        wrong = "ssl_certificate";
    else if (SSL_CTX_use_PrivateKey_file(ctx, tls->key, SSL_FILETYPE_PEM) != 1)
        wrong = "ssl_key";
    SSL_CTX_free(ctx);
    if (wrong == NULL) return ERR_OK;
    char text[256];
    ERR_error_string_n(ERR_peek_last_error(), text, sizeof(text));
    ERR_clear_error();
    compile_error(c, wrong, "a PEM file", "`%s` cannot be used: %s",
                  strcmp(wrong, "ssl_key") == 0 ? tls->key : tls->cert, text);
    return ERR_CONFIG;
}

err http_tls_compile(struct http_tls *tls, const struct http_tls_options *o, struct compiler *c)
{
    tls->verify = o->verification == 0;
    tls->cert = keep(c, o->certificate);
    tls->key = keep(c, o->key);
    tls->keystore = keep(c, o->keystore);
    tls->keystore_password = keep(c, o->keystore_password);
    tls->truststore = keep(c, o->truststore);
    tls->truststore_password = keep(c, o->truststore_password);
    compile_versions(tls, o);
    if ((tls->cert == NULL) != (tls->key == NULL)) {
        compile_error(c, tls->cert != NULL ? "ssl_certificate" : "ssl_key", NULL,
                      "ssl_certificate and ssl_key go together");
        return ERR_CONFIG;
    }
    if (tls->cert != NULL && tls->keystore != NULL) {
        compile_error(c, "ssl_keystore_path", NULL,
                      "ssl_certificate and ssl_keystore_path exclude each other");
        return ERR_CONFIG;
    }
    err e[] = {
        refuse_jks(c, "ssl_keystore_type", o->keystore_type, "ssl_keystore_path", o->keystore),
        refuse_jks(c, "ssl_truststore_type", o->truststore_type, "ssl_truststore_path",
                   o->truststore),
        compile_fingerprint(tls, o, c),
        compile_ciphers(tls, o, c),
        compile_authorities(tls, o, c),
        check_certificate(tls, c)};
    for (uint32_t i = 0; i < ARRAY_LEN(e); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

/* ---- the handle's thread -------------------------------------------------------------------- */

/* Certificates of a PKCS#12 file into the store of what is trusted. */
static bool load_truststore(SSL_CTX *ctx, const struct http_tls *tls)
{
    FILE *file = fopen(tls->truststore, "re");
    if (file == NULL) return false;
    PKCS12 *p12 = d2i_PKCS12_fp(file, NULL);
    fclose(file);
    EVP_PKEY *key = NULL;
    X509 *own = NULL;
    STACK_OF(X509) *list = NULL;
    const char *password = tls->truststore_password != NULL ? tls->truststore_password : "";
    bool ok = p12 != NULL && PKCS12_parse(p12, password, &key, &own, &list) == 1;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    for (int i = 0; ok && i < sk_X509_num(list); i++)
        X509_STORE_add_cert(store, sk_X509_value(list, i));
    if (ok && own != NULL) X509_STORE_add_cert(store, own);
    sk_X509_pop_free(list, X509_free);
    X509_free(own);
    EVP_PKEY_free(key);
    PKCS12_free(p12);
    ERR_clear_error();
    return ok;
}

/* Trusts the certificate of the presented chain that has the fingerprint, and verifies the
 * chain and the name against it as ever. */
static int verify_fingerprint(X509_STORE_CTX *store, void *arg)
{
    const struct http_tls *tls = arg;
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(store);
    STACK_OF(X509) *trusted = sk_X509_new_null();
    for (int i = 0; i < sk_X509_num(chain); i++) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int n = 0;
        X509 *cert = sk_X509_value(chain, i);
        if (X509_digest(cert, EVP_sha256(), digest, &n) == 1 && n == 32 &&
            memcmp(digest, tls->fingerprint, 32) == 0)
            sk_X509_push(trusted, cert);
    }
    if (sk_X509_num(trusted) > 0) {
        X509_STORE_CTX_set0_trusted_stack(store, trusted);
        X509_STORE_CTX_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    }
    int ok = X509_verify_cert(store);
    sk_X509_free(trusted);
    return ok;
}

static CURLcode setup_ctx(CURL *easy, void *ctx, void *arg)
{
    (void)easy;
    const struct http_tls *tls = arg;
    if (tls->truststore != NULL && !load_truststore(ctx, tls)) return CURLE_SSL_CACERT_BADFILE;
    if (tls->has_fingerprint)
        SSL_CTX_set_cert_verify_callback(ctx, verify_fingerprint, (void *)(uintptr_t)tls);
    return CURLE_OK;
}

void http_tls_apply(const struct http_tls *tls, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, tls->version);
    if (tls->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    } else if (tls->truststore != NULL) {
        /* Only what the truststore holds. */
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (tls->cert != NULL) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key);
    } else if (tls->keystore != NULL) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->keystore);
        curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "P12");
        curl_easy_setopt(easy, CURLOPT_KEYPASSWD, tls->keystore_password);
    }
    if (tls->ciphers12 != NULL) curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, tls->ciphers12);
    if (tls->ciphers13 != NULL) curl_easy_setopt(easy, CURLOPT_TLS13_CIPHERS, tls->ciphers13);
    if (tls->has_fingerprint || tls->truststore != NULL) {
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, setup_ctx);
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, tls);
    }
}
