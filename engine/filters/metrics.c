/*
 * metrics.c - counts events and measures their numbers, and makes an event of that now and then.
 *
 * Meters have a count and moving rates (1, 5, 15 minutes; renewed every five seconds, as
 * exponentially weighted averages), timers have a distribution, too: percentiles come from 1028
 * samples that favour the last minutes (Cormode et al., "Forward Decay", ICDE 2009). Like the
 * plugin, `stddev` is the square root of the standard deviation. All events count together,
 * so the pipeline runs on one shard. State: the metrics, in order of appearance.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/number.h"
#include "engine/base/prng.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/host.h"
#include "parsers/text/ruby_number.h"

#define STEP_SEC 5u /* the plugin is asked every five seconds */
#define SAMPLES 1028u
#define SAMPLE_ALPHA 0.015  /* a second */
#define METRICS_MAX 100000u /* names may come from events */

struct meter {
    uint64_t count, uncounted;
    double rate[3]; /* a second */
    bool rated;
};

struct sample {
    double weight; /* the logarithm of its priority */
    double value;
};

struct timer {
    double sum, min, max, mean, m2;
    struct sample *heap; /* least weight first */
    uint32_t n;
};

struct metric {
    char *name;
    uint32_t name_n, hash;
    bool timed;
    struct meter meter;
    struct timer timer;
};

struct timer_source {
    struct template name, value;
};

struct metrics_cfg {
    struct config_list meter_texts, rate_list, percentile_list;
    struct config_hash timer_texts;
    int64_t flush_sec, clear_sec;
    double ignore_older_sec;
    struct template_list meters;
    struct timer_source *timers;
    uint32_t timer_n;
    bool rate_on[3];
};

struct metrics_state {
    struct metric *at;
    uint32_t n, cap;
    uint32_t *slot; /* index + 1 */
    uint32_t slot_mask;
    uint32_t ticks;
    int64_t since_flush_sec, since_clear_sec;
    int64_t started_ns;
    struct prng random;
    struct counter limit_hits;
};

static const double rate_minutes[3] = {1, 5, 15};

/* ---- metrics ------------------------------------------------------------------------- */

static void slots_make(struct metrics_state *s)
{
    free(s->slot);
    s->slot_mask = s->cap * 2 - 1;
    s->slot = calloc((size_t)s->slot_mask + 1, sizeof(*s->slot));
    ASSERT(s->slot != NULL);
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t k = s->at[i].hash & s->slot_mask;
        while (s->slot[k] != 0) k = (k + 1) & s->slot_mask;
        s->slot[k] = i + 1;
    }
}

/* NULL when there are too many names. */
static struct metric *metric_get(struct metrics_state *s, slice name, bool timed)
{
    uint32_t hash = hash_key(name.p, name.n) ^ (timed ? 0x9e3779b9u : 0);
    uint32_t k = hash & s->slot_mask;
    for (; s->slot != NULL && s->slot[k] != 0; k = (k + 1) & s->slot_mask) {
        struct metric *m = &s->at[s->slot[k] - 1];
        if (m->hash == hash && m->timed == timed &&
            slice_equal(name, slice_make(m->name, m->name_n)))
            return m;
    }
    if (s->n == METRICS_MAX) {
        counter_add(&s->limit_hits, 1);
        return NULL;
    }
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 16 : s->cap * 2;
        s->at = realloc(s->at, s->cap * sizeof(*s->at));
        ASSERT(s->at != NULL);
    }
    s->at[s->n] = (struct metric){
        .name = slice_dup_cstr(name), .name_n = name.n, .hash = hash, .timed = timed};
    s->n++;
    slots_make(s);
    return &s->at[s->n - 1];
}

static void metrics_clear(struct metrics_state *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        free(s->at[i].name);
        free(s->at[i].timer.heap);
    }
    s->n = 0;
    if (s->slot != NULL) slots_make(s);
}

static void meter_mark(struct meter *m)
{
    m->count++;
    m->uncounted++;
}

