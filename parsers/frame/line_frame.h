/*
 * line_frame.h - a byte stream cut at a delimiter.
 *
 * Lines that lie whole in the bytes fed are slices of them; a tail without its delimiter is
 * copied to a heap carry (one per connection, freed by fini) and completed by the next feed.
 * A line longer than bytes_max is cut there: its first bytes_max bytes are one line marked
 * `cut`, the rest up to the delimiter is dropped, `cuts` counts. One owner, no locks.
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
#define LINE_BYTES_DEFAULT (16u * 1024 * 1024)

struct line {
    slice text;   /* without the delimiter */
    slice raw;    /* with it, unless the line is cut or flushed */
    bool carried; /* in the carry: valid until the next call; copy what must live longer */
    bool cut;
};

struct line_frame {
    struct buf carry;
    slice in; /* what is left of the bytes fed */
    uint32_t bytes_max;
    uint32_t seen; /* bytes of the carry in which no delimiter starts */
    uint64_t cuts;
    uint8_t delimiter_n;
    bool skipping;  /* dropping the rest of a cut line */
    bool delivered; /* the carry holds a line already handed out */
    char delimiter[LINE_DELIMITER_MAX];
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
