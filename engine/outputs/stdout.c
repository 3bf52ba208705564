/*
 * stdout.c - events to standard output, by default as rubydebug.
 *
 * Each shard encodes into a buffer of its own and hands it to one writer thread, which is the
 * only one to write: events of different shards never mix inside a line, and a blocked reader
 * blocks the writer, not a shard.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/plan/compiler.h"
#include "engine/shard/delivery.h"

struct stdout_cfg {
    struct codec codec;
};

struct stdout_state {
    struct lane *lane;
    void *codec_state;
};

static const struct setting stdout_settings[] = {
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "rubydebug"},
    {0},
};

struct stdout_shared {
    struct delivery delivery;
};

static err compile(void *cfg_, struct compiler *c)
{
    struct stdout_cfg *cfg = cfg_;
    err e = compile_codec(c, &cfg->codec, &c->common_output->codec, BYTES_FRAMED);
    if (e != ERR_OK) return e;
    if (cfg->codec.ops->encode != NULL) return ERR_OK;
    compile_error(c, "codec", NULL, "the codec %s cannot encode", cfg->codec.ops->name);
    return ERR_CONFIG;
}

static void release(void *cfg)
{
    codec_release(&((struct stdout_cfg *)cfg)->codec);
}

/* Writes it all; false when nobody reads any more. */
static bool write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(STDOUT_FILENO, p, n);
        if (wrote < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&pfd, 1, 1000);
            continue;
        }
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return false;
        p += wrote;
        n -= (size_t)wrote;
    }
    return true;
}

static void writer(struct delivery *d)
{
    struct log_gate gate = {0};
    while (!delivery_stopping(d)) {
        struct delivery_request *r = delivery_next(d, NS_PER_SEC);
        if (r == NULL) continue;
        bool ok = write_all(r->body.data, r->body.n);
        uint64_t held;
        if (!ok && log_gate_open(&gate, &held))
            log_error("outputs.stdout", "cannot write to standard output: %s", strerror(errno));
        delivery_done(r, ok ? OUTCOME_DELIVERED : OUTCOME_FAILED);
    }
}

static err open_output(void *shared, const void *cfg, struct output *self, uint32_t shards)
{
    (void)cfg;
    return delivery_start(&((struct stdout_shared *)shared)->delivery, shards, "out stdout", writer,
                          self);
}

static err start(void *state_, void *shared, const void *cfg_, struct worker *worker,
                 struct output *self)
{
    (void)self;
    struct stdout_state *state = state_;
    const struct stdout_cfg *cfg = cfg_;
    state->lane = lane_new(&((struct stdout_shared *)shared)->delivery, worker);
    state->codec_state = calloc(1, cfg->codec.ops->state_size + 1);
    ASSERT(state->codec_state != NULL);
    return cfg->codec.ops->start == NULL
               ? ERR_OK
               : cfg->codec.ops->start(state->codec_state, cfg->codec.cfg);
}

static enum push push(void *state_, const void *cfg_, struct batch *b, const struct sel *in)
{
    struct stdout_state *state = state_;
    const struct stdout_cfg *cfg = cfg_;
    struct delivery_request *r = lane_request(state->lane);
    if (r == NULL) return PUSH_FULL;
    for (uint32_t i = 0; i < in->n; i++)
        cfg->codec.ops->encode(state->codec_state, cfg->codec.cfg, b, &b->event[in->at[i]],
                               &r->body);
    lane_add(state->lane, b, in->n);
    return PUSH_TAKEN;
}

static void tick(void *state, const void *cfg, int64_t now_ns)
{
    (void)cfg, (void)now_ns;
    lane_poll(((struct stdout_state *)state)->lane);
}

static bool drain(void *state, const void *cfg)
{
    (void)cfg;
    return lane_drain(((struct stdout_state *)state)->lane);
}

static void stop(void *state_, const void *cfg_)
{
    struct stdout_state *state = state_;
    const struct stdout_cfg *cfg = cfg_;
    lane_close(state->lane);
    if (cfg->codec.ops->stop != NULL) cfg->codec.ops->stop(state->codec_state, cfg->codec.cfg);
    free(state->codec_state);
}

static void close_output(void *shared, const void *cfg)
{
    (void)cfg;
    delivery_stop(&((struct stdout_shared *)shared)->delivery);
}

const struct output_ops output_stdout = {
    .name = "stdout",
    .doc = "Prints events to standard output.",
    .settings = stdout_settings,
    .cfg_size = sizeof(struct stdout_cfg),
    .shared_size = sizeof(struct stdout_shared),
    .state_size = sizeof(struct stdout_state),
    .compile = compile,
    .release = release,
    .open = open_output,
    .start = start,
    .push = push,
    .tick = tick,
    .drain = drain,
    .stop = stop,
    .close = close_output,
};
