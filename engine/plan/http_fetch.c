/* http_fetch.c - libcurl, one transfer. */
#include "engine/plan/http_fetch.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "engine/base/assert.h"

#define CONNECT_MS_MAX 10000L
#define REDIRECTS_MAX 5L

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct buf *out = arg;
    size_t bytes = size * n;
    if (bytes > HTTP_FETCH_BYTES_MAX - out->n) return 0;
    buf_add(out, data, bytes);
    return bytes;
}

/* TLS 1.3 has a list of its own; a name that is unknown is left to the library to refuse. */
static void set_ciphers(CURL *easy, struct config_list names)
{
    struct buf old = {0}, new = {0};
    for (uint32_t i = 0; i < names.n; i++) {
        slice name = names.at[i].text;
        bool is_new = slice_starts(name, SLICE("TLS_")) && slice_find(name, SLICE("_WITH_")) < 0;
        const char *openssl = OPENSSL_cipher_name(name.p);
        if (openssl == NULL || strcmp(openssl, "(NONE)") == 0 || is_new) openssl = name.p;
        struct buf *list = is_new ? &new : &old;
        buf_printf(list, "%s%s", list->n > 0 ? ":" : "", openssl);
    }
    if (old.n > 0) curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, buf_cstr(&old));
    if (new.n > 0) curl_easy_setopt(easy, CURLOPT_TLS13_CIPHERS, buf_cstr(&new));
    buf_fini(&old);
    buf_fini(&new);
}

static void set_versions(CURL *easy, uint64_t set)
{
    static const long least[] = {CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
                                 CURL_SSLVERSION_TLSv1_3};
    static const long most[] = {CURL_SSLVERSION_MAX_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_2,
                                CURL_SSLVERSION_MAX_TLSv1_3};
    long version = CURL_SSLVERSION_TLSv1_2;
    if (set != 0) version = least[__builtin_ctzll(set)] | most[63 - __builtin_clzll(set)];
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, version);
}

static void set_tls(CURL *easy, const struct http_fetch *f)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, f->trust_all ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, f->trust_all ? 0L : 2L);
    set_versions(easy, f->protocols);
    set_ciphers(easy, f->ciphers);
    if (f->authorities.n > 0) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, f->authorities.p);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (f->certificate.n > 0) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, f->certificate.p);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, f->key.p);
    } else if (f->keystore.n > 0) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, f->keystore.p);
        curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "P12");
        curl_easy_setopt(easy, CURLOPT_KEYPASSWD, f->keystore_password.p);
    }
}

static void set_up(CURL *easy, const struct http_fetch *f, struct buf *out, char *why)
{
    curl_easy_setopt(easy, CURLOPT_URL, f->url.p);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS_MAX);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)HTTP_FETCH_MS_MAX);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(easy, CURLOPT_PROXY, f->proxy.n > 0 ? f->proxy.p : "");
    if (f->username.n > 0) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, f->username.p);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, f->password.p);
    }
    set_tls(easy, f);
}

bool http_fetch(const struct http_fetch *f, struct buf *out, char reason[HTTP_FETCH_REASON_BYTES])
{
    char why[CURL_ERROR_SIZE] = "";
    long code = 0;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *easy = curl_easy_init();
    ASSERT(easy != NULL);
    set_up(easy, f, out, why);
    CURLcode e = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    bool ok = e == CURLE_OK && code == 200;
    if (e == CURLE_WRITE_ERROR)
        snprintf(reason, HTTP_FETCH_REASON_BYTES, "the answer is too large");
    else if (e != CURLE_OK)
        snprintf(reason, HTTP_FETCH_REASON_BYTES, "%s", why[0] != 0 ? why : curl_easy_strerror(e));
    else if (!ok)
        snprintf(reason, HTTP_FETCH_REASON_BYTES, "the server answered with status %ld", code);
    return ok;
}
