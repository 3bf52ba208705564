/*
 * elasticsearch.h - what the parts of the elasticsearch output share.
 *
 * Shards encode events into bulk bodies (elasticsearch_encode.c) and pass sealed requests over
 * one pair of SPSC rings per shard, a lane, to the one writer thread of the output
 * (elasticsearch_writer.c), which sends them (bulk_http.h) and keeps them until every item is
 * settled. What is said to a server before the first document goes through libcurl. A request
 * belongs to its shard while it is filled and after it came home, and to the writer in between; the
 * receipts it holds are only ever touched by the shard. Facts about requests and answers:
 * Elasticsearch's bulk API reference, and recordings of logstash-output-elasticsearch 12.1.6.
 */
#ifndef ENGINE_OUTPUTS_ELASTICSEARCH_H
#define ENGINE_OUTPUTS_ELASTICSEARCH_H
#include <curl/curl.h>
#include <pthread.h>

#include "engine/base/bell.h"
#include "engine/base/clock.h"
#include "engine/base/prng.h"
#include "engine/base/ring.h"
#include "engine/config/heap.h"
#include "engine/event/template.h"
#include "engine/outputs/bulk_http.h"
#include "engine/plan/compiler.h"
#include "engine/plan/http_tls.h"
#include "engine/plan/plugin.h"
#include "engine/shard/worker.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_layout.h"
#include "parsers/json/json_write.h"

/* Named bounds. A body is sealed at its target; events of one batch may grow it beyond when all
 * requests of the shard are under way, and then it is sent in parts of at most ES_PART_BYTES_MAX,
 * which is Logstash's limit. Smaller bodies do not stay in a cache until they are sent, because
 * shard and writer take turns, and each has its wake-ups on both sides of the connection: on one
 * core an event in bodies of 256 KB costs a fifth more than in bodies of 2 MB, of 1 MB 4 %. */
#define ES_BODY_BYTES (2u * 1024 * 1024)
#define ES_PART_BYTES_MAX (20u * 1024 * 1024)
/* Requests of a shard that are sealed and not settled; the next batch has to wait then. */
#define ES_REQUESTS_MAX 16u
/* Requests of a shard under way at the same time; 1 when the pipeline is to keep its order. */
#define ES_FLYING_MAX 4u
/* How long the first event of a body waits for company. */
#define ES_LINGER_NS (5 * NS_PER_MS)
#define ES_HOSTS_MAX 256u
/* How often a document that is too large all by itself is sent again: somebody may be about to
 * raise the limit of a proxy. */
#define ES_TOO_LARGE_RETRIES 2u
#define ES_ANSWER_BYTES_MAX (256u * 1024 * 1024)

enum es_action { ES_INDEX, ES_CREATE, ES_UPDATE, ES_DELETE, ES_ACTIONS };
extern const slice es_action_names[ES_ACTIONS];

enum es_tristate { ES_AUTO, ES_TRUE, ES_FALSE };
enum es_script { ES_SCRIPT_INLINE, ES_SCRIPT_INDEXED, ES_SCRIPT_FILE };
/* The members of [@metadata][_ingest_document] that matter. */
enum es_meta {
    ES_META_ID,
    ES_META_INDEX,
    ES_META_ROUTING,
    ES_META_PIPELINE,
    ES_META_VERSION,
    ES_META_VERSION_TYPE,
    ES_META
};
enum es_ds_part { ES_DS_TYPE, ES_DS_DATASET, ES_DS_NAMESPACE, ES_DS_PARTS };
#define ES_FOREVER INT64_MAX

/* ---- configuration --------------------------------------------------------------- */

struct es_host {
    const char *url;             /* scheme://host:port/path, no slash at the end, no secrets */
    const char *query;           /* "?" and what the URL had behind it, or empty */
    const char *user, *password; /* from the URL; NULL: the output's own */
    /* Of bulk requests; elasticsearch_head.c. */
    const char *connect_url; /* where to connect to: the server, or the proxy before it */
    slice head;              /* what is the same in every request */
    bool tls, by_proxy;      /* by_proxy: the proxy forwards our requests, without a tunnel */
};

