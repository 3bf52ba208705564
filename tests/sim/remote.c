/* remote.c - the output whose far side is slow, out of order and sometimes wrong; and `pause`. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"
#include "engine/shard/delivery.h"
#include "tests/sim/plugins.h"

struct world world;

/* ---- remote ------------------------------------------------------------------------------- */

#define HELD_MAX 128u

struct remote_cfg {
    int64_t number; /* which output of the model */
};

struct held {
    struct delivery_request *request;
    int64_t due_ns;
    bool stored; /* a try that looked like a failure stored it all the same */
};

struct remote_shared {
    struct delivery delivery;
    const struct remote_cfg *cfg;
    struct held held[HELD_MAX];
    uint32_t held_n;
};

struct remote_state {
    struct lane *lane;
};

static const struct setting remote_settings[] = {
    {.name = "number", SETTING_AT(struct remote_cfg, number, INT), .doc = "Which one."}, {0}};

static err no_compile(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}

/* The test is the writer: the thread that delivery starts has nothing to do. */
static void run_nothing(struct delivery *d)
{
    (void)d;
}

static err remote_open(void *shared, const void *cfg, struct output *self, uint32_t shards)
{
    struct remote_shared *r = shared;
    (void)self;
    r->cfg = cfg;
    return delivery_start(&r->delivery, shards, "sim", run_nothing, r);
}

static err remote_start(void *state, void *shared, const void *cfg, struct worker *worker,
                        struct output *self)
{
    struct remote_state *s = state;
    (void)cfg, (void)self;
    s->lane = lane_new(&((struct remote_shared *)shared)->delivery, worker);
    s->lane->seal_bytes = world.seal_bytes;
    s->lane->linger_ns = world.linger_ns;
    return ERR_OK;
}

static struct value *field(struct event *ev, const char *name)
{
    slice key = slice_from_cstr(name);
    struct member *m = map_find(&ev->data, key, hash_key(key.p, key.n));
    return m == NULL ? NULL : &m->val;
}

static uint32_t number_of(struct batch *b, struct event *ev, const char *name)
{
    struct value all = value_map(&ev->data);
    struct buf shown = {0};
    struct value *v = field(ev, name);
    if (v != NULL) value_resolve(v, &b->arena);
    int64_t num = -1;
    bool ok = v != NULL &&
              (v->type == VALUE_INT ? (num = v->u.num, true) : slice_to_i64(value_slice(v), &num));
    if (!ok) value_json(&all, &shown);
    CHECK(ok && num >= 0 && num <= UINT32_MAX, "an event without a good `%s`: %.*s", name,
          (int)shown.n, shown.data);
    return (uint32_t)num;
}

static enum push remote_push(void *state, const void *cfg_, struct batch *b, const struct sel *in)
{
    struct remote_state *s = state;
    const struct remote_cfg *cfg = cfg_;
    struct delivery_request *r = lane_request(s->lane);
    if (r == NULL) {
        model.parked++;
        return PUSH_FULL;
    }
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        uint32_t client = number_of(b, ev, "c"), line = number_of(b, ev, "s");
        bool twin = event_has_tag(b, ev, SLICE("twin"));
        model_pushed((uint32_t)cfg->number, (int)number_of(b, ev, "fd"), client, line, twin);
        buf_printf(&r->body, "%u %u %d\n", client, line, twin);
    }
    lane_add(s->lane, b, in->n);
    return PUSH_TAKEN;
}

static void remote_tick(void *state, const void *cfg, int64_t now_mono_ns)
{
    (void)cfg, (void)now_mono_ns;
    lane_poll(((struct remote_state *)state)->lane);
}

static bool remote_drain(void *state, const void *cfg)
{
    (void)cfg;
    return lane_drain(((struct remote_state *)state)->lane);
}

static void remote_stop(void *state, const void *cfg)
{
    (void)cfg;
    lane_close(((struct remote_state *)state)->lane);
}

static void store(const struct remote_shared *r, const struct delivery_request *request)
{
    slice rest = buf_slice(&request->body);
    while (rest.n > 0) {
        unsigned client, line;
        int twin;
        char text[64];
        int64_t end = slice_find_byte(rest, '\n');
        ASSERT(end > 0);
        slice_cstr(slice_part(rest, 0, (uint32_t)end), text, sizeof(text));
        int n = sscanf(text, "%u %u %d", &client, &line, &twin);
        ASSERT(n == 3);
        model_stored((uint32_t)r->cfg->number, client, line, twin != 0);
        rest = slice_from(rest, (uint32_t)end + 1);
    }
}

