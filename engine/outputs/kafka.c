/*
 * kafka.c - events to Kafka topics.
 *
 * Each shard encodes topic, key, headers and value of an event straight into its lane's request;
 * the writer thread (kafka_writer.h) gives them to librdkafka. Option names are those of Logstash's
 * plugin, which are the Java client's; the table in compile_properties says what they are here.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/outputs/kafka_writer.h"

static const char *const acks_choices[] = {"0", "1", "all", NULL};
static const char *const compression_choices[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};
static const char *const partitioner_choices[] = {"default", "round_robin", "uniform_sticky", NULL};
static const char *const dns_choices[] = {"default", "use_all_dns_ips", NULL};

struct header {
    slice name;
    struct template value;
};

struct kafka_cfg {
    struct codec codec;
    struct kafka_security_cfg security;
    slice bootstrap_servers, topic_text, key_text, client_id, key_serializer, value_serializer;
    struct config_hash headers_text;
    int acks, compression, partitioner, dns_lookup;
    int64_t batch_size, buffer_memory, connections_max_idle_ms, linger_ms, max_request_size,
        metadata_fetch_timeout_ms, metadata_max_age_ms, receive_buffer_bytes, reconnect_backoff_ms,
        request_timeout_ms, retries, retry_backoff_ms, send_buffer_bytes;
    struct template topic, key;
    struct header *header;
    uint32_t header_n;
    bool has_key;
    struct kafka_writer_config writer;
};

struct kafka_state {
    struct lane *lane;
    void *codec_state;
};

#define OPTION_INT(option, default_, min_, max_, doc_)                                             \
    {                                                                                              \
        .name = #option, SETTING_AT(struct kafka_cfg, option, INT), .default_text = default_,      \
        .min = min_, .max = max_, .doc = doc_                                                      \
    }

/* clang-format off */
static const struct setting kafka_settings[] = {
    {.name = "topic_id", SETTING_AT(struct kafka_cfg, topic_text, STRING),
     .flags = SETTING_REQUIRED, .doc = "Topic; may contain %{field}."},
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "plain"},
    {.name = "bootstrap_servers", SETTING_AT(struct kafka_cfg, bootstrap_servers, STRING),
     .default_text = "localhost:9092", .doc = "Brokers to begin with: host:port,host:port."},
    {.name = "acks", SETTING_AT(struct kafka_cfg, acks, ENUM), .choices = acks_choices,
     .default_text = "1",
     .doc = "Whose confirmation counts as delivered: nobody's (0), the leader's (1), all replicas' "
            "(all)."},
    {.name = "message_key", SETTING_AT(struct kafka_cfg, key_text, STRING),
     .doc = "Key of the message, which chooses its partition; may contain %{field}."},
    {.name = "message_headers", SETTING_AT(struct kafka_cfg, headers_text, HASH),
     .default_text = "{}", .doc = "Headers of the message; values may contain %{field}."},
    {.name = "compression_type", SETTING_AT(struct kafka_cfg, compression, ENUM),
     .choices = compression_choices, .default_text = "none", .doc = "Compression of batches."},
    {.name = "partitioner", SETTING_AT(struct kafka_cfg, partitioner, ENUM),
     .choices = partitioner_choices, .default_text = "default",
     .doc = "default: by key (murmur2), without key in runs; round_robin and uniform_sticky do not "
            "look at the key."},
    {.name = "client_id", SETTING_AT(struct kafka_cfg, client_id, STRING),
     .default_text = "spate", .doc = "Name of this client in the brokers' logs."},
    {.name = "client_dns_lookup", SETTING_AT(struct kafka_cfg, dns_lookup, ENUM),
     .choices = dns_choices, .default_text = "use_all_dns_ips",
     .doc = "All addresses of a name are tried."},
    OPTION_INT(batch_size, "16384", 1, 2147483647, "Bytes of a batch for one partition."),
    OPTION_INT(buffer_memory, "33554432", 1024, 2147483646LL * 1024,
               "Bytes that may wait for the brokers before the pipeline waits."),
    OPTION_INT(connections_max_idle_ms, "540000", 0, 2147483647, "Idle connections are closed."),
    OPTION_INT(linger_ms, "5", 0, 900000, "How long a batch may wait to grow."),
    OPTION_INT(max_request_size, "1048576", 1000, 1000000000, "Largest message."),
    OPTION_INT(metadata_fetch_timeout_ms, "60000", 0, 3600000,
               "How long an unknown topic is waited for before its messages are tried anew."),
    OPTION_INT(metadata_max_age_ms, "300000", 1, 86400000, "How often topics are looked up again."),
    OPTION_INT(receive_buffer_bytes, "32768", 0, 100000000, "Receive buffer of a socket."),
    OPTION_INT(send_buffer_bytes, "131072", 0, 100000000, "Send buffer of a socket."),
    OPTION_INT(reconnect_backoff_ms, "50", 0, 3600000, "Pause before connecting again."),
    OPTION_INT(request_timeout_ms, "40000", 1, 900000, "How long an answer is waited for."),
    {.name = "retries", SETTING_AT(struct kafka_cfg, retries, INT), .min = 0, .max = 2147483647,
     .doc = "How often a message is sent again before it is dropped; by default without end."},
    OPTION_INT(retry_backoff_ms, "100", 1, 300000, "Pause before sending again."),
    {.name = "key_serializer", SETTING_AT(struct kafka_cfg, key_serializer, STRING),
     .default_text = "org.apache.kafka.common.serialization.StringSerializer",
     .doc = "Only the StringSerializer."},
    {.name = "value_serializer", SETTING_AT(struct kafka_cfg, value_serializer, STRING),
     .default_text = "org.apache.kafka.common.serialization.StringSerializer",
     .doc = "Only the StringSerializer."},
    KAFKA_SECURITY_SETTINGS(struct kafka_cfg),
    {0},
};
/* clang-format on */

