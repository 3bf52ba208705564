/*
 * text_event.h - a run of text becomes an event: what the plain, line and json codecs share.
 *
 * The text goes to `message` and, in ECS modes, to [event][original] as well. Declared UTF-8 is
 * validated (once for a whole buffer when it is good); other charsets are transcoded. Keys are
 * laid out for the encoder when the codec is compiled. The decoder state belongs to one shard.
 */
#ifndef ENGINE_PLAN_TEXT_EVENT_H
#define ENGINE_PLAN_TEXT_EVENT_H
#include "engine/base/log.h"
#include "engine/plan/compiler.h"
#include "parsers/text/charset.h"

struct text_event_cfg {
    const struct charset *charset;
    struct key event, original;
    /* message, @version, event, [event][original] */
    struct member message, version, event_field, original_field;
    bool keep_original; /* [event][original] */
};

/* `charset` is the option's text. */
err text_event_compile(struct text_event_cfg *cfg, slice charset, bool keep_original,
                       struct compiler *c) MUST_USE;

struct text_event_state {
    struct charset_decoder decoder;
    struct log_gate gate;
};

err text_event_start(struct text_event_state *state, const struct text_event_cfg *cfg) MUST_USE;
void text_event_stop(struct text_event_state *state);

/* text_event_decode for what must be looked at. */
slice text_event_convert(struct text_event_state *state, const struct text_event_cfg *cfg,
                         slice text, struct arena *arena);
/* The text in UTF-8; known_good: it was validated already. */
static inline slice text_event_decode(struct text_event_state *state,
                                      const struct text_event_cfg *cfg, slice text, bool known_good,
                                      struct arena *arena)
{
    if (cfg->charset->utf8 && known_good) return text;
    return text_event_convert(state, cfg, text, arena);
}
/* A new event with the (decoded) text; NULL when the batch is full. */
struct event *text_event_add(const struct text_event_cfg *cfg, struct batch *b, slice text);
/* Adds [event][original] to an event a codec has made otherwise. */
void text_event_original(const struct text_event_cfg *cfg, struct batch *b, struct event *ev,
                         slice text);
/* [event][original] of a fresh event that has no [event], as the member at `at`. */
static inline struct member *text_event_put_original(const struct text_event_cfg *cfg,
                                                     struct batch *b, struct member *at, slice text)
{
    struct map *map = map_exact(&b->arena, 2);
    map_close(map, member_text(map->at, &cfg->original_field, text, 0));
    return member_map(at, &cfg->event_field, map);
}
/* The text as it is when whole frames must outlive the call: itself when the blob is pinned,
 * else a copy in the arena. */
static inline slice decode_keep(const struct decode *d, slice text)
{
    return d->blob != NULL ? text : arena_copy(&d->batch->arena, text);
}

#endif
