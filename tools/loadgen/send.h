/*
 * send.h - lines to sockets.
 *
 * One thread. All functions return when the events or the seconds asked for are done, or when
 * every connection was lost; they fill in the result. SIGINT and SIGTERM end them early.
 */
#ifndef TOOLS_LOADGEN_SEND_H
#define TOOLS_LOADGEN_SEND_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "tools/loadgen/corpus.h"
#include "tools/loadgen/options.h"

struct result {
    uint64_t events, bytes, writes;
    uint64_t refused;   /* UDP: ECONNREFUSED and ENOBUFS, those lines count as not sent */
    uint32_t lost;      /* connections that broke */
    int64_t started_ns; /* monotonic: first write, last write, peer done */
    int64_t sent_ns, drained_ns;
    int64_t cpu_ns;
    bool drained; /* TCP: the peer took everything within drain_ms */
};

/* Set by the signal handler. */
extern volatile bool send_stop;

err send_tcp(struct corpus *c, const struct options *opt, struct result *out) MUST_USE;
err send_beats(struct corpus *c, const struct options *opt, struct result *out) MUST_USE;
err send_udp(struct corpus *c, const struct options *opt, struct result *out) MUST_USE;

/* Lines that may go out now under the limits, 0 when the load is complete. Sleeps to keep the rate.
 */
uint64_t pace_allow(const struct options *opt, struct result *r);

#endif
