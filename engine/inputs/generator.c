/*
 * generator.c - events out of nothing, as fast as the pipeline takes them: for tests and benches.
 *
 * One source per thread option, on as many shards as there are. Every event passes the codec, as
 * a line that had come from outside would.
 */
#include "engine/base/assert.h"
#include "engine/plan/host_field.h"
#include "engine/plan/plan.h"
#include "engine/shard/feed.h"

#include <stdlib.h>

/* Events per turn: other work of the shard waits no longer than this. */
#define GENERATOR_BURST 1024

struct generator_cfg {
    slice message_text;
    struct config_list lines;
    int64_t count, threads;
    struct codec codec;
    struct host_field host;
    struct key sequence, event;
    bool ecs;
};

struct generator_state {
    struct feed feed;
    struct intake intake;
    struct ack_window window;
    struct timer timer;
    struct input *self;
    const struct generator_cfg *cfg;
    int64_t sequence;
    uint32_t line;
    bool stopped, told;
};

static const struct setting generator_settings[] = {
    {.name = "message",
     SETTING_AT(struct generator_cfg, message_text, STRING),
     .default_text = "Hello world!",
     .doc = "Text of the events; \"stdin\" reads it once from standard input."},
    {.name = "lines",
     SETTING_AT(struct generator_cfg, lines, LIST),
     .doc = "Texts to use in turn, in place of message."},
    {.name = "count",
     SETTING_AT(struct generator_cfg, count, INT),
     .default_text = "0",
     .doc = "How often each text is used; 0: without end."},
    {.name = "threads",
     SETTING_AT(struct generator_cfg, threads, INT),
     .default_text = "1",
     .min = 1,
     .max = 1,
     .doc = "Number of sources."},
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "plain"},
    {0},
};

/* message => "stdin": the first line of standard input, as Logstash's generator reads it. */
static err read_stdin(struct generator_cfg *cfg, struct compiler *c)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = getline(&line, &cap, stdin);
    if (n < 0) {
        free(line);
        compile_error(c, "message", "a line on standard input", "standard input is empty");
        return ERR_CONFIG;
    }
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
    cfg->message_text = heap_dup(c->heap, slice_make(line, (size_t)n));
    free(line);
    return ERR_OK;
}

static err compile(void *cfg_, struct compiler *c)
{
    struct generator_cfg *cfg = cfg_;
    cfg->ecs = compiler_is_ecs(c);
    host_field_compile(&cfg->host, "name", c);
    cfg->sequence = compile_key(c, SLICE("sequence"));
    cfg->event = compile_key(c, SLICE("event"));
    err e = slice_equal(cfg->message_text, SLICE("stdin")) ? read_stdin(cfg, c) : ERR_OK;
    if (e != ERR_OK) return e;
    return compile_codec(c, &cfg->codec, &c->common_input->codec, BYTES_FRAMED);
}

static void release(void *cfg)
{
    codec_release(&((struct generator_cfg *)cfg)->codec);
}

static void describe(struct feed *feed, struct batch *b, uint32_t from)
{
    const struct generator_state *s = (struct generator_state *)feed;
    const struct generator_cfg *cfg = s->cfg;
    for (uint32_t i = from; i < b->n; i++) {
        struct event *ev = &b->event[i];
        host_field_add(&cfg->host, b, ev);
        struct map *map = &ev->data;
        if (cfg->ecs) {
            struct member *m = map_find(map, cfg->event.name, cfg->event.hash);
            if (m != NULL && m->val.type == VALUE_MAP)
                map = m->val.u.map;
            else
                map = map_put(map, &b->arena, cfg->event, value_map(map_new(&b->arena)))->u.map;
        }
        map_put(map, &b->arena, cfg->sequence, value_int(s->sequence));
    }
}

/* In the shard's next round: a timer that is due now would fire in this one, and two generators
 * that make room for each other would never let it end. */
static void next_turn(struct generator_state *s)
{
    struct shard *shard = s->feed.worker->shard;
    timer_set(&shard->timers, &s->timer, shard->now_mono_ns + 1);
}

static void burst(struct generator_state *s)
{
    const struct generator_cfg *cfg = s->cfg;
    uint32_t lines = cfg->lines.n == 0 ? 1 : cfg->lines.n;
    for (int i = 0; i < GENERATOR_BURST && !s->stopped; i++) {
        if (cfg->count > 0 && s->sequence >= cfg->count) {
            s->stopped = true;
            s->told = true;
            s->self->finished(s->self);
            return;
        }
        if (!worker_may_read(s->feed.worker, &s->intake, &s->window)) return;
        slice text = cfg->lines.n == 0 ? cfg->message_text : cfg->lines.at[s->line].text;
        bool all = feed_bytes(&s->feed, NULL, text);
        if (feed_is_waiting(&s->feed) || !all) feed_resume(&s->feed);
        if (s->feed.carry_n > 0)
            feed_end(&s->feed), s->feed.ended = false; /* a line codec's frame */
        if (++s->line == lines) {
            s->line = 0;
            s->sequence++;
        }
    }
    next_turn(s);
}

static void turn(struct timer *timer, int64_t now_ns)
{
    (void)now_ns;
    burst((struct generator_state *)((char *)timer - offsetof(struct generator_state, timer)));
}

static void resume(struct intake *intake)
{
    struct generator_state *s =
        (struct generator_state *)((char *)intake - offsetof(struct generator_state, intake));
    if (s->stopped || timer_is_set(&s->timer)) return;
    next_turn(s);
}

static err start(void *state, void *shared, const void *cfg, struct worker *worker,
                 struct input *self)
{
    (void)shared;
    struct generator_state *s = state;
    s->cfg = cfg;
    s->self = self;
    intake_init(&s->intake, 4 << 20, resume);
    ack_window_init(&s->window, ACK_WINDOW_SLOTS, &s->intake);
    worker_add_intake(worker, &s->intake);
    err e = feed_init(&s->feed, worker, &s->intake, &s->window, &s->cfg->codec, self->decoration);
    if (e != ERR_OK) return e;
    s->feed.describe = describe;
    s->timer.fire = turn;
    timer_set(&worker->shard->timers, &s->timer, worker->shard->now_mono_ns);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct generator_state *s = state;
    s->stopped = true;
    timer_cancel(&s->feed.worker->shard->timers, &s->timer);
}

static bool stopped(void *state, const void *cfg)
{
    (void)cfg;
    struct generator_state *s = state;
    feed_fini(&s->feed);
    ack_window_fini(&s->window);
    return true;
}

const struct input_ops input_generator = {
    .name = "generator",
    .doc = "Makes events out of nothing.",
    .flags = INPUT_SINGLE | INPUT_ENDS,
    .settings = generator_settings,
    .cfg_size = sizeof(struct generator_cfg),
    .state_size = sizeof(struct generator_state),
    .compile = compile,
    .release = release,
    .start = start,
    .stop = stop,
    .stopped = stopped,
};
