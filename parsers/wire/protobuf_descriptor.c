/* protobuf_descriptor.c - FileDescriptorProto, which protoc since version 23 puts into Ruby files.
 */
#include <stdio.h>

#include "parsers/wire/protobuf_wire.h"

#define NESTING_MAX 32u

struct descriptor {
    struct protobuf_schema *schema;
    struct protobuf_error *error;
    bool proto3;
};

/* What a loop over parts calls; false with *error filled in. */
typedef bool each(struct descriptor *d, const struct protobuf_part *part, void *arg);

static bool fail(struct descriptor *d, const char *what)
{
    snprintf(d->error->text, sizeof(d->error->text), "the descriptor cannot be read: %s", what);
    return false;
}

static bool parts(struct descriptor *d, slice in, each *fn, void *arg)
{
    struct protobuf_cursor c = {in, 0};
    while (c.at < in.n) {
        struct protobuf_part part = {0};
        enum protobuf_status status = protobuf_part(&c, &part);
        if (status != PROTOBUF_OK) return fail(d, protobuf_status_text(status));
        if (!fn(d, &part, arg)) return false;
    }
    return true;
}

static slice full_name(struct descriptor *d, slice around, slice name)
{
    if (around.n == 0) return name;
    struct arena *arena = d->schema->arena;
    return arena_join(arena, arena_join(arena, around, SLICE(".")), name);
}

/* ---- enums ------------------------------------------------------------------------------------
 */

struct symbol {
    slice name;
    int32_t number;
};

static bool enum_value_part(struct descriptor *d, const struct protobuf_part *p, void *arg)
{
    struct symbol *symbol = arg;
    (void)d;
    if (p->number == 1) symbol->name = p->bytes;
    if (p->number == 2) symbol->number = (int32_t)p->num;
    return true;
}

struct enum_scope {
    slice around;
    struct protobuf_enum *symbols; /* NULL in the first pass, which finds the name */
};

static bool enum_part(struct descriptor *d, const struct protobuf_part *p, void *arg)
{
    struct enum_scope *scope = arg;
    struct symbol symbol = {0};
    if (scope->symbols == NULL && p->number == 1)
        scope->symbols = protobuf_enum_make(d->schema, full_name(d, scope->around, p->bytes));
    if (p->number != 2) return true;
    if (scope->symbols == NULL) return fail(d, "an enum begins without a name");
    if (!parts(d, p->bytes, enum_value_part, &symbol)) return false;
    protobuf_symbol_add(d->schema, scope->symbols, symbol.name, symbol.number);
    return true;
}

/* ---- fields -----------------------------------------------------------------------------------
 */

struct field {
    slice name, type_name;
    uint64_t number, label, type, oneof; /* oneof: index + 1 */
    bool packed_given, packed, optional3;
};

static bool option_part(struct descriptor *d, const struct protobuf_part *p, void *arg)
{
    struct field *f = arg;
    (void)d;
    if (p->number != 2) return true;
    f->packed_given = true;
    f->packed = p->num != 0;
    return true;
}

static bool field_part(struct descriptor *d, const struct protobuf_part *p, void *arg)
{
    struct field *f = arg;
    switch (p->number) {
    case 1: f->name = p->bytes; break;
    case 3: f->number = p->num; break;
    case 4: f->label = p->num; break;
    case 5: f->type = p->num; break;
    case 6: f->type_name = p->bytes; break;
    case 8: return parts(d, p->bytes, option_part, f);
    case 9: f->oneof = p->num + 1; break;
    case 17: f->optional3 = p->num != 0; break;
    default: break;
    }
    return true;
}

#define LABEL_REQUIRED 2
#define LABEL_REPEATED 3

