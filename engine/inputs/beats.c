/*
 * beats.c - events from Beats and other Lumberjack clients, acknowledged when delivered.
 *
 * A connection's windows are promises (struct promise): an ACK goes out once the outputs have
 * settled every event of a window, in order; after a failure the connection is reset and the
 * client sends again. A promise outlives its connection while batches still hold it. Bytes the
 * worker does not take wait in the connection, which then receives no more.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/inputs/beats_event.h"
#include "engine/plan/common_options.h"
#include "engine/plan/ssl_options.h"
#include "engine/shard/feed.h"
#include "engine/shard/server.h"
#include "engine/shard/stamp.h"
#include "parsers/frame/lumberjack.h"

#define LOGGER "inputs.beats"
#define WINDOW_BYTES (64 * 1024 * 1024)
/* Receipts a connection may have open, and windows that wait for their ACK. */
#define PROMISE_SLOTS 64u
#define KEEP_ALIVE_NS (5 * NS_PER_SEC)
#define TICK_NS (NS_PER_SEC)

enum { AT_IP, AT_PROTOCOL, AT_SUBJECT, AT_CIPHER, AT_STATUS, AT_N };
enum { ENRICH_SOURCE = 1, ENRICH_CODEC = 2, ENRICH_SSL = 4, ENRICH_ALL = 8, ENRICH_NONE = 16 };
static const char *const enrich_choices[] = {
    "source_metadata", "codec_metadata", "ssl_peer_metadata", "all", "none", NULL};
static const char *const verify_modes[] = {"none", "peer", "force_peer", NULL};

struct beats_cfg {
    slice host;
    int64_t port, idle_ns, handshake_ms, threads, loops;
    bool codec_tag, ssl_peer;
    uint64_t enrich;
    int verify_mode;
    struct ssl_cfg ssl;
    struct beats_event_cfg event;
    struct fieldref field[AT_N];
};

struct beats_counters {
    struct counter windows, acked, keep_alives, failed, idle_closed, orphans, held_back;
};

struct beats_shared {
    int fd[SHARDS_MAX];
    uint32_t shard_n;
    struct server_counters *counters;
    struct beats_counters *beats_counters;
};

/* A window that is complete and not yet acknowledged. */
struct window_end {
    uint64_t ordinal; /* of its last receipt */
    uint32_t seq;
    uint8_t version;
};

struct promise {
    struct ack_window window;
    struct beats_conn *conn; /* NULL: it is gone */
    struct promise *next;    /* of the orphans */
    struct window_end end[PROMISE_SLOTS];
    uint32_t end_head, end_tail;
};

struct held {
    struct held *next;
    struct blob *blob;
};

struct beats_conn {
    struct conn conn;
    struct promise *promise; /* made with the first bytes, as are the rest */
    struct lumberjack frames;
    struct stamp stamp;
    struct blob *in; /* what frames.in lies in while bytes wait; pinned */
    struct held *first, *last;
    int64_t opened_ns, received_ns, sent_ns;
    uint64_t ordinal, serial;
    uint32_t window_n, event_n, seq;
    uint8_t version;
    bool counted, failed;
};

struct beats_state {
    struct server server;
    const struct beats_cfg *cfg;
    struct input *self;
    struct beats_event_state event;
    struct beats_counters *counters;
    struct promise *orphans;
    struct timer tick;
    struct log_gate gate;
    bool started;
};

