/*
 * tcp.c - events as bytes on TCP connections: to one server, or to every client that connects.
 *
 * The writer thread owns the sockets. As a client it writes a request's events in order and, when
 * the connection breaks, connects again and goes on with the first event that was not written
 * whole. As a server every client gets every event; a client that does not read for
 * TCP_OUT_STALL_NS is hung up on, and events without any client are counted as dropped, as
 * Logstash's server mode loses them too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/plan/compiler.h"
#include "engine/shard/delivery.h"

#define TCP_OUT_CLIENTS_MAX 1024u
#define TCP_OUT_VECTORS 256
#define TCP_OUT_STALL_NS (10 * NS_PER_SEC)

enum tcp_mode { MODE_CLIENT, MODE_SERVER };
static const char *const mode_choices[] = {"client", "server", NULL};

struct tcp_out_cfg {
    slice host;
    int64_t port;
    int mode;
    int64_t reconnect_ns;
    bool ssl_enabled;
    struct codec codec;
};

struct tcp_out_counters {
    struct counter connects, failures, dropped_no_client, stalled_clients, refused_clients;
};

struct tcp_out_shared {
    struct delivery delivery;
    const struct tcp_out_cfg *cfg;
    const char *pipeline_id;
    int listen_fd;
    int client[TCP_OUT_CLIENTS_MAX]; /* MODE_CLIENT uses the first place */
    uint32_t client_n;
    struct tcp_out_counters counters;
    struct log_gate gate;
};

struct tcp_out_state {
    struct lane *lane;
    void *codec_state;
};

#define TLS_REASON "The tcp output of spate has no TLS yet."
static const struct setting tcp_settings[] = {
    {.name = "host",
     SETTING_AT(struct tcp_out_cfg, host, STRING),
     .flags = SETTING_REQUIRED,
     .doc = "Address to connect to, or to listen on."},
    {.name = "port",
     SETTING_AT(struct tcp_out_cfg, port, INT),
     .flags = SETTING_REQUIRED,
     .min = 1,
     .max = 65535,
     .doc = "Port to connect to, or to listen on."},
    {.name = "mode",
     SETTING_AT(struct tcp_out_cfg, mode, ENUM),
     .default_text = "client",
     .choices = mode_choices,
     .doc = "Connect to a server, or be one and send every event to every client."},
    {.name = "reconnect_interval",
     SETTING_AT(struct tcp_out_cfg, reconnect_ns, DURATION),
     .default_text = "10",
     .doc = "Wait between two attempts to connect."},
    {.name = "ssl_enabled",
     SETTING_AT(struct tcp_out_cfg, ssl_enabled, BOOL),
     .flags = SETTING_UNSUPPORTED,
     .old_names = "ssl_enable",
     .instead = TLS_REASON},
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "json"},
    {0},
};

static err compile(void *cfg_, struct compiler *c)
{
    struct tcp_out_cfg *cfg = cfg_;
    err e = compile_codec(c, &cfg->codec, &c->common_output->codec, BYTES_FRAMED);
    if (e != ERR_OK || cfg->codec.ops->encode != NULL) return e;
    compile_error(c, "codec", NULL, "the codec %s cannot encode", cfg->codec.ops->name);
    return ERR_CONFIG;
}

static void release(void *cfg)
{
    codec_release(&((struct tcp_out_cfg *)cfg)->codec);
}

/* ---- the writer thread ------------------------------------------------------------- */

