/*
 * dns.c - host names to addresses, addresses to host names.
 *
 * Hosts files first, then name servers (dns_resolver.h). A batch is parked until all it asked for
 * is known; what caches and hosts files know parks nothing. The fields of an event are gone through
 * one after the other, because a field may be looked up both ways; all events of a batch go on at
 * the same time, and ask once for what several want to know. State: the shard's caches, and how far
 * each event of the parked batch is.
 */
#include <arpa/inet.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/filters/dns_hosts.h"
#include "engine/filters/dns_resolver.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/ttl_cache.h"

#define DNS_SEARCH_MAX 6u /* Logstash's bound */

static const char *const actions[] = {"append", "replace", NULL};

struct dns_cfg {
    struct config_list resolve_names, reverse_names, hosts_files, timeout_tags;
    const struct config_value *nameserver;
    int action;
    double timeout_sec, hit_ttl_sec, failed_ttl_sec;
    int64_t retries, hit_size, failed_size;
    struct field_list resolve, reverse;
    struct dns_hosts *hosts;
    uint32_t hosts_n;
    struct dns_channel *channel; /* NULL: hosts files only */
};

/* How far an event is: fields of `resolve`, then of `reverse`. */
struct dns_event {
    uint32_t field;
    bool ended, matched;
};

struct dns_state {
    struct lookup_asker *asker;
    struct ttl_cache hits, failures;
    struct dns_event *event; /* of the batch that is worked on; NULL: none */
    struct buf key;
    struct log_gate gate;
    struct lookup_counters counters;
};

struct dns_run {
    struct dns_state *state;
    const struct dns_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    int64_t now_ns;
};

enum answer { ANSWER_KNOWN, ANSWER_NONE, ANSWER_ASKED };

/* ---- names and addresses --------------------------------------------------------------------- */

static int address_family(slice text)
{
    char copy[INET6_ADDRSTRLEN + 1];
    unsigned char bytes[16];
    if (text.n >= sizeof(copy)) return 0;
    slice_cstr(text, copy, sizeof(copy));
    if (strlen(copy) != text.n) return 0;
    if (inet_pton(AF_INET, copy, bytes) == 1) return AF_INET;
    return inet_pton(AF_INET6, copy, bytes) == 1 ? AF_INET6 : 0;
}

/* RFC 1035 section 3.5, RFC 3596 section 2.5. */
static slice reverse_zone(slice address, int family, char out[80])
{
    char copy[INET6_ADDRSTRLEN + 1];
    unsigned char b[16];
    uint32_t n = 0;
    inet_pton(family, slice_cstr(address, copy, sizeof(copy)), b);
    if (family == AF_INET)
        return slice_make(
            out, (size_t)snprintf(out, 80, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]));
    for (int i = 15; i >= 0; i--)
        n += (uint32_t)snprintf(out + n, 80 - n, "%x.%x.", b[i] & 15u, b[i] >> 4);
    memcpy(out + n, "ip6.arpa", 8);
    return slice_make(out, n + 8);
}

static bool is_ascii(slice text)
{
    for (uint32_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] >= 0x80) return false;
    return true;
}

/* RFC 3490, with libidn2's mapping for compatibility. False: no name can be that. */
static bool to_wire(slice name, char out[DNS_NAME_BYTES_MAX], slice *wire)
{
    char *ascii = NULL;
    if (name.n == 0 || name.n >= DNS_NAME_BYTES_MAX || memchr(name.p, 0, name.n) != NULL ||
        memchr(name.p, '\\', name.n) != NULL)
        return false;
    slice_cstr(name, out, DNS_NAME_BYTES_MAX);
    *wire = slice_make(out, name.n);
    if (is_ascii(name)) return true;
    if (idn2_to_ascii_8z(out, &ascii, IDN2_NFC_INPUT | IDN2_TRANSITIONAL) != IDN2_OK) return false;
    *wire = slice_make(out, (size_t)snprintf(out, DNS_NAME_BYTES_MAX, "%s", ascii));
    free(ascii);
    return true;
}

static slice from_wire(struct batch *b, slice name)
{
    char copy[DNS_NAME_BYTES_MAX], *text = NULL;
    if (slice_find(name, SLICE("xn--")) < 0 || name.n >= sizeof(copy))
        return arena_copy(&b->arena, name);
    slice_cstr(name, copy, sizeof(copy));
    if (idn2_to_unicode_8z8z(copy, &text, 0) != IDN2_OK) return arena_copy(&b->arena, name);
    slice out = arena_copy(&b->arena, slice_from_cstr(text));
    free(text);
    return out;
}

