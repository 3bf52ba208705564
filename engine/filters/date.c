/*
 * date.c - text in a field becomes @timestamp, or a time in another field.
 *
 * Formats are tried in order, the first that reads the whole value wins. Only UNIX and UNIX_MS
 * take numbers. `timezone` is where text without a zone comes from; with %{field} in it the zone is
 * looked up for each event, and text of an event whose zone is unknown is a failure. A missing
 * or null field is neither success nor failure. Times too far away for a time value (outside
 * 1677..2262) become their text in fields other than @timestamp. State: what each format's last
 * parse found out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/civil.h"
#include "engine/base/clock.h"
#include "engine/plan/common_options.h"
#include "parsers/text/date_parse.h"

struct date_cfg {
    struct config_list match, tag_on_failure;
    slice target_name, timezone, locale;
    struct fieldref source, target;
    struct template zone_name;
    const struct tz *zone; /* NULL: named by zone_name for each event */
    struct date_format **format;
    bool *numeric; /* the format does not care for zones */
    uint32_t format_n;
};

struct date_run_state {
    struct date_state *format; /* one per format, heap */
    struct counter matches, failures;
};

/* ISO 8601 as java.time writes it: years beyond 9999 have a plus. */
static struct value far_text(int64_t ms, struct batch *b)
{
    char text[48];
    int64_t days = civil_floor_div(ms, 1000 * CIVIL_DAY_SEC);
    struct civil_date date = civil_from_days(days);
    uint32_t rest = (uint32_t)(ms - days * 1000 * CIVIL_DAY_SEC), second = rest / 1000;
    const char *sign = date.year < 0 ? "-" : date.year > 9999 ? "+" : "";
    int n =
        snprintf(text, sizeof(text), "%s%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", sign, abs(date.year),
                 date.month, date.day, second / 3600, second / 60 % 60, second % 60, rest % 1000);
    return value_string(arena_copy(&b->arena, slice_make(text, (size_t)n)));
}

/* Milliseconds of years that are shown with at most nine digits. */
static bool is_far(const struct date_cfg *cfg, int64_t ms)
{
    const int64_t limit = INT64_C(100000000) * 366 * CIVIL_DAY_SEC * 1000;
    return cfg->target.root != FIELD_TIMESTAMP && ms != DATE_UNREAD && ms < limit && ms > -limit;
}

/* True when a format reads the value. */
static bool date_read(struct date_run_state *s, const struct date_cfg *cfg, struct batch *b,
                      struct event *ev, const struct value *v, struct value *out)
{
    const struct tz *zone = cfg->zone;
    if (zone == NULL && v->type == VALUE_STRING)
        zone = tz_find(template_render(&cfg->zone_name, b, ev, NULL));
    for (uint32_t i = 0; i < cfg->format_n; i++) {
        bool ok = false;
        int64_t ns = DATE_UNREAD;
        if (v->type == VALUE_STRING && (zone != NULL || cfg->numeric[i]))
            ok = date_parse(cfg->format[i], &s->format[i], value_slice(v),
                            zone == NULL ? tz_utc() : zone, b->now_ns, &ns);
        else if (v->type == VALUE_INT)
            ok = date_parse_int(cfg->format[i], v->u.num, &ns);
        else if (v->type == VALUE_FLOAT)
            ok = date_parse_float(cfg->format[i], v->u.real, &ns);
        if (!ok && !is_far(cfg, ns)) continue;
        *out = ok ? value_time(ns) : far_text(ns, b);
        return true;
    }
    return false;
}

static enum applied date_apply(void *state, const void *config, struct batch *b,
                               const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct date_cfg *cfg = config;
    struct date_run_state *s = state;
    (void)run;
    uint32_t failures = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        const struct value *v = event_get(b, ev, &cfg->source);
        struct value time;
        if (v == NULL || v->type == VALUE_NIL) continue;
        if (date_read(s, cfg, b, ev, v, &time) && event_put(b, ev, &cfg->target, time) == ERR_OK) {
            sel_add(hit, in->at[i]);
            continue;
        }
        failures++;
        for (uint32_t k = 0; k < cfg->tag_on_failure.n; k++)
            event_tag(b, ev, cfg->tag_on_failure.at[k].text, true);
    }
    counter_add(&s->matches, hit->n);
    counter_add(&s->failures, failures);
    return APPLIED;
}

static err date_start(void *state, const void *config, struct worker *worker)
{
    const struct date_cfg *cfg = config;
    struct date_run_state *s = state;
    (void)worker;
    s->format = calloc(cfg->format_n, sizeof(*s->format));
    ASSERT(s->format != NULL);
    return ERR_OK;
}

static void date_stop(void *state, const void *cfg)
{
    (void)cfg;
    free(((struct date_run_state *)state)->format);
}

