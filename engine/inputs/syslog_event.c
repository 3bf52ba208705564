/* syslog_event.c - the direct way: constant keys, exact maps, borrowed strings. */
#include "engine/inputs/syslog_event.h"

#include "engine/base/number.h"
#include "engine/inputs/syslog_fields.h"

/* fill_legacy sets up to MAP_CAP_FIRST fields, fill_ecs half of these. */
#define ECS_FIELDS 10u

/* What a line says, whichever of the two formats it is in. */
struct syslog_reading {
    slice text, message, timestamp, timestamp8601, hostname, program, pid;
    const struct syslog_5424 *modern; /* NULL: RFC 3164 */
    uint32_t priority;
    bool failed, has_time;
    int64_t time_ns;
};

static const struct value *label(const struct syslog_labels *labels, uint32_t at)
{
    return at < labels->n ? &labels->at[at] : NULL;
}

static struct value coded(const struct syslog_event_cfg *cfg, struct arena *arena, uint32_t code,
                          const struct value *name, enum syslog_at code_at, enum syslog_at name_at)
{
    struct map *map = map_exact(arena, 2);
    struct member *at = member_any(map->at, &cfg->field[code_at], value_int(code));
    if (name != NULL) at = member_any(at, &cfg->field[name_at], *name);
    map_close(map, at);
    return value_map(map);
}

static struct value severity_map(const struct syslog_event_cfg *cfg, struct arena *arena,
                                 uint32_t code)
{
    return coded(cfg, arena, code, cfg->use_labels ? label(&cfg->severity, code) : NULL,
                 SYSLOG_SEVERITY, SYSLOG_SEVERITY_LABEL);
}

static struct value facility_map(const struct syslog_event_cfg *cfg, struct arena *arena,
                                 uint32_t code)
{
    return coded(cfg, arena, code, cfg->use_labels ? label(&cfg->facility, code) : NULL,
                 SYSLOG_FACILITY, SYSLOG_FACILITY_LABEL);
}

/* [log] of an RFC 3164 line. */
static struct value log_map(const struct syslog_event_cfg *cfg, struct arena *arena,
                            uint32_t priority)
{
    struct map *log = map_exact(arena, 1), *syslog = map_exact(arena, 3);
    map_close(log, member_map(log->at, &cfg->syslog, syslog));
    struct member *at = member_any(syslog->at, &cfg->field[SYSLOG_PRIORITY], value_int(priority));
    at = member_any(at, &cfg->severity_field, severity_map(cfg, arena, priority & 7));
    at = member_any(at, &cfg->facility_field, facility_map(cfg, arena, priority >> 3));
    map_close(syslog, at);
    return value_map(log);
}

/* The decimal text of a number, for encoders to copy. */
static struct value number_text(struct arena *arena, uint32_t number)
{
    char *text = arena_alloc(arena, NUMBER_TEXT_MAX, 16);
    uint32_t n = number_i64_text(number, text);
    return (struct value){.type = VALUE_INT, .flags = VALUE_RAW, .n = n, .u.str = text};
}

static struct value *values(struct arena *arena, uint32_t n)
{
    return arena_alloc(arena, n * sizeof(struct value), 16);
}

void syslog_event_prepare(struct syslog_event_cfg *cfg, struct arena *arena)
{
    for (uint32_t i = 0; i < SYSLOG_PRIORITIES; i++) cfg->number[i] = number_text(arena, i);
    if (!cfg->ecs) return;
    cfg->log_map = values(arena, SYSLOG_PRIORITIES);
    cfg->severity_map = values(arena, SYSLOG_SEVERITIES);
    cfg->facility_map = values(arena, SYSLOG_FACILITIES);
    for (uint32_t i = 0; i < SYSLOG_PRIORITIES; i++)
        cfg->log_map[i] = value_share(log_map(cfg, arena, i), true, arena);
    for (uint32_t i = 0; i < SYSLOG_SEVERITIES; i++)
        cfg->severity_map[i] = value_share(severity_map(cfg, arena, i), true, arena);
    for (uint32_t i = 0; i < SYSLOG_FACILITIES; i++)
        cfg->facility_map[i] = value_share(facility_map(cfg, arena, i), true, arena);
    struct map *service = map_exact(arena, 1);
    map_close(service, member_any(service->at, &cfg->field[SYSLOG_SERVICE], cfg->service_type));
    cfg->service_map = value_share(value_map(service), true, arena);
}

static struct value number(const struct syslog_event_cfg *cfg, uint32_t num)
{
    return num < SYSLOG_PRIORITIES ? cfg->number[num] : value_int(num);
}