static void meter_step(struct meter *m)
{
    double now = (double)m->uncounted / STEP_SEC;
    m->uncounted = 0;
    for (uint32_t i = 0; i < 3; i++) {
        double alpha = 1 - exp(-(double)STEP_SEC / 60 / rate_minutes[i]);
        m->rate[i] = m->rated ? m->rate[i] + alpha * (now - m->rate[i]) : now;
    }
    m->rated = true;
}

static void heap_down(struct sample *heap, uint32_t n, uint32_t at)
{
    struct sample moved = heap[at];
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && heap[child + 1].weight < heap[child].weight) child++;
        if (moved.weight <= heap[child].weight) break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void sample_add(struct metrics_state *s, struct timer *t, double value, int64_t now_ns)
{
    double age_sec = (double)(now_ns - s->started_ns) / 1e9;
    double u = ((double)(prng_next(&s->random) >> 11) + 1) / 9007199254740993.0;
    struct sample sample = {SAMPLE_ALPHA * age_sec - log(u), value};
    if (t->n < SAMPLES) {
        uint32_t at = t->n++;
        for (; at > 0 && t->heap[(at - 1) / 2].weight > sample.weight; at = (at - 1) / 2)
            t->heap[at] = t->heap[(at - 1) / 2];
        t->heap[at] = sample;
    } else if (sample.weight > t->heap[0].weight) {
        t->heap[0] = sample;
        heap_down(t->heap, t->n, 0);
    }
}

/* Welford's running variance. */
static void timer_update(struct metrics_state *s, struct metric *m, double value, int64_t now_ns)
{
    struct timer *t = &m->timer;
    if (t->heap == NULL) {
        t->heap = malloc(SAMPLES * sizeof(*t->heap));
        ASSERT(t->heap != NULL);
        t->min = t->max = value;
    }
    meter_mark(&m->meter);
    if (value < t->min) t->min = value;
    if (value > t->max) t->max = value;
    t->sum += value;
    double delta = value - t->mean;
    t->mean += delta / (double)m->meter.count;
    t->m2 += delta * (value - t->mean);
    sample_add(s, t, value, now_ns);
}

static int value_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Between the two samples around the place, as usual for few samples. */
static double percentile(const double *sorted, uint32_t n, double percent)
{
    double place = percent / 100.0 * (n + 1);
    if (n == 0) return 0;
    if (place < 1) return sorted[0];
    if (place >= n) return sorted[n - 1];
    double low = sorted[(uint32_t)place - 1], high = sorted[(uint32_t)place];
    return low + (place - floor(place)) * (high - low);
}

/* ---- events ---------------------------------------------------------------------------- */

static enum applied metrics_apply(void *state, const void *config, struct batch *b,
                                  const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct metrics_cfg *cfg = config;
    struct metrics_state *s = state;
    (void)hit, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        if (cfg->ignore_older_sec > 0 && ev->time.type == VALUE_TIME &&
            (double)(b->now_ns - ev->time.u.time_ns) / 1e9 > cfg->ignore_older_sec)
            continue;
        for (uint32_t k = 0; k < cfg->meters.n; k++) {
            slice name = template_render(&cfg->meters.at[k], b, ev, NULL);
            struct metric *m = metric_get(s, name, false);
            if (m != NULL) meter_mark(&m->meter);
        }
        for (uint32_t k = 0; k < cfg->timer_n; k++) {
            slice name = template_render(&cfg->timers[k].name, b, ev, NULL);
            struct metric *m = metric_get(s, name, true);
            slice text = template_render(&cfg->timers[k].value, b, ev, NULL);
            if (m != NULL) timer_update(s, m, ruby_to_f(text), b->now_ns);
        }
    }
    return APPLIED;
}

static void put(struct batch *b, struct map *map, slice name, struct value val)
{
    map_put(map, &b->arena, key_borrow(arena_copy(&b->arena, name)), val);
}

static void put_meter(const struct metrics_cfg *cfg, struct batch *b, struct map *map,
                      const struct meter *m)
{
    static const char *const names[3] = {"rate_1m", "rate_5m", "rate_15m"};
    put(b, map, SLICE("count"), value_int((int64_t)m->count));
    for (uint32_t i = 0; i < 3; i++)
        if (cfg->rate_on[i]) put(b, map, slice_from_cstr(names[i]), value_float(m->rate[i]));
}

