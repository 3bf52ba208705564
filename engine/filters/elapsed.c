/*
 * elapsed.c - the time between two events with the same id.
 *
 * An event with start_tag is remembered by its id; one with end_tag gets the time since then, or
 * makes an event that has it. A start whose end does not come within `timeout` seconds makes an
 * event that says so. Ids of one type are compared as text. Field names follow ecs_compatibility:
 * there the duration is nanoseconds. All events are seen together, so the pipeline runs on one
 * shard. State: the starts; at most STARTS_MAX, more are refused and counted.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/host.h"

#define STARTS_MAX 1000000u
#define STEP_SEC 5u /* ages grow in steps of five seconds, as the plugin's do */

static const char *const keeps[] = {"first", "last", NULL};

struct start {
    char *id;
    uint32_t id_n, hash;
    struct value id_value; /* of numbers and booleans: the id as it is written again */
    enum value_type id_type;
    int64_t time_ns;
    int64_t age_sec;
    struct start *next;
};

struct elapsed_cfg {
    slice start_tag, end_tag, id_name;
    int64_t timeout_sec;
    bool new_event, ecs;
    int keep;
    struct fieldref id, duration, begun, host;
};

struct elapsed_state {
    struct start **bucket;
    uint32_t mask, n, ticks;
    struct counter refused, expired;
    struct log_gate gate;
};

struct elapsed_run {
    struct elapsed_state *state;
    const struct elapsed_cfg *cfg;
    struct batch *batch;
    struct plan_run *run;
};

static struct start **start_find(struct elapsed_state *s, slice id, enum value_type type)
{
    uint32_t hash = hash_key(id.p, id.n);
    struct start **at = &s->bucket[hash & s->mask];
    while (*at != NULL && !((*at)->hash == hash && (*at)->id_type == type &&
                            slice_equal(id, slice_make((*at)->id, (*at)->id_n))))
        at = &(*at)->next;
    return at;
}

static void start_remove(struct elapsed_state *s, struct start **at)
{
    struct start *start = *at;
    *at = start->next;
    free(start->id);
    free(start);
    s->n--;
}

static void buckets_grow(struct elapsed_state *s)
{
    uint32_t mask = s->mask * 2 + 1;
    struct start **bucket = calloc((size_t)mask + 1, sizeof(struct start *));
    ASSERT(bucket != NULL);
    for (uint32_t i = 0; i <= s->mask; i++) {
        for (struct start *at = s->bucket[i], *next; at != NULL; at = next) {
            next = at->next;
            at->next = bucket[at->hash & mask];
            bucket[at->hash & mask] = at;
        }
    }
    free(s->bucket);
    s->bucket = bucket;
    s->mask = mask;
}

static void start_add(struct elapsed_run *r, slice text, const struct value *id, int64_t time_ns)
{
    struct elapsed_state *s = r->state;
    struct start **at = start_find(s, text, id->type);
    if (*at != NULL) {
        if (r->cfg->keep == 0) return;
        start_remove(s, at);
    }
    if (s->n == STARTS_MAX) {
        uint64_t held;
        counter_add(&s->refused, 1);
        if (log_gate_open(&s->gate, &held))
            log_warn("filters.elapsed", "%u events wait for their end: no more are remembered",
                     STARTS_MAX);
        return;
    }
    if (s->n > s->mask) buckets_grow(s);
    struct start *start = calloc(1, sizeof(*start));
    ASSERT(start != NULL);
    *start = (struct start){.id = slice_dup_cstr(text),
                            .id_n = text.n,
                            .hash = hash_key(text.p, text.n),
                            .id_type = id->type,
                            .id_value = *id,
                            .time_ns = time_ns};
    start->next = s->bucket[start->hash & s->mask];
    s->bucket[start->hash & s->mask] = start;
    s->n++;
}

