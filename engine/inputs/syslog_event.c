/* syslog_event.c - the direct way: constant keys, exact maps in one piece, borrowed strings. */
#include "engine/inputs/syslog_event.h"

#include "engine/base/number.h"
#include "engine/inputs/syslog_fields.h"

/* fill_legacy sets up to MAP_CAP_FIRST fields, fill_ecs half of these. */
#define ECS_FIELDS 10u
/* Room in the maps of an event in ECS modes: [event], [host], [process] have two members. */
#define PAIR_BYTES MAP_EXACT_BYTES(2)
#define LOG_BYTES MAP_EXACT_BYTES(1)
#define LOG_SYSLOG_FIELDS 7u
/* Copied by those who have all they need as constants, and always by value: then each use is made
 * for what it knows, and nothing is stored to be read back. */
#define INLINE static inline __attribute__((always_inline))

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

static struct value number(const struct syslog_event_cfg *cfg, uint32_t num)
{
    return num < SYSLOG_PRIORITIES ? cfg->number[num] : value_int(num);
}

/* The first members of [log][syslog] of an RFC 5424 line; its version is always 1. */
static void log_head(const struct syslog_event_cfg *cfg, struct member *at, uint32_t priority,
                     struct value severity, struct value facility)
{
    at = member_any(at, &cfg->field[SYSLOG_PRIORITY], number(cfg, priority));
    at = member_any(at, &cfg->severity_field, severity);
    at = member_any(at, &cfg->facility_field, facility);
    member_any(at, &cfg->field[SYSLOG_VERSION], syslog_version_text(1, NULL));
}

static void prepare_logs(struct syslog_event_cfg *cfg, struct arena *arena)
{
    struct value severity[SYSLOG_SEVERITIES];
    for (uint32_t i = 0; i < SYSLOG_SEVERITIES; i++)
        severity[i] = value_share(severity_map(cfg, arena, i), true, arena);
    cfg->log_of = arena_alloc(arena, SYSLOG_PRIORITIES * sizeof(*cfg->log_of), 32);
    cfg->log_head_of = arena_alloc(arena, SYSLOG_PRIORITIES * sizeof(*cfg->log_head_of), 32);
    struct value facility = value_nil();
    for (uint32_t i = 0; i < SYSLOG_PRIORITIES; i++) {
        if (i % SYSLOG_SEVERITIES == 0)
            facility = value_share(facility_map(cfg, arena, i / SYSLOG_SEVERITIES), true, arena);
        log_head(cfg, cfg->log_head_of[i], i, severity[i % SYSLOG_SEVERITIES], facility);
        member_any(&cfg->log_of[i], &cfg->log, value_share(log_map(cfg, arena, i), true, arena));
    }
}

void syslog_event_prepare(struct syslog_event_cfg *cfg, struct arena *arena)
{
    for (uint32_t i = 0; i < SYSLOG_PRIORITIES; i++) cfg->number[i] = number_text(arena, i);
    if (!cfg->ecs) return;
    prepare_logs(cfg, arena);
    struct map *service = map_exact(arena, 1);
    map_close(service, member_any(service->at, &cfg->field[SYSLOG_SERVICE], cfg->service_type));
    struct member bare = cfg->service;
    member_any(&cfg->service, &bare, value_share(value_map(service), true, arena));
}

INLINE struct member *put_modern(const struct syslog_event_cfg *cfg, struct batch *b,
                                 struct member *at, const struct syslog_5424 *m)
{
    at = member_if_text(at, &cfg->field[SYSLOG_MSGID], m->msgid);
    if (m->structured_data.p == NULL) return at;
    return member_any(at, &cfg->field[SYSLOG_STRUCTURED_DATA],
                      syslog_structured_data(m->structured_data, &b->arena));
}

INLINE struct member *fill_legacy(const struct syslog_event_cfg *cfg, struct batch *b,
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
    if (r->modern != NULL) {
        at = member_any(at, &field[SYSLOG_VERSION], value_int(r->modern->version));
        at = put_modern(cfg, b, at, r->modern);
    }
    if (!cfg->use_labels) return at;
    const struct value *name = label(&cfg->facility, facility);
    if (name != NULL) at = member_any(at, &field[SYSLOG_FACILITY_LABEL], *name);
    name = label(&cfg->severity, severity);
    return name == NULL ? at : member_any(at, &field[SYSLOG_SEVERITY_LABEL], *name);
}

