/* subtree.c - sharing and merging. */
#include "engine/plan/subtree.h"

#include "engine/base/assert.h"

static struct map *compact(const struct map *from, struct arena *arena);

/* A copy that shares nothing, and has no room to grow. */
static struct value kept(const struct value *v, struct arena *arena)
{
    ASSERT(!(v->flags & VALUE_LAZY) && v->type != VALUE_LIST);
    if (v->type == VALUE_MAP) return value_map(compact(v->u.map, arena));
    if (v->type == VALUE_STRING) return value_string(arena_copy(arena, value_slice(v)));
    return *v;
}

static struct map *compact(const struct map *from, struct arena *arena)
{
    struct map *map = arena_alloc(arena, sizeof(*map), 16);
    ASSERT(from->n <= MAP_SCAN_MAX);
    *map = (struct map){arena_alloc(arena, (from->n + 1) * sizeof(*map->at), 16), from->n, from->n};
    for (uint32_t i = 0; i < from->n; i++) {
        struct key key = key_make(arena, slice_make(from->at[i].key, from->at[i].key_n));
        struct value val = kept(&from->at[i].val, arena);
        val.key_flags = key.flags;
        map->at[i] = (struct member){key.name.p, key.name.n, key.hash, val};
    }
    return map;
}

void subtree_make(struct subtree *tree, const struct map *map, struct arena *arena)
{
    struct map *whole = compact(map, arena);
    tree->whole = value_share(value_map(whole), true, arena);
    tree->parts = *whole;
    tree->parts.at = arena_alloc(arena, (whole->n + 1) * sizeof(*whole->at), 16);
    memcpy(tree->parts.at, whole->at, whole->n * sizeof(*whole->at));
    for (uint32_t i = 0; i < whole->n; i++) {
        struct value *v = &tree->parts.at[i].val;
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
