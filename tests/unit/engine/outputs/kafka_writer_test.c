/* The kafka output's writer against librdkafka's mock cluster: delivery, errors, headers, stopping.
 */
#include "tests/unit/t.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/outputs/kafka_writer.h"

struct fixture {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
    struct shard shard;
    struct worker worker;
    struct kafka_writer_config config;
    struct kafka_writer writer;
    struct lane *lane;
};

static void property(struct fixture *f, const char *name, const char *value)
{
    f->config.properties.at[f->config.properties.n++] = (struct kafka_property){name, value};
}

static void begin(struct fixture *f)
{
    char why[256];
    memset(f, 0, sizeof(*f));
    f->owner = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
    assert_non_null(f->owner);
    f->cluster = rd_kafka_mock_cluster_new(f->owner, 1);
    assert_non_null(f->cluster);
    rd_kafka_mock_topic_create(f->cluster, "t", 4, 1);
    f->worker.shard = &f->shard;
    f->shard.now_mono_ns = clock_mono_ns();
    f->shard.lane_bytes_max = DELIVERY_BYTES_MAX;
    f->config.retries = -1;
    f->config.backoff_ns = 10 * NS_PER_MS;
    property(f, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(f->cluster));
    property(f, "message.timeout.ms", "0");
    property(f, "linger.ms", "1");
    property(f, "message.max.bytes", "2000");
}

static void start(struct fixture *f)
{
    assert_int_equal(kafka_writer_start(&f->writer, &f->config, 1), ERR_OK);
    f->lane = lane_new(&f->writer.delivery, &f->worker);
}

static void finish(struct fixture *f)
{
    lane_close(f->lane);
    kafka_writer_stop(&f->writer);
    timers_fini(&f->shard.timers);
    rd_kafka_mock_cluster_destroy(f->cluster);
    rd_kafka_destroy(f->owner);
}

static void add(struct fixture *f, const char *topic, const char *key, const char *header,
                slice value)
{
    struct buf *out = &lane_request(f->lane)->body;
    size_t at = out->n;
    struct kafka_record r = {.topic_n = (uint32_t)strlen(topic), .value_n = value.n};
    buf_add(out, &r, sizeof(r));
    buf_add(out, topic, r.topic_n + 1);
    if (key != NULL) {
        r.has_key = true;
        r.key_n = (uint32_t)strlen(key);
        buf_add(out, key, r.key_n);
    }
    if (header != NULL) {
        r.header_n = 1;
        struct kafka_header h = {1, (uint32_t)strlen(header)};
        buf_add(out, &h, sizeof(h));
        buf_add(out, "h", 2);
        buf_add(out, header, h.value_n);
    }
    buf_add_slice(out, value);
    while (out->n % 8 != 0) buf_add_byte(out, 0);
    r.bytes = (uint32_t)(out->n - at);
    memcpy(out->data + at, &r, sizeof(r));
}

static void wait_idle(struct fixture *f)
{
    int64_t until_ns = clock_mono_ns() + 30 * NS_PER_SEC;
    while (!lane_drain(f->lane)) {
        assert_true(clock_mono_ns() < until_ns);
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
    }
}

/* Reads n messages of a topic from the mock and gives each to `look`. */
static void consume(struct fixture *f, const char *topic, uint32_t n,
                    void (*look)(const rd_kafka_message_t *message))
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(f->cluster), why,
                      sizeof(why));
    rd_kafka_conf_set(conf, "group.id", "g", why, sizeof(why));
    rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof(why));
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    assert_non_null(consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (int i = 0; i < 4; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(consumer, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    int64_t until_ns = clock_mono_ns() + 30 * NS_PER_SEC;
    for (uint32_t got = 0; got < n;) {
        assert_true(clock_mono_ns() < until_ns);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message == NULL) continue;
        if (message->err == 0) {
            look(message);
            got++;
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

static uint64_t sum;

static uint64_t number_in(const rd_kafka_message_t *message)
{
    char text[32];
    return strtoull(slice_cstr(slice_make(message->payload, message->len), text, sizeof(text)),
                    NULL, 10);
}

static void look_sum(const rd_kafka_message_t *message)
{
    sum += number_in(message);
}

static void test_delivers(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    start(&f);
    uint64_t want = 0;
    for (uint64_t i = 1; i <= 5000; i++) {
        char text[32];
        int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)i);
        add(&f, "t", i % 2 ? "key" : NULL, NULL, slice_make(text, (size_t)n));
        want += i;
        if (i % 500 == 0) lane_seal(f.lane);
    }
    wait_idle(&f);
    assert_int_equal(counter_read(&f.writer.delivered), 5000);
    sum = 0;
    consume(&f, "t", 5000, look_sum);
    assert_int_equal(sum, want);
    finish(&f);
}

static void look_header(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t n;
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "h", &value, &n), 0);
    assert_slice_equal(slice_make(value, n), SLICE("header value"));
    assert_slice_equal(slice_make(message->key, message->key_len), SLICE("k"));
    assert_slice_equal(slice_make(message->payload, message->len), SLICE("v"));
}

static void test_headers_and_key(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    start(&f);
    add(&f, "t", "k", "header value", SLICE("v"));
    wait_idle(&f);
    consume(&f, "t", 1, look_header);
    finish(&f);
}

