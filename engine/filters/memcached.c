/*
 * memcached.c - values from memcached into fields, and fields into memcached.
 *
 * For each event first `set`, then `get`; operations of a batch go out together, in the order of
 * the events, and the batch is parked until they are answered (memcached_client.h). Values are what
 * Logstash writes and reads: Ruby's Marshal format, or plain bytes when somebody else stored them.
 * State: the shard's cache of what was got, and the question of each event of the parked batch.
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <zlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/filters/memcached_client.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/ttl_cache.h"
#include "parsers/text/utf8_scrub.h"
#include "parsers/wire/ruby_marshal.h"

/* Dalli's flags of a value. */
#define FLAG_SERIALIZED 1u
#define FLAG_COMPRESSED 2u
/* Longer times are instants for memcached. */
#define TTL_SEC_MAX (30 * 86400)
#define NAMESPACE_BYTES_MAX 200u

struct pair {
    struct template key;
    struct fieldref field;
};

struct memcached_cfg {
    struct config_list host_texts;
    slice namespace, tag;
    struct config_hash get_pairs, set_pairs;
    int64_t ttl_sec, lru_size;
    double lru_ttl_sec;
    struct pair *get, *set;
    struct memcached_server *server;
    struct memcached_client *client;
};

/* How far an event is. */
struct event_state {
    struct memcached_question *question; /* NULL: all was known */
    bool asked, failed;
    uint32_t sets_n;
};

struct memcached_state {
    struct lookup_asker *asker;
    struct ttl_cache cache;
    struct event_state *event; /* of the batch that is worked on; NULL: none */
    struct buf key, value, cached;
    uint64_t serial;
    struct log_gate gate;
    struct lookup_counters counters;
};

struct memcached_run {
    struct memcached_state *state;
    const struct memcached_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    int64_t now_ns;
};

/* ---- keys ----------------------------------------------------------------------------------- */

static uint32_t characters(slice text)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.n; i++) n += (text.p[i] & 0xc0) != 0x80;
    return n;
}

/* The first n characters. */
static slice head_of(slice text, uint32_t n)
{
    uint32_t at = 0;
    while (at < text.n && (n > 0 || (text.p[at] & 0xc0) == 0x80)) {
        if ((text.p[at] & 0xc0) != 0x80) n--;
        at++;
    }
    return slice_part(text, 0, at);
}

static void digest_add(struct buf *out, slice text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    int ok = EVP_Q_digest(NULL, "MD5", NULL, text.p, text.n, digest, NULL);
    ASSERT(ok == 1);
    for (int i = 0; i < 16; i++) buf_printf(out, "%02x", digest[i]);
}

/* As Dalli makes it: namespace in front; a long one is cut and gets a digest of all of it. False:
 * there is no key, or one that cannot be sent. */
static bool key_make_for(struct memcached_run *r, const struct template *t, struct memcached_op *op)
{
    struct buf *key = &r->state->key;
    slice text = template_render(t, r->batch, r->ev, NULL);
    key->n = 0;
    if (text.n == 0) return false;
    if (r->cfg->namespace.n > 0) {
        buf_add_slice(key, r->cfg->namespace);
        buf_add_byte(key, ':');
    }
    buf_add_slice(key, text);
    if (characters(buf_slice(key)) > MEMCACHED_KEY_BYTES_MAX) {
        slice all = arena_copy(&r->batch->arena, buf_slice(key));
        key->n = 0;
        buf_add_slice(key, head_of(all, 212 - characters(r->cfg->namespace)));
        buf_add_cstr(key, ":md5:");
        digest_add(key, all);
    }
    if (key->n > MEMCACHED_KEY_BYTES_MAX) return false;
    memcpy(op->key, key->data, key->n);
    op->key_n = (uint32_t)key->n;
    return true;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool inflate_all(slice in, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = in.n};
    int status = inflateInit(&z);
    out->n = 0;
    if (status != Z_OK) return false;
    while (status == Z_OK && out->n <= MEMCACHED_VALUE_BYTES_MAX) {
        buf_room(out, 64 * 1024);
        z.next_out = (Bytef *)buf_end(out);
        z.avail_out = 64 * 1024;
        status = inflate(&z, Z_NO_FLUSH);
        out->n += 64 * 1024 - z.avail_out;
    }
    inflateEnd(&z);
    return status == Z_STREAM_END;
}

