#include "engine/plan/java_text.h"

#include "engine/event/map.h"

void java_text(struct value *v, struct arena *arena, struct buf *out)
{
    value_text_java(v, arena, out);
}

static void add_field(struct batch *b, struct event *ev, slice name, struct buf *out)
{
    struct member *m = map_find(&ev->data, name, hash_key(name.p, name.n));
    if (m != NULL) value_resolve(&m->val, &b->arena);
    if (m == NULL || m->val.type == VALUE_NIL) {
        buf_add_cstr(out, "%{");
        buf_add_slice(out, name);
        buf_add_byte(out, '}');
    } else {
        java_text(&m->val, &b->arena, out);
    }
}

void java_text_event(struct batch *b, struct event *ev, struct buf *out)
{
    if (ev->time.type == VALUE_TIME) {
        value_text(&ev->time, &b->arena, out);
        buf_add_byte(out, ' ');
    }
    add_field(b, ev, SLICE("host"), out);
    buf_add_byte(out, ' ');
    add_field(b, ev, SLICE("message"), out);
}
