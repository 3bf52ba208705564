/* rdns.c - getnameinfo where it may block. */
#define _GNU_SOURCE
#include "engine/shard/rdns.h"

#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <signal.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "net/listener.h"

enum rdns_stop { STOP_QUICK = 1, STOP_LEAVE = 2 };

static void addr_key(const struct sockaddr *addr, char out[17])
{
    memset(out, 0, 17);
    out[0] = (char)addr->sa_family;
    if (addr->sa_family == AF_INET)
        memcpy(out + 1, &((const struct sockaddr_in *)addr)->sin_addr, 4);
    else if (addr->sa_family == AF_INET6)
        memcpy(out + 1, &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
}

static struct rdns_entry *slot_of(struct rdns_cache *cache, const char key[17])
{
    if (cache->slot == NULL) {
        cache->slot = calloc(RDNS_CACHE_SLOTS, sizeof(*cache->slot));
        ASSERT(cache->slot != NULL);
    }
    return &cache->slot[hash_bytes(key, 17, 0) % RDNS_CACHE_SLOTS];
}

void rdns_cache_fini(struct rdns_cache *cache)
{
    if (cache->slot == NULL) return;
    for (uint32_t i = 0; i < RDNS_CACHE_SLOTS; i++) free(cache->slot[i].name);
    free(cache->slot);
    cache->slot = NULL;
}

bool rdns_cached(struct rdns_cache *cache, const struct sockaddr *addr, int64_t now_ns,
                 char out[256])
{
    char key[17];
    addr_key(addr, key);
    struct rdns_entry *e = slot_of(cache, key);
    if (e->name == NULL || e->until_ns <= now_ns || memcmp(e->addr, key, 17) != 0) return false;
    slice_cstr(slice_from_cstr(e->name), out, 256);
    return true;
}

void rdns_remember(struct rdns_cache *cache, const struct sockaddr *addr, int64_t now_ns,
                   const char *name)
{
    char key[17];
    addr_key(addr, key);
    struct rdns_entry *e = slot_of(cache, key);
    free(e->name);
    e->name = slice_dup_cstr(slice_from_cstr(name));
    e->until_ns = now_ns + RDNS_KEEP_NS;
    memcpy(e->addr, key, 17);
}

static void look_up(struct rdns *r, struct rdns_request *q)
{
    const struct sockaddr *addr = (const struct sockaddr *)&q->addr;
    char text[ADDRESS_TEXT_BYTES];
    slice address = slice_make(text, address_text(addr, text));
    int64_t now_ns = clock_mono_ns();
    if (atomic_load(&r->stop)) {
        slice_cstr(address, q->name, sizeof(q->name));
        return;
    }
    if (rdns_cached(&r->cache, addr, now_ns, q->name)) return;
    counter_add(&r->lookups, 1);
    socklen_t n =
        addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (getnameinfo(addr, n, q->name, sizeof(q->name), NULL, 0, NI_NAMEREQD) != 0) {
        counter_add(&r->failures, 1);
        slice_cstr(address, q->name, sizeof(q->name));
    }
    rdns_remember(&r->cache, addr, clock_mono_ns(), q->name);
}

static void answer(struct message *message, struct shard *shard)
{
    (void)shard;
    struct rdns_request *q = (struct rdns_request *)message;
    q->done(q);
}

static void serve(struct rdns *r, struct rdns_request *q)
{
    look_up(r, q);
    q->message.run = answer;
    shard_post(q->shard, &q->message);
}

static void sleep_until_rung(struct rdns *r)
{
    bell_arm(&r->bell);
    struct rdns_request *q = mpsc_pop(&r->queue);
    if (q != NULL) {
        bell_disarm(&r->bell);
        serve(r, q);
        return;
    }
    if (atomic_load(&r->stop) != STOP_LEAVE) bell_wait(&r->bell, NS_PER_SEC);
    bell_disarm(&r->bell);
}

static void *run(void *arg)
{
    struct rdns *r = arg;
    pthread_setname_np(pthread_self(), "spate-rdns");
    res_init(); /* this thread's copy of the resolver's settings */
    _res.retrans = RDNS_TIMEOUT_SEC;
    _res.retry = 1;
    for (;;) {
        struct rdns_request *q = mpsc_pop(&r->queue);
        if (q != NULL) {
            serve(r, q);
            continue;
        }
        if (atomic_load(&r->stop) == STOP_LEAVE) return NULL;
        sleep_until_rung(r);
    }
}

err rdns_start(struct rdns *r)
{
    if (!bell_init(&r->bell)) return ERR_SYSTEM;
    mpsc_init(&r->queue, RDNS_QUEUE_SLOTS);
    atomic_init(&r->stop, 0);
    /* Signals are the control thread's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&r->thread, NULL, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) return ERR_OK;
    mpsc_fini(&r->queue);
    bell_fini(&r->bell);
    errno = error;
    return ERR_SYSTEM;
}

static void leave(struct rdns *r, int how)
{
    int now = atomic_load(&r->stop);
    if (now < how) atomic_store(&r->stop, how);
    bell_ring(&r->bell);
}

void rdns_stop(struct rdns *r)
{
    leave(r, STOP_QUICK);
}

void rdns_fini(struct rdns *r)
{
    leave(r, STOP_LEAVE);
    pthread_join(r->thread, NULL);
    rdns_cache_fini(&r->cache);
    mpsc_fini(&r->queue);
    bell_fini(&r->bell);
}

bool rdns_ask(struct rdns *r, struct rdns_request *request)
{
    if (!mpsc_push(&r->queue, request)) {
        /* Several shards may count at once: a lost increment is no harm. */
        counter_add(&r->full_hits, 1);
        return false;
    }
    bell_ring(&r->bell);
    return true;
}
