/* kafka_writer.c - producing, delivery reports, sending again. */
#include "engine/outputs/kafka_writer.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

#define POLL_MS 100

/* The writer's note on a request: r->opaque points to it while records are out. */
struct pending {
    uint32_t left;
    bool failed;
};

/* ---- records ---------------------------------------------------------------------- */

static const char *record_topic(const struct kafka_record *r)
{
    return (const char *)(r + 1);
}

static const char *record_key(const struct kafka_record *r)
{
    return record_topic(r) + r->topic_n + 1;
}

static const char *record_headers(const struct kafka_record *r)
{
    return record_key(r) + r->key_n;
}

/* Reads the header at *p and moves behind it. */
static void header_next(const char **p, rd_kafka_vu_t *vu)
{
    struct kafka_header h;
    memcpy(&h, *p, sizeof(h));
    *p += sizeof(h);
    vu->vtype = RD_KAFKA_VTYPE_HEADER;
    vu->u.header.name = *p;
    vu->u.header.val = *p + h.name_n + 1;
    vu->u.header.size = h.value_n;
    *p += h.name_n + 1 + h.value_n;
}

static void record_settle(struct kafka_record *record, bool failed)
{
    struct delivery_request *r = record->request;
    struct pending *p = r->opaque;
    if (failed) p->failed = true;
    if (--p->left > 0) return;
    enum outcome outcome = p->failed ? OUTCOME_FAILED : OUTCOME_DELIVERED;
    free(p);
    r->opaque = NULL;
    delivery_done(r, outcome);
}

/* ---- what happens to records ------------------------------------------------------------ */

/* Errors that the same bytes will meet again however often they are sent. */
static bool is_final(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return true;
    default: return false;
    }
}

static void drop(struct kafka_writer *w, struct kafka_record *record, const char *why)
{
    uint64_t held;
    counter_add(&w->dropped, 1);
    if (log_gate_open(&w->drop_gate, &held))
        log_warn("outputs.kafka", "an event for topic %s is dropped: %s (%llu more of them)",
                 record_topic(record), why, (unsigned long long)held);
    record_settle(record, false);
}

static void again_add(struct kafka_writer *w, struct kafka_record *record)
{
    record->next = NULL;
    if (w->again != NULL)
        w->again_last->next = record;
    else
        w->again = record;
    w->again_last = record;
}

static void failed(struct kafka_writer *w, struct kafka_record *record, rd_kafka_resp_err_t error)
{
    uint64_t held;
    if (delivery_stopping(&w->delivery)) {
        record_settle(record, true);
        return;
    }
    /* With a number of retries librdkafka has made them. */
    if (is_final(error) || w->config->retries >= 0) {
        drop(w, record, rd_kafka_err2str(error));
        return;
    }
    counter_add(&w->retried, 1);
    if (log_gate_open(&w->retry_gate, &held))
        log_warn("outputs.kafka", "an event for topic %s was not taken: %s; will try again",
                 record_topic(record), rd_kafka_err2str(error));
    if (w->again == NULL) w->again_ns = clock_mono_ns() + w->config->backoff_ns;
    again_add(w, record);
}

static void on_report(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct kafka_writer *w = opaque;
    struct kafka_record *record = message->_private;
    w->outstanding--;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        failed(w, record, message->err);
        return;
    }
    counter_add(&w->delivered, 1);
    counter_add(&w->bytes, record->value_n);
    record_settle(record, false);
}

static void on_error(rd_kafka_t *producer, int error, const char *reason, void *opaque)
{
    (void)producer;
    struct kafka_writer *w = opaque;
    uint64_t held;
    if (log_gate_open(&w->event_gate, &held))
        log_warn("outputs.kafka", "%s: %s", rd_kafka_err2name((rd_kafka_resp_err_t)error), reason);
}

static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
    (void)producer;
    if (level <= 3)
        log_error("outputs.kafka", "%s: %s", facility, text);
    else
        log_debug("outputs.kafka", "%s: %s", facility, text);
}

/* ---- partitions ---------------------------------------------------------------------------- */

static int32_t next_available(const rd_kafka_topic_t *topic, uint64_t from, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        int32_t partition = (int32_t)((from + (uint64_t)i) % (uint64_t)n);
        if (rd_kafka_topic_partition_available(topic, partition)) return partition;
    }
    return (int32_t)(from % (uint64_t)n);
}

/* Called by librdkafka under its locks, from the writer or from its own threads once a topic's
 * partitions become known; an exact turn does not matter. */
