/* elasticsearch_test.c - action lines and documents, parts of requests, answers. */
#include "engine/outputs/elasticsearch.h"

#include <stdlib.h>

#include "engine/plan/plan.h"
#include "engine/registry.h"
#include "parsers/frame/gzip_stream.h"
#include "tests/unit/engine/config/fixture.h"
#include "tests/unit/t.h"

/* One output of a configuration with a shard's and a writer's state around it. */
struct bench {
    struct fixture f;
    struct heap settings_heap;
    struct plan *plan;
    struct es_cfg *cfg;
    struct es_shared shared;
    struct es_lane lane;
    struct es_host_state host[ES_HOSTS_MAX];
    struct es_state s;
    struct page_pool pool;
    struct batch batch;
    struct json_reader reader;
    struct es_request *r;
};

static void bench_compile(struct bench *b, const char *options, const char *ecs)
{
    memset(b, 0, sizeof(*b));
    char text[2048];
    snprintf(text, sizeof(text), "output { elasticsearch { %s } }", options);
    assert_int_equal(fixture_parse(&b->f, text, false), ERR_OK);
    struct process_settings *settings = process_settings_new(&b->settings_heap);
    assert_int_equal(process_settings_set(settings, SLICE("pipeline.ecs_compatibility"),
                                          slice_from_cstr(ecs), POS_NONE, &b->f.diag),
                     ERR_OK);
    assert_int_equal(process_settings_finish(settings, &b->f.diag), ERR_OK);
    b->plan = plan_compile(&b->f.ast, &b->f.heap, &b->f.diag, &plugin_registry, settings, NULL);
}

static void bench_init(struct bench *b, const char *options, const char *ecs)
{
    bench_compile(b, options, ecs);
    if (b->plan == NULL) print_error("%s\n", fixture_said(&b->f));
    assert_non_null(b->plan);
    b->cfg = b->plan->output[0].cfg;
    b->shared.cfg = b->cfg;
    b->shared.host = b->host;
    b->shared.host_n = b->cfg->host_n;
    for (uint32_t i = 0; i < b->cfg->host_n; i++) b->host[i].at = &b->cfg->host[i];
    page_pool_init(&b->shared.pool, SIZE_MAX);
    arena_init(&b->shared.arena, &b->shared.pool);
    json_reader_init(&b->shared.reader);
    b->s = (struct es_state){.cfg = b->cfg, .shared = &b->shared, .lane = &b->lane, .major = 8};
    b->s.line_to_ns = INT64_MIN;
    b->s.layouts = json_layouts_new();
    json_reader_init(&b->s.reader);
    page_pool_init(&b->pool, SIZE_MAX);
    batch_init(&b->batch, &b->pool);
    json_reader_init(&b->reader);
    b->r = es_request_new(&b->lane);
}

static void bench_fini(struct bench *b)
{
    if (b->plan != NULL) {
        es_request_free(b->r);
        free(b->s.layouts);
        buf_fini(&b->s.line);
        buf_fini(&b->s.text);
        json_reader_fini(&b->s.reader);
        json_reader_fini(&b->reader);
        batch_reset(&b->batch);
        batch_fini(&b->batch);
        page_pool_fini(&b->pool);
        json_reader_fini(&b->shared.reader);
        arena_fini(&b->shared.arena);
        page_pool_fini(&b->shared.pool);
        plan_free(b->plan);
    }
    heap_fini(&b->settings_heap);
    fixture_fini(&b->f);
}

#define TIME_NS 1709618828123000000LL /* 2024-03-05T06:07:08.123Z */

/* Encodes an event of these fields and metadata (JSON objects) at a time. */
static void add(struct bench *b, const char *fields, const char *meta, int64_t time_ns)
{
    struct event *ev = batch_add(&b->batch);
    struct value v;
    ev->time = value_time(time_ns);
    assert_true(
        json_decode_copy(&b->reader, slice_from_cstr(fields), JSON_WHOLE, &b->batch.arena, &v) > 0);
    ev->data = *v.u.map;
    if (meta != NULL) {
        assert_true(json_decode_copy(&b->reader, slice_from_cstr(meta), JSON_WHOLE, &b->batch.arena,
                                     &v) > 0);
        ev->meta = *v.u.map;
    }
    es_encode(&b->s, &b->batch, ev, b->r);
}

/* The body that one event gives; two are encoded so that the cached line is looked at too. */
static void expect(const char *options, const char *ecs, const char *fields, const char *meta,
                   const char *want)
{
    struct bench b;
    bench_init(&b, options, ecs);
    for (int i = 0; i < 2; i++) {
        es_request_clear(b.r);
        add(&b, fields, meta, TIME_NS);
        assert_slice_equal(buf_slice(&b.r->body), slice_from_cstr(want));
        assert_int_equal(b.r->item_n, want[0] == 0 ? 0 : 1);
    }
    bench_fini(&b);
}

