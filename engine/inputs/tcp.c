/*
 * tcp.c - events from TCP connections, as server or as client.
 *
 * A server listens on every shard; a client is one connection on one shard that is made again
 * when it ends. All connections of a shard share an intake and a window. What is the same for
 * every event of a connection is a stamp. Names of peers are looked up before the first byte is
 * read, on a thread of their own.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/plan/compiler.h"
#include "engine/plan/ssl_options.h"
#include "engine/shard/feed.h"
#include "engine/shard/rdns.h"
#include "engine/shard/server.h"
#include "engine/shard/stamp.h"
#include "net/proxy_line.h"

#define LOGGER "inputs.tcp"
#define WINDOW_BYTES (16 * 1024 * 1024)
#define RECONNECT_NS (5 * NS_PER_SEC)

enum tcp_mode { MODE_SERVER, MODE_CLIENT };
static const char *const modes[] = {"server", "client", NULL};

enum { AT_HOST, AT_IP, AT_PORT, AT_PROXY_HOST, AT_PROXY_PORT, AT_SUBJECT, AT_N };

struct tcp_cfg {
    slice host;
    int64_t port;
    int mode;
    bool proxy_protocol, keep_alive, reverse_dns, verify;
    struct ssl_cfg ssl;
    struct codec codec;
    struct fieldref field[AT_N];
};

struct tcp_shared {
    int fd[SHARDS_MAX];
    uint32_t shard_n;
    struct server_counters *counters;
    struct feed_counters *feed_counters;
    struct rdns rdns;
    bool has_rdns;
    struct sockaddr_storage peer; /* client mode */
    socklen_t peer_n;
};

struct tcp_state {
    struct server server;
    struct ack_window window;
    const struct tcp_cfg *cfg;
    struct tcp_shared *shared;
    struct input *self;
    struct feed_counters *feed_counters;
    struct rdns_cache names;
    uint32_t asked; /* names not back yet */
    struct log_gate gate;
    /* Client mode. */
    struct io_op connect;
    int client_fd;
    struct timer again;
    bool is_client, started;
};

struct tcp_conn {
    struct conn conn;
    struct feed feed;
    struct stamp stamp;
    struct rdns_request *asking;
    char *name; /* of the peer, once known */
    struct proxy_line *proxy;
    bool begun;
};

static const struct setting tcp_settings[] = {
    {.name = "host",
     SETTING_AT(struct tcp_cfg, host, STRING),
     .default_text = "0.0.0.0",
     .doc = "Address to listen on, or to connect to as a client."},
    {.name = "port",
     SETTING_AT(struct tcp_cfg, port, INT),
     .flags = SETTING_REQUIRED,
     .min = 0,
     .max = 65535,
     .doc = "Port to listen on or to connect to."},
    {.name = "mode",
     SETTING_AT(struct tcp_cfg, mode, ENUM),
     .choices = modes,
     .default_text = "server",
     .doc = "Wait for connections or make one."},
    {.name = "proxy_protocol",
     SETTING_AT(struct tcp_cfg, proxy_protocol, BOOL),
     .default_text = "false",
     .doc = "Connections begin with a line of the PROXY protocol, version 1."},
    {.name = "tcp_keep_alive",
     SETTING_AT(struct tcp_cfg, keep_alive, BOOL),
     .default_text = "false",
     .doc = "Let the kernel probe idle connections."},
    {.name = "dns_reverse_lookup_enabled",
     SETTING_AT(struct tcp_cfg, reverse_dns, BOOL),
     .default_text = "true",
     .doc = "Name peers by reverse DNS; a peer whose name is not known goes by its address."},
    SSL_OPTIONS_COMMON(struct tcp_cfg, ssl, "ssl_enable", "ssl_cert"),
    SSL_OPTIONS_CLIENT_AUTH(struct tcp_cfg, ssl, "required"),
    {.name = "ssl_verification_mode",
     SETTING_AT(struct tcp_cfg, ssl.verification, ENUM),
     .choices = ssl_verification_choices,
     .default_text = "full",
     .doc = "How a client checks the server's certificate."},
    {.name = "ssl_extra_chain_certs",
     SETTING_AT(struct tcp_cfg, ssl.chain, LIST),
     .doc = "Files (PEM) with certificates to send behind the own one."},
    {.name = "ssl_verify",
     SETTING_AT(struct tcp_cfg, verify, BOOL),
     .default_text = "true",
     .flags = SETTING_OLD,
     .instead = "Use ssl_client_authentication or ssl_verification_mode.",
     .doc = "Check the peer's certificate."},
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "line"},
    {0},
};

