/* bus.c - claims, inlets, outlets, and what goes between them. */
#include "engine/shard/bus.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/event/transplant.h"

#define LOGGER "bus"
/* A listener that is only being reloaded is back before that. */
#define COMPLAIN_FIRST_NS NS_PER_SEC
#define COMPLAIN_NS (5 * NS_PER_SEC)

/* A copy of events on its way to another shard and back. Belongs to `home`, which reuses it. */
struct bus_cargo {
    struct message message;
    struct shard *home;
    struct bus_parcel *parcel;
    bool absent; /* nobody listens: the events come back */
    slice address;
    struct page_pool pool; /* travels along: no two shards use it at a time */
    struct batch batch;
    struct bus_cargo *next;
};

struct bus_parcel {
    struct message message;
    struct shard *home;
    /* Home only: */
    struct bus_outlet *outlet; /* NULL: it has closed */
    uint32_t at;               /* in outlet->flying */
    struct receipt **hold;
    uint32_t hold_n, hold_cap;
    uint32_t events;
    bool away; /* counted in the port's away_n */
    struct bus_parcel *next;
    /* The listener's shard, until it goes home: */
    struct bus_inlet *inlet;
    struct ack_window window;
    enum outcome outcome;
    uint32_t shard_n; /* of the listener: 0, unknown */
};

/* A shard's part of the bus. */
struct bus_port {
    struct bus_inlet *inlets;
    struct key_table *keys;
    struct bus_cargo *free_cargo;
    uint32_t cargo_n, away_n;
    struct bus_parcel *landing; /* settled on this shard, their home; see land_all */
    bool lands;
    struct shard **peer;
    uint32_t peer_n;
};

/* ---- claims -------------------------------------------------------------------------------- */

/* Control thread only. */
static struct bus_claim *claims;

struct bus_claim *bus_claim(slice address, const char *pipeline_id, uint32_t shards,
                            const char **owner)
{
    for (struct bus_claim *c = claims; c != NULL; c = c->next)
        if (slice_equal(c->address, address)) {
            *owner = c->owner;
            return NULL;
        }
    struct bus_claim *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    char *text = malloc(address.n + 1);
    c->owner = strdup(pipeline_id);
    ASSERT(text != NULL && c->owner != NULL);
    if (address.n > 0) memcpy(text, address.p, address.n);
    c->address = slice_make(text, address.n);
    c->shard_n = shards;
    c->next = claims;
    claims = c;
    return c;
}

void bus_unclaim(struct bus_claim *claim)
{
    struct bus_claim **at = &claims;
    while (*at != claim) at = &(*at)->next;
    *at = claim->next;
    free((void *)(uintptr_t)claim->address.p);
    free(claim->owner);
    free(claim);
}

/* ---- ports --------------------------------------------------------------------------------- */

static struct bus_port *port_of(struct shard *shard)
{
    if (shard->bus != NULL) return shard->bus;
    shard->bus = calloc(1, sizeof(*shard->bus));
    ASSERT(shard->bus != NULL);
    shard->bus->keys = key_table_new();
    return shard->bus;
}

void bus_join(struct shard *shard, struct shard *const *all, uint32_t n)
{
    struct bus_port *port = port_of(shard);
    ASSERT(port->peer_n == 0);
    port->peer = calloc(n, sizeof(*port->peer));
    ASSERT(port->peer != NULL);
    memcpy(port->peer, all, n * sizeof(*port->peer));
    port->peer_n = n;
}

void bus_port_free(struct shard *shard)
{
    struct bus_port *port = shard->bus;
    ASSERT(port->inlets == NULL && port->cargo_n == 0 && port->away_n == 0);
    while (port->free_cargo != NULL) {
        struct bus_cargo *c = port->free_cargo;
        port->free_cargo = c->next;
        batch_fini(&c->batch);
        page_pool_fini(&c->pool);
        free(c);
    }
    key_table_free(port->keys);
    free(port->peer);
    free(port);
    shard->bus = NULL;
}

static struct bus_inlet *find(const struct shard *shard, slice address)
{
    struct bus_inlet *inlet = shard->bus->inlets;
    while (inlet != NULL && !slice_equal(inlet->claim->address, address)) inlet = inlet->next;
    return inlet;
}