static struct member *put_modern(const struct syslog_event_cfg *cfg, struct batch *b,
                                 struct member *at, const struct syslog_5424 *m)
{
    struct value version = value_int(m->version);
    if (cfg->ecs) version = syslog_version_text(m->version, &b->arena);
    at = member_any(at, &cfg->field[SYSLOG_VERSION], version);
    at = member_if_text(at, &cfg->field[SYSLOG_MSGID], m->msgid);
    if (m->structured_data.p == NULL) return at;
    return member_any(at, &cfg->field[SYSLOG_STRUCTURED_DATA],
                      syslog_structured_data(m->structured_data, &b->arena));
}

static struct member *fill_legacy(const struct syslog_event_cfg *cfg, struct batch *b,
                                  struct member *at, const struct syslog_reading *r, slice host)
{
    const struct member *field = cfg->field;
    uint32_t severity = r->priority & 7, facility = r->priority >> 3;
    at = member_text(at, &field[SYSLOG_HOST], host, VALUE_CLEAN);
    at = member_any(at, &field[SYSLOG_PRIORITY], number(cfg, r->priority));
    at = member_if_text(at, &field[SYSLOG_TIMESTAMP], r->timestamp);
    at = member_if_text(at, &field[SYSLOG_TIMESTAMP8601], r->timestamp8601);
    at = member_if_text(at, &field[SYSLOG_LOGSOURCE], r->hostname);
    at = member_if_text(at, &field[SYSLOG_PROGRAM], r->program);
    at = member_if_text(at, &field[SYSLOG_PID], r->pid);
    at = member_any(at, &field[SYSLOG_SEVERITY], number(cfg, severity));
    at = member_any(at, &field[SYSLOG_FACILITY], number(cfg, facility));
    if (r->modern != NULL) at = put_modern(cfg, b, at, r->modern);
    if (!cfg->use_labels) return at;
    const struct value *name = label(&cfg->facility, facility);
    if (name != NULL) at = member_any(at, &field[SYSLOG_FACILITY_LABEL], *name);
    name = label(&cfg->severity, severity);
    return name == NULL ? at : member_any(at, &field[SYSLOG_SEVERITY_LABEL], *name);
}

/* [log]: the same for all lines of a priority, but for what RFC 5424 adds. */
static struct value make_log(const struct syslog_event_cfg *cfg, struct batch *b,
                             const struct syslog_reading *r, const struct value *odd_pid)
{
    struct arena *arena = &b->arena;
    if (r->priority >= SYSLOG_PRIORITIES && r->modern == NULL)
        return log_map(cfg, arena, r->priority);
    if (r->modern == NULL) return cfg->log_map[r->priority];
    struct map *log = map_exact(arena, 1), *syslog = map_exact(arena, 7);
    uint32_t severity = r->priority & 7, facility = r->priority >> 3;
    bool usual = facility < SYSLOG_FACILITIES;
    map_close(log, member_map(log->at, &cfg->syslog, syslog));
    struct member *at =
        member_any(syslog->at, &cfg->field[SYSLOG_PRIORITY], number(cfg, r->priority));
    at = member_any(at, &cfg->severity_field, cfg->severity_map[severity]);
    at = member_any(at, &cfg->facility_field,
                    usual ? cfg->facility_map[facility] : facility_map(cfg, arena, facility));
    at = put_modern(cfg, b, at, r->modern);
    if (odd_pid != NULL) at = member_any(at, &cfg->field[SYSLOG_PROCID], *odd_pid);
    map_close(syslog, at);
    return value_map(log);
}

static struct member *fill_ecs(const struct syslog_event_cfg *cfg, struct batch *b,
                               struct member *at, const struct syslog_reading *r, slice host)
{
    struct arena *arena = &b->arena;
    struct value pid = r->pid.p == NULL ? value_nil() : syslog_pid(r->pid);
    bool odd_pid = pid.type == VALUE_STRING && r->modern != NULL;
    at = member_any(at, &cfg->log, make_log(cfg, b, r, odd_pid ? &pid : NULL));

    struct map *where = map_exact(arena, 2);
    struct member *below = member_text(where->at, &cfg->field[SYSLOG_HOST], host, VALUE_CLEAN);
    map_close(where, member_if_text(below, &cfg->field[SYSLOG_LOGSOURCE], r->hostname));
    at = member_map(at, &cfg->host_field, where);

