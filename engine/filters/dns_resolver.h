/*
 * dns_resolver.h - the process's one resolver thread, and the channels it runs.
 *
 * A channel is a set of name servers with its times (c-ares); every dns filter has its own. The
 * thread starts with the first channel and ends with the last. Addresses are asked for as A, then
 * as AAAA records; names as PTR records. A try asks each name server once; when none answers within
 * the timeout, the whole is tried again, so often as the channel says. Channels are made and freed
 * on the control thread; questions are asked by shards through engine/shard/lookup.h.
 */
#ifndef ENGINE_FILTERS_DNS_RESOLVER_H
#define ENGINE_FILTERS_DNS_RESOLVER_H
#include "engine/shard/lookup.h"

/* Queries of all channels that are on their way; the rest waits in the thread's queue. A name
 * server's receive buffer holds about 250 by default, and what is dropped there costs a timeout. */
#define DNS_RUNNING_MAX 128u
/* RFC 1035 section 2.3.4: 255 bytes on the wire are 253 characters; with room for Unicode. */
#define DNS_NAME_BYTES_MAX 1024u

struct dns_channel;

struct dns_servers {
    const char *csv; /* address, address:port, [v6]:port; NULL: the system's */
    const char *const *search;
    uint32_t search_n;
    int ndots;
    int64_t timeout_ms;
    uint32_t retries;
};

enum dns_kind { DNS_ADDRESS = 'A', DNS_NAME = 'P' };
enum dns_outcome { DNS_FOUND, DNS_NOTHING, DNS_TIMEOUT, DNS_ERROR };

struct dns_question {
    struct lookup_question base; /* the key is `kind` and the name or address asked for */
    struct dns_channel *channel;
    enum dns_kind kind;
    int record; /* type of the present query */
    uint32_t tries;
    /* The answer: */
    enum dns_outcome outcome;
    bool noted; /* the filter's: it is in its caches */
    char text[DNS_NAME_BYTES_MAX];
    /* The asker's: query name with a NUL, then the key. */
    char bytes[];
};

/* NULL with a reason. */
struct dns_channel *dns_channel_new(const struct dns_servers *servers, struct buf *why);
void dns_channel_free(struct dns_channel *channel);
/* `query` is what goes on the wire: an ASCII name, or the name of a reverse zone. */
void dns_ask(struct lookup_asker *asker, struct dns_channel *channel, enum dns_kind kind, slice key,
             uint64_t hash, slice query);

#endif
