/* file_glob.c - brace expansion and the walk through folders. */
#define _GNU_SOURCE
#include "engine/inputs/file_glob.h"

#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"

void file_paths_add(struct file_paths *paths, const char *path)
{
    if (paths->n >= FILE_GLOB_PATHS_MAX) {
        paths->cut = true;
        return;
    }
    if (paths->n == paths->cap) {
        paths->cap = paths->cap == 0 ? 64 : paths->cap * 2;
        paths->at = realloc(paths->at, paths->cap * sizeof(*paths->at));
        ASSERT(paths->at != NULL);
    }
    paths->at[paths->n] = strdup(path);
    ASSERT(paths->at[paths->n] != NULL);
    paths->n++;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void file_paths_sort(struct file_paths *paths)
{
    if (paths->n < 2) return;
    qsort(paths->at, paths->n, sizeof(*paths->at), compare_paths);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < paths->n; i++) {
        if (strcmp(paths->at[i], paths->at[kept - 1]) == 0)
            free(paths->at[i]);
        else
            paths->at[kept++] = paths->at[i];
    }
    paths->n = kept;
}

void file_paths_fini(struct file_paths *paths)
{
    for (uint32_t i = 0; i < paths->n; i++) free(paths->at[i]);
    free(paths->at);
    *paths = (struct file_paths){0};
}

bool file_glob_match(slice pattern, slice name)
{
    char p[PATH_MAX], n[NAME_MAX + 1];
    if (pattern.n >= sizeof(p) || name.n >= sizeof(n)) return false;
    return fnmatch(slice_cstr(pattern, p, sizeof(p)), slice_cstr(name, n, sizeof(n)), FNM_PERIOD) ==
           0;
}

/* The first {...}: its first byte and the matching brace; false when there is none. */
static bool find_braces(slice text, uint32_t *open, uint32_t *close)
{
    uint32_t depth = 0;
    for (uint32_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\') {
            i++;
        } else if (text.p[i] == '{') {
            if (depth++ == 0) *open = i;
        } else if (text.p[i] == '}' && depth > 0 && --depth == 0) {
            *close = i;
            return true;
        }
    }
    return false;
}

/* Calls visit for every choice of braces in `text`; false stops. */
static bool expand_braces(slice text, uint32_t *left, bool (*visit)(slice text, void *arg),
                          void *arg)
{
    uint32_t open = 0, close = 0;
    if (!find_braces(text, &open, &close)) {
        if (*left == 0) return false;
        --*left;
        return visit(text, arg);
    }
    uint32_t depth = 0, from = open + 1;
    bool go_on = true;
    for (uint32_t i = open + 1; i <= close && go_on; i++) {
        char c = text.p[i];
        if (c == '{') depth++;
        if (c == '}' && i < close) depth--;
        if (i < close && (c != ',' || depth > 0)) continue;
        struct buf made = {0};
        buf_add(&made, text.p, open);
        buf_add(&made, text.p + from, i - from);
        buf_add_slice(&made, slice_from(text, close + 1));
        go_on = expand_braces(buf_slice(&made), left, visit, arg);
        buf_fini(&made);
        from = i + 1;
    }
    return go_on;
}

struct match_arg {
    slice name;
    bool found;
};

static bool match_one(slice pattern, void *arg_)
{
    struct match_arg *arg = arg_;
    arg->found = file_glob_match(pattern, arg->name);
    return !arg->found;
}

bool file_glob_match_braces(slice pattern, slice name)
{
    struct match_arg arg = {.name = name};
    uint32_t left = FILE_GLOB_BRACES_MAX;
    expand_braces(pattern, &left, match_one, &arg);
    return arg.found;
}

static bool has_magic(slice part)
{
    for (uint32_t i = 0; i < part.n; i++)
        if (strchr("*?[\\", part.p[i]) != NULL) return true;
    return false;
}

static void walk(struct file_paths *out, struct buf *path, slice rest, uint32_t depth);

/* Names of the folder in `path` that match. */
static void walk_names(struct file_paths *out, struct buf *path, slice part, slice rest,
                       uint32_t depth)
{
    DIR *dir = opendir(path->n == 0 ? "/" : buf_cstr(path));
    if (dir == NULL) return;
    size_t n = path->n;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        slice name = slice_from_cstr(entry->d_name);
        if (slice_equal(name, SLICE(".")) || slice_equal(name, SLICE(".."))) continue;
        if (!file_glob_match(part, name)) continue;
        buf_add_byte(path, '/');
        buf_add_slice(path, name);
        walk(out, path, rest, depth + 1);
        path->n = n;
    }
    closedir(dir);
}

/* A part **: `rest` here and in every folder below that has no dot and is no link. */
static void walk_deep(struct file_paths *out, struct buf *path, slice rest, uint32_t depth)
{
    walk(out, path, rest, depth);
    DIR *dir = opendir(path->n == 0 ? "/" : buf_cstr(path));
    if (dir == NULL) return;
    size_t n = path->n;
    struct dirent *entry;
    while (depth < FILE_GLOB_DEPTH_MAX && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        buf_add_byte(path, '/');
        buf_add_cstr(path, entry->d_name);
        struct stat st;
        bool folder = entry->d_type == DT_DIR;
        if (entry->d_type == DT_UNKNOWN)
            folder = lstat(buf_cstr(path), &st) == 0 && S_ISDIR(st.st_mode);
        if (folder) walk_deep(out, path, rest, depth + 1);
        path->n = n;
    }
    closedir(dir);
}

static void walk(struct file_paths *out, struct buf *path, slice rest, uint32_t depth)
{
    while (rest.n > 0 && rest.p[0] == '/') rest = slice_from(rest, 1);
    if (rest.n == 0) {
        struct stat st;
        if (path->n < PATH_MAX && stat(buf_cstr(path), &st) == 0) file_paths_add(out, path->data);
        return;
    }
    if (depth > FILE_GLOB_DEPTH_MAX) {
        out->cut = true;
        return;
    }
    int64_t slash = slice_find_byte(rest, '/');
    slice part = slice_part(rest, 0, slash < 0 ? rest.n : (uint32_t)slash);
    rest = slice_from(rest, part.n);
    size_t n = path->n;
    if (slice_equal(part, SLICE("**")) && rest.n > 0) {
        walk_deep(out, path, rest, depth);
    } else if (has_magic(part)) {
        walk_names(out, path, part, rest, depth);
    } else {
        buf_add_byte(path, '/');
        buf_add_slice(path, part);
        walk(out, path, rest, depth + 1);
    }
    path->n = n;
}

static bool glob_one(slice pattern, void *arg)
{
    struct buf path = {0};
    walk(arg, &path, pattern, 0);
    buf_fini(&path);
    return true;
}

void file_glob(struct file_paths *out, slice pattern)
{
    uint32_t left = FILE_GLOB_BRACES_MAX;
    if (!expand_braces(pattern, &left, glob_one, out)) out->cut = true;
}
