/*
 * json_event.h - a decoded map becomes an event, the way Logstash's Event(Map) does it.
 *
 * @metadata moves out of the document, @timestamp becomes the event's time, illegal tags move
 * to _tags, @version is added. Owner: one shard.
 */
#ifndef PARSERS_JSON_JSON_EVENT_H
#define PARSERS_JSON_JSON_EVENT_H
#include "engine/base/tz.h"
#include "engine/event/event.h"

/* `ev` is fresh from batch_add; `data` is its from now on. A string @timestamp is read as
 * lenient ISO 8601; anything else, or text that is no time, leaves the batch's now, keeps
 * the value in _@timestamp and tags _timestampparsefailure. tags that are neither a string nor
 * a list of strings move to _tags as a list, tagged _tagsparsefailure. */
void event_adopt(struct batch *b, struct event *ev, struct map data);

/* The zone of timestamps that name none; parsers_init() sets the host's. Before threads. */
void event_adopt_zone(const struct tz *zone);

#endif