static bool value_read(struct memcached_run *r, uint32_t flags, slice bytes, struct value *out)
{
    struct arena *arena = &r->batch->arena;
    if (flags & FLAG_COMPRESSED) {
        if (!inflate_all(bytes, &r->state->value)) return false;
        bytes = buf_slice(&r->state->value);
    }
    if (flags & FLAG_SERIALIZED) return marshal_read(bytes, arena, out) == ERR_OK;
    *out = value_string(utf8_scrub(arena_copy(arena, bytes), arena));
    return true;
}

/* What the cache keeps: 'm' for a miss, 'v', flags and value for a hit. */
static void cache_put(struct memcached_run *r, const struct memcached_op *op)
{
    struct buf *text = &r->state->cached;
    text->n = 0;
    buf_add_byte(text, op->outcome == MEMCACHED_OK ? 'v' : 'm');
    buf_add(text, &op->flags, sizeof(op->flags));
    buf_add_slice(text, buf_slice(&op->value));
    ttl_cache_put(&r->state->cache, slice_make(op->key, op->key_n), buf_slice(text), r->now_ns);
}

static bool cache_get(struct memcached_run *r, struct memcached_op *op)
{
    slice text;
    if (!ttl_cache_get(&r->state->cache, slice_make(op->key, op->key_n), r->now_ns, &text))
        return false;
    op->outcome = text.p[0] == 'v' ? MEMCACHED_OK : MEMCACHED_MISS;
    memcpy(&op->flags, text.p + 1, sizeof(op->flags));
    buf_add_slice(&op->value, slice_from(text, 1 + sizeof(op->flags)));
    return true;
}

/* ---- asking --------------------------------------------------------------------------------- */

static uint32_t ttl_of(const struct memcached_cfg *cfg)
{
    if (cfg->ttl_sec <= TTL_SEC_MAX) return (uint32_t)cfg->ttl_sec;
    int64_t at_sec = clock_real_ns() / NS_PER_SEC + cfg->ttl_sec;
    return at_sec > UINT32_MAX ? UINT32_MAX : (uint32_t)at_sec;
}

static bool add_sets(struct memcached_run *r, struct memcached_question *q)
{
    for (uint32_t i = 0; i < r->cfg->set_pairs.n; i++) {
        const struct pair *pair = &r->cfg->set[i];
        struct memcached_op *op = &q->op[q->n];
        struct value *v = event_get(r->batch, r->ev, &pair->field), time;
        if (pair->field.root == FIELD_TIMESTAMP) {
            time = r->ev->time;
            v = &time;
        }
        if (v == NULL || v->type == VALUE_NIL) continue;
        if (!key_make_for(r, &pair->key, op)) return false;
        op->sets = true;
        op->flags = FLAG_SERIALIZED;
        op->ttl_sec = ttl_of(r->cfg);
        marshal_write(v, &r->batch->arena, &op->value);
        q->n++;
    }
    return true;
}

/* What the cache knows stands behind the q->n operations that go out. */
static bool add_gets(struct memcached_run *r, struct memcached_question *q, uint32_t *known_n)
{
    uint32_t last = r->cfg->set_pairs.n + r->cfg->get_pairs.n;
    for (uint32_t i = 0; i < r->cfg->get_pairs.n; i++) {
        struct memcached_op *op = &q->op[q->n];
        if (!key_make_for(r, &r->cfg->get[i].key, op)) return false;
        op->which = i;
        if (!cache_get(r, op)) {
            counter_add(&r->state->counters.misses, 1);
            q->n++;
            continue;
        }
        counter_add(&r->state->counters.hits, 1);
        struct memcached_op *place = &q->op[last - ++*known_n];
        if (place != op) {
            *place = *op;
            op->value = (struct buf){0};
        }
    }
    return true;
}

