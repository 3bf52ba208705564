/* http_client.c - a libcurl multi handle on a thread. */
#include "engine/filters/http_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

struct http_client {
    struct http_client_options opt;
    const char *name;
    struct lookup_service *service;
    struct lookup_service_ops ops;
    /* The thread's. */
    CURLM *multi;
    CURLSH *share; /* of cookies */
    CURL **idle;   /* handles to be used again */
    uint32_t idle_n;
    struct http_request *running; /* newest first */
    int64_t *dead_until_ns;       /* per server */
    uint32_t turn;
};

/* ---- what comes ----------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct http_request *q = arg;
    n *= size;
    if (q->answer.n + n > HTTP_ANSWER_BYTES_MAX) return 0;
    buf_add(&q->answer, data, n);
    return n;
}

static size_t take_head(char *data, size_t size, size_t n, void *arg)
{
    struct http_request *q = arg;
    n *= size;
    /* Of several answers (100, redirects) the last one counts. */
    if (slice_starts(slice_make(data, n), SLICE("HTTP/"))) q->head.n = q->answer.n = 0;
    if (q->head.n + n > HTTP_HEAD_BYTES_MAX) return 0;
    buf_add(&q->head, data, n);
    return n;
}

/* ---- one request ---------------------------------------------------------------------------- */

static bool is_idempotent(const struct http_request *q)
{
    return strcmp(q->method, "POST") != 0 && strcmp(q->method, "PATCH") != 0;
}

static bool is_safe(const struct http_request *q)
{
    return strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;
}

/* In turn, without those that did not answer lately while there are others. */
static uint32_t server_choose(struct http_client *c)
{
    int64_t now_ns = clock_mono_ns();
    uint32_t best = c->turn++ % c->opt.server_n;
    for (uint32_t i = 0; i < c->opt.server_n; i++) {
        uint32_t at = (c->turn - 1 + i) % c->opt.server_n;
        if (c->dead_until_ns[at] <= now_ns) return at;
        if (c->dead_until_ns[at] < c->dead_until_ns[best]) best = at;
    }
    return best;
}

static void set_target(struct http_client *c, struct http_request *q)
{
    if (c->opt.server_n == 0) {
        curl_easy_setopt(q->easy, CURLOPT_URL, q->url.data);
        return;
    }
    struct buf url = {0};
    q->server = server_choose(c);
    buf_printf(&url, "%s%s", c->opt.server[q->server], q->url.data);
    curl_easy_setopt(q->easy, CURLOPT_URL, buf_cstr(&url)); /* copied */
    buf_fini(&url);
}

static void set_method(struct http_client *c, struct http_request *q)
{
    CURL *easy = q->easy;
    bool entity = q->has_body || strcmp(q->method, "POST") == 0 || strcmp(q->method, "PUT") == 0 ||
                  strcmp(q->method, "PATCH") == 0;
    if (strcmp(q->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (entity) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, q->body.n > 0 ? q->body.data : "");
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
    } else {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
    }
    if (c->opt.follow_redirects && is_safe(q)) {
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(easy, CURLOPT_MAXREDIRS, HTTP_REDIRECTS_MAX);
        curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    }
}

static void set_login(const struct http_client_options *o, CURL *easy)
{
    if (o->user != NULL) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, o->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, o->password != NULL ? o->password : "");
    }
    /* Both also keep http_proxy and no_proxy of the environment out. */
    curl_easy_setopt(easy, CURLOPT_PROXY, o->proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    if (o->proxy_user == NULL) return;
    curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, o->proxy_user);
    curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD,
                     o->proxy_password != NULL ? o->proxy_password : "");
}

static void set_times(const struct http_client_options *o, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)o->request_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)o->idle_sec);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, o->idle_sec > 0 ? 1L : 0L);
}

static void set_all(struct http_client *c, struct http_request *q)
{
    CURL *easy = q->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "spate");
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, c->opt.keepalive ? 0L : 1L);
    if (c->share != NULL) {
        curl_easy_setopt(easy, CURLOPT_SHARE, c->share);
        curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, q->headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, q->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, q);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, q);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, q);
    set_times(&c->opt, easy);
    set_login(&c->opt, easy);
    set_method(c, q);
    set_target(c, q);
    http_tls_apply(&c->opt.tls, easy);
}