static void put_timer(const struct metrics_cfg *cfg, struct batch *b, struct map *map,
                      const struct metric *m)
{
    const struct timer *t = &m->timer;
    uint64_t count = m->meter.count;
    double variance = count > 1 ? t->m2 / (double)(count - 1) : 0;
    put(b, map, SLICE("min"), value_float(t->min));
    put(b, map, SLICE("max"), value_float(t->max));
    put(b, map, SLICE("stddev"), value_float(sqrt(sqrt(variance))));
    put(b, map, SLICE("mean"), value_float(count > 0 ? t->sum / (double)count : 0));
    double *sorted = arena_alloc(&b->arena, ((size_t)t->n + 1) * sizeof(double), 8);
    for (uint32_t i = 0; i < t->n; i++) sorted[i] = t->heap[i].value;
    qsort(sorted, t->n, sizeof(double), value_order);
    for (uint32_t i = 0; i < cfg->percentile_list.n; i++) {
        double percent = 0;
        slice text = cfg->percentile_list.at[i].text;
        if (!number_f64_parse(text, &percent)) continue;
        put(b, map, arena_join(&b->arena, SLICE("p"), text),
            value_float(percentile(sorted, t->n, percent)));
    }
}

static void report(struct metrics_state *s, const struct metrics_cfg *cfg, struct batch *b)
{
    struct event *ev = event_new(b);
    if (ev == NULL) return;
    put(b, &ev->data, SLICE("message"), value_string(host_name()));
    for (uint32_t i = 0; i < s->n; i++) {
        const struct metric *m = &s->at[i];
        struct map *map = map_new(&b->arena);
        put_meter(cfg, b, map, &m->meter);
        if (m->timed) put_timer(cfg, b, map, m);
        slice name = arena_copy(&b->arena, slice_make(m->name, m->name_n));
        bool bracketed = name.n > 0 && name.p[0] == '[';
        if (bracketed ? !event_put_named(b, ev, name, value_map(map)) : name.n == 0) continue;
        if (!bracketed) put(b, &ev->data, name, value_map(map));
    }
}

static void metrics_tick(void *state, const void *config, struct batch *out, int64_t now_ns,
                         bool last)
{
    const struct metrics_cfg *cfg = config;
    struct metrics_state *s = state;
    (void)now_ns;
    if (!last && ++s->ticks % STEP_SEC != 0) return;
    for (uint32_t i = 0; !last && i < s->n; i++) meter_step(&s->at[i].meter);
    s->since_flush_sec += STEP_SEC;
    s->since_clear_sec += STEP_SEC;
    if (s->since_flush_sec < cfg->flush_sec || s->n == 0) return;
    report(s, cfg, out);
    s->since_flush_sec = 0;
    if (cfg->clear_sec > 0 && s->since_clear_sec >= cfg->clear_sec) {
        metrics_clear(s);
        s->since_clear_sec = 0;
    }
}

/* ---- life ------------------------------------------------------------------------------- */

static err metrics_start(void *state, const void *cfg, struct worker *worker)
{
    struct metrics_state *s = state;
    (void)cfg, (void)worker;
    s->started_ns = clock_real_ns();
    prng_seed(&s->random, (uint64_t)clock_cycles());
    return ERR_OK;
}

static void metrics_stop(void *state, const void *cfg)
{
    struct metrics_state *s = state;
    (void)cfg;
    metrics_clear(s);
    free(s->at);
    free(s->slot);
}

static void metrics_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    buf_printf(
        out, ",\"limit_hits\":%llu",
        (unsigned long long)counter_read(&((const struct metrics_state *)state)->limit_hits));
}

