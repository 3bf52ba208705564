/* event.c - batches, field access along references, tags. */
#define _GNU_SOURCE
#include "engine/event/event.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "engine/base/assert.h"
#include "engine/event/blob.h"
#include "engine/event/receipt.h"

void batch_init(struct batch *b, struct page_pool *pool)
{
    memset(b, 0, sizeof(*b));
    b->event = mmap(NULL, BATCH_EVENTS_MAX * sizeof(struct event), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->event == MAP_FAILED) PANIC("out of address space for a batch");
    arena_init(&b->arena, pool);
}

void batch_fini(struct batch *b)
{
    batch_reset(b);
    arena_fini(&b->arena);
    munmap(b->event, BATCH_EVENTS_MAX * sizeof(struct event));
    free(b->pin);
    free(b->hold);
    buf_fini(&b->scratch);
}

/* Scratch that one huge value blew up is not kept. */
#define SCRATCH_KEEP_BYTES (256u * 1024)

/* The first event's is as good as any: it is a guess, and it follows slowly when less is needed. */
static void remember_room(struct batch *b)
{
    if (b->fields_room > 0) b->fields_room--;
    if (b->n == 0) return;
    uint32_t cap = b->event[0].data.cap;
    if (cap > b->fields_room && cap <= MAP_SCAN_MAX) b->fields_room = cap;
}

void batch_reset(struct batch *b)
{
    remember_room(b);
    for (uint32_t i = 0; i < b->pin_n; i++) blob_unpin(b->pin[i]);
    b->pin_n = 0;
    /* Releasing may run sources, which may open new batches: this one must be clean first. */
    uint32_t n = b->hold_n;
    b->hold_n = 0;
    b->n = b->cancelled_n = 0;
    b->bytes = 0;
    arena_reset(&b->arena);
    if (b->scratch.cap > SCRATCH_KEEP_BYTES) buf_fini(&b->scratch);
    for (uint32_t i = 0; i < n; i++) receipt_release(b->hold[i], OUTCOME_DELIVERED);
}

struct event *batch_add_child(struct batch *b, uint32_t parent)
{
    ASSERT(parent < b->n);
    struct event *ev = batch_add(b);
    if (ev == NULL) return NULL;
    struct event *from = &b->event[parent];
    uint32_t index = batch_index(b, ev);
    if (from->child == EVENT_NONE)
        from->child = index;
    else
        b->event[from->child_last].sibling = index;
    from->child_last = index;
    return ev;
}

void sel_push(struct batch *b, struct sel *s, uint32_t index)
{
    if (s->n == s->cap) {
        uint32_t cap = s->cap * 2 + 64;
        uint32_t *at = arena_alloc(&b->arena, cap * sizeof(uint32_t), 4);
        if (s->n > 0) memcpy(at, s->at, s->n * sizeof(uint32_t));
        s->at = at;
        s->cap = cap;
    }
    sel_add(s, index);
}

void batch_pin(struct batch *b, struct blob *blob)
{
    if (b->pin_n > 0 && b->pin[b->pin_n - 1] == blob) return;
    if (b->pin_n == b->pin_cap) {
        b->pin_cap = b->pin_cap == 0 ? 64 : b->pin_cap * 2;
        b->pin = realloc(b->pin, b->pin_cap * sizeof(*b->pin));
        ASSERT(b->pin != NULL);
    }
    b->pin[b->pin_n++] = blob;
    blob_pin(blob);
}

void batch_hold(struct batch *b, struct receipt *r)
{
    if (b->hold_n == b->hold_cap) {
        b->hold_cap = b->hold_cap == 0 ? 64 : b->hold_cap * 2;
        b->hold = realloc(b->hold, b->hold_cap * sizeof(*b->hold));
        ASSERT(b->hold != NULL);
    }
    b->hold[b->hold_n++] = r;
    receipt_hold(r);
}

/* The item of `list` that the step names, or NULL. */
static struct value *list_item(struct value *list, const struct field_step *step)
{
    if (!step->is_index) return NULL;
    int64_t at = step->index < 0 ? step->index + (int64_t)list->n : step->index;
    return at >= 0 && at < (int64_t)list->n ? &list->u.list[at] : NULL;
}

/* Follows n steps below `v`; NULL when the way ends. What is found may be changed: shared maps
 * on the way become the event's own. */
