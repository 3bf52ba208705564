/*
 * sim_io.c - the io.h backend of the simulated world.
 *
 * An operation given to it becomes a `pending`, due after a random delay. A step looks which
 * pendings can complete now, and completes them in random order; what callbacks add waits for the
 * next step, as with io_uring. Blobs are separate allocations so that the address sanitizer sees
 * their ends, and are overwritten when they come back, so that a slice kept too long shows.
 */
#include <errno.h>
#include <stdlib.h>

#include "net/sim/world.h"

enum op_kind { OP_ACCEPT, OP_RECV, OP_RECVMSG, OP_SEND, OP_CONNECT, OP_READ, OP_WRITE };

struct pending {
    struct io_op *op;
    struct object *object;
    uint64_t id;
    int64_t due_ns;
    bool cancelled;
};

struct blob_pool {
    struct blob *blob;
    uint32_t *free;
    uint32_t n, free_n, size;
};

struct sim_io {
    struct io io;
    struct sim *sim;
    struct pending *pending;
    uint32_t n, cap;
    uint64_t next_id;
    uint64_t *round; /* ids of one step */
    bool woken;
    struct blob_pool stream, datagram;
};

/* ---- blobs ---------------------------------------------------------------------------- */

static void pool_give(struct blob *blob)
{
    struct blob_pool *pool = blob->owner;
    memset(blob->data, 0xdd, blob->used);
    pool->free[pool->free_n++] = blob->id;
}

static void pool_open(struct blob_pool *pool, uint32_t n, uint32_t size)
{
    *pool = (struct blob_pool){.n = n, .size = size};
    pool->blob = calloc(n, sizeof(*pool->blob));
    pool->free = calloc(n, sizeof(*pool->free));
    ASSERT(pool->blob != NULL && pool->free != NULL);
    for (uint32_t i = 0; i < n; i++) {
        pool->blob[i] = (struct blob){.size = size, .id = i, .owner = pool, .give = pool_give};
        pool->blob[i].data = malloc((size_t)size + BLOB_PAD);
        ASSERT(pool->blob[i].data != NULL);
        memset(pool->blob[i].data + size, 0, BLOB_PAD);
        pool->free[pool->free_n++] = i;
    }
}

static void pool_close(struct blob_pool *pool)
{
    for (uint32_t i = 0; i < pool->n; i++) free(pool->blob[i].data);
    free(pool->blob);
    free(pool->free);
}

static struct blob *pool_take(struct blob_pool *pool)
{
    if (pool->free_n == 0) return NULL;
    struct blob *blob = &pool->blob[pool->free[--pool->free_n]];
    blob->pins = 1;
    return blob;
}

/* ---- taking operations in ------------------------------------------------------------------ */

static int64_t delay(struct sim *sim)
{
    if (sim->faults.delay_ns_max <= 0) return 0;
    return (int64_t)prng_below(&sim->random, (uint64_t)sim->faults.delay_ns_max + 1);
}

static void submit(struct sim_io *s, struct io_op *op, int fd, enum op_kind kind)
{
    ASSERT(!op->armed);
    struct object *o = sim_object(s->sim, fd);
    ASSERT(!o->closed);
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 64 : s->cap * 2;
        s->pending = realloc(s->pending, s->cap * sizeof(*s->pending));
        s->round = realloc(s->round, s->cap * sizeof(*s->round));
        ASSERT(s->pending != NULL && s->round != NULL);
    }
    op->kind = (uint8_t)kind;
    op->armed = true;
    if (kind == OP_SEND) o->sends++;
    s->pending[s->n++] = (struct pending){
        .op = op, .object = o, .id = ++s->next_id, .due_ns = s->sim->now_ns + delay(s->sim)};
}

