/*
 * anonymize.c - replaces fields by keyed digests of themselves.
 *
 * Lists have each item replaced. Values that a method cannot take (a number for a digest, text
 * that is no address) stay and are counted; MURMUR3 makes null of them. As in the plugin, common
 * options never apply.
 */
#include "engine/plan/digest.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/ip_net.h"

static const char *const algorithms[] = {"SHA1", "SHA256",  "SHA384",       "SHA512",
                                         "MD5",  "MURMUR3", "IPV4_NETWORK", NULL};
enum algorithm { ALGORITHM_MURMUR3 = DIGEST_MD5 + 1, ALGORITHM_IPV4_NETWORK };

struct anonymize_cfg {
    struct config_list field_names;
    slice key;
    int algorithm;
    struct field_list fields;
    struct digest digest;
    int64_t prefix_bits;
};

struct anonymize_state {
    struct counter failures;
};

/* Texts and integers; null of everything else. */
static struct value murmur(const struct value *v)
{
    if (v->type == VALUE_STRING) return value_int(murmur3_32(value_slice(v), 0));
    if (v->type != VALUE_INT) return value_nil();
    bool small = v->u.num >= 0 && v->u.num <= UINT32_MAX;
    return value_int(murmur3_32(slice_make((const char *)&v->u.num, small ? 4 : 8), 0));
}

static bool anonymized(const struct anonymize_cfg *cfg, const struct value *v, struct arena *arena,
                       struct value *out)
{
    unsigned char bytes[DIGEST_BYTES_MAX];
    struct ip_net ip;
    if (cfg->algorithm == ALGORITHM_MURMUR3) {
        *out = murmur(v);
        return true;
    }
    if (v->type != VALUE_STRING) return false;
    if (cfg->algorithm == ALGORITHM_IPV4_NETWORK) {
        if (!ip_net_parse(value_slice(v), &ip) || !ip_net_mask(&ip, cfg->prefix_bits)) return false;
        *out = value_clean(ip_net_text(&ip, arena));
        return true;
    }
    uint32_t n = digest_bytes(&cfg->digest, value_slice(v), bytes);
    *out = value_clean(hex_text(bytes, n, arena));
    return true;
}

static bool anonymize_list(const struct anonymize_cfg *cfg, struct value *list, struct arena *arena)
{
    bool ok = true;
    for (uint32_t i = 0; i < list->n; i++) {
        value_resolve(&list->u.list[i], arena);
        if (!anonymized(cfg, &list->u.list[i], arena, &list->u.list[i])) ok = false;
    }
    return ok;
}

static enum applied anonymize_apply(void *state, const void *config, struct batch *b,
                                    const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct anonymize_cfg *cfg = config;
    struct anonymize_state *s = state;
    (void)hit, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        for (uint32_t k = 0; k < cfg->fields.n; k++) {
            struct value *v = event_get(b, ev, &cfg->fields.at[k]), out;
            if (v == NULL) continue;
            bool ok = v->type == VALUE_LIST
                          ? anonymize_list(cfg, v, &b->arena)
                          : anonymized(cfg, v, &b->arena, &out) &&
                                event_put(b, ev, &cfg->fields.at[k], out) == ERR_OK;
            if (!ok) counter_add(&s->failures, 1);
        }
    }
    return APPLIED;
}

static void anonymize_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    buf_printf(
        out, ",\"failures\":%llu",
        (unsigned long long)counter_read(&((const struct anonymize_state *)state)->failures));
}

static err anonymize_compile(void *config, struct compiler *c)
{
    struct anonymize_cfg *cfg = config;
    diag_warn(c->diag, c->plugin->pos, NULL,
              "the anonymize filter is deprecated: use the fingerprint filter");
    if (cfg->algorithm <= (int)DIGEST_MD5)
        digest_init(&cfg->digest, (enum digest_method)cfg->algorithm, cfg->key);
    if (cfg->algorithm == ALGORITHM_IPV4_NETWORK &&
        (!slice_to_i64(slice_trim(cfg->key), &cfg->prefix_bits) || cfg->prefix_bits < 0 ||
         cfg->prefix_bits > 128)) {
        compile_error(c, "key", "a number of bits", "the key is no subnet prefix length");
        return ERR_CONFIG;
    }
    return compile_field_list(c, &cfg->fields, cfg->field_names);
}

/* clang-format off */
static const struct setting anonymize_settings[] = {
    {.name = "fields", SETTING_AT(struct anonymize_cfg, field_names, LIST),
     .flags = SETTING_REQUIRED | SETTING_FIELD, .doc = "The fields to replace."},
    {.name = "key", SETTING_AT(struct anonymize_cfg, key, STRING),
     .flags = SETTING_REQUIRED | SETTING_SECRET,
     .doc = "The key of the digest's HMAC; with IPV4_NETWORK, the length of the prefix."},
    {.name = "algorithm", SETTING_AT(struct anonymize_cfg, algorithm, ENUM),
     .choices = algorithms, .default_text = "SHA1", .doc = "What to replace fields by."},
    {0}};
/* clang-format on */

const struct filter_ops filter_anonymize = {
    .name = "anonymize",
    .doc = "Replaces fields by keyed digests.",
    .settings = anonymize_settings,
    .cfg_size = sizeof(struct anonymize_cfg),
    .state_size = sizeof(struct anonymize_state),
    .compile = anonymize_compile,
    .apply = anonymize_apply,
    .stats = anonymize_stats,
};
