/*
 * fingerprint.c - a digest of one or more fields.
 *
 * A hash or list is written for digesting as its keys (sorted) and values with `|` between them,
 * so that equal content gives equal fingerprints. Several sources without concatenate_sources
 * write one after the other to the same target, as the plugin does. An address that is none gives
 * no IPV4_NETWORK fingerprint: counted, and the event does not match. State: random bytes, text.
 */
#include <sys/random.h>

#include "engine/base/assert.h"
#include "engine/plan/digest.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/ip_net.h"
#include "parsers/grok/regex_replace.h"

#define MURMUR3_128_SEED 2u

static const char *const methods[] = {"SHA1", "SHA256",      "SHA384",      "SHA512",
                                      "MD5",  "MURMUR3",     "MURMUR3_128", "IPV4_NETWORK",
                                      "UUID", "PUNCTUATION", NULL};
enum method {
    METHOD_MURMUR3 = DIGEST_MD5 + 1,
    METHOD_MURMUR3_128,
    METHOD_IPV4_NETWORK,
    METHOD_UUID,
    METHOD_PUNCTUATION
};

struct fingerprint_cfg {
    struct config_list source_names;
    slice target_name, key;
    int method;
    bool base64, concatenate_sources, concatenate_all;
    struct field_list sources; /* in the order the method wants */
    struct fieldref target;
    struct digest digest;
    int64_t prefix_bits;
    struct regex *unpunctuated;
};

struct fingerprint_state {
    struct buf text, replaced;
    struct regex_scratch *scratch;
    unsigned char random[4096];
    uint32_t random_left;
    struct counter failures;
};

struct fingerprint_run {
    struct fingerprint_state *state;
    const struct fingerprint_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    uint32_t refused; /* fingerprint_two: bits of the events whose target cannot be set */
};

/* ---- text to digest ----------------------------------------------------------------- */

static void canonical_add(struct buf *out, struct value *v, struct arena *arena);

/* Positions of the members in the order of their keys. */
static uint32_t *members_sorted(const struct map *map, struct arena *arena)
{
    uint32_t *at = arena_alloc(arena, ((size_t)map->n + 1) * sizeof(*at), 4);
    for (uint32_t i = 0; i < map->n; i++) {
        slice key = {map->at[i].key, map->at[i].key_n};
        uint32_t place = i;
        for (; place > 0; place--) {
            const struct member *m = &map->at[at[place - 1]];
            if (slice_compare(slice_make(m->key, m->key_n), key) <= 0) break;
            at[place] = at[place - 1];
        }
        at[place] = i;
    }
    return at;
}

static void canonical_map(struct buf *out, struct map *map, struct arena *arena)
{
    uint32_t *order = members_sorted(map, arena);
    for (uint32_t i = 0; i < map->n; i++) {
        struct member *m = &map->at[order[i]];
        if (i > 0) buf_add_byte(out, '|');
        buf_add(out, m->key, m->key_n);
        buf_add_byte(out, '|');
        canonical_add(out, &m->val, arena);
    }
}

static void canonical_add(struct buf *out, struct value *v, struct arena *arena)
{
    value_resolve(v, arena);
    if (v->type == VALUE_MAP) {
        canonical_map(out, v->u.map, arena);
    } else if (v->type == VALUE_LIST) {
        for (uint32_t i = 0; i < v->n; i++) {
            if (i > 0) buf_add_byte(out, '|');
            canonical_add(out, &v->u.list[i], arena);
        }
    } else {
        value_text_ruby(v, arena, out);
    }
}

static slice canonical(struct fingerprint_run *r, struct value *v)
{
    if (v->type == VALUE_STRING) return value_slice(v);
    r->state->text.n = 0;
    canonical_add(&r->state->text, v, &r->batch->arena);
    return buf_slice(&r->state->text);
}

static void concatenate(struct fingerprint_run *r, struct buf *out, slice name, struct value *v)
{
    buf_add_byte(out, '|');
    buf_add_slice(out, name);
    buf_add_byte(out, '|');
    if (v != NULL) canonical_add(out, v, &r->batch->arena);
}

