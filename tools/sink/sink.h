/*
 * sink.h - what the parts of the sink share.
 *
 * The sink receives on loopback and says what came: a fake Elasticsearch with scripted faults,
 * plain TCP and UDP sinks. One thread, one epoll loop; everything here belongs to it.
 */
#ifndef TOOLS_SINK_SINK_H
#define TOOLS_SINK_SINK_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/base/buf.h"
#include "tools/sink/script.h"

enum answer_kind {
    ANSWER_MINIMAL, /* "items":[] when nothing failed */
    ANSWER_STATUS,  /* one status an item, as Elasticsearch with a filter_path gives */
    ANSWER_FULL     /* index, id, version as well */
};

struct sink_options {
    int es_port, tcp_port, udp_port; /* -1: none, 0: any */
    const char *version;
    bool opensearch;
    enum answer_kind answer;
    bool discard; /* throw body bytes away in the kernel, trust X-Elastic-Event-Count */
    bool loss;    /* track seq= markers of documents, lines, datagrams */
    const char *capture_path, *requests_path, *script_path, *prefix;
    const char *user, *password; /* basic authentication is asked for when set */
    uint32_t answer_delay_ms;
    int rcvbuf_bytes; /* UDP; 0: the kernel's default */
    int cpu;
};

struct stats {
    uint64_t connections, connections_open;
    uint64_t requests, bulk_requests;
    uint64_t documents, documents_failed; /* accepted; refused one by one */
    uint64_t documents_unanswered;        /* of requests that got an error or no answer */
    uint64_t body_bytes;
    uint64_t lines, line_bytes; /* TCP sink */
    uint64_t datagrams, datagram_bytes, datagrams_dropped;
    uint64_t status[600];      /* answers by HTTP status */
    uint64_t malformed;        /* requests that broke HTTP or the bulk format */
    int64_t first_ns, last_ns; /* monotonic: first and last accepted document, line, datagram */
};

/* Which marker numbers came: a bitmap that grows. */
struct markers {
    uint64_t *bits;
    uint64_t words;
    uint64_t unique, duplicates, unmarked, most; /* most: highest number seen + 1 */
};

/* How long after sent= the document was here, in microseconds: exact to 128, then a 64th. */
#define DELAY_BUCKETS 2048u
struct delays {
    uint64_t count[DELAY_BUCKETS], n, most_us;
};

struct sink {
    struct sink_options opt;
    struct delays delays;
    struct stats stats;
    struct markers markers;
    struct script script;
    FILE *capture, *requests;
    int epoll_fd;
    char *scratch; /* receive buffer for bodies that nobody keeps */
    bool stop, down;
};

#define SCRATCH_BYTES (512u * 1024)

/* Counts the marker in bytes that hold one document, line or datagram. */
void markers_note(struct markers *m, slice text);
/* Notes the delay of a document that says when it was sent. */
void delays_note(struct delays *d, slice text, int64_t now_ns);
/* Counts every marker in a stretch of lines. */
void stats_arrived(struct stats *st);
void stats_write(const struct sink *s, struct buf *out);

#endif
