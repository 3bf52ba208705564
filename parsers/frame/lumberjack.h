/*
 * lumberjack.h - frames of the Lumberjack protocol, versions 1 and 2 (beats, logstash-forwarder).
 *
 * A frame is a version byte '1' or '2', a type byte and a body; numbers are big-endian u32:
 *   W window size | D sequence, pairs, (length, key, length, value)* | J sequence, length, JSON |
 *   C length, zlib of whole frames | A sequence (the reader's answer).
 * The parser is fed bytes and pulled for frames; it opens compressed frames itself and yields
 * what is inside (a compressed frame inside one is an error). Every length is bounded before a
 * byte of it is stored. One per connection, one owner, no locks. Source: the protocol notes of
 * the beats input and its frame decoder.
 *
 * Life of a payload: in `blob` when it is not NULL (inflated bytes: pin it to keep them), else
 * if `carried` it is gone at the next call, else it is in the bytes fed.
 */
#ifndef PARSERS_FRAME_LUMBERJACK_H
#define PARSERS_FRAME_LUMBERJACK_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/event/blob.h"

#define LUMBERJACK_FRAME_BYTES_DEFAULT (32u * 1024 * 1024)
#define LUMBERJACK_INFLATED_BYTES_DEFAULT (128u * 1024 * 1024)
#define LUMBERJACK_PAIRS_DEFAULT 1000u
#define LUMBERJACK_ACK_BYTES 6u

enum lumberjack_type {
    LUMBERJACK_WINDOW, /* seq is the number of events to come */
    LUMBERJACK_DATA,   /* payload: key-value pairs, see lumberjack_pair_next */
    LUMBERJACK_JSON,   /* payload: the JSON text */
    LUMBERJACK_ACK,
};

struct lumberjack_frame {
    enum lumberjack_type type;
    uint8_t version; /* 1 or 2 */
    bool carried;
    uint32_t seq;
    uint32_t pairs; /* of a DATA frame; all lengths inside are checked */
    slice payload;
    struct blob *blob;
};

struct lumberjack_limits {
    uint32_t frame_bytes_max;    /* of one frame as sent; 0: the default */
    uint32_t inflated_bytes_max; /* of one compressed frame; 0: the default */
    uint32_t pairs_max;          /* of one DATA frame; 0: the default */
};

struct gzip_stream;
struct lumberjack {
    struct lumberjack_limits limits;
    struct buf carry;         /* an unfinished frame */
    bool delivered;           /* the carry holds a frame already handed out */
    slice in;                 /* what is left of the bytes fed */
    struct blob *inflated;    /* of the compressed frame being read */
    slice inner;              /* what is left of it */
    struct gzip_stream *gzip; /* made by the first compressed frame */
    uint64_t inflated_bytes;  /* counters */
    uint64_t frames;
    err failed;
    const char *reason; /* after an error, a static text */
};

/* limits NULL: the defaults. */
void lumberjack_init(struct lumberjack *l, const struct lumberjack_limits *limits);
void lumberjack_fini(struct lumberjack *l);
/* The previous bytes must have been read to the end (lumberjack_next returned 0). */
void lumberjack_feed(struct lumberjack *l, slice in);
/* 1: *out is a frame; 0: feed more; ERR_FRAME or ERR_LIMIT: hang up, see reason. */
int lumberjack_next(struct lumberjack *l, struct lumberjack_frame *out) MUST_USE;
/* True when no frame is half read: the peer may close here. */
bool lumberjack_idle(const struct lumberjack *l);

/* *rest starts as the payload of a DATA frame; false at its end. */
bool lumberjack_pair_next(slice *rest, slice *key, slice *value);

/* Writes an acknowledgement of LUMBERJACK_ACK_BYTES bytes. */
void lumberjack_ack_write(uint8_t version, uint32_t seq, char out[LUMBERJACK_ACK_BYTES]);

#endif