/* The options as written; elasticsearch_settings.c. */
struct es_options {
    struct config_list hosts, custom_codes, drop_error_types, silenced;
    struct http_tls_options tls;
    struct config_hash custom_headers, parameters;
    slice index, action, document_id, document_type, routing, parent, join_field, pipeline;
    slice version, upsert, script, script_lang, script_var_name;
    slice user, password, api_key, cloud_id, cloud_auth, path, proxy;
    slice healthcheck_path, bulk_path, sniffing_path;
    slice template, template_name, ilm_alias, ilm_pattern, ilm_policy;
    slice ds_dataset, ds_namespace;
    int version_type, script_type, template_api, ilm_enabled, data_stream;
    int ds_type_at;
    int64_t retry_on_conflict, timeout_s, validate_ms, pool_max, pool_max_per_route;
    int64_t resurrect_s, retry_initial_s, retry_max_s, compression_level, sniffing_delay_s;
    bool doc_as_upsert, scripted_upsert, ssl, old_verification, sniffing, http_compression;
    bool dlq_on_index, manage_template, template_overwrite;
    bool ds_auto_routing, ds_sync;
};

extern const struct setting es_settings[];

/* A template that may be absent. */
struct es_text {
    struct template text;
    bool given;
};

struct es_cfg {
    struct es_options opt;
    /* Encoding. */
    struct es_text index, action, id, type, routing, parent, pipeline, version, upsert, script;
    struct fieldref join_field, ds_ref, ds_part[ES_DS_PARTS];
    struct key meta_document, meta_target, meta[ES_META], join_name, join_parent, ds_key,
        ds_part_key[ES_DS_PARTS];
    slice ds_default[ES_DS_PARTS];
    bool has_join, is_data_stream, index_is_default;
    bool action_constant;
    enum es_action action_fixed;
    /* Nothing but @timestamp changes the action line, and it stays right for so long: ES_FOREVER,
     * a day, a second, or 0 for never. */
    bool line_static;
    int64_t index_span_ns;
    slice ds_name, ds_suffix; /* logs-generic-default; the synced fields as a JSON member */
    slice version_type;       /* p NULL: none */
    /* Transport. */
    struct es_host *host;
    uint32_t host_n;
    const char *bulk_path, *health_path, *sniff_path;
    const char *query, *bulk_query; /* with their '?' or empty */
    const char *user, *password, *api_key_header, *proxy;
    struct http_tls tls;
    const char **header; /* custom ones, "Name: value" */
    uint32_t header_n;
    bool ordered, dlq_enabled, ecs;
    slice template_name, ilm_alias;
    const char *template_text; /* of the file; NULL: the built-in one */
    bool template_name_given, ilm_alias_given;
    uint64_t drop_codes[16]; /* bitmap of item statuses 0..1023 that are not sent again */
};

err es_compile(void *cfg, struct compiler *c) MUST_USE;
void es_release(void *cfg);
/* elasticsearch_hosts.c: fills cfg->host from hosts or cloud_id; reports what is wrong. */
err es_compile_hosts(struct es_cfg *cfg, struct compiler *c) MUST_USE;
/* Appends a query ("?a=b" or empty) to a URL that may have one. */
void es_query_join(struct buf *url, const char *query);
/* elasticsearch_head.c: what never changes in a bulk request, for each host. */
err es_compile_heads(struct es_cfg *cfg, struct compiler *c) MUST_USE;
/* Another server of the cluster at "host:port"; the rest is as with the first host. False when
 * that is no address. */
bool es_host_sibling(const struct es_cfg *cfg, struct heap *heap, slice address,
                     struct es_host *out) MUST_USE;
