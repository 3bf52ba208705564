/* filter_kit.c - what filters share. */
#include "engine/plan/filter_kit.h"

err compile_field_list(struct compiler *c, struct field_list *out, struct config_list list)
{
    err result = ERR_OK;
    out->at = heap_alloc(c->heap, (list.n + 1) * sizeof(*out->at));
    out->n = list.n;
    for (uint32_t i = 0; i < list.n; i++)
        if (compile_fieldref(c, &out->at[i], list.at[i].text, list.at[i].pos) != ERR_OK)
            result = ERR_CONFIG;
    return result;
}

err compile_template_list(struct compiler *c, struct template_list *out, struct config_list list)
{
    err result = ERR_OK;
    out->at = heap_alloc(c->heap, (list.n + 1) * sizeof(*out->at));
    out->n = list.n;
    for (uint32_t i = 0; i < list.n; i++)
        if (compile_template(c, &out->at[i], list.at[i].text, list.at[i].pos) != ERR_OK)
            result = ERR_CONFIG;
    return result;
}

void template_list_fini(struct template_list *list)
{
    for (uint32_t i = 0; i < list->n; i++) template_fini(&list->at[i]);
    list->n = 0;
}

err compile_field_option(struct compiler *c, struct fieldref *out, const char *option, slice text)
{
    if (text.p == NULL) return ERR_OK;
    return compile_fieldref(c, out, text, settings_pos(c->plugin, option));
}

struct value compile_value(struct compiler *c, const struct config_value *v)
{
    switch (v->type) {
    case CONFIG_INT:
        if (!(v->flags & CONFIG_BIG)) return value_int(v->u.num);
        return (struct value){.type = VALUE_BIGNUM, .n = v->text.n, .u.str = v->text.p};
    case CONFIG_FLOAT: return value_float(v->u.real);
    case CONFIG_LIST: {
        struct value *items = arena_alloc(c->arena, ((size_t)v->n + 1) * sizeof(*items), 16);
        for (uint32_t i = 0; i < v->n; i++) items[i] = compile_value(c, &v->u.list[i]);
        return value_list(items, v->n);
    }
    case CONFIG_HASH: {
        struct map *map = map_new(c->arena);
        for (uint32_t i = 0; i < v->n; i++)
            map_put(map, c->arena, compile_key(c, v->u.pairs[i].key.text),
                    compile_value(c, &v->u.pairs[i].val));
        return value_map(map);
    }
    default: return value_string(arena_copy(c->arena, v->text));
    }
}

void event_tag_list(struct batch *b, struct event *ev, struct config_list tags)
{
    for (uint32_t i = 0; i < tags.n; i++) event_tag(b, ev, tags.at[i].text, true);
}

bool event_put_named(struct batch *b, struct event *ev, slice name, struct value val)
{
    if (field_is_plain(name)) {
        map_put(&ev->data, &b->arena, key_borrow(name), val);
        return true;
    }
    struct fieldref ref;
    return fieldref_parse(&ref, name, &b->arena) == ERR_OK && event_put(b, ev, &ref, val) == ERR_OK;
}

struct value *event_get_named(struct batch *b, struct event *ev, slice name)
{
    struct fieldref ref;
    if (fieldref_parse(&ref, name, &b->arena) != ERR_OK) return NULL;
    return event_get(b, ev, &ref);
}

bool event_has(struct batch *b, struct event *ev, const struct fieldref *ref)
{
    if (ref->root == FIELD_META && ref->depth == 0) return true;
    return event_get(b, ev, ref) != NULL;
}

struct event *event_new(struct batch *b)
{
    struct event *ev = batch_add(b);
    if (ev != NULL) event_add_version(b, ev);
    return ev;
}
