/*
 * file.c - events to files whose paths may depend on the event.
 *
 * Each shard encodes straight into its lane's request, one segment per run of events for the same
 * file, and remembers the last path: most configurations have a constant path or one per day. The
 * writer thread (file_writer.h) appends. Bytes are given to the operating system at once and are
 * not synced to disk, as in Logstash.
 */
#include "engine/outputs/file_path.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/outputs/file_writer.h"
#include "engine/plan/compiler.h"

enum write_behavior { WRITE_APPEND, WRITE_OVERWRITE };
static const char *const write_behavior_choices[] = {"append", "overwrite", NULL};

struct file_cfg {
    struct codec codec;
    slice path_text, filename_failure;
    int64_t dir_mode, file_mode;
    double flush_interval_s, stale_cleanup_interval_s;
    bool gzip, create_if_deleted;
    int write_behavior;
    struct template path;
    slice root;
    bool constant;  /* no event changes the path */
    bool by_second; /* only the event's time, in whole seconds, changes it */
    struct file_writer_config writer;
};

struct file_state {
    struct lane *lane;
    void *codec_state;
    size_t segment_at, data_at; /* of the open request's last segment */
    slice path;                 /* of the last event, in path_buf */
    struct buf path_buf, scratch;
    int64_t path_second; /* by_second: what path was made for */
    struct log_gate gate;
};

static const struct setting file_settings[] = {
    {.name = "path",
     SETTING_AT(struct file_cfg, path_text, STRING),
     .flags = SETTING_REQUIRED,
     .doc = "File to write; may contain %{field} and dates, except in its first folder."},
    {.name = "codec", .type = SETTING_DEFAULT, .default_text = "json_lines"},
    {.name = "create_if_deleted",
     SETTING_AT(struct file_cfg, create_if_deleted, BOOL),
     .default_text = "true",
     .doc = "Create the file again when it was deleted; otherwise its events go to the failure "
            "file."},
    {.name = "dir_mode",
     SETTING_AT(struct file_cfg, dir_mode, INT),
     .default_text = "-1",
     .min = -1,
     .max = 07777,
     .doc = "Mode of folders that are created; with a leading 0 octal. -1: the system's default."},
    {.name = "file_mode",
     SETTING_AT(struct file_cfg, file_mode, INT),
     .default_text = "-1",
     .min = -1,
     .max = 07777,
     .doc = "Mode of files that are created; with a leading 0 octal. -1: the system's default."},
    {.name = "filename_failure",
     SETTING_AT(struct file_cfg, filename_failure, STRING),
     .default_text = "_filepath_failures",
     .doc = "File below the path's root for events whose own path is not allowed or impossible."},
    {.name = "flush_interval",
     SETTING_AT(struct file_cfg, flush_interval_s, FLOAT),
     .default_text = "2",
     .min = 0,
     .max = 86400,
     .doc = "Seconds between flushes of gzip output, at most 0.2 because senders wait for them; 0: "
            "after every write. Plain files get their bytes at once."},
    {.name = "gzip",
     SETTING_AT(struct file_cfg, gzip, BOOL),
     .default_text = "false",
     .doc = "Compress the file."},
    {.name = "stale_cleanup_interval",
     SETTING_AT(struct file_cfg, stale_cleanup_interval_s, FLOAT),
     .default_text = "10",
     .min = 1,
     .max = 86400,
     .doc = "Files without an event for this many seconds are closed."},
    {.name = "write_behavior",
     SETTING_AT(struct file_cfg, write_behavior, ENUM),
     .choices = write_behavior_choices,
     .default_text = "append",
     .doc = "append, or overwrite: the file holds the last event only."},
    {.name = "message_format",
     .type = SETTING_STRING,
     .flags = SETTING_OBSOLETE,
     .instead = "Use codec => line { format => \"...\" }."},
    {0},
};

/* ---- compiling ------------------------------------------------------------------ */

/* Absolute and without ".." in the folders before the first %{...}; the rest as it is written. */
static slice absolute(slice text, struct arena *arena)
{
    char cwd[PATH_MAX];
    if (getcwd(cwd, sizeof(cwd)) == NULL) memcpy(cwd, "/", 2);
    int64_t end = file_path_reference(text);
    uint32_t fixed = end < 0 ? text.n : (uint32_t)end;
    while (end >= 0 && fixed > 0 && text.p[fixed - 1] != '/') fixed--;
    struct buf out = {0};
    file_path_expand(&out, slice_part(text, 0, fixed), slice_from_cstr(cwd));
    if (fixed < text.n && out.data[out.n - 1] != '/') buf_add_byte(&out, '/');
    buf_add_slice(&out, slice_from(text, fixed));
    buf_add_byte(&out, 0);
    slice made = arena_copy(arena, buf_slice(&out));
    buf_fini(&out);
    made.n--;
    return made;
}

