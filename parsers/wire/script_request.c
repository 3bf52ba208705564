/* script_request.c - events as bytes for a script process. */
#include "parsers/wire/script_request.h"

#include <stdlib.h>

#include "engine/base/assert.h"

#define SLOTS_FIRST 256u

static void add_u32(struct buf *out, uint32_t n)
{
    buf_add(out, &n, sizeof(n));
}

static void put_u32(struct buf *out, uint32_t at, uint32_t n)
{
    memcpy(out->data + at, &n, sizeof(n));
}

/* ---- names ------------------------------------------------------------------------------ */

void script_request_forget(struct script_request *r)
{
    if (r->slot != NULL) memset(r->slot, 0, ((size_t)r->mask + 1) * sizeof(*r->slot));
    r->names.n = 0;
    r->name_n = 0;
    r->forget = true;
}

static void names_grow(struct script_request *r)
{
    uint32_t mask = r->slot == NULL ? SLOTS_FIRST - 1 : r->mask * 2 + 1;
    struct script_name *slot = calloc((size_t)mask + 1, sizeof(*slot));
    ASSERT(slot != NULL);
    for (uint32_t i = 0; r->slot != NULL && i <= r->mask; i++) {
        if (r->slot[i].number == 0) continue;
        uint32_t at = r->slot[i].hash & mask;
        while (slot[at].number != 0) at = (at + 1) & mask;
        slot[at] = r->slot[i];
    }
    free(r->slot);
    r->slot = slot;
    r->mask = mask;
}

static uint32_t name_number(struct script_request *r, slice name, uint32_t hash)
{
    if (r->slot == NULL || r->name_n * 2 > r->mask) names_grow(r);
    uint32_t at = hash & r->mask;
    for (; r->slot[at].number != 0; at = (at + 1) & r->mask) {
        struct script_name *known = &r->slot[at];
        if (known->hash == hash &&
            slice_equal(name, slice_make(r->names.data + known->at, known->n)))
            return known->number - 1;
    }
    r->slot[at] = (struct script_name){hash, (uint32_t)r->names.n, name.n, ++r->name_n};
    buf_add_slice(&r->names, name);
    add_u32(&r->fresh, name.n);
    buf_add_slice(&r->fresh, name);
    r->fresh_n++;
    return r->name_n - 1;
}

/* ---- values ------------------------------------------------------------------------------ */

static void add_value(struct script_request *r, struct value v);

static void add_text(struct buf *out, enum script_type type, slice text)
{
    buf_room(out, 5 + (size_t)text.n);
    buf_add_byte(out, (char)type);
    add_u32(out, text.n);
    buf_add_slice(out, text);
}

static void add_word(struct buf *out, enum script_type type, const void *word)
{
    buf_room(out, 9);
    buf_add_byte(out, (char)type);
    buf_add(out, word, 8);
}

static void add_map(struct script_request *r, const struct map *map)
{
    buf_add_byte(&r->out, SCRIPT_MAP);
    add_u32(&r->out, map->n);
    for (uint32_t i = 0; i < map->n; i++) {
        const struct member *m = &map->at[i];
        add_u32(&r->out, name_number(r, slice_make(m->key, m->key_n), m->hash));
        add_value(r, m->val);
    }
}

/* The value is a copy: the event's own stays lazy, so that what no script touches leaves as it
 * came. A shared map is read as it is. */
static void add_value(struct script_request *r, struct value v)
{
    if (v.flags & (VALUE_ESCAPED | VALUE_RAW)) value_resolve(&v, r->arena);
    switch ((enum value_type)v.type) {
    case VALUE_NIL: buf_add_byte(&r->out, SCRIPT_NIL); break;
    case VALUE_BOOL: buf_add_byte(&r->out, v.u.yes ? SCRIPT_TRUE : SCRIPT_FALSE); break;
    case VALUE_INT: add_word(&r->out, SCRIPT_INT, &v.u.num); break;
    case VALUE_FLOAT: add_word(&r->out, SCRIPT_FLOAT, &v.u.real); break;
    case VALUE_TIME: add_word(&r->out, SCRIPT_TIME, &v.u.time_ns); break;
    case VALUE_BIGNUM: add_text(&r->out, SCRIPT_NUMBER, value_slice(&v)); break;
    case VALUE_STRING: add_text(&r->out, SCRIPT_TEXT, value_slice(&v)); break;
    case VALUE_LIST:
        buf_add_byte(&r->out, SCRIPT_LIST);
        add_u32(&r->out, v.n);
        for (uint32_t i = 0; i < v.n; i++) add_value(r, v.u.list[i]);
        break;
    case VALUE_MAP: add_map(r, v.u.map); break;
    }
}

