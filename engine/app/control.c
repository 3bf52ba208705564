/* control.c - start, converge, shut down. */
#include "engine/app/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/app/api.h"
#include "engine/app/cli.h"
#include "engine/app/converge.h"
#include "engine/app/links.h"
#include "engine/app/log_file.h"
#include "engine/app/nic_settings.h"
#include "engine/app/notify.h"
#include "engine/app/status.h"
#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

#define SERVE_POLL_NS NS_PER_SEC
#define STALL_LOG_NS (5 * NS_PER_SEC)
#define RETIRED_POLL_NS (50 * NS_PER_MS)
#define DRAIN_POLL_NS (2 * NS_PER_MS)

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

_Static_assert(ENGINE_PIPELINES_MAX + ENGINE_RETIRED_MAX <= LINKS_MAX, "drain_until");

/* Everything that runs, in the order in which it ends. */
struct draining {
    struct pipeline *p[LINKS_MAX];
    const struct plan *plan[LINKS_MAX];
    uint32_t order[LINKS_MAX], n;
};

static void draining_add(struct draining *d, struct pipeline *p)
{
    d->p[d->n] = p;
    d->plan[d->n++] = p->plan;
}

/* A pipeline gives out what its filters have kept when it is drained, so its turn comes when those
 * that send to it have nothing left; with `all` now. True when nobody has. */
static bool drain_pass(const struct draining *d, bool all)
{
    uint32_t late[LINKS_MAX], late_n = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        uint32_t at = d->order[i];
        bool waits = false;
        for (uint32_t k = 0; k < late_n && !all && !waits; k++)
            waits = links_send(d->plan[late[k]], d->plan[at]);
        if (waits || !pipeline_drain(d->p[at], 0)) late[late_n++] = at;
    }
    return late_n == 0;
}

static void say_undelivered(const struct pipeline *p, bool given_up)
{
    uint64_t parked = pipeline_parked(p), in_flight = pipeline_in_flight(p);
    if (parked == 0 && in_flight == 0) return;
    if (given_up)
        log_warn("runner",
                 "pipeline %s: not everything was delivered within the shutdown timeout; what was "
                 "not is not acknowledged",
                 p->plan->pipeline_id);
    else
        log_warn("runner",
                 "pipeline %s still has undelivered events: %llu batches wait for an output, %llu "
                 "requests are on their way",
                 p->plan->pipeline_id, (unsigned long long)parked, (unsigned long long)in_flight);
}

/* Says every few seconds that, and for what, it still waits. */
static void drain_until(struct engine *engine, int64_t deadline_ns)
{
    struct draining d = {.n = 0};
    for (uint32_t i = 0; i < engine->retired_n; i++) draining_add(&d, engine->retired[i]);
    for (uint32_t i = 0; i < engine->pipeline_n; i++) draining_add(&d, engine->pipeline[i]);
    links_order(d.plan, d.n, d.order);
    int64_t say_ns = clock_mono_ns() + STALL_LOG_NS;
    /* Twice, because in a circle what the last one had may have gone to the first. */
    while (!drain_pass(&d, false) || !drain_pass(&d, false)) {
        int64_t now_ns = clock_mono_ns();
        bool given_up = now_ns >= deadline_ns;
        if (given_up && drain_pass(&d, true)) return;
        for (uint32_t i = 0; (given_up || now_ns >= say_ns) && i < d.n; i++)
            say_undelivered(d.p[i], given_up);
        if (given_up) return;
        if (now_ns >= say_ns) say_ns = now_ns + STALL_LOG_NS;
        nanosleep(&(struct timespec){0, DRAIN_POLL_NS}, NULL);
    }
}

static void shut_down(struct control *c)
{
    struct engine *engine = &c->engine;
    notify_systemd("STOPPING=1");
    int64_t limit_ns = process_settings_int(c->settings, "shutdown.timeout");
    if (process_settings_bool(c->settings, "pipeline.unsafe_shutdown")) limit_ns = 0;
    int64_t deadline_ns = clock_mono_ns() + limit_ns;
    for (uint32_t i = 0; i < engine->pipeline_n; i++) pipeline_stop_sources(engine->pipeline[i]);
    drain_until(engine, deadline_ns);
    for (uint32_t i = 0; i < engine->pipeline_n; i++) pipeline_stop_inputs(engine->pipeline[i]);
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
    e = nic_settings_open(c->settings, tuning.shards);
    if (e != ERR_OK) return e;
    e = engine_start(&c->engine, &tuning);
    if (e != ERR_OK) nics_close();
    return e;
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
        engine_take_frames(&c->engine);
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
        nics_close();
    }
    wanted_drop(c->first);
    free(c);
    return code;
}
