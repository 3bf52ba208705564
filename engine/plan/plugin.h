/*
 * plugin.h - what an input, codec, filter and output are to the rest of the engine.
 *
 * Plugins are const tables, one file each; registry.c lists them (filters.def ...). Three kinds
 * of memory: cfg is filled by settings_read and compile(), shared and read-only afterwards;
 * `shared` exists once per plugin of a running pipeline and is made on the control thread;
 * `state` is private to one shard. All sizes are declared here, the plan allocates zeroed.
 */
#ifndef ENGINE_PLAN_PLUGIN_H
#define ENGINE_PLAN_PLUGIN_H
#include "engine/base/counters.h"
#include "engine/base/err.h"
#include "engine/config/settings.h"
#include "engine/event/event.h"
#include "engine/event/receipt.h"

struct codec;
struct compiler;
struct input;
struct output;
struct plan_run;
struct shard;
struct worker;

/* ---- filters ----------------------------------------------------------- */

/* A filter that must wait for the world outside never blocks its shard: it answers PARKED and
 * later calls plan_resume() from the shard's mailbox. Only that batch waits. */
enum applied { APPLIED, APPLY_PARKED };
/* Common options for an event in the middle of apply(), for filters that work on after them: the
 * event then does not go into `hit`. */
void plan_decorate(struct plan_run *run, struct event *ev);

enum filter_flag {
    FILTER_SERIAL = 1,         /* keeps state across all events: its pipeline runs on one shard */
    FILTER_WAITS = 2,          /* may answer APPLY_PARKED */
    FILTER_TICK_DECORATES = 4, /* its common options apply to the events its tick() makes, too */
    /* Filters of this kind see each other's state: where a pipeline has two of them, an event
     * passes all filters before the next one begins, as in Logstash with one worker. */
    FILTER_STATE_SHARED = 8
};

struct filter_ops {
    const char *name;
    const char *doc; /* one sentence for docs/plugins.md */
    uint32_t flags;
    const struct setting *settings;
    size_t cfg_size, state_size;
    /* Control thread: turns settings into compiled form; reports through compiler->diag. */
    err (*compile)(void *cfg, struct compiler *c);
    void (*release)(void *cfg); /* frees what compile() put on the heap; may be NULL */
    err (*start)(void *state, const void *cfg, struct worker *worker);
    /* Works on in->at[0..n). Appends to `hit` (room for in->n; sel_push for more) those that
     * succeeded: the stepper then does add_field, remove_field, add_tag, remove_tag for them.
     * Failures are tags, not return codes. New events come from batch_add_child and are stepped on
     * from the next node by themselves; put them in `hit` too if they are to be decorated. */
    enum applied (*apply)(void *state, const void *cfg, struct batch *b, const struct sel *in,
                          struct sel *hit, struct plan_run *run);
    /* An event in `hit` whose add_field failed, which left its other common options undone. NULL:
     * such fields are passed over in silence. */
    void (*undecorated)(void *state, const void *cfg, struct batch *b, struct event *ev);
    /* About once a second, and at the end: may add events to `out`. May be NULL. */
    void (*tick)(void *state, const void *cfg, struct batch *out, int64_t now_ns, bool last);
    void (*stop)(void *state, const void *cfg);
    /* Appends `,"key":value` pairs to the plugin's entry in /_node/stats; may be NULL. Called per
     * shard from the API's thread while the shard runs: read counters only, and give the same keys
     * in the same order every time; whole numbers of the shards are added up. */
    void (*stats)(const void *state, const void *cfg, struct buf *out);
    /* The same of what the plugin has once, not per shard; may be NULL. */
    void (*stats_shared)(const void *cfg, struct buf *out);
    /* Writes for people how the compiled filter works, and how it does on lines of sample text
     * when that is not empty. May be NULL. Control thread. */
    void (*explain)(const void *cfg, slice sample, struct buf *out);
};

/* ---- codecs ------------------------------------------------------------- */

/* What decode() needs to know besides bytes. */
struct decode {
    struct batch *batch;
    uint32_t events_max; /* stop decoding when batch->n reaches it */
    struct blob *blob;   /* what `in` points into: pin it if events borrow from it; NULL: bytes do
                            not outlive the call, copy them */
    bool end;            /* the stream ends here: a partial last frame is all there is */
    bool idle;           /* nothing came for codec.idle_ns: what waits for a next frame is done */
    struct input_counters *counters; /* of the input; NULL: nobody counts */
};

