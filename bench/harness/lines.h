/*
 * lines.h - synthetic text for benches: the same on every machine and run.
 *
 * Each function appends one line without its end to `out`.
 */
#ifndef BENCH_HARNESS_LINES_H
#define BENCH_HARNESS_LINES_H
#include "engine/base/buf.h"
#include "engine/base/prng.h"

void line_rfc3164(struct prng *r, struct buf *out); /* about 205 bytes */
void line_rfc5424(struct prng *r, struct buf *out); /* about 226 bytes */
void line_access(struct prng *r, struct buf *out);  /* COMBINEDAPACHELOG */
void line_firewall(struct prng *r, struct buf *out);
/* One JSON object of about 350 bytes; `word` stands in its message. */
void line_json(struct prng *r, const char *word, struct buf *out);

/* n lines behind each other, and where each lies. */
struct lines {
    struct buf text;
    slice *line;
    uint32_t n;
};
void lines_make(struct lines *l, uint32_t n, void (*write)(struct prng *, struct buf *));
void lines_fini(struct lines *l);

#endif