/* ---- one lookup ------------------------------------------------------------------------------ */

static slice key_of(struct dns_state *s, enum dns_kind kind, slice text)
{
    s->key.n = 0;
    buf_add_byte(&s->key, (char)kind);
    buf_add_slice(&s->key, text);
    return buf_slice(&s->key);
}

static bool from_hosts(const struct dns_cfg *cfg, enum dns_kind kind, slice text, slice *out)
{
    for (uint32_t i = 0; i < cfg->hosts_n; i++) {
        *out = kind == DNS_ADDRESS ? dns_hosts_address(&cfg->hosts[i], text)
                                   : dns_hosts_name(&cfg->hosts[i], text);
        if (out->n > 0) return true;
    }
    return false;
}

static void note_outcome(struct dns_run *r, struct dns_question *q, slice key)
{
    struct dns_state *s = r->state;
    if (q->noted) return;
    q->noted = true;
    if (q->outcome == DNS_FOUND)
        ttl_cache_put(&s->hits, key, slice_from_cstr(q->text), r->now_ns);
    else if (q->outcome != DNS_ERROR)
        ttl_cache_put(&s->failures, key, SLICE(""), r->now_ns);
    if (q->outcome == DNS_TIMEOUT) counter_add(&s->counters.timeouts, 1);
    if (q->outcome == DNS_ERROR) counter_add(&s->counters.errors, 1);
}

static enum answer answered(struct dns_run *r, struct dns_question *q, slice key, slice *out)
{
    note_outcome(r, q, key);
    if (q->outcome == DNS_TIMEOUT) event_tag_list(r->batch, r->ev, r->cfg->timeout_tags);
    if (q->outcome != DNS_FOUND) return ANSWER_NONE;
    *out = slice_from_cstr(q->text);
    return ANSWER_KNOWN;
}

/* A name that cannot go on the wire is no name. */
static enum answer ask(struct dns_run *r, enum dns_kind kind, slice key, slice wire)
{
    struct dns_state *s = r->state;
    if (r->cfg->channel == NULL) {
        ttl_cache_put(&s->failures, key, SLICE(""), r->now_ns);
        return ANSWER_NONE;
    }
    if (!lookup_may_ask(s->asker, &s->counters)) return ANSWER_ASKED;
    counter_add(&s->counters.misses, 1);
    dns_ask(s->asker, r->cfg->channel, kind, key, hash_bytes(key.p, key.n, 0), wire);
    return ANSWER_ASKED;
}

static enum answer look_up(struct dns_run *r, enum dns_kind kind, slice text, slice *out)
{
    struct dns_state *s = r->state;
    char name[DNS_NAME_BYTES_MAX], zone[80];
    slice wire = text, none;
    int family = address_family(text);
    if (kind == DNS_ADDRESS && family != 0) {
        *out = text;
        return ANSWER_KNOWN;
    }
    if (kind == DNS_NAME && family == 0) return ANSWER_NONE;
    slice key = key_of(s, kind, text);
    struct lookup_question *q = lookup_find(s->asker, key, hash_bytes(key.p, key.n, 0));
    if (q != NULL) return q->known ? answered(r, (struct dns_question *)q, key, out) : ANSWER_ASKED;
    bool failed = ttl_cache_get(&s->failures, key, r->now_ns, &none);
    bool known = !failed && ttl_cache_get(&s->hits, key, r->now_ns, out);
    if (!failed && !known && kind == DNS_ADDRESS && !to_wire(text, name, &wire)) {
        counter_add(&s->counters.errors, 1);
        return ANSWER_NONE;
    }
    known = known || (!failed && from_hosts(r->cfg, kind, wire, out));
    if (failed || known) {
        counter_add(&s->counters.hits, 1);
        return known ? ANSWER_KNOWN : ANSWER_NONE;
    }
    return ask(r, kind, key, kind == DNS_NAME ? reverse_zone(text, family, zone) : wire);
}

/* ---- events --------------------------------------------------------------------------------- */

static void put(struct dns_run *r, const struct fieldref *ref, const struct value *old, slice text)
{
    struct arena *arena = &r->batch->arena;
    struct value val = value_string(text);
    if (r->cfg->action == 0 || old->type == VALUE_LIST) {
        /* The list has one item, or there is none and the value becomes the first. */
        uint32_t n = 0;
        struct value *items = arena_alloc(arena, 2 * sizeof(*items), 16);
        if (r->cfg->action == 0) items[n++] = old->type == VALUE_LIST ? old->u.list[0] : *old;
        items[n++] = val;
        val = value_list(items, n);
    }
    if (event_put(r->batch, r->ev, ref, val) != ERR_OK) counter_add(&r->state->counters.errors, 1);
}

