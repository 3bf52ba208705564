/*
 * http_fetch.h - one document over HTTP or HTTPS, for options that name one by its address.
 *
 * Blocks until it is there, for at most HTTP_FETCH_MS_MAX; redirects are followed. Control thread,
 * while a configuration is compiled. The slices end with a NUL, as those of settings do; an empty
 * one is not used.
 */
#ifndef ENGINE_PLAN_HTTP_FETCH_H
#define ENGINE_PLAN_HTTP_FETCH_H
#include "engine/base/buf.h"
#include "engine/config/settings.h"

#define HTTP_FETCH_MS_MAX 30000
#define HTTP_FETCH_BYTES_MAX (16u * 1024 * 1024)
#define HTTP_FETCH_REASON_BYTES 320u

struct http_fetch {
    slice url, proxy, username, password;
    slice authorities;                 /* a PEM file; empty: the system's */
    slice certificate, key;            /* PEM files */
    slice keystore, keystore_password; /* PKCS#12 */
    struct config_list ciphers;        /* names of IANA or OpenSSL; empty: the library's */
    uint64_t protocols;                /* bits of TLSv1.1, TLSv1.2, TLSv1.3; 0: from 1.2 on */
    bool trust_all;
};

/* Appends the body of a 200. False with *reason as text otherwise. */
bool http_fetch(const struct http_fetch *f, struct buf *out,
                char reason[HTTP_FETCH_REASON_BYTES]) MUST_USE;

#endif
