/*
 * spec_codec.c - runs the cases of codecs: bytes to events and events to bytes.
 *
 * Messages are given to the codec as inputs of datagrams do: whole, and until all is used. They are
 * run three times: with bytes that outlive the call, with bytes that do not, and with a batch that
 * is full after each event. Streams go through the feed of a shard: whole, in two pieces cut at
 * every byte, and byte by byte; the events must be the same, and those of the stream as a message.
 */
#include "tests/spec/spec.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/spec/codec_stage.h"

#define SPEC_CUTS_MAX 1024u

bool spec_is_codec(const struct spec *spec)
{
    return slice_starts(spec->config, SLICE("codec "));
}

const struct registry *codec_registry(void)
{
    return codec_stage_registry();
}

/* Lines and, but for the first, columns stay what they are in the file. */
void codec_config(const struct spec *spec, struct buf *out)
{
    slice codec = slice_trim(slice_from(spec->config, 6));
    if (spec->text.given)
        buf_printf(out, "input { probe { } } output { sink { codec => %.*s\n} }", SLICE_FMT(codec));
    else
        buf_printf(out, "input { probe { codec => %.*s\n} } output { sink { } }", SLICE_FMT(codec));
}

struct codec_case {
    struct runner *r;
    const struct spec *spec;
    const struct codec *codec;
    struct buf bytes[SPEC_STEPS_MAX];
};

/* ---- messages -------------------------------------------------------------------- */

static void batch_collect(struct codec_case *c)
{
    struct batch *b = &c->r->batch;
    for (uint32_t i = 0; i < b->n; i++)
        if (!docs_add(c->r, c->spec, &b->event[i])) break;
    batch_reset(b);
    b->now_ns = CODEC_STAGE_NOW_NS;
}

enum message_memory { MEMORY_STAYS, MEMORY_GOES };

static void message_decode(struct codec_case *c, void *state, slice message,
                           enum message_memory memory, uint32_t events_max)
{
    struct batch *b = &c->r->batch;
    struct blob outlives = {.pins = 1};
    struct decode d = {.batch = b,
                       .events_max = events_max,
                       .blob = memory == MEMORY_STAYS ? &outlives : NULL,
                       .end = true};
    char *copy = calloc(1, (size_t)message.n + JSON_PAD);
    ASSERT(copy != NULL);
    if (message.n > 0) memcpy(copy, message.p, message.n);
    for (uint32_t at = 0;;) {
        slice rest = slice_make(copy + at, message.n - at);
        uint32_t used = c->codec->ops->decode(state, c->codec->cfg, rest, &d);
        bool full = b->n >= events_max;
        at += used;
        if (memory == MEMORY_GOES) memset(copy, 'X', at);
        batch_collect(c);
        if (at == message.n || (used == 0 && !full)) break;
    }
    free(copy);
    if (c->codec->ops->flush != NULL) c->codec->ops->flush(state, c->codec->cfg, &d);
    batch_collect(c);
}

static void messages_run(struct codec_case *c, const char *how, enum message_memory memory,
                         uint32_t events_max)
{
    snprintf(c->r->how, sizeof(c->r->how), " [%s]", how);
    void *state = codec_stage_start(c->codec);
    docs_clear(c->r);
    batch_reset(&c->r->batch);
    c->r->batch.now_ns = CODEC_STAGE_NOW_NS;
    for (uint32_t i = 0; i < c->spec->step_n; i++)
        if (!c->spec->step[i].idle)
            message_decode(c, state, buf_slice(&c->bytes[i]), memory, events_max);
    codec_stage_stop(c->codec, state);
    docs_compare(c->r, c->spec);
}

/* ---- streams --------------------------------------------------------------------- */

static void stream_take(void *owner, struct batch *b, const struct sel *sel)
{
    struct codec_case *c = owner;
    for (uint32_t i = 0; i < sel->n; i++)
        if (!docs_add(c->r, c->spec, &b->event[sel->at[i]])) return;
}

/* Cut before byte `cut`, and then every `piece` bytes. */
static void stream_run(struct codec_case *c, struct codec_stage *stage, uint32_t cut,
                       uint32_t piece)
{
    docs_clear(c->r);
    codec_stage_open(stage, c->codec);
    uint32_t before = 0;
    for (uint32_t i = 0; i < c->spec->step_n; i++) {
        slice rest = buf_slice(&c->bytes[i]);
        if (c->spec->step[i].idle) codec_stage_idle(stage);
        while (rest.n > 0) {
            uint32_t n = cut > before ? cut - before : piece;
            slice part = slice_part(rest, 0, n);
            codec_stage_bytes(stage, part);
            before += part.n;
            rest = slice_from(rest, part.n);
        }
    }
    codec_stage_close(stage, !c->spec->open);
    docs_compare(c->r, c->spec);
}

