/* elasticsearch.c - the elasticsearch output: its shard side and its life. */
#define _GNU_SOURCE
#include "engine/outputs/elasticsearch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

/* Until the server is known nothing can be encoded: its version decides on _type and ILM. */
#define SERVER_POLL_NS (10 * NS_PER_MS)

/* ---- on the shard --------------------------------------------------------------------------- */

static bool server_known(struct es_state *s)
{
    if (s->server != 0) return true;
    s->server = (uint32_t)counter_read(&s->shared->server);
    s->major = s->server >> ES_SERVER_MAJOR_SHIFT;
    s->ilm = (s->server & ES_SERVER_ILM) != 0;
    return s->server != 0;
}

/* The lane's share of spate.memory_bytes; a little late is as good. */
static size_t wire_bytes_max(const struct es_state *s)
{
    return atomic_load_explicit(&s->shard->lane_bytes_max, memory_order_relaxed);
}

static bool may_open(const struct es_state *s)
{
    return s->free != NULL || s->lane->all_n < ES_REQUESTS_MAX;
}

static void open_request(struct es_state *s)
{
    struct es_request *r = s->free;
    if (r != NULL) {
        s->free = r->next;
    } else {
        ASSERT(s->lane->all_n < ES_REQUESTS_MAX);
        r = es_request_new(s->lane);
        s->lane->all[s->lane->all_n++] = r;
        buf_room(&r->body, ES_BODY_BYTES + ES_BODY_BYTES / 8);
    }
    s->open = r;
    s->lingered = false;
}

static void seal(struct es_state *s)
{
    struct es_request *r = s->open;
    s->open = NULL;
    timer_cancel(&s->shard->timers, &s->linger);
    r->sealed_bytes = r->body.n;
    s->out_bytes += r->sealed_bytes;
    s->out_n++;
    bool pushed = ring_push(&s->lane->out, r);
    ASSERT(pushed); /* the ring has room for all requests of the lane */
    bell_ring(&s->shared->bell);
}

/* A body whose time is up goes out when the writer would send it at once; while it would only
 * queue there, it is better filled up. */
static void seal_lingered(struct es_state *s)
{
    if (s->lingered && s->open != NULL && s->open->item_n > 0 && s->out_n < s->flying_max) seal(s);
}

static void linger_fire(struct timer *timer, int64_t now_ns)
{
    struct es_state *s = (struct es_state *)((char *)timer - offsetof(struct es_state, linger));
    if (!server_known(s)) {
        /* Nothing else wakes a shard whose batches wait for the server. */
        timer_set(&s->shard->timers, &s->linger, now_ns + SERVER_POLL_NS);
        return;
    }
    s->lingered = true;
    seal_lingered(s);
}

static err start(void *state, void *shared_, const void *cfg, struct worker *worker,
                 struct output *self)
{
    (void)self;
    struct es_state *s = state;
    struct es_shared *shared = shared_;
    ASSERT(shared->lane_started < shared->lane_n);
    s->cfg = cfg;
    s->shared = shared;
    s->shard = worker->shard;
    s->lane = &shared->lane[shared->lane_started++];
    s->lane->shard = s->shard;
    s->flying_max = shared->flying_max;
    s->line_to_ns = INT64_MIN;
    s->linger.fire = linger_fire;
    s->layouts = json_layouts_new();
    json_reader_init(&s->reader);
    timer_set(&s->shard->timers, &s->linger, s->shard->now_mono_ns + SERVER_POLL_NS);
    return ERR_OK;
}

static enum push push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)cfg;
    struct es_state *s = state;
    if (!server_known(s)) return PUSH_FULL;
    if ((s->open == NULL && !may_open(s)) || (s->out_bytes > wire_bytes_max(s) && s->out_n > 0)) {
        counter_add(&s->lane->counters.full_hits, 1);
        return PUSH_FULL;
    }
    for (uint32_t i = 0; i < in->n;) {
        if (s->open == NULL) open_request(s);
        struct es_request *r = s->open;
        uint32_t items = r->item_n;
        do es_encode(s, b, &b->event[in->at[i++]], r);
        while (i < in->n && (r->body.n < ES_BODY_BYTES || !may_open(s)));
        if (r->item_n == items) continue;
        es_request_hold(r, b);
        if (r->body.n >= ES_BODY_BYTES)
            seal(s);
        else if (!timer_is_set(&s->linger) && !s->lingered)
            timer_set(&s->shard->timers, &s->linger, s->shard->now_mono_ns + ES_LINGER_NS);
    }
    return PUSH_TAKEN;
}