/* A message that cannot be decoded, and is shown in an event with a tag: counted as a failure. */
static inline void decode_failed(const struct decode *d)
{
    if (d->counters != NULL) counter_add(&d->counters->decode_failures, 1);
}

/* A message, or a part of one, of which nothing is left. */
static inline void decode_dropped(const struct decode *d)
{
    if (d->counters != NULL) counter_add(&d->counters->decode_drops, 1);
}

enum codec_flag {
    CODEC_STREAM_LINE = 1,       /* "plain": tcp and stdin use line instead */
    CODEC_STREAM_JSON_LINES = 2, /* "json": tcp and stdin use json_lines instead */
    CODEC_GATHERS_LINES = 4, /* a frame is several lines and remembers how far it was looked at */
    CODEC_MESSAGES = 8,      /* what decode() is given is one message: files give it line by line */
    CODEC_MAY_REFUSE = 16    /* encode() may append nothing: then there is no message to send */
};

struct codec_ops {
    const char *name;
    const char *doc;
    uint32_t flags;
    const struct setting *settings;
    size_t cfg_size, state_size; /* state: one per connection, for partial frames and templates */
    err (*compile)(void *cfg, struct compiler *c);
    void (*release)(void *cfg);
    /* Longest frame this codec is configured to take; NULL: the engine's default. */
    uint32_t (*frame_bytes_max)(const void *cfg);
    /* Whether every frame of a stream ends with a newline: bytes without one are then not worth a
     * call. NULL: no. */
    bool (*ends_at_newline)(const void *cfg);
    /* Quiet time after which decode() is called with `idle`; NULL or 0: never. */
    int64_t (*idle_ns)(const void *cfg);
    err (*start)(void *state, const void *cfg);
    /* Takes as many whole frames of `in` as fit, returns the bytes used; the caller keeps the
     * rest and presents it again, longer. in.p[in.n .. +64) is readable. NULL: cannot decode. */
    uint32_t (*decode)(void *state, const void *cfg, slice in, struct decode *d);
    /* Events still held in the state at the end of the stream, when all its bytes are used; may be
     * NULL. */
    void (*flush)(void *state, const void *cfg, struct decode *d);
    /* Appends one event's bytes. NULL: cannot encode. */
    void (*encode)(void *state, const void *cfg, struct batch *b, struct event *ev,
                   struct buf *out);
    void (*stop)(void *state, const void *cfg);
};

/* A configured codec: what inputs and outputs hold in their cfg. */
struct codec {
    const struct codec_ops *ops;
    void *cfg;
    slice id;
    uint32_t frame_bytes_max; /* longest frame of a stream; 0: the engine's default */
    bool ends_at_newline;     /* see codec_ops */
    int64_t idle_ns;
};

static inline void codec_release(struct codec *codec)
{
    if (codec->ops != NULL && codec->ops->release != NULL) codec->ops->release(codec->cfg);
    codec->ops = NULL;
}

/* ---- outputs ------------------------------------------------------------- */

enum push { PUSH_TAKEN, PUSH_FULL }; /* FULL parks the batch; nothing was taken */

/* A configured output of a running pipeline, handed to its callbacks. */
struct output {
    const struct output_ops *ops;
    const void *cfg;
    void *shared;
    slice id;
    const char *pipeline_id;
};

