/*
 * uring.c - io_uring behind io.h.
 *
 * SINGLE_ISSUER and DEFER_TASKRUN where the kernel has them: completions are then only made
 * inside our own wait, never in the middle of a batch. Streams and datagrams receive into two
 * provided buffer rings; a blob goes back to its ring at its last unpin. liburing 2.3 has no
 * io_uring_setup_buf_ring, so the rings are mapped and registered by hand.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "net/io.h"

enum op_kind { OP_ACCEPT, OP_RECV, OP_RECVMSG, OP_SEND, OP_CONNECT, OP_READ, OP_WRITE, OP_WAKE };

/* Cache sets repeat every 4 KiB: buffers of one size that is a multiple of it would fight for
 * the same lines, so each starts a few lines further than the last. */
#define BUFFER_SKEW 192u
#define DATAGRAM_BYTES_MAX 65536u
#define DATAGRAM_HEAD (sizeof(struct io_uring_recvmsg_out) + sizeof(struct sockaddr_storage) + 64)

/* Since Linux 6.12 a receive takes only what it fills of a buffer, and the next goes on behind it:
 * thousands of connections with a line each fit a few buffers. liburing 2.3 and the headers of
 * Debian 12 do not know the names; `pad` is where the flags went. */
#define PBUF_RING_INC 2u
#define CQE_F_BUF_MORE 16u

struct buffer_ring {
    struct io_uring_buf_ring *ring;
    struct blob *blob;
    uint32_t *filled; /* bytes of each that earlier receives took; NULL: each takes a whole one */
    char *memory;
    size_t memory_bytes;
    uint32_t n, stride, group, size;
    struct uring *owner;
};

struct uring {
    struct io io;
    struct io_uring ring;
    struct buffer_ring stream, datagram;
    struct msghdr datagram_head; /* shape of recvmsg results; shared by all sockets */
    int event_fd;
    uint64_t event_value;
    struct io_op wake_op;
    struct io_op *retry; /* sends that were cut short */
};

static void blob_give_ring(struct blob *blob)
{
    struct buffer_ring *buffers = blob->owner;
    blob->pins = 1; /* the ring's own, which the last receive into it takes over */
    if (buffers->filled != NULL) buffers->filled[blob->id] = 0;
    io_uring_buf_ring_add(buffers->ring, blob->data, buffers->size, (unsigned short)blob->id,
                          (int)buffers->n - 1, 0);
    io_uring_buf_ring_advance(buffers->ring, 1);
}

static int ring_register(struct uring *u, struct buffer_ring *b, bool share)
{
    struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)b->ring,
                                   .ring_entries = b->n,
                                   .bgid = (uint16_t)b->group,
                                   .pad = share ? PBUF_RING_INC : 0};
    return io_uring_register_buf_ring(&u->ring, &reg, 0);
}

/* share: a buffer may be filled by several receives, where the kernel can do that. */
static int buffers_open(struct uring *u, struct buffer_ring *b, uint32_t n, uint32_t size,
                        uint32_t group, bool share)
{
    uint32_t power = 1;
    while (power < n) power *= 2;
    *b = (struct buffer_ring){.n = power, .size = size, .group = group, .owner = u};
    b->stride = (size + BLOB_PAD + 63) / 64 * 64 + BUFFER_SKEW;
    b->memory_bytes = (size_t)b->stride * power;
    size_t ring_bytes = power * sizeof(struct io_uring_buf);
    b->ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    b->memory =
        mmap(NULL, b->memory_bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    b->blob = calloc(power, sizeof(*b->blob));
    if (b->ring == MAP_FAILED || b->memory == MAP_FAILED || b->blob == NULL) return -ENOMEM;
    int result = ring_register(u, b, share);
    if (result == -EINVAL && share) {
        share = false;
        result = ring_register(u, b, share);
    }
    if (result < 0) return result;
    if (share) {
        b->filled = calloc(power, sizeof(*b->filled));
        if (b->filled == NULL) return -ENOMEM;
    }
    io_uring_buf_ring_init(b->ring);
    for (uint32_t i = 0; i < power; i++) {
        b->blob[i] = (struct blob){.data = b->memory + (size_t)i * b->stride,
                                   .size = size,
                                   .pins = 1,
                                   .id = i,
                                   .owner = b,
                                   .give = blob_give_ring};
        io_uring_buf_ring_add(b->ring, b->blob[i].data, size, (unsigned short)i, (int)power - 1,
                              (int)i);
    }
    io_uring_buf_ring_advance(b->ring, (int)power);
    return 0;
}

static struct io_uring_sqe *sqe_get(struct uring *u, struct io_op *op, enum op_kind kind)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (sqe == NULL) {
        /* The queue is full: hand it to the kernel and go on. */
        io_uring_submit(&u->ring);
        sqe = io_uring_get_sqe(&u->ring);
        ASSERT(sqe != NULL);
    }
    op->kind = (uint8_t)kind;
    op->armed = true;
    return sqe;
}

