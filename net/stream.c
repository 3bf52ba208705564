/* stream.c - arming, sending, settling. */
#include "net/stream.h"

#include <errno.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "net/tls.h"

/* A queue buffer that grew larger is given back once it is sent. */
#define QUEUE_KEEP_BYTES 4096u

static struct stream *stream_of_recv(struct io_op *op)
{
    return (struct stream *)((char *)op - offsetof(struct stream, recv));
}
static struct stream *stream_of_send(struct io_op *op)
{
    return (struct stream *)((char *)op - offsetof(struct stream, send));
}

/* Once nothing is armed and no callback runs, the stream is gone. */
static void settle(struct stream *s)
{
    if (!s->closing || s->depth > 0 || s->recv.armed || s->send.armed || s->has_closed) return;
    s->has_closed = true;
    io_close(s->io, s->fd);
    s->fd = -1;
    tls_session_free(s->tls);
    s->tls = NULL;
    buf_fini(&s->queue);
    buf_fini(&s->flying);
    s->ops->closed(s);
}

static void enter(struct stream *s)
{
    s->depth++;
}
static void leave(struct stream *s)
{
    s->depth--;
    settle(s);
}

static void stream_end(struct stream *s, int error)
{
    if (s->ended || s->closing) return;
    s->ended = true;
    s->ops->end(s, error);
}

static void arm(struct stream *s)
{
    if (s->recv.armed || s->paused || s->closing || s->ended) return;
    io_recv(s->io, &s->recv, s->fd);
}

static void take(struct stream *s, struct blob *blob, slice bytes)
{
    s->hungry = 0;
    if (s->closing || s->finishing || s->ended) return;
    if (s->tls == NULL) {
        s->ops->data(s, blob, bytes);
        return;
    }
    int error = tls_session_take(s->tls, s, bytes);
    if (error != 0) stream_end(s, error < 0 ? 0 : error);
}

static void on_recv(struct io_op *op, int32_t n)
{
    struct stream *s = stream_of_recv(op);
    enter(s);
    if (n > 0) {
        struct blob *blob = op->blob;
        take(s, blob, op->payload);
        blob_unpin(blob);
        if (!op->more) arm(s);
    } else if (n == -ENOBUFS) {
        /* The first time buffers are likely back by the next submission; then wait for the owner
         * to ask again, not to spin. */
        if (++s->hungry <= 1)
            arm(s);
        else if (!s->closing)
            s->ops->starved(s);
    } else if (n == -ECANCELED || n == -EINTR || n == -EAGAIN) {
        arm(s);
    } else {
        stream_end(s, -n);
    }
    leave(s);
}

static void flush(struct stream *s)
{
    if (s->send.armed || s->closing || s->queue.n == 0) return;
    struct buf sent = s->flying;
    s->flying = s->queue;
    s->queue = sent;
    s->queue.n = 0;
    io_send(s->io, &s->send, s->fd, s->flying.data, (uint32_t)s->flying.n);
}

static void on_send(struct io_op *op, int32_t n)
{
    struct stream *s = stream_of_send(op);
    enter(s);
    s->flying.n = 0;
    if (s->flying.cap > QUEUE_KEEP_BYTES) buf_fini(&s->flying);
    if (n < 0 && n != -ECANCELED && !s->closing) {
        s->queue.n = 0;
        if (s->ended)
            stream_close(s); /* nobody listens, nothing comes */
        else
            stream_end(s, -n);
    } else if (n >= 0) {
        flush(s);
        if (s->queue.n == 0 && !s->send.armed) {
            if (s->finishing)
                stream_close(s);
            else if (s->ops->sent != NULL && !s->closing)
                s->ops->sent(s);
        }
    }
    leave(s);
}

void stream_init(struct stream *s, struct io *io, int fd, const struct stream_ops *ops)
{
    *s = (struct stream){.ops = ops, .io = io, .fd = fd};
    s->recv.done = on_recv;
    s->send.done = on_send;
}

void stream_receive(struct stream *s)
{
    s->paused = false;
    arm(s);
}

void stream_pause(struct stream *s)
{
    if (s->paused) return;
    s->paused = true;
    io_cancel(s->io, &s->recv);
}

void stream_cut(struct stream *s)
{
    enter(s);
    io_cancel(s->io, &s->recv);
    stream_end(s, 0);
    leave(s);
}

void stream_send_wire(struct stream *s, slice bytes)
{
    buf_add_slice(&s->queue, bytes);
    flush(s);
}

bool stream_send(struct stream *s, slice bytes)
{
    if (s->closing || s->finishing) return true;
    if (s->queue.n + bytes.n > STREAM_SEND_BYTES_MAX) return false;
    if (s->tls != NULL) return tls_session_send(s->tls, s, bytes);
    stream_send_wire(s, bytes);
    return true;
}

void stream_finish(struct stream *s)
{
    if (s->closing || s->finishing) return;
    if (s->tls != NULL) tls_session_bye(s->tls, s);
    s->finishing = true;
    s->paused = true;
    if (!s->send.armed && s->queue.n == 0) stream_close(s);
}

void stream_close(struct stream *s)
{
    if (!s->closing) {
        s->closing = true;
        io_cancel(s->io, &s->recv);
        io_cancel(s->io, &s->send);
    }
    settle(s);
}

void stream_reset(struct stream *s)
{
    struct linger none = {1, 0};
    if (!s->has_closed) setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    stream_close(s);
}
