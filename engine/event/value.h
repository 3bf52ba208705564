/*
 * value.h - one field's content: 16 bytes, by value.
 *
 * Bytes of strings and items of containers are borrowed from the batch (arena or pinned
 * blob) or from the configuration. A value that came from JSON may be lazy: a string that
 * still has its escapes (VALUE_ESCAPED), a number that is still text (VALUE_RAW). Encoders
 * copy lazy values verbatim; everyone else gets them resolved by event_get() or calls
 * value_resolve() on items of lists and maps. A map that many events have in common
 * (VALUE_SHARED) may be read as it is; resolving makes it the event's own, to be changed.
 * Owner: one shard.
 */
#ifndef ENGINE_EVENT_VALUE_H
#define ENGINE_EVENT_VALUE_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/pages.h"
#include "engine/base/slice.h"

enum value_type {
    VALUE_NIL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_BIGNUM, /* exact decimal text of a number that fits neither int64 nor double */
    VALUE_TIME,   /* nanoseconds since 1970 UTC */
    VALUE_STRING, /* valid UTF-8 */
    VALUE_LIST,
    VALUE_MAP
};

enum value_flag {
    VALUE_ESCAPED = 1, /* string: JSON escapes still in the bytes */
    VALUE_RAW = 2,     /* int or float: u.str and n are its JSON text */
    VALUE_CLEAN = 4,   /* string: known to need no JSON escaping */
    VALUE_SHARED = 8   /* map: other events have the same one, see struct shared_map */
};
#define VALUE_LAZY (VALUE_ESCAPED | VALUE_RAW | VALUE_SHARED)

enum key_flag {
    KEY_WIRE =
        1, /* key[-1] is '"', the key is followed by '":', 64 bytes from key-1 are readable */
    KEY_QUOTED = 2, /* key[-1] and key[n] are '"' and the key needs no escaping */
    KEY_STATIC = 4  /* the key is the configuration's: its address says which it is */
};

struct map;

struct value {
    uint8_t type, flags;
    uint16_t key_flags; /* of the member this value sits in; nobody else's business */
    uint32_t n;         /* bytes of a string or raw number, items of a list, see shared_map */
    union {
        bool yes;
        int64_t num;
        double real;
        int64_t time_ns;
        const char *str;
        struct value *list;
        struct map *map;
    } u;
};
_Static_assert(sizeof(struct value) == 16, "a value is two registers");

static inline struct value value_nil(void)
{
    return (struct value){.type = VALUE_NIL};
}
static inline struct value value_bool(bool yes)
{
    return (struct value){.type = VALUE_BOOL, .u.yes = yes};
}
static inline struct value value_int(int64_t num)
{
    return (struct value){.type = VALUE_INT, .u.num = num};
}
static inline struct value value_float(double real)
{
    return (struct value){.type = VALUE_FLOAT, .u.real = real};
}
static inline struct value value_time(int64_t ns)
{
    return (struct value){.type = VALUE_TIME, .u.time_ns = ns};
}
static inline struct value value_string(slice s)
{
    return (struct value){.type = VALUE_STRING, .n = s.n, .u.str = s.p};
}
/* A string known to need no JSON escaping (numbers, names from the configuration). */
static inline struct value value_clean(slice s)
{
    return (struct value){.type = VALUE_STRING, .flags = VALUE_CLEAN, .n = s.n, .u.str = s.p};
}
static inline struct value value_list(struct value *items, uint32_t n)
{
    return (struct value){.type = VALUE_LIST, .n = n, .u.list = items};
}
static inline struct value value_map(struct map *map)
{
    return (struct value){.type = VALUE_MAP, .u.map = map};
}

/* A map that is never changed; nothing below it is lazy. A value with VALUE_SHARED points at
 * the `map` of a struct shared_map, and its n is the number of bytes at `json`: the map's JSON
 * text, or 0 without one. */
/* Makes the map value `v`, built in `arena`, a shared one; with_json: encoded now, so that
 * encoders copy it. */
struct value value_share(struct value v, bool with_json, struct arena *arena);

/* Whether the 8 bytes of a text are digits. */
static inline bool eight_digits(uint64_t text)
{
    uint64_t x = text ^ 0x3030303030303030ULL; /* 0 to 9 for digits, more for all else */
    return (((x + 0x7676767676767676ULL) | x) & 0x8080808080808080ULL) == 0;
}

/* Whether n bytes are digits, by one or two words that overlap: numbers are short. */
static inline bool text_is_digits(const char *p, uint32_t n)
{
    uint64_t first = 0, last = 0;
    uint32_t first4, last4;
    if (n >= 8) {
        memcpy(&first, p, 8), memcpy(&last, p + n - 8, 8);
        for (uint32_t i = 8; i + 8 < n; i++)
            if (p[i] < '0' || p[i] > '9') return false;
        return eight_digits(first) && eight_digits(last);
    }
    if (n >= 4) {
        memcpy(&first4, p, 4), memcpy(&last4, p + n - 4, 4);
        return eight_digits(first4 | (uint64_t)last4 << 32);
    }
    for (uint32_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9') return false;
    return true;
}

/* Whether JSON writes this integer as it is written here: then encoders may copy its text. */
static inline bool int_text_is_json(slice text)
{
    if (text.n == 0 || text.n > 18) return false; /* 18 digits fit 64 bits */
    return text_is_digits(text.p, text.n) && (text.p[0] != '0' || text.n == 1);
}
/* Such an integer; the text must live as long as the batch. */
static inline struct value value_int_text(slice text)
{
    return (struct value){.type = VALUE_INT, .flags = VALUE_RAW, .n = text.n, .u.str = text.p};
}

/* The bytes of a resolved VALUE_STRING or VALUE_BIGNUM. */
static inline slice value_slice(const struct value *v)
{
    return (slice){v->u.str, v->n};
}

/* Out of line part of value_resolve. */
void value_resolve_lazy(struct value *v, struct arena *arena);

/* Makes a lazy value an ordinary one, in place. */
static inline void value_resolve(struct value *v, struct arena *arena)
{
    if (__builtin_expect(v->flags & VALUE_LAZY, 0)) value_resolve_lazy(v, arena);
}

/* A copy that shares nothing with `v` but string bytes: lists and maps are copied, strings
 * are borrowed from the same batch. */
struct value value_copy(const struct value *v, struct arena *arena);

/* Equality of type and content, as Logstash's == on fields: 1 and 1.0 differ. Both resolved
 * on the way. */
bool value_equal(struct value *a, struct value *b, struct arena *arena);

/* Appends what sprintf shows: strings as they are, floats as Java writes them, lists joined by
 * commas with nulls empty and maps in them as {k=v}, maps as compact JSON, nil as nothing. */
void value_text(struct value *v, struct arena *arena, struct buf *out);
/* Appends Ruby's to_s of a scalar; lists and maps are as in value_text. */
void value_text_ruby(struct value *v, struct arena *arena, struct buf *out);
/* Appends Java's toString: lists and maps as [1, x] and {k=v}, null. */
void value_text_java(struct value *v, struct arena *arena, struct buf *out);
/* value_text as a slice: the value's own bytes when it is a string, else arena memory. */
slice value_to_slice(struct value *v, struct arena *arena, struct buf *scratch);

/* Appends JSON, scalar code for cold paths; the encoder of outputs is parsers/json/json_write. */
void value_json(const struct value *v, struct buf *out);

/* Undoes JSON escapes (RFC 8259 section 7) of a validated string body. A lone surrogate
 * becomes U+FFFD. Writes at most in.n bytes to out, returns how many. */
uint32_t json_string_unescape(slice in, char *out);

#endif