static const struct setting beats_settings[] = {
    {.name = "host",
     SETTING_AT(struct beats_cfg, host, STRING),
     .default_text = "0.0.0.0",
     .doc = "Address to listen on."},
    {.name = "port",
     SETTING_AT(struct beats_cfg, port, INT),
     .flags = SETTING_REQUIRED,
     .min = 0,
     .max = 65535,
     .doc = "Port to listen on."},
    {.name = "client_inactivity_timeout",
     SETTING_AT(struct beats_cfg, idle_ns, DURATION),
     .default_text = "60",
     .doc = "Connections that say nothing for so long are closed."},
    {.name = "include_codec_tag",
     SETTING_AT(struct beats_cfg, codec_tag, BOOL),
     .default_text = "true",
     .flags = SETTING_OLD,
     .instead = "Use enrich.",
     .doc = "Tag events with what became of their message."},
    {.name = "add_hostname",
     SETTING_AT(struct beats_cfg, event.add_hostname, BOOL),
     .default_text = "false",
     .doc = "Copy [beat][hostname] to host where there is none."},
    {.name = "enrich",
     SETTING_AT(struct beats_cfg, enrich, ENUM_LIST),
     .choices = enrich_choices,
     .doc = "What to add: source_metadata and codec_metadata if not given."},
    {.name = "executor_threads",
     SETTING_AT(struct beats_cfg, threads, INT),
     .doc = "Read for old configurations: every shard of the pipeline receives."},
    {.name = "event_loop_threads",
     SETTING_AT(struct beats_cfg, loops, INT),
     .doc = "Read for old configurations: every shard of the pipeline receives."},
    SSL_OPTIONS_COMMON(struct beats_cfg, ssl, "ssl", NULL),
    SSL_OPTIONS_CLIENT_AUTH(struct beats_cfg, ssl, "none"),
    {.name = "ssl_handshake_timeout",
     SETTING_AT(struct beats_cfg, handshake_ms, INT),
     .default_text = "10000",
     .min = 1,
     .max = 3600000,
     .doc = "Milliseconds a client has for the TLS handshake."},
    {.name = "ssl_verify_mode",
     SETTING_AT(struct beats_cfg, verify_mode, ENUM),
     .choices = verify_modes,
     .flags = SETTING_OLD,
     .instead = "Use ssl_client_authentication.",
     .doc = "Whether clients must show a certificate."},
    {.name = "ssl_peer_metadata",
     SETTING_AT(struct beats_cfg, ssl_peer, BOOL),
     .flags = SETTING_OLD,
     .instead = "Use enrich.",
     .doc = "Add what TLS knows about the client."},
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "plain"},
    {0},
};

/* ---- configuration ---------------------------------------------------------------------- */

static void compile_enrich(struct beats_cfg *cfg, const struct compiler *c)
{
    if (!settings_given(&c->given, "enrich")) {
        cfg->enrich = ENRICH_SOURCE;
        if (cfg->codec_tag) cfg->enrich |= ENRICH_CODEC;
        if (cfg->ssl_peer) cfg->enrich |= ENRICH_SSL;
    }
    if (cfg->enrich & ENRICH_ALL) cfg->enrich = ENRICH_SOURCE | ENRICH_CODEC | ENRICH_SSL;
    if (cfg->enrich & ENRICH_NONE) cfg->enrich = 0;
}

static err compile(void *cfg_, struct compiler *c)
{
    struct beats_cfg *cfg = cfg_;
    static const char *const names[2][AT_N] = {
        {"[@metadata][ip_address]", "[@metadata][tls_peer][protocol]",
         "[@metadata][tls_peer][subject]", "[@metadata][tls_peer][cipher_suite]",
         "[@metadata][tls_peer][status]"},
        {"[@metadata][input][beats][host][ip]", "[@metadata][input][beats][tls][version_protocol]",
         "[@metadata][input][beats][tls][client][subject]",
         "[@metadata][input][beats][tls][cipher]", "[@metadata][tls_peer][status]"}};
    for (uint32_t i = 0; i < AT_N; i++) {
        slice name = slice_from_cstr(names[compiler_is_ecs(c)][i]);
        err e = compile_fieldref(c, &cfg->field[i], name, c->plugin->pos);
        if (e != ERR_OK) return e;
    }
    compile_enrich(cfg, c);
    if (settings_given(&c->given, "ssl_verify_mode")) cfg->ssl.client_auth = cfg->verify_mode;
    err e = ssl_options_compile(&cfg->ssl, false, c);
    if (e != ERR_OK) return e;
    return beats_event_compile(&cfg->event, (cfg->enrich & ENRICH_CODEC) != 0, c);
}

