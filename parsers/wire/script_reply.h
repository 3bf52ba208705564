/*
 * script_reply.h - what a script process did to events, from bytes.
 *
 * The process is not trusted: every length is checked, text that is no UTF-8 gets U+FFFD where it
 * is broken, and what an event must not have (tags that are numbers, a field "@timestamp") is
 * refused. Layout, little endian, values as in script_request.h but with map keys as text:
 *   changes: u32 n, each u8 1 data, 3 metadata: u32 bytes and name, value; 2, 4: name, removed;
 *            5: i64 @timestamp in ns; 6: no @timestamp.
 *   outcome of an event: u8 enum script_outcome; changes when CHANGED; when CHILDREN u32 n and for
 *            each u8 1: a copy of the event as it came, 0: an empty one, and changes.
 *   at the end lines for the log: u32 n, each u8 level, u32 bytes and text.
 * Bytes are borrowed: they must live as long as the batch. Owner: one shard.
 */
#ifndef PARSERS_WIRE_SCRIPT_REPLY_H
#define PARSERS_WIRE_SCRIPT_REPLY_H
#include "engine/event/event.h"

enum script_outcome {
    SCRIPT_CHANGED = 1,
    SCRIPT_CANCELLED = 2,
    SCRIPT_MATCHED = 4,
    SCRIPT_CHILDREN = 8,
    SCRIPT_FRESH = 16, /* the changes are all there is */
    SCRIPT_FAILED = 32
};

struct script_reply {
    slice in;
    uint32_t at;
    uint64_t failed_n, refused_n; /* events with an exception; children the batch had no room for */
};

/* Applies the next outcome to event `index`; its enum script_outcome in *flags. ERR_FRAME: the
 * bytes are not of the layout, and nothing behind them can be read. */
err script_reply_event(struct script_reply *r, struct batch *b, uint32_t index,
                       uint32_t *flags) MUST_USE;
/* u32 n and that many sets of changes: events that a filter made by itself. */
err script_reply_made(struct script_reply *r, struct batch *b) MUST_USE;
/* The next line for the log; ERR_MISSING when there are no more. */
struct script_lines {
    uint32_t left;
};
err script_reply_lines(struct script_reply *r, struct script_lines *lines) MUST_USE;
err script_reply_line(struct script_reply *r, struct script_lines *lines, uint32_t *level,
                      slice *text) MUST_USE;

#endif