/* From one shard to another, or simply done when it is the same. */
static void travel(struct message *message, struct shard *from, struct shard *to)
{
    if (from == to)
        message->run(message, to);
    else
        shard_post(to, message);
}

/* ---- parcels at home ------------------------------------------------------------------------ */

static void parcel_free(struct bus_parcel *p)
{
    ack_window_fini(&p->window);
    free(p->hold);
    free(p);
}

static void parcel_release(struct bus_parcel *p, enum outcome outcome)
{
    /* The newest first: a source whose receipts they are then hears of all of them at once. */
    for (uint32_t n = p->hold_n; n > 0; n = p->hold_n) {
        p->hold_n--;
        receipt_release(p->hold[n - 1], outcome);
    }
}

static void parcel_land(struct bus_parcel *p)
{
    struct bus_outlet *o = p->outlet;
    o->flying[p->at] = o->flying[--o->flying_n];
    o->flying[p->at]->at = p->at;
    if (!p->away) return;
    p->away = false;
    o->away_n--;
    p->home->bus->away_n--;
}

/* Its promise is settled. */
static void parcel_home(struct message *message, struct shard *shard)
{
    struct bus_parcel *p = (struct bus_parcel *)message;
    struct bus_outlet *o = p->outlet;
    if (o == NULL) {
        if (p->away) shard->bus->away_n--;
        parcel_free(p);
        return;
    }
    if (p->shard_n > 0) o->to = shard->index % p->shard_n;
    parcel_land(p);
    parcel_release(p, p->outcome);
    p->next = o->free;
    o->free = p;
}

/* What one releases may settle the next, of the pipeline before: one after the other and not inside
 * of each other, for in a circle there are as many as an event has made rounds. */
static void land_all(struct bus_port *port, struct shard *shard)
{
    if (port->lands) return;
    port->lands = true;
    while (port->landing != NULL) {
        struct bus_parcel *p = port->landing;
        port->landing = p->next;
        parcel_home(&p->message, shard);
    }
    port->lands = false;
}

static void settled(struct bus_parcel *p, enum outcome outcome)
{
    struct bus_inlet *inlet = p->inlet;
    p->outcome = outcome;
    inlet->unsettled_n--;
    if (p->home == inlet->shard) {
        p->next = p->home->bus->landing;
        p->home->bus->landing = p;
        land_all(p->home->bus, p->home);
    } else {
        p->message.run = parcel_home;
        shard_post(p->home, &p->message);
    }
}

static void on_acked(struct ack_window *w, uint64_t position)
{
    (void)position;
    settled((struct bus_parcel *)((char *)w - offsetof(struct bus_parcel, window)),
            OUTCOME_DELIVERED);
}

static void on_failed(struct ack_window *w, uint64_t position)
{
    (void)position;
    settled((struct bus_parcel *)((char *)w - offsetof(struct bus_parcel, window)), OUTCOME_FAILED);
}

static struct bus_parcel *parcel_take(struct bus_outlet *o, const struct batch *b)
{
    struct bus_parcel *p = o->free;
    if (p != NULL) {
        o->free = p->next;
    } else {
        p = calloc(1, sizeof(*p));
        ASSERT(p != NULL);
        p->home = o->shard;
        p->outlet = o;
        ack_window_init(&p->window, 2, NULL);
        p->window.acked = on_acked;
        p->window.failed = on_failed;
    }
    if (p->hold_cap < b->hold_n) {
        p->hold_cap = b->hold_n;
        p->hold = realloc(p->hold, p->hold_cap * sizeof(*p->hold));
        ASSERT(p->hold != NULL);
    }
    for (uint32_t i = 0; i < b->hold_n; i++) {
        p->hold[i] = b->hold[i];
        receipt_hold(b->hold[i]);
    }
    p->hold_n = b->hold_n;
    p->shard_n = 0;
    p->at = o->flying_n;
    o->flying[o->flying_n++] = p;
    return p;
}

/* ---- into the listener's batches ------------------------------------------------------------ */

