/*
 * kafka_writer.h - the thread of a kafka output that owns the producer.
 *
 * A request's body is a run of records (struct kafka_record and the bytes behind it, aligned to
 * 8). librdkafka gets values without a copy: they stay in the body until their delivery reports
 * have come, and with the last one the request is answered. What can be tried again is, for
 * ever unless `retries` says otherwise; what never can succeed is dropped, logged and counted, as
 * Logstash does. Owner: one writer thread; counters are read by any thread.
 */
#ifndef ENGINE_OUTPUTS_KAFKA_WRITER_H
#define ENGINE_OUTPUTS_KAFKA_WRITER_H
#include <librdkafka/rdkafka.h>

#include "engine/base/log.h"
#include "engine/plan/kafka_client.h"
#include "engine/shard/delivery.h"

/* Topic handles kept; beyond it records name their topic each time. */
#define KAFKA_TOPICS_MAX 256u
#define KAFKA_HEADERS_MAX 32u
/* How long a stopping writer waits for the reports of what it takes back. */
#define KAFKA_STOP_MS 5000
/* Handed to librdkafka in one call: its locks and clocks cost as much as a message. */
#define KAFKA_MESSAGES_MAX 256u
/* One run of messages on a partition when keys do not choose it (uniform_sticky). */
#define KAFKA_STICKY_MESSAGES 1024u

struct kafka_record {
    struct delivery_request *request; /* the writer's */
    struct kafka_record *next;        /* the writer's: waits to be sent again */
    uint32_t bytes;                   /* up to the next record */
    uint32_t topic_n, key_n, value_n;
    uint32_t header_n;
    bool has_key;
    bool refused; /* by the codec: there is no message, it is dropped */
    /* Then: topic NUL, key, headers (struct kafka_header, name NUL, value), value. */
};

struct kafka_header {
    uint32_t name_n, value_n;
};

enum kafka_partitioner { KAFKA_BY_KEY, KAFKA_ROUND_ROBIN, KAFKA_UNIFORM_STICKY };

struct kafka_writer_config {
    struct kafka_properties properties;
    int64_t retries; /* -1: for ever */
    int64_t backoff_ns;
    int partitioner; /* enum kafka_partitioner */
};

struct kafka_topic {
    struct kafka_topic *next;
    rd_kafka_topic_t *handle;
    uint32_t name_n;
    char name[];
};

struct kafka_writer {
    struct delivery delivery;
    const struct kafka_writer_config *config;
    rd_kafka_t *producer;
    struct kafka_topic *topics, *last_topic;
    uint32_t topic_n;
    rd_kafka_message_t message[KAFKA_MESSAGES_MAX]; /* gathered, all for message_topic */
    uint32_t message_n;
    rd_kafka_topic_t *message_topic;
    uint64_t turn;        /* of the partitioners */
    uint32_t outstanding; /* records with librdkafka */
    struct kafka_record *again, *again_last;
    int64_t again_ns;
    struct log_gate drop_gate, retry_gate, event_gate;
    struct counter delivered, dropped, retried, bytes, queued;
};

/* ERR_CONFIG after a log line when librdkafka refuses a property. */
err kafka_writer_start(struct kafka_writer *w, const struct kafka_writer_config *config,
                       uint32_t shards) MUST_USE;
/* All lanes must have been closed. */
void kafka_writer_stop(struct kafka_writer *w);

#endif
