/* stamp.c - prototypes per batch, copies per event. */
#include "engine/shard/stamp.h"

#include "engine/base/assert.h"

#define STAMP_MAP_CAP 4u

void stamp_add(struct stamp *s, const struct fieldref *ref, struct value val)
{
    ASSERT(s->field_n < STAMP_FIELDS_MAX);
    ASSERT(ref->depth > 0 && ref->root != FIELD_TIMESTAMP);
    if (val.type == VALUE_STRING) {
        uint32_t at = (uint32_t)s->text.n;
        buf_add_slice(&s->text, value_slice(&val));
        val.u.num = at;
    }
    s->field[s->field_n++] = (struct stamp_field){ref, val};
    s->serial = 0;
}

void stamp_clear(struct stamp *s)
{
    s->field_n = 0;
    s->text.n = 0;
    s->serial = 0;
}

void stamp_move(struct stamp *s, const void *old_cfg, const void *new_cfg)
{
    for (uint32_t i = 0; i < s->field_n; i++) {
        ptrdiff_t at = (const char *)s->field[i].ref - (const char *)old_cfg;
        s->field[i].ref = (const struct fieldref *)((const char *)new_cfg + at);
    }
    s->serial = 0;
}

void stamp_fini(struct stamp *s)
{
    stamp_clear(s);
    buf_fini(&s->text);
}

static void prototype_put(struct map *map, const struct stamp_field *f, struct value val,
                          struct arena *arena)
{
    for (uint32_t i = 0; i + 1 < f->ref->depth; i++) {
        struct key key = f->ref->step[i].key;
        struct member *m = map_find(map, key.name, key.hash);
        if (m != NULL) {
            ASSERT(m->val.type == VALUE_MAP);
            map = m->val.u.map;
            continue;
        }
        struct map *below = map_new(arena);
        map_reserve(below, arena, STAMP_MAP_CAP);
        map_append(map, arena, key, value_map(below));
        map = below;
    }
    map_append(map, arena, f->ref->step[f->ref->depth - 1].key, val);
}

/* From so many events on it pays to encode their common maps once. */
#define EVENTS_WORTH_JSON 8u

static void share_maps(struct map *map, bool with_json, struct arena *arena)
{
    for (uint32_t i = 0; i < map->n; i++) {
        struct value *v = &map->at[i].val;
        if (v->type != VALUE_MAP) continue;
        uint16_t key_flags = v->key_flags;
        *v = value_share(*v, with_json, arena);
        v->key_flags = key_flags;
    }
}

static void prototypes_make(struct stamp *s, struct arena *arena, uint32_t event_n)
{
    slice text = arena_copy(arena, buf_slice(&s->text));
    s->data = s->meta = (struct map){0};
    map_reserve(&s->data, arena, STAMP_FIELDS_MAX);
    map_reserve(&s->meta, arena, STAMP_FIELDS_MAX);
    for (uint32_t i = 0; i < s->field_n; i++) {
        struct value val = s->field[i].val;
        if (val.type == VALUE_STRING) {
            val.u.str = text.p + s->field[i].val.u.num;
            s->field[i].val.key_flags = 0;
        }
        bool meta = s->field[i].ref->root == FIELD_META;
        prototype_put(meta ? &s->meta : &s->data, &s->field[i], val, arena);
    }
    share_maps(&s->data, event_n >= EVENTS_WORTH_JSON, arena);
    share_maps(&s->meta, false, arena);
}

/* Maps are shared but for [@metadata] itself, which is part of the event. */
static struct value copy(const struct value *val, struct arena *arena)
{
    if (val->type != VALUE_MAP || (val->flags & VALUE_SHARED) != 0) return *val;
    const struct map *from = val->u.map;
    size_t bytes = from->n * sizeof(struct member);
    struct map *map = arena_alloc(arena, sizeof(*map) + bytes + sizeof(struct member), 16);
    *map = (struct map){.at = (struct member *)(map + 2), .n = from->n, .cap = from->n};
    for (uint32_t i = 0; i < from->n; i++) {
        map->at[i] = from->at[i];
        uint16_t flags = map->at[i].val.key_flags;
        if (map->at[i].val.type == VALUE_MAP) map->at[i].val = copy(&from->at[i].val, arena);
        map->at[i].val.key_flags = flags;
    }
    return value_map(map);
}

/* The event has something of that name: look field by field. */
static void put_absent(struct stamp *s, struct batch *b, struct event *ev, bool meta, uint32_t hash)
{
    for (uint32_t i = 0; i < s->field_n; i++) {
        const struct fieldref *ref = s->field[i].ref;
        if ((ref->root == FIELD_META) != meta || ref->step[0].key.hash != hash) continue;
        const struct value *there = event_get(b, ev, ref);
        if (there != NULL && there->type != VALUE_NIL) continue;
        const struct map *map = meta ? &s->meta : &s->data;
        const struct member *m = NULL;
        for (uint32_t k = 0; k < ref->depth; k++) {
            m = map_find(map, ref->step[k].key.name, ref->step[k].key.hash);
            if (k + 1 < ref->depth) map = m->val.u.map;
        }
        err e = event_put(b, ev, ref, m->val);
        (void)e; /* A scalar is in the way of our map: the sender's field stays. */
    }
}

static void apply_root(struct stamp *s, struct batch *b, struct event *ev, const struct map *from,
                       struct map *to, bool meta)
{
    for (uint32_t i = 0; i < from->n; i++) {
        const struct member *m = &from->at[i];
        if (map_find(to, slice_make(m->key, m->key_n), m->hash) != NULL) {
            put_absent(s, b, ev, meta, m->hash);
            continue;
        }
        struct key key = {slice_make(m->key, m->key_n), m->hash, m->val.key_flags};
        map_append(to, &b->arena, key, copy(&m->val, &b->arena));
    }
}

void stamp_apply(struct stamp *s, struct batch *b, uint64_t serial, uint32_t from)
{
    if (s->field_n == 0) return;
    if (s->serial != serial || serial == 0) {
        prototypes_make(s, &b->arena, b->n - from);
        s->serial = serial;
    }
    for (uint32_t i = from; i < b->n; i++) {
        struct event *ev = &b->event[i];
        if (s->meta.n > 0) {
            if (ev->meta.n == 0 && ev->meta.cap == 0) {
                struct value meta = value_map(&s->meta);
                ev->meta = *copy(&meta, &b->arena).u.map;
            } else {
                apply_root(s, b, ev, &s->meta, &ev->meta, true);
            }
        }
        if (s->data.n > 0) apply_root(s, b, ev, &s->data, &ev->data, false);
    }
}
