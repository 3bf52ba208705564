/*
 * http1_response.h - an HTTP/1.x response (RFC 9112), strictly, as it comes in pieces.
 *
 * The caller receives into a buf of its own and calls http1_response_read after each piece. The
 * body stays where it came: with a length or up to the end of the connection it is not moved at
 * all, chunks are moved together in place. Interim answers (1xx) are skipped. What makes two
 * readers disagree about where an answer ends is an error, never guessed at: bare LF, folded
 * lines, two different lengths, a length beside Transfer-Encoding, signs in numbers. Bounded by
 * HTTP1_RESPONSE_HEAD_BYTES_MAX for all heads and trailers of one answer, by
 * HTTP1_CHUNK_LINE_BYTES_MAX and by the caller's limit for the body. Any thread, no state but
 * the struct.
 */
#ifndef PARSERS_FRAME_HTTP1_RESPONSE_H
#define PARSERS_FRAME_HTTP1_RESPONSE_H
#include "engine/base/buf.h"
#include "parsers/frame/http1.h"

/* Elasticsearch repeats deprecation warnings in headers: more room than a request's head has. */
#define HTTP1_RESPONSE_HEAD_BYTES_MAX (64u * 1024)
/* Size, extensions and line break of one chunk. */
#define HTTP1_CHUNK_LINE_BYTES_MAX 1024u

enum http1_response_state {
    HTTP1_STATUS_LINE,
    HTTP1_HEADERS,
    HTTP1_BODY_LENGTH,
    HTTP1_BODY_TO_END,
    HTTP1_CHUNK_SIZE,
    HTTP1_CHUNK_DATA,
    HTTP1_CHUNK_END,
    HTTP1_TRAILERS,
    HTTP1_COMPLETE
};

struct http1_response {
    enum http1_response_state state;
    uint32_t status, minor; /* HTTP/1.minor */
    bool keep_alive;        /* another request may follow on the connection */
    bool encoded;           /* Content-Encoding says something other than identity */
    char retry_after[48];   /* the header's text, cut; empty: none */
    size_t body_at, body_n; /* of the buf */
    const char *why;        /* of HTTP1_BAD, HTTP1_TOO_LARGE and HTTP1_VERSION */
    /* The reader's own. */
    size_t at; /* first byte of the buf that was not looked at */
    size_t head_bytes;
    uint64_t body_bytes_max, left; /* of the body or the chunk */
    bool chunked, has_length;
};

void http1_response_begin(struct http1_response *r, uint64_t body_bytes_max);
/* `in` has all that came since the beginning of the answer; bytes before body_at + body_n stay.
 * After HTTP1_DONE with r->at < in->n something came behind the answer. */
enum http1_result http1_response_read(struct http1_response *r, struct buf *in);
/* The connection has ended: whether the answer is complete by that. */
bool http1_response_end(struct http1_response *r);

static inline slice http1_response_body(const struct http1_response *r, const struct buf *in)
{
    return slice_make(in->data + r->body_at, r->body_n);
}

#endif
