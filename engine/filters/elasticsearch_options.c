/* elasticsearch_options.c - the options of the elasticsearch filter, and what becomes of them. */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/filters/elasticsearch.h"

#define QUERY_FILE_BYTES_MAX (1L << 20)
/* elasticsearch-ruby's pool for one server. */
#define REQUESTS_MAX 100u
#define REQUEST_MS 60000
#define CONNECT_MS 10000
#define IDLE_SEC 10

static const char *const query_types[] = {"dsl", "esql", NULL};

/* ---- servers -------------------------------------------------------------------------------- */

static char *url_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

/* As elasticsearch-ruby reads it: without a port 9200, with https 443. */
static const char *url_server(struct compiler *c, slice text)
{
    CURLU *url = curl_url();
    const char *out = NULL;
    char *host = NULL;
    ASSERT(url != NULL);
    if (curl_url_set(url, CURLUPART_URL, text.p, 0) == CURLUE_OK)
        host = url_part(url, CURLUPART_HOST);
    if (host != NULL) {
        char *scheme = url_part(url, CURLUPART_SCHEME), *port = url_part(url, CURLUPART_PORT);
        char *path = url_part(url, CURLUPART_PATH), *user = url_part(url, CURLUPART_USER);
        char *password = url_part(url, CURLUPART_PASSWORD);
        slice below = slice_from_cstr(path);
        while (below.n > 0 && below.p[below.n - 1] == '/') below.n--;
        out = heap_printf(c->heap, "%s://%s%s%s%s%s:%s%.*s", scheme, user != NULL ? user : "",
                          password != NULL ? ":" : "", password != NULL ? password : "",
                          user != NULL ? "@" : "", host,
                          port != NULL                   ? port
                          : strcmp(scheme, "https") == 0 ? "443"
                                                         : "9200",
                          SLICE_FMT(below))
                  .p;
        curl_free(scheme);
        curl_free(port);
        curl_free(path);
        curl_free(user);
        curl_free(password);
    }
    curl_free(host);
    curl_url_cleanup(url);
    return out;
}

static const char *server_of(struct compiler *c, slice text, bool ssl)
{
    if (slice_starts(text, SLICE("http:/")) || slice_starts(text, SLICE("https:/")))
        return url_server(c, text);
    slice url = heap_printf(c->heap, "%s://%.*s", ssl ? "https" : "http", SLICE_FMT(text));
    CURLU *parsed = curl_url();
    ASSERT(parsed != NULL);
    bool ok = text.n > 0 && curl_url_set(parsed, CURLUPART_URL, url.p, 0) == CURLUE_OK;
    char *port = ok ? url_part(parsed, CURLUPART_PORT) : NULL;
    if (ok && port == NULL) url = heap_printf(c->heap, "%.*s:9200", SLICE_FMT(url));
    curl_free(port);
    curl_url_cleanup(parsed);
    return ok ? url.p : NULL;
}

static err compile_servers(struct look_cfg *cfg, struct compiler *c)
{
    struct http_client_options *o = &cfg->options;
    const char **at = heap_alloc(c->heap, (cfg->hosts.n + 1) * sizeof(*at));
    bool all_https = cfg->hosts.n > 0;
    for (uint32_t i = 0; i < cfg->hosts.n; i++)
        all_https = all_https && slice_starts(cfg->hosts.at[i].text, SLICE("https"));
    if (!settings_given(&c->given, "ssl_enabled")) cfg->ssl = all_https;
    for (uint32_t i = 0; i < cfg->hosts.n; i++) {
        at[i] = server_of(c, cfg->hosts.at[i].text, cfg->ssl);
        if (at[i] != NULL) continue;
        compile_error(c, "hosts", "host, host:port or http(s)://host:port/path",
                      "a host that cannot be understood");
        return ERR_CONFIG;
    }
    o->server = at;
    o->server_n = cfg->hosts.n;
    if (cfg->hosts.n > 0) return ERR_OK;
    compile_error(c, "hosts", "at least one host", "no hosts");
    return ERR_CONFIG;
}

/* ---- who we are ----------------------------------------------------------------------------- */

static void header_add(struct look_cfg *cfg, slice name, slice value)
{
    for (uint32_t i = 0; i < cfg->header_n; i++)
        if (slice_equal_nocase(cfg->header_name[i], name)) {
            cfg->header_value[i] = value;
            return;
        }
    cfg->header_name[cfg->header_n] = name;
    cfg->header_value[cfg->header_n++] = value;
}