static void release(void *cfg_)
{
    struct beats_cfg *cfg = cfg_;
    ssl_options_release(&cfg->ssl);
    codec_release(&cfg->event.codec);
}

static err open_input(void *shared, const void *cfg_, struct input *self, uint32_t shards)
{
    (void)self;
    struct beats_shared *sh = shared;
    const struct beats_cfg *cfg = cfg_;
    char why[LISTENER_WHY_BYTES];
    sh->shard_n = shards < SHARDS_MAX ? shards : SHARDS_MAX;
    memset(sh->fd, -1, sizeof(sh->fd));
    struct listener_config listener = {
        .host = cfg->host, .port = (uint16_t)cfg->port, .keep_alive = true};
    err e = listener_open(&listener, sh->fd, sh->shard_n, NULL, why);
    if (e != ERR_OK) {
        log_error(LOGGER, "%s", why);
        return e;
    }
    sh->counters = calloc(sh->shard_n, sizeof(*sh->counters));
    sh->beats_counters = calloc(sh->shard_n, sizeof(*sh->beats_counters));
    ASSERT(sh->counters != NULL && sh->beats_counters != NULL);
    return ERR_OK;
}

static void close_input(void *shared, const void *cfg)
{
    (void)cfg;
    struct beats_shared *sh = shared;
    listener_close(sh->fd, sh->shard_n);
    free(sh->counters);
    free(sh->beats_counters);
}

/* ---- promises ----------------------------------------------------------------------------------
 */

static struct beats_state *state_of(const struct beats_conn *c)
{
    return (struct beats_state *)c->conn.server;
}

static bool is_pending(const struct beats_conn *c)
{
    const struct promise *p = c->promise;
    return p != NULL && (p->end_head != p->end_tail || !ack_window_idle(&p->window));
}

static void send_ack(struct beats_conn *c, uint8_t version, uint32_t seq)
{
    char ack[LUMBERJACK_ACK_BYTES];
    lumberjack_ack_write(version, seq, ack);
    c->sent_ns = state_of(c)->server.shard->now_mono_ns;
    if (!stream_send(&c->conn.stream, slice_make(ack, sizeof(ack)))) c->failed = true;
}

/* Acknowledges the windows that end at or before `ordinal`, all when nothing is open any more. */
static void settle(struct promise *p, uint64_t ordinal)
{
    struct beats_conn *c = p->conn;
    bool all = ack_window_idle(&p->window);
    while (p->end_tail != p->end_head) {
        const struct window_end *end = &p->end[p->end_tail % PROMISE_SLOTS];
        if (!all && end->ordinal > ordinal) break;
        p->end_tail++;
        if (c == NULL) continue;
        counter_add(&state_of(c)->counters->acked, 1);
        send_ack(c, end->version, end->seq);
    }
    if (c != NULL && c->conn.stream.ended && !is_pending(c) && c->first == NULL && c->in == NULL)
        stream_finish(&c->conn.stream);
}

static void on_acked(struct ack_window *window, uint64_t position)
{
    settle((struct promise *)window, position);
}

/* Nothing is closed from here: this may run below a batch that the connection itself fills. */
static void on_failed(struct ack_window *window, uint64_t position)
{
    (void)position;
    struct promise *p = (struct promise *)window;
    p->end_tail = p->end_head;
    if (p->conn == NULL || p->conn->failed) return;
    counter_add(&state_of(p->conn)->counters->failed, 1);
    p->conn->failed = true;
}

static void orphans_sweep(struct beats_state *s)
{
    uint32_t n = 0;
    for (struct promise **at = &s->orphans; *at != NULL;) {
        struct promise *p = *at;
        if (!ack_window_idle(&p->window)) {
            at = &p->next;
            n++;
            continue;
        }
        *at = p->next;
        ack_window_fini(&p->window);
        free(p);
    }
    counter_set(&s->counters->orphans, n);
}

