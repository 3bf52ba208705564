/*
 * mmdb_file.h - a MaxMind database that follows its file, shared by the shards that read it.
 *
 * The file is copied into memory when it is opened, so that nothing which happens to it later
 * can harm a reader. Users ask once in a while: that looks at the file, and when it has changed
 * and stays as it is, a thread of its own loads it; users get it when they ask again. A file that
 * cannot be read leaves the old database in place. Never called for an event.
 */
#ifndef ENGINE_PLAN_MMDB_FILE_H
#define ENGINE_PLAN_MMDB_FILE_H
#include <maxminddb.h>

#include "engine/base/slice.h"

#define MMDB_FILE_BYTES_MAX (4LL << 30)
#define MMDB_FILE_ERROR_BYTES 256u
#define MMDB_FILE_CHECK_NS 1000000000LL

struct mmdb {
    MMDB_s db;
    slice kind;       /* its database_type */
    uint32_t holders; /* of the file's lock */
};

struct mmdb_file;

/* NULL with a reason. Control thread. */
struct mmdb_file *mmdb_file_open(const char *path, char *reason);
/* Every user must have given back what it had. Control thread. */
void mmdb_file_close(struct mmdb_file *file);
const struct mmdb *mmdb_file_first(const struct mmdb_file *file);

/* The newest there is; any thread. What was taken is given back, or handed to follow(), which
 * returns it or a newer one in its place. */
const struct mmdb *mmdb_file_take(struct mmdb_file *file);
const struct mmdb *mmdb_file_follow(struct mmdb_file *file, const struct mmdb *mine);
void mmdb_file_give(struct mmdb_file *file, const struct mmdb *mine);

#endif
