/* bulk_http.c - requests out, answers in, and when a connection may be used again. */
#define _GNU_SOURCE
#include "engine/outputs/bulk_http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

/* Of one receive: an answer to a thousand documents, when only their states are asked for. */
#define READ_BYTES (64u * 1024)
/* An answer with every item's error may be huge; its buffer is not kept. */
#define IN_BYTES_KEPT (1024u * 1024)

enum io { IO_SOME, IO_AGAIN, IO_END, IO_ERROR };

void bulk_http_init(struct bulk_http *h, CURLM *multi, uint64_t answer_bytes_max)
{
    *h = (struct bulk_http){.multi = multi, .fd = -1, .answer_bytes_max = answer_bytes_max};
}

void bulk_http_fini(struct bulk_http *h)
{
    bulk_http_close(h);
    buf_fini(&h->in);
}

void bulk_http_close(struct bulk_http *h)
{
    /* Removing a handle ends its connection: one being made, or one with TLS. */
    if (h->easy != NULL) curl_multi_remove_handle(h->multi, h->easy);
    h->easy = NULL;
    if (h->fd >= 0 && !h->tls) close(h->fd);
    h->fd = -1;
    h->state = BULK_HTTP_CLOSED;
}

static void error_add(struct bulk_http *h, const char *text, const char *detail)
{
    size_t n = strlen(h->error);
    snprintf(h->error + n, sizeof(h->error) - n, "%s%s", text, detail);
}

static enum bulk_http_result fail(struct bulk_http *h, const char *text, const char *detail)
{
    h->error[0] = 0;
    error_add(h, text, detail);
    bulk_http_close(h);
    return BULK_HTTP_FAILED;
}

/* ---- connecting -------------------------------------------------------------------------- */

void bulk_http_connect(struct bulk_http *h, CURL *easy, bool tls)
{
    ASSERT(h->state == BULK_HTTP_CLOSED);
    h->easy = easy;
    h->tls = tls;
    h->reused = h->lost = false;
    h->error[0] = 0;
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    CURLMcode code = curl_multi_add_handle(h->multi, easy);
    ASSERT(code == CURLM_OK);
    h->state = BULK_HTTP_CONNECTING;
}

/* libcurl closes its descriptor and we keep ours, or -1. */
static int take_socket(struct bulk_http *h, curl_socket_t theirs)
{
    int fd = fcntl(theirs, F_DUPFD_CLOEXEC, 0);
    curl_multi_remove_handle(h->multi, h->easy);
    h->easy = NULL;
    return fd;
}

/* A first receive makes the easy handle the user of its connection. Before that it is an idle one
 * for libcurl, which closes such when they are old while it makes another one. */
static bool hold_tls(struct bulk_http *h)
{
    char byte;
    size_t n;
    return curl_easy_recv(h->easy, &byte, 1, &n) == CURLE_AGAIN;
}

