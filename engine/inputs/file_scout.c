/* file_scout.c - looking, comparing, saving. */
#define _GNU_SOURCE
#include "engine/inputs/file_scout.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/inputs/file_glob.h"
#include "engine/inputs/file_sincedb.h"
#include "parsers/frame/gzip_stream.h"

struct file_known {
    char *path;
    dev_t dev;
    uint64_t inode, size;
    int64_t modified_ns;
    bool reported;
};

struct file_job {
    struct file_job *next;
    dev_t dev;
    uint64_t inode;
    char path[];
};

bool file_is_gzip(const char *path)
{
    slice name = slice_from_cstr(path);
    return slice_ends(name, SLICE(".gz")) || slice_ends(name, SLICE(".gzip"));
}

/* ---- reports -------------------------------------------------------------------- */

static struct file_report *report_new(struct file_scout *s)
{
    struct file_report *report = calloc(1, sizeof(*report));
    ASSERT(report != NULL);
    report->message.run = s->deliver;
    report->owner = s->owner;
    return report;
}

void file_report_free(struct file_report *report)
{
    for (uint32_t i = 0; i < report->n; i++) free(report->at[i].path);
    free(report->at);
    free(report);
}

static struct file_seen *report_add(struct file_scout *s, const char *path)
{
    struct file_report *report = s->report;
    if (report->n == report->cap) {
        report->cap = report->cap == 0 ? 16 : report->cap * 2;
        report->at = realloc(report->at, report->cap * sizeof(*report->at));
        ASSERT(report->at != NULL);
    }
    struct file_seen *seen = &report->at[report->n++];
    *seen = (struct file_seen){.path = strdup(path)};
    ASSERT(seen->path != NULL);
    return seen;
}

static int compare_seen(const void *a_, const void *b_, void *config_)
{
    const struct file_seen *a = a_, *b = b_;
    const struct file_scout_config *config = config_;
    /* Files that left make room for those that take their names. */
    if (a->gone != b->gone) return a->gone ? -1 : 1;
    int order = 0;
    if (config->sort == FILE_SORT_MODIFIED)
        order = (a->modified_ns > b->modified_ns) - (a->modified_ns < b->modified_ns);
    if (order == 0) order = strcmp(a->path, b->path);
    return config->descending ? -order : order;
}

static void report_post(struct file_scout *s)
{
    struct file_report *report = s->report;
    s->report = report_new(s);
    if (report->n > 1)
        qsort_r(report->at, report->n, sizeof(*report->at), compare_seen,
                (void *)(uintptr_t)s->config);
    report->first = !s->looked;
    if (report->n == 0 && !report->first)
        file_report_free(report);
    else
        shard_post(s->shard, &report->message);
}

/* ---- looking --------------------------------------------------------------------- */

static bool is_excluded(const struct file_scout_config *config, const char *path)
{
    const char *name = strrchr(path, '/');
    for (uint32_t i = 0; i < config->exclude.n; i++)
        if (file_glob_match_braces(config->exclude.at[i].text,
                                   slice_from_cstr(name == NULL ? path : name + 1)))
            return true;
    return false;
}

static void forget(struct file_scout *s, struct file_known *known)
{
    if (known->reported) report_add(s, known->path)->gone = true;
    free(known->path);
}

/* Expands the patterns; what was known keeps its state. Both lists are sorted by path. */
static void discover(struct file_scout *s)
{
    struct file_paths paths = {0};
    for (uint32_t i = 0; i < s->config->path.n; i++) file_glob(&paths, s->config->path.at[i].text);
    file_paths_sort(&paths);
    if (paths.cut && !s->cut_told)
        log_warn("inputs.file",
                 "the patterns match more than %u files or are too deep; the rest "
                 "is not watched",
                 FILE_GLOB_PATHS_MAX);
    s->cut_told = paths.cut;
    struct file_known *made = calloc(paths.n + 1, sizeof(*made));
    ASSERT(made != NULL);
    uint32_t n = 0, old = 0;
    for (uint32_t i = 0; i < paths.n; i++) {
        if (is_excluded(s->config, paths.at[i])) continue;
        while (old < s->known_n && strcmp(s->known[old].path, paths.at[i]) < 0)
            forget(s, &s->known[old++]);
        if (old < s->known_n && strcmp(s->known[old].path, paths.at[i]) == 0) {
            made[n++] = s->known[old++];
            continue;
        }
        made[n++].path = paths.at[i];
        paths.at[i] = NULL;
    }
    while (old < s->known_n) forget(s, &s->known[old++]);
    free(s->known);
    s->known = made;
    s->known_n = n;
    file_paths_fini(&paths);
}