static void skip(struct dns_run *r, const struct fieldref *ref, const char *why)
{
    uint64_t held;
    if (log_gate_open(&r->state->gate, &held))
        log_warn("filters.dns", "skipping field `%.*s`: %s (%llu more since the last report)",
                 SLICE_FMT(ref->text), why, (unsigned long long)held);
}

enum step { STEP_NEXT, STEP_END, STEP_WAIT };

static enum step field_step(struct dns_run *r, const struct fieldref *ref, enum dns_kind kind)
{
    struct value *v = event_get(r->batch, r->ev, ref), raw;
    slice found;
    if (v == NULL || v->type == VALUE_NIL) {
        skip(r, ref, "it is missing");
        return STEP_NEXT;
    }
    if (v->type == VALUE_LIST && v->n > 1) {
        skip(r, ref, "cannot look up several values");
        return STEP_END;
    }
    raw = v->type != VALUE_LIST ? *v : v->n == 1 ? v->u.list[0] : value_nil();
    value_resolve(&raw, &r->batch->arena);
    if (raw.type != VALUE_STRING) {
        skip(r, ref, "cannot look up what is no string");
        return STEP_END;
    }
    switch (look_up(r, kind, value_slice(&raw), &found)) {
    case ANSWER_ASKED: return STEP_WAIT;
    case ANSWER_NONE: return STEP_END;
    case ANSWER_KNOWN: break;
    }
    found = kind == DNS_NAME ? from_wire(r->batch, found) : arena_copy(&r->batch->arena, found);
    put(r, ref, v, found);
    return STEP_NEXT;
}

/* False: the event waits for an answer. */
static bool event_step(struct dns_run *r, struct dns_event *at)
{
    const struct dns_cfg *cfg = r->cfg;
    while (!at->ended) {
        uint32_t i = at->field, n = cfg->resolve.n;
        if (i == n + cfg->reverse.n) {
            at->ended = at->matched = true;
            break;
        }
        enum step step = i < n ? field_step(r, &cfg->resolve.at[i], DNS_ADDRESS)
                               : field_step(r, &cfg->reverse.at[i - n], DNS_NAME);
        if (step == STEP_WAIT) return false;
        at->ended = step == STEP_END;
        at->field++;
    }
    return true;
}

static enum applied dns_apply(void *state, const void *config, struct batch *b,
                              const struct sel *in, struct sel *hit, struct plan_run *run)
{
    struct dns_state *s = state;
    struct dns_run r = {.state = s, .cfg = config, .batch = b};
    (void)run;
    if (s->event == NULL) {
        s->event = arena_alloc(&b->arena, ((size_t)in->n + 1) * sizeof(*s->event), 8);
        memset(s->event, 0, in->n * sizeof(*s->event));
    }
    for (bool all = false; !all;) {
        all = true;
        r.now_ns = clock_mono_ns();
        for (uint32_t i = 0; i < in->n; i++) {
            r.ev = &b->event[in->at[i]];
            if (!event_step(&r, &s->event[i])) all = false;
        }
        if (!all && lookup_wait(s->asker) == APPLY_PARKED) return APPLY_PARKED;
    }
    for (uint32_t i = 0; i < in->n; i++)
        if (s->event[i].matched) sel_add(hit, in->at[i]);
    s->event = NULL;
    lookup_end(s->asker);
    return APPLIED;
}

/* ---- life ----------------------------------------------------------------------------------- */

static err dns_start(void *state, const void *config, struct worker *worker)
{
    struct dns_state *s = state;
    const struct dns_cfg *cfg = config;
    s->asker = lookup_join(worker);
    ttl_cache_init(&s->hits, cfg->hit_size, (int64_t)(cfg->hit_ttl_sec * 1e9));
    ttl_cache_init(&s->failures, cfg->failed_size, (int64_t)(cfg->failed_ttl_sec * 1e9));
    return ERR_OK;
}

static void dns_stop(void *state, const void *cfg)
{
    struct dns_state *s = state;
    (void)cfg;
    lookup_leave(s->asker);
    s->asker = NULL;
    ttl_cache_fini(&s->hits);
    ttl_cache_fini(&s->failures);
    buf_fini(&s->key);
}

