/*
 * pages.h - the page pool of a shard and the arenas that live on it.
 *
 * A pool hands out 64 KiB pages carved from 2 MiB mappings and counts every byte, so that
 * one number bounds a shard's batch memory. An arena is bump memory with the life of one
 * batch. arena_alloc never returns NULL: batches are admitted only while the pool is below
 * its limit, and filters that multiply bytes ask pages_room() first. Owner: one shard; no
 * locks. Every page ends in PAGE_PAD bytes that SIMD loads may read and copies may overrun.
 */
#ifndef ENGINE_BASE_PAGES_H
#define ENGINE_BASE_PAGES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define PAGE_BYTES (64u * 1024)
#define PAGE_PAD 64u
#define PAGE_SLAB_BYTES (2u * 1024 * 1024)

struct page {
    struct page *next;
    size_t bytes; /* PAGE_BYTES, or more for an allocation that needs a page of its own */
};

struct page_pool {
    struct page *free;
    struct page_slab *slabs;
    size_t used_bytes;  /* in arenas now */
    size_t limit_bytes; /* admission stops above this; allocation does not */
    size_t peak_bytes;
};

void page_pool_init(struct page_pool *pool, size_t limit_bytes);
void page_pool_fini(struct page_pool *pool); /* all pages must be back */
/* Whether `bytes` more would keep the pool below its limit. */
static inline bool pages_room(const struct page_pool *pool, size_t bytes)
{
    return pool->used_bytes + bytes <= pool->limit_bytes;
}

struct arena {
    char *at, *end; /* end excludes the pad */
    struct page *pages;
    struct page_pool *pool;
    size_t bytes; /* of its pages */
};

void arena_init(struct arena *arena, struct page_pool *pool);
/* Gives all pages but one back. */
void arena_reset(struct arena *arena);
void arena_fini(struct arena *arena);
/* Slow path of arena_alloc: takes another page. */
void *arena_grow(struct arena *arena, size_t size, size_t align);

/* Memory until the next reset; `align` is a power of two. Contents undefined. */
static inline void *arena_alloc(struct arena *arena, size_t size, size_t align)
{
    char *at = (char *)(((uintptr_t)arena->at + (align - 1)) & ~(uintptr_t)(align - 1));
    if (__builtin_expect(at == NULL || at + size > arena->end, 0))
        return arena_grow(arena, size, align);
    arena->at = at + size;
    return at;
}

/* A copy of the bytes in the arena. */
slice arena_copy(struct arena *arena, slice s);
/* a followed by b in the arena. */
slice arena_join(struct arena *arena, slice a, slice b);

#endif
