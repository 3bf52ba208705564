/*
 * edn_codec.h - edn maps and events: what the edn and edn_lines codecs share.
 *
 * Text that is no map becomes an event with the text in `message`, without a tag, as in Logstash.
 * State belongs to one shard.
 */
#ifndef ENGINE_PLAN_EDN_CODEC_H
#define ENGINE_PLAN_EDN_CODEC_H
#include "engine/base/log.h"
#include "engine/plan/compiler.h"

struct edn_codec_cfg {
    slice target_name;
    struct fieldref target;
};

struct edn_codec_state {
    struct log_gate gate;
};

err edn_codec_compile(void *cfg, struct compiler *c) MUST_USE;
/* Decodes one text, which lives as long as the batch. */
void edn_codec_text(void *state, const void *cfg, slice text, struct decode *d);
void edn_codec_encode(struct batch *b, struct event *ev, struct buf *out);

/* The only option of both. */
extern const struct setting edn_codec_settings[];

#endif
