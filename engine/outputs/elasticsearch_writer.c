/* elasticsearch_writer.c - the thread that sends requests and keeps them until they are settled. */
#include "engine/outputs/elasticsearch.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

/* A server may ask for a pause; nobody may ask for more than this. */
#define RETRY_AFTER_SEC_MAX 600

static void make_ready(struct es_shared *s, struct es_request *r)
{
    r->next = NULL;
    if (s->ready == NULL)
        s->ready = r;
    else
        s->ready_last->next = r;
    s->ready_last = r;
}

static void go_home(struct es_request *r)
{
    struct es_lane *lane = r->lane;
    lane->flying_n--;
    bool pushed = ring_push(&lane->home, r);
    ASSERT(pushed); /* the ring has room for all requests of the lane */
    shard_notify(lane->shard);
}

/* In again after a pause that doubles, with some jitter so that shards and processes spread. */
static void back_off(struct es_shared *s, struct es_request *r, int64_t least_ns)
{
    int64_t first = s->cfg->opt.retry_initial_s * NS_PER_SEC;
    int64_t most = s->cfg->opt.retry_max_s * NS_PER_SEC;
    if (first == 0) first = 100 * NS_PER_MS;
    r->delay_ns = r->delay_ns == 0 ? first : r->delay_ns * 2;
    if (r->delay_ns > most && most >= first) r->delay_ns = most;
    int64_t delay = r->delay_ns - (int64_t)prng_below(&s->prng, (uint64_t)r->delay_ns / 4 + 1);
    if (delay < least_ns) delay = least_ns;
    r->retry_at_ns = clock_mono_ns() + delay;
    r->next = s->waiting;
    s->waiting = r;
}

static void settle(struct es_shared *s, struct es_transfer *t, enum bulk_http_result result);

/* ---- sending ------------------------------------------------------------------------------ */

static void take_from_lanes(struct es_shared *s)
{
    for (uint32_t i = 0; i < s->lane_n; i++) {
        struct es_lane *lane = &s->lane[i];
        struct es_request *r;
        while (lane->flying_n < s->flying_max && (r = ring_pop(&lane->out)) != NULL) {
            lane->flying_n++;
            es_request_begin(r);
            make_ready(s, r);
        }
    }
}

/* Moves what has waited long enough to the ready ones; nanoseconds until the next, or idle_ns. */
static int64_t wake_waiting(struct es_shared *s, int64_t idle_ns)
{
    int64_t now = clock_mono_ns(), next = idle_ns;
    struct es_request **at = &s->waiting;
    while (*at != NULL) {
        struct es_request *r = *at;
        if (r->retry_at_ns <= now) {
            *at = r->next;
            make_ready(s, r);
            continue;
        }
        if (r->retry_at_ns - now < next) next = r->retry_at_ns - now;
        at = &r->next;
    }
    return next;
}

/* A connection to that host, the one used last; else a slot for one, empty if possible. */
static struct es_transfer *choose_transfer(struct es_shared *s, uint32_t host)
{
    struct es_transfer *same = NULL, *other = NULL;
    for (uint32_t i = 0; i < s->transfer_n; i++) {
        struct es_transfer *t = &s->transfer[i];
        if (t->request != NULL) continue;
        bool idle = t->http.state == BULK_HTTP_IDLE;
        if (idle && t->host == host) {
            if (same == NULL || t->http.idle_since_ns > same->http.idle_since_ns) same = t;
        } else if (other == NULL || !idle) {
            other = t;
        }
    }
    return same != NULL ? same : other;
}

static void connect_transfer(struct es_shared *s, struct es_transfer *t)
{
    const struct es_host *h = s->host[t->host].at;
    if (t->easy == NULL) {
        t->easy = es_easy_new(s, &t->unused, t->http.error);
        curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
        if (h->by_proxy) curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
    }
    curl_easy_setopt(t->easy, CURLOPT_URL, h->connect_url);
    bulk_http_connect(&t->http, t->easy, h->tls);
    s->connecting_n++;
}

/* Sends what is in the transfer on its connection. */
static enum bulk_http_result exchange(struct es_shared *s, struct es_transfer *t)
{
    slice body = es_request_part_bytes(t->request);
    if (s->cfg->opt.compression_level > 0) body = buf_slice(&t->packed);
    return bulk_http_send(&t->http, buf_slice(&t->head), body, clock_mono_ns(),
                          s->cfg->opt.timeout_s * NS_PER_SEC);
}

