/* edn_lines.c - one edn map per line, in and out. */
#include "engine/plan/codec_kit.h"
#include "engine/plan/edn_codec.h"

static uint32_t decode(void *state, const void *cfg, slice in, struct decode *d)
{
    return codec_frames(in, SLICE("\n"), d, edn_codec_text, state, cfg);
}

static void encode(void *state, const void *cfg, struct batch *b, struct event *ev, struct buf *out)
{
    (void)state, (void)cfg;
    edn_codec_encode(b, ev, out);
    buf_add_byte(out, '\n');
}

const struct codec_ops codec_edn_lines = {
    .name = "edn_lines",
    .doc = "One edn map per line.",
    .settings = edn_codec_settings,
    .cfg_size = sizeof(struct edn_codec_cfg),
    .state_size = sizeof(struct edn_codec_state),
    .compile = edn_codec_compile,
    .ends_at_newline = codec_ends_at_newline,
    .decode = decode,
    .encode = encode,
};
