/*
 * beats_event.h - what a Lumberjack client sends becomes events: the beats input's own part.
 *
 * The text in `message` (`line` of old clients) goes through the codec, the other keys are merged
 * into what comes out. With the plain codec that is the sent document itself. The state belongs
 * to one shard.
 */
#ifndef ENGINE_INPUTS_BEATS_EVENT_H
#define ENGINE_INPUTS_BEATS_EVENT_H
#include "engine/plan/text_event.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"

struct beats_event_cfg {
    bool ecs, add_hostname, tags;
    bool direct; /* the codec would change nothing */
    struct codec codec;
    struct text_event_cfg text;
    struct key message, line, host;
    struct fieldref beat_hostname;
    slice codec_tag; /* beats_input_codec_plain_applied */
};

struct beats_event_state {
    struct json_reader reader;
    struct text_event_state text;
    uint32_t text_at, event_at; /* where the last document had its text and [event] */
    void *codec_state;
    struct input_counters *counters; /* of the input: what the codec cannot decode; may be NULL */
    uint64_t bad;                    /* documents that are no JSON object */
};

err beats_event_compile(struct beats_event_cfg *cfg, bool tags, struct compiler *c) MUST_USE;
err beats_event_start(struct beats_event_state *s, const struct beats_event_cfg *cfg) MUST_USE;
void beats_event_stop(struct beats_event_state *s, const struct beats_event_cfg *cfg);

/* `payload` lives as long as the batch, with JSON_PAD bytes readable behind it. */
void beats_event_json(struct beats_event_state *s, const struct beats_event_cfg *cfg,
                      struct batch *b, slice payload);
/* Version 1: the payload of a DATA frame. */
void beats_event_pairs(struct beats_event_state *s, const struct beats_event_cfg *cfg,
                       struct batch *b, slice payload);
/* Tags and host names of events [from, b->n), after the input's decoration. */
void beats_event_tags(const struct beats_event_cfg *cfg, struct batch *b, uint32_t from);

#endif
