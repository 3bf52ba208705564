/*
 * io.h - the seam between the engine and the world: operations in, completions out.
 *
 * One io per shard, used by its shard's thread only (io_wake excepted). An operation is
 * embedded in whatever waits for it; its done() runs inside io_step(). Backends: net/uring
 * (Linux io_uring), net/sim (tests: virtual clock, seeded faults). A result is a count or a
 * file descriptor, or a negative errno. After io_cancel() the operation still completes.
 */
#ifndef NET_IO_H
#define NET_IO_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"
#include "engine/event/blob.h"

struct io_op;
typedef void io_done(struct io_op *op, int32_t result);

struct io_op {
    io_done *done;
    struct blob *blob; /* recv, recvmsg: the bytes, with one pin that is the callee's to drop */
    slice payload;     /* recv, recvmsg: what arrived, inside blob */
    const struct sockaddr *from; /* recvmsg: the sender, during done() only */
    bool more;                   /* multishot: it goes on by itself; false: arm it again */
    bool truncated;              /* recvmsg: the datagram was larger than a buffer */
    bool armed;                  /* in the backend's hands */
    uint8_t kind;                /* the backend's own */
    /* Of one-shot operations, kept for the backend until completion. */
    int fd;
    char *p;
    uint32_t n, done_n;
    uint64_t offset;
    struct sockaddr_storage addr;
    struct io_op *next;
};

struct io_config {
    uint32_t entries;          /* submission slots; default 1024 */
    uint32_t stream_buffers;   /* 64 KiB each; default 32 */
    uint32_t datagram_buffers; /* 65,507 bytes and headers each; default 256 */
};
#define IO_STREAM_BUFFER_BYTES (64u * 1024)
#define IO_CONFIG_DEFAULT ((struct io_config){1024, 32, 256})

struct io;

struct io_backend {
    const char *name;
    void (*free)(struct io *io);
    void (*accept)(struct io *io, struct io_op *op, int fd);
    void (*recv)(struct io *io, struct io_op *op, int fd);
    void (*recvmsg)(struct io *io, struct io_op *op, int fd);
    void (*send)(struct io *io, struct io_op *op);
    void (*connect)(struct io *io, struct io_op *op, socklen_t addr_n);
    void (*read)(struct io *io, struct io_op *op);
    void (*write)(struct io *io, struct io_op *op);
    void (*cancel)(struct io *io, struct io_op *op);
    void (*close)(struct io *io, int fd);
    uint32_t (*step)(struct io *io, int64_t timeout_ns, uint32_t wait_n);
    void (*wake)(struct io *io);
    uint32_t (*dropped)(struct io *io, int fd);
};

/* A receive of fewer bytes of a stream is a piece: a line or a few. */
#define IO_PIECE_BYTES 1024u

struct io_stats {
    uint64_t steps, completions, buffers_exhausted, pieces;
};

struct io {
    const struct io_backend *backend;
    struct io_stats stats;
};

/* Multishot: every completion is a new connection's descriptor. */
static inline void io_accept(struct io *io, struct io_op *op, int fd)
{
    io->backend->accept(io, op, fd);
}
/* Multishot: bytes of a stream; result 0 is its end. -ENOBUFS: out of buffers, arm again once
 * blobs were given back. */
static inline void io_recv(struct io *io, struct io_op *op, int fd)
{
    io->backend->recv(io, op, fd);
}
/* Multishot: one datagram each. */
static inline void io_recvmsg(struct io *io, struct io_op *op, int fd)
{
    io->backend->recvmsg(io, op, fd);
}
/* All n bytes or an error; the bytes stay the caller's until done(). */
static inline void io_send(struct io *io, struct io_op *op, int fd, const void *p, uint32_t n)
{
    op->fd = fd;
    op->p = (char *)(uintptr_t)p;
    op->n = n;
    op->done_n = 0;
    io->backend->send(io, op);
}
static inline void io_connect(struct io *io, struct io_op *op, int fd, const struct sockaddr *addr,
                              socklen_t addr_n)
{
    op->fd = fd;
    memcpy(&op->addr, addr, addr_n);
    io->backend->connect(io, op, addr_n);
}
/* May read or write less than n; offset UINT64_MAX is the file's own position. */
static inline void io_read(struct io *io, struct io_op *op, int fd, void *p, uint32_t n,
                           uint64_t offset)
{
    op->fd = fd;
    op->p = p;
    op->n = n;
    op->offset = offset;
    io->backend->read(io, op);
}
static inline void io_write(struct io *io, struct io_op *op, int fd, const void *p, uint32_t n,
                            uint64_t offset)
{
    op->fd = fd;
    op->p = (char *)(uintptr_t)p;
    op->n = n;
    op->offset = offset;
    io->backend->write(io, op);
}
static inline void io_cancel(struct io *io, struct io_op *op)
{
    if (op->armed) io->backend->cancel(io, op);
}
static inline void io_close(struct io *io, int fd)
{
    io->backend->close(io, fd);
}
/* Submits, waits until wait_n completions or the timeout (0: do not wait), runs done() of all
 * that completed; returns how many. */
static inline uint32_t io_step(struct io *io, int64_t timeout_ns, uint32_t wait_n)
{
    return io->backend->step(io, timeout_ns, wait_n);
}
/* Any thread: makes a waiting io_step return. */
static inline void io_wake(struct io *io)
{
    io->backend->wake(io);
}
/* Datagrams that the kernel dropped on this socket so far. A system call: ask now and then; as
 * control data of every datagram (SO_RXQ_OVFL) it would cost 60 ns each. */
static inline uint32_t io_dropped(struct io *io, int fd)
{
    return io->backend->dropped(io, fd);
}
static inline void io_free(struct io *io)
{
    io->backend->free(io);
}

/* Must be called on the thread that will use it. NULL with a text in `why`. */
struct io *io_uring_new(struct io_config config, char *why, size_t why_cap);
/* Whether io_uring works here at all; the text names the cause and the remedy if not. */
bool io_uring_usable(char *why, size_t why_cap);

#endif
