/* map.c - growth, the side index, removal. */
#include "engine/event/map.h"

#include "engine/base/assert.h"

/* The index of a large map: 2 * cap slots of member position + 1, behind the members. */
static uint32_t *map_slots(const struct map *map)
{
    return (uint32_t *)(map->at + map->cap);
}
static uint32_t map_slot_mask(const struct map *map)
{
    return map->cap * 2 - 1;
}

struct key key_make(struct arena *arena, slice name)
{
    char *p = arena_alloc(arena, (size_t)name.n + 3 + 64, 16);
    memset(p, 0, (size_t)name.n + 3 + 64);
    p[0] = '"';
    if (name.n > 0) memcpy(p + 1, name.p, name.n);
    p[1 + name.n] = '"';
    p[2 + name.n] = ':';
    struct key key = key_borrow(slice_make(p + 1, name.n));
    key.flags = KEY_WIRE | KEY_QUOTED;
    for (uint32_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c < 0x20 || c == '"' || c == '\\') key.flags = 0;
    }
    return key;
}

void map_index_add(struct map *map, uint32_t at)
{
    uint32_t *slots = map_slots(map), mask = map_slot_mask(map);
    uint32_t i = map->at[at].hash & mask;
    while (slots[i] != 0) i = (i + 1) & mask;
    slots[i] = at + 1;
}

static void map_index_build(struct map *map)
{
    memset(map_slots(map), 0, sizeof(uint32_t) * map->cap * 2);
    for (uint32_t i = 0; i < map->n; i++) map_index_add(map, i);
}

struct member *map_find_indexed(const struct map *map, slice key, uint32_t hash)
{
    const uint32_t *slots = map_slots(map);
    uint32_t mask = map_slot_mask(map);
    for (uint32_t i = hash & mask; slots[i] != 0; i = (i + 1) & mask) {
        struct member *m = &map->at[slots[i] - 1];
        if (member_is(m, key, hash)) return m;
    }
    return NULL;
}

void map_grow(struct map *map, struct arena *arena, uint32_t cap)
{
    ASSERT(cap > map->cap);
    if (cap > MAP_SCAN_MAX) { /* the index masks with cap * 2 - 1 */
        uint32_t power = MAP_SCAN_MAX * 2;
        while (power < cap) power *= 2;
        cap = power;
    }
    size_t bytes = (size_t)cap * sizeof(struct member);
    if (cap > MAP_SCAN_MAX) bytes += (size_t)cap * 2 * sizeof(uint32_t);
    struct member *at = arena_alloc(arena, bytes, 32);
    if (map->n > 0) memcpy(at, map->at, map->n * sizeof(struct member));
    map->at = at;
    map->cap = cap;
    if (cap > MAP_SCAN_MAX) map_index_build(map);
}

struct value *map_put(struct map *map, struct arena *arena, struct key key, struct value val)
{
    struct member *m = map_find(map, key.name, key.hash);
    if (m == NULL) return map_append(map, arena, key, val);
    val.key_flags = m->val.key_flags;
    m->val = val;
    return &m->val;
}

void map_remove_at(struct map *map, uint32_t at)
{
    ASSERT(at < map->n);
    map->n--;
    /* Where @timestamp stands as a rule: the place is given up rather than all others moved. */
    if (at == 0 && map->cap <= MAP_SCAN_MAX) {
        map->at++;
        map->cap--;
        return;
    }
    memmove(&map->at[at], &map->at[at + 1], (map->n - at) * sizeof(struct member));
    if (map->cap > MAP_SCAN_MAX) map_index_build(map);
}

bool map_remove(struct map *map, slice key, uint32_t hash)
{
    struct member *m = map_find(map, key, hash);
    if (m == NULL) return false;
    map_remove_at(map, (uint32_t)(m - map->at));
    return true;
}

struct map *map_new(struct arena *arena)
{
    struct map *map = arena_alloc(arena, sizeof(*map), 8);
    *map = (struct map){0};
    return map;
}

void map_copy(struct map *to, const struct map *from, struct arena *arena)
{
    *to = (struct map){0};
    if (from->n == 0) return;
    map_grow(to, arena, from->n < MAP_CAP_FIRST ? MAP_CAP_FIRST : from->n + from->n / 2);
    for (uint32_t i = 0; i < from->n; i++) {
        const struct member *m = &from->at[i];
        struct key key = {slice_make(m->key, m->key_n), m->hash, m->val.key_flags};
        map_append(to, arena, key, value_copy(&m->val, arena));
    }
}
