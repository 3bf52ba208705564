/*
 * graphite.c - lines of "metric value seconds", as Graphite's carbon reads them.
 *
 * Decoding makes an event of each line, encoding a line of each metric that the expressions let
 * through. Numbers are Ruby's to_f: text that is none is 0.0.
 */
#include "engine/base/civil.h"
#include "engine/base/log.h"
#include "engine/base/number.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/text_event.h"
#include "parsers/grok/regex.h"
#include "parsers/text/ruby_number.h"

#define NS_PER_SEC INT64_C(1000000000)
#define RENDERED_BYTES_MAX 1024u

struct regexes {
    struct regex **at;
    uint32_t n;
};

struct metric {
    struct template name, value;
};

struct graphite_cfg {
    struct config_hash metrics;
    struct config_list include, exclude;
    bool fields_are_metrics, as_key_value;
    slice format_text;

    struct text_event_cfg text;
    struct regexes included, excluded;
    struct metric *metric;
    uint32_t metric_n;
    struct template format;
};

struct graphite_state {
    struct text_event_state text;
    struct regex_scratch *scratch;
    struct buf name, value;
};

/* ---- decoding ----------------------------------------------------------------- */

/* The next word, cut off the front; empty at the end. */
static slice word_cut(slice *text)
{
    slice rest = slice_trim(*text);
    uint32_t n = 0;
    while (n < rest.n && rest.p[n] != ' ' && (rest.p[n] < '\t' || rest.p[n] > '\r')) n++;
    *text = slice_from(rest, n);
    return slice_part(rest, 0, n);
}

static void line_decode(void *state, const void *cfg_, slice line, struct decode *d)
{
    struct graphite_state *s = state;
    const struct graphite_cfg *cfg = cfg_;
    struct arena *arena = &d->batch->arena;
    line = text_event_decode(&s->text, &cfg->text, line, false, arena);
    slice name = word_cut(&line), value = word_cut(&line), time = word_cut(&line);
    if (name.n == 0) return;
    struct map map = {0};
    struct value number = value_float(ruby_to_f(value));
    if (cfg->as_key_value) {
        map_put(&map, arena, key_borrow(SLICE("key")), value_string(name));
        name = SLICE("value");
    }
    map_put(&map, arena, key_borrow(name), number);
    struct event *ev = codec_event(d->batch, NULL, map);
    struct value seconds = ruby_to_i(time, arena);
    int64_t ns;
    if (ev != NULL && seconds.type == VALUE_INT &&
        !__builtin_mul_overflow(seconds.u.num, NS_PER_SEC, &ns))
        ev->time = value_time(ns);
}

static uint32_t decode(void *state, const void *cfg, slice in, struct decode *d)
{
    return codec_frames(in, SLICE("\n"), d, line_decode, state, cfg);
}

/* ---- encoding ----------------------------------------------------------------- */

static bool any_matches(const struct regexes *list, struct graphite_state *s, slice name)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (regex_search(list->at[i], s->scratch, name, 0, NULL) == REGEX_MATCH) return true;
    return false;
}

static bool wanted(const struct graphite_cfg *cfg, struct graphite_state *s, slice name)
{
    bool all = cfg->fields_are_metrics && cfg->included.n == 0;
    return (all || any_matches(&cfg->included, s, name)) && !any_matches(&cfg->excluded, s, name);
}

/* The format, with the metric's name for each star in it. */
static void line_add(const struct graphite_cfg *cfg, struct batch *b, struct event *ev, slice name,
                     slice value, struct buf *out)
{
    slice format = template_render(&cfg->format, b, ev, NULL);
    for (uint32_t i = 0; i < format.n; i++) {
        if (format.p[i] == '*')
            buf_add_slice(out, name);
        else
            buf_add_byte(out, format.p[i]);
    }
    char text[NUMBER_TEXT_MAX];
    buf_add_byte(out, ' ');
    buf_add(out, text, number_f64_ruby(ruby_to_f(value), text));
    buf_add_byte(out, ' ');
    if (ev->time.type == VALUE_TIME) {
        int64_t seconds = civil_floor_div(ev->time.u.time_ns, NS_PER_SEC);
        buf_add(out, text, number_i64_text(seconds, text));
    }
    buf_add_byte(out, '\n');
}

/* References in what a field holds are replaced, too; no name and no number is longer. */
static slice text_render(struct batch *b, struct event *ev, slice text)
{
    struct template t;
    struct template_error error;
    if (text.n > RENDERED_BYTES_MAX || slice_find(text, SLICE("%{")) < 0) return text;
    if (template_compile(&t, text, &b->arena, &error) == ERR_OK)
        text = arena_copy(&b->arena, template_render(&t, b, ev, NULL));
    template_fini(&t);
    return text;
}

static void fields_add(const struct graphite_cfg *cfg, struct graphite_state *s, struct batch *b,
                       struct event *ev, struct buf *out)
{
    for (uint32_t i = 0; i < ev->data.n; i++) {
        struct member *m = &ev->data.at[i];
        slice name = slice_make(m->key, m->key_n);
        if (slice_equal(name, SLICE("@version")) || !wanted(cfg, s, name)) continue;
        value_resolve(&m->val, &b->arena);
        s->value.n = 0;
        /* A list is "[..." to Ruby and a map "{...", which are no numbers. */
        if (m->val.type != VALUE_LIST && m->val.type != VALUE_MAP)
            value_text_ruby(&m->val, &b->arena, &s->value);
        line_add(cfg, b, ev, name, text_render(b, ev, buf_slice(&s->value)), out);
    }
}

