/* mmdb_file.c - opening, copying, following. */
#define _GNU_SOURCE /* memfd_create */
#include "engine/plan/mmdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

struct stamp {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec modified;
};

struct mmdb_file {
    char *path;
    pthread_mutex_t lock;
    struct mmdb *newest;
    struct stamp loaded, seen; /* of the newest (or of one that was bad), at the last look */
    int64_t next_check_ns;
    pthread_t loader;
    bool loading, done; /* the loader runs; it has ended and is to be joined */
};

static bool stamp_of(const struct stat *st, struct stamp *out)
{
    *out = (struct stamp){st->st_dev, st->st_ino, st->st_size, st->st_mtim};
    return S_ISREG(st->st_mode);
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

/* ---- loading ---------------------------------------------------------------------------- */

static bool copy_all(int from, int to, off_t bytes)
{
    for (off_t left = bytes; left > 0;) {
        ssize_t n = sendfile(to, from, NULL, (size_t)left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        left -= n;
    }
    return true;
}

/* A descriptor of a copy in memory, or -1 with errno. */
static int copy_open(const char *path, struct stamp *stamp)
{
    struct stat st;
    int copy = -1, fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    errno = 0;
    if (fstat(fd, &st) == 0 && stamp_of(&st, stamp) && st.st_size <= MMDB_FILE_BYTES_MAX)
        copy = memfd_create("mmdb", MFD_CLOEXEC);
    if (copy >= 0 && !copy_all(fd, copy, st.st_size)) {
        close(copy);
        copy = -1;
    }
    close(fd);
    if (copy < 0 && errno == 0) errno = EINVAL;
    return copy;
}

static struct mmdb *load(const char *path, struct stamp *stamp, char *reason)
{
    char name[40];
    int copy = copy_open(path, stamp);
    if (copy < 0) {
        snprintf(reason, MMDB_FILE_ERROR_BYTES, "it cannot be read: %s", strerrordesc_np(errno));
        return NULL;
    }
    struct mmdb *db = calloc(1, sizeof(*db));
    ASSERT(db != NULL);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
    int status = MMDB_open(name, MMDB_MODE_MMAP, &db->db);
    close(copy);
    if (status == MMDB_SUCCESS) {
        db->kind = slice_from_cstr(db->db.metadata.database_type);
        return db;
    }
    snprintf(reason, MMDB_FILE_ERROR_BYTES, "it is no MaxMind database: %s", MMDB_strerror(status));
    free(db);
    return NULL;
}

static void unload(struct mmdb *db)
{
    MMDB_close(&db->db);
    free(db);
}

static void *loader(void *arg)
{
    struct mmdb_file *file = arg;
    char reason[MMDB_FILE_ERROR_BYTES];
    struct stamp stamp = {0};
    struct mmdb *db = load(file->path, &stamp, reason);
    if (db == NULL)
        log_warn("filters.geoip", "%s has changed, but %s; continuing with the old database",
                 file->path, reason);
    else
        log_info("filters.geoip", "%s has changed and was loaded", file->path);
    pthread_mutex_lock(&file->lock);
    if (db != NULL) {
        if (file->newest->holders == 0) unload(file->newest);
        file->newest = db;
        file->loaded = stamp;
    }
    file->done = true;
    pthread_mutex_unlock(&file->lock);
    return NULL;
}

static void loader_join(struct mmdb_file *file)
{
    pthread_join(file->loader, NULL);
    file->loading = file->done = false;
}

/* ---- following, under the lock ------------------------------------------------------------ */

static void check(struct mmdb_file *file)
{
    struct stat st;
    struct stamp now;
    if (stat(file->path, &st) != 0 || !stamp_of(&st, &now)) return;
    bool quiet = stamp_equal(&now, &file->seen);
    file->seen = now;
    if (!quiet || stamp_equal(&now, &file->loaded)) return;
    file->loaded = now; /* one try for each content */
    file->loading = pthread_create(&file->loader, NULL, loader, file) == 0;
    if (!file->loading) log_warn("filters.geoip", "no thread: %s is not loaded again", file->path);
}

static void let_go(struct mmdb_file *file, struct mmdb *db)
{
    ASSERT(db->holders > 0);
    if (--db->holders == 0 && db != file->newest) unload(db);
}

const struct mmdb *mmdb_file_follow(struct mmdb_file *file, const struct mmdb *mine)
{
    if (pthread_mutex_trylock(&file->lock) != 0) return mine;
    if (file->done) loader_join(file);
    int64_t now_ns = clock_mono_ns();
    if (!file->loading && now_ns >= file->next_check_ns) {
        file->next_check_ns = now_ns + MMDB_FILE_CHECK_NS;
        check(file);
    }
    if (file->newest != mine) {
        let_go(file, (struct mmdb *)(uintptr_t)mine);
        file->newest->holders++;
        mine = file->newest;
    }
    pthread_mutex_unlock(&file->lock);
    return mine;
}

const struct mmdb *mmdb_file_take(struct mmdb_file *file)
{
    pthread_mutex_lock(&file->lock);
    struct mmdb *db = file->newest;
    db->holders++;
    pthread_mutex_unlock(&file->lock);
    return db;
}

void mmdb_file_give(struct mmdb_file *file, const struct mmdb *mine)
{
    pthread_mutex_lock(&file->lock);
    let_go(file, (struct mmdb *)(uintptr_t)mine);
    pthread_mutex_unlock(&file->lock);
}

/* ---- the file ----------------------------------------------------------------------------- */

struct mmdb_file *mmdb_file_open(const char *path, char *reason)
{
    struct mmdb_file *file = calloc(1, sizeof(*file));
    ASSERT(file != NULL);
    file->newest = load(path, &file->loaded, reason);
    if (file->newest == NULL) {
        free(file);
        return NULL;
    }
    file->seen = file->loaded;
    file->path = strdup(path);
    ASSERT(file->path != NULL);
    pthread_mutex_init(&file->lock, NULL);
    return file;
}

const struct mmdb *mmdb_file_first(const struct mmdb_file *file)
{
    return file->newest;
}

void mmdb_file_close(struct mmdb_file *file)
{
    if (file == NULL) return;
    if (file->loading) loader_join(file);
    ASSERT(file->newest->holders == 0);
    unload(file->newest);
    pthread_mutex_destroy(&file->lock);
    free(file->path);
    free(file);
}
