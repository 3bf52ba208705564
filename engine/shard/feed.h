/*
 * feed.h - from the bytes of a stream to events of the worker's batch.
 *
 * One per connection or file. Bytes that make whole frames are decoded where they are (the batch
 * pins the blob); a frame cut by a blob's end is completed in a carry buffer; bytes that arrive
 * while the worker does not take more are kept and decoded by feed_resume. A frame longer than
 * frame_bytes_max is emitted in pieces tagged _frame_too_long, and so is one of more than
 * FEED_FRAME_FREE_BYTES while shard->carry_budget is spent: nothing is lost, memory is bounded. A
 * codec with idle_ns gets to complete what it holds when a stream has been quiet for that long; the
 * feed keeps the time by itself, so it must not move in memory. Owner: one shard.
 */
#ifndef ENGINE_SHARD_FEED_H
#define ENGINE_SHARD_FEED_H
#include "engine/event/blob.h"
#include "engine/shard/worker.h"

/* Default bound of one frame; codecs with a size option of their own set codec.frame_bytes_max. */
#define FEED_FRAME_BYTES_MAX (64u * 1024 * 1024)
/* Of every feed, whatever others hold. */
#define FEED_FRAME_FREE_BYTES 65536u
/* Pieces of a ring buffer smaller than this are copied, so that the buffer is free at once. */
#define FEED_COPY_BYTES 4096u

struct feed_counters {
    struct counter frames_too_long, stashed;
};

struct feed_chunk;

struct feed {
    struct worker *worker;
    struct intake *intake;
    struct ack_window *window; /* pays credit per batch; NULL: the input holds receipts itself */
    const struct codec *codec;
    void *codec_state;
    const struct decoration *decoration;
    /* Adds the input's own fields to events [from, b->n), before the decoration. May be NULL. */
    void (*describe)(struct feed *feed, struct batch *b, uint32_t from);
    /* For inputs that hold receipts themselves: called when the stream has been quiet, to open one
     * and call feed_complete. False: not now, try again later. NULL: feed_complete alone. */
    bool (*quiet)(struct feed *feed);
    struct feed_counters *counters; /* of the input on this shard */
    char *carry;
    uint32_t carry_n, carry_cap, carry_charged; /* charged: on the account of long frames */
    struct feed_chunk *first, *last;            /* bytes that wait for the worker */
    bool carry_full;     /* the carry holds whole frames that wait for the worker */
    bool ended;          /* feed_end came while bytes waited */
    bool noted;          /* counted in intake->waiting */
    bool long_frame;     /* the next frame continues one that was too long */
    bool completing;     /* inside feed_complete */
    struct shard *shard; /* outlives the worker */
    struct timer idle;   /* set while a frame waits, for codecs with idle_ns */
};

err feed_init(struct feed *feed, struct worker *worker, struct intake *intake,
              struct ack_window *window, const struct codec *codec,
              const struct decoration *decoration) MUST_USE;
/* Drops what waits; counts nothing. */
void feed_fini(struct feed *feed);
/* A reload: from now on events go to another worker of the same shard. What is kept (a cut frame,
 * waiting bytes, the codec's state) is decoded by the new codec, which has the same options. */
void feed_move(struct feed *feed, struct worker *worker, const struct codec *codec,
               const struct decoration *decoration);

/* Decodes, or keeps, all of `bytes`, which lie in `blob` (NULL: memory that is the caller's and is
 * copied). False when something had to be kept: stop receiving until the intake is resumed. */
bool feed_bytes(struct feed *feed, struct blob *blob, slice bytes);
/* Decodes what was kept; true when nothing is left. */
bool feed_resume(struct feed *feed);
/* Whole frames that only wait for what comes after them are decoded now. Nothing may be waiting,
 * and the worker must be ready to read. */
void feed_complete(struct feed *feed);
/* The stream is over: what is left is a last frame. False when it must wait: feed_resume. */
bool feed_end(struct feed *feed);
static inline bool feed_is_waiting(const struct feed *feed)
{
    return feed->first != NULL || feed->carry_full || (feed->ended && feed->carry_n > 0);
}

#endif