/* The events [from, b->n) came in `bytes` bytes: the open batch is part of the promise for them. */
static void took(struct beats_conn *c, struct batch *b, uint32_t from, uint32_t bytes)
{
    struct beats_state *s = state_of(c);
    struct worker *w = s->server.worker;
    if (b->n > from) {
        if (c->serial != w->batch_serial) c->ordinal++;
        c->serial = w->batch_serial;
        bool fresh;
        struct receipt *r = ack_window_charge(&c->promise->window, c->ordinal, bytes, &fresh);
        if (fresh) {
            batch_hold(b, r);
            receipt_release(r, OUTCOME_DELIVERED);
        }
    }
    worker_took(w, NULL, bytes, b->n - from);
    intake_took(&s->server.intake, bytes, b->n - from);
}

static void window_end(struct beats_conn *c)
{
    struct promise *p = c->promise;
    counter_add(&state_of(c)->counters->windows, 1);
    p->end[p->end_head++ % PROMISE_SLOTS] = (struct window_end){c->ordinal, c->seq, c->version};
    c->ordinal++; /* the next window has receipts of its own */
    c->window_n = c->event_n = 0;
    if (ack_window_idle(&p->window)) settle(p, c->ordinal);
}

/* ---- frames
 * -------------------------------------------------------------------------------------- */

static void take_event(struct beats_conn *c, const struct lumberjack_frame *frame)
{
    struct beats_state *s = state_of(c);
    struct worker *w = s->server.worker;
    worker_flush_full(w);
    struct batch *b = worker_batch(w);
    uint32_t from = b->n;
    struct blob *blob = frame->blob != NULL ? frame->blob : c->in;
    slice payload = frame->payload;
    bool small = frame->blob == NULL && c->in->used < FEED_COPY_BYTES;
    if (frame->carried || small)
        payload = arena_copy(&b->arena, payload);
    else
        batch_pin(b, blob);
    s->event.counters = s->server.intake.counters;
    if (frame->type == LUMBERJACK_JSON)
        beats_event_json(&s->event, &s->cfg->event, b, payload);
    else
        beats_event_pairs(&s->event, &s->cfg->event, b, payload);
    stamp_apply(&c->stamp, b, w->batch_serial, from);
    if (s->self->decoration != NULL) decoration_apply(s->self->decoration, b, from);
    beats_event_tags(&s->cfg->event, b, from);
    took(c, b, from, payload.n);
    c->seq = frame->seq;
    c->version = frame->version;
    if (++c->event_n >= c->window_n) window_end(c);
}

static void take_frame(struct beats_conn *c, const struct lumberjack_frame *frame)
{
    switch (frame->type) {
    case LUMBERJACK_WINDOW:
        /* A window that never got full counts as complete. */
        if (c->event_n > 0) window_end(c);
        c->window_n = frame->seq;
        c->version = frame->version;
        c->seq = 0;
        if (c->window_n == 0) window_end(c);
        break;
    case LUMBERJACK_DATA:
    case LUMBERJACK_JSON: take_event(c, frame); break;
    case LUMBERJACK_ACK: break; /* a reader's frame; harmless */
    }
}

static void broken(struct beats_conn *c, const char *what)
{
    struct beats_state *s = state_of(c);
    uint64_t held;
    counter_add(&s->server.counters->broken, 1);
    if (!log_gate_open(&s->gate, &held)) return;
    char from[ADDRESS_TEXT_BYTES];
    address_text((const struct sockaddr *)&c->conn.peer, from);
    log_warn(LOGGER, "connection from %s port %u closed: %s (%llu more since)", from,
             address_port((const struct sockaddr *)&c->conn.peer), what, (unsigned long long)held);
}

enum pull { PULL_ALL, PULL_WAIT, PULL_CLOSED };

