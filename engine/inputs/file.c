/*
 * file.c - events from files: followed as they grow, or read once from end to end.
 *
 * Runs on one shard, which only reads (file_tail.h); a helper thread looks for files and keeps the
 * sincedb (file_scout.h). Lines are cut at the delimiter before the codec sees them, as Logstash's
 * file input does.
 */
#include <openssl/evp.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/config/units.h"
#include "engine/inputs/file_tail.h"
#include "engine/plan/plan.h"

static const char *const mode_choices[] = {"tail", "read", NULL};
static const char *const start_choices[] = {"beginning", "end", NULL};
static const char *const sort_choices[] = {"last_modified", "path", NULL};
static const char *const direction_choices[] = {"asc", "desc", NULL};
static const char *const completed_choices[] = {"delete", "log", "log_and_delete", NULL};

#define CHUNK_BYTES_DEFAULT 32768

/* A codec that is given one line at a time. */
struct framed_cfg {
    struct codec inner;
    slice delimiter;
};

struct file_cfg {
    struct file_tail_config tail;
    struct framed_cfg framed;
    slice delimiter, sincedb_path, completed_log_path, clean_after;
    int64_t discover_interval, max_open_files, chunk_bytes, chunk_count;
    int direction;
};

struct file_shared {
    struct file_scout scout;
    struct file_tail_counters counters;
};

static const struct setting file_settings[] = {
    {.name = "path",
     SETTING_AT(struct file_cfg, tail.scout.path, LIST),
     .flags = SETTING_REQUIRED,
     .doc = "Absolute paths; * ? [a-z] {a,b} and ** for any number of folders are patterns."},
    {.name = "exclude",
     SETTING_AT(struct file_cfg, tail.scout.exclude, LIST),
     .doc = "Patterns of file names (without folder) that are left out."},
    {.name = "mode",
     SETTING_AT(struct file_cfg, tail.mode, ENUM),
     .choices = mode_choices,
     .default_text = "tail",
     .doc = "tail follows growing files; read takes each file as complete, also when it is "
            "compressed (.gz)."},
    {.name = "start_position",
     SETTING_AT(struct file_cfg, tail.start, ENUM),
     .choices = start_choices,
     .default_text = "end",
     .doc = "Where to begin in files that are there at the start and were never seen before."},
    {.name = "delimiter",
     SETTING_AT(struct file_cfg, delimiter, STRING),
     .default_text = "\n",
     .doc = "What ends a line."},
    {.name = "stat_interval",
     SETTING_AT(struct file_cfg, tail.scout.stat_ns, DURATION),
     .default_text = "1 second",
     .min = 1000000,
     .max = 86400 * NS_PER_SEC,
     .doc = "How often files are checked for new bytes."},
    {.name = "discover_interval",
     SETTING_AT(struct file_cfg, discover_interval, INT),
     .default_text = "15",
     .min = 1,
     .max = 1000000,
     .doc = "After how many of these checks new files are looked for."},
    {.name = "sincedb_path",
     SETTING_AT(struct file_cfg, sincedb_path, STRING),
     .doc = "File that remembers positions; by default one below path.data named after the paths."},
    {.name = "sincedb_write_interval",
     SETTING_AT(struct file_cfg, tail.since_write_ns, DURATION),
     .default_text = "15 seconds",
     .doc = "How often positions are saved."},
    {.name = "sincedb_clean_after",
     SETTING_AT(struct file_cfg, clean_after, STRING),
     .default_text = "2 weeks",
     .doc = "Positions of files not seen for so long are forgotten; a plain number is days."},
    {.name = "ignore_older",
     SETTING_AT(struct file_cfg, tail.ignore_older_ns, DURATION),
     .doc = "Files that were not changed for so long are left alone until they change."},
    {.name = "close_older",
     SETTING_AT(struct file_cfg, tail.close_older_ns, DURATION),
     .default_text = "1 hour",
     .doc =
         "Files without new bytes for so long are closed; they are opened again when they grow."},
    {.name = "max_open_files",
     SETTING_AT(struct file_cfg, max_open_files, INT),
     .default_text = "4095",
     .min = 1,
     .max = 1000000,
     .doc = "Files open at the same time; those that are idle make room."},
    {.name = "file_chunk_size",
     SETTING_AT(struct file_cfg, chunk_bytes, INT),
     .default_text = "32768",
     .min = 1,
     .max = 64 * 1024 * 1024,
     .doc = "Bytes of one read; the default stands for whatever is fast."},
    {.name = "file_chunk_count",
     SETTING_AT(struct file_cfg, chunk_count, INT),
     .default_text = "4611686018427387903",
     .min = 1,
     .max = INT64_MAX,
     .doc = "Reads of one file before the next has its turn."},
    {.name = "file_sort_by",
     SETTING_AT(struct file_cfg, tail.scout.sort, ENUM),
     .choices = sort_choices,
     .default_text = "last_modified",
     .doc = "Order in which files found together are read."},
    {.name = "file_sort_direction",
     SETTING_AT(struct file_cfg, direction, ENUM),
     .choices = direction_choices,
     .default_text = "asc",
     .doc = "Ascending or descending order."},
    {.name = "file_completed_action",
     SETTING_AT(struct file_cfg, tail.scout.completed, ENUM),
     .choices = completed_choices,
     .default_text = "delete",
     .doc = "Mode read: what happens to a file when all its events are delivered."},
    {.name = "file_completed_log_path",
     SETTING_AT(struct file_cfg, completed_log_path, STRING),
     .doc = "File that lists completed files."},
    {.name = "exit_after_read",
     SETTING_AT(struct file_cfg, tail.exit_after_read, BOOL),
     .default_text = "false",
     .doc = "Mode read: end when the files found at the start are read."},
    {.name = "check_archive_validity",
     SETTING_AT(struct file_cfg, tail.scout.check_archives, BOOL),
     .default_text = "false",
     .doc = "Check a compressed file as a whole before reading it."},
    {0},
};

