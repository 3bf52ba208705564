/*
 * elasticsearch_start.c - what is said to a server before the first document: is it there, what
 * is it, index template, rollover alias and lifecycle policy.
 *
 * Runs on the writer thread, one request after the other, again and again until it worked:
 * meanwhile the shards hold their batches back. What a server refuses here is logged and does
 * not stop documents, as it does not in Logstash.
 */
#include "engine/outputs/elasticsearch.h"

#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

struct call {
    struct es_shared *s;
    CURL *easy;
    struct buf answer, text, path;
    struct es_server server;
    uint32_t host;
    bool ilm;
    char error[CURL_ERROR_SIZE];
};

/* The status, or 0 when there was no answer (logged). */
static long ask(struct call *c, const char *method, const char *path, slice body)
{
    const struct es_cfg *cfg = c->s->cfg;
    long status = 0;
    c->answer.n = 0;
    c->error[0] = 0;
    curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L);
    if (body.p != NULL) {
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, body.p);
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    }
    curl_easy_setopt(c->easy, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, body.p != NULL ? method : NULL);
    es_easy_target(c->s, c->easy, c->host, path, cfg->query);
    struct curl_slist *headers =
        es_headers(cfg, body.p != NULL ? "Content-Type: application/json" : NULL);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(c->easy);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (code == CURLE_OK) curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK && !es_stopping(c->s))
        log_error(c->s->logger, "%s: %s", es_host_url(c->s, c->host),
                  c->error[0] != 0 ? c->error : curl_easy_strerror(code));
    return status;
}

static bool is_good(long status)
{
    return status >= 200 && status < 300;
}

static void log_refusal(struct call *c, const char *what, long status)
{
    slice text = slice_part(slice_trim(buf_slice(&c->answer)), 0, 500);
    if (status != 0)
        log_error(c->s->logger, "%s: %s failed with status %ld: %.*s", es_host_url(c->s, c->host),
                  what, status, SLICE_FMT(text));
}

/* ---- what server is it? -------------------------------------------------------------------- */

static slice find_text(struct call *c, struct value *v, const char *const *names)
{
    for (; *names != NULL; names++) {
        slice name = slice_from_cstr(*names);
        if (v->type != VALUE_MAP) return SLICE("");
        struct member *m = map_find(v->u.map, name, hash_key(name.p, name.n));
        if (m == NULL) return SLICE("");
        v = &m->val;
    }
    value_resolve(v, &c->s->arena);
    return v->type == VALUE_STRING ? value_slice(v) : SLICE("");
}

static bool read_server(struct call *c)
{
    struct es_shared *s = c->s;
    struct es_server *server = &c->server;
    struct value v;
    *server = (struct es_server){0};
    buf_room(&c->answer, JSON_PAD);
    if (json_decode(&s->reader, buf_slice(&c->answer), JSON_WHOLE, &s->arena, &v) < 0) return false;
    slice number = find_text(c, &v, (const char *const[]){"version", "number", NULL});
    slice kind = find_text(c, &v, (const char *const[]){"version", "distribution", NULL});
    slice flavor = find_text(c, &v, (const char *const[]){"version", "build_flavor", NULL});
    server->opensearch = slice_equal(kind, SLICE("opensearch"));
    server->serverless = slice_equal(flavor, SLICE("serverless"));
    slice_cstr(number, server->version, sizeof(server->version));
    for (uint32_t i = 0; i < number.n && number.p[i] >= '0' && number.p[i] <= '9' && i < 3; i++)
        server->major = server->major * 10 + (uint32_t)(number.p[i] - '0');
    arena_reset(&s->arena);
    return number.n > 0;
}

/* A compatibility mode of OpenSearch answers with version 7.10. */
static void describe_server(struct call *c)
{
    const struct es_server *server = &c->server;
    const char *url = es_host_url(c->s, c->host);
    log_info(c->s->logger, "connected to %s %s at %s",
             server->opensearch ? "OpenSearch" : "Elasticsearch", server->version, url);
    if (server->opensearch ? server->major > 3 : server->major < 6 || server->major > 9)
        log_warn(c->s->logger, "%s: version %s is newer or older than the versions known to work",
                 url, server->version);
}

