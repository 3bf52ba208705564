/* common_options.c - add_field, remove_field, add_tag, remove_tag; type and tags of inputs. */
#include "engine/plan/common_options.h"

/* The name as a reference for this event: the compiled one, or rendered and parsed now. */
static const struct fieldref *name_ref(const struct template *name, const struct fieldref *ref,
                                       struct fieldref *own, struct batch *b, struct event *ev)
{
    if (template_is_constant(name)) return ref;
    slice text = template_render(name, b, ev, NULL);
    return fieldref_parse(own, text, &b->arena) == ERR_OK ? own : NULL;
}

static err compile_name(struct compiler *c, struct template *name, struct fieldref *ref, slice text,
                        struct pos pos)
{
    err e = compile_template(c, name, text, pos);
    if (e == ERR_OK && template_is_constant(name)) e = compile_fieldref(c, ref, text, pos);
    return e;
}

static err compile_add_field(struct add_field *out, const struct config_pair *pair,
                             struct compiler *c)
{
    err e = compile_name(c, &out->name, &out->ref, pair->key.text, pair->key.pos);
    if (e != ERR_OK) return e;
    const struct config_value *items = &pair->val;
    out->value_n = 1;
    if (pair->val.type == CONFIG_LIST) {
        items = pair->val.u.list;
        out->value_n = pair->val.n;
    }
    out->value = heap_alloc(c->heap, (out->value_n + 1) * sizeof(struct template));
    for (uint32_t i = 0; i < out->value_n; i++) {
        if (!config_is_scalar(&items[i])) {
            diag_error(c->diag, items[i].pos, "a string or a number", "add_field cannot add this");
            return ERR_CONFIG;
        }
        e = compile_template(c, &out->value[i], items[i].text, items[i].pos);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

static err compile_add_fields(struct common_options *out, struct config_hash hash,
                              struct compiler *c)
{
    err result = ERR_OK;
    out->add_field = heap_alloc(c->heap, (hash.n + 1) * sizeof(struct add_field));
    out->add_field_n = hash.n;
    for (uint32_t i = 0; i < hash.n; i++) {
        err e = compile_add_field(&out->add_field[i], &hash.at[i], c);
        if (e != ERR_OK) result = e;
    }
    return result;
}

static err compile_tags(struct template **out, uint32_t *n, struct config_list list,
                        struct compiler *c)
{
    err result = ERR_OK;
    *out = heap_alloc(c->heap, (list.n + 1) * sizeof(struct template));
    *n = list.n;
    for (uint32_t i = 0; i < list.n; i++) {
        err e = compile_template(c, &(*out)[i], list.at[i].text, list.at[i].pos);
        if (e != ERR_OK) result = e;
    }
    return result;
}

err common_options_compile(struct common_options *out, const struct common_filter_cfg *cfg,
                           struct compiler *c)
{
    err result = compile_add_fields(out, cfg->add_field, c);
    out->remove_field = heap_alloc(c->heap, (cfg->remove_field.n + 1) * sizeof(struct field_name));
    out->remove_field_n = cfg->remove_field.n;
    for (uint32_t i = 0; i < cfg->remove_field.n; i++) {
        const struct config_value *name = &cfg->remove_field.at[i];
        err e = compile_name(c, &out->remove_field[i].text, &out->remove_field[i].ref, name->text,
                             name->pos);
        if (e != ERR_OK) result = e;
    }
    err e = compile_tags(&out->add_tag, &out->add_tag_n, cfg->add_tag, c);
    if (e != ERR_OK) result = e;
    e = compile_tags(&out->remove_tag, &out->remove_tag_n, cfg->remove_tag, c);
    if (e != ERR_OK) result = e;
    out->any = out->add_field_n + out->remove_field_n + out->add_tag_n + out->remove_tag_n > 0;
    return result;
}

static void fini_templates(struct template *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) template_fini(&t[i]);
}

void common_options_fini(struct common_options *o)
{
    for (uint32_t i = 0; i < o->add_field_n; i++) {
        template_fini(&o->add_field[i].name);
        fini_templates(o->add_field[i].value, o->add_field[i].value_n);
    }
    for (uint32_t i = 0; i < o->remove_field_n; i++) template_fini(&o->remove_field[i].text);
    fini_templates(o->add_tag, o->add_tag_n);
    fini_templates(o->remove_tag, o->remove_tag_n);
}

/* Array(hash) of Ruby: its pairs. */
static struct value pairs_of(struct batch *b, const struct map *map)
{
    struct value *items = arena_alloc(&b->arena, ((size_t)map->n + 1) * sizeof(*items), 16);
    for (uint32_t i = 0; i < map->n; i++) {
        const struct member *m = &map->at[i];
        struct value *pair = arena_alloc(&b->arena, 2 * sizeof(*pair), 16);
        pair[0] = value_string(slice_make(m->key, m->key_n));
        pair[1] = m->val;
        pair[1].key_flags = 0;
        items[i] = value_list(pair, 2);
    }
    return value_list(items, map->n);
}

/* What a field holds becomes a list with the text at its end: null is no item, a hash is pairs. */
static err add_text(struct batch *b, struct event *ev, const struct fieldref *ref, slice text)
{
    struct value *old = event_get(b, ev, ref);
    if (old == NULL) return event_put(b, ev, ref, value_string(text));
    if (old->type == VALUE_NIL) {
        struct value *item = arena_alloc(&b->arena, sizeof(*item), 16);
        *item = value_string(text);
        return event_put(b, ev, ref, value_list(item, 1));
    }
    if (old->type == VALUE_MAP) {
        err e = event_put(b, ev, ref, pairs_of(b, old->u.map));
        if (e != ERR_OK) return e;
    }
    return event_append(b, ev, ref, value_string(text));
}

static bool apply_add_fields(const struct common_options *o, struct batch *b, struct event *ev,
                             bool strict)
{
    bool ok = true;
    for (uint32_t i = 0; i < o->add_field_n; i++) {
        const struct add_field *add = &o->add_field[i];
        for (uint32_t k = 0; k < add->value_n; k++) {
            struct fieldref own;
            const struct fieldref *ref = name_ref(&add->name, &add->ref, &own, b, ev);
            slice text = template_render(&add->value[k], b, ev, NULL);
            if (ref == NULL || add_text(b, ev, ref, text) != ERR_OK) ok = false;
            if (!ok && strict) return false;
        }
    }
    return ok;
}

static void remove_tag(struct batch *b, struct event *ev, slice tag)
{
    struct member *m = map_find(&ev->data, SLICE("tags"), hash_key("tags", 4));
    if (m == NULL) return;
    value_resolve(&m->val, &b->arena);
    if (m->val.type == VALUE_STRING) {
        if (slice_equal(value_slice(&m->val), tag)) {
            uint16_t key_flags = m->val.key_flags;
            m->val = value_list(arena_alloc(&b->arena, sizeof(struct value), 16), 0);
            m->val.key_flags = key_flags;
        }
        return;
    }
    if (m->val.type != VALUE_LIST) return;
    uint32_t keep = 0;
    struct value *items = arena_alloc(&b->arena, (m->val.n + 1) * sizeof(struct value), 16);
    for (uint32_t i = 0; i < m->val.n; i++) {
        struct value *item = &m->val.u.list[i];
        value_resolve(item, &b->arena);
        if (item->type == VALUE_STRING && slice_equal(value_slice(item), tag)) continue;
        items[keep++] = *item;
    }
    m->val.u.list = items;
    m->val.n = keep;
}

bool common_options_apply(const struct common_options *o, struct batch *b, struct event *ev,
                          bool strict)
{
    bool ok = apply_add_fields(o, b, ev, strict);
    if (!ok && strict) return false;
    for (uint32_t i = 0; i < o->remove_field_n; i++) {
        struct fieldref own;
        const struct fieldref *ref =
            name_ref(&o->remove_field[i].text, &o->remove_field[i].ref, &own, b, ev);
        if (ref != NULL) event_remove(b, ev, ref);
    }
    for (uint32_t i = 0; i < o->add_tag_n; i++)
        event_tag(b, ev, template_render(&o->add_tag[i], b, ev, NULL), false);
    for (uint32_t i = 0; i < o->remove_tag_n; i++)
        remove_tag(b, ev, template_render(&o->remove_tag[i], b, ev, NULL));
    return ok;
}

err decoration_compile(struct decoration *out, const struct common_input_cfg *cfg,
                       struct compiler *c)
{
    err result = compile_add_fields(&out->fields, cfg->add_field, c);
    err e = compile_tags(&out->fields.add_tag, &out->fields.add_tag_n, cfg->tags, c);
    if (e != ERR_OK) result = e;
    out->has_type = cfg->type.p != NULL;
    if (out->has_type) {
        e = compile_template(c, &out->type, cfg->type, settings_pos(c->plugin, "type"));
        if (e != ERR_OK) result = e;
        out->type_key = compile_key(c, SLICE("type"));
    }
    out->any = out->has_type || out->fields.add_field_n > 0 || out->fields.add_tag_n > 0;
    return result;
}

void decoration_fini(struct decoration *d)
{
    common_options_fini(&d->fields);
    template_fini(&d->type);
}

void decoration_apply(const struct decoration *d, struct batch *b, uint32_t from)
{
    if (!d->any) return;
    for (uint32_t i = from; i < b->n; i++) {
        struct event *ev = &b->event[i];
        if (d->has_type && map_find(&ev->data, d->type_key.name, d->type_key.hash) == NULL)
            map_append(&ev->data, &b->arena, d->type_key, value_string(d->type.text));
        common_options_apply(&d->fields, b, ev, false);
    }
}
