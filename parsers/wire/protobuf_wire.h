/*
 * protobuf_wire.h - the parts that a protobuf message is made of: tags with what follows.
 *
 * Pure. Format: protobuf.dev "Encoding".
 */
#ifndef PARSERS_WIRE_PROTOBUF_WIRE_H
#define PARSERS_WIRE_PROTOBUF_WIRE_H
#include "engine/base/buf.h"
#include "parsers/wire/protobuf.h"

enum protobuf_wire {
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_BYTES = 2,
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4,
    WIRE_32 = 5
};

struct protobuf_cursor {
    slice in;
    uint32_t at;
};

struct protobuf_part {
    uint32_t number;
    uint8_t wire;
    uint64_t num; /* of VARINT, 64 and 32 */
    slice bytes;  /* of BYTES and GROUP */
};

/* What a field of this type is written as, one by one. */
uint8_t protobuf_wire_of(uint8_t type);
enum protobuf_status protobuf_varint(struct protobuf_cursor *c, uint64_t *out) MUST_USE;
/* A number of this wire type. */
enum protobuf_status protobuf_number(struct protobuf_cursor *c, uint8_t wire,
                                     uint64_t *out) MUST_USE;
/* The next part; there must be one (at < in.n). */
enum protobuf_status protobuf_part(struct protobuf_cursor *c, struct protobuf_part *out) MUST_USE;

void protobuf_varint_add(struct buf *out, uint64_t num);

#endif
