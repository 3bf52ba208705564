/* dots.c - one dot per event: a look at the rate without the contents. */
#include "engine/plan/compiler.h"

static const struct setting dots_settings[] = {{0}};

static void encode(void *state, const void *cfg, struct batch *b, struct event *ev, struct buf *out)
{
    (void)state, (void)cfg, (void)b, (void)ev;
    buf_add_byte(out, '.');
}

const struct codec_ops codec_dots = {
    .name = "dots",
    .doc = "Prints a dot per event.",
    .settings = dots_settings,
    .encode = encode,
};