static bool archive_is_valid(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return true; /* the shard will say what is wrong */
    struct gzip_stream *gz = gzip_stream_new(GZIP_GZIP, 0);
    char *in = malloc(2 * 65536), *out = in + 65536;
    ASSERT(in != NULL);
    bool ok = true;
    ssize_t n;
    while (ok && (n = read(fd, in, 65536)) > 0) {
        slice rest = slice_make(in, (size_t)n);
        int step = GZIP_FULL;
        while (ok && (rest.n > 0 || step == GZIP_FULL)) {
            uint32_t made;
            step = gzip_stream_run(gz, &rest, out, 65536, &made);
            ok = step >= 0;
        }
    }
    ok = ok && gzip_stream_at_end(gz);
    gzip_stream_free(gz);
    free(in);
    close(fd);
    return ok;
}

static void look_at(struct file_scout *s, struct file_known *known)
{
    struct stat st;
    if (stat(known->path, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (known->reported) report_add(s, known->path)->gone = true;
        known->reported = false;
        return;
    }
    int64_t modified_ns = (int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
    bool same_file = known->dev == st.st_dev && known->inode == st.st_ino;
    if (known->reported && same_file && known->size == (uint64_t)st.st_size &&
        known->modified_ns == modified_ns)
        return;
    struct file_seen *seen = report_add(s, known->path);
    if (s->config->check_archives && file_is_gzip(known->path))
        seen->corrupt = !archive_is_valid(known->path);
    seen->dev = known->dev = st.st_dev;
    seen->inode = known->inode = st.st_ino;
    seen->size = known->size = (uint64_t)st.st_size;
    seen->modified_ns = known->modified_ns = modified_ns;
    known->reported = true;
}

static void look(struct file_scout *s, int64_t now_ns)
{
    if (now_ns >= s->next_discover_ns) {
        discover(s);
        s->next_discover_ns = now_ns + s->config->discover_ns;
    }
    for (uint32_t i = 0; i < s->known_n; i++) look_at(s, &s->known[i]);
    report_post(s);
    s->looked = true;
}

/* ---- work for the shard ------------------------------------------------------------- */

static void log_completed(const char *log, const char *path)
{
    int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    struct buf line = {0};
    buf_add_cstr(&line, path);
    buf_add_byte(&line, '\n');
    if (fd < 0 || write(fd, line.data, line.n) != (ssize_t)line.n)
        log_error("inputs.file", "cannot note %s in %s: %s", path, log, strerror(errno));
    if (fd >= 0) close(fd);
    buf_fini(&line);
}

static void complete(const struct file_scout *s, const struct file_job *job)
{
    const struct file_scout_config *config = s->config;
    if (config->completed != FILE_COMPLETED_DELETE) log_completed(config->completed_log, job->path);
    if (config->completed == FILE_COMPLETED_LOG) return;
    struct stat st;
    /* Only the file that was read: another may have its name by now. */
    if (stat(job->path, &st) != 0 || st.st_dev != job->dev || st.st_ino != job->inode) return;
    if (unlink(job->path) != 0 && errno != ENOENT)
        log_error("inputs.file", "cannot delete %s: %s", job->path, strerror(errno));
}

static void work(struct file_scout *s)
{
    pthread_mutex_lock(&s->lock);
    struct buf text = s->save;
    struct file_job *job = s->jobs;
    s->save = (struct buf){0};
    s->jobs = s->jobs_last = NULL;
    pthread_mutex_unlock(&s->lock);
    if (text.data != NULL && file_sincedb_save(s->config->sincedb, buf_slice(&text)) != ERR_OK)
        log_error("inputs.file", "cannot save %s: %s", s->config->sincedb, strerror(errno));
    buf_fini(&text);
    while (job != NULL) {
        struct file_job *next = job->next;
        complete(s, job);
        free(job);
        job = next;
    }
}

static void *scout_main(void *arg)
{
    struct file_scout *s = arg;
    int64_t next_look_ns = clock_mono_ns();
    bool quit = false, quiet = false;
    while (!quit) {
        int64_t now_ns = clock_mono_ns();
        if (!quiet && now_ns >= next_look_ns) {
            look(s, now_ns);
            next_look_ns = s->config->once ? INT64_MAX : clock_mono_ns() + s->config->stat_ns;
        }
        pthread_mutex_lock(&s->lock);
        if (!s->quit && s->save.data == NULL && s->jobs == NULL) {
            struct timespec until;
            int64_t pause_ns = next_look_ns - clock_mono_ns();
            if (s->quiet || pause_ns > NS_PER_SEC) pause_ns = NS_PER_SEC;
            clock_gettime(CLOCK_MONOTONIC, &until);
            int64_t at_ns =
                until.tv_sec * NS_PER_SEC + until.tv_nsec + (pause_ns > 0 ? pause_ns : 0);
            until = (struct timespec){at_ns / NS_PER_SEC, at_ns % NS_PER_SEC};
            pthread_cond_timedwait(&s->wake, &s->lock, &until);
        }
        quit = s->quit;
        quiet = s->quiet;
        pthread_mutex_unlock(&s->lock);
        work(s);
    }
    for (uint32_t i = 0; i < s->known_n; i++) free(s->known[i].path);
    free(s->known);
    s->report->last = true;
    shard_post(s->shard, &s->report->message);
    return NULL;
}

/* ---- the other side ------------------------------------------------------------------- */

err file_scout_start(struct file_scout *s, const struct file_scout_config *config,
                     struct shard *shard, void *owner,
                     void (*deliver)(struct message *message, struct shard *shard))
{
    *s = (struct file_scout){.config = config, .shard = shard, .owner = owner, .deliver = deliver};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->lock, NULL);
    s->report = report_new(s);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&s->thread, NULL, scout_main, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        log_error("inputs.file", "cannot start a thread: %s", strerror(failed));
        file_report_free(s->report);
        return ERR_SYSTEM;
    }
    pthread_setname_np(s->thread, "in file");
    s->started = true;
    return ERR_OK;
}

void file_scout_save(struct file_scout *s, struct buf *text)
{
    pthread_mutex_lock(&s->lock);
    struct buf old = s->save;
    s->save = *text;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    *text = (struct buf){0};
    buf_fini(&old);
}

void file_scout_complete(struct file_scout *s, const char *path, dev_t dev, uint64_t inode)
{
    size_t n = strlen(path) + 1;
    struct file_job *job = malloc(sizeof(*job) + n);
    ASSERT(job != NULL);
    *job = (struct file_job){.dev = dev, .inode = inode};
    memcpy(job->path, path, n);
    pthread_mutex_lock(&s->lock);
    if (s->jobs_last != NULL)
        s->jobs_last->next = job;
    else
        s->jobs = job;
    s->jobs_last = job;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static void raise_flag(struct file_scout *s, bool *flag)
{
    pthread_mutex_lock(&s->lock);
    *flag = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

void file_scout_quiet(struct file_scout *s)
{
    raise_flag(s, &s->quiet);
}

void file_scout_quit(struct file_scout *s)
{
    raise_flag(s, &s->quit);
}

void file_scout_join(struct file_scout *s)
{
    if (!s->started) return;
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
}
