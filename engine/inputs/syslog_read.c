/* syslog_read.c - compiling, and the way by field references. */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/inputs/syslog_fields.h"
#include "parsers/grok/patterns.h"

/* ---- compiling -------------------------------------------------------------------------- */

static const char *const names_legacy[SYSLOG_AT_N] = {"host",
                                                      "priority",
                                                      "severity",
                                                      "facility",
                                                      "severity_label",
                                                      "facility_label",
                                                      "timestamp",
                                                      "timestamp8601",
                                                      "logsource",
                                                      "program",
                                                      "pid",
                                                      "service_type",
                                                      "version",
                                                      "msgid",
                                                      "structured_data",
                                                      "procid"};
static const char *const names_ecs[SYSLOG_AT_N] = {"[host][ip]",
                                                   "[log][syslog][priority]",
                                                   "[log][syslog][severity][code]",
                                                   "[log][syslog][facility][code]",
                                                   "[log][syslog][severity][name]",
                                                   "[log][syslog][facility][name]",
                                                   "timestamp",
                                                   "timestamp8601",
                                                   "[host][hostname]",
                                                   "[process][name]",
                                                   "[process][pid]",
                                                   "[service][type]",
                                                   "[log][syslog][version]",
                                                   "[log][syslog][msgid]",
                                                   "[log][syslog][structured_data]",
                                                   "[log][syslog][procid]"};

static struct member map_field(struct compiler *c, const char *name)
{
    struct key key = compile_key(c, slice_from_cstr(name));
    return member_laid_out(&key, VALUE_MAP, 0);
}

static err compile_names(struct syslog_event_cfg *cfg, struct compiler *c)
{
    const char *const *names = cfg->ecs ? names_ecs : names_legacy;
    for (uint32_t i = 0; i < SYSLOG_AT_N; i++) {
        err e = compile_fieldref(c, &cfg->ref[i], slice_from_cstr(names[i]), c->plugin->pos);
        if (e != ERR_OK) return e;
        struct key key = compile_key(c, cfg->ref[i].step[cfg->ref[i].depth - 1].key.name);
        cfg->field[i] = member_laid_out(&key, VALUE_STRING, 0);
    }
    cfg->log = map_field(c, "log");
    cfg->syslog = map_field(c, "syslog");
    cfg->severity_field = map_field(c, "severity");
    cfg->facility_field = map_field(c, "facility");
    cfg->host_field = map_field(c, "host");
    cfg->process = map_field(c, "process");
    cfg->service = map_field(c, "service");
    return ERR_OK;
}

static struct syslog_labels compile_labels(const struct config_list *list, struct compiler *c)
{
    struct syslog_labels labels = {arena_alloc(c->arena, (list->n + 1) * sizeof(struct value), 16),
                                   list->n};
    for (uint32_t i = 0; i < list->n; i++) labels.at[i] = value_string(list->at[i].text);
    return labels;
}

static err compile_dates(struct syslog_event_cfg *cfg, const struct syslog_event_options *o,
                         struct compiler *c)
{
    static const char *const formats[SYSLOG_DATE_FORMATS] = {"MMM dd HH:mm:ss", "MMM  d HH:mm:ss",
                                                             "MMM d HH:mm:ss", "ISO8601"};
    cfg->zone = o->timezone.p == NULL ? tz_host() : tz_load(o->timezone);
    if (cfg->zone == NULL) {
        compile_error(c, "timezone",
                      "an IANA name such as Europe/Paris, or an offset such as +02:00",
                      "The datetime zone id '%.*s' is not recognised", SLICE_FMT(o->timezone));
        return ERR_CONFIG;
    }
    slice locale = o->locale.p == NULL ? SLICE("") : o->locale;
    for (uint32_t i = 0; i < SYSLOG_DATE_FORMATS; i++) {
        struct date_format_error error;
        cfg->date[i] =
            date_format_new(slice_from_cstr(formats[i]), locale, clock_real_ns(), &error);
        ASSERT(cfg->date[i] != NULL);
    }
    return ERR_OK;
}