/* ---- lines for codecs that want one document at a time ------------------------------- */

static err framed_start(void *state, const void *cfg)
{
    const struct codec *inner = &((const struct framed_cfg *)cfg)->inner;
    return inner->ops->start == NULL ? ERR_OK : inner->ops->start(state, inner->cfg);
}

static void framed_stop(void *state, const void *cfg)
{
    const struct codec *inner = &((const struct framed_cfg *)cfg)->inner;
    if (inner->ops->stop != NULL) inner->ops->stop(state, inner->cfg);
}

static uint32_t framed_decode(void *state, const void *cfg_, slice in, struct decode *d)
{
    const struct framed_cfg *cfg = cfg_;
    uint32_t at = 0;
    while (at < in.n && d->batch->n < d->events_max) {
        slice rest = slice_from(in, at);
        int64_t end = slice_find(rest, cfg->delimiter);
        if (end < 0 && !d->end) break;
        slice line = slice_part(rest, 0, end < 0 ? rest.n : (uint32_t)end);
        struct decode one = *d;
        one.end = true;
        cfg->inner.ops->decode(state, cfg->inner.cfg, line, &one);
        at += line.n + (end < 0 ? 0 : cfg->delimiter.n);
    }
    return at;
}

static void framed_flush(void *state, const void *cfg, struct decode *d)
{
    const struct codec *inner = &((const struct framed_cfg *)cfg)->inner;
    inner->ops->flush(state, inner->cfg, d);
}

/* Two of them: whether a codec has a flush is asked by looking. */
#define FRAMED_COMMON                                                                              \
    .name = "lines", .start = framed_start, .decode = framed_decode, .stop = framed_stop

/* ---- compiling --------------------------------------------------------------------------- */

/* The codec as a stream where that is the same and faster: plain lines, JSON lines without
 * [event][original]; else line by line. */
static err compile_lines(struct file_cfg *cfg, struct compiler *c)
{
    struct codec *codec = &cfg->tail.codec;
    const struct config_codec *given = &c->common_input->codec;
    bool newline = slice_equal(cfg->delimiter, SLICE("\n"));
    bool json = slice_equal(given->name, SLICE("json"));
    bool stream = newline && !(json && compiler_is_ecs(c));
    err e = compile_codec(c, codec, given, stream ? BYTES_LINES : BYTES_FRAMED);
    if (e != ERR_OK) return e;
    if (codec->ops->decode == NULL) {
        compile_error(c, "codec", NULL, "the codec %s cannot decode", codec->ops->name);
        return ERR_CONFIG;
    }
    uint32_t whole = CODEC_STREAM_LINE | CODEC_STREAM_JSON_LINES | CODEC_MESSAGES;
    if (stream) whole = CODEC_MESSAGES;
    if (newline && !(codec->ops->flags & whole)) return ERR_OK;
    if (codec->ops->flags & CODEC_GATHERS_LINES) {
        compile_error(c, "delimiter", "a newline", "the codec %s has no other delimiter",
                      codec->ops->name);
        return ERR_CONFIG;
    }
    cfg->framed = (struct framed_cfg){.inner = *codec, .delimiter = cfg->delimiter};
    struct codec_ops *ops = heap_alloc(c->heap, sizeof(*ops));
    *ops = (struct codec_ops){FRAMED_COMMON, .state_size = codec->ops->state_size};
    if (codec->ops->flush != NULL) ops->flush = framed_flush;
    codec->ops = ops;
    codec->cfg = &cfg->framed;
    return ERR_OK;
}

