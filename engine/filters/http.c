/*
 * http.c - asks an HTTP server about each event and puts the answer into it.
 *
 * A batch is parked until its requests are answered; they run at the same time, as many as
 * pool_max_per_route allows (http_client.h). Events of a batch whose GET or HEAD requests are equal
 * share one answer; everything else is sent once per event, in no particular order. State: the
 * request of each event of the parked batch.
 */
#include "engine/base/log.h"
#include "engine/filters/http_client.h"
#include "engine/plan/filter_kit.h"
#include "parsers/json/json_decode.h"
#include "parsers/text/utf8_scrub.h"

static const char *const verbs[] = {"GET", "HEAD", "PATCH", "DELETE", "POST", "PUT", NULL};
static const char *const body_formats[] = {"text", "json", NULL};

/* A value of the configuration whose texts, names included, are templates. */
struct http_text {
    uint8_t type;                  /* enum config_type */
    struct template text;          /* of a string, or a number as it was written */
    struct http_text *name, *item; /* name: of a hash's items */
    uint32_t n;
};

struct http_cfg {
    slice url_text, user, password, target_body, target_headers;
    struct config_hash header_texts, query_texts;
    const struct config_value *body_value, *proxy;
    struct config_list request_tags, json_tags;
    int verb, body_format;
    double request_sec, socket_sec, connect_sec;
    bool follow_redirects, keepalive, retry_all, cookies;
    int64_t pool_max, per_route, retries, validate_ms;
    struct http_tls_options tls;
    /* Compiled. */
    struct template url;
    struct http_text headers, query, body;
    bool has_body, has_content_type;
    struct fieldref body_ref, headers_ref;
    struct http_client_options options;
    struct http_client *client;
};

struct http_state {
    struct lookup_asker *asker;
    void **request; /* of lookup_each: struct http_request */
    struct json_reader reader;
    struct buf text, key;
    uint64_t serial;
    struct log_gate gate;
    struct lookup_counters counters;
};

struct http_run {
    struct http_state *state;
    const struct http_cfg *cfg;
    struct batch *batch;
    struct event *ev;
};

/* ---- requests ------------------------------------------------------------------------------- */

static void json_add(const struct http_text *t, struct http_run *r, struct buf *out)
{
    switch (t->type) {
    case CONFIG_INT:
    case CONFIG_FLOAT: buf_add_slice(out, t->text.text); return;
    case CONFIG_LIST:
        for (uint32_t i = 0; i < t->n; i++) {
            buf_add_byte(out, i == 0 ? '[' : ',');
            json_add(&t->item[i], r, out);
        }
        buf_add_cstr(out, t->n == 0 ? "[]" : "]");
        return;
    case CONFIG_HASH:
        for (uint32_t i = 0; i < t->n; i++) {
            buf_add_byte(out, i == 0 ? '{' : ',');
            json_add(&t->name[i], r, out);
            buf_add_byte(out, ':');
            json_add(&t->item[i], r, out);
        }
        buf_add_cstr(out, t->n == 0 ? "{}" : "}");
        return;
    default: buf_add_json(out, template_render(&t->text, r->batch, r->ev, NULL)); return;
    }
}

static slice scalar(const struct http_text *t, struct http_run *r)
{
    return template_render(&t->text, r->batch, r->ev, NULL);
}

static void parameter_add(struct buf *url, slice name, slice value)
{
    buf_add_byte(url, slice_find_byte(buf_slice(url), '?') < 0 ? '?' : '&');
    http_escape(url, name);
    buf_add_byte(url, '=');
    http_escape(url, value);
}

static void query_add(const struct http_text *t, struct http_run *r, struct buf *url)
{
    for (uint32_t i = 0; i < t->n; i++) {
        slice name = arena_copy(&r->batch->arena, scalar(&t->name[i], r));
        const struct http_text *item = &t->item[i];
        if (item->type != CONFIG_LIST) parameter_add(url, name, scalar(item, r));
        for (uint32_t k = 0; item->type == CONFIG_LIST && k < item->n; k++)
            parameter_add(url, name, scalar(&item->item[k], r));
    }
}

