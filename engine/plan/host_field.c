/* host_field.c - see the header. */
#include "engine/plan/host_field.h"

#include "engine/plan/host.h"

void host_field_compile(struct host_field *f, const char *below, struct compiler *c)
{
    f->nested = compiler_is_ecs(c);
    f->host = compile_key(c, SLICE("host"));
    f->below = compile_key(c, slice_from_cstr(below));
}

void host_field_add(const struct host_field *f, struct batch *b, struct event *ev)
{
    if (map_find(&ev->data, f->host.name, f->host.hash) != NULL) return;
    struct value name = value_string(host_name());
    if (f->nested) {
        struct map *map = map_new(&b->arena);
        map_reserve(map, &b->arena, 2);
        map_append(map, &b->arena, f->below, name);
        name = value_map(map);
    }
    map_append(&ev->data, &b->arena, f->host, name);
}
