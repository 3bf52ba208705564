/* file_writer.c - open files, appending, retrying, flushing. */
#define _GNU_SOURCE
#include "engine/outputs/file_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/outputs/file_gzip.h"

#define RETRY_FIRST_NS (50 * NS_PER_MS)
#define RETRY_MAX_NS (5 * NS_PER_SEC)
/* A pause ends this soon after the pipeline is told to stop. */
#define PAUSE_STEP_NS (20 * NS_PER_MS)
#define OUT_KEEP_BYTES (1u << 20)

struct out_file {
    struct out_file *next;
    uint64_t hash, serial;
    int fd;
    dev_t dev;
    ino_t ino;
    bool active; /* written to in this stale cycle */
    bool dirty;  /* the compressor holds bytes that are not in the file */
    struct file_gzip *gz;
    struct buf out; /* compressed, not written yet */
    uint32_t path_n;
    char path[];
};

/* ---- the table ----------------------------------------------------------------- */

static struct out_file **slot_of(struct file_writer *w, slice path, uint64_t hash)
{
    struct out_file **at = &w->bucket[hash % FILE_WRITER_BUCKETS];
    while (*at != NULL &&
           ((*at)->hash != hash || !slice_equal(slice_make((*at)->path, (*at)->path_n), path)))
        at = &(*at)->next;
    return at;
}

static struct out_file *handle_find(struct file_writer *w, slice path)
{
    if (w->last != NULL && slice_equal(slice_make(w->last->path, w->last->path_n), path))
        return w->last;
    return *slot_of(w, path, hash_bytes(path.p, path.n, 0));
}

static void handle_free(struct file_writer *w, struct out_file *h)
{
    struct out_file **at = slot_of(w, slice_make(h->path, h->path_n), h->hash);
    ASSERT(*at == h);
    *at = h->next;
    if (w->last == h) w->last = NULL;
    w->open_n--;
    counter_set(&w->files_open, w->open_n);
    if (h->fd >= 0) close(h->fd);
    if (h->gz != NULL) file_gzip_free(h->gz);
    buf_fini(&h->out);
    free(h);
}

static struct out_file *handle_new(struct file_writer *w, slice path, int fd)
{
    struct out_file *h = calloc(1, sizeof(*h) + path.n + 1);
    ASSERT(h != NULL);
    memcpy(h->path, path.p, path.n);
    h->path_n = path.n;
    h->hash = hash_bytes(path.p, path.n, 0);
    h->fd = fd;
    struct stat st;
    if (fstat(fd, &st) == 0) {
        h->dev = st.st_dev;
        h->ino = st.st_ino;
    }
    if (w->config.gzip) h->gz = file_gzip_new();
    struct out_file **bucket = &w->bucket[h->hash % FILE_WRITER_BUCKETS];
    h->next = *bucket;
    *bucket = h;
    w->open_n++;
    counter_set(&w->files_open, w->open_n);
    counter_add(&w->opens, 1);
    return h;
}

/* ---- waiting --------------------------------------------------------------------- */

struct retry {
    int64_t pause_ns;
};

/* Says what is wrong and waits; false when the pipeline stops instead. */
static bool retry_wait(struct file_writer *w, struct retry *retry, const char *what,
                       const char *path, int error)
{
    uint64_t held;
    counter_add(&w->retries, 1);
    if (log_gate_open(&w->error_gate, &held))
        log_error("outputs.file", "cannot %s %s: %s (errno %d); will try again", what, path,
                  strerror(error), error);
    retry->pause_ns = retry->pause_ns == 0 ? RETRY_FIRST_NS : retry->pause_ns * 2;
    if (retry->pause_ns > RETRY_MAX_NS) retry->pause_ns = RETRY_MAX_NS;
    for (int64_t waited = 0; waited < retry->pause_ns; waited += PAUSE_STEP_NS) {
        if (delivery_stopping(&w->delivery)) return false;
        struct timespec step = {0, PAUSE_STEP_NS};
        nanosleep(&step, NULL);
    }
    return !delivery_stopping(&w->delivery);
}

