/*
 * map.h - fields in insertion order.
 *
 * Up to MAP_SCAN_MAX members a lookup scans the hashes, 32 bytes apart; a larger map keeps
 * an open-addressing index right behind its members in the same allocation. Attackers
 * choose keys: the index is by hash with full comparison, and the number of members an
 * event may have is bounded by its decoder. Memory is the batch's arena. Owner: one shard.
 */
#ifndef ENGINE_EVENT_MAP_H
#define ENGINE_EVENT_MAP_H
#include <stddef.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/hash.h"
#include "engine/event/value.h"

#define MAP_SCAN_MAX 32u
#define MAP_CAP_FIRST 16u

struct member {
    const char *key;
    uint32_t key_n, hash;
    struct value val;
};
_Static_assert(sizeof(struct member) == 32, "two members per cache line");

struct map {
    struct member *at;
    uint32_t n, cap;
};

struct shared_map {
    struct map map; /* first: a value's u.map is this */
    const char *json;
};

/* The JSON text, v->n bytes of it, of a value with VALUE_SHARED. */
static inline const char *shared_map_json(const struct value *v)
{
    return ((const struct shared_map *)(const void *)v->u.map)->json;
}

/* A field name with its hash and how its bytes may be copied; from key_make or a decoder. */
struct key {
    slice name;
    uint32_t hash;
    uint16_t flags; /* enum key_flag */
};

/* A key in `arena` laid out for the JSON encoder ("name": in one run, padded). */
struct key key_make(struct arena *arena, slice name);
/* A key over borrowed bytes, hashed now. */
static inline struct key key_borrow(slice name)
{
    return (struct key){name, hash_key(name.p, name.n), 0};
}

struct member *map_find_indexed(const struct map *map, slice key, uint32_t hash);

static inline bool member_is(const struct member *m, slice key, uint32_t hash)
{
    return m->hash == hash && m->key_n == key.n &&
           (m->key == key.p || bytes_equal(m->key, key.p, key.n));
}

/* NULL when absent. */
static inline struct member *map_find(const struct map *map, slice key, uint32_t hash)
{
    if (__builtin_expect(map->cap > MAP_SCAN_MAX, 0)) return map_find_indexed(map, key, hash);
    for (uint32_t i = 0; i < map->n; i++)
        if (member_is(&map->at[i], key, hash)) return &map->at[i];
    return NULL;
}

/* Among the first n members only: for those who append names that differ from each other. */
static inline struct member *map_find_first(const struct map *map, uint32_t n, slice key,
                                            uint32_t hash)
{
    if (__builtin_expect(map->cap > MAP_SCAN_MAX, 0)) return map_find_indexed(map, key, hash);
    for (uint32_t i = 0; i < n; i++)
        if (member_is(&map->at[i], key, hash)) return &map->at[i];
    return NULL;
}

/* Whether no member has the hash: four at once, for names that are mostly absent. */
static inline bool map_lacks(const struct map *map, uint32_t hash)
{
    const struct member *m = map->at;
    uint32_t n = map->n;
    for (; n >= 4; n -= 4, m += 4)
        if (m[0].hash == hash || m[1].hash == hash || m[2].hash == hash || m[3].hash == hash)
            return false;
    for (; n > 0; n--, m++)
        if (m->hash == hash) return false;
    return true;
}

/* map_find for a loop over events: `guess` is where the last one had the key, and mostly this one
 * has it there, too. */
static inline struct member *map_find_near(const struct map *map, slice key, uint32_t hash,
                                           uint32_t *guess)
{
    if (__builtin_expect(*guess < map->n && member_is(&map->at[*guess], key, hash), 1))
        return &map->at[*guess];
    if (map->cap <= MAP_SCAN_MAX && map_lacks(map, hash)) return NULL;
    struct member *m = map_find(map, key, hash);
    if (m != NULL) *guess = (uint32_t)(m - map->at);
    return m;
}

void map_grow(struct map *map, struct arena *arena, uint32_t cap);
void map_index_add(struct map *map, uint32_t at);

/* Room for `cap` members in one go; only on an empty map. */
static inline void map_reserve(struct map *map, struct arena *arena, uint32_t cap)
{
    if (map->cap < cap) map_grow(map, arena, cap);
}