/* HEAD, then GET of the root: an answer of any server proves the address, a good one of a
 * server that says its version lets us go on. */
static bool meet_server(struct call *c)
{
    long status = ask(c, "HEAD", c->s->cfg->health_path, SLICE_NONE);
    if (status == 0) return false;
    if (!is_good(status)) {
        log_refusal(c, status == 401 || status == 403 ? "authentication" : "the health check",
                    status);
        return false;
    }
    status = ask(c, "GET", "/", SLICE_NONE);
    if (!is_good(status)) {
        log_refusal(c, "asking for the version", status);
        return false;
    }
    if (!read_server(c)) {
        /* A proxy that lets only bulk requests through, for example. */
        log_warn(c->s->logger, "%s does not say its version; taken for Elasticsearch 8",
                 es_host_url(c->s, c->host));
        c->server = (struct es_server){.major = 8, .version = "8"};
        return true;
    }
    describe_server(c);
    if (!c->server.opensearch && !c->server.serverless) ask(c, "GET", "/_license", SLICE_NONE);
    return true;
}

/* Which of the hosts answers. */
static bool meet_any(struct call *c)
{
    uint32_t n = c->s->host_n, first = (uint32_t)prng_below(&c->s->prng, n);
    for (uint32_t i = 0; i < n && !es_stopping(c->s); i++) {
        c->host = (first + i) % n;
        if (meet_server(c)) {
            es_host_works(c->s, c->host);
            return true;
        }
        es_host_failed(c->s, c->host);
    }
    return false;
}

/* ---- template ---------------------------------------------------------------------------------
 */

static bool is_composable(const struct call *c)
{
    switch (c->s->cfg->opt.template_api) {
    case 1: return false;
    case 2: return true;
    default: return c->server.opensearch || c->server.major >= 8;
    }
}

static const char *path_of(struct call *c, const char *prefix, slice name)
{
    char *escaped = curl_easy_escape(c->easy, name.p, (int)name.n);
    c->path.n = 0;
    buf_printf(&c->path, "%s%s", prefix, escaped);
    curl_free(escaped);
    return buf_cstr(&c->path);
}

/* False only when there was no answer. */
static bool install_template(struct call *c)
{
    const struct es_cfg *cfg = c->s->cfg;
    if (!cfg->opt.manage_template) return true;
    bool composable = is_composable(c);
    slice name = c->ilm && !cfg->template_name_given ? cfg->ilm_alias : cfg->template_name;
    const char *path = path_of(c, composable ? "/_index_template/" : "/_template/", name);
    if (!cfg->opt.template_overwrite) {
        long there = ask(c, "HEAD", path, SLICE_NONE);
        if (there == 0) return false;
        if (is_good(there)) return true;
    }
    es_template_write(c->s, &c->server, composable, c->ilm, &c->text);
    long status = ask(c, "PUT", path, buf_slice(&c->text));
    if (is_good(status))
        log_info(c->s->logger, "installed the index template %.*s", SLICE_FMT(name));
    else
        log_refusal(c, "installing the index template", status);
    return status != 0;
}

/* ---- index lifecycle ----------------------------------------------------------------------------
 */

static bool wants_ilm(struct call *c)
{
    const struct es_cfg *cfg = c->s->cfg;
    if (cfg->is_data_stream || cfg->opt.ilm_enabled == ES_FALSE) return false;
    /* As in Logstash: even when it is set to true, an index of one's own wins over the usual
     * alias. */
    if (!cfg->index_is_default && !cfg->ilm_alias_given) {
        if (cfg->opt.ilm_enabled == ES_TRUE)
            log_warn(c->s->logger, "ilm_enabled has no effect together with index; name the alias "
                                   "to write to in ilm_rollover_alias");
        return false;
    }
    const char *why = c->server.opensearch ? "OpenSearch has no index lifecycle management"
                      : c->server.serverless
                          ? "a serverless project has no index lifecycle management"
                      : c->server.major < 7 ? "it needs Elasticsearch 7"
                                            : NULL;
    if (why == NULL) return true;
    log_line(cfg->opt.ilm_enabled == ES_TRUE ? LOG_ERROR : LOG_INFO, c->s->logger,
             "ilm_enabled has no effect: %s; events go to the index %.*s", why,
             SLICE_FMT(cfg->index.text.text));
    return false;
}