/* A connected or listening socket for the first address that works, or -1 with errno. */
static int socket_open(const struct tcp_out_cfg *cfg)
{
    char host[256], port[8];
    slice_cstr(cfg->host, host, sizeof(host));
    snprintf(port, sizeof(port), "%d", (int)cfg->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = cfg->mode == MODE_SERVER ? AI_PASSIVE : 0};
    struct addrinfo *list = NULL;
    if (getaddrinfo(host, port, &hints, &list) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = -1, on = 1;
    for (struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd < 0) continue;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        int failed = cfg->mode == MODE_SERVER
                         ? bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, 128)
                         : connect(fd, at->ai_addr, at->ai_addrlen);
        if (failed == 0) break;
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    freeaddrinfo(list);
    if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void complain(struct tcp_out_shared *s, const char *what)
{
    uint64_t held;
    int error = errno;
    counter_add(&s->counters.failures, 1);
    if (log_gate_open(&s->gate, &held))
        log_warn("outputs.tcp",
                 "[%s] %s %.*s:%d: %s; trying again (%llu more since the last report)",
                 s->pipeline_id, what, SLICE_FMT(s->cfg->host), (int)s->cfg->port, strerror(error),
                 (unsigned long long)held);
}

/* Sleeps in short pieces so that a stop is noticed. */
static void pause_ns(struct delivery *d, int64_t ns)
{
    while (ns > 0 && !delivery_stopping(d)) {
        int64_t piece = ns < 50 * NS_PER_MS ? ns : 50 * NS_PER_MS;
        struct timespec ts = {0, piece};
        nanosleep(&ts, NULL);
        ns -= piece;
    }
}

/* One event of a request's body: its length, then its bytes. */
static uint32_t event_n(const struct buf *body, size_t at)
{
    uint32_t n;
    memcpy(&n, body->data + at, sizeof(n));
    return n;
}

/* Writes events from *at on; *at moves over those written whole. False when the connection is
 * gone or, with a limit, does not take anything for so long. */
static bool write_events(int fd, const struct buf *body, size_t *at, int64_t stall_ns)
{
    size_t skip = 0; /* bytes of the event at *at that are out already */
    while (*at < body->n) {
        struct iovec vector[TCP_OUT_VECTORS];
        int n = 0;
        for (size_t i = *at; i < body->n && n < TCP_OUT_VECTORS;
             i += sizeof(uint32_t) + event_n(body, i)) {
            size_t cut = n == 0 ? skip : 0;
            vector[n++] =
                (struct iovec){body->data + i + sizeof(uint32_t) + cut, event_n(body, i) - cut};
        }
        struct msghdr message = {.msg_iov = vector, .msg_iovlen = (size_t)n};
        ssize_t wrote = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};
            if (poll(&pfd, 1, (int)(stall_ns / NS_PER_MS)) > 0) continue;
            errno = ETIMEDOUT;
            return false;
        }
        if (wrote < 0) return false;
        size_t left = (size_t)wrote + skip;
        while (*at < body->n && left >= event_n(body, *at)) {
            left -= event_n(body, *at);
            *at += sizeof(uint32_t) + event_n(body, *at);
        }
        skip = left;
    }
    return true;
}

/* The peer has closed and nothing can be lost by noticing it now. */
static bool peer_is_gone(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void hang_up(struct tcp_out_shared *s, uint32_t at)
{
    close(s->client[at]);
    s->client[at] = s->client[--s->client_n];
}

static enum outcome deliver_client(struct tcp_out_shared *s, const struct buf *body)
{
    size_t at = 0;
    while (!delivery_stopping(&s->delivery)) {
        if (s->client_n > 0 && peer_is_gone(s->client[0])) hang_up(s, 0);
        if (s->client_n == 0) {
            int fd = socket_open(s->cfg);
            if (fd < 0) {
                complain(s, "cannot connect to");
                pause_ns(&s->delivery, s->cfg->reconnect_ns);
                continue;
            }
            counter_add(&s->counters.connects, 1);
            s->client[s->client_n++] = fd;
        }
        if (write_events(s->client[0], body, &at, TCP_OUT_STALL_NS)) return OUTCOME_DELIVERED;
        /* A peer that only reads slowly keeps its connection: that is backpressure. */
        if (errno == ETIMEDOUT) continue;
        complain(s, "lost the connection to");
        hang_up(s, 0);
    }
    return OUTCOME_FAILED;
}

static void accept_clients(struct tcp_out_shared *s)
{
    for (;;) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) return;
        if (s->client_n == TCP_OUT_CLIENTS_MAX) {
            counter_add(&s->counters.refused_clients, 1);
            close(fd);
            continue;
        }
        counter_add(&s->counters.connects, 1);
        s->client[s->client_n++] = fd;
    }
}

static enum outcome deliver_server(struct tcp_out_shared *s, const struct delivery_request *r)
{
    accept_clients(s);
    if (s->client_n == 0) counter_add(&s->counters.dropped_no_client, r->events);
    for (uint32_t i = 0; i < s->client_n;) {
        size_t at = 0;
        if (write_events(s->client[i], &r->body, &at, TCP_OUT_STALL_NS)) {
            i++;
            continue;
        }
        if (errno == ETIMEDOUT) counter_add(&s->counters.stalled_clients, 1);
        hang_up(s, i);
    }
    return OUTCOME_DELIVERED;
}

static void writer(struct delivery *d)
{
    struct tcp_out_shared *s = d->owner;
    bool server = s->cfg->mode == MODE_SERVER;
    while (!delivery_stopping(d)) {
        struct delivery_request *r = delivery_next(d, server ? NS_PER_SEC / 10 : NS_PER_SEC);
        if (server) accept_clients(s);
        if (r == NULL) continue;
        delivery_done(r, server ? deliver_server(s, r) : deliver_client(s, &r->body));
    }
    while (s->client_n > 0) hang_up(s, 0);
}

