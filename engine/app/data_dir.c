/* data_dir.c - making, locking and naming the data folder. */
#define _GNU_SOURCE
#include "engine/app/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/log.h"

err folder_make(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL) return ERR_SYSTEM;
    for (char *at = copy + 1; *at != '\0'; at++) {
        if (*at != '/') continue;
        *at = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST) {
            free(copy);
            return ERR_SYSTEM;
        }
        *at = '/';
    }
    err e = mkdir(copy, 0755) == 0 || errno == EEXIST ? ERR_OK : ERR_SYSTEM;
    struct stat st;
    if (e == ERR_OK && (stat(copy, &st) != 0 || !S_ISDIR(st.st_mode))) {
        errno = ENOTDIR;
        e = ERR_SYSTEM;
    }
    free(copy);
    return e;
}

void uuid_make(char out[40])
{
    unsigned char r[16] = {0};
    ssize_t n = getrandom(r, sizeof(r), 0);
    (void)n; /* 16 bytes are always given at once */
    r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
    r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
    char *at = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
        snprintf(at, 3, "%02x", r[i]);
        at += 2;
    }
}

/* The UUID of an earlier run, or a new one that is kept for the next. */
static void uuid_load(struct data_dir *d, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/uuid", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, d->uuid, 36);
    if (fd >= 0) close(fd);
    if (n == 36 && strspn(d->uuid, "0123456789abcdef-") == 36) return;
    memset(d->uuid, 0, sizeof(d->uuid));
    uuid_make(d->uuid);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, d->uuid, 36) != 36)
        log_warn("runner", "cannot write %s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
}

/* 0, or why not: EWOULDBLOCK when another process holds the folder. */
static int try_open(struct data_dir *d, const char *path)
{
    char lock[4096];
    if (folder_make(path) != ERR_OK) return errno;
    snprintf(lock, sizeof(lock), "%s/.lock", path);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int why = errno;
        close(fd);
        return why;
    }
    d->lock_fd = fd;
    uuid_load(d, path);
    return 0;
}

err data_dir_open(struct data_dir *d, const char *path)
{
    *d = DATA_DIR_CLOSED;
    int why = try_open(d, path);
    if (why == 0) return ERR_OK;
    if (why == EWOULDBLOCK) {
        log_error("runner",
                  "path.data %s is locked by another running process; every process needs a "
                  "path.data of its own (--path.data)",
                  path);
        return ERR_BUSY;
    }
    log_error("runner", "path.data %s must be a folder that can be written to: %s", path,
              strerror(why));
    return ERR_SYSTEM;
}

err data_dir_open_scratch(struct data_dir *d, const char *path)
{
    *d = DATA_DIR_CLOSED;
    int why = try_open(d, path);
    if (why == 0) return ERR_OK;
    const char *below = getenv("TMPDIR");
    int n = snprintf(d->scratch, sizeof(d->scratch), "%s/spate-XXXXXX", below ? below : "/tmp");
    if (n >= (int)sizeof(d->scratch) || mkdtemp(d->scratch) == NULL) {
        log_error("runner",
                  "path.data %s cannot be used (%s), and there is no room for a "
                  "temporary folder: %s",
                  path, strerror(why), strerror(errno));
        d->scratch[0] = '\0';
        return ERR_SYSTEM;
    }
    why = try_open(d, d->scratch);
    if (why == 0) return ERR_OK;
    log_error("runner", "cannot use %s: %s", d->scratch, strerror(why));
    return ERR_SYSTEM;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void data_dir_close(struct data_dir *d)
{
    if (d->scratch[0] != '\0' && nftw(d->scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        log_warn("runner", "cannot remove %s: %s", d->scratch, strerror(errno));
    if (d->lock_fd >= 0) close(d->lock_fd);
    *d = DATA_DIR_CLOSED;
}
