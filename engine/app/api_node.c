/* api_node.c - routes, who we are, settings of pipelines, plugins, log level, health. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/app/api.h"
#include "engine/app/cli.h"
#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/registry.h"

/* ---- common parts ---------------------------------------------------------------------- */

const char *api_status(const struct api *api)
{
    const struct engine *engine = api->engine;
    if (engine->pipeline_n == 0) return "red";
    for (uint32_t i = 0; i < engine->pipeline_n; i++) {
        const struct pipeline_reloads *r = &engine->pipeline[i]->reloads;
        if (r->failure_ns > r->success_ns) return "yellow";
    }
    return "green";
}

void api_root(struct api_call *c)
{
    const struct process_settings *s = c->api->settings;
    struct json_out *j = &c->j;
    char host[256] = "";
    if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
    json_cstr(j, "host", host);
    json_cstr(j, "version", SPATE_VERSION);
    json_cstr(j, "http_address", c->api->address);
    json_cstr(j, "id", c->api->uuid);
    json_text(j, "name", process_settings_text(s, "node.name"));
    json_cstr(j, "ephemeral_id", c->api->ephemeral_id);
    json_bool(j, "snapshot", false);
    json_cstr(j, "status", api_status(c->api));
    json_open(j, "pipeline");
    json_int(j, "workers", process_settings_int(s, "pipeline.workers"));
    json_int(j, "batch_size", process_settings_int(s, "pipeline.batch.size"));
    json_int(j, "batch_delay", process_settings_int(s, "pipeline.batch.delay"));
    json_close(j);
}

void api_error(struct api_call *c, int status, const char *message)
{
    c->status = status;
    c->j.out->n = 0;
    c->j.comma = false;
    json_open(&c->j, NULL);
    json_text(&c->j, "path", c->request->path);
    json_int(&c->j, "status", status);
    json_open(&c->j, "error");
    json_cstr(&c->j, "message", message);
    json_close(&c->j);
    json_close(&c->j);
}

const struct pipeline *api_pipeline(const struct api *api, slice id)
{
    for (uint32_t i = 0; i < api->engine->pipeline_n; i++)
        if (slice_equal(slice_from_cstr(api->engine->pipeline[i]->plan->pipeline_id), id))
            return api->engine->pipeline[i];
    return NULL;
}

static bool is_part(const struct api_call *c, uint32_t i, const char *text)
{
    return i < c->part_n && slice_equal(c->part[i], slice_from_cstr(text));
}

/* ---- /_node ---------------------------------------------------------------------------------- */

static void pipeline_info(struct json_out *j, const struct pipeline *p)
{
    const struct process_settings *s = p->plan->settings;
    char hash[20];
    snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)p->plan->hash);
    json_open(j, p->plan->pipeline_id);
    json_cstr(j, "ephemeral_id", p->ephemeral_id);
    json_cstr(j, "hash", hash);
    json_int(j, "workers", p->shard_n);
    json_int(j, "batch_size", process_settings_int(s, "pipeline.batch.size"));
    json_int(j, "batch_delay", process_settings_int(s, "pipeline.batch.delay"));
    json_bool(j, "config_reload_automatic", process_settings_bool(s, "config.reload.automatic"));
    json_int(j, "config_reload_interval", process_settings_int(s, "config.reload.interval"));
    json_bool(j, "dead_letter_queue_enabled", process_settings_bool(s, "dead_letter_queue.enable"));
    json_close(j);
}

static bool pipelines_info(struct api_call *c, slice id)
{
    if (id.p != NULL && api_pipeline(c->api, id) == NULL) return false;
    json_open(&c->j, "pipelines");
    for (uint32_t i = 0; i < c->api->engine->pipeline_n; i++) {
        const struct pipeline *p = c->api->engine->pipeline[i];
        bool hidden = process_settings_bool(p->plan->settings, "pipeline.system");
        if (id.p == NULL ? !hidden : p == api_pipeline(c->api, id)) pipeline_info(&c->j, p);
    }
    json_close(&c->j);
    return true;
}

static void os_info(struct json_out *j)
{
    struct utsname u;
    if (uname(&u) != 0) memset(&u, 0, sizeof(u));
    json_open(j, "os");
    json_cstr(j, "name", u.sysname);
    json_cstr(j, "arch", u.machine);
    json_cstr(j, "version", u.release);
    json_int(j, "available_processors", sysconf(_SC_NPROCESSORS_ONLN));
    json_close(j);
}