#define DOC "{\"@timestamp\":\"2024-03-05T06:07:08.123Z\",\"k\":\"a\"}"
#define PLAIN(options, want) expect(options, "disabled", "{\"k\":\"a\"}", NULL, want)

static void index_names(void **state)
{
    (void)state;
    PLAIN("", "{\"index\":{\"_index\":\"logstash-2024.03.05\"}}\n" DOC "\n");
    PLAIN("index => 'a\"%{k}'", "{\"index\":{\"_index\":\"a\\\"a\"}}\n" DOC "\n");
    PLAIN("index => 'x-%{+HH.mm}'", "{\"index\":{\"_index\":\"x-06.07\"}}\n" DOC "\n");
    PLAIN("index => 'x-%{nope}'", "");
    PLAIN("index => 'x-%{nope}' dlq_on_failed_indexname_interpolation => false",
          "{\"index\":{\"_index\":\"x-%{nope}\"}}\n" DOC "\n");
    expect("data_stream => false", "v8", "{\"k\":\"a\"}", NULL,
           "{\"index\":{\"_index\":\"ecs-logstash-2024.03.05\"}}\n" DOC "\n");
}

static void other_parameters(void **state)
{
    (void)state;
    PLAIN("index => 'i' document_id => '%{k}' routing => '%{r}' pipeline => '' version => 7 "
          "version_type => external",
          "{\"index\":{\"_index\":\"i\",\"_id\":\"a\",\"routing\":\"%{r}\",\"version\":\"7\","
          "\"version_type\":\"external\"}}\n" DOC "\n");
    PLAIN("index => 'i' action => delete document_id => '%{k}'",
          "{\"delete\":{\"_index\":\"i\",\"_id\":\"a\"}}\n");
    PLAIN("index => 'i' action => delete", "");
    PLAIN("index => 'i' action => '%{k}'", "");
    PLAIN("index => 'i' action => update document_id => 'x' upsert => '{\n\"w\": \"%{k}\"}'",
          "{\"update\":{\"_index\":\"i\",\"_id\":\"x\",\"retry_on_conflict\":1}}\n"
          "{\"doc\":" DOC ",\"upsert\":{\"w\":\"a\"}}\n");
    PLAIN("index => 'i' action => update document_id => 'x' upsert => '{broken'", "");
    PLAIN("index => 'i' action => update document_id => 'x' script => 's' script_type => indexed "
          "script_lang => ''",
          "{\"update\":{\"_index\":\"i\",\"_id\":\"x\",\"retry_on_conflict\":1}}\n"
          "{\"script\":{\"params\":{\"event\":" DOC "},\"id\":\"s\"}}\n");
}

static void metadata(void **state)
{
    (void)state;
    const char *meta = "{\"_ingest_document\":{\"id\":\"i1\",\"index\":\"own\",\"routing\":\"r\","
                       "\"pipeline\":\"p\",\"version\":3,\"version_type\":\"external\"},"
                       "\"target_ingest_pipeline\":\"t\"}";
    expect("", "disabled", "{\"k\":\"a\"}", meta,
           "{\"index\":{\"_index\":\"own\",\"_id\":\"i1\",\"routing\":\"r\",\"pipeline\":\"p\","
           "\"version\":3,\"version_type\":\"external\"}}\n" DOC "\n");
    expect("index => mine document_id => 'd' pipeline => 'q'", "disabled", "{\"k\":\"a\"}", meta,
           "{\"index\":{\"_index\":\"mine\",\"_id\":\"d\",\"routing\":\"r\",\"pipeline\":\"q\","
           "\"version\":3,\"version_type\":\"external\"}}\n" DOC "\n");
    expect("index => 'i'", "disabled", "{\"k\":\"a\"}",
           "{\"_ingest_document\":{\"id\":7,\"routing\":true,\"version\":\"4\"}}",
           "{\"index\":{\"_index\":\"i\",\"_id\":7,\"routing\":true,\"version\":\"4\"}}\n" DOC
           "\n");
    /* A data stream takes neither index nor version from there. */
    expect("data_stream_sync_fields => false", "v8", "{\"k\":\"a\"}", meta,
           "{\"create\":{\"_index\":\"logs-generic-default\",\"_id\":\"i1\",\"routing\":\"r\","
           "\"pipeline\":\"p\"}}\n" DOC "\n");
    expect("index => 'i'", "disabled", "{\"k\":\"a\"}", "{\"target_ingest_pipeline\":\"p-%{k}\"}",
           "{\"index\":{\"_index\":\"i\",\"pipeline\":\"p-a\"}}\n" DOC "\n");
}

#define SYNCED(type, set, space)                                                                   \
    "\"data_stream\":{\"type\":\"" type "\",\"dataset\":\"" set "\",\"namespace\":\"" space "\"}}"

