/*
 * multiline.c - several lines of text become one event.
 *
 * Lines that match `pattern` (or do not, with `negate`) belong to the previous or the next line.
 * Nothing is copied while an event is incomplete: its lines stay with the caller as a frame that
 * has not ended, so that a source acknowledges them only once they are in an event. The state
 * remembers how far they have been looked at. Bounds as in Logstash: an event ends early with the
 * line that comes after more than max_lines lines or at least max_bytes bytes.
 */
#include <string.h>

#include "engine/plan/pattern_dict.h"
#include "engine/plan/text_event.h"
#include "parsers/scan/newline.h"
#include "parsers/scan/utf8_scan.h"

/* Room in a frame for the lines before and after the bound is noticed. */
#define MULTILINE_FRAME_BYTES_MIN (64u << 20)
#define MULTILINE_BYTES_MAX (256 << 20)

enum { WHAT_PREVIOUS, WHAT_NEXT };
static const char *const whats[] = {"previous", "next", NULL};

struct multiline_cfg {
    slice pattern, charset, tag;
    int what;
    bool negate;
    struct config_list patterns_dir;
    int64_t max_lines, max_bytes, auto_flush_ns;

    struct text_event_cfg text;
    struct grok_set *set;
    uint64_t serial; /* tells configurations apart, for the scratch */
};

struct multiline_state {
    struct text_event_state text;
    struct grok_scratch *scratch;
    uint64_t serial; /* of the configuration the scratch was made for */
    /* The event that is being gathered; its bytes are the first `seen` of what comes next. */
    uint32_t seen, lines, bytes;
};

/* One call of decode(). */
struct gather {
    struct multiline_state *s;
    const struct multiline_cfg *cfg;
    struct decode *d;
    slice in;
    bool good; /* in[good_from, n) is valid UTF-8, and that is what it should be */
    uint32_t good_from;
    uint32_t start; /* of the event being gathered, in `in` */
};

static bool over_bytes(const struct gather *g)
{
    return g->s->bytes >= g->cfg->max_bytes;
}

static bool over_lines(const struct gather *g)
{
    return g->s->lines > g->cfg->max_lines;
}

/* Lines in another charset, or with bytes that are wrong in theirs, are converted one by one. */
static slice convert_lines(struct gather *g, slice raw)
{
    struct arena *arena = &g->d->batch->arena;
    struct buf out = {0};
    for (uint32_t at = 0; at <= raw.n;) {
        int64_t end = newline_find(raw, at);
        slice line = slice_part(raw, at, end < 0 ? raw.n - at : (uint32_t)end - at);
        if (at > 0) buf_add_byte(&out, '\n');
        buf_add_slice(&out, text_event_decode(&g->s->text, &g->cfg->text, line, false, arena));
        at += line.n + 1;
    }
    slice text = arena_copy(arena, buf_slice(&out));
    buf_fini(&out);
    return text;
}

static void tag(struct gather *g, struct event *ev, slice name)
{
    event_tag(g->d->batch, ev, name, true);
}

/* The lines of in[start, end) are an event; false when the batch takes no more. */
static bool emit(struct gather *g, uint32_t end)
{
    struct batch *b = g->d->batch;
    if (b->n >= g->d->events_max) return false;
    slice raw = slice_part(g->in, g->start, end - g->start);
    if (slice_ends(raw, SLICE("\n"))) raw.n--;
    bool plain = (g->good && g->start >= g->good_from) ||
                 (g->cfg->text.charset->utf8 && utf8_scan_valid(raw));
    slice text = plain ? decode_keep(g->d, raw) : convert_lines(g, raw);
    struct event *ev = text_event_add(&g->cfg->text, b, text);
    if (ev == NULL) return false;
    if (g->s->lines > 1 && g->cfg->tag.n > 0) tag(g, ev, g->cfg->tag);
    if (over_bytes(g)) tag(g, ev, SLICE("multiline_codec_max_bytes_reached"));
    if (over_lines(g)) tag(g, ev, SLICE("multiline_codec_max_lines_reached"));
    g->s->lines = g->s->bytes = 0;
    g->start = end;
    return true;
}

/* A search that gives up counts as no match. */
static bool belongs(struct gather *g, slice line)
{
    struct grok_result result;
    slice text = text_event_decode(&g->s->text, &g->cfg->text, line, g->good, &g->d->batch->arena);
    bool match = grok_match(g->cfg->set, g->s->scratch, text, 0, &result) == GROK_MATCH;
    return match != g->cfg->negate;
}

/* Takes the line in[at, end), behind which the next begins at `next`; false when the batch is
 * full before it could be taken. */
static bool take_line(struct gather *g, uint32_t at, uint32_t end, uint32_t next)
{
    struct multiline_state *s = g->s;
    bool joins = belongs(g, slice_part(g->in, at, end - at));
    if (g->cfg->what == WHAT_PREVIOUS && s->lines > 0 &&
        (!joins || over_lines(g) || over_bytes(g)) && !emit(g, at))
        return false;
    s->lines++;
    s->bytes += end - at;
    if (g->cfg->what == WHAT_NEXT && (!joins || over_lines(g) || over_bytes(g)))
        return emit(g, next);
    return true;
}

static void scratch_renew(struct multiline_state *s, const struct multiline_cfg *cfg)
{
    grok_scratch_free(s->scratch);
    s->scratch = grok_scratch_new(cfg->set);
    s->serial = cfg->serial;
}

