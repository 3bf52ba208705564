/*
 * codec_stage.h - a configured codec in an input on a shard, for specs and fuzzing: bytes in,
 * events out, by way of the feed that real inputs use.
 *
 * The stage is built on the simulated kernel and owns the shard; the plan is the caller's. What
 * leaves the shard is shown to `take`, batch by batch. One stage at a time, one thread.
 */
#ifndef TESTS_SPEC_CODEC_STAGE_H
#define TESTS_SPEC_CODEC_STAGE_H
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/plan/plan.h"
#include "engine/registry.h"
#include "engine/shard/feed.h"
#include "engine/shard/worker.h"
#include "net/sim/sim.h"

#define CODEC_STAGE_NOW_NS (INT64_C(1709618828) * 1000000000) /* 2024-03-05T06:07:08Z */
#define CODEC_STAGE_CREDIT_BYTES (64u << 20)

/* What leaves the shard, once for all outputs; set by whoever runs the stage. */
static void (*codec_stage_take)(void *owner, struct batch *b, const struct sel *sel);
static void *codec_stage_owner;
static const void *codec_stage_first; /* cfg of the first output */

/* ---- an input and an output that are nothing but their codec ------------------------------ */

struct codec_stage_cfg {
    struct codec codec;
};

static inline err codec_stage_compile(void *cfg, struct compiler *c)
{
    const struct config_codec *given =
        c->common_input != NULL ? &c->common_input->codec : &c->common_output->codec;
    return compile_codec(c, &((struct codec_stage_cfg *)cfg)->codec, given, BYTES_FRAMED);
}

static inline void codec_stage_release(void *cfg)
{
    codec_release(&((struct codec_stage_cfg *)cfg)->codec);
}

static inline enum push codec_stage_push(void *state, const void *cfg, struct batch *b,
                                         const struct sel *in)
{
    (void)state;
    if (codec_stage_take != NULL && cfg == codec_stage_first)
        codec_stage_take(codec_stage_owner, b, in);
    return PUSH_TAKEN;
}

/* All codecs of the build, between the input `probe` and the output `sink`. */
static inline const struct registry *codec_stage_registry(void)
{
    static const struct setting none[] = {{0}};
    static const struct input_ops probe = {.name = "probe",
                                           .doc = "A codec.",
                                           .settings = none,
                                           .cfg_size = sizeof(struct codec_stage_cfg),
                                           .compile = codec_stage_compile,
                                           .release = codec_stage_release};
    static const struct output_ops sink = {.name = "sink",
                                           .doc = "A codec.",
                                           .settings = none,
                                           .cfg_size = sizeof(struct codec_stage_cfg),
                                           .compile = codec_stage_compile,
                                           .release = codec_stage_release,
                                           .push = codec_stage_push};
    static const struct input_ops *const inputs[] = {&probe, NULL};
    static const struct output_ops *const outputs[] = {&sink, NULL};
    static struct registry registry;
    registry = plugin_registry;
    registry.inputs = inputs;
    registry.outputs = outputs;
    return &registry;
}

static inline const struct codec *codec_stage_decoder(const struct plan *plan, uint32_t at)
{
    return &((const struct codec_stage_cfg *)plan->input[at].cfg)->codec;
}
static inline const struct codec *codec_stage_encoder(const struct plan *plan, uint32_t at)
{
    return &((const struct codec_stage_cfg *)plan->output[at].cfg)->codec;
}

/* The state of a codec by itself. */
static inline void *codec_stage_start(const struct codec *codec)
{
    void *state = calloc(1, codec->ops->state_size + 1);
    ASSERT(state != NULL);
    err e = codec->ops->start == NULL ? ERR_OK : codec->ops->start(state, codec->cfg);
    ASSERT(e == ERR_OK);
    return state;
}
static inline void codec_stage_stop(const struct codec *codec, void *state)
{
    if (codec->ops->stop != NULL) codec->ops->stop(state, codec->cfg);
    free(state);
}

/* ---- the shard -------------------------------------------------------------------------- */

struct codec_stage {
    struct sim *sim;
    struct io *io;
    struct shard shard;
    struct output *output;
    struct worker *worker;
    struct intake intake;
    struct input_counters counters;
    struct ack_window window;
    struct feed feed;
};

static inline void codec_stage_resume(struct intake *intake)
{
    struct codec_stage *s =
        (struct codec_stage *)((char *)intake - offsetof(struct codec_stage, intake));
    feed_resume(&s->feed);
}

static inline void codec_stage_init(struct codec_stage *s, const struct plan *plan)
{
    memset(s, 0, sizeof(*s));
    s->sim = sim_new(1, (struct sim_faults){0});
    s->io = sim_io_new(s->sim, (struct io_config){64, 8, 8});
    shard_init(&s->shard, 0, s->io, 0);
    s->shard.now_real_ns = CODEC_STAGE_NOW_NS;
    s->output = calloc(plan->output_n, sizeof(*s->output));
    ASSERT(s->output != NULL);
    for (uint32_t i = 0; i < plan->output_n; i++)
        s->output[i] = (struct output){
            .ops = plan->output[i].ops, .cfg = plan->output[i].cfg, .id = plan->output[i].id};
    codec_stage_first = plan->output[0].cfg;
    s->worker = worker_new(&s->shard, plan, s->output);
    ASSERT(s->worker != NULL);
    intake_init(&s->intake, CODEC_STAGE_CREDIT_BYTES, codec_stage_resume);
    ack_window_init(&s->window, 4096, &s->intake);
    worker_add_intake(s->worker, &s->intake);
    s->intake.counters = &s->counters;
}

static inline void codec_stage_fini(struct codec_stage *s)
{
    worker_remove_intake(s->worker, &s->intake);
    ASSERT(s->intake.credit_bytes == s->intake.window_bytes);
    ack_window_fini(&s->window);
    worker_free(s->worker);
    free(s->output);
    shard_fini(&s->shard); /* asserts that all pages are back */
    io_free(s->io);
    sim_free(s->sim);
}

/* A new stream through the codec. */
static inline void codec_stage_open(struct codec_stage *s, const struct codec *codec)
{
    err e = feed_init(&s->feed, s->worker, &s->intake, &s->window, codec, NULL);
    ASSERT(e == ERR_OK);
}

static inline void codec_stage_bytes(struct codec_stage *s, slice bytes)
{
    struct blob *blob = blob_new(bytes.n + 1);
    if (bytes.n > 0) memcpy(blob->data, bytes.p, bytes.n);
    bool taken = feed_bytes(&s->feed, blob, slice_make(blob->data, bytes.n));
    blob_unpin(blob);
    ASSERT(taken);
}

/* Nothing comes for longer than the codec waits. */
static inline void codec_stage_idle(struct codec_stage *s)
{
    s->shard.now_mono_ns += s->feed.codec->idle_ns + 1000000000;
    timers_run(&s->shard.timers, s->shard.now_mono_ns);
}

/* `end`: the connection is closed, else it is given up with what it holds. */
static inline void codec_stage_close(struct codec_stage *s, bool end)
{
    bool done = !end || feed_end(&s->feed);
    ASSERT(done);
    worker_flush(s->worker);
    feed_fini(&s->feed);
    ASSERT(s->intake.waiting == 0);
}

#endif
