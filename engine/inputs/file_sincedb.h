/*
 * file_sincedb.h - how far each file was read, as Logstash's file input writes it.
 *
 * One line per file: "inode major minor position timestamp path"; older lines end after the
 * position. A device number is split the way JRuby does ((dev >> 24) & 255, dev & 0xffffff), and
 * both that and the system's own split are understood when reading. The table belongs to one
 * shard; loading and saving block and are for other threads.
 */
#ifndef ENGINE_INPUTS_FILE_SINCEDB_H
#define ENGINE_INPUTS_FILE_SINCEDB_H
#include <stdbool.h>
#include <sys/types.h>

#include "engine/base/buf.h"
#include "engine/base/err.h"

#define FILE_SINCEDB_BUCKETS 1024u

struct file_since {
    struct file_since *next;
    uint64_t inode;
    uint64_t major, minor;
    uint64_t position;
    double seen_s; /* real time of the last activity */
    char *path;    /* NULL: not recorded */
    bool used;     /* its file is being watched: does not expire */
};

struct file_sincedb {
    struct file_since *bucket[FILE_SINCEDB_BUCKETS];
    uint32_t n;
};

void file_sincedb_fini(struct file_sincedb *db);
/* Adds every line that can be read; returns how many could not. Lines without a timestamp count
 * as seen now. */
uint32_t file_sincedb_parse(struct file_sincedb *db, slice text, double now_s);
/* NULL when the file is not known. */
struct file_since *file_sincedb_find(const struct file_sincedb *db, uint64_t inode, dev_t dev);
struct file_since *file_sincedb_add(struct file_sincedb *db, uint64_t inode, dev_t dev, slice path);
void file_since_rename(struct file_since *since, slice path);
/* Forgets what is not used and was last seen before the given time. */
void file_sincedb_expire(struct file_sincedb *db, double before_s);
void file_sincedb_format(const struct file_sincedb *db, struct buf *out);

/* The whole file; ERR_MISSING when there is none, ERR_SYSTEM with errno. */
err file_sincedb_load(const char *path, struct buf *out) MUST_USE;
/* Through a synced temporary file beside it that replaces it; what is no regular file, such as
 * /dev/null, is written in place. ERR_SYSTEM with errno. */
err file_sincedb_save(const char *path, slice text) MUST_USE;

#endif