static void dns_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    lookup_stats(&((const struct dns_state *)state)->counters, out);
}

/* ---- configuration -------------------------------------------------------------------------- */

static err bad_nameserver(struct compiler *c, const char *what)
{
    compile_error(c, "nameserver", "addresses, or { address => [...] search => [...] ndots => 1 }",
                  "%s", what);
    return ERR_CONFIG;
}

/* "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353" */
static bool is_server(slice text)
{
    int64_t port, colon = -1;
    if (address_family(text) != 0) return true;
    for (uint32_t i = 0; i < text.n; i++)
        if (text.p[i] == ':') colon = i;
    if (colon < 1 || !slice_to_i64(slice_from(text, (uint32_t)colon + 1), &port) || port < 1 ||
        port > 65535)
        return false;
    slice host = slice_part(text, 0, (uint32_t)colon);
    if (host.p[0] != '[') return address_family(host) == AF_INET;
    return host.n > 2 && host.p[host.n - 1] == ']' &&
           address_family(slice_part(host, 1, host.n - 2)) == AF_INET6;
}

static err take_addresses(struct compiler *c, const struct config_value *v, struct buf *csv)
{
    bool list = v->type == CONFIG_LIST;
    for (uint32_t i = 0; i < (list ? v->n : 1); i++) {
        const struct config_value *item = list ? &v->u.list[i] : v;
        if (item->type != CONFIG_STRING || !is_server(item->text))
            return bad_nameserver(c, "a name server is given by its address, a port may follow");
        if (csv->n > 0) buf_add_byte(csv, ',');
        buf_add_slice(csv, item->text);
    }
    return csv->n > 0 ? ERR_OK : bad_nameserver(c, "there are no addresses");
}

static err take_search(struct compiler *c, const struct config_value *v, struct dns_servers *out)
{
    bool list = v->type == CONFIG_LIST;
    uint32_t n = list ? v->n : 1;
    const char **names = heap_alloc(c->heap, (n + 1) * sizeof(*names));
    if (n > DNS_SEARCH_MAX) return bad_nameserver(c, "more than 6 search domains");
    for (uint32_t i = 0; i < n; i++) {
        const struct config_value *item = list ? &v->u.list[i] : v;
        if (!config_is_scalar(item)) return bad_nameserver(c, "a search domain is a name");
        names[i] = item->text.p;
    }
    out->search = names;
    out->search_n = n;
    return ERR_OK;
}

static err take_pair(struct compiler *c, const struct config_pair *pair, struct dns_servers *out,
                     struct buf *csv)
{
    slice key = pair->key.text;
    if (slice_equal(key, SLICE("address"))) return take_addresses(c, &pair->val, csv);
    if (slice_equal(key, SLICE("search"))) return take_search(c, &pair->val, out);
    int64_t ndots;
    if (!slice_equal(key, SLICE("ndots")))
        return bad_nameserver(c, "keys are address, search and ndots");
    if (!config_is_scalar(&pair->val) || !slice_to_i64(pair->val.text, &ndots) || ndots <= 0 ||
        ndots > 255)
        return bad_nameserver(c, "ndots is a number from 1 to 255");
    out->ndots = (int)ndots;
    return ERR_OK;
}

static err take_nameserver(struct compiler *c, const struct config_value *v,
                           struct dns_servers *out, struct buf *csv)
{
    /* A hash in a list of its own is what two plugins' worth of habit write. */
    if (v->type == CONFIG_LIST && v->n == 1 && v->u.list[0].type == CONFIG_HASH) v = v->u.list;
    if (v->type != CONFIG_HASH) return take_addresses(c, v, csv);
    err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < v->n; i++) e = take_pair(c, &v->u.pairs[i], out, csv);
    if (e == ERR_OK && csv->n == 0) e = bad_nameserver(c, "the hash has no address");
    return e;
}

static err compile_servers(struct dns_cfg *cfg, struct compiler *c)
{
    struct buf csv = {0}, why = {0};
    struct dns_servers servers = {.ndots = 1, .retries = (uint32_t)cfg->retries};
    double ms = cfg->timeout_sec * 1000;
    servers.timeout_ms = ms < 1 ? 1 : ms > 3600e3 ? 3600000 : (int64_t)ms;
    err e = ERR_OK;
    if (cfg->nameserver != NULL) e = take_nameserver(c, cfg->nameserver, &servers, &csv);
    if (e == ERR_OK && (cfg->nameserver != NULL || cfg->hosts_files.n == 0)) {
        if (cfg->nameserver != NULL) servers.csv = buf_cstr(&csv);
        cfg->channel = dns_channel_new(&servers, &why);
        if (cfg->channel == NULL) e = bad_nameserver(c, buf_cstr(&why));
    }
    buf_fini(&csv);
    buf_fini(&why);
    return e;
}

