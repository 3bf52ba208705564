/*
 * syslog.c - syslog over TCP and UDP on one port.
 *
 * Every shard listens on both. A TCP connection is newline framed or octet counted (RFC 6587);
 * its first bytes tell. Lines that lie whole in a receive buffer are parsed where they are and the
 * batch pins the buffer; what is cut by a buffer's end is put together in the connection's carry.
 * Bytes that the worker does not take wait in the connection, which then receives no more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/inputs/syslog_event.h"
#include "engine/plan/common_options.h"
#include "engine/shard/datagram.h"
#include "engine/shard/feed.h"
#include "engine/shard/server.h"
#include "net/proxy_line.h"
#include "parsers/frame/syslog_frame.h"
#include "parsers/scan/newline.h"
#include "parsers/scan/utf8_scan.h"

#define LOGGER "inputs.syslog"
#define WINDOW_BYTES (16 * 1024 * 1024)
#define LINES_AT_ONCE 256u

struct syslog_cfg {
    slice host;
    int64_t port, receive_buffer_bytes;
    bool proxy_protocol;
    struct syslog_event_options options;
    struct syslog_event_cfg event;
    struct codec codec;
    bool direct; /* no codec of its own, built-in parsers, field message */
};

struct syslog_counters {
    struct counter unparsed, cuts, held_back;
};

struct syslog_shared {
    int tcp[SHARDS_MAX], udp[SHARDS_MAX];
    struct nic_route route;
    uint32_t shard_n;
    struct server_counters *tcp_counters;
    struct datagram_counters *udp_counters;
    struct syslog_counters *counters;
};

struct syslog_state {
    struct server server;
    struct datagrams udp;
    struct ack_window window;
    struct syslog_event_state event;
    const struct syslog_cfg *cfg;
    struct input *self;
    struct syslog_counters *counters;
    void *codec_state;
    struct log_gate gate;
    bool started;
};

/* Bytes that wait for the worker. */
struct held {
    struct held *next;
    struct blob *blob;
    uint32_t at;
};

struct syslog_conn {
    struct conn conn;
    struct syslog_frame frame;
    struct held *first, *last;
    struct proxy_line *proxy;
    char host[ADDRESS_TEXT_BYTES];
    uint8_t host_n;
    bool begun, counted; /* in intake.waiting */
    uint64_t serial;     /* of the batch that holds: */
    slice kept;          /* host */
};

#define FACILITIES                                                                                 \
    "[\"kernel\", \"user-level\", \"mail\", \"system\", \"security/authorization\", \"syslogd\", " \
    "\"line printer\", \"network news\", \"UUCP\", \"clock\", \"security/authorization\", "        \
    "\"FTP\", \"NTP\", \"log audit\", \"log alert\", \"clock\", \"local0\", \"local1\", "          \
    "\"local2\", \"local3\", \"local4\", \"local5\", \"local6\", \"local7\"]"
#define SEVERITIES                                                                                 \
    "[\"Emergency\", \"Alert\", \"Critical\", \"Error\", \"Warning\", \"Notice\", "                \
    "\"Informational\", \"Debug\"]"