static int32_t by_turn(const rd_kafka_topic_t *topic, const void *key, size_t key_n, int32_t n,
                       void *topic_opaque, void *record)
{
    (void)key, (void)key_n, (void)record;
    struct kafka_writer *w = topic_opaque;
    uint64_t turn = __atomic_fetch_add(&w->turn, 1, __ATOMIC_RELAXED);
    if (w->config->partitioner == KAFKA_UNIFORM_STICKY) turn /= KAFKA_STICKY_MESSAGES;
    return next_available(topic, turn, n);
}

/* ---- sending ----------------------------------------------------------------------------------
 */

static bool is_topic(const struct kafka_topic *t, const char *name, uint32_t n)
{
    return t != NULL && t->name_n == n && memcmp(t->name, name, n) == 0;
}

static rd_kafka_topic_t *topic_find(struct kafka_writer *w, const char *name, uint32_t n)
{
    struct kafka_topic *t = w->last_topic;
    if (!is_topic(t, name, n))
        for (t = w->topics; t != NULL && !is_topic(t, name, n); t = t->next) {
        }
    if (t == NULL) {
        rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
        if (w->config->partitioner != KAFKA_BY_KEY) {
            rd_kafka_topic_conf_set_partitioner_cb(conf, by_turn);
            rd_kafka_topic_conf_set_opaque(conf, w);
        } else {
            rd_kafka_topic_conf_destroy(conf);
            conf = NULL; /* the producer's defaults, which have our partitioner */
        }
        rd_kafka_topic_t *handle = rd_kafka_topic_new(w->producer, name, conf);
        if (handle == NULL) {
            if (conf != NULL) rd_kafka_topic_conf_destroy(conf);
            return NULL;
        }
        if (w->topic_n == KAFKA_TOPICS_MAX) {
            /* The oldest goes; librdkafka keeps what its messages still need. */
            struct kafka_topic **last = &w->topics;
            while ((*last)->next != NULL) last = &(*last)->next;
            rd_kafka_topic_destroy((*last)->handle);
            free(*last);
            *last = NULL;
            w->topic_n--;
        }
        t = malloc(sizeof(*t) + n);
        ASSERT(t != NULL);
        *t = (struct kafka_topic){.next = w->topics, .handle = handle, .name_n = n};
        memcpy(t->name, name, n);
        w->topics = t;
        w->topic_n++;
    }
    w->last_topic = t;
    return t->handle;
}

/* librdkafka's queue is full: lets it report what it has done. False: the writer is to stop. */
static bool wait_for_room(struct kafka_writer *w)
{
    rd_kafka_poll(w->producer, POLL_MS);
    return !delivery_stopping(&w->delivery);
}

/* Hands over what has been gathered. Once its queue is full librdkafka takes no later message of a
 * call either, so the order stays. */
static void messages_send(struct kafka_writer *w)
{
    rd_kafka_message_t *at = w->message, *end = at + w->message_n;
    w->message_n = 0;
    while (at < end) {
        rd_kafka_produce_batch(w->message_topic, RD_KAFKA_PARTITION_UA, 0, at, (int)(end - at));
        for (; at < end && at->err != RD_KAFKA_RESP_ERR__QUEUE_FULL; at++) {
            if (at->err == RD_KAFKA_RESP_ERR_NO_ERROR)
                w->outstanding++;
            else
                failed(w, at->_private, at->err);
        }
        if (at == end || wait_for_room(w)) continue;
        for (; at < end; at++) record_settle(at->_private, true);
    }
}

static rd_kafka_resp_err_t produce_with_headers(struct kafka_writer *w, struct kafka_record *r,
                                                rd_kafka_topic_t *topic)
{
    const char *headers = record_headers(r);
    rd_kafka_vu_t vus[KAFKA_HEADERS_MAX + 4];
    memset(vus, 0, 4 * sizeof(*vus));
    uint32_t n = 4;
    for (uint32_t i = 0; i < r->header_n; i++) header_next(&headers, &vus[n++]);
    vus[0].vtype = RD_KAFKA_VTYPE_RKT;
    vus[0].u.rkt = topic;
    vus[1].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[1].u.mem.ptr = (char *)(uintptr_t)headers; /* behind the last header */
    vus[1].u.mem.size = r->value_n;
    vus[2].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[2].u.ptr = r;
    vus[3].vtype = RD_KAFKA_VTYPE_KEY;
    vus[3].u.mem.ptr = r->has_key ? (void *)(uintptr_t)record_key(r) : NULL;
    vus[3].u.mem.size = r->key_n;
    rd_kafka_error_t *error = rd_kafka_produceva(w->producer, vus, n);
    rd_kafka_resp_err_t code =
        error == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
    if (error != NULL) rd_kafka_error_destroy(error);
    return code;
}

