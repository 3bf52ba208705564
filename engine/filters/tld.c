/*
 * tld.c - takes host names apart at their public suffix.
 *
 * The list is libpsl's, the newest of what is compiled in and what the system has. Names are taken
 * as they are written, in lower case; one without a suffix of the list, or that is a suffix itself,
 * is left alone. No state.
 */
#include <libpsl.h>

#include "engine/plan/filter_kit.h"
#include "parsers/text/unicode_case.h"

#define NAME_BYTES_MAX 1024u

struct tld_cfg {
    slice source_name, target_name;
    struct fieldref source, target;
    psl_ctx_t *list;
    struct key key[6]; /* tld, sld, trd, domain, subdomain, top_level_domain */
};

/* Without blanks around, the last dot, capitals. False: no name. */
static bool normalize(struct batch *b, slice text, slice *name)
{
    text = slice_trim(text);
    if (text.n > 0 && text.p[text.n - 1] == '.') text.n--;
    if (text.n == 0 || text.n > NAME_BYTES_MAX || text.p[0] == '.' || text.p[text.n - 1] == '.' ||
        slice_find(text, SLICE("://")) >= 0 || slice_find_byte(text, 0) >= 0)
        return false;
    /* A NUL behind it, for libpsl. */
    char *lower = arena_alloc(&b->arena, UNICODE_CASE_BYTES_MAX(text.n) + 1, 1);
    *name = slice_make(lower, unicode_case_write(text, CASE_LOWER, lower));
    lower[name->n] = 0;
    return true;
}

/* Where the suffix begins; 0: the name has none, or is one. */
static uint32_t suffix_find(const struct tld_cfg *cfg, slice name)
{
    const char *suffix = psl_unregistrable_domain(cfg->list, name.p);
    if (suffix == NULL || suffix == name.p ||
        !psl_is_public_suffix2(cfg->list, suffix, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE))
        return 0;
    return (uint32_t)(suffix - name.p);
}

static struct value text_or_nil(slice text)
{
    return text.p == NULL ? value_nil() : value_string(text);
}

static bool put(const struct tld_cfg *cfg, struct batch *b, struct event *ev, slice name,
                uint32_t suffix_at)
{
    slice suffix = slice_from(name, suffix_at), left = slice_part(name, 0, suffix_at - 1);
    uint32_t at = left.n;
    while (at > 0 && left.p[at - 1] != '.') at--;
    slice second = slice_from(left, at), third = SLICE_NONE, below = SLICE_NONE;
    if (at > 1) third = slice_part(left, 0, at - 1);
    if (third.n > 0) below = name;
    struct value part[6] = {value_string(suffix), text_or_nil(second.n > 0 ? second : SLICE_NONE),
                            text_or_nil(third),   value_string(slice_from(name, at)),
                            text_or_nil(below),   value_string(suffix)};
    struct value *old = event_get(b, ev, &cfg->target);
    struct map *map = map_new(&b->arena);
    if (old != NULL && old->type == VALUE_MAP)
        map_copy(map, old->u.map, &b->arena);
    else if (old != NULL && old->type != VALUE_NIL)
        return false;
    for (uint32_t i = 0; i < 6; i++) map_put(map, &b->arena, cfg->key[i], part[i]);
    return event_put(b, ev, &cfg->target, value_map(map)) == ERR_OK;
}

static enum applied tld_apply(void *state, const void *config, struct batch *b,
                              const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct tld_cfg *cfg = config;
    slice name;
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        struct value *v = event_get(b, ev, &cfg->source);
        if (v == NULL || v->type != VALUE_STRING || !normalize(b, value_slice(v), &name)) continue;
        uint32_t suffix_at = suffix_find(cfg, name);
        if (suffix_at > 1 && put(cfg, b, ev, name, suffix_at)) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static err tld_compile(void *config, struct compiler *c)
{
    static const char *const names[] = {"tld",    "sld",       "trd",
                                        "domain", "subdomain", "top_level_domain"};
    struct tld_cfg *cfg = config;
    for (uint32_t i = 0; i < 6; i++) cfg->key[i] = compile_key(c, slice_from_cstr(names[i]));
    cfg->list = psl_latest(NULL);
    if (cfg->list == NULL) {
        compile_error(c, NULL, "the package publicsuffix", "there is no list of public suffixes");
        return ERR_CONFIG;
    }
    err e = compile_field_option(c, &cfg->source, "source", cfg->source_name);
    err e2 = compile_field_option(c, &cfg->target, "target", cfg->target_name);
    return e != ERR_OK ? e : e2;
}

static void tld_release(void *config)
{
    psl_free(((struct tld_cfg *)config)->list);
}

/* clang-format off */
static const struct setting tld_settings[] = {
    {.name = "source", SETTING_AT(struct tld_cfg, source_name, STRING), .flags = SETTING_FIELD,
     .default_text = "message",
     .doc = "The field with the host name."},
    {.name = "target", SETTING_AT(struct tld_cfg, target_name, STRING), .flags = SETTING_FIELD,
     .default_text = "tld",
     .doc = "The field that receives the parts: tld, sld, trd, domain, subdomain and "
            "top_level_domain."},
    {0}};
/* clang-format on */

const struct filter_ops filter_tld = {
    .name = "tld",
    .doc = "Takes host names apart at their public suffix (co.uk).",
    .settings = tld_settings,
    .cfg_size = sizeof(struct tld_cfg),
    .compile = tld_compile,
    .release = tld_release,
    .apply = tld_apply,
};