struct output_ops {
    const char *name;
    const char *doc;
    uint32_t flags;
    const struct setting *settings;
    size_t cfg_size, shared_size, state_size;
    err (*compile)(void *cfg, struct compiler *c);
    void (*release)(void *cfg);
    /* Control thread, before any shard starts: opens files, starts writer threads, ... `shards`
     * is how many will call start. ERR_* stops the pipeline from starting, after a log line. */
    err (*open)(void *shared, const void *cfg, struct output *self, uint32_t shards);
    err (*start)(void *state, void *shared, const void *cfg, struct worker *worker,
                 struct output *self);
    /* Encodes the events into own wire buffers and holds the batch's receipts once per request.
     * On return batch memory is no longer needed. Events may be changed only in ways that no
     * other output can see (resolving lazy values). */
    enum push (*push)(void *state, const void *cfg, struct batch *b, const struct sel *in);
    /* Every shard step: seal what has lingered, take outcomes from the ring. May be NULL. */
    void (*tick)(void *state, const void *cfg, int64_t now_mono_ns);
    /* Asks for everything to be sent; true: nothing in flight any more on this shard. */
    bool (*drain)(void *state, const void *cfg);
    /* Gives up what is in flight: receipts are released as failed. */
    void (*stop)(void *state, const void *cfg);
    void (*close)(void *shared, const void *cfg); /* control thread, after every stop */
    void (*stats)(const void *shared, const void *cfg, struct buf *out); /* any time; may be NULL */
    /* The addresses of other pipelines' inputs that it sends to. NULL: it sends out of the process.
     */
    struct config_list (*sends_to)(const void *cfg);
};

/* ---- inputs --------------------------------------------------------------- */

struct decoration;

/* A configured input of a running pipeline, handed to its callbacks. */
struct input {
    const struct input_ops *ops;
    const void *cfg;
    void *shared;
    const struct decoration *decoration;
    slice id;
    const char *pipeline_id;
    bool ecs;
    /* One block per shard of the process, by shard->index. Intakes that an input adds inside
     * start() or moved() count into it by themselves; one added later gets intake->counters from
     * its input. */
    struct input_counters *counters;
    /* An INPUT_ENDS input calls this once, from its shard, when there is nothing more to read
     * and all it read has been handed to the worker. */
    void (*finished)(struct input *input);
    void *owner;
};

enum input_flag {
    INPUT_SINGLE = 1, /* runs on one shard only (stdin, file, generator) */
    INPUT_ENDS = 2,   /* may finish by itself: the process ends when all inputs did */
    INPUT_NOT_RELOADABLE = 4,
    /* `shared` (listening sockets) holds nothing that belongs to cfg or self, so that a reload may
     * hand it to the same input of the new plan. Needed for moved(), too. */
    INPUT_SHARED_STAYS = 8
};

struct input_ops {
    const char *name;
    const char *doc;
    uint32_t flags;
    const struct setting *settings;
    size_t cfg_size, shared_size, state_size;
    err (*compile)(void *cfg, struct compiler *c);
    void (*release)(void *cfg);
    /* Control thread: binds sockets, opens files. `shards` is how many will call start. */
    err (*open)(void *shared, const void *cfg, struct input *self, uint32_t shards);
    /* On the shard: begins to take data in and to feed the worker. */
    err (*start)(void *state, void *shared, const void *cfg, struct worker *worker,
                 struct input *self);
    void (*tick)(void *state, const void *cfg, int64_t now_mono_ns); /* ~10 a second; may be NULL */
    /* Stops taking data in; what was taken is still delivered. Acks may still be sent. */
    void (*stop)(void *state, const void *cfg);
    /* true: no operation in flight refers to the state any more, it may be freed. */
    bool (*stopped)(void *state, const void *cfg);
    /* A reload found the same input (same options, plan_input.fingerprint) in the new plan, and
     * the flag INPUT_SHARED_STAYS is set: state and shared stay, with their sockets and
     * connections. Runs on the shard between batches, after the old worker's open batch has been
     * flushed. Everything in `state` that came from the old cfg, worker or self must be pointed at
     * the new ones: worker_adopt_intake for each intake, feed_move for each feed. Codec states are
     * kept: they hold nothing of cfg. Promises made to the old worker's batches settle in the same
     * windows as before. Must not fail and must not decode. A failed reload moves back.
     * NULL: the input is stopped and started anew, with its `shared` when INPUT_SHARED_STAYS is
     * set (pending connections wait in the listening socket), else all of it is made anew. */
    void (*moved)(void *state, const void *cfg, struct worker *worker, struct input *self);
    void (*close)(void *shared, const void *cfg); /* control thread, after every stop */
    void (*stats)(const void *shared, const void *cfg, struct buf *out); /* any time; may be NULL */
    /* Where outputs of other pipelines send to it. NULL: its events come from outside, and as long
     * as such an input has not ended, the process goes on. */
    slice (*address)(const void *cfg);
};

#endif
