/* http1_response.c - status line, headers, and the four ways in which a body ends. */
#include "parsers/frame/http1_response.h"

#include "engine/base/assert.h"

void http1_response_begin(struct http1_response *r, uint64_t body_bytes_max)
{
    *r = (struct http1_response){.state = HTTP1_STATUS_LINE, .body_bytes_max = body_bytes_max};
}

static enum http1_result bad(struct http1_response *r, const char *why)
{
    r->why = why;
    return HTTP1_BAD;
}

static enum http1_result too_large(struct http1_response *r, const char *why)
{
    r->why = why;
    return HTTP1_TOO_LARGE;
}

/* The next line without its CRLF, of at most bytes_max with it. */
static enum http1_result next_line(struct http1_response *r, const struct buf *in, size_t bytes_max,
                                   slice *line)
{
    const char *begin = in->data + r->at;
    size_t have = in->n - r->at, look = have < bytes_max ? have : bytes_max;
    const char *end = look == 0 ? NULL : memchr(begin, '\n', look);
    if (end == NULL)
        return have >= bytes_max ? too_large(r, "too long a head, chunk size or trailer")
                                 : HTTP1_MORE;
    r->at += (size_t)(end - begin) + 1;
    if (end == begin || end[-1] != '\r') return bad(r, "a line that does not end with CR LF");
    *line = slice_make(begin, (size_t)(end - begin) - 1);
    return slice_find_byte(*line, '\r') >= 0 ? bad(r, "a CR inside a line") : HTTP1_DONE;
}

/* A line of a head or of the trailers: they share one bound. */
static enum http1_result head_line(struct http1_response *r, const struct buf *in, slice *line)
{
    size_t from = r->at;
    enum http1_result result =
        next_line(r, in, HTTP1_RESPONSE_HEAD_BYTES_MAX - r->head_bytes, line);
    r->head_bytes += r->at - from;
    return result;
}

/* HTTP/1.1 SP 3DIGIT [SP reason]; the blank before an empty reason is often left out. */
static enum http1_result status_line(struct http1_response *r, slice line)
{
    enum http1_result result = http1_version_read(slice_part(line, 0, 8), &r->minor);
    if (result == HTTP1_VERSION) r->why = "another version than HTTP/1";
    if (result == HTTP1_BAD) r->why = "no HTTP status line";
    if (result != HTTP1_DONE) return result;
    if (line.n < 12 || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' '))
        return bad(r, "no HTTP status line");
    r->status = 0;
    for (uint32_t i = 9; i < 12; i++) {
        if (line.p[i] < '0' || line.p[i] > '9') return bad(r, "no HTTP status line");
        r->status = r->status * 10 + (uint32_t)(line.p[i] - '0');
    }
    if (r->status < 100 || r->status > 599) return bad(r, "a status outside 100 to 599");
    if (r->status == 101) return bad(r, "101 Switching Protocols, unasked");
    r->keep_alive = r->minor >= 1;
    r->state = HTTP1_HEADERS;
    return HTTP1_DONE;
}

static enum http1_result length_use(struct http1_response *r, slice value)
{
    uint64_t n;
    if (!http1_length_read(value, &n)) return bad(r, "a Content-Length that is no number");
    if (r->has_length && n != r->left) return bad(r, "two different Content-Length");
    r->has_length = true;
    r->left = n;
    return HTTP1_DONE;
}

static enum http1_result header_use(struct http1_response *r, const struct http1_header *h)
{
    if (slice_equal_nocase(h->name, SLICE("content-length"))) return length_use(r, h->value);
    if (slice_equal_nocase(h->name, SLICE("transfer-encoding"))) {
        if (r->chunked || !slice_equal_nocase(h->value, SLICE("chunked")))
            return bad(r, "a Transfer-Encoding other than chunked");
        r->chunked = true;
    } else if (slice_equal_nocase(h->name, SLICE("connection"))) {
        if (http1_list_has(h->value, SLICE("keep-alive"))) r->keep_alive = true;
        if (http1_list_has(h->value, SLICE("close"))) r->keep_alive = false;
    } else if (slice_equal_nocase(h->name, SLICE("content-encoding"))) {
        if (h->value.n > 0 && !slice_equal_nocase(h->value, SLICE("identity"))) r->encoded = true;
    } else if (slice_equal_nocase(h->name, SLICE("retry-after"))) {
        slice_cstr(h->value, r->retry_after, sizeof(r->retry_after));
    }
    return HTTP1_DONE;
}

/* An interim answer has no body; the one that counts comes after it. */
static void skip_interim(struct http1_response *r)
{
    struct http1_response next = {.state = HTTP1_STATUS_LINE,
                                  .body_bytes_max = r->body_bytes_max,
                                  .at = r->at,
                                  .head_bytes = r->head_bytes};
    *r = next;
}

/* RFC 9112, section 6.3. */
static enum http1_result head_end(struct http1_response *r)
{
    if (r->chunked && r->has_length) return bad(r, "Content-Length beside Transfer-Encoding");
    if (r->chunked && r->minor == 0) return bad(r, "Transfer-Encoding in HTTP/1.0");
    if (r->status < 200) {
        skip_interim(r);
        return HTTP1_DONE;
    }
    r->body_at = r->at;
    if (r->status == 204 || r->status == 304) {
        r->state = HTTP1_COMPLETE;
    } else if (r->chunked) {
        r->state = HTTP1_CHUNK_SIZE;
    } else if (!r->has_length) {
        r->keep_alive = false;
        r->state = HTTP1_BODY_TO_END;
    } else {
        if (r->left > r->body_bytes_max) return too_large(r, "too large a body");
        r->state = HTTP1_BODY_LENGTH;
    }
    return HTTP1_DONE;
}

