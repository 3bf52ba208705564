/*
 * elasticsearch_hosts.c - servers, credentials, paths and headers from the options.
 *
 * A host is written as host, host:port, [v6]:port, //host or URL; path and query may follow.
 * Without a port it is 9200, for https too. cloud_id is
 * LABEL:BASE64(domain[:port]$es[:port]$kibana).
 */
#include "engine/outputs/elasticsearch.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "engine/base/assert.h"

struct parts {
    slice scheme, user, password, host, port, path, query;
};

static bool is_port(slice text)
{
    int64_t port;
    return slice_to_i64(text, &port) && port >= 1 && port <= 65535;
}

/* RFC 3986 section 3, as far as hosts need it. */
static bool split_url(slice text, struct parts *out)
{
    *out = (struct parts){0};
    int64_t at = slice_find(text, SLICE("://"));
    if (at >= 0) {
        out->scheme = slice_part(text, 0, (uint32_t)at);
        text = slice_from(text, (uint32_t)at + 3);
    } else if (slice_starts(text, SLICE("//"))) {
        text = slice_from(text, 2);
    }
    if ((at = slice_find_byte(text, '?')) >= 0) {
        out->query = slice_from(text, (uint32_t)at + 1);
        text = slice_part(text, 0, (uint32_t)at);
    }
    if ((at = slice_find_byte(text, '/')) >= 0) {
        out->path = slice_from(text, (uint32_t)at);
        text = slice_part(text, 0, (uint32_t)at);
    }
    for (at = (int64_t)text.n - 1; at >= 0 && text.p[at] != '@'; at--) continue;
    if (at >= 0) {
        slice login = slice_part(text, 0, (uint32_t)at);
        text = slice_from(text, (uint32_t)at + 1);
        at = slice_find_byte(login, ':');
        out->user = at < 0 ? login : slice_part(login, 0, (uint32_t)at);
        if (at >= 0) out->password = slice_from(login, (uint32_t)at + 1);
    }
    if (text.n > 0 && text.p[0] == '[') {
        if ((at = slice_find_byte(text, ']')) < 0) return false;
        out->host = slice_part(text, 0, (uint32_t)at + 1);
        text = slice_from(text, (uint32_t)at + 1);
    } else {
        at = slice_find_byte(text, ':');
        out->host = at < 0 ? text : slice_part(text, 0, (uint32_t)at);
        text = slice_from(text, out->host.n);
    }
    if (text.n > 0) {
        if (text.p[0] != ':') return false;
        out->port = slice_from(text, 1);
        if (!is_port(out->port)) return false;
    }
    while (out->path.n > 0 && out->path.p[out->path.n - 1] == '/') out->path.n--;
    return out->host.n > 0 &&
           (out->scheme.n == 0 || slice_equal_nocase(out->scheme, SLICE("http")) ||
            slice_equal_nocase(out->scheme, SLICE("https")));
}

/* %40 and the like in user and password. */
static const char *keep_decoded(struct compiler *c, slice text)
{
    if (text.p == NULL) return NULL;
    int n = 0;
    char *plain = curl_easy_unescape(NULL, text.p, (int)text.n, &n);
    const char *kept = es_keep(c, slice_make(plain, (size_t)n));
    curl_free(plain);
    return kept;
}

static const char *keep_path(struct compiler *c, slice path)
{
    while (path.n > 0 && path.p[path.n - 1] == '/') path.n--;
    if (path.n == 0) return "";
    return es_keep_printf(c, "%s%.*s", path.p[0] == '/' ? "" : "/", SLICE_FMT(path));
}

static err add_host(struct es_cfg *cfg, struct compiler *c, slice text)
{
    struct parts p;
    const struct es_options *o = &cfg->opt;
    if (!split_url(text, &p)) {
        compile_error(c, "hosts", "host, host:port or http(s)://host:port/path",
                      "a host that cannot be understood");
        return ERR_CONFIG;
    }
    bool ssl_given = settings_given(&c->given, "ssl_enabled");
    bool https = p.scheme.n == 5;
    if (ssl_given && p.scheme.n > 0 && https != o->ssl) {
        compile_error(c, "ssl_enabled", "hosts with the same scheme",
                      "ssl_enabled => %s contradicts the host's scheme", o->ssl ? "true" : "false");
        return ERR_CONFIG;
    }
    if (p.scheme.n == 0) https = o->ssl;
    if (o->path.n > 0 && p.path.n > 0) {
        compile_error(c, "path", NULL, "both `path` and a host's URL have a path");
        return ERR_CONFIG;
    }
    struct es_host *h = &cfg->host[cfg->host_n++];
    h->url = es_keep_printf(c, "%s://%.*s:%.*s%s", https ? "https" : "http", SLICE_FMT(p.host),
                            SLICE_FMT(p.port.n > 0 ? p.port : SLICE("9200")),
                            keep_path(c, p.path.n > 0 ? p.path : o->path));
    h->query = es_keep_printf(c, "%s%.*s", p.query.n > 0 ? "?" : "", SLICE_FMT(p.query));
    h->user = keep_decoded(c, p.user);
    h->password = keep_decoded(c, p.password);
    return ERR_OK;
}