/* ---- opening ----------------------------------------------------------------------- */

static int make_folders(const struct file_writer *w, const char *path)
{
    char folder[PATH_MAX];
    size_t n = strlen(path);
    ASSERT(n < sizeof(folder));
    memcpy(folder, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (folder[i] != '/') continue;
        folder[i] = 0;
        int mode = w->config.dir_mode;
        if (mkdir(folder, mode < 0 ? 0777 : (mode_t)mode) == 0) {
            /* The mode asked for, whatever the umask says. */
            if (mode >= 0 && chmod(folder, (mode_t)mode) != 0) return errno;
        } else if (errno != EEXIST && errno != EISDIR) {
            struct stat st;
            int error = errno;
            if (stat(folder, &st) != 0) return error;
        }
        folder[i] = '/';
    }
    return 0;
}

static int open_file(const struct file_writer *w, const char *path, int *fd)
{
    int mode = w->config.file_mode;
    /* Non-blocking: a named pipe without a reader is an error to wait out, not a hang. */
    int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK;
    *fd = open(path, flags);
    if (*fd >= 0) return 0;
    if (errno != ENOENT) return errno;
    int error = make_folders(w, path);
    if (error != 0) return error;
    *fd = open(path, flags | O_CREAT, mode < 0 ? 0666 : (mode_t)mode);
    if (*fd < 0) return errno;
    if (mode >= 0 && fchmod(*fd, (mode_t)mode) != 0) {
        error = errno;
        close(*fd);
        return error;
    }
    return 0;
}

/* Errors that say this name can never be a file: waiting does not help. */
static bool is_path_error(int error)
{
    return error == ENAMETOOLONG || error == ENOTDIR || error == EISDIR || error == ELOOP ||
           error == EINVAL || error == EILSEQ;
}

static bool handle_close(struct file_writer *w, struct out_file *h);
static bool flush_all(struct file_writer *w);

static bool make_room(struct file_writer *w)
{
    uint32_t max = w->config.gzip ? FILE_WRITER_GZIP_OPEN_MAX : FILE_WRITER_OPEN_MAX;
    if (w->open_n < max) return true;
    struct out_file *oldest = NULL;
    for (uint32_t i = 0; i < FILE_WRITER_BUCKETS; i++)
        for (struct out_file *h = w->bucket[i]; h != NULL; h = h->next)
            if (oldest == NULL || h->serial < oldest->serial) oldest = h;
    return handle_close(w, oldest);
}

/* The file behind `path` is the one that is open. */
static bool still_there(const struct out_file *h)
{
    struct stat st;
    return stat(h->path, &st) == 0 && st.st_dev == h->dev && st.st_ino == h->ino;
}

static slice divert(struct file_writer *w, slice path, const char *why)
{
    uint64_t held;
    counter_add(&w->diverted, 1);
    if (log_gate_open(&w->path_gate, &held))
        log_warn("outputs.file", "%.*s: %s; its events go to %s", SLICE_FMT(path), why,
                 w->config.failure_path.p);
    return w->config.failure_path;
}

/* The open file for a path, which has a NUL behind it; NULL when the pipeline stops. */
static struct out_file *handle_get(struct file_writer *w, slice path)
{
    struct retry retry = {0};
    for (;;) {
        struct out_file *h = handle_find(w, path);
        if (h != NULL && still_there(h)) return h;
        bool failure_file = slice_equal(path, w->config.failure_path);
        if (!w->config.create_if_deleted && !failure_file && access(path.p, F_OK) != 0) {
            path = divert(w, path, "there is no such file and create_if_deleted is off");
            continue;
        }
        if (h != NULL && !handle_close(w, h)) return NULL;
        if (!make_room(w)) return NULL;
        int fd = -1, error = open_file(w, path.p, &fd);
        if (error == 0) return handle_new(w, path, fd);
        if (is_path_error(error) && !failure_file && !w->config.constant)
            path = divert(w, path, strerror(error));
        else if (!retry_wait(w, &retry, "open", path.p, error))
            return NULL;
    }
}