static const struct setting syslog_settings[] = {
    {.name = "host",
     SETTING_AT(struct syslog_cfg, host, STRING),
     .default_text = "0.0.0.0",
     .doc = "Address to listen on."},
    {.name = "port",
     SETTING_AT(struct syslog_cfg, port, INT),
     .default_text = "514",
     .min = 0,
     .max = 65535,
     .doc = "Port to listen on, TCP and UDP."},
    {.name = "proxy_protocol",
     SETTING_AT(struct syslog_cfg, proxy_protocol, BOOL),
     .default_text = "false",
     .doc = "TCP connections begin with a line of the PROXY protocol, version 1."},
    {.name = "use_labels",
     SETTING_AT(struct syslog_cfg, options.use_labels, BOOL),
     .default_text = "true",
     .doc = "Add the names of facility and severity."},
    {.name = "facility_labels",
     SETTING_AT(struct syslog_cfg, options.facility_labels, LIST),
     .default_text = FACILITIES,
     .doc = "Names of the facilities, from 0 on."},
    {.name = "severity_labels",
     SETTING_AT(struct syslog_cfg, options.severity_labels, LIST),
     .default_text = SEVERITIES,
     .doc = "Names of the severities, from 0 on."},
    {.name = "timezone",
     SETTING_AT(struct syslog_cfg, options.timezone, STRING),
     .doc = "Zone of timestamps that name none; this machine's if not given."},
    {.name = "locale",
     SETTING_AT(struct syslog_cfg, options.locale, STRING),
     .doc = "Language of month names."},
    {.name = "grok_pattern",
     SETTING_AT(struct syslog_cfg, options.grok_pattern, STRING),
     .doc = "Pattern for lines that are not plain syslog, in place of the built-in parsers."},
    {.name = "syslog_field",
     SETTING_AT(struct syslog_cfg, options.text_field, STRING),
     .default_text = "message",
     .doc = "Field of the codec's event that holds the syslog text."},
    {.name = "service_type",
     SETTING_AT(struct syslog_cfg, options.service_type, STRING),
     .default_text = "system",
     .doc = "Value of [service][type] in ECS modes."},
    {.name = "rfc5424",
     SETTING_AT(struct syslog_cfg, options.rfc5424, BOOL),
     .default_text = "true",
     .doc = "Read RFC 5424 messages. false: tag them as unparsable, as Logstash does."},
    {.name = "receive_buffer_bytes",
     SETTING_AT(struct syslog_cfg, receive_buffer_bytes, INT),
     .min = 0,
     .max = INT32_MAX,
     .doc = "Size of each UDP socket's receive buffer in the kernel. "
            "Without it, 8 MB or as much as the kernel allows."},
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "plain"},
    {0},
};

/* ---- configuration ---------------------------------------------------------------------- */

static err compile(void *cfg_, struct compiler *c)
{
    struct syslog_cfg *cfg = cfg_;
    const struct config_codec *codec = &c->common_input->codec;
    cfg->direct = slice_equal(codec->name, SLICE("plain")) && codec->plugin == NULL &&
                  cfg->options.grok_pattern.p == NULL &&
                  slice_equal(cfg->options.text_field, SLICE("message"));
    err e = syslog_event_compile(&cfg->event, &cfg->options, c);
    if (e != ERR_OK) return e;
    return compile_codec(c, &cfg->codec, codec, BYTES_FRAMED);
}

static void release(void *cfg_)
{
    struct syslog_cfg *cfg = cfg_;
    syslog_event_release(&cfg->event);
    codec_release(&cfg->codec);
}

static err open_input(void *shared, const void *cfg_, struct input *self, uint32_t shards)
{
    (void)self;
    struct syslog_shared *sh = shared;
    const struct syslog_cfg *cfg = cfg_;
    char why[LISTENER_WHY_BYTES];
    sh->shard_n = shards < SHARDS_MAX ? shards : SHARDS_MAX;
    memset(sh->tcp, -1, sizeof(sh->tcp));
    memset(sh->udp, -1, sizeof(sh->udp));
    struct listener_config listener = {.host = cfg->host, .port = (uint16_t)cfg->port};
    err e = ERR_OK;
    if (datagrams_only_polled(cfg->host, listener.port))
        log_info(LOGGER,
                 "%.*s is an address of dpdk.devices: port %u receives over UDP only, not over TCP",
                 SLICE_FMT(cfg->host), listener.port);
    else
        e = listener_open(&listener, sh->tcp, sh->shard_n, NULL, why);
    if (e == ERR_OK) {
        listener.datagram = true;
        listener.receive_buffer_bytes = cfg->receive_buffer_bytes;
        e = datagrams_open(&listener, sh->udp, sh->shard_n, NULL, &sh->route, why);
        if (e != ERR_OK) listener_close(sh->tcp, sh->shard_n);
    }
    if (e != ERR_OK) {
        log_error(LOGGER, "%s", why);
        return e;
    }
    sh->tcp_counters = calloc(sh->shard_n, sizeof(*sh->tcp_counters));
    sh->udp_counters = calloc(sh->shard_n, sizeof(*sh->udp_counters));
    sh->counters = calloc(sh->shard_n, sizeof(*sh->counters));
    ASSERT(sh->tcp_counters != NULL && sh->udp_counters != NULL && sh->counters != NULL);
    return ERR_OK;
}