/* Messages with headers go one by one. */
static void send_with_headers(struct kafka_writer *w, struct kafka_record *r,
                              rd_kafka_topic_t *topic)
{
    rd_kafka_resp_err_t error;
    while ((error = produce_with_headers(w, r, topic)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        if (wait_for_room(w)) continue;
        record_settle(r, true);
        return;
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        w->outstanding++;
    else
        failed(w, r, error);
}

/* Hands one record to librdkafka, or leaves it to the next messages_send, waiting while
 * librdkafka's queue is full. */
static void record_send(struct kafka_writer *w, struct kafka_record *r)
{
    /* Before the handle of the gathered ones may go. */
    if (w->message_n > 0 && !is_topic(w->last_topic, record_topic(r), r->topic_n)) messages_send(w);
    rd_kafka_topic_t *topic = topic_find(w, record_topic(r), r->topic_n);
    if (topic == NULL) {
        drop(w, r, "this is no topic name");
        return;
    }
    if (r->header_n > 0) {
        messages_send(w);
        send_with_headers(w, r, topic);
        return;
    }
    w->message_topic = topic;
    w->message[w->message_n++] =
        (rd_kafka_message_t){.payload = (char *)(uintptr_t)record_headers(r),
                             .len = r->value_n,
                             .key = r->has_key ? (void *)(uintptr_t)record_key(r) : NULL,
                             .key_len = r->key_n,
                             ._private = r};
    if (w->message_n == KAFKA_MESSAGES_MAX) messages_send(w);
}

static void send_request(struct kafka_writer *w, struct delivery_request *r)
{
    struct pending *p = malloc(sizeof(*p));
    ASSERT(p != NULL);
    /* One more than there are records, so that it is not answered while we walk. */
    *p = (struct pending){.left = 1};
    r->opaque = p;
    char *at = r->body.data, *end = at + r->body.n;
    while (at < end) {
        struct kafka_record *record = (struct kafka_record *)(void *)at;
        at += record->bytes;
        record->request = r;
        p->left++;
        if (record->refused)
            drop(w, record, "the codec has no message for it");
        else
            record_send(w, record);
    }
    messages_send(w);
    struct kafka_record last = {.request = r};
    record_settle(&last, false);
}

static void send_again(struct kafka_writer *w)
{
    struct kafka_record *record = w->again;
    w->again = w->again_last = NULL;
    while (record != NULL) {
        struct kafka_record *next = record->next;
        record_send(w, record);
        record = next;
    }
    messages_send(w);
}

/* ---- the thread
 * ---------------------------------------------------------------------------------- */

static void end(struct kafka_writer *w)
{
    rd_kafka_purge(w->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(w->producer, KAFKA_STOP_MS);
    while (w->again != NULL) {
        struct kafka_record *record = w->again;
        w->again = record->next;
        record_settle(record, true);
    }
    while (w->topics != NULL) {
        struct kafka_topic *t = w->topics;
        w->topics = t->next;
        rd_kafka_topic_destroy(t->handle);
        free(t);
    }
}

static void run(struct delivery *d)
{
    struct kafka_writer *w = d->owner;
    while (!delivery_stopping(d)) {
        /* Reports come from librdkafka's threads and ring no bell of ours: look often while some
         * are due. */
        struct delivery_request *r =
            delivery_next(d, w->outstanding > 0 ? NS_PER_MS : 200 * NS_PER_MS);
        if (r != NULL) send_request(w, r);
        rd_kafka_poll(w->producer, 0);
        if (w->again != NULL && clock_mono_ns() >= w->again_ns) send_again(w);
        counter_set(&w->queued, w->outstanding);
    }
    end(w);
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK) return true;
    log_error("outputs.kafka", "librdkafka refuses %s: %s", name, why);
    return false;
}

err kafka_writer_start(struct kafka_writer *w, const struct kafka_writer_config *config,
                       uint32_t shards)
{
    w->config = config;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool ok = true;
    for (uint32_t i = 0; i < config->properties.n && ok; i++)
        ok = set(conf, config->properties.at[i].name, config->properties.at[i].value);
    if (!ok) {
        rd_kafka_conf_destroy(conf);
        return ERR_CONFIG;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_opaque(conf, w);
    char why[512];
    w->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (w->producer == NULL) {
        log_error("outputs.kafka", "cannot make a producer: %s", why);
        rd_kafka_conf_destroy(conf);
        return ERR_CONFIG;
    }
    err e = delivery_start(&w->delivery, shards, "out kafka", run, w);
    if (e != ERR_OK) rd_kafka_destroy(w->producer);
    return e;
}

void kafka_writer_stop(struct kafka_writer *w)
{
    /* Joins the writer, whose end() has taken everything back; reports that did not come in time
     * are discarded with the producer before their bodies are freed. */
    delivery_stop(&w->delivery);
    rd_kafka_destroy(w->producer);
}