static struct value *walk(struct value *v, const struct field_step *step, uint32_t n,
                          struct arena *arena)
{
    for (; n > 0 && v != NULL; step++, n--) {
        if (v->type == VALUE_MAP) {
            value_resolve(v, arena);
            struct member *m = map_find(v->u.map, step->key.name, step->key.hash);
            v = m == NULL ? NULL : &m->val;
        } else if (v->type == VALUE_LIST) {
            v = list_item(v, step);
        } else {
            return NULL;
        }
    }
    return v;
}

static struct map *root_map(struct event *ev, const struct fieldref *ref)
{
    return ref->root == FIELD_META ? &ev->meta : &ev->data;
}

struct value *event_get(struct batch *b, struct event *ev, const struct fieldref *ref)
{
    if (__builtin_expect(ref->top, 1)) {
        struct member *top = map_find(&ev->data, ref->step->key.name, ref->step->key.hash);
        if (top == NULL) return NULL;
        value_resolve(&top->val, &b->arena);
        return &top->val;
    }
    if (ref->root == FIELD_TIMESTAMP)
        return ref->depth == 0 && ev->time.type == VALUE_TIME ? &ev->time : NULL;
    if (ref->depth == 0) return NULL;
    const struct field_step *step = ref->step;
    struct member *m = map_find(root_map(ev, ref), step->key.name, step->key.hash);
    if (m == NULL) return NULL;
    struct value *v =
        ref->depth == 1 ? &m->val : walk(&m->val, step + 1, ref->depth - 1, &b->arena);
    if (v != NULL) value_resolve(v, &b->arena);
    return v;
}

/* Named bound: [list][1000000] must not make a list of a million nulls. */
#define LIST_PAD_MAX 65536

/* Sets item `step` of a list, padding with nulls; returns its place or NULL. */
static struct value *list_place(struct batch *b, struct value *list, const struct field_step *step)
{
    if (!step->is_index) return NULL;
    int64_t at = step->index < 0 ? step->index + (int64_t)list->n : step->index;
    if (at < 0 || at >= LIST_PAD_MAX) return NULL;
    if (at >= (int64_t)list->n) {
        struct value *items = arena_alloc(&b->arena, (size_t)(at + 1) * sizeof(struct value), 16);
        memcpy(items, list->u.list, list->n * sizeof(struct value));
        for (int64_t i = list->n; i <= at; i++) items[i] = value_nil();
        list->u.list = items;
        list->n = (uint32_t)at + 1;
    }
    return &list->u.list[at];
}

/* Maps that a reference makes on its way seldom get more members than this. */
#define MAP_CAP_NESTED 4u

struct value *event_place(struct batch *b, struct event *ev, const struct fieldref *ref)
{
    struct map *map = root_map(ev, ref);
    struct value *v = NULL;
    for (uint32_t i = 0; i < ref->depth; i++) {
        const struct field_step *step = &ref->step[i];
        if (i > 0 && v->type == VALUE_NIL) {
            uint16_t key_flags = v->key_flags;
            *v = value_map(map_new(&b->arena));
            map_reserve(v->u.map, &b->arena, MAP_CAP_NESTED);
            v->key_flags = key_flags;
        }
        if (i > 0 && v->type == VALUE_LIST) {
            v = list_place(b, v, step);
            if (v == NULL) return NULL;
            continue;
        }
        if (i > 0 && v->type != VALUE_MAP) return NULL;
        if (i > 0) value_resolve(v, &b->arena);
        if (i > 0) map = v->u.map;
        struct member *m = map_find(map, step->key.name, step->key.hash);
        v = m != NULL ? &m->val : map_append(map, &b->arena, step->key, value_nil());
    }
    return v;
}

static bool tags_accept(const struct fieldref *ref, const struct value *val)
{
    if (ref->depth > 1) return false;
    if (val->type == VALUE_STRING || val->type == VALUE_NIL) return true;
    if (val->type != VALUE_LIST) return false;
    for (uint32_t i = 0; i < val->n; i++)
        if (val->u.list[i].type != VALUE_STRING) return false;
    return true;
}