/* Nothing in the path but text and times in whole seconds. */
static bool depends_on_second(const struct template *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct template_part *part = &t->part[i];
        if (part->kind == TEMPLATE_LITERAL || part->kind == TEMPLATE_EPOCH) continue;
        if (part->kind != TEMPLATE_TIME) return false;
        for (uint32_t k = 0; k < part->text.n; k++)
            if (strchr("SnNA", part->text.p[k]) != NULL) return false;
    }
    return true;
}

/* Whether the first part of the path as it was written names a field, also of a relative one. */
static bool starts_dynamic(slice path)
{
    while (path.n > 0 && path.p[0] == '/') path = slice_from(path, 1);
    int64_t end = slice_find_byte(path, '/');
    return file_path_reference(end < 0 ? path : slice_part(path, 0, (uint32_t)end)) >= 0;
}

static err compile_path(struct file_cfg *cfg, struct compiler *c)
{
    struct pos pos = settings_pos(c->plugin, "path");
    slice path = absolute(cfg->path_text, c->arena);
    cfg->root = file_path_root(path);
    if (starts_dynamic(cfg->path_text) || (file_path_reference(path) >= 0 && cfg->root.n == 0)) {
        compile_error(c, "path", "a folder without %{...} at the start of the path",
                      "the first folder of the path depends on the event");
        return ERR_CONFIG;
    }
    err e = compile_template(c, &cfg->path, path, pos);
    if (e != ERR_OK) return e;
    cfg->constant = template_is_constant(&cfg->path);
    cfg->by_second = depends_on_second(&cfg->path);
    struct buf failure = {0};
    buf_add_slice(&failure, cfg->root);
    buf_add_byte(&failure, '/');
    buf_add_slice(&failure, cfg->filename_failure);
    buf_add_byte(&failure, 0);
    cfg->writer.failure_path = arena_copy(c->arena, buf_slice(&failure));
    cfg->writer.failure_path.n--;
    buf_fini(&failure);
    if (cfg->path.text.n < PATH_MAX && cfg->writer.failure_path.n < PATH_MAX) return ERR_OK;
    compile_error(c, "path", NULL, "the path is longer than the system allows");
    return ERR_CONFIG;
}

static err compile(void *cfg_, struct compiler *c)
{
    struct file_cfg *cfg = cfg_;
    err e = compile_codec(c, &cfg->codec, &c->common_output->codec, BYTES_FRAMED);
    if (e != ERR_OK) return e;
    if (cfg->codec.ops->encode == NULL) {
        compile_error(c, "codec", NULL, "the codec %s cannot encode", cfg->codec.ops->name);
        return ERR_CONFIG;
    }
    e = compile_path(cfg, c);
    cfg->writer.dir_mode = (int)cfg->dir_mode;
    cfg->writer.file_mode = (int)cfg->file_mode;
    cfg->writer.flush_ns = (int64_t)(cfg->flush_interval_s * (double)NS_PER_SEC);
    if (cfg->writer.flush_ns > FILE_WRITER_HOLD_MAX_NS)
        cfg->writer.flush_ns = FILE_WRITER_HOLD_MAX_NS;
    cfg->writer.stale_ns = (int64_t)(cfg->stale_cleanup_interval_s * (double)NS_PER_SEC);
    cfg->writer.gzip = cfg->gzip;
    cfg->writer.overwrite = cfg->write_behavior == WRITE_OVERWRITE;
    cfg->writer.create_if_deleted = cfg->create_if_deleted;
    cfg->writer.constant = cfg->constant;
    return e;
}

static void release(void *cfg_)
{
    struct file_cfg *cfg = cfg_;
    codec_release(&cfg->codec);
    template_fini(&cfg->path);
}

/* ---- on the shard ------------------------------------------------------------------ */

static err open_output(void *shared, const void *cfg, struct output *self, uint32_t shards)
{
    (void)self;
    return file_writer_start(shared, &((const struct file_cfg *)cfg)->writer, shards);
}

static err start(void *state_, void *shared, const void *cfg_, struct worker *worker,
                 struct output *self)
{
    (void)self;
    struct file_state *s = state_;
    const struct file_cfg *cfg = cfg_;
    s->lane = lane_new(&((struct file_writer *)shared)->delivery, worker);
    s->codec_state = calloc(1, cfg->codec.ops->state_size + 1);
    ASSERT(s->codec_state != NULL);
    s->path_second = INT64_MIN;
    if (cfg->constant) buf_add_slice(&s->path_buf, cfg->path.text);
    s->path = buf_slice(&s->path_buf);
    return cfg->codec.ops->start == NULL ? ERR_OK
                                         : cfg->codec.ops->start(s->codec_state, cfg->codec.cfg);
}

