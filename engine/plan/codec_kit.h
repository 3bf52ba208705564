/*
 * codec_kit.h - small things that several codecs do: frames between delimiters, the event that
 * shows what could not be decoded.
 *
 * Runs on the shard that owns the batch.
 */
#ifndef ENGINE_PLAN_CODEC_KIT_H
#define ENGINE_PLAN_CODEC_KIT_H
#include "engine/plan/compiler.h"

/* Hands each whole frame of `in` (the last one too when the stream ends, unless it is empty) to
 * `take` while the batch has room; returns the bytes used. The frame lives as long as the batch
 * and is followed by JSON_PAD readable bytes. */
uint32_t codec_frames(slice in, slice delimiter, struct decode *d,
                      void (*take)(void *state, const void *cfg, slice frame, struct decode *d),
                      void *state, const void *cfg);
/* Where the delimiter of the frame at the front of `rest` stands, or -1. *looked, in the codec's
 * state, is how much of that frame was looked at in vain when it came before, shorter; it is set
 * for the next time when there is none, and else the caller's to set back. */
int64_t codec_frame_end(slice rest, slice delimiter, uint32_t *looked);

/* For codecs whose frames are lines: codec_ops.ends_at_newline. */
bool codec_ends_at_newline(const void *cfg);

/* A new event with the text in `message`, where bytes that are no UTF-8 become U+FFFD, and the tag
 * unless it is empty; NULL when the batch is full. Counted as a failure. */
struct event *codec_failure(struct decode *d, slice text, slice tag);
/* The same in an event that was begun already: it loses all that it has. */
void codec_fail(struct decode *d, struct event *ev, slice text, slice tag);
/* codec_fail with the event that was begun, or codec_failure without one (NULL). */
struct event *codec_refuse(struct decode *d, struct event *ev, slice text, slice tag);

/* A new event of a decoded value: any of them for a target, else a map, or nil for no fields. False
 * when it is another, or the target does not take it; *ev is then an event that was begun, or NULL.
 * With a full batch true and NULL. */
bool codec_value_event(struct batch *b, const struct fieldref *target, const struct value *val,
                       struct event **ev) MUST_USE;
/* A new event of decoded data: the data is the event, or with a target (NULL: none) is put there.
 * NULL when the batch is full. */
struct event *codec_event(struct batch *b, const struct fieldref *target, struct map data);

#endif
