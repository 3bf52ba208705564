/*
 * elasticsearch_head.c - the part of a bulk request's head that never changes, for each host.
 *
 * Request line, Host, credentials and custom headers are put together when the configuration is
 * read. They are those that libcurl sends with the requests of the start, in its order, and as
 * with it a custom header takes the place of one of ours.
 *
 * Through an HTTP proxy a plain request goes as RFC 9112, section 3.2.2, wants it: to the proxy,
 * with the whole address in its first line. Many proxies refuse CONNECT to such ports. With https
 * (and with SOCKS) the connection is the proxy's tunnel, made by libcurl.
 */
#include "engine/outputs/elasticsearch.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "engine/base/assert.h"

/* The parts of a URL that are there; the others are NULL. */
struct url {
    char *scheme, *host, *port, *path, *query, *user, *password;
};

static char *url_part(CURLU *u, CURLUPart what, unsigned flags)
{
    char *text = NULL;
    return curl_url_get(u, what, &text, flags) == CURLUE_OK ? text : NULL;
}

static bool url_read(const char *text, struct url *out)
{
    CURLU *u = curl_url();
    ASSERT(u != NULL);
    *out = (struct url){0};
    bool ok =
        curl_url_set(u, CURLUPART_URL, text,
                     CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME | CURLU_URLENCODE) == CURLUE_OK;
    if (ok)
        *out = (struct url){
            .scheme = url_part(u, CURLUPART_SCHEME, 0),
            .host = url_part(u, CURLUPART_HOST, 0),
            .port = url_part(u, CURLUPART_PORT, 0),
            .path = url_part(u, CURLUPART_PATH, 0),
            .query = url_part(u, CURLUPART_QUERY, 0),
            .user = url_part(u, CURLUPART_USER, CURLU_URLDECODE),
            .password = url_part(u, CURLUPART_PASSWORD, CURLU_URLDECODE),
        };
    curl_url_cleanup(u);
    return ok && out->host != NULL && out->path != NULL;
}

static void url_fini(struct url *u)
{
    char *all[] = {u->scheme, u->host, u->port, u->path, u->query, u->user, u->password};
    for (uint32_t i = 0; i < ARRAY_LEN(all); i++) curl_free(all[i]);
}

/* ---- headers --------------------------------------------------------------------------------- */

/* Whether a header line ("Name: value" or "Name;") has that name. */
static bool is_named(const char *line, slice name)
{
    slice text = slice_from_cstr(line);
    return text.n > name.n && (text.p[name.n] == ':' || text.p[name.n] == ';') &&
           slice_equal_nocase(slice_part(text, 0, name.n), name);
}

static bool has_custom(const struct es_cfg *cfg, slice name)
{
    for (uint32_t i = 0; i < cfg->header_n; i++)
        if (is_named(cfg->header[i], name)) return true;
    return false;
}

static void add_line(struct buf *out, const char *text)
{
    buf_printf(out, "%s\r\n", text);
}

static void add_basic(struct buf *out, const char *name, const char *user, const char *password)
{
    struct buf plain = {0}, coded = {0};
    buf_printf(&plain, "%s:%s", user, password != NULL ? password : "");
    buf_room(&coded, plain.n * 2 + 8);
    EVP_EncodeBlock((unsigned char *)coded.data, (const unsigned char *)plain.data, (int)plain.n);
    buf_printf(out, "%s: Basic %s\r\n", name, coded.data);
    buf_fini(&plain);
    buf_fini(&coded);
}

/* The port that goes without saying is not said. */
static void add_address(struct buf *out, const struct url *u)
{
    const char *usual = strcmp(u->scheme, "https") == 0 ? "443" : "80";
    buf_add_cstr(out, u->host);
    if (u->port != NULL && strcmp(u->port, usual) != 0) buf_printf(out, ":%s", u->port);
}

static void add_login(struct buf *out, const struct es_cfg *cfg, const struct es_host *h)
{
    const char *user = h->user != NULL ? h->user : cfg->user;
    const char *password = h->user != NULL ? h->password : cfg->password;
    if (user == NULL || cfg->api_key_header != NULL || has_custom(cfg, SLICE("Authorization")))
        return;
    add_basic(out, "Authorization", user, password);
}

static void add_custom(struct buf *out, const struct es_cfg *cfg)
{
    if (cfg->api_key_header != NULL) add_line(out, cfg->api_key_header);
    for (uint32_t i = 0; i < cfg->header_n; i++) {
        const char *line = cfg->header[i];
        /* Where a request ends is ours to say. */
        if (is_named(line, SLICE("Content-Length")) || is_named(line, SLICE("Transfer-Encoding")))
            continue;
        size_t n = strlen(line);
        if (line[n - 1] == ';')
            buf_printf(out, "%.*s:\r\n", (int)n - 1, line);
        else
            add_line(out, line);
    }
}

