/* script_reply.c - what a script process did to events. */
#include "parsers/wire/script_reply.h"

#include "engine/base/utf8.h"
#include "parsers/scan/utf8_scan.h"
#include "parsers/wire/script_request.h"

#define DEPTH_MAX 1002u /* the driver's bound and the two levels around it */
#define NUMBER_BYTES_MAX 65536u

enum change { PUT_DATA = 1, REMOVE_DATA, PUT_META, REMOVE_META, PUT_TIME, REMOVE_TIME };

static bool take(struct script_reply *r, void *out, uint32_t n)
{
    if (r->in.n - r->at < n) return false;
    memcpy(out, r->in.p + r->at, n);
    r->at += n;
    return true;
}

static bool take_text(struct script_reply *r, slice *out)
{
    uint32_t n;
    if (!take(r, &n, 4) || r->in.n - r->at < n) return false;
    *out = slice_make(r->in.p + r->at, n);
    r->at += n;
    return true;
}

/* The text, with U+FFFD for what is no UTF-8. */
static slice text_valid(slice text, struct arena *arena)
{
    if (utf8_scan_valid(text)) return text;
    char *out = arena_alloc(arena, (size_t)text.n * 3, 1);
    uint32_t n = 0, step;
    for (uint32_t i = 0; i < text.n; i += step)
        n += utf8_encode(utf8_decode(text, i, &step), out + n);
    return slice_make(out, n);
}

/* A JSON number, RFC 8259 section 6. */
static bool is_number(slice text)
{
    uint32_t i = 0, from;
    if (i < text.n && text.p[i] == '-') i++;
    for (from = i; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) continue;
    if (i == from || (text.p[from] == '0' && i > from + 1)) return false;
    if (i < text.n && text.p[i] == '.') {
        for (from = ++i; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) continue;
        if (i == from) return false;
    }
    if (i < text.n && (text.p[i] == 'e' || text.p[i] == 'E')) {
        if (++i < text.n && (text.p[i] == '-' || text.p[i] == '+')) i++;
        for (from = i; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) continue;
        if (i == from) return false;
    }
    return i == text.n;
}

static bool take_value(struct script_reply *r, struct arena *arena, uint32_t depth,
                       struct value *out);

static bool take_list(struct script_reply *r, struct arena *arena, uint32_t depth,
                      struct value *out)
{
    uint32_t n;
    /* Every item has a byte at least: a list cannot be longer than what is left. */
    if (!take(r, &n, 4) || n > r->in.n - r->at) return false;
    struct value *items = arena_alloc(arena, ((size_t)n + 1) * sizeof(*items), 16);
    for (uint32_t i = 0; i < n; i++)
        if (!take_value(r, arena, depth + 1, &items[i])) return false;
    *out = value_list(items, n);
    return true;
}

static bool take_map(struct script_reply *r, struct arena *arena, uint32_t depth, struct value *out)
{
    uint32_t n;
    if (!take(r, &n, 4) || n > (r->in.n - r->at) / 5) return false;
    struct map *map = map_new(arena);
    for (uint32_t i = 0; i < n; i++) {
        slice name;
        struct value v;
        if (!take_text(r, &name) || !take_value(r, arena, depth + 1, &v)) return false;
        map_put(map, arena, key_borrow(text_valid(name, arena)), v);
    }
    *out = value_map(map);
    return true;
}

static bool take_value(struct script_reply *r, struct arena *arena, uint32_t depth,
                       struct value *out)
{
    uint8_t type;
    slice text;
    *out = value_nil();
    if (depth > DEPTH_MAX || !take(r, &type, 1)) return false;
    switch (type) {
    case SCRIPT_NIL: return true;
    case SCRIPT_FALSE:
    case SCRIPT_TRUE: *out = value_bool(type == SCRIPT_TRUE); return true;
    case SCRIPT_INT: out->type = VALUE_INT; return take(r, &out->u.num, 8);
    case SCRIPT_FLOAT: out->type = VALUE_FLOAT; return take(r, &out->u.real, 8);
    case SCRIPT_TIME: out->type = VALUE_TIME; return take(r, &out->u.time_ns, 8);
    case SCRIPT_TEXT:
        if (!take_text(r, &text)) return false;
        *out = value_string(text_valid(text, arena));
        return true;
    case SCRIPT_NUMBER:
        if (!take_text(r, &text) || text.n > NUMBER_BYTES_MAX || !is_number(text)) return false;
        *out = (struct value){.type = VALUE_BIGNUM, .n = text.n, .u.str = text.p};
        return true;
    case SCRIPT_LIST: return take_list(r, arena, depth, out);
    case SCRIPT_MAP: return take_map(r, arena, depth, out);
    default: return false;
    }
}

static bool is_tags(const struct value *v)
{
    if (v->type == VALUE_STRING || v->type == VALUE_NIL) return true;
    if (v->type != VALUE_LIST) return false;
    for (uint32_t i = 0; i < v->n; i++)
        if (v->u.list[i].type != VALUE_STRING) return false;
    return true;
}

