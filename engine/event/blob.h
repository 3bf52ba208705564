/*
 * blob.h - a receive buffer: the kernel fills it, frames borrow from it, batches pin it.
 *
 * Pins are plain integers, because a blob belongs to one shard. The last unpin gives it back
 * through `give` (to the buffer ring, or to the heap). data[used..used+BLOB_PAD) is readable.
 */
#ifndef ENGINE_EVENT_BLOB_H
#define ENGINE_EVENT_BLOB_H
#include <stdint.h>

#include "engine/base/assert.h"

#define BLOB_PAD 64u

struct blob {
    char *data;
    uint32_t size, used;
    uint32_t pins;
    uint32_t id; /* of its ring; the owner's business */
    void *owner;
    void (*give)(struct blob *blob);
};

static inline void blob_pin(struct blob *blob)
{
    blob->pins++;
}
static inline void blob_unpin(struct blob *blob)
{
    ASSERT(blob->pins > 0);
    if (--blob->pins == 0) blob->give(blob);
}
/* A heap blob of its own with `size` usable bytes and one pin (the caller's). */
struct blob *blob_new(uint32_t size);

#endif
