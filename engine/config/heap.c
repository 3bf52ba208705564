/* heap.c - chunks from malloc, freed together. */
#include "engine/config/heap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"

#define HEAP_CHUNK_BYTES (16u << 10)

struct heap_chunk {
    struct heap_chunk *next;
    size_t bytes;
    /* The blocks follow; keeps their alignment at 16. */
};
_Static_assert(sizeof(struct heap_chunk) == 16, "blocks after the header stay aligned");

static char *chunk_new(struct heap *heap, size_t bytes)
{
    struct heap_chunk *chunk = calloc(1, sizeof(*chunk) + bytes);
    ASSERT(chunk != NULL);
    chunk->bytes = bytes;
    chunk->next = heap->chunks;
    heap->chunks = chunk;
    return (char *)(chunk + 1);
}

void *heap_alloc(struct heap *heap, size_t size)
{
    ASSERT(size < SIZE_MAX / 2);
    size = (size + 15) & ~(size_t)15;
    if (size == 0) size = 16;
    heap->bytes += size;
    /* A big block gets a chunk of its own, so that the current one is not thrown away. */
    if (size > HEAP_CHUNK_BYTES / 4) return chunk_new(heap, size);
    if ((size_t)(heap->end - heap->at) < size) {
        heap->at = chunk_new(heap, HEAP_CHUNK_BYTES);
        heap->end = heap->at + HEAP_CHUNK_BYTES;
    }
    void *block = heap->at;
    heap->at += size;
    return block;
}

slice heap_dup(struct heap *heap, slice s)
{
    char *copy = heap_alloc(heap, (size_t)s.n + 1);
    if (s.n > 0) memcpy(copy, s.p, s.n);
    return slice_make(copy, s.n);
}

slice heap_printf(struct heap *heap, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(n >= 0);
    char *text = heap_alloc(heap, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return slice_make(text, (size_t)n);
}

void *heap_grow(struct heap *heap, const void *at, size_t n, size_t cap, size_t size)
{
    ASSERT(cap >= n);
    void *bigger = heap_alloc(heap, cap * size);
    if (n > 0) memcpy(bigger, at, n * size);
    return bigger;
}

void heap_fini(struct heap *heap)
{
    while (heap->chunks != NULL) {
        struct heap_chunk *next = heap->chunks->next;
        free(heap->chunks);
        heap->chunks = next;
    }
    *heap = HEAP_INIT;
}
