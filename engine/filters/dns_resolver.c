/* dns_resolver.c - c-ares on a thread. */
#define _GNU_SOURCE
#include "engine/filters/dns_resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

/* Of one channel, for poll; a channel has one socket per server and protocol. */
#define POLLED_MAX 1024u

struct dns_channel {
    struct dns_channel *next; /* the thread's list */
    ares_channel ares;
    uint32_t retries, running_n;
};

/* One for the process; the control thread makes and frees it. */
static struct resolver {
    struct lookup_service *service;
    struct dns_channel *channels; /* the thread's */
    uint32_t users;
} resolver;

/* ---- queries -------------------------------------------------------------------------------- */

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n);

static void query(struct dns_question *q)
{
    /* Reverse zones are not searched for. */
    if (q->kind == DNS_NAME)
        ares_query(q->channel->ares, q->bytes, ns_c_in, q->record, on_answer, q);
    else
        ares_search(q->channel->ares, q->bytes, ns_c_in, q->record, on_answer, q);
}

static void done(struct dns_question *q, enum dns_outcome outcome)
{
    q->outcome = outcome;
    q->channel->running_n--;
    lookup_answer(&q->base);
}

static bool read_address(struct dns_question *q, const unsigned char *bytes, int n)
{
    struct hostent *host = NULL;
    int status = q->record == ns_t_a ? ares_parse_a_reply(bytes, n, &host, NULL, NULL)
                                     : ares_parse_aaaa_reply(bytes, n, &host, NULL, NULL);
    bool ok = status == ARES_SUCCESS && host->h_addr_list[0] != NULL &&
              inet_ntop(host->h_addrtype, host->h_addr_list[0], q->text, sizeof(q->text)) != NULL;
    if (status == ARES_SUCCESS) ares_free_hostent(host);
    return ok;
}

