/* server.c - accepting, waiting, starving, stopping. */
#include "engine/shard/server.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

/* Receive buffers come back when batches are done; look again that soon. */
#define STARVED_RETRY_NS (1 * NS_PER_MS)
#define ACCEPT_RETRY_NS (100 * NS_PER_MS)

bool server_has_worker(const struct server *s)
{
    if (!s->stopping) return true;
    for (uint32_t i = 0; i < s->shard->worker_n; i++)
        if (s->shard->worker[i] == s->worker) return true;
    return false;
}

/* ---- waiting for credit -------------------------------------------------------------- */

static void wait_unlink(struct conn *c)
{
    struct server *s = c->server;
    if (!c->waiting) return;
    c->waiting = false;
    *(c->wait_prev != NULL ? &c->wait_prev->wait_next : &s->wait_first) = c->wait_next;
    *(c->wait_next != NULL ? &c->wait_next->wait_prev : &s->wait_last) = c->wait_prev;
}

void conn_wait(struct conn *c)
{
    struct server *s = c->server;
    stream_pause(&c->stream);
    if (c->waiting) return;
    counter_add(&s->counters->waited, 1);
    c->waiting = true;
    c->wait_prev = s->wait_last;
    c->wait_next = NULL;
    *(s->wait_last != NULL ? &s->wait_last->wait_next : &s->wait_first) = c;
    s->wait_last = c;
}

/* One turn for each that waits now, until the worker has enough again. */
static void resume(struct intake *intake)
{
    struct server *s = (struct server *)((char *)intake - offsetof(struct server, intake));
    struct conn *last = s->wait_last;
    while (s->wait_first != NULL && !intake->stopped) {
        struct conn *c = s->wait_first;
        bool was_last = c == last;
        wait_unlink(c);
        if (!s->ops->resume(c)) conn_wait(c);
        if (was_last) break;
    }
    if (s->wait_first != NULL) intake->stopped = true; /* ask again */
}

/* ---- connections ------------------------------------------------------------------------ */

void conn_starved(struct stream *stream)
{
    struct conn *c = conn_of(stream);
    struct server *s = c->server;
    counter_add(&s->counters->starved, 1);
    if (!c->starving) {
        c->starving = true;
        c->starve_next = s->starved;
        s->starved = c;
    }
    if (!timer_is_set(&s->retry))
        timer_set(s->timers, &s->retry, s->shard->now_mono_ns + STARVED_RETRY_NS);
}

static void starve_unlink(struct conn *c)
{
    if (!c->starving) return;
    for (struct conn **at = &c->server->starved; *at != NULL; at = &(*at)->starve_next)
        if (*at == c) {
            *at = c->starve_next;
            return;
        }
}

void conn_closed(struct stream *stream)
{
    struct conn *c = conn_of(stream);
    struct server *s = c->server;
    wait_unlink(c);
    starve_unlink(c);
    *(c->prev != NULL ? &c->prev->next : &s->first) = c->next;
    if (c->next != NULL) c->next->prev = c->prev;
    s->n--;
    if (s->stopping) s->intake.waiting--;
    counter_set(&s->counters->current, s->n);
    s->ops->closed(c);
    free(c);
}

static struct conn *conn_new(struct server *s, int fd)
{
    if (s->n >= s->connections_max || s->stopping) {
        counter_add(&s->counters->refused, 1);
        uint64_t held;
        if (!s->stopping && log_gate_open(&s->gate, &held))
            log_warn(s->ops->logger, "connection refused: %u are open (%llu more since)", s->n,
                     (unsigned long long)held);
        close(fd);
        return NULL;
    }
    struct conn *c = calloc(1, s->ops->conn_size);
    ASSERT(c != NULL);
    stream_init(&c->stream, s->io, fd, s->stream_ops);
    c->server = s;
    c->next = s->first;
    if (s->first != NULL) s->first->prev = c;
    s->first = c;
    s->n++;
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    counter_add(&s->counters->accepted, 1);
    counter_set(&s->counters->current, s->n);
    if (s->n > counter_read(&s->counters->peak)) counter_set(&s->counters->peak, s->n);
    return c;
}

static void retry_later(struct server *s, int error)
{
    uint64_t held;
    if (log_gate_open(&s->gate, &held))
        log_error(s->ops->logger, "cannot accept connections: %s%s (%llu more since)",
                  strerror(error),
                  error == EMFILE ? "; raise the limit of open files (LimitNOFILE=)" : "",
                  (unsigned long long)held);
    timer_set(s->timers, &s->retry, s->shard->now_mono_ns + ACCEPT_RETRY_NS);
}

