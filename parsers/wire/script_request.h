/*
 * script_request.h - a batch's events as bytes for a script process (engine/filters/ruby).
 *
 * Little endian, no alignment:
 *   u32 where the tail begins, u32 number of events, the events, the tail.
 *   event: i64 @timestamp in ns, i64 0 when it has none, i64 per field of the shape, what its bytes
 *          need. A field: its type in 4 bits; above them for text the place in 28 and the length in
 *          28 bits, for an integer of at most 58 bits (SCRIPT_SHORT) the number, for others the
 *          place of a value.
 *   tail:  u32 1 to forget all names, u32 number of new names, each u32 bytes and text;
 *          u32 per event: where it is; u32 per event: its shape; u32 number of shapes, each u32
 *          number of fields, u32 number of metadata fields, u32 per field: its name's number.
 *   value: u8 type, then 3: i64, 4: double, 5 (exact number) and 6 (text): u32 bytes and text,
 *          7: i64 ns, 8 (list): u32 n and values, 9 (map): u32 n and pairs of u32 name and value;
 *          0 is null, 1 false, 2 true.
 * A name is sent once in the life of a process and is a number from then on. Events keep their lazy
 * values: only copies are resolved. Owner: one shard; memory is the heap's and is kept.
 */
#ifndef PARSERS_WIRE_SCRIPT_REQUEST_H
#define PARSERS_WIRE_SCRIPT_REQUEST_H
#include "engine/event/event.h"

enum script_type {
    SCRIPT_NIL,
    SCRIPT_FALSE,
    SCRIPT_TRUE,
    SCRIPT_INT,
    SCRIPT_FLOAT,
    SCRIPT_NUMBER,
    SCRIPT_TEXT,
    SCRIPT_TIME,
    SCRIPT_LIST,
    SCRIPT_MAP,
    SCRIPT_SHORT
};

/* A request never gets longer: places and lengths are 28 bits. */
#define SCRIPT_REQUEST_BYTES_MAX (1u << 28)
/* Names are forgotten when there are more: attackers choose them. */
#define SCRIPT_NAMES_MAX 8192u

struct script_name {
    uint32_t hash, at, n, number; /* number + 1; 0: free */
};

struct script_request {
    struct buf out, places, kinds, shapes, fresh; /* fresh: new names; kinds: events' shapes */
    struct buf names;                             /* text of all */
    struct script_name *slot;
    uint32_t mask, name_n, fresh_n;
    uint32_t shape_n, shape_at; /* the last shape made: most events have it */
    uint32_t event_n;
    bool forget;
    struct arena *arena;
};

void script_request_fini(struct script_request *r);
/* The process is a new one: it knows no names. */
void script_request_forget(struct script_request *r);
/* Begins a batch; `arena` takes what resolving values needs. */
void script_request_begin(struct script_request *r, struct arena *arena);
/* ERR_LIMIT when the request would be too long. */
err script_request_add(struct script_request *r, const struct event *ev) MUST_USE;
/* The finished request; valid until the next begin. */
slice script_request_end(struct script_request *r);

#endif
