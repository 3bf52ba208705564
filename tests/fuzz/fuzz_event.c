/*
 * fuzz_event.c - the bytes are a program of put, get, append and remove on one event.
 *
 * Every step is also done on a model that is as simple as can be: a tree of heap nodes with linear
 * search. After each step both have the same JSON. Fields come from a few names and indices, so
 * that steps meet each other; the root has enough names to make its map grow an index.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/event/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* ---- the model ----------------------------------------------------------------------------- */

enum node_type { NODE_NULL, NODE_NUMBER, NODE_LIST, NODE_MAP };

struct node {
    enum node_type type;
    int64_t num;
    uint32_t n;
    char key[64][8]; /* of a map */
    struct node *at[64];
};

static struct node *node_new(enum node_type type, int64_t num)
{
    struct node *node = calloc(1, sizeof(*node));
    ASSERT(node != NULL);
    node->type = type;
    node->num = num;
    return node;
}

static void node_free(struct node *node)
{
    for (uint32_t i = 0; i < node->n; i++) node_free(node->at[i]);
    free(node);
}

static struct node *node_copy(const struct node *from)
{
    struct node *to = node_new(from->type, from->num);
    to->n = from->n;
    memcpy(to->key, from->key, sizeof(to->key));
    for (uint32_t i = 0; i < from->n; i++) to->at[i] = node_copy(from->at[i]);
    return to;
}

static bool is_number(const char *step)
{
    return step[0] == '-' || (step[0] >= '0' && step[0] <= '9');
}

/* Index of the step in a container, or -1. */
static int64_t node_find(const struct node *node, const char *step)
{
    if (node->type == NODE_MAP) {
        for (uint32_t i = 0; i < node->n; i++)
            if (strcmp(node->key[i], step) == 0) return i;
    } else if (node->type == NODE_LIST && is_number(step)) {
        int64_t at = strtol(step, NULL, 10);
        if (at < 0) at += node->n;
        if (at >= 0 && at < node->n) return at;
    }
    return -1;
}

static struct node *node_get(struct node *node, char step[][8], uint32_t n)
{
    for (uint32_t i = 0; i < n && node != NULL; i++) {
        int64_t at = node_find(node, step[i]);
        node = at < 0 ? NULL : node->at[at];
    }
    return node;
}

/* Whether a put could reach its place; a name that is no index of a list is put nowhere. */
static bool can_put(const struct node *node, char step[][8], uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (node->type == NODE_NULL) return true;
        if (node->type == NODE_NUMBER) return false;
        if (node->type == NODE_LIST) {
            if (!is_number(step[i])) return true;
            if (strtol(step[i], NULL, 10) + (step[i][0] == '-' ? (int64_t)node->n : 0) < 0)
                return false;
        }
        int64_t at = node_find(node, step[i]);
        if (at < 0) return true;
        node = node->at[at];
    }
    return true;
}

static void node_put(struct node *node, char step[][8], uint32_t n, struct node *val)
{
    for (uint32_t i = 0; i < n; i++) {
        if (node->type == NODE_LIST && !is_number(step[i])) {
            node_free(val);
            return;
        }
        if (node->type == NODE_NULL) node->type = NODE_MAP;
        int64_t at = node_find(node, step[i]);
        if (at < 0 && node->type == NODE_MAP) {
            at = node->n;
            ASSERT(node->n < 64);
            snprintf(node->key[node->n], sizeof(node->key[0]), "%s", step[i]);
            node->at[node->n++] = node_new(NODE_NULL, 0);
        } else if (at < 0) {
            at = strtol(step[i], NULL, 10);
            while (node->n <= at) node->at[node->n++] = node_new(NODE_NULL, 0);
        }
        if (i + 1 == n) {
            node_free(node->at[at]);
            node->at[at] = val;
        }
        node = node->at[at];
    }
}

static bool node_remove(struct node *root, char step[][8], uint32_t n)
{
    struct node *node = node_get(root, step, n - 1);
    int64_t at = node == NULL ? -1 : node_find(node, step[n - 1]);
    if (at < 0) return false;
    node_free(node->at[at]);
    node->n--;
    for (uint32_t i = (uint32_t)at; i < node->n; i++) {
        node->at[i] = node->at[i + 1];
        memcpy(node->key[i], node->key[i + 1], sizeof(node->key[0]));
    }
    return true;
}

static void node_json(const struct node *node, struct buf *out)
{
    switch (node->type) {
    case NODE_NULL: buf_add_cstr(out, "null"); return;
    case NODE_NUMBER: buf_printf(out, "%lld", (long long)node->num); return;
    case NODE_LIST: buf_add_byte(out, '['); break;
    case NODE_MAP: buf_add_byte(out, '{'); break;
    }
    for (uint32_t i = 0; i < node->n; i++) {
        if (i > 0) buf_add_byte(out, ',');
        if (node->type == NODE_MAP) buf_printf(out, "\"%s\":", node->key[i]);
        node_json(node->at[i], out);
    }
    buf_add_byte(out, node->type == NODE_LIST ? ']' : '}');
}

/* ---- both sides -------------------------------------------------------------------------------
 */

static struct value value_of(const struct node *node, struct arena *arena)
{
    if (node->type == NODE_NULL) return value_nil();
    if (node->type == NODE_NUMBER) return value_int(node->num);
    if (node->type == NODE_LIST) {
        struct value *items = arena_alloc(arena, (node->n + 1) * sizeof(*items), 16);
        for (uint32_t i = 0; i < node->n; i++) items[i] = value_of(node->at[i], arena);
        return value_list(items, node->n);
    }
    struct map *map = map_new(arena);
    for (uint32_t i = 0; i < node->n; i++) {
        slice key = arena_copy(arena, slice_from_cstr(node->key[i]));
        map_put(map, arena, key_make(arena, key), value_of(node->at[i], arena));
    }
    return value_map(map);
}

