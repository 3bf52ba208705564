/*
 * send_tcp.c - lines over TCP connections, round robin.
 *
 * A connection that would block keeps the rest of its run in a buffer of its own and leaves the
 * ring of ready connections, so one slow reader does not hold up the others.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "tools/loadgen/send.h"

struct conn {
    int fd;
    bool ready;
    struct buf rest; /* of a run that went out in part */
    size_t rest_at;
};

struct sender {
    const struct options *opt;
    struct corpus *corpus;
    struct result *result;
    struct conn *conns;
    uint32_t *ready; /* indices of connections that can take more */
    uint32_t ready_n, at, alive;
    int epoll_fd;
    int64_t now_sec;
};

static err conn_open(struct sender *s, uint32_t i)
{
    struct conn *conn = &s->conns[i];
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data.u32 = i};
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) return ERR_SYSTEM;
    if (connect(conn->fd, (const struct sockaddr *)&s->opt->to, sizeof(s->opt->to)) < 0)
        return ERR_SYSTEM;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) < 0) return ERR_SYSTEM;
    conn->ready = true;
    s->ready[s->ready_n++] = i;
    s->alive++;
    return ERR_OK;
}

static void conn_lost(struct sender *s, struct conn *conn)
{
    close(conn->fd);
    conn->fd = -1;
    s->alive--;
    s->result->lost++;
}

/* Takes the connection at the cursor out of the ring. */
static void ready_remove(struct sender *s)
{
    s->conns[s->ready[s->at]].ready = false;
    s->ready[s->at] = s->ready[--s->ready_n];
    if (s->at >= s->ready_n) s->at = 0;
}

static void ready_wait(struct sender *s, int timeout_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(s->epoll_fd, events, 256, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct conn *conn = &s->conns[events[i].data.u32];
        if (conn->ready || conn->fd < 0) continue;
        conn->ready = true;
        s->ready[s->ready_n++] = events[i].data.u32;
    }
}

/* Bytes written, 0 when it would block, -1 when the connection broke. */
static ssize_t conn_write(struct sender *s, struct conn *conn, const char *p, size_t n)
{
    ssize_t done = send(conn->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    s->result->writes++;
    if (done >= 0) return done;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void at_advance(struct sender *s)
{
    if (++s->at >= s->ready_n) s->at = 0;
}

/* Sends what an earlier run left; true when nothing is left and the connection may take more. */
static bool rest_flush(struct sender *s, struct conn *conn)
{
    size_t left = conn->rest.n - conn->rest_at;
    ssize_t done;
    if (left == 0) return true;
    done = conn_write(s, conn, conn->rest.data + conn->rest_at, left);
    if (done < 0) conn_lost(s, conn);
    if (done > 0) conn->rest_at += (size_t)done;
    if ((size_t)(done < 0 ? 0 : done) < left) {
        ready_remove(s);
        return false;
    }
    conn->rest.n = conn->rest_at = 0;
    return true;
}

static void run_send(struct sender *s, struct conn *conn, uint64_t n_max)
{
    struct result *r = s->result;
    struct corpus_run run = corpus_take(s->corpus, s->opt->first + r->events, s->now_sec, n_max);
    const char *p = s->corpus->text.data + run.at;
    ssize_t done = conn_write(s, conn, p, run.bytes);
    r->events += run.n;
    r->bytes += run.bytes;
    if (done < 0) {
        conn_lost(s, conn);
        ready_remove(s);
    } else if ((uint32_t)done < run.bytes) {
        buf_add(&conn->rest, p + done, run.bytes - (size_t)done);
        ready_remove(s);
    } else {
        at_advance(s);
    }
}

static void send_loop(struct sender *s)
{
    uint64_t n, turns = 0;
    while (s->alive > 0 && (n = pace_allow(s->opt, s->result)) > 0) {
        struct conn *conn;
        if ((turns++ & 63) == 0) s->now_sec = clock_real_ns() / NS_PER_SEC;
        if (s->ready_n == 0 || (turns & 255) == 0) ready_wait(s, s->ready_n == 0 ? 50 : 0);
        if (s->ready_n == 0) continue;
        conn = &s->conns[s->ready[s->at]];
        if (rest_flush(s, conn)) run_send(s, conn, n);
    }
    /* What is left of begun runs counts as sent, so it has to go. */
    for (uint32_t i = 0; i < s->opt->connections; i++) {
        struct conn *conn = &s->conns[i];
        while (conn->fd >= 0 && conn->rest_at < conn->rest.n) {
            ssize_t done =
                conn_write(s, conn, conn->rest.data + conn->rest_at, conn->rest.n - conn->rest_at);
            if (done < 0) conn_lost(s, conn);
            if (done > 0) conn->rest_at += (size_t)done;
            if (done == 0) poll(&(struct pollfd){conn->fd, POLLOUT, 0}, 1, 100);
        }
    }
}

/* So that whoever measures can leave out what opening and closing takes. */
static void hold(const struct options *opt, const char *what, uint64_t n)
{
    int c;
    if (!opt->hold) return;
    printf("%s=%lu\n", what, n);
    fflush(stdout);
    while ((c = getchar()) != EOF && c != '\n') continue;
}

/* Ends the streams and waits until the peer has acknowledged every byte and closed its side too. */
static bool drain(struct sender *s)
{
    int64_t until = clock_mono_ns() + (int64_t)s->opt->drain_ms * NS_PER_MS;
    bool all = true;
    for (uint32_t i = 0; i < s->opt->connections; i++)
        if (s->conns[i].fd >= 0) shutdown(s->conns[i].fd, SHUT_WR);
    for (uint32_t i = 0; i < s->opt->connections; i++) {
        char junk[4096];
        int fd = s->conns[i].fd, left_ms;
        ssize_t n = 1;
        if (fd < 0) continue;
        while (n != 0 && (left_ms = (int)((until - clock_mono_ns()) / NS_PER_MS)) > 0) {
            if (poll(&(struct pollfd){fd, POLLIN, 0}, 1, left_ms) <= 0) continue;
            n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT);
            if (n < 0 && errno != EAGAIN) break;
        }
        if (n != 0) all = false;
        close(fd);
    }
    return all;
}

err send_tcp(struct corpus *c, const struct options *opt, struct result *out)
{
    struct sender s = {.opt = opt, .corpus = c, .result = out};
    int64_t cpu_ns;
    s.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s.conns = calloc(opt->connections, sizeof(s.conns[0]));
    s.ready = calloc(opt->connections, sizeof(s.ready[0]));
    ASSERT(s.conns != NULL && s.ready != NULL && s.epoll_fd >= 0);
    for (uint32_t i = 0; i < opt->connections; i++) {
        err e = conn_open(&s, i);
        if (e != ERR_OK) return e; /* the process ends: the kernel closes what is open */
    }
    hold(opt, "connected", s.alive);
    cpu_ns = clock_thread_cpu_ns();
    out->started_ns = clock_mono_ns();
    send_loop(&s);
    out->sent_ns = clock_mono_ns();
    out->cpu_ns = clock_thread_cpu_ns() - cpu_ns;
    hold(opt, "sent", out->events);
    out->drained = drain(&s);
    out->drained_ns = clock_mono_ns();
    for (uint32_t i = 0; i < opt->connections; i++) buf_fini(&s.conns[i].rest);
    free(s.conns);
    free(s.ready);
    close(s.epoll_fd);
    return ERR_OK;
}
