/* process_table.c - every process and pipeline setting, in the order the documentation shows. */
#include "engine/config/process_settings.h"

static const char *const levels[] = {"fatal", "error", "warn", "info", "debug", "trace", NULL};
static const char *const formats[] = {"plain", "json", NULL};
static const char *const ordered[] = {"auto", "true", "false", NULL};
static const char *const ecs[] = {"disabled", "v1", "v8", NULL};
static const char *const escape_styles[] = {"none", "percent", "ampersand", NULL};
static const char *const queue_types[] = {"memory", "persisted", NULL};
static const char *const compressions[] = {"none", "speed", "balanced", "size", "disabled", NULL};
static const char *const dlq_policies[] = {"drop_newer", "drop_older", NULL};
static const char *const auth_types[] = {"none", "basic", NULL};
static const char *const sampling_modes[] = {"disabled", "minimal", "full", NULL};
static const char *const buffer_types[] = {"heap", "direct", NULL};

/* name, type, default, flags, choices, min, max, doc */
#define P PROCESS_PIPELINE
#define NOT PROCESS_UNSUPPORTED
#define JVM PROCESS_IGNORED
#define OPT PROCESS_NULLABLE
#define POSITIVE 1, INT64_MAX
/* clang-format off */
const struct process_setting process_setting_table[] = {
    {"node.name", PROCESS_STRING, NULL, 0, NULL, 0, 0, "Name of this node; by default the host's name."},
    {"allow_superuser", PROCESS_BOOL, "false", 0, NULL, 0, 0, "Allow running as root."},

    {"path.config", PROCESS_STRING, NULL, P | OPT, NULL, 0, 0, "Pipeline configuration: a file, a folder or a glob."},
    {"path.data", PROCESS_STRING, "data", 0, NULL, 0, 0, "Folder for state: queues, positions, the lock."},
    {"path.logs", PROCESS_STRING, NULL, OPT, NULL, 0, 0, "Folder for spate's own log; by default it goes to stdout only."},
    {"path.queue", PROCESS_STRING, NULL, P | OPT, NULL, 0, 0, "Folder of persistent queues; by default path.data/queue."},
    {"path.dead_letter_queue", PROCESS_STRING, NULL, P | OPT, NULL, 0, 0, "Folder of dead letter queues; by default path.data/dead_letter_queue."},
    {"path.plugins", PROCESS_LIST, NULL, NOT | OPT, NULL, 0, 0, "Ruby plugins are not loaded."},

    {"config.string", PROCESS_STRING, NULL, P | OPT, NULL, 0, 0, "Pipeline configuration as text."},
    {"config.test_and_exit", PROCESS_BOOL, "false", 0, NULL, 0, 0, "Check the configuration and exit."},
    {"config.reload.automatic", PROCESS_BOOL, "false", 0, NULL, 0, 0, "Reload pipelines when their files change."},
    {"config.reload.interval", PROCESS_TIME, "3s", 0, NULL, 0, 0, "How often to look for changes. A number without unit is nanoseconds."},
    {"config.debug", PROCESS_BOOL, "false", P, NULL, 0, 0, "Log the compiled configuration at debug level."},
    {"config.support_escapes", PROCESS_BOOL, "false", P, NULL, 0, 0, "Process \\n, \\t, \\\" ... in quoted strings."},
    {"config.field_reference.escape_style", PROCESS_CHOICE, "none", NOT, escape_styles, 0, 0, "Escapes in field names."},
    {"interactive", PROCESS_STRING, NULL, NOT | OPT, NULL, 0, 0, "Interactive shell."},
    {"enable-local-plugin-development", PROCESS_BOOL, "false", NOT, NULL, 0, 0, "Ruby plugins are not loaded."},

    {"pipeline.id", PROCESS_STRING, "main", P, NULL, 0, 0, "Name of the pipeline."},
    {"pipeline.workers", PROCESS_INT, NULL, P, NULL, POSITIVE, "Threads that filter and encode; by default one per CPU."},
    {"pipeline.batch.size", PROCESS_INT, "125", P, NULL, POSITIVE, "Events a worker collects before filtering."},
    {"pipeline.batch.delay", PROCESS_MS, "50", P, NULL, 0, 0, "Milliseconds to wait for a batch to fill."},
    {"pipeline.ordered", PROCESS_CHOICE, "auto", P, ordered, 0, 0, "Keep the order of events; auto: when pipeline.workers was set to 1."},
    {"pipeline.ecs_compatibility", PROCESS_CHOICE, "v8", P, ecs, 0, 0, "Field naming of plugins."},
    {"pipeline.unsafe_shutdown", PROCESS_BOOL, "false", 0, NULL, 0, 0, "Exit although events are in flight."},
    {"pipeline.reloadable", PROCESS_BOOL, "true", P, NULL, 0, 0, "Whether the pipeline may be reloaded."},
    {"pipeline.recoverable", PROCESS_CHOICE, "false", P | NOT, ordered, 0, 0, "Restart a crashed pipeline."},
    {"pipeline.system", PROCESS_BOOL, "false", P, NULL, 0, 0, "Hides the pipeline from the monitoring API."},
    {"pipeline.separate_logs", PROCESS_BOOL, "false", NOT, NULL, 0, 0, "One log file per pipeline."},
    {"pipeline.plugin_classloaders", PROCESS_BOOL, "false", P | JVM, NULL, 0, 0, "Java class loaders."},
    {"pipeline.buffer.type", PROCESS_CHOICE, "heap", JVM, buffer_types, 0, 0, "Java buffers."},
    {"pipeline.batch.output_chunking.growth_threshold_factor", PROCESS_INT, "1000", P | JVM, NULL, POSITIVE, "Java batches."},
    {"pipeline.batch.metrics.sampling_mode", PROCESS_CHOICE, "minimal", P | JVM, sampling_modes, 0, 0, "Batch sampling."},
    {"metric.collect", PROCESS_BOOL, "true", P, NULL, 0, 0, "Collect metrics."},

    {"queue.type", PROCESS_CHOICE, "memory", P, queue_types, 0, 0, "Where events wait for workers."},
    {"queue.page_capacity", PROCESS_BYTES, "64mb", P, NULL, POSITIVE, "Size of a queue file."},
    {"queue.max_bytes", PROCESS_BYTES, "1024mb", P, NULL, POSITIVE, "Size of the whole queue; a full one is backpressure."},
    {"queue.max_events", PROCESS_INT, "0", P, NULL, 0, INT64_MAX, "Unread events at most; 0: no bound."},
    {"queue.drain", PROCESS_BOOL, "false", P, NULL, 0, 0, "Empty the queue before shutting down."},
    {"queue.checkpoint.acks", PROCESS_INT, "1024", P, NULL, 0, INT64_MAX, "Acknowledged events per checkpoint."},
    {"queue.checkpoint.writes", PROCESS_INT, "1024", P, NULL, 0, INT64_MAX, "Written events per checkpoint."},
    {"queue.checkpoint.interval", PROCESS_MS, "1000", P | JVM, NULL, 0, 0, "Without effect in Logstash too."},
    {"queue.checkpoint.retry", PROCESS_BOOL, "true", P | JVM, NULL, 0, 0, "For Windows only."},
    {"queue.compression", PROCESS_CHOICE, "none", P, compressions, 0, 0, "Compression of queue records."},

    {"dead_letter_queue.enable", PROCESS_BOOL, "false", P, NULL, 0, 0, "Keep events that outputs refuse."},
    {"dead_letter_queue.max_bytes", PROCESS_BYTES, "1024mb", P, NULL, POSITIVE, "Size of the dead letter queue."},
    {"dead_letter_queue.flush_interval", PROCESS_MS, "5000", P, NULL, 1000, INT64_MAX, "Milliseconds until a segment is sealed."},
    {"dead_letter_queue.flush_check_interval", PROCESS_MS, "1000", P | JVM, NULL, 0, 0, "How often that is checked."},
    {"dead_letter_queue.storage_policy", PROCESS_CHOICE, "drop_newer", P, dlq_policies, 0, 0, "What goes when it is full."},
    {"dead_letter_queue.retain.age", PROCESS_AGE, NULL, P | OPT, NULL, 0, 0, "Drop segments older than this, e.g. 7d."},

    {"api.enabled", PROCESS_BOOL, "true", 0, NULL, 0, 0, "Serve the monitoring API."},
    {"api.http.host", PROCESS_STRING, "127.0.0.1", 0, NULL, 0, 0, "Address of the monitoring API."},
    {"api.http.port", PROCESS_PORT_RANGE, "9600-9700", 0, NULL, 0, 0, "Its port, or a range of which the first free one is taken."},
    {"api.environment", PROCESS_STRING, "production", 0, NULL, 0, 0, "Shown by the monitoring API."},
    {"api.auth.type", PROCESS_CHOICE, "none", 0, auth_types, 0, 0, "Authentication of the monitoring API."},
    {"api.auth.basic.username", PROCESS_STRING, NULL, OPT, NULL, 0, 0, "User of the monitoring API."},
    {"api.auth.basic.password", PROCESS_PASSWORD, NULL, OPT, NULL, 0, 0, "Password of the monitoring API."},
    {"api.auth.basic.password_policy.mode", PROCESS_STRING, "WARN", NOT, NULL, 0, 0, "Password rules."},
    {"api.auth.basic.password_policy.length.minimum", PROCESS_INT, "8", NOT, NULL, 0, 0, "Password rules."},
    {"api.auth.basic.password_policy.include.upper", PROCESS_STRING, "REQUIRED", NOT, NULL, 0, 0, "Password rules."},
    {"api.auth.basic.password_policy.include.lower", PROCESS_STRING, "REQUIRED", NOT, NULL, 0, 0, "Password rules."},
    {"api.auth.basic.password_policy.include.digit", PROCESS_STRING, "REQUIRED", NOT, NULL, 0, 0, "Password rules."},
    {"api.auth.basic.password_policy.include.symbol", PROCESS_STRING, "OPTIONAL", NOT, NULL, 0, 0, "Password rules."},
    {"api.ssl.enabled", PROCESS_BOOL, "false", NOT, NULL, 0, 0, "TLS for the monitoring API."},
    {"api.ssl.keystore.path", PROCESS_STRING, NULL, NOT | OPT, NULL, 0, 0, "TLS for the monitoring API."},
    {"api.ssl.keystore.password", PROCESS_PASSWORD, NULL, NOT | OPT, NULL, 0, 0, "TLS for the monitoring API."},
    {"api.ssl.supported_protocols", PROCESS_LIST, NULL, NOT | OPT, NULL, 0, 0, "TLS for the monitoring API."},

    {"log.level", PROCESS_CHOICE, "info", 0, levels, 0, 0, "Least severity of spate's own log."},
    {"log.format", PROCESS_CHOICE, "plain", 0, formats, 0, 0, "Format of spate's own log."},
    {"log.format.json.fix_duplicate_message_fields", PROCESS_BOOL, "true", JVM, NULL, 0, 0, "Fields never appear twice."},
    {"slowlog.threshold.warn", PROCESS_TIME, "-1", NOT, NULL, 0, 0, "Slow log."},
    {"slowlog.threshold.info", PROCESS_TIME, "-1", NOT, NULL, 0, 0, "Slow log."},
    {"slowlog.threshold.debug", PROCESS_TIME, "-1", NOT, NULL, 0, 0, "Slow log."},
    {"slowlog.threshold.trace", PROCESS_TIME, "-1", NOT, NULL, 0, 0, "Slow log."},

    {"ssl.reload.automatic", PROCESS_BOOL, "false", NOT, NULL, 0, 0, "Reload pipelines when certificates change."},
    {"keystore.classname", PROCESS_STRING, "org.logstash.secret.store.backend.JavaKeyStore", JVM, NULL, 0, 0, "Java class of the keystore."},
    {"keystore.file", PROCESS_STRING, NULL, OPT, NULL, 0, 0, "The keystore; by default logstash.keystore in path.settings."},
    {"monitoring.cluster_uuid", PROCESS_STRING, NULL, NOT | OPT, NULL, 0, 0, "Stack monitoring."},
    {"otel.metrics.enabled", PROCESS_BOOL, "false", NOT, NULL, 0, 0, "OTLP metrics."},
    {"otel.metrics.endpoint", PROCESS_STRING, "http://localhost:4317", NOT, NULL, 0, 0, "OTLP metrics."},
    {"otel.metrics.interval", PROCESS_TIME, "10s", NOT, NULL, 0, 0, "OTLP metrics."},
    {"otel.metrics.protocol", PROCESS_STRING, "grpc", NOT, NULL, 0, 0, "OTLP metrics."},
    {"otel.metrics.authorization_header", PROCESS_PASSWORD, NULL, NOT | OPT, NULL, 0, 0, "OTLP metrics."},
    {"otel.service.name", PROCESS_STRING, NULL, NOT | OPT, NULL, 0, 0, "OTLP metrics."},
    {"otel.resource.attributes", PROCESS_STRING, NULL, NOT | OPT, NULL, 0, 0, "OTLP metrics."},

    {"spate.memory_bytes", PROCESS_BYTES, "1gb", 0, NULL, 64 << 20, INT64_MAX, "Memory for batches, receive buffers and requests."},
    {"spate.shards", PROCESS_INT, NULL, 0, NULL, 1, 1024, "Event loops, one thread each; by default pipeline.workers."},
    {"spate.cpu_affinity", PROCESS_LIST, NULL, OPT, NULL, 0, 0, "CPUs to pin the shards to, e.g. [0, 1, 4-7]."},
    {"shutdown.timeout", PROCESS_TIME, "30s", 0, NULL, 0, 0, "How long a shutdown waits for outputs; then sources are told to send again."},
    {0},
};
/* clang-format on */
