/*
 * file_path.h - where the file output may write.
 *
 * The part of a path before its first %{...} is its root; an event may choose a place below it and
 * nowhere else. Pure functions on text: nothing here asks the file system. Any thread.
 */
#ifndef ENGINE_OUTPUTS_FILE_PATH_H
#define ENGINE_OUTPUTS_FILE_PATH_H
#include <stdbool.h>

#include "engine/base/buf.h"

/* Appends `path` made absolute (`cwd` in front of a relative one) without ".", ".." and empty
 * parts. */
void file_path_expand(struct buf *out, slice path, slice cwd);
/* Byte offset of the first %{...}; -1 when the path is constant. */
int64_t file_path_reference(slice path);
/* The folders of an absolute path that no event can change, without the last slash; for a
 * constant path its folder. Empty when the first part already depends on the event. */
slice file_path_root(slice path);
/* Whether a rendered path names a file below the root. ".." parts are resolved into `scratch` and
 * *path then points there. */
bool file_path_inside(slice *path, slice root, struct buf *scratch);

#endif