static void data_streams(void **state)
{
    (void)state;
    expect("", "v8", "{\"k\":\"a\"}", NULL,
           "{\"create\":{\"_index\":\"logs-generic-default\"}}\n"
           "{\"@timestamp\":\"2024-03-05T06:07:08.123Z\",\"k\":\"a\"," SYNCED("logs", "generic",
                                                                              "default") "\n");
    expect("data_stream_sync_fields => false", "v8", "{\"k\":\"a\"}", NULL,
           "{\"create\":{\"_index\":\"logs-generic-default\"}}\n" DOC "\n");
    expect("data_stream_dataset => 'my-App'", "v8", "{\"k\":\"a\"}", NULL,
           "{\"create\":{\"_index\":\"logs-my-App-default\"}}\n"
           "{\"@timestamp\":\"2024-03-05T06:07:08.123Z\",\"k\":\"a\"," SYNCED("logs", "my-App",
                                                                              "default") "\n");
    expect("", "v8", "{\"data_stream\":{\"dataset\":\"%{d}\"}}", NULL, "");
    expect("", "v8", "{\"data_stream\":{\"type\":\"metrics\",\"dataset\":\"d\"}}", NULL,
           "{\"create\":{\"_index\":\"metrics-d-default\"}}\n"
           "{\"@timestamp\":\"2024-03-05T06:07:08.123Z\"," SYNCED("metrics", "d", "default") "\n");
    expect(
        "data_stream => true data_stream_auto_routing => false", "disabled",
        "{\"data_stream\":{\"type\":\"metrics\",\"dataset\":\"d\"}}", NULL,
        "{\"create\":{\"_index\":\"logs-generic-default\"}}\n"
        "{\"@timestamp\":\"2024-03-05T06:07:08.123Z\"," SYNCED("logs", "generic", "default") "\n");
    expect(
        "", "v8", "{\"data_stream\":1}", NULL,
        "{\"create\":{\"_index\":\"logs-generic-default\"}}\n"
        "{\"@timestamp\":\"2024-03-05T06:07:08.123Z\"," SYNCED("logs", "generic", "default") "\n");
}

/* Which options, written down, turn the stream of ECS mode into an index. */
static void options_against_streams(void **state)
{
    (void)state;
    static const char *const against[] = {"retry_on_conflict => 2",  "data_stream => auto",
                                          "data_stream => false",    "action => index",
                                          "manage_template => true", "ilm_enabled => false",
                                          "version => '1'"};
    static const char *const fitting[] = {"document_id => 'a'",
                                          "action => create",
                                          "routing => 'r'",
                                          "manage_template => false",
                                          "data_stream => true",
                                          "drop_error_types => ['x']",
                                          "compression_level => 0",
                                          "user => 'u' password => 'p'",
                                          "id => 'x'"};
    struct bench b;
    for (uint32_t i = 0; i < ARRAY_LEN(against); i++) {
        bench_init(&b, against[i], "v8");
        assert_false(b.cfg->is_data_stream);
        bench_fini(&b);
    }
    for (uint32_t i = 0; i < ARRAY_LEN(fitting); i++) {
        bench_init(&b, fitting[i], "v8");
        assert_true(b.cfg->is_data_stream);
        bench_fini(&b);
    }
}

static void line_follows_the_day(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, "index => 'd-%{+yyyy.MM.dd}'", "disabled");
    const int64_t day = 86400 * NS_PER_SEC;
    int64_t times[] = {TIME_NS / day * day + day - 1, TIME_NS / day * day + day, -1, 0,
                       TIME_NS / day * day};
    const char *days[] = {"2024.03.05", "2024.03.06", "1969.12.31", "1970.01.01", "2024.03.05"};
    for (uint32_t i = 0; i < ARRAY_LEN(times); i++) {
        char want[64];
        es_request_clear(b.r);
        add(&b, "{\"k\":\"a\"}", NULL, times[i]);
        snprintf(want, sizeof(want), "{\"index\":{\"_index\":\"d-%s\"}}\n", days[i]);
        assert_true(slice_starts(buf_slice(&b.r->body), slice_from_cstr(want)));
    }
    bench_fini(&b);
}

static void alias_and_types(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, "", "disabled");
    b.s.ilm = true;
    b.s.major = 6;
    add(&b, "{\"k\":\"a\"}", NULL, TIME_NS);
    assert_true(slice_starts(buf_slice(&b.r->body),
                             SLICE("{\"index\":{\"_index\":\"logstash\",\"_type\":\"doc\"}}\n")));
    bench_fini(&b);
}

