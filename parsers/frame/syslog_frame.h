/*
 * syslog_frame.h - syslog over TCP: RFC 6587 octet counting and newline framing.
 *
 * The first byte of a connection tells which: a digit 1-9 is a count, anything else lines. In
 * octet counting "MSG-LEN SP MSG" repeats; a line feed or carriage return between frames is
 * skipped (several senders append one they do not count). A count that is no number, has a
 * leading zero or exceeds bytes_max is an error, after which the connection is useless. Lines
 * longer than bytes_max are cut as line_frame does. One owner, no locks.
 */
#ifndef PARSERS_FRAME_SYSLOG_FRAME_H
#define PARSERS_FRAME_SYSLOG_FRAME_H
#include "parsers/frame/line_frame.h"

enum syslog_framing { SYSLOG_FRAMING_UNKNOWN, SYSLOG_FRAMING_OCTETS, SYSLOG_FRAMING_LINES };

struct syslog_frame {
    enum syslog_framing framing;
    struct line_frame line; /* its carry and input serve octet counting too */
    uint32_t want;          /* bytes of the frame being collected; 0: reading a count */
    uint32_t count;         /* the count so far */
    uint8_t digits;
    err failed;
    const char *reason; /* after an error, a static text */
};

/* bytes_max 0 means LINE_BYTES_DEFAULT. */
void syslog_frame_init(struct syslog_frame *f, uint32_t bytes_max);
void syslog_frame_fini(struct syslog_frame *f);
/* The previous bytes must have been read to the end (syslog_frame_next returned 0). */
void syslog_frame_feed(struct syslog_frame *f, slice in);
/* 1: *out is a frame; 0: feed more; ERR_FRAME or ERR_LIMIT: hang up, see reason. */
int syslog_frame_next(struct syslog_frame *f, struct line *out) MUST_USE;
/* What is left at the end of the stream: an unfinished line, or what came of a counted
 * frame (marked cut). */
bool syslog_frame_flush(struct syslog_frame *f, struct line *out);

#endif
