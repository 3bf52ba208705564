/*
 * send_beats.c - windows of the Beats protocol (Lumberjack, version 2), as Filebeat sends them.
 *
 * A window is 'W' with the number of events and then their JSON frames, all in one compressed
 * frame. A connection has up to opt->pipelining windows under way; the acknowledgement of a
 * window's last event makes room for the next. With markers every window is made when it is due;
 * without them each run of the corpus is made once, so that a slow compressor does not hold the
 * receiver up.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "tools/loadgen/send.h"

#define WINDOWS_MAX 100u
#define ACK_BYTES 6u

struct conn {
    int fd;
    struct buf out; /* of windows that went out in part */
    size_t out_at;
    uint32_t expected[WINDOWS_MAX]; /* a ring: events of the windows under way */
    uint32_t first, n;
    uint8_t ack[ACK_BYTES];
    uint32_t ack_n;
};

struct shipper {
    const struct options *opt;
    struct corpus *corpus;
    struct result *result;
    struct conn *conns;
    struct pollfd *polls;
    struct buf frames; /* the JSON frames of the window being made */
    struct buf *ready; /* by run of the corpus: windows made once; NULL with markers */
    uint32_t alive;
};

static void add_u32(struct buf *out, uint32_t value)
{
    uint32_t big = htonl(value);
    buf_add(out, &big, sizeof(big));
}

static void add_compressed(const struct shipper *s, struct buf *out)
{
    uLong most = compressBound((uLong)s->frames.n), n = most;
    size_t length_at;
    buf_add_cstr(out, "2C");
    length_at = out->n;
    add_u32(out, 0);
    buf_room(out, most);
    int code = compress2((Bytef *)buf_end(out), &n, (const Bytef *)s->frames.data,
                         (uLong)s->frames.n, s->opt->compression);
    ASSERT(code == Z_OK);
    out->n += n;
    uint32_t big = htonl((uint32_t)n);
    memcpy(out->data + length_at, &big, sizeof(big));
}

static void window_make(struct shipper *s, struct corpus_run run, struct buf *out)
{
    s->frames.n = 0;
    for (uint32_t i = 0; i < run.n; i++) {
        const struct corpus_line *line = &s->corpus->lines[run.line + i];
        uint32_t bytes = line->bytes - 1; /* without its newline */
        buf_add_cstr(&s->frames, "2J");
        add_u32(&s->frames, i + 1);
        add_u32(&s->frames, bytes);
        buf_add(&s->frames, s->corpus->text.data + line->at, bytes);
    }
    buf_add_cstr(out, "2W");
    add_u32(out, run.n);
    if (s->opt->compression == 0)
        buf_add(out, s->frames.data, s->frames.n);
    else
        add_compressed(s, out);
}

static void conn_lost(struct shipper *s, struct conn *conn)
{
    close(conn->fd);
    conn->fd = -1;
    s->alive--;
    s->result->lost++;
}