static void other_outputs_see_nothing(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, "index => 'i' join_field => 'j' parent => '%{p}'", "disabled");
    add(&b, "{\"j\":\"answer\",\"p\":\"1\"}", NULL, TIME_NS);
    assert_slice_equal(buf_slice(&b.r->body),
                       SLICE("{\"index\":{\"_index\":\"i\",\"routing\":\"1\"}}\n"
                             "{\"@timestamp\":\"2024-03-05T06:07:08.123Z\","
                             "\"j\":{\"name\":\"answer\",\"parent\":\"1\"},\"p\":\"1\"}\n"));
    struct event *ev = &b.batch.event[0];
    assert_int_equal(ev->data.at[0].val.type, VALUE_STRING);
    bench_fini(&b);
}

/* ---- requests and answers ------------------------------------------------------------------- */

static void fill(struct bench *b, uint32_t n)
{
    char text[32];
    for (uint32_t i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "{\"n\":%u}", i);
        add(b, text, NULL, TIME_NS);
    }
    es_request_begin(b->r);
    assert_true(es_request_part(b->r));
}

static enum es_result answer(struct bench *b, long status, const char *text)
{
    struct buf copy = {0};
    buf_add_cstr(&copy, text);
    buf_room(&copy, JSON_PAD);
    enum es_result result = es_result_read(&b->shared, b->r, status, buf_slice(&copy));
    buf_fini(&copy);
    return result;
}

static bool holds(const struct bench *b, uint32_t item, const char *text)
{
    return slice_find(es_request_item_bytes(b->r, item), slice_from_cstr(text)) > 0;
}

static void answers_that_say_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "<html>",
                                      "{",
                                      "{}",
                                      "[]",
                                      "null",
                                      "{\"errors\":false",
                                      "{\"errors\":true}",
                                      "{\"errors\":true,\"items\":[]}",
                                      "{\"errors\":true,\"items\":[{\"index\":{\"status\":2",
                                      "{\"errors\":true,\"items\":{}}",
                                      "{\"took\":",
                                      "{\"took\":1,\"errors\":fals"};
    struct bench b;
    bench_init(&b, "index => 'i'", "disabled");
    fill(&b, 2);
    for (uint32_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(answer(&b, 200, bad[i]), ES_AGAIN);
    static const long statuses[] = {400, 401, 403, 404, 429, 500, 502, 503, 301, 0};
    for (uint32_t i = 0; i < ARRAY_LEN(statuses); i++)
        assert_int_equal(answer(&b, statuses[i], "{\"errors\":false}"), ES_AGAIN);
    assert_int_equal(b.r->kept_n, 0);
    assert_int_equal(counter_read(&b.shared.counters.successes), 0);
    bench_fini(&b);
}

static void good_answers(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{\"errors\":false}", "{\"took\":30,\"errors\":false,\"items\":[]}",
        " {\n  \"took\" : 30,\n  \"errors\" : false, \"items\": [ ] }\n",
        "{\"items\":[],\"errors\":false}"};
    for (uint32_t i = 0; i < ARRAY_LEN(good); i++) {
        struct bench b;
        bench_init(&b, "index => 'i'", "disabled");
        fill(&b, 3);
        assert_int_equal(answer(&b, 200, good[i]), ES_DONE);
        es_request_part_end(b.r);
        assert_int_equal(b.r->item_n, 0);
        assert_int_equal(counter_read(&b.shared.counters.successes), 3);
        bench_fini(&b);
    }
}

static void items_are_sorted(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, "index => 'i' drop_error_types => ['odd'] silence_errors_in_log => ['quiet']",
               "disabled");
    fill(&b, 8);
    assert_int_equal(
        answer(&b, 200,
               "{\"errors\":true,\"items\":[{\"index\":{\"status\":201}},"
               "{\"index\":{\"status\":429,\"error\":{\"type\":\"es_rejected\"}}},"
               "{\"index\":{\"status\":400,\"error\":{\"type\":\"quiet\",\"reason\":\"r\"}}},"
               "{\"create\":{\"status\":409,\"error\":{\"type\":\"version_conflict\"}}},"
               "{\"index\":{\"status\":503}},{\"index\":{}},"
               "{\"index\":{\"status\":500,\"error\":{\"type\":\"odd\"}}},"
               "{\"index\":{\"status\":404,\"error\":\"text\"}}]}"),
        ES_DONE);
    es_request_part_end(b.r);
    assert_int_equal(b.r->item_n, 3);
    assert_true(holds(&b, 0, "\"n\":1") && holds(&b, 1, "\"n\":4") && holds(&b, 2, "\"n\":5"));
    assert_int_equal(b.r->body.n, b.r->end[2]);
    assert_int_equal(b.r->outcome, OUTCOME_DEAD_LETTERED);
    assert_int_equal(counter_read(&b.shared.counters.successes), 1);
    assert_int_equal(counter_read(&b.shared.counters.retryable), 3);
    assert_int_equal(counter_read(&b.shared.counters.rejected), 3);
    assert_int_equal(counter_read(&b.shared.counters.conflicts), 1);
    bench_fini(&b);
}

