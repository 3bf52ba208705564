/* line.c - one event per line of text; one line per event. */
#include "engine/plan/codec_kit.h"
#include "engine/plan/java_text.h"
#include "engine/plan/text_event.h"
#include "parsers/scan/newline.h"
#include "parsers/scan/utf8_scan.h"

struct line_cfg {
    slice charset, delimiter, format_text;
    struct text_event_cfg text;
    struct template format;
    bool has_format;
};

struct line_state {
    struct text_event_state text;
    uint32_t looked; /* so many bytes of the cut line that comes next have no delimiter */
};

static const struct setting line_settings[] = {
    {.name = "charset",
     SETTING_AT(struct line_cfg, charset, STRING),
     .default_text = "UTF-8",
     .doc = "Character encoding of the input."},
    {.name = "delimiter",
     SETTING_AT(struct line_cfg, delimiter, STRING),
     .default_text = "\n",
     .doc = "What ends a line."},
    {.name = "format",
     SETTING_AT(struct line_cfg, format_text, STRING),
     .doc = "Text of an event when encoding; may contain %{field}."},
    {0},
};

static err compile(void *cfg_, struct compiler *c)
{
    struct line_cfg *cfg = cfg_;
    err e = text_event_compile(&cfg->text, cfg->charset, compiler_is_ecs(c), c);
    if (e != ERR_OK) return e;
    if (cfg->delimiter.n == 0) {
        compile_error(c, "delimiter", "at least one character", "the delimiter is empty");
        return ERR_CONFIG;
    }
    cfg->has_format = cfg->format_text.p != NULL;
    if (!cfg->has_format) return ERR_OK;
    return compile_template(c, &cfg->format, cfg->format_text, settings_pos(c->plugin, "format"));
}

static void release(void *cfg)
{
    template_fini(&((struct line_cfg *)cfg)->format);
}

static bool ends_at_newline(const void *cfg)
{
    return slice_ends(((const struct line_cfg *)cfg)->delimiter, SLICE("\n"));
}

static err start(void *state, const void *cfg)
{
    return text_event_start(&((struct line_state *)state)->text,
                            &((const struct line_cfg *)cfg)->text);
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    text_event_stop(&((struct line_state *)state)->text);
}

/* Any delimiter, one search per line, however it is cut. */
static uint32_t decode_delimited(struct line_state *s, const struct line_cfg *cfg, slice in,
                                 struct decode *d)
{
    uint32_t at = 0;
    while (at < in.n && d->batch->n < d->events_max) {
        slice rest = slice_from(in, at);
        int64_t end = codec_frame_end(rest, cfg->delimiter, &s->looked);
        if (end < 0 && !d->end) break;
        s->looked = 0;
        slice line = slice_part(rest, 0, end < 0 ? rest.n : (uint32_t)end);
        slice text =
            text_event_decode(&s->text, &cfg->text, decode_keep(d, line), false, &d->batch->arena);
        if (text_event_add(&cfg->text, d->batch, text) == NULL) break;
        at += line.n + (end < 0 ? 0 : cfg->delimiter.n);
    }
    return at;
}

/* Newlines are found many at a time, and a buffer that is valid UTF-8 is validated once. */
static uint32_t decode_lines(struct line_state *s, const struct line_cfg *cfg, slice in,
                             struct decode *d)
{
    bool good = cfg->text.charset->utf8 && utf8_scan_valid(in);
    uint32_t ends[256 + NEWLINE_SLACK], at = 0, next = 0;
    while (next < in.n && d->batch->n < d->events_max) {
        uint32_t n = newline_collect(in, next, ends, 256, &next);
        for (uint32_t i = 0; i < n; i++) {
            if (d->batch->n >= d->events_max) return at;
            slice line = slice_make(in.p + at, ends[i] - at);
            slice text = text_event_decode(&s->text, &cfg->text, decode_keep(d, line), good,
                                           &d->batch->arena);
            if (text_event_add(&cfg->text, d->batch, text) == NULL) return at;
            at = ends[i] + 1;
        }
        if (n == 0) break;
    }
    return at;
}

static uint32_t decode(void *state, const void *cfg_, slice in, struct decode *d)
{
    const struct line_cfg *cfg = cfg_;
    if (cfg->delimiter.n != 1 || cfg->delimiter.p[0] != '\n')
        return decode_delimited(state, cfg, in, d);
    uint32_t used = decode_lines(state, cfg, in, d);
    if (d->end && used < in.n && d->batch->n < d->events_max)
        used += decode_delimited(state, cfg, slice_from(in, used), d);
    return used;
}

static void encode(void *state, const void *cfg_, struct batch *b, struct event *ev,
                   struct buf *out)
{
    (void)state;
    const struct line_cfg *cfg = cfg_;
    if (cfg->has_format)
        template_add(&cfg->format, b, ev, out, NULL);
    else
        java_text_event(b, ev, out);
    buf_add_slice(out, cfg->delimiter);
}

const struct codec_ops codec_line = {
    .name = "line",
    .doc = "One event per line of text.",
    .settings = line_settings,
    .cfg_size = sizeof(struct line_cfg),
    .state_size = sizeof(struct line_state),
    .compile = compile,
    .release = release,
    .ends_at_newline = ends_at_newline,
    .start = start,
    .decode = decode,
    .encode = encode,
    .stop = stop,
};
