/* protobuf_wire.c - tags, numbers, lengths, groups. */
#include "parsers/wire/protobuf_wire.h"

#define VARINT_BYTES_MAX 10u /* 64 bits, 7 a byte */

uint8_t protobuf_wire_of(uint8_t type)
{
    switch (type) {
    case PROTOBUF_DOUBLE:
    case PROTOBUF_FIXED64:
    case PROTOBUF_SFIXED64: return WIRE_64;
    case PROTOBUF_FLOAT:
    case PROTOBUF_FIXED32:
    case PROTOBUF_SFIXED32: return WIRE_32;
    case PROTOBUF_STRING:
    case PROTOBUF_BYTES:
    case PROTOBUF_MESSAGE: return WIRE_BYTES;
    default: return WIRE_VARINT;
    }
}

enum protobuf_status protobuf_varint(struct protobuf_cursor *c, uint64_t *out)
{
    uint64_t num = 0;
    for (uint32_t i = 0; i < VARINT_BYTES_MAX; i++) {
        if (c->at == c->in.n) return PROTOBUF_CUT;
        uint64_t byte = (unsigned char)c->in.p[c->at++];
        num |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out = num;
            return PROTOBUF_OK;
        }
    }
    return PROTOBUF_BAD;
}

enum protobuf_status protobuf_number(struct protobuf_cursor *c, uint8_t wire, uint64_t *out)
{
    if (wire == WIRE_VARINT) return protobuf_varint(c, out);
    uint32_t width = wire == WIRE_64 ? 8 : 4;
    if (c->in.n - c->at < width) return PROTOBUF_CUT;
    *out = 0;
    /* Little-endian, as this machine is. */
    memcpy(out, c->in.p + c->at, width);
    c->at += width;
    return PROTOBUF_OK;
}

/* One level, without recursion: groups within groups are counted. */
static enum protobuf_status group(struct protobuf_cursor *c, slice *out)
{
    uint32_t begin = c->at, depth = 1, end = begin;
    while (depth > 0) {
        uint64_t tag, num;
        enum protobuf_status status = PROTOBUF_OK;
        end = c->at;
        if (c->at == c->in.n) return PROTOBUF_CUT;
        status = protobuf_varint(c, &tag);
        if (status != PROTOBUF_OK) return status;
        switch (tag & 7) {
        case WIRE_GROUP: depth++; break;
        case WIRE_GROUP_END: depth--; break;
        case WIRE_VARINT:
        case WIRE_64:
        case WIRE_32: status = protobuf_number(c, tag & 7, &num); break;
        case WIRE_BYTES:
            status = protobuf_varint(c, &num);
            if (status == PROTOBUF_OK && num > c->in.n - c->at) status = PROTOBUF_CUT;
            if (status == PROTOBUF_OK) c->at += (uint32_t)num;
            break;
        default: status = PROTOBUF_BAD;
        }
        if (status != PROTOBUF_OK) return status;
    }
    *out = slice_part(c->in, begin, end - begin);
    return PROTOBUF_OK;
}

enum protobuf_status protobuf_part(struct protobuf_cursor *c, struct protobuf_part *out)
{
    uint64_t tag, n;
    enum protobuf_status status = protobuf_varint(c, &tag);
    if (status != PROTOBUF_OK) return status;
    if (tag > UINT32_MAX || tag >> 3 == 0) return PROTOBUF_BAD;
    out->number = (uint32_t)(tag >> 3);
    out->wire = tag & 7;
    switch (out->wire) {
    case WIRE_VARINT:
    case WIRE_64:
    case WIRE_32: return protobuf_number(c, out->wire, &out->num);
    case WIRE_GROUP: return group(c, &out->bytes);
    case WIRE_BYTES:
        status = protobuf_varint(c, &n);
        if (status != PROTOBUF_OK) return status;
        if (n > c->in.n - c->at) return PROTOBUF_CUT;
        out->bytes = slice_part(c->in, c->at, (uint32_t)n);
        c->at += (uint32_t)n;
        return PROTOBUF_OK;
    default: return PROTOBUF_BAD;
    }
}

void protobuf_varint_add(struct buf *out, uint64_t num)
{
    for (; num >= 0x80; num >>= 7) buf_add_byte(out, (char)(num | 0x80));
    buf_add_byte(out, (char)num);
}
