/*
 * send_udp.c - a datagram for each line, in batches of sendmmsg, with UDP_SEGMENT when asked.
 *
 * Sockets take turns batch by batch: each has a source port of its own, as senders have.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "tools/loadgen/send.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define BATCH_MAX 1024u

struct batch {
    struct mmsghdr messages[BATCH_MAX];
    struct iovec parts[BATCH_MAX];
    uint32_t lines[BATCH_MAX]; /* a segmented message carries several */
    uint32_t n;
};

static err socket_open(const struct options *opt, int *fd)
{
    *fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*fd < 0) return ERR_SYSTEM;
    if (connect(*fd, (const struct sockaddr *)&opt->to, sizeof(opt->to)) < 0) return ERR_SYSTEM;
    if (opt->gso > 0 &&
        setsockopt(*fd, SOL_UDP, UDP_SEGMENT, &(int){(int)opt->pad_bytes}, sizeof(int)) < 0)
        return ERR_SYSTEM;
    return ERR_OK;
}

static void batch_fill(struct batch *b, struct corpus *c, const struct options *opt, uint64_t first,
                       uint64_t n_max)
{
    int64_t now_sec = clock_real_ns() / NS_PER_SEC;
    uint64_t n = 0;
    b->n = 0;
    while (b->n < opt->batch && n < n_max) {
        struct corpus_run run = corpus_take(c, first + n, now_sec, n_max - n);
        b->parts[b->n] = (struct iovec){c->text.data + run.at, run.bytes};
        b->messages[b->n].msg_hdr = (struct msghdr){.msg_iov = &b->parts[b->n], .msg_iovlen = 1};
        b->lines[b->n++] = run.n;
        n += run.n;
    }
}

/* Sends a batch. A datagram the kernel refuses keeps its number, so the receiver misses it: it is
 * counted as refused and not as an event. */
static void batch_send(int fd, struct batch *b, struct result *r, uint64_t *number)
{
    for (uint32_t done = 0; done < b->n;) {
        int n = sendmmsg(fd, b->messages + done, b->n - done, 0);
        r->writes++;
        if (n <= 0) {
            if (errno == EINTR) continue;
            r->refused += b->lines[done];
            *number += b->lines[done++];
            continue;
        }
        for (int i = 0; i < n; i++, done++) {
            r->events += b->lines[done];
            r->bytes += b->parts[done].iov_len;
            *number += b->lines[done];
        }
    }
}

err send_udp(struct corpus *c, const struct options *opt, struct result *out)
{
    struct batch *b = calloc(1, sizeof(*b));
    int *fds = calloc(opt->connections, sizeof(*fds));
    uint64_t n, number = opt->first;
    int64_t cpu_ns;
    uint32_t turn = 0;
    ASSERT(b != NULL && fds != NULL);
    for (uint32_t i = 0; i < opt->connections; i++) {
        err e = socket_open(opt, &fds[i]);
        if (e != ERR_OK) return e; /* the process ends: the kernel closes what is open */
    }
    cpu_ns = clock_thread_cpu_ns();
    out->started_ns = clock_mono_ns();
    while ((n = pace_allow(opt, out)) > 0) {
        batch_fill(b, c, opt, number, n);
        batch_send(fds[turn], b, out, &number);
        if (++turn == opt->connections) turn = 0;
    }
    out->sent_ns = out->drained_ns = clock_mono_ns();
    out->cpu_ns = clock_thread_cpu_ns() - cpu_ns;
    out->drained = true;
    for (uint32_t i = 0; i < opt->connections; i++) close(fds[i]);
    free(fds);
    free(b);
    return ERR_OK;
}
