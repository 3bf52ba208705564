/* null.c - throws events away, as delivered. */
#include "engine/plan/compiler.h"

static const struct setting null_settings[] = {{0}};

static err compile(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}

static enum push push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)state, (void)cfg, (void)b, (void)in;
    return PUSH_TAKEN;
}

const struct output_ops output_null = {
    .name = "null",
    .doc = "Discards events.",
    .settings = null_settings,
    .compile = compile,
    .push = push,
};