static void encode(void *state, const void *cfg_, struct batch *b, struct event *ev,
                   struct buf *out)
{
    const struct graphite_cfg *cfg = cfg_;
    struct graphite_state *s = state;
    if (cfg->fields_are_metrics) fields_add(cfg, s, b, ev, out);
    for (uint32_t i = 0; !cfg->fields_are_metrics && i < cfg->metric_n; i++) {
        s->name.n = s->value.n = 0;
        template_add(&cfg->metric[i].name, b, ev, &s->name, NULL);
        if (!wanted(cfg, s, buf_slice(&s->name))) continue;
        template_add(&cfg->metric[i].value, b, ev, &s->value, NULL);
        line_add(cfg, b, ev, text_render(b, ev, buf_slice(&s->name)), buf_slice(&s->value), out);
    }
}

/* ---- life --------------------------------------------------------------------- */

static err start(void *state, const void *cfg)
{
    struct graphite_state *s = state;
    s->scratch = regex_scratch_new();
    return text_event_start(&s->text, &((const struct graphite_cfg *)cfg)->text);
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct graphite_state *s = state;
    regex_scratch_free(s->scratch);
    buf_fini(&s->name);
    buf_fini(&s->value);
    text_event_stop(&s->text);
}

static err compile_regexes(struct compiler *c, struct regexes *out, struct config_list list)
{
    out->at = heap_alloc(c->heap, (list.n + 1) * sizeof(*out->at));
    for (uint32_t i = 0; i < list.n; i++) {
        struct grok_error error;
        out->at[i] = regex_new(list.at[i].text, 0, &error);
        if (out->at[i] == NULL) {
            diag_error(c->diag, list.at[i].pos, NULL, "not a regular expression: %s", error.text);
            return ERR_CONFIG;
        }
        out->n++;
    }
    return ERR_OK;
}

static err compile_metrics(struct graphite_cfg *cfg, struct compiler *c)
{
    cfg->metric = heap_alloc(c->heap, (cfg->metrics.n + 1) * sizeof(*cfg->metric));
    for (uint32_t i = 0; i < cfg->metrics.n; i++) {
        const struct config_pair *pair = &cfg->metrics.at[i];
        struct metric *m = &cfg->metric[cfg->metric_n++];
        err e = compile_template(c, &m->name, pair->key.text, pair->key.pos);
        if (e == ERR_OK) e = compile_template(c, &m->value, pair->val.text, pair->val.pos);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

static err compile(void *config, struct compiler *c)
{
    struct graphite_cfg *cfg = config;
    err e = text_event_compile(&cfg->text, SLICE("UTF-8"), false, c);
    if (e == ERR_OK) e = compile_regexes(c, &cfg->included, cfg->include);
    if (e == ERR_OK) e = compile_regexes(c, &cfg->excluded, cfg->exclude);
    if (e == ERR_OK) e = compile_metrics(cfg, c);
    if (e != ERR_OK) return e;
    return compile_template(c, &cfg->format, cfg->format_text,
                            settings_pos(c->plugin, "metrics_format"));
}

static void release(void *config)
{
    struct graphite_cfg *cfg = config;
    for (uint32_t i = 0; i < cfg->included.n; i++) regex_free(cfg->included.at[i]);
    for (uint32_t i = 0; i < cfg->excluded.n; i++) regex_free(cfg->excluded.at[i]);
    for (uint32_t i = 0; i < cfg->metric_n; i++) {
        template_fini(&cfg->metric[i].name);
        template_fini(&cfg->metric[i].value);
    }
    template_fini(&cfg->format);
}

#define GRAPHITE_AT(member, kind) SETTING_AT(struct graphite_cfg, member, kind)

/* clang-format off */
static const struct setting graphite_settings[] = {
    {.name = "metrics", GRAPHITE_AT(metrics, HASH), .default_text = "{}",
     .doc = "Names and values of the metrics to write; both may contain %{field}."},
    {.name = "fields_are_metrics", GRAPHITE_AT(fields_are_metrics, BOOL), .default_text = "false",
     .doc = "Write every field of the event as a metric instead."},
    {.name = "include_metrics", GRAPHITE_AT(include, LIST), .default_text = "[\".*\"]",
     .doc = "Regular expressions; only metrics whose name matches one are written."},
    {.name = "exclude_metrics", GRAPHITE_AT(exclude, LIST), .default_text = "[\"%\\{[^}]+\\}\"]",
     .doc = "Regular expressions; metrics whose name matches one are not written."},
    {.name = "metrics_format", GRAPHITE_AT(format_text, STRING), .default_text = "*",
     .doc = "Name to write; each `*` is the metric's own name."},
    {.name = "as_key_value", GRAPHITE_AT(as_key_value, BOOL), .default_text = "false",
     .doc = "Decode to the fields `key` and `value` instead of one field named like the metric."},
    {0}};
/* clang-format on */

const struct codec_ops codec_graphite = {
    .name = "graphite",
    .doc = "Lines of metrics as Graphite takes them.",
    .settings = graphite_settings,
    .cfg_size = sizeof(struct graphite_cfg),
    .state_size = sizeof(struct graphite_state),
    .compile = compile,
    .release = release,
    .start = start,
    .ends_at_newline = codec_ends_at_newline,
    .decode = decode,
    .encode = encode,
    .stop = stop,
};