static void uring_accept(struct io *io, struct io_op *op, int fd)
{
    struct uring *u = (struct uring *)io;
    struct io_uring_sqe *sqe = sqe_get(u, op, OP_ACCEPT);
    io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, op);
}

static void uring_recv(struct io *io, struct io_op *op, int fd)
{
    struct uring *u = (struct uring *)io;
    struct io_uring_sqe *sqe = sqe_get(u, op, OP_RECV);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = (uint16_t)u->stream.group;
    io_uring_sqe_set_data(sqe, op);
}

static void uring_recvmsg(struct io *io, struct io_op *op, int fd)
{
    struct uring *u = (struct uring *)io;
    struct io_uring_sqe *sqe = sqe_get(u, op, OP_RECVMSG);
    io_uring_prep_recvmsg_multishot(sqe, fd, &u->datagram_head, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = (uint16_t)u->datagram.group;
    io_uring_sqe_set_data(sqe, op);
}

static void uring_send(struct io *io, struct io_op *op)
{
    struct uring *u = (struct uring *)io;
    struct io_uring_sqe *sqe = sqe_get(u, op, OP_SEND);
    io_uring_prep_send(sqe, op->fd, op->p + op->done_n, op->n - op->done_n,
                       MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_data(sqe, op);
}

static void uring_connect(struct io *io, struct io_op *op, socklen_t addr_n)
{
    struct uring *u = (struct uring *)io;
    struct io_uring_sqe *sqe = sqe_get(u, op, OP_CONNECT);
    io_uring_prep_connect(sqe, op->fd, (struct sockaddr *)&op->addr, addr_n);
    io_uring_sqe_set_data(sqe, op);
}

static void uring_read(struct io *io, struct io_op *op)
{
    struct uring *u = (struct uring *)io;
    struct io_uring_sqe *sqe = sqe_get(u, op, OP_READ);
    io_uring_prep_read(sqe, op->fd, op->p, op->n, op->offset);
    io_uring_sqe_set_data(sqe, op);
}

static void uring_write(struct io *io, struct io_op *op)
{
    struct uring *u = (struct uring *)io;
    struct io_uring_sqe *sqe = sqe_get(u, op, OP_WRITE);
    io_uring_prep_write(sqe, op->fd, op->p, op->n, op->offset);
    io_uring_sqe_set_data(sqe, op);
}

static void uring_cancel(struct io *io, struct io_op *op)
{
    struct uring *u = (struct uring *)io;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (sqe == NULL) {
        io_uring_submit(&u->ring);
        sqe = io_uring_get_sqe(&u->ring);
        ASSERT(sqe != NULL);
    }
    io_uring_prep_cancel(sqe, op, 0);
    io_uring_sqe_set_data(sqe, NULL);
}

static void uring_close(struct io *io, int fd)
{
    (void)io;
    close(fd);
}

static void wake_arm(struct uring *u)
{
    struct io_uring_sqe *sqe = sqe_get(u, &u->wake_op, OP_WAKE);
    io_uring_prep_read(sqe, u->event_fd, &u->event_value, sizeof(u->event_value), 0);
    io_uring_sqe_set_data(sqe, &u->wake_op);
}

static void uring_wake(struct io *io)
{
    struct uring *u = (struct uring *)io;
    uint64_t one = 1;
    ssize_t n = write(u->event_fd, &one, sizeof(one));
    (void)n; /* EAGAIN means it is awake already. */
}

static uint32_t uring_dropped(struct io *io, int fd)
{
    (void)io;
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t n = sizeof(info);
    getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &n);
    return info[SK_MEMINFO_DROPS];
}

/* Splits what recvmsg left in the buffer into sender and payload. */
static int32_t datagram_split(struct uring *u, struct io_op *op, int32_t result)
{
    struct io_uring_recvmsg_out *out =
        io_uring_recvmsg_validate(op->blob->data, result, &u->datagram_head);
    ASSERT(out != NULL);
    op->from = io_uring_recvmsg_name(out);
    op->truncated = (out->flags & MSG_TRUNC) != 0;
    uint32_t n = io_uring_recvmsg_payload_length(out, result, &u->datagram_head);
    op->payload = slice_make(io_uring_recvmsg_payload(out, &u->datagram_head), n);
    return (int32_t)n;
}

/* Where the n bytes of a receive went; its pin is the callback's. */
static char *buffer_take(struct buffer_ring *buffers, struct blob *blob, uint32_t n, bool more)
{
    char *data = blob->data;
    if (buffers->filled != NULL) {
        data += buffers->filled[blob->id];
        buffers->filled[blob->id] += n;
    }
    if (more) blob_pin(blob);
    return data;
}

static void complete_receive(struct uring *u, struct io_op *op, struct io_uring_cqe *cqe)
{
    struct buffer_ring *buffers = op->kind == OP_RECV ? &u->stream : &u->datagram;
    int32_t result = cqe->res;
    op->blob = NULL;
    op->payload = SLICE_NONE;
    if (result == -ENOBUFS) u->io.stats.buffers_exhausted++;
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        op->blob = &buffers->blob[cqe->flags >> IORING_CQE_BUFFER_SHIFT];
        uint32_t n = result > 0 ? (uint32_t)result : 0;
        bool more = (cqe->flags & CQE_F_BUF_MORE) != 0;
        char *data = buffer_take(buffers, op->blob, n, more);
        if (n > 0) {
            op->blob->used = n;
            op->payload = slice_make(data, n);
            /* Not what was cut short by the end of a buffer. */
            if (n < IO_PIECE_BYTES && op->kind == OP_RECV)
                u->io.stats.pieces += more || buffers->filled == NULL;
            if (op->kind == OP_RECVMSG) result = datagram_split(u, op, result);
        } else {
            blob_unpin(op->blob);
            op->blob = NULL;
        }
    }
    op->done(op, result);
}