static bool decode_base64(slice in, struct buf *out)
{
    buf_room(out, in.n + 4);
    while (in.n > 0 && in.p[in.n - 1] == '=') in.n--;
    struct buf padded = {0};
    buf_add_slice(&padded, in);
    while (padded.n % 4 != 0) buf_add_byte(&padded, '=');
    int n = EVP_DecodeBlock((unsigned char *)out->data, (const unsigned char *)padded.data,
                            (int)padded.n);
    if (n >= 0) out->n = (size_t)n - (padded.n - in.n);
    buf_fini(&padded);
    return n >= 0;
}

static slice cut(slice *text, char at)
{
    int64_t end = slice_find_byte(*text, at);
    slice head = slice_part(*text, 0, end < 0 ? text->n : (uint32_t)end);
    *text = slice_from(*text, head.n + (end < 0 ? 0 : 1));
    return head;
}

static err cloud_host(struct es_cfg *cfg, struct compiler *c)
{
    slice id = cfg->opt.cloud_id;
    uint32_t at = id.n; /* the label may have colons itself */
    while (at > 0 && id.p[at - 1] != ':') at--;
    struct buf plain = {0};
    bool ok = decode_base64(slice_from(id, at), &plain);
    slice text = buf_slice(&plain);
    slice domain = cut(&text, '$'), server = cut(&text, '$');
    slice name = cut(&domain, ':'), server_name = cut(&server, ':');
    slice port = server.n > 0 ? server : domain.n > 0 ? domain : SLICE("443");
    ok = ok && name.n > 0 && server_name.n > 0 && is_port(port);
    if (ok) {
        struct es_host *h = &cfg->host[cfg->host_n++];
        h->url = es_keep_printf(c, "https://%.*s.%.*s:%.*s", SLICE_FMT(server_name),
                                SLICE_FMT(name), SLICE_FMT(port));
        h->query = "";
    } else {
        compile_error(c, "cloud_id", "the Cloud ID as the console shows it",
                      "the Cloud ID cannot be decoded");
    }
    buf_fini(&plain);
    return ok ? ERR_OK : ERR_CONFIG;
}

static err compile_list(struct es_cfg *cfg, struct compiler *c)
{
    struct config_list hosts = cfg->opt.hosts;
    cfg->host = heap_alloc(c->heap, (hosts.n + 1) * sizeof(*cfg->host));
    memset(cfg->host, 0, (hosts.n + 1) * sizeof(*cfg->host));
    if (cfg->opt.cloud_id.n > 0) {
        if (!settings_given(&c->given, "hosts")) return cloud_host(cfg, c);
        compile_error(c, "cloud_id", NULL, "hosts and cloud_id exclude each other");
        return ERR_CONFIG;
    }
    if (hosts.n == 0 || hosts.n > ES_HOSTS_MAX) {
        compile_error(c, "hosts", "1 to 256 hosts", "%u hosts", hosts.n);
        return ERR_CONFIG;
    }
    for (uint32_t i = 0; i < hosts.n; i++)
        if (add_host(cfg, c, hosts.at[i].text) != ERR_OK) return ERR_CONFIG;
    for (uint32_t i = 1; i < cfg->host_n; i++)
        if (strncmp(cfg->host[i].url, cfg->host[0].url, 6) != 0) {
            compile_error(c, "hosts", "all http or all https", "hosts with different schemes");
            return ERR_CONFIG;
        }
    return ERR_OK;
}

/* ---- who we are ----------------------------------------------------------------------- */

static const char *api_key_header(struct compiler *c, slice key)
{
    if (slice_find_byte(key, ':') < 0)
        return es_keep_printf(c, "Authorization: ApiKey %.*s", SLICE_FMT(key));
    char *encoded = malloc(key.n * 2 + 8);
    ASSERT(encoded != NULL);
    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)key.p, (int)key.n);
    const char *header = es_keep_printf(c, "Authorization: ApiKey %s", encoded);
    free(encoded);
    return header;
}