/* Halves until it fits; what is kept in each part ends up in order at the front. */
static void too_large_is_split(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, "index => 'i'", "disabled");
    fill(&b, 5);
    b.r->too_large_n = ES_TOO_LARGE_RETRIES;
    assert_int_equal(answer(&b, 413, ""), ES_SPLIT);
    assert_true(es_request_part(b.r));
    assert_int_equal(b.r->part_n, 2);
    assert_int_equal(answer(&b, 200,
                            "{\"errors\":true,\"items\":[{\"index\":{\"status\":201}},"
                            "{\"index\":{\"status\":429}}]}"),
                     ES_DONE);
    es_request_part_end(b.r);
    assert_true(es_request_part(b.r));
    assert_int_equal(b.r->part_n, 2);
    assert_int_equal(answer(&b, 413, ""), ES_SPLIT);
    assert_true(es_request_part(b.r));
    assert_int_equal(b.r->part_n, 1);
    assert_int_equal(answer(&b, 413, ""), ES_DONE); /* n 2 is too large by itself */
    for (int i = 3; i < 5; i++) {
        es_request_part_end(b.r);
        assert_true(es_request_part(b.r));
        assert_int_equal(
            answer(&b, 200, "{\"errors\":true,\"items\":[{\"index\":{\"status\":503}}]}"), ES_DONE);
    }
    es_request_part_end(b.r);
    assert_int_equal(b.r->item_n, 3);
    assert_true(holds(&b, 0, "\"n\":1") && holds(&b, 1, "\"n\":3") && holds(&b, 2, "\"n\":4"));
    assert_int_equal(counter_read(&b.shared.counters.too_large), 1);
    bench_fini(&b);
}

/* ---- options ----------------------------------------------------------------------------------
 */

static void too_large_alone_is_sent_again_twice(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, "index => 'i'", "disabled");
    fill(&b, 1);
    for (uint32_t i = 0; i <= ES_TOO_LARGE_RETRIES; i++) {
        assert_int_equal(b.r->item_n, 1);
        assert_int_equal(counter_read(&b.shared.counters.too_large), 0);
        assert_int_equal(answer(&b, 413, ""), ES_DONE);
        es_request_part_end(b.r);
        es_request_begin(b.r);
        es_request_part(b.r);
    }
    assert_int_equal(b.r->item_n, 0);
    assert_int_equal(counter_read(&b.shared.counters.too_large), 1);
    assert_int_equal(counter_read(&b.shared.counters.retryable), ES_TOO_LARGE_RETRIES);
    bench_fini(&b);
}

static void expect_host(const char *options, const char *url)
{
    struct bench b;
    bench_init(&b, options, "disabled");
    assert_string_equal(b.cfg->host[0].url, url);
    bench_fini(&b);
}

static void hosts(void **state)
{
    (void)state;
    expect_host("", "http://127.0.0.1:9200");
    expect_host("hosts => 'es'", "http://es:9200");
    expect_host("hosts => ['es:9201']", "http://es:9201");
    expect_host("hosts => 'https://es'", "https://es:9200");
    expect_host("hosts => '[::1]:9'", "http://[::1]:9");
    expect_host("hosts => 'es' ssl_enabled => true", "https://es:9200");
    expect_host("hosts => 'http://es/a/b/'", "http://es:9200/a/b");
    expect_host("hosts => 'http://es' path => 'a/'", "http://es:9200/a");
    expect_host("hosts => 'http://es/a?b=c'", "http://es:9200/a");
    expect_host("cloud_id => 'my:name:ZXhhbXBsZS5jb206OTI0MyRhYmMkZGVm'",
                "https://abc.example.com:9243");
    /* base64 of example.com:9243$abc$def */
    expect_host("cloud_id => 'name:ZXhhbXBsZS5jb206OTI0MyRhYmMkZGVm'",
                "https://abc.example.com:9243");
}

static void bulk_queries(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"", "/_bulk", "?filter_path=errors,items.*.error,items.*.status"},
        {"parameters => { 'a' => 'b c' }", "/_bulk",
         "?a=b%20c&filter_path=errors,items.*.error,items.*.status"},
        {"bulk_path => '/x/_bulk?y=z' parameters => { 'a' => 'b' }", "/x/_bulk",
         "?y=z&a=b&filter_path=errors,items.*.error,items.*.status"},
        {"parameters => { 'filter_path' => 'errors' }", "/_bulk", "?filter_path=errors"}};
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        bench_init(&b, cases[i][0], "disabled");
        assert_string_equal(b.cfg->bulk_path, cases[i][1]);
        assert_string_equal(b.cfg->bulk_query, cases[i][2]);
        bench_fini(&b);
    }
}

static void login_is_not_in_the_url(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, "hosts => 'http://me:p%40ss@es:1'", "disabled");
    assert_string_equal(b.cfg->host[0].url, "http://es:1");
    assert_string_equal(b.cfg->host[0].user, "me");
    assert_string_equal(b.cfg->host[0].password, "p@ss");
    bench_fini(&b);
    bench_init(&b, "hosts => 'https://es' api_key => 'id:key'", "disabled");
    assert_string_equal(b.cfg->api_key_header, "Authorization: ApiKey aWQ6a2V5");
    bench_fini(&b);
}