/* ---- configuration ---------------------------------------------------------------------- */

static err compile(void *cfg_, struct compiler *c)
{
    struct tcp_cfg *cfg = cfg_;
    static const char *const names[2][AT_N] = {
        {"host", "[@metadata][ip_address]", "port", "proxy_host", "proxy_port", "sslsubject"},
        {"[@metadata][input][tcp][source][name]", "[@metadata][input][tcp][source][ip]",
         "[@metadata][input][tcp][source][port]", "[@metadata][input][tcp][proxy][ip]",
         "[@metadata][input][tcp][proxy][port]", "[@metadata][input][tcp][tls][client][subject]"}};
    for (uint32_t i = 0; i < AT_N; i++) {
        slice name = slice_from_cstr(names[compiler_is_ecs(c)][i]);
        err e = compile_fieldref(c, &cfg->field[i], name, c->plugin->pos);
        if (e != ERR_OK) return e;
    }
    if (settings_given(&c->given, "ssl_verify") && !cfg->verify) {
        cfg->ssl.client_auth = TLS_VERIFY_NONE;
        cfg->ssl.verification = 2;
    }
    err e = ssl_options_compile(&cfg->ssl, cfg->mode == MODE_CLIENT, c);
    if (e != ERR_OK) return e;
    return compile_codec(c, &cfg->codec, &c->common_input->codec, BYTES_STREAM);
}

static void release(void *cfg_)
{
    struct tcp_cfg *cfg = cfg_;
    ssl_options_release(&cfg->ssl);
    codec_release(&cfg->codec);
}

static bool wants_names(const struct tcp_cfg *cfg)
{
    return cfg->reverse_dns && !cfg->proxy_protocol;
}

static err open_sockets(struct tcp_shared *sh, const struct tcp_cfg *cfg, char *why)
{
    if (cfg->mode == MODE_CLIENT)
        return address_resolve(cfg->host, (uint16_t)cfg->port, false, &sh->peer, &sh->peer_n, why);
    struct listener_config listener = {
        .host = cfg->host, .port = (uint16_t)cfg->port, .keep_alive = cfg->keep_alive};
    return listener_open(&listener, sh->fd, sh->shard_n, NULL, why);
}

static err open_input(void *shared, const void *cfg_, struct input *self, uint32_t shards)
{
    (void)self;
    struct tcp_shared *sh = shared;
    const struct tcp_cfg *cfg = cfg_;
    char why[LISTENER_WHY_BYTES];
    sh->shard_n = shards < SHARDS_MAX ? shards : SHARDS_MAX;
    memset(sh->fd, -1, sizeof(sh->fd));
    err e = open_sockets(sh, cfg, why);
    if (e != ERR_OK) {
        log_error(LOGGER, "%s", why);
        return e;
    }
    if (wants_names(cfg)) {
        e = rdns_start(&sh->rdns);
        if (e != ERR_OK) {
            log_error(LOGGER, "cannot start a thread: %s", strerror(errno));
            listener_close(sh->fd, sh->shard_n);
            return e;
        }
        sh->has_rdns = true;
    }
    sh->counters = calloc(sh->shard_n, sizeof(*sh->counters));
    sh->feed_counters = calloc(sh->shard_n, sizeof(*sh->feed_counters));
    ASSERT(sh->counters != NULL && sh->feed_counters != NULL);
    return ERR_OK;
}

static void close_input(void *shared, const void *cfg)
{
    (void)cfg;
    struct tcp_shared *sh = shared;
    listener_close(sh->fd, sh->shard_n);
    if (sh->has_rdns) rdns_fini(&sh->rdns);
    free(sh->counters);
    free(sh->feed_counters);
}

/* ---- a connection ------------------------------------------------------------------------- */

static struct tcp_state *state_of(struct conn *c)
{
    return (struct tcp_state *)c->server;
}

static void describe(struct feed *feed, struct batch *b, uint32_t from)
{
    struct tcp_conn *c = (struct tcp_conn *)((char *)feed - offsetof(struct tcp_conn, feed));
    stamp_apply(&c->stamp, b, feed->worker->batch_serial, from);
}

