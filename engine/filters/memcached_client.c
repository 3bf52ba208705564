/* memcached_client.c - Dalli's ring, connections, pipelines. */
#define _GNU_SOURCE
#include "engine/filters/memcached_client.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

#define HEADER_BYTES 24u
#define READ_BYTES (64u * 1024)
#define POINTS_PER_SERVER 160
#define FAILOVER_TRIES 20

enum opcode { OP_GET = 0, OP_SET = 1 };
enum status { STATUS_OK = 0, STATUS_NO_KEY = 1 };

struct server {
    const struct memcached_server *cfg;
    int fd; /* -1: not connected */
    bool connecting;
    int64_t down_until_ns;
    struct buf out, in;
    uint32_t sent;                     /* of out */
    struct memcached_op *first, *last; /* whose answers are awaited, in order */
    struct log_gate gate;
};

struct point {
    uint32_t value, server;
};

struct memcached_client {
    struct lookup_service *service;
    struct server *server;
    uint32_t n, point_n;
    struct point *point;
};

/* ---- which server --------------------------------------------------------------------------- */

static int point_order(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

static uint32_t point_value(const struct memcached_server *s, uint32_t index)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct buf text = {0};
    if (s->port[0] != 0)
        buf_printf(&text, "%s:%s:%u", s->host, s->port, index);
    else
        buf_printf(&text, "%s:%u", s->host, index);
    int ok = EVP_Q_digest(NULL, "SHA1", NULL, text.data, text.n, digest, NULL);
    ASSERT(ok == 1);
    buf_fini(&text);
    return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 |
           digest[3];
}

static void ring_make(struct memcached_client *c)
{
    int64_t weights = 0;
    for (uint32_t i = 0; i < c->n; i++) weights += c->server[i].cfg->weight;
    c->point = calloc((size_t)c->n * (POINTS_PER_SERVER + 1), sizeof(*c->point));
    ASSERT(c->point != NULL && weights > 0);
    for (uint32_t i = 0; i < c->n; i++) {
        const struct memcached_server *s = c->server[i].cfg;
        /* The weights add up: all of them together are at most n * POINTS_PER_SERVER. */
        int64_t points = (int64_t)c->n * POINTS_PER_SERVER * s->weight / weights;
        for (uint32_t k = 0; k < points; k++)
            c->point[c->point_n++] = (struct point){point_value(s, k), i};
    }
    qsort(c->point, c->point_n, sizeof(*c->point), point_order);
}

/* The last point at or before the hash; before the first one, the last of all. */
static uint32_t ring_find(const struct memcached_client *c, uint32_t hash)
{
    uint32_t from = 0, to = c->point_n;
    while (from < to) {
        uint32_t at = from + (to - from) / 2;
        if (c->point[at].value <= hash)
            from = at + 1;
        else
            to = at;
    }
    return c->point[from == 0 ? c->point_n - 1 : from - 1].server;
}

static uint32_t hash_of(const char *prefix, const struct memcached_op *op)
{
    uLong crc = crc32(0, (const Bytef *)prefix, (uInt)strlen(prefix));
    return (uint32_t)crc32(crc, (const Bytef *)op->key, op->key_n);
}

static struct server *server_of(struct memcached_client *c, const struct memcached_op *op)
{
    char prefix[16] = "";
    int64_t now_ns = clock_mono_ns();
    if (c->n == 1 || c->point_n == 0)
        return c->server[0].down_until_ns <= now_ns ? &c->server[0] : NULL;
    for (int try = 0; try < FAILOVER_TRIES; try++) {
        struct server *s = &c->server[ring_find(c, hash_of(prefix, op))];
        if (s->down_until_ns <= now_ns) return s;
        snprintf(prefix, sizeof(prefix), "%d", try);
    }
    return NULL;
}

/* ---- operations ----------------------------------------------------------------------------- */

static void op_done(struct memcached_op *op, enum memcached_outcome outcome)
{
    struct memcached_question *q = op->question;
    op->outcome = outcome;
    if (!op->sets && outcome == MEMCACHED_OK && !lookup_room(&q->base, op->value.cap)) {
        buf_fini(&op->value);
        op->outcome = MEMCACHED_REFUSED;
    }
    if (--q->open_n == 0) lookup_answer(&q->base);
}

/* `why` NULL: it is we who end. */
static void server_fail(struct server *s, const char *why)
{
    uint64_t held;
    if (why != NULL && log_gate_open(&s->gate, &held))
        log_error("filters.memcached", "%s: %s (%llu more since the last report)", s->cfg->host,
                  why, (unsigned long long)held);
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
    s->out.n = s->in.n = s->sent = 0;
    s->down_until_ns = clock_mono_ns() + MEMCACHED_DOWN_NS;
    while (s->first != NULL) {
        struct memcached_op *op = s->first;
        s->first = op->next;
        op_done(op, MEMCACHED_DOWN);
    }
}

