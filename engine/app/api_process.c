/* api_process.c - what the kernel says about this process, in the shape of Logstash's "process" and
 * "jvm": where a JVM has a heap, we show resident memory and the budget. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "engine/app/api.h"
#include "engine/base/clock.h"

/* A small file of /proc; "" when it cannot be read. */
static const char *proc_read(const char *path, char *out, size_t cap)
{
    FILE *file = fopen(path, "re");
    size_t n = file == NULL ? 0 : fread(out, 1, cap - 1, file);
    out[n] = '\0';
    if (file != NULL) fclose(file);
    return out;
}

/* The number behind "Name:" in /proc/self/status. */
static int64_t status_number(const char *name)
{
    char text[4096];
    const char *at = strstr(proc_read("/proc/self/status", text, sizeof(text)), name);
    return at == NULL ? 0 : strtoll(at + strlen(name), NULL, 10);
}

static int64_t count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int64_t n = 0;
    if (dir == NULL) return 0;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        if (e->d_name[0] != '.') n++;
    closedir(dir);
    return n;
}

int64_t api_resident_bytes(void)
{
    return status_number("\nVmRSS:") * 1024;
}

int64_t api_cpu_ns(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_SEC +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * NS_PER_US;
}

void api_process(struct json_out *j)
{
    static int64_t peak_fds; /* the API's thread is the only caller */
    static int64_t last_cpu_ns, last_ns;
    static double percent;
    struct rlimit files = {0};
    double load[3] = {0};
    int64_t fds = count_entries("/proc/self/fd"), cpu_ns = api_cpu_ns(), now_ns = clock_mono_ns();
    if (fds > peak_fds) peak_fds = fds;
    if (now_ns - last_ns > NS_PER_SEC) {
        if (last_ns != 0)
            percent = 100.0 * (double)(cpu_ns - last_cpu_ns) / (double)(now_ns - last_ns) /
                      (double)sysconf(_SC_NPROCESSORS_ONLN);
        last_cpu_ns = cpu_ns;
        last_ns = now_ns;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    if (getloadavg(load, 3) < 3) memset(load, 0, sizeof(load));
    json_open(j, "process");
    json_int(j, "open_file_descriptors", fds);
    json_int(j, "peak_open_file_descriptors", peak_fds);
    json_int(j, "max_file_descriptors", (int64_t)files.rlim_cur);
    json_open(j, "mem");
    json_int(j, "total_virtual_in_bytes", status_number("\nVmSize:") * 1024);
    json_int(j, "resident_in_bytes", api_resident_bytes());
    json_close(j);
    json_open(j, "cpu");
    json_int(j, "total_in_millis", cpu_ns / NS_PER_MS);
    json_int(j, "percent", (int64_t)percent);
    json_open(j, "load_average");
    json_float(j, "1m", load[0]);
    json_float(j, "5m", load[1]);
    json_float(j, "15m", load[2]);
    json_close(j);
    json_close(j);
    json_close(j);
}

static void pool(struct json_out *j, const char *name, int64_t used, int64_t peak, int64_t max)
{
    json_open(j, name);
    json_int(j, "used_in_bytes", used);
    json_int(j, "peak_used_in_bytes", peak);
    json_int(j, "committed_in_bytes", used);
    json_int(j, "max_in_bytes", max);
    json_int(j, "peak_max_in_bytes", max);
    json_close(j);
}

static void collector(struct json_out *j, const char *name)
{
    json_open(j, name);
    json_int(j, "collection_count", 0);
    json_int(j, "collection_time_in_millis", 0);
    json_close(j);
}

void api_jvm(struct json_out *j, const struct api *api)
{
    int64_t resident = api_resident_bytes(), peak = status_number("\nVmHWM:") * 1024;
    int64_t budget = (int64_t)api->engine->memory_bytes, threads = status_number("\nThreads:");
    json_open(j, "jvm");
    json_open(j, "threads");
    json_int(j, "count", threads);
    json_int(j, "peak_count", threads);
    json_close(j);
    json_open(j, "mem");
    json_int(j, "heap_used_percent", budget == 0 ? 0 : resident * 100 / budget);
    json_int(j, "heap_committed_in_bytes", resident);
    json_int(j, "heap_max_in_bytes", budget);
    json_int(j, "heap_used_in_bytes", resident);
    json_int(j, "non_heap_used_in_bytes", 0);
    json_int(j, "non_heap_committed_in_bytes", 0);
    json_open(j, "pools");
    pool(j, "survivor", 0, 0, 0);
    pool(j, "old", resident, peak, budget);
    pool(j, "young", 0, 0, 0);
    json_close(j);
    json_close(j);
    json_open(j, "gc");
    json_open(j, "collectors");
    collector(j, "old");
    collector(j, "young");
    json_close(j);
    json_close(j);
    json_int(j, "uptime_in_millis", (clock_mono_ns() - api->started_ns) / NS_PER_MS);
    json_close(j);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct thread_use {
    char name[32], state[2];
    int64_t id, cpu_ns;
};

#define THREADS_SHOWN_MAX 64u

/* Fields 2, 3, 14 and 15 of /proc/self/task/ID/stat (proc(5)). */
static bool thread_read(const char *id, struct thread_use *out)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", id);
    proc_read(path, text, sizeof(text));
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    unsigned long user, system;
    if (open == NULL || close == NULL) return false;
    if (sscanf(close + 2, "%1s %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", out->state, &user,
               &system) != 3)
        return false;
    slice_cstr(slice_make(open + 1, (size_t)(close - open - 1)), out->name, sizeof(out->name));
    out->id = strtoll(id, NULL, 10);
    out->cpu_ns = (int64_t)((double)(user + system) / (double)sysconf(_SC_CLK_TCK) * 1e9);
    return true;
}

static int by_cpu(const void *a, const void *b)
{
    int64_t x = ((const struct thread_use *)a)->cpu_ns, y = ((const struct thread_use *)b)->cpu_ns;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* For people; in JSON, for programs. */
static void threads_text(struct api_call *c, const struct thread_use *use, uint32_t n, double up_ns)
{
    struct buf *out = c->j.out;
    char now[40];
    struct tm tm;
    time_t sec = (time_t)(clock_real_ns() / NS_PER_SEC);
    gmtime_r(&sec, &tm);
    strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm);
    c->type = "text/plain; charset=utf-8";
    buf_printf(out, "::: {%s}\nHot threads at %s, busiestThreads=%u:\n", c->api->uuid, now, n);
    for (uint32_t i = 0; i < n; i++)
        buf_printf(out, "%.2f %% of cpu usage, state: %s, thread name: '%s', thread id: %lld\n",
                   100.0 * (double)use[i].cpu_ns / up_ns,
                   use[i].state[0] == 'R' ? "runnable" : "waiting", use[i].name,
                   (long long)use[i].id);
}

void api_hot_threads(struct api_call *c)
{
    struct thread_use use[THREADS_SHOWN_MAX];
    uint32_t n = 0;
    struct json_out *j = &c->j;
    slice human;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL && n < THREADS_SHOWN_MAX;
         e = readdir(dir))
        if (e->d_name[0] != '.' && thread_read(e->d_name, &use[n])) n++;
    if (dir != NULL) closedir(dir);
    qsort(use, n, sizeof(*use), by_cpu);
    double up_ns = (double)(clock_mono_ns() - c->api->started_ns);
    if (http1_query_find(c->request->query, SLICE("human"), &human) &&
        !slice_equal(human, SLICE("false"))) {
        threads_text(c, use, n, up_ns);
        return;
    }
    json_open(j, NULL);
    api_root(c);
    json_open(j, "hot_threads");
    json_time(j, "time", clock_real_ns());
    json_int(j, "busiest_threads", n);
    json_array(j, "threads");
    for (uint32_t i = 0; i < n; i++) {
        json_open(j, NULL);
        json_cstr(j, "name", use[i].name);
        json_int(j, "thread_id", use[i].id);
        json_float(j, "percent_of_cpu_time", 100.0 * (double)use[i].cpu_ns / up_ns);
        json_cstr(j, "state", use[i].state[0] == 'R' ? "runnable" : "waiting");
        json_int(j, "cpu_time_in_millis", use[i].cpu_ns / NS_PER_MS);
        json_close(j);
    }
    json_array_end(j);
    json_close(j);
    json_close(j);
}