static void close_input(void *shared, const void *cfg)
{
    (void)cfg;
    struct syslog_shared *sh = shared;
    listener_close(sh->tcp, sh->shard_n);
    datagrams_close(sh->udp, sh->shard_n, &sh->route);
    free(sh->tcp_counters);
    free(sh->udp_counters);
    free(sh->counters);
}

/* ---- texts to events ----------------------------------------------------------------------- */

/* One text; its bytes live as long as the batch. */
static void emit(struct syslog_state *s, struct batch *b, slice raw, bool good, slice host)
{
    const struct syslog_cfg *cfg = s->cfg;
    if (cfg->direct) {
        syslog_event_add(&s->event, &cfg->event, b, raw, good, host);
        return;
    }
    uint32_t from = b->n;
    struct blob outlives = {.pins = 1};
    struct decode in = {.batch = b,
                        .events_max = BATCH_EVENTS_MAX,
                        .blob = &outlives,
                        .end = true,
                        .counters = s->server.intake.counters};
    slice rest = raw;
    while (rest.n > 0) {
        uint32_t used = cfg->codec.ops->decode(s->codec_state, cfg->codec.cfg, rest, &in);
        if (used == 0) break;
        rest = slice_from(rest, used);
    }
    if (cfg->codec.ops->flush != NULL) cfg->codec.ops->flush(s->codec_state, cfg->codec.cfg, &in);
    for (uint32_t i = from; i < b->n; i++)
        syslog_event_read(&s->event, &cfg->event, b, &b->event[i], host);
}

static void finish(struct syslog_state *s, struct ack_window *window, struct batch *b,
                   uint32_t from, uint32_t used)
{
    if (s->self->decoration != NULL) decoration_apply(s->self->decoration, b, from);
    counter_set(&s->counters->unparsed, s->event.unparsed);
    worker_took(s->server.worker, window, used, b->n - from);
}

static void take_datagram(struct datagrams *d, slice payload, struct sender *from, bool truncated)
{
    struct syslog_state *s =
        (struct syslog_state *)((char *)d - offsetof(struct syslog_state, udp));
    struct worker *w = d->worker;
    worker_flush_full(w);
    struct batch *b = worker_batch(w);
    uint32_t first = b->n;
    emit(s, b, arena_copy(&b->arena, payload), false, sender_text(from, w));
    for (uint32_t i = first; truncated && i < b->n; i++)
        event_tag(b, &b->event[i], SLICE("_datagram_truncated"), true);
    finish(s, &d->window, b, first, payload.n);
}

/* ---- connections ------------------------------------------------------------------------------
 */

static struct syslog_state *state_of(struct conn *c)
{
    return (struct syslog_state *)c->server;
}

static slice host_of(struct syslog_conn *c, struct worker *w, struct batch *b)
{
    if (c->serial != w->batch_serial) {
        c->serial = w->batch_serial;
        c->kept = arena_copy(&b->arena, slice_make(c->host, c->host_n));
    }
    return c->kept;
}

static void broken(struct syslog_conn *c, const char *what)
{
    struct syslog_state *s = state_of(&c->conn);
    uint64_t held;
    counter_add(&s->server.counters->broken, 1);
    if (log_gate_open(&s->gate, &held))
        log_warn(LOGGER, "connection from %.*s closed: %s (%llu more since)", c->host_n, c->host,
                 what, (unsigned long long)held);
}

/* A line or frame that the carry completed; it is gone at the next call, so it is copied. */
static void emit_carried(struct syslog_conn *c, struct batch *b, const struct line *line)
{
    struct syslog_state *s = state_of(&c->conn);
    slice raw = line->raw;
    if (line->carried) raw = arena_copy(&b->arena, raw);
    uint32_t from = b->n;
    emit(s, b, raw, false, host_of(c, s->server.worker, b));
    if (!line->cut) return;
    counter_add(&s->counters->cuts, 1);
    for (uint32_t i = from; i < b->n; i++)
        event_tag(b, &b->event[i], SLICE("_frame_too_long"), true);
}