/* ---- writing ------------------------------------------------------------------------- */

/* Takes back the bytes of a piece that the pipeline's end cut off, so that the file does not keep
 * half a line that will be written again. */
static void take_back(const struct out_file *h, size_t n)
{
    struct stat st;
    if (n == 0 || fstat(h->fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < n)
        return;
    if (ftruncate(h->fd, st.st_size - (off_t)n) != 0)
        log_warn("outputs.file", "%s ends in the middle of a line: %s", h->path, strerror(errno));
}

enum wrote { WROTE_ALL, WROTE_STOPPED, WROTE_GONE };

/* *done is how far it got. WROTE_STOPPED: the pipeline stops. WROTE_GONE, if movable: the file
 * cannot be written to, and it was deleted or moved meanwhile. Held open, a deleted file would
 * keep the very space of the disk that its deletion was to give back. */
static enum wrote write_some(struct file_writer *w, struct out_file *h, const char *p, size_t n,
                             bool movable, size_t *done)
{
    struct retry retry = {0};
    *done = 0;
    while (*done < n) {
        ssize_t wrote = write(h->fd, p + *done, n - *done);
        if (wrote > 0) {
            *done += (size_t)wrote;
            retry.pause_ns = 0;
            counter_add(&w->bytes, (uint64_t)wrote);
        } else if (wrote < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = h->fd, .events = POLLOUT};
            poll(&pfd, 1, 100);
            if (delivery_stopping(&w->delivery)) return WROTE_STOPPED;
        } else if (wrote < 0 && errno == EINTR) {
            continue;
        } else if (!retry_wait(w, &retry, "write to", h->path, wrote < 0 ? errno : EIO)) {
            return WROTE_STOPPED;
        } else if (movable && !still_there(h)) {
            return WROTE_GONE;
        }
    }
    return WROTE_ALL;
}

static bool write_out(struct file_writer *w, struct out_file *h)
{
    size_t done;
    /* A gzip member goes on where it began. */
    bool ok = write_some(w, h, h->out.data, h->out.n, false, &done) == WROTE_ALL;
    memmove(h->out.data, h->out.data + done, h->out.n - done);
    h->out.n -= done;
    if (ok && h->out.cap > OUT_KEEP_BYTES) buf_fini(&h->out);
    return ok;
}

