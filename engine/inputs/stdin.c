/*
 * stdin.c - events from standard input.
 *
 * Runs on one shard; reads one buffer at a time through io, so a full pipeline simply does not
 * ask for more. The end of the input ends the process once everything is delivered.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/plan/host_field.h"
#include "engine/plan/compiler.h"
#include "engine/plan/plan.h"
#include "engine/shard/feed.h"

#define STDIN_READ_BYTES (64u * 1024)
#define STDIN_WINDOW_BYTES (16 * 1024 * 1024)

struct stdin_cfg {
    struct codec codec;
    struct host_field host;
};

struct stdin_state {
    struct feed feed;
    struct intake intake;
    struct ack_window window;
    struct io_op read;
    struct blob *blob;
    struct input *self;
    const struct stdin_cfg *cfg;
    bool stopping, ended, told;
};

static const struct setting stdin_settings[] = {
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "line"},
    {0},
};

static err compile(void *cfg_, struct compiler *c)
{
    struct stdin_cfg *cfg = cfg_;
    host_field_compile(&cfg->host, "hostname", c);
    return compile_codec(c, &cfg->codec, &c->common_input->codec, BYTES_STREAM);
}

static void release(void *cfg)
{
    codec_release(&((struct stdin_cfg *)cfg)->codec);
}

static void describe(struct feed *feed, struct batch *b, uint32_t from)
{
    const struct stdin_state *s = (struct stdin_state *)feed;
    for (uint32_t i = from; i < b->n; i++) host_field_add(&s->cfg->host, b, &b->event[i]);
}

static void finish(struct stdin_state *s)
{
    if (s->told || feed_is_waiting(&s->feed)) return;
    s->told = true;
    s->self->finished(s->self);
}

static void read_more(struct stdin_state *s);

static void on_read(struct io_op *op, int32_t n)
{
    struct stdin_state *s = (struct stdin_state *)((char *)op - offsetof(struct stdin_state, read));
    /* The last read was cancelled; the worker may be gone already. */
    if (s->stopping) return;
    if (n == -EINTR || n == -EAGAIN) {
        read_more(s);
        return;
    }
    if (n < 0) log_error("inputs.stdin", "cannot read standard input: %s", strerror(-n));
    if (n <= 0) {
        s->ended = true;
        feed_end(&s->feed);
        finish(s);
        return;
    }
    if (feed_bytes(&s->feed, s->blob, slice_make(s->blob->data, (size_t)n)) && !s->stopping)
        read_more(s);
}

static void read_more(struct stdin_state *s)
{
    if (s->read.armed || s->ended) return;
    if (!worker_may_read(s->feed.worker, &s->intake, &s->window)) return;
    /* A batch still borrows from the last buffer: leave it to the batch and take a new one. */
    if (s->blob == NULL || s->blob->pins > 1) {
        if (s->blob != NULL) blob_unpin(s->blob);
        s->blob = blob_new(STDIN_READ_BYTES);
    }
    io_read(s->feed.worker->shard->io, &s->read, STDIN_FILENO, s->blob->data, s->blob->size,
            UINT64_MAX);
}

static void resume(struct intake *intake)
{
    struct stdin_state *s =
        (struct stdin_state *)((char *)intake - offsetof(struct stdin_state, intake));
    if (!feed_resume(&s->feed)) return;
    if (s->ended)
        finish(s);
    else if (!s->stopping)
        read_more(s);
}

static err start(void *state, void *shared, const void *cfg_, struct worker *worker,
                 struct input *self)
{
    (void)shared;
    struct stdin_state *s = state;
    s->cfg = cfg_;
    s->self = self;
    intake_init(&s->intake, STDIN_WINDOW_BYTES, resume);
    ack_window_init(&s->window, ACK_WINDOW_SLOTS, &s->intake);
    worker_add_intake(worker, &s->intake);
    err e = feed_init(&s->feed, worker, &s->intake, &s->window, &s->cfg->codec, self->decoration);
    if (e != ERR_OK) return e;
    s->feed.describe = describe;
    s->read.done = on_read;
    read_more(s);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct stdin_state *s = state;
    s->stopping = true;
    if (s->ended) return;
    io_cancel(s->feed.worker->shard->io, &s->read);
    feed_end(&s->feed);
}

static bool stopped(void *state, const void *cfg)
{
    (void)cfg;
    struct stdin_state *s = state;
    if (s->read.armed) return false;
    if (s->blob != NULL) blob_unpin(s->blob);
    s->blob = NULL;
    feed_fini(&s->feed);
    ack_window_fini(&s->window);
    return true;
}

const struct input_ops input_stdin = {
    .name = "stdin",
    .doc = "Reads events from standard input.",
    .flags = INPUT_SINGLE | INPUT_ENDS | INPUT_NOT_RELOADABLE,
    .settings = stdin_settings,
    .cfg_size = sizeof(struct stdin_cfg),
    .state_size = sizeof(struct stdin_state),
    .compile = compile,
    .release = release,
    .start = start,
    .stop = stop,
    .stopped = stopped,
};