/* Events from `at` on, as many as the open batch takes; returns the index of the next. */
static uint32_t fill(struct bus_inlet *inlet, struct receipt *r, const struct batch *from,
                     const uint32_t *in, uint32_t n, uint32_t at)
{
    struct worker *w = inlet->worker;
    struct batch *b = worker_batch_queued(w);
    struct transplant t;
    uint32_t first = b->n;
    transplant_init(&t, b, w->shard->bus->keys);
    batch_hold(b, r);
    while (at < n && b->n < w->events_max && b->bytes + t.bytes < WORKER_BATCH_BYTES) {
        const struct event *ev = &from->event[in == NULL ? at : in[at]];
        transplant_event(&t, ev);
        at++;
    }
    if (inlet->decoration != NULL) decoration_apply(inlet->decoration, b, first);
    worker_took(w, NULL, (uint32_t)t.bytes, b->n - first);
    intake_took(&inlet->intake, (uint32_t)t.bytes, b->n - first);
    r->bytes += (uint32_t)t.bytes;
    inlet->intake.credit_bytes -= (int64_t)t.bytes;
    return at;
}

/* The events `in` (NULL: the first n) of a batch become the listener's. */
static void unload(struct bus_inlet *inlet, struct bus_parcel *p, const struct batch *from,
                   const uint32_t *in, uint32_t n)
{
    p->inlet = inlet;
    p->shard_n = inlet->claim->shard_n;
    p->window.intake = &inlet->intake;
    p->window.broken = false;
    inlet->unsettled_n++;
    struct receipt *r = ack_window_open(&p->window, 0, 0);
    for (uint32_t at = 0; at < n;) at = fill(inlet, r, from, in, n, at);
    receipt_release(r, OUTCOME_DELIVERED);
}

static bool ready(struct bus_inlet *inlet)
{
    /* Asked in any case: the worker has to know that somebody waits. */
    bool may = worker_may_read(inlet->worker, &inlet->intake, NULL);
    return may && inlet->first == NULL;
}

/* ---- cargo ------------------------------------------------------------------------------------
 */

static void cargo_home(struct message *message, struct shard *shard);

static struct bus_cargo *cargo_take(struct shard *home)
{
    struct bus_port *port = home->bus;
    struct bus_cargo *c = port->free_cargo;
    port->cargo_n++;
    if (c != NULL) {
        port->free_cargo = c->next;
        return c;
    }
    c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    c->home = home;
    page_pool_init(&c->pool, SIZE_MAX);
    batch_init(&c->batch, &c->pool);
    return c;
}

static void cargo_give(struct bus_cargo *c)
{
    struct bus_port *port = c->home->bus;
    batch_reset(&c->batch);
    port->cargo_n--;
    c->next = port->free_cargo;
    port->free_cargo = c;
}

static void cargo_return(struct bus_cargo *c, struct shard *from, bool absent)
{
    c->absent = absent;
    c->message.run = cargo_home;
    travel(&c->message, from, c->home);
}

static void cargo_unload(struct bus_inlet *inlet, struct bus_cargo *c)
{
    unload(inlet, c->parcel, &c->batch, NULL, c->batch.n);
    cargo_return(c, inlet->shard, false);
}

static void cargo_arrive(struct message *message, struct shard *shard)
{
    struct bus_cargo *c = (struct bus_cargo *)message;
    struct bus_inlet *inlet = shard->bus == NULL ? NULL : find(shard, c->address);
    c->next = NULL;
    if (inlet == NULL) {
        cargo_return(c, shard, true);
    } else if (ready(inlet)) {
        cargo_unload(inlet, c);
    } else {
        if (inlet->first == NULL)
            inlet->first = c;
        else
            inlet->last->next = c;
        inlet->last = c;
        inlet->intake.waiting++;
    }
}

static void cargo_send(struct bus_cargo *c, struct shard *to)
{
    c->message.run = cargo_arrive;
    shard_post(to, &c->message);
}

/* Nobody listened: dropped, or kept until somebody does. */
static void cargo_is_back(struct bus_outlet *o, struct bus_cargo *c)
{
    struct bus_parcel *p = c->parcel;
    o->to = 0; /* where every pipeline runs, if it runs */
    if (o->drops) {
        bus_outlet_absent(o, c->batch.n);
        o->cargo_n--;
        cargo_give(c);
        p->outcome = OUTCOME_DELIVERED;
        parcel_home(&p->message, o->shard);
        return;
    }
    c->next = NULL;
    if (o->back == NULL) {
        o->back = c;
        o->retry_ns = o->shard->now_mono_ns + BUS_RETRY_NS;
    } else {
        o->back_last->next = c;
    }
    o->back_last = c;
}