/* Appends without looking for an older one: the caller knows the key is new. */
static inline struct value *map_append(struct map *map, struct arena *arena, struct key key,
                                       struct value val)
{
    if (__builtin_expect(map->n == map->cap, 0))
        map_grow(map, arena, map->cap == 0 ? MAP_CAP_FIRST : map->cap * 2);
    struct member *m = &map->at[map->n++];
    m->key = key.name.p;
    m->key_n = key.name.n;
    m->hash = key.hash;
    val.key_flags = key.flags;
    m->val = val;
    if (__builtin_expect(map->cap > MAP_SCAN_MAX, 0)) map_index_add(map, map->n - 1);
    return &m->val;
}

#define MAP_EXACT_BYTES(cap) (2 * sizeof(struct map) + (cap) * sizeof(struct member))

/* An empty map with room for `cap` members right behind it, in MAP_EXACT_BYTES of an arena: for
 * those who make several maps of an event in one piece. */
static inline struct map *map_placed(void *place, uint32_t cap)
{
    struct map *map = place;
    *map = (struct map){.at = (struct member *)(map + 2), .cap = cap};
    return map;
}

/* An empty map with exactly this much room, in one piece. */
static inline struct map *map_exact(struct arena *arena, uint32_t cap)
{
    return map_placed(arena_alloc(arena, MAP_EXACT_BYTES(cap), 16), cap);
}

/* Room for `cap` members of an empty map and, aligned for maps, `more_bytes` for what is below
 * them, which are returned. */
static inline void *map_reserve_with(struct map *map, struct arena *arena, uint32_t cap,
                                     size_t more_bytes)
{
    if (__builtin_expect(cap > MAP_SCAN_MAX, 0)) { /* has an index */
        map_reserve(map, arena, cap);
        return arena_alloc(arena, more_bytes, sizeof(struct member));
    }
    map->at = arena_alloc(arena, cap * sizeof(struct member) + more_bytes, sizeof(struct member));
    map->cap = cap;
    return map->at + cap;
}

/* Plugins that make the same fields in every event lay each out once, and copy it to the place
 * behind the last member of a map in which room was made, at most MAP_SCAN_MAX. The functions
 * return the next place: a count kept in the map would be read back for every field. */
static inline struct member member_laid_out(const struct key *key, enum value_type type,
                                            uint8_t flags)
{
    return (struct member){.key = key->name.p,
                           .key_n = key->name.n,
                           .hash = key->hash,
                           .val = {.type = (uint8_t)type, .flags = flags, .key_flags = key->flags}};
}

static inline __attribute__((always_inline)) struct member *
member_any(struct member *at, const struct member *field, struct value val)
{
    memcpy(at, field, offsetof(struct member, val));
    at->val = val;
    at->val.key_flags = field->val.key_flags;
    return at + 1;
}

/* A string, or other value that is text; `flags` are added to the field's own. */
static inline __attribute__((always_inline)) struct member *
member_text(struct member *at, const struct member *field, slice text, uint8_t flags)
{
    uint64_t head; /* type, flags, key_flags, and the length, which is 0 in the field */
    memcpy(at, field, offsetof(struct member, val));
    memcpy(&head, &field->val, sizeof(head));
    head |= (uint64_t)text.n << 32 | (uint64_t)flags << 8;
    memcpy(&at->val, &head, sizeof(head));
    at->val.u.str = text.p;
    return at + 1;
}

/* member_text; nothing where there is no text (p == NULL), but the place must be free all the same.
 */
static inline __attribute__((always_inline)) struct member *
member_if_text(struct member *at, const struct member *field, slice text)
{
    return member_text(at, field, text, 0) - (text.p == NULL);
}

static inline __attribute__((always_inline)) struct member *
member_map(struct member *at, const struct member *field, struct map *below)
{
    memcpy(at, field, sizeof(*at));
    at->val.u.map = below;
    return at + 1;
}

static inline void map_close(struct map *map, const struct member *behind)
{
    map->n = (uint32_t)(behind - map->at);
    ASSERT(map->n <= map->cap);
}

/* Replaces or appends; returns where the value sits now. */
struct value *map_put(struct map *map, struct arena *arena, struct key key, struct value val);
/* Removes by position, keeping the order of the rest. */
void map_remove_at(struct map *map, uint32_t at);
bool map_remove(struct map *map, slice key, uint32_t hash);
/* An empty map in the arena. */
struct map *map_new(struct arena *arena);
/* Lists and maps below are copied too; strings are shared. */
void map_copy(struct map *to, const struct map *from, struct arena *arena);

#endif
