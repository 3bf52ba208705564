/*
 * elasticsearch.h - what the parts of the elasticsearch filter share.
 *
 * elasticsearch.c asks and applies, elasticsearch_options.c compiles, elasticsearch_esql.c reads
 * the tables that ES|QL queries give. The cfg is read-only after compile; the rest is one shard's.
 */
#ifndef ENGINE_FILTERS_ELASTICSEARCH_H
#define ENGINE_FILTERS_ELASTICSEARCH_H
#include "engine/base/log.h"
#include "engine/filters/http_client.h"
#include "engine/plan/filter_kit.h"
#include "parsers/json/json_decode.h"

/* Values of the answer that go into a field of the event. */
struct look_copy {
    slice *step; /* the way to the value, from the document on */
    uint32_t step_n;
    struct fieldref to;
};
struct look_copies {
    struct look_copy *at;
    uint32_t n;
};

/* A parameter of an ES|QL query: a field's value, or JSON text. */
struct look_param {
    slice name;
    bool is_field;
    struct fieldref field;
    slice json;
};

struct look_cfg {
    struct config_list hosts, tags, retry_status_texts;
    slice index_text, query_text, template_path, sort, user, password, api_key, proxy, target_text;
    struct config_hash field_pairs, docinfo_pairs, aggregation_pairs, header_pairs, param_pairs;
    bool ssl, enable_sort;
    int query_type; /* 0: dsl, 1: esql */
    int64_t result_size, retries;
    struct http_tls_options tls;
    /* Compiled. */
    bool esql, by_template;
    struct template index, query; /* query: a query string, or a request body in JSON */
    struct look_copies fields, docinfo, aggregations;
    struct fieldref target, total_hits, total_values;
    bool has_target;
    struct look_param *param;
    uint32_t param_n;
    slice *header_name, *header_value;
    uint32_t header_n;
    struct http_client_options options;
    struct http_client *client;
};

struct look_state {
    struct lookup_asker *asker;
    void **request; /* of lookup_each: struct http_request */
    struct json_reader reader;
    struct buf key;
    struct log_gate gate;
    struct lookup_counters counters;
};

struct look_run {
    struct look_state *state;
    const struct look_cfg *cfg;
    struct batch *batch;
    struct event *ev;
};

extern const struct setting look_settings[];

err look_compile(void *cfg, struct compiler *c) MUST_USE;
void look_release(void *cfg);

/* A member of a map, resolved; NULL when `map` is none or has none. */
struct value *look_member(struct look_run *r, struct value *map, slice name);
/* Body of an ES|QL request for the event. */
void look_esql_body(struct look_run *r, struct buf *out);
/* Puts the first row, or all of them into the target. False: the event cannot take it. */
bool look_esql_take(struct look_run *r, struct value *answer);

#endif
