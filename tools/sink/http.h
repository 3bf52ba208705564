/*
 * http.h - one HTTP/1.1 connection of the fake Elasticsearch (RFC 9112).
 *
 * Requests come one behind the other; a body is kept only when somebody will look at it, else its
 * newlines are counted as it passes, or it is thrown away in the kernel. Owned by the event loop.
 */
#ifndef TOOLS_SINK_HTTP_H
#define TOOLS_SINK_HTTP_H
#include "tools/sink/sink.h"

#define HEAD_MAX (64u * 1024)
#define HEADERS_MAX 64u

struct header {
    slice name, value;
};

struct request {
    slice method, path, query; /* all point into head */
    struct header headers[HEADERS_MAX];
    uint32_t headers_n;
    uint64_t length;
    bool chunked, gzip, bulk, keep; /* keep: the body is collected */
    uint64_t nth;                   /* number of the bulk request */
    uint64_t body_bytes, newlines;
    int64_t documents_claimed; /* X-Elastic-Event-Count, -1 when absent */
};

enum http_state {
    HTTP_HEAD,
    HTTP_BODY,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_END,
    HTTP_TRAILER,
    HTTP_ANSWER
};

struct http {
    enum http_state state;
    struct buf in; /* bytes read and not yet used; a request's head stays at its front */
    size_t head_bytes, in_at;
    struct request request;
    uint64_t left;   /* of the body or the chunk */
    struct buf body; /* decoded */
    struct buf out;
    size_t out_at;
    int wake_bytes; /* SO_RCVLOWAT as it was set; 0: not yet */
    int64_t due_ns; /* a delayed answer goes out then; 0: at once */
    bool close_after, reset_now;
};

/* Value of a header of the request, empty when it is absent. Names in lower case. */
slice request_header(const struct request *r, slice name);

/* Reads what is there. 0: goes on, -1: the connection is finished. */
int http_read(struct sink *s, struct http *h, int fd);
/* Writes what is due. 0: all went, 1: the socket is full or the answer waits, -1: finished. */
int http_write(struct sink *s, struct http *h, int fd, int64_t now_ns);
void http_fini(struct http *h);

/* es.c: the answer to a complete request, put into h->out. */
void es_answer(struct sink *s, struct http *h);
/* es.c: decides at the head of a bulk request what has to be kept; false: reset at once. */
bool es_head(struct sink *s, struct http *h);

#endif