static void test_too_large_is_dropped_and_counted(void **state)
{
    (void)state;
    struct fixture f;
    static char large[5000];
    begin(&f);
    start(&f);
    add(&f, "t", NULL, NULL, SLICE("1"));
    add(&f, "t", NULL, NULL, slice_make(large, sizeof(large)));
    add(&f, "t", NULL, NULL, SLICE("2"));
    wait_idle(&f);
    assert_int_equal(counter_read(&f.writer.delivered), 2);
    assert_int_equal(counter_read(&f.writer.dropped), 1);
    finish(&f);
}

static void test_errors_of_the_broker_are_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    property(&f, "message.send.max.retries", "0"); /* so that every error reaches the writer */
    property(&f, "retry.backoff.ms", "1");
    rd_kafka_mock_push_request_errors(
        f.cluster, 0 /* Produce */, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    start(&f);
    add(&f, "t", "k", NULL, SLICE("7"));
    wait_idle(&f);
    assert_int_equal(counter_read(&f.writer.delivered), 1);
    assert_int_equal(counter_read(&f.writer.dropped), 0);
    assert_true(counter_read(&f.writer.retried) >= 1);
    finish(&f);
}

static void test_errors_that_stay_drop(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    rd_kafka_mock_push_request_errors(f.cluster, 0, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    start(&f);
    add(&f, "t", "k", NULL, SLICE("7"));
    wait_idle(&f);
    assert_int_equal(counter_read(&f.writer.dropped), 1);
    finish(&f);
}

static void test_round_robin(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.config.partitioner = KAFKA_ROUND_ROBIN;
    start(&f);
    /* The client asks again for messages that came before it knew the partitions. */
    add(&f, "t", "same", NULL, SLICE("0"));
    wait_idle(&f);
    for (int i = 0; i < 400; i++) add(&f, "t", "same", NULL, SLICE("1"));
    wait_idle(&f);
    rd_kafka_t *rk = f.writer.producer;
    int64_t low[4] = {0}, high[4] = {0}, all = 0;
    for (int32_t i = 0; i < 4; i++)
        assert_int_equal(rd_kafka_query_watermark_offsets(rk, "t", i, &low[i], &high[i], 10000), 0);
    finish(&f);
    for (int32_t i = 0; i < 4; i++) {
        assert_in_range(high[i], 95, 105);
        all += high[i];
    }
    assert_int_equal(all, 401);
}

static uint64_t next_number;

static void look_order(const rd_kafka_message_t *message)
{
    assert_int_equal(number_in(message), next_number++);
}

/* Messages of two topics, some with headers, wait for room in the client's queue and pass nobody.
 */
static void test_full_queue_keeps_order(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    rd_kafka_mock_topic_create(f.cluster, "u", 4, 1);
    property(&f, "queue.buffering.max.messages", "20");
    start(&f);
    for (uint32_t i = 0; i < 1000; i++) {
        char text[32];
        int n = snprintf(text, sizeof(text), "%u", i);
        add(&f, "t", "k", i % 37 == 0 ? "header" : NULL, slice_make(text, (size_t)n));
        if (i % 100 == 0) add(&f, "u", NULL, NULL, SLICE("1"));
    }
    wait_idle(&f);
    assert_int_equal(counter_read(&f.writer.delivered), 1010);
    next_number = 0;
    consume(&f, "t", 1000, look_order);
    finish(&f);
}

/* Starts the writer, which is stopped while it has n messages for a broker that is gone. */
static void stop_with(struct fixture *f, int n)
{
    start(f);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    for (int i = 0; i < n; i++) add(f, "t", "k", NULL, SLICE("7"));
    lane_seal(f->lane);
    struct timespec pause = {0, 100000000};
    nanosleep(&pause, NULL);
    lane_poll(f->lane);
    assert_int_equal(f->lane->in_flight, 1);
    finish(f); /* nothing may leak or hang */
}

static void test_stops_while_the_queue_is_full(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    property(&f, "queue.buffering.max.messages", "20");
    stop_with(&f, 500);
}

static void test_stops_with_messages_on_their_way(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    stop_with(&f, 100);
}

static void test_jaas(void **state)
{
    (void)state;
    slice line = SLICE("org.x.ScramLoginModule required username=\"a b\" password='p\"w' z=1;");
    slice value;
    assert_true(kafka_jaas_find(line, SLICE("username"), &value));
    assert_slice_equal(value, SLICE("a b"));
    assert_true(kafka_jaas_find(line, SLICE("password"), &value));
    assert_slice_equal(value, SLICE("p\"w"));
    assert_true(kafka_jaas_find(line, SLICE("z"), &value));
    assert_slice_equal(value, SLICE("1"));
    assert_false(kafka_jaas_find(line, SLICE("name"), &value));
    assert_false(kafka_jaas_find(SLICE("username=\"open"), SLICE("username"), &value));
    assert_false(kafka_jaas_find(SLICE("username"), SLICE("username"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivers),
        cmocka_unit_test(test_headers_and_key),
        cmocka_unit_test(test_too_large_is_dropped_and_counted),
        cmocka_unit_test(test_errors_of_the_broker_are_tried_again),
        cmocka_unit_test(test_errors_that_stay_drop),
        cmocka_unit_test(test_round_robin),
        cmocka_unit_test(test_full_queue_keeps_order),
        cmocka_unit_test(test_stops_while_the_queue_is_full),
        cmocka_unit_test(test_stops_with_messages_on_their_way),
        cmocka_unit_test(test_jaas),
    };
    return T_RUN(tests);
}
