/* json_layout.c - learning the layout of an event. */
#include "parsers/json/json_layout.h"

#include <stdlib.h>

#include "engine/base/assert.h"

/* A layout is learned when it was missed this often: the rare ones must not push out the usual. */
#define MISSES_TO_LEARN 16u

struct learner {
    struct json_layout *layout;
    struct buf text; /* of the value that comes next */
    uint32_t up;
};

/* Ends the text that has been gathered; false when there is no room. */
static bool text_end(struct learner *l, uint32_t *at)
{
    struct json_layout *layout = l->layout;
    if (layout->text_n + l->text.n > JSON_LAYOUT_TEXT_BYTES_MAX) return false;
    *at = layout->text_n;
    if (l->text.n > 0) memcpy(layout->text + layout->text_n, l->text.data, l->text.n);
    layout->text_n += (uint32_t)l->text.n;
    l->text.n = 0;
    return true;
}

/* A map with keys of the sender's, such as structured data, is walked each time; those around it
 * are not. */
static bool all_static(const struct map *map)
{
    for (uint32_t i = 0; i < map->n; i++)
        if ((map->at[i].val.key_flags & KEY_STATIC) == 0) return false;
    return true;
}

static enum json_slot_kind kind_of(const struct value *v, uint32_t depth)
{
    switch ((enum value_type)v->type) {
    case VALUE_STRING:
        return v->flags & (VALUE_CLEAN | VALUE_ESCAPED) ? JSON_SLOT_VERBATIM : JSON_SLOT_TEXT;
    case VALUE_BIGNUM: return JSON_SLOT_VERBATIM;
    case VALUE_MAP:
        if (v->flags & VALUE_SHARED) return v->n > 0 ? JSON_SLOT_SHARED : JSON_SLOT_OTHER;
        if (v->u.map->n == 0 || depth >= JSON_LAYOUT_DEPTH_MAX) return JSON_SLOT_OTHER;
        return all_static(v->u.map) ? JSON_SLOT_MAP : JSON_SLOT_OTHER;
    default: return v->flags & VALUE_RAW ? JSON_SLOT_VERBATIM : JSON_SLOT_OTHER;
    }
}

static bool learn_map(struct learner *l, const struct map *map, uint32_t depth);

static struct member like(const struct member *m)
{
    struct member same = *m;
    same.val.n = 0;
    same.val.u.str = NULL;
    return same;
}

static bool learn_leaf(struct learner *l, const struct value *v, enum json_slot_kind kind)
{
    struct json_layout *layout = l->layout;
    struct json_leaf *leaf = &layout->leaf[layout->leaf_n++];
    uint32_t at;
    if (v->type == VALUE_STRING) buf_add_byte(&l->text, '"');
    leaf->kind = (uint8_t)kind;
    leaf->text_n = (uint16_t)l->text.n;
    if (!text_end(l, &at)) return false;
    leaf->text_at = (uint16_t)at;
    if (v->type == VALUE_STRING) buf_add_byte(&l->text, '"');
    return true;
}

static bool learn_member(struct learner *l, const struct member *m, uint32_t depth)
{
    const struct value *v = &m->val;
    struct json_layout *layout = l->layout;
    if ((v->key_flags & KEY_STATIC) == 0 || layout->slot_n == JSON_LAYOUT_SLOTS_MAX) return false;
    struct json_slot *slot = &layout->slot[layout->slot_n++];
    *slot = (struct json_slot){
        .like = like(m), .kind = (uint8_t)kind_of(v, depth), .up = (uint8_t)l->up};
    slot->turns = slot->up > 0 || slot->kind == JSON_SLOT_MAP;
    l->up = 0;
    buf_add_json(&l->text, slice_make(m->key, m->key_n));
    buf_add_byte(&l->text, ':');
    if (slot->kind != JSON_SLOT_MAP) return learn_leaf(l, v, (enum json_slot_kind)slot->kind);
    slot->map_n = v->u.map->n;
    buf_add_byte(&l->text, '{');
    if (!learn_map(l, v->u.map, depth + 1)) return false;
    buf_add_byte(&l->text, '}');
    l->up++;
    return true;
}

static bool learn_map(struct learner *l, const struct map *map, uint32_t depth)
{
    for (uint32_t i = 0; i < map->n; i++) {
        if (i > 0 || depth == 0) buf_add_byte(&l->text, ',');
        if (!learn_member(l, &map->at[i], depth)) return false;
    }
    return true;
}

struct json_layouts *json_layouts_new(void)
{
    struct json_layouts *layouts = calloc(1, sizeof(*layouts));
    ASSERT(layouts != NULL);
    return layouts;
}

static uint32_t missed_at(const struct event *ev)
{
    uintptr_t last = (uintptr_t)ev->data.at[ev->data.n - 1].key >> 4;
    return (uint32_t)(last * 31 + ev->data.n) % JSON_LAYOUT_MISSED;
}

/* What was useful long ago counts less than what is now. */
static struct json_layout *least_used(struct json_layouts *layouts)
{
    struct json_layout *least = &layouts->at[0];
    for (uint32_t i = 0; i < JSON_LAYOUTS; i++) {
        struct json_layout *layout = &layouts->at[i];
        layout->hits -= layout->hits / 4;
        if (least->member_n == 0) break;
        if (layout->member_n == 0 || layout->hits < least->hits) least = layout;
    }
    return least;
}

void json_layout_learn(struct json_layouts *layouts, const struct event *ev)
{
    if (ev->time.type != VALUE_TIME || ev->data.n == 0) return;
    uint8_t *missed = &layouts->missed[missed_at(ev)];
    if (++*missed < MISSES_TO_LEARN) return;
    *missed = 0;
    struct json_layout fresh = {0};
    struct learner l = {.layout = &fresh};
    bool known = learn_map(&l, &ev->data, 0);
    buf_add_byte(&l.text, '}');
    if (known && text_end(&l, &fresh.tail_at)) {
        fresh.member_n = ev->data.n;
        fresh.last_key = ev->data.at[ev->data.n - 1].key;
        *least_used(layouts) = fresh;
    }
    buf_fini(&l.text);
}