static void put32(char *out, uint32_t n)
{
    for (int i = 0; i < 4; i++) out[i] = (char)(n >> (24 - 8 * i));
}

static uint32_t get32(const char *in)
{
    const unsigned char *b = (const unsigned char *)in;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void op_write(struct buf *out, const struct memcached_op *op)
{
    char head[HEADER_BYTES + 8] = {(char)0x80, op->sets ? OP_SET : OP_GET};
    uint32_t extras = op->sets ? 8 : 0, value_n = op->sets ? (uint32_t)op->value.n : 0;
    head[2] = (char)(op->key_n >> 8);
    head[3] = (char)op->key_n;
    head[4] = (char)extras;
    put32(head + 8, extras + op->key_n + value_n);
    put32(head + 24, op->flags);
    put32(head + 28, op->ttl_sec);
    buf_add(out, head, HEADER_BYTES + extras);
    buf_add(out, op->key, op->key_n);
    buf_add(out, op->value.data, value_n);
}

/* ---- connections ---------------------------------------------------------------------------- */

static int socket_connect(const struct sockaddr *addr, socklen_t n, bool *connecting)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0) return -1;
    if (addr->sa_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    *connecting = connect(fd, addr, n) != 0;
    if (!*connecting || errno == EINPROGRESS || errno == EAGAIN) return fd;
    close(fd);
    return -1;
}

static bool server_connect(struct server *s)
{
    if (s->cfg->port[0] == 0) {
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->cfg->host);
        s->fd = socket_connect((struct sockaddr *)&addr, sizeof(addr), &s->connecting);
        return s->fd >= 0;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(s->cfg->host, s->cfg->port, &hints, &list) != 0) return false;
    for (const struct addrinfo *at = list; at != NULL && s->fd < 0; at = at->ai_next)
        s->fd = socket_connect(at->ai_addr, at->ai_addrlen, &s->connecting);
    freeaddrinfo(list);
    return s->fd >= 0;
}

static void server_send(struct server *s)
{
    int error = 0;
    socklen_t n = sizeof(error);
    if (s->connecting) {
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &n);
        if (error != 0) {
            server_fail(s, strerror(error));
            return;
        }
        s->connecting = false;
    }
    while (s->sent < s->out.n) {
        ssize_t sent = send(s->fd, s->out.data + s->sent, s->out.n - s->sent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) {
            server_fail(s, strerror(errno));
            return;
        }
        s->sent += (uint32_t)sent;
    }
    s->out.n = s->sent = 0;
}

/* One answer from the front of what came; 0: more is needed. */
static uint32_t answer_take(struct server *s, slice in, const char **why)
{
    if (in.n < HEADER_BYTES) return 0;
    uint32_t body = get32(in.p + 8), skip = (uint8_t)in.p[4];
    uint32_t key = (uint32_t)(uint8_t)in.p[2] << 8 | (uint8_t)in.p[3];
    uint32_t status = (uint32_t)(uint8_t)in.p[6] << 8 | (uint8_t)in.p[7];
    struct memcached_op *op = s->first;
    if ((uint8_t)in.p[0] != 0x81 || op == NULL || body > MEMCACHED_VALUE_BYTES_MAX ||
        key + skip > body || (uint8_t)in.p[1] != (op->sets ? OP_SET : OP_GET)) {
        *why = "an answer that is none, or too long";
        return 0;
    }
    if (in.n < HEADER_BYTES + body) return 0;
    s->first = op->next;
    op->value.n = 0;
    if (status == STATUS_OK && !op->sets && skip >= 4) {
        op->flags = get32(in.p + HEADER_BYTES);
        buf_add(&op->value, in.p + HEADER_BYTES + skip + key, body - skip - key);
    }
    op_done(op, status == STATUS_OK                    ? MEMCACHED_OK
                : status == STATUS_NO_KEY && !op->sets ? MEMCACHED_MISS
                                                       : MEMCACHED_REFUSED);
    return HEADER_BYTES + body;
}

