/* data_dir.c - making, locking and naming the data folder. */
#include "engine/app/data_dir.h"

#include <errno.h>
#include <fcntl.h>
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

err data_dir_open(struct data_dir *d, const char *path)
{
    *d = (struct data_dir){.lock_fd = -1};
    if (folder_make(path) != ERR_OK) {
        log_error("runner", "cannot make the folder of path.data, %s: %s", path, strerror(errno));
        return ERR_SYSTEM;
    }
    char lock[4096];
    snprintf(lock, sizeof(lock), "%s/.lock", path);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        log_error("runner", "cannot open %s (path.data must be writable): %s", lock,
                  strerror(errno));
        return ERR_SYSTEM;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        log_error("runner",
                  "path.data %s is locked by another running process; every process needs a "
                  "path.data of its own (--path.data)",
                  path);
        return ERR_BUSY;
    }
    d->lock_fd = fd;
    uuid_load(d, path);
    return ERR_OK;
}

void data_dir_close(struct data_dir *d)
{
    if (d->lock_fd >= 0) close(d->lock_fd);
    d->lock_fd = -1;
}
