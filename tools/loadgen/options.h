/*
 * options.h - the command line of the load generator.
 *
 * Main thread only. options_parse prints what is wrong and exits; everything it returns is checked.
 */
#ifndef TOOLS_LOADGEN_OPTIONS_H
#define TOOLS_LOADGEN_OPTIONS_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum workload_kind {
    WORKLOAD_RFC3164,
    WORKLOAD_RFC5424,
    WORKLOAD_APACHE,
    WORKLOAD_NDJSON,
    WORKLOAD_SHORT,
    WORKLOAD_BEATS,
    WORKLOAD_FILE
};

struct options {
    enum workload_kind workload;
    bool workload_given;
    const char *workload_name;
    const char *file; /* WORKLOAD_FILE: lines to replay */
    struct sockaddr_in to;
    bool udp;
    bool octet_counted;   /* RFC 6587 framing instead of a newline */
    bool once;            /* replay a file once */
    bool marker;          /* put seq=NNNNNNNNNNNN in every line */
    bool latency;         /* and sent=NNNNNNNNNNNNNNNNNNN, the monotonic clock when it goes out */
    bool hold;            /* TCP: wait for a line on stdin before sending and before closing */
    bool lumberjack;      /* windows of the Beats protocol; send_beats.c */
    uint32_t window;      /* Lumberjack: events that are acknowledged together */
    uint32_t pipelining;  /* windows of a connection that may wait for their acknowledgement */
    int compression;      /* zlib's level; 0: frames as they are */
    uint32_t connections; /* or UDP sockets, each with a port of its own */
    uint32_t write_bytes; /* a write is the fewest whole lines that reach this; 0: one line */
    uint32_t batch;       /* UDP: datagrams of one sendmmsg */
    uint32_t gso;         /* UDP: equal lines that go out as one segmented buffer; 0: off */
    uint32_t pad_bytes;   /* every line is padded or cut to this; 0: natural length */
    uint32_t corpus_lines;
    uint64_t events_max;
    uint64_t first; /* number of the first line */
    double seconds_max;
    double rate;       /* events a second; 0: as fast as it goes */
    uint32_t drain_ms; /* TCP: how long to wait at the end until the peer took everything */
    uint64_t seed;
    int cpu; /* -1: not pinned */
};

void options_parse(int argc, char **argv, struct options *opt);

#endif
