/* file_tail.c - reading, rotation, truncation, positions. */
#define _GNU_SOURCE
#include "engine/inputs/file_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/plan/host.h"
#include "engine/plan/plan.h"
#include "parsers/frame/gzip_stream.h"

/* A receipt's position: the offset, and above it how often the file began anew. */
#define EPOCH_SHIFT 48
#define OFFSET_MASK ((UINT64_C(1) << EPOCH_SHIFT) - 1)

struct tail_file {
    struct feed feed; /* first */
    struct ack_window window;
    struct file_tail *tail;
    struct tail_file *next_id, *next_path, *next_queued, *next_finished;
    struct tail_file *before, *after; /* all files */
    dev_t dev;
    uint64_t inode, size, pos;
    uint64_t turn_bytes;
    char *path;
    struct file_since *since;
    struct receipt *receipt; /* of the chunk that is being decoded */
    struct gzip_stream *gz;
    slice packed; /* compressed bytes of the chunk not yet decompressed */
    int64_t last_data_ns, retry_ns;
    int fd;
    uint16_t epoch;
    bool live; /* feed and window are set up */
    bool queued;
    bool blocked;  /* its window is full */
    bool starved;  /* too many files are open */
    bool cut_down; /* it became shorter than what was read */
    bool leaving;  /* its name is gone or is another file's now */
    bool ending;   /* the last bytes are being handed on */
    bool done;     /* nothing more will be read */
    bool settled;  /* and everything is safe */
    bool listed;   /* among the finished */
    bool deleted;  /* no name leads to it any more */
    bool unreadable, corrupt;
};

static void step(struct file_tail *t);

/* ---- tables ----------------------------------------------------------------------- */

static struct tail_file **id_slot(struct file_tail *t, dev_t dev, uint64_t inode)
{
    struct tail_file **at = &t->by_id[(inode ^ dev) % FILE_BUCKETS];
    while (*at != NULL && ((*at)->inode != inode || (*at)->dev != dev)) at = &(*at)->next_id;
    return at;
}

static struct tail_file **path_slot(struct file_tail *t, const char *path)
{
    struct tail_file **at = &t->by_path[hash_bytes(path, strlen(path), 0) % FILE_BUCKETS];
    while (*at != NULL && strcmp((*at)->path, path) != 0) at = &(*at)->next_path;
    return at;
}

static void path_drop(struct file_tail *t, struct tail_file *f)
{
    struct tail_file **at = path_slot(t, f->path);
    if (*at == f) *at = f->next_path;
}

static void path_take(struct file_tail *t, struct tail_file *f, const char *path)
{
    if (f->path != NULL) path_drop(t, f);
    char *copy = strdup(path);
    ASSERT(copy != NULL);
    free(f->path);
    f->path = copy;
    struct tail_file **at = path_slot(t, path);
    ASSERT(*at == NULL);
    f->next_path = NULL;
    *at = f;
}

static void enqueue(struct file_tail *t, struct tail_file *f)
{
    if (f->queued || f->done || f->ending || f->blocked || f->starved || f->corrupt) return;
    f->queued = true;
    f->next_queued = NULL;
    f->turn_bytes = 0;
    if (t->queue != NULL)
        t->queue_last->next_queued = f;
    else
        t->queue = f;
    t->queue_last = f;
}

static void dequeue_first(struct file_tail *t)
{
    struct tail_file *f = t->queue;
    t->queue = f->next_queued;
    f->queued = false;
}

static void kick(struct file_tail *t)
{
    if (!t->stopping) timer_set(&t->shard->timers, &t->kick, t->shard->now_mono_ns);
}

static void finished(struct file_tail *t, struct tail_file *f)
{
    if (!f->listed) {
        f->listed = true;
        f->next_finished = t->finished;
        t->finished = f;
    }
    kick(t);
}

/* ---- positions ----------------------------------------------------------------------- */

static double now_s(const struct file_tail *t)
{
    return (double)t->shard->now_real_ns / (double)NS_PER_SEC;
}

static void since_set(struct tail_file *f, uint64_t position)
{
    f->since->position = position;
    f->since->seen_s = now_s(f->tail);
    f->tail->dirty = true;
}