static bool may_take(struct beats_conn *c)
{
    struct beats_state *s = state_of(c);
    if (!worker_may_read(s->server.worker, &s->server.intake, &c->promise->window)) return false;
    if (c->promise->end_head - c->promise->end_tail < PROMISE_SLOTS - 1) return true;
    s->server.intake.stopped = true;
    return false;
}

/* Reads frames out of what was fed, as long as the worker takes them. */
static enum pull pull(struct beats_conn *c)
{
    struct lumberjack_frame frame;
    for (;;) {
        if (c->failed) {
            stream_reset(&c->conn.stream);
            return PULL_CLOSED;
        }
        if (!may_take(c)) return PULL_WAIT;
        int result = lumberjack_next(&c->frames, &frame);
        if (result == 0) return PULL_ALL;
        if (result < 0) {
            broken(c, c->frames.reason);
            stream_reset(&c->conn.stream);
            return PULL_CLOSED;
        }
        take_frame(c, &frame);
    }
}

static void hold(struct beats_conn *c, slice bytes)
{
    struct beats_state *s = state_of(c);
    struct held *h = malloc(sizeof(*h));
    ASSERT(h != NULL);
    *h = (struct held){.blob = blob_new(bytes.n)};
    memcpy(h->blob->data, bytes.p, bytes.n);
    h->blob->used = bytes.n;
    *(c->first != NULL ? &c->last->next : &c->first) = h;
    c->last = h;
    counter_add(&s->counters->held_back, 1);
}

static void count_waiting(struct beats_conn *c, bool waiting)
{
    struct intake *intake = &c->conn.server->intake;
    if (waiting && !c->counted) intake->waiting++;
    if (!waiting && c->counted) intake->waiting--;
    c->counted = waiting;
}

/* The frames have stopped in the middle of a buffer that is not ours: keep the rest. */
static void keep_rest(struct beats_conn *c)
{
    slice rest = c->frames.in;
    struct blob *blob = blob_new(rest.n);
    if (rest.n > 0) memcpy(blob->data, rest.p, rest.n);
    blob->used = rest.n;
    c->in = blob;
    c->frames.in = slice_make(blob->data, rest.n);
}

static void begin(struct beats_conn *c)
{
    struct beats_state *s = state_of(c);
    const struct beats_cfg *cfg = s->cfg;
    struct promise *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    ack_window_init(&p->window, PROMISE_SLOTS, &s->server.intake);
    p->window.acked = on_acked;
    p->window.failed = on_failed;
    p->conn = c;
    c->promise = p;
    c->ordinal = 1;
    lumberjack_init(&c->frames, NULL);
    char text[ADDRESS_TEXT_BYTES];
    slice ip = slice_make(text, address_text((const struct sockaddr *)&c->conn.peer, text));
    if (cfg->enrich & ENRICH_SOURCE) stamp_add(&c->stamp, &cfg->field[AT_IP], value_clean(ip));
    const struct tls_session *tls = c->conn.stream.tls;
    if (tls == NULL || !(cfg->enrich & ENRICH_SSL)) return;
    bool verified = tls_session_verified(tls);
    slice status = verified ? SLICE("verified") : SLICE("unverified");
    stamp_add(&c->stamp, &cfg->field[AT_STATUS], value_clean(status));
    stamp_add(&c->stamp, &cfg->field[AT_PROTOCOL], value_clean(tls_session_protocol(tls)));
    stamp_add(&c->stamp, &cfg->field[AT_CIPHER], value_clean(tls_session_cipher(tls)));
    if (verified)
        stamp_add(&c->stamp, &cfg->field[AT_SUBJECT], value_string(tls_session_subject(tls)));
}