static err compile_rates(struct metrics_cfg *cfg, struct compiler *c)
{
    for (uint32_t i = 0; i < cfg->rate_list.n; i++) {
        int64_t minutes;
        bool known = false;
        for (uint32_t k = 0; slice_to_i64(cfg->rate_list.at[i].text, &minutes) && k < 3; k++) {
            if ((double)minutes != rate_minutes[k]) continue;
            cfg->rate_on[k] = known = true;
        }
        if (known) continue;
        diag_error(c->diag, cfg->rate_list.at[i].pos, "1, 5 or 15",
                   "Invalid rates configuration. possible rates are 1, 5, 15.");
        return ERR_CONFIG;
    }
    for (uint32_t i = 0; i < cfg->percentile_list.n; i++) {
        double percent;
        if (number_f64_parse(cfg->percentile_list.at[i].text, &percent) && percent >= 0 &&
            percent <= 100)
            continue;
        diag_error(c->diag, cfg->percentile_list.at[i].pos, "a number from 0 to 100",
                   "`%.*s` is no percentile", SLICE_FMT(cfg->percentile_list.at[i].text));
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static err metrics_compile(void *config, struct compiler *c)
{
    struct metrics_cfg *cfg = config;
    err e = compile_template_list(c, &cfg->meters, cfg->meter_texts);
    cfg->timers = heap_alloc(c->heap, (cfg->timer_texts.n + 1) * sizeof(*cfg->timers));
    for (uint32_t i = 0; i < cfg->timer_texts.n; i++) {
        const struct config_pair *pair = &cfg->timer_texts.at[i];
        struct timer_source *t = &cfg->timers[cfg->timer_n++];
        if (compile_template(c, &t->name, pair->key.text, pair->key.pos) != ERR_OK ||
            compile_template(c, &t->value, pair->val.text, pair->val.pos) != ERR_OK)
            e = ERR_CONFIG;
    }
    err e2 = compile_rates(cfg, c);
    return e != ERR_OK ? e : e2;
}

static void metrics_release(void *config)
{
    struct metrics_cfg *cfg = config;
    template_list_fini(&cfg->meters);
    for (uint32_t i = 0; i < cfg->timer_n; i++) {
        template_fini(&cfg->timers[i].name);
        template_fini(&cfg->timers[i].value);
    }
}

#define ME_AT(member, kind) SETTING_AT(struct metrics_cfg, member, kind)

/* clang-format off */
static const struct setting metrics_settings[] = {
    {.name = "meter", ME_AT(meter_texts, LIST), .default_text = "[]",
     .doc = "Names of meters that count each event; may contain %{field}."},
    {.name = "timer", ME_AT(timer_texts, HASH), .default_text = "{}",
     .doc = "Names of timers with the number to measure; both may contain %{field}."},
    {.name = "rates", ME_AT(rate_list, LIST), .default_text = "[1, 5, 15]",
     .doc = "Moving rates to report, in minutes: of 1, 5 and 15."},
    {.name = "percentiles", ME_AT(percentile_list, LIST),
     .default_text = "[1, 5, 10, 90, 95, 99, 100]", .doc = "Percentiles of timers to report."},
    {.name = "flush_interval", ME_AT(flush_sec, INT), .default_text = "5",
     .doc = "Seconds between reports, in steps of five."},
    {.name = "clear_interval", ME_AT(clear_sec, INT), .default_text = "-1",
     .doc = "Seconds after which all metrics begin anew; -1: never."},
    {.name = "ignore_older_than", ME_AT(ignore_older_sec, FLOAT), .default_text = "0",
     .doc = "Do not count events older than this, in seconds; 0: count all."},
    {0}};
/* clang-format on */

const struct filter_ops filter_metrics = {
    .name = "metrics",
    .doc = "Counts events and measures numbers, and reports them as events.",
    .flags = FILTER_SERIAL | FILTER_TICK_DECORATES,
    .settings = metrics_settings,
    .cfg_size = sizeof(struct metrics_cfg),
    .state_size = sizeof(struct metrics_state),
    .compile = metrics_compile,
    .release = metrics_release,
    .start = metrics_start,
    .apply = metrics_apply,
    .tick = metrics_tick,
    .stop = metrics_stop,
    .stats = metrics_stats,
};
