/*
 * memcached_client.h - memcached's binary protocol on one thread per filter.
 *
 * One connection per server, everything pipelined: operations of a question go out in order, and a
 * server answers in order, so that what an event sets the next one gets. Keys are spread over
 * servers as Dalli does (Ruby's client, which Logstash uses), so that both find each other's
 * values; no library does that, and the protocol is a page: that is why this is no libmemcached. A
 * server that fails is left out for MEMCACHED_DOWN_NS, its keys go to the next one. Formats:
 * memcached's protocol-binary.txt.
 */
#ifndef ENGINE_FILTERS_MEMCACHED_CLIENT_H
#define ENGINE_FILTERS_MEMCACHED_CLIENT_H
#include "engine/shard/lookup.h"

/* Questions that are on their way. */
#define MEMCACHED_RUNNING_MAX 1024u
#define MEMCACHED_SERVERS_MAX 256u
/* Without an answer for so long, a server has failed. */
#define MEMCACHED_TIMEOUT_NS NS_PER_SEC
#define MEMCACHED_DOWN_NS NS_PER_SEC
/* The longest value that is taken; memcached's own limit is 1 MiB unless told otherwise. */
#define MEMCACHED_VALUE_BYTES_MAX (16u * 1024 * 1024)
#define MEMCACHED_KEY_BYTES_MAX 250u

struct memcached_client;

struct memcached_server {
    const char *host, *port; /* port "": a socket's path */
    int64_t weight;
};

enum memcached_outcome { MEMCACHED_OK, MEMCACHED_MISS, MEMCACHED_REFUSED, MEMCACHED_DOWN };

struct memcached_op {
    struct memcached_op *next; /* waits for the same server */
    struct memcached_question *question;
    int64_t sent_ns;
    bool sets;
    char key[MEMCACHED_KEY_BYTES_MAX];
    uint32_t key_n, flags, ttl_sec;
    struct buf value; /* to set; what was got */
    uint32_t which;   /* the filter's */
    enum memcached_outcome outcome;
};

struct memcached_question {
    struct lookup_question base;
    struct memcached_client *client;
    uint32_t n, open_n;
    struct memcached_op op[];
};

/* NULL: the thread cannot be started. The servers' texts must outlive the client. */
struct memcached_client *memcached_client_new(const struct memcached_server *server, uint32_t n);
void memcached_client_free(struct memcached_client *client);

struct memcached_question *memcached_question_new(struct memcached_client *client, uint32_t n);
/* Asks; from here on it is the asker's. */
void memcached_ask(struct lookup_asker *asker, struct memcached_question *q, slice key,
                   uint64_t hash);
void memcached_question_free(struct memcached_question *q);

#endif