static struct value start_id(const struct start *start, struct arena *arena)
{
    enum value_type type = start->id_type;
    if (type == VALUE_INT || type == VALUE_FLOAT || type == VALUE_BOOL) return start->id_value;
    return value_string(arena_copy(arena, slice_make(start->id, start->id_n)));
}

static void put(struct batch *b, struct event *ev, const struct fieldref *ref, struct value val)
{
    err e = event_put(b, ev, ref, val);
    (void)e; /* A scalar in the way: the field cannot be there. */
}

static void describe(struct elapsed_run *r, struct event *ev, const struct start *start,
                     struct value id, struct value duration, const char *tag)
{
    struct batch *b = r->batch;
    event_tag(b, ev, SLICE("elapsed"), true);
    event_tag(b, ev, slice_from_cstr(tag), true);
    put(b, ev, &r->cfg->duration, duration);
    put(b, ev, &r->cfg->id, id);
    put(b, ev, &r->cfg->begun, value_time(start->time_ns));
}

static struct value duration_of(const struct elapsed_cfg *cfg, int64_t ns)
{
    return cfg->ecs ? value_int(ns) : value_float((double)ns / 1e9);
}

static void end_seen(struct elapsed_run *r, uint32_t index, slice text, const struct value *id,
                     int64_t time_ns)
{
    struct batch *b = r->batch;
    struct start **at = start_find(r->state, text, id->type);
    if (*at == NULL) {
        event_tag(b, &b->event[index], SLICE("elapsed_end_without_start"), true);
        return;
    }
    struct value duration = duration_of(r->cfg, time_ns - (*at)->time_ns);
    struct event *ev = &b->event[index];
    if (r->cfg->new_event) {
        ev = batch_add_child(b, index);
        if (ev == NULL) {
            counter_add(&r->state->refused, 1);
            return;
        }
        event_add_version(b, ev);
        put(b, ev, &r->cfg->host, value_string(host_name()));
    }
    describe(r, ev, *at, value_copy(id, &b->arena), duration, "elapsed_match");
    if (r->cfg->new_event) plan_decorate(r->run, ev);
    start_remove(r->state, at);
}

static void elapsed_one(struct elapsed_run *r, uint32_t index)
{
    struct batch *b = r->batch;
    struct event *ev = &b->event[index];
    struct value *id = event_get(b, ev, &r->cfg->id);
    if (id == NULL || id->type == VALUE_NIL) return;
    bool starts = event_has_tag(b, ev, r->cfg->start_tag);
    if (!starts && !event_has_tag(b, ev, r->cfg->end_tag)) return;
    struct value held = *id;
    slice text = value_to_slice(&held, &b->arena, &b->scratch);
    int64_t time_ns = ev->time.type == VALUE_TIME ? ev->time.u.time_ns : b->now_ns;
    plan_decorate(r->run, ev);
    if (starts)
        start_add(r, text, &held, time_ns);
    else
        end_seen(r, index, text, &held, time_ns);
}

static enum applied elapsed_apply(void *state, const void *cfg, struct batch *b,
                                  const struct sel *in, struct sel *hit, struct plan_run *run)
{
    struct elapsed_run r = {state, cfg, b, run};
    (void)hit;
    for (uint32_t i = 0; i < in->n; i++) elapsed_one(&r, in->at[i]);
    return APPLIED;
}

static void expire(struct elapsed_run *r, const struct start *start)
{
    struct batch *b = r->batch;
    struct event *ev = event_new(b);
    if (ev == NULL) return;
    put(b, ev, &r->cfg->host, value_string(host_name()));
    struct value age =
        r->cfg->ecs ? value_int(start->age_sec * NS_PER_SEC) : value_int(start->age_sec);
    describe(r, ev, start, start_id(start, &b->arena), age, "elapsed_expired_error");
    counter_add(&r->state->expired, 1);
}