/* ---- heads of bulk requests -------------------------------------------------------------------
 */

#define QUERY "?filter_path=errors,items.*.error,items.*.status HTTP/1.1\r\n"
#define AGENT "User-Agent: spate\r\n"
#define ANY "Accept: */*\r\n"
#define TYPE "Content-Type: application/x-ndjson\r\n"

static void expect_head(const char *options, const char *connect_url, bool tls, const char *head)
{
    struct bench b;
    bench_init(&b, options, "disabled");
    const struct es_host *h = &b.cfg->host[0];
    assert_string_equal(h->connect_url, connect_url);
    assert_int_equal(h->tls, tls);
    assert_slice_equal(h->head, slice_from_cstr(head));
    bench_fini(&b);
}

static void heads(void **state)
{
    (void)state;
    expect_head("", "http://127.0.0.1:9200", false,
                "POST /_bulk" QUERY "Host: 127.0.0.1:9200\r\n" AGENT ANY TYPE);
    expect_head("hosts => 'https://[::1]:443/p'", "https://[::1]:443/p", true,
                "POST /p/_bulk" QUERY "Host: [::1]\r\n" AGENT ANY TYPE);
    expect_head("hosts => 'http://me:p%40ss@es:80'", "http://es:80", false,
                "POST /_bulk" QUERY
                "Host: es\r\nAuthorization: Basic bWU6cEBzcw==\r\n" AGENT ANY TYPE);
    expect_head("user => 'a' password => 'b'", "http://127.0.0.1:9200", false,
                "POST /_bulk" QUERY
                "Host: 127.0.0.1:9200\r\nAuthorization: Basic YTpi\r\n" AGENT ANY TYPE);
    expect_head("hosts => 'http://es/p?x=y'", "http://es:9200/p", false,
                "POST /p/_bulk?x=y&filter_path=errors,items.*.error,items.*.status HTTP/1.1\r\n"
                "Host: es:9200\r\n" AGENT ANY TYPE);
    expect_head("hosts => 'https://me:x@es' api_key => 'id:key'", "https://es:9200", true,
                "POST /_bulk" QUERY "Host: es:9200\r\n" AGENT ANY TYPE
                "Authorization: ApiKey aWQ6a2V5\r\n");
}

static void custom_headers_take_the_place_of_ours(void **state)
{
    (void)state;
    expect_head("custom_headers => { 'host' => 'h' 'Accept' => 'x' 'user-agent' => 'y' "
                "'authorization' => 'z' 'Empty' => '' } user => 'a' password => 'b'",
                "http://127.0.0.1:9200", false,
                "POST /_bulk" QUERY TYPE
                "authorization: z\r\nEmpty:\r\nAccept: x\r\nhost: h\r\nuser-agent: y\r\n");
    expect_head("custom_headers => { 'Content-Length' => '1' 'transfer-encoding' => 'chunked' }",
                "http://127.0.0.1:9200", false,
                "POST /_bulk" QUERY "Host: 127.0.0.1:9200\r\n" AGENT ANY TYPE);
}

static void proxies(void **state)
{
    (void)state;
    expect_head("hosts => 'es' proxy => 'http://me:x@proxy:3128'", "http://proxy:3128", false,
                "POST http://es:9200/_bulk" QUERY
                "Host: es:9200\r\nProxy-Authorization: Basic bWU6eA==\r\n" AGENT ANY
                "Proxy-Connection: Keep-Alive\r\n" TYPE);
    expect_head("hosts => 'es' proxy => 'https://proxy'", "https://proxy:443", true,
                "POST http://es:9200/_bulk" QUERY "Host: es:9200\r\n" AGENT ANY
                "Proxy-Connection: Keep-Alive\r\n" TYPE);
    /* Tunnels are libcurl's. */
    expect_head("hosts => 'https://es' proxy => 'http://proxy:3128'", "https://es:9200", true,
                "POST /_bulk" QUERY "Host: es:9200\r\n" AGENT ANY TYPE);
    expect_head("hosts => 'es' proxy => 'socks5h://proxy:1'", "http://es:9200", false,
                "POST /_bulk" QUERY "Host: es:9200\r\n" AGENT ANY TYPE);
}

static bool sniffed(struct bench *b, const char *text)
{
    struct buf copy = {0};
    buf_add_cstr(&copy, text);
    buf_room(&copy, JSON_PAD);
    bool any = es_sniff_read(&b->shared, buf_slice(&copy));
    buf_fini(&copy);
    return any;
}

