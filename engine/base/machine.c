/* machine.c - affinity, control groups, memory. */
#define _GNU_SOURCE
#include "engine/base/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096
/* Version 1 says "no limit" with a number of that size. */
#define MEMORY_NO_LIMIT (UINT64_C(1) << 60)

struct limits {
    double quota;
    uint64_t memory;
};

/* The file's text, cut to `cap`; false when there is none. */
static bool file_read(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, out, cap - 1);
    close(fd);
    if (n < 0) return false;
    out[n] = '\0';
    return true;
}

static bool file_in(const char *folder, const char *name, char *out, size_t cap)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    return n > 0 && (size_t)n < sizeof(path) && file_read(path, out, cap);
}

static void quota_note(struct limits *l, double quota, double period)
{
    if (quota <= 0 || period <= 0) return;
    if (l->quota == 0 || quota / period < l->quota) l->quota = quota / period;
}

static void memory_note(struct limits *l, const char *text)
{
    char *end;
    uint64_t bytes = strtoull(text, &end, 10);
    if (end == text || bytes == 0 || bytes >= MEMORY_NO_LIMIT) return; /* "max" among others */
    if (l->memory == 0 || bytes < l->memory) l->memory = bytes;
}

/* Whatever of both versions' files lies in this folder. */
static void folder_note(struct limits *l, const char *folder)
{
    char text[128], period[128], *end;
    if (file_in(folder, "cpu.max", text, sizeof(text))) {
        double quota = strtod(text, &end);
        if (end != text) quota_note(l, quota, strtod(end, NULL));
    }
    if (file_in(folder, "cpu.cfs_quota_us", text, sizeof(text)) &&
        file_in(folder, "cpu.cfs_period_us", period, sizeof(period)))
        quota_note(l, strtod(text, NULL), strtod(period, NULL));
    if (file_in(folder, "memory.max", text, sizeof(text))) memory_note(l, text);
    if (file_in(folder, "memory.limit_in_bytes", text, sizeof(text))) memory_note(l, text);
}

/* A group is bound by its own limits and by those of every group it is in. Where a container
 * shows only its part of the tree, the path leads nowhere and the mount itself is the group. */
static void groups_note(struct limits *l, const char *mount, const char *group)
{
    char path[PATH_BYTES];
    size_t mount_n = strlen(mount);
    int n = snprintf(path, sizeof(path), "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof(path)) return;
    for (;;) {
        folder_note(l, path);
        char *slash = strrchr(path, '/');
        if (slash == NULL || (size_t)(slash - path) < mount_n) return;
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup: number, controllers of version 1, path. */
static void line_note(struct limits *l, const char *root, const char *line)
{
    static const char *const mounts[] = {"", "/unified"};
    char mount[PATH_BYTES], controllers[256];
    const char *from = strchr(line, ':'), *to = from == NULL ? NULL : strchr(from + 1, ':');
    if (to == NULL || (size_t)(to - from) >= sizeof(controllers)) return;
    snprintf(controllers, sizeof(controllers), "%.*s", (int)(to - from - 1), from + 1);
    if (controllers[0] == '\0') {
        for (int i = 0; i < 2; i++) {
            snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup%s", root, mounts[i]);
            groups_note(l, mount, to + 1);
        }
        return;
    }
    snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/%s", root, controllers);
    groups_note(l, mount, to + 1);
}

static struct limits limits_read(const char *root)
{
    struct limits l = {0};
    char path[PATH_BYTES], text[16384], *rest = NULL;
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    if (!file_read(path, text, sizeof(text))) return l;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        line_note(&l, root, line);
    return l;
}

static uint32_t round_up(double cpus)
{
    uint32_t whole = (uint32_t)cpus;
    return (double)whole < cpus ? whole + 1 : whole;
}

void machine_read(struct machine *m, const char *root)
{
    cpu_set_t set;
    struct limits l = limits_read(root);
    long online = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
    m->cpus_online = online > 0 ? (uint32_t)online : 1;
    m->cpus_allowed = m->cpus_online;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) m->cpus_allowed = (uint32_t)CPU_COUNT(&set);
    m->cpus_quota = l.quota;
    m->cpus_usable = m->cpus_allowed;
    if (l.quota > 0 && round_up(l.quota) < m->cpus_usable) m->cpus_usable = round_up(l.quota);
    m->memory_bytes = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
    m->memory_limit = l.memory;
    if (l.memory > 0 && (m->memory_bytes == 0 || l.memory < m->memory_bytes))
        m->memory_bytes = l.memory;
}
