/*
 * java_text.h - values and events as the Java core of Logstash turns them into text.
 *
 * Java's toString: scalars as sprintf shows them, lists and hashes as [1, x] and {k=v}. Any thread.
 */
#ifndef ENGINE_PLAN_JAVA_TEXT_H
#define ENGINE_PLAN_JAVA_TEXT_H
#include "engine/event/event.h"

/* Appends the value's toString. */
void java_text(struct value *v, struct arena *arena, struct buf *out);
/* Appends the event's toString, which is what the text codecs write without a format: its time,
 * host and message; the names of the latter two as %{field} when they are missing or null. */
void java_text_event(struct batch *b, struct event *ev, struct buf *out);

#endif
