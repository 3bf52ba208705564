/*
 * de_dot.c - renames fields whose names have dots.
 *
 * Without `fields` every field of the event is looked at; references in `fields` may name fields
 * below others: of [a.b][c] the whole of [a.b] goes away, as in the plugin. With nested the parts
 * become a path. What a renamed field finds in its place is replaced; when it cannot be put there
 * it stays and the event is tagged. Stateless.
 */
#include "engine/plan/filter_kit.h"

struct de_dot_rename {
    struct fieldref from, to;
};

struct de_dot_cfg {
    slice separator;
    bool nested, recursive;
    struct config_list field_names;
    struct de_dot_rename *rename;
    uint32_t n;
    bool all;
};

static slice undotted(slice name, slice separator, struct arena *arena)
{
    char *out = arena_alloc(arena, (size_t)name.n * (separator.n + 1) + 1, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < name.n; i++) {
        if (name.p[i] != '.') {
            out[n++] = name.p[i];
            continue;
        }
        if (separator.n > 0) memcpy(out + n, separator.p, separator.n);
        n += separator.n;
    }
    return slice_make(out, n);
}

/* The reference of the new name. */
static bool target_of(const struct de_dot_cfg *cfg, slice name, struct arena *arena,
                      struct fieldref *out)
{
    slice text = undotted(name, cfg->nested ? SLICE("][") : cfg->separator, arena);
    if (cfg->nested && !(name.n > 0 && name.p[0] == '['))
        text = arena_join(arena, SLICE("["), arena_join(arena, text, SLICE("]")));
    return fieldref_parse(out, text, arena) == ERR_OK;
}

/* Hashes inside of values: their keys are renamed in place. */
static void deep_rename(struct value *v, const struct de_dot_cfg *cfg, struct arena *arena)
{
    value_resolve(v, arena);
    for (uint32_t i = 0; v->type == VALUE_LIST && i < v->n; i++)
        deep_rename(&v->u.list[i], cfg, arena);
    if (v->type != VALUE_MAP) return;
    struct map *map = map_new(arena);
    for (uint32_t i = 0; i < v->u.map->n; i++) {
        struct member *m = &v->u.map->at[i];
        deep_rename(&m->val, cfg, arena);
        slice name = {m->key, m->key_n};
        struct key key = {name, m->hash, m->val.key_flags};
        if (slice_find_byte(name, '.') >= 0)
            key = key_borrow(undotted(name, cfg->nested ? SLICE("_") : cfg->separator, arena));
        map_put(map, arena, key, m->val);
    }
    v->u.map = map;
}

/* The uppermost field on the way whose name has a dot: that is what goes away. */
static struct fieldref dotted_part(const struct fieldref *from)
{
    struct fieldref part = *from;
    for (part.depth = 1; part.depth < from->depth; part.depth++)
        if (slice_find_byte(from->step[part.depth - 1].key.name, '.') >= 0) break;
    part.top = part.depth == 1 && part.root == FIELD_DATA;
    return part;
}

static bool rename_field(struct batch *b, struct event *ev, const struct fieldref *from,
                         const struct fieldref *to)
{
    struct value *v = event_get(b, ev, from);
    if (v == NULL) return true;
    if (event_put(b, ev, to, *v) != ERR_OK) return false;
    struct fieldref dotted = dotted_part(from);
    event_remove(b, ev, &dotted);
    return true;
}

static bool rename_all(const struct de_dot_cfg *cfg, struct batch *b, struct event *ev)
{
    uint32_t n = ev->data.n, dotted_n = 0;
    slice *dotted = arena_alloc(&b->arena, ((size_t)n + 1) * sizeof(*dotted), 16);
    for (uint32_t i = 0; i < n; i++) {
        struct member *m = &ev->data.at[i];
        slice name = {m->key, m->key_n};
        if (slice_find_byte(name, '.') >= 0) dotted[dotted_n++] = name;
        if (cfg->recursive) deep_rename(&m->val, cfg, &b->arena);
    }
    bool ok = true;
    for (uint32_t i = 0; i < dotted_n; i++) {
        struct fieldref from, to;
        if (fieldref_parse(&from, dotted[i], &b->arena) != ERR_OK ||
            !target_of(cfg, dotted[i], &b->arena, &to) || !rename_field(b, ev, &from, &to))
            ok = false;
    }
    return ok;
}

static bool rename_listed(const struct de_dot_cfg *cfg, struct batch *b, struct event *ev)
{
    bool ok = true;
    for (uint32_t i = 0; i < cfg->n; i++) {
        struct value *v = cfg->recursive ? event_get(b, ev, &cfg->rename[i].from) : NULL;
        if (v != NULL) deep_rename(v, cfg, &b->arena);
        if (!slice_equal(cfg->rename[i].from.text, cfg->rename[i].to.text) &&
            !rename_field(b, ev, &cfg->rename[i].from, &cfg->rename[i].to))
            ok = false;
    }
    return ok;
}

static enum applied de_dot_apply(void *state, const void *config, struct batch *b,
                                 const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct de_dot_cfg *cfg = config;
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        if (cfg->all ? rename_all(cfg, b, ev) : rename_listed(cfg, b, ev))
            sel_add(hit, in->at[i]);
        else
            event_tag(b, ev, SLICE("_de_dot_error"), true);
    }
    return APPLIED;
}

static err de_dot_compile(void *config, struct compiler *c)
{
    struct de_dot_cfg *cfg = config;
    err result = ERR_OK;
    cfg->all = !settings_given(&c->given, "fields");
    if (!cfg->nested && slice_find_byte(cfg->separator, '.') >= 0) {
        compile_error(c, "separator", "text without a dot", "the separator has a dot itself");
        return ERR_CONFIG;
    }
    cfg->rename = heap_alloc(c->heap, (cfg->field_names.n + 1) * sizeof(*cfg->rename));
    for (uint32_t i = 0; i < cfg->field_names.n; i++) {
        const struct config_value *name = &cfg->field_names.at[i];
        struct de_dot_rename *rename = &cfg->rename[cfg->n++];
        if (compile_fieldref(c, &rename->from, name->text, name->pos) != ERR_OK) {
            result = ERR_CONFIG;
        } else if (slice_find_byte(name->text, '.') < 0) {
            rename->to = rename->from;
        } else if (!target_of(cfg, name->text, c->arena, &rename->to)) {
            diag_error(c->diag, name->pos, NULL, "`%.*s` without dots is no field reference",
                       SLICE_FMT(name->text));
            result = ERR_CONFIG;
        }
    }
    return result;
}

/* clang-format off */
static const struct setting de_dot_settings[] = {
    {.name = "separator", SETTING_AT(struct de_dot_cfg, separator, STRING), .default_text = "_",
     .doc = "What to put in the place of dots."},
    {.name = "nested", SETTING_AT(struct de_dot_cfg, nested, BOOL), .default_text = "false",
     .doc = "Make a path of the parts of the name."},
    {.name = "fields", SETTING_AT(struct de_dot_cfg, field_names, LIST), .flags = SETTING_FIELD,
     .doc = "The fields to rename; without it, all fields of the event, but none below them."},
    {.name = "recursive", SETTING_AT(struct de_dot_cfg, recursive, BOOL),
     .default_text = "false", .doc = "Rename the keys inside of hashes, too."},
    {0}};
/* clang-format on */

const struct filter_ops filter_de_dot = {
    .name = "de_dot",
    .doc = "Renames fields whose names have dots.",
    .settings = de_dot_settings,
    .cfg_size = sizeof(struct de_dot_cfg),
    .compile = de_dot_compile,
    .apply = de_dot_apply,
};
