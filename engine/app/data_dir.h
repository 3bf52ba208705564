/*
 * data_dir.h - path.data: made when missing, held by one process at a time, remembers who we are.
 *
 * The lock is flock(2) on path.data/.lock: it goes with the process, however that ends. Control
 * thread. Errors are log lines.
 */
#ifndef ENGINE_APP_DATA_DIR_H
#define ENGINE_APP_DATA_DIR_H
#include "engine/base/err.h"

struct data_dir {
    int lock_fd;
    char uuid[40];    /* of this installation: path.data/uuid */
    char scratch[64]; /* data_dir_open_scratch: the folder to remove, else empty */
};

#define DATA_DIR_CLOSED ((struct data_dir){.lock_fd = -1})

/* Makes the folder and its parents. ERR_SYSTEM with errno. */
err folder_make(const char *path) MUST_USE;
/* ERR_SYSTEM when it cannot be made or written to, ERR_BUSY when another process holds it. */
err data_dir_open(struct data_dir *d, const char *path) MUST_USE;
/* The same, but where `path` cannot be had: a new folder below $TMPDIR (else /tmp), which
 * data_dir_close removes with all that is in it; its name is in `scratch`. */
err data_dir_open_scratch(struct data_dir *d, const char *path) MUST_USE;
void data_dir_close(struct data_dir *d);
/* A random version 4 UUID. */
void uuid_make(char out[40]);

#endif
