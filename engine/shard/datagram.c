/* datagram.c - one socket's datagrams, in order. */
#include "engine/shard/datagram.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

#define STARVED_RETRY_NS (1 * NS_PER_MS)
/* Where datagrams come, the kernel is asked this often how many it dropped. */
#define DROPS_INTERVAL_NS (100 * NS_PER_MS)

struct held_datagram {
    struct blob *blob;
    slice payload;
    const struct sockaddr *from; /* in the blob */
    bool truncated;
};

/* ---- senders ------------------------------------------------------------------------- */

static uint32_t sender_key(const struct sockaddr *from, uint8_t key[17])
{
    memset(key, 0, 17);
    key[0] = (uint8_t)from->sa_family;
    if (from->sa_family == AF_INET)
        memcpy(key + 1, &((const struct sockaddr_in *)from)->sin_addr, 4);
    else if (from->sa_family == AF_INET6)
        memcpy(key + 1, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
    return (uint32_t)(hash_bytes((const char *)key, 17, 0) % SENDERS_MAX);
}

static struct sender *sender_of(struct datagrams *d, const struct sockaddr *from)
{
    uint8_t key[17];
    uint32_t at = sender_key(from, key);
    if (d->last != NULL && memcmp(d->last->key, key, 17) == 0) return d->last;
    struct sender *s = d->last = &d->sender[at];
    if (memcmp(s->key, key, 17) == 0) return s;
    memcpy(s->key, key, 17);
    s->text_n = address_text(from, s->text);
    s->serial = 0;
    stamp_clear(&s->stamp);
    return s;
}

slice sender_text(struct sender *from, struct worker *worker)
{
    struct batch *b = worker_batch(worker);
    if (from->serial != worker->batch_serial) {
        from->serial = worker->batch_serial;
        from->kept = arena_copy(&b->arena, slice_make(from->text, from->text_n));
    }
    return from->kept;
}

/* ---- receiving ----------------------------------------------------------------------------- */

static void arm(struct datagrams *d)
{
    if (d->op.armed || d->paused || d->stopping || d->fd < 0) return;
    io_recvmsg(d->shard->io, &d->op, d->fd);
}

static void hold(struct datagrams *d, const struct held_datagram *datagram)
{
    if (d->held_n == d->held_cap) {
        d->held_cap = d->held_cap == 0 ? 64 : d->held_cap * 2;
        ASSERT(d->held_cap <= DATAGRAMS_HELD_MAX);
        d->held = realloc(d->held, d->held_cap * sizeof(*d->held));
        ASSERT(d->held != NULL);
    }
    if (d->held_n == 0) d->intake.waiting++;
    counter_add(&d->counters->held, 1);
    d->held[d->held_n++] = *datagram;
}

static void pass(struct datagrams *d, slice payload, const struct sockaddr *from, bool truncated)
{
    counter_add(&d->counters->received, 1);
    counter_add(&d->counters->bytes, payload.n);
    if (truncated) counter_add(&d->counters->truncated, 1);
    if (payload.n == 0)
        counter_add(&d->counters->empty, 1);
    else
        d->take(d, payload, sender_of(d, from), truncated);
}

static void on_datagram(struct io_op *op, int32_t n)
{
    struct datagrams *d = (struct datagrams *)((char *)op - offsetof(struct datagrams, op));
    if (op->blob != NULL) {
        d->hungry = 0;
        d->shard->datagrams++;
        if (!timer_is_set(&d->drops))
            timer_set(&d->shard->timers, &d->drops, d->shard->now_mono_ns + DROPS_INTERVAL_NS);
        struct blob *blob = op->blob;
        if (d->stopping) {
            blob_unpin(blob);
        } else if (d->held_n > 0 || !worker_may_read(d->worker, &d->intake, &d->window)) {
            hold(d, &(struct held_datagram){op->blob, op->payload, op->from, op->truncated});
            if (!d->paused) io_cancel(d->shard->io, op);
            d->paused = true;
        } else {
            pass(d, op->payload, op->from, op->truncated);
            blob_unpin(blob);
        }
    } else if (n == -ENOBUFS) {
        counter_add(&d->counters->starved, 1);
        if (++d->hungry > 1) {
            timer_set(&d->shard->timers, &d->retry, d->shard->now_mono_ns + STARVED_RETRY_NS);
            return;
        }
    }
    if (!op->more) arm(d);
}

static void retry(struct timer *timer, int64_t now_ns)
{
    (void)now_ns;
    arm((struct datagrams *)((char *)timer - offsetof(struct datagrams, retry)));
}

static void look_for_drops(struct timer *timer, int64_t now_ns)
{
    (void)now_ns;
    struct datagrams *d = (struct datagrams *)((char *)timer - offsetof(struct datagrams, drops));
    counter_set(&d->counters->dropped_by_kernel, io_dropped(d->shard->io, d->fd));
}

static void resume(struct intake *intake)
{
    struct datagrams *d = (struct datagrams *)intake;
    uint32_t at = 0;
    while (at < d->held_n && worker_may_read(d->worker, &d->intake, &d->window)) {
        const struct held_datagram *h = &d->held[at++];
        pass(d, h->payload, h->from, h->truncated);
        blob_unpin(h->blob);
    }
    if (at > 0 && at == d->held_n) d->intake.waiting--;
    d->held_n -= at;
    memmove(d->held, d->held + at, d->held_n * sizeof(*d->held));
    if (d->held_n > 0) return;
    d->paused = false;
    arm(d);
}

/* ---- from interfaces of ours ---------------------------------------------------------------- */

bool datagrams_offer(struct datagrams *d, slice payload, const struct sockaddr *from)
{
    if (d->held_n > 0 || !worker_may_read(d->worker, &d->intake, &d->window)) return false;
    counter_add(&d->counters->polled, 1);
    pass(d, payload, from, false);
    return true;
}

void datagrams_keep(struct datagrams *d, struct blob *blob, slice payload,
                    const struct sockaddr *from)
{
    counter_add(&d->counters->polled, 1);
    hold(d, &(struct held_datagram){blob, payload, from, false});
}

void datagrams_lost(struct datagrams *d)
{
    counter_add(&d->counters->dropped_polled, 1);
}

static err resolve(slice host, uint16_t port, struct nic_route *route, char *why)
{
    struct sockaddr_storage addr;
    socklen_t addr_n;
    *route = (struct nic_route){0};
    err e = address_resolve(host, port, true, &addr, &addr_n, why);
    if (e != ERR_OK) return e;
    *route = (struct nic_route){nic_address_of((const struct sockaddr *)&addr), port};
    return ERR_OK;
}

bool datagrams_only_polled(slice host, uint16_t port)
{
    char why[LISTENER_WHY_BYTES];
    struct nic_route route;
    return nics_get() != NULL && resolve(host, port, &route, why) == ERR_OK &&
           nics_have(&route.address);
}

err datagrams_open(const struct listener_config *config, int *fd, uint32_t n, int64_t *got_bytes,
                   struct nic_route *route, char why[LISTENER_WHY_BYTES])
{
    *route = (struct nic_route){0};
    if (nics_get() == NULL) return listener_open(config, fd, n, got_bytes, why);
    err e = resolve(config->host, config->port, route, why);
    if (e != ERR_OK) return e;
    if (!nics_have(&route->address)) return listener_open(config, fd, n, got_bytes, why);
    for (uint32_t i = 0; i < n; i++) fd[i] = -1;
    if (got_bytes != NULL) *got_bytes = config->receive_buffer_bytes;
    if (config->port != 0 && nics_claim(&route->address, config->port)) return ERR_OK;
    snprintf(why, LISTENER_WHY_BYTES, "cannot receive on %.*s port %u/udp: %s",
             SLICE_FMT(config->host), config->port,
             config->port == 0 ? "an interface of dpdk.devices has no free ports to choose from"
                               : "another input does");
    *route = (struct nic_route){0};
    return ERR_SYSTEM;
}

void datagrams_close(int *fd, uint32_t n, const struct nic_route *route)
{
    if (n > 0 && fd[0] < 0) nics_release(&route->address, route->port);
    listener_close(fd, n);
}

/* ---- start and stop ----------------------------------------------------------------------- */

void datagrams_start(struct datagrams *d, struct worker *worker,
                     const struct datagrams_config *config)
{
    *d = (struct datagrams){.worker = worker,
                            .shard = worker->shard,
                            .fd = config->fd,
                            .counters = config->counters,
                            .take = config->take};
    d->sender = calloc(SENDERS_MAX, sizeof(*d->sender));
    ASSERT(d->sender != NULL);
    d->op.done = on_datagram;
    d->retry.fire = retry;
    d->drops.fire = look_for_drops;
    intake_init(&d->intake, config->window_bytes, resume);
    ack_window_init(&d->window, ACK_WINDOW_SLOTS, &d->intake);
    worker_add_intake(worker, &d->intake);
    if (d->shard->nic != NULL && config->route.port != 0)
        nic_poll_listen(d->shard->nic, &config->route, d);
    arm(d);
}

void datagrams_move(struct datagrams *d, struct worker *worker, const void *old_cfg,
                    const void *new_cfg)
{
    worker_adopt_intake(worker, d->worker, &d->intake);
    d->worker = worker;
    for (uint32_t i = 0; i < SENDERS_MAX; i++) {
        stamp_move(&d->sender[i].stamp, old_cfg, new_cfg);
        d->sender[i].serial = 0;
    }
}

void datagrams_stop(struct datagrams *d)
{
    d->stopping = true;
    timer_cancel(&d->shard->timers, &d->retry);
    timer_cancel(&d->shard->timers, &d->drops);
    if (d->fd >= 0) counter_set(&d->counters->dropped_by_kernel, io_dropped(d->shard->io, d->fd));
    if (d->shard->nic != NULL) nic_poll_forget(d->shard->nic, d);
    io_cancel(d->shard->io, &d->op);
}

bool datagrams_stopped(struct datagrams *d)
{
    ASSERT(d->stopping);
    if (d->op.armed) return false;
    for (uint32_t i = 0; i < d->held_n; i++) blob_unpin(d->held[i].blob);
    free(d->held);
    d->held = NULL;
    d->held_n = 0;
    for (uint32_t i = 0; d->sender != NULL && i < SENDERS_MAX; i++) stamp_fini(&d->sender[i].stamp);
    free(d->sender);
    d->sender = NULL;
    if (d->window.ring != NULL) ack_window_fini(&d->window);
    return true;
}

void datagram_counters_json(const struct datagram_counters *counters, uint32_t n, struct buf *out)
{
    static const char *const names[] = {
        "datagrams",           "datagram_bytes",    "datagrams_empty",
        "datagrams_truncated", "datagrams_dropped", "datagram_receive_starved",
        "datagrams_held",      "datagrams_polled",  "datagrams_polled_dropped"};
    uint64_t sum[9] = {0};
    for (uint32_t i = 0; i < n; i++) {
        const struct datagram_counters *c = &counters[i];
        const struct counter *all[9] = {
            &c->received, &c->bytes, &c->empty,  &c->truncated,     &c->dropped_by_kernel,
            &c->starved,  &c->held,  &c->polled, &c->dropped_polled};
        for (uint32_t k = 0; k < 9; k++) sum[k] += counter_read(all[k]);
    }
    for (uint32_t k = 0; k < 9; k++)
        buf_printf(out, ",\"%s\":%llu", names[k], (unsigned long long)sum[k]);
}
