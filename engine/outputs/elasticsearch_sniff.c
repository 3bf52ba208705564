/*
 * elasticsearch_sniff.c - the other servers of the cluster (sniffing => true).
 *
 * Every sniffing_delay one server is asked for the list of nodes, beside the bulk requests, on
 * libcurl's multi handle. As in Logstash the list takes the place of the one before, nodes whose
 * only role is master are left out, and a list without servers changes nothing. An entry of
 * s->host never moves, since requests may be on their way to it: one that is not in the list any
 * more is marked as gone.
 */
#include "engine/outputs/elasticsearch.h"

#include "engine/base/assert.h"
#include "engine/base/clock.h"

/* A list that takes longer than this is of no use. */
#define SNIFF_TIMEOUT_MS 10000L

static const struct value *member(struct es_shared *s, const struct value *v, slice name)
{
    if (v == NULL || v->type != VALUE_MAP) return NULL;
    struct member *m = map_find(v->u.map, name, hash_key(name.p, name.n));
    if (m == NULL) return NULL;
    value_resolve(&m->val, &s->arena);
    return &m->val;
}

/* "roles":["master"] */
static bool is_only_master(struct es_shared *s, const struct value *node)
{
    const struct value *roles = member(s, node, SLICE("roles"));
    if (roles == NULL || roles->type != VALUE_LIST || roles->n != 1) return false;
    struct value *role = &roles->u.list[0];
    value_resolve(role, &s->arena);
    return role->type == VALUE_STRING && slice_equal(value_slice(role), SLICE("master"));
}

/* "host/1.2.3.4:9200" is better addressed by its name. */
static slice address_of(struct es_shared *s, slice text)
{
    int64_t slash = slice_find_byte(text, '/');
    uint32_t port = text.n;
    while (port > 0 && text.p[port - 1] != ':') port--;
    if (port == 0) return SLICE_NONE;
    if (slash <= 0) return slice_from(text, (uint32_t)(slash + 1));
    slice name = slice_part(text, 0, (uint32_t)slash);
    return arena_join(&s->arena, name, slice_from(text, port - 1));
}

static void add_server(struct es_shared *s, slice address, bool *listed)
{
    struct es_host found;
    if (!es_host_sibling(s->cfg, &s->sniff.heap, address, &found)) return;
    uint32_t i = 0;
    while (i < s->host_n && strcmp(s->host[i].at->url, found.url) != 0) i++;
    if (i == ES_HOSTS_MAX) return;
    if (i == s->host_n) {
        struct es_host *kept = heap_alloc(&s->sniff.heap, sizeof(*kept));
        *kept = found;
        s->host[s->host_n++] = (struct es_host_state){.at = kept};
        log_info(s->logger, "found %s", kept->url);
    }
    listed[i] = true;
}

bool es_sniff_read(struct es_shared *s, slice answer)
{
    struct value v;
    bool listed[ES_HOSTS_MAX] = {false}, any = false;
    if (json_decode_copy(&s->reader, answer, JSON_WHOLE, &s->arena, &v) >= 0) {
        const struct value *nodes = member(s, &v, SLICE("nodes"));
        uint32_t n = nodes != NULL && nodes->type == VALUE_MAP ? nodes->u.map->n : 0;
        for (uint32_t i = 0; i < n; i++) {
            struct value *node = &nodes->u.map->at[i].val;
            value_resolve(node, &s->arena);
            const struct value *at =
                member(s, member(s, node, SLICE("http")), SLICE("publish_address"));
            if (at == NULL || at->type != VALUE_STRING || is_only_master(s, node)) continue;
            slice address = address_of(s, value_slice(at));
            if (address.n > 0) add_server(s, address, listed);
        }
    }
    arena_reset(&s->arena);
    for (uint32_t i = 0; i < s->host_n; i++) any |= listed[i];
    if (!any) return false;
    for (uint32_t i = 0; i < s->host_n; i++) {
        if (!listed[i] && !s->host[i].gone)
            log_info(s->logger, "%s is not in the cluster's list", es_host_url(s, i));
        s->host[i].gone = !listed[i];
    }
    return true;
}

void es_sniff_init(struct es_shared *s)
{
    struct es_sniff *sniff = &s->sniff;
    if (!s->cfg->opt.sniffing) return;
    sniff->easy = es_easy_new(s, &sniff->answer, sniff->error);
    sniff->headers = es_headers(s->cfg, NULL);
    curl_easy_setopt(sniff->easy, CURLOPT_HTTPHEADER, sniff->headers);
    curl_easy_setopt(sniff->easy, CURLOPT_TIMEOUT_MS, SNIFF_TIMEOUT_MS);
}

static void stop(struct es_shared *s)
{
    if (s->sniff.running) curl_multi_remove_handle(s->multi, s->sniff.easy);
    s->sniff.running = false;
}

void es_sniff_fini(struct es_shared *s)
{
    if (s->sniff.easy == NULL) return;
    stop(s);
    curl_easy_cleanup(s->sniff.easy);
    curl_slist_free_all(s->sniff.headers);
    buf_fini(&s->sniff.answer);
    /* Its heap holds what s->host points to: it goes with the output. */
}

static void begin(struct es_shared *s)
{
    struct es_sniff *sniff = &s->sniff;
    sniff->answer.n = 0;
    sniff->error[0] = 0;
    es_easy_target(s, sniff->easy, es_host_choose(s), s->cfg->sniff_path, s->cfg->query);
    CURLMcode code = curl_multi_add_handle(s->multi, sniff->easy);
    ASSERT(code == CURLM_OK);
    sniff->running = true;
    s->connecting_n++; /* libcurl has something to do */
}

int64_t es_sniff(struct es_shared *s, int64_t wait_ns)
{
    struct es_sniff *sniff = &s->sniff;
    if (sniff->easy == NULL || sniff->running) return wait_ns;
    int64_t left_ns = sniff->next_ns - clock_mono_ns();
    if (left_ns <= 0)
        begin(s);
    else if (left_ns < wait_ns)
        wait_ns = left_ns;
    return wait_ns;
}

void es_sniff_done(struct es_shared *s, CURLcode code)
{
    struct es_sniff *sniff = &s->sniff;
    long status = 0;
    uint64_t held;
    stop(s);
    sniff->next_ns = clock_mono_ns() + s->cfg->opt.sniffing_delay_s * NS_PER_SEC;
    if (code == CURLE_OK) curl_easy_getinfo(sniff->easy, CURLINFO_RESPONSE_CODE, &status);
    buf_room(&sniff->answer, JSON_PAD);
    if (status == 200 && es_sniff_read(s, buf_slice(&sniff->answer))) return;
    if (log_gate_open(&sniff->gate, &held))
        log_warn(s->logger,
                 "the list of the cluster's servers cannot be read (%s, status %ld): the known "
                 "ones are used (%llu more failures)",
                 code == CURLE_OK ? "no servers in it" : curl_easy_strerror(code), status,
                 (unsigned long long)held);
}