/* [log] of an RFC 5424 line, at `place`. */
INLINE struct map *modern_log(const struct syslog_event_cfg *cfg, struct batch *b, char *place,
                              const struct syslog_reading *r, const struct value *odd_pid)
{
    struct arena *arena = &b->arena;
    struct map *log = map_placed(place, 1);
    struct map *syslog = map_placed(place + LOG_BYTES, LOG_SYSLOG_FIELDS);
    map_close(log, member_map(log->at, &cfg->syslog, syslog));
    if (__builtin_expect(r->priority < SYSLOG_PRIORITIES, 1))
        memcpy(syslog->at, cfg->log_head_of[r->priority], sizeof(cfg->log_head_of[0]));
    else
        log_head(cfg, syslog->at, r->priority, severity_map(cfg, arena, r->priority & 7),
                 facility_map(cfg, arena, r->priority >> 3));
    struct member *at = put_modern(cfg, b, syslog->at + SYSLOG_LOG_HEAD, r->modern);
    if (odd_pid != NULL) at = member_any(at, &cfg->field[SYSLOG_PROCID], *odd_pid);
    map_close(syslog, at);
    return log;
}

/* [log] of an RFC 3164 line: the same for all lines of a priority. */
INLINE struct member *put_log(const struct syslog_event_cfg *cfg, struct batch *b,
                              struct member *at, uint32_t priority)
{
    if (__builtin_expect(priority >= SYSLOG_PRIORITIES, 0))
        return member_any(at, &cfg->log, log_map(cfg, &b->arena, priority));
    *at = cfg->log_of[priority];
    return at + 1;
}

/* `place` has room for the maps. */
INLINE struct member *fill_ecs(const struct syslog_event_cfg *cfg, struct batch *b, char *place,
                               struct member *at, const struct syslog_reading *r, slice host)
{
    struct map *original = map_placed(place, 2);
    map_close(original, member_text(original->at, &cfg->text.original_field, r->text, 0));
    at = member_map(at, &cfg->text.event_field, original);

    struct value pid = r->pid.p == NULL ? value_nil() : syslog_pid(r->pid);
    bool odd_pid = r->modern != NULL && pid.type == VALUE_STRING;
    if (r->modern == NULL)
        at = put_log(cfg, b, at, r->priority);
    else
        at = member_map(at, &cfg->log,
                        modern_log(cfg, b, place + 3 * PAIR_BYTES, r, odd_pid ? &pid : NULL));

    struct map *where = map_placed(place + PAIR_BYTES, 2);
    struct member *below = member_text(where->at, &cfg->field[SYSLOG_HOST], host, VALUE_CLEAN);
    map_close(where, member_if_text(below, &cfg->field[SYSLOG_LOGSOURCE], r->hostname));
    at = member_map(at, &cfg->host_field, where);

    bool has_pid = pid.type != VALUE_NIL && !odd_pid;
    if (r->program.p != NULL || has_pid) {
        struct map *process = map_placed(place + 2 * PAIR_BYTES, 2);
        below = member_if_text(process->at, &cfg->field[SYSLOG_PROGRAM], r->program);
        if (has_pid) below = member_any(below, &cfg->field[SYSLOG_PID], pid);
        map_close(process, below);
        at = member_map(at, &cfg->process, process);
    }
    *at++ = cfg->service;
    /* Left only where it could not be read. */
    if (!r->has_time && r->modern == NULL)
        at = member_if_text(at, &cfg->field[SYSLOG_TIMESTAMP], r->timestamp);
    return at;
}

/* Which parts a line has: see event_shape_add. */
INLINE uint64_t shape_of(const struct syslog_reading *r)
{
    uint64_t parts =
        (r->hostname.p != NULL) | (r->program.p != NULL) << 1 | (r->pid.p != NULL) << 2;
    if (r->modern != NULL)
        parts |=
            8 | (r->modern->msgid.p != NULL) << 4 | (r->modern->structured_data.p != NULL) << 5;
    return parts;
}