static slice api_key_value(struct compiler *c, slice key)
{
    if (slice_find_byte(key, ':') < 0) return heap_printf(c->heap, "ApiKey %.*s", SLICE_FMT(key));
    char *encoded = malloc((size_t)key.n * 2 + 8);
    ASSERT(encoded != NULL);
    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)key.p, (int)key.n);
    slice value = heap_printf(c->heap, "ApiKey %s", encoded);
    free(encoded);
    return value;
}

static err compile_login(struct look_cfg *cfg, struct compiler *c)
{
    struct http_client_options *o = &cfg->options;
    bool by_password = cfg->user.n > 0 || cfg->password.n > 0;
    if (by_password && cfg->api_key.n > 0) {
        compile_error(c, "api_key", "user and password, or api_key",
                      "more than one kind of authentication");
        return ERR_CONFIG;
    }
    if (cfg->user.n > 0 && cfg->password.n == 0) {
        compile_error(c, "user", "a password", "user without password");
        return ERR_CONFIG;
    }
    if (cfg->api_key.n > 0 && !cfg->ssl) {
        compile_error(c, "api_key", "ssl_enabled => true", "an API key needs TLS");
        return ERR_CONFIG;
    }
    o->user = cfg->user.n > 0 ? cfg->user.p : NULL;
    o->password = cfg->password.p;
    return ERR_OK;
}

static err compile_headers(struct look_cfg *cfg, struct compiler *c)
{
    struct config_hash h = cfg->header_pairs;
    cfg->header_name = heap_alloc(c->heap, (h.n + 4) * sizeof(slice));
    cfg->header_value = heap_alloc(c->heap, (h.n + 4) * sizeof(slice));
    header_add(cfg, SLICE("content-type"), SLICE("application/json"));
    header_add(cfg, SLICE("x-elastic-product-origin"), SLICE("logstash-filter-elasticsearch"));
    if (cfg->api_key.n > 0) header_add(cfg, SLICE("authorization"), api_key_value(c, cfg->api_key));
    for (uint32_t i = 0; i < h.n; i++) {
        slice name = h.at[i].key.text, value = h.at[i].val.text;
        bool ok = config_is_scalar(&h.at[i].val) && name.n > 0;
        const char *bad = "\r\n";
        for (uint32_t k = 0; k < 3; k++) /* the NUL, too */
            ok = ok && slice_find_byte(name, bad[k]) < 0 && slice_find_byte(value, bad[k]) < 0;
        if (!ok) {
            compile_error(c, "custom_headers", "texts of one line", "a header that is none");
            return ERR_CONFIG;
        }
        header_add(cfg, name, value);
    }
    return ERR_OK;
}

/* ---- what is copied ------------------------------------------------------------------------- */

/* "[a][b]" leads through maps; any other text is one name. */
static void compile_steps(struct compiler *c, struct look_copy *copy, slice path)
{
    copy->step = heap_alloc(c->heap, (path.n / 2 + 1) * sizeof(slice));
    bool brackets = path.n >= 2 && path.p[0] == '[' && path.p[path.n - 1] == ']';
    slice rest = brackets ? slice_part(path, 1, path.n - 2) : path;
    for (int64_t at; brackets && (at = slice_find(rest, SLICE("]["))) >= 0;) {
        copy->step[copy->step_n++] = slice_part(rest, 0, (uint32_t)at);
        rest = slice_from(rest, (uint32_t)at + 2);
    }
    copy->step[copy->step_n++] = rest;
}

static err compile_copies(struct look_cfg *cfg, struct compiler *c, struct look_copies *out,
                          struct config_hash pairs, bool by_path)
{
    out->at = heap_alloc(c->heap, (pairs.n + 1) * sizeof(*out->at));
    for (uint32_t i = 0; i < pairs.n; i++) {
        struct look_copy *copy = &out->at[out->n++];
        struct fieldref to;
        const struct config_value *val = &pairs.at[i].val;
        slice path = pairs.at[i].key.text;
        if (compile_fieldref(c, &to, val->text, val->pos) != ERR_OK) return ERR_CONFIG;
        copy->to = to;
        if (cfg->has_target && fieldref_join(&copy->to, &cfg->target, &to, c->arena) != ERR_OK) {
            compile_error(c, "target", NULL, "the field's name is too deep");
            return ERR_CONFIG;
        }
        if (by_path) {
            compile_steps(c, copy, path);
        } else {
            copy->step = heap_alloc(c->heap, sizeof(slice));
            copy->step[copy->step_n++] = path;
        }
    }
    return ERR_OK;
}

