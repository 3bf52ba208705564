/* file_sincedb.c - the table, its text, and its file. */
#define _GNU_SOURCE
#include "engine/inputs/file_sincedb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"

#define SINCEDB_BYTES_MAX (256u * 1024 * 1024)

static struct file_since **bucket_of(const struct file_sincedb *db, uint64_t inode)
{
    return (struct file_since **)&db->bucket[(inode ^ inode >> 10) % FILE_SINCEDB_BUCKETS];
}

void file_sincedb_fini(struct file_sincedb *db)
{
    for (uint32_t i = 0; i < FILE_SINCEDB_BUCKETS; i++)
        for (struct file_since *since = db->bucket[i]; since != NULL; since = since->next)
            since->used = false;
    file_sincedb_expire(db, 1e300);
}

void file_since_rename(struct file_since *since, slice path)
{
    if (since->path != NULL && slice_equal(slice_from_cstr(since->path), path)) return;
    free(since->path);
    since->path = slice_dup_cstr(path);
}

static bool same_device(const struct file_since *since, dev_t dev)
{
    if (since->major == ((dev >> 24) & 255) && since->minor == (dev & 0xffffff)) return true;
    return since->major == major(dev) && since->minor == minor(dev);
}

struct file_since *file_sincedb_find(const struct file_sincedb *db, uint64_t inode, dev_t dev)
{
    struct file_since *since = *bucket_of(db, inode);
    while (since != NULL && (since->inode != inode || !same_device(since, dev)))
        since = since->next;
    return since;
}

static struct file_since *add(struct file_sincedb *db, uint64_t inode, uint64_t major_,
                              uint64_t minor_)
{
    struct file_since *since = calloc(1, sizeof(*since));
    ASSERT(since != NULL);
    struct file_since **bucket = bucket_of(db, inode);
    since->inode = inode;
    since->major = major_;
    since->minor = minor_;
    since->next = *bucket;
    *bucket = since;
    db->n++;
    return since;
}

struct file_since *file_sincedb_add(struct file_sincedb *db, uint64_t inode, dev_t dev, slice path)
{
    struct file_since *since = add(db, inode, (dev >> 24) & 255, dev & 0xffffff);
    file_since_rename(since, path);
    return since;
}

void file_sincedb_expire(struct file_sincedb *db, double before_s)
{
    for (uint32_t i = 0; i < FILE_SINCEDB_BUCKETS; i++) {
        struct file_since **at = &db->bucket[i];
        while (*at != NULL) {
            struct file_since *since = *at;
            if (since->used || since->seen_s >= before_s) {
                at = &since->next;
                continue;
            }
            *at = since->next;
            free(since->path);
            free(since);
            db->n--;
        }
    }
}

/* The next word of the line, which may be the whole rest when `last`. */
static slice word(slice *line, bool last)
{
    int64_t end = last ? -1 : slice_find_byte(*line, ' ');
    slice w = slice_part(*line, 0, end < 0 ? line->n : (uint32_t)end);
    *line = slice_from(*line, w.n + 1);
    return w;
}

static bool number(slice text, uint64_t *out)
{
    int64_t value;
    if (!slice_to_i64(text, &value) || value < 0) return false;
    *out = (uint64_t)value;
    return true;
}

static bool parse_line(struct file_sincedb *db, slice line, double now_s)
{
    uint64_t inode, major_, minor_, position;
    if (!number(word(&line, false), &inode) || !number(word(&line, false), &major_) ||
        !number(word(&line, false), &minor_) || !number(word(&line, false), &position))
        return false;
    double seen_s = now_s;
    slice seen = word(&line, false);
    if (seen.n > 0 && !number_f64_parse(seen, &seen_s)) return false;
    struct file_since *since = add(db, inode, major_, minor_);
    since->position = position;
    since->seen_s = seen_s;
    slice path = word(&line, true);
    if (path.n > 0) file_since_rename(since, path);
    return true;
}

uint32_t file_sincedb_parse(struct file_sincedb *db, slice text, double now_s)
{
    uint32_t bad = 0;
    while (text.n > 0) {
        int64_t end = slice_find_byte(text, '\n');
        slice line = slice_part(text, 0, end < 0 ? text.n : (uint32_t)end);
        text = slice_from(text, line.n + 1);
        if (line.n > 0 && !parse_line(db, line, now_s)) bad++;
    }
    return bad;
}

void file_sincedb_format(const struct file_sincedb *db, struct buf *out)
{
    for (uint32_t i = 0; i < FILE_SINCEDB_BUCKETS; i++)
        for (const struct file_since *since = db->bucket[i]; since != NULL; since = since->next) {
            buf_printf(out, "%llu %llu %llu %llu %.6f", (unsigned long long)since->inode,
                       (unsigned long long)since->major, (unsigned long long)since->minor,
                       (unsigned long long)since->position, since->seen_s);
            /* A line break in a name would tear the line; the file is known by its inode. */
            if (since->path != NULL && strchr(since->path, '\n') == NULL)
                buf_printf(out, " %s", since->path);
            buf_add_byte(out, '\n');
        }
}

err file_sincedb_load(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? ERR_MISSING : ERR_SYSTEM;
    ssize_t n;
    do {
        buf_room(out, 65536);
        n = read(fd, buf_end(out), 65536);
        if (n > 0) out->n += (size_t)n;
    } while (n > 0 && out->n < SINCEDB_BYTES_MAX);
    int error = errno;
    close(fd);
    errno = error;
    return n < 0 ? ERR_SYSTEM : ERR_OK;
}

static bool write_all(int fd, slice text)
{
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        text = slice_from(text, (uint32_t)n);
    }
    return true;
}

static err write_file(const char *path, int flags, slice text, bool sync)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
    if (fd < 0) return ERR_SYSTEM;
    bool ok = write_all(fd, text) && (!sync || fsync(fd) == 0);
    int error = errno;
    close(fd);
    errno = error;
    return ok ? ERR_OK : ERR_SYSTEM;
}

/* So that the new name is there after a power cut. */
static void sync_folder(const char *path)
{
    char *folder = strdup(path), *slash = folder == NULL ? NULL : strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder] = 0;
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            fsync(fd);
            close(fd);
        }
    }
    free(folder);
}

err file_sincedb_save(const char *path, slice text)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) return write_file(path, 0, text, false);
    struct buf temporary = {0};
    buf_printf(&temporary, "%s.tmp", path);
    const char *from = buf_cstr(&temporary);
    err e = write_file(from, O_CREAT | O_TRUNC, text, true);
    if (e == ERR_OK && rename(from, path) != 0) e = ERR_SYSTEM;
    int error = errno;
    if (e == ERR_OK)
        sync_folder(path);
    else
        unlink(from);
    buf_fini(&temporary);
    errno = error;
    return e;
}
