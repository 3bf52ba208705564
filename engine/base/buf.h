/*
 * buf.h - a growable run of bytes on the heap.
 *
 * Wire buffers, messages, JSON of the monitoring API. The owner frees it. Growth doubles;
 * whoever fills a buf from the network bounds it first. After buf_room(b, n) at least
 * n + BUF_PAD bytes may be written at buf_end(b): encoders store whole vectors and overrun.
 */
#ifndef ENGINE_BASE_BUF_H
#define ENGINE_BASE_BUF_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine/base/slice.h"

#define BUF_PAD 64u

struct buf {
    char *data;
    size_t n, cap; /* cap excludes BUF_PAD */
};

void buf_grow(struct buf *b, size_t more);
void buf_fini(struct buf *b);

static inline void buf_room(struct buf *b, size_t more)
{
    if (__builtin_expect(b->cap - b->n < more, 0)) buf_grow(b, more);
}

static inline char *buf_end(struct buf *b)
{
    return b->data + b->n;
}

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    buf_room(b, n);
    if (n > 0) memcpy(b->data + b->n, p, n);
    b->n += n;
}

static inline void buf_add_slice(struct buf *b, slice s)
{
    buf_add(b, s.p, s.n);
}

static inline void buf_add_byte(struct buf *b, char c)
{
    buf_room(b, 1);
    b->data[b->n++] = c;
}

static inline slice buf_slice(const struct buf *b)
{
    return slice_make(b->data, b->n);
}

void buf_add_cstr(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* The text as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. Control plane. */
void buf_add_json(struct buf *b, slice text);
/* NUL-terminates (not counted in n) and returns the bytes. */
const char *buf_cstr(struct buf *b);

#endif