static err compile_fields(struct look_cfg *cfg, struct compiler *c)
{
    cfg->has_target = cfg->target_text.n > 0;
    if (cfg->has_target &&
        compile_field_option(c, &cfg->target, "target", cfg->target_text) != ERR_OK)
        return ERR_CONFIG;
    err e[] = {
        compile_field_option(c, &cfg->total_hits, "hosts", SLICE("[@metadata][total_hits]")),
        compile_field_option(c, &cfg->total_values, "hosts", SLICE("[@metadata][total_values]")),
        compile_copies(cfg, c, &cfg->fields, cfg->field_pairs, true),
        compile_copies(cfg, c, &cfg->docinfo, cfg->docinfo_pairs, true),
        compile_copies(cfg, c, &cfg->aggregations, cfg->aggregation_pairs, false)};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

/* ---- the query ------------------------------------------------------------------------------ */

static err read_template(struct look_cfg *cfg, struct compiler *c, struct buf *text)
{
    FILE *file = fopen(cfg->template_path.p, "re");
    char part[4096];
    if (file == NULL) {
        compile_error(c, "query_template", "a file", "`%s` cannot be read", cfg->template_path.p);
        return ERR_CONFIG;
    }
    for (size_t n; text->n <= QUERY_FILE_BYTES_MAX && (n = fread(part, 1, sizeof(part), file)) > 0;)
        buf_add(text, part, n);
    fclose(file);
    if (text->n > 0 && text->n <= QUERY_FILE_BYTES_MAX) return ERR_OK;
    compile_error(c, "query_template", "at most 1 MiB of JSON", "template is %s",
                  text->n == 0 ? "empty" : "too long");
    return ERR_CONFIG;
}

static err compile_dsl(struct look_cfg *cfg, struct compiler *c)
{
    struct buf text = {0};
    bool query = cfg->query_text.p != NULL, file = cfg->template_path.p != NULL;
    if (query == file) {
        compile_error(c, query ? "query_template" : NULL, "query => \"...\"",
                      query ? "Both `query` and `query_template` are set. Use either `query` or "
                              "`query_template`."
                            : "Both `query` and `query_template` are empty. Require either `query` "
                              "or `query_template`.");
        return ERR_CONFIG;
    }
    if (settings_given(&c->given, "query_params")) {
        compile_error(c, "query_params", "query_type => \"esql\"",
                      "`query_params` is not allowed when `query_type => 'dsl'`.");
        return ERR_CONFIG;
    }
    cfg->by_template = file;
    if (file && read_template(cfg, c, &text) != ERR_OK) {
        buf_fini(&text);
        return ERR_CONFIG;
    }
    slice kept = file ? heap_dup(c->heap, buf_slice(&text)) : cfg->query_text;
    buf_fini(&text);
    err e = compile_template(c, &cfg->query, kept,
                             settings_pos(c->plugin, file ? "query_template" : "query"));
    err e2 = compile_template(c, &cfg->index, cfg->index_text, settings_pos(c->plugin, "index"));
    return e != ERR_OK ? e : e2;
}

static bool is_word(char ch, bool first)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_' ||
           (!first && ch >= '0' && ch <= '9');
}

static bool param_is_named(slice name)
{
    bool ok = name.n > 0;
    for (uint32_t i = 0; i < name.n; i++)
        ok = ok && is_word(name.p[i], i == 0) && !(name.p[i] >= 'A' && name.p[i] <= 'Z');
    return ok;
}

static err compile_params(struct look_cfg *cfg, struct compiler *c)
{
    struct config_hash h = cfg->param_pairs;
    cfg->param = heap_alloc(c->heap, (h.n + 1) * sizeof(*cfg->param));
    for (uint32_t i = 0; i < h.n; i++) {
        struct look_param *p = &cfg->param[cfg->param_n++];
        const struct config_value *val = &h.at[i].val;
        p->name = h.at[i].key.text;
        if (!param_is_named(p->name)) {
            compile_error(c, "query_params", "names of a-z, 0-9 and _",
                          "Illegal `%.*s` placeholder names in `query_params`", SLICE_FMT(p->name));
            return ERR_CONFIG;
        }
        slice text = val->text;
        p->is_field = val->type == CONFIG_STRING && text.n >= 2 && text.p[0] == '[' &&
                      text.p[text.n - 1] == ']';
        if (p->is_field && compile_fieldref(c, &p->field, text, val->pos) != ERR_OK)
            return ERR_CONFIG;
        struct buf json = {0};
        struct value v = compile_value(c, val);
        value_json(&v, &json);
        p->json = heap_dup(c->heap, buf_slice(&json));
        buf_fini(&json);
    }
    return ERR_OK;
}

