/* protobuf_write.c - values to messages. */
#include "engine/base/number.h"
#include "engine/event/time_format.h"
#include "parsers/text/ruby_number.h"
#include "parsers/wire/protobuf_wire.h"

struct writer {
    struct protobuf_write_options opt;
    struct arena *arena;
    struct buf *out;
    uint32_t depth;
    slice misfit;
};

/* A scalar as it is written. */
struct scalar {
    bool is_bytes;
    uint64_t num;
    slice bytes;
};

static bool message_write(struct writer *w, const struct protobuf_message *m,
                          const struct map *fields);

/* ---- scalars ----------------------------------------------------------------------------------
 */

static slice text_of(struct writer *w, const struct value *v)
{
    char space[64];
    struct time_iso_cache cache = {0};
    switch (v->type) {
    case VALUE_BOOL: return v->u.yes ? SLICE("true") : SLICE("false");
    case VALUE_INT:
        return arena_copy(w->arena, slice_make(space, number_i64_text(v->u.num, space)));
    case VALUE_FLOAT:
        return arena_copy(w->arena, slice_make(space, number_f64_text(v->u.real, space)));
    case VALUE_TIME:
        return arena_copy(w->arena, slice_make(space, time_iso_write(v->u.time_ns, &cache, space)));
    default: return value_slice(v);
    }
}

static bool whole_of(double real, struct value *out)
{
    if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0)) return false;
    if (real != (double)(int64_t)real) return false;
    *out = value_int((int64_t)real);
    return true;
}

/* An integer, 64 bits as they are, from what the field's type takes. */
static bool integer_of(struct writer *w, const struct value *given, int64_t min, int64_t max,
                       bool any_unsigned, uint64_t *out)
{
    struct value v = *given;
    if (v.type == VALUE_STRING && w->opt.convert) v = ruby_to_i(value_slice(&v), w->arena);
    if (v.type == VALUE_FLOAT && !whole_of(v.u.real, &v)) return false;
    if (v.type == VALUE_BIGNUM && any_unsigned) {
        uint64_t num = 0;
        for (uint32_t i = 0; i < v.n; i++) {
            char ch = v.u.str[i];
            if (ch < '0' || ch > '9' || __builtin_mul_overflow(num, 10, &num) ||
                __builtin_add_overflow(num, (uint64_t)(ch - '0'), &num))
                return false;
        }
        *out = num;
        return true;
    }
    if (v.type != VALUE_INT || v.u.num < min || v.u.num > max) return false;
    *out = (uint64_t)v.u.num;
    return true;
}

static bool real_of(struct writer *w, const struct value *v, bool half, uint64_t *out)
{
    double real;
    if (v->type == VALUE_FLOAT)
        real = v->u.real;
    else if (v->type == VALUE_INT)
        real = (double)v->u.num;
    else if (v->type == VALUE_BIGNUM || (v->type == VALUE_STRING && w->opt.convert))
        real = ruby_to_f(value_slice(v));
    else
        return false;
    *out = 0;
    if (half) {
        float single = (float)real;
        memcpy(out, &single, sizeof(single));
    } else {
        memcpy(out, &real, sizeof(real));
    }
    return true;
}

static bool bool_of(struct writer *w, const struct value *v, uint64_t *out)
{
    if (v->type == VALUE_BOOL) {
        *out = v->u.yes;
        return true;
    }
    if (!w->opt.convert || v->type == VALUE_LIST || v->type == VALUE_MAP) return false;
    *out = slice_equal_nocase(text_of(w, v), SLICE("true"));
    return true;
}

static bool enum_of(struct writer *w, const struct protobuf_field *f, const struct value *v,
                    uint64_t *out)
{
    if (v->type != VALUE_STRING) return integer_of(w, v, INT32_MIN, INT32_MAX, false, out);
    for (uint32_t i = 0; i < f->symbols->n; i++) {
        if (!slice_equal(f->symbols->symbol[i], value_slice(v))) continue;
        *out = (uint64_t)(int64_t)f->symbols->number[i];
        return true;
    }
    return false;
}

static bool text_scalar(struct writer *w, const struct value *v, struct scalar *out)
{
    bool text = v->type == VALUE_STRING || v->type == VALUE_TIME;
    bool scalar = v->type != VALUE_LIST && v->type != VALUE_MAP && v->type != VALUE_NIL;
    out->is_bytes = true;
    if (!text && !(w->opt.convert && scalar)) return false;
    out->bytes = text_of(w, v);
    return true;
}

