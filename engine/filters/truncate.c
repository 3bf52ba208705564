/*
 * truncate.c - cuts text that is too long, between characters.
 *
 * Lists have their strings cut, hashes are walked. Without `fields` every field of the event is
 * looked at. Common options apply to events of which something was cut. Stateless.
 */
#include "engine/plan/filter_kit.h"

struct truncate_cfg {
    struct config_list field_names;
    int64_t length_bytes;
    struct field_list fields;
    bool all;
};

/* Not longer than `max`, and no part of a character at the end. */
static uint32_t cut_at(slice text, int64_t max)
{
    if ((int64_t)text.n <= max) return text.n;
    uint32_t at = (uint32_t)max;
    while (at > 0 && ((unsigned char)text.p[at] & 0xc0) == 0x80) at--;
    return at;
}

static bool truncate(struct value *v, int64_t max, struct arena *arena, bool in_list)
{
    value_resolve(v, arena);
    bool cut = false;
    if (v->type == VALUE_STRING) {
        uint32_t n = cut_at(value_slice(v), max);
        cut = n < v->n;
        v->n = n;
    } else if (v->type == VALUE_LIST && !in_list) {
        for (uint32_t i = 0; i < v->n; i++)
            if (truncate(&v->u.list[i], max, arena, true)) cut = true;
    } else if (v->type == VALUE_MAP && !in_list) {
        for (uint32_t i = 0; i < v->u.map->n; i++)
            if (truncate(&v->u.map->at[i].val, max, arena, false)) cut = true;
    }
    return cut;
}

static enum applied truncate_apply(void *state, const void *config, struct batch *b,
                                   const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct truncate_cfg *cfg = config;
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        bool cut = false;
        for (uint32_t k = 0; k < cfg->fields.n; k++) {
            struct value *v = event_get(b, ev, &cfg->fields.at[k]);
            if (v != NULL && truncate(v, cfg->length_bytes, &b->arena, false)) cut = true;
        }
        for (uint32_t k = 0; cfg->all && k < ev->data.n; k++)
            if (truncate(&ev->data.at[k].val, cfg->length_bytes, &b->arena, false)) cut = true;
        if (cut) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static err truncate_compile(void *config, struct compiler *c)
{
    struct truncate_cfg *cfg = config;
    cfg->all = !settings_given(&c->given, "fields");
    return compile_field_list(c, &cfg->fields, cfg->field_names);
}

/* clang-format off */
static const struct setting truncate_settings[] = {
    {.name = "fields", SETTING_AT(struct truncate_cfg, field_names, LIST), .flags = SETTING_FIELD,
     .doc = "The fields to cut; without it, all fields of the event."},
    {.name = "length_bytes", SETTING_AT(struct truncate_cfg, length_bytes, INT),
     .flags = SETTING_REQUIRED, .min = 0, .max = UINT32_MAX,
     .doc = "Longest text that stays, in bytes; a character is never cut in two."},
    {0}};
/* clang-format on */

const struct filter_ops filter_truncate = {
    .name = "truncate",
    .doc = "Cuts text that is too long.",
    .settings = truncate_settings,
    .cfg_size = sizeof(struct truncate_cfg),
    .compile = truncate_compile,
    .apply = truncate_apply,
};