static char *arena_text(struct compiler *c, slice text)
{
    char *copy = arena_alloc(c->arena, text.n + 1, 1);
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    return copy;
}

static void add_md5(struct buf *out, slice text)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int ok = EVP_Digest(text.p, text.n, sum, &n, EVP_md5(), NULL);
    ASSERT(ok == 1);
    for (unsigned i = 0; i < n; i++) buf_printf(out, "%02x", sum[i]);
}

static const char *default_sincedb(const struct file_cfg *cfg, struct compiler *c)
{
    struct buf joined = {0}, path = {0};
    for (uint32_t i = 0; i < cfg->tail.scout.path.n; i++) {
        if (i > 0) buf_add_byte(&joined, ',');
        buf_add_slice(&joined, cfg->tail.scout.path.at[i].text);
    }
    buf_add_slice(&path, process_settings_text(c->settings, "path.data"));
    buf_add_cstr(&path, "/plugins/inputs/file/.sincedb_");
    add_md5(&path, buf_slice(&joined));
    const char *text = arena_text(c, buf_slice(&path));
    buf_fini(&joined);
    buf_fini(&path);
    return text;
}

static err compile_paths(struct file_cfg *cfg, struct compiler *c)
{
    struct file_scout_config *scout = &cfg->tail.scout;
    for (uint32_t i = 0; i < scout->path.n; i++) {
        slice path = scout->path.at[i].text;
        if (path.n > 0 && path.p[0] == '/' && path.n < PATH_MAX) continue;
        compile_error(c, "path", "an absolute path", "'%.*s' is not an absolute path",
                      SLICE_FMT(path));
        return ERR_CONFIG;
    }
    scout->sincedb =
        cfg->sincedb_path.n > 0 ? arena_text(c, cfg->sincedb_path) : default_sincedb(cfg, c);
    struct stat st;
    if (stat(scout->sincedb, &st) == 0 && S_ISDIR(st.st_mode)) {
        compile_error(c, "sincedb_path", "the path of a file", "'%s' is a folder", scout->sincedb);
        return ERR_CONFIG;
    }
    bool logs = cfg->tail.mode == FILE_READ && scout->completed != FILE_COMPLETED_DELETE;
    if (logs && cfg->completed_log_path.n == 0) {
        compile_error(c, "file_completed_action", "file_completed_log_path beside it",
                      "completed files are to be logged, but there is no "
                      "file_completed_log_path");
        return ERR_CONFIG;
    }
    if (logs) scout->completed_log = arena_text(c, cfg->completed_log_path);
    return ERR_OK;
}

static err compile_times(struct file_cfg *cfg, struct compiler *c)
{
    struct file_tail_config *t = &cfg->tail;
    int64_t value;
    slice text = slice_trim(cfg->clean_after);
    bool number = text.n > 0 && strchr("0123456789.", text.p[text.n - 1]) != NULL;
    if (!duration_parse_plugin(text, &value) || value < 0) {
        compile_error(c, "sincedb_clean_after", "days, or a duration such as \"2 weeks\"",
                      "'%.*s' is no duration", SLICE_FMT(text));
        return ERR_CONFIG;
    }
    t->since_keep_ns = number && value < INT64_MAX / 86400 ? value * 86400 : value;
    if (__builtin_mul_overflow(t->scout.stat_ns, cfg->discover_interval, &t->scout.discover_ns))
        t->scout.discover_ns = INT64_MAX / 2;
    return ERR_OK;
}