static bool values_put(struct memcached_run *r, const struct memcached_op *op, uint32_t n,
                       bool *found)
{
    struct value val;
    for (uint32_t i = 0; i < n; i++) {
        if (op[i].sets || op[i].outcome != MEMCACHED_OK) continue;
        if (!value_read(r, op[i].flags, buf_slice(&op[i].value), &val) ||
            event_put(r->batch, r->ev, &r->cfg->get[op[i].which].field, val) != ERR_OK)
            return false;
        *found = true;
    }
    return true;
}

static void event_failed(struct memcached_run *r, struct event_state *at)
{
    at->failed = true;
    event_tag(r->batch, r->ev, r->cfg->tag, true);
    counter_add(&r->state->counters.errors, 1);
}

/* Known values are put at once: nothing can change them any more. */
static void event_ask(struct memcached_run *r, struct event_state *at)
{
    struct memcached_state *s = r->state;
    uint32_t room = r->cfg->set_pairs.n + r->cfg->get_pairs.n, known_n = 0;
    struct memcached_question *q = memcached_question_new(r->cfg->client, room);
    bool found = false;
    q->n = 0;
    at->asked = true;
    bool ok = add_sets(r, q);
    at->sets_n = q->n;
    ok = ok && add_gets(r, q, &known_n) && values_put(r, &q->op[room - known_n], known_n, &found);
    for (uint32_t i = room - known_n; i < room; i++) buf_fini(&q->op[i].value);
    if (found) at->sets_n++;
    if (!ok) event_failed(r, at);
    if (!ok || q->n == 0) {
        memcached_question_free(q);
        return;
    }
    s->serial++;
    slice key = slice_make((const char *)&s->serial, sizeof(s->serial));
    memcached_ask(s->asker, q, key, hash_bytes(key.p, key.n, 0));
    at->question = q;
}

/* ---- answers -------------------------------------------------------------------------------- */

static bool event_take(struct memcached_run *r, struct event_state *at)
{
    const struct memcached_question *q = at->question;
    bool found = at->sets_n > 0, down = false;
    uint64_t held;
    if (at->failed) return false;
    for (uint32_t i = 0; q != NULL && i < q->n; i++) {
        const struct memcached_op *op = &q->op[i];
        if (op->outcome == MEMCACHED_DOWN || op->outcome == MEMCACHED_REFUSED) down = true;
        if (!op->sets && op->outcome <= MEMCACHED_MISS) cache_put(r, op);
    }
    if (!down && (q == NULL || values_put(r, q->op, q->n, &found))) return found;
    event_failed(r, at);
    if (log_gate_open(&r->state->gate, &held))
        log_error("filters.memcached",
                  "an event without its values: %s (%llu more since the last report)",
                  down ? "a server does not answer, or refuses" : "a value that cannot be read",
                  (unsigned long long)held);
    return false;
}

static enum applied memcached_apply(void *state, const void *config, struct batch *b,
                                    const struct sel *in, struct sel *hit, struct plan_run *run)
{
    struct memcached_state *s = state;
    struct memcached_run r = {.state = s, .cfg = config, .batch = b, .now_ns = clock_mono_ns()};
    uint32_t at = 0;
    (void)run;
    if (s->event == NULL) {
        s->event = arena_alloc(&b->arena, ((size_t)in->n + 1) * sizeof(*s->event), 8);
        memset(s->event, 0, ((size_t)in->n + 1) * sizeof(*s->event));
    }
    for (;;) {
        while (at < in->n && s->event[at].asked) at++;
        for (; at < in->n && lookup_may_ask(s->asker, &s->counters); at++) {
            r.ev = &b->event[in->at[at]];
            event_ask(&r, &s->event[at]);
        }
        if (lookup_wait(s->asker) == APPLY_PARKED) return APPLY_PARKED;
        if (at == in->n) break;
    }
    for (uint32_t i = 0; i < in->n; i++) {
        r.ev = &b->event[in->at[i]];
        if (event_take(&r, &s->event[i])) sel_add(hit, in->at[i]);
    }
    s->event = NULL;
    lookup_end(s->asker);
    return APPLIED;
}