static bool library_lookup(void *opaque, slice name, slice *pattern)
{
    const enum grok_library *library = opaque;
    const char *text = grok_pattern_find(*library, name);
    if (text == NULL) return false;
    *pattern = slice_from_cstr(text);
    return true;
}

static err compile_grok(struct syslog_event_cfg *cfg, slice pattern, struct compiler *c)
{
    enum grok_library library = cfg->ecs ? GROK_ECS_V1 : GROK_LEGACY;
    struct grok_dict *dict = grok_dict_new(NULL);
    grok_dict_lookup(dict, library_lookup, &library);
    struct grok_options options = {.cache_dir = c->cache_dir};
    struct grok_error error = {0};
    cfg->grok = grok_set_new(&pattern, 1, dict, &options, &error);
    grok_dict_free(dict);
    if (cfg->grok == NULL) {
        compile_error(c, "grok_pattern", "a pattern that grok understands", "%s", error.text);
        return ERR_CONFIG;
    }
    cfg->captures = grok_set_captures(cfg->grok, 0, &cfg->capture_n);
    cfg->capture = arena_alloc(c->arena, (cfg->capture_n + 1) * sizeof(*cfg->capture), 8);
    struct pos pos = settings_pos(c->plugin, "grok_pattern");
    for (uint32_t i = 0; i < cfg->capture_n; i++) {
        err e = compile_fieldref(c, &cfg->capture[i], cfg->captures[i].field, pos);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

err syslog_event_compile(struct syslog_event_cfg *cfg, const struct syslog_event_options *o,
                         struct compiler *c)
{
    cfg->ecs = compiler_is_ecs(c);
    cfg->use_labels = o->use_labels;
    cfg->rfc5424 = o->rfc5424;
    cfg->facility = compile_labels(&o->facility_labels, c);
    cfg->severity = compile_labels(&o->severity_labels, c);
    cfg->service_type = value_string(o->service_type);
    err e = compile_names(cfg, c);
    if (e == ERR_OK)
        e = compile_fieldref(c, &cfg->text_field, o->text_field,
                             settings_pos(c->plugin, "syslog_field"));
    if (e == ERR_OK) e = text_event_compile(&cfg->text, SLICE("UTF-8"), cfg->ecs, c);
    if (e == ERR_OK) e = compile_dates(cfg, o, c);
    if (e == ERR_OK && o->grok_pattern.p != NULL) e = compile_grok(cfg, o->grok_pattern, c);
    if (e == ERR_OK) syslog_event_prepare(cfg, c->arena);
    return e;
}

void syslog_event_release(struct syslog_event_cfg *cfg)
{
    for (uint32_t i = 0; i < SYSLOG_DATE_FORMATS; i++)
        if (cfg->date[i] != NULL) date_format_free(cfg->date[i]);
    if (cfg->grok != NULL) grok_set_free(cfg->grok);
}

err syslog_event_start(struct syslog_event_state *s, const struct syslog_event_cfg *cfg)
{
    if (cfg->grok != NULL) s->scratch = grok_scratch_new(cfg->grok);
    return text_event_start(&s->text, &cfg->text);
}

void syslog_event_move(struct syslog_event_state *s, const struct syslog_event_cfg *cfg)
{
    if (s->scratch != NULL) grok_scratch_free(s->scratch);
    s->scratch = cfg->grok != NULL ? grok_scratch_new(cfg->grok) : NULL;
    memset(s->date, 0, sizeof(s->date));
}

void syslog_event_stop(struct syslog_event_state *s)
{
    if (s->scratch != NULL) grok_scratch_free(s->scratch);
    text_event_stop(&s->text);
}

/* ---- reading an event ------------------------------------------------------------------------ */

struct reader {
    struct syslog_event_state *state;
    const struct syslog_event_cfg *cfg;
    struct batch *b;
    struct event *ev;
};

static void put(struct reader *r, enum syslog_at at, struct value val)
{
    err e = event_put(r->b, r->ev, &r->cfg->ref[at], val);
    (void)e; /* A field of the sender's stands where a map should: it stays. */
}

/* As grok stores: beside what is there. */
static void put_beside(struct reader *r, enum syslog_at at, slice text)
{
    if (text.p == NULL) return;
    err e = event_append(r->b, r->ev, &r->cfg->ref[at], value_string(text));
    (void)e;
}

static void put_text(struct reader *r, slice text)
{
    err e = event_put(r->b, r->ev, &r->cfg->text_field, value_string(text));
    (void)e; /* It was read from there. */
}

static void put_time(struct reader *r, slice text, bool iso8601, bool keep)
{
    int64_t ns;
    if (syslog_time(r->state->date, r->cfg, text, iso8601, r->b->now_ns, &ns)) {
        r->ev->time = value_time(ns);
        if (!keep) event_remove(r->b, r->ev, &r->cfg->ref[SYSLOG_TIMESTAMP]);
    } else {
        event_tag(r->b, r->ev, SLICE("_dateparsefailure"), true);
    }
}

static bool read_5424(struct reader *r, slice text, uint32_t *priority)
{
    struct syslog_5424 m;
    if (!r->cfg->rfc5424 || syslog_detect(text) != SYSLOG_KIND_5424) return false;
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) text.n--;
    if (!syslog_5424_parse(text, &m)) return false;
    struct arena *arena = &r->b->arena;
    *priority = m.priority;
    put_text(r, m.message.p == NULL ? SLICE("") : m.message);
    put(r, SYSLOG_VERSION,
        r->cfg->ecs ? syslog_version_text(m.version, arena) : value_int(m.version));
    put_beside(r, SYSLOG_LOGSOURCE, m.hostname);
    put_beside(r, SYSLOG_PROGRAM, m.app_name);
    struct value pid = m.procid.p == NULL ? value_nil() : syslog_pid(m.procid);
    if (!r->cfg->ecs)
        put_beside(r, SYSLOG_PID, m.procid);
    else if (pid.type != VALUE_NIL)
        put(r, pid.type == VALUE_INT ? SYSLOG_PID : SYSLOG_PROCID, pid);
    put_beside(r, SYSLOG_MSGID, m.msgid);
    if (m.structured_data.p != NULL)
        put(r, SYSLOG_STRUCTURED_DATA, syslog_structured_data(m.structured_data, arena));
    if (m.timestamp.p == NULL) return true;
    put_beside(r, SYSLOG_TIMESTAMP, m.timestamp);
    put_time(r, m.timestamp, true, !r->cfg->ecs);
    return true;
}

static bool read_3164(struct reader *r, slice text, uint32_t *priority)
{
    struct syslog_fields f;
    bool ecs = r->cfg->ecs;
    if (!syslog_3164_parse(text, ecs ? SYSLOG_ECS : SYSLOG_LEGACY, &f)) return false;
    *priority = f.facility.p != NULL && !ecs ? SYSLOG_PRIORITY_UNKNOWN : f.priority;
    put_text(r, f.message);
    put_beside(r, SYSLOG_TIMESTAMP, f.timestamp);
    if (!ecs) put_beside(r, SYSLOG_TIMESTAMP8601, f.timestamp8601);
    put_beside(r, SYSLOG_LOGSOURCE, f.logsource);
    put_beside(r, SYSLOG_PROGRAM, f.program);
    if (f.pid.p != NULL && ecs)
        put(r, SYSLOG_PID, syslog_pid(f.pid));
    else
        put_beside(r, SYSLOG_PID, f.pid);
    if (f.timestamp.p != NULL) put_time(r, f.timestamp, f.iso8601, !ecs);
    return true;
}

static struct value capture_value(const struct grok_capture *capture, slice text)
{
    int64_t num;
    if (capture->coerce == GROK_INT && slice_to_i64(text, &num)) return value_int(num);
    if (capture->coerce == GROK_FLOAT) {
        char copy[64];
        return value_float(strtod(slice_cstr(text, copy, sizeof(copy)), NULL));
    }
    return value_string(text);
}

/* The number in the priority field; what is none counts as unknown. */
static uint32_t priority_of(struct reader *r)
{
    struct value *v = event_get(r->b, r->ev, &r->cfg->ref[SYSLOG_PRIORITY]);
    int64_t num = 0;
    if (v == NULL || v->type == VALUE_NIL) return 0;
    if (v->type == VALUE_INT)
        num = v->u.num;
    else if (v->type != VALUE_STRING)
        return SYSLOG_PRIORITY_UNKNOWN;
    else if (!slice_to_i64(value_slice(v), &num))
        num = 0;
    return num < 0 ? 0 : num > UINT32_MAX ? UINT32_MAX : (uint32_t)num;
}

static bool read_grok(struct reader *r, slice text, uint32_t *priority)
{
    const struct syslog_event_cfg *cfg = r->cfg;
    struct grok_result result;
    if (grok_match(cfg->grok, r->state->scratch, text, 0, &result) != GROK_MATCH) return false;
    for (uint32_t i = 0; i < result.n; i++) {
        if (result.values[i].p == NULL) continue;
        struct value val = capture_value(&cfg->captures[i], result.values[i]);
        bool over = slice_equal(cfg->capture[i].text, cfg->text_field.text);
        err e = over ? event_put(r->b, r->ev, &cfg->capture[i], val)
                     : event_append(r->b, r->ev, &cfg->capture[i], val);
        (void)e;
    }
    *priority = priority_of(r);
    struct value *iso = cfg->ecs ? NULL : event_get(r->b, r->ev, &cfg->ref[SYSLOG_TIMESTAMP8601]);
    if (iso != NULL && iso->type == VALUE_STRING) put(r, SYSLOG_TIMESTAMP, *iso);
    struct value *time = event_get(r->b, r->ev, &cfg->ref[SYSLOG_TIMESTAMP]);
    if (time != NULL && time->type == VALUE_STRING)
        put_time(r, value_slice(time), iso != NULL, !cfg->ecs);
    return true;
}

static void put_priority(struct reader *r, uint32_t priority)
{
    uint32_t severity = priority & 7, facility = priority >> 3;
    put(r, SYSLOG_PRIORITY, value_int(priority));
    put(r, SYSLOG_SEVERITY, value_int(severity));
    put(r, SYSLOG_FACILITY, value_int(facility));
    if (!r->cfg->use_labels) return;
    if (facility < r->cfg->facility.n) put(r, SYSLOG_FACILITY_LABEL, r->cfg->facility.at[facility]);
    if (severity < r->cfg->severity.n) put(r, SYSLOG_SEVERITY_LABEL, r->cfg->severity.at[severity]);
}

void syslog_event_read(struct syslog_event_state *s, const struct syslog_event_cfg *cfg,
                       struct batch *b, struct event *ev, slice host)
{
    struct reader r = {s, cfg, b, ev};
    uint32_t priority = SYSLOG_PRIORITY_UNKNOWN;
    struct value *v = event_get(b, ev, &cfg->text_field);
    bool ok = false;
    if (v != NULL && v->type == VALUE_STRING) {
        slice text = value_slice(v);
        ok = cfg->grok != NULL ? read_grok(&r, text, &priority)
                               : read_5424(&r, text, &priority) || read_3164(&r, text, &priority);
    }
    if (!ok) {
        event_tag(b, ev, SLICE("_grokparsefailure_sysloginput"), true);
        s->unparsed++;
    }
    put_priority(&r, priority);
    put(&r, SYSLOG_HOST, value_clean(host));
    if (cfg->ecs) put(&r, SYSLOG_SERVICE, cfg->service_type);
}
