/* edn.c - one edn map per message. */
#include "engine/plan/edn_codec.h"
#include "engine/plan/text_event.h"

static uint32_t decode(void *state, const void *cfg, slice in, struct decode *d)
{
    edn_codec_text(state, cfg, decode_keep(d, in), d);
    return in.n;
}

static void encode(void *state, const void *cfg, struct batch *b, struct event *ev, struct buf *out)
{
    (void)state, (void)cfg;
    edn_codec_encode(b, ev, out);
}

const struct codec_ops codec_edn = {
    .name = "edn",
    .doc = "One edn map per message.",
    .flags = CODEC_MESSAGES,
    .settings = edn_codec_settings,
    .cfg_size = sizeof(struct edn_codec_cfg),
    .state_size = sizeof(struct edn_codec_state),
    .compile = edn_codec_compile,
    .decode = decode,
    .encode = encode,
};