/* All fields by name; @timestamp has its place among them. */
static void concatenate_all(struct fingerprint_run *r, struct buf *out)
{
    struct map *map = &r->ev->data;
    uint32_t *order = members_sorted(map, &r->batch->arena);
    slice time_name = SLICE("@timestamp");
    bool timed = r->ev->time.type == VALUE_NIL;
    for (uint32_t i = 0; i <= map->n; i++) {
        const struct member *m = i < map->n ? &map->at[order[i]] : NULL;
        if (!timed && (m == NULL || slice_compare(time_name, slice_make(m->key, m->key_n)) < 0)) {
            concatenate(r, out, time_name, &r->ev->time);
            timed = true;
        }
        if (m != NULL) concatenate(r, out, slice_make(m->key, m->key_n), &map->at[order[i]].val);
    }
}

/* ---- methods --------------------------------------------------------------------------- */

static struct value encoded(struct fingerprint_run *r, const unsigned char *bytes, uint32_t n)
{
    struct arena *arena = &r->batch->arena;
    return value_clean(r->cfg->base64 ? base64_text(bytes, n, arena) : hex_text(bytes, n, arena));
}

static struct value murmur(struct fingerprint_run *r, struct value *v, slice text)
{
    unsigned char out[16];
    bool wide = r->cfg->method == METHOD_MURMUR3_128;
    if (v != NULL && v->type == VALUE_INT) {
        bool fits = v->u.num >= INT32_MIN && v->u.num <= INT32_MAX;
        text = slice_make((const char *)&v->u.num, wide && fits ? 4 : 8);
    }
    if (!wide) return value_int(murmur3_32(text, 0));
    murmur3_128(text, MURMUR3_128_SEED, out);
    return encoded(r, out, sizeof(out));
}

/* v is NULL for concatenated text. False when there is no fingerprint. */
static bool fingerprint(struct fingerprint_run *r, struct value *v, slice text, struct value *out)
{
    unsigned char bytes[DIGEST_BYTES_MAX];
    if (r->cfg->method == METHOD_MURMUR3 || r->cfg->method == METHOD_MURMUR3_128) {
        *out = murmur(r, v, text);
        return true;
    }
    if (r->cfg->method != METHOD_IPV4_NETWORK) {
        *out = encoded(r, bytes, digest_bytes(&r->cfg->digest, text, bytes));
        return true;
    }
    struct ip_net ip;
    if (!ip_net_parse(text, &ip) || !ip_net_mask(&ip, r->cfg->prefix_bits)) {
        counter_add(&r->state->failures, 1);
        return false;
    }
    *out = value_clean(ip_net_text(&ip, &r->batch->arena));
    return true;
}

static bool put(struct fingerprint_run *r, struct value val)
{
    if (event_put(r->batch, r->ev, &r->cfg->target, val) == ERR_OK) return true;
    counter_add(&r->state->failures, 1);
    return false;
}

static bool fingerprint_list(struct fingerprint_run *r, const struct value *list)
{
    struct value *items = arena_alloc(&r->batch->arena, ((size_t)list->n + 1) * sizeof(*items), 16);
    for (uint32_t i = 0; i < list->n; i++) {
        struct value *item = &list->u.list[i];
        value_resolve(item, &r->batch->arena);
        if (!fingerprint(r, item, canonical(r, item), &items[i])) return false;
    }
    return put(r, value_list(items, list->n));
}

static bool fingerprint_fields(struct fingerprint_run *r)
{
    for (uint32_t i = 0; i < r->cfg->sources.n; i++) {
        struct value *v = event_get(r->batch, r->ev, &r->cfg->sources.at[i]), out;
        if (v == NULL) continue;
        if (v->type == VALUE_LIST) {
            if (!fingerprint_list(r, v)) return false;
        } else if (!fingerprint(r, v, canonical(r, v), &out) || !put(r, out)) {
            return false;
        }
    }
    return true;
}

/* The digest of a string in the one source; two events at once, because the second is nearly free.
 * False when one of them has something else there. */
static bool fingerprint_two(struct fingerprint_run *r, struct event *first, struct event *second)
{
    unsigned char bytes[2][DIGEST_BYTES_MAX];
    unsigned char *const out[2] = {bytes[0], bytes[1]};
    struct event *ev[2] = {first, second};
    slice text[2];
    for (uint32_t i = 0; i < 2; i++) {
        const struct value *v = event_get(r->batch, ev[i], &r->cfg->sources.at[0]);
        if (v == NULL || v->type != VALUE_STRING) return false;
        text[i] = value_slice(v);
    }
    uint32_t n = digest_two(&r->cfg->digest, text, out);
    for (uint32_t i = 0; i < 2; i++) {
        r->ev = ev[i];
        if (!put(r, encoded(r, bytes[i], n))) r->refused |= 1u << i;
    }
    return true;
}

