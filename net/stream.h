/*
 * stream.h - a connection: multishot receive, a bounded send queue, pause, close; TLS inside.
 *
 * Embedded in whatever owns the connection. Callbacks run inside io_step. stream_close() ends
 * both directions; closed() tells that nothing refers to the stream any more, at the earliest
 * before stream_close returns (never inside another callback of the same stream). With TLS
 * (net/tls.h) the bytes the owner sees and sends are the plain ones. Owner: one shard.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H
#include "engine/base/buf.h"
#include "net/io.h"
#include "net/listener.h"

/* Named bound of the send queue: a peer that does not read is hung up on. */
#define STREAM_SEND_BYTES_MAX (16u * 1024 * 1024)

struct stream;
struct tls_session;

struct stream_ops {
    /* Bytes, in `blob` (pin it to keep them beyond the call). */
    void (*data)(struct stream *s, struct blob *blob, slice bytes);
    /* No more bytes will come: error 0 when the peer said so, else an errno. The stream still
     * sends when error is 0; the owner closes it. */
    void (*end)(struct stream *s, int error);
    void (*sent)(struct stream *s); /* the send queue ran empty; may be NULL */
    /* No receive buffers: call stream_receive again after some came back. */
    void (*starved)(struct stream *s);
    void (*closed)(struct stream *s);
};

struct stream {
    const struct stream_ops *ops;
    struct io *io;
    struct io_op recv, send;
    struct buf queue, flying; /* bytes to send; bytes the kernel has */
    struct tls_session *tls;
    int fd;
    uint8_t depth;  /* callbacks running */
    uint8_t hungry; /* times in a row without receive buffers */
    bool paused, closing, finishing, ended, has_closed;
};

/* Takes the descriptor; nothing is received before stream_receive. */
void stream_init(struct stream *s, struct io *io, int fd, const struct stream_ops *ops);
/* Receives, or goes on after stream_pause. */
void stream_receive(struct stream *s);
/* Stops receiving soon; what was on its way still comes. */
void stream_pause(struct stream *s);
/* As if the peer had said that no more comes. */
void stream_cut(struct stream *s);
/* Queues a copy. False when the queue is full: hang up. */
bool stream_send(struct stream *s, slice bytes) MUST_USE;
/* Closes once all that was queued is sent. */
void stream_finish(struct stream *s);
/* Closes now; what is queued is dropped. */
void stream_close(struct stream *s);
/* stream_close, and the peer sees a reset. */
void stream_reset(struct stream *s);

/* For net/tls.c: bytes for the peer as they are on the wire. */
void stream_send_wire(struct stream *s, slice bytes);

#endif
