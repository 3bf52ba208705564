/*
 * bulk_http.h - one HTTP/1.1 connection to a server that takes bulk requests.
 *
 * libcurl makes the connection (names, happy eyeballs, proxies, TLS with all its options) and
 * hands it over: CURLOPT_CONNECT_ONLY on the writer's multi handle. Requests and answers are ours,
 * because libcurl copies a body into a buffer of its own before it sends it. A plain connection
 * is written with sendmsg from the memory the request lies in; libcurl's handle is done with as
 * soon as the socket is duplicated. A TLS connection stays libcurl's and is used through
 * curl_easy_send and curl_easy_recv.
 *
 * Owned by the writer thread, which polls the descriptor, says what time it is, and keeps the
 * parts of a request in place until it has a result. Beginning on a connection that was used
 * before, a request may fail because the server closed it meanwhile: `lost` says so, and the
 * request is worth a fresh connection at once. Errors are texts for the log. Answers are
 * parsed by parsers/frame/http1_response.h (RFC 9112) and bounded by the caller.
 */
#ifndef ENGINE_OUTPUTS_BULK_HTTP_H
#define ENGINE_OUTPUTS_BULK_HTTP_H
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "parsers/frame/http1_response.h"

/* Head and body. */
#define BULK_HTTP_PARTS 2u

enum bulk_http_state {
    BULK_HTTP_CLOSED,
    BULK_HTTP_CONNECTING, /* libcurl's */
    BULK_HTTP_IDLE,       /* connected; the next request may go out */
    BULK_HTTP_SENDING,    /* an answer may come already */
    BULK_HTTP_READING
};

enum bulk_http_result {
    BULK_HTTP_GOES_ON,
    BULK_HTTP_ANSWERED, /* see response; the connection is idle or closed */
    BULK_HTTP_FAILED    /* see error; closed */
};

struct bulk_http {
    enum bulk_http_state state;
    CURLM *multi;
    CURL *easy; /* the caller's; in the multi handle while connecting and while it holds TLS */
    int fd;     /* ours when plain, libcurl's when tls; -1: none */
    bool tls;
    bool reused; /* the request is not the first one of the connection */
    bool lost;   /* it failed because the connection was gone before any byte of an answer */
    struct iovec part[BULK_HTTP_PARTS];
    uint32_t part_at; /* parts before it are sent */
    int64_t begin_ns, deadline_ns, idle_since_ns;
    uint64_t answer_bytes_max;
    struct http1_response response;
    struct buf in; /* what came of the answer */
    char error[CURL_ERROR_SIZE];
};

void bulk_http_init(struct bulk_http *h, CURLM *multi, uint64_t answer_bytes_max);
void bulk_http_fini(struct bulk_http *h); /* closes; the easy handle stays the caller's */
void bulk_http_close(struct bulk_http *h);

/* Begins to connect to the easy handle's URL, which is https when `tls`. Its error buffer is
 * h->error, its CURLOPT_PRIVATE the caller's business. */
void bulk_http_connect(struct bulk_http *h, CURL *easy, bool tls);
/* libcurl is done with it. False: closed, see error. */
bool bulk_http_connected(struct bulk_http *h, CURLcode code) MUST_USE;

/* Sends on an idle connection, as much as goes at once. */
enum bulk_http_result bulk_http_send(struct bulk_http *h, slice head, slice body, int64_t now_ns,
                                     int64_t timeout_ns) MUST_USE;
/* Fills in descriptor and events; false when there is nothing to poll for. */
bool bulk_http_poll(const struct bulk_http *h, struct curl_waitfd *out);
/* The descriptor is ready, as poll says. An idle connection that the server has closed is closed
 * here. */
enum bulk_http_result bulk_http_ready(struct bulk_http *h, short events, int64_t now_ns) MUST_USE;
/* Gives up a request whose time is over; GOES_ON before. */
enum bulk_http_result bulk_http_expire(struct bulk_http *h, int64_t now_ns) MUST_USE;
/* Whether the connection is idle and the server has not closed it. */
bool bulk_http_usable(struct bulk_http *h);
/* How long the answer wants us to wait: Retry-After in seconds or as a date; 0: nothing said. */
int64_t bulk_http_retry_after_sec(const struct bulk_http *h, int64_t now_unix_sec);

static inline bool bulk_http_busy(const struct bulk_http *h)
{
    return h->state == BULK_HTTP_SENDING || h->state == BULK_HTTP_READING;
}

#endif
