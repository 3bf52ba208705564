/* converge.c - the pipelines that run become those that should. */
#include "engine/app/converge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/app/links.h"
#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

#define END_WAIT_NS (2 * NS_PER_SEC)

/* ---- one pipeline -------------------------------------------------------------------- */

/* While stdout carries events, the log has to go elsewhere. */
static void keep_stdout_clean(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->output_n; i++)
        if (slice_equal(plan->output[i].name, SLICE("stdout"))) log_to_stderr(true);
}

static struct plan *compile(struct control *c, const struct wanted *w, struct load_report *r)
{
    struct plan *plan = wanted_compile(w, c->cache_dir, NULL, r);
    if (plan != NULL) keep_stdout_clean(plan);
    if (r->text.n > 0) {
        if (plan == NULL)
            log_block(LOG_ERROR, "agent", "pipeline %s: the configuration has errors:\n%s", w->id,
                      buf_cstr(&r->text));
        else
            log_block(LOG_WARN, "agent", "pipeline %s:\n%s", w->id, buf_cstr(&r->text));
    }
    if (plan != NULL && process_settings_bool(w->settings, "config.debug"))
        log_block(LOG_DEBUG, "agent", "pipeline %s:\n%.*s", w->id, SLICE_FMT(plan->text));
    return plan;
}

static bool failed_before(struct control *c, uint64_t hash)
{
    for (uint32_t i = 0; i < c->failed_n; i++)
        if (c->failed_hash[i] == hash) return true;
    return false;
}

static void note_failed(struct control *c, uint64_t hash)
{
    if (c->failed_n < ENGINE_PIPELINES_MAX && !failed_before(c, hash))
        c->failed_hash[c->failed_n++] = hash;
}

/* A pipeline that has to start, or to be reloaded. */
struct job {
    const struct wanted *w;
    uint64_t hash;
    struct plan *plan; /* NULL: it does not compile, or has been tried */
    const char *why;   /* it failed */
};

struct jobs {
    struct job at[ENGINE_PIPELINES_MAX];
    uint32_t n;
};

static int64_t find_running(const struct control *c, const char *id)
{
    for (uint32_t i = 0; i < c->engine.pipeline_n; i++)
        if (strcmp(c->engine.pipeline[i]->plan->pipeline_id, id) == 0) return i;
    return -1;
}

/* ---- starting and reloading -------------------------------------------------------------- */

static bool start(struct control *c, struct wanted_set *set, struct job *job)
{
    if (c->engine.pipeline_n == ENGINE_PIPELINES_MAX) {
        plan_free(job->plan);
        return false;
    }
    set->users++;
    struct pipeline *p = pipeline_start(&c->engine, job->plan, set);
    if (p == NULL) return false;
    p->hash = job->hash;
    log_info("agent", "pipeline %s started on %u shard%s", job->w->id, p->shard_n,
             p->shard_n == 1 ? "" : "s");
    engine_add(&c->engine, p);
    return true;
}

static void reload_failed(struct control *c, struct pipeline *p, const char *why)
{
    log_error("agent", "pipeline %s was not reloaded and keeps running as it was: %s",
              p->plan->pipeline_id, why);
    pthread_mutex_lock(&c->engine.view);
    c->engine.reloads_failed++;
    p->reloads.failures++;
    p->reloads.failure_ns = clock_real_ns();
    snprintf(p->reloads.error, sizeof(p->reloads.error), "%s", why);
    pthread_mutex_unlock(&c->engine.view);
}

static bool reload(struct control *c, struct wanted_set *set, struct job *job, uint32_t index)
{
    set->users++;
    if (pipeline_replace(&c->engine, index, job->plan, set, &job->why) != ERR_OK) return false;
    pthread_mutex_lock(&c->engine.view);
    struct pipeline *p = c->engine.pipeline[index];
    p->hash = job->hash;
    p->reloads.successes++;
    p->reloads.success_ns = clock_real_ns();
    c->engine.reloads_ok++;
    pthread_mutex_unlock(&c->engine.view);
    engine_share_memory(&c->engine);
    log_info("agent", "pipeline %s reloaded", job->w->id);
    return true;
}

/* What does not compile is not tried again until it changes. */
static void job_compile(struct control *c, struct job *job)
{
    struct load_report report;
    job->plan = compile(c, job->w, &report);
    if (job->plan == NULL) {
        int64_t index = find_running(c, job->w->id);
        note_failed(c, job->hash);
        if (index >= 0) reload_failed(c, c->engine.pipeline[index], report.first);
    }
    load_report_fini(&report);
}

/* Its plan is used up. */
static bool job_try(struct control *c, struct wanted_set *set, struct job *job)
{
    int64_t index = find_running(c, job->w->id);
    job->why = "a plugin refused to start (see the log)";
    bool done = index < 0 ? start(c, set, job) : reload(c, set, job, (uint32_t)index);
    job->plan = NULL;
    if (done) job->why = NULL;
    return done;
}

/* Whether a plugin refuses to open may change with time, so a start is tried again every interval;
 * a reload is not, until its text changes. */
static void job_failed(struct control *c, struct job *job)
{
    int64_t index = find_running(c, job->w->id);
    if (index < 0) {
        log_error("agent", "pipeline %s could not be started", job->w->id);
        return;
    }
    note_failed(c, job->hash);
    reload_failed(c, c->engine.pipeline[index], job->why);
}

