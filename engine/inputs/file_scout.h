/*
 * file_scout.h - the helper thread of a file input: everything that may block a shard.
 *
 * It expands patterns, stats what they found, and posts what changed to the shard as messages; it
 * saves the sincedb, and deletes or logs files that were read completely. The shard hands it work
 * by file_scout_save and file_scout_complete; those and the two stops are its only inputs.
 */
#ifndef ENGINE_INPUTS_FILE_SCOUT_H
#define ENGINE_INPUTS_FILE_SCOUT_H
#include <pthread.h>
#include <sys/types.h>

#include "engine/config/value.h"
#include "engine/shard/shard.h"

enum file_sort { FILE_SORT_MODIFIED, FILE_SORT_PATH };
enum file_completed { FILE_COMPLETED_DELETE, FILE_COMPLETED_LOG, FILE_COMPLETED_LOG_DELETE };

struct file_scout_config {
    struct config_list path, exclude;
    int64_t stat_ns, discover_ns;
    int sort; /* enum file_sort */
    bool descending;
    bool once;           /* look for files at the start only */
    bool check_archives; /* decompress .gz files once before they are reported */
    int completed;       /* enum file_completed */
    const char *completed_log, *sincedb;
};

/* One path whose file changed. */
struct file_seen {
    char *path;
    dev_t dev;
    uint64_t inode, size;
    int64_t modified_ns;
    bool gone, corrupt;
};

struct file_report {
    struct message message; /* first */
    void *owner;
    struct file_seen *at;
    uint32_t n, cap;
    bool first; /* of the first look */
    bool last;  /* the thread is about to end */
};

struct file_job;
struct file_known;

struct file_scout {
    const struct file_scout_config *config;
    struct shard *shard;
    void *owner;
    void (*deliver)(struct message *message, struct shard *shard);
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool started;
    /* Under the lock: */
    bool quiet, quit;
    struct buf save;
    struct file_job *jobs, *jobs_last;
    /* The thread's own: */
    struct file_known *known;
    uint32_t known_n;
    struct file_report *report;
    bool looked, cut_told;
    int64_t next_discover_ns;
};

/* `deliver` runs on the shard with a report, and frees it with file_report_free. */
err file_scout_start(struct file_scout *s, const struct file_scout_config *config,
                     struct shard *shard, void *owner,
                     void (*deliver)(struct message *message, struct shard *shard)) MUST_USE;
void file_report_free(struct file_report *report);
/* Takes the text over. A text not yet saved is replaced. */
void file_scout_save(struct file_scout *s, struct buf *text);
/* The file was read and all its events are safe. */
void file_scout_complete(struct file_scout *s, const char *path, dev_t dev, uint64_t inode);
void file_scout_quiet(struct file_scout *s); /* no more looking */
void file_scout_quit(struct file_scout *s);  /* finish the work given, post a last report */
void file_scout_join(struct file_scout *s);  /* control thread */

bool file_is_gzip(const char *path);

#endif