/* Whole lines of `in`, until the batch is full; returns the bytes used. */
static uint32_t take_lines(struct syslog_conn *c, struct batch *b, slice in, uint32_t events_max)
{
    struct syslog_state *s = state_of(&c->conn);
    slice host = host_of(c, s->server.worker, b);
    bool good = utf8_scan_valid(in);
    uint32_t ends[LINES_AT_ONCE + NEWLINE_SLACK], at = 0, next = 0;
    while (next < in.n) {
        uint32_t n = newline_collect(in, next, ends, LINES_AT_ONCE, &next);
        for (uint32_t i = 0; i < n; i++) {
            if (b->n >= events_max) return at;
            emit(s, b, slice_make(in.p + at, ends[i] + 1 - at), good, host);
            at = ends[i] + 1;
        }
        if (n == 0) break;
    }
    return at;
}

/* Newline framing: bytes used. Complete lines are taken where they are; a line begun earlier is
 * completed, and one that ends later begun, in the carry. */
static uint32_t take_newlines(struct syslog_conn *c, struct batch *b, slice in, uint32_t events_max)
{
    struct syslog_frame *f = &c->frame;
    struct line line;
    bool open = f->line.carry.n > 0 && !f->line.delivered;
    const char *last = memrchr(in.p, '\n', in.n);
    if (!open && last != NULL)
        return take_lines(c, b, slice_make(in.p, (size_t)(last + 1 - in.p)), events_max);
    int64_t end = open ? slice_find_byte(in, '\n') : -1;
    uint32_t take = end < 0 ? in.n : (uint32_t)end + 1;
    syslog_frame_feed(f, slice_part(in, 0, take));
    while (syslog_frame_next(f, &line) == 1) emit_carried(c, b, &line);
    return take;
}

/* Octet counting: bytes used, or UINT32_MAX when the stream is broken. */
static uint32_t take_octets(struct syslog_conn *c, struct batch *b, slice in, uint32_t events_max)
{
    struct syslog_frame *f = &c->frame;
    struct line line;
    int result = 1;
    syslog_frame_feed(f, in);
    while (b->n < events_max && (result = syslog_frame_next(f, &line)) == 1)
        emit_carried(c, b, &line);
    if (result < 0) return UINT32_MAX;
    uint32_t used = in.n - f->line.in.n;
    f->line.in = SLICE_NONE; /* The rest is fed again. */
    return used;
}

/* Digits, a space and the start of a message are octet counting; a line may begin with a digit,
 * too. While it cannot be told, the frame parser's own guess holds. */
static void tell_framing(struct syslog_conn *c, slice in)
{
    uint32_t at = 0;
    if (c->frame.framing != SYSLOG_FRAMING_UNKNOWN) return;
    while (at < in.n && in.p[at] >= '0' && in.p[at] <= '9') at++;
    bool counted = at > 0 && in.p[0] != '0' && (at == in.n || in.p[at] == ' ') &&
                   (at + 1 >= in.n || in.p[at + 1] == '<');
    c->frame.framing = counted ? SYSLOG_FRAMING_OCTETS : SYSLOG_FRAMING_LINES;
}

/* Takes what the worker takes of `in`, which lies in `blob`; returns how much, UINT32_MAX after
 * hanging up. */
static uint32_t take(struct syslog_conn *c, struct blob *blob, slice in)
{
    struct syslog_state *s = state_of(&c->conn);
    struct worker *w = s->server.worker;
    uint32_t at = 0;
    tell_framing(c, in);
    while (at < in.n) {
        if (!worker_may_read(w, &s->server.intake, &s->window)) return at;
        worker_flush_full(w);
        struct batch *b = worker_batch(w);
        uint32_t from = b->n;
        slice rest = slice_from(in, at);
        bool small = rest.n < FEED_COPY_BYTES;
        if (small) rest = arena_copy(&b->arena, rest);
        bool lines = c->frame.framing == SYSLOG_FRAMING_LINES;
        uint32_t used = lines ? take_newlines(c, b, rest, w->events_max)
                              : take_octets(c, b, rest, w->events_max);
        bool bad = used == UINT32_MAX;
        if (b->n > from && !small) batch_pin(b, blob);
        finish(s, &s->window, b, from, bad ? 0 : used);
        if (bad) {
            broken(c, c->frame.reason);
            stream_close(&c->conn.stream);
            return used;
        }
        at += used;
    }
    return at;
}

