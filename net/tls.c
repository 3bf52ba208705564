/* tls.c - contexts from files, sessions over memory BIOs. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "net/stream.h"

#define PATH_BYTES 4096u
#define READ_BYTES (64u * 1024)

struct tls_context {
    SSL_CTX *ctx;
    bool client, verify_host;
};

/* The first error of OpenSSL's queue names the cause. */
static void explain(char why[TLS_WHY_BYTES], const char *what, slice file)
{
    unsigned long code = ERR_get_error();
    const char *reason = code == 0 ? "unknown error" : ERR_reason_error_string(code);
    if (reason == NULL && ERR_SYSTEM_ERROR(code)) reason = strerror(ERR_GET_REASON(code));
    snprintf(why, TLS_WHY_BYTES, "%s %.*s: %s", what, SLICE_FMT(file),
             reason == NULL ? "unknown error" : reason);
    ERR_clear_error();
}

static int passphrase_give(char *out, int cap, int writing, void *opaque)
{
    (void)writing;
    const slice *text = opaque;
    if (text->p == NULL || text->n > (uint32_t)cap) return 0;
    memcpy(out, text->p, text->n);
    return (int)text->n;
}

static bool load_pair(SSL_CTX *ctx, const struct tls_config *c, char why[TLS_WHY_BYTES])
{
    char path[PATH_BYTES];
    if (SSL_CTX_use_certificate_chain_file(ctx, slice_cstr(c->certificate, path, sizeof(path))) !=
        1) {
        explain(why, "cannot use certificate", c->certificate);
        return false;
    }
    slice passphrase = c->key_passphrase;
    SSL_CTX_set_default_passwd_cb(ctx, passphrase_give);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &passphrase);
    bool ok = SSL_CTX_use_PrivateKey_file(ctx, slice_cstr(c->key, path, sizeof(path)),
                                          SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    if (!ok) {
        explain(why, "cannot use private key", c->key);
        return false;
    }
    if (SSL_CTX_check_private_key(ctx) == 1) return true;
    explain(why, "the certificate does not belong to private key", c->key);
    return false;
}

/* Opens a PKCS#12 file; the caller frees what it got. */
static bool load_p12(slice file, slice password, EVP_PKEY **key, X509 **cert,
                     STACK_OF(X509) * *more, char why[TLS_WHY_BYTES])
{
    char path[PATH_BYTES], secret[1024];
    FILE *in = fopen(slice_cstr(file, path, sizeof(path)), "rb");
    PKCS12 *p12 = in == NULL ? NULL : d2i_PKCS12_fp(in, NULL);
    if (in != NULL) fclose(in);
    bool ok = p12 != NULL &&
              PKCS12_parse(p12, slice_cstr(password, secret, sizeof(secret)), key, cert, more) == 1;
    OPENSSL_cleanse(secret, sizeof(secret));
    PKCS12_free(p12);
    if (!ok) explain(why, "cannot read key store (PKCS#12 is supported)", file);
    return ok;
}

static bool load_keystore(SSL_CTX *ctx, const struct tls_config *c, char why[TLS_WHY_BYTES])
{
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    STACK_OF(X509) *more = NULL;
    if (!load_p12(c->keystore, c->keystore_password, &key, &cert, &more, why)) return false;
    bool ok = cert != NULL && key != NULL && SSL_CTX_use_cert_and_key(ctx, cert, key, more, 1) == 1;
    if (!ok) explain(why, "no usable certificate and key in", c->keystore);
    EVP_PKEY_free(key);
    X509_free(cert);
    sk_X509_pop_free(more, X509_free);
    return ok;
}

static bool load_truststore(SSL_CTX *ctx, const struct tls_config *c, char why[TLS_WHY_BYTES])
{
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    STACK_OF(X509) *more = NULL;
    if (!load_p12(c->truststore, c->truststore_password, &key, &cert, &more, why)) return false;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    if (cert != NULL) X509_STORE_add_cert(store, cert);
    for (int i = 0; i < sk_X509_num(more); i++) {
        X509_STORE_add_cert(store, sk_X509_value(more, i));
        SSL_CTX_add_client_CA(ctx, sk_X509_value(more, i));
    }
    EVP_PKEY_free(key);
    X509_free(cert);
    sk_X509_pop_free(more, X509_free);
    return true;
}

