/*
 * http1.h - the head of an HTTP/1.x request (RFC 9112), strictly.
 *
 * Pure: bytes in, slices into the same bytes out. What makes two readers disagree about where a
 * request ends is an error, never guessed at: bare LF, folded lines, blanks before a colon, two
 * different lengths, a length beside Transfer-Encoding. Bounded by HTTP1_HEAD_BYTES_MAX and
 * HTTP1_HEADERS_MAX.
 */
#ifndef PARSERS_FRAME_HTTP1_H
#define PARSERS_FRAME_HTTP1_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define HTTP1_HEAD_BYTES_MAX 16384u
#define HTTP1_HEADERS_MAX 100u

enum http1_result {
    HTTP1_MORE, /* the head is not complete yet */
    HTTP1_DONE,
    HTTP1_BAD,       /* 400 */
    HTTP1_TOO_LARGE, /* 431 */
    HTTP1_VERSION    /* 505: not HTTP/1.x */
};

struct http1_header {
    slice name, value; /* value without blanks around it */
};

struct http1_request {
    slice method, target;
    slice path, query; /* of the target, not decoded; query without '?' */
    uint32_t minor;    /* HTTP/1.minor */
    struct http1_header header[HTTP1_HEADERS_MAX];
    uint32_t header_n;
    uint32_t head_bytes;    /* the body starts here */
    uint64_t content_bytes; /* Content-Length; 0 when absent */
    bool chunked, keep_alive, expects_continue;
};

enum http1_result http1_request_parse(slice in, struct http1_request *out);
/* The first header of that name (any case), or an empty slice with .p == NULL. */
slice http1_header_find(const struct http1_request *r, slice name);
/* Undoes %41; false on a broken escape or a NUL. `out` needs in.n bytes; returns how many in *n. */
bool http1_unescape(slice in, char *out, uint32_t *n);
/* Whether a name=value pair or a bare name of the query is `name`; *value may be empty. */
bool http1_query_find(slice query, slice name, slice *value);

/* Parts that requests and responses share. */

/* "HTTP/1.0" or "HTTP/1.1". */
enum http1_result http1_version_read(slice s, uint32_t *minor);
/* A header or trailer line without its line break; false when it is none. */
bool http1_header_read(slice line, struct http1_header *out);
/* The value of Content-Length. */
bool http1_length_read(slice text, uint64_t *out);
/* Whether a comma-separated list has the word, any case. */
bool http1_list_has(slice list, slice word);

#endif