static bool headers_add(struct http_run *r, struct http_request *q)
{
    const struct http_text *t = &r->cfg->headers;
    bool ok = true;
    for (uint32_t i = 0; i < t->n; i++) {
        slice name = arena_copy(&r->batch->arena, scalar(&t->name[i], r));
        ok = http_request_header(q, name, scalar(&t->item[i], r)) && ok;
    }
    if (r->cfg->has_content_type) return ok;
    return http_request_header(q, SLICE("content-type"),
                               r->cfg->body_format == 1 ? SLICE("application/json")
                                                        : SLICE("text/plain")) &&
           ok;
}

static struct http_request *request_make(struct http_run *r)
{
    const struct http_cfg *cfg = r->cfg;
    struct http_request *q = http_request_new(cfg->client, verbs[cfg->verb]);
    template_add(&cfg->url, r->batch, r->ev, &q->url, NULL);
    query_add(&cfg->query, r, &q->url);
    q->has_body = cfg->has_body;
    bool structure = cfg->body.type == CONFIG_LIST || cfg->body.type == CONFIG_HASH;
    if (cfg->has_body && structure)
        json_add(&cfg->body, r, &q->body);
    else if (cfg->has_body)
        buf_add_slice(&q->body, scalar(&cfg->body, r));
    if (headers_add(r, q) && slice_find_byte(buf_slice(&q->url), 0) < 0) return q;
    http_request_free(q);
    return NULL;
}