static void acked(struct ack_window *window, uint64_t position)
{
    struct tail_file *f = (struct tail_file *)((char *)window - offsetof(struct tail_file, window));
    /* What was read before the file was cut down says nothing about its new bytes. */
    if (position >> EPOCH_SHIFT == f->epoch) since_set(f, position & OFFSET_MASK);
    if (f->blocked) {
        f->blocked = false;
        enqueue(f->tail, f);
        kick(f->tail);
    }
    if (f->done && ack_window_idle(window)) {
        f->settled = true;
        finished(f->tail, f);
    }
}

/* Where reading would have to go on if everything handed to the worker is delivered. */
static uint64_t safe_offset(const struct tail_file *f)
{
    if (f->gz != NULL) return f->ending && !f->corrupt ? f->size : 0;
    return f->pos - f->feed.carry_n;
}

static void receipt_settle(struct tail_file *f)
{
    struct receipt *r = f->receipt;
    f->receipt = NULL;
    r->position = ((uint64_t)f->epoch << EPOCH_SHIFT) | (safe_offset(f) & OFFSET_MASK);
    receipt_release(r, OUTCOME_DELIVERED);
}

static void save(struct file_tail *t)
{
    struct buf text = {0};
    buf_room(&text, 1);
    if (t->config->since_keep_ns > 0)
        file_sincedb_expire(&t->since,
                            now_s(t) - (double)t->config->since_keep_ns / (double)NS_PER_SEC);
    file_sincedb_format(&t->since, &text);
    file_scout_save(t->scout, &text);
    t->dirty = false;
}

/* ---- events --------------------------------------------------------------------------- */

static void add_path(const struct file_tail_config *c, struct batch *b, struct event *ev,
                     slice path)
{
    struct value val = value_string(path);
    if (!c->ecs) {
        if (map_find(&ev->data, c->path_key.name, c->path_key.hash) == NULL)
            map_append(&ev->data, &b->arena, c->path_key, val);
        return;
    }
    if (map_find(&ev->data, c->log.name, c->log.hash) != NULL) {
        if (event_get(b, ev, &c->log_file_path) != NULL) return;
        err e = event_put(b, ev, &c->log_file_path, val);
        (void)e; /* a log field of another shape stays as it is */
        return;
    }
    struct map *file = map_new(&b->arena), *log = map_new(&b->arena);
    map_append(file, &b->arena, c->path_key, val);
    map_append(log, &b->arena, c->file, value_map(file));
    map_append(&ev->data, &b->arena, c->log, value_map(log));
}

static void describe(struct feed *feed, struct batch *b, uint32_t from)
{
    struct tail_file *f = (struct tail_file *)feed;
    const struct file_tail_config *c = f->tail->config;
    ASSERT(f->receipt != NULL);
    if (b->hold_n == 0 || b->hold[b->hold_n - 1] != f->receipt) batch_hold(b, f->receipt);
    slice path = arena_copy(&b->arena, slice_from_cstr(f->path));
    for (uint32_t i = from; i < b->n; i++) {
        struct event *ev = &b->event[i];
        map_put(&ev->meta, &b->arena, c->path_key, value_string(path));
        map_put(&ev->meta, &b->arena, c->host_key, value_string(host_name()));
        host_field_add(&c->host, b, ev);
        add_path(c, b, ev, path);
    }
}

/* Lines that waited for another (multiline) are an event now. */
static bool on_quiet(struct feed *feed)
{
    struct tail_file *f = (struct tail_file *)feed;
    if (f->tail->stopping || f->receipt != NULL || ack_window_full(&f->window)) return false;
    f->receipt = ack_window_open(&f->window, 0, 0);
    ASSERT(f->receipt != NULL);
    feed_complete(feed);
    receipt_settle(f);
    return true;
}

/* A codec that gathers lines was quiet for long: what it holds becomes an event of its own chunk.
 */
static bool quiet(struct feed *feed)
{
    struct tail_file *f = (struct tail_file *)feed;
    if (f->tail->stopping || f->ending || f->receipt != NULL || ack_window_full(&f->window))
        return false;
    f->receipt = ack_window_open(&f->window, 0, 0);
    feed_complete(feed);
    receipt_settle(f);
    return true;
}

static err feed_begin(struct file_tail *t, struct tail_file *f)
{
    /* Without a window: receipts are held by describe(), as they carry offsets. */
    err e =
        feed_init(&f->feed, t->worker, &t->intake, NULL, &t->config->codec, t->self->decoration);
    f->feed.describe = describe;
    f->feed.quiet = quiet;
    return e;
}