static void accept_arm(struct server *s)
{
    if (!s->accept.armed && !s->stopping && s->fd >= 0) io_accept(s->io, &s->accept, s->fd);
}

static void on_accept(struct io_op *op, int32_t fd)
{
    struct server *s = (struct server *)((char *)op - offsetof(struct server, accept));
    if (fd >= 0) {
        struct conn *c = conn_new(s, fd);
        if (c != NULL) {
            socklen_t n = sizeof(c->peer);
            getpeername(fd, (struct sockaddr *)&c->peer, &n);
            if (s->tls != NULL) c->stream.tls = tls_session_new(s->tls, SLICE_NONE);
            s->ops->opened(c);
        }
    }
    if (op->more || s->stopping) return;
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS)
        retry_later(s, -fd);
    else
        accept_arm(s);
}

struct conn *server_adopt(struct server *s, int fd, const struct sockaddr_storage *peer)
{
    struct conn *c = conn_new(s, fd);
    if (c != NULL) c->peer = *peer;
    return c;
}

static void retry(struct timer *timer, int64_t now_ns)
{
    struct server *s = (struct server *)((char *)timer - offsetof(struct server, retry));
    (void)now_ns;
    while (s->starved != NULL) {
        struct conn *c = s->starved;
        s->starved = c->starve_next;
        c->starving = false;
        if (!c->stream.paused) stream_receive(&c->stream);
    }
    accept_arm(s);
}

/* ---- start and stop ------------------------------------------------------------------------ */

/* The peer never stopped sending: what it sends from here on is not ours any more. */
static void cut(struct timer *timer, int64_t now_ns)
{
    struct server *s = (struct server *)((char *)timer - offsetof(struct server, stop));
    (void)now_ns;
    struct conn *next;
    for (struct conn *c = s->first; c != NULL; c = next) {
        next = c->next;
        if (!c->waiting) stream_cut(&c->stream);
    }
}

void server_start(struct server *s, struct worker *worker, const struct server_config *config)
{
    *s = (struct server){.io = worker->shard->io,
                         .timers = &worker->shard->timers,
                         .shard = worker->shard,
                         .worker = worker,
                         .ops = config->ops,
                         .stream_ops = config->stream_ops,
                         .tls = config->tls,
                         .counters = config->counters,
                         .fd = config->fd,
                         .connections_max = config->connections_max};
    if (s->connections_max == 0) s->connections_max = SERVER_CONNECTIONS_MAX;
    s->accept.done = on_accept;
    s->retry.fire = retry;
    s->stop.fire = cut;
    intake_init(&s->intake, config->window_bytes, resume);
    worker_add_intake(worker, &s->intake);
    accept_arm(s);
}

void server_move(struct server *s, struct worker *worker, struct tls_context *tls)
{
    worker_adopt_intake(worker, s->worker, &s->intake);
    s->worker = worker;
    s->tls = tls;
}

void server_stop(struct server *s)
{
    if (s->stopping) return;
    s->stopping = true;
    io_cancel(s->io, &s->accept);
    s->intake.waiting += s->n;
    struct conn *next;
    for (struct conn *c = s->first; c != NULL; c = next) {
        next = c->next;
        /* The stream ends once the kernel's buffer is empty. */
        shutdown(c->stream.fd, SHUT_RD);
        if (!c->waiting) stream_receive(&c->stream);
    }
    timer_set(s->timers, &s->stop, s->shard->now_mono_ns + SERVER_STOP_NS);
}

bool server_stopped(struct server *s)
{
    ASSERT(s->stopping);
    timer_cancel(s->timers, &s->stop);
    timer_cancel(s->timers, &s->retry);
    struct conn *next;
    for (struct conn *c = s->first; c != NULL; c = next) {
        next = c->next;
        stream_close(&c->stream);
    }
    return s->first == NULL && !s->accept.armed;
}

void server_counters_json(const struct server_counters *counters, uint32_t n, struct buf *out)
{
    uint64_t sum[7] = {0};
    for (uint32_t i = 0; i < n; i++) {
        const struct server_counters *c = &counters[i];
        const struct counter *all[7] = {&c->current, &c->peak,   &c->accepted, &c->refused,
                                        &c->starved, &c->waited, &c->broken};
        for (uint32_t k = 0; k < 7; k++) sum[k] += counter_read(all[k]);
    }
    static const char *const names[7] = {
        "current_connections", "peak_connections", "connections_accepted", "connections_refused",
        "receive_starved",     "receive_paused",   "connections_broken"};
    for (uint32_t k = 0; k < 7; k++)
        buf_printf(out, ",\"%s\":%llu", names[k], (unsigned long long)sum[k]);
}
