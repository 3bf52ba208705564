/* file_path.c - lexical path rules of the file output. */
#include "engine/outputs/file_path.h"

#include <limits.h>

static void drop_last(struct buf *out, size_t from)
{
    while (out->n > from && out->data[out->n - 1] != '/') out->n--;
    if (out->n > from) out->n--;
}

static void add_parts(struct buf *out, slice path, size_t from)
{
    uint32_t at = 0;
    while (at < path.n) {
        slice rest = slice_from(path, at);
        int64_t end = slice_find_byte(rest, '/');
        slice part = slice_part(rest, 0, end < 0 ? rest.n : (uint32_t)end);
        at += part.n + 1;
        if (part.n == 0 || slice_equal(part, SLICE("."))) continue;
        if (slice_equal(part, SLICE(".."))) {
            drop_last(out, from);
            continue;
        }
        buf_add_byte(out, '/');
        buf_add_slice(out, part);
    }
}

void file_path_expand(struct buf *out, slice path, slice cwd)
{
    size_t from = out->n;
    if (path.n == 0 || path.p[0] != '/') add_parts(out, cwd, from);
    add_parts(out, path, from);
    if (out->n == from) buf_add_byte(out, '/');
}

int64_t file_path_reference(slice path)
{
    int64_t at = slice_find(path, SLICE("%{"));
    /* "%{}" and an unclosed "%{" are text. */
    while (at >= 0) {
        slice rest = slice_from(path, (uint32_t)at + 2);
        if (slice_find_byte(rest, '}') > 0) return at;
        int64_t next = slice_find(rest, SLICE("%{"));
        at = next < 0 ? -1 : at + 2 + next;
    }
    return -1;
}

slice file_path_root(slice path)
{
    int64_t end = file_path_reference(path);
    if (end < 0) end = path.n;
    while (end > 0 && path.p[end - 1] != '/') end--;
    while (end > 0 && path.p[end - 1] == '/') end--;
    return slice_part(path, 0, (uint32_t)end);
}

bool file_path_inside(slice *path, slice root, struct buf *scratch)
{
    if (path->n >= PATH_MAX || slice_find_byte(*path, 0) >= 0) return false;
    if (slice_find(*path, SLICE("/..")) >= 0) {
        scratch->n = 0;
        file_path_expand(scratch, *path, SLICE("/"));
        *path = buf_slice(scratch);
    }
    return slice_starts(*path, root) && path->n > root.n + 1 && path->p[root.n] == '/';
}