static bool may_put(slice name, const struct value *v)
{
    if (slice_equal(name, SLICE("tags"))) return is_tags(v);
    return !slice_equal(name, SLICE("@timestamp")) && !slice_equal(name, SLICE("@metadata"));
}

static bool change(struct script_reply *r, struct batch *b, struct event *ev)
{
    uint8_t op;
    slice name;
    struct value v;
    if (!take(r, &op, 1)) return false;
    if (op == PUT_TIME) {
        int64_t ns;
        if (!take(r, &ns, 8)) return false;
        ev->time = value_time(ns);
        return true;
    }
    if (op == REMOVE_TIME) {
        ev->time = value_nil();
        return true;
    }
    if (op < PUT_DATA || op > REMOVE_META || !take_text(r, &name)) return false;
    name = text_valid(name, &b->arena);
    struct map *map = op <= REMOVE_DATA ? &ev->data : &ev->meta;
    if (op == REMOVE_DATA || op == REMOVE_META) {
        map_remove(map, name, hash_key(name.p, name.n));
        return true;
    }
    if (!take_value(r, &b->arena, 0, &v) || (op == PUT_DATA && !may_put(name, &v))) return false;
    map_put(map, &b->arena, key_borrow(name), v);
    return true;
}

static bool changes(struct script_reply *r, struct batch *b, struct event *ev)
{
    uint32_t n;
    if (!take(r, &n, 4)) return false;
    for (uint32_t i = 0; i < n; i++)
        if (!change(r, b, ev)) return false;
    return true;
}

/* Changes to an event that goes nowhere: the bytes must be passed all the same. */
static bool changes_skip(struct script_reply *r, struct batch *b)
{
    struct event none = {.child = EVENT_NONE};
    return changes(r, b, &none);
}

static err children(struct script_reply *r, struct batch *b, uint32_t index)
{
    uint32_t n;
    if (!take(r, &n, 4)) return ERR_FRAME;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t copy;
        if (!take(r, &copy, 1) || copy > 1) return ERR_FRAME;
        struct event *child = batch_add_child(b, index);
        if (child == NULL) {
            r->refused_n++;
            if (!changes_skip(r, b)) return ERR_FRAME;
            continue;
        }
        if (copy) event_copy(b, child, &b->event[index]);
        if (!changes(r, b, child)) {
            event_cancel(b, child);
            return ERR_FRAME;
        }
    }
    return ERR_OK;
}

/* The event's own changes stand before its children, which are copies of what it was. */
err script_reply_event(struct script_reply *r, struct batch *b, uint32_t index, uint32_t *flags)
{
    uint8_t byte;
    if (!take(r, &byte, 1)) return ERR_FRAME;
    *flags = byte;
    struct event after = b->event[index];
    err e = ERR_OK;
    if (byte & SCRIPT_FRESH)
        after.data = after.meta = (struct map){0};
    else if ((byte & SCRIPT_CHANGED) && (byte & SCRIPT_CHILDREN))
        event_copy(b, &after, &b->event[index]);
    if ((byte & SCRIPT_CHANGED) && !changes(r, b, &after)) e = ERR_FRAME;
    if (e == ERR_OK && (byte & SCRIPT_CHILDREN)) e = children(r, b, index);
    /* Nonsense: the event stays. Its maps may have been changed where they lie, so that their
     * numbers of members are taken over all the same. */
    if (e != ERR_OK && (byte & (SCRIPT_FRESH | SCRIPT_CHILDREN))) return e;
    struct event *ev = &b->event[index];
    ev->data = after.data;
    ev->meta = after.meta;
    ev->time = after.time;
    if (e != ERR_OK) return e;
    if (byte & SCRIPT_CANCELLED) event_cancel(b, ev);
    if (byte & SCRIPT_FAILED) r->failed_n++;
    return ERR_OK;
}

err script_reply_made(struct script_reply *r, struct batch *b)
{
    uint32_t n;
    if (!take(r, &n, 4)) return ERR_FRAME;
    for (uint32_t i = 0; i < n; i++) {
        struct event *ev = batch_add(b);
        if (ev == NULL) {
            r->refused_n++;
            if (!changes_skip(r, b)) return ERR_FRAME;
        } else if (!changes(r, b, ev)) {
            event_cancel(b, ev);
            return ERR_FRAME;
        }
    }
    return ERR_OK;
}

err script_reply_lines(struct script_reply *r, struct script_lines *lines)
{
    return take(r, &lines->left, 4) ? ERR_OK : ERR_FRAME;
}

err script_reply_line(struct script_reply *r, struct script_lines *lines, uint32_t *level,
                      slice *text)
{
    uint8_t byte;
    if (lines->left == 0) return ERR_MISSING;
    lines->left--;
    if (!take(r, &byte, 1) || !take_text(r, text)) return ERR_FRAME;
    *level = byte;
    return ERR_OK;
}
