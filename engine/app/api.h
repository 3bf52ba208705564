/*
 * api.h - the monitoring API: a small HTTP/1.1 server on a thread of its own.
 *
 * Answers in Logstash's JSON shape, and /metrics as Prometheus text. Bounded: API_CONNECTIONS_MAX
 * connections, API_BODY_BYTES_MAX bodies, API_IDLE_NS between requests. It reads counters with
 * relaxed loads and takes engine->view while it walks pipelines; shards never wait for it.
 */
#ifndef ENGINE_APP_API_H
#define ENGINE_APP_API_H
#include "engine/app/engine.h"
#include "engine/app/flow.h"
#include "parsers/frame/http1.h"

#define API_CONNECTIONS_MAX 64u
#define API_BODY_BYTES_MAX 65536u
#define API_IDLE_NS (30 * 1000000000LL)

struct api_connection {
    int fd; /* -1: free */
    struct buf in, out;
    size_t sent;
    int64_t last_ns;
    bool closing, lingering, continued;
};

struct api {
    struct engine *engine;
    const struct process_settings *settings;
    char uuid[40], ephemeral_id[40], address[128];
    char *authorization; /* what the header must be; NULL: none needed */
    int listen_fd, stop_fd;
    pthread_t thread;
    int64_t started_ns;
    enum log_level level_at_start;
    struct flows flows;
    struct api_connection connection[API_CONNECTIONS_MAX];
};

/* What a handler works with. */
struct api_call {
    struct api *api;
    const struct http1_request *request;
    slice body;
    slice part[8]; /* of the path, unescaped: "_node" "stats" "pipelines" "main" */
    uint32_t part_n;
    int status;
    const char *type;
    struct json_out j; /* into what is sent */
};

/* NULL after a log line: no free port, bad address. */
struct api *api_start(struct engine *engine, const struct process_settings *settings,
                      const char *uuid);
void api_stop(struct api *api);

/* Answers a complete request: status, type and body. */
void api_route(struct api_call *c);

/* ---- the parts of answers (api_node.c, api_stats.c, api_process.c, api_nics.c, api_metrics.c) --
 */

/* What every answer begins with: host, version, id, status ... */
void api_root(struct api_call *c);
const char *api_status(const struct api *api);                        /* "green" "yellow" "red" */
const struct pipeline *api_pipeline(const struct api *api, slice id); /* NULL: none of that id */
void api_error(struct api_call *c, int status, const char *message);

void api_node(struct api_call *c);    /* /_node... */
void api_logging(struct api_call *c); /* /_node/logging */
void api_health(struct api_call *c);  /* /_health_report */
/* /_node/stats...; `at`: the part of the path that names a section. */
void api_stats(struct api_call *c, uint32_t at);
void api_metrics(struct api_call *c); /* /metrics */
void api_process(struct json_out *j); /* "process" */
/* Poll-mode ports: "dpdk", and in /metrics. Nothing where there are none. */
void api_nics(struct json_out *j, const struct engine *engine);
void api_nics_metrics(struct buf *out, const struct engine *engine);
void api_jvm(struct json_out *j, const struct api *api); /* "jvm" of the statistics */
void api_hot_threads(struct api_call *c);
int64_t api_resident_bytes(void);
int64_t api_cpu_ns(void);

/* A plugin's own statistics, as `,"key":value` pairs. */
void api_filter_pairs(const struct pipeline *p, uint32_t i, struct buf *out);
/* One node's counters summed over the shards. */
struct api_node_sum {
    uint64_t calls, in, out, hits;
    double millis;
};
struct api_node_sum api_node_sum(const struct pipeline *p, uint32_t node);
struct api_input_sum {
    uint64_t events, bytes, decode_failures, decode_drops;
};
struct api_input_sum api_input_sum(const struct pipeline *p, uint32_t i);

#endif