static void hold(struct syslog_conn *c, slice bytes)
{
    struct syslog_state *s = state_of(&c->conn);
    struct held *h = malloc(sizeof(*h));
    ASSERT(h != NULL);
    *h = (struct held){.blob = blob_new(bytes.n)};
    memcpy(h->blob->data, bytes.p, bytes.n);
    h->blob->used = bytes.n;
    *(c->first != NULL ? &c->last->next : &c->first) = h;
    c->last = h;
    counter_add(&s->counters->held_back, 1);
    if (!c->counted) s->server.intake.waiting++;
    c->counted = true;
}

static void held_drop(struct syslog_conn *c)
{
    struct held *h = c->first;
    c->first = h->next;
    blob_unpin(h->blob);
    free(h);
    if (c->first != NULL) return;
    state_of(&c->conn)->server.intake.waiting--;
    c->counted = false;
}

static bool conn_resume(struct conn *conn)
{
    struct syslog_conn *c = (struct syslog_conn *)conn;
    while (c->first != NULL) {
        struct held *h = c->first;
        slice rest = slice_make(h->blob->data + h->at, h->blob->used - h->at);
        uint32_t used = take(c, h->blob, rest);
        if (used == UINT32_MAX) return true;
        h->at += used;
        if (used < rest.n) return false;
        held_drop(c);
    }
    if (conn->stream.ended)
        stream_close(&conn->stream);
    else
        stream_receive(&conn->stream);
    return true;
}

/* False when the connection is not ready for the rest of the bytes. */
static bool begin(struct syslog_conn *c, slice *bytes)
{
    struct syslog_state *s = state_of(&c->conn);
    c->host_n = (uint8_t)address_text((const struct sockaddr *)&c->conn.peer, c->host);
    if (s->cfg->proxy_protocol) {
        if (c->proxy == NULL) c->proxy = calloc(1, sizeof(*c->proxy));
        ASSERT(c->proxy != NULL);
        int result = proxy_line_take(c->proxy, bytes);
        if (result < 0) {
            broken(c, "it did not begin with a PROXY line (version 1)");
            stream_close(&c->conn.stream);
        }
        if (result != 1) return false;
        slice client = proxy_line_part(c->proxy, PROXY_CLIENT);
        if (client.n > 0 && client.n < sizeof(c->host)) {
            slice_cstr(client, c->host, sizeof(c->host));
            c->host_n = (uint8_t)client.n;
        }
    }
    syslog_frame_init(&c->frame, 0);
    c->begun = true;
    return true;
}

static void on_data(struct stream *stream, struct blob *blob, slice bytes)
{
    struct syslog_conn *c = (struct syslog_conn *)stream;
    struct syslog_state *s = state_of(&c->conn);
    if (!server_has_worker(&s->server)) return;
    if (!c->begun && !begin(c, &bytes)) return;
    if (bytes.n == 0) return;
    uint32_t used = c->first != NULL ? 0 : take(c, blob, bytes);
    if (used >= bytes.n) return;
    hold(c, slice_from(bytes, used));
    conn_wait(&c->conn);
}

/* A line without its newline is no message: it is dropped, as Logstash does. */
static void on_end(struct stream *stream, int error)
{
    struct syslog_conn *c = (struct syslog_conn *)stream;
    if (error != 0 && error != ECONNRESET && error != EPIPE) broken(c, strerror(error));
    if (c->first != NULL)
        conn_wait(&c->conn);
    else
        stream_close(stream);
}

static void conn_opened(struct conn *conn)
{
    stream_receive(&conn->stream);
}

static void conn_gone(struct conn *conn)
{
    struct syslog_conn *c = (struct syslog_conn *)conn;
    while (c->first != NULL) held_drop(c);
    if (c->begun) syslog_frame_fini(&c->frame);
    free(c->proxy);
}

static const struct stream_ops stream_ops = {
    .data = on_data, .end = on_end, .starved = conn_starved, .closed = conn_closed};
static const struct server_ops server_ops = {.logger = LOGGER,
                                             .conn_size = sizeof(struct syslog_conn),
                                             .opened = conn_opened,
                                             .resume = conn_resume,
                                             .closed = conn_gone};

