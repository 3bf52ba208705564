/*
 * json_codec.h - JSON text becomes events: what the json and json_lines codecs share.
 *
 * An object is an event, an array one event per element, anything else (and broken text) an
 * event with the text in `message` and the tag _jsonparsefailure; so is an object whose `event` has
 * no place for [event][original]. Text behind the first value
 * of a line is ignored, as Logstash does. State belongs to one shard.
 */
#ifndef ENGINE_PLAN_JSON_CODEC_H
#define ENGINE_PLAN_JSON_CODEC_H
#include "engine/plan/text_event.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"

struct json_codec_cfg {
    struct text_event_cfg text;
    struct fieldref target;
    bool has_target;
};

struct json_codec_state {
    struct text_event_state text;
    struct json_reader reader;
};

err json_codec_compile(struct json_codec_cfg *cfg, slice charset, slice target, bool keep_original,
                       struct compiler *c) MUST_USE;
err json_codec_start(struct json_codec_state *s, const struct json_codec_cfg *cfg) MUST_USE;
void json_codec_stop(struct json_codec_state *s);

/* Decodes one text, which lives as long as the batch and has JSON_PAD bytes behind it. */
void json_codec_text(struct json_codec_state *s, const struct json_codec_cfg *cfg, slice text,
                     struct decode *d);
/* Decodes the whole lines of `in` (all of it at the end); returns the bytes used. */
uint32_t json_codec_lines(struct json_codec_state *s, const struct json_codec_cfg *cfg, slice in,
                          struct decode *d);

#endif