/* What makes two requests equal; a serial number when they never are. */
static slice key_make_of(struct http_run *r, const struct http_request *q)
{
    struct buf *key = &r->state->key;
    key->n = 0;
    if (r->cfg->verb > 1) {
        r->state->serial++;
        buf_add(key, &r->state->serial, sizeof(r->state->serial));
        return buf_slice(key);
    }
    buf_add_slice(key, buf_slice(&q->url));
    for (const struct curl_slist *h = q->headers; h != NULL; h = h->next) {
        buf_add_byte(key, '\n');
        buf_add_cstr(key, h->data);
    }
    buf_add_byte(key, 0);
    buf_add_slice(key, buf_slice(&q->body));
    return buf_slice(key);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void put(struct http_run *r, const struct fieldref *ref, struct value val)
{
    if (event_put(r->batch, r->ev, ref, val) != ERR_OK) counter_add(&r->state->counters.errors, 1);
}

static slice lower(struct arena *arena, slice name)
{
    char *out = arena_alloc(arena, name.n + 1, 1);
    for (uint32_t i = 0; i < name.n; i++)
        out[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    return slice_make(out, name.n);
}

/* A header that comes several times is a list. */
static void header_take(struct arena *arena, struct map *map, slice name, slice text)
{
    struct key key = key_make(arena, utf8_scrub(lower(arena, name), arena));
    struct value val = value_string(arena_copy(arena, utf8_scrub(text, arena)));
    struct member *m = map_find(map, key.name, key.hash);
    if (m == NULL) {
        map_append(map, arena, key, val);
        return;
    }
    uint32_t n = m->val.type == VALUE_LIST ? m->val.n : 1;
    struct value *items = arena_alloc(arena, ((size_t)n + 1) * sizeof(*items), 16);
    memcpy(items, m->val.type == VALUE_LIST ? m->val.u.list : &m->val, n * sizeof(*items));
    items[n] = val;
    map_put(map, arena, key, value_list(items, n + 1));
}

static struct value headers_value(struct http_run *r, const struct http_request *q, slice *type)
{
    struct arena *arena = &r->batch->arena;
    struct map *map = map_new(arena);
    uint32_t at = 0;
    slice name, value;
    *type = SLICE_NONE;
    while (http_header_next(q, &at, &name, &value)) {
        header_take(arena, map, name, value);
        if (slice_equal_nocase(name, SLICE("content-type"))) *type = value;
    }
    int64_t end = slice_find_byte(*type, ';');
    if (end >= 0) type->n = (uint32_t)end;
    return value_map(map);
}

static void body_take(struct http_run *r, const struct http_request *q, slice type)
{
    struct arena *arena = &r->batch->arena;
    struct value val = value_nil();
    slice body = buf_slice(&q->answer);
    if (!slice_equal(type, SLICE("application/json"))) {
        put(r, &r->cfg->body_ref,
            value_string(utf8_scrub(arena_copy(arena, slice_trim(body)), arena)));
        return;
    }
    int64_t n = json_decode_copy(&r->state->reader, body, JSON_FIRST, arena, &val);
    if (n >= 0 || n == JSON_BLANK)
        put(r, &r->cfg->body_ref, n >= 0 ? val : value_nil());
    else
        event_tag_list(r->batch, r->ev, r->cfg->json_tags);
}

static void failed(struct http_run *r, struct http_request *q)
{
    uint64_t held;
    struct http_state *s = r->state;
    event_tag_list(r->batch, r->ev, r->cfg->request_tags);
    if (q != NULL && q->noted) return;
    counter_add(
        q != NULL && q->outcome == HTTP_TIMED_OUT ? &s->counters.timeouts : &s->counters.errors, 1);
    if (!log_gate_open(&s->gate, &held)) return;
    if (q == NULL)
        log_error("filters.http", "a request that cannot be sent (%llu more since the last report)",
                  (unsigned long long)held);
    else if (q->outcome == HTTP_ANSWERED)
        log_error("filters.http", "%s answered %ld (%llu more since the last report)", q->url.data,
                  q->status, (unsigned long long)held);
    else
        log_error("filters.http", "%s: %s (%llu more since the last report)", q->url.data, q->error,
                  (unsigned long long)held);
}

static bool answer_take(struct http_run *r, struct http_request *q)
{
    bool ok = q != NULL && q->outcome == HTTP_ANSWERED && q->status >= 200 && q->status <= 299;
    if (!ok) failed(r, q);
    if (q != NULL) q->noted = true;
    if (!ok) return false;
    slice type;
    put(r, &r->cfg->headers_ref, headers_value(r, q, &type));
    if (strcmp(q->method, "HEAD") != 0) body_take(r, q, type);
    return true;
}

/* ---- batches -------------------------------------------------------------------------------- */

/* Stands for a request that cannot be made. */
static struct http_request impossible;

static void *ask(void *run, struct event *ev)
{
    struct http_run *r = run;
    r->ev = ev;
    struct http_request *q = request_make(r);
    if (q == NULL) return &impossible;
    return http_ask(r->state->asker, &r->state->counters, q, key_make_of(r, q));
}

static enum applied http_apply(void *state, const void *config, struct batch *b,
                               const struct sel *in, struct sel *hit, struct plan_run *run)
{
    struct http_state *s = state;
    struct http_run r = {.state = s, .cfg = config, .batch = b};
    (void)run;
    if (lookup_each(s->asker, &s->counters, b, in, &s->request, ask, &r) == APPLY_PARKED)
        return APPLY_PARKED;
    for (uint32_t i = 0; i < in->n; i++) {
        r.ev = &b->event[in->at[i]];
        if (answer_take(&r, s->request[i] == &impossible ? NULL : s->request[i]))
            sel_add(hit, in->at[i]);
    }
    s->request = NULL;
    lookup_end(s->asker);
    return APPLIED;
}

static err http_start(void *state, const void *config, struct worker *worker)
{
    struct http_state *s = state;
    (void)config;
    s->asker = lookup_join(worker);
    json_reader_init(&s->reader);
    return ERR_OK;
}

static void http_stop(void *state, const void *cfg)
{
    struct http_state *s = state;
    (void)cfg;
    lookup_leave(s->asker);
    json_reader_fini(&s->reader);
    buf_fini(&s->text);
    buf_fini(&s->key);
}

static void http_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    lookup_stats(&((const struct http_state *)state)->counters, out);
}

/* ---- configuration -------------------------------------------------------------------------- */

static err compile_text(struct compiler *c, struct http_text *out, const struct config_value *v)
{
    err e = ERR_OK;
    *out = (struct http_text){.type = v->type, .n = v->n};
    if (v->type != CONFIG_LIST && v->type != CONFIG_HASH) {
        out->n = 0;
        return compile_template(c, &out->text, v->text, v->pos);
    }
    out->item = heap_alloc(c->heap, (v->n + 1) * sizeof(*out->item));
    if (v->type == CONFIG_HASH) out->name = heap_alloc(c->heap, (v->n + 1) * sizeof(*out->name));
    for (uint32_t i = 0; e == ERR_OK && i < v->n; i++) {
        if (v->type == CONFIG_HASH) e = compile_text(c, &out->name[i], &v->u.pairs[i].key);
        if (e == ERR_OK)
            e = compile_text(c, &out->item[i],
                             v->type == CONFIG_HASH ? &v->u.pairs[i].val : &v->u.list[i]);
        /* A number is a name as it is written. */
        if (v->type == CONFIG_HASH) out->name[i].type = CONFIG_STRING;
    }
    return e;
}

static void text_release(struct http_text *t)
{
    template_fini(&t->text);
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->name != NULL) text_release(&t->name[i]);
        text_release(&t->item[i]);
    }
}

