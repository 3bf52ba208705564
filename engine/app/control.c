/* control.c - start, converge, shut down. */
#include "engine/app/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/app/api.h"
#include "engine/app/cli.h"
#include "engine/app/log_file.h"
#include "engine/app/notify.h"
#include "engine/app/status.h"
#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

#define SERVE_POLL_NS NS_PER_SEC
#define END_WAIT_NS (2 * NS_PER_SEC)
#define STALL_LOG_NS (5 * NS_PER_SEC)
#define RETIRED_POLL_NS (50 * NS_PER_MS)

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
            log_error("agent", "pipeline %s: the configuration has errors:\n%s", w->id,
                      buf_cstr(&r->text));
        else
            log_warn("agent", "pipeline %s:\n%s", w->id, buf_cstr(&r->text));
    }
    if (plan != NULL && process_settings_bool(w->settings, "config.debug"))
        log_debug("agent", "pipeline %s:\n%.*s", w->id, SLICE_FMT(plan->text));
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

/* A pipeline that does not run yet. Whether a plugin refuses to open may change with time, so that
 * is tried again every interval; a text that does not compile is not, until it changes. */
static void start(struct control *c, struct wanted_set *set, const struct wanted *w, uint64_t hash)
{
    struct load_report report;
    if (failed_before(c, hash) || c->engine.pipeline_n == ENGINE_PIPELINES_MAX) return;
    struct plan *plan = compile(c, w, &report);
    load_report_fini(&report);
    if (plan == NULL) {
        note_failed(c, hash);
        return;
    }
    set->users++;
    struct pipeline *p = pipeline_start(&c->engine, plan, set);
    if (p == NULL) {
        log_error("agent", "pipeline %s could not be started", w->id);
        return;
    }
    p->hash = hash;
    log_info("agent", "pipeline %s started on %u shard%s", w->id, p->shard_n,
             p->shard_n == 1 ? "" : "s");
    engine_add(&c->engine, p);
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

static void reload(struct control *c, struct wanted_set *set, const struct wanted *w,
                   uint32_t index, uint64_t hash)
{
    struct load_report report;
    const char *why = NULL;
    if (failed_before(c, hash)) return;
    struct plan *plan = compile(c, w, &report);
    if (plan == NULL) {
        note_failed(c, hash);
        reload_failed(c, c->engine.pipeline[index], report.first);
        load_report_fini(&report);
        return;
    }
    load_report_fini(&report);
    set->users++;
    if (pipeline_replace(&c->engine, index, plan, set, &why) != ERR_OK) {
        note_failed(c, hash);
        reload_failed(c, c->engine.pipeline[index], why);
        return;
    }
    pthread_mutex_lock(&c->engine.view);
    struct pipeline *p = c->engine.pipeline[index];
    p->hash = hash;
    p->reloads.successes++;
    p->reloads.success_ns = clock_real_ns();
    c->engine.reloads_ok++;
    pthread_mutex_unlock(&c->engine.view);
    engine_share_memory(&c->engine);
    log_info("agent", "pipeline %s reloaded", w->id);
}

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

/* ---- all of them --------------------------------------------------------------------- */

static int64_t find_running(const struct control *c, const char *id)
{
    for (uint32_t i = 0; i < c->engine.pipeline_n; i++)
        if (strcmp(c->engine.pipeline[i]->plan->pipeline_id, id) == 0) return i;
    return -1;
}

static bool is_wanted(const struct wanted_set *set, const char *id)
{
    for (uint32_t i = 0; i < set->n; i++)
        if (strcmp(set->at[i].id, id) == 0) return true;
    return false;
}

static struct wanted_set *read_set(struct control *c)
{
    struct wanted_set *set = c->first;
    struct diag diag = DIAG_INIT;
    c->first = NULL;
    if (set == NULL && wanted_read(c->settings, c->path_settings, c->env, &set, &diag) != ERR_OK) {
        struct buf text = {0};
        diag_print(&diag, &text);
        log_error("agent", "cannot read the list of pipelines:\n%s", buf_cstr(&text));
        buf_fini(&text);
        wanted_drop(set);
        set = NULL;
    }
    diag_fini(&diag);
    return set;
}

static void converge(struct control *c)
{
    struct wanted_set *set = read_set(c);
    if (set == NULL) return;
    for (uint32_t i = c->engine.pipeline_n; i-- > 0;)
        if (!is_wanted(set, c->engine.pipeline[i]->plan->pipeline_id)) end_pipeline(c, i);
    for (uint32_t i = 0; i < set->n && !engine_must_stop(&c->engine); i++) {
        const struct wanted *w = &set->at[i];
        int64_t index = find_running(c, w->id);
        uint64_t hash = 0;
        bool readable = wanted_hash(w, &hash) == ERR_OK;
        if (index < 0)
            start(c, set, w, hash);
        else if (!readable || c->engine.pipeline[index]->hash != hash)
            reload(c, set, w, (uint32_t)index, hash);
    }
    wanted_drop(set);
}

/* Old plans that still deliver beside their successors. */
static void tend_retired(struct engine *engine)
{
    for (uint32_t i = engine->retired_n; i-- > 0;) {
        struct pipeline *p = engine->retired[i];
        if (!pipeline_drain(p, clock_mono_ns())) continue;
        pthread_mutex_lock(&engine->view);
        engine->retired[i] = engine->retired[--engine->retired_n];
        pthread_mutex_unlock(&engine->view);
        pipeline_close(p);
    }
}

/* ---- life ------------------------------------------------------------------------------ */

static void wait_bell(struct control *c, int64_t timeout_ns)
{
    struct pollfd fd = {c->engine.event_fd, POLLIN, 0};
    if (timeout_ns < 0) timeout_ns = 0;
    int ready = poll(&fd, 1, (int)(timeout_ns / NS_PER_MS) + (timeout_ns % NS_PER_MS != 0));
    uint64_t rung;
    if (ready > 0 && read(c->engine.event_fd, &rung, sizeof(rung)) < 0 && errno != EAGAIN)
        log_error("runner", "cannot read the event descriptor: %s", strerror(errno));
}

static void asked_reload(struct control *c)
{
    log_info("agent", "SIGHUP received. Looking for changes of the configuration.");
    notify_reloading();
    if (log_file_open(c->settings) != ERR_OK) log_error("runner", "the log file was not reopened");
    c->failed_n = 0; /* somebody asks: say again what is wrong */
    converge(c);
    notify_systemd("READY=1");
}

/* Until the process should end: a signal, or every input has ended. */
static void serve(struct control *c)
{
    bool automatic = process_settings_bool(c->settings, "config.reload.automatic");
    int64_t every_ns = process_settings_int(c->settings, "config.reload.interval");
    int64_t next_ns = clock_mono_ns() + every_ns;
    while (!engine_must_stop(&c->engine)) {
        if (!automatic && engine_all_finished(&c->engine)) return;
        int64_t wait_ns = c->engine.retired_n > 0 ? RETIRED_POLL_NS : SERVE_POLL_NS;
        if (automatic && next_ns - clock_mono_ns() < wait_ns) wait_ns = next_ns - clock_mono_ns();
        wait_bell(c, wait_ns);
        if (atomic_exchange(&c->signals.status, 0)) status_log(&c->engine);
        if (atomic_exchange(&c->signals.reload, 0)) asked_reload(c);
        if (automatic && clock_mono_ns() >= next_ns && !engine_must_stop(&c->engine)) {
            converge(c);
            next_ns = clock_mono_ns() + every_ns;
        }
        tend_retired(&c->engine);
    }
}

/* Says every few seconds that, and for what, it still waits. */
static void drain_one(struct pipeline *p, int64_t deadline_ns)
{
    for (;;) {
        int64_t say_ns = clock_mono_ns() + STALL_LOG_NS;
        if (pipeline_drain(p, say_ns < deadline_ns ? say_ns : deadline_ns)) return;
        if (clock_mono_ns() >= deadline_ns) break;
        log_warn("runner",
                 "pipeline %s still has undelivered events: %llu batches wait for an output, %llu "
                 "requests are on their way",
                 p->plan->pipeline_id, (unsigned long long)pipeline_parked(p),
                 (unsigned long long)pipeline_in_flight(p));
    }
    log_warn("runner",
             "pipeline %s: not everything was delivered within the shutdown timeout; what was not "
             "is not acknowledged",
             p->plan->pipeline_id);
}

static void shut_down(struct control *c)
{
    struct engine *engine = &c->engine;
    notify_systemd("STOPPING=1");
    int64_t limit_ns = process_settings_int(c->settings, "shutdown.timeout");
    if (process_settings_bool(c->settings, "pipeline.unsafe_shutdown")) limit_ns = 0;
    int64_t deadline_ns = clock_mono_ns() + limit_ns;
    for (uint32_t i = 0; i < engine->pipeline_n; i++) pipeline_stop_inputs(engine->pipeline[i]);
    for (uint32_t i = 0; i < engine->retired_n; i++) drain_one(engine->retired[i], deadline_ns);
    for (uint32_t i = 0; i < engine->pipeline_n; i++) drain_one(engine->pipeline[i], deadline_ns);
    if (c->api != NULL) api_stop(c->api);
    while (engine->retired_n > 0) pipeline_close(engine->retired[--engine->retired_n]);
    while (engine->pipeline_n > 0) {
        /* Nobody looks at engine->pipeline any more. */
        pipeline_close(engine->pipeline[--engine->pipeline_n]);
    }
}

static err start_shards(struct control *c)
{
    struct tuning tuning;
    struct diag diag = DIAG_INIT;
    char why[200];
    tuning_raise_files();
    err e = tuning_make(&tuning, c->settings, &diag);
    diag_print_file(&diag, stderr);
    diag_fini(&diag);
    if (e != ERR_OK) return e;
    if (!io_uring_usable(why, sizeof(why))) {
        log_error("runner", "%s", why);
        return ERR_SYSTEM;
    }
    return engine_start(&c->engine, &tuning);
}

/* What is worth a line at every start. Not before the pipelines are known, because an output to
 * stdout sends the log to stderr. */
static void introduce(const struct control *c)
{
    log_info("runner", "spate %s runs %u pipeline%s on %u shard%s", SPATE_VERSION,
             c->engine.pipeline_n, c->engine.pipeline_n == 1 ? "" : "s", c->engine.shard_n,
             c->engine.shard_n == 1 ? "" : "s");
    if (c->api != NULL) log_info("agent", "monitoring API on %s", c->api->address);
    if (geteuid() == 0) log_info("runner", "running as root; allow_superuser: false forbids it");
}

/* Shards are up. */
static int run_pipelines(struct control *c)
{
    int code = 0;
    if (process_settings_bool(c->settings, "api.enabled")) {
        c->api = api_start(&c->engine, c->settings, c->uuid);
        if (c->api == NULL) return 1;
    }
    converge(c);
    if (c->engine.pipeline_n == 0 && !process_settings_bool(c->settings, "config.reload.automatic"))
        code = engine_must_stop(&c->engine) ? 0 : 1;
    if (code == 0) {
        introduce(c);
        notify_systemd("READY=1");
        serve(c);
    }
    shut_down(c);
    return code;
}

int control_run(const struct process_settings *settings, const char *path_settings,
                const struct env *env, const struct data_dir *data, struct wanted_set *set)
{
    struct control *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    c->settings = settings;
    c->path_settings = path_settings;
    c->env = env;
    c->first = set;
    c->uuid = data->uuid;
    slice path_data = process_settings_text(settings, "path.data");
    snprintf(c->cache_dir, sizeof(c->cache_dir), "%.*s/cache", SLICE_FMT(path_data));
    int code = 1;
    signals_block();
    if (folder_make(c->cache_dir) != ERR_OK)
        log_warn("runner", "cannot make %s: %s", c->cache_dir, strerror(errno));
    if (start_shards(c) == ERR_OK) {
        if (signals_start(&c->signals, &c->engine) == ERR_OK) {
            code = run_pipelines(c);
            signals_stop(&c->signals);
        }
        engine_stop(&c->engine);
    }
    wanted_drop(c->first);
    free(c);
    return code;
}