/* Makes s->path the path of this event; false when it is the one before. */
static bool find_path(struct file_state *s, const struct file_cfg *cfg, struct batch *b,
                      struct event *ev)
{
    if (cfg->constant) return false;
    int64_t second = INT64_MIN;
    if (cfg->by_second && ev->time.type == VALUE_TIME) {
        int64_t ns = ev->time.u.time_ns;
        second = ns / NS_PER_SEC - (ns % NS_PER_SEC < 0);
        if (second == s->path_second) return false;
    }
    s->path_second = second;
    slice path = template_render(&cfg->path, b, ev, NULL);
    if (slice_equal(path, s->path)) return false;
    if (!file_path_inside(&path, cfg->root, &s->scratch)) {
        uint64_t held;
        if (log_gate_open(&s->gate, &held))
            log_warn("outputs.file", "an event's path is not below %.*s; it goes to %s",
                     SLICE_FMT(cfg->root), cfg->writer.failure_path.p);
        path = cfg->writer.failure_path;
    }
    if (slice_equal(path, s->path)) return false;
    s->path_buf.n = 0;
    buf_add_slice(&s->path_buf, path);
    s->path = buf_slice(&s->path_buf);
    return true;
}

static void segment_begin(struct file_state *s, struct delivery_request *r)
{
    s->segment_at = r->body.n;
    struct file_segment seg = {.path_n = s->path.n};
    buf_add(&r->body, &seg, sizeof(seg));
    buf_add_slice(&r->body, s->path);
    buf_add_byte(&r->body, 0);
    s->data_at = r->body.n;
}

static void segment_end(const struct file_state *s, struct delivery_request *r, uint32_t path_n)
{
    struct file_segment seg = {.path_n = path_n, .data_n = (uint32_t)(r->body.n - s->data_at)};
    memcpy(r->body.data + s->segment_at, &seg, sizeof(seg));
}

static enum push push(void *state_, const void *cfg_, struct batch *b, const struct sel *in)
{
    struct file_state *s = state_;
    const struct file_cfg *cfg = cfg_;
    struct delivery_request *r = lane_request(s->lane);
    if (r == NULL) return PUSH_FULL;
    bool open = r->body.n > 0; /* then the last segment is ours, and of s->path */
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        uint32_t path_n = s->path.n;
        if (find_path(s, cfg, b, ev) || !open) {
            if (open) segment_end(s, r, path_n);
            segment_begin(s, r);
        } else if (cfg->writer.overwrite) {
            r->body.n = s->data_at; /* only the last event stays anyway */
        }
        open = true;
        cfg->codec.ops->encode(s->codec_state, cfg->codec.cfg, b, ev, &r->body);
    }
    if (open) segment_end(s, r, s->path.n);
    lane_add(s->lane, b, in->n);
    return PUSH_TAKEN;
}

static void tick(void *state, const void *cfg, int64_t now_ns)
{
    (void)cfg, (void)now_ns;
    lane_poll(((struct file_state *)state)->lane);
}

static bool drain(void *state, const void *cfg)
{
    (void)cfg;
    return lane_drain(((struct file_state *)state)->lane);
}

static void stop(void *state_, const void *cfg_)
{
    struct file_state *s = state_;
    const struct file_cfg *cfg = cfg_;
    lane_close(s->lane);
    if (cfg->codec.ops->stop != NULL) cfg->codec.ops->stop(s->codec_state, cfg->codec.cfg);
    free(s->codec_state);
    buf_fini(&s->path_buf);
    buf_fini(&s->scratch);
}

static void close_output(void *shared, const void *cfg)
{
    (void)cfg;
    file_writer_stop(shared);
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)cfg;
    const struct file_writer *w = shared;
    buf_printf(out,
               ",\"files\":{\"open\":%llu,\"opened\":%llu,\"bytes_written\":%llu,"
               "\"write_retries\":%llu,\"diverted\":%llu}",
               (unsigned long long)counter_read(&w->files_open),
               (unsigned long long)counter_read(&w->opens),
               (unsigned long long)counter_read(&w->bytes),
               (unsigned long long)counter_read(&w->retries),
               (unsigned long long)counter_read(&w->diverted));
}

const struct output_ops output_file = {
    .name = "file",
    .doc = "Writes events to files.",
    .settings = file_settings,
    .cfg_size = sizeof(struct file_cfg),
    .shared_size = sizeof(struct file_writer),
    .state_size = sizeof(struct file_state),
    .compile = compile,
    .release = release,
    .open = open_output,
    .start = start,
    .push = push,
    .tick = tick,
    .drain = drain,
    .stop = stop,
    .close = close_output,
    .stats = stats,
};