static err compile_pairs(struct compiler *c, const char *option, struct http_text *out,
                         struct config_hash hash, bool lists)
{
    struct config_value v = {
        .type = CONFIG_HASH, .n = hash.n, .u.pairs = (void *)(uintptr_t)hash.at};
    for (uint32_t i = 0; i < hash.n; i++) {
        const struct config_value *val = &hash.at[i].val;
        bool ok = config_is_scalar(val) || (lists && val->type == CONFIG_LIST);
        for (uint32_t k = 0; ok && val->type == CONFIG_LIST && k < val->n; k++)
            ok = config_is_scalar(&val->u.list[k]);
        if (ok) continue;
        compile_error(c, option, "texts", "`%.*s` is no text", SLICE_FMT(hash.at[i].key.text));
        return ERR_CONFIG;
    }
    return compile_text(c, out, &v);
}

static err compile_body(struct http_cfg *cfg, struct compiler *c)
{
    if (cfg->body_value == NULL) return ERR_OK;
    cfg->has_body = true;
    if (cfg->body_format == 0 && !config_is_scalar(cfg->body_value)) {
        compile_error(c, "body", "a text, or body_format => \"json\"",
                      "a body of the format text is one text");
        return ERR_CONFIG;
    }
    return compile_text(c, &cfg->body, cfg->body_value);
}

static slice proxy_part(const struct config_value *v, const char *name)
{
    struct config_hash hash = {v->u.pairs, v->n};
    const struct config_value *part = config_hash_get(hash, slice_from_cstr(name));
    return part == NULL || !config_is_scalar(part) ? SLICE_NONE : part->text;
}