static void sniffing_replaces_the_list(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, "hosts => ['http://u:p@a/x', 'http://b/x'] sniffing => true", "disabled");
    struct es_host_state *h = b.host;
    static const char *const nothing[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"nodes\":{}}",
        "{\"nodes\":[]}",
        "{\"nodes\":{\"n\":1}}",
        "{\"nodes\":{\"n\":{\"http\":{\"publish_address\":5}}}}",
        "{\"nodes\":{\"n\":{\"http\":{\"publish_address\":\"no port\"}}}}",
        "{\"nodes\":{\"n\":{\"roles\":[\"master\"],\"http\":{\"publish_address\":\"m:1\"}}}}"};
    for (uint32_t i = 0; i < ARRAY_LEN(nothing); i++) assert_false(sniffed(&b, nothing[i]));
    assert_int_equal(b.shared.host_n, 2);
    assert_true(sniffed(
        &b, "{\"nodes\":{\"n1\":{\"roles\":[\"master\",\"data\"],"
            "\"http\":{\"publish_address\":\"10.0.0.1:9201\"}},"
            "\"n2\":{\"http\":{\"publish_address\":\"es2/10.0.0.2:9202\"}},\"n3\":{},"
            "\"n4\":{\"roles\":[\"master\"],\"http\":{\"publish_address\":\"10.0.0.4:9200\"}},"
            "\"n5\":{\"http\":{\"publish_address\":\"a:9200\"}}}}"));
    assert_int_equal(b.shared.host_n, 4);
    assert_false(h[0].gone);
    assert_true(h[1].gone);
    assert_string_equal(h[2].at->url, "http://10.0.0.1:9201/x");
    assert_string_equal(h[3].at->url, "http://es2:9202/x");
    assert_string_equal(h[3].at->user, "u");
    assert_true(slice_starts(h[2].at->head, SLICE("POST /x/_bulk?")));
    assert_true(slice_find(h[2].at->head, SLICE("Host: 10.0.0.1:9201\r\nAuthorization: ")) > 0);
    for (int i = 0; i < 20; i++) assert_int_not_equal(es_host_choose(&b.shared), 1);
    assert_true(sniffed(&b, "{\"nodes\":{\"n\":{\"http\":{\"publish_address\":\"b:9200\"}}}}"));
    assert_int_equal(b.shared.host_n, 4);
    for (int i = 0; i < 20; i++) assert_int_equal(es_host_choose(&b.shared), 1);
    heap_fini(&b.shared.sniff.heap);
    bench_fini(&b);
}

static void heads_end_with_what_varies(void **state)
{
    (void)state;
    struct es_request r = {.part_n = 7};
    struct es_host h = {.head = SLICE("POST x\r\n")};
    struct buf out = {0};
    es_head_write(&h, &r, 1000, 1000, false, &out);
    assert_slice_equal(buf_slice(&out), SLICE("POST x\r\nX-Elastic-Event-Count: 7\r\n"
                                              "X-Elastic-Uncompressed-Request-Length: 1000\r\n"
                                              "Content-Length: 1000\r\n\r\n"));
    es_head_write(&h, &r, 1000, 99, true, &out);
    assert_slice_equal(buf_slice(&out),
                       SLICE("POST x\r\nX-Elastic-Event-Count: 7\r\n"
                             "X-Elastic-Uncompressed-Request-Length: 1000\r\n"
                             "Content-Encoding: gzip\r\nContent-Length: 99\r\n\r\n"));
    buf_fini(&out);
}

static void refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"action => frobnicate", "unknown action"},
        {"hosts => 'es:99999'", "cannot be understood"},
        {"hosts => ['http://a', 'https://b']", "different schemes"},
        {"cloud_id => 'x:y'", "Cloud ID"},
        {"api_key => 'a:b'", "needs TLS"},
        {"user => 'a'", "without password"},
        {"user => 'a' password => 'b' api_key => 'c' hosts => 'https://es'", "more than one kind"},
        {"data_stream => true index => 'x'", "cannot be used with data_stream"},
        {"index => 'x' data_stream_type => metrics", "for data streams only"},
        {"data_stream => true data_stream_dataset => 'a b'", "data stream's name"},
        {"data_stream => true data_stream_namespace => ''", "data stream's name"},
        {"action => update", "needs a document_id"},
        {"version_type => external", "needs a version"},
        {"version_type => external_gte version => 1 action => create", "external version_type"},
        {"version_type => external version => 1 action => update document_id => 1",
         "external version_type"},
        {"dlq_custom_codes => [403]", "dead_letter_queue.enable"},
        {"ca_trusted_fingerprint => 'abc'", "fingerprint"},
        {"ssl_truststore_type => jks", "JKS"},
        {"ssl_cipher_suites => ['nope']", "unknown cipher suite"},
        {"doc_as_upsert => true scripted_upsert => true", "exclude each other"}};
    for (uint32_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct bench b;
        bench_compile(&b, bad[i][0], "disabled");
        assert_null(b.plan);
        assert_says(&b.f, bad[i][1]);
        bench_fini(&b);
    }
}

