/* json_lines.c - one JSON document per line, in and out. */
#include <stdlib.h>

#include "engine/plan/codec_kit.h"
#include "engine/plan/json_codec.h"
#include "parsers/json/json_layout.h"
#include "parsers/json/json_write.h"

struct json_lines_cfg {
    slice charset, delimiter, target_text;
    int64_t decode_size_limit_bytes;
    struct json_codec_cfg json;
};

struct json_lines_state {
    struct json_codec_state json;
    struct time_iso_cache cache;
    struct json_layouts *layouts; /* NULL until something is encoded */
    uint32_t looked; /* so many bytes of the cut line that comes next have no delimiter */
};

static const struct setting json_lines_settings[] = {
    {.name = "charset",
     SETTING_AT(struct json_lines_cfg, charset, STRING),
     .default_text = "UTF-8",
     .doc = "Character encoding of the input."},
    {.name = "delimiter",
     SETTING_AT(struct json_lines_cfg, delimiter, STRING),
     .default_text = "\n",
     .doc = "What ends a document."},
    {.name = "decode_size_limit_bytes",
     SETTING_AT(struct json_lines_cfg, decode_size_limit_bytes, INT),
     .default_text = "536870912",
     .min = 1,
     .max = 1 << 30,
     .doc = "Longest line that is decoded as one document."},
    {.name = "target",
     SETTING_AT(struct json_lines_cfg, target_text, STRING),
     .doc = "Field that receives the document; without it, it becomes the event."},
    {0},
};

static err compile(void *cfg_, struct compiler *c)
{
    struct json_lines_cfg *cfg = cfg_;
    if (cfg->delimiter.n == 0) {
        compile_error(c, "delimiter", "at least one character", "the delimiter is empty");
        return ERR_CONFIG;
    }
    /* Documents of a stream of lines never keep [event][original]. */
    return json_codec_compile(&cfg->json, cfg->charset, cfg->target_text, false, c);
}

static uint32_t frame_bytes_max(const void *cfg)
{
    return (uint32_t)((const struct json_lines_cfg *)cfg)->decode_size_limit_bytes;
}

static bool ends_at_newline(const void *cfg)
{
    return slice_ends(((const struct json_lines_cfg *)cfg)->delimiter, SLICE("\n"));
}

static err start(void *state, const void *cfg)
{
    return json_codec_start(&((struct json_lines_state *)state)->json,
                            &((const struct json_lines_cfg *)cfg)->json);
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    free(((struct json_lines_state *)state)->layouts);
    json_codec_stop(&((struct json_lines_state *)state)->json);
}

static uint32_t decode(void *state_, const void *cfg_, slice in, struct decode *d)
{
    struct json_lines_state *state = state_;
    const struct json_lines_cfg *cfg = cfg_;
    if (cfg->delimiter.n == 1 && cfg->delimiter.p[0] == '\n')
        return json_codec_lines(&state->json, &cfg->json, in, d);
    uint32_t at = 0;
    while (at < in.n && d->batch->n < d->events_max) {
        slice rest = slice_from(in, at);
        int64_t end = codec_frame_end(rest, cfg->delimiter, &state->looked);
        if (end < 0 && !d->end) break;
        state->looked = 0;
        slice text = slice_part(rest, 0, end < 0 ? rest.n : (uint32_t)end);
        json_codec_text(&state->json, &cfg->json, arena_copy(&d->batch->arena, text), d);
        at += text.n + (end < 0 ? 0 : cfg->delimiter.n);
    }
    return at;
}

static void encode(void *state_, const void *cfg_, struct batch *b, struct event *ev,
                   struct buf *out)
{
    (void)b;
    const struct json_lines_cfg *cfg = cfg_;
    struct json_lines_state *state = state_;
    if (state->layouts == NULL) state->layouts = json_layouts_new();
    json_write_laid_out(out, ev, &state->cache, state->layouts);
    buf_add_slice(out, cfg->delimiter);
}

const struct codec_ops codec_json_lines = {
    .name = "json_lines",
    .doc = "One JSON document per line.",
    .settings = json_lines_settings,
    .cfg_size = sizeof(struct json_lines_cfg),
    .state_size = sizeof(struct json_lines_state),
    .compile = compile,
    .frame_bytes_max = frame_bytes_max,
    .ends_at_newline = ends_at_newline,
    .start = start,
    .decode = decode,
    .encode = encode,
    .stop = stop,
};