/* ---- life ----------------------------------------------------------------------------------- */

static err memcached_start(void *state, const void *config, struct worker *worker)
{
    struct memcached_state *s = state;
    const struct memcached_cfg *cfg = config;
    s->asker = lookup_join(worker);
    ttl_cache_init(&s->cache, cfg->lru_ttl_sec > 0 ? cfg->lru_size : 0,
                   (int64_t)(cfg->lru_ttl_sec * 1e9));
    return ERR_OK;
}

static void memcached_stop(void *state, const void *cfg)
{
    struct memcached_state *s = state;
    (void)cfg;
    lookup_leave(s->asker);
    ttl_cache_fini(&s->cache);
    buf_fini(&s->key);
    buf_fini(&s->value);
    buf_fini(&s->cached);
}

static void memcached_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    lookup_stats(&((const struct memcached_state *)state)->counters, out);
}

/* ---- configuration -------------------------------------------------------------------------- */

static bool is_v6(slice text)
{
    char copy[INET6_ADDRSTRLEN + 1];
    unsigned char bytes[16];
    return text.n < sizeof(copy) &&
           inet_pton(AF_INET6, slice_cstr(text, copy, sizeof(copy)), bytes) == 1;
}

static slice cut_number(slice *rest, int64_t *out)
{
    *rest = slice_from(*rest, 1);
    int64_t colon = slice_find_byte(*rest, ':');
    slice text = colon < 0 ? *rest : slice_part(*rest, 0, (uint32_t)colon);
    *rest = slice_from(*rest, text.n);
    if (!slice_to_i64(text, out)) *out = -1;
    return text;
}

/* host, host:port, host:port:weight, [v6]:port, v6, /path/of/a/socket */
static bool parse_server(struct compiler *c, slice text, struct memcached_server *out)
{
    int64_t port = 11211;
    *out = (struct memcached_server){.host = "", .port = "11211", .weight = 1};
    if (text.n > 0 && text.p[0] == '/') {
        out->host = heap_dup(c->heap, text).p;
        out->port = "";
        return text.n < 100;
    }
    slice host = text, rest = SLICE_NONE;
    int64_t end = text.n > 0 && text.p[0] == '[' ? slice_find_byte(text, ']') : -1;
    if (end > 0) {
        host = slice_part(text, 1, (uint32_t)end - 1);
        rest = slice_from(text, (uint32_t)end + 1);
        if (!is_v6(host)) return false;
    } else if (!is_v6(text) && (end = slice_find_byte(text, ':')) >= 0) {
        host = slice_part(text, 0, (uint32_t)end);
        rest = slice_from(text, (uint32_t)end);
    }
    out->host = heap_dup(c->heap, host).p;
    if (rest.n > 0 && rest.p[0] == ':') out->port = heap_dup(c->heap, cut_number(&rest, &port)).p;
    if (rest.n > 0 && rest.p[0] == ':') cut_number(&rest, &out->weight);
    return host.n > 0 && rest.n == 0 && port > 0 && port < 65536 && out->weight > 0 &&
           out->weight < 1000;
}

static err compile_servers(struct memcached_cfg *cfg, struct compiler *c)
{
    uint32_t n = cfg->host_texts.n;
    if (n == 0 || n > MEMCACHED_SERVERS_MAX) {
        compile_error(c, "hosts", "1 to 256 hosts", "'hosts' cannot be %s",
                      n == 0 ? "empty" : "so many");
        return ERR_CONFIG;
    }
    cfg->server = heap_alloc(c->heap, n * sizeof(*cfg->server));
    for (uint32_t i = 0; i < n; i++)
        if (!parse_server(c, cfg->host_texts.at[i].text, &cfg->server[i])) {
            compile_error(c, "hosts", "host, host:port, [v6]:port or the path of a socket",
                          "`%.*s` is no server", SLICE_FMT(cfg->host_texts.at[i].text));
            return ERR_CONFIG;
        }
    return ERR_OK;
}