static bool scalar_of(struct writer *w, const struct protobuf_field *f, const struct value *v,
                      struct scalar *out)
{
    *out = (struct scalar){0};
    switch (f->type) {
    case PROTOBUF_STRING:
    case PROTOBUF_BYTES: return text_scalar(w, v, out);
    case PROTOBUF_BOOL: return bool_of(w, v, &out->num);
    case PROTOBUF_ENUM: return enum_of(w, f, v, &out->num);
    case PROTOBUF_DOUBLE:
    case PROTOBUF_FLOAT: return real_of(w, v, f->type == PROTOBUF_FLOAT, &out->num);
    case PROTOBUF_INT32:
    case PROTOBUF_SFIXED32: return integer_of(w, v, INT32_MIN, INT32_MAX, false, &out->num);
    case PROTOBUF_UINT32:
    case PROTOBUF_FIXED32: return integer_of(w, v, 0, UINT32_MAX, false, &out->num);
    case PROTOBUF_UINT64:
    case PROTOBUF_FIXED64: return integer_of(w, v, 0, INT64_MAX, true, &out->num);
    case PROTOBUF_SINT32:
    case PROTOBUF_SINT64: {
        bool narrow = f->type == PROTOBUF_SINT32;
        if (!integer_of(w, v, narrow ? INT32_MIN : INT64_MIN, narrow ? INT32_MAX : INT64_MAX, false,
                        &out->num))
            return false;
        out->num = out->num << 1 ^ -(out->num >> 63);
        return true;
    }
    default: return integer_of(w, v, INT64_MIN, INT64_MAX, false, &out->num);
    }
}

static void scalar_add(struct buf *out, uint8_t type, const struct scalar *s)
{
    if (s->is_bytes) {
        protobuf_varint_add(out, s->bytes.n);
        buf_add_slice(out, s->bytes);
    } else if (protobuf_wire_of(type) == WIRE_VARINT) {
        protobuf_varint_add(out, s->num);
    } else {
        buf_add(out, &s->num, protobuf_wire_of(type) == WIRE_64 ? 8 : 4);
    }
}

/* ---- fields -----------------------------------------------------------------------------------
 */

static void tag_add(struct buf *out, uint32_t number, uint8_t wire)
{
    protobuf_varint_add(out, (uint64_t)number << 3 | wire);
}

/* Puts the length of what was written since `from` in front of it. */
static void length_insert(struct buf *out, size_t from)
{
    struct buf head = {0};
    size_t n = out->n - from;
    protobuf_varint_add(&head, n);
    buf_room(out, head.n);
    memmove(out->data + from + head.n, out->data + from, n);
    memcpy(out->data + from, head.data, head.n);
    out->n += head.n;
    buf_fini(&head);
}

static bool item_write(struct writer *w, const struct protobuf_field *f, struct value *v,
                       bool if_default)
{
    struct scalar s;
    value_resolve(v, w->arena);
    if (f->type == PROTOBUF_MESSAGE) {
        if (v->type != VALUE_MAP) return false;
        tag_add(w->out, f->number, WIRE_BYTES);
        size_t from = w->out->n;
        if (!message_write(w, f->message, v->u.map)) return false;
        length_insert(w->out, from);
        return true;
    }
    if (!scalar_of(w, f, v, &s)) return false;
    if (!if_default && s.num == 0 && s.bytes.n == 0) return true;
    tag_add(w->out, f->number, protobuf_wire_of(f->type));
    scalar_add(w->out, f->type, &s);
    return true;
}

static bool list_write(struct writer *w, const struct protobuf_field *f, const struct value *v)
{
    if (v->type != VALUE_LIST) return false;
    if (v->n == 0) return true;
    if (!f->packed) {
        for (uint32_t i = 0; i < v->n; i++)
            if (!item_write(w, f, &v->u.list[i], true)) return false;
        return true;
    }
    tag_add(w->out, f->number, WIRE_BYTES);
    size_t from = w->out->n;
    for (uint32_t i = 0; i < v->n; i++) {
        struct scalar s;
        value_resolve(&v->u.list[i], w->arena);
        if (!scalar_of(w, f, &v->u.list[i], &s)) return false;
        scalar_add(w->out, f->type, &s);
    }
    length_insert(w->out, from);
    return true;
}