static void release_holds(struct es_request *r, enum outcome outcome)
{
    for (uint32_t i = 0; i < r->hold_n; i++) receipt_release(r->hold[i], outcome);
    r->hold_n = 0;
}

static void tick(void *state, const void *cfg, int64_t now_mono_ns)
{
    (void)cfg, (void)now_mono_ns;
    struct es_state *s = state;
    struct es_request *r;
    while ((r = ring_pop(&s->lane->home)) != NULL) {
        s->out_n--;
        s->out_bytes -= r->sealed_bytes;
        release_holds(r, r->outcome);
        es_request_clear(r);
        r->next = s->free;
        s->free = r;
    }
    seal_lingered(s);
}

static bool drain(void *state, const void *cfg)
{
    (void)cfg;
    struct es_state *s = state;
    if (s->open != NULL && s->open->item_n > 0) seal(s);
    return s->out_n == 0;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct es_state *s = state;
    timer_cancel(&s->shard->timers, &s->linger);
    /* What came home and was not looked at yet was delivered. */
    tick(state, cfg, 0);
    timer_cancel(&s->shard->timers, &s->linger);
    for (uint32_t i = 0; i < s->lane->all_n; i++) release_holds(s->lane->all[i], OUTCOME_FAILED);
    free(s->layouts);
    buf_fini(&s->line);
    buf_fini(&s->text);
    json_reader_fini(&s->reader);
}

/* ---- on the control thread ---------------------------------------------------------------------
 */

static void make_lanes(struct es_shared *s, uint32_t shards)
{
    s->lane_n = shards;
    s->lane = aligned_alloc(CACHE_LINE, shards * sizeof(*s->lane));
    ASSERT(s->lane != NULL);
    memset(s->lane, 0, shards * sizeof(*s->lane));
    for (uint32_t i = 0; i < shards; i++) {
        ring_init(&s->lane[i].out, 2 * ES_REQUESTS_MAX);
        ring_init(&s->lane[i].home, 2 * ES_REQUESTS_MAX);
    }
}

static void make_transfers(struct es_shared *s)
{
    const struct es_options *o = &s->cfg->opt;
    uint64_t n = (uint64_t)s->lane_n * s->flying_max;
    /* Sniffing may find more. */
    uint32_t hosts = o->sniffing ? ES_HOSTS_MAX : s->cfg->host_n;
    uint64_t per_host = (uint64_t)o->pool_max_per_route * hosts;
    if (n > (uint64_t)o->pool_max) n = (uint64_t)o->pool_max;
    if (n > per_host) n = per_host;
    s->transfer_n = (uint32_t)n;
    s->transfer = calloc(n, sizeof(*s->transfer));
    s->waitfd = calloc(n + 1, sizeof(*s->waitfd));
    s->host = calloc(hosts, sizeof(*s->host));
    ASSERT(s->transfer != NULL && s->waitfd != NULL && s->host != NULL);
    s->host_n = s->cfg->host_n;
    for (uint32_t i = 0; i < s->host_n; i++) s->host[i].at = &s->cfg->host[i];
    for (uint64_t i = 0; i < n; i++)
        bulk_http_init(&s->transfer[i].http, s->multi, ES_ANSWER_BYTES_MAX);
    curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)n + 1);
}

static err start_thread(struct es_shared *s)
{
    /* Signals are the control thread's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int e = pthread_create(&s->thread, NULL, es_writer, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e != 0) {
        log_error(s->logger, "cannot start a thread: %s", strerror(e));
        return ERR_SYSTEM;
    }
    pthread_setname_np(s->thread, "es-writer");
    s->running = true;
    return ERR_OK;
}

static void close_output(void *shared, const void *cfg)
{
    (void)cfg;
    struct es_shared *s = shared;
    counter_set(&s->stop, 1);
    bell_ring(&s->bell);
    curl_multi_wakeup(s->multi); /* from the pauses of the start */
    if (s->running) pthread_join(s->thread, NULL);
    for (uint32_t i = 0; i < s->lane_n; i++) {
        struct es_lane *lane = &s->lane[i];
        for (uint32_t k = 0; k < lane->all_n; k++) es_request_free(lane->all[k]);
        ring_fini(&lane->out);
        ring_fini(&lane->home);
    }
    curl_multi_cleanup(s->multi);
    curl_global_cleanup();
    bell_fini(&s->bell);
    free(s->lane);
    free(s->transfer);
    free(s->waitfd);
    free(s->host);
    json_reader_fini(&s->reader);
    heap_fini(&s->sniff.heap);
    arena_fini(&s->arena);
    page_pool_fini(&s->pool);
}

