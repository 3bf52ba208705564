/*
 * protobuf.h - messages of Protocol Buffers to values and back, with schemas out of Ruby classes.
 *
 * A schema is what protoc's compilers for Ruby write: protobuf_ruby.c reads files of the
 * google-protobuf gem (calls such as add_message, or since protoc 23 a descriptor as one string)
 * and of ruby-protocol-buffers (classes). Names of messages are as such files have them, "a.b.C" or
 * "A::B::C". A linked schema lives in its arena and does not change: any thread reads it.
 *
 * Reading is strict: each length is checked against the bytes that are left before memory is taken,
 * nesting and the number of values are bounded. Strings of proto3 must be UTF-8; bytes become text,
 * where what is no UTF-8 is U+FFFD. Memory is the arena's. Pure.
 * Format: protobuf.dev "Encoding", descriptor.proto. What becomes of fields that are not there:
 * the google-protobuf gem's to_h.
 */
#ifndef PARSERS_WIRE_PROTOBUF_H
#define PARSERS_WIRE_PROTOBUF_H
#include "engine/base/err.h"
#include "engine/event/map.h"

#define PROTOBUF_DEPTH_MAX 100u
#define PROTOBUF_VALUES_MAX (1u << 20)
/* Entries of one map, because their hashes can be chosen by an attacker. */
#define PROTOBUF_ENTRIES_MAX 8192u
/* Parts that one message may come in: each is joined to those before. */
#define PROTOBUF_PARTS_MAX 64u
#define PROTOBUF_FIELDS_MAX 10000u
#define PROTOBUF_ERROR_BYTES 256u

/* Numbers of descriptor.proto, FieldDescriptorProto.Type. */
enum protobuf_type {
    PROTOBUF_DOUBLE = 1,
    PROTOBUF_FLOAT,
    PROTOBUF_INT64,
    PROTOBUF_UINT64,
    PROTOBUF_INT32,
    PROTOBUF_FIXED64,
    PROTOBUF_FIXED32,
    PROTOBUF_BOOL,
    PROTOBUF_STRING,
    PROTOBUF_GROUP,
    PROTOBUF_MESSAGE,
    PROTOBUF_BYTES,
    PROTOBUF_UINT32,
    PROTOBUF_ENUM,
    PROTOBUF_SFIXED32,
    PROTOBUF_SFIXED64,
    PROTOBUF_SINT32,
    PROTOBUF_SINT64
};

/* Messages that have a form of their own in JSON. */
enum protobuf_known { PROTOBUF_PLAIN, PROTOBUF_STRUCT, PROTOBUF_VALUE, PROTOBUF_LIST };

struct protobuf_enum {
    slice name;
    slice *symbol;
    int32_t *number; /* of each symbol */
    uint32_t n, cap;
    struct protobuf_enum *next;
};

struct protobuf_field {
    struct key key;
    uint32_t number;
    uint8_t type;
    bool repeated, packed, required;
    bool present;   /* one can tell whether it is there */
    bool typed;     /* read: the type is known; else type_name is a message or an enum */
    uint32_t oneof; /* index + 1; 0: none */
    slice type_name;
    const struct protobuf_message *message; /* of MESSAGE */
    const struct protobuf_enum *symbols;    /* of ENUM */
};

/* A map is a repeated message with the fields 1 and 2 and this flag. */
struct protobuf_message {
    slice name;
    struct protobuf_field *field;
    uint32_t n, cap;
    uint32_t *by_number; /* fields in the order of their numbers */
    slice *oneof;
    uint32_t oneof_n, oneof_cap;
    bool proto3, is_entry, defined;
    uint8_t known; /* enum protobuf_known */
    struct protobuf_message *next;
};

struct protobuf_schema {
    struct arena *arena;
    struct protobuf_message *messages; /* the newest first */
    struct protobuf_enum *enums;
    slice *require; /* files that files ask for, in order */
    uint32_t require_n, require_cap;
};

struct protobuf_error {
    char text[PROTOBUF_ERROR_BYTES];
    uint32_t at; /* offset in the text of the file */
};

/* ---- schemas: control thread ------------------------------------------------------------------
 */

/* Adds what a Ruby file defines; the text must live as long as the schema. ERR_SYNTAX with *error
 * filled in. `version` is 2 or 3: which of the gems the file is for. */
err protobuf_ruby_read(struct protobuf_schema *s, slice text, uint32_t version,
                       struct protobuf_error *error) MUST_USE;
/* Adds a serialized FileDescriptorProto. */
err protobuf_descriptor_read(struct protobuf_schema *s, slice bytes,
                             struct protobuf_error *error) MUST_USE;
/* Adds what google/protobuf/... files define; false: there is no such file. */
bool protobuf_known_read(struct protobuf_schema *s, slice name);
/* Finds what fields refer to; nothing is added afterwards. */
err protobuf_schema_link(struct protobuf_schema *s, struct protobuf_error *error) MUST_USE;
const struct protobuf_message *protobuf_message_find(const struct protobuf_schema *s, slice name);

/* For the readers: the message or enum of this name, made when it is not there. */
struct protobuf_message *protobuf_message_make(struct protobuf_schema *s, slice name);
struct protobuf_enum *protobuf_enum_make(struct protobuf_schema *s, slice name);
/* NULL: too many. */
struct protobuf_field *protobuf_field_add(struct protobuf_schema *s, struct protobuf_message *m,
                                          slice name);
void protobuf_symbol_add(struct protobuf_schema *s, struct protobuf_enum *e, slice symbol,
                         int32_t number);
uint32_t protobuf_oneof_add(struct protobuf_schema *s, struct protobuf_message *m, slice name);
void protobuf_require_add(struct protobuf_schema *s, slice name);

/* ---- messages -----------------------------------------------------------------------------------
 */

enum protobuf_status {
    PROTOBUF_OK,
    PROTOBUF_CUT,  /* the bytes end inside of a field */
    PROTOBUF_BAD,  /* a tag, number or text that cannot be */
    PROTOBUF_LIMIT /* too deep, too many values */
};

struct protobuf_read_options {
    bool names;      /* enums by their symbols, all fields of proto3 (version 3 of the codec) */
    bool oneof_info; /* which field of each oneof there is: *info, a map; nil: nothing to say */
};

/* Reads a whole message. Text may point into `in`. */
enum protobuf_status protobuf_read(const struct protobuf_message *m, slice in,
                                   struct protobuf_read_options options, struct arena *arena,
                                   struct value *out, struct value *info) MUST_USE;
const char *protobuf_status_text(enum protobuf_status status);

struct protobuf_write_options {
    bool convert;      /* values of other types that say the same */
    bool drop_unknown; /* leave out what the message has no field for */
    bool defaults;     /* write fields that are there even if they have the default (version 2) */
};

/* Appends the message. Names lose their '@'; null is absent; lazy values on the way are resolved.
 * False, with nothing appended, when the value does not fit; *misfit is then the innermost name. */
bool protobuf_write(const struct protobuf_message *m, const struct map *fields,
                    struct protobuf_write_options options, struct arena *arena, struct buf *out,
                    slice *misfit) MUST_USE;

#endif
