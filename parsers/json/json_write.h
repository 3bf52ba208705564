/*
 * json_write.h - events to compact JSON, the encoder of all outputs.
 *
 * @timestamp comes first, then the fields in order; @metadata never. Keys and values that
 * are still JSON text (KEY_WIRE, KEY_QUOTED, VALUE_ESCAPED, VALUE_CLEAN, VALUE_RAW) are copied;
 * other strings are copied and tested for '"', '\' and control characters at once. Strings
 * are taken to be UTF-8, as all of an event's are; json_write_event_scrubbed trusts nothing.
 * One indirect call per event or batch selects the CPU's variant. The cache belongs to the
 * calling thread. Any thread with its own buf and cache.
 */
#ifndef PARSERS_JSON_JSON_WRITE_H
#define PARSERS_JSON_JSON_WRITE_H
#include "engine/base/cpu.h"
#include "engine/event/event.h"
#include "engine/event/time_format.h"

struct json_layouts;

/* Appends {"@timestamp":"...",...}. */
void json_write_event(struct buf *out, const struct event *ev, struct time_iso_cache *cache);
/* The same, faster for events that are laid out like those before; see json_layout.h. */
void json_write_laid_out(struct buf *out, const struct event *ev, struct time_iso_cache *cache,
                         struct json_layouts *layouts);
/* Appends prefix, event, suffix for each selected event, e.g. {"index":{}}\n and \n. */
void json_write_events(struct buf *out, const struct batch *b, const struct sel *sel, slice prefix,
                       slice suffix, struct time_iso_cache *cache);
/* Appends one value; a time is quoted ISO 8601. */
void json_write_value(struct buf *out, const struct value *val, struct time_iso_cache *cache);
/* Appends the text as a JSON string with its quotes. */
void json_write_string(struct buf *out, slice text);
/* Checked mode: invalid UTF-8 in keys and strings becomes U+FFFD. Slower. */
void json_write_event_scrubbed(struct buf *out, const struct event *ev,
                               struct time_iso_cache *cache);

void json_write_init(enum cpu_level level);

#endif