static err compile_proxy(struct http_cfg *cfg, struct compiler *c)
{
    struct http_client_options *o = &cfg->options;
    const struct config_value *v = cfg->proxy;
    o->proxy = "";
    if (v == NULL) return ERR_OK;
    if (config_is_scalar(v)) {
        o->proxy = v->text.p;
        return ERR_OK;
    }
    slice url = SLICE_NONE, host = SLICE_NONE, port, scheme;
    if (v->type == CONFIG_HASH) {
        url = proxy_part(v, "url");
        host = proxy_part(v, "host");
        port = proxy_part(v, "port");
        scheme = proxy_part(v, "scheme");
        o->proxy_user = proxy_part(v, "user").p;
        o->proxy_password = proxy_part(v, "password").p;
    }
    if (url.n > 0) {
        o->proxy = url.p;
    } else if (host.n > 0) {
        if (scheme.n == 0) scheme = SLICE("http");
        if (port.n == 0) port = SLICE("80");
        o->proxy = heap_printf(c->heap, "%.*s://%.*s:%.*s", SLICE_FMT(scheme), SLICE_FMT(host),
                               SLICE_FMT(port))
                       .p;
    } else {
        compile_error(c, "proxy", "a URL, or a hash with url or host and port",
                      "the proxy has no address");
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static int64_t ms_of(double sec)
{
    return sec <= 0 ? 0 : sec > 86400 ? 86400000 : sec < 0.001 ? 1 : (int64_t)(sec * 1000);
}

static err compile_client(struct http_cfg *cfg, struct compiler *c)
{
    struct http_client_options *o = &cfg->options;
    int64_t running = cfg->per_route < cfg->pool_max ? cfg->per_route : cfg->pool_max;
    o->connect_ms = ms_of(cfg->connect_sec);
    o->request_ms = ms_of(cfg->request_sec);
    o->idle_sec = (ms_of(cfg->socket_sec) + 999) / 1000;
    o->follow_redirects = cfg->follow_redirects;
    o->keepalive = cfg->keepalive;
    o->cookies = cfg->cookies;
    o->running_max = (uint32_t)running;
    o->retries = (uint32_t)cfg->retries;
    o->retry_all = cfg->retry_all;
    if (cfg->user.p != NULL && cfg->password.n == 0) {
        compile_error(c, "user", "a password", "user without password");
        return ERR_CONFIG;
    }
    o->user = cfg->user.p;
    o->password = cfg->password.p;
    if (compile_proxy(cfg, c) != ERR_OK || http_tls_compile(&o->tls, &cfg->tls, c) != ERR_OK)
        return ERR_CONFIG;
    cfg->client = http_client_new(o, "spate-http");
    if (cfg->client != NULL) return ERR_OK;
    compile_error(c, NULL, NULL, "the filter's thread cannot be started");
    return ERR_CONFIG;
}

static err http_compile(void *config, struct compiler *c)
{
    struct http_cfg *cfg = config;
    bool ecs = compiler_is_ecs(c);
    slice body = cfg->target_body, headers = cfg->target_headers;
    if (body.p == NULL) body = ecs ? SLICE("[http][response][body][content]") : SLICE("[body]");
    if (headers.p == NULL)
        headers = ecs ? SLICE("[@metadata][filter][http][response][headers]") : SLICE("[headers]");
    for (uint32_t i = 0; i < cfg->header_texts.n; i++)
        if (slice_equal_nocase(cfg->header_texts.at[i].key.text, SLICE("content-type")))
            cfg->has_content_type = true;
    err e[] = {
        compile_template(c, &cfg->url, cfg->url_text, settings_pos(c->plugin, "url")),
        compile_pairs(c, "headers", &cfg->headers, cfg->header_texts, false),
        compile_pairs(c, "query", &cfg->query, cfg->query_texts, true),
        compile_body(cfg, c),
        compile_field_option(c, &cfg->body_ref, "target_body", body),
        compile_field_option(c, &cfg->headers_ref, "target_headers", headers),
    };
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return compile_client(cfg, c);
}

static void http_release(void *config)
{
    struct http_cfg *cfg = config;
    http_client_free(cfg->client);
    template_fini(&cfg->url);
    text_release(&cfg->headers);
    text_release(&cfg->query);
    text_release(&cfg->body);
}

#define HTTP_AT(member, kind) SETTING_AT(struct http_cfg, member, kind)

/* clang-format off */
static const struct setting http_settings[] = {
    {.name = "url", HTTP_AT(url_text, STRING), .flags = SETTING_REQUIRED,
     .doc = "Where to send the request; may contain %{field}."},
    {.name = "verb", HTTP_AT(verb, ENUM), .choices = verbs, .default_text = "GET",
     .doc = "Method of the request. Equal GET and HEAD requests of a batch are sent once."},
    {.name = "headers", HTTP_AT(header_texts, HASH), .default_text = "{}",
     .doc = "Headers to send; names and values may contain %{field}."},
    {.name = "query", HTTP_AT(query_texts, HASH), .default_text = "{}",
     .doc = "Parameters to add to the URL, encoded; names and values may contain %{field}."},
    {.name = "body", HTTP_AT(body_value, ANY),
     .doc = "What to send: a text, or with body_format json a hash or list; all texts in it may "
            "contain %{field}."},
    {.name = "body_format", HTTP_AT(body_format, ENUM), .choices = body_formats,
     .default_text = "text", .doc = "Whether the body is sent as text/plain or application/json."},
    {.name = "target_body", HTTP_AT(target_body, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives the body of the answer, parsed when it is JSON; by default "
            "[body], with ECS names [http][response][body][content]."},
    {.name = "target_headers", HTTP_AT(target_headers, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives the headers of the answer; by default [headers], with ECS "
            "names [@metadata][filter][http][response][headers]."},
    {.name = "tag_on_request_failure", HTTP_AT(request_tags, LIST),
     .default_text = "[\"_httprequestfailure\"]",
     .doc = "Tags for events whose request failed or was answered with a status other than 2xx."},
    {.name = "tag_on_json_failure", HTTP_AT(json_tags, LIST),
     .default_text = "[\"_jsonparsefailure\"]",
     .doc = "Tags for events whose answer says that it is JSON and is not."},
    {.name = "user", HTTP_AT(user, STRING), .doc = "User name."},
    {.name = "password", HTTP_AT(password, PASSWORD), .doc = "Password."},
    {.name = "request_timeout", HTTP_AT(request_sec, FLOAT), .default_text = "60",
     .doc = "Seconds a request may take in all."},
    {.name = "socket_timeout", HTTP_AT(socket_sec, FLOAT), .default_text = "10",
     .doc = "Seconds to wait for more data."},
    {.name = "connect_timeout", HTTP_AT(connect_sec, FLOAT), .default_text = "10",
     .doc = "Seconds to wait for a connection."},
    {.name = "follow_redirects", HTTP_AT(follow_redirects, BOOL), .default_text = "true",
     .doc = "Go where a server sends GET and HEAD requests."},
    {.name = "pool_max", HTTP_AT(pool_max, INT), .default_text = "50", .min = 1, .max = 65535,
     .doc = "Most connections."},
    {.name = "pool_max_per_route", HTTP_AT(per_route, INT), .default_text = "25", .min = 1,
     .max = 65535, .doc = "Most connections to one server. The lesser of both is how many requests "
     "run at a time."},
    {.name = "keepalive", HTTP_AT(keepalive, BOOL), .default_text = "true",
     .doc = "Use connections again."},
    {.name = "validate_after_inactivity", HTTP_AT(validate_ms, INT), .default_text = "200",
     .doc = "Milliseconds after which an idle connection is looked at before it is used again. "
            "Each is looked at every time, which is never later than this says."},
    {.name = "automatic_retries", HTTP_AT(retries, INT), .default_text = "1", .min = 0, .max = 1000,
     .doc = "How often to send a request again whose connection ended before the answer."},
    {.name = "retry_non_idempotent", HTTP_AT(retry_all, BOOL), .default_text = "false",
     .doc = "Send POST and PATCH requests again, too."},
    {.name = "cookies", HTTP_AT(cookies, BOOL), .default_text = "true",
     .doc = "Send cookies back."},
    {.name = "proxy", HTTP_AT(proxy, ANY),
     .doc = "An HTTP proxy: a URL, or a hash with url, or host, port and scheme, and maybe user "
            "and password."},
    HTTP_TLS_SETTINGS(struct http_cfg, tls, "cacert", "client_cert", "client_key"),
    {.name = "keystore_type", .flags = SETTING_OBSOLETE, .type = SETTING_STRING,
     .instead = "Use ssl_keystore_type; only PKCS#12 can be read."},
    {.name = "truststore_type", .flags = SETTING_OBSOLETE, .type = SETTING_STRING,
     .instead = "Use ssl_truststore_type; only PKCS#12 can be read."},
    {0}};
/* clang-format on */

const struct filter_ops filter_http = {
    .name = "http",
    .doc = "Asks an HTTP server about each event.",
    .flags = FILTER_WAITS,
    .settings = http_settings,
    .cfg_size = sizeof(struct http_cfg),
    .state_size = sizeof(struct http_state),
    .compile = http_compile,
    .release = http_release,
    .start = http_start,
    .apply = http_apply,
    .stop = http_stop,
    .stats = http_stats,
};