static err compile_hosts(struct dns_cfg *cfg, struct compiler *c)
{
    cfg->hosts = heap_alloc(c->heap, (cfg->hosts_files.n + 1) * sizeof(*cfg->hosts));
    for (uint32_t i = 0; i < cfg->hosts_files.n; i++) {
        const char *path = cfg->hosts_files.at[i].text.p;
        if (dns_hosts_read(&cfg->hosts[cfg->hosts_n++], path, c->arena) == ERR_OK) continue;
        compile_error(c, "hostsfile", "files as /etc/hosts", "`%s` cannot be read", path);
        return ERR_CONFIG;
    }
    /* A system without the file has no such names. */
    if (dns_hosts_read(&cfg->hosts[cfg->hosts_n], "/etc/hosts", c->arena) == ERR_OK) cfg->hosts_n++;
    return ERR_OK;
}

static err dns_compile(void *config, struct compiler *c)
{
    struct dns_cfg *cfg = config;
    err e[] = {compile_field_list(c, &cfg->resolve, cfg->resolve_names),
               compile_field_list(c, &cfg->reverse, cfg->reverse_names), compile_hosts(cfg, c),
               compile_servers(cfg, c)};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

static void dns_release(void *config)
{
    dns_channel_free(((struct dns_cfg *)config)->channel);
}

#define DNS_AT(member, kind) SETTING_AT(struct dns_cfg, member, kind)

/* clang-format off */
static const struct setting dns_settings[] = {
    {.name = "resolve", DNS_AT(resolve_names, LIST), .flags = SETTING_FIELD,
     .doc = "Fields with host names, to be looked up as A and AAAA records."},
    {.name = "reverse", DNS_AT(reverse_names, LIST), .flags = SETTING_FIELD,
     .doc = "Fields with addresses, to be looked up as PTR records."},
    {.name = "action", DNS_AT(action, ENUM), .choices = actions, .default_text = "append",
     .doc = "Whether what was found follows the field's value or takes its place."},
    {.name = "nameserver", DNS_AT(nameserver, ANY),
     .doc = "Addresses of name servers, or a hash with address, search and ndots; by default what "
            "/etc/resolv.conf has. A port may follow an address, which is not in Logstash."},
    {.name = "timeout", DNS_AT(timeout_sec, FLOAT), .default_text = "0.5",
     .doc = "Seconds that each name server has for an answer."},
    {.name = "max_retries", DNS_AT(retries, INT), .default_text = "2", .min = 0, .max = 1000,
     .doc = "How often to try again when no server answers."},
    {.name = "hit_cache_size", DNS_AT(hit_size, INT), .default_text = "0",
     .doc = "Answers to remember, per shard; 0: none."},
    {.name = "hit_cache_ttl", DNS_AT(hit_ttl_sec, FLOAT), .default_text = "60",
     .doc = "Seconds to remember them for."},
    {.name = "failed_cache_size", DNS_AT(failed_size, INT), .default_text = "0",
     .doc = "Failures to remember, per shard; 0: none."},
    {.name = "failed_cache_ttl", DNS_AT(failed_ttl_sec, FLOAT), .default_text = "5",
     .doc = "Seconds to remember them for."},
    {.name = "hostsfile", DNS_AT(hosts_files, LIST),
     .doc = "Files to look into first, before /etc/hosts. With these and without nameserver, no "
            "server is asked."},
    {.name = "tag_on_timeout", DNS_AT(timeout_tags, LIST), .default_text = "[\"_dnstimeout\"]",
     .doc = "Tags for events whose lookup took too long."},
    {0}};
/* clang-format on */

const struct filter_ops filter_dns = {
    .name = "dns",
    .doc = "Looks up host names and addresses.",
    .flags = FILTER_WAITS,
    .settings = dns_settings,
    .cfg_size = sizeof(struct dns_cfg),
    .state_size = sizeof(struct dns_state),
    .compile = dns_compile,
    .release = dns_release,
    .start = dns_start,
    .apply = dns_apply,
    .stop = dns_stop,
    .stats = dns_stats,
};