/* Unloaded, or with all its events because nobody listened. The parcel is not home before that. */
static void cargo_home(struct message *message, struct shard *shard)
{
    struct bus_cargo *c = (struct bus_cargo *)message;
    struct bus_outlet *o = c->parcel->outlet;
    if (c->absent && o != NULL) {
        cargo_is_back(o, c);
        return;
    }
    struct bus_parcel *orphan = c->absent ? c->parcel : NULL;
    if (o != NULL) {
        o->cargo_n--;
        o->absent_since_ns = 0;
    }
    cargo_give(c);
    if (orphan != NULL) parcel_home(&orphan->message, shard);
}

/* ---- inlets -----------------------------------------------------------------------------------
 */

static void inlet_resume(struct intake *intake)
{
    struct bus_inlet *inlet =
        (struct bus_inlet *)((char *)intake - offsetof(struct bus_inlet, intake));
    while (inlet->first != NULL && worker_may_read(inlet->worker, &inlet->intake, NULL)) {
        struct bus_cargo *c = inlet->first;
        inlet->first = c->next;
        inlet->intake.waiting--;
        cargo_unload(inlet, c);
    }
    /* Senders on this shard try again in its next turn, which must not wait for anything else. */
    shard_notify(inlet->shard);
}

/* What is out is bounded where it came from: every sender's own credit is. */
#define INLET_WINDOW_BYTES (INT64_MAX / 4)

void bus_listen(struct bus_inlet *inlet, const struct bus_claim *claim, struct worker *worker,
                const struct decoration *decoration)
{
    struct bus_port *port = port_of(worker->shard);
    inlet->claim = claim;
    inlet->shard = worker->shard;
    inlet->worker = worker;
    inlet->decoration = decoration;
    intake_init(&inlet->intake, INLET_WINDOW_BYTES, inlet_resume);
    inlet->intake.fed = true;
    worker_add_intake(worker, &inlet->intake);
    inlet->next = port->inlets;
    port->inlets = inlet;
}

void bus_unlisten(struct bus_inlet *inlet)
{
    struct bus_inlet **at = &inlet->shard->bus->inlets;
    while (*at != NULL && *at != inlet) at = &(*at)->next;
    if (*at != NULL) *at = inlet->next;
}

void bus_inlet_move(struct bus_inlet *inlet, struct worker *worker,
                    const struct decoration *decoration)
{
    worker_adopt_intake(worker, inlet->worker, &inlet->intake);
    inlet->worker = worker;
    inlet->decoration = decoration;
}

/* The worker is not to be asked any more. */
static void give_up(struct bus_inlet *inlet, struct bus_cargo *c)
{
    struct bus_parcel *p = c->parcel;
    struct shard *here = inlet->shard;
    cargo_return(c, here, false);
    p->outcome = OUTCOME_FAILED;
    p->message.run = parcel_home;
    travel(&p->message, here, p->home);
}

bool bus_inlet_stopped(struct bus_inlet *inlet)
{
    while (inlet->first != NULL) {
        struct bus_cargo *c = inlet->first;
        inlet->first = c->next;
        inlet->intake.waiting--;
        give_up(inlet, c);
    }
    return inlet->unsettled_n == 0;
}

/* ---- outlets ----------------------------------------------------------------------------------
 */

void bus_outlet_open(struct bus_outlet *o, struct shard *shard, slice address, bool drops,
                     const char *pipeline_id, struct bus_outlet_counters *counters)
{
    port_of(shard);
    *o = (struct bus_outlet){.address = address,
                             .pipeline_id = pipeline_id,
                             .shard = shard,
                             .drops = drops,
                             .counters = counters};
    o->flying = calloc(BUS_PARCELS_MAX, sizeof(*o->flying));
    ASSERT(o->flying != NULL);
}

/* How many cargoes of a shard may be on their way: however many shards send to one, its mailbox has
 * room. */
static uint32_t port_cargo_max(const struct bus_port *port)
{
    uint32_t max = MAILBOX_SLOTS / 4 / port->peer_n;
    return max < BUS_CARGO_MAX ? BUS_CARGO_MAX : max;
}

