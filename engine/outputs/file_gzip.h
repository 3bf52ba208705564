/*
 * file_gzip.h - one gzip member being written, compressed by ISA-L level 1 (RFC 1952).
 *
 * Bytes go in, compressed bytes are appended to a buf. Owner: one writer thread.
 */
#ifndef ENGINE_OUTPUTS_FILE_GZIP_H
#define ENGINE_OUTPUTS_FILE_GZIP_H
#include "engine/base/buf.h"

struct file_gzip;

struct file_gzip *file_gzip_new(void);
void file_gzip_free(struct file_gzip *gz);
void file_gzip_add(struct file_gzip *gz, const char *p, size_t n, struct buf *out);
/* Everything added so far can be decompressed from what is in `out`. */
void file_gzip_flush(struct file_gzip *gz, struct buf *out);
/* Ends the member; false when it has no bytes at all, and then nothing is appended. */
bool file_gzip_end(struct file_gzip *gz, struct buf *out);

#endif