INLINE void event_write(const struct syslog_event_cfg *cfg, struct batch *b,
                        const struct syslog_reading *r, slice host)
{
    struct event *ev = batch_add(b);
    if (ev == NULL) return;
    if (r->has_time) ev->time = value_time(r->time_ns);
    event_shape_add(ev, shape_of(r));
    struct member *at;
    if (cfg->ecs) {
        size_t maps = 3 * PAIR_BYTES;
        if (r->modern != NULL) maps += LOG_BYTES + MAP_EXACT_BYTES(LOG_SYSLOG_FIELDS);
        char *place =
            map_reserve_with(&ev->data, &b->arena, batch_fields_room(b, ECS_FIELDS), maps);
        at = member_text(ev->data.at, &cfg->text.message, r->message, 0);
        *at++ = cfg->text.version;
        at = fill_ecs(cfg, b, place, at, r, host);
    } else {
        map_reserve(&ev->data, &b->arena, batch_fields_room(b, MAP_CAP_FIRST));
        at = member_text(ev->data.at, &cfg->text.message, r->message, 0);
        *at++ = cfg->text.version;
        at = fill_legacy(cfg, b, at, r, host);
    }
    map_close(&ev->data, at);
    if (r->failed) event_tag(b, ev, SLICE("_grokparsefailure_sysloginput"), true);
    if (r->timestamp.p != NULL && !r->has_time) event_tag(b, ev, SLICE("_dateparsefailure"), true);
}

/* A slice that was just written cannot be read back in one piece without waiting. */
INLINE slice parts(const slice *s)
{
    return (slice){s->p, s->n};
}

static void add_modern(struct syslog_event_state *s, const struct syslog_event_cfg *cfg,
                       struct batch *b, slice text, const struct syslog_5424 *m, slice host)
{
    int64_t ns = 0;
    slice time = parts(&m->timestamp);
    bool timed = time.p != NULL && syslog_time(s->date, cfg, time, true, b->now_ns, &ns);
    struct syslog_reading r = {.text = text,
                               .message = m->message.p == NULL ? SLICE("") : parts(&m->message),
                               .timestamp = time,
                               .hostname = parts(&m->hostname),
                               .program = parts(&m->app_name),
                               .pid = parts(&m->procid),
                               .modern = m,
                               .priority = m->priority,
                               .has_time = timed,
                               .time_ns = ns};
    event_write(cfg, b, &r, host);
}

static void add_plain(struct syslog_event_state *s, const struct syslog_event_cfg *cfg,
                      struct batch *b, slice text, const struct syslog_fields *f, slice host)
{
    int64_t ns = 0;
    slice time = parts(&f->timestamp);
    bool timed = time.p != NULL && syslog_time(s->date, cfg, time, f->iso8601, b->now_ns, &ns);
    /* With "<a.b>" inside, the legacy pattern finds two priorities, and a list is no number. */
    bool two = f->facility.p != NULL && !cfg->ecs;
    struct syslog_reading r = {.text = text,
                               .message = parts(&f->message),
                               .timestamp = time,
                               .timestamp8601 = cfg->ecs ? SLICE_NONE : parts(&f->timestamp8601),
                               .hostname = parts(&f->logsource),
                               .program = parts(&f->program),
                               .pid = parts(&f->pid),
                               .priority = two ? SYSLOG_PRIORITY_UNKNOWN : f->priority,
                               .has_time = timed,
                               .time_ns = ns};
    event_write(cfg, b, &r, host);
}

static __attribute__((noinline)) void add_failed(const struct syslog_event_cfg *cfg,
                                                 struct batch *b, slice text, slice host)
{
    struct syslog_reading r = {
        .text = text, .message = text, .priority = SYSLOG_PRIORITY_UNKNOWN, .failed = true};
    event_write(cfg, b, &r, host);
}

static slice without_newlines(slice text)
{
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) text.n--;
    return text;
}

void syslog_event_add(struct syslog_event_state *s, const struct syslog_event_cfg *cfg,
                      struct batch *b, slice raw, bool known_good, slice host)
{
    struct syslog_5424 modern;
    struct syslog_fields plain;
    slice text = text_event_decode(&s->text, &cfg->text, raw, known_good, &b->arena);
    if (cfg->rfc5424 && syslog_5424_likely(text) &&
        syslog_5424_parse(without_newlines(text), &modern)) {
        add_modern(s, cfg, b, text, &modern, host);
    } else if (syslog_3164_parse(text, cfg->ecs ? SYSLOG_ECS : SYSLOG_LEGACY, &plain)) {
        add_plain(s, cfg, b, text, &plain, host);
    } else {
        s->unparsed++;
        add_failed(cfg, b, text, host);
    }
}