static enum bus_room room(struct bus_outlet *o)
{
    const struct bus_port *port = o->shard->bus;
    if (o->back != NULL || o->flying_n == BUS_PARCELS_MAX) return BUS_FULL;
    struct bus_inlet *inlet = find(o->shard, o->address);
    if (inlet != NULL) {
        o->absent_since_ns = 0;
        return ready(inlet) ? BUS_READY : BUS_FULL;
    }
    /* A pipeline runs on the first shard and as many of the next as it has workers. */
    if (port->peer_n == 0 || o->shard->index == 0) return BUS_ABSENT;
    return o->cargo_n < BUS_CARGO_MAX && port->cargo_n < port_cargo_max(port) &&
                   port->away_n < BUS_AWAY_MAX
               ? BUS_READY
               : BUS_FULL;
}

enum bus_room bus_outlet_room(struct bus_outlet *o)
{
    enum bus_room answer = room(o);
    if (answer == BUS_FULL) counter_add(&o->counters->full_hits, 1);
    return answer;
}

void bus_send(struct bus_outlet *o, const struct batch *b, const struct sel *in)
{
    struct bus_port *port = o->shard->bus;
    struct bus_inlet *inlet = find(o->shard, o->address);
    struct bus_parcel *p = parcel_take(o, b);
    if (inlet != NULL) {
        unload(inlet, p, b, in->at, in->n);
        return;
    }
    struct bus_cargo *c = cargo_take(o->shard);
    struct transplant t;
    transplant_init(&t, &c->batch, port->keys);
    c->batch.now_ns = b->now_ns;
    for (uint32_t i = 0; i < in->n; i++) transplant_event(&t, &b->event[in->at[i]]);
    c->address = arena_copy(&c->batch.arena, o->address);
    c->parcel = p;
    p->away = true;
    port->away_n++;
    o->away_n++;
    o->cargo_n++;
    cargo_send(c, port->peer[o->to]);
}

void bus_outlet_absent(struct bus_outlet *o, uint32_t dropped)
{
    int64_t now_ns = o->shard->now_mono_ns;
    counter_add(&o->counters->dropped, dropped);
    if (o->absent_since_ns == 0) {
        o->absent_since_ns = now_ns;
        o->complain_ns = now_ns + (o->drops ? 0 : COMPLAIN_FIRST_NS);
    }
    if (now_ns < o->complain_ns) return;
    o->complain_ns = now_ns + COMPLAIN_NS;
    if (o->drops)
        log_warn(LOGGER,
                 "[%s] no pipeline listens at \"%.*s\": events for it are dropped, %llu so far "
                 "(ensure_delivery is false)",
                 o->pipeline_id, SLICE_FMT(o->address),
                 (unsigned long long)counter_read(&o->counters->dropped));
    else
        log_warn(LOGGER,
                 "[%s] no pipeline listens at \"%.*s\". Maybe the destination pipeline is down or "
                 "stopping? Events wait for it.",
                 o->pipeline_id, SLICE_FMT(o->address));
}

/* Where they go now; false: not yet. */
static bool send_again(struct bus_outlet *o, struct bus_cargo *c)
{
    struct bus_inlet *inlet = find(o->shard, o->address);
    if (inlet == NULL) {
        cargo_send(c, o->shard->bus->peer[0]);
        return true;
    }
    if (!ready(inlet)) return false;
    cargo_unload(inlet, c);
    return true;
}

void bus_outlet_tick(struct bus_outlet *o)
{
    if (o->back == NULL || o->shard->now_mono_ns < o->retry_ns) return;
    bus_outlet_absent(o, 0);
    while (o->back != NULL) {
        struct bus_cargo *c = o->back;
        o->back = c->next;
        if (send_again(o, c)) continue;
        o->back = c;
        return;
    }
}

void bus_outlet_close(struct bus_outlet *o)
{
    while (o->back != NULL) {
        struct bus_cargo *c = o->back;
        o->back = c->next;
        c->parcel->outcome = OUTCOME_FAILED;
        parcel_home(&c->parcel->message, o->shard);
        cargo_give(c);
    }
    for (uint32_t i = 0; i < o->flying_n; i++) {
        struct bus_parcel *p = o->flying[i];
        p->outlet = NULL;
        parcel_release(p, OUTCOME_FAILED);
    }
    while (o->free != NULL) {
        struct bus_parcel *p = o->free;
        o->free = p->next;
        parcel_free(p);
    }
    free(o->flying);
    o->flying = NULL;
}