static void easy_clear(CURL *easy)
{
    /* libcurl 7.88 forgets this list when it resets a handle. */
    curl_easy_setopt(easy, CURLOPT_COOKIEFILE, NULL);
    curl_easy_reset(easy);
}

static void begin(struct http_client *c, struct http_request *q)
{
    q->error[0] = 0;
    q->head.n = q->answer.n = 0;
    set_all(c, q);
    CURLMcode code = curl_multi_add_handle(c->multi, q->easy);
    ASSERT(code == CURLM_OK);
}

static void unlink_running(struct http_client *c, struct http_request *q)
{
    *(q->newer != NULL ? &q->newer->older : &c->running) = q->older;
    if (q->older != NULL) q->older->newer = q->newer;
}

static void done(struct http_client *c, struct http_request *q, enum http_outcome outcome)
{
    unlink_running(c, q);
    easy_clear(q->easy);
    c->idle[c->idle_n++] = q->easy;
    q->easy = NULL;
    q->outcome = outcome;
    if (!lookup_room(&q->base, q->answer.cap + q->head.cap)) {
        buf_fini(&q->answer);
        q->outcome = HTTP_FAILED;
        snprintf(q->error, sizeof(q->error), "the answers of one batch are too long");
    }
    lookup_answer(&q->base);
}

static bool status_is_retried(const struct http_client_options *o, long status)
{
    for (uint32_t i = 0; i < o->retry_status_n; i++)
        if (o->retry_status[i] == status) return true;
    return false;
}

static bool is_retried(const struct http_client *c, const struct http_request *q, CURLcode code)
{
    if (q->tries >= c->opt.retries) return false;
    if (!c->opt.retry_all && !is_idempotent(q)) return false;
    if (code == CURLE_OK) return c->opt.retry_any && status_is_retried(&c->opt, q->status);
    return c->opt.retry_any || code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR ||
           code == CURLE_RECV_ERROR || code == CURLE_PARTIAL_FILE;
}

static void finished(struct http_client *c, struct http_request *q, CURLcode code)
{
    curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &q->status);
    curl_multi_remove_handle(c->multi, q->easy);
    if (c->opt.server_n > 0)
        c->dead_until_ns[q->server] = code == CURLE_OK ? 0 : clock_mono_ns() + HTTP_SERVER_DEAD_NS;
    if (is_retried(c, q, code)) {
        q->tries++;
        easy_clear(q->easy);
        begin(c, q);
        return;
    }
    if (code != CURLE_OK && q->error[0] == 0)
        snprintf(q->error, sizeof(q->error), "%s",
                 code == CURLE_WRITE_ERROR ? "the answer is too long" : curl_easy_strerror(code));
    done(c, q,
         code == CURLE_OK                   ? HTTP_ANSWERED
         : code == CURLE_OPERATION_TIMEDOUT ? HTTP_TIMED_OUT
                                            : HTTP_FAILED);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void take(void *ctx, struct lookup_question *base)
{
    struct http_client *c = ctx;
    struct http_request *q = (struct http_request *)base;
    q->easy = c->idle_n > 0 ? c->idle[--c->idle_n] : curl_easy_init();
    ASSERT(q->easy != NULL);
    q->newer = NULL;
    q->older = c->running;
    if (c->running != NULL) c->running->newer = q;
    c->running = q;
    begin(c, q);
}

static void wait_ready(void *ctx, int bell_fd, int64_t timeout_ns)
{
    struct http_client *c = ctx;
    struct curl_waitfd bell = {.fd = bell_fd, .events = CURL_WAIT_POLLIN};
    int n;
    curl_multi_poll(c->multi, &bell, 1, (int)(timeout_ns / NS_PER_MS), &n);
    curl_multi_perform(c->multi, &n);
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &n)) != NULL;) {
        struct http_request *q;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &q);
        finished(c, q, code);
    }
}

static void give_up(void *arg)
{
    struct http_client *c = arg;
    while (c->running != NULL) {
        struct http_request *q = c->running;
        curl_multi_remove_handle(c->multi, q->easy);
        done(c, q, HTTP_FAILED);
    }
}

/* ---- control thread ------------------------------------------------------------------------- */

static void client_release(struct http_client *c)
{
    for (uint32_t i = 0; i < c->idle_n; i++) curl_easy_cleanup(c->idle[i]);
    if (c->multi != NULL) curl_multi_cleanup(c->multi);
    if (c->share != NULL) curl_share_cleanup(c->share);
    free(c->idle);
    free(c->dead_until_ns);
    free(c);
}

