/* registry.c - reads the four plugin lists; adding a plugin is one line in one of them. */
#include "engine/registry.h"

#define INPUT(name) extern const struct input_ops input_##name;
#include "engine/inputs/inputs.def"
#undef INPUT
#define CODEC(name) extern const struct codec_ops codec_##name;
#include "engine/codecs/codecs.def"
#undef CODEC
#define FILTER(name) extern const struct filter_ops filter_##name;
#include "engine/filters/filters.def"
#undef FILTER
#define OUTPUT(name) extern const struct output_ops output_##name;
#include "engine/outputs/outputs.def"
#undef OUTPUT

static const struct input_ops *const inputs[] = {
#define INPUT(name) &input_##name,
#include "engine/inputs/inputs.def"
#undef INPUT
    NULL};

static const struct codec_ops *const codecs[] = {
#define CODEC(name) &codec_##name,
#include "engine/codecs/codecs.def"
#undef CODEC
    NULL};

static const struct filter_ops *const filters[] = {
#define FILTER(name) &filter_##name,
#include "engine/filters/filters.def"
#undef FILTER
    NULL};

static const struct output_ops *const outputs[] = {
#define OUTPUT(name) &output_##name,
#include "engine/outputs/outputs.def"
#undef OUTPUT
    NULL};

/* Names that ship with Logstash 8 and 9 or are common beside it. */
static const char *const unsupported[] = {"input/azure_event_hubs",
                                          "input/couchdb_changes",
                                          "input/dead_letter_queue",
                                          "input/elastic_agent",
                                          "input/elasticsearch",
                                          "input/elastic_serverless_forwarder",
                                          "input/exec",
                                          "input/ganglia",
                                          "input/gelf",
                                          "input/graphite",
                                          "input/http",
                                          "input/http_poller",
                                          "input/imap",
                                          "input/jdbc",
                                          "input/jms",
                                          "input/jmx",
                                          "input/kafka",
                                          "input/kinesis",
                                          "input/log4j",
                                          "input/lumberjack",
                                          "input/pipe",
                                          "input/rabbitmq",
                                          "input/redis",
                                          "input/relp",
                                          "input/rss",
                                          "input/s3",
                                          "input/s3-sns-sqs",
                                          "input/snmp",
                                          "input/snmptrap",
                                          "input/sqlite",
                                          "input/sqs",
                                          "input/stomp",
                                          "input/twitter",
                                          "input/unix",
                                          "input/varnishlog",
                                          "input/websocket",
                                          "input/wmi",
                                          "input/xmpp",
                                          "codec/avro_schema_registry",
                                          "codec/cloudfront",
                                          "codec/cloudtrail",
                                          "codec/compress_spooler",
                                          "codec/jdots",
                                          "codec/java_line",
                                          "codec/java_plain",
                                          "codec/json_pretty",
                                          "codec/nmap",
                                          "codec/oldlogstashjson",
                                          "codec/s3_plain",
                                          "codec/sflow",
                                          "codec/spool",
                                          "filter/age",
                                          "filter/elastic_integration",
                                          "filter/extractnumbers",
                                          "filter/java_uuid",
                                          "filter/metricize",
                                          "filter/multiline",
                                          "filter/threats_classifier",
                                          "filter/wurfl_device_detection",
                                          "output/boundary",
                                          "output/circonus",
                                          "output/cloudwatch",
                                          "output/csv",
                                          "output/datadog",
                                          "output/datadog_metrics",
                                          "output/dynatrace",
                                          "output/elastic_app_search",
                                          "output/elastic_workplace_search",
                                          "output/elasticsearch_http",
                                          "output/email",
                                          "output/exec",
                                          "output/ganglia",
                                          "output/gelf",
                                          "output/google_bigquery",
                                          "output/google_cloud_storage",
                                          "output/google_pubsub",
                                          "output/graphite",
                                          "output/graphtastic",
                                          "output/http",
                                          "output/influxdb",
                                          "output/irc",
                                          "output/java_stdout",
                                          "output/juggernaut",
                                          "output/librato",
                                          "output/loggly",
                                          "output/loki",
                                          "output/lumberjack",
                                          "output/metriccatcher",
                                          "output/mongodb",
                                          "output/nagios",
                                          "output/nagios_nsca",
                                          "output/opensearch",
                                          "output/opentsdb",
                                          "output/pagerduty",
                                          "output/pipe",
                                          "output/rabbitmq",
                                          "output/redis",
                                          "output/redmine",
                                          "output/riak",
                                          "output/riemann",
                                          "output/s3",
                                          "output/sink",
                                          "output/sns",
                                          "output/solr_http",
                                          "output/sqs",
                                          "output/statsd",
                                          "output/stomp",
                                          "output/syslog",
                                          "output/tcp",
                                          "output/timber",
                                          "output/udp",
                                          "output/webhdfs",
                                          "output/websocket",
                                          "output/xmpp",
                                          "output/zabbix",
                                          NULL};

const struct registry plugin_registry = {inputs, codecs, filters, outputs, unsupported};
