/* protobuf_schema.c - messages and enums by name, and what fields refer to. */
#include <stdio.h>

#include "parsers/wire/protobuf.h"

/* `at` with room for one more, in the arena. */
static void *grow(struct arena *arena, void *at, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) return at;
    *cap = *cap == 0 ? 8 : *cap * 2;
    void *more = arena_alloc(arena, *cap * size, 16);
    memset(more, 0, *cap * size);
    if (n > 0) memcpy(more, at, n * size);
    return more;
}

static struct protobuf_message *message_find(const struct protobuf_schema *s, slice name)
{
    struct protobuf_message *m = s->messages;
    while (m != NULL && !slice_equal(m->name, name)) m = m->next;
    return m;
}

const struct protobuf_message *protobuf_message_find(const struct protobuf_schema *s, slice name)
{
    const struct protobuf_message *m = message_find(s, name);
    return m != NULL && m->defined ? m : NULL;
}

static struct protobuf_enum *enum_find(const struct protobuf_schema *s, slice name)
{
    struct protobuf_enum *e = s->enums;
    while (e != NULL && !slice_equal(e->name, name)) e = e->next;
    return e;
}

static uint8_t known_kind(slice name)
{
    if (slice_equal(name, SLICE("google.protobuf.Struct"))) return PROTOBUF_STRUCT;
    if (slice_equal(name, SLICE("google.protobuf.Value"))) return PROTOBUF_VALUE;
    return slice_equal(name, SLICE("google.protobuf.ListValue")) ? PROTOBUF_LIST : PROTOBUF_PLAIN;
}

struct protobuf_message *protobuf_message_make(struct protobuf_schema *s, slice name)
{
    struct protobuf_message *m = message_find(s, name);
    if (m != NULL) return m;
    m = arena_alloc(s->arena, sizeof(*m), 16);
    *m = (struct protobuf_message){
        .name = arena_copy(s->arena, name), .known = known_kind(name), .next = s->messages};
    s->messages = m;
    return m;
}

struct protobuf_enum *protobuf_enum_make(struct protobuf_schema *s, slice name)
{
    struct protobuf_enum *e = enum_find(s, name);
    if (e != NULL) return e;
    e = arena_alloc(s->arena, sizeof(*e), 16);
    *e = (struct protobuf_enum){.name = arena_copy(s->arena, name), .next = s->enums};
    s->enums = e;
    return e;
}

struct protobuf_field *protobuf_field_add(struct protobuf_schema *s, struct protobuf_message *m,
                                          slice name)
{
    if (m->n == PROTOBUF_FIELDS_MAX) return NULL;
    m->field = grow(s->arena, m->field, m->n, &m->cap, sizeof(*m->field));
    struct protobuf_field *f = &m->field[m->n++];
    f->key = key_make(s->arena, arena_copy(s->arena, name));
    return f;
}

void protobuf_symbol_add(struct protobuf_schema *s, struct protobuf_enum *e, slice symbol,
                         int32_t number)
{
    uint32_t cap = e->cap;
    e->number = grow(s->arena, e->number, e->n, &cap, sizeof(*e->number));
    e->symbol = grow(s->arena, e->symbol, e->n, &e->cap, sizeof(*e->symbol));
    e->number[e->n] = number;
    e->symbol[e->n++] = arena_copy(s->arena, symbol);
}

uint32_t protobuf_oneof_add(struct protobuf_schema *s, struct protobuf_message *m, slice name)
{
    m->oneof = grow(s->arena, m->oneof, m->oneof_n, &m->oneof_cap, sizeof(*m->oneof));
    m->oneof[m->oneof_n++] = arena_copy(s->arena, name);
    return m->oneof_n;
}

void protobuf_require_add(struct protobuf_schema *s, slice name)
{
    for (uint32_t i = 0; i < s->require_n; i++)
        if (slice_equal(s->require[i], name)) return;
    s->require = grow(s->arena, s->require, s->require_n, &s->require_cap, sizeof(*s->require));
    s->require[s->require_n++] = arena_copy(s->arena, name);
}

/* ---- linking ----------------------------------------------------------------------------------
 */

static bool link_field(struct protobuf_schema *s, struct protobuf_field *f)
{
    bool open = !f->typed;
    if (!open && f->type != PROTOBUF_MESSAGE && f->type != PROTOBUF_ENUM) return true;
    if (open || f->type == PROTOBUF_MESSAGE) f->message = protobuf_message_find(s, f->type_name);
    if (f->message == NULL && (open || f->type == PROTOBUF_ENUM))
        f->symbols = enum_find(s, f->type_name);
    if (f->message == NULL && f->symbols == NULL) return false;
    f->type = f->message != NULL ? PROTOBUF_MESSAGE : PROTOBUF_ENUM;
    f->typed = true;
    if (f->type == PROTOBUF_MESSAGE) f->packed = false;
    return true;
}