/* ---- opening and closing ------------------------------------------------------------- */

static bool make_live(struct file_tail *t, struct tail_file *f)
{
    if (f->live) return true;
    if (feed_begin(t, f) != ERR_OK) return false;
    f->feed.quiet = on_quiet;
    ack_window_init(&f->window, FILE_WINDOW_SLOTS, &t->intake);
    f->window.acked = acked;
    f->live = true;
    return true;
}

/* An open file became idle or was closed: one that could not be opened may try again. */
static void feed_starved(struct file_tail *t)
{
    struct tail_file *f = t->starved;
    if (f == NULL) return;
    t->starved = f->next_queued;
    f->starved = false;
    enqueue(t, f);
    kick(t);
}

static void close_file(struct file_tail *t, struct tail_file *f)
{
    if (f->fd < 0) return;
    close(f->fd);
    f->fd = -1;
    counter_set(&t->counters->open, --t->open_n);
    feed_starved(t);
}

/* Closes the open file that has been idle longest; false when all are busy. */
static bool close_idle(struct file_tail *t)
{
    struct tail_file *oldest = NULL;
    for (struct tail_file *f = t->all; f != NULL; f = f->after)
        if (f->fd >= 0 && !f->queued && !f->leaving && f != t->stuck &&
            (oldest == NULL || f->last_data_ns < oldest->last_data_ns))
            oldest = f;
    if (oldest != NULL) close_file(t, oldest);
    return oldest != NULL;
}

static void cannot_open(struct file_tail *t, struct tail_file *f, int error)
{
    if (!f->unreadable)
        log_warn("inputs.file", "cannot open %s: %s; will try again", f->path, strerror(error));
    if (!f->unreadable) counter_add(&t->counters->unreadable, 1);
    f->unreadable = true;
    f->retry_ns = t->shard->now_mono_ns + t->config->scout.discover_ns;
}

/* Opens the file if its name still is its own. */
static bool open_file(struct file_tail *t, struct tail_file *f)
{
    if (f->fd >= 0) return true;
    if (f->leaving) return false;
    if (t->open_n >= t->config->open_max && !close_idle(t)) {
        f->starved = true;
        return false;
    }
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno != ENOENT) cannot_open(t, f, errno);
        return false;
    }
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_dev != f->dev || st.st_ino != f->inode || !make_live(t, f)) {
        close(fd); /* the next report tells what is there now */
        return false;
    }
    f->fd = fd;
    f->unreadable = false;
    f->last_data_ns = t->shard->now_mono_ns;
    counter_set(&t->counters->open, ++t->open_n);
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (t->config->mode == FILE_READ && f->gz == NULL && file_is_gzip(f->path)) {
        f->gz = gzip_stream_new(GZIP_GZIP, 0);
        f->pos = 0;
    }
    return true;
}

/* Nothing more comes from it; it is freed, or kept as known, when all is settled. */
static void file_done(struct file_tail *t, struct tail_file *f)
{
    struct stat st;
    f->deleted = f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_nlink == 0;
    close_file(t, f);
    f->done = true;
    f->settled = !f->live || ack_window_idle(&f->window);
    if (t->left_n > 0) t->left_n--;
    finished(t, f);
}

/* ---- the end of a file ------------------------------------------------------------------ */

static void end_go_on(struct file_tail *t, struct tail_file *f)
{
    receipt_settle(f);
    file_done(t, f);
}

/* Hands on what has no line end and closes the file. The window has a free slot. */
static void file_end(struct file_tail *t, struct tail_file *f)
{
    f->receipt = ack_window_open(&f->window, 0, 0);
    ASSERT(f->receipt != NULL);
    f->ending = true;
    if (feed_end(&f->feed))
        end_go_on(t, f);
    else
        t->stuck = f;
}

static void corrupt(struct file_tail *t, struct tail_file *f, const char *why)
{
    log_error("inputs.file",
              "%s is not a good gzip file (%s): what follows is not read and the "
              "file stays",
              f->path, why);
    counter_add(&t->counters->corrupt, 1);
    f->corrupt = true;
    f->packed = SLICE_NONE;
}