static bool load_authorities(SSL_CTX *ctx, const struct tls_config *c, char why[TLS_WHY_BYTES])
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    SSL_CTX_set_client_CA_list(ctx, names); /* owns it; what a client may choose by */
    for (uint32_t i = 0; i < c->authority_n; i++) {
        char path[PATH_BYTES];
        slice_cstr(c->authorities[i], path, sizeof(path));
        if (SSL_CTX_load_verify_file(ctx, path) == 1) {
            if (!c->client) SSL_add_file_cert_subjects_to_stack(names, path);
            continue;
        }
        struct stat about;
        if (stat(path, &about) == 0 && S_ISDIR(about.st_mode) &&
            SSL_CTX_load_verify_dir(ctx, path) == 1) {
            ERR_clear_error();
            continue;
        }
        explain(why, "cannot use certificate authority", c->authorities[i]);
        return false;
    }
    if (c->truststore.p != NULL) return load_truststore(ctx, c, why);
    if (c->authority_n == 0 && c->client) SSL_CTX_set_default_verify_paths(ctx);
    return true;
}

static bool load_chain(SSL_CTX *ctx, const struct tls_config *c, char why[TLS_WHY_BYTES])
{
    for (uint32_t i = 0; i < c->chain_n; i++) {
        char path[PATH_BYTES];
        BIO *in = BIO_new_file(slice_cstr(c->chain[i], path, sizeof(path)), "r");
        X509 *cert = in == NULL ? NULL : PEM_read_bio_X509(in, NULL, NULL, NULL);
        BIO_free(in);
        if (cert != NULL && SSL_CTX_add_extra_chain_cert(ctx, cert) == 1) continue;
        X509_free(cert);
        explain(why, "cannot use chain certificate", c->chain[i]);
        return false;
    }
    return true;
}

/* OpenSSL's name of a cipher known by its IANA name; the name itself when unknown. */
static const char *cipher_name(SSL_CTX *ctx, const char *name)
{
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *one = sk_SSL_CIPHER_value(all, i);
        const char *standard = SSL_CIPHER_standard_name(one);
        if (standard != NULL && strcmp(standard, name) == 0) return SSL_CIPHER_get_name(one);
    }
    return name;
}

static bool is_tls13(slice name)
{
    return slice_starts(name, SLICE("TLS_")) && slice_find(name, SLICE("_WITH_")) < 0;
}

static bool set_ciphers(SSL_CTX *ctx, const struct tls_config *c, char why[TLS_WHY_BYTES])
{
    if (c->cipher_n == 0) return true;
    struct buf old = {0}, new = {0};
    SSL_CTX_set_cipher_list(ctx, "ALL"); /* so that every name can be looked up */
    for (uint32_t i = 0; i < c->cipher_n; i++) {
        char name[128];
        slice_cstr(c->ciphers[i], name, sizeof(name));
        bool modern = is_tls13(c->ciphers[i]);
        struct buf *list = modern ? &new : &old;
        if (list->n > 0) buf_add_byte(list, ':');
        buf_add_cstr(list, modern ? name : cipher_name(ctx, name));
    }
    bool ok = (old.n == 0 || SSL_CTX_set_cipher_list(ctx, buf_cstr(&old)) == 1) &&
              (new.n == 0 || SSL_CTX_set_ciphersuites(ctx, buf_cstr(&new)) == 1);
    if (!ok) explain(why, "no usable cipher in", buf_slice(old.n > 0 ? &old : &new));
    buf_fini(&old);
    buf_fini(&new);
    return ok;
}

