/* transplant.c - deep copies across batches, and the table of names. */
#include "engine/event/transplant.h"

#include <stdlib.h>

#include "engine/base/assert.h"

/* ---- names ------------------------------------------------------------------------------- */

#define TABLE_SLOTS (2 * KEY_TABLE_MAX)
/* A name that finds no place near its own is not kept: whoever makes names collide pays himself. */
#define TABLE_PROBES_MAX 16u

struct key_entry {
    const char *name; /* NULL: free */
    uint32_t name_n, hash;
    uint16_t flags;
};

struct key_table {
    struct key_entry slot[TABLE_SLOTS];
    uint32_t n;
    struct page_pool pool;
    struct arena arena;
};

struct key_table *key_table_new(void)
{
    struct key_table *keys = calloc(1, sizeof(*keys));
    ASSERT(keys != NULL);
    page_pool_init(&keys->pool, SIZE_MAX);
    arena_init(&keys->arena, &keys->pool);
    return keys;
}

void key_table_free(struct key_table *keys)
{
    arena_fini(&keys->arena);
    page_pool_fini(&keys->pool);
    free(keys);
}

uint32_t key_table_size(const struct key_table *keys)
{
    return keys->n;
}

static struct key key_add(struct key_table *keys, struct key_entry *at, slice name, uint32_t hash)
{
    struct key key = key_make(&keys->arena, name);
    /* Its address means this name until the process ends, as one of the configuration would. */
    key.flags |= KEY_STATIC;
    key.hash = hash;
    *at = (struct key_entry){key.name.p, name.n, hash, key.flags};
    keys->n++;
    return key;
}

/* The names of fields are short: a call costs more than comparing them. */
static bool same_name(const char *a, const char *b, uint32_t n)
{
    if (n > 16) return memcmp(a, b, n) == 0;
    if (n >= 8)
        return hash_load64(a) == hash_load64(b) && hash_load64(a + n - 8) == hash_load64(b + n - 8);
    if (n >= 4)
        return hash_load32(a) == hash_load32(b) && hash_load32(a + n - 4) == hash_load32(b + n - 4);
    for (uint32_t i = 0; i < n; i++)
        if (a[i] != b[i]) return false;
    return true;
}

/* The member's key for a batch with this arena. */
static struct key key_for(struct key_table *keys, const struct member *m, struct arena *arena)
{
    slice name = slice_make(m->key, m->key_n);
    struct key_entry *at = NULL;
    for (uint32_t i = 0; i < TABLE_PROBES_MAX; i++) {
        at = &keys->slot[(m->hash + i) & (TABLE_SLOTS - 1)];
        if (at->name == NULL) break;
        if (at->hash != m->hash || at->name_n != m->key_n) continue;
        if (at->name == m->key || same_name(at->name, m->key, m->key_n))
            return (struct key){slice_make(at->name, at->name_n), at->hash, at->flags};
    }
    if (at->name == NULL && keys->n < KEY_TABLE_MAX && name.n <= KEY_TABLE_NAME_BYTES_MAX)
        return key_add(keys, at, name, m->hash);
    struct key key = key_make(arena, name);
    key.hash = m->hash;
    return key;
}

/* ---- values ------------------------------------------------------------------------------ */

static struct value copy_value(struct transplant *t, const struct value *v);

static void copy_members(struct transplant *t, struct map *to, const struct map *from)
{
    struct arena *arena = &t->to->arena;
    for (uint32_t i = 0; i < from->n; i++) {
        const struct member *m = &from->at[i];
        map_append(to, arena, key_for(t->keys, m, arena), copy_value(t, &m->val));
    }
}

static struct map *copy_map(struct transplant *t, const struct map *from)
{
    struct arena *arena = &t->to->arena;
    struct map *to;
    if (from->n > MAP_SCAN_MAX) {
        to = map_new(arena);
        map_reserve(to, arena, from->n);
    } else {
        to = map_exact(arena, from->n);
    }
    copy_members(t, to, from);
    return to;
}

static slice copy_text(struct transplant *t, slice text)
{
    t->bytes += text.n;
    return arena_copy(&t->to->arena, text);
}

/* The same map is often in the next event, too: then so is its copy. */
static struct value copy_shared(struct transplant *t, const struct value *v)
{
    uint32_t at = (uint32_t)((uintptr_t)v->u.map / sizeof(struct shared_map)) % TRANSPLANT_SHARED;
    struct value copy = *v;
    if (t->shared[at].from != v->u.map) {
        struct shared_map *to = arena_alloc(&t->to->arena, sizeof(*to), 16);
        to->map = *copy_map(t, v->u.map);
        to->json = v->n == 0 ? NULL : copy_text(t, slice_make(shared_map_json(v), v->n)).p;
        t->shared[at].from = v->u.map;
        t->shared[at].to = &to->map;
    }
    copy.u.map = t->shared[at].to;
    return copy;
}

static struct value copy_value(struct transplant *t, const struct value *v)
{
    struct value copy = *v;
    if (v->type == VALUE_STRING || v->type == VALUE_BIGNUM || (v->flags & VALUE_RAW)) {
        copy.u.str = copy_text(t, slice_make(v->u.str, v->n)).p;
    } else if (v->flags & VALUE_SHARED) {
        return copy_shared(t, v);
    } else if (v->type == VALUE_MAP) {
        copy.u.map = copy_map(t, v->u.map);
    } else if (v->type == VALUE_LIST) {
        copy.u.list = arena_alloc(&t->to->arena, ((size_t)v->n + 1) * sizeof(struct value), 16);
        for (uint32_t i = 0; i < v->n; i++) copy.u.list[i] = copy_value(t, &v->u.list[i]);
    }
    return copy;
}

/* ---- events ------------------------------------------------------------------------------ */

void transplant_init(struct transplant *t, struct batch *to, struct key_table *keys)
{
    memset(t, 0, sizeof(*t));
    t->to = to;
    t->keys = keys;
}

/* @version, and a field or two that the other pipeline adds. */
#define ROOM_MORE 3u

struct event *transplant_event(struct transplant *t, const struct event *from)
{
    struct batch *b = t->to;
    struct event *ev = batch_add(b);
    if (ev == NULL) return NULL;
    map_reserve(&ev->data, &b->arena, batch_fields_room(b, from->data.n + ROOM_MORE));
    copy_members(t, &ev->data, &from->data);
    if (from->meta.n > 0) {
        map_reserve(&ev->meta, &b->arena, from->meta.n + 1);
        copy_members(t, &ev->meta, &from->meta);
    }
    if (from->time.type == VALUE_TIME) ev->time = from->time;
    if (map_find(&ev->data, SLICE("@version"), hash_key("@version", 8)) == NULL)
        event_add_version(b, ev);
    return ev;
}
