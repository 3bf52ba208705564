/*
 * msgpack.h - MessagePack to values and back.
 *
 * Strict: every length is checked against what is there before memory is taken, nesting and the
 * number of values are bounded. Strings and binaries become text, where bytes that are no UTF-8
 * are U+FFFD; keys that are no strings become text, of equal keys the last one stays. Integers
 * beyond int64 are VALUE_BIGNUM. Extension types are refused, they are the caller's business
 * through msgpack_item. Pure: any thread. Format: the MessagePack specification (spec.md, version
 * 5).
 */
#ifndef PARSERS_WIRE_MSGPACK_H
#define PARSERS_WIRE_MSGPACK_H
#include "engine/base/err.h"
#include "engine/event/event.h"

#define MSGPACK_DEPTH_MAX 128u
#define MSGPACK_VALUES_MAX (1u << 20)
/* Of a key that is a list or a map itself: the text of maps in keys of maps in keys doubles. */
#define MSGPACK_KEY_BYTES_MAX 4096u

enum msgpack_status {
    MSGPACK_CUT = -1,   /* the bytes end inside of it */
    MSGPACK_BAD = -2,   /* the byte 0xc1, or an extension type */
    MSGPACK_LIMIT = -3, /* too deep, too many values, too large a key */
};

enum msgpack_type {
    MSGPACK_NIL,
    MSGPACK_BOOL,
    MSGPACK_INT,
    MSGPACK_FLOAT,
    MSGPACK_STRING, /* or binary */
    MSGPACK_LIST,   /* n items follow */
    MSGPACK_MAP,    /* n keys and n values follow */
    MSGPACK_EXT
};

struct msgpack_item {
    enum msgpack_type type;
    uint32_t n;
    bool yes, beyond; /* beyond: the number is a uint64 above INT64_MAX, its bits in `num` */
    int8_t ext;
    int64_t num;
    double real;
    slice bytes; /* of strings and extensions */
};

/* Reads one item without what follows in containers; returns its bytes or a status. */
int64_t msgpack_item_read(slice in, struct msgpack_item *out) MUST_USE;
/* Bytes of the value at the front, or a status. Extensions are fine here. */
int64_t msgpack_skip(slice in) MUST_USE;
/* Builds the value at the front; returns its bytes or a status. */
int64_t msgpack_decode(slice in, struct arena *arena, struct value *out) MUST_USE;
const char *msgpack_status_text(int64_t status);

/* Appends the value; lazy ones below it are resolved. Times become ISO 8601 text. */
void msgpack_write(struct buf *out, struct value *v, struct arena *arena);
void msgpack_write_string(struct buf *out, slice text);
void msgpack_write_int(struct buf *out, int64_t num);
void msgpack_write_list(struct buf *out, uint32_t n); /* the head; the items follow */
void msgpack_write_map(struct buf *out, uint32_t n);
/* An event as a map, with its time if it has one. */
void msgpack_write_event(struct buf *out, struct event *ev, struct arena *arena);

#endif