static void broken(struct tcp_conn *c, const char *what)
{
    struct tcp_state *s = state_of(&c->conn);
    uint64_t held;
    counter_add(&s->server.counters->broken, 1);
    if (!log_gate_open(&s->gate, &held)) return;
    char from[ADDRESS_TEXT_BYTES];
    address_text((const struct sockaddr *)&c->conn.peer, from);
    log_warn(LOGGER, "connection from %s port %u closed: %s (%llu more since)", from,
             address_port((const struct sockaddr *)&c->conn.peer), what, (unsigned long long)held);
}

/* The ports stay texts, as in Logstash. */
static void stamp_proxy(struct tcp_conn *c, const struct tcp_cfg *cfg)
{
    static const struct {
        uint32_t at;
        enum proxy_part part;
    } all[] = {{AT_HOST, PROXY_CLIENT},
               {AT_PORT, PROXY_CLIENT_PORT},
               {AT_PROXY_HOST, PROXY_HOST},
               {AT_PROXY_PORT, PROXY_PORT}};
    for (uint32_t i = 0; i < 4; i++) {
        slice text = proxy_line_part(c->proxy, all[i].part);
        if (text.n > 0) stamp_add(&c->stamp, &cfg->field[all[i].at], value_string(text));
    }
}

/* The first bytes are there (and, with TLS, the handshake is done). */
static void begin(struct tcp_conn *c)
{
    struct tcp_state *s = state_of(&c->conn);
    const struct tcp_cfg *cfg = s->cfg;
    const struct sockaddr *peer = (const struct sockaddr *)&c->conn.peer;
    char text[ADDRESS_TEXT_BYTES];
    slice ip = slice_make(text, address_text(peer, text));
    c->begun = true;
    if (c->proxy != NULL && proxy_line_part(c->proxy, PROXY_CLIENT).n > 0) {
        stamp_proxy(c, cfg);
    } else {
        slice name = c->name != NULL ? slice_from_cstr(c->name) : ip;
        stamp_add(&c->stamp, &cfg->field[AT_HOST], value_string(name));
        stamp_add(&c->stamp, &cfg->field[AT_PORT], value_int(address_port(peer)));
    }
    stamp_add(&c->stamp, &cfg->field[AT_IP], value_clean(ip));
    struct tls_session *tls = c->conn.stream.tls;
    slice subject = tls == NULL ? SLICE_NONE : tls_session_subject(tls);
    if (subject.n > 0) stamp_add(&c->stamp, &cfg->field[AT_SUBJECT], value_string(subject));
    err e = feed_init(&c->feed, s->server.worker, &s->server.intake, &s->window, &cfg->codec,
                      s->self->decoration);
    if (e != ERR_OK) {
        broken(c, "the codec did not start");
        stream_close(&c->conn.stream);
        return;
    }
    c->feed.describe = describe;
    c->feed.counters = s->feed_counters;
}

/* Takes the PROXY line off the front; false while it is not complete. */
static bool take_proxy(struct tcp_conn *c, slice *bytes)
{
    if (c->proxy == NULL) c->proxy = calloc(1, sizeof(*c->proxy));
    ASSERT(c->proxy != NULL);
    int result = proxy_line_take(c->proxy, bytes);
    if (result >= 0) return result == 1;
    broken(c, "it did not begin with a PROXY line (version 1)");
    stream_close(&c->conn.stream);
    return false;
}

static void on_data(struct stream *stream, struct blob *blob, slice bytes)
{
    struct tcp_conn *c = (struct tcp_conn *)stream;
    struct tcp_state *s = state_of(&c->conn);
    if (!server_has_worker(&s->server)) return;
    if (!c->begun) {
        if (s->cfg->proxy_protocol && !take_proxy(c, &bytes)) return;
        begin(c);
        if (c->feed.codec_state == NULL) return;
    }
    if (bytes.n > 0 && !feed_bytes(&c->feed, blob, bytes)) conn_wait(&c->conn);
}

static void on_end(struct stream *stream, int error)
{
    struct tcp_conn *c = (struct tcp_conn *)stream;
    struct tcp_state *s = state_of(&c->conn);
    if (error != 0 && error != ECONNRESET && error != EPIPE) {
        bool tls = error == EPROTO && stream->tls != NULL;
        broken(c, tls ? tls_session_why(stream->tls) : strerror(error));
    }
    if (c->feed.codec_state != NULL && server_has_worker(&s->server) && !feed_end(&c->feed))
        conn_wait(&c->conn);
    else
        stream_finish(stream);
}