/* By insertion: they are in order mostly, and few. */
static bool sort_numbers(struct protobuf_schema *s, struct protobuf_message *m)
{
    m->by_number = arena_alloc(s->arena, ((size_t)m->n + 1) * sizeof(*m->by_number), 16);
    for (uint32_t i = 0; i < m->n; i++) {
        uint32_t k = i, number = m->field[i].number;
        while (k > 0 && m->field[m->by_number[k - 1]].number > number) k--;
        if (k > 0 && m->field[m->by_number[k - 1]].number == number) return false;
        memmove(&m->by_number[k + 1], &m->by_number[k], (i - k) * sizeof(*m->by_number));
        m->by_number[k] = i;
    }
    return true;
}

static err fail(struct protobuf_error *error, const struct protobuf_message *m, const char *what,
                slice name)
{
    snprintf(error->text, sizeof(error->text), "%.*s %s %.*s", SLICE_FMT(m->name), what,
             SLICE_FMT(name));
    return ERR_SYNTAX;
}

err protobuf_schema_link(struct protobuf_schema *s, struct protobuf_error *error)
{
    for (struct protobuf_message *m = s->messages; m != NULL; m = m->next) {
        for (uint32_t i = 0; i < m->n; i++)
            if (!link_field(s, &m->field[i]))
                return fail(error, m, "refers to what is not there:", m->field[i].type_name);
        if (!sort_numbers(s, m)) return fail(error, m, "has two fields with one number", SLICE(""));
        bool pair = m->n == 2 && m->field[m->by_number[0]].number == 1 &&
                    m->field[m->by_number[1]].number == 2;
        if (m->is_entry && !pair) return fail(error, m, "is no map", SLICE(""));
    }
    return ERR_OK;
}

/* ---- files that come with the gem -------------------------------------------------------------
 */

struct known_file {
    const char *name, *text;
};

#define OF_ONE(name, type)                                                                         \
    "add_message \"google.protobuf." name "\" do\noptional :value, :" type ", 1\nend\n"

static const struct known_file known_files[] = {
    {"google/protobuf", ""},
    {"google/protobuf/timestamp_pb", "add_message \"google.protobuf.Timestamp\" do\n"
                                     "optional :seconds, :int64, 1\noptional :nanos, :int32, 2\n"
                                     "end\n"},
    {"google/protobuf/duration_pb", "add_message \"google.protobuf.Duration\" do\n"
                                    "optional :seconds, :int64, 1\noptional :nanos, :int32, 2\n"
                                    "end\n"},
    {"google/protobuf/empty_pb", "add_message \"google.protobuf.Empty\" do\nend\n"},
    {"google/protobuf/any_pb", "add_message \"google.protobuf.Any\" do\n"
                               "optional :type_url, :string, 1\noptional :value, :bytes, 2\nend\n"},
    {"google/protobuf/field_mask_pb", "add_message \"google.protobuf.FieldMask\" do\n"
                                      "repeated :paths, :string, 1\nend\n"},
    {"google/protobuf/wrappers_pb",
     OF_ONE("DoubleValue", "double") OF_ONE("FloatValue", "float") OF_ONE("Int64Value", "int64")
         OF_ONE("UInt64Value", "uint64") OF_ONE("Int32Value", "int32")
             OF_ONE("UInt32Value", "uint32") OF_ONE("BoolValue", "bool")
                 OF_ONE("StringValue", "string") OF_ONE("BytesValue", "bytes")},
    {"google/protobuf/struct_pb",
     "add_message \"google.protobuf.Struct\" do\n"
     "map :fields, :string, :message, 1, \"google.protobuf.Value\"\nend\n"
     "add_message \"google.protobuf.Value\" do\noneof :kind do\n"
     "optional :null_value, :enum, 1, \"google.protobuf.NullValue\"\n"
     "optional :number_value, :double, 2\noptional :string_value, :string, 3\n"
     "optional :bool_value, :bool, 4\n"
     "optional :struct_value, :message, 5, \"google.protobuf.Struct\"\n"
     "optional :list_value, :message, 6, \"google.protobuf.ListValue\"\nend\nend\n"
     "add_message \"google.protobuf.ListValue\" do\n"
     "repeated :values, :message, 1, \"google.protobuf.Value\"\nend\n"
     "add_enum \"google.protobuf.NullValue\" do\nvalue :NULL_VALUE, 0\nend\n"},
};

bool protobuf_known_read(struct protobuf_schema *s, slice name)
{
    for (uint32_t i = 0; i < sizeof(known_files) / sizeof(known_files[0]); i++) {
        struct protobuf_error error;
        if (!slice_equal(name, slice_from_cstr(known_files[i].name))) continue;
        err e = protobuf_ruby_read(s, slice_from_cstr(known_files[i].text), 3, &error);
        ASSERT(e == ERR_OK);
        return true;
    }
    return false;
}