/* ---- events ------------------------------------------------------------------------------ */

/* The number of the event's shape: the last one's when the names are the same. */
static uint32_t event_shape(struct script_request *r, const struct event *ev)
{
    struct buf *shapes = &r->shapes;
    uint32_t at = (uint32_t)shapes->n;
    add_u32(shapes, ev->data.n);
    add_u32(shapes, ev->meta.n);
    const struct map *const maps[] = {&ev->data, &ev->meta};
    for (uint32_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < maps[k]->n; i++) {
            const struct member *m = &maps[k]->at[i];
            add_u32(shapes, name_number(r, slice_make(m->key, m->key_n), m->hash));
        }
    size_t bytes = shapes->n - at;
    if (r->shape_n > 0 && at - r->shape_at == bytes &&
        memcmp(shapes->data + r->shape_at, shapes->data + at, bytes) == 0) {
        shapes->n = at;
        return r->shape_n - 1;
    }
    r->shape_at = at;
    return r->shape_n++;
}

void script_request_begin(struct script_request *r, struct arena *arena)
{
    if (r->name_n > SCRIPT_NAMES_MAX) script_request_forget(r);
    r->arena = arena;
    r->out.n = r->places.n = r->kinds.n = r->shapes.n = r->fresh.n = 0;
    r->fresh_n = r->shape_n = r->shape_at = r->event_n = 0;
    add_u32(&r->out, 0);
    add_u32(&r->out, 0);
}

#define SHORT_BITS 58

/* The field's entry in the event's table; what does not fit there goes behind it. */
static int64_t add_field(struct script_request *r, struct value v)
{
    if (v.flags & (VALUE_ESCAPED | VALUE_RAW)) value_resolve(&v, r->arena);
    int64_t place = (int64_t)r->out.n;
    switch ((enum value_type)v.type) {
    case VALUE_NIL: return SCRIPT_NIL;
    case VALUE_BOOL: return v.u.yes ? SCRIPT_TRUE : SCRIPT_FALSE;
    case VALUE_STRING:
        buf_add_slice(&r->out, value_slice(&v));
        return (int64_t)v.n << 32 | place << 4 | SCRIPT_TEXT;
    case VALUE_INT:
        if (v.u.num >= -(1ll << (SHORT_BITS - 1)) && v.u.num < 1ll << (SHORT_BITS - 1))
            return v.u.num * 16 + SCRIPT_SHORT;
        break;
    default: break;
    }
    add_value(r, v);
    return place << 4 | (unsigned char)r->out.data[place];
}

err script_request_add(struct script_request *r, const struct event *ev)
{
    if (r->out.n + r->shapes.n + r->fresh.n > SCRIPT_REQUEST_BYTES_MAX / 2) return ERR_LIMIT;
    add_u32(&r->places, (uint32_t)r->out.n);
    add_u32(&r->kinds, event_shape(r, ev));
    bool timed = ev->time.type == VALUE_TIME;
    const int64_t head[] = {timed ? ev->time.u.time_ns : 0, timed};
    buf_add(&r->out, head, sizeof(head));
    size_t at = r->out.n, table = ((size_t)ev->data.n + ev->meta.n) * sizeof(int64_t);
    buf_room(&r->out, table);
    r->out.n += table;
    const struct map *const maps[] = {&ev->data, &ev->meta};
    for (uint32_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < maps[k]->n; i++, at += sizeof(int64_t)) {
            int64_t entry = add_field(r, maps[k]->at[i].val);
            if (r->out.n > SCRIPT_REQUEST_BYTES_MAX) return ERR_LIMIT;
            memcpy(r->out.data + at, &entry, sizeof(entry));
        }
    r->event_n++;
    return ERR_OK;
}

slice script_request_end(struct script_request *r)
{
    put_u32(&r->out, 0, (uint32_t)r->out.n);
    put_u32(&r->out, 4, r->event_n);
    add_u32(&r->out, r->forget);
    add_u32(&r->out, r->fresh_n);
    buf_add_slice(&r->out, buf_slice(&r->fresh));
    buf_add_slice(&r->out, buf_slice(&r->places));
    buf_add_slice(&r->out, buf_slice(&r->kinds));
    add_u32(&r->out, r->shape_n);
    buf_add_slice(&r->out, buf_slice(&r->shapes));
    r->forget = false;
    return buf_slice(&r->out);
}

void script_request_fini(struct script_request *r)
{
    buf_fini(&r->out);
    buf_fini(&r->places);
    buf_fini(&r->kinds);
    buf_fini(&r->shapes);
    buf_fini(&r->fresh);
    buf_fini(&r->names);
    free(r->slot);
}