static void on_data(struct stream *stream, struct blob *blob, slice bytes)
{
    struct beats_conn *c = (struct beats_conn *)stream;
    struct beats_state *s = state_of(c);
    if (!server_has_worker(&s->server)) return;
    c->received_ns = s->server.shard->now_mono_ns;
    if (c->promise == NULL) begin(c);
    if (c->in != NULL) {
        hold(c, bytes);
        return;
    }
    c->in = blob;
    lumberjack_feed(&c->frames, bytes);
    enum pull result = pull(c);
    c->in = NULL;
    if (result != PULL_WAIT) return;
    keep_rest(c);
    count_waiting(c, true);
    conn_wait(&c->conn);
}

static bool conn_resume(struct conn *conn)
{
    struct beats_conn *c = (struct beats_conn *)conn;
    while (c->in != NULL) {
        enum pull result = pull(c);
        if (result == PULL_CLOSED) return true;
        if (result == PULL_WAIT) return false;
        blob_unpin(c->in);
        c->in = NULL;
        struct held *h = c->first;
        if (h == NULL) break;
        c->first = h->next;
        c->in = h->blob;
        lumberjack_feed(&c->frames, slice_make(h->blob->data, h->blob->used));
        free(h);
    }
    count_waiting(c, false);
    if (!conn->stream.ended)
        stream_receive(&conn->stream);
    else if (!is_pending(c))
        stream_finish(&conn->stream);
    return true;
}

/* What is pending may still be acknowledged on the other half. */
static void on_end(struct stream *stream, int error)
{
    struct beats_conn *c = (struct beats_conn *)stream;
    if (error != 0) {
        bool tls = error == EPROTO && stream->tls != NULL;
        if (error != ECONNRESET && error != EPIPE)
            broken(c, tls ? tls_session_why(stream->tls) : strerror(error));
        stream_close(stream);
        return;
    }
    if (c->in != NULL)
        conn_wait(&c->conn);
    else if (!is_pending(c))
        stream_finish(stream);
}

static void conn_opened(struct conn *conn)
{
    struct beats_conn *c = (struct beats_conn *)conn;
    c->opened_ns = c->received_ns = c->sent_ns = conn->server->shard->now_mono_ns;
    stream_receive(&conn->stream);
}

static void conn_gone(struct conn *conn)
{
    struct beats_conn *c = (struct beats_conn *)conn;
    struct beats_state *s = state_of(c);
    count_waiting(c, false);
    if (c->in != NULL) blob_unpin(c->in);
    while (c->first != NULL) {
        struct held *h = c->first;
        c->first = h->next;
        blob_unpin(h->blob);
        free(h);
    }
    stamp_fini(&c->stamp);
    if (c->promise == NULL) return;
    lumberjack_fini(&c->frames);
    c->promise->conn = NULL;
    c->promise->next = s->orphans;
    s->orphans = c->promise;
}

static const struct stream_ops stream_ops = {
    .data = on_data, .end = on_end, .starved = conn_starved, .closed = conn_closed};
static const struct server_ops server_ops = {.logger = LOGGER,
                                             .conn_size = sizeof(struct beats_conn),
                                             .opened = conn_opened,
                                             .resume = conn_resume,
                                             .closed = conn_gone};

/* ---- time --------------------------------------------------------------------------------------
 */

static void conn_tick(struct beats_conn *c, int64_t now_ns)
{
    struct beats_state *s = state_of(c);
    const struct tls_session *tls = c->conn.stream.tls;
    bool shaking = tls != NULL && !tls_session_ready(tls);
    if (c->failed) {
        stream_reset(&c->conn.stream);
    } else if (shaking && now_ns - c->opened_ns > s->cfg->handshake_ms * NS_PER_MS) {
        broken(c, "the TLS handshake took too long");
        stream_reset(&c->conn.stream);
    } else if (is_pending(c)) {
        if (now_ns - c->sent_ns < KEEP_ALIVE_NS) return;
        counter_add(&s->counters->keep_alives, 1);
        send_ack(c, 2, 0);
    } else if (s->cfg->idle_ns > 0 && !c->conn.waiting &&
               now_ns - c->received_ns > s->cfg->idle_ns) {
        counter_add(&s->counters->idle_closed, 1);
        stream_reset(&c->conn.stream);
    }
}

