/*
 * udp.c - one datagram, one text for the codec.
 *
 * Listens on every shard; the kernel deals the datagrams out. A payload is copied once, into the
 * batch, so that its receive buffer is free at once.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/plan/compiler.h"
#include "engine/plan/common_options.h"
#include "engine/shard/datagram.h"

#define LOGGER "inputs.udp"
#define WINDOW_BYTES (16 * 1024 * 1024)

struct udp_cfg {
    slice host, source_field;
    int64_t port, buffer_bytes, receive_buffer_bytes, queue, workers;
    struct codec codec;
    struct fieldref source;
};

struct udp_shared {
    int fd[SHARDS_MAX];
    struct nic_route route;
    uint32_t shard_n;
    struct datagram_counters *counters;
};

struct udp_state {
    struct datagrams in;
    const struct udp_cfg *cfg;
    struct input *self;
    void *codec_state;
    bool started;
};

static const struct setting udp_settings[] = {
    {.name = "host",
     SETTING_AT(struct udp_cfg, host, STRING),
     .default_text = "0.0.0.0",
     .doc = "Address to listen on."},
    {.name = "port",
     SETTING_AT(struct udp_cfg, port, INT),
     .flags = SETTING_REQUIRED,
     .min = 0,
     .max = 65535,
     .doc = "Port to listen on."},
    {.name = "buffer_size",
     SETTING_AT(struct udp_cfg, buffer_bytes, INT),
     .default_text = "65536",
     .min = 1,
     .max = 65536,
     .doc = "Longest datagram to take; a longer one is cut and tagged _datagram_truncated."},
    {.name = "receive_buffer_bytes",
     SETTING_AT(struct udp_cfg, receive_buffer_bytes, INT),
     .min = 0,
     .max = INT32_MAX,
     .doc = "Size of each socket's receive buffer in the kernel. "
            "Without it, 8 MB or as much as the kernel allows."},
    {.name = "queue_size",
     SETTING_AT(struct udp_cfg, queue, INT),
     .default_text = "2000",
     .doc = "Read for old configurations: datagrams wait in the kernel's receive buffer."},
    {.name = "workers",
     SETTING_AT(struct udp_cfg, workers, INT),
     .default_text = "2",
     .doc = "Read for old configurations: every shard of the pipeline receives."},
    {.name = "source_ip_fieldname",
     SETTING_AT(struct udp_cfg, source_field, STRING),
     .doc = "Field for the sender's address; host, or [host][ip] in ECS modes, if not given."},
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "plain"},
    {0},
};

static err compile(void *cfg_, struct compiler *c)
{
    struct udp_cfg *cfg = cfg_;
    slice name = cfg->source_field;
    if (name.p == NULL) name = compiler_is_ecs(c) ? SLICE("[host][ip]") : SLICE("host");
    struct pos pos = settings_pos(c->plugin, "source_ip_fieldname");
    err e = compile_fieldref(c, &cfg->source, name, pos);
    if (e != ERR_OK) return e;
    if (cfg->source.depth == 0 || cfg->source.root == FIELD_TIMESTAMP) {
        compile_error(c, "source_ip_fieldname", "the name of a field",
                      "an address cannot be put there");
        return ERR_CONFIG;
    }
    return compile_codec(c, &cfg->codec, &c->common_input->codec, BYTES_FRAMED);
}

static void release(void *cfg)
{
    codec_release(&((struct udp_cfg *)cfg)->codec);
}

static err open_input(void *shared, const void *cfg_, struct input *self, uint32_t shards)
{
    (void)self;
    struct udp_shared *sh = shared;
    const struct udp_cfg *cfg = cfg_;
    char why[LISTENER_WHY_BYTES];
    int64_t got = 0;
    sh->shard_n = shards < SHARDS_MAX ? shards : SHARDS_MAX;
    memset(sh->fd, -1, sizeof(sh->fd));
    struct listener_config listener = {.host = cfg->host,
                                       .port = (uint16_t)cfg->port,
                                       .datagram = true,
                                       .receive_buffer_bytes = cfg->receive_buffer_bytes};
    err e = datagrams_open(&listener, sh->fd, sh->shard_n, &got, &sh->route, why);
    if (e != ERR_OK) {
        log_error(LOGGER, "%s", why);
        return e;
    }
    if (got < cfg->receive_buffer_bytes)
        log_warn(LOGGER,
                 "the receive buffer of port %lld has %lld bytes instead of %lld: raise sysctl "
                 "net.core.rmem_max",
                 (long long)cfg->port, (long long)got, (long long)cfg->receive_buffer_bytes);
    sh->counters = calloc(sh->shard_n, sizeof(*sh->counters));
    ASSERT(sh->counters != NULL);
    return ERR_OK;
}

static void close_input(void *shared, const void *cfg)
{
    (void)cfg;
    struct udp_shared *sh = shared;
    datagrams_close(sh->fd, sh->shard_n, &sh->route);
    free(sh->counters);
}

static void finish(struct udp_state *s, struct batch *b, uint32_t from_event, uint32_t used,
                   struct sender *from, bool truncated)
{
    struct worker *w = s->in.worker;
    if (b->n > from_event) {
        stamp_apply(&from->stamp, b, w->batch_serial, from_event);
        if (s->self->decoration != NULL) decoration_apply(s->self->decoration, b, from_event);
        for (uint32_t i = from_event; truncated && i < b->n; i++)
            event_tag(b, &b->event[i], SLICE("_datagram_truncated"), true);
    }
    worker_took(w, &s->in.window, used, b->n - from_event);
}

/* The codec sees the whole datagram as a stream that ends with it. */
static void take(struct datagrams *d, slice payload, struct sender *from, bool truncated)
{
    struct udp_state *s = (struct udp_state *)d;
    const struct codec *codec = &s->cfg->codec;
    struct worker *w = d->worker;
    if (from->stamp.field_n == 0)
        stamp_add(&from->stamp, &s->cfg->source, value_clean(slice_make(from->text, from->text_n)));
    if (payload.n > s->cfg->buffer_bytes) {
        if (!truncated) counter_add(&d->counters->truncated, 1);
        truncated = true;
        payload.n = (uint32_t)s->cfg->buffer_bytes;
    }
    while (payload.n > 0) {
        worker_flush_full(w);
        struct batch *b = worker_batch(w);
        uint32_t from_event = b->n;
        struct blob outlives = {.pins = 1}; /* the bytes are the batch's own: no more copies */
        struct decode in = {.batch = b,
                            .events_max = w->events_max,
                            .blob = &outlives,
                            .end = true,
                            .counters = d->intake.counters};
        uint32_t used =
            codec->ops->decode(s->codec_state, codec->cfg, arena_copy(&b->arena, payload), &in);
        bool full = b->n >= w->events_max;
        finish(s, b, from_event, used, from, truncated);
        if (used == 0 && !full) break;
        payload = slice_from(payload, used);
    }
    if (codec->ops->flush == NULL) return;
    worker_flush_full(w);
    struct batch *b = worker_batch(w);
    uint32_t from_event = b->n;
    struct decode in = {
        .batch = b, .events_max = w->events_max, .end = true, .counters = d->intake.counters};
    codec->ops->flush(s->codec_state, codec->cfg, &in);
    if (b->n > from_event) finish(s, b, from_event, 0, from, truncated);
}