static void sim_accept(struct io *io, struct io_op *op, int fd)
{
    submit((struct sim_io *)io, op, fd, OP_ACCEPT);
}
static void sim_recv(struct io *io, struct io_op *op, int fd)
{
    submit((struct sim_io *)io, op, fd, OP_RECV);
}
static void sim_recvmsg(struct io *io, struct io_op *op, int fd)
{
    submit((struct sim_io *)io, op, fd, OP_RECVMSG);
}
static void sim_send(struct io *io, struct io_op *op)
{
    submit((struct sim_io *)io, op, op->fd, OP_SEND);
}
static void sim_connect(struct io *io, struct io_op *op, socklen_t addr_n)
{
    (void)addr_n;
    submit((struct sim_io *)io, op, op->fd, OP_CONNECT);
}
static void sim_read(struct io *io, struct io_op *op)
{
    submit((struct sim_io *)io, op, op->fd, OP_READ);
}
static void sim_write(struct io *io, struct io_op *op)
{
    submit((struct sim_io *)io, op, op->fd, OP_WRITE);
}

static void sim_cancel(struct io *io, struct io_op *op)
{
    struct sim_io *s = (struct sim_io *)io;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->pending[i].op == op && !s->pending[i].cancelled) {
            s->pending[i].cancelled = true;
            s->pending[i].due_ns = s->sim->now_ns + delay(s->sim);
        }
}

static void sim_close(struct io *io, int fd)
{
    struct object *o = sim_object(((struct sim_io *)io)->sim, fd);
    ASSERT(!o->closed);
    o->closed = true; /* operations in flight keep the object */
}

static void sim_wake(struct io *io)
{
    ((struct sim_io *)io)->woken = true;
}

static uint32_t sim_dropped(struct io *io, int fd)
{
    return sim_object(((struct sim_io *)io)->sim, fd)->dropped;
}

/* ---- what completes --------------------------------------------------------------------- */

static bool can_read(const struct object *o)
{
    return o->kind == OBJECT_FILE || o->in.n > 0 || o->finished || o->reset;
}

static bool ready(const struct sim_io *s, const struct pending *p)
{
    if (p->due_ns > s->sim->now_ns) return false;
    if (p->cancelled) return true;
    const struct object *o = p->object;
    switch ((enum op_kind)p->op->kind) {
    case OP_ACCEPT: return o->backlog_n > 0;
    case OP_RECV:
    case OP_READ: return can_read(o);
    case OP_RECVMSG: return o->first != NULL;
    case OP_SEND: return o->reset || o->out.n < SIM_STREAM_BYTES_MAX;
    case OP_CONNECT:
    case OP_WRITE: return true;
    }
    return false;
}

static uint32_t shorten(struct sim *sim, uint32_t n)
{
    if (n > 1 && sim_chance(sim, sim->faults.short_read))
        return 1 + (uint32_t)prng_below(&sim->random, n - 1);
    return n;
}

static void buf_drop(struct buf *b, uint32_t n)
{
    b->n -= n;
    if (b->n > 0) memmove(b->data, b->data + n, b->n);
}

/* A blob, or NULL when there is none or chance says so. */
static struct blob *receive_blob(struct sim_io *s, struct blob_pool *pool)
{
    struct blob *blob = sim_chance(s->sim, s->sim->faults.no_buffers) ? NULL : pool_take(pool);
    if (blob == NULL) s->io.stats.buffers_exhausted++;
    return blob;
}

/* Each of these fills op and returns the result; *more says whether a multishot goes on. */

static int32_t do_accept(struct sim_io *s, struct object *o, bool *more)
{
    if (sim_chance(s->sim, s->sim->faults.accept_error)) {
        *more = false;
        return -ECONNABORTED;
    }
    return sim_backlog_take(o);
}

static int32_t do_recv(struct sim_io *s, struct io_op *op, struct object *o, bool *more)
{
    *more = *more && !o->reset && o->in.n > 0;
    if (o->reset) return -ECONNRESET;
    if (o->in.n == 0) return 0;
    struct blob *blob = receive_blob(s, &s->stream);
    if (blob == NULL) {
        *more = false;
        return -ENOBUFS;
    }
    uint32_t n = o->in.n < blob->size ? (uint32_t)o->in.n : blob->size;
    n = shorten(s->sim, n);
    memcpy(blob->data, o->in.data, n);
    buf_drop(&o->in, n);
    blob->used = n;
    op->blob = blob;
    op->payload = slice_make(blob->data, n);
    return (int32_t)n;
}