/* There is no JVM; readers of this API want the keys. */
static void jvm_info(struct json_out *j, const struct api *api)
{
    int64_t up_ns = clock_mono_ns() - api->started_ns;
    json_open(j, "jvm");
    json_int(j, "pid", getpid());
    json_cstr(j, "version", "");
    json_cstr(j, "vm_version", SPATE_VERSION);
    json_cstr(j, "vm_vendor", "");
    json_cstr(j, "vm_name", "spate");
    json_int(j, "start_time_in_millis", (clock_real_ns() - up_ns) / NS_PER_MS);
    json_open(j, "mem");
    json_int(j, "heap_init_in_bytes", 0);
    json_int(j, "heap_max_in_bytes", (int64_t)api->engine->memory_bytes);
    json_int(j, "non_heap_init_in_bytes", 0);
    json_int(j, "non_heap_max_in_bytes", 0);
    json_close(j);
    json_array(j, "gc_collectors");
    json_array_end(j);
    json_close(j);
}

static uint32_t plugins_of(struct json_out *j, const char *kind, const void *const *list)
{
    uint32_t n = 0;
    for (; list[n] != NULL; n++) {
        char name[128];
        snprintf(name, sizeof(name), "logstash-%s-%s", kind, *(const char *const *)list[n]);
        if (j == NULL) continue;
        json_open(j, NULL);
        json_cstr(j, "name", name);
        json_cstr(j, "version", SPATE_VERSION);
        json_close(j);
    }
    return n;
}

static uint32_t plugins_all(struct json_out *j)
{
    const struct registry *r = &plugin_registry;
    return plugins_of(j, "codec", (const void *const *)r->codecs) +
           plugins_of(j, "filter", (const void *const *)r->filters) +
           plugins_of(j, "input", (const void *const *)r->inputs) +
           plugins_of(j, "output", (const void *const *)r->outputs);
}

static void plugins_info(struct json_out *j)
{
    json_int(j, "total", plugins_all(NULL));
    json_array(j, "plugins");
    plugins_all(j);
    json_array_end(j);
}

void api_node(struct api_call *c)
{
    bool all = c->part_n == 1, found = all;
    json_open(&c->j, NULL);
    api_root(c);
    if (all || is_part(c, 1, "pipelines"))
        found = pipelines_info(c, c->part_n > 2 ? c->part[2] : SLICE_NONE);
    if (all || is_part(c, 1, "os")) os_info(&c->j), found = true;
    if (all || is_part(c, 1, "jvm")) jvm_info(&c->j, c->api), found = true;
    if (is_part(c, 1, "plugins")) plugins_info(&c->j), found = true;
    json_close(&c->j);
    if (!found) api_error(c, 404, "Not Found");
}

/* ---- /_node/logging ---------------------------------------------------------------------------
 */

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

/* {"logger.any": "LEVEL", ...}: spate has one level for all loggers, the last one counts. */
static bool levels_read(slice body, enum log_level *out)
{
    uint32_t at = 0, strings = 0;
    bool known = true;
    body = slice_trim(body);
    if (body.n < 2 || body.p[0] != '{' || body.p[body.n - 1] != '}') return false;
    while (at < body.n) {
        int64_t open = slice_find_byte(slice_from(body, at), '"');
        if (open < 0) break;
        at += (uint32_t)open + 1;
        int64_t close = slice_find_byte(slice_from(body, at), '"');
        if (close < 0) return false;
        slice text = slice_part(body, at, (uint32_t)close);
        at += (uint32_t)close + 1;
        char name[16];
        if (strings % 2 == 0)
            known = known && slice_starts(text, SLICE("logger."));
        else
            known = known && log_level_parse(slice_cstr(text, name, sizeof(name)), out);
        strings++;
    }
    return known && strings > 0 && strings % 2 == 0;
}

static void logging_put(struct api_call *c)
{
    enum log_level level = c->api->level_at_start;
    if (!is_part(c, 2, "reset") && !levels_read(c->body, &level)) {
        api_error(c, 400,
                  "expected {\"logger.NAME\": \"LEVEL\"} with a level of TRACE, DEBUG, INFO, "
                  "WARN, ERROR, FATAL");
        return;
    }
    log_set_level(level);
    json_open(&c->j, NULL);
    json_bool(&c->j, "acknowledged", true);
    json_close(&c->j);
}

void api_logging(struct api_call *c)
{
    if (slice_equal(c->request->method, SLICE("PUT"))) {
        logging_put(c);
        return;
    }
    json_open(&c->j, NULL);
    api_root(c);
    json_open(&c->j, "loggers");
    json_cstr(&c->j, "spate", level_names[log_get_level()]);
    json_close(&c->j);
    json_close(&c->j);
}

/* ---- /_health_report ----------------------------------------------------------------------------
 */