/* ---- compiling ------------------------------------------------------------------------ */

static void compile_properties(struct kafka_cfg *cfg, struct compiler *c)
{
    struct kafka_properties *p = &cfg->writer.properties;
    kafka_property_add(p, c, "bootstrap.servers", cfg->bootstrap_servers);
    kafka_property_add(p, c, "client.id", cfg->client_id);
    kafka_property_add(p, c, "acks", slice_from_cstr(acks_choices[cfg->acks]));
    kafka_property_add(p, c, "compression.codec",
                       slice_from_cstr(compression_choices[cfg->compression]));
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"batch.size", cfg->batch_size},
        {"linger.ms", cfg->linger_ms},
        {"queue.buffering.max.kbytes", cfg->buffer_memory / 1024},
        {"queue.buffering.max.messages", 0}, /* bytes are the bound */
        {"message.max.bytes", cfg->max_request_size},
        {"connections.max.idle.ms", cfg->connections_max_idle_ms},
        {"metadata.max.age.ms", cfg->metadata_max_age_ms},
        {"topic.metadata.propagation.max.ms", cfg->metadata_fetch_timeout_ms},
        {"socket.receive.buffer.bytes", cfg->receive_buffer_bytes},
        {"socket.send.buffer.bytes", cfg->send_buffer_bytes},
        {"reconnect.backoff.ms", cfg->reconnect_backoff_ms},
        {"request.timeout.ms", cfg->request_timeout_ms},
        {"retry.backoff.ms", cfg->retry_backoff_ms},
        {"message.timeout.ms", 0}, /* the Java client's limit is retries, not time */
        {"max.in.flight.requests.per.connection", 5},
    };
    for (uint32_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        kafka_property_int(p, c, numbers[i].name, numbers[i].value);
    if (cfg->writer.retries >= 0)
        kafka_property_int(p, c, "message.send.max.retries", cfg->writer.retries);
    /* As the Java client: murmur2 of the key, and without one the same partition for a while. */
    kafka_property_add(p, c, "partitioner", SLICE("murmur2_random"));
}