static int32_t do_recvmsg(struct sim_io *s, struct io_op *op, struct object *o, bool *more)
{
    struct blob *blob = receive_blob(s, &s->datagram);
    if (blob == NULL) {
        *more = false;
        return -ENOBUFS;
    }
    struct datagram *d = o->first;
    o->first = d->next;
    o->queued--;
    uint32_t n = d->n < blob->size ? d->n : blob->size;
    op->truncated = d->n > n;
    memcpy(blob->data, d->data, n);
    blob->used = n;
    op->addr = d->from; /* kept in the operation: `from` is valid during done() */
    op->from = (struct sockaddr *)&op->addr;
    op->blob = blob;
    op->payload = slice_make(blob->data, n);
    free(d);
    return (int32_t)n;
}

/* *again: only a part went out, the rest waits for room. */
static int32_t do_send(struct io_op *op, struct object *o, bool *again)
{
    if (o->reset) return -EPIPE;
    uint32_t room = SIM_STREAM_BYTES_MAX - (uint32_t)o->out.n, left = op->n - op->done_n;
    uint32_t n = left < room ? left : room;
    buf_add(&o->out, op->p + op->done_n, n);
    op->done_n += n;
    *again = op->done_n < op->n;
    return (int32_t)op->n;
}

static int32_t do_connect(struct sim_io *s, struct io_op *op, struct object *o)
{
    const struct sockaddr_in *to = (const struct sockaddr_in *)&op->addr;
    struct object *server = sim_server(s->sim, ntohs(to->sin_port));
    if (server == NULL || sim_chance(s->sim, s->sim->faults.connect_refused)) return -ECONNREFUSED;
    o->connected = true;
    sim_server_add(server, o->fd);
    return 0;
}

static int32_t do_read(struct sim_io *s, struct io_op *op, struct object *o)
{
    if (sim_chance(s->sim, s->sim->faults.again)) return -EAGAIN;
    if (o->kind == OBJECT_STREAM) {
        if (o->reset) return -ECONNRESET;
        uint32_t n = shorten(s->sim, o->in.n < op->n ? (uint32_t)o->in.n : op->n);
        if (n > 0) memcpy(op->p, o->in.data, n);
        buf_drop(&o->in, n);
        return (int32_t)n;
    }
    if (sim_chance(s->sim, s->sim->faults.read_error)) return -EIO;
    uint64_t at = op->offset == UINT64_MAX ? o->position : op->offset;
    uint64_t left = at < o->in.n ? o->in.n - at : 0;
    uint32_t n = shorten(s->sim, left < op->n ? (uint32_t)left : op->n);
    if (n > 0) memcpy(op->p, o->in.data + at, n);
    if (op->offset == UINT64_MAX) o->position += n;
    return (int32_t)n;
}

static int32_t do_write(struct sim_io *s, struct io_op *op, struct object *o)
{
    uint64_t at = op->offset == UINT64_MAX ? o->position : op->offset;
    if (at >= o->bytes_max) return -ENOSPC;
    uint64_t room = o->bytes_max - at;
    uint32_t n = shorten(s->sim, op->n < room ? op->n : (uint32_t)room);
    while (o->in.n < at + n) buf_add_byte(&o->in, 0);
    memcpy(o->in.data + at, op->p, n);
    if (op->offset == UINT64_MAX) o->position += n;
    return (int32_t)n;
}

static bool is_multishot(const struct io_op *op)
{
    return op->kind == OP_ACCEPT || op->kind == OP_RECV || op->kind == OP_RECVMSG;
}

static int32_t perform(struct sim_io *s, struct io_op *op, struct object *o, bool *more,
                       bool *again)
{
    switch ((enum op_kind)op->kind) {
    case OP_ACCEPT: return do_accept(s, o, more);
    case OP_RECV: return do_recv(s, op, o, more);
    case OP_RECVMSG: return do_recvmsg(s, op, o, more);
    case OP_SEND: return do_send(op, o, again);
    case OP_CONNECT: return do_connect(s, op, o);
    case OP_READ: return do_read(s, op, o);
    case OP_WRITE: return do_write(s, op, o);
    }
    return -EINVAL;
}