static void streams_run(struct codec_case *c, struct plan *plan)
{
    struct codec_stage *stage = calloc(1, sizeof(*stage));
    ASSERT(stage != NULL);
    size_t total = 0;
    for (uint32_t i = 0; i < c->spec->step_n; i++) total += c->bytes[i].n;
    codec_stage_init(stage, plan);
    codec_stage_take = stream_take;
    codec_stage_owner = c;
    snprintf(c->r->how, sizeof(c->r->how), " [stream]");
    stream_run(c, stage, 0, UINT32_MAX);
    for (uint32_t cut = 1; cut < total && cut < SPEC_CUTS_MAX && !c->r->case_failed; cut++) {
        snprintf(c->r->how, sizeof(c->r->how), " [stream cut before byte %u]", cut);
        stream_run(c, stage, cut, UINT32_MAX);
    }
    snprintf(c->r->how, sizeof(c->r->how), " [stream byte by byte]");
    if (!c->r->case_failed) stream_run(c, stage, 0, 1);
    codec_stage_fini(stage);
    free(stage);
}

static void decode_try(struct codec_case *c, struct plan *plan)
{
    bool ok = true;
    c->codec = codec_stage_decoder(plan, 0);
    if (c->codec->ops->decode == NULL) {
        fail_at(c->r, c->spec, c->spec->line, "the codec does not decode");
        return;
    }
    for (uint32_t i = 0; i < c->spec->step_n && ok; i++)
        ok = part_bytes(c->r, c->spec, &c->spec->step[i].bytes, &c->bytes[i]);
    if (ok && !c->spec->open && (!c->spec->stream || c->spec->step_n == 1)) {
        messages_run(c, "message", MEMORY_STAYS, BATCH_EVENTS_MAX);
        if (!c->r->case_failed) messages_run(c, "copied message", MEMORY_GOES, BATCH_EVENTS_MAX);
        if (!c->r->case_failed) messages_run(c, "batches of one", MEMORY_GOES, 1);
    }
    if (ok && c->spec->stream) streams_run(c, plan);
    for (uint32_t i = 0; i < c->spec->step_n; i++) buf_fini(&c->bytes[i]);
}

/* ---- encoding -------------------------------------------------------------------- */

static void buf_escape(slice bytes, struct buf *out)
{
    for (uint32_t i = 0; i < bytes.n; i++) {
        unsigned char ch = (unsigned char)bytes.p[i];
        if (ch == '\n')
            buf_add_cstr(out, "\\n");
        else if (ch == '\\')
            buf_add_cstr(out, "\\\\");
        else if (ch < ' ' || ch >= 0x7f)
            buf_printf(out, "\\x%02x", ch);
        else
            buf_add_byte(out, (char)ch);
    }
}

static void encode_try(struct codec_case *c, struct plan *plan)
{
    struct batch *b = &c->r->batch;
    struct buf want = {0}, got = {0}, shown = {0};
    c->codec = codec_stage_encoder(plan, 0);
    b->now_ns = CODEC_STAGE_NOW_NS;
    bool ok = c->codec->ops->encode != NULL;
    if (!ok) fail_at(c->r, c->spec, c->spec->line, "the codec does not encode");
    if (ok && events_read(c->r, c->spec) && part_bytes(c->r, c->spec, &c->spec->text, &want)) {
        void *state = codec_stage_start(c->codec);
        for (uint32_t i = 0; i < b->n; i++)
            c->codec->ops->encode(state, c->codec->cfg, b, &b->event[i], &got);
        codec_stage_stop(c->codec, state);
        buf_escape(buf_slice(&got), &shown);
        if (!slice_equal(buf_slice(&got), buf_slice(&want)))
            fail_at(c->r, c->spec, c->spec->text.line, "the text is\n%s", buf_cstr(&shown));
    }
    batch_reset(b);
    buf_fini(&want);
    buf_fini(&got);
    buf_fini(&shown);
}

void codec_try(struct runner *r, const struct spec *spec, struct plan *plan)
{
    struct codec_case c = {.r = r, .spec = spec};
    if (spec->text.given)
        encode_try(&c, plan);
    else
        decode_try(&c, plan);
    r->how[0] = 0;
}