struct http_client *http_client_new(const struct http_client_options *options, const char *name)
{
    struct http_client *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL && options->running_max > 0);
    c->opt = *options;
    c->ops = (struct lookup_service_ops){.name = name, .take = take, .wait = wait_ready};
    c->idle = calloc(options->running_max, sizeof(CURL *));
    c->dead_until_ns = calloc(options->server_n + 1, sizeof(*c->dead_until_ns));
    c->multi = curl_multi_init();
    ASSERT(c->idle != NULL && c->dead_until_ns != NULL && c->multi != NULL);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)options->running_max);
    if (options->cookies) {
        c->share = curl_share_init();
        ASSERT(c->share != NULL);
        curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
    }
    c->service = lookup_service_new(&c->ops, c, options->running_max);
    if (c->service != NULL) return c;
    client_release(c);
    return NULL;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL) return;
    lookup_service_call(c->service, give_up, c);
    lookup_service_free(c->service);
    client_release(c);
}

/* ---- shards --------------------------------------------------------------------------------- */

struct http_request *http_request_new(struct http_client *client, const char *method)
{
    struct http_request *q = calloc(1, sizeof(*q));
    ASSERT(q != NULL);
    q->client = client;
    q->method = method;
    /* No 100-continue: a round trip for nothing. */
    q->headers = curl_slist_append(NULL, "Expect:");
    return q;
}

void http_request_free(struct http_request *q)
{
    buf_fini(&q->url);
    buf_fini(&q->body);
    buf_fini(&q->head);
    buf_fini(&q->answer);
    curl_slist_free_all(q->headers);
    free((void *)(uintptr_t)q->base.key.p);
    free(q);
}

static void discard(struct lookup_question *q)
{
    http_request_free((struct http_request *)q);
}

bool http_request_header(struct http_request *q, slice name, slice value)
{
    struct buf line = {0};
    /* "Name;" is how libcurl is told of an empty value. */
    buf_add_slice(&line, name);
    buf_add_cstr(&line, value.n > 0 ? ": " : ";");
    buf_add_slice(&line, value);
    slice text = buf_slice(&line);
    bool ok = name.n > 0 && slice_find_byte(text, '\n') < 0 && slice_find_byte(text, '\r') < 0 &&
              slice_find_byte(text, 0) < 0;
    if (ok) q->headers = curl_slist_append(q->headers, buf_cstr(&line));
    buf_fini(&line);
    return ok;
}

struct http_request *http_ask(struct lookup_asker *asker, struct lookup_counters *counters,
                              struct http_request *q, slice key)
{
    uint64_t hash = hash_bytes(key.p, key.n, 0);
    struct lookup_question *same = lookup_find(asker, key, hash);
    counter_add(same != NULL ? &counters->hits : &counters->misses, 1);
    if (same != NULL) {
        http_request_free(q);
        return (struct http_request *)same;
    }
    q->base.key = slice_make(slice_dup_cstr(key), key.n);
    q->base.hash = hash;
    q->base.discard = discard;
    buf_cstr(&q->url);
    lookup_ask(asker, q->client->service, &q->base);
    return q;
}

bool http_header_next(const struct http_request *q, uint32_t *at, slice *name, slice *value)
{
    slice head = buf_slice(&q->head);
    while (*at < head.n) {
        slice line = slice_from(head, *at);
        int64_t end = slice_find_byte(line, '\n');
        if (end >= 0) line.n = (uint32_t)end;
        *at += line.n + 1;
        int64_t colon = slice_find_byte(line, ':');
        if (colon <= 0) continue;
        *name = slice_trim(slice_part(line, 0, (uint32_t)colon));
        *value = slice_trim(slice_from(line, (uint32_t)colon + 1));
        return true;
    }
    return false;
}

void http_escape(struct buf *out, slice text)
{
    static const char digit[] = "0123456789ABCDEF";
    for (uint32_t i = 0; i < text.n; i++) {
        unsigned char ch = (unsigned char)text.p[i];
        bool plain = (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= 'a' && ch <= 'z') || ch == '-' || ch == '.' || ch == '_' || ch == '~';
        if (plain) {
            buf_add_byte(out, (char)ch);
            continue;
        }
        char code[3] = {'%', digit[ch >> 4], digit[ch & 15]};
        buf_add(out, code, 3);
    }
}