/* Those that are sent to first, so that nobody sends to where nobody is yet. */
static bool try_all(struct control *c, struct wanted_set *set, struct jobs *jobs)
{
    const struct plan *plans[ENGINE_PIPELINES_MAX];
    struct job *of[ENGINE_PIPELINES_MAX];
    uint32_t order[ENGINE_PIPELINES_MAX], n = 0;
    bool any = false;
    for (uint32_t i = 0; i < jobs->n; i++)
        if (jobs->at[i].plan != NULL) {
            plans[n] = jobs->at[i].plan;
            of[n++] = &jobs->at[i];
        }
    links_order(plans, n, order);
    while (n-- > 0) {
        struct job *job = of[order[n]];
        if (engine_must_stop(&c->engine)) {
            plan_free(job->plan);
            job->plan = NULL;
        } else if (job_try(c, set, job)) {
            any = true;
        }
    }
    return any;
}

/* What one pipeline needs may be what another one has just given up: a port, an address. True when
 * something has changed. */
static bool run_jobs(struct control *c, struct wanted_set *set, struct jobs *jobs)
{
    bool again = false;
    for (uint32_t i = 0; i < jobs->n; i++) job_compile(c, &jobs->at[i]);
    bool any = try_all(c, set, jobs);
    for (uint32_t i = 0; i < jobs->n; i++) {
        struct job *job = &jobs->at[i];
        if (!any || job->why == NULL || jobs->n == 1) continue;
        again = true;
        job_compile(c, job);
    }
    if (again) try_all(c, set, jobs);
    for (uint32_t i = 0; i < jobs->n; i++)
        if (jobs->at[i].why != NULL) job_failed(c, &jobs->at[i]);
    return any;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void end_pipeline(struct control *c, uint32_t index)
{
    struct pipeline *p = c->engine.pipeline[index];
    log_info("agent", "pipeline %s is gone from the configuration and stops", p->plan->pipeline_id);
    pipeline_stop_inputs(p);
    bool drained = pipeline_drain(p, clock_mono_ns() + END_WAIT_NS);
    engine_remove(&c->engine, index);
    if (drained || c->engine.retired_n == ENGINE_RETIRED_MAX) {
        if (!drained)
            log_warn("agent", "pipeline %s: not everything was delivered", p->plan->pipeline_id);
        pipeline_close(p);
        return;
    }
    pthread_mutex_lock(&c->engine.view); /* it delivers the rest beside the others */
    c->engine.retired[c->engine.retired_n++] = p;
    pthread_mutex_unlock(&c->engine.view);
}

static bool is_wanted(const struct wanted_set *set, const char *id)
{
    for (uint32_t i = 0; i < set->n; i++)
        if (strcmp(set->at[i].id, id) == 0) return true;
    return false;
}

/* Those that send first: what they had then still finds its way. */
static void end_unwanted(struct control *c, const struct wanted_set *set)
{
    struct engine *engine = &c->engine;
    const struct plan *plans[ENGINE_PIPELINES_MAX];
    uint32_t order[ENGINE_PIPELINES_MAX], n = engine->pipeline_n;
    struct pipeline *p[ENGINE_PIPELINES_MAX];
    for (uint32_t i = 0; i < n; i++) plans[i] = (p[i] = engine->pipeline[i])->plan;
    links_order(plans, n, order);
    for (uint32_t i = 0; i < n; i++) {
        struct pipeline *gone = p[order[i]];
        if (is_wanted(set, gone->plan->pipeline_id)) continue;
        uint32_t index = 0;
        while (engine->pipeline[index] != gone) index++;
        end_pipeline(c, index);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static struct wanted_set *read_set(struct control *c)
{
    struct wanted_set *set = c->first;
    struct diag diag = DIAG_INIT;
    c->first = NULL;
    if (set == NULL && wanted_read(c->settings, c->path_settings, c->env, &set, &diag) != ERR_OK) {
        struct buf text = {0};
        diag_print(&diag, &text);
        log_block(LOG_ERROR, "agent", "cannot read the list of pipelines:\n%s", buf_cstr(&text));
        buf_fini(&text);
        wanted_drop(set);
        set = NULL;
    }
    diag_fini(&diag);
    return set;
}

static void check_links(const struct engine *engine)
{
    const struct plan *plans[ENGINE_PIPELINES_MAX];
    struct links_report report;
    for (uint32_t i = 0; i < engine->pipeline_n; i++) plans[i] = engine->pipeline[i]->plan;
    links_check(plans, engine->pipeline_n, &report);
    if (report.warnings > 0)
        log_block(LOG_WARN, "agent", "%.*s", SLICE_FMT(slice_trim(buf_slice(&report.text))));
    links_report_fini(&report);
}

void converge(struct control *c)
{
    struct wanted_set *set = read_set(c);
    struct jobs jobs = {.n = 0};
    if (set == NULL) return;
    end_unwanted(c, set);
    for (uint32_t i = 0; i < set->n && jobs.n < ENGINE_PIPELINES_MAX; i++) {
        const struct wanted *w = &set->at[i];
        int64_t index = find_running(c, w->id);
        uint64_t hash = 0;
        bool readable = wanted_hash(w, &hash) == ERR_OK;
        if (failed_before(c, hash)) continue;
        if (index < 0 || !readable || c->engine.pipeline[index]->hash != hash)
            jobs.at[jobs.n++] = (struct job){.w = w, .hash = hash};
    }
    if (run_jobs(c, set, &jobs)) check_links(&c->engine);
    wanted_drop(set);
}