static void date_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct date_run_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"matches\":%llu,\"failures\":%llu",
               (unsigned long long)counter_read(&s->matches),
               (unsigned long long)counter_read(&s->failures));
}

static err compile_zone(struct date_cfg *cfg, struct compiler *c)
{
    if (cfg->timezone.p == NULL) {
        cfg->zone = tz_host();
        return ERR_OK;
    }
    struct pos pos = settings_pos(c->plugin, "timezone");
    err e = compile_template(c, &cfg->zone_name, cfg->timezone, pos);
    if (e != ERR_OK) return e;
    if (!template_is_constant(&cfg->zone_name)) {
        tz_load_all(); /* Events name zones later, when nothing may be loaded any more. */
        return ERR_OK;
    }
    cfg->zone = tz_load(cfg->timezone);
    if (cfg->zone != NULL) return ERR_OK;
    compile_error(c, "timezone", "an IANA name such as Europe/Paris, or an offset such as +02:00",
                  "The datetime zone id '%.*s' is not recognised", SLICE_FMT(cfg->timezone));
    return ERR_CONFIG;
}

static err compile_formats(struct date_cfg *cfg, struct compiler *c)
{
    static const char *const numeric[] = {"UNIX", "UNIX_MS", "TAI64N"};
    err result = ERR_OK;
    slice locale = cfg->locale.p == NULL ? SLICE("") : cfg->locale;
    cfg->format = heap_alloc(c->heap, cfg->match.n * sizeof(*cfg->format));
    cfg->numeric = heap_alloc(c->heap, cfg->match.n * sizeof(*cfg->numeric));
    for (uint32_t i = 1; i < cfg->match.n; i++) {
        const struct config_value *text = &cfg->match.at[i];
        struct date_format_error error = {0};
        struct date_format *format = date_format_new(text->text, locale, clock_real_ns(), &error);
        if (format == NULL) {
            diag_error(c->diag, config_value_pos_in(text, error.at), NULL,
                       "bad date format `%.*s`: %s", SLICE_FMT(text->text), error.expected);
            result = ERR_CONFIG;
            continue;
        }
        for (uint32_t k = 0; k < ARRAY_LEN(numeric); k++)
            if (slice_equal(text->text, slice_from_cstr(numeric[k])))
                cfg->numeric[cfg->format_n] = true;
        cfg->format[cfg->format_n++] = format;
    }
    return result;
}

static err date_compile(void *config, struct compiler *c)
{
    struct date_cfg *cfg = config;
    if (cfg->match.n < 2) {
        compile_error(c, "match", "a field name and at least one date format",
                      "The match setting should contain first a field name and at least one date "
                      "format");
        return ERR_CONFIG;
    }
    err e[] = {
        compile_fieldref(c, &cfg->source, cfg->match.at[0].text, cfg->match.at[0].pos),
        compile_fieldref(c, &cfg->target, cfg->target_name, settings_pos(c->plugin, "target")),
        compile_zone(cfg, c), compile_formats(cfg, c)};
    for (uint32_t i = 0; i < ARRAY_LEN(e); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

static void date_release(void *config)
{
    struct date_cfg *cfg = config;
    template_fini(&cfg->zone_name);
    for (uint32_t i = 0; i < cfg->format_n; i++) date_format_free(cfg->format[i]);
}

/* clang-format off */
static const struct setting date_settings[] = {
    {.name = "match", SETTING_AT(struct date_cfg, match, LIST), .flags = SETTING_FIELD,
     .default_text = "[]",
     .doc = "The field, then the formats to try: ISO8601, UNIX, UNIX_MS, TAI64N or a Joda-Time "
            "pattern."},
    {.name = "target", SETTING_AT(struct date_cfg, target_name, STRING), .flags = SETTING_FIELD,
     .default_text = "@timestamp", .doc = "The field that receives the time."},
    {.name = "timezone", SETTING_AT(struct date_cfg, timezone, STRING),
     .doc = "Zone of text that names none, by default the host's; may contain %{field}."},
    {.name = "locale", SETTING_AT(struct date_cfg, locale, STRING),
     .doc = "Language of month and day names as a BCP 47 tag; by default English."},
    {.name = "tag_on_failure", SETTING_AT(struct date_cfg, tag_on_failure, LIST),
     .default_text = "[\"_dateparsefailure\"]",
     .doc = "Tags of events whose field no format can read."},
    {0}};
/* clang-format on */

const struct filter_ops filter_date = {
    .name = "date",
    .doc = "Reads a date from a field and sets the event's time.",
    .settings = date_settings,
    .cfg_size = sizeof(struct date_cfg),
    .state_size = sizeof(struct date_run_state),
    .compile = date_compile,
    .release = date_release,
    .start = date_start,
    .apply = date_apply,
    .stop = date_stop,
    .stats = date_stats,
};