/* A NUL-terminated copy that lives as long as the plan. */
const char *es_keep(struct compiler *c, slice text);
const char *es_keep_printf(struct compiler *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- requests and lanes ------------------------------------------------------------ */

struct es_request {
    struct es_lane *lane;
    struct es_request *next; /* free list of the shard, queues of the writer */
    struct buf body;
    uint32_t *end; /* end of each item in body */
    uint32_t item_n, item_cap;
    struct receipt **hold;
    uint32_t hold_n, hold_cap;
    size_t sealed_bytes;
    uint8_t outcome; /* enum outcome, the worst so far */
    /* Writer: items [0, kept_n) wait for the next round, [at, at + part_n) are being sent,
     * [at + part_n, item_n) are still to be sent in this round. */
    uint32_t kept_n, at, part_n, part_n_max;
    /* Rounds in which a document was refused as too large all by itself. */
    uint32_t too_large_n;
    bool too_large_now;
    int64_t retry_at_ns, delay_ns; /* delay_ns 0: the last try went well */
};

/* Written by the shard alone. */
struct es_lane_counters {
    struct counter dropped_index, dropped_action, dropped_id, dropped_upsert, full_hits;
};

struct es_lane {
    struct ring out, home;
    struct shard *shard;
    struct es_request *all[ES_REQUESTS_MAX]; /* shard; freed when the output is closed */
    uint32_t all_n;
    uint32_t flying_n; /* writer only */
    struct es_lane_counters counters;
};

/* Outcome counts, written by the writer thread alone. */
struct es_writer_counters {
    struct counter successes, retryable, rejected, conflicts, too_large, bulk_ok, bulk_errors,
        bulk_failures, bulk_bytes, status[600];
};

/* What the server turned out to be, told to the shards in one counter: 0 is unknown. */
enum { ES_SERVER_KNOWN = 1, ES_SERVER_ILM = 2, ES_SERVER_MAJOR_SHIFT = 8 };

struct es_host_state {
    const struct es_host *at; /* of the configuration, or found by sniffing */
    bool gone;                /* the cluster does not list it any more: nothing new goes there */
    uint32_t flying_n;
    int64_t dead_until_ns; /* 0: alive */
    uint32_t failures;
};

/* A connection and the request on it. */
struct es_transfer {
    struct bulk_http http;
    CURL *easy;                 /* makes the connections, one after the other */
    struct es_request *request; /* NULL: free */
    uint32_t host;              /* of the request or the idle connection */
    struct buf head;
    struct buf packed; /* the body, compressed */
    struct buf unused; /* libcurl wants a place for an answer that it never reads */
};

/* The request for the list of servers; elasticsearch_sniff.c. */
struct es_sniff {
    CURL *easy; /* NULL: no sniffing */
    struct curl_slist *headers;
    bool running;
    int64_t next_ns;
    struct buf answer;
    struct heap heap; /* of the servers found */
    char error[CURL_ERROR_SIZE];
    struct log_gate gate;
};

struct es_shared {
    const struct es_cfg *cfg;
    struct output *output;
    char logger[128];
    CURLM *multi;
    pthread_t thread;
    bool running;
    struct counter stop, server;
    struct bell bell; /* wakes the writer for requests */
    struct es_lane *lane;
    uint32_t lane_n, lane_started;
    struct es_host_state *host;
    uint32_t host_n;
    struct es_sniff sniff;
    struct es_transfer *transfer;
    struct curl_waitfd *waitfd; /* of the transfers, and one more for the bell */
    uint32_t transfer_n, connecting_n;
    bool settled;                          /* some request was, in this turn of the writer */
    uint32_t flying_max;                   /* requests of a lane under way at a time */
    struct es_request *ready, *ready_last; /* to be sent now, oldest first */
    struct es_request *waiting;            /* to be sent when their time has come */
    struct es_writer_counters counters;
    struct prng prng;
    struct json_reader reader;
    struct page_pool pool;
    struct arena arena;
    struct log_gate gate_network, gate_status, gate_item, gate_conflict, gate_large;
};

struct es_state {
    const struct es_cfg *cfg;
    struct es_shared *shared;
    struct es_lane *lane;
    struct shard *shard;
    struct es_request *open; /* being filled, or NULL */
    struct es_request *free;
    uint32_t out_n, flying_max;
    size_t out_bytes;
    bool lingered; /* the open request's time is up */
    struct timer linger;
    uint32_t server; /* of shared->server, once known */
    uint32_t major;
    bool ilm;
    struct time_iso_cache iso;
    struct json_layouts *layouts;
    struct buf line; /* the rendered action line and its span of time */
    int64_t line_from_ns, line_to_ns;
    struct buf text; /* scratch */
    struct json_reader reader;
    struct log_gate gate_index, gate_action, gate_id, gate_upsert;
};

static inline bool es_stopping(const struct es_shared *s)
{
    return counter_read(&s->stop) != 0;
}

/* ---- elasticsearch_encode.c: on the shard ------------------------------------------- */

/* Appends the event's item to the open request, or drops it with a counter. */
void es_encode(struct es_state *s, struct batch *b, struct event *ev, struct es_request *r);

/* ---- elasticsearch_request.c: any owner -------------------------------------------- */

struct es_request *es_request_new(struct es_lane *lane);
void es_request_free(struct es_request *r);
void es_request_clear(struct es_request *r);
void es_request_hold(struct es_request *r, struct batch *b);
static inline void es_request_item(struct es_request *r)
{
    r->end[r->item_n++] = (uint32_t)r->body.n;
}
void es_request_grow(struct es_request *r);
static inline uint32_t es_item_begin(const struct es_request *r, uint32_t item)
{
    return item == 0 ? 0 : r->end[item - 1];
}
slice es_request_item_bytes(const struct es_request *r, uint32_t item);
/* Begins a round of sending all items. */
void es_request_begin(struct es_request *r);
/* Chooses the next part; false when the round is over. */
bool es_request_part(struct es_request *r);
slice es_request_part_bytes(const struct es_request *r);
/* Says of each item of the part, in order, whether it is to be sent again; then es_part_end. */
void es_request_keep(struct es_request *r, uint32_t item);
void es_request_part_end(struct es_request *r);

/* ---- elasticsearch_head.c: on the writer -------------------------------------------- */

/* The host's head and the headers that are about this part of the request. */
void es_head_write(const struct es_host *h, const struct es_request *r, size_t plain_bytes,
                   size_t sent_bytes, bool gzip, struct buf *out);

/* ---- elasticsearch_result.c: on the writer ------------------------------------------ */

enum es_result {
    ES_DONE,  /* every item of the part is settled or kept for the next round */
    ES_AGAIN, /* the answer says nothing about the items: all of the part again */
    ES_SPLIT  /* too large: in smaller parts */
};
/* Reads the answer to the request's part and sorts its items. */
enum es_result es_result_read(struct es_shared *s, struct es_request *r, long status, slice answer);

/* ---- elasticsearch_start.c: on the writer ------------------------------------------- */

/* Talks to the server until it is ready for documents; false when stopped meanwhile. */
bool es_start(struct es_shared *s);
/* What the first answers said about the server. */
struct es_server {
    uint32_t major;
    bool opensearch, serverless;
    char version[32];
};
/* elasticsearch_template.c: the index template to install, the user's or the built-in one, with
 * the lifecycle settings when `ilm`. */
void es_template_write(struct es_shared *s, const struct es_server *server, bool composable,
                       bool ilm, struct buf *out);

/* ---- elasticsearch_sniff.c: on the writer ------------------------------------------- */

void es_sniff_init(struct es_shared *s);
void es_sniff_fini(struct es_shared *s);
/* Asks for the list when it is time; returns for how long the writer may sleep, at most wait_ns. */
int64_t es_sniff(struct es_shared *s, int64_t wait_ns);
/* libcurl is done with the request. */
void es_sniff_done(struct es_shared *s, CURLcode code);
/* Takes the servers that an answer lists; false when it lists none. */
bool es_sniff_read(struct es_shared *s, slice answer);

/* ---- elasticsearch_http.c: on the writer -------------------------------------------- */

static inline const char *es_host_url(const struct es_shared *s, uint32_t host)
{
    return s->host[host].at->url;
}

/* A handle with all that does not change from request to request; the answer goes to *answer. */
CURL *es_easy_new(struct es_shared *s, struct buf *answer, char *error);
/* The host's address and credentials; path and query are put together. */
void es_easy_target(const struct es_shared *s, CURL *easy, uint32_t host, const char *path,
                    const char *query);
/* The headers of every request; the caller frees the list. */
struct curl_slist *es_headers(const struct es_cfg *cfg, const char *content_type);
/* The live host with the least requests, or the one that is to live again first. */
uint32_t es_host_choose(struct es_shared *s);
/* Whether some host is thought to be alive. */
bool es_host_alive(const struct es_shared *s);
void es_host_failed(struct es_shared *s, uint32_t host);
void es_host_works(struct es_shared *s, uint32_t host);
/* gzip (RFC 1952) into *out; level 1 to 9. */
void es_gzip(slice in, int64_t level, struct buf *out);
/* Sleeps; false when the output is being closed. */
bool es_pause(struct es_shared *s, int64_t ns);

/* The thread. */
void *es_writer(void *shared);

#endif