static void conn_flush(struct shipper *s, struct conn *conn)
{
    while (conn->out_at < conn->out.n) {
        ssize_t done = send(conn->fd, conn->out.data + conn->out_at, conn->out.n - conn->out_at,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        s->result->writes++;
        if (done < 0) {
            if (errno != EAGAIN && errno != EINTR) conn_lost(s, conn);
            return;
        }
        conn->out_at += (size_t)done;
    }
    conn->out.n = conn->out_at = 0;
}

/* Puts one window under way. */
static void window_send(struct shipper *s, struct conn *conn, uint64_t n_max)
{
    struct result *r = s->result;
    uint32_t which = s->corpus->next_run;
    struct corpus_run run =
        corpus_take(s->corpus, s->opt->first + r->events, clock_real_ns() / NS_PER_SEC, n_max);
    size_t before = conn->out.n;
    if (s->ready == NULL || run.n < s->corpus->runs[which].n) {
        window_make(s, run, &conn->out);
    } else {
        if (s->ready[which].n == 0) window_make(s, run, &s->ready[which]);
        buf_add(&conn->out, s->ready[which].data, s->ready[which].n);
    }
    conn->expected[(conn->first + conn->n++) % WINDOWS_MAX] = run.n;
    r->events += run.n;
    r->bytes += conn->out.n - before;
    conn_flush(s, conn);
}

/* False when the peer answered with something else. */
static bool ack_take(struct conn *conn)
{
    uint32_t seq;
    if (conn->ack[0] != '2' || conn->ack[1] != 'A') return false;
    memcpy(&seq, conn->ack + 2, sizeof(seq));
    seq = ntohl(seq);
    /* A lower number says that the peer is still at it. */
    if (conn->n > 0 && seq == conn->expected[conn->first]) {
        conn->first = (conn->first + 1) % WINDOWS_MAX;
        conn->n--;
    }
    conn->ack_n = 0;
    return true;
}

static void conn_read(struct shipper *s, struct conn *conn)
{
    for (;;) {
        ssize_t n = recv(conn->fd, conn->ack + conn->ack_n, ACK_BYTES - conn->ack_n, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n > 0) conn->ack_n += (uint32_t)n;
        if (n <= 0 || (conn->ack_n == ACK_BYTES && !ack_take(conn))) {
            conn_lost(s, conn);
            return;
        }
    }
}

/* Waits for acknowledgements and room, then takes and gives what it can. */
static void conns_serve(struct shipper *s, int timeout_ms)
{
    for (uint32_t i = 0; i < s->opt->connections; i++) {
        struct conn *conn = &s->conns[i];
        short events = (short)(POLLIN | (conn->out_at < conn->out.n ? POLLOUT : 0));
        s->polls[i] = (struct pollfd){.fd = conn->fd, .events = events};
    }
    if (poll(s->polls, s->opt->connections, timeout_ms) <= 0) return;
    for (uint32_t i = 0; i < s->opt->connections; i++) {
        struct conn *conn = &s->conns[i];
        if (conn->fd >= 0 && (s->polls[i].revents & POLLOUT) != 0) conn_flush(s, conn);
        if (conn->fd >= 0 && (s->polls[i].revents & ~POLLOUT) != 0) conn_read(s, conn);
    }
}

static struct conn *conn_free(struct shipper *s)
{
    struct conn *best = NULL;
    for (uint32_t i = 0; i < s->opt->connections; i++) {
        struct conn *conn = &s->conns[i];
        if (conn->fd < 0 || conn->n >= s->opt->pipelining || conn->out_at < conn->out.n) continue;
        if (best == NULL || conn->n < best->n) best = conn;
    }
    return best;
}

static void ship(struct shipper *s)
{
    uint64_t n;
    while (s->alive > 0 && (n = pace_allow(s->opt, s->result)) > 0) {
        struct conn *conn = conn_free(s);
        if (conn != NULL) window_send(s, conn, n);
        conns_serve(s, conn == NULL ? 50 : 0);
    }
}

/* Whether every window was acknowledged in time. */
static bool drain(struct shipper *s)
{
    int64_t until = clock_mono_ns() + (int64_t)s->opt->drain_ms * NS_PER_MS;
    bool all = false;
    while (!all && clock_mono_ns() < until && s->alive > 0) {
        all = true;
        for (uint32_t i = 0; i < s->opt->connections; i++)
            if (s->conns[i].fd >= 0 && s->conns[i].n > 0) all = false;
        if (!all) conns_serve(s, 50);
    }
    return all && s->result->lost == 0;
}

static err conns_open(struct shipper *s)
{
    for (uint32_t i = 0; i < s->opt->connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return ERR_SYSTEM;
        s->conns[i].fd = fd;
        if (connect(fd, (const struct sockaddr *)&s->opt->to, sizeof(s->opt->to)) < 0)
            return ERR_SYSTEM;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        s->alive++;
    }
    return ERR_OK;
}

static void shipper_fini(struct shipper *s)
{
    for (uint32_t i = 0; i < s->opt->connections; i++) {
        if (s->conns[i].fd >= 0) close(s->conns[i].fd);
        buf_fini(&s->conns[i].out);
    }
    for (uint32_t i = 0; s->ready != NULL && i < s->corpus->runs_n; i++) buf_fini(&s->ready[i]);
    buf_fini(&s->frames);
    free(s->ready);
    free(s->conns);
    free(s->polls);
}

err send_beats(struct corpus *c, const struct options *opt, struct result *out)
{
    struct shipper s = {.opt = opt, .corpus = c, .result = out};
    int64_t cpu_ns;
    s.conns = calloc(opt->connections, sizeof(s.conns[0]));
    s.polls = calloc(opt->connections, sizeof(s.polls[0]));
    ASSERT(s.conns != NULL && s.polls != NULL);
    if (!opt->marker) {
        s.ready = calloc(c->runs_n, sizeof(s.ready[0]));
        ASSERT(s.ready != NULL);
    }
    err e = conns_open(&s);
    if (e != ERR_OK) return e; /* the process ends: the kernel closes what is open */
    cpu_ns = clock_thread_cpu_ns();
    out->started_ns = clock_mono_ns();
    ship(&s);
    out->sent_ns = clock_mono_ns();
    out->cpu_ns = clock_thread_cpu_ns() - cpu_ns;
    out->drained = drain(&s);
    out->drained_ns = clock_mono_ns();
    shipper_fini(&s);
    return ERR_OK;
}