static err compile(void *cfg_, struct compiler *c)
{
    struct file_cfg *cfg = cfg_;
    struct file_tail_config *t = &cfg->tail;
    if (cfg->delimiter.n == 0) {
        compile_error(c, "delimiter", "at least one character", "the delimiter is empty");
        return ERR_CONFIG;
    }
    if (t->exit_after_read && t->mode != FILE_READ) {
        compile_error(c, "exit_after_read", "mode => read",
                      "exit_after_read has a meaning in mode read only");
        return ERR_CONFIG;
    }
    err e = compile_paths(cfg, c);
    if (e == ERR_OK) e = compile_times(cfg, c);
    if (e == ERR_OK) e = compile_lines(cfg, c);
    if (e != ERR_OK) return e;
    t->scout.descending = cfg->direction == 1;
    t->scout.once = t->exit_after_read;
    t->scout.check_archives = t->scout.check_archives && t->mode == FILE_READ;
    t->open_max = (uint32_t)cfg->max_open_files;
    t->read_bytes =
        cfg->chunk_bytes == CHUNK_BYTES_DEFAULT ? FILE_READ_BYTES : (uint32_t)cfg->chunk_bytes;
    bool all = t->mode == FILE_READ || cfg->chunk_count > INT32_MAX;
    t->turn_bytes = all ? (t->mode == FILE_READ ? UINT64_MAX : FILE_TURN_BYTES)
                        : (uint64_t)cfg->chunk_count * (uint64_t)cfg->chunk_bytes;
    t->ecs = compiler_is_ecs(c);
    host_field_compile(&t->host, "name", c);
    t->path_key = compile_key(c, SLICE("path"));
    t->host_key = compile_key(c, SLICE("host"));
    t->log = compile_key(c, SLICE("log"));
    t->file = compile_key(c, SLICE("file"));
    return compile_fieldref(c, &t->log_file_path, SLICE("[log][file][path]"), c->plugin->pos);
}

static void release(void *cfg_)
{
    struct file_cfg *cfg = cfg_;
    if (cfg->framed.inner.ops != NULL)
        codec_release(&cfg->framed.inner);
    else
        codec_release(&cfg->tail.codec);
}

/* ---- running ------------------------------------------------------------------------------ */

/* The sincedb's folder, with those above it. */
static err make_folder(const char *path)
{
    char folder[PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof(folder)) return ERR_LIMIT;
    memcpy(folder, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (folder[i] != '/') continue;
        folder[i] = 0;
        if (mkdir(folder, 0755) != 0 && errno != EEXIST && errno != EISDIR && errno != EROFS &&
            errno != EACCES)
            return ERR_SYSTEM;
        folder[i] = '/';
    }
    return ERR_OK;
}

static err open_input(void *shared, const void *cfg_, struct input *self, uint32_t shards)
{
    (void)shared, (void)self, (void)shards;
    const struct file_cfg *cfg = cfg_;
    if (make_folder(cfg->tail.scout.sincedb) == ERR_OK) return ERR_OK;
    log_error("inputs.file", "cannot make the folder of %s: %s", cfg->tail.scout.sincedb,
              strerror(errno));
    return ERR_SYSTEM;
}

static err start(void *state, void *shared_, const void *cfg, struct worker *worker,
                 struct input *self)
{
    struct file_shared *shared = shared_;
    return file_tail_start(state, &((const struct file_cfg *)cfg)->tail, worker, self,
                           &shared->scout, &shared->counters);
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    file_tail_stop(state);
}

static bool stopped(void *state, const void *cfg)
{
    (void)cfg;
    return file_tail_stopped(state);
}

static void close_input(void *shared, const void *cfg)
{
    (void)cfg;
    file_scout_join(&((struct file_shared *)shared)->scout);
}

static void stats(const void *shared, const void *cfg, struct buf *out)
{
    (void)cfg;
    const struct file_tail_counters *n = &((const struct file_shared *)shared)->counters;
    buf_printf(out,
               ",\"files\":{\"watched\":%llu,\"open\":%llu,\"unreadable\":%llu,"
               "\"truncated\":%llu,\"corrupt\":%llu}",
               (unsigned long long)counter_read(&n->files),
               (unsigned long long)counter_read(&n->open),
               (unsigned long long)counter_read(&n->unreadable),
               (unsigned long long)counter_read(&n->truncated),
               (unsigned long long)counter_read(&n->corrupt));
}

const struct input_ops input_file = {
    .name = "file",
    .doc = "Reads events from files.",
    .flags = INPUT_SINGLE | INPUT_ENDS,
    .settings = file_settings,
    .cfg_size = sizeof(struct file_cfg),
    .shared_size = sizeof(struct file_shared),
    .state_size = sizeof(struct file_tail),
    .compile = compile,
    .release = release,
    .open = open_input,
    .start = start,
    .stop = stop,
    .stopped = stopped,
    .close = close_input,
    .stats = stats,
};
