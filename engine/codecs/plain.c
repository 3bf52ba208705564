/* plain.c - one event per message of text; an event as text, without anything around it. */
#include "engine/plan/java_text.h"
#include "engine/plan/text_event.h"

struct plain_cfg {
    slice charset, format_text;
    struct text_event_cfg text;
    struct template format;
};

struct plain_state {
    struct text_event_state text;
};

static const struct setting plain_settings[] = {
    {.name = "charset",
     SETTING_AT(struct plain_cfg, charset, STRING),
     .default_text = "UTF-8",
     .doc = "Character encoding of the input."},
    {.name = "format",
     SETTING_AT(struct plain_cfg, format_text, STRING),
     .doc = "Text of an event when encoding; may contain %{field}."},
    {0},
};

static err compile(void *cfg_, struct compiler *c)
{
    struct plain_cfg *cfg = cfg_;
    err e = text_event_compile(&cfg->text, cfg->charset, compiler_is_ecs(c), c);
    if (e != ERR_OK) return e;
    if (cfg->format_text.p == NULL) return ERR_OK;
    return compile_template(c, &cfg->format, cfg->format_text, settings_pos(c->plugin, "format"));
}

static void release(void *cfg)
{
    template_fini(&((struct plain_cfg *)cfg)->format);
}

static err start(void *state, const void *cfg)
{
    return text_event_start(&((struct plain_state *)state)->text,
                            &((const struct plain_cfg *)cfg)->text);
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    text_event_stop(&((struct plain_state *)state)->text);
}

static uint32_t decode(void *state, const void *cfg_, slice in, struct decode *d)
{
    const struct plain_cfg *cfg = cfg_;
    slice text = text_event_decode(&((struct plain_state *)state)->text, &cfg->text,
                                   decode_keep(d, in), false, &d->batch->arena);
    return text_event_add(&cfg->text, d->batch, text) != NULL ? in.n : 0;
}

static void encode(void *state, const void *cfg, struct batch *b, struct event *ev, struct buf *out)
{
    const struct plain_cfg *c = cfg;
    (void)state;
    if (c->format_text.p == NULL)
        java_text_event(b, ev, out);
    else
        template_add(&c->format, b, ev, out, NULL);
}

const struct codec_ops codec_plain = {
    .name = "plain",
    .doc = "Text as it is, one event per message.",
    .flags = CODEC_STREAM_LINE,
    .settings = plain_settings,
    .cfg_size = sizeof(struct plain_cfg),
    .state_size = sizeof(struct plain_state),
    .compile = compile,
    .release = release,
    .start = start,
    .decode = decode,
    .encode = encode,
    .stop = stop,
};