/* Whether every container on the way can be entered, so that a refused put changes nothing. */
static bool way_is_free(struct batch *b, struct event *ev, const struct fieldref *ref)
{
    struct value root = value_map(root_map(ev, ref)), *v = &root;
    for (uint32_t i = 0; i < ref->depth && v != NULL && v->type != VALUE_NIL; i++) {
        if (v->type != VALUE_MAP && v->type != VALUE_LIST) return false;
        if (v->type == VALUE_LIST && !ref->step[i].is_index) return false;
        v = walk(v, &ref->step[i], 1, &b->arena);
    }
    return true;
}

/* Maps of one member each for n steps below `v`, and the value in the last of them. */
static void put_below(struct arena *arena, struct value *v, const struct field_step *step,
                      uint32_t n, struct value val)
{
    for (; n > 0; step++, n--) {
        struct map *map = map_exact(arena, MAP_CAP_NESTED);
        uint16_t key_flags = v->key_flags;
        *v = value_map(map);
        v->key_flags = key_flags;
        v = map_append(map, arena, step->key, value_nil());
    }
    val.key_flags = v->key_flags;
    *v = val;
}

/* Whether the first list on the way is asked for a name that is no index. */
static bool list_has_no_such_place(struct batch *b, struct event *ev, const struct fieldref *ref)
{
    struct value root = value_map(root_map(ev, ref)), *v = &root;
    for (uint32_t i = 0; i < ref->depth && v != NULL; i++) {
        if (v->type == VALUE_LIST && !ref->step[i].is_index) return true;
        v = walk(v, &ref->step[i], 1, &b->arena);
    }
    return false;
}

/* Lists on the way pad, or refuse, which is looked at before anything is changed; to set what is
 * no index does nothing, and is no error. */
static err put_through_list(struct batch *b, struct event *ev, const struct fieldref *ref,
                            struct value val)
{
    if (list_has_no_such_place(b, ev, ref)) return ERR_OK;
    if (!way_is_free(b, ev, ref)) return ERR_TYPE;
    struct value *at = event_place(b, ev, ref);
    if (at == NULL) return ERR_TYPE;
    val.key_flags = at->key_flags;
    *at = val;
    return ERR_OK;
}

static err put_nested(struct batch *b, struct event *ev, const struct fieldref *ref,
                      struct value val)
{
    struct map *map = root_map(ev, ref);
    const struct field_step *step = ref->step;
    for (uint32_t left = ref->depth - 1; left > 0; step++, left--) {
        struct member *m = map_find(map, step->key.name, step->key.hash);
        if (m == NULL || m->val.type == VALUE_NIL) {
            struct value *v =
                m == NULL ? map_append(map, &b->arena, step->key, value_nil()) : &m->val;
            put_below(&b->arena, v, step + 1, left, val);
            return ERR_OK;
        }
        if (m->val.type == VALUE_LIST) return put_through_list(b, ev, ref, val);
        if (m->val.type != VALUE_MAP) return ERR_TYPE;
        value_resolve(&m->val, &b->arena);
        map = m->val.u.map;
    }
    map_put(map, &b->arena, step->key, val);
    return ERR_OK;
}

err event_put(struct batch *b, struct event *ev, const struct fieldref *ref, struct value val)
{
    if (__builtin_expect(ref->top && !ref->tags, 1)) {
        map_put(&ev->data, &b->arena, ref->step->key, val);
        return ERR_OK;
    }
    if (ref->root == FIELD_TIMESTAMP) {
        if (ref->depth > 0 || val.type != VALUE_TIME) return ERR_TYPE;
        ev->time = val;
        return ERR_OK;
    }
    if (ref->tags && !tags_accept(ref, &val)) return ERR_TYPE;
    if (ref->depth == 0) {
        if (ref->root != FIELD_META || val.type != VALUE_MAP) return ERR_TYPE;
        ev->meta = *val.u.map;
        return ERR_OK;
    }
    return put_nested(b, ev, ref, val);
}

/* A list of the old value (or its items) and the new one. */
static struct value appended(struct batch *b, const struct value *old, struct value val)
{
    uint32_t n = old->type == VALUE_LIST ? old->n : 1;
    struct value *items = arena_alloc(&b->arena, (n + 1) * sizeof(struct value), 16);
    memcpy(items, old->type == VALUE_LIST ? old->u.list : old, n * sizeof(struct value));
    items[n] = val;
    return value_list(items, n + 1);
}