static uint32_t decode(void *state, const void *cfg_, slice in, struct decode *d)
{
    struct multiline_state *s = state;
    const struct multiline_cfg *cfg = cfg_;
    /* A reload keeps the state and brings another configuration with the same options. */
    if (s->serial != cfg->serial) scratch_renew(s, cfg);
    if (s->seen > in.n) s->seen = s->lines = s->bytes = 0;
    uint32_t at = s->seen;
    struct gather g = {.s = s, .cfg = cfg, .d = d, .in = in, .good_from = at};
    g.good = cfg->text.charset->utf8 && utf8_scan_valid(slice_from(in, at));
    while (at < in.n && d->batch->n < d->events_max) {
        int64_t newline = newline_find(in, at);
        if (newline < 0 && !d->end) break;
        uint32_t end = newline < 0 ? in.n : (uint32_t)newline;
        uint32_t next = newline < 0 ? in.n : end + 1;
        if (!take_line(&g, at, end, next)) break;
        at = next;
    }
    bool all = d->end ? at == in.n : d->idle;
    if (all && s->lines > 0) emit(&g, at);
    s->seen = at - g.start;
    return g.start;
}

static err compile_pattern(struct multiline_cfg *cfg, struct compiler *c)
{
    struct pattern_dict dict;
    struct grok_error error = {0};
    struct grok_options options = {.cache_dir = c->cache_dir};
    err e = pattern_dict_open(&dict, c, &cfg->patterns_dir, SLICE("*"), NULL);
    if (e == ERR_OK) {
        cfg->set = grok_set_new(&cfg->pattern, 1, dict.own, &options, &error);
        if (cfg->set == NULL) {
            compile_error(c, "pattern", NULL, "grok: %s", error.text);
            e = ERR_CONFIG;
        }
    }
    pattern_dict_close(&dict);
    return e;
}

static err compile(void *cfg_, struct compiler *c)
{
    static uint64_t serial;
    struct multiline_cfg *cfg = cfg_;
    cfg->serial = ++serial;
    err e = text_event_compile(&cfg->text, cfg->charset, compiler_is_ecs(c), c);
    return e == ERR_OK ? compile_pattern(cfg, c) : e;
}

static void release(void *cfg_)
{
    struct multiline_cfg *cfg = cfg_;
    if (cfg->set != NULL) grok_set_free(cfg->set);
    cfg->set = NULL;
}

static uint32_t frame_bytes_max(const void *cfg)
{
    int64_t twice = 2 * ((const struct multiline_cfg *)cfg)->max_bytes;
    return twice > MULTILINE_FRAME_BYTES_MIN ? (uint32_t)twice : MULTILINE_FRAME_BYTES_MIN;
}

/* Lines that wait have been looked at: without the end of another one nothing changes. */
static bool ends_at_newline(const void *cfg)
{
    (void)cfg;
    return true;
}

static int64_t idle_ns(const void *cfg)
{
    return ((const struct multiline_cfg *)cfg)->auto_flush_ns;
}

static err start(void *state, const void *cfg_)
{
    struct multiline_state *s = state;
    const struct multiline_cfg *cfg = cfg_;
    scratch_renew(s, cfg);
    err e = text_event_start(&s->text, &cfg->text);
    if (e != ERR_OK) grok_scratch_free(s->scratch);
    return e;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct multiline_state *s = state;
    text_event_stop(&s->text);
    grok_scratch_free(s->scratch);
    s->scratch = NULL;
}

#define MULTILINE_AT(member, kind) SETTING_AT(struct multiline_cfg, member, kind)

/* clang-format off */
static const struct setting multiline_settings[] = {
    {.name = "pattern", MULTILINE_AT(pattern, STRING), .flags = SETTING_REQUIRED,
     .doc = "Grok pattern that tells which lines belong to another."},
    {.name = "what", MULTILINE_AT(what, ENUM), .flags = SETTING_REQUIRED, .choices = whats,
     .doc = "Whether such a line belongs to the line before or after it."},
    {.name = "negate", MULTILINE_AT(negate, BOOL), .default_text = "false",
     .doc = "Lines that do not match are those that belong to another."},
    {.name = "patterns_dir", MULTILINE_AT(patterns_dir, LIST), .default_text = "[]",
     .doc = "Folders, files or globs of pattern files; they win over the built-in patterns."},
    {.name = "charset", MULTILINE_AT(charset, STRING), .default_text = "UTF-8",
     .doc = "Character encoding of the input."},
    {.name = "multiline_tag", MULTILINE_AT(tag, STRING), .default_text = "multiline",
     .doc = "Tag of events of more than one line; empty for none."},
    {.name = "max_lines", MULTILINE_AT(max_lines, INT), .default_text = "500", .min = 1,
     .max = 1 << 30, .doc = "An event with more lines than this ends early and is tagged "
                            "`multiline_codec_max_lines_reached`."},
    {.name = "max_bytes", MULTILINE_AT(max_bytes, BYTES), .default_text = "10 MiB", .min = 1,
     .max = MULTILINE_BYTES_MAX, .doc = "An event of this many bytes ends early and is tagged "
                                        "`multiline_codec_max_bytes_reached`."},
    {.name = "auto_flush_interval", MULTILINE_AT(auto_flush_ns, DURATION),
     .doc = "Seconds without new lines after which the last event is complete; without it, it "
            "waits for the next line or the end of the stream."},
    {0}};
/* clang-format on */

const struct codec_ops codec_multiline = {
    .name = "multiline",
    .doc = "Joins lines that belong together, such as stack traces, to one event.",
    .flags = CODEC_GATHERS_LINES,
    .settings = multiline_settings,
    .cfg_size = sizeof(struct multiline_cfg),
    .state_size = sizeof(struct multiline_state),
    .compile = compile,
    .release = release,
    .frame_bytes_max = frame_bytes_max,
    .ends_at_newline = ends_at_newline,
    .idle_ns = idle_ns,
    .start = start,
    .decode = decode,
    .stop = stop,
};
