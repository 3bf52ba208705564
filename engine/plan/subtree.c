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
    tree->part_bits = 0;
    for (uint32_t i = 0; i < whole->n; i++) {
        struct value *v = &tree->parts.at[i].val;
        tree->part_bits |= 1ull << (whole->at[i].hash & 63);
        uint16_t key_flags = v->key_flags;
        if (v->type == VALUE_MAP) *v = value_share(*v, true, arena);
        v->key_flags = key_flags;
    }
}

static bool merge(struct batch *b, struct map *into, const struct map *from, slice undivided)
{
    uint32_t older_n = into->n;
    if (into->n + from->n > into->cap) map_grow(into, &b->arena, into->n + from->n);
    for (uint32_t i = 0; i < from->n; i++) {
        const struct member *m = &from->at[i];
        struct key key = {{m->key, m->key_n}, m->hash, m->val.key_flags};
        struct member *have = map_find_first(into, older_n, key.name, key.hash);
        bool merges = have != NULL && have->val.type != VALUE_NIL && m->val.type == VALUE_MAP &&
                      !slice_equal(key.name, undivided);
        if (!merges) {
            struct value val = m->val;
            if (val.type == VALUE_MAP && !(val.flags & VALUE_SHARED))
                val = value_copy(&val, &b->arena);
            if (have == NULL)
                map_append(into, &b->arena, key, val);
            else
                val.key_flags = have->val.key_flags, have->val = val;
            continue;
        }
        if (have->val.type != VALUE_MAP) return false;
        value_resolve(&have->val, &b->arena);
        if (!merge(b, have->val.u.map, m->val.u.map, undivided)) return false;
    }
    return true;
}

static bool has_part(const struct subtree *tree, uint32_t hash)
{
    if ((tree->part_bits >> (hash & 63) & 1) == 0) return false;
    return !map_lacks(&tree->parts, hash);
}

/* All parts as they are behind the members of `into`; false when a name may be there already, or
 * they would be too many to be found without an index. */
static bool append_parts(const struct subtree *tree, struct batch *b, struct map *into)
{
    uint32_t n = into->n + tree->parts.n;
    if (n > MAP_SCAN_MAX || into->cap > MAP_SCAN_MAX) return false;
    for (uint32_t i = 0; i < into->n; i++)
        if (has_part(tree, into->at[i].hash)) return false;
    if (n > into->cap) map_grow(into, &b->arena, n);
    memcpy(into->at + into->n, tree->parts.at, tree->parts.n * sizeof(*into->at));
    into->n = n;
    return true;
}

static bool put_parts(const struct subtree *tree, struct batch *b, struct map *into,
                      slice undivided)
{
    return append_parts(tree, b, into) || merge(b, into, &tree->parts, undivided);
}

bool subtree_put(const struct subtree *tree, struct batch *b, struct event *ev,
                 const struct fieldref *target, slice undivided)
{
    if (target == NULL) return put_parts(tree, b, &ev->data, undivided);
    if (target->root == FIELD_META && target->depth == 0)
        return put_parts(tree, b, &ev->meta, undivided);
    struct value *v = event_get(b, ev, target);
    if (v == NULL || v->type == VALUE_NIL) return event_put(b, ev, target, tree->whole) == ERR_OK;
    return v->type == VALUE_MAP && put_parts(tree, b, v->u.map, undivided);
}