/* Keys of hashes are texts, whatever they are in the message. */
static bool entries_write(struct writer *w, const struct protobuf_field *f, const struct value *v)
{
    const struct protobuf_message *entry = f->message;
    const struct protobuf_field *key = &entry->field[entry->by_number[0]];
    const struct protobuf_field *val = &entry->field[entry->by_number[1]];
    if (v->type != VALUE_MAP) return false;
    for (uint32_t i = 0; i < v->u.map->n; i++) {
        struct member *m = &v->u.map->at[i];
        struct value name = value_string(slice_make(m->key, m->key_n));
        struct protobuf_write_options strict = w->opt;
        tag_add(w->out, f->number, WIRE_BYTES);
        size_t from = w->out->n;
        w->opt.convert = true;
        bool ok = item_write(w, key, &name, true);
        w->opt = strict;
        if (!ok || !item_write(w, val, &m->val, true)) return false;
        length_insert(w->out, from);
    }
    return true;
}

static bool field_write(struct writer *w, const struct protobuf_field *f, struct value *v)
{
    bool ok;
    slice outer = w->misfit;
    value_resolve(v, w->arena);
    w->misfit = f->key.name;
    if (!f->repeated)
        ok = item_write(w, f, v, f->present || w->opt.defaults);
    else if (f->type == PROTOBUF_MESSAGE && f->message->is_entry)
        ok = entries_write(w, f, v);
    else
        ok = list_write(w, f, v);
    if (ok) w->misfit = outer;
    return ok;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

/* Without its '@', which names of fields cannot have. */
static slice name_of(struct writer *w, const struct member *m)
{
    slice name = slice_make(m->key, m->key_n);
    if (slice_find_byte(name, '@') < 0) return name;
    char *out = arena_alloc(w->arena, name.n, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < name.n; i++)
        if (name.p[i] != '@') out[n++] = name.p[i];
    return slice_make(out, n);
}

static bool field_find(const struct protobuf_message *m, slice name, uint32_t *out)
{
    uint32_t hash = hash_key(name.p, name.n);
    for (*out = 0; *out < m->n; (*out)++) {
        const struct key *key = &m->field[*out].key;
        if (key->hash == hash && slice_equal(key->name, name)) return true;
    }
    return false;
}

/* Of each field the value that it gets; the last one of a oneof. */
static bool values_find(struct writer *w, const struct protobuf_message *m,
                        const struct map *fields, struct value **of_field)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        struct member *member = &fields->at[i];
        slice name = name_of(w, member);
        uint32_t at;
        if (member->val.type == VALUE_NIL) continue;
        if (field_find(m, name, &at)) {
            for (uint32_t k = 0; m->field[at].oneof > 0 && k < m->n; k++)
                if (m->field[k].oneof == m->field[at].oneof) of_field[k] = NULL;
            of_field[at] = &member->val;
        } else if (!w->opt.drop_unknown) {
            w->misfit = name;
            return false;
        }
    }
    return true;
}

static bool message_write(struct writer *w, const struct protobuf_message *m,
                          const struct map *fields)
{
    if (w->depth == PROTOBUF_DEPTH_MAX) return false;
    size_t bytes = (m->n + 1) * sizeof(struct value *);
    struct value **of_field = memset(arena_alloc(w->arena, bytes, 16), 0, bytes);
    if (!values_find(w, m, fields, of_field)) return false;
    w->depth++;
    bool ok = true;
    for (uint32_t i = 0; ok && i < m->n; i++) {
        const struct protobuf_field *f = &m->field[m->by_number[i]];
        struct value *v = of_field[m->by_number[i]];
        if (v != NULL) {
            ok = field_write(w, f, v);
        } else if (f->required) {
            w->misfit = f->key.name;
            ok = false;
        }
    }
    w->depth--;
    return ok;
}

bool protobuf_write(const struct protobuf_message *m, const struct map *fields,
                    struct protobuf_write_options options, struct arena *arena, struct buf *out,
                    slice *misfit)
{
    struct writer w = {.opt = options, .arena = arena, .out = out};
    size_t from = out->n;
    bool ok = message_write(&w, m, fields);
    if (!ok) out->n = from;
    *misfit = w.misfit;
    return ok;
}