static bool read_name(struct dns_question *q, const unsigned char *bytes, int n)
{
    struct hostent *host = NULL;
    int status = ares_parse_ptr_reply(bytes, n, NULL, 0, AF_INET, &host);
    bool ok = status == ARES_SUCCESS && host->h_name != NULL && host->h_name[0] != 0;
    if (ok) snprintf(q->text, sizeof(q->text), "%s", host->h_name);
    if (status == ARES_SUCCESS) ares_free_hostent(host);
    return ok;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
    struct dns_question *q = arg;
    (void)timeouts;
    switch (status) {
    case ARES_SUCCESS:
        if (q->kind == DNS_NAME ? read_name(q, bytes, n) : read_address(q, bytes, n)) {
            done(q, DNS_FOUND);
            return;
        }
        break;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED:
        if (q->tries++ < q->channel->retries)
            query(q);
        else
            done(q, DNS_TIMEOUT);
        return;
    case ARES_EBADNAME:
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED: done(q, DNS_ERROR); return;
    default: break; /* no such name, no such record, a server that fails: nothing is known */
    }
    if (q->record == ns_t_a) {
        q->record = ns_t_aaaa;
        query(q);
    } else {
        done(q, DNS_NOTHING);
    }
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void take(void *ctx, struct lookup_question *base)
{
    struct dns_question *q = (struct dns_question *)base;
    (void)ctx;
    q->channel->running_n++;
    query(q);
}

struct polled {
    struct pollfd fd[POLLED_MAX + 1];
    struct dns_channel *of[POLLED_MAX + 1];
    uint32_t n;
    int64_t timeout_ns;
};

static void poll_add(struct polled *p, struct dns_channel *channel)
{
    ares_socket_t socks[ARES_GETSOCK_MAXNUM];
    struct timeval wait, *left;
    /* Readable ones in the lower half. ARES_GETSOCK_WRITABLE shifts into the sign. */
    unsigned bits = (unsigned)ares_getsock(channel->ares, socks, ARES_GETSOCK_MAXNUM);
    for (int i = 0; i < ARES_GETSOCK_MAXNUM && p->n <= POLLED_MAX; i++) {
        bool reads = bits >> i & 1, writes = bits >> (i + ARES_GETSOCK_MAXNUM) & 1;
        if (!reads && !writes) continue;
        short events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
        p->of[p->n] = channel;
        p->fd[p->n++] = (struct pollfd){.fd = socks[i], .events = events};
    }
    left = ares_timeout(channel->ares, NULL, &wait);
    if (left == NULL) return;
    int64_t ns = (int64_t)left->tv_sec * NS_PER_SEC + left->tv_usec * NS_PER_US;
    if (ns < p->timeout_ns) p->timeout_ns = ns;
}

static void wait_ready(void *ctx, int bell_fd, int64_t timeout_ns)
{
    struct polled p = {.n = 1, .timeout_ns = timeout_ns};
    (void)ctx;
    p.fd[0] = (struct pollfd){.fd = bell_fd, .events = POLLIN};
    for (struct dns_channel *c = resolver.channels; c != NULL; c = c->next)
        if (c->running_n > 0) poll_add(&p, c);
    struct timespec ts = {p.timeout_ns / NS_PER_SEC, p.timeout_ns % NS_PER_SEC};
    ppoll(p.fd, p.n, &ts, NULL);
    for (uint32_t i = 1; i < p.n; i++) {
        bool reads = (p.fd[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        bool writes = (p.fd[i].revents & POLLOUT) != 0;
        if (reads || writes)
            ares_process_fd(p.of[i]->ares, reads ? p.fd[i].fd : ARES_SOCKET_BAD,
                            writes ? p.fd[i].fd : ARES_SOCKET_BAD);
    }
    for (struct dns_channel *c = resolver.channels; c != NULL; c = c->next)
        if (c->running_n > 0) ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static const struct lookup_service_ops resolver_ops = {
    .name = "spate-dns", .take = take, .wait = wait_ready};

static void channel_add(void *arg)
{
    struct dns_channel *channel = arg;
    channel->next = resolver.channels;
    resolver.channels = channel;
}

static void channel_remove(void *arg)
{
    struct dns_channel *channel = arg, **at = &resolver.channels;
    while (*at != channel) at = &(*at)->next;
    *at = channel->next;
    ares_destroy(channel->ares); /* answers what is on its way */
}

/* ---- control thread ------------------------------------------------------------------------- */

static int channel_open(struct dns_channel *channel, const struct dns_servers *s)
{
    struct ares_options options = {
        .flags = ARES_FLAG_NOALIASES,
        .timeout = (int)s->timeout_ms,
        .tries = 1,
        .ndots = s->ndots,
        .domains = (char **)(uintptr_t)s->search,
        .ndomains = (int)s->search_n,
        .lookups = (char *)(uintptr_t) "b",
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS;
    if (s->csv != NULL) mask |= ARES_OPT_NDOTS | ARES_OPT_DOMAINS;
    int status = ares_init_options(&channel->ares, &options, mask);
    if (status != ARES_SUCCESS || s->csv == NULL) return status;
    status = ares_set_servers_ports_csv(channel->ares, s->csv);
    if (status != ARES_SUCCESS) ares_destroy(channel->ares);
    return status;
}

static bool resolver_hold(void)
{
    if (resolver.users == 0) {
        if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) return false;
        resolver.service = lookup_service_new(&resolver_ops, NULL, DNS_RUNNING_MAX);
        if (resolver.service == NULL) {
            ares_library_cleanup();
            return false;
        }
    }
    resolver.users++;
    return true;
}

static void resolver_release(void)
{
    ASSERT(resolver.users > 0);
    if (--resolver.users > 0) return;
    lookup_service_free(resolver.service);
    resolver.service = NULL;
    ares_library_cleanup();
}

struct dns_channel *dns_channel_new(const struct dns_servers *servers, struct buf *why)
{
    if (!resolver_hold()) {
        buf_add_cstr(why, "the resolver thread cannot be started");
        return NULL;
    }
    struct dns_channel *channel = calloc(1, sizeof(*channel));
    ASSERT(channel != NULL);
    channel->retries = servers->retries;
    int status = channel_open(channel, servers);
    if (status == ARES_SUCCESS) {
        lookup_service_call(resolver.service, channel_add, channel);
        return channel;
    }
    buf_add_cstr(why, ares_strerror(status));
    free(channel);
    resolver_release();
    return NULL;
}

void dns_channel_free(struct dns_channel *channel)
{
    if (channel == NULL) return;
    lookup_service_call(resolver.service, channel_remove, channel);
    free(channel);
    resolver_release();
}

/* ---- shards --------------------------------------------------------------------------------- */

static void discard(struct lookup_question *q)
{
    free(q);
}

void dns_ask(struct lookup_asker *asker, struct dns_channel *channel, enum dns_kind kind, slice key,
             uint64_t hash, slice query_name)
{
    struct dns_question *q = malloc(sizeof(*q) + query_name.n + 1 + key.n);
    ASSERT(q != NULL);
    *q = (struct dns_question){.channel = channel, .kind = kind};
    q->record = kind == DNS_NAME ? ns_t_ptr : ns_t_a;
    slice_cstr(query_name, q->bytes, query_name.n + 1);
    memcpy(q->bytes + query_name.n + 1, key.p, key.n);
    q->base.key = slice_make(q->bytes + query_name.n + 1, key.n);
    q->base.hash = hash;
    q->base.discard = discard;
    lookup_ask(asker, resolver.service, &q->base);
}