static enum http1_result header_line(struct http1_response *r, slice line)
{
    struct http1_header h;
    if (line.n == 0) return head_end(r);
    if (!http1_header_read(line, &h)) return bad(r, "a header line that is none");
    return header_use(r, &h);
}

static enum http1_result trailer_line(struct http1_response *r, slice line)
{
    struct http1_header h;
    if (line.n == 0)
        r->state = HTTP1_COMPLETE;
    else if (!http1_header_read(line, &h))
        return bad(r, "a trailer line that is none");
    return HTTP1_DONE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* 1*HEXDIG, then nothing, blanks or ";extension", which is skipped. */
static enum http1_result chunk_size(struct http1_response *r, slice line)
{
    uint64_t n = 0;
    uint32_t i = 0;
    for (; i < line.n && hex_digit(line.p[i]) >= 0; i++) {
        if (i == 15) return bad(r, "a chunk size of more than 15 digits");
        n = n * 16 + (uint64_t)hex_digit(line.p[i]);
    }
    if (i == 0) return bad(r, "a chunk without a size");
    if (i < line.n && line.p[i] != ';' && line.p[i] != ' ' && line.p[i] != '\t')
        return bad(r, "a chunk size that is no number");
    if (n > r->body_bytes_max - r->body_n) return too_large(r, "too large a body");
    r->left = n;
    r->state = n == 0 ? HTTP1_TRAILERS : HTTP1_CHUNK_DATA;
    return HTTP1_DONE;
}

/* Moves the data of a chunk behind that of the chunk before. */
static enum http1_result chunk_data(struct http1_response *r, struct buf *in)
{
    size_t have = in->n - r->at, n = have < r->left ? have : (size_t)r->left;
    size_t to = r->body_at + r->body_n;
    if (to != r->at) memmove(in->data + to, in->data + r->at, n);
    r->body_n += n;
    r->at += n;
    r->left -= n;
    if (r->left > 0) return HTTP1_MORE;
    r->state = HTTP1_CHUNK_END;
    return HTTP1_DONE;
}

static enum http1_result body_length(struct http1_response *r, const struct buf *in)
{
    size_t have = in->n - r->at, n = have < r->left ? have : (size_t)r->left;
    r->body_n += n;
    r->at += n;
    r->left -= n;
    if (r->left > 0) return HTTP1_MORE;
    r->state = HTTP1_COMPLETE;
    return HTTP1_DONE;
}

static enum http1_result body_to_end(struct http1_response *r, const struct buf *in)
{
    r->body_n += in->n - r->at;
    r->at = in->n;
    if (r->body_n > r->body_bytes_max) return too_large(r, "too large a body");
    return HTTP1_MORE;
}

static enum http1_result line_step(struct http1_response *r, const struct buf *in)
{
    slice line;
    bool chunk = r->state == HTTP1_CHUNK_SIZE || r->state == HTTP1_CHUNK_END;
    enum http1_result result =
        chunk ? next_line(r, in, HTTP1_CHUNK_LINE_BYTES_MAX, &line) : head_line(r, in, &line);
    if (result != HTTP1_DONE) return result;
    switch (r->state) {
    case HTTP1_STATUS_LINE: return status_line(r, line);
    case HTTP1_HEADERS: return header_line(r, line);
    case HTTP1_CHUNK_SIZE: return chunk_size(r, line);
    case HTTP1_TRAILERS: return trailer_line(r, line);
    default: break;
    }
    ASSERT(r->state == HTTP1_CHUNK_END);
    if (line.n > 0) return bad(r, "a chunk that is longer than its size");
    r->state = HTTP1_CHUNK_SIZE;
    return HTTP1_DONE;
}

/* What chunks leave behind would add up: nothing but the body has to stay. */
static void forget_used(struct http1_response *r, struct buf *in)
{
    size_t to = r->body_at + r->body_n;
    if (!r->chunked || r->body_at == 0 || to == r->at) return;
    memmove(in->data + to, in->data + r->at, in->n - r->at);
    in->n -= r->at - to;
    r->at = to;
}

enum http1_result http1_response_read(struct http1_response *r, struct buf *in)
{
    enum http1_result result = HTTP1_DONE;
    while (result == HTTP1_DONE && r->state != HTTP1_COMPLETE) {
        switch (r->state) {
        case HTTP1_BODY_LENGTH: result = body_length(r, in); break;
        case HTTP1_BODY_TO_END: result = body_to_end(r, in); break;
        case HTTP1_CHUNK_DATA: result = chunk_data(r, in); break;
        default: result = line_step(r, in); break;
        }
    }
    forget_used(r, in);
    return result;
}

bool http1_response_end(struct http1_response *r)
{
    if (r->state == HTTP1_BODY_TO_END) r->state = HTTP1_COMPLETE;
    return r->state == HTTP1_COMPLETE;
}
