/*
 * corpus.h - the lines that are sent, prepared in memory.
 *
 * Lines lie one behind the other with their framing, so that any run of lines is one write.
 * Number and time stamp of a line are fields of fixed width that are overwritten in place just
 * before a run is sent; nothing else changes. Owned and used by one thread.
 */
#ifndef TOOLS_LOADGEN_CORPUS_H
#define TOOLS_LOADGEN_CORPUS_H
#include "engine/base/buf.h"
#include "tools/loadgen/options.h"

#define CORPUS_NONE UINT32_MAX
#define MARKER_DIGITS 12
#define SENT_DIGITS 19

struct corpus_line {
    uint32_t at, bytes; /* with framing */
    uint32_t number_at; /* of the marker's digits, or CORPUS_NONE */
    uint32_t sent_at;   /* of the digits of the time of sending, or CORPUS_NONE */
    uint32_t stamp_at;  /* of the second-resolution time stamp, or CORPUS_NONE */
};

/* A run of lines that is one write. */
struct corpus_run {
    uint32_t line, n;
    uint32_t at, bytes;
    int64_t stamp_sec; /* which second its stamps show */
};

struct corpus {
    struct buf text;
    struct corpus_line *lines;
    struct corpus_run *runs;
    uint32_t lines_n, runs_n, next_run;
    const char *stamp_format; /* strftime, always the same width */
    uint32_t stamp_bytes;
    int64_t stamp_sec; /* what stamp[] shows */
    char stamp[32];
};

/* Makes the lines; exits with a message when a file to replay cannot be read. */
void corpus_init(struct corpus *c, const struct options *opt);
void corpus_fini(struct corpus *c);

/* The next run, numbered from first and stamped with the second given; cut to n_max lines.
 * Valid until the corpus comes round to it again. */
struct corpus_run corpus_take(struct corpus *c, uint64_t first, int64_t now_sec, uint64_t n_max);

#endif