static err check_serializer(struct compiler *c, const char *name, slice text)
{
    if (slice_ends(text, SLICE(".StringSerializer"))) return ERR_OK;
    compile_error(c, name, "org.apache.kafka.common.serialization.StringSerializer",
                  "other serializers are Java classes, which cannot be loaded");
    return ERR_CONFIG;
}

static err compile_headers(struct kafka_cfg *cfg, struct compiler *c)
{
    cfg->header_n = cfg->headers_text.n;
    if (cfg->header_n > KAFKA_HEADERS_MAX) {
        compile_error(c, "message_headers", NULL, "more than %u headers", KAFKA_HEADERS_MAX);
        return ERR_CONFIG;
    }
    cfg->header = heap_alloc(c->heap, (cfg->header_n + 1) * sizeof(*cfg->header));
    for (uint32_t i = 0; i < cfg->header_n; i++) {
        const struct config_pair *pair = &cfg->headers_text.at[i];
        cfg->header[i].name = pair->key.text;
        err e = compile_template(c, &cfg->header[i].value, pair->val.text, pair->val.pos);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

static err compile(void *cfg_, struct compiler *c)
{
    struct kafka_cfg *cfg = cfg_;
    err e = compile_codec(c, &cfg->codec, &c->common_output->codec, BYTES_FRAMED);
    if (e != ERR_OK) return e;
    if (cfg->codec.ops->encode == NULL) {
        compile_error(c, "codec", NULL, "the codec %s cannot encode", cfg->codec.ops->name);
        return ERR_CONFIG;
    }
    e = check_serializer(c, "key_serializer", cfg->key_serializer);
    if (e == ERR_OK) e = check_serializer(c, "value_serializer", cfg->value_serializer);
    if (e == ERR_OK)
        e = compile_template(c, &cfg->topic, cfg->topic_text, settings_pos(c->plugin, "topic_id"));
    cfg->has_key = cfg->key_text.p != NULL;
    if (e == ERR_OK && cfg->has_key)
        e = compile_template(c, &cfg->key, cfg->key_text, settings_pos(c->plugin, "message_key"));
    if (e == ERR_OK) e = compile_headers(cfg, c);
    if (e != ERR_OK) return e;
    cfg->writer.retries = settings_given(&c->given, "retries") ? cfg->retries : -1;
    cfg->writer.backoff_ns = cfg->retry_backoff_ms * NS_PER_MS;
    cfg->writer.partitioner = cfg->partitioner;
    compile_properties(cfg, c);
    return kafka_security_compile(&cfg->writer.properties, &cfg->security, c);
}

static void release(void *cfg_)
{
    struct kafka_cfg *cfg = cfg_;
    codec_release(&cfg->codec);
    template_fini(&cfg->topic);
    template_fini(&cfg->key);
    for (uint32_t i = 0; cfg->header != NULL && i < cfg->header_n; i++)
        template_fini(&cfg->header[i].value);
}

/* ---- on the shard ------------------------------------------------------------------------- */

static err open_output(void *shared, const void *cfg, struct output *self, uint32_t shards)
{
    (void)self;
    return kafka_writer_start(shared, &((const struct kafka_cfg *)cfg)->writer, shards);
}

static err start(void *state_, void *shared, const void *cfg_, struct worker *worker,
                 struct output *self)
{
    (void)self;
    struct kafka_state *s = state_;
    const struct kafka_cfg *cfg = cfg_;
    s->lane = lane_new(&((struct kafka_writer *)shared)->delivery, worker);
    s->codec_state = calloc(1, cfg->codec.ops->state_size + 1);
    ASSERT(s->codec_state != NULL);
    return cfg->codec.ops->start == NULL ? ERR_OK
                                         : cfg->codec.ops->start(s->codec_state, cfg->codec.cfg);
}

static void add_headers(const struct kafka_cfg *cfg, struct batch *b, struct event *ev,
                        struct buf *out)
{
    for (uint32_t i = 0; i < cfg->header_n; i++) {
        const struct header *header = &cfg->header[i];
        slice value = template_render(&header->value, b, ev, NULL);
        struct kafka_header h = {header->name.n, value.n};
        buf_add(out, &h, sizeof(h));
        buf_add_slice(out, header->name);
        buf_add_byte(out, 0);
        buf_add_slice(out, value);
    }
}

static void add_record(struct kafka_state *s, const struct kafka_cfg *cfg, struct batch *b,
                       struct event *ev, struct buf *out)
{
    size_t at = out->n;
    struct kafka_record record = {.header_n = cfg->header_n, .has_key = cfg->has_key};
    buf_add(out, &record, sizeof(record));
    size_t from = out->n;
    template_add(&cfg->topic, b, ev, out, NULL);
    record.topic_n = (uint32_t)(out->n - from);
    buf_add_byte(out, 0);
    from = out->n;
    if (cfg->has_key) template_add(&cfg->key, b, ev, out, NULL);
    record.key_n = (uint32_t)(out->n - from);
    add_headers(cfg, b, ev, out);
    from = out->n;
    cfg->codec.ops->encode(s->codec_state, cfg->codec.cfg, b, ev, out);
    record.value_n = (uint32_t)(out->n - from);
    record.refused = record.value_n == 0 && (cfg->codec.ops->flags & CODEC_MAY_REFUSE) != 0;
    while (out->n % _Alignof(struct kafka_record) != 0) buf_add_byte(out, 0);
    record.bytes = (uint32_t)(out->n - at);
    memcpy(out->data + at, &record, sizeof(record));
}

static enum push push(void *state_, const void *cfg, struct batch *b, const struct sel *in)
{
    struct kafka_state *s = state_;
    struct delivery_request *r = lane_request(s->lane);
    if (r == NULL) return PUSH_FULL;
    for (uint32_t i = 0; i < in->n; i++) add_record(s, cfg, b, &b->event[in->at[i]], &r->body);
    lane_add(s->lane, b, in->n);
    return PUSH_TAKEN;
}

static void tick(void *state, const void *cfg, int64_t now_ns)
{
    (void)cfg, (void)now_ns;
    lane_poll(((struct kafka_state *)state)->lane);
}

static bool drain(void *state, const void *cfg)
{
    (void)cfg;
    return lane_drain(((struct kafka_state *)state)->lane);
}

static void stop(void *state_, const void *cfg_)
{
    struct kafka_state *s = state_;
    const struct kafka_cfg *cfg = cfg_;
    lane_close(s->lane);
    if (cfg->codec.ops->stop != NULL) cfg->codec.ops->stop(s->codec_state, cfg->codec.cfg);
    free(s->codec_state);
}

static void close_output(void *shared, const void *cfg)
{
    (void)cfg;
    kafka_writer_stop(shared);
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)cfg;
    const struct kafka_writer *w = shared;
    buf_printf(out,
               ",\"messages\":{\"delivered\":%llu,\"dropped\":%llu,\"retried\":%llu,"
               "\"queued\":%llu,\"bytes\":%llu}",
               (unsigned long long)counter_read(&w->delivered),
               (unsigned long long)counter_read(&w->dropped),
               (unsigned long long)counter_read(&w->retried),
               (unsigned long long)counter_read(&w->queued),
               (unsigned long long)counter_read(&w->bytes));
}

const struct output_ops output_kafka = {
    .name = "kafka",
    .doc = "Writes events to Kafka topics.",
    .settings = kafka_settings,
    .cfg_size = sizeof(struct kafka_cfg),
    .shared_size = sizeof(struct kafka_writer),
    .state_size = sizeof(struct kafka_state),
    .compile = compile,
    .release = release,
    .open = open_output,
    .start = start,
    .push = push,
    .tick = tick,
    .drain = drain,
    .stop = stop,
    .close = close_output,
    .stats = stats,
};