static void server_receive(struct server *s)
{
    const char *why = NULL;
    for (;;) {
        buf_room(&s->in, READ_BYTES);
        ssize_t n = recv(s->fd, buf_end(&s->in), s->in.cap - s->in.n, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) {
            server_fail(s, n == 0 ? "the server closed the connection" : strerror(errno));
            return;
        }
        s->in.n += (size_t)n;
        uint32_t used = 0;
        for (uint32_t one; (one = answer_take(s, slice_from(buf_slice(&s->in), used), &why)) > 0;)
            used += one;
        memmove(s->in.data, s->in.data + used, s->in.n - used);
        s->in.n -= used;
        if (why != NULL) {
            server_fail(s, why);
            return;
        }
    }
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void op_begin(struct memcached_client *c, struct memcached_op *op)
{
    struct server *s = server_of(c, op);
    if (s == NULL) {
        op_done(op, MEMCACHED_DOWN);
        return;
    }
    op->next = NULL;
    op->sent_ns = clock_mono_ns();
    *(s->first == NULL ? &s->first : &s->last->next) = op;
    s->last = op;
    if (s->fd < 0 && !server_connect(s)) {
        server_fail(s, "no connection");
        return;
    }
    op_write(&s->out, op);
}

static void take(void *ctx, struct lookup_question *base)
{
    struct memcached_question *q = (struct memcached_question *)base;
    uint32_t n = q->n;
    q->open_n = n + 1; /* not answered before all have begun */
    for (uint32_t i = 0; i < n; i++) op_begin(ctx, &q->op[i]);
    if (--q->open_n == 0) lookup_answer(&q->base);
}

static void server_expire(struct server *s, int64_t now_ns)
{
    if (s->first != NULL && now_ns - s->first->sent_ns >= MEMCACHED_TIMEOUT_NS)
        server_fail(s, "no answer in time");
}

static void wait_ready(void *ctx, int bell_fd, int64_t timeout_ns)
{
    struct memcached_client *c = ctx;
    struct pollfd fd[MEMCACHED_SERVERS_MAX + 1];
    struct server *of[MEMCACHED_SERVERS_MAX + 1];
    nfds_t n = 1;
    fd[0] = (struct pollfd){.fd = bell_fd, .events = POLLIN};
    for (uint32_t i = 0; i < c->n; i++) {
        struct server *s = &c->server[i];
        if (s->fd >= 0 && !s->connecting && s->out.n > 0) server_send(s);
        if (s->fd < 0) continue;
        if (s->first != NULL && timeout_ns > MEMCACHED_TIMEOUT_NS / 4)
            timeout_ns = MEMCACHED_TIMEOUT_NS / 4;
        of[n] = s;
        fd[n++] = (struct pollfd){
            .fd = s->fd, .events = (short)(POLLIN | (s->connecting || s->out.n > 0 ? POLLOUT : 0))};
    }
    struct timespec ts = {timeout_ns / NS_PER_SEC, timeout_ns % NS_PER_SEC};
    ppoll(fd, n, &ts, NULL);
    int64_t now_ns = clock_mono_ns();
    for (nfds_t i = 1; i < n; i++) {
        if ((fd[i].revents & (POLLOUT | POLLERR)) != 0) server_send(of[i]);
        if (of[i]->fd >= 0 && (fd[i].revents & (POLLIN | POLLHUP)) != 0) server_receive(of[i]);
        server_expire(of[i], now_ns);
    }
}

static const struct lookup_service_ops memcached_ops = {
    .name = "spate-memcache", .take = take, .wait = wait_ready};

static void give_up(void *arg)
{
    struct memcached_client *c = arg;
    for (uint32_t i = 0; i < c->n; i++)
        if (c->server[i].fd >= 0 || c->server[i].first != NULL) server_fail(&c->server[i], NULL);
}

/* ---- control thread ------------------------------------------------------------------------- */

static void client_release(struct memcached_client *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        buf_fini(&c->server[i].out);
        buf_fini(&c->server[i].in);
    }
    free(c->server);
    free(c->point);
    free(c);
}

struct memcached_client *memcached_client_new(const struct memcached_server *server, uint32_t n)
{
    struct memcached_client *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL && n > 0 && n <= MEMCACHED_SERVERS_MAX);
    c->server = calloc(n, sizeof(*c->server));
    ASSERT(c->server != NULL);
    c->n = n;
    for (uint32_t i = 0; i < n; i++) c->server[i] = (struct server){.cfg = &server[i], .fd = -1};
    ring_make(c);
    c->service = lookup_service_new(&memcached_ops, c, MEMCACHED_RUNNING_MAX);
    if (c->service != NULL) return c;
    client_release(c);
    return NULL;
}

void memcached_client_free(struct memcached_client *c)
{
    if (c == NULL) return;
    lookup_service_call(c->service, give_up, c);
    lookup_service_free(c->service);
    client_release(c);
}

/* ---- shards --------------------------------------------------------------------------------- */

struct memcached_question *memcached_question_new(struct memcached_client *client, uint32_t n)
{
    struct memcached_question *q = calloc(1, sizeof(*q) + n * sizeof(q->op[0]));
    ASSERT(q != NULL);
    q->client = client;
    q->n = n;
    for (uint32_t i = 0; i < n; i++) q->op[i].question = q;
    return q;
}

void memcached_question_free(struct memcached_question *q)
{
    free((void *)(uintptr_t)q->base.key.p);
    for (uint32_t i = 0; i < q->n; i++) buf_fini(&q->op[i].value);
    free(q);
}

static void discard(struct lookup_question *q)
{
    memcached_question_free((struct memcached_question *)q);
}

void memcached_ask(struct lookup_asker *asker, struct memcached_question *q, slice key,
                   uint64_t hash)
{
    q->base.key = slice_make(slice_dup_cstr(key), key.n);
    q->base.hash = hash;
    q->base.discard = discard;
    lookup_ask(asker, q->client->service, &q->base);
}