/* The file was emptied or cut: it begins anew. */
static void begin_anew(struct file_tail *t, struct tail_file *f)
{
    f->cut_down = false;
    counter_add(&t->counters->truncated, 1);
    log_info("inputs.file", "%s became shorter than what was read; reading from its beginning",
             f->path);
    if (f->live && f->feed.carry_n > 0 && !feed_is_waiting(&f->feed)) on_quiet(&f->feed);
    f->epoch++;
    f->pos = 0;
    if (f->live) {
        feed_fini(&f->feed);
        err e = feed_begin(t, f);
        ASSERT(e == ERR_OK); /* it worked before */
        f->feed.quiet = on_quiet;
    }
    since_set(f, 0);
}

static bool is_shorter(const struct tail_file *f)
{
    struct stat st;
    if (f->gz != NULL) return false;
    if (f->fd < 0) return f->size < f->pos;
    return fstat(f->fd, &st) == 0 && (uint64_t)st.st_size < f->pos;
}

static void at_end(struct file_tail *t, struct tail_file *f)
{
    dequeue_first(t);
    if (is_shorter(f)) {
        f->cut_down = true;
        enqueue(t, f);
    } else if (f->gz != NULL && !gzip_stream_at_end(f->gz)) {
        corrupt(t, f, "it ends too early");
        file_done(t, f);
    } else if (t->config->mode == FILE_READ) {
        file_end(t, f);
    } else if (f->leaving && t->shard->now_mono_ns - f->last_data_ns > FILE_LEAVE_QUIET_NS) {
        file_end(t, f);
    }
    feed_starved(t);
}

/* ---- reading ------------------------------------------------------------------------------ */

static void blob_fresh(struct blob **blob, uint32_t size)
{
    if (*blob != NULL && (*blob)->pins == 1) return;
    if (*blob != NULL) blob_unpin(*blob);
    *blob = blob_new(size);
}

/* Decompresses and hands on; false when the worker takes no more now. */
static bool unpack(struct file_tail *t, struct tail_file *f)
{
    int result = GZIP_FULL;
    while (f->packed.n > 0 || result == GZIP_FULL) {
        blob_fresh(&t->plain, FILE_READ_BYTES);
        uint32_t n = 0, before = f->packed.n;
        result = gzip_stream_run(f->gz, &f->packed, t->plain->data, t->plain->size, &n);
        bool taken = n == 0 || feed_bytes(&f->feed, t->plain, slice_make(t->plain->data, n));
        if (result < 0) {
            corrupt(t, f, gzip_stream_reason(f->gz));
            return taken;
        }
        if (!taken) return false;
        if (n == 0 && result != GZIP_FULL && f->packed.n == before) break;
        if (n == 0 && f->packed.n == 0) break;
    }
    return true;
}

/* The chunk has been handed on: its receipt now depends on the batches only. */
static void chunk_done(struct file_tail *t, struct tail_file *f)
{
    receipt_settle(f);
    if (f->corrupt) {
        if (t->queue == f) dequeue_first(t);
        file_done(t, f);
    }
}

static void take_chunk(struct file_tail *t, struct tail_file *f, uint32_t n)
{
    f->receipt = ack_window_open(&f->window, 0, n);
    ASSERT(f->receipt != NULL);
    slice bytes = slice_make(t->blob->data, n);
    f->pos += n;
    bool taken;
    if (f->gz != NULL) {
        f->packed = bytes;
        taken = unpack(t, f);
    } else {
        taken = feed_bytes(&f->feed, t->blob, bytes);
    }
    if (taken)
        chunk_done(t, f);
    else
        t->stuck = f;
}

static void on_read(struct io_op *op, int32_t n)
{
    struct file_tail *t = (struct file_tail *)((char *)op - offsetof(struct file_tail, read));
    struct tail_file *f = t->reading;
    t->reading = NULL;
    if (t->stopping) return;
    ASSERT(t->queue == f);
    if (n > 0) {
        f->last_data_ns = t->shard->now_mono_ns;
        f->turn_bytes += (uint32_t)n;
        take_chunk(t, f, (uint32_t)n);
        if (t->queue == f && f->turn_bytes >= t->config->turn_bytes) {
            dequeue_first(t);
            enqueue(t, f);
        }
    } else if (n == 0) {
        at_end(t, f);
    } else if (n != -EINTR && n != -EAGAIN) {
        dequeue_first(t);
        log_warn("inputs.file", "cannot read %s: %s; will try again", f->path, strerror(-n));
        counter_add(&t->counters->unreadable, 1);
        f->unreadable = true;
        f->retry_ns = t->shard->now_mono_ns + t->config->scout.discover_ns;
        close_file(t, f);
    }
    step(t);
}

