/*
 * avro.h - Avro schemas, and single datums in the binary encoding to values and back.
 *
 * A schema is JSON text; it becomes a graph of nodes in the arena given, which with the text must
 * live as long as it, and which any thread may read then. Datums carry no schema: the one they were
 * written with is the one they are read with, so defaults and aliases have no effect. Of the
 * logical types, dates and timestamps of milliseconds and microseconds are VALUE_TIME; a time
 * outside of what that can hold stays a number, and all other logical types stay what they are
 * made of, as in Apache's Ruby library of version 1.10.
 *
 * Reading is strict: each length and count is checked against the bytes that are left before
 * memory is taken, nesting and the number of values are bounded. Strings, bytes, fixed and keys
 * become text, where bytes that are no UTF-8 are U+FFFD. Memory is the arena's. Pure: any thread.
 * Format: the Apache Avro 1.11 specification.
 */
#ifndef PARSERS_WIRE_AVRO_H
#define PARSERS_WIRE_AVRO_H
#include "engine/base/err.h"
#include "engine/event/map.h"

#define AVRO_DEPTH_MAX 256u
#define AVRO_VALUES_MAX (1u << 20)
/* Entries of one map, because their hashes can be chosen by an attacker. */
#define AVRO_ENTRIES_MAX 8192u
#define AVRO_ERROR_BYTES 256u

enum avro_type {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING, /* the last of the primitive types */
    AVRO_FIXED,
    AVRO_ENUM,
    AVRO_RECORD, /* the last of those with a name */
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_UNION
};

enum avro_logical { AVRO_PLAIN, AVRO_DATE, AVRO_MILLIS, AVRO_MICROS };

struct avro_field;

struct avro_node {
    uint8_t type, logical;
    uint32_t n; /* fields, symbols or branches; the bytes of a fixed */
    union {
        struct avro_field *field;
        slice *symbol;
        const struct avro_node **branch;
        const struct avro_node *item; /* of an array or map */
    } u;
    slice name; /* with its namespace */
    struct avro_node *next_named;
};

struct avro_field {
    struct key key;
    const struct avro_node *type;
};

struct avro_schema {
    const struct avro_node *root;
    bool names_time; /* some record has a field @timestamp, or the root is no record */
};

struct avro_error {
    char text[AVRO_ERROR_BYTES];
    const char *expected; /* or NULL */
    uint32_t at;          /* offset in the schema's text, the nearest that is known */
};

/* `text` is followed by JSON_PAD readable bytes. ERR_SYNTAX with *error filled in. */
err avro_schema_parse(struct avro_schema *out, slice text, struct arena *arena,
                      struct avro_error *error) MUST_USE;

enum avro_status {
    AVRO_CUT = -1,   /* the bytes end inside of the datum */
    AVRO_BAD = -2,   /* a number, length, count or index that cannot be */
    AVRO_LIMIT = -3, /* too deep, too many values */
};

/* Reads the datum at the front; returns its bytes or a status. Text may point into `in`. */
int64_t avro_read(const struct avro_schema *schema, slice in, struct arena *arena,
                  struct value *out) MUST_USE;
const char *avro_status_text(int64_t status);

/* Appends the value as the schema has it: of a union, as the first branch that takes it; a field
 * that is absent is null. Lazy values on the way are resolved. False, with nothing appended, when
 * the value does not fit; *misfit is then the name of the innermost field that did not, if any. */
bool avro_write(const struct avro_schema *schema, struct value *v, struct arena *arena,
                struct buf *out, slice *misfit) MUST_USE;

#endif
