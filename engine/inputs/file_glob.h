/*
 * file_glob.h - filename patterns of the file input, with Ruby's Dir.glob as the model.
 *
 * A pattern is an absolute path whose parts may hold * ? [a-z] {a,b}; a part ** stands for any
 * number of folders and does not follow links. Names that begin with a dot need a dot in the
 * pattern. The result is sorted and without duplicates. Blocking file system calls: for helper
 * threads, not for shards.
 */
#ifndef ENGINE_INPUTS_FILE_GLOB_H
#define ENGINE_INPUTS_FILE_GLOB_H
#include <stdbool.h>

#include "engine/base/slice.h"

/* Named bounds: what lies beyond is not found, and the caller says so. */
#define FILE_GLOB_PATHS_MAX 100000u
#define FILE_GLOB_DEPTH_MAX 64u
#define FILE_GLOB_BRACES_MAX 1024u

struct file_paths {
    char **at;
    uint32_t n, cap;
    bool cut; /* a bound was hit */
};

/* One path part against one pattern part without braces. */
bool file_glob_match(slice pattern, slice name);
/* The same with braces expanded, as `exclude` needs it. */
bool file_glob_match_braces(slice pattern, slice name);
/* Adds everything that exists and matches. */
void file_glob(struct file_paths *out, slice pattern);
void file_paths_add(struct file_paths *paths, const char *path);
void file_paths_sort(struct file_paths *paths);
void file_paths_fini(struct file_paths *paths);

#endif