    bool has_pid = pid.type != VALUE_NIL && !odd_pid;
    if (r->program.p != NULL || has_pid) {
        struct map *process = map_exact(arena, 2);
        below = member_if_text(process->at, &cfg->field[SYSLOG_PROGRAM], r->program);
        if (has_pid) below = member_any(below, &cfg->field[SYSLOG_PID], pid);
        map_close(process, below);
        at = member_map(at, &cfg->process, process);
    }
    at = member_any(at, &cfg->service, cfg->service_map);
    /* Left only where it could not be read. */
    if (!r->has_time && r->modern == NULL)
        at = member_if_text(at, &cfg->field[SYSLOG_TIMESTAMP], r->timestamp);
    return at;
}

/* Part by part: a slice that was just written cannot be read back in one piece without waiting. */
static inline __attribute__((always_inline)) void take(slice *to, const slice *from)
{
    to->p = from->p;
    to->n = from->n;
}

static bool read_modern(struct syslog_event_state *s, const struct syslog_event_cfg *cfg,
                        struct batch *b, struct syslog_5424 *m, struct syslog_reading *r)
{
    if (!cfg->rfc5424 || syslog_detect(r->text) != SYSLOG_KIND_5424) return false;
    slice text = r->text;
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) text.n--;
    if (!syslog_5424_parse(text, m)) return false;
    r->modern = m;
    r->priority = m->priority;
    take(&r->message, &m->message);
    if (m->message.p == NULL) r->message = SLICE("");
    take(&r->timestamp, &m->timestamp);
    r->timestamp8601.p = NULL;
    take(&r->hostname, &m->hostname);
    take(&r->program, &m->app_name);
    take(&r->pid, &m->procid);
    if (m->timestamp.p != NULL)
        r->has_time = syslog_time(s->date, cfg, m->timestamp, true, b->now_ns, &r->time_ns);
    return true;
}

static bool read_plain(struct syslog_event_state *s, const struct syslog_event_cfg *cfg,
                       struct batch *b, struct syslog_reading *r)
{
    struct syslog_fields f;
    if (!syslog_3164_parse(r->text, cfg->ecs ? SYSLOG_ECS : SYSLOG_LEGACY, &f)) return false;
    r->priority = f.priority;
    /* With "<a.b>" inside, the legacy pattern finds two priorities, and a list is no number. */
    if (f.facility.p != NULL && !cfg->ecs) r->priority = SYSLOG_PRIORITY_UNKNOWN;
    take(&r->message, &f.message);
    take(&r->timestamp, &f.timestamp);
    take(&r->timestamp8601, &f.timestamp8601);
    if (cfg->ecs) r->timestamp8601.p = NULL;
    take(&r->hostname, &f.logsource);
    take(&r->program, &f.program);
    take(&r->pid, &f.pid);
    if (f.timestamp.p != NULL)
        r->has_time = syslog_time(s->date, cfg, f.timestamp, f.iso8601, b->now_ns, &r->time_ns);
    return true;
}

static void reading_fail(struct syslog_event_state *s, struct syslog_reading *r)
{
    *r = (struct syslog_reading){
        .text = r->text, .message = r->text, .priority = SYSLOG_PRIORITY_UNKNOWN, .failed = true};
    s->unparsed++;
}

void syslog_event_add(struct syslog_event_state *s, const struct syslog_event_cfg *cfg,
                      struct batch *b, slice raw, bool known_good, slice host)
{
    struct syslog_5424 modern;
    struct syslog_reading r;
    r.text = text_event_decode(&s->text, &cfg->text, raw, known_good, &b->arena);
    r.modern = NULL;
    r.failed = r.has_time = false;
    if (!read_modern(s, cfg, b, &modern, &r) && !read_plain(s, cfg, b, &r)) reading_fail(s, &r);
    struct event *ev = batch_add(b);
    if (ev == NULL) return;
    map_reserve(&ev->data, &b->arena, batch_fields_room(b, cfg->ecs ? ECS_FIELDS : MAP_CAP_FIRST));
    struct member *at = member_text(ev->data.at, &cfg->text.message, r.message, 0);
    *at++ = cfg->text.version;
    if (r.has_time) ev->time = value_time(r.time_ns);
    if (cfg->ecs) {
        at = text_event_put_original(&cfg->text, b, at, r.text);
        at = fill_ecs(cfg, b, at, &r, host);
    } else {
        at = fill_legacy(cfg, b, at, &r, host);
    }
    map_close(&ev->data, at);
    if (r.failed) event_tag(b, ev, SLICE("_grokparsefailure_sysloginput"), true);
    if (r.timestamp.p != NULL && !r.has_time) event_tag(b, ev, SLICE("_dateparsefailure"), true);
}