static void set_protocols(SSL_CTX *ctx, uint64_t protocols)
{
    if (protocols == 0) protocols = TLS_1_2 | TLS_1_3;
    static const struct {
        uint64_t bit;
        int version;
        uint64_t no;
    } all[] = {{TLS_1_1, TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
               {TLS_1_2, TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
               {TLS_1_3, TLS1_3_VERSION, SSL_OP_NO_TLSv1_3}};
    int min = 0, max = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (protocols & all[i].bit) {
            if (min == 0) min = all[i].version;
            max = all[i].version;
        } else {
            SSL_CTX_set_options(ctx, all[i].no);
        }
    }
    SSL_CTX_set_min_proto_version(ctx, min);
    SSL_CTX_set_max_proto_version(ctx, max);
}

static bool context_fill(SSL_CTX *ctx, const struct tls_config *c, char why[TLS_WHY_BYTES])
{
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    set_protocols(ctx, c->protocols);
    if (!set_ciphers(ctx, c, why)) return false;
    if (c->keystore.p != NULL && !load_keystore(ctx, c, why)) return false;
    if (c->keystore.p == NULL && c->certificate.p != NULL && !load_pair(ctx, c, why)) return false;
    if (!load_chain(ctx, c, why) || !load_authorities(ctx, c, why)) return false;
    int mode = SSL_VERIFY_NONE;
    if (c->verify != TLS_VERIFY_NONE) mode = SSL_VERIFY_PEER;
    if (c->verify == TLS_VERIFY_REQUIRED && !c->client) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode, NULL);
    /* Sessions that ask for a certificate need a context to be resumed in. */
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"spate", 5);
    return true;
}

struct tls_context *tls_context_new(const struct tls_config *c, char why[TLS_WHY_BYTES])
{
    SSL_CTX *ctx = SSL_CTX_new(c->client ? TLS_client_method() : TLS_server_method());
    if (ctx == NULL) {
        explain(why, "cannot set up", SLICE("TLS"));
        return NULL;
    }
    if (!context_fill(ctx, c, why)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    struct tls_context *context = calloc(1, sizeof(*context));
    ASSERT(context != NULL);
    *context = (struct tls_context){.ctx = ctx, .client = c->client, .verify_host = c->verify_host};
    return context;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL) return;
    SSL_CTX_free(context->ctx);
    free(context);
}

/* ---- sessions ---------------------------------------------------------------------- */

struct tls_session {
    SSL *ssl;
    BIO *in, *out;
    struct buf early; /* to be sent after the handshake */
    char *subject;
    const char *why;
    bool ready;
};

struct tls_session *tls_session_new(struct tls_context *context, slice host)
{
    struct tls_session *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL);
    t->ssl = SSL_new(context->ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    ASSERT(t->ssl != NULL && t->in != NULL && t->out != NULL);
    SSL_set_bio(t->ssl, t->in, t->out);
    if (!context->client) {
        SSL_set_accept_state(t->ssl);
        return t;
    }
    SSL_set_connect_state(t->ssl);
    char name[256];
    slice_cstr(host, name, sizeof(name));
    SSL_set_tlsext_host_name(t->ssl, name);
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (context->verify_host && X509_VERIFY_PARAM_set1_ip_asc(param, name) != 1)
        SSL_set1_host(t->ssl, name);
    ERR_clear_error();
    return t;
}

void tls_session_free(struct tls_session *t)
{
    if (t == NULL) return;
    SSL_free(t->ssl);
    buf_fini(&t->early);
    free(t->subject);
    free(t);
}

static void flush(struct tls_session *t, struct stream *s)
{
    char *bytes;
    long n = BIO_get_mem_data(t->out, &bytes);
    if (n <= 0) return;
    stream_send_wire(s, slice_make(bytes, (size_t)n));
    (void)BIO_reset(t->out);
}

static void read_subject(struct tls_session *t)
{
    X509 *peer = SSL_get1_peer_certificate(t->ssl);
    if (peer == NULL) return;
    BIO *text = BIO_new(BIO_s_mem());
    char *bytes;
    X509_NAME_print_ex(text, X509_get_subject_name(peer), 0, XN_FLAG_RFC2253);
    long n = BIO_get_mem_data(text, &bytes);
    t->subject = slice_dup_cstr(slice_make(bytes, n > 0 ? (size_t)n : 0));
    BIO_free(text);
    X509_free(peer);
}