static bool conn_resume(struct conn *conn)
{
    struct tcp_conn *c = (struct tcp_conn *)conn;
    if (!feed_resume(&c->feed)) return false;
    if (conn->stream.ended)
        stream_close(&conn->stream);
    else
        stream_receive(&conn->stream);
    return true;
}

/* ---- names ----------------------------------------------------------------------------------- */

static void named(struct rdns_request *q)
{
    struct tcp_conn *c = q->waiter;
    struct tcp_state *s = *(struct tcp_state **)(q + 1);
    s->asked--;
    rdns_remember(&s->names, (const struct sockaddr *)&q->addr, s->server.shard->now_mono_ns,
                  q->name);
    if (c != NULL) {
        c->asking = NULL;
        c->name = slice_dup_cstr(slice_from_cstr(q->name));
        stream_receive(&c->conn.stream);
    }
    free(q);
}

/* True: receiving begins when the answer comes. */
static bool ask_name(struct tcp_conn *c)
{
    struct tcp_state *s = state_of(&c->conn);
    char name[256];
    const struct sockaddr *peer = (const struct sockaddr *)&c->conn.peer;
    if (rdns_cached(&s->names, peer, s->server.shard->now_mono_ns, name)) {
        c->name = slice_dup_cstr(slice_from_cstr(name));
        return false;
    }
    struct rdns_request *q = calloc(1, sizeof(*q) + sizeof(struct tcp_state *));
    ASSERT(q != NULL);
    *q = (struct rdns_request){
        .addr = c->conn.peer, .shard = s->server.shard, .done = named, .waiter = c};
    *(struct tcp_state **)(q + 1) = s;
    if (!rdns_ask(&s->shared->rdns, q)) {
        free(q);
        return false;
    }
    c->asking = q;
    s->asked++;
    return true;
}

static void conn_opened(struct conn *conn)
{
    struct tcp_conn *c = (struct tcp_conn *)conn;
    if (wants_names(state_of(conn)->cfg) && ask_name(c)) return;
    stream_receive(&conn->stream);
}

static void client_later(struct tcp_state *s);

static void conn_gone(struct conn *conn)
{
    struct tcp_conn *c = (struct tcp_conn *)conn;
    struct tcp_state *s = state_of(conn);
    if (c->asking != NULL) c->asking->waiter = NULL;
    if (c->feed.codec_state != NULL) feed_fini(&c->feed);
    stamp_fini(&c->stamp);
    free(c->proxy);
    free(c->name);
    if (s->is_client) client_later(s);
}

static const struct stream_ops stream_ops = {
    .data = on_data, .end = on_end, .starved = conn_starved, .closed = conn_closed};
static const struct server_ops server_ops = {.logger = LOGGER,
                                             .conn_size = sizeof(struct tcp_conn),
                                             .opened = conn_opened,
                                             .resume = conn_resume,
                                             .closed = conn_gone};

/* ---- client mode --------------------------------------------------------------------------------
 */

static void client_later(struct tcp_state *s)
{
    if (s->server.stopping) return;
    timer_set(s->server.timers, &s->again, s->server.shard->now_mono_ns + RECONNECT_NS);
}

static void on_connect(struct io_op *op, int32_t result)
{
    struct tcp_state *s = (struct tcp_state *)((char *)op - offsetof(struct tcp_state, connect));
    int fd = s->client_fd;
    s->client_fd = -1;
    if (result < 0 || s->server.stopping) {
        close(fd);
        uint64_t held;
        if (!s->server.stopping && log_gate_open(&s->gate, &held))
            log_warn(LOGGER, "cannot connect to %.*s port %lld: %s; trying again in %lld s",
                     SLICE_FMT(s->cfg->host), (long long)s->cfg->port, strerror(-result),
                     (long long)(RECONNECT_NS / NS_PER_SEC));
        client_later(s);
        return;
    }
    struct conn *c = server_adopt(&s->server, fd, &s->shared->peer);
    if (c == NULL) return;
    if (s->cfg->ssl.context != NULL) {
        c->stream.tls = tls_session_new(s->cfg->ssl.context, s->cfg->host);
        tls_session_hello(c->stream.tls, &c->stream);
    }
    conn_opened(c);
}

