/*
 * gzip_lines.c - lines of text in gzip: each line is an event, its newline included.
 *
 * A stream may be cut anywhere: the state of the decompressor and an incomplete line wait in the
 * codec's state. Input is fed in small pieces, the last byte by itself, so that what a piece
 * expands to always fits into the batch. Broken gzip is logged; the lines before it are kept.
 */
#define _GNU_SOURCE
#include <string.h>

#include "engine/base/log.h"
#include "engine/plan/text_event.h"
#include "parsers/frame/gzip_stream.h"

#define PIECE_BYTES 1024u
#define LINE_BYTES_MAX (16u << 20)

struct gzip_lines_cfg {
    slice charset;
    struct text_event_cfg text;
};

struct gzip_lines_state {
    struct text_event_state text;
    struct gzip_stream *gzip;
    struct buf lines; /* decompressed, from `at` on not yet in events */
    size_t at;
    bool begun;  /* a stream */
    bool broken; /* the rest of it is left out */
    struct log_gate gate;
};

/* The rest of the stream is lost. */
static void fail(struct gzip_lines_state *s, const struct decode *d, const char *why)
{
    uint64_t held;
    decode_dropped(d);
    s->broken = true;
    s->lines.n = s->at = 0;
    if (log_gate_open(&s->gate, &held))
        log_error("codecs.gzip_lines", "cannot decompress: %s (%llu more since the last report)",
                  why, (unsigned long long)held);
}

/* Decompresses one piece behind the lines that wait. */
static void feed(struct gzip_lines_state *s, const struct decode *d, slice piece)
{
    if (s->at > 0) memmove(s->lines.data, s->lines.data + s->at, s->lines.n - s->at);
    s->lines.n -= s->at;
    s->at = 0;
    for (;;) {
        uint32_t n = 0;
        buf_room(&s->lines, 16384);
        int step = gzip_stream_run(s->gzip, &piece, buf_end(&s->lines), 16384, &n);
        s->lines.n += n;
        if (step < 0) {
            /* The lines before the error are good, but not the one that it cut. */
            const char *last = memrchr(s->lines.data, '\n', s->lines.n);
            fail(s, d, gzip_stream_reason(s->gzip));
            s->lines.n = last == NULL ? 0 : (size_t)(last - s->lines.data) + 1;
            return;
        }
        if (step != GZIP_FULL && (piece.n == 0 || n == 0)) return;
    }
}

static bool line_add(struct gzip_lines_state *s, const struct gzip_lines_cfg *cfg, struct decode *d,
                     bool last)
{
    if (s->lines.n == s->at) return false;
    slice rest = slice_make(s->lines.data + s->at, s->lines.n - s->at);
    int64_t end = slice_find_byte(rest, '\n');
    if (end < 0 && !last) {
        if (rest.n > LINE_BYTES_MAX) fail(s, d, "a line is too long");
        return false;
    }
    struct arena *arena = &d->batch->arena;
    slice line = arena_copy(arena, slice_part(rest, 0, end < 0 ? rest.n : (uint32_t)end + 1));
    slice text = text_event_decode(&s->text, &cfg->text, line, false, arena);
    if (text_event_add(&cfg->text, d->batch, text) == NULL) return false;
    s->at += line.n;
    return true;
}

/* The stream ends, and the next begins. */
static void flush(void *state, const void *cfg, struct decode *d)
{
    struct gzip_lines_state *s = state;
    while (line_add(s, cfg, d, true)) continue;
    if (!s->broken && s->begun && !gzip_stream_at_end(s->gzip)) fail(s, d, "it ends too early");
    gzip_stream_reset(s->gzip);
    s->lines.n = s->at = 0;
    s->begun = s->broken = false;
}

static uint32_t decode(void *state, const void *cfg, slice in, struct decode *d)
{
    struct gzip_lines_state *s = state;
    uint32_t at = 0;
    for (;;) {
        bool all = at == in.n;
        while ((all || d->batch->n < d->events_max) && line_add(s, cfg, d, false)) continue;
        if (all) break;
        if (d->batch->n >= d->events_max) return at;
        uint32_t left = in.n - at;
        uint32_t n = left == 1 ? 1 : left - 1 < PIECE_BYTES ? left - 1 : PIECE_BYTES;
        if (!s->broken) feed(s, d, slice_part(in, at, n));
        at += n;
    }
    s->begun = s->begun || in.n > 0;
    if (d->end) flush(state, cfg, d);
    return at;
}

static err compile(void *config, struct compiler *c)
{
    struct gzip_lines_cfg *cfg = config;
    return text_event_compile(&cfg->text, cfg->charset, false, c);
}

static err start(void *state, const void *cfg)
{
    struct gzip_lines_state *s = state;
    s->gzip = gzip_stream_new(GZIP_GZIP, 0);
    return text_event_start(&s->text, &((const struct gzip_lines_cfg *)cfg)->text);
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct gzip_lines_state *s = state;
    gzip_stream_free(s->gzip);
    buf_fini(&s->lines);
    text_event_stop(&s->text);
}

static const struct setting gzip_lines_settings[] = {
    {.name = "charset",
     SETTING_AT(struct gzip_lines_cfg, charset, STRING),
     .default_text = "UTF-8",
     .doc = "Character encoding of the decompressed text."},
    {0},
};

const struct codec_ops codec_gzip_lines = {
    .name = "gzip_lines",
    .doc = "Lines of text compressed with gzip; decodes only.",
    .settings = gzip_lines_settings,
    .cfg_size = sizeof(struct gzip_lines_cfg),
    .state_size = sizeof(struct gzip_lines_state),
    .compile = compile,
    .start = start,
    .decode = decode,
    .flush = flush,
    .stop = stop,
};