/* 0, -1 or an errno, as tls_session_take. */
static int outcome(struct tls_session *t, int result)
{
    int code = SSL_get_error(t->ssl, result);
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) return 0;
    if (code == SSL_ERROR_ZERO_RETURN) return -1;
    unsigned long error = ERR_peek_error();
    t->why = error == 0 ? "the connection broke" : ERR_reason_error_string(error);
    long verify = SSL_get_verify_result(t->ssl);
    if (verify != X509_V_OK) t->why = X509_verify_cert_error_string(verify);
    if (t->why == NULL) t->why = "protocol error";
    ERR_clear_error();
    return EPROTO;
}

static int shake_hands(struct tls_session *t, struct stream *s)
{
    int result = SSL_do_handshake(t->ssl);
    flush(t, s);
    if (result != 1) return outcome(t, result);
    t->ready = true;
    read_subject(t);
    if (t->early.n == 0) return 0;
    bool sent = tls_session_send(t, s, buf_slice(&t->early));
    buf_fini(&t->early);
    return sent ? 0 : EPROTO;
}

void tls_session_hello(struct tls_session *t, struct stream *s)
{
    int error = shake_hands(t, s);
    (void)error; /* Only an answer from the peer can be wrong. */
}

/* Reads until nothing is left, one buffer of plain bytes at a time. */
static int read_plain(struct tls_session *t, struct stream *s)
{
    struct blob *blob = NULL;
    int result;
    for (;;) {
        if (blob == NULL) blob = blob_new(READ_BYTES);
        uint32_t n = 0;
        do {
            result = SSL_read(t->ssl, blob->data + n, (int)(blob->size - n));
            if (result > 0) n += (uint32_t)result;
        } while (result > 0 && n < blob->size);
        if (n > 0 && !s->closing && !s->finishing) {
            blob->used = n;
            s->ops->data(s, blob, slice_make(blob->data, n));
        }
        if (result <= 0 || s->closing) break;
        if (blob->pins > 1) {
            blob_unpin(blob);
            blob = NULL;
        }
    }
    blob_unpin(blob);
    if (s->closing) return 0;
    int error = outcome(t, result);
    flush(t, s);
    return error;
}

int tls_session_take(struct tls_session *t, struct stream *s, slice bytes)
{
    ERR_clear_error();
    BIO_write(t->in, bytes.p, (int)bytes.n);
    if (!t->ready) {
        int error = shake_hands(t, s);
        if (error != 0 || !t->ready) return error;
    }
    return read_plain(t, s);
}

bool tls_session_send(struct tls_session *t, struct stream *s, slice bytes)
{
    if (!t->ready) {
        if (t->early.n + bytes.n > STREAM_SEND_BYTES_MAX) return false;
        buf_add_slice(&t->early, bytes);
        return true;
    }
    ERR_clear_error();
    int result = bytes.n == 0 ? 1 : SSL_write(t->ssl, bytes.p, (int)bytes.n);
    flush(t, s);
    return result > 0;
}

void tls_session_bye(struct tls_session *t, struct stream *s)
{
    if (!t->ready) return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
    flush(t, s);
}

slice tls_session_subject(const struct tls_session *t)
{
    return slice_from_cstr(t->subject);
}

slice tls_session_protocol(const struct tls_session *t)
{
    return t->ready ? slice_from_cstr(SSL_get_version(t->ssl)) : SLICE_NONE;
}

slice tls_session_cipher(const struct tls_session *t)
{
    const SSL_CIPHER *cipher = t->ready ? SSL_get_current_cipher(t->ssl) : NULL;
    return cipher == NULL ? SLICE_NONE : slice_from_cstr(SSL_CIPHER_standard_name(cipher));
}

bool tls_session_ready(const struct tls_session *t)
{
    return t->ready;
}

bool tls_session_verified(const struct tls_session *t)
{
    return t->subject != NULL && SSL_get_verify_result(t->ssl) == X509_V_OK;
}

const char *tls_session_why(const struct tls_session *t)
{
    return t->why == NULL ? "" : t->why;
}