static void gzip_comes_back(void **state)
{
    (void)state;
    struct buf in = {0}, out = {0}, back = {0};
    for (uint32_t i = 0; i < 100000; i++) buf_printf(&in, "line %u %u\n", i, i * 2654435761u);
    buf_room(&back, in.n + 1);
    for (int64_t level = 1; level <= 9; level += 2) {
        es_gzip(buf_slice(&in), level, &out);
        assert_true(out.n < in.n / 2);
        struct gzip_stream *stream = gzip_stream_new(GZIP_GZIP, 0);
        slice packed = buf_slice(&out);
        uint32_t n = 0;
        assert_int_equal(gzip_stream_run(stream, &packed, back.data, (uint32_t)back.cap, &n),
                         GZIP_END);
        assert_slice_equal(slice_make(back.data, n), buf_slice(&in));
        gzip_stream_free(stream);
    }
    buf_fini(&in);
    buf_fini(&out);
    buf_fini(&back);
}

static void templates_are_json(void **state)
{
    (void)state;
    static const struct es_server servers[] = {{.major = 6},
                                               {.major = 7},
                                               {.major = 8},
                                               {.major = 9},
                                               {.major = 2, .opensearch = true},
                                               {.major = 8, .serverless = true}};
    const char *modes[] = {"disabled", "v8"};
    for (uint32_t m = 0; m < 2; m++) {
        struct bench b;
        struct buf text = {0};
        bench_init(&b, "index => 'x'", modes[m]);
        for (uint32_t i = 0; i < ARRAY_LEN(servers) * 4; i++) {
            struct value v;
            es_template_write(&b.shared, &servers[i / 4], i & 1, i & 2, &text);
            assert_true(
                json_decode_copy(&b.reader, buf_slice(&text), JSON_WHOLE, &b.batch.arena, &v) > 0);
            assert_int_equal(slice_find(buf_slice(&text), SLICE("rollover_alias")) > 0,
                             (i & 2) != 0);
        }
        buf_fini(&text);
        bench_fini(&b);
    }
}

/* The lifecycle settings go where the user's file has its settings. */
static void own_templates_keep_their_form(void **state)
{
    (void)state;
#define LIFECYCLE                                                                                  \
    "\"index.lifecycle.name\":\"logstash-policy\",\"index.lifecycle.rollover_alias\":\"logstash\""
    static const struct {
        const char *text, *want;
        bool composable;
    } cases[] = {
        {"{\"template\":{\"settings\":{\"a\":1}}}",
         "{\"template\":{\"settings\":{\"a\":1," LIFECYCLE "}},\"index_patterns\":\"logstash-*\"}",
         true},
        {"{\"settings\":{\"a\":1}}",
         "{\"settings\":{\"a\":1," LIFECYCLE "},\"index_patterns\":\"logstash-*\"}", true},
        {"{}", "{\"index_patterns\":\"logstash-*\",\"template\":{\"settings\":{" LIFECYCLE "}}}",
         true},
        {"{\"template\":\"old-*\"}",
         "{\"index_patterns\":\"logstash-*\",\"settings\":{" LIFECYCLE "}}", false}};
    static const struct es_server server = {.major = 8};
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        struct buf text = {0};
        bench_init(&b, "", "disabled");
        b.cfg->template_text = cases[i].text;
        es_template_write(&b.shared, &server, cases[i].composable, true, &text);
        assert_slice_equal(buf_slice(&text), slice_from_cstr(cases[i].want));
        buf_fini(&text);
        bench_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_names),
        cmocka_unit_test(other_parameters),
        cmocka_unit_test(metadata),
        cmocka_unit_test(data_streams),
        cmocka_unit_test(options_against_streams),
        cmocka_unit_test(line_follows_the_day),
        cmocka_unit_test(alias_and_types),
        cmocka_unit_test(other_outputs_see_nothing),
        cmocka_unit_test(answers_that_say_nothing),
        cmocka_unit_test(good_answers),
        cmocka_unit_test(items_are_sorted),
        cmocka_unit_test(too_large_is_split),
        cmocka_unit_test(too_large_alone_is_sent_again_twice),
        cmocka_unit_test(hosts),
        cmocka_unit_test(bulk_queries),
        cmocka_unit_test(login_is_not_in_the_url),
        cmocka_unit_test(heads),
        cmocka_unit_test(custom_headers_take_the_place_of_ours),
        cmocka_unit_test(proxies),
        cmocka_unit_test(sniffing_replaces_the_list),
        cmocka_unit_test(heads_end_with_what_varies),
        cmocka_unit_test(refused),
        cmocka_unit_test(gzip_comes_back),
        cmocka_unit_test(templates_are_json),
        cmocka_unit_test(own_templates_keep_their_form),
    };
    return T_RUN(tests);
}