/* ---- shards and control ---------------------------------------------------------------- */

static err open_output(void *shared, const void *cfg, struct output *self, uint32_t shards)
{
    struct tcp_out_shared *s = shared;
    s->cfg = cfg;
    s->pipeline_id = self->pipeline_id;
    s->listen_fd = -1;
    if (s->cfg->mode == MODE_SERVER) {
        s->listen_fd = socket_open(s->cfg);
        if (s->listen_fd < 0) {
            log_error("outputs.tcp", "[%s] cannot listen on %.*s:%d: %s", s->pipeline_id,
                      SLICE_FMT(s->cfg->host), (int)s->cfg->port, strerror(errno));
            return ERR_SYSTEM;
        }
        int on = 1;
        if (ioctl(s->listen_fd, FIONBIO, &on) != 0) return ERR_SYSTEM;
    }
    return delivery_start(&s->delivery, shards, "out tcp", writer, s);
}

static err start(void *state_, void *shared, const void *cfg_, struct worker *worker,
                 struct output *self)
{
    (void)self;
    struct tcp_out_state *state = state_;
    const struct tcp_out_cfg *cfg = cfg_;
    state->codec_state = calloc(1, cfg->codec.ops->state_size + 1);
    ASSERT(state->codec_state != NULL);
    err e = cfg->codec.ops->start == NULL
                ? ERR_OK
                : cfg->codec.ops->start(state->codec_state, cfg->codec.cfg);
    if (e != ERR_OK) {
        free(state->codec_state);
        return e;
    }
    state->lane = lane_new(&((struct tcp_out_shared *)shared)->delivery, worker);
    return ERR_OK;
}

static enum push push(void *state_, const void *cfg_, struct batch *b, const struct sel *in)
{
    struct tcp_out_state *state = state_;
    const struct tcp_out_cfg *cfg = cfg_;
    struct delivery_request *r = lane_request(state->lane);
    if (r == NULL) return PUSH_FULL;
    for (uint32_t i = 0; i < in->n; i++) {
        size_t at = r->body.n;
        uint32_t n = 0;
        buf_add(&r->body, &n, sizeof(n));
        cfg->codec.ops->encode(state->codec_state, cfg->codec.cfg, b, &b->event[in->at[i]],
                               &r->body);
        n = (uint32_t)(r->body.n - at - sizeof(n));
        memcpy(r->body.data + at, &n, sizeof(n));
    }
    lane_add(state->lane, b, in->n);
    return PUSH_TAKEN;
}

static void tick(void *state, const void *cfg, int64_t now_ns)
{
    (void)cfg, (void)now_ns;
    lane_poll(((struct tcp_out_state *)state)->lane);
}

static bool drain(void *state, const void *cfg)
{
    (void)cfg;
    return lane_drain(((struct tcp_out_state *)state)->lane);
}

static void stop(void *state_, const void *cfg_)
{
    struct tcp_out_state *state = state_;
    const struct tcp_out_cfg *cfg = cfg_;
    lane_close(state->lane);
    if (cfg->codec.ops->stop != NULL) cfg->codec.ops->stop(state->codec_state, cfg->codec.cfg);
    free(state->codec_state);
}

static void close_output(void *shared, const void *cfg)
{
    (void)cfg;
    struct tcp_out_shared *s = shared;
    delivery_stop(&s->delivery);
    if (s->listen_fd >= 0) close(s->listen_fd);
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)cfg;
    const struct tcp_out_counters *c = &((const struct tcp_out_shared *)shared)->counters;
    buf_printf(out,
               ",\"connections\":%llu,\"connection_failures\":%llu,\"dropped_no_client\":%llu,"
               "\"stalled_clients\":%llu,\"refused_clients\":%llu",
               (unsigned long long)counter_read(&c->connects),
               (unsigned long long)counter_read(&c->failures),
               (unsigned long long)counter_read(&c->dropped_no_client),
               (unsigned long long)counter_read(&c->stalled_clients),
               (unsigned long long)counter_read(&c->refused_clients));
}

const struct output_ops output_tcp = {
    .name = "tcp",
    .doc = "Writes events to a TCP server, or to every client that connects.",
    .settings = tcp_settings,
    .cfg_size = sizeof(struct tcp_out_cfg),
    .shared_size = sizeof(struct tcp_out_shared),
    .state_size = sizeof(struct tcp_out_state),
    .compile = compile,
    .release = release,
    .open = open_output,
    .start = start,
    .push = push,
    .tick = tick,
    .drain = drain,
    .stop = stop,
    .close = close_output,
    .stats = stats,
};
