/*
 * heap.h - memory that lives exactly as long as a configuration.
 *
 * Source text, AST, option values and compiled plugin configurations are allocated here and
 * freed together when the last user of the plan is gone; nothing is freed one by one. Grows
 * in chunks from malloc; out of memory panics (control plane). Not thread safe while being
 * filled; read-only and shared afterwards. Batches use engine/base/pages instead.
 */
#ifndef ENGINE_CONFIG_HEAP_H
#define ENGINE_CONFIG_HEAP_H
#include <stddef.h>

#include "engine/base/slice.h"

struct heap_chunk;

struct heap {
    struct heap_chunk *chunks;
    char *at, *end;
    size_t bytes; /* handed out so far */
};

#define HEAP_INIT ((struct heap){0})

/* Zeroed, aligned to 16; never NULL. */
void *heap_alloc(struct heap *heap, size_t size);
/* A copy with a NUL after it that is not counted in n, so that .p is a C string too. */
slice heap_dup(struct heap *heap, slice s);
slice heap_printf(struct heap *heap, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `at` with room for `cap` items of `size` bytes, contents kept; the old block stays unused
 * in the heap. Meant for arrays that double. */
void *heap_grow(struct heap *heap, const void *at, size_t n, size_t cap, size_t size);
/* Frees everything; the heap is empty and usable again. */
void heap_fini(struct heap *heap);

#endif