static void complete(struct uring *u, struct io_uring_cqe *cqe)
{
    struct io_op *op = io_uring_cqe_get_data(cqe);
    if (op == NULL) return; /* the answer to a cancel */
    op->more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    op->armed = op->more;
    u->io.stats.completions++;
    switch ((enum op_kind)op->kind) {
    case OP_WAKE: wake_arm(u); return;
    case OP_RECV:
    case OP_RECVMSG: complete_receive(u, op, cqe); return;
    case OP_SEND:
        if (cqe->res > 0) {
            op->done_n += (uint32_t)cqe->res;
            if (op->done_n < op->n) {
                uring_send(&u->io, op);
                return;
            }
            op->done(op, (int32_t)op->n);
            return;
        }
        op->done(op, cqe->res == 0 ? -EPIPE : cqe->res);
        return;
    default: op->done(op, cqe->res);
    }
}

static uint32_t uring_step(struct io *io, int64_t timeout_ns, uint32_t wait_n)
{
    struct uring *u = (struct uring *)io;
    struct io_uring_cqe *cqe;
    io->stats.steps++;
    if (timeout_ns <= 0) {
        /* With DEFER_TASKRUN completions are made only when asked for. */
        io_uring_submit_and_get_events(&u->ring);
    } else {
        struct __kernel_timespec ts = {timeout_ns / NS_PER_SEC, timeout_ns % NS_PER_SEC};
        io_uring_submit_and_wait_timeout(&u->ring, &cqe, wait_n, &ts, NULL);
    }
    uint32_t n = 0;
    unsigned head;
    /* Only what is there now: callbacks add work, and the shard wants its turn. */
    uint32_t limit = io_uring_cq_ready(&u->ring);
    while (n < limit) {
        uint32_t round = 0;
        io_uring_for_each_cqe(&u->ring, head, cqe)
        {
            struct io_uring_cqe copy = *cqe;
            round++;
            complete(u, &copy);
            if (n + round == limit) break;
        }
        io_uring_cq_advance(&u->ring, round);
        n += round;
        if (round == 0) break;
    }
    return n;
}

