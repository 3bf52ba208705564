/* heartbeat.c - an event at a fixed interval: a sign of life that passes the whole pipeline. */
#include "engine/base/clock.h"
#include "engine/plan/host_field.h"
#include "engine/plan/plan.h"
#include "engine/shard/worker.h"

enum sequence_kind { SEQUENCE_NONE, SEQUENCE_EPOCH, SEQUENCE_COUNT };
static const char *const sequence_choices[] = {"none", "epoch", "sequence", NULL};

struct heartbeat_cfg {
    double interval_s;
    int64_t count, threads;
    slice message_text;
    int sequence;
    struct host_field host;
    struct key message, clock, event, sequence_key;
    bool ecs;
};

struct heartbeat_state {
    struct timer timer;
    struct intake intake;
    struct ack_window window;
    struct worker *worker;
    struct input *self;
    const struct heartbeat_cfg *cfg;
    int64_t next_ns;
    int64_t sent;
    bool stopped;
};

static const struct setting heartbeat_settings[] = {
    {.name = "interval",
     SETTING_AT(struct heartbeat_cfg, interval_s, FLOAT),
     .default_text = "60",
     .doc = "Seconds between two events."},
    {.name = "count",
     SETTING_AT(struct heartbeat_cfg, count, INT),
     .default_text = "-1",
     .doc = "How many events; -1: without end."},
    {.name = "message",
     SETTING_AT(struct heartbeat_cfg, message_text, STRING),
     .default_text = "ok",
     .doc =
         "Text of the event; \"epoch\" and \"sequence\" are old spellings of the option sequence."},
    {.name = "sequence",
     SETTING_AT(struct heartbeat_cfg, sequence, ENUM),
     .choices = sequence_choices,
     .doc = "Put the time (epoch) or a running number (sequence) into the event."},
    {.name = "threads",
     SETTING_AT(struct heartbeat_cfg, threads, INT),
     .default_text = "1",
     .min = 1,
     .max = 1,
     .doc = "Number of sources; one is enough for a sign of life."},
    {0},
};

static err compile(void *cfg_, struct compiler *c)
{
    struct heartbeat_cfg *cfg = cfg_;
    if (cfg->interval_s <= 0) {
        compile_error(c, "interval", "a number of seconds above 0", "the interval is not positive");
        return ERR_CONFIG;
    }
    if (cfg->sequence < 0) {
        cfg->sequence = SEQUENCE_NONE;
        if (slice_equal(cfg->message_text, SLICE("epoch"))) cfg->sequence = SEQUENCE_EPOCH;
        if (slice_equal(cfg->message_text, SLICE("sequence"))) cfg->sequence = SEQUENCE_COUNT;
    }
    cfg->ecs = compiler_is_ecs(c);
    host_field_compile(&cfg->host, "name", c);
    cfg->message = compile_key(c, SLICE("message"));
    cfg->clock = compile_key(c, SLICE("clock"));
    cfg->event = compile_key(c, SLICE("event"));
    cfg->sequence_key = compile_key(c, SLICE("sequence"));
    return ERR_OK;
}

static void add_event(struct heartbeat_state *s)
{
    const struct heartbeat_cfg *cfg = s->cfg;
    struct batch *b = worker_batch(s->worker);
    uint32_t from = b->n;
    struct event *ev = batch_add(b);
    if (ev == NULL) return;
    ev->time = value_time(clock_real_ns());
    event_add_version(b, ev);
    if (cfg->sequence == SEQUENCE_NONE) {
        map_append(&ev->data, &b->arena, cfg->message, value_string(cfg->message_text));
    } else {
        int64_t num = cfg->sequence == SEQUENCE_COUNT ? s->sent : clock_real_ns() / NS_PER_SEC;
        struct map *map = &ev->data;
        if (cfg->ecs) {
            map = map_new(&b->arena);
            map_append(&ev->data, &b->arena, cfg->event, value_map(map));
        }
        map_append(map, &b->arena, cfg->ecs ? cfg->sequence_key : cfg->clock, value_int(num));
    }
    host_field_add(&cfg->host, b, ev);
    decoration_apply(s->self->decoration, b, from);
    worker_took(s->worker, &s->window, 1, 1);
    s->sent++;
}

static void beat(struct timer *timer, int64_t now_ns)
{
    struct heartbeat_state *s =
        (struct heartbeat_state *)((char *)timer - offsetof(struct heartbeat_state, timer));
    if (worker_may_read(s->worker, &s->intake, &s->window)) add_event(s);
    if (s->cfg->count >= 0 && s->sent >= s->cfg->count) {
        s->stopped = true;
        s->self->finished(s->self);
        return;
    }
    s->next_ns += (int64_t)(s->cfg->interval_s * (double)NS_PER_SEC);
    if (s->next_ns < now_ns)
        s->next_ns = now_ns; /* beats that a full pipeline held up are skipped */
    timer_set(&s->worker->shard->timers, &s->timer, s->next_ns);
}

static void resume(struct intake *intake)
{
    (void)intake;
}

static err start(void *state, void *shared, const void *cfg, struct worker *worker,
                 struct input *self)
{
    (void)shared;
    struct heartbeat_state *s = state;
    s->cfg = cfg;
    s->worker = worker;
    s->self = self;
    intake_init(&s->intake, 1 << 20, resume);
    ack_window_init(&s->window, ACK_WINDOW_SLOTS, &s->intake);
    worker_add_intake(worker, &s->intake);
    s->timer.fire = beat;
    s->next_ns = worker->shard->now_mono_ns;
    if (s->cfg->count == 0) {
        s->stopped = true;
        self->finished(self);
        return ERR_OK;
    }
    timer_set(&worker->shard->timers, &s->timer, s->next_ns);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct heartbeat_state *s = state;
    timer_cancel(&s->worker->shard->timers, &s->timer);
    s->stopped = true;
}

static bool stopped(void *state, const void *cfg)
{
    (void)cfg;
    ack_window_fini(&((struct heartbeat_state *)state)->window);
    return true;
}

const struct input_ops input_heartbeat = {
    .name = "heartbeat",
    .doc = "Makes an event at a fixed interval.",
    .flags = INPUT_SINGLE | INPUT_ENDS,
    .settings = heartbeat_settings,
    .cfg_size = sizeof(struct heartbeat_cfg),
    .state_size = sizeof(struct heartbeat_state),
    .compile = compile,
    .start = start,
    .stop = stop,
    .stopped = stopped,
};
