/*
 * http_client.h - HTTP requests of filters, many at once, on one thread per filter.
 *
 * A client is a thread with a libcurl multi handle: it keeps connections, follows its options for
 * times, retries, TLS and proxies, and knows which of its servers do not answer. Requests are
 * questions of engine/shard/lookup.h: made and asked on a shard, answered when the response is
 * complete or given up. Clients are made and freed on the control thread; what the options point at
 * must outlive them. Answers are bounded; a longer one is a failed request.
 */
#ifndef ENGINE_FILTERS_HTTP_CLIENT_H
#define ENGINE_FILTERS_HTTP_CLIENT_H
#include "engine/plan/http_tls.h"
#include "engine/shard/lookup.h"

#define HTTP_ANSWER_BYTES_MAX (16u * 1024 * 1024)
#define HTTP_HEAD_BYTES_MAX (64u * 1024)
/* A server that could not be reached is left alone for so long, while there are others. */
#define HTTP_SERVER_DEAD_NS (60 * NS_PER_SEC)
#define HTTP_REDIRECTS_MAX 50L

struct http_client;

struct http_client_options {
    struct http_tls tls;
    int64_t connect_ms, request_ms, idle_sec; /* of waiting for data; 0: no limit */
    bool follow_redirects, keepalive, cookies;
    uint32_t running_max; /* requests at a time, and so connections */
    /* Requests that fail are tried again. Those that reached a server may have been served, so
     * POST and PATCH only if `retry_all`. `retry_any`: after every kind of failure, and after these
     * statuses; else only when a connection ended before an answer. */
    uint32_t retries;
    bool retry_all, retry_any;
    const uint16_t *retry_status;
    uint32_t retry_status_n;
    const char *user, *password;                     /* NULL: none */
    const char *proxy, *proxy_user, *proxy_password; /* "": none */
    const char *const *server; /* URLs in front of what requests have; none: those are URLs */
    uint32_t server_n;
};

enum http_outcome { HTTP_ANSWERED, HTTP_TIMED_OUT, HTTP_FAILED };

struct http_request {
    struct lookup_question base;
    struct http_client *client;
    const char *method;
    struct buf url, body; /* url ends in NUL when asked */
    bool has_body;
    struct curl_slist *headers;
    /* The thread's. */
    CURL *easy;
    struct http_request *older, *newer; /* running ones */
    uint32_t tries, server;
    /* The answer. */
    enum http_outcome outcome;
    long status;
    struct buf head, answer; /* lines of the header; the body */
    char error[CURL_ERROR_SIZE];
    bool noted; /* the filter's: it is counted */
};

/* NULL: the thread cannot be started. */
struct http_client *http_client_new(const struct http_client_options *options, const char *name);
void http_client_free(struct http_client *client);

struct http_request *http_request_new(struct http_client *client, const char *method);
void http_request_free(struct http_request *q);
/* A name and value with line breaks in them is refused. */
bool http_request_header(struct http_request *q, slice name, slice value);
/* Asks, or finds the request with the same key that was asked for this batch and frees q. Returns
 * the one to wait for, which is the asker's from here on. The key is copied. */
struct http_request *http_ask(struct lookup_asker *asker, struct lookup_counters *counters,
                              struct http_request *q, slice key);
/* Goes over the lines of the answer's header; *at begins as 0. */
bool http_header_next(const struct http_request *q, uint32_t *at, slice *name, slice *value);
/* Appends the text with all but RFC 3986's unreserved characters as %XX. */
void http_escape(struct buf *out, slice text);

#endif
