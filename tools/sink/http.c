/* http.c - reading requests and writing answers. */
#include "tools/sink/http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/clock.h"

/* Of one receive. */
#define READ_BYTES (128u * 1024)

slice request_header(const struct request *r, slice name)
{
    for (uint32_t i = 0; i < r->headers_n; i++)
        if (slice_equal_nocase(r->headers[i].name, name)) return r->headers[i].value;
    return SLICE_NONE;
}

static slice line_take(slice *text)
{
    int64_t end = slice_find_byte(*text, '\n');
    slice line = end < 0 ? *text : slice_part(*text, 0, (uint32_t)end);
    *text = end < 0 ? SLICE_NONE : slice_from(*text, (uint32_t)end + 1);
    if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
    return line;
}

static bool request_line(slice line, struct request *r)
{
    int64_t first = slice_find_byte(line, ' '), second, mark;
    slice target;
    if (first <= 0) return false;
    r->method = slice_part(line, 0, (uint32_t)first);
    target = slice_from(line, (uint32_t)first + 1);
    second = slice_find_byte(target, ' ');
    if (second <= 0) return false;
    target.n = (uint32_t)second;
    mark = slice_find_byte(target, '?');
    r->path = mark < 0 ? target : slice_part(target, 0, (uint32_t)mark);
    r->query = mark < 0 ? SLICE_NONE : slice_from(target, (uint32_t)mark + 1);
    return true;
}

static bool head_parse(slice head, struct request *r)
{
    slice line;
    int64_t number;
    memset(r, 0, sizeof(*r));
    if (!request_line(line_take(&head), r)) return false;
    while ((line = line_take(&head)).n > 0) {
        int64_t colon = slice_find_byte(line, ':');
        if (colon <= 0 || r->headers_n == HEADERS_MAX) return false;
        r->headers[r->headers_n++] =
            (struct header){slice_part(line, 0, (uint32_t)colon),
                            slice_trim(slice_from(line, (uint32_t)colon + 1))};
    }
    line = request_header(r, SLICE("content-length"));
    if (line.n > 0 && (!slice_to_i64(line, &number) || number < 0)) return false;
    r->length = line.n > 0 ? (uint64_t)number : 0;
    r->chunked =
        slice_equal_nocase(request_header(r, SLICE("transfer-encoding")), SLICE("chunked"));
    r->gzip = slice_equal_nocase(request_header(r, SLICE("content-encoding")), SLICE("gzip"));
    line = request_header(r, SLICE("x-elastic-event-count"));
    r->documents_claimed = line.n > 0 && slice_to_i64(line, &number) ? number : -1;
    return true;
}

static uint64_t newlines(const char *p, size_t n)
{
    uint64_t count = 0;
    const char *end = p + n;
    while (p < end) {
        /* Stripes of 255 keep byte-wide sums, which the compiler vectorises. */
        size_t stripe = (size_t)(end - p) < 255 ? (size_t)(end - p) : 255;
        uint8_t sum = 0;
        for (size_t i = 0; i < stripe; i++) sum = (uint8_t)(sum + (p[i] == '\n'));
        count += sum;
        p += stripe;
    }
    return count;
}

static void body_bytes(struct http *h, const char *p, size_t n)
{
    h->request.body_bytes += n;
    if (h->request.keep)
        buf_add(&h->body, p, n);
    else if (h->request.bulk && !h->request.gzip)
        h->request.newlines += newlines(p, n);
}

/* Moves a complete head to the front and looks at it. 1: used, 0: more is needed, -1: broken. */
static int head_take(struct sink *s, struct http *h)
{
    const char *end;
    if (h->in_at > 0) {
        memmove(h->in.data, h->in.data + h->in_at, h->in.n - h->in_at);
        h->in.n -= h->in_at;
        h->in_at = 0;
    }
    end = h->in.n == 0 ? NULL : memmem(h->in.data, h->in.n, "\r\n\r\n", 4);
    if (end == NULL) return h->in.n > HEAD_MAX ? -1 : 0;
    h->head_bytes = (size_t)(end - h->in.data) + 4;
    if (!head_parse(slice_make(h->in.data, h->head_bytes), &h->request)) return -1;
    h->in_at = h->head_bytes;
    h->body.n = 0;
    if (!es_head(s, h)) return -1;
    if (slice_equal_nocase(request_header(&h->request, SLICE("expect")), SLICE("100-continue")))
        buf_add_cstr(&h->out, "HTTP/1.1 100 Continue\r\n\r\n");
    h->left = h->request.length;
    h->state = h->request.chunked ? HTTP_CHUNK_SIZE : HTTP_BODY;
    return 1;
}

/* A CRLF-ended line at the cursor: its length, or -1 while it is incomplete. */
static int64_t line_at(const struct http *h)
{
    return slice_find_byte(slice_make(h->in.data + h->in_at, h->in.n - h->in_at), '\n');
}

static int chunk_size_take(struct http *h)
{
    int64_t end = line_at(h);
    uint64_t size = 0;
    const char *p = h->in.data + h->in_at;
    if (end < 0) return 0;
    for (int64_t i = 0; i < end && p[i] != ';' && p[i] != '\r'; i++) {
        char c = p[i];
        uint32_t digit =
            c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 32) - 'a' + 10);
        if (digit > 15 || size >> 56 != 0) return -1;
        size = size * 16 + digit;
    }
    h->in_at += (size_t)end + 1;
    h->left = size;
    h->state = size == 0 ? HTTP_TRAILER : HTTP_CHUNK_DATA;
    return 1;
}

