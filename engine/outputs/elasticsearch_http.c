/* elasticsearch_http.c - libcurl handles, choice of hosts, gzip. */
#include "engine/outputs/elasticsearch.h"

#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

static size_t take_answer(char *data, size_t size, size_t n, void *arg)
{
    struct buf *answer = arg;
    n *= size;
    if (answer->n + n > ES_ANSWER_BYTES_MAX) return 0;
    buf_add(answer, data, n);
    return n;
}

static int keep_going(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return es_stopping(arg) ? 1 : 0;
}

CURL *es_easy_new(struct es_shared *s, struct buf *answer, char *error)
{
    const struct es_cfg *cfg = s->cfg;
    CURL *easy = curl_easy_init();
    ASSERT(easy != NULL);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "spate");
    /* Both also keep http_proxy and no_proxy of the environment out. */
    curl_easy_setopt(easy, CURLOPT_PROXY, cfg->proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)cfg->opt.timeout_s * 1000);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)cfg->opt.timeout_s * 1000);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, keep_going);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, s);
    http_tls_apply(&cfg->tls, easy);
    return easy;
}

void es_easy_target(const struct es_shared *s, CURL *easy, uint32_t host, const char *path,
                    const char *query)
{
    const struct es_cfg *cfg = s->cfg;
    const struct es_host *h = s->host[host].at;
    struct buf url = {0};
    buf_printf(&url, "%s%s%s", h->url, path, h->query);
    es_query_join(&url, query);
    curl_easy_setopt(easy, CURLOPT_URL, buf_cstr(&url)); /* copied */
    buf_fini(&url);
    const char *user = h->user != NULL ? h->user : cfg->user;
    if (user == NULL) return;
    const char *password = h->user != NULL ? h->password : cfg->password;
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, user);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, password != NULL ? password : "");
}

struct curl_slist *es_headers(const struct es_cfg *cfg, const char *content_type)
{
    struct curl_slist *list = NULL;
    if (content_type != NULL) list = curl_slist_append(list, content_type);
    /* No 100-continue: a round trip for nothing. */
    list = curl_slist_append(list, "Expect:");
    if (cfg->api_key_header != NULL) list = curl_slist_append(list, cfg->api_key_header);
    for (uint32_t i = 0; i < cfg->header_n; i++) list = curl_slist_append(list, cfg->header[i]);
    return list;
}

/* ---- hosts ----------------------------------------------------------------------------- */

bool es_host_alive(const struct es_shared *s)
{
    int64_t now = clock_mono_ns();
    for (uint32_t i = 0; i < s->host_n; i++)
        if (!s->host[i].gone && s->host[i].dead_until_ns <= now) return true;
    return false;
}

/* Less is better: alive before dead, then the fewest requests, or the one that is due first. */
static bool better_host(const struct es_host_state *a, const struct es_host_state *b, int64_t now)
{
    bool alive = a->dead_until_ns <= now;
    if (alive != (b->dead_until_ns <= now)) return alive;
    return alive ? a->flying_n < b->flying_n : a->dead_until_ns < b->dead_until_ns;
}

uint32_t es_host_choose(struct es_shared *s)
{
    int64_t now = clock_mono_ns();
    uint32_t n = s->host_n, best = n, first = (uint32_t)prng_below(&s->prng, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (first + i) % n;
        if (s->host[at].gone) continue;
        if (best == n || better_host(&s->host[at], &s->host[best], now)) best = at;
    }
    ASSERT(best < n); /* sniffing that finds nothing changes nothing */
    return best;
}

void es_host_failed(struct es_shared *s, uint32_t host)
{
    s->host[host].dead_until_ns = clock_mono_ns() + s->cfg->opt.resurrect_s * NS_PER_SEC;
    s->host[host].failures++;
}

void es_host_works(struct es_shared *s, uint32_t host)
{
    struct es_host_state *h = &s->host[host];
    if (h->failures > 0) log_info(s->logger, "%s answers again", es_host_url(s, host));
    h->failures = 0;
    h->dead_until_ns = 0;
}

bool es_pause(struct es_shared *s, int64_t ns)
{
    int64_t until = clock_mono_ns() + ns;
    while (!es_stopping(s)) {
        int64_t left = until - clock_mono_ns();
        if (left <= 0) return true;
        curl_multi_poll(s->multi, NULL, 0, (int)(left / NS_PER_MS) + 1, NULL);
    }
    return false;
}

/* ---- gzip ------------------------------------------------------------------------------- */

void es_gzip(slice in, int64_t level, struct buf *out)
{
    static const uint32_t level_bytes[] = {0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                           ISAL_DEF_LVL3_DEFAULT};
    /* ISA-L has levels 1 to 3; the best is about zlib's 3. */
    uint32_t used = level <= 1 ? 1 : level <= 5 ? 2 : 3;
    uint8_t *work = malloc(level_bytes[used]);
    struct isal_zstream *z = malloc(sizeof(*z));
    ASSERT(work != NULL && z != NULL);
    isal_deflate_init(z);
    z->level = used;
    z->level_buf = work;
    z->level_buf_size = level_bytes[used];
    z->gzip_flag = IGZIP_GZIP;
    z->end_of_stream = 1;
    z->next_in = (uint8_t *)(uintptr_t)in.p;
    z->avail_in = in.n;
    out->n = 0;
    do {
        buf_room(out, in.n / 4 + 4096);
        size_t room = out->cap - out->n;
        uint32_t avail = room > UINT32_MAX ? UINT32_MAX : (uint32_t)room;
        z->next_out = (uint8_t *)buf_end(out);
        z->avail_out = avail;
        int e = isal_deflate(z);
        ASSERT(e == COMP_OK);
        out->n += avail - z->avail_out;
    } while (z->internal_state.state != ZSTATE_END);
    free(z);
    free(work);
}