static int64_t answer_delay(void)
{
    return (int64_t)prng_below(sim_prng(world.sim), (uint64_t)world.answer_ns_max + 1);
}

/* Answers request `at` of those held, or puts the answer off for another try. */
static void answer(struct remote_shared *r, uint32_t at)
{
    struct held *h = &r->held[at];
    enum outcome outcome = OUTCOME_DELIVERED;
    if (sim_chance(world.sim, world.retry_chance)) {
        /* Refused, or taken and the answer lost: it is sent again. */
        if (sim_chance(world.sim, 300)) store(r, h->request);
        h->due_ns = sim_now_ns(world.sim) + answer_delay();
        return;
    }
    if (model.failed_requests < FAULTS_MAX && sim_chance(world.sim, world.fail_chance)) {
        outcome = OUTCOME_FAILED;
        model.failed_requests++;
        if (sim_chance(world.sim, 300)) store(r, h->request);
    } else {
        store(r, h->request);
        if (sim_chance(world.sim, 100)) outcome = OUTCOME_DEAD_LETTERED;
    }
    delivery_done(h->request, outcome);
    model.requests++;
    r->held[at] = r->held[--r->held_n];
}

void remote_turn(void *shared)
{
    struct remote_shared *r = shared;
    while (r->held_n < HELD_MAX && sim_chance(world.sim, 700)) {
        struct delivery_request *request = delivery_next(&r->delivery, 0);
        if (request == NULL) break;
        r->held[r->held_n++] =
            (struct held){.request = request, .due_ns = sim_now_ns(world.sim) + answer_delay()};
    }
    for (uint32_t i = r->held_n; i > 0; i--)
        if (r->held[i - 1].due_ns <= sim_now_ns(world.sim)) answer(r, i - 1);
}

static void remote_close(void *shared, const void *cfg)
{
    struct remote_shared *r = shared;
    (void)cfg;
    /* A writer finishes what it holds, though nobody waits for it any more. */
    while (r->held_n > 0) {
        if (sim_chance(world.sim, 500)) store(r, r->held[0].request);
        delivery_done(r->held[0].request, OUTCOME_DELIVERED);
        r->held[0] = r->held[--r->held_n];
    }
    delivery_stop(&r->delivery);
}

const struct output_ops output_remote = {
    .name = "remote",
    .doc = "A server far away.",
    .settings = remote_settings,
    .cfg_size = sizeof(struct remote_cfg),
    .shared_size = sizeof(struct remote_shared),
    .state_size = sizeof(struct remote_state),
    .compile = no_compile,
    .open = remote_open,
    .start = remote_start,
    .push = remote_push,
    .tick = remote_tick,
    .drain = remote_drain,
    .stop = remote_stop,
    .close = remote_close,
};

/* ---- pause -------------------------------------------------------------------------------- */

struct pause_state {
    struct timer timer; /* first: fire gets it */
    struct worker *worker;
    bool waiting, fired;
};

static void pause_fire(struct timer *timer, int64_t now_ns)
{
    struct pause_state *s = (struct pause_state *)timer;
    (void)now_ns;
    s->fired = true;
    worker_resume(s->worker);
}

static err pause_start(void *state, const void *cfg, struct worker *worker)
{
    struct pause_state *s = state;
    (void)cfg;
    s->worker = worker;
    s->timer.fire = pause_fire;
    return ERR_OK;
}

static enum applied pause_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                                struct sel *hit, struct plan_run *run)
{
    struct pause_state *s = state;
    (void)cfg, (void)b, (void)in, (void)hit, (void)run;
    CHECK(!s->waiting || s->fired, "a batch that waits was stepped");
    if (!s->waiting && sim_chance(world.sim, world.pause_chance)) {
        s->waiting = true;
        s->fired = false;
        model.pauses++;
        timer_set(&s->worker->shard->timers, &s->timer,
                  s->worker->shard->now_mono_ns + answer_delay());
        return APPLY_PARKED;
    }
    s->waiting = false;
    return APPLIED;
}

static void pause_stop(void *state, const void *cfg)
{
    struct pause_state *s = state;
    (void)cfg;
    timer_cancel(&s->worker->shard->timers, &s->timer);
}

static const struct setting no_settings[] = {{0}};

const struct filter_ops filter_pause = {
    .name = "pause",
    .doc = "Sometimes waits.",
    .flags = FILTER_WAITS,
    .settings = no_settings,
    .state_size = sizeof(struct pause_state),
    .start = pause_start,
    .apply = pause_apply,
    .stop = pause_stop,
};
