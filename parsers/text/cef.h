/*
 * cef.h - the Common Event Format: a header of seven fields between pipes, then key=value pairs.
 *
 * Reading is by spans of the text; only escaped values make a copy in the arena. Values may
 * hold blanks: a value ends where blanks are followed by something that looks like a key and an
 * equals sign. Keys are word characters with dotted parts and one index ("ad.list[0]").
 * Pure: any thread. Format: "Implementing ArcSight Common Event Format", version 25, and what
 * logstash-codec-cef takes beyond it.
 */
#ifndef PARSERS_TEXT_CEF_H
#define PARSERS_TEXT_CEF_H
#include "engine/base/buf.h"
#include "engine/base/pages.h"

#define CEF_HEADER_FIELDS 7u
#define CEF_PAIRS_MAX 8192u

struct cef_header {
    slice field[CEF_HEADER_FIELDS]; /* unescaped; the first without syslog header and "CEF:" */
    slice syslog;                   /* what stood before "CEF:"; .p NULL for nothing */
    slice rest;                     /* the pairs, without blanks around them */
};

/* false when there are fewer than seven pipes. */
bool cef_header_read(slice text, struct arena *arena, struct cef_header *out);

struct cef_pair {
    slice key, value; /* the value as written */
};
/* The pair `rest` begins with, which is cut off. False when it begins with none. */
bool cef_pair_next(slice *rest, struct cef_pair *out);
/* \\ \= \n \r are undone. */
slice cef_value_unescape(slice value, struct arena *arena);

/* Appends what the text is in a header or a value. */
void cef_header_add(struct buf *out, slice text);
void cef_value_add(struct buf *out, slice text);

#endif