static err compile_pairs(struct compiler *c, struct pair **out, struct config_hash pairs,
                         bool key_first)
{
    *out = heap_alloc(c->heap, (pairs.n + 1) * sizeof(**out));
    for (uint32_t i = 0; i < pairs.n; i++) {
        const struct config_value *a = &pairs.at[i].key, *b = &pairs.at[i].val;
        const struct config_value *key = key_first ? a : b, *field = key_first ? b : a;
        if (compile_template(c, &(*out)[i].key, key->text, key->pos) != ERR_OK ||
            compile_fieldref(c, &(*out)[i].field, field->text, field->pos) != ERR_OK)
            return ERR_CONFIG;
    }
    return ERR_OK;
}

static err memcached_compile(void *config, struct compiler *c)
{
    struct memcached_cfg *cfg = config;
    err e[] = {compile_servers(cfg, c), compile_pairs(c, &cfg->get, cfg->get_pairs, true),
               compile_pairs(c, &cfg->set, cfg->set_pairs, false)};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    if (cfg->namespace.n > NAMESPACE_BYTES_MAX) {
        compile_error(c, "namespace", "at most 200 bytes", "a namespace that leaves no room");
        return ERR_CONFIG;
    }
    cfg->client = memcached_client_new(cfg->server, cfg->host_texts.n);
    if (cfg->client != NULL) return ERR_OK;
    compile_error(c, NULL, NULL, "the filter's thread cannot be started");
    return ERR_CONFIG;
}

static void memcached_release(void *config)
{
    struct memcached_cfg *cfg = config;
    memcached_client_free(cfg->client);
    for (uint32_t i = 0; cfg->get != NULL && i < cfg->get_pairs.n; i++)
        template_fini(&cfg->get[i].key);
    for (uint32_t i = 0; cfg->set != NULL && i < cfg->set_pairs.n; i++)
        template_fini(&cfg->set[i].key);
}

#define MC_AT(member, kind) SETTING_AT(struct memcached_cfg, member, kind)

/* clang-format off */
static const struct setting memcached_settings[] = {
    {.name = "hosts", MC_AT(host_texts, LIST), .default_text = "[\"localhost\"]",
     .doc = "Servers: host, host:port, host:port:weight, [v6]:port or the path of a socket."},
    {.name = "namespace", MC_AT(namespace, STRING),
     .doc = "What all keys begin with, followed by a colon."},
    {.name = "get", MC_AT(get_pairs, HASH), .flags = SETTING_FIELD, .default_text = "{}",
     .doc = "Keys, which may contain %{field}, and the fields that receive their values."},
    {.name = "set", MC_AT(set_pairs, HASH), .flags = SETTING_FIELD, .default_text = "{}",
     .doc = "Fields, and the keys, which may contain %{field}, to store their values under."},
    {.name = "ttl", MC_AT(ttl_sec, INT), .default_text = "0", .min = 0, .max = 1000000000,
     .doc = "Seconds that memcached keeps what is set; 0: no limit."},
    {.name = "tag_on_failure", MC_AT(tag, STRING), .default_text = "_memcached_failure",
     .doc = "The tag of events for which a server did not answer."},
    {.name = "lru_cache_ttl", MC_AT(lru_ttl_sec, FLOAT), .default_text = "0",
     .doc = "Seconds to remember what was got, found or not; 0: not at all."},
    {.name = "lru_cache_max_size", MC_AT(lru_size, INT), .default_text = "1024", .min = 0,
     .max = TTL_CACHE_ENTRIES_MAX, .doc = "How many keys to remember, per shard."},
    {0}};
/* clang-format on */

const struct filter_ops filter_memcached = {
    .name = "memcached",
    .doc = "Gets values from memcached, and stores some there.",
    .flags = FILTER_WAITS,
    .settings = memcached_settings,
    .cfg_size = sizeof(struct memcached_cfg),
    .state_size = sizeof(struct memcached_state),
    .compile = memcached_compile,
    .release = memcached_release,
    .start = memcached_start,
    .apply = memcached_apply,
    .stop = memcached_stop,
    .stats = memcached_stats,
};