/* `proxy` is NULL unless the request is for a proxy to forward. */
static void add_head(struct buf *out, const struct es_cfg *cfg, const struct es_host *h,
                     const struct url *u, const struct url *proxy)
{
    buf_add_cstr(out, "POST ");
    if (proxy != NULL) {
        buf_printf(out, "%s://%s", u->scheme, u->host);
        if (u->port != NULL) buf_printf(out, ":%s", u->port);
    }
    buf_add_cstr(out, u->path);
    if (u->query != NULL) buf_printf(out, "?%s", u->query);
    buf_add_cstr(out, " HTTP/1.1\r\n");
    if (!has_custom(cfg, SLICE("Host"))) {
        buf_add_cstr(out, "Host: ");
        add_address(out, u);
        buf_add_cstr(out, "\r\n");
    }
    if (proxy != NULL && proxy->user != NULL && !has_custom(cfg, SLICE("Proxy-Authorization")))
        add_basic(out, "Proxy-Authorization", proxy->user, proxy->password);
    add_login(out, cfg, h);
    if (!has_custom(cfg, SLICE("User-Agent"))) add_line(out, "User-Agent: spate");
    if (!has_custom(cfg, SLICE("Accept"))) add_line(out, "Accept: */*");
    if (proxy != NULL) add_line(out, "Proxy-Connection: Keep-Alive");
    add_line(out, "Content-Type: application/x-ndjson");
    add_custom(out, cfg);
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static bool forwards(const struct url *proxy)
{
    return proxy->scheme != NULL &&
           (strcmp(proxy->scheme, "http") == 0 || strcmp(proxy->scheme, "https") == 0);
}

/* libcurl's own defaults for the ports of proxies. */
static const char *proxy_address(struct heap *heap, const struct url *proxy)
{
    const char *port = strcmp(proxy->scheme, "https") == 0 ? "443" : "1080";
    return heap_printf(heap, "%s://%s:%s", proxy->scheme, proxy->host,
                       proxy->port != NULL ? proxy->port : port)
        .p;
}

/* Completes a host whose url, query and credentials are set. */
static bool complete(const struct es_cfg *cfg, struct heap *heap, struct es_host *h,
                     const struct url *proxy)
{
    struct url u;
    struct buf text = {0}, head = {0};
    buf_printf(&text, "%s%s%s", h->url, cfg->bulk_path, h->query);
    es_query_join(&text, cfg->bulk_query);
    bool ok = url_read(buf_cstr(&text), &u);
    if (ok) {
        h->by_proxy = strcmp(u.scheme, "http") == 0 && forwards(proxy);
        h->connect_url = h->by_proxy ? proxy_address(heap, proxy) : h->url;
        h->tls = strncmp(h->connect_url, "https:", 6) == 0;
        add_head(&head, cfg, h, &u, h->by_proxy ? proxy : NULL);
        h->head = heap_dup(heap, buf_slice(&head));
    }
    url_fini(&u);
    buf_fini(&text);
    buf_fini(&head);
    return ok;
}

err es_compile_heads(struct es_cfg *cfg, struct compiler *c)
{
    struct url proxy = {0};
    err e = ERR_OK;
    if (cfg->proxy[0] != 0 && !url_read(cfg->proxy, &proxy)) {
        compile_error(c, "proxy", "http://host:port", "a proxy that cannot be understood");
        e = ERR_CONFIG;
    }
    for (uint32_t i = 0; i < cfg->host_n && e == ERR_OK; i++) {
        if (complete(cfg, c->heap, &cfg->host[i], &proxy)) continue;
        compile_error(c, "bulk_path", "a path that may stand in a URL",
                      "the address of bulk requests cannot be understood");
        e = ERR_CONFIG;
    }
    url_fini(&proxy);
    return e;
}

bool es_host_sibling(const struct es_cfg *cfg, struct heap *heap, slice address,
                     struct es_host *out)
{
    const struct es_host *first = &cfg->host[0];
    struct url u, proxy = {0};
    *out =
        (struct es_host){.query = first->query, .user = first->user, .password = first->password};
    bool ok = url_read(first->url, &u);
    if (ok && cfg->proxy[0] != 0) ok = url_read(cfg->proxy, &proxy);
    if (ok) {
        /* A path that is none comes as "/". */
        const char *path = u.path[1] == 0 ? "" : u.path;
        out->url = heap_printf(heap, "%s://%.*s%s", u.scheme, SLICE_FMT(address), path).p;
        ok = complete(cfg, heap, out, &proxy);
    }
    url_fini(&u);
    url_fini(&proxy);
    return ok;
}

void es_head_write(const struct es_host *h, const struct es_request *r, size_t plain_bytes,
                   size_t sent_bytes, bool gzip, struct buf *out)
{
    out->n = 0;
    buf_add_slice(out, h->head);
    buf_printf(out,
               "X-Elastic-Event-Count: %u\r\nX-Elastic-Uncompressed-Request-Length: %zu\r\n"
               "%sContent-Length: %zu\r\n\r\n",
               r->part_n, plain_bytes, gzip ? "Content-Encoding: gzip\r\n" : "", sent_bytes);
}