err event_append(struct batch *b, struct event *ev, const struct fieldref *ref, struct value val)
{
    struct value *old = event_get(b, ev, ref);
    if (old == NULL || old->type == VALUE_NIL) return event_put(b, ev, ref, val);
    return event_put(b, ev, ref, appended(b, old, val));
}

bool event_remove(struct batch *b, struct event *ev, const struct fieldref *ref)
{
    if (ref->root == FIELD_TIMESTAMP) {
        if (ref->depth > 0 || ev->time.type != VALUE_TIME) return false;
        ev->time = value_nil();
        return true;
    }
    if (ref->depth == 0) {
        ev->meta.n = 0;
        ev->meta = (struct map){0};
        return true;
    }
    const struct field_step *last = &ref->step[ref->depth - 1];
    struct map *map = root_map(ev, ref);
    if (__builtin_expect(ref->depth > 1, 0)) {
        struct member *m = map_find(map, ref->step[0].key.name, ref->step[0].key.hash);
        struct value *parent =
            m == NULL ? NULL : walk(&m->val, ref->step + 1, ref->depth - 2, &b->arena);
        if (parent == NULL) return false;
        if (parent->type == VALUE_LIST) {
            struct value *item = list_item(parent, last);
            if (item == NULL) return false;
            parent->n--;
            memmove(item, item + 1, (size_t)(parent->u.list + parent->n - item) * sizeof(*item));
            return true;
        }
        if (parent->type != VALUE_MAP) return false;
        value_resolve(parent, &b->arena);
        map = parent->u.map;
    }
    return map_remove(map, last->key.name, last->key.hash);
}

/* The keys every event may get from the core itself, laid out for the encoder. */
#define CORE_KEY(var, text)                                                                        \
    static const char var##_wire[64 + sizeof(text)] = "\"" text "\":";                             \
    static const slice var##_name = {var##_wire + 1, sizeof(text) - 1}
CORE_KEY(tags, "tags");
CORE_KEY(version, "@version");

static struct key core_key(slice name)
{
    return (struct key){name, hash_key(name.p, name.n), KEY_WIRE | KEY_QUOTED | KEY_STATIC};
}

void event_add_version(struct batch *b, struct event *ev)
{
    map_append(&ev->data, &b->arena, core_key(version_name), value_clean(SLICE("1")));
}

struct member event_version_member(void)
{
    struct key key = core_key(version_name);
    struct member m = member_laid_out(&key, VALUE_STRING, VALUE_CLEAN);
    m.val.n = 1;
    m.val.u.str = "1";
    return m;
}

static bool tags_have(struct batch *b, struct value *v, slice tag)
{
    value_resolve(v, &b->arena);
    if (v->type == VALUE_STRING) return slice_equal(value_slice(v), tag);
    for (uint32_t i = 0; v->type == VALUE_LIST && i < v->n; i++) {
        value_resolve(&v->u.list[i], &b->arena);
        if (v->u.list[i].type == VALUE_STRING && slice_equal(value_slice(&v->u.list[i]), tag))
            return true;
    }
    return false;
}

bool event_has_tag(struct batch *b, struct event *ev, slice tag)
{
    struct key key = core_key(tags_name);
    struct member *m = map_find(&ev->data, key.name, key.hash);
    return m != NULL && tags_have(b, &m->val, tag);
}

void event_tag(struct batch *b, struct event *ev, slice tag, bool unique)
{
    struct key key = core_key(tags_name);
    uint32_t guess = UINT32_MAX; /* none: mostly the first tag */
    struct member *m = map_find_near(&ev->data, key.name, key.hash, &guess);
    if (m != NULL && m->val.type != VALUE_NIL) {
        if (unique && tags_have(b, &m->val, tag)) return;
        struct value tags = appended(b, &m->val, value_string(tag));
        tags.key_flags = m->val.key_flags;
        m->val = tags;
        return;
    }
    struct value *one = arena_alloc(&b->arena, sizeof(*one), 16);
    *one = value_string(tag);
    struct value tags = value_list(one, 1);
    if (m == NULL)
        map_append(&ev->data, &b->arena, key, tags);
    else
        map_put(&ev->data, &b->arena, key, tags);
}

void event_copy(struct batch *b, struct event *to, const struct event *from)
{
    map_copy(&to->data, &from->data, &b->arena);
    map_copy(&to->meta, &from->meta, &b->arena);
    to->time = from->time;
}
