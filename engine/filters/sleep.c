/*
 * sleep.c - slows a pipeline down.
 *
 * The time that the events of a batch should sleep is added up, and the batch waits that long as a
 * whole; its shard goes on with other work. Replay waits as long as lies between the events'
 * timestamps, divided by `time`. Events are counted together, so the pipeline runs on one shard.
 * State: what is counted, the timer of the batch that waits.
 */
#include "engine/base/clock.h"
#include "engine/plan/filter_kit.h"
#include "engine/shard/worker.h"
#include "parsers/text/ruby_number.h"

#define SLEEP_NS_MAX (86400 * NS_PER_SEC) /* of one batch */

struct sleep_cfg {
    slice time_text, every_text;
    bool replay;
    struct template time;
    int64_t every;
};

struct sleep_state {
    struct timer timer;
    struct worker *worker;
    int64_t count, last_ns;
    bool has_last, rested; /* rested: the waiting batch has waited */
};

static double wanted_sec(struct sleep_state *s, const struct sleep_cfg *cfg, struct batch *b,
                         struct event *ev)
{
    double time = ruby_to_f(template_render(&cfg->time, b, ev, NULL));
    if (!cfg->replay) {
        if (++s->count < cfg->every) return 0;
        s->count = 0;
        return time;
    }
    if (ev->time.type != VALUE_TIME) return 0;
    int64_t now_ns = ev->time.u.time_ns;
    double sec = s->has_last && time > 0 ? (double)(now_ns - s->last_ns) / 1e9 / time : 0;
    s->last_ns = now_ns;
    s->has_last = true;
    return sec;
}

static void wake(struct timer *timer, int64_t now_ns)
{
    struct sleep_state *s =
        (struct sleep_state *)((char *)timer - offsetof(struct sleep_state, timer));
    (void)now_ns;
    s->rested = true;
    worker_resume(s->worker);
}

static enum applied sleep_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                                struct sel *hit, struct plan_run *run)
{
    struct sleep_state *s = state;
    double sec = 0;
    (void)run;
    for (uint32_t i = 0; !s->rested && i < in->n; i++) {
        double more = wanted_sec(s, cfg, b, &b->event[in->at[i]]);
        if (more > 0) sec += more;
    }
    if (sec > 0) {
        double ns = sec * 1e9;
        int64_t wait_ns = ns < (double)SLEEP_NS_MAX ? (int64_t)ns : SLEEP_NS_MAX;
        timer_set(&s->worker->shard->timers, &s->timer, s->worker->shard->now_mono_ns + wait_ns);
        return APPLY_PARKED;
    }
    s->rested = false;
    for (uint32_t i = 0; i < in->n; i++) sel_add(hit, in->at[i]);
    return APPLIED;
}

static err sleep_start(void *state, const void *cfg, struct worker *worker)
{
    struct sleep_state *s = state;
    (void)cfg;
    s->worker = worker;
    s->timer.fire = wake;
    return ERR_OK;
}

static void sleep_stop(void *state, const void *cfg)
{
    struct sleep_state *s = state;
    (void)cfg;
    if (s->worker != NULL) timer_cancel(&s->worker->shard->timers, &s->timer);
}

static err sleep_compile(void *config, struct compiler *c)
{
    struct sleep_cfg *cfg = config;
    slice time = cfg->time_text;
    if (time.p == NULL && !cfg->replay) {
        compile_error(c, "time", "time => \"1\"",
                      "missing a required setting for the sleep filter");
        return ERR_CONFIG;
    }
    if (time.p == NULL) time = SLICE("1");
    if (!slice_to_i64(slice_trim(cfg->every_text), &cfg->every) || cfg->every < 0) {
        compile_error(c, "every", "a whole number", "`%.*s` is no number of events",
                      SLICE_FMT(cfg->every_text));
        return ERR_CONFIG;
    }
    return compile_template(c, &cfg->time, time, settings_pos(c->plugin, "time"));
}

static void sleep_release(void *config)
{
    template_fini(&((struct sleep_cfg *)config)->time);
}

/* clang-format off */
static const struct setting sleep_settings[] = {
    {.name = "time", SETTING_AT(struct sleep_cfg, time_text, STRING),
     .doc = "Seconds to sleep; may contain %{field}. With replay, how many times faster."},
    {.name = "every", SETTING_AT(struct sleep_cfg, every_text, STRING), .default_text = "1",
     .doc = "Sleep at every so manieth event; not with replay."},
    {.name = "replay", SETTING_AT(struct sleep_cfg, replay, BOOL), .default_text = "false",
     .doc = "Sleep for the time between the events' timestamps."},
    {0}};
/* clang-format on */

const struct filter_ops filter_sleep = {
    .name = "sleep",
    .doc = "Slows a pipeline down.",
    .flags = FILTER_SERIAL | FILTER_WAITS,
    .settings = sleep_settings,
    .cfg_size = sizeof(struct sleep_cfg),
    .state_size = sizeof(struct sleep_state),
    .compile = sleep_compile,
    .release = sleep_release,
    .start = sleep_start,
    .apply = sleep_apply,
    .stop = sleep_stop,
};