static void buffers_close(struct buffer_ring *b)
{
    if (b->memory != NULL && b->memory != MAP_FAILED) munmap(b->memory, b->memory_bytes);
    if (b->ring != NULL && (void *)b->ring != MAP_FAILED)
        munmap(b->ring, b->n * sizeof(struct io_uring_buf));
    free(b->blob);
    free(b->filled);
}

static void uring_free(struct io *io)
{
    struct uring *u = (struct uring *)io;
    io_uring_queue_exit(&u->ring);
    buffers_close(&u->stream);
    buffers_close(&u->datagram);
    close(u->event_fd);
    free(u);
}

static const struct io_backend uring_backend = {
    .name = "io_uring",
    .free = uring_free,
    .accept = uring_accept,
    .recv = uring_recv,
    .recvmsg = uring_recvmsg,
    .send = uring_send,
    .connect = uring_connect,
    .read = uring_read,
    .write = uring_write,
    .cancel = uring_cancel,
    .close = uring_close,
    .step = uring_step,
    .wake = uring_wake,
    .dropped = uring_dropped,
};

static int ring_open(struct io_uring *ring, uint32_t entries)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                     .cq_entries = entries * 8};
    int result = io_uring_queue_init_params(entries, ring, &params);
    if (result != -EINVAL) return result;
    /* Kernels before 6.1 know neither flag. */
    params = (struct io_uring_params){.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CQSIZE,
                                      .cq_entries = entries * 8};
    return io_uring_queue_init_params(entries, ring, &params);
}

static void explain(int error, char *why, size_t cap)
{
    const char *cause = strerror(error);
    if (error == EPERM)
        cause = "not permitted (check sysctl kernel.io_uring_disabled and the seccomp profile of "
                "the container)";
    else if (error == ENOSYS)
        cause = "not in this kernel (Linux 6.1 or later is needed, with CONFIG_IO_URING)";
    else if (error == ENOMEM)
        cause = "not enough lockable memory (raise RLIMIT_MEMLOCK, ulimit -l)";
    else if (error == EINVAL)
        cause = "the kernel is too old (buffer rings and multishot receive need Linux 6.0)";
    snprintf(why, cap, "io_uring: %s", cause);
}

struct io *io_uring_new(struct io_config config, char *why, size_t why_cap)
{
    struct uring *u = calloc(1, sizeof(*u));
    ASSERT(u != NULL);
    u->io.backend = &uring_backend;
    u->event_fd = -1;
    int result = ring_open(&u->ring, config.entries);
    if (result < 0) {
        explain(-result, why, why_cap);
        free(u);
        return NULL;
    }
    u->datagram_head = (struct msghdr){.msg_namelen = sizeof(struct sockaddr_storage)};
    result = buffers_open(u, &u->stream, config.stream_buffers, IO_STREAM_BUFFER_BYTES, 1, true);
    if (result == 0)
        result = buffers_open(u, &u->datagram, config.datagram_buffers,
                              DATAGRAM_BYTES_MAX + (uint32_t)DATAGRAM_HEAD, 2, false);
    u->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (result == 0 && u->event_fd < 0) result = -errno;
    if (result < 0) {
        explain(-result, why, why_cap);
        uring_free(&u->io);
        return NULL;
    }
    wake_arm(u);
    return &u->io;
}

bool io_uring_usable(char *why, size_t why_cap)
{
    struct io *io = io_uring_new((struct io_config){8, 2, 2}, why, why_cap);
    if (io == NULL) return false;
    io_free(io);
    return true;
}