static void pipeline_health(struct json_out *j, const struct pipeline *p)
{
    bool failed = p->reloads.failure_ns > p->reloads.success_ns;
    json_open(j, p->plan->pipeline_id);
    json_cstr(j, "status", failed ? "yellow" : "green");
    json_cstr(j, "symptom",
              failed ? "The pipeline runs, but its last reload failed." : "The pipeline runs.");
    if (failed) {
        json_array(j, "diagnosis");
        json_open(j, NULL);
        json_cstr(j, "cause", p->reloads.error);
        json_cstr(j, "action", "correct the configuration");
        json_close(j);
        json_array_end(j);
    }
    json_open(j, "details");
    json_open(j, "status");
    json_cstr(j, "state", "RUNNING");
    json_close(j);
    json_close(j);
    json_close(j);
}

void api_health(struct api_call *c)
{
    struct json_out *j = &c->j;
    const char *status = api_status(c->api);
    static const struct {
        const char *status, *symptom;
    } texts[] = {{"green", "Everything runs."},
                 {"yellow", "Something needs attention."},
                 {"red", "No pipeline runs."}};
    const char *symptom = texts[0].symptom;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strcmp(texts[i].status, status) == 0) symptom = texts[i].symptom;
    json_open(j, NULL);
    api_root(c);
    json_cstr(j, "symptom", symptom);
    json_open(j, "indicators");
    json_open(j, "pipelines");
    json_cstr(j, "status", status);
    json_cstr(j, "symptom", symptom);
    json_open(j, "indicators");
    for (uint32_t i = 0; i < c->api->engine->pipeline_n; i++)
        pipeline_health(j, c->api->engine->pipeline[i]);
    json_close(j);
    json_close(j);
    json_close(j);
    json_close(j);
}

/* ---- routing
 * --------------------------------------------------------------------------------------- */

/* green 0, yellow 1, red 2, anything else 3. */
static int rank_of(slice status)
{
    static const char *const names[] = {"green", "yellow", "red"};
    int rank = 0;
    while (rank < 3 && !slice_equal_nocase(status, slice_from_cstr(names[rank]))) rank++;
    return rank;
}

/* A status changes only with a reload, so that there is nothing to wait for: the answer says at
 * once whether it is the wanted one or better. */
static void root(struct api_call *c)
{
    slice wanted;
    int rank = 2;
    if (http1_query_find(c->request->query, SLICE("wait_for_status"), &wanted)) {
        rank = rank_of(wanted);
        if (rank == 3) {
            api_error(c, 400, "wait_for_status is one of green, yellow, red");
            return;
        }
    }
    json_open(&c->j, NULL);
    api_root(c);
    json_close(&c->j);
    if (rank_of(slice_from_cstr(api_status(c->api))) > rank) c->status = 503;
}

/* Splits the path; false when it has too many parts or a broken escape. */
static bool split_path(struct api_call *c, char *memory)
{
    slice path = c->request->path;
    uint32_t n;
    if (!http1_unescape(path, memory, &n)) return false;
    path = slice_make(memory, n);
    while (path.n > 0) {
        int64_t end = slice_find_byte(path, '/');
        slice part = end < 0 ? path : slice_part(path, 0, (uint32_t)end);
        if (part.n > 0 && c->part_n == ARRAY_LEN(c->part)) return false;
        if (part.n > 0) c->part[c->part_n++] = part;
        if (end < 0) break;
        path = slice_from(path, (uint32_t)end + 1);
    }
    return true;
}

static void get(struct api_call *c)
{
    if (c->part_n == 0)
        root(c);
    else if (is_part(c, 0, "metrics") && c->part_n == 1)
        api_metrics(c);
    else if (is_part(c, 0, "_health_report") && c->part_n == 1)
        api_health(c);
    else if (is_part(c, 0, "_node") && is_part(c, 1, "stats"))
        api_stats(c, 2);
    else if (is_part(c, 0, "_stats"))
        api_stats(c, 1); /* its name in old versions */
    else if (is_part(c, 0, "_node") && is_part(c, 1, "hot_threads"))
        api_hot_threads(c);
    else if (is_part(c, 0, "_node") && is_part(c, 1, "logging"))
        api_logging(c);
    else if (is_part(c, 0, "_node"))
        api_node(c);
    else
        api_error(c, 404, "Not Found");
}

void api_route(struct api_call *c)
{
    char memory[HTTP1_HEAD_BYTES_MAX];
    slice method = c->request->method;
    bool put = slice_equal(method, SLICE("PUT"));
    if (!split_path(c, memory)) {
        api_error(c, 404, "Not Found");
        return;
    }
    pthread_mutex_lock(&c->api->engine->view);
    if (put && is_part(c, 0, "_node") && is_part(c, 1, "logging"))
        api_logging(c);
    else if (slice_equal(method, SLICE("GET")) || slice_equal(method, SLICE("HEAD")))
        get(c);
    else
        api_error(c, 405, "Method Not Allowed");
    pthread_mutex_unlock(&c->api->engine->view);
}