static err compile_login(struct es_cfg *cfg, struct compiler *c)
{
    const struct es_options *o = &cfg->opt;
    int ways = (o->user.n > 0 || o->password.n > 0) + (o->api_key.n > 0) + (o->cloud_auth.n > 0);
    if (ways > 1) {
        compile_error(c, o->api_key.n > 0 ? "api_key" : "cloud_auth",
                      "one of user and password, api_key, cloud_auth",
                      "more than one kind of authentication");
        return ERR_CONFIG;
    }
    if (o->user.n > 0 && o->password.n == 0) {
        compile_error(c, "user", "a password", "user without password");
        return ERR_CONFIG;
    }
    cfg->user = es_keep(c, o->user);
    cfg->password = es_keep(c, o->password);
    if (o->cloud_auth.n > 0) {
        slice rest = o->cloud_auth, user = cut(&rest, ':');
        if (rest.n == 0) {
            compile_error(c, "cloud_auth", "user:password", "cloud_auth has no password");
            return ERR_CONFIG;
        }
        cfg->user = es_keep(c, user);
        cfg->password = es_keep(c, rest);
    }
    if (o->api_key.n == 0) return ERR_OK;
    if (cfg->host_n > 0 && strncmp(cfg->host[0].url, "https", 5) != 0) {
        compile_error(c, "api_key", "ssl_enabled => true", "an API key needs TLS");
        return ERR_CONFIG;
    }
    cfg->api_key_header = api_key_header(c, o->api_key);
    return ERR_OK;
}

/* ---- paths, parameters, headers --------------------------------------------------------- */

static void add_parameter(struct buf *out, slice name, slice value)
{
    char *a = curl_easy_escape(NULL, name.p, (int)name.n);
    char *b = curl_easy_escape(NULL, value.n > 0 ? value.p : "", (int)value.n);
    buf_printf(out, "%c%s=%s", out->n == 0 ? '?' : '&', a, value.n > 0 ? b : "");
    curl_free(a);
    curl_free(b);
}

void es_query_join(struct buf *url, const char *query)
{
    if (query[0] == 0) return;
    bool first = slice_find_byte(buf_slice(url), '?') < 0;
    buf_printf(url, "%c%s", first ? '?' : '&', query + 1);
}

/* The query of bulk requests: what bulk_path brings along, the parameters, and, unless one of them
 * chooses for itself, only those parts of the answer that are looked at. */
static void compile_bulk(struct es_cfg *cfg, struct compiler *c, slice parameters)
{
    slice query = cfg->opt.bulk_path, path = cut(&query, '?');
    struct buf all = {0};
    cfg->bulk_path = path.n > 0 ? keep_path(c, path) : "/_bulk";
    if (query.n > 0) buf_printf(&all, "?%.*s", SLICE_FMT(query));
    if (parameters.n > 0)
        buf_printf(&all, "%c%.*s", all.n == 0 ? '?' : '&', SLICE_FMT(slice_from(parameters, 1)));
    if (slice_find(buf_slice(&all), SLICE("filter_path=")) < 0)
        buf_printf(&all, "%cfilter_path=errors,items.*.error,items.*.status",
                   all.n == 0 ? '?' : '&');
    cfg->bulk_query = es_keep(c, buf_slice(&all));
    buf_fini(&all);
}

static void compile_paths(struct es_cfg *cfg, struct compiler *c)
{
    const struct es_options *o = &cfg->opt;
    struct buf query = {0};
    for (uint32_t i = 0; i < o->parameters.n; i++)
        add_parameter(&query, o->parameters.at[i].key.text, o->parameters.at[i].val.text);
    cfg->query = es_keep_printf(c, "%.*s", (int)query.n, query.n > 0 ? query.data : "");
    compile_bulk(cfg, c, buf_slice(&query));
    buf_fini(&query);
    cfg->health_path = o->healthcheck_path.n > 0 ? keep_path(c, o->healthcheck_path) : "/";
    if (cfg->health_path[0] == 0) cfg->health_path = "/";
    cfg->sniff_path = o->sniffing_path.n > 0 ? keep_path(c, o->sniffing_path) : "/_nodes/http";
    cfg->proxy = o->proxy.n > 0 ? es_keep(c, o->proxy) : "";
}

static bool has_line_break(slice text)
{
    return slice_find_byte(text, '\n') >= 0 || slice_find_byte(text, '\r') >= 0;
}

static err compile_headers(struct es_cfg *cfg, struct compiler *c)
{
    struct config_hash h = cfg->opt.custom_headers;
    cfg->header = heap_alloc(c->heap, (h.n + 1) * sizeof(*cfg->header));
    for (uint32_t i = 0; i < h.n; i++) {
        slice name = h.at[i].key.text, value = h.at[i].val.text;
        if (has_line_break(name) || has_line_break(value)) {
            compile_error(c, "custom_headers", "texts of one line", "a header with a line break");
            return ERR_CONFIG;
        }
        cfg->header[cfg->header_n++] =
            value.n > 0 ? es_keep_printf(c, "%.*s: %.*s", SLICE_FMT(name), SLICE_FMT(value))
                        : es_keep_printf(c, "%.*s;", SLICE_FMT(name));
    }
    return ERR_OK;
}

err es_compile_hosts(struct es_cfg *cfg, struct compiler *c)
{
    if (compile_list(cfg, c) != ERR_OK || compile_login(cfg, c) != ERR_OK) return ERR_CONFIG;
    compile_paths(cfg, c);
    if (compile_headers(cfg, c) != ERR_OK) return ERR_CONFIG;
    return es_compile_heads(cfg, c);
}
