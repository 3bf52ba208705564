/*
 * gzip_stream.h - streaming inflate of gzip, zlib and raw deflate, bounded.
 *
 * Concatenated gzip members are one stream (RFC 1952 section 2.2), zero padding after the
 * last one is ignored, other bytes there end it with `trailing` set. The total output is
 * bounded, so a bomb ends in ERR_LIMIT. On ISA-L. One owner, no locks; new and free are for
 * set-up, not the hot path (the state is some 80 KiB).
 */
#ifndef PARSERS_FRAME_GZIP_STREAM_H
#define PARSERS_FRAME_GZIP_STREAM_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"

enum gzip_kind { GZIP_GZIP, GZIP_ZLIB, GZIP_RAW };

enum gzip_step {
    GZIP_MORE, /* give more input */
    GZIP_FULL, /* the output is full, call again with room */
    GZIP_END,  /* all done and checked; only GZIP_GZIP may go on if more input comes */
};

struct gzip_stream;

/* out_bytes_max 0 means unbounded, for files of the operator's own choosing. */
struct gzip_stream *gzip_stream_new(enum gzip_kind kind, uint64_t out_bytes_max);
void gzip_stream_free(struct gzip_stream *s);
/* Ready for another stream. */
void gzip_stream_reset(struct gzip_stream *s);
/* Takes from the front of *in, writes at most cap bytes to out and their number to *n. Returns a
 * gzip_step, ERR_FRAME (not that format, or its checksum is wrong) or ERR_LIMIT; *n bytes are
 * valid in every case. */
int gzip_stream_run(struct gzip_stream *s, slice *in, char *out, uint32_t cap,
                    uint32_t *n) MUST_USE;
/* After an error, a static text. */
const char *gzip_stream_reason(const struct gzip_stream *s);
/* Whether junk followed the last gzip member; of the other kinds, whether bytes behind the end were
 * taken from an earlier input (those of the last are left in *in). */
bool gzip_stream_trailing(const struct gzip_stream *s);
/* True between streams: the input may end here without loss. */
bool gzip_stream_at_end(const struct gzip_stream *s);

#endif