/* ---- start and stop
 * -------------------------------------------------------------------------------- */

static err start_codec(struct syslog_state *s)
{
    const struct codec *codec = &s->cfg->codec;
    err e = syslog_event_start(&s->event, &s->cfg->event);
    if (e != ERR_OK) return e;
    s->codec_state = calloc(1, codec->ops->state_size + 1);
    ASSERT(s->codec_state != NULL);
    if (codec->ops->start != NULL) e = codec->ops->start(s->codec_state, codec->cfg);
    if (e == ERR_OK) return e;
    free(s->codec_state);
    syslog_event_stop(&s->event);
    return e;
}

static err start(void *state, void *shared, const void *cfg_, struct worker *worker,
                 struct input *self)
{
    struct syslog_state *s = state;
    struct syslog_shared *sh = shared;
    uint32_t at = worker->shard->index;
    if (at >= sh->shard_n) return ERR_OK;
    s->cfg = cfg_;
    s->self = self;
    err e = start_codec(s);
    if (e != ERR_OK) return e;
    s->started = true;
    s->counters = &sh->counters[at];
    struct server_config tcp = {.ops = &server_ops,
                                .stream_ops = &stream_ops,
                                .counters = &sh->tcp_counters[at],
                                .fd = sh->tcp[at],
                                .window_bytes = WINDOW_BYTES};
    server_start(&s->server, worker, &tcp);
    ack_window_init(&s->window, ACK_WINDOW_SLOTS, &s->server.intake);
    struct datagrams_config udp = {.fd = sh->udp[at],
                                   .route = sh->route,
                                   .window_bytes = WINDOW_BYTES,
                                   .counters = &sh->udp_counters[at],
                                   .take = take_datagram};
    datagrams_start(&s->udp, worker, &udp);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct syslog_state *s = state;
    if (!s->started) return;
    server_stop(&s->server);
    datagrams_stop(&s->udp);
}

static bool stopped(void *state, const void *cfg)
{
    (void)cfg;
    struct syslog_state *s = state;
    if (!s->started) return true;
    bool tcp = server_stopped(&s->server), udp = datagrams_stopped(&s->udp);
    if (!tcp || !udp) return false;
    ack_window_fini(&s->window);
    const struct codec *codec = &s->cfg->codec;
    if (codec->ops->stop != NULL) codec->ops->stop(s->codec_state, codec->cfg);
    free(s->codec_state);
    syslog_event_stop(&s->event);
    return true;
}

static void moved(void *state, const void *cfg_, struct worker *worker, struct input *self)
{
    struct syslog_state *s = state;
    const struct syslog_cfg *cfg = cfg_;
    if (!s->started) return;
    server_move(&s->server, worker, NULL);
    datagrams_move(&s->udp, worker, s->cfg, cfg);
    for (struct conn *c = s->server.first; c != NULL; c = c->next)
        ((struct syslog_conn *)c)->serial = 0;
    syslog_event_move(&s->event, &cfg->event);
    s->cfg = cfg;
    s->self = self;
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)cfg;
    const struct syslog_shared *sh = shared;
    uint64_t unparsed = 0, cuts = 0, held = 0;
    for (uint32_t i = 0; i < sh->shard_n; i++) {
        unparsed += counter_read(&sh->counters[i].unparsed);
        cuts += counter_read(&sh->counters[i].cuts);
        held += counter_read(&sh->counters[i].held_back);
    }
    buf_printf(out,
               ",\"unknown_messages\":%llu,\"frames_too_long\":%llu,\"receives_held_back\":%llu",
               (unsigned long long)unparsed, (unsigned long long)cuts, (unsigned long long)held);
    server_counters_json(sh->tcp_counters, sh->shard_n, out);
    datagram_counters_json(sh->udp_counters, sh->shard_n, out);
}

const struct input_ops input_syslog = {
    .name = "syslog",
    .doc = "Reads syslog messages over TCP and UDP.",
    .flags = INPUT_SHARED_STAYS,
    .settings = syslog_settings,
    .cfg_size = sizeof(struct syslog_cfg),
    .shared_size = sizeof(struct syslog_shared),
    .state_size = sizeof(struct syslog_state),
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