static void maybe_finished(struct file_tail *t)
{
    if (!t->config->exit_after_read || t->told || !t->looked || t->left_n > 0) return;
    t->told = true;
    t->self->finished(t->self);
}

/* Starts the next read, if one may start. */
static void step(struct file_tail *t)
{
    while (!t->stopping && !t->read.armed && t->stuck == NULL) {
        struct tail_file *f = t->queue;
        if (f == NULL) {
            maybe_finished(t);
            return;
        }
        if (!worker_may_read(t->worker, &t->intake, NULL)) return;
        if (f->live && ack_window_full(&f->window)) {
            dequeue_first(t);
            f->blocked = true;
            continue;
        }
        if (f->cut_down) begin_anew(t, f);
        if (!open_file(t, f)) {
            dequeue_first(t);
            if (f->starved) {
                f->next_queued = t->starved;
                t->starved = f;
                continue;
            }
            if (f->leaving || t->config->exit_after_read) file_done(t, f);
            continue;
        }
        blob_fresh(&t->blob, t->config->read_bytes);
        t->reading = f;
        io_read(t->shard->io, &t->read, f->fd, t->blob->data, t->blob->size, f->pos);
        return;
    }
}

static void resume(struct intake *intake)
{
    struct file_tail *t = (struct file_tail *)((char *)intake - offsetof(struct file_tail, intake));
    struct tail_file *f = t->stuck;
    if (t->stopping) return;
    if (f != NULL) {
        if (!feed_resume(&f->feed)) return;
        if (f->gz != NULL && !f->ending && !f->corrupt && !unpack(t, f)) return;
        t->stuck = NULL;
        if (f->ending)
            end_go_on(t, f);
        else
            chunk_done(t, f);
    }
    step(t);
}

/* ---- what the scout saw ------------------------------------------------------------------- */

/* Its name is gone or another's: what is left is read, then it is forgotten. */
static void leave(struct file_tail *t, struct tail_file *f)
{
    path_drop(t, f);
    f->leaving = true;
    if (f->done) {
        if (t->config->mode == FILE_READ) f->deleted = true;
        finished(t, f);
        return;
    }
    f->last_data_ns = t->shard->now_mono_ns;
    enqueue(t, f);
}

static bool is_old(const struct file_tail *t, const struct file_seen *seen)
{
    int64_t limit_ns = t->config->ignore_older_ns;
    return limit_ns > 0 && t->shard->now_real_ns - seen->modified_ns > limit_ns;
}

/* Where to begin, and whether there is anything to do at once. */
static void place(struct file_tail *t, struct tail_file *f, const struct file_seen *seen)
{
    const struct file_tail_config *c = t->config;
    bool packed = c->mode == FILE_READ && file_is_gzip(seen->path);
    f->since = file_sincedb_find(&t->since, seen->inode, seen->dev);
    if (f->since != NULL) {
        if (f->since->position > seen->size) f->since->position = 0;
        file_since_rename(f->since, slice_from_cstr(seen->path));
    } else {
        f->since = file_sincedb_add(&t->since, seen->inode, seen->dev, slice_from_cstr(seen->path));
        bool skip =
            c->mode == FILE_TAIL && (is_old(t, seen) || (!t->looked && c->start == FILE_START_END));
        since_set(f, skip ? seen->size : 0);
    }
    f->since->used = true;
    f->pos = f->since->position;
    if (packed && f->pos < seen->size) f->pos = 0;
    bool read_before = c->mode == FILE_READ && f->pos == seen->size && seen->size > 0;
    if (seen->corrupt) corrupt(t, f, "it was checked first");
    f->done = read_before || seen->corrupt || (c->mode == FILE_READ && is_old(t, seen));
    if (read_before && c->scout.completed != FILE_COMPLETED_LOG)
        file_scout_complete(t->scout, f->path, f->dev, f->inode);
    if (f->done || is_old(t, seen)) return;
    /* An empty file is about to be written. A followed one is opened even so: what is written
     * before it loses its name must be found. */
    if (c->mode == FILE_READ && f->pos >= seen->size) return;
    if (c->mode == FILE_READ) t->left_n++;
    enqueue(t, f);
}

