/*
 * throttle.c - marks events whose key comes too rarely or too often in a period.
 *
 * Events of a key are counted in slots of `period` seconds of event time, which begin with
 * the key's first event. Common options apply to events whose count is below before_count or above
 * after_count. Slots older than max_age seconds before the key's newest go at once, keys every
 * five seconds; more than max_counters slots shorten max_age by steps, as in the plugin.
 * All events count together, so the pipeline runs on one shard. State: the table of keys.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/civil.h"
#include "engine/base/log.h"
#include "engine/plan/filter_kit.h"
#include "parsers/text/ruby_number.h"

#define FLUSH_TICKS 5u  /* the plugin's flush comes every five seconds */
#define AGE_STEP_PCT 5  /* how fast max_age follows */
#define AGE_LEAST_PCT 5 /* and how far */
#define FULL_PCT 80     /* it grows again below this share of max_counters */

struct slot {
    int64_t begin_s;
    uint64_t count;
};

struct timeline {
    char *key;
    uint32_t key_n, hash;
    int64_t created_s, latest_s;
    struct slot *slot;
    uint32_t n, cap;
    struct timeline *next; /* of its bucket */
};

struct throttle_cfg {
    slice key_text, period_text;
    int64_t before_count, after_count, max_age_sec, max_counters;
    struct template key, period;
};

struct throttle_state {
    struct timeline **bucket;
    uint32_t mask, n, ticks;
    int64_t max_age_sec;
    struct counter throttled;
};

static void timeline_free(struct timeline *t)
{
    free(t->key);
    free(t->slot);
    free(t);
}

static void buckets_grow(struct throttle_state *s)
{
    uint32_t mask = s->mask * 2 + 1;
    struct timeline **bucket = calloc((size_t)mask + 1, sizeof(struct timeline *));
    ASSERT(bucket != NULL);
    for (uint32_t i = 0; i <= s->mask; i++) {
        for (struct timeline *t = s->bucket[i], *next; t != NULL; t = next) {
            next = t->next;
            t->next = bucket[t->hash & mask];
            bucket[t->hash & mask] = t;
        }
    }
    free(s->bucket);
    s->bucket = bucket;
    s->mask = mask;
}

static struct timeline *timeline_get(struct throttle_state *s, slice key, int64_t now_s)
{
    uint32_t hash = hash_key(key.p, key.n);
    for (struct timeline *t = s->bucket[hash & s->mask]; t != NULL; t = t->next)
        if (t->hash == hash && slice_equal(key, slice_make(t->key, t->key_n))) return t;
    if (s->n > s->mask) buckets_grow(s);
    struct timeline *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL);
    *t = (struct timeline){.key = slice_dup_cstr(key),
                           .key_n = key.n,
                           .hash = hash,
                           .created_s = now_s,
                           .latest_s = now_s,
                           .next = s->bucket[hash & s->mask]};
    s->bucket[hash & s->mask] = t;
    s->n++;
    return t;
}

static uint64_t slot_count(struct timeline *t, int64_t begin_s)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (t->slot[i].begin_s == begin_s) return ++t->slot[i].count;
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 2 : t->cap * 2;
        t->slot = realloc(t->slot, t->cap * sizeof(*t->slot));
        ASSERT(t->slot != NULL);
    }
    t->slot[t->n++] = (struct slot){begin_s, 1};
    return 1;
}

static void slots_expire(struct timeline *t, int64_t max_age_sec)
{
    int64_t newest = INT64_MIN;
    for (uint32_t i = 0; i < t->n; i++)
        if (t->slot[i].begin_s > newest) newest = t->slot[i].begin_s;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->n; i++)
        if (t->slot[i].begin_s >= newest - max_age_sec) t->slot[kept++] = t->slot[i];
    t->n = kept;
}

static bool throttle_one(struct throttle_state *s, const struct throttle_cfg *cfg, struct batch *b,
                         struct event *ev)
{
    slice key = template_render(&cfg->key, b, ev, NULL);
    struct value period = ruby_to_i(template_render(&cfg->period, b, ev, NULL), &b->arena);
    int64_t period_s = period.type == VALUE_INT && period.u.num != 0 ? period.u.num : 60;
    if (period_s < 0) period_s = -period_s;
    int64_t now_ns = ev->time.type == VALUE_TIME ? ev->time.u.time_ns : b->now_ns;
    int64_t now_s = civil_floor_div(now_ns, 1000000000);
    struct timeline *t = timeline_get(s, key, now_s);
    if (now_s > t->latest_s) t->latest_s = now_s;
    int64_t since_s = now_s - t->created_s;
    int64_t into_s = since_s - civil_floor_div(since_s, period_s) * period_s;
    uint64_t count = slot_count(t, now_s - into_s);
    slots_expire(t, s->max_age_sec);
    return (cfg->before_count != -1 && (int64_t)count < cfg->before_count) ||
           (cfg->after_count != -1 && (int64_t)count > cfg->after_count);
}

