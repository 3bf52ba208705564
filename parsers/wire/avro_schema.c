/* avro_schema.c - the JSON of a schema becomes nodes. */
#include <stdarg.h>
#include <stdio.h>

#include "parsers/json/json_decode.h"
#include "parsers/wire/avro.h"

struct builder {
    slice text;
    struct arena *arena;
    struct avro_error *error;
    struct avro_node *named; /* all types with names so far */
    uint32_t depth;
    uint32_t at; /* of the string that was looked at last: errors are about something near it */
    bool names_time;
};

static const struct avro_node primitives[] = {
    {.type = AVRO_NULL},  {.type = AVRO_BOOLEAN}, {.type = AVRO_INT},   {.type = AVRO_LONG},
    {.type = AVRO_FLOAT}, {.type = AVRO_DOUBLE},  {.type = AVRO_BYTES}, {.type = AVRO_STRING}};
static const char *const type_names[] = {"null",   "boolean", "int",    "long",  "float",
                                         "double", "bytes",   "string", "fixed", "enum",
                                         "record", "array",   "map"};
#define TYPES_PRIMITIVE 8u

static const struct avro_node *node_of(struct builder *b, struct value *v, slice space);

/* ---- errors and members --------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void *refuse(struct builder *b, const char *expected,
                                                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->error->text, sizeof(b->error->text), format, args);
    va_end(args);
    b->error->expected = expected;
    b->error->at = b->at;
    return NULL;
}

/* The text of a string, whose place is remembered. */
static slice string_of(struct builder *b, struct value *v)
{
    const char *p = v->u.str;
    if (p >= b->text.p && p < b->text.p + b->text.n) b->at = (uint32_t)(p - b->text.p);
    value_resolve(v, b->arena);
    return value_slice(v);
}

static struct value *member(struct value *object, slice name)
{
    struct member *m = map_find(object->u.map, name, hash_key(name.p, name.n));
    return m == NULL ? NULL : &m->val;
}

/* Empty when it is absent or no string. */
static slice member_string(struct builder *b, struct value *object, slice name)
{
    struct value *v = member(object, name);
    return v != NULL && v->type == VALUE_STRING ? string_of(b, v) : SLICE_NONE;
}

/* ---- names ------------------------------------------------------------------------ */