static void complete(struct sim_io *s, struct pending *p)
{
    struct io_op *op = p->op;
    struct object *o = p->object;
    struct pending as_asked = *p;
    as_asked.cancelled = false;
    bool more = is_multishot(op) && !sim_chance(s->sim, s->sim->faults.multishot_end);
    bool again = false;
    int32_t result = -ECANCELED;
    op->blob = NULL;
    op->payload = SLICE_NONE;
    /* What was ready when the cancel came may still complete first. */
    if (!p->cancelled || (ready(s, &as_asked) && sim_chance(s->sim, 500)))
        result = perform(s, op, o, &more, &again);
    else
        more = false;
    p->due_ns = s->sim->now_ns + delay(s->sim);
    if (again) return;
    if (op->kind == OP_SEND) o->sends--;
    op->more = op->armed = more;
    if (!more) *p = s->pending[--s->n];
    s->io.stats.completions++;
    op->done(op, result);
}

static struct pending *find(struct sim_io *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->pending[i].id == id) return &s->pending[i];
    return NULL;
}

/* Ids of what is ready now, shuffled (Fisher and Yates). */
static uint32_t gather(struct sim_io *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (ready(s, &s->pending[i])) s->round[n++] = s->pending[i].id;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t other = (uint32_t)prng_below(&s->sim->random, i);
        uint64_t id = s->round[i - 1];
        s->round[i - 1] = s->round[other];
        s->round[other] = id;
    }
    return n;
}

/* Moves the clock to where something may be ready, at most by the timeout. */
static void sleep_until_ready(struct sim_io *s, int64_t timeout_ns)
{
    int64_t end_ns = s->sim->now_ns + timeout_ns, next_ns = end_ns;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->pending[i].due_ns > s->sim->now_ns && s->pending[i].due_ns < next_ns)
            next_ns = s->pending[i].due_ns;
    s->sim->now_ns = next_ns;
}

static uint32_t sim_step(struct io *io, int64_t timeout_ns, uint32_t wait_n)
{
    struct sim_io *s = (struct sim_io *)io;
    (void)wait_n; /* A kernel may always return with less. */
    io->stats.steps++;
    uint32_t n = gather(s);
    if (n == 0 && timeout_ns > 0 && !s->woken) {
        sleep_until_ready(s, timeout_ns);
        n = gather(s);
    }
    s->woken = false;
    /* Callbacks submit, and that may move the arrays: walk a copy. */
    uint64_t *round = malloc((n + 1) * sizeof(*round));
    ASSERT(round != NULL);
    if (n > 0) memcpy(round, s->round, n * sizeof(*round));
    uint32_t done = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct pending *p = find(s, round[i]);
        if (p == NULL || !ready(s, p)) continue;
        complete(s, p);
        done++;
    }
    free(round);
    return done;
}

static void sim_io_free(struct io *io)
{
    struct sim_io *s = (struct sim_io *)io;
    pool_close(&s->stream);
    pool_close(&s->datagram);
    free(s->pending);
    free(s->round);
    s->sim->ios--;
    free(s);
}

static const struct io_backend sim_backend = {
    .name = "sim",
    .free = sim_io_free,
    .accept = sim_accept,
    .recv = sim_recv,
    .recvmsg = sim_recvmsg,
    .send = sim_send,
    .connect = sim_connect,
    .read = sim_read,
    .write = sim_write,
    .cancel = sim_cancel,
    .close = sim_close,
    .step = sim_step,
    .wake = sim_wake,
    .dropped = sim_dropped,
};

struct io *sim_io_new(struct sim *sim, struct io_config config)
{
    struct sim_io *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->io.backend = &sim_backend;
    s->sim = sim;
    pool_open(&s->stream, config.stream_buffers, IO_STREAM_BUFFER_BYTES);
    pool_open(&s->datagram, config.datagram_buffers, 65536);
    sim->ios++;
    return &s->io;
}

uint32_t sim_io_blobs_out(const struct io *io)
{
    const struct sim_io *s = (const struct sim_io *)io;
    return s->stream.n - s->stream.free_n + s->datagram.n - s->datagram.free_n;
}

uint32_t sim_io_pending(const struct io *io)
{
    return ((const struct sim_io *)io)->n;
}