static bool is_usable(const struct es_shared *s, struct es_transfer *t, uint32_t host)
{
    if (t->http.state != BULK_HTTP_IDLE) return false;
    if (t->host != host) return false;
    int64_t idle_ns = clock_mono_ns() - t->http.idle_since_ns;
    return idle_ns < s->cfg->opt.validate_ms * NS_PER_MS || bulk_http_usable(&t->http);
}

static void send_part(struct es_shared *s, struct es_transfer *t, struct es_request *r,
                      uint32_t host)
{
    bool some = es_request_part(r);
    ASSERT(some);
    slice body = es_request_part_bytes(r);
    uint32_t plain_bytes = body.n;
    bool gzip = s->cfg->opt.compression_level > 0;
    if (gzip) {
        es_gzip(body, s->cfg->opt.compression_level, &t->packed);
        body = buf_slice(&t->packed);
    }
    es_head_write(s->host[host].at, r, plain_bytes, body.n, gzip, &t->head);
    counter_add(&s->counters.bulk_bytes, body.n);
    bool usable = is_usable(s, t, host);
    t->request = r;
    t->host = host;
    s->host[host].flying_n++;
    if (usable) {
        settle(s, t, exchange(s, t));
        return;
    }
    bulk_http_close(&t->http);
    connect_transfer(s, t);
}

static void launch(struct es_shared *s)
{
    while (s->ready != NULL) {
        uint32_t host = es_host_choose(s);
        if (s->host[host].flying_n >= (uint32_t)s->cfg->opt.pool_max_per_route) return;
        struct es_transfer *t = choose_transfer(s, host);
        if (t == NULL) return;
        struct es_request *r = s->ready;
        s->ready = r->next;
        send_part(s, t, r, host);
    }
}

/* ---- answers ------------------------------------------------------------------------------ */

static void log_network(struct es_shared *s, const struct es_transfer *t)
{
    uint64_t held;
    if (!log_gate_open(&s->gate_network, &held)) return;
    log_error(s->logger, "%s: %s; the request is sent again (%llu more failures)",
              es_host_url(s, t->host), t->http.error, (unsigned long long)held);
}

static void log_status(struct es_shared *s, const struct es_transfer *t, long status)
{
    uint64_t held;
    if (!log_gate_open(&s->gate_status, &held)) return;
    slice body = http1_response_body(&t->http.response, &t->http.in);
    slice text = slice_part(slice_trim(body), 0, 300);
    enum log_level level = status == 429 ? LOG_INFO : LOG_ERROR;
    const char *what = status >= 200 && status < 300 ? "an answer that is none to a bulk request"
                                                     : "refused the request";
    if (log_on(level))
        log_line(level, s->logger,
                 "%s: status %ld, %s; it is sent again (%llu more failures); answer: %.*s",
                 es_host_url(s, t->host), status, what, (unsigned long long)held, SLICE_FMT(text));
}

static void network_failed(struct es_shared *s, struct es_transfer *t, struct es_request *r)
{
    log_network(s, t);
    counter_add(&s->counters.bulk_failures, 1);
    es_host_failed(s, t->host);
    /* Another server may take it at once. */
    if (es_host_alive(s))
        make_ready(s, r);
    else
        back_off(s, r, 0);
}

static void refused(struct es_shared *s, struct es_transfer *t, struct es_request *r, long status)
{
    log_status(s, t, status);
    counter_add(&s->counters.bulk_failures, 1);
    int64_t after = bulk_http_retry_after_sec(&t->http, clock_real_ns() / NS_PER_SEC);
    if (after > RETRY_AFTER_SEC_MAX) after = RETRY_AFTER_SEC_MAX;
    back_off(s, r, after * NS_PER_SEC);
}

static void part_done(struct es_shared *s, struct es_request *r)
{
    es_request_part_end(r);
    if (r->item_n == 0) {
        go_home(r);
    } else if (r->at < r->item_n) {
        make_ready(s, r);
    } else {
        es_request_begin(r);
        back_off(s, r, 0);
    }
}

static void answered(struct es_shared *s, struct es_transfer *t, struct es_request *r)
{
    long status = (long)t->http.response.status;
    es_host_works(s, t->host);
    buf_room(&t->http.in, JSON_PAD);
    switch (es_result_read(s, r, status, http1_response_body(&t->http.response, &t->http.in))) {
    case ES_DONE: part_done(s, r); break;
    case ES_SPLIT: make_ready(s, r); break;
    case ES_AGAIN: refused(s, t, r, status); break;
    }
}

