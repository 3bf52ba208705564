/*
 * time_format.h - instants to text: Joda-Time and java.time patterns, and ISO 8601.
 *
 * A pattern is compiled once into a flat list of operations that any thread may run. English
 * names; weeks that depend on a region (java.time's Y, w, W, e, c) are those of the US.
 * Facts: the pattern letter tables of org.joda.time.format.DateTimeFormat and
 * java.time.format.DateTimeFormatter. Instants are nanoseconds since 1970; Joda sees only
 * their milliseconds.
 */
#ifndef ENGINE_EVENT_TIME_FORMAT_H
#define ENGINE_EVENT_TIME_FORMAT_H
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/slice.h"
#include "engine/base/tz.h"

#define TIME_ISO_BYTES_MAX 32u

enum time_syntax { TIME_JODA, TIME_JAVA };

struct time_format;

struct time_format_error {
    uint32_t at; /* byte offset in the pattern */
    char expected[96];
};

/* NULL when the pattern is bad; *error then says where and what was expected. Heap. */
struct time_format *time_format_new(slice pattern, enum time_syntax syntax,
                                    struct time_format_error *error);
void time_format_free(struct time_format *format);

/* No text of this format is longer. */
uint32_t time_format_bytes_max(const struct time_format *format);
/* Writes at most time_format_bytes_max bytes and returns how many; no NUL. */
uint32_t time_format_write(const struct time_format *format, int64_t ns, const struct tz *zone,
                           char *out);
void time_format_add(const struct time_format *format, int64_t ns, const struct tz *zone,
                     struct buf *out);

/* In UTC the text is the same for all instants of one step, counted from 1970: a day for
 * "YYYY.MM.dd", down to a nanosecond. Callers that repeat themselves may keep the text. */
int64_t time_format_step_ns(const struct time_format *format);

/* What was written last, for formats that are used again and again: TIME_MEMOS of them, zeroed at
 * first. Owner: one thread. */
#define TIME_MEMOS 4u
#define TIME_MEMO_BYTES 44u
struct time_memo {
    uint64_t id; /* of the format; 0: nothing yet */
    int64_t from_ns;
    uint32_t n;
    char text[TIME_MEMO_BYTES];
};
/* time_format_add in UTC; `last` is an array of TIME_MEMOS. */
void time_format_add_utc(const struct time_format *format, int64_t ns, struct time_memo *last,
                         struct buf *out);

/* The second last written; zeroed knows nothing. One per thread that formats. */
struct time_iso_cache {
    int64_t second_begin_ns, day_begin_ns;
    char text[24]; /* "2024-03-05T06:07:08." of that second */
    uint32_t valid;
};

/* "2024-03-05T06:07:08.123Z": 3 decimals, 6 or 9 when the instant has them; UTC. Returns the
 * bytes written, at most TIME_ISO_BYTES_MAX; may touch all of out. */
uint32_t time_iso_write(int64_t ns, struct time_iso_cache *cache, char out[TIME_ISO_BYTES_MAX]);

#endif