static void tick(struct timer *timer, int64_t now_ns)
{
    struct beats_state *s =
        (struct beats_state *)((char *)timer - offsetof(struct beats_state, tick));
    struct conn *next;
    for (struct conn *c = s->server.first; c != NULL; c = next) {
        next = c->next;
        conn_tick((struct beats_conn *)c, now_ns);
    }
    orphans_sweep(s);
    timer_set(s->server.timers, &s->tick, now_ns + TICK_NS);
}

/* ---- start and stop ----------------------------------------------------------------------------
 */

static err start(void *state, void *shared, const void *cfg_, struct worker *worker,
                 struct input *self)
{
    struct beats_state *s = state;
    struct beats_shared *sh = shared;
    uint32_t at = worker->shard->index;
    if (at >= sh->shard_n) return ERR_OK;
    s->cfg = cfg_;
    s->self = self;
    err e = beats_event_start(&s->event, &s->cfg->event);
    if (e != ERR_OK) return e;
    s->started = true;
    s->counters = &sh->beats_counters[at];
    struct server_config config = {.ops = &server_ops,
                                   .stream_ops = &stream_ops,
                                   .tls = s->cfg->ssl.context,
                                   .counters = &sh->counters[at],
                                   .fd = sh->fd[at],
                                   .window_bytes = WINDOW_BYTES};
    server_start(&s->server, worker, &config);
    s->tick.fire = tick;
    timer_set(s->server.timers, &s->tick, worker->shard->now_mono_ns + TICK_NS);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct beats_state *s = state;
    if (s->started) server_stop(&s->server);
}

static bool stopped(void *state, const void *cfg)
{
    struct beats_state *s = state;
    if (!s->started) return true;
    timer_cancel(s->server.timers, &s->tick);
    if (!server_stopped(&s->server)) return false;
    orphans_sweep(s);
    if (s->orphans != NULL) return false;
    beats_event_stop(&s->event, &((const struct beats_cfg *)cfg)->event);
    return true;
}

static void moved(void *state, const void *cfg_, struct worker *worker, struct input *self)
{
    struct beats_state *s = state;
    const struct beats_cfg *cfg = cfg_;
    if (!s->started) return;
    server_move(&s->server, worker, cfg->ssl.context);
    for (struct conn *one = s->server.first; one != NULL; one = one->next) {
        struct beats_conn *c = (struct beats_conn *)one;
        stamp_move(&c->stamp, s->cfg, cfg);
        c->serial = 0;
    }
    s->cfg = cfg;
    s->self = self;
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)cfg;
    const struct beats_shared *sh = shared;
    static const char *const names[7] = {"windows",           "windows_acked", "keep_alives",
                                         "windows_failed",    "idle_closed",   "promises_orphaned",
                                         "receives_held_back"};
    uint64_t sum[7] = {0};
    for (uint32_t i = 0; i < sh->shard_n; i++) {
        const struct beats_counters *c = &sh->beats_counters[i];
        const struct counter *all[7] = {&c->windows,     &c->acked,   &c->keep_alives, &c->failed,
                                        &c->idle_closed, &c->orphans, &c->held_back};
        for (uint32_t k = 0; k < 7; k++) sum[k] += counter_read(all[k]);
    }
    server_counters_json(sh->counters, sh->shard_n, out);
    for (uint32_t k = 0; k < 7; k++)
        buf_printf(out, ",\"%s\":%llu", names[k], (unsigned long long)sum[k]);
}

const struct input_ops input_beats = {
    .name = "beats",
    .doc = "Reads events from Beats, acknowledging them once they are delivered.",
    .flags = INPUT_SHARED_STAYS,
    .settings = beats_settings,
    .cfg_size = sizeof(struct beats_cfg),
    .shared_size = sizeof(struct beats_shared),
    .state_size = sizeof(struct beats_state),
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