static bool is_word(slice text)
{
    for (uint32_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return text.n > 0;
}

/* Words with dots between them. */
static bool is_name(slice text)
{
    for (;;) {
        int64_t dot = slice_find_byte(text, '.');
        if (dot < 0) return is_word(text);
        if (!is_word(slice_part(text, 0, (uint32_t)dot))) return false;
        text = slice_from(text, (uint32_t)dot + 1);
    }
}

static slice full_name(struct builder *b, slice name, slice space)
{
    if (space.n == 0 || slice_find_byte(name, '.') >= 0) return name;
    return arena_join(b->arena, arena_join(b->arena, space, SLICE(".")), name);
}

/* The part in front of the last dot. */
static slice space_of(slice name)
{
    uint32_t n = name.n;
    while (n > 0 && name.p[n - 1] != '.') n--;
    return slice_part(name, 0, n == 0 ? 0 : n - 1);
}

static int type_of(slice name)
{
    if (slice_equal(name, SLICE("error"))) return AVRO_RECORD;
    for (int i = 0; i <= AVRO_MAP; i++)
        if (slice_equal(name, slice_from_cstr(type_names[i]))) return i;
    return -1;
}

static const struct avro_node *named_find(struct builder *b, slice name)
{
    const struct avro_node *node = b->named;
    while (node != NULL && !slice_equal(node->name, name)) node = node->next_named;
    return node;
}

static const struct avro_node *reference(struct builder *b, slice name, slice space)
{
    const struct avro_node *node = named_find(b, full_name(b, name, space));
    int type = type_of(name);
    if (node != NULL) return node;
    if (type >= 0 && type < (int)TYPES_PRIMITIVE) return &primitives[type];
    if (type >= 0)
        return refuse(b, "an object with this type", "`%.*s` cannot stand alone", SLICE_FMT(name));
    return refuse(b, "a primitive type, or a name that was defined before", "unknown type `%.*s`",
                  SLICE_FMT(name));
}

/* ---- types ------------------------------------------------------------------------ */

static struct avro_node *node_new(struct builder *b, enum avro_type type)
{
    struct avro_node *node = arena_alloc(b->arena, sizeof(*node), 16);
    *node = (struct avro_node){.type = (uint8_t)type};
    return node;
}

static struct avro_node *named_new(struct builder *b, enum avro_type type, struct value *object,
                                   slice space)
{
    struct value *given = member(object, SLICE("namespace"));
    if (given != NULL && given->type == VALUE_STRING) space = string_of(b, given);
    slice name = member_string(b, object, SLICE("name"));
    if (!is_name(name))
        return refuse(b, "letters, digits and _, with dots between words",
                      "`%.*s` is no name for a type (%s)", SLICE_FMT(name), type_names[type]);
    struct avro_node *node = node_new(b, type);
    node->name = full_name(b, name, space);
    if (type_of(node->name) >= 0)
        return refuse(b, NULL, "the name `%.*s` is taken by Avro", SLICE_FMT(name));
    if (named_find(b, node->name) != NULL)
        return refuse(b, NULL, "the type `%.*s` is defined twice", SLICE_FMT(node->name));
    node->next_named = b->named;
    b->named = node;
    return node;
}

static bool field_read(struct builder *b, struct avro_node *record, struct value *v)
{
    slice name = v->type == VALUE_MAP ? member_string(b, v, SLICE("name")) : SLICE_NONE;
    if (name.n == 0)
        return refuse(b, "an object with name and type", "field %u of `%.*s` has no name",
                      record->n + 1, SLICE_FMT(record->name)) != NULL;
    for (uint32_t i = 0; i < record->n; i++)
        if (slice_equal(record->u.field[i].key.name, name))
            return refuse(b, NULL, "the field `%.*s` is defined twice", SLICE_FMT(name)) != NULL;
    struct value *type = member(v, SLICE("type"));
    if (type == NULL)
        return refuse(b, NULL, "the field `%.*s` has no type", SLICE_FMT(name)) != NULL;
    struct avro_field *field = &record->u.field[record->n];
    field->key = key_make(b->arena, name);
    field->key.flags |= KEY_STATIC;
    if (slice_equal(name, SLICE("@timestamp"))) b->names_time = true;
    field->type = node_of(b, type, space_of(record->name));
    if (field->type == NULL) return false;
    record->n++;
    return true;
}

static const struct avro_node *record_of(struct builder *b, struct value *object, slice space)
{
    struct avro_node *record = named_new(b, AVRO_RECORD, object, space);
    struct value *fields = member(object, SLICE("fields"));
    if (record == NULL) return NULL;
    if (fields == NULL || fields->type != VALUE_LIST)
        return refuse(b, NULL, "the record `%.*s` has no list of fields", SLICE_FMT(record->name));
    record->u.field = arena_alloc(b->arena, (fields->n + 1) * sizeof(struct avro_field), 16);
    for (uint32_t i = 0; i < fields->n; i++)
        if (!field_read(b, record, &fields->u.list[i])) return NULL;
    return record;
}

static const struct avro_node *enum_of(struct builder *b, struct value *object, slice space)
{
    struct avro_node *node = named_new(b, AVRO_ENUM, object, space);
    struct value *symbols = member(object, SLICE("symbols"));
    if (node == NULL) return NULL;
    if (symbols == NULL || symbols->type != VALUE_LIST)
        return refuse(b, NULL, "the enum `%.*s` has no list of symbols", SLICE_FMT(node->name));
    node->u.symbol = arena_alloc(b->arena, (symbols->n + 1) * sizeof(slice), 16);
    for (uint32_t i = 0; i < symbols->n; i++) {
        struct value *v = &symbols->u.list[i];
        slice text = v->type == VALUE_STRING ? string_of(b, v) : SLICE_NONE;
        if (!is_word(text))
            return refuse(b, "letters, digits and _", "symbol %u of the enum `%.*s` is no name",
                          i + 1, SLICE_FMT(node->name));
        for (uint32_t j = 0; j < i; j++)
            if (slice_equal(node->u.symbol[j], text))
                return refuse(b, NULL, "the enum `%.*s` has the symbol `%.*s` twice",
                              SLICE_FMT(node->name), SLICE_FMT(text));
        node->u.symbol[node->n++] = text;
    }
    return node;
}

static const struct avro_node *fixed_of(struct builder *b, struct value *object, slice space)
{
    struct avro_node *node = named_new(b, AVRO_FIXED, object, space);
    struct value *size = member(object, SLICE("size"));
    if (node == NULL) return NULL;
    if (size != NULL) value_resolve(size, b->arena);
    if (size == NULL || size->type != VALUE_INT || size->u.num < 0 || size->u.num > INT32_MAX)
        return refuse(b, "a number of bytes", "the fixed `%.*s` has no size",
                      SLICE_FMT(node->name));
    node->n = (uint32_t)size->u.num;
    return node;
}

static const struct avro_node *container_of_type(struct builder *b, enum avro_type type,
                                                 struct value *object, slice space)
{
    slice name = type == AVRO_ARRAY ? SLICE("items") : SLICE("values");
    struct value *item = member(object, name);
    struct avro_node *node = node_new(b, type);
    if (item == NULL)
        return refuse(b, NULL, "the %s has no `%.*s`", type_names[type], SLICE_FMT(name));
    node->u.item = node_of(b, item, space);
    return node->u.item == NULL ? NULL : node;
}

/* Other logical types, and these on other types, are ignored as the specification has it. */
static const struct avro_node *primitive_of(struct builder *b, enum avro_type type,
                                            struct value *object)
{
    static const struct {
        const char *name;
        enum avro_type type;
        enum avro_logical logical;
    } known[] = {{"date", AVRO_INT, AVRO_DATE},
                 {"timestamp-millis", AVRO_LONG, AVRO_MILLIS},
                 {"timestamp-micros", AVRO_LONG, AVRO_MICROS}};
    slice name = member_string(b, object, SLICE("logicalType"));
    for (uint32_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].type != type || !slice_equal(name, slice_from_cstr(known[i].name))) continue;
        struct avro_node *node = node_new(b, type);
        node->logical = (uint8_t)known[i].logical;
        return node;
    }
    return &primitives[type];
}

