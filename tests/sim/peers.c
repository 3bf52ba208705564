/* peers.c - the input: connections, feeds, windows, acknowledgements over the wire. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/shard/feed.h"
#include "tests/sim/plugins.h"

struct peers_cfg {
    struct codec codec;
};

/* Batch `serial` holds lines of the connection up to number `lines`. */
struct mark {
    uint64_t serial;
    uint32_t lines;
};

struct conn {
    struct feed feed; /* first: describe gets it */
    struct ack_window window;
    struct io_op recv, send;
    struct peers *peers;
    struct conn *next;
    int fd;
    struct mark *mark;
    uint32_t mark_n, mark_cap;
    uint32_t acked, told; /* lines promised; lines the client was told of */
    bool ended, hung_up, fed;
    char text[32];
};

struct peers {
    struct intake intake;
    struct shard *shard; /* outlives the worker, which goes before the last completions come */
    struct worker *worker;
    const struct peers_cfg *cfg;
    struct input *self;
    struct io_op accept;
    struct timer rearm; /* for what ran out of buffers */
    struct conn *first;
    struct feed_counters counters;
    bool stopping;
};

static struct io *io_of(struct peers *p)
{
    return p->shard->io;
}

static void *owner_of(void *member, size_t offset)
{
    return (char *)member - offset;
}

/* ---- acknowledging ----------------------------------------------------------------------- */

static void tell(struct conn *c)
{
    if (c->send.armed || c->told == c->acked || c->hung_up) return;
    int n = snprintf(c->text, sizeof(c->text), "A %u\n", c->acked);
    c->told = c->acked;
    io_send(io_of(c->peers), &c->send, c->fd, c->text, (uint32_t)n);
}

static void on_sent(struct io_op *op, int32_t result)
{
    struct conn *c = owner_of(op, offsetof(struct conn, send));
    if (result < 0)
        c->hung_up = true;
    else
        tell(c);
}

static void on_acked(struct ack_window *w, uint64_t position)
{
    struct conn *c = owner_of(w, offsetof(struct conn, window));
    uint32_t lines = c->acked, used = 0;
    while (used < c->mark_n && c->mark[used].serial <= position) lines = c->mark[used++].lines;
    c->mark_n -= used;
    memmove(c->mark, c->mark + used, c->mark_n * sizeof(*c->mark));
    model_acked(c->fd, c->acked, lines);
    c->acked = lines;
    tell(c);
}

static void on_failed(struct ack_window *w, uint64_t position)
{
    struct conn *c = owner_of(w, offsetof(struct conn, window));
    (void)position;
    c->hung_up = true; /* the client will come again with what was not acknowledged */
    model.hangups++;
}

/* ---- receiving ---------------------------------------------------------------------------- */

static void describe(struct feed *feed, struct batch *b, uint32_t from)
{
    struct conn *c = (struct conn *)feed;
    for (uint32_t i = from; i < b->n; i++)
        map_put(&b->event[i].data, &b->arena, key_borrow(SLICE("fd")), value_int(c->fd));
    uint32_t lines = c->mark_n > 0 ? c->mark[c->mark_n - 1].lines : c->acked;
    if (c->mark_n == 0 || c->mark[c->mark_n - 1].serial != feed->worker->batch_serial) {
        if (c->mark_n == c->mark_cap) {
            c->mark_cap = c->mark_cap * 2 + 16;
            c->mark = realloc(c->mark, c->mark_cap * sizeof(*c->mark));
            ASSERT(c->mark != NULL);
        }
        c->mark[c->mark_n++].serial = feed->worker->batch_serial;
    }
    c->mark[c->mark_n - 1].lines = lines + b->n - from;
}

static void receive(struct conn *c)
{
    if (c->recv.armed || c->ended || c->hung_up || c->peers->stopping) return;
    if (feed_is_waiting(&c->feed)) return;
    if (!worker_may_read(c->peers->worker, &c->peers->intake, &c->window)) return;
    io_recv(io_of(c->peers), &c->recv, c->fd);
}

static void stream_ended(struct conn *c)
{
    c->ended = true;
    c->fed = feed_end(&c->feed);
}

static void on_received(struct io_op *op, int32_t result)
{
    struct conn *c = owner_of(op, offsetof(struct conn, recv));
    if (c->hung_up || c->peers->stopping) {
        if (op->blob != NULL) blob_unpin(op->blob);
    } else if (result > 0) {
        bool taken = feed_bytes(&c->feed, op->blob, op->payload);
        blob_unpin(op->blob);
        if (op->more && !taken)
            io_cancel(io_of(c->peers), op);
        else if (!op->more)
            receive(c);
    } else if (result == -ENOBUFS) {
        struct peers *p = c->peers;
        timer_set(&p->shard->timers, &p->rearm, p->shard->now_mono_ns + 50 * NS_PER_US);
    } else if (result == 0) {
        stream_ended(c);
    } else if (result == -ECANCELED) {
        receive(c); /* the worker may have been quicker */
    } else {
        c->hung_up = true;
    }
}

static void rearm_fire(struct timer *timer, int64_t now_ns)
{
    struct peers *p = owner_of(timer, offsetof(struct peers, rearm));
    (void)now_ns;
    for (struct conn *c = p->first; c != NULL; c = c->next) receive(c);
}