struct run {
    struct page_pool pool;
    struct batch b;
    struct event *ev;
    struct node *root;
    struct buf got, want;
    const uint8_t *p, *end;
};

static uint8_t next(struct run *r)
{
    return r->p < r->end ? *r->p++ : 0;
}

/* One to three steps: "k0".."k47" at the top, "a".."d" and small indices below. */
static uint32_t make_steps(struct run *r, char step[3][8])
{
    uint32_t n = 1 + next(r) % 3u;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t c = next(r);
        if (i == 0)
            snprintf(step[i], 8, "k%u", c < 200 ? c % 4u : c % 48u);
        else if (c & 1)
            snprintf(step[i], 8, "%d", (int)(c / 2 % 7u) - 3);
        else
            snprintf(step[i], 8, "%c", 'a' + c / 2 % 4);
    }
    return n;
}

static struct fieldref make_ref(struct run *r, char step[3][8], uint32_t n)
{
    struct fieldref ref;
    r->got.n = 0;
    for (uint32_t i = 0; i < n; i++) buf_printf(&r->got, "[%s]", step[i]);
    err e = fieldref_parse(&ref, buf_slice(&r->got), &r->b.arena);
    ASSERT(e == ERR_OK && ref.depth == n);
    return ref;
}

static struct node *make_value(struct run *r)
{
    uint8_t c = next(r);
    if (c % 4 == 0) return node_new(NODE_NULL, 0);
    if (c % 4 == 1) return node_new(NODE_NUMBER, c);
    struct node *node = node_new(c % 4 == 2 ? NODE_LIST : NODE_MAP, 0);
    for (uint32_t i = 0; i < c / 4 % 4u; i++) {
        snprintf(node->key[i], 8, "%c", (char)('a' + i));
        node->at[node->n++] = node_new(NODE_NUMBER, c + i);
    }
    return node;
}

static void step_append(struct run *r, char step[3][8], uint32_t n, const struct fieldref *ref)
{
    struct node *val = make_value(r), *old = node_get(r->root, step, n);
    err e = event_append(&r->b, r->ev, ref, value_of(val, &r->b.arena));
    bool room = old == NULL || old->n < 60;
    ASSERT((e == ERR_OK) == can_put(r->root, step, n));
    if (e != ERR_OK || !room) {
        /* The model is bounded; give the event the same content again. */
        node_free(val);
        if (e == ERR_OK) {
            e = event_put(&r->b, r->ev, ref, value_of(old, &r->b.arena));
            ASSERT(e == ERR_OK);
        }
        return;
    }
    if (old == NULL || old->type == NODE_NULL) {
        node_put(r->root, step, n, val);
        return;
    }
    struct node *list = old->type == NODE_LIST ? node_copy(old) : node_new(NODE_LIST, 0);
    if (old->type != NODE_LIST) list->at[list->n++] = node_copy(old);
    list->at[list->n++] = val;
    node_put(r->root, step, n, list);
}

static void step_one(struct run *r)
{
    char step[3][8];
    uint8_t what = next(r);
    uint32_t n = make_steps(r, step);
    struct fieldref ref = make_ref(r, step, n);
    struct node *here = node_get(r->root, step, n);
    struct value *v = event_get(&r->b, r->ev, &ref);
    ASSERT((v != NULL) == (here != NULL));
    if (v != NULL) {
        r->got.n = r->want.n = 0;
        value_json(v, &r->got);
        node_json(here, &r->want);
        ASSERT(slice_equal(buf_slice(&r->got), buf_slice(&r->want)));
    }
    if (what % 4 == 0) {
        bool removed = event_remove(&r->b, r->ev, &ref);
        ASSERT(removed == node_remove(r->root, step, n));
    } else if (what % 4 == 1) {
        step_append(r, step, n, &ref);
    } else {
        struct node *val = make_value(r);
        err e = event_put(&r->b, r->ev, &ref, value_of(val, &r->b.arena));
        ASSERT((e == ERR_OK) == can_put(r->root, step, n));
        if (e == ERR_OK)
            node_put(r->root, step, n, val);
        else
            node_free(val);
    }
}

static void compare(struct run *r)
{
    struct value all = value_map(&r->ev->data);
    r->got.n = r->want.n = 0;
    value_json(&all, &r->got);
    node_json(r->root, &r->want);
    ASSERT(slice_equal(buf_slice(&r->got), buf_slice(&r->want)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct run r = {.p = data, .end = data + (n < 2000 ? n : 2000)};
    page_pool_init(&r.pool, SIZE_MAX);
    batch_init(&r.b, &r.pool);
    r.ev = batch_add(&r.b);
    r.root = node_new(NODE_MAP, 0);
    for (uint32_t steps = 0; r.p < r.end; steps++) {
        step_one(&r);
        compare(&r);
        if (steps % 16 == 7) { /* A copy is as good as the original, and apart from it. */
            struct event *copy = batch_add_child(&r.b, batch_index(&r.b, r.ev));
            ASSERT(copy != NULL);
            event_copy(&r.b, copy, r.ev);
            r.ev->data.n = 0;
            r.ev = copy;
            compare(&r);
        }
    }
    node_free(r.root);
    buf_fini(&r.got);
    buf_fini(&r.want);
    batch_fini(&r.b);
    page_pool_fini(&r.pool);
    return 0;
}