static err start(void *state, void *shared, const void *cfg_, struct worker *worker,
                 struct input *self)
{
    struct udp_state *s = state;
    struct udp_shared *sh = shared;
    uint32_t at = worker->shard->index;
    if (at >= sh->shard_n) return ERR_OK;
    s->cfg = cfg_;
    s->self = self;
    const struct codec *codec = &s->cfg->codec;
    s->codec_state = calloc(1, codec->ops->state_size + 1);
    ASSERT(s->codec_state != NULL);
    err e = codec->ops->start == NULL ? ERR_OK : codec->ops->start(s->codec_state, codec->cfg);
    if (e != ERR_OK) {
        free(s->codec_state);
        return e;
    }
    s->started = true;
    struct datagrams_config config = {.fd = sh->fd[at],
                                      .route = sh->route,
                                      .window_bytes = WINDOW_BYTES,
                                      .counters = &sh->counters[at],
                                      .take = take};
    datagrams_start(&s->in, worker, &config);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct udp_state *s = state;
    if (s->started) datagrams_stop(&s->in);
}

static bool stopped(void *state, const void *cfg)
{
    (void)cfg;
    struct udp_state *s = state;
    if (!s->started) return true;
    if (!datagrams_stopped(&s->in)) return false;
    const struct codec *codec = &s->cfg->codec;
    if (codec->ops->stop != NULL) codec->ops->stop(s->codec_state, codec->cfg);
    free(s->codec_state);
    return true;
}

static void moved(void *state, const void *cfg, struct worker *worker, struct input *self)
{
    struct udp_state *s = state;
    if (!s->started) return;
    datagrams_move(&s->in, worker, s->cfg, cfg);
    s->cfg = cfg;
    s->self = self;
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)cfg;
    const struct udp_shared *sh = shared;
    datagram_counters_json(sh->counters, sh->shard_n, out);
}

const struct input_ops input_udp = {
    .name = "udp",
    .doc = "Reads one text per datagram.",
    .flags = INPUT_SHARED_STAYS,
    .settings = udp_settings,
    .cfg_size = sizeof(struct udp_cfg),
    .shared_size = sizeof(struct udp_shared),
    .state_size = sizeof(struct udp_state),
    .compile = compile,
    .release = release,
    .open = open_input,
    .start = start,
    .stop = stop,
    .stopped = stopped,
    .moved = moved,
    .close = close_input,
    .stats = stats,
};
