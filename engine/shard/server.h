/*
 * server.h - the connections of one input on one shard: accept, credit, starvation, stop.
 *
 * A plugin embeds struct conn first in its connection and gives two tables: server_ops, and
 * stream_ops whose starved and closed are conn_starved and conn_closed. Connections share one
 * intake; those that hold bytes the worker did not take wait in a queue (conn_wait) and get
 * their turn when there is credit again. At the stop, what the kernel has received is still
 * read; drains wait for it through intake.waiting. Owner: one shard.
 */
#ifndef ENGINE_SHARD_SERVER_H
#define ENGINE_SHARD_SERVER_H
#include "engine/base/log.h"
#include "engine/shard/worker.h"
#include "net/stream.h"
#include "net/tls.h"

/* Named bounds. */
#define SERVER_CONNECTIONS_MAX 65536u        /* of one input on one shard */
#define SERVER_STOP_NS (500 * 1000 * 1000LL) /* for reading what the kernel still has */

struct conn;
struct server;

struct server_ops {
    const char *logger;
    size_t conn_size;
    /* A new connection, nothing received yet: ends with stream_receive now or later. */
    void (*opened)(struct conn *c);
    /* There is credit: goes on with bytes held back; false: still some left. */
    bool (*resume)(struct conn *c);
    /* Frees what the plugin's part owns; then the memory goes. */
    void (*closed)(struct conn *c);
};

struct server_counters {
    struct counter accepted, current, peak, refused, starved, waited, broken;
};

struct conn {
    struct stream stream;
    struct server *server;
    struct conn *next, *prev;
    struct conn *wait_next, *wait_prev;
    struct conn *starve_next;
    struct sockaddr_storage peer;
    bool waiting, starving;
};

struct server {
    struct intake intake;
    struct io *io;
    struct timers *timers;
    struct shard *shard;
    struct worker *worker;
    const struct server_ops *ops;
    const struct stream_ops *stream_ops;
    struct tls_context *tls; /* NULL: plain */
    struct server_counters *counters;
    struct io_op accept;
    int fd; /* -1: clients only */
    uint32_t connections_max;
    struct conn *first;
    uint32_t n;
    struct conn *wait_first, *wait_last, *starved;
    struct timer retry; /* starved connections, failed accepts */
    struct timer stop;
    struct log_gate gate;
    bool stopping;
};

struct server_config {
    const struct server_ops *ops;
    const struct stream_ops *stream_ops;
    struct tls_context *tls;
    struct server_counters *counters;
    int fd; /* listens; stays the caller's */
    int64_t window_bytes;
    uint32_t connections_max; /* 0: SERVER_CONNECTIONS_MAX */
};

void server_start(struct server *s, struct worker *worker, const struct server_config *config);
/* A reload: the same connections, for another worker of the shard. */
void server_move(struct server *s, struct worker *worker, struct tls_context *tls);
/* A connection made otherwise (client mode); takes fd. NULL when there are too many. */
struct conn *server_adopt(struct server *s, int fd, const struct sockaddr_storage *peer);
/* No new connections; what is there is read to its end, then closed. */
void server_stop(struct server *s);
/* Closes the rest; true when nothing is left. The worker may be gone. */
bool server_stopped(struct server *s);
/* False once the worker was freed: bytes must be dropped. */
bool server_has_worker(const struct server *s);

/* Stops receiving and queues the connection for resume(). */
void conn_wait(struct conn *c);
void conn_starved(struct stream *s);
void conn_closed(struct stream *s);
static inline struct conn *conn_of(struct stream *s)
{
    return (struct conn *)s;
}
void server_counters_json(const struct server_counters *counters, uint32_t n, struct buf *out);

#endif