static void create(struct file_tail *t, const struct file_seen *seen)
{
    struct tail_file *f = calloc(1, sizeof(*f));
    ASSERT(f != NULL);
    f->tail = t;
    f->fd = -1;
    f->dev = seen->dev;
    f->inode = seen->inode;
    f->size = seen->size;
    f->after = t->all;
    if (t->all != NULL) t->all->before = f;
    t->all = f;
    *id_slot(t, f->dev, f->inode) = f;
    path_take(t, f, seen->path);
    counter_set(&t->counters->files, counter_read(&t->counters->files) + 1);
    place(t, f, seen);
}

static void changed(struct file_tail *t, struct tail_file *f, const struct file_seen *seen)
{
    /* One that is about to be forgotten comes back as a new one when it changes. */
    if (f->leaving && (f->done || f->ending)) return;
    if (strcmp(f->path, seen->path) != 0 || f->leaving) {
        path_take(t, f, seen->path);
        file_since_rename(f->since, slice_from_cstr(seen->path));
        f->leaving = false;
    }
    f->size = seen->size;
    if (f->done || f == t->stuck) return;
    if (seen->size < f->pos && is_shorter(f)) f->cut_down = true;
    if (f->cut_down || seen->size > f->pos) enqueue(t, f);
}

static void see(struct file_tail *t, const struct file_seen *seen)
{
    struct tail_file *named = *path_slot(t, seen->path);
    if (seen->gone) {
        if (named != NULL) leave(t, named);
        return;
    }
    struct tail_file *f = *id_slot(t, seen->dev, seen->inode);
    if (named != NULL && named != f) leave(t, named);
    if (f != NULL)
        changed(t, f, seen);
    else
        create(t, seen);
}

static void deliver(struct message *message, struct shard *shard)
{
    (void)shard;
    struct file_report *report = (struct file_report *)message;
    struct file_tail *t = report->owner;
    if (report->last) t->scout_gone = true;
    if (!t->stopping && !report->last) {
        for (uint32_t i = 0; i < report->n; i++) see(t, &report->at[i]);
        if (report->first) t->looked = true;
        step(t);
    }
    file_report_free(report);
}

/* ---- from time to time ---------------------------------------------------------------------- */

static void file_free(struct file_tail *t, struct tail_file *f)
{
    close_file(t, f);
    if (f->live) {
        feed_fini(&f->feed);
        ack_window_fini(&f->window);
    }
    if (f->gz != NULL) gzip_stream_free(f->gz);
    f->gz = NULL;
    f->live = false;
}

static void file_forget(struct file_tail *t, struct tail_file *f)
{
    file_free(t, f);
    *id_slot(t, f->dev, f->inode) = f->next_id;
    if (!f->leaving) path_drop(t, f);
    if (f->before != NULL)
        f->before->after = f->after;
    else
        t->all = f->after;
    if (f->after != NULL) f->after->before = f->before;
    f->since->used = false;
    if (f->deleted) {
        /* Its inode may soon be another file's. */
        f->since->seen_s = -1;
        file_sincedb_expire(&t->since, 0);
        t->dirty = true;
    }
    counter_set(&t->counters->files, counter_read(&t->counters->files) - 1);
    free(f->path);
    free(f);
}

/* Files that are read and safe: they give their memory back, and are deleted or logged. */
static void on_kick(struct timer *timer, int64_t now_ns)
{
    (void)now_ns;
    struct file_tail *t = (struct file_tail *)((char *)timer - offsetof(struct file_tail, kick));
    struct tail_file *list = t->finished;
    t->finished = NULL;
    while (list != NULL) {
        struct tail_file *f = list;
        list = f->next_finished;
        f->listed = false;
        if (f->live && f->settled && ack_window_idle(&f->window)) {
            if (t->config->mode == FILE_READ && !f->corrupt && !f->window.broken)
                file_scout_complete(t->scout, f->path, f->dev, f->inode);
            file_free(t, f);
        }
        if (f->leaving && f->done && !f->live) file_forget(t, f);
    }
    step(t);
}

static void on_poll(struct timer *timer, int64_t now_ns)
{
    struct file_tail *t = (struct file_tail *)((char *)timer - offsetof(struct file_tail, poll));
    const struct file_tail_config *c = t->config;
    for (struct tail_file *f = t->all; f != NULL; f = f->after) {
        if (f->leaving && !f->done) enqueue(t, f);
        if (f->unreadable && now_ns >= f->retry_ns) enqueue(t, f);
        if (f->fd >= 0 && !f->queued && !f->leaving && f != t->stuck && c->close_older_ns > 0 &&
            now_ns - f->last_data_ns > c->close_older_ns)
            close_file(t, f);
    }
    if (t->dirty && now_ns >= t->next_save_ns) {
        save(t);
        t->next_save_ns = now_ns + c->since_write_ns;
    }
    timer_set(&t->shard->timers, &t->poll, now_ns + c->scout.stat_ns);
    step(t);
}