bool bulk_http_connected(struct bulk_http *h, CURLcode code)
{
    curl_socket_t theirs = CURL_SOCKET_BAD;
    ASSERT(h->state == BULK_HTTP_CONNECTING);
    if (code != CURLE_OK) {
        if (h->error[0] == 0) error_add(h, curl_easy_strerror(code), "");
        bulk_http_close(h);
        return false;
    }
    curl_easy_getinfo(h->easy, CURLINFO_ACTIVESOCKET, &theirs);
    if (theirs != CURL_SOCKET_BAD) h->fd = h->tls ? theirs : take_socket(h, theirs);
    if (h->fd < 0 || (h->tls && !hold_tls(h))) {
        fail(h, "the connection was lost as soon as it was made", "");
        return false;
    }
    h->state = BULK_HTTP_IDLE;
    h->idle_since_ns = 0; /* nothing was sent on it */
    return true;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Marks n bytes as sent. */
static void parts_advance(struct bulk_http *h, size_t n)
{
    while (h->part_at < BULK_HTTP_PARTS && n >= h->part[h->part_at].iov_len)
        n -= h->part[h->part_at++].iov_len;
    if (n == 0) return;
    struct iovec *part = &h->part[h->part_at];
    part->iov_base = (char *)part->iov_base + n;
    part->iov_len -= n;
}

static enum io write_plain(struct bulk_http *h)
{
    struct msghdr message = {.msg_iov = h->part + h->part_at,
                             .msg_iovlen = BULK_HTTP_PARTS - h->part_at};
    ssize_t n = sendmsg(h->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_ERROR;
    parts_advance(h, (size_t)n);
    /* What did not fit now would not fit a moment later: poll says when. */
    return h->part_at < BULK_HTTP_PARTS ? IO_AGAIN : IO_SOME;
}

static enum io write_tls(struct bulk_http *h)
{
    while (h->part_at < BULK_HTTP_PARTS) {
        const struct iovec *part = &h->part[h->part_at];
        size_t n = 0;
        /* OpenSSL wants to be called again with the very same bytes: these stay where they are. */
        CURLcode code = curl_easy_send(h->easy, part->iov_base, part->iov_len, &n);
        if (code == CURLE_AGAIN) return IO_AGAIN;
        if (code != CURLE_OK) return IO_ERROR;
        parts_advance(h, n);
    }
    return IO_SOME;
}

static enum io read_plain(struct bulk_http *h, size_t room)
{
    ssize_t n = recv(h->fd, buf_end(&h->in), room, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_ERROR;
    h->in.n += (size_t)n;
    return n == 0 ? IO_END : IO_SOME;
}

static enum io read_tls(struct bulk_http *h, size_t room)
{
    size_t n = 0;
    CURLcode code = curl_easy_recv(h->easy, buf_end(&h->in), room, &n);
    if (code == CURLE_AGAIN) return IO_AGAIN;
    if (code != CURLE_OK) return IO_ERROR;
    h->in.n += n;
    return n == 0 ? IO_END : IO_SOME;
}

/* ---- answers --------------------------------------------------------------------------------- */

static enum bulk_http_result complete(struct bulk_http *h, int64_t now_ns)
{
    if (h->response.encoded)
        return fail(h, "the answer has a Content-Encoding, which was not asked for", "");
    bool idle =
        h->response.keep_alive && h->response.at == h->in.n && h->part_at == BULK_HTTP_PARTS;
    if (!idle) {
        bulk_http_close(h);
        return BULK_HTTP_ANSWERED;
    }
    h->state = BULK_HTTP_IDLE;
    h->idle_since_ns = now_ns;
    return BULK_HTTP_ANSWERED;
}

/* The connection is gone, in the way `why` says. */
static enum bulk_http_result broken(struct bulk_http *h, const char *why)
{
    h->lost = h->reused && h->in.n == 0;
    return fail(h, h->in.n == 0 ? "no answer: " : "the answer is cut: ", why);
}

static enum bulk_http_result use_answer(struct bulk_http *h, int64_t now_ns)
{
    switch (http1_response_read(&h->response, &h->in)) {
    case HTTP1_MORE: return BULK_HTTP_GOES_ON;
    case HTTP1_DONE: return complete(h, now_ns);
    case HTTP1_BAD:
    case HTTP1_TOO_LARGE:
    case HTTP1_VERSION: break;
    }
    return fail(h, "the answer is not understood: ", h->response.why);
}

/* Until nothing is there, for OpenSSL may hold bytes that poll does not know of. */
static enum bulk_http_result read_answer(struct bulk_http *h, int64_t now_ns)
{
    enum bulk_http_result result = BULK_HTTP_GOES_ON;
    while (result == BULK_HTTP_GOES_ON) {
        buf_room(&h->in, READ_BYTES);
        size_t before = h->in.n, room = h->in.cap - h->in.n;
        switch (h->tls ? read_tls(h, room) : read_plain(h, room)) {
        case IO_SOME: break;
        case IO_AGAIN: return BULK_HTTP_GOES_ON;
        case IO_END:
            if (http1_response_end(&h->response)) return complete(h, now_ns);
            return broken(h, "the server closed the connection");
        case IO_ERROR: return broken(h, h->tls ? "the TLS connection is broken" : strerror(errno));
        }
        bool full = h->in.n == before + room;
        result = use_answer(h, now_ns);
        if (!h->tls && !full) break;
    }
    return result;
}

/* ---- requests ---------------------------------------------------------------------------------
 */

/* The server may have said why before it closed: "413" to a body it did not want to read. */
static enum bulk_http_result write_failed(struct bulk_http *h, int64_t now_ns)
{
    char why[64];
    snprintf(why, sizeof(why), "%s",
             h->tls ? "the TLS connection broke while sending" : strerror(errno));
    enum bulk_http_result result = read_answer(h, now_ns);
    return result == BULK_HTTP_GOES_ON ? broken(h, why) : result;
}

static enum bulk_http_result write_request(struct bulk_http *h, int64_t now_ns)
{
    switch (h->tls ? write_tls(h) : write_plain(h)) {
    case IO_SOME: h->state = BULK_HTTP_READING; return BULK_HTTP_GOES_ON;
    case IO_AGAIN: return BULK_HTTP_GOES_ON;
    case IO_END:
    case IO_ERROR: break;
    }
    return write_failed(h, now_ns);
}

static struct iovec part_of(slice bytes)
{
    return (struct iovec){(char *)(uintptr_t)bytes.p, bytes.n};
}

enum bulk_http_result bulk_http_send(struct bulk_http *h, slice head, slice body, int64_t now_ns,
                                     int64_t timeout_ns)
{
    ASSERT(h->state == BULK_HTTP_IDLE);
    h->part[0] = part_of(head);
    h->part[1] = part_of(body);
    h->part_at = 0;
    h->reused = h->idle_since_ns != 0;
    h->lost = false;
    h->begin_ns = now_ns;
    h->deadline_ns = now_ns + timeout_ns;
    if (h->in.cap > IN_BYTES_KEPT) buf_fini(&h->in);
    h->in.n = 0;
    http1_response_begin(&h->response, h->answer_bytes_max);
    h->state = BULK_HTTP_SENDING;
    return write_request(h, now_ns);
}

bool bulk_http_poll(const struct bulk_http *h, struct curl_waitfd *out)
{
    if (h->state == BULK_HTTP_CLOSED || h->state == BULK_HTTP_CONNECTING) return false;
    out->fd = h->fd;
    out->events = CURL_WAIT_POLLIN;
    if (h->state == BULK_HTTP_SENDING) out->events |= CURL_WAIT_POLLOUT;
    out->revents = 0;
    return true;
}

enum bulk_http_result bulk_http_ready(struct bulk_http *h, short events, int64_t now_ns)
{
    enum bulk_http_result result = BULK_HTTP_GOES_ON;
    /* TLS may have to read before it can write, and the other way round. */
    bool readable = h->tls || (events & CURL_WAIT_POLLIN) != 0;
    bool writable = h->tls || (events & CURL_WAIT_POLLOUT) != 0;
    if (h->state == BULK_HTTP_IDLE) {
        if (!bulk_http_usable(h)) bulk_http_close(h);
        return BULK_HTTP_GOES_ON;
    }
    if (h->state == BULK_HTTP_SENDING && writable) result = write_request(h, now_ns);
    if (result == BULK_HTTP_GOES_ON && readable) result = read_answer(h, now_ns);
    return result;
}

enum bulk_http_result bulk_http_expire(struct bulk_http *h, int64_t now_ns)
{
    if (!bulk_http_busy(h) || now_ns < h->deadline_ns) return BULK_HTTP_GOES_ON;
    char detail[64];
    snprintf(detail, sizeof(detail), "%lld milliseconds, %zu bytes of an answer came",
             (long long)((now_ns - h->begin_ns) / NS_PER_MS), h->in.n);
    return fail(h, "timed out after ", detail);
}

bool bulk_http_usable(struct bulk_http *h)
{
    char byte;
    size_t n;
    if (h->state != BULK_HTTP_IDLE) return false;
    /* With TLS something may come that is no answer, such as a session ticket. */
    if (h->tls) return curl_easy_recv(h->easy, &byte, 1, &n) == CURLE_AGAIN;
    return recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

int64_t bulk_http_retry_after_sec(const struct bulk_http *h, int64_t now_unix_sec)
{
    const char *text = h->response.retry_after;
    int64_t seconds;
    if (text[0] == 0) return 0;
    if (slice_to_i64(slice_from_cstr(text), &seconds)) return seconds > 0 ? seconds : 0;
    int64_t date = (int64_t)curl_getdate(text, NULL);
    return date > now_unix_sec ? date - now_unix_sec : 0;
}