static bool fingerprint_concatenated(struct fingerprint_run *r)
{
    struct buf *text = &r->state->text;
    struct value out;
    text->n = 0;
    if (r->cfg->concatenate_all) {
        concatenate_all(r, text);
    } else {
        for (uint32_t i = 0; i < r->cfg->sources.n; i++) {
            const struct fieldref *ref = &r->cfg->sources.at[i];
            concatenate(r, text, ref->text, event_get(r->batch, r->ev, ref));
        }
    }
    buf_add_byte(text, '|');
    return fingerprint(r, NULL, buf_slice(text), &out) && put(r, out);
}

static bool is_punctuation(unsigned char c)
{
    return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
           (c > 'z' && c < 0x7f);
}

static slice punctuation_of(struct fingerprint_run *r, slice text)
{
    char *out = arena_alloc(&r->batch->arena, (size_t)text.n + 1, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < 0x80) {
            if (is_punctuation((unsigned char)text.p[i])) out[n++] = text.p[i];
            continue;
        }
        struct buf *replaced = &r->state->replaced;
        if (regex_replace_all(r->cfg->unpunctuated, r->state->scratch, text, SLICE(""),
                              (size_t)text.n + 1, replaced) != REGEX_MATCH)
            return text;
        return arena_copy(&r->batch->arena, buf_slice(replaced));
    }
    return slice_make(out, n);
}

static bool punctuation(struct fingerprint_run *r)
{
    for (uint32_t i = 0; i < r->cfg->sources.n; i++) {
        struct value *v = event_get(r->batch, r->ev, &r->cfg->sources.at[i]);
        if (v == NULL || v->type != VALUE_STRING) continue;
        if (!put(r, value_string(punctuation_of(r, value_slice(v))))) return false;
    }
    return true;
}

static bool uuid(struct fingerprint_run *r)
{
    struct fingerprint_state *s = r->state;
    if (s->random_left < 16) {
        ssize_t n = getrandom(s->random, sizeof(s->random), 0);
        ASSERT(n == (ssize_t)sizeof(s->random));
        s->random_left = sizeof(s->random);
    }
    s->random_left -= 16;
    unsigned char *bytes = s->random + s->random_left;
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    slice hex = hex_text(bytes, 16, &r->batch->arena);
    char *out = arena_alloc(&r->batch->arena, 36, 1), *to = out;
    for (uint32_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) *to++ = '-';
        *to++ = hex.p[i];
    }
    return put(r, value_clean(slice_make(out, 36)));
}