static err check_placeholders(struct look_cfg *cfg, struct compiler *c)
{
    slice q = cfg->query_text;
    for (uint32_t i = 0; i + 1 < q.n; i++) {
        uint32_t n = 0;
        if (q.p[i] != '?' || !is_word(q.p[i + 1], true)) continue;
        while (i + 1 + n < q.n && is_word(q.p[i + 1 + n], n == 0)) n++;
        slice name = slice_part(q, i + 1, n);
        bool known = false;
        for (uint32_t k = 0; k < cfg->param_n; k++)
            known = known || slice_equal(cfg->param[k].name, name);
        if (known) continue;
        compile_error(c, "query_params", "a value for each placeholder of the query",
                      "the placeholder %.*s has no value", SLICE_FMT(name));
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static err compile_esql(struct look_cfg *cfg, struct compiler *c)
{
    static const char *const others[] = {
        "index",       "query_template", "sort",  "docinfo_fields", "aggregation_fields",
        "enable_sort", "result_size",    "fields"};
    for (uint32_t i = 0; i < ARRAY_LEN(others); i++)
        if (settings_given(&c->given, others[i])) {
            compile_error(c, others[i], NULL, "`%s` cannot be used with ES|QL queries", others[i]);
            return ERR_CONFIG;
        }
    if (cfg->query_text.n == 0) {
        compile_error(c, "query", "an ES|QL query", "`query` is empty");
        return ERR_CONFIG;
    }
    cfg->esql = true;
    err e = compile_params(cfg, c);
    return e != ERR_OK ? e : check_placeholders(cfg, c);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static err compile_retries(struct look_cfg *cfg, struct compiler *c)
{
    struct config_list list = cfg->retry_status_texts;
    uint16_t *at = heap_alloc(c->heap, (list.n + 1) * sizeof(*at));
    for (uint32_t i = 0; i < list.n; i++) {
        int64_t status;
        if (!slice_to_i64(list.at[i].text, &status) || status < 100 || status > 599) {
            compile_error(c, "retry_on_status", "status codes such as 503", "`%.*s` is none",
                          SLICE_FMT(list.at[i].text));
            return ERR_CONFIG;
        }
        at[i] = (uint16_t)status;
    }
    cfg->options.retry_status = at;
    cfg->options.retry_status_n = list.n;
    cfg->options.retries = (uint32_t)cfg->retries;
    /* A search may be repeated whatever its method. */
    cfg->options.retry_all = cfg->options.retry_any = true;
    return ERR_OK;
}

err look_compile(void *config, struct compiler *c)
{
    struct look_cfg *cfg = config;
    struct http_client_options *o = &cfg->options;
    o->connect_ms = CONNECT_MS;
    o->request_ms = REQUEST_MS;
    o->idle_sec = IDLE_SEC;
    o->keepalive = true;
    o->running_max = REQUESTS_MAX;
    o->proxy = cfg->proxy.n > 0 ? cfg->proxy.p : "";
    err e[] = {compile_servers(cfg, c),
               compile_login(cfg, c),
               compile_headers(cfg, c),
               compile_fields(cfg, c),
               cfg->query_type == 1 ? compile_esql(cfg, c) : compile_dsl(cfg, c),
               compile_retries(cfg, c),
               http_tls_compile(&o->tls, &cfg->tls, c)};
    for (uint32_t i = 0; i < ARRAY_LEN(e); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    cfg->client = http_client_new(o, "spate-es-look");
    if (cfg->client != NULL) return ERR_OK;
    compile_error(c, NULL, NULL, "the filter's thread cannot be started");
    return ERR_CONFIG;
}

void look_release(void *config)
{
    struct look_cfg *cfg = config;
    http_client_free(cfg->client);
    template_fini(&cfg->index);
    template_fini(&cfg->query);
}

#define LOOK_AT(member, kind) SETTING_AT(struct look_cfg, member, kind)

/* clang-format off */
const struct setting look_settings[] = {
    {.name = "hosts", LOOK_AT(hosts, LIST), .default_text = "[\"localhost:9200\"]",
     .doc = "Servers: host, host:port or URL. They take turns; one that cannot be reached is left "
            "out for a minute while there are others."},
    {.name = "index", LOOK_AT(index_text, STRING), .default_text = "",
     .doc = "Indices to search, with commas between them; empty: all. May contain %{field}."},
    {.name = "query_type", LOOK_AT(query_type, ENUM), .choices = query_types, .default_text = "dsl",
     .doc = "Whether `query` is a query string or ES|QL."},
    {.name = "query", LOOK_AT(query_text, STRING),
     .doc = "A query string, which may contain %{field}, or an ES|QL query."},
    {.name = "query_template", LOOK_AT(template_path, STRING),
     .doc = "A file with the request's body in JSON, in place of `query`; may contain %{field}."},
    {.name = "query_params", LOOK_AT(param_pairs, HASH), .default_text = "{}",
     .doc = "Values of the placeholders of an ES|QL query; \"[field]\" is the field's value."},
    {.name = "sort", LOOK_AT(sort, STRING), .default_text = "@timestamp:desc",
     .doc = "Order of what `query` finds: field:direction, with commas between them."},
    {.name = "enable_sort", LOOK_AT(enable_sort, BOOL), .default_text = "true",
     .doc = "Whether to sort at all."},
    {.name = "result_size", LOOK_AT(result_size, INT), .default_text = "1", .min = 0, .max = 10000,
     .doc = "Most documents to find with `query`; of several, each field becomes a list."},
    {.name = "fields", LOOK_AT(field_pairs, HASH), .flags = SETTING_FIELD, .default_text = "{}",
     .doc = "Fields of the documents, and fields of the event to copy them to."},
    {.name = "docinfo_fields", LOOK_AT(docinfo_pairs, HASH), .flags = SETTING_FIELD,
     .default_text = "{}",
     .doc = "The same for what is beside the document: _id, _index ..."},
    {.name = "aggregation_fields", LOOK_AT(aggregation_pairs, HASH), .flags = SETTING_FIELD,
     .default_text = "{}",
     .doc = "The same for aggregations, by name."},
    {.name = "target", LOOK_AT(target_text, STRING), .flags = SETTING_FIELD,
     .doc = "The field that all of these go below; with ES|QL, the field that receives all rows, "
            "where without it the first row goes into the event."},
    {.name = "user", LOOK_AT(user, STRING), .doc = "User name."},
    {.name = "password", LOOK_AT(password, PASSWORD), .doc = "Password."},
    {.name = "api_key", LOOK_AT(api_key, PASSWORD),
     .doc = "API key, id:key or encoded; needs TLS."},
    {.name = "cloud_id", .type = SETTING_STRING, .flags = SETTING_UNSUPPORTED,
     .instead = "Write the URL of the cluster into hosts."},
    {.name = "cloud_auth", .type = SETTING_PASSWORD, .flags = SETTING_UNSUPPORTED,
     .instead = "Use user and password."},
    {.name = "proxy", LOOK_AT(proxy, STRING), .doc = "HTTP proxy; empty: none."},
    {.name = "custom_headers", LOOK_AT(header_pairs, HASH), .default_text = "{}",
     .doc = "Headers to send with every request, also in place of the filter's own."},
    {.name = "retry_on_failure", LOOK_AT(retries, INT), .default_text = "0", .min = 0, .max = 1000,
     .doc = "How often to try again when a request fails."},
    {.name = "retry_on_status", LOOK_AT(retry_status_texts, LIST),
     .default_text = "[500, 502, 503, 504]", .doc = "Statuses that count as failures for that."},
    {.name = "tag_on_failure", LOOK_AT(tags, LIST),
     .default_text = "[\"_elasticsearch_lookup_failure\"]",
     .doc = "Tags for events whose search failed."},
    {.name = "ssl_enabled", LOOK_AT(ssl, BOOL), .old_names = "ssl",
     .doc = "Use TLS for hosts that are no URLs; by default when all hosts say https."},
    HTTP_TLS_SETTINGS(struct look_cfg, tls, "ca_file", NULL, NULL),
    {.name = "ca_trusted_fingerprint", LOOK_AT(tls.fingerprints, LIST),
     .doc = "SHA-256 of a certificate authority to trust, in hex."},
    {0}};
/* clang-format on */
