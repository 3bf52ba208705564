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

static struct es_transfer *free_transfer(struct es_shared *s)
{
    for (uint32_t i = 0; i < s->transfer_n; i++)
        if (s->transfer[i].request == NULL) return &s->transfer[i];
    return NULL;
}

static void send_part(struct es_shared *s, struct es_transfer *t, struct es_request *r)
{
    const struct es_cfg *cfg = s->cfg;
    bool some = es_request_part(r);
    ASSERT(some);
    slice body = es_request_part_bytes(r);
    t->request = r;
    t->host = es_host_choose(s);
    s->host[t->host].flying_n++;
    t->answer.n = 0;
    t->error[0] = 0;
    if (t->easy == NULL) t->easy = es_easy_new(s, &t->answer, t->error);
    t->headers = es_headers(cfg, "Content-Type: application/x-ndjson");
    char line[96];
    snprintf(line, sizeof(line), "X-Elastic-Event-Count: %u", r->part_n);
    t->headers = curl_slist_append(t->headers, line);
    snprintf(line, sizeof(line), "X-Elastic-Uncompressed-Request-Length: %u", body.n);
    t->headers = curl_slist_append(t->headers, line);
    if (cfg->opt.compression_level > 0) {
        es_gzip(body, cfg->opt.compression_level, &t->packed);
        body = buf_slice(&t->packed);
        t->headers = curl_slist_append(t->headers, "Content-Encoding: gzip");
    }
    counter_add(&s->counters.bulk_bytes, body.n);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    es_easy_target(s, t->easy, t->host, cfg->bulk_path, cfg->bulk_query);
    CURLMcode code = curl_multi_add_handle(s->multi, t->easy);
    ASSERT(code == CURLM_OK);
}

static void launch(struct es_shared *s)
{
    while (s->ready != NULL) {
        struct es_transfer *t = free_transfer(s);
        if (t == NULL) return;
        struct es_request *r = s->ready;
        s->ready = r->next;
        send_part(s, t, r);
    }
}

/* ---- answers ------------------------------------------------------------------------------ */

static void log_network(struct es_shared *s, const struct es_transfer *t, CURLcode code)
{
    uint64_t held;
    if (!log_gate_open(&s->gate_network, &held)) return;
    log_error(s->logger, "%s: %s; the request is sent again (%llu more failures)",
              s->cfg->host[t->host].url, t->error[0] != 0 ? t->error : curl_easy_strerror(code),
              (unsigned long long)held);
}

static void log_status(struct es_shared *s, const struct es_transfer *t, long status)
{
    uint64_t held;
    if (!log_gate_open(&s->gate_status, &held)) return;
    slice text = slice_part(slice_trim(buf_slice(&t->answer)), 0, 300);
    enum log_level level = status == 429 ? LOG_INFO : LOG_ERROR;
    const char *what = status >= 200 && status < 300 ? "an answer that is none to a bulk request"
                                                     : "refused the request";
    if (log_on(level))
        log_line(level, s->logger,
                 "%s: status %ld, %s; it is sent again (%llu more failures); answer: %.*s",
                 s->cfg->host[t->host].url, status, what, (unsigned long long)held,
                 SLICE_FMT(text));
}

static void network_failed(struct es_shared *s, struct es_transfer *t, CURLcode code)
{
    log_network(s, t, code);
    counter_add(&s->counters.bulk_failures, 1);
    es_host_failed(s, t->host);
    /* Another server may take it at once. */
    if (es_host_alive(s))
        make_ready(s, t->request);
    else
        back_off(s, t->request, 0);
}

static void refused(struct es_shared *s, struct es_transfer *t, long status)
{
    log_status(s, t, status);
    counter_add(&s->counters.bulk_failures, 1);
    curl_off_t after = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);
    if (after > RETRY_AFTER_SEC_MAX) after = RETRY_AFTER_SEC_MAX;
    back_off(s, t->request, (int64_t)after * NS_PER_SEC);
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

static void answered(struct es_shared *s, struct es_transfer *t)
{
    struct es_request *r = t->request;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    es_host_works(s, t->host);
    buf_room(&t->answer, JSON_PAD);
    switch (es_result_read(s, r, status, buf_slice(&t->answer))) {
    case ES_DONE: part_done(s, r); break;
    case ES_SPLIT: make_ready(s, r); break;
    case ES_AGAIN: refused(s, t, status); break;
    }
}

static void finish(struct es_shared *s, struct es_transfer *t, CURLcode code)
{
    curl_multi_remove_handle(s->multi, t->easy);
    s->host[t->host].flying_n--;
    if (code == CURLE_OK)
        answered(s, t);
    else
        network_failed(s, t, code);
    t->request = NULL;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
}

/* True when some transfer ended: its lane may have more to send. */
static bool collect(struct es_shared *s)
{
    int left;
    bool any = false;
    CURLMsg *message;
    while ((message = curl_multi_info_read(s->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        struct es_transfer *t;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        finish(s, t, code);
        any = true;
    }
    return any;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void give_up(struct es_shared *s)
{
    for (uint32_t i = 0; i < s->transfer_n; i++) {
        struct es_transfer *t = &s->transfer[i];
        if (t->request != NULL) curl_multi_remove_handle(s->multi, t->easy);
        curl_slist_free_all(t->headers);
        if (t->easy != NULL) curl_easy_cleanup(t->easy);
        buf_fini(&t->answer);
        buf_fini(&t->packed);
    }
}

void *es_writer(void *shared)
{
    struct es_shared *s = shared;
    if (es_start(s)) {
        while (!es_stopping(s)) {
            int running;
            take_from_lanes(s);
            int64_t wait = wake_waiting(s, NS_PER_SEC);
            launch(s);
            curl_multi_perform(s->multi, &running);
            if (collect(s)) continue;
            curl_multi_poll(s->multi, NULL, 0, (int)((wait + NS_PER_MS - 1) / NS_PER_MS), NULL);
        }
    }
    give_up(s);
    return NULL;
}