static const struct avro_node *object_of(struct builder *b, struct value *object, slice space)
{
    slice name = member_string(b, object, SLICE("type"));
    if (name.p == NULL) return refuse(b, "the name of a type", "an object without a `type`");
    int type = type_of(name);
    switch (type) {
    case AVRO_RECORD: return record_of(b, object, space);
    case AVRO_ENUM: return enum_of(b, object, space);
    case AVRO_FIXED: return fixed_of(b, object, space);
    case AVRO_ARRAY:
    case AVRO_MAP: return container_of_type(b, (enum avro_type)type, object, space);
    default: break;
    }
    if (type >= 0) return primitive_of(b, (enum avro_type)type, object);
    return reference(b, name, space);
}

static const struct avro_node *union_of(struct builder *b, struct value *list, slice space)
{
    struct avro_node *node = node_new(b, AVRO_UNION);
    node->u.branch = arena_alloc(b->arena, (list->n + 1) * sizeof(*node->u.branch), 16);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct avro_node *branch = node_of(b, &list->u.list[i], space);
        if (branch == NULL) return NULL;
        if (branch->type == AVRO_UNION) return refuse(b, NULL, "a union directly in a union");
        for (uint32_t j = 0; j < i && branch->name.n == 0; j++)
            if (node->u.branch[j]->type == branch->type)
                return refuse(b, NULL, "a union has the type %s twice", type_names[branch->type]);
        node->u.branch[node->n++] = branch;
    }
    return node;
}

/* NULL after an error. */
static const struct avro_node *node_of(struct builder *b, struct value *v, slice space)
{
    const struct avro_node *node = NULL;
    if (b->depth == AVRO_DEPTH_MAX) return refuse(b, NULL, "types are nested too deep");
    b->depth++;
    switch ((enum value_type)v->type) {
    case VALUE_STRING: node = reference(b, string_of(b, v), space); break;
    case VALUE_LIST: node = union_of(b, v, space); break;
    case VALUE_MAP: node = object_of(b, v, space); break;
    default: refuse(b, "a string, an object or a list", "something that is no type");
    }
    b->depth--;
    return node;
}

err avro_schema_parse(struct avro_schema *out, slice text, struct arena *arena,
                      struct avro_error *error)
{
    struct builder b = {.text = text, .arena = arena, .error = error};
    struct json_reader reader;
    struct value val;
    json_reader_init(&reader);
    int64_t used = json_decode(&reader, text, JSON_WHOLE, arena, &val);
    b.at = reader.error_at;
    json_reader_fini(&reader);
    if (used < 0) {
        refuse(&b, "a schema in JSON", "%s", json_status_text((int)used));
        return ERR_SYNTAX;
    }
    b.at = 0;
    out->root = node_of(&b, &val, SLICE_NONE);
    if (out->root == NULL) return ERR_SYNTAX;
    out->names_time = b.names_time || out->root->type != AVRO_RECORD;
    return ERR_OK;
}