static int data_take(struct http *h)
{
    size_t have = h->in.n - h->in_at;
    size_t n = have < h->left ? have : (size_t)h->left;
    body_bytes(h, h->in.data + h->in_at, n);
    h->in_at += n;
    h->left -= n;
    if (h->left > 0) return 0;
    h->state = h->request.chunked ? HTTP_CHUNK_END : HTTP_ANSWER;
    return 1;
}

static int blank_take(struct http *h)
{
    int64_t end = line_at(h);
    if (end < 0) return 0;
    h->in_at += (size_t)end + 1;
    if (h->state == HTTP_CHUNK_END)
        h->state = HTTP_CHUNK_SIZE;
    else if (end <= 1)
        h->state = HTTP_ANSWER;
    return 1;
}

static int step(struct sink *s, struct http *h)
{
    switch (h->state) {
    case HTTP_HEAD: return head_take(s, h);
    case HTTP_BODY:
    case HTTP_CHUNK_DATA: return data_take(h);
    case HTTP_CHUNK_SIZE: return chunk_size_take(h);
    case HTTP_CHUNK_END:
    case HTTP_TRAILER: return blank_take(h);
    case HTTP_ANSWER: break;
    }
    /* One answer at a time: a client that pipelines waits for the one before. */
    if (h->out_at < h->out.n) return 0;
    es_answer(s, h);
    h->state = HTTP_HEAD;
    return h->close_after || h->due_ns != 0 ? 0 : 1;
}

static int steps(struct sink *s, struct http *h)
{
    int more;
    while ((more = step(s, h)) > 0) {
    }
    if (more < 0) {
        if (!h->reset_now) s->stats.malformed++;
        return -1;
    }
    /* Used bytes of a body make room for more; the head must stay for its slices. */
    if (h->state != HTTP_HEAD && h->in_at > h->head_bytes) {
        memmove(h->in.data + h->head_bytes, h->in.data + h->in_at, h->in.n - h->in_at);
        h->in.n -= h->in_at - h->head_bytes;
        h->in_at = h->head_bytes;
    }
    return 0;
}

/* A plain body that is not kept goes through the scratch buffer, or nowhere at all. */
static ssize_t body_read(struct sink *s, struct http *h, int fd)
{
    size_t n = h->left < SCRATCH_BYTES ? (size_t)h->left : SCRATCH_BYTES;
    bool discard = s->opt.discard && h->request.documents_claimed >= 0;
    ssize_t done = recv(fd, s->scratch, n, MSG_DONTWAIT | (discard ? MSG_TRUNC : 0));
    if (done <= 0) return done;
    if (discard)
        h->request.body_bytes += (uint64_t)done;
    else
        body_bytes(h, s->scratch, (size_t)done);
    h->left -= (uint64_t)done;
    if (h->left == 0) h->state = HTTP_ANSWER;
    return done;
}

/* With this much of a body still to come there is no point in waking for less. A sender on the same
 * machine would pay for the waking, which a network card does for other machines. */
#define WAKE_BYTES_MAX (1024 * 1024)

static void wake_at(struct http *h, int fd, int bytes)
{
    if (h->wake_bytes == bytes) return;
    h->wake_bytes = bytes;
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

/* Before epoll is asked again. */
static void wait_for_more(struct http *h, int fd)
{
    bool body = h->state == HTTP_BODY && h->left > 0;
    wake_at(h, fd, !body ? 1 : h->left < WAKE_BYTES_MAX ? (int)h->left : WAKE_BYTES_MAX);
}

int http_read(struct sink *s, struct http *h, int fd)
{
    for (uint32_t turn = 0; turn < 16; turn++) {
        ssize_t n;
        if (h->due_ns != 0) return 0;
        if (h->state == HTTP_BODY && !h->request.keep && h->in_at == h->in.n && h->left > 0) {
            n = body_read(s, h, fd);
        } else {
            /* Never grown later: the request's slices point into it. */
            if (h->in.cap == 0) buf_room(&h->in, HEAD_MAX + 2 * READ_BYTES);
            if (h->in.n > HEAD_MAX + READ_BYTES) return 0;
            n = recv(fd, buf_end(&h->in), READ_BYTES, MSG_DONTWAIT);
            if (n > 0) h->in.n += (size_t)n;
        }
        if (n == 0) return -1;
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) return errno == EINTR ? 0 : -1;
        if (steps(s, h) < 0) return -1;
    }
    wait_for_more(h, fd);
    return 0;
}

int http_write(struct sink *s, struct http *h, int fd, int64_t now_ns)
{
    for (;;) {
        if (h->reset_now) return -1;
        if (h->due_ns != 0 && now_ns < h->due_ns) return 1;
        h->due_ns = 0;
        while (h->out_at < h->out.n) {
            ssize_t n = send(fd, h->out.data + h->out_at, h->out.n - h->out_at,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0) return errno == EAGAIN || errno == EINTR ? 1 : -1;
            h->out_at += (size_t)n;
        }
        h->out.n = h->out_at = 0;
        if (h->close_after) return -1;
        /* A pipelined request may wait behind the answer that just went out. */
        if (h->in_at == h->in.n && h->state != HTTP_ANSWER) return 0;
        if (steps(s, h) < 0) return -1;
        if (h->out.n == 0 && !h->close_after) return 0;
    }
}

void http_fini(struct http *h)
{
    buf_fini(&h->in);
    buf_fini(&h->body);
    buf_fini(&h->out);
}
