/* json.c - one JSON text per datagram, message or file: an object or an array of objects. */
#include <stdlib.h>

#include "engine/plan/json_codec.h"
#include "parsers/json/json_layout.h"
#include "parsers/json/json_write.h"

struct json_cfg {
    slice charset, target_text;
    struct json_codec_cfg json;
};

struct json_state {
    struct json_codec_state json;
    struct time_iso_cache cache;
    struct json_layouts *layouts; /* NULL until something is encoded */
};

static const struct setting json_settings[] = {
    {.name = "charset",
     SETTING_AT(struct json_cfg, charset, STRING),
     .default_text = "UTF-8",
     .doc = "Character encoding of the input."},
    {.name = "target",
     SETTING_AT(struct json_cfg, target_text, STRING),
     .doc = "Field that receives the document; without it, it becomes the event."},
    {0},
};

static err compile(void *cfg_, struct compiler *c)
{
    struct json_cfg *cfg = cfg_;
    return json_codec_compile(&cfg->json, cfg->charset, cfg->target_text, compiler_is_ecs(c), c);
}

static err start(void *state, const void *cfg)
{
    return json_codec_start(&((struct json_state *)state)->json,
                            &((const struct json_cfg *)cfg)->json);
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    free(((struct json_state *)state)->layouts);
    json_codec_stop(&((struct json_state *)state)->json);
}

static uint32_t decode(void *state, const void *cfg, slice in, struct decode *d)
{
    json_codec_text(&((struct json_state *)state)->json, &((const struct json_cfg *)cfg)->json,
                    decode_keep(d, in), d);
    return in.n;
}

static void encode(void *state, const void *cfg, struct batch *b, struct event *ev, struct buf *out)
{
    (void)cfg, (void)b;
    struct json_state *s = state;
    if (s->layouts == NULL) s->layouts = json_layouts_new();
    json_write_laid_out(out, ev, &s->cache, s->layouts);
}

const struct codec_ops codec_json = {
    .name = "json",
    .doc = "One JSON text per message.",
    .flags = CODEC_STREAM_JSON_LINES,
    .settings = json_settings,
    .cfg_size = sizeof(struct json_cfg),
    .state_size = sizeof(struct json_state),
    .compile = compile,
    .start = start,
    .decode = decode,
    .encode = encode,
    .stop = stop,
};
