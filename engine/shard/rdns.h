/*
 * rdns.h - names of peers, looked up on a helper thread.
 *
 * An input that names its peers owns one rdns; its shards ask with a request of their own and
 * get it back in their mailbox. The thread and every shard remember answers for a while, so
 * that a peer is looked up once and not per connection. A resolver that does not answer costs a
 * connection about RDNS_TIMEOUT_SEC per name server, and the address is its name then.
 */
#ifndef ENGINE_SHARD_RDNS_H
#define ENGINE_SHARD_RDNS_H
#include <pthread.h>

#include "engine/base/bell.h"
#include "engine/shard/shard.h"

#define RDNS_TIMEOUT_SEC 1
#define RDNS_CACHE_SLOTS 256u
#define RDNS_QUEUE_SLOTS 8192u
#define RDNS_KEEP_NS (60 * 1000 * 1000 * 1000LL)

struct rdns_entry {
    char addr[17]; /* family, address */
    int64_t until_ns;
    char *name; /* NULL: the slot is free */
};
struct rdns_cache {
    struct rdns_entry *slot; /* made at the first use */
};
void rdns_cache_fini(struct rdns_cache *cache);

struct rdns_request {
    struct message message;
    struct sockaddr_storage addr;
    struct shard *shard;
    char name[256];                             /* the answer: a name, or the address as text */
    void (*done)(struct rdns_request *request); /* on the shard; owns the request again */
    void *waiter;                               /* the shard's own */
};

struct rdns {
    struct mpsc queue;
    struct bell bell;
    pthread_t thread;
    _Atomic int stop;
    struct rdns_cache cache; /* the thread's */
    struct counter lookups, failures, full_hits;
};

err rdns_start(struct rdns *r) MUST_USE;
/* Requests not yet looked up are answered with addresses. */
void rdns_stop(struct rdns *r);
/* The end: joins the thread. Shards must have got all their requests back. */
void rdns_fini(struct rdns *r);
/* A name known already; false: ask. */
bool rdns_cached(struct rdns_cache *cache, const struct sockaddr *addr, int64_t now_ns,
                 char out[256]);
void rdns_remember(struct rdns_cache *cache, const struct sockaddr *addr, int64_t now_ns,
                   const char *name);
/* False when the queue is full: go on with the address. */
bool rdns_ask(struct rdns *r, struct rdns_request *request) MUST_USE;

#endif