static void resume(struct intake *intake)
{
    struct peers *p = (struct peers *)intake;
    for (struct conn *c = p->first; c != NULL; c = c->next) {
        if (c->hung_up) continue;
        if (!feed_resume(&c->feed)) continue;
        if (c->ended) c->fed = true;
        receive(c);
    }
}

static void on_accepted(struct io_op *op, int32_t result)
{
    struct peers *p = owner_of(op, offsetof(struct peers, accept));
    if (result >= 0 && p->stopping) {
        io_close(io_of(p), result);
    } else if (result >= 0) {
        struct conn *c = calloc(1, sizeof(*c));
        ASSERT(c != NULL);
        c->peers = p;
        c->fd = result;
        c->recv.done = on_received;
        c->send.done = on_sent;
        ack_window_init(&c->window, world.window_slots, &p->intake);
        c->window.acked = on_acked;
        c->window.failed = on_failed;
        err e = feed_init(&c->feed, p->worker, &p->intake, &c->window, &p->cfg->codec, NULL);
        ASSERT(e == ERR_OK);
        c->feed.describe = describe;
        c->feed.counters = &p->counters;
        c->next = p->first;
        p->first = c;
        receive(c);
    }
    if (!op->more && !p->stopping) io_accept(io_of(p), op, world.listener[p->shard->index]);
}

/* ---- the end of connections ----------------------------------------------------------------- */

/* Gives up what the connection still had to decode. */
static void give_up(struct conn *c)
{
    feed_fini(&c->feed);
    io_cancel(io_of(c->peers), &c->recv);
}

static bool is_over(const struct conn *c)
{
    if (!ack_window_idle(&c->window) || c->recv.armed || c->send.armed) return false;
    if (c->hung_up) return true;
    return c->ended && c->fed && c->told == c->acked;
}

static void conn_free(struct conn *c)
{
    io_close(io_of(c->peers), c->fd);
    feed_fini(&c->feed);
    ack_window_fini(&c->window);
    free(c->mark);
    free(c);
}

void peers_sweep(struct peers *p)
{
    struct conn **at = &p->first;
    while (*at != NULL) {
        struct conn *c = *at;
        if (c->hung_up) give_up(c);
        if (is_over(c)) {
            *at = c->next;
            conn_free(c);
        } else {
            at = &c->next;
        }
    }
}

uint32_t peers_connections(const struct peers *p)
{
    uint32_t n = 0;
    for (const struct conn *c = p->first; c != NULL; c = c->next) n++;
    return n;
}

void peers_check_idle(const struct peers *p)
{
    CHECK(p->intake.credit_bytes == p->intake.window_bytes, "credit is %lld of %lld",
          (long long)p->intake.credit_bytes, (long long)p->intake.window_bytes);
    CHECK(p->intake.waiting == 0, "%u feeds are said to wait", p->intake.waiting);
}

/* ---- the plugin ------------------------------------------------------------------------------ */

static err compile(void *cfg, struct compiler *c)
{
    return compile_codec(c, &((struct peers_cfg *)cfg)->codec, &c->common_input->codec,
                         BYTES_STREAM);
}

static void release(void *cfg)
{
    codec_release(&((struct peers_cfg *)cfg)->codec);
}

static err start(void *state, void *shared, const void *cfg, struct worker *worker,
                 struct input *self)
{
    struct peers *p = state;
    (void)shared;
    *p = (struct peers){.shard = worker->shard, .worker = worker, .cfg = cfg, .self = self};
    p->accept.done = on_accepted;
    p->rearm.fire = rearm_fire;
    intake_init(&p->intake, world.window_bytes, resume);
    worker_add_intake(worker, &p->intake);
    io_accept(io_of(p), &p->accept, world.listener[worker->shard->index]);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    struct peers *p = state;
    (void)cfg;
    p->stopping = true;
    timer_cancel(&p->shard->timers, &p->rearm);
    io_cancel(io_of(p), &p->accept);
    for (struct conn *c = p->first; c != NULL; c = c->next) c->hung_up = true;
    peers_sweep(p);
}

static bool stopped(void *state, const void *cfg)
{
    struct peers *p = state;
    (void)cfg;
    peers_sweep(p);
    return p->first == NULL && !p->accept.armed;
}

static void moved(void *state, const void *cfg, struct worker *worker, struct input *self)
{
    struct peers *p = state;
    worker_adopt_intake(worker, p->worker, &p->intake);
    p->worker = worker;
    p->cfg = cfg;
    p->self = self;
    for (struct conn *c = p->first; c != NULL; c = c->next)
        if (c->feed.codec_state != NULL) feed_move(&c->feed, worker, &p->cfg->codec, NULL);
}

static const struct setting no_settings[] = {{0}};

const struct input_ops input_peers = {
    .name = "peers",
    .doc = "Lines from clients that want an answer.",
    .settings = no_settings,
    .cfg_size = sizeof(struct peers_cfg),
    .state_size = sizeof(struct peers),
    .compile = compile,
    .release = release,
    .start = start,
    .stop = stop,
    .stopped = stopped,
    .moved = moved,
};