/* With overwrite every event replaces the file. */
static bool empty(struct file_writer *w, struct out_file *h)
{
    struct retry retry = {0};
    struct stat st;
    while (fstat(h->fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(h->fd, 0) != 0)
        if (!retry_wait(w, &retry, "empty", h->path, errno)) return false;
    if (h->gz == NULL) return true;
    file_gzip_free(h->gz);
    h->gz = file_gzip_new();
    h->out.n = 0;
    return true;
}

static enum wrote write_once(struct file_writer *w, slice path, const char *p, uint32_t n)
{
    struct out_file *h = handle_get(w, path);
    if (h == NULL) return WROTE_STOPPED;
    w->last = h;
    h->serial = ++w->serial;
    h->active = true;
    if (w->config.overwrite && !empty(w, h)) return WROTE_STOPPED;
    if (h->gz != NULL) {
        file_gzip_add(h->gz, p, n, &h->out);
        h->dirty = true;
        return h->out.n < OUT_KEEP_BYTES || write_out(w, h) ? WROTE_ALL : WROTE_STOPPED;
    }
    size_t done;
    enum wrote wrote = write_some(w, h, p, n, true, &done);
    if (wrote != WROTE_ALL) take_back(h, done);
    return wrote;
}

static bool write_segment(struct file_writer *w, slice path, const char *p, uint32_t n)
{
    enum wrote wrote;
    while ((wrote = write_once(w, path, p, n)) == WROTE_GONE) continue;
    return wrote == WROTE_ALL;
}

/* ---- flushing and closing -------------------------------------------------------------- */

static bool handle_flush(struct file_writer *w, struct out_file *h)
{
    if (h->gz == NULL || !h->dirty) return true;
    file_gzip_flush(h->gz, &h->out);
    if (!write_out(w, h)) return false;
    h->dirty = false;
    return true;
}

/* Ends the gzip member. false when the pipeline stops before its bytes are out. */
static bool handle_close(struct file_writer *w, struct out_file *h)
{
    bool ok = true;
    if (h->gz != NULL && file_gzip_end(h->gz, &h->out)) ok = write_out(w, h);
    handle_free(w, h);
    return ok;
}

static void answer_held(struct file_writer *w, enum outcome outcome)
{
    while (w->held != NULL) {
        struct delivery_request *r = w->held;
        w->held = r->next;
        delivery_done(r, outcome);
    }
    w->held_n = 0;
}

static bool flush_all(struct file_writer *w)
{
    bool ok = true;
    for (uint32_t i = 0; i < FILE_WRITER_BUCKETS; i++)
        for (struct out_file *h = w->bucket[i]; h != NULL; h = h->next)
            ok = handle_flush(w, h) && ok;
    answer_held(w, ok ? OUTCOME_DELIVERED : OUTCOME_FAILED);
    return ok;
}

static void close_stale(struct file_writer *w)
{
    for (uint32_t i = 0; i < FILE_WRITER_BUCKETS; i++) {
        struct out_file *h = w->bucket[i];
        while (h != NULL) {
            struct out_file *next = h->next;
            if (h->active || h->dirty)
                h->active = false;
            else
                handle_close(w, h);
            h = next;
        }
    }
}

static void close_all(struct file_writer *w)
{
    for (uint32_t i = 0; i < FILE_WRITER_BUCKETS; i++)
        while (w->bucket[i] != NULL) handle_close(w, w->bucket[i]);
}

/* ---- the thread --------------------------------------------------------------------------- */

static bool write_request(struct file_writer *w, const struct delivery_request *r)
{
    const char *p = r->body.data, *end = p + r->body.n;
    while (p < end) {
        struct file_segment seg;
        memcpy(&seg, p, sizeof(seg));
        p += sizeof(seg);
        slice path = slice_make(p, seg.path_n);
        p += seg.path_n + 1;
        if (!write_segment(w, path, p, seg.data_n)) return false;
        p += seg.data_n;
    }
    return true;
}

static void take(struct file_writer *w, struct delivery_request *r)
{
    if (!write_request(w, r)) {
        delivery_done(r, OUTCOME_FAILED);
        return;
    }
    if (!w->config.gzip) {
        delivery_done(r, OUTCOME_DELIVERED);
        return;
    }
    if (w->held == NULL) w->next_flush_ns = clock_mono_ns() + w->config.flush_ns;
    r->next = w->held;
    w->held = r;
    if (++w->held_n >= FILE_WRITER_HELD_MAX || w->config.flush_ns == 0) flush_all(w);
}

static int64_t wait_ns(const struct file_writer *w, int64_t now_ns)
{
    int64_t until = w->next_stale_ns;
    if (w->held != NULL && w->next_flush_ns < until) until = w->next_flush_ns;
    return until > now_ns ? until - now_ns : 0;
}

static void run(struct delivery *d)
{
    struct file_writer *w = d->owner;
    int64_t now_ns = clock_mono_ns();
    w->next_stale_ns = now_ns + w->config.stale_ns;
    while (!delivery_stopping(d)) {
        struct delivery_request *r = delivery_next(d, wait_ns(w, now_ns));
        if (r != NULL) take(w, r);
        now_ns = clock_mono_ns();
        if (w->held != NULL && now_ns >= w->next_flush_ns) flush_all(w);
        if (now_ns < w->next_stale_ns) continue;
        close_stale(w);
        w->next_stale_ns = now_ns + w->config.stale_ns;
    }
    answer_held(w, OUTCOME_FAILED);
    close_all(w);
}

err file_writer_start(struct file_writer *w, const struct file_writer_config *config,
                      uint32_t shards)
{
    w->config = *config;
    return delivery_start(&w->delivery, shards, "out file", run, w);
}

void file_writer_stop(struct file_writer *w)
{
    delivery_stop(&w->delivery);
}