static bool make_alias(struct call *c)
{
    const struct es_cfg *cfg = c->s->cfg;
    long status = ask(c, "HEAD", path_of(c, "/", cfg->ilm_alias), SLICE_NONE);
    if (status == 0 || is_good(status)) return status != 0;
    struct buf target = {0};
    buf_printf(&target, "<%.*s-%.*s>", SLICE_FMT(cfg->ilm_alias), SLICE_FMT(cfg->opt.ilm_pattern));
    c->text.n = 0;
    buf_add_cstr(&c->text, "{\"aliases\":{");
    buf_add_json(&c->text, cfg->ilm_alias);
    buf_add_cstr(&c->text, ":{\"is_write_index\":true}}}");
    status = ask(c, "PUT", path_of(c, "/", buf_slice(&target)), buf_slice(&c->text));
    buf_fini(&target);
    /* 400: somebody else has made it meanwhile. */
    if (!is_good(status) && status != 400) log_refusal(c, "making the rollover alias", status);
    return status != 0;
}

/* Logstash stops its pipeline when a policy other than its own does not exist; here it waits. */
static bool make_policy(struct call *c)
{
    slice policy = c->s->cfg->opt.ilm_policy;
    const char *path = path_of(c, "/_ilm/policy/", policy);
    long status = ask(c, "GET", path, SLICE_NONE);
    if (status == 0 || is_good(status)) return status != 0;
    if (!slice_equal(policy, SLICE("logstash-policy"))) {
        log_error(c->s->logger,
                  "the lifecycle policy %.*s does not exist: events wait until it is made",
                  SLICE_FMT(policy));
        return false;
    }
    status = ask(c, "PUT", path,
                 SLICE("{\"policy\":{\"phases\":{\"hot\":{\"actions\":{\"rollover\":"
                       "{\"max_size\":\"50gb\",\"max_age\":\"30d\"}}}}}}"));
    if (!is_good(status)) log_refusal(c, "making the lifecycle policy", status);
    return status != 0;
}

/* ---- all of it
 * ------------------------------------------------------------------------------------ */

static bool prepare(struct call *c)
{
    if (!meet_any(c)) return false;
    c->ilm = wants_ilm(c);
    if (!install_template(c)) return false;
    if (c->ilm && !(make_alias(c) && make_policy(c))) return false;
    uint64_t known = ES_SERVER_KNOWN | (c->ilm ? ES_SERVER_ILM : 0);
    /* OpenSearch has no types, and its numbers started anew. */
    uint32_t major = c->server.opensearch ? 8 : c->server.major;
    counter_set(&c->s->server, known | (uint64_t)major << ES_SERVER_MAJOR_SHIFT);
    return true;
}

bool es_start(struct es_shared *s)
{
    struct call c = {.s = s};
    c.easy = es_easy_new(s, &c.answer, c.error);
    int64_t pause = s->cfg->opt.resurrect_s > 0 ? s->cfg->opt.resurrect_s * NS_PER_SEC : NS_PER_SEC;
    bool ready = false;
    while (!es_stopping(s) && !(ready = prepare(&c))) {
        log_warn(s->logger, "no server is ready; trying again in %lld s",
                 (long long)(pause / NS_PER_SEC));
        es_pause(s, pause);
    }
    curl_easy_cleanup(c.easy);
    buf_fini(&c.answer);
    buf_fini(&c.text);
    buf_fini(&c.path);
    return ready;
}
