/*
 * line_frame.h - a byte stream cut at a delimiter.
 *
 * Lines that lie whole in the bytes fed are slices of them; a tail without its delimiter is
 * copied to a heap carry (one per connection, freed by fini) and completed by the next feed.
 * A line longer than bytes_max is cut there: when its delimiter comes, its first bytes_max
 * bytes are given out marked `cut`, the rest is dropped, `cuts` counts. One owner, no locks.
 *
 *   line_frame_feed(&f, bytes);
 *   while (line_frame_next(&f, &line)) ...;   until false; only then may the bytes go
 *   at the end of the stream: if (line_frame_flush(&f, &line)) ...
 */
#ifndef PARSERS_FRAME_LINE_FRAME_H
#define PARSERS_FRAME_LINE_FRAME_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/err.h"

#define LINE_DELIMITER_MAX 32u
/* A carry that grew larger is given back once its line is read. */
#define LINE_CARRY_KEEP_BYTES (64u * 1024)
#define LINE_BYTES_DEFAULT (16u * 1024 * 1024)

struct line {
    slice text;   /* without the delimiter */
    slice raw;    /* with it, unless the line is cut or flushed */
    bool carried; /* in the carry: valid until the next call; copy what must live longer */
    bool cut;
};

struct line_frame {
    struct buf carry; /* the first bytes of the current line, at most bytes_max + delimiter_n */
    slice in;         /* what is left of the bytes fed */
    uint64_t line_n;  /* bytes of the current line seen in earlier feeds */
    uint64_t cuts;
    uint32_t bytes_max;
    uint8_t delimiter_n, tail_n;
    bool delivered; /* the carry holds a line already handed out */
    char delimiter[LINE_DELIMITER_MAX];
    char tail[LINE_DELIMITER_MAX]; /* its last bytes: a delimiter may begin there */
};

/* ERR_LIMIT when the delimiter is empty or longer than LINE_DELIMITER_MAX; bytes_max 0 means
 * LINE_BYTES_DEFAULT. */
err line_frame_init(struct line_frame *f, slice delimiter, uint32_t bytes_max) MUST_USE;
void line_frame_fini(struct line_frame *f);
/* The previous bytes must have been read to the end (line_frame_next returned false). */
void line_frame_feed(struct line_frame *f, slice in);
bool line_frame_next(struct line_frame *f, struct line *out);
/* The rest without a delimiter, at the end of the stream; false when there is none. */
bool line_frame_flush(struct line_frame *f, struct line *out);
/* Bytes held on the heap. */
static inline size_t line_frame_held(const struct line_frame *f)
{
    return f->carry.cap;
}

#endif