static void client_connect(struct tcp_state *s)
{
    const struct sockaddr *peer = (const struct sockaddr *)&s->shared->peer;
    s->client_fd = socket(peer->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->client_fd < 0) {
        log_error(LOGGER, "cannot make a socket: %s", strerror(errno));
        client_later(s);
        return;
    }
    int yes = 1;
    if (s->cfg->keep_alive) setsockopt(s->client_fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    io_connect(s->server.io, &s->connect, s->client_fd, peer, s->shared->peer_n);
}

static void client_again(struct timer *timer, int64_t now_ns)
{
    (void)now_ns;
    client_connect((struct tcp_state *)((char *)timer - offsetof(struct tcp_state, again)));
}

/* ---- start and stop
 * -------------------------------------------------------------------------------- */

static err start(void *state, void *shared, const void *cfg_, struct worker *worker,
                 struct input *self)
{
    struct tcp_state *s = state;
    struct tcp_shared *sh = shared;
    uint32_t at = worker->shard->index;
    if (at >= sh->shard_n) return ERR_OK;
    s->cfg = cfg_;
    s->shared = sh;
    s->self = self;
    s->started = true;
    s->feed_counters = &sh->feed_counters[at];
    s->client_fd = -1;
    s->connect.done = on_connect;
    s->again.fire = client_again;
    bool client = s->cfg->mode == MODE_CLIENT;
    struct server_config config = {.ops = &server_ops,
                                   .stream_ops = &stream_ops,
                                   .tls = client ? NULL : s->cfg->ssl.context,
                                   .counters = &sh->counters[at],
                                   .fd = sh->fd[at],
                                   .window_bytes = WINDOW_BYTES};
    server_start(&s->server, worker, &config);
    ack_window_init(&s->window, ACK_WINDOW_SLOTS, &s->server.intake);
    s->is_client = client && at == 0;
    if (s->is_client) client_connect(s);
    return ERR_OK;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct tcp_state *s = state;
    if (!s->started) return;
    server_stop(&s->server);
    io_cancel(s->server.io, &s->connect);
    timer_cancel(s->server.timers, &s->again);
    if (s->shared->has_rdns) rdns_stop(&s->shared->rdns);
}

static bool stopped(void *state, const void *cfg)
{
    (void)cfg;
    struct tcp_state *s = state;
    if (!s->started) return true;
    if (!server_stopped(&s->server) || s->connect.armed || s->asked > 0) return false;
    rdns_cache_fini(&s->names);
    ack_window_fini(&s->window);
    return true;
}

static void moved(void *state, const void *cfg_, struct worker *worker, struct input *self)
{
    struct tcp_state *s = state;
    const struct tcp_cfg *old = s->cfg, *cfg = cfg_;
    if (!s->started) return;
    s->cfg = cfg;
    s->self = self;
    server_move(&s->server, worker, cfg->mode == MODE_CLIENT ? NULL : cfg->ssl.context);
    for (struct conn *conn = s->server.first; conn != NULL; conn = conn->next) {
        struct tcp_conn *c = (struct tcp_conn *)conn;
        stamp_move(&c->stamp, old, cfg);
        if (c->feed.codec_state != NULL) feed_move(&c->feed, worker, &cfg->codec, self->decoration);
    }
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)cfg;
    const struct tcp_shared *sh = shared;
    uint64_t stashed = 0, too_long = 0;
    for (uint32_t i = 0; i < sh->shard_n; i++) {
        stashed += counter_read(&sh->feed_counters[i].stashed);
        too_long += counter_read(&sh->feed_counters[i].frames_too_long);
    }
    server_counters_json(sh->counters, sh->shard_n, out);
    buf_printf(out, ",\"frames_too_long\":%llu,\"receives_held_back\":%llu",
               (unsigned long long)too_long, (unsigned long long)stashed);
}

const struct input_ops input_tcp = {
    .name = "tcp",
    .doc = "Reads events from TCP connections, as server or client.",
    .flags = INPUT_SHARED_STAYS,
    .settings = tcp_settings,
    .cfg_size = sizeof(struct tcp_cfg),
    .shared_size = sizeof(struct tcp_shared),
    .state_size = sizeof(struct tcp_state),
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
