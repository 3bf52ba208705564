/* subtree.c - sharing and merging. */
#include "engine/plan/subtree.h"

void subtree_make(struct subtree *tree, struct map *map, struct arena *arena)
{
    struct value whole = value_map(map);
    tree->whole = value_share(value_copy(&whole, arena), true, arena);
    tree->parts = *map;
    for (uint32_t i = 0; i < map->n; i++) {
        struct value *v = &map->at[i].val;
        uint16_t key_flags = v->key_flags;
        if (v->type == VALUE_MAP) *v = value_share(*v, true, arena);
        v->key_flags = key_flags;
    }
}

static bool merge(struct batch *b, struct map *into, const struct map *from, slice undivided)
{
    for (uint32_t i = 0; i < from->n; i++) {
        const struct member *m = &from->at[i];
        struct key key = {{m->key, m->key_n}, m->hash, m->val.key_flags};
        struct member *have = map_find(into, key.name, key.hash);
        bool merges = have != NULL && have->val.type != VALUE_NIL && m->val.type == VALUE_MAP &&
                      !slice_equal(key.name, undivided);
        if (!merges) {
            struct value val = m->val;
            if (val.type == VALUE_MAP && !(val.flags & VALUE_SHARED))
                val = value_copy(&val, &b->arena);
            map_put(into, &b->arena, key, val);
            continue;
        }
        if (have->val.type != VALUE_MAP) return false;
        value_resolve(&have->val, &b->arena);
        if (!merge(b, have->val.u.map, m->val.u.map, undivided)) return false;
    }
    return true;
}

bool subtree_put(const struct subtree *tree, struct batch *b, struct event *ev,
                 const struct fieldref *target, slice undivided)
{
    if (target == NULL) return merge(b, &ev->data, &tree->parts, undivided);
    if (target->root == FIELD_META && target->depth == 0)
        return merge(b, &ev->meta, &tree->parts, undivided);
    struct value *v = event_get(b, ev, target);
    if (v == NULL || v->type == VALUE_NIL) return event_put(b, ev, target, tree->whole) == ERR_OK;
    return v->type == VALUE_MAP && merge(b, v->u.map, &tree->parts, undivided);
}