/* ---- start and stop ----------------------------------------------------------------------------
 */

static err load_since(struct file_tail *t)
{
    struct buf text = {0};
    const char *path = t->config->scout.sincedb;
    err e = file_sincedb_load(path, &text);
    if (e == ERR_SYSTEM) {
        log_error("inputs.file", "cannot read %s: %s", path, strerror(errno));
        buf_fini(&text);
        return e;
    }
    uint32_t bad = file_sincedb_parse(&t->since, buf_slice(&text), now_s(t));
    if (bad > 0) log_warn("inputs.file", "%s has %u lines that are no positions", path, bad);
    if (t->config->since_keep_ns > 0)
        file_sincedb_expire(&t->since,
                            now_s(t) - (double)t->config->since_keep_ns / (double)NS_PER_SEC);
    buf_fini(&text);
    return ERR_OK;
}

err file_tail_start(struct file_tail *t, const struct file_tail_config *config,
                    struct worker *worker, struct input *self, struct file_scout *scout,
                    struct file_tail_counters *counters)
{
    t->config = config;
    t->worker = worker;
    t->shard = worker->shard;
    t->self = self;
    t->scout = scout;
    t->counters = counters;
    err e = load_since(t);
    if (e != ERR_OK) return e;
    intake_init(&t->intake, FILE_WINDOW_BYTES, resume);
    worker_add_intake(worker, &t->intake);
    t->read.done = on_read;
    t->poll.fire = on_poll;
    t->kick.fire = on_kick;
    int64_t now_ns = worker->shard->now_mono_ns;
    t->next_save_ns = now_ns + config->since_write_ns;
    timer_set(&worker->shard->timers, &t->poll, now_ns + config->scout.stat_ns);
    return file_scout_start(scout, &config->scout, worker->shard, t, deliver);
}

/* Events that a codec still holds go out; half a line stays in the file for the next start. */
static void flush_codec(struct tail_file *f)
{
    if (!f->live || f->done || f->receipt != NULL || f->feed.codec->ops->flush == NULL) return;
    f->receipt = ack_window_open(&f->window, 0, 0);
    if (f->receipt == NULL) return;
    f->pos -= f->feed.carry_n;
    f->feed.carry_n = 0;
    if (feed_end(&f->feed)) receipt_settle(f);
}

void file_tail_stop(struct file_tail *t)
{
    t->stopping = true;
    timer_cancel(&t->shard->timers, &t->poll);
    timer_cancel(&t->shard->timers, &t->kick);
    io_cancel(t->shard->io, &t->read);
    file_scout_quiet(t->scout);
    for (struct tail_file *f = t->all; f != NULL; f = f->after) {
        flush_codec(f);
        /* Bytes that still wait for the worker are read again after the next start. */
        if (f->receipt != NULL) receipt_release(f->receipt, OUTCOME_FAILED);
        f->receipt = NULL;
    }
}

/* The last positions, and files that settled while the pipeline emptied itself. */
static void finish(struct file_tail *t)
{
    t->saved_last = true;
    for (struct tail_file *f = t->all; f != NULL; f = f->after)
        if (t->config->mode == FILE_READ && f->done && f->live && f->settled && !f->corrupt &&
            !f->window.broken && ack_window_idle(&f->window))
            file_scout_complete(t->scout, f->path, f->dev, f->inode);
    save(t);
    file_scout_quit(t->scout);
}

bool file_tail_stopped(struct file_tail *t)
{
    if (t->read.armed) return false;
    if (t->scout->started) {
        if (!t->saved_last) finish(t);
        if (!t->scout_gone) return false;
    }
    while (t->all != NULL) {
        struct tail_file *f = t->all;
        t->all = f->after;
        file_free(t, f);
        free(f->path);
        free(f);
    }
    if (t->blob != NULL) blob_unpin(t->blob);
    if (t->plain != NULL) blob_unpin(t->plain);
    file_sincedb_fini(&t->since);
    return true;
}