static err open_output(void *shared, const void *cfg, struct output *self, uint32_t shards)
{
    struct es_shared *s = shared;
    s->cfg = cfg;
    s->output = self;
    snprintf(s->logger, sizeof(s->logger), "outputs.elasticsearch.%s", self->pipeline_id);
    if (!bell_init(&s->bell)) {
        log_error(s->logger, "cannot make an event descriptor: %s", strerror(errno));
        return ERR_SYSTEM;
    }
    s->flying_max = s->cfg->ordered ? 1 : ES_FLYING_MAX;
    prng_seed(&s->prng, (uint64_t)clock_mono_ns());
    json_reader_init(&s->reader);
    page_pool_init(&s->pool, SIZE_MAX);
    arena_init(&s->arena, &s->pool);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    s->multi = curl_multi_init();
    ASSERT(s->multi != NULL);
    make_lanes(s, shards);
    make_transfers(s);
    if (s->cfg->dlq_enabled)
        log_warn(s->logger, "documents that the server refuses are counted and logged; this output "
                            "does not write them to the dead letter queue");
    err e = start_thread(s);
    if (e != ERR_OK) close_output(s, cfg);
    return e;
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)cfg;
    const struct es_shared *s = shared;
    const struct es_writer_counters *n = &s->counters;
    uint64_t index = 0, action = 0, id = 0, upsert = 0, full = 0;
    for (uint32_t i = 0; i < s->lane_n; i++) {
        const struct es_lane_counters *c = &s->lane[i].counters;
        index += counter_read(&c->dropped_index);
        action += counter_read(&c->dropped_action);
        id += counter_read(&c->dropped_id);
        upsert += counter_read(&c->dropped_upsert);
        full += counter_read(&c->full_hits);
    }
    uint64_t refused = counter_read(&n->rejected), conflicts = counter_read(&n->conflicts);
    uint64_t large = counter_read(&n->too_large);
    buf_printf(out,
               ",\"documents\":{\"successes\":%llu,\"retryable_failures\":%llu,"
               "\"non_retryable_failures\":%llu,\"dlq_routed\":0}",
               (unsigned long long)counter_read(&n->successes),
               (unsigned long long)counter_read(&n->retryable),
               (unsigned long long)(refused + conflicts + large + index + action + id + upsert));
    buf_printf(out,
               ",\"dropped\":{\"refused\":%llu,\"conflict\":%llu,\"too_large\":%llu,"
               "\"unresolved_index\":%llu,\"unknown_action\":%llu,\"missing_id\":%llu,"
               "\"bad_upsert\":%llu}",
               (unsigned long long)refused, (unsigned long long)conflicts,
               (unsigned long long)large, (unsigned long long)index, (unsigned long long)action,
               (unsigned long long)id, (unsigned long long)upsert);
    buf_printf(out,
               ",\"bulk_requests\":{\"successes\":%llu,\"with_errors\":%llu,\"failures\":%llu,"
               "\"bytes\":%llu,\"responses\":{",
               (unsigned long long)counter_read(&n->bulk_ok),
               (unsigned long long)counter_read(&n->bulk_errors),
               (unsigned long long)counter_read(&n->bulk_failures),
               (unsigned long long)counter_read(&n->bulk_bytes));
    const char *comma = "";
    for (uint32_t i = 0; i < ARRAY_LEN(n->status); i++) {
        uint64_t count = counter_read(&n->status[i]);
        if (count == 0) continue;
        buf_printf(out, "%s\"%u\":%llu", comma, i, (unsigned long long)count);
        comma = ",";
    }
    buf_printf(out, "}},\"requests_full\":%llu", (unsigned long long)full);
}

const struct output_ops output_elasticsearch = {
    .name = "elasticsearch",
    .doc = "Indexes events in Elasticsearch (6 to 9) or OpenSearch through their bulk interface.",
    .settings = es_settings,
    .cfg_size = sizeof(struct es_cfg),
    .shared_size = sizeof(struct es_shared),
    .state_size = sizeof(struct es_state),
    .compile = es_compile,
    .release = es_release,
    .open = open_output,
    .start = start,
    .push = push,
    .tick = tick,
    .drain = drain,
    .stop = stop,
    .close = close_output,
    .stats = stats,
};