static bool field_add(struct descriptor *d, struct protobuf_message *m, const struct field *in)
{
    bool bytes = in->type == PROTOBUF_STRING || in->type == PROTOBUF_BYTES ||
                 in->type == PROTOBUF_MESSAGE || in->type == PROTOBUF_GROUP;
    if (in->type < PROTOBUF_DOUBLE || in->type > PROTOBUF_SINT64 || in->number == 0 ||
        in->number >= 1u << 29)
        return fail(d, "a field has no type or number");
    if (in->type == PROTOBUF_GROUP) return fail(d, "groups are not supported");
    struct protobuf_field *f = protobuf_field_add(d->schema, m, in->name);
    if (f == NULL) return fail(d, "a message has too many fields");
    f->number = (uint32_t)in->number;
    f->type = (uint8_t)in->type;
    f->typed = true;
    f->type_name = in->type_name;
    if (slice_starts(f->type_name, SLICE("."))) f->type_name = slice_from(f->type_name, 1);
    f->repeated = in->label == LABEL_REPEATED;
    f->required = in->label == LABEL_REQUIRED;
    f->packed = f->repeated && !bytes && (in->packed_given ? in->packed : d->proto3);
    f->present = !f->repeated &&
                 (!d->proto3 || in->optional3 || in->oneof > 0 || in->type == PROTOBUF_MESSAGE);
    /* proto3's optional has a oneof of its own, which is none. */
    f->oneof = in->optional3 ? 0 : (uint32_t)in->oneof;
    return true;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

struct scope {
    slice around;
    struct protobuf_message *message;
    uint32_t depth;
};

static bool name_part(struct descriptor *d, const struct protobuf_part *p, void *arg)
{
    (void)d;
    if (p->number == 1) *(slice *)arg = p->bytes;
    return true;
}

static bool message_option_part(struct descriptor *d, const struct protobuf_part *p, void *arg)
{
    (void)d;
    if (p->number == 7) ((struct protobuf_message *)arg)->is_entry = p->num != 0;
    return true;
}

static bool message_read(struct descriptor *d, slice in, slice around, uint32_t depth);

static bool message_part(struct descriptor *d, const struct protobuf_part *p, void *arg)
{
    struct scope *scope = arg;
    struct protobuf_message *m = scope->message;
    struct field field = {0};
    struct enum_scope symbols = {.around = m->name};
    slice name = SLICE_NONE;
    switch (p->number) {
    case 2: return parts(d, p->bytes, field_part, &field) && field_add(d, m, &field);
    case 3: return message_read(d, p->bytes, m->name, scope->depth + 1);
    case 4: return parts(d, p->bytes, enum_part, &symbols);
    case 7: return parts(d, p->bytes, message_option_part, m);
    case 8:
        if (!parts(d, p->bytes, name_part, &name)) return false;
        protobuf_oneof_add(d->schema, m, name);
        return true;
    default: return true;
    }
}

static bool message_read(struct descriptor *d, slice in, slice around, uint32_t depth)
{
    slice name = SLICE_NONE;
    if (depth > NESTING_MAX) return fail(d, "messages are nested too deep");
    if (!parts(d, in, name_part, &name)) return false;
    struct scope scope = {.around = around, .depth = depth};
    scope.message = protobuf_message_make(d->schema, full_name(d, around, name));
    if (scope.message->defined) return fail(d, "there are two messages of one name");
    scope.message->defined = true;
    scope.message->proto3 = d->proto3;
    if (!parts(d, in, message_part, &scope)) return false;
    for (uint32_t i = 0; i < scope.message->n; i++)
        if (scope.message->field[i].oneof > scope.message->oneof_n)
            return fail(d, "a field is of a oneof that is not there");
    return true;
}

/* ---- files ------------------------------------------------------------------------------------
 */

struct file {
    slice package;
    bool proto3;
};

static bool file_head_part(struct descriptor *d, const struct protobuf_part *p, void *arg)
{
    struct file *file = arg;
    (void)d;
    if (p->number == 2) file->package = p->bytes;
    if (p->number == 12) file->proto3 = slice_equal(p->bytes, SLICE("proto3"));
    return true;
}

static bool file_part(struct descriptor *d, const struct protobuf_part *p, void *arg)
{
    const struct file *file = arg;
    struct enum_scope symbols = {.around = file->package};
    if (p->number == 4) return message_read(d, p->bytes, file->package, 0);
    return p->number != 5 || parts(d, p->bytes, enum_part, &symbols);
}

err protobuf_descriptor_read(struct protobuf_schema *s, slice bytes, struct protobuf_error *error)
{
    struct descriptor d = {.schema = s, .error = error};
    struct file file = {0};
    *error = (struct protobuf_error){0};
    bool ok = parts(&d, bytes, file_head_part, &file);
    d.proto3 = file.proto3;
    return ok && parts(&d, bytes, file_part, &file) ? ERR_OK : ERR_SYNTAX;
}