static enum applied throttle_apply(void *state, const void *cfg, struct batch *b,
                                   const struct sel *in, struct sel *hit, struct plan_run *run)
{
    struct throttle_state *s = state;
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        if (!throttle_one(s, cfg, b, &b->event[in->at[i]])) continue;
        counter_add(&s->throttled, 1);
        sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

/* Keys that were not seen for max_age before the newest event go; the slots of the rest. */
static uint64_t keys_expire(struct throttle_state *s)
{
    int64_t newest = INT64_MIN;
    uint64_t slots = 0;
    for (uint32_t i = 0; i <= s->mask; i++)
        for (struct timeline *t = s->bucket[i]; t != NULL; t = t->next)
            if (t->latest_s > newest) newest = t->latest_s;
    for (uint32_t i = 0; i <= s->mask; i++) {
        for (struct timeline **at = &s->bucket[i]; *at != NULL;) {
            struct timeline *t = *at;
            if (t->latest_s >= newest - s->max_age_sec) {
                slots += t->n;
                at = &t->next;
                continue;
            }
            *at = t->next;
            timeline_free(t);
            s->n--;
        }
    }
    return slots;
}

static void throttle_tick(void *state, const void *config, struct batch *out, int64_t now_ns,
                          bool last)
{
    const struct throttle_cfg *cfg = config;
    struct throttle_state *s = state;
    (void)out, (void)now_ns;
    if (last || ++s->ticks % FLUSH_TICKS != 0) return;
    int64_t slots = (int64_t)keys_expire(s);
    if (cfg->max_counters == -1) return;
    int64_t step = cfg->max_age_sec * AGE_STEP_PCT / 100;
    if (slots > cfg->max_counters && s->max_age_sec > cfg->max_age_sec * AGE_LEAST_PCT / 100) {
        s->max_age_sec -= step;
        log_warn("filters.throttle",
                 "Decreased timeslot max_age to %lld because max_counters exceeded by %lld. Use a "
                 "better key to prevent too many unique event counters.",
                 (long long)s->max_age_sec, (long long)(slots - cfg->max_counters));
    } else if (s->max_age_sec < cfg->max_age_sec && slots < cfg->max_counters * FULL_PCT / 100) {
        s->max_age_sec += step;
        log_warn("filters.throttle",
                 "Increased timeslot max_age to %lld because max_counters no longer exceeded.",
                 (long long)s->max_age_sec);
    }
}

static err throttle_start(void *state, const void *config, struct worker *worker)
{
    struct throttle_state *s = state;
    (void)worker;
    s->mask = 255;
    s->bucket = calloc((size_t)s->mask + 1, sizeof(struct timeline *));
    ASSERT(s->bucket != NULL);
    s->max_age_sec = ((const struct throttle_cfg *)config)->max_age_sec;
    return ERR_OK;
}

static void throttle_stop(void *state, const void *cfg)
{
    struct throttle_state *s = state;
    (void)cfg;
    for (uint32_t i = 0; s->bucket != NULL && i <= s->mask; i++) {
        for (struct timeline *t = s->bucket[i], *next; t != NULL; t = next) {
            next = t->next;
            timeline_free(t);
        }
    }
    free(s->bucket);
}

static void throttle_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    buf_printf(
        out, ",\"throttled\":%llu",
        (unsigned long long)counter_read(&((const struct throttle_state *)state)->throttled));
}

static err throttle_compile(void *config, struct compiler *c)
{
    struct throttle_cfg *cfg = config;
    err e = compile_template(c, &cfg->key, cfg->key_text, settings_pos(c->plugin, "key"));
    err e2 = compile_template(c, &cfg->period, cfg->period_text, settings_pos(c->plugin, "period"));
    return e != ERR_OK ? e : e2;
}

static void throttle_release(void *config)
{
    struct throttle_cfg *cfg = config;
    template_fini(&cfg->key);
    template_fini(&cfg->period);
}

#define TH_AT(member, kind) SETTING_AT(struct throttle_cfg, member, kind)

/* clang-format off */
static const struct setting throttle_settings[] = {
    {.name = "key", TH_AT(key_text, STRING), .flags = SETTING_REQUIRED,
     .doc = "What events are counted by; may contain %{field}."},
    {.name = "before_count", TH_AT(before_count, INT), .default_text = "-1",
     .doc = "Mark events before this count is reached; -1: none."},
    {.name = "after_count", TH_AT(after_count, INT), .default_text = "-1",
     .doc = "Mark events once there were more than this; -1: none."},
    {.name = "period", TH_AT(period_text, STRING), .default_text = "60",
     .doc = "Seconds until counting begins anew; may contain %{field}."},
    {.name = "max_age", TH_AT(max_age_sec, INT), .default_text = "3600", .min = 0,
     .max = INT32_MAX, .doc = "Seconds for which counts of the past are kept."},
    {.name = "max_counters", TH_AT(max_counters, INT), .default_text = "100000",
     .doc = "With more counts than this, max_age shrinks; -1: never."},
    {0}};
/* clang-format on */

const struct filter_ops filter_throttle = {
    .name = "throttle",
    .doc = "Marks events whose key comes too rarely or too often.",
    .flags = FILTER_SERIAL,
    .settings = throttle_settings,
    .cfg_size = sizeof(struct throttle_cfg),
    .state_size = sizeof(struct throttle_state),
    .compile = throttle_compile,
    .release = throttle_release,
    .start = throttle_start,
    .apply = throttle_apply,
    .tick = throttle_tick,
    .stop = throttle_stop,
    .stats = throttle_stats,
};