static void elapsed_tick(void *state, const void *config, struct batch *out, int64_t now_ns,
                         bool last)
{
    struct elapsed_state *s = state;
    struct elapsed_run r = {state, config, out, NULL};
    (void)now_ns;
    if (last || ++s->ticks % STEP_SEC != 0) return;
    for (uint32_t i = 0; i <= s->mask; i++) {
        for (struct start **at = &s->bucket[i]; *at != NULL;) {
            (*at)->age_sec += STEP_SEC;
            if ((*at)->age_sec < r.cfg->timeout_sec) {
                at = &(*at)->next;
                continue;
            }
            expire(&r, *at);
            start_remove(s, at);
        }
    }
}

static err elapsed_start(void *state, const void *cfg, struct worker *worker)
{
    struct elapsed_state *s = state;
    (void)cfg, (void)worker;
    s->mask = 255;
    s->bucket = calloc((size_t)s->mask + 1, sizeof(struct start *));
    ASSERT(s->bucket != NULL);
    return ERR_OK;
}

static void elapsed_stop(void *state, const void *cfg)
{
    struct elapsed_state *s = state;
    (void)cfg;
    for (uint32_t i = 0; s->bucket != NULL && i <= s->mask; i++)
        while (s->bucket[i] != NULL) start_remove(s, &s->bucket[i]);
    free(s->bucket);
}

static void elapsed_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct elapsed_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"expired\":%llu,\"refused\":%llu",
               (unsigned long long)counter_read(&s->expired),
               (unsigned long long)counter_read(&s->refused));
}

static err elapsed_compile(void *config, struct compiler *c)
{
    struct elapsed_cfg *cfg = config;
    bool ecs = cfg->ecs = compiler_is_ecs(c);
    err e[] = {
        compile_field_option(c, &cfg->id, "unique_id_field", cfg->id_name),
        compile_field_option(c, &cfg->duration, "ecs_compatibility",
                             ecs ? SLICE("[event][duration]") : SLICE("elapsed_time")),
        compile_field_option(c, &cfg->begun, "ecs_compatibility",
                             ecs ? SLICE("[event][start]") : SLICE("elapsed_timestamp_start")),
        compile_field_option(c, &cfg->host, "ecs_compatibility",
                             ecs ? SLICE("[host][name]") : SLICE("host"))};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

#define EL_AT(member, kind) SETTING_AT(struct elapsed_cfg, member, kind)

/* clang-format off */
static const struct setting elapsed_settings[] = {
    {.name = "start_tag", EL_AT(start_tag, STRING), .flags = SETTING_REQUIRED,
     .doc = "The tag of events that begin something."},
    {.name = "end_tag", EL_AT(end_tag, STRING), .flags = SETTING_REQUIRED,
     .doc = "The tag of events that end it."},
    {.name = "unique_id_field", EL_AT(id_name, STRING), .flags = SETTING_REQUIRED | SETTING_FIELD,
     .doc = "The field by which beginning and end find each other."},
    {.name = "timeout", EL_AT(timeout_sec, INT), .default_text = "1800", .min = 0,
     .max = INT32_MAX,
     .doc = "Seconds to wait for the end; then an event tells that it is missing."},
    {.name = "new_event_on_match", EL_AT(new_event, BOOL), .default_text = "false",
     .doc = "Make an event of the duration instead of adding it to the end."},
    {.name = "keep_start_event", EL_AT(keep, ENUM), .choices = keeps, .default_text = "first",
     .doc = "Which one counts when several events begin the same."},
    {0}};
/* clang-format on */

const struct filter_ops filter_elapsed = {
    .name = "elapsed",
    .doc = "Measures the time between two events with the same id.",
    .flags = FILTER_SERIAL | FILTER_TICK_DECORATES,
    .settings = elapsed_settings,
    .cfg_size = sizeof(struct elapsed_cfg),
    .state_size = sizeof(struct elapsed_state),
    .compile = elapsed_compile,
    .start = elapsed_start,
    .apply = elapsed_apply,
    .tick = elapsed_tick,
    .stop = elapsed_stop,
    .stats = elapsed_stats,
};
