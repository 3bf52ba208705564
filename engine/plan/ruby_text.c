#include "engine/plan/ruby_text.h"

#include "engine/event/map.h"
#include "parsers/text/ruby_inspect.h"

static void inspect(struct value *v, struct arena *arena, struct buf *out)
{
    value_resolve(v, arena);
    switch ((enum value_type)v->type) {
    case VALUE_NIL: buf_add_cstr(out, "nil"); break;
    case VALUE_STRING: ruby_inspect_add(out, value_slice(v)); break;
    case VALUE_LIST:
        buf_add_byte(out, '[');
        for (uint32_t i = 0; i < v->n; i++) {
            if (i > 0) buf_add_cstr(out, ", ");
            inspect(&v->u.list[i], arena, out);
        }
        buf_add_byte(out, ']');
        break;
    case VALUE_MAP:
        buf_add_byte(out, '{');
        for (uint32_t i = 0; i < v->u.map->n; i++) {
            struct member *m = &v->u.map->at[i];
            if (i > 0) buf_add_cstr(out, ", ");
            ruby_inspect_add(out, slice_make(m->key, m->key_n));
            buf_add_cstr(out, "=>");
            inspect(&m->val, arena, out);
        }
        buf_add_byte(out, '}');
        break;
    default: value_text_ruby(v, arena, out);
    }
}

void ruby_text(struct value *v, struct arena *arena, struct buf *out)
{
    value_resolve(v, arena);
    if (v->type == VALUE_LIST || v->type == VALUE_MAP)
        inspect(v, arena, out);
    else
        value_text_ruby(v, arena, out);
}

slice ruby_text_slice(struct value *v, struct arena *arena, struct buf *scratch)
{
    value_resolve(v, arena);
    if (v->type == VALUE_STRING || v->type == VALUE_BIGNUM) return value_slice(v);
    scratch->n = 0;
    ruby_text(v, arena, scratch);
    return arena_copy(arena, buf_slice(scratch));
}