static void settle(struct es_shared *s, struct es_transfer *t, enum bulk_http_result result)
{
    struct es_request *r = t->request;
    if (result == BULK_HTTP_GOES_ON) return;
    if (result == BULK_HTTP_FAILED && t->http.lost) {
        /* The server had closed the connection while it was idle: that says nothing about it. */
        connect_transfer(s, t);
        return;
    }
    s->settled = true;
    s->host[t->host].flying_n--;
    t->request = NULL;
    if (result == BULK_HTTP_ANSWERED)
        answered(s, t, r);
    else
        network_failed(s, t, r);
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Lets libcurl go on with the connections it makes. */
static void drive_connecting(struct es_shared *s)
{
    int left;
    CURLMsg *message;
    if (s->connecting_n == 0) return;
    curl_multi_perform(s->multi, &left);
    while ((message = curl_multi_info_read(s->multi, &left)) != NULL) {
        struct es_transfer *t;
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        s->connecting_n--;
        if (message->easy_handle == s->sniff.easy) {
            es_sniff_done(s, code);
            continue;
        }
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        bool good = bulk_http_connected(&t->http, code);
        settle(s, t, good ? exchange(s, t) : BULK_HTTP_FAILED);
    }
}

/* What to poll for, in the order of the transfers; how long at most in *wait_ns. */
static uint32_t fill_waitfds(struct es_shared *s, int64_t *wait_ns)
{
    int64_t now = clock_mono_ns();
    uint32_t n = 0;
    s->waitfd[n++] = (struct curl_waitfd){.fd = s->bell.fd, .events = CURL_WAIT_POLLIN};
    for (uint32_t i = 0; i < s->transfer_n; i++) {
        const struct bulk_http *h = &s->transfer[i].http;
        if (!bulk_http_poll(h, &s->waitfd[n])) continue;
        n++;
        if (bulk_http_busy(h) && h->deadline_ns - now < *wait_ns) *wait_ns = h->deadline_ns - now;
    }
    return n;
}

static void use_events(struct es_shared *s)
{
    int64_t now = clock_mono_ns();
    const struct curl_waitfd *w = s->waitfd + 1;
    for (uint32_t i = 0; i < s->transfer_n; i++) {
        struct es_transfer *t = &s->transfer[i];
        struct curl_waitfd unused;
        if (!bulk_http_poll(&t->http, &unused)) continue;
        short events = (w++)->revents;
        enum bulk_http_result result =
            events != 0 ? bulk_http_ready(&t->http, events, now) : bulk_http_expire(&t->http, now);
        if (t->request != NULL) settle(s, t, result);
    }
}

static bool has_work(const struct es_shared *s)
{
    for (uint32_t i = 0; i < s->lane_n; i++)
        if (s->lane[i].flying_n < s->flying_max && ring_depth(&s->lane[i].out) > 0) return true;
    return es_stopping(s);
}

static void wait_for_events(struct es_shared *s, int64_t wait_ns)
{
    uint32_t n = fill_waitfds(s, &wait_ns);
    bell_arm(&s->bell);
    if (has_work(s) || wait_ns < 0) wait_ns = 0;
    curl_multi_poll(s->multi, s->waitfd, n, (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS), NULL);
    bell_disarm(&s->bell);
    use_events(s);
}

static void give_up(struct es_shared *s)
{
    for (uint32_t i = 0; i < s->transfer_n; i++) {
        struct es_transfer *t = &s->transfer[i];
        bulk_http_fini(&t->http);
        if (t->easy != NULL) curl_easy_cleanup(t->easy);
        buf_fini(&t->head);
        buf_fini(&t->packed);
        buf_fini(&t->unused);
    }
}

void *es_writer(void *shared)
{
    struct es_shared *s = shared;
    es_sniff_init(s);
    if (es_start(s)) {
        while (!es_stopping(s)) {
            s->settled = false;
            take_from_lanes(s);
            int64_t wait_ns = es_sniff(s, wake_waiting(s, NS_PER_SEC));
            launch(s);
            drive_connecting(s);
            /* Its lane may have more, its connection is free, it may have to be sent again. */
            if (!s->settled) wait_for_events(s, wait_ns);
        }
    }
    es_sniff_fini(s);
    give_up(s);
    return NULL;
}
