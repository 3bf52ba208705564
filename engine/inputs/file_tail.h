/*
 * file_tail.h - the shard's side of a file input: which files there are and how far they are read.
 *
 * A file is known by device and inode, so it may change its name. One read is in flight at a time;
 * files with unread bytes stand in a queue. Each file has a window of receipts whose position is
 * the offset behind the last whole line; only when the outputs have settled everything up to it
 * does the sincedb learn the position. Owner: one shard.
 */
#ifndef ENGINE_INPUTS_FILE_TAIL_H
#define ENGINE_INPUTS_FILE_TAIL_H
#include "engine/event/fieldref.h"
#include "engine/inputs/file_scout.h"
#include "engine/inputs/file_sincedb.h"
#include "engine/plan/host_field.h"
#include "engine/shard/feed.h"

#define FILE_READ_BYTES (256u * 1024)
#define FILE_WINDOW_BYTES (32 * 1024 * 1024)
/* Chunks of one file on their way at the same time. */
#define FILE_WINDOW_SLOTS 64u
/* A renamed or deleted file is read on until it was silent for this long: its writer may not have
 * noticed yet. */
#define FILE_LEAVE_QUIET_NS (5 * 1000 * 1000 * 1000LL)
/* Bytes of one growing file before the next has its turn. */
#define FILE_TURN_BYTES (4u * 1024 * 1024)
#define FILE_BUCKETS 4096u

enum file_mode { FILE_TAIL, FILE_READ };
enum file_start { FILE_START_BEGINNING, FILE_START_END };

struct file_tail_config {
    struct file_scout_config scout;
    struct codec codec; /* cuts lines and decodes them */
    struct host_field host;
    struct key path_key, host_key, log, file;
    struct fieldref log_file_path;
    bool ecs;
    int mode, start; /* enum file_mode, enum file_start */
    uint32_t read_bytes;
    uint64_t turn_bytes;
    uint32_t open_max;
    int64_t close_older_ns, ignore_older_ns; /* 0: never */
    int64_t since_write_ns, since_keep_ns;
    bool exit_after_read;
};

struct tail_file;

struct file_tail_counters {
    struct counter files, open, unreadable, truncated, corrupt;
};

struct file_tail {
    const struct file_tail_config *config;
    struct worker *worker;
    struct shard *shard; /* outlives the worker */
    struct input *self;
    struct file_scout *scout;
    struct intake intake;
    struct file_sincedb since;
    struct tail_file *by_id[FILE_BUCKETS], *by_path[FILE_BUCKETS];
    struct tail_file *all;                /* newest first */
    struct tail_file *queue, *queue_last; /* files with something to read */
    struct tail_file *reading;            /* of the read in flight */
    struct tail_file *stuck;              /* its bytes wait for the worker */
    struct tail_file *starved;            /* too many files are open for them */
    struct tail_file *finished;           /* to be looked at by the kick timer */
    uint32_t open_n, left_n;              /* left: files not read to the end, mode read */
    struct io_op read;
    struct blob *blob, *plain; /* as read; as decompressed */
    struct timer poll, kick;
    int64_t next_save_ns;
    bool dirty, looked, stopping, told, scout_gone, saved_last;
    struct file_tail_counters *counters;
};

err file_tail_start(struct file_tail *t, const struct file_tail_config *config,
                    struct worker *worker, struct input *self, struct file_scout *scout,
                    struct file_tail_counters *counters) MUST_USE;
void file_tail_stop(struct file_tail *t);
/* true once nothing refers to it any more; the memory behind it is freed. */
bool file_tail_stopped(struct file_tail *t);

#endif