static enum applied fingerprint_apply(void *state, const void *config, struct batch *b,
                                      const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct fingerprint_cfg *cfg = config;
    (void)run;
    bool pairs = cfg->method <= (int)DIGEST_MD5 && !cfg->concatenate_sources &&
                 !cfg->concatenate_all && cfg->sources.n == 1;
    for (uint32_t i = 0; i < in->n; i++) {
        struct fingerprint_run r = {state, cfg, b, &b->event[in->at[i]], 0};
        if (pairs && i + 1 < in->n && fingerprint_two(&r, r.ev, &b->event[in->at[i + 1]])) {
            if (!(r.refused & 1)) sel_add(hit, in->at[i]);
            if (!(r.refused & 2)) sel_add(hit, in->at[i + 1]);
            i++;
            continue;
        }
        bool ok;
        if (cfg->method == METHOD_UUID)
            ok = uuid(&r);
        else if (cfg->method == METHOD_PUNCTUATION)
            ok = punctuation(&r);
        else if (cfg->concatenate_sources || cfg->concatenate_all)
            ok = fingerprint_concatenated(&r);
        else
            ok = fingerprint_fields(&r);
        if (ok) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

/* ---- life ------------------------------------------------------------------------------- */

static err fingerprint_start(void *state, const void *config, struct worker *worker)
{
    const struct fingerprint_cfg *cfg = config;
    (void)worker;
    if (cfg->unpunctuated != NULL)
        ((struct fingerprint_state *)state)->scratch = regex_scratch_new();
    return ERR_OK;
}

static void fingerprint_stop(void *state, const void *cfg)
{
    struct fingerprint_state *s = state;
    (void)cfg;
    buf_fini(&s->text);
    buf_fini(&s->replaced);
    if (s->scratch != NULL) regex_scratch_free(s->scratch);
}

static void fingerprint_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct fingerprint_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu", (unsigned long long)counter_read(&s->failures));
}

static void sources_sort(struct field_list *list)
{
    for (uint32_t i = 1; i < list->n; i++) {
        struct fieldref ref = list->at[i];
        uint32_t k = i;
        for (; k > 0 && slice_compare(list->at[k - 1].text, ref.text) > 0; k--)
            list->at[k] = list->at[k - 1];
        list->at[k] = ref;
    }
}

static err compile_method(struct fingerprint_cfg *cfg, struct compiler *c)
{
    if (cfg->method <= (int)DIGEST_MD5)
        digest_init(&cfg->digest, (enum digest_method)cfg->method, cfg->key);
    if (cfg->method == METHOD_PUNCTUATION) {
        struct grok_error error;
        cfg->unpunctuated = regex_new(SLICE("[^\\p{P}\\p{S}]"), 0, &error);
        ASSERT(cfg->unpunctuated != NULL);
    }
    if (cfg->method != METHOD_IPV4_NETWORK) return ERR_OK;
    if (cfg->key.p == NULL) {
        compile_error(c, "method", "key => 24",
                      "Key value is empty. please fill in a subnet prefix length");
        return ERR_CONFIG;
    }
    if (!slice_to_i64(slice_trim(cfg->key), &cfg->prefix_bits) || cfg->prefix_bits < 0 ||
        cfg->prefix_bits > 128) {
        compile_error(c, "key", "a number of bits", "the key is no subnet prefix length");
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static err fingerprint_compile(void *config, struct compiler *c)
{
    struct fingerprint_cfg *cfg = config;
    slice target = cfg->target_name;
    if (target.p == NULL)
        target = compiler_is_ecs(c) ? SLICE("[event][hash]") : SLICE("fingerprint");
    if (compile_field_list(c, &cfg->sources, cfg->source_names) != ERR_OK ||
        compile_field_option(c, &cfg->target, "target", target) != ERR_OK)
        return ERR_CONFIG;
    if (cfg->concatenate_sources || cfg->method == METHOD_PUNCTUATION) sources_sort(&cfg->sources);
    return compile_method(cfg, c);
}

static void fingerprint_release(void *config)
{
    struct fingerprint_cfg *cfg = config;
    if (cfg->unpunctuated != NULL) regex_free(cfg->unpunctuated);
}

#define FP_AT(member, kind) SETTING_AT(struct fingerprint_cfg, member, kind)

/* clang-format off */
static const struct setting fingerprint_settings[] = {
    {.name = "source", FP_AT(source_names, LIST), .flags = SETTING_FIELD,
     .default_text = "[\"message\"]",
     .doc = "The fields to take the fingerprint of."},
    {.name = "target", FP_AT(target_name, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives it; by default fingerprint, or [event][hash] with ECS names."},
    {.name = "method", FP_AT(method, ENUM), .choices = methods, .default_text = "SHA1",
     .doc = "How to take it: a digest, a MurmurHash, the network of an address, a random UUID, or "
            "only the punctuation of the text."},
    {.name = "key", FP_AT(key, PASSWORD), .flags = SETTING_SECRET,
     .doc = "With a digest, the key of its HMAC; with IPV4_NETWORK, the length of the prefix."},
    {.name = "base64encode", FP_AT(base64, BOOL), .default_text = "false",
     .doc = "Write digests in base64, not in hexadecimal."},
    {.name = "concatenate_sources", FP_AT(concatenate_sources, BOOL), .default_text = "false",
     .doc = "Take one fingerprint of the names and values of all sources."},
    {.name = "concatenate_all_fields", FP_AT(concatenate_all, BOOL), .default_text = "false",
     .doc = "Take one fingerprint of the names and values of all fields of the event."},
    {0}};
/* clang-format on */

const struct filter_ops filter_fingerprint = {
    .name = "fingerprint",
    .doc = "Takes a digest of fields.",
    .settings = fingerprint_settings,
    .cfg_size = sizeof(struct fingerprint_cfg),
    .state_size = sizeof(struct fingerprint_state),
    .compile = fingerprint_compile,
    .release = fingerprint_release,
    .start = fingerprint_start,
    .apply = fingerprint_apply,
    .stop = fingerprint_stop,
    .stats = fingerprint_stats,
};
