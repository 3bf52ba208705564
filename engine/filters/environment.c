/*
 * environment.c - fields from the process's environment, read when the configuration is
 * compiled. A variable that is not set gives null. Stateless.
 */
#include <stdlib.h>

#include "engine/plan/filter_kit.h"

struct environment_field {
    struct fieldref field;
    struct value val;
};

struct environment_cfg {
    struct config_hash fields, metadata;
    struct environment_field *at;
    uint32_t n;
};

static enum applied environment_apply(void *state, const void *config, struct batch *b,
                                      const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct environment_cfg *cfg = config;
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        bool ok = true;
        for (uint32_t k = 0; k < cfg->n; k++)
            if (event_put(b, &b->event[in->at[i]], &cfg->at[k].field, cfg->at[k].val) != ERR_OK)
                ok = false;
        if (ok) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static err compile_pairs(struct environment_cfg *cfg, struct compiler *c, struct config_hash hash,
                         const char *prefix)
{
    err result = ERR_OK;
    for (uint32_t i = 0; i < hash.n; i++) {
        const struct config_pair *pair = &hash.at[i];
        struct environment_field *f = &cfg->at[cfg->n++];
        bool bracketed = pair->key.text.n > 0 && pair->key.text.p[0] == '[';
        slice name = pair->key.text;
        if (prefix[0] != '\0')
            name = heap_printf(c->heap, bracketed ? "%s%.*s" : "%s[%.*s]", prefix, SLICE_FMT(name));
        char *variable = slice_dup_cstr(pair->val.text);
        const char *text = getenv(variable);
        free(variable);
        f->val =
            text == NULL ? value_nil() : value_string(arena_copy(c->arena, slice_from_cstr(text)));
        if (compile_fieldref(c, &f->field, name, pair->key.pos) != ERR_OK) result = ERR_CONFIG;
    }
    return result;
}

static err environment_compile(void *config, struct compiler *c)
{
    struct environment_cfg *cfg = config;
    cfg->at = heap_alloc(c->heap, (cfg->fields.n + cfg->metadata.n + 1) * sizeof(*cfg->at));
    err e = compile_pairs(cfg, c, cfg->fields, "");
    err e2 = compile_pairs(cfg, c, cfg->metadata, "[@metadata]");
    return e != ERR_OK ? e : e2;
}

/* clang-format off */
static const struct setting environment_settings[] = {
    {.name = "add_field_from_env", SETTING_AT(struct environment_cfg, fields, HASH),
     .flags = SETTING_FIELD,
     .default_text = "{}", .doc = "Fields with the variable whose text they get."},
    {.name = "add_metadata_from_env", SETTING_AT(struct environment_cfg, metadata, HASH),
     .flags = SETTING_FIELD, .default_text = "{}", .doc = "The same for fields below [@metadata]."},
    {0}};
/* clang-format on */

const struct filter_ops filter_environment = {
    .name = "environment",
    .doc = "Adds fields from the environment.",
    .settings = environment_settings,
    .cfg_size = sizeof(struct environment_cfg),
    .compile = environment_compile,
    .apply = environment_apply,
};
