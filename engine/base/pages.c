/* pages.c - slabs, free list, bump allocation. */
#define _GNU_SOURCE
#include "engine/base/pages.h"

#include <string.h>
#include <sys/mman.h>

#include "engine/base/assert.h"

struct page_slab {
    struct page_slab *next;
};

/* The slab header takes the first page's place: one page in 32 pays for it. */
static void slab_add(struct page_pool *pool)
{
    char *slab =
        mmap(NULL, PAGE_SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slab == MAP_FAILED) PANIC("out of memory for batch pages");
    ((struct page_slab *)slab)->next = pool->slabs;
    pool->slabs = (struct page_slab *)slab;
    /* Lowest address first: pages that were touched stay the ones in use. */
    for (size_t at = PAGE_SLAB_BYTES - PAGE_BYTES; at > 0; at -= PAGE_BYTES) {
        struct page *page = (struct page *)(slab + at);
        page->next = pool->free;
        pool->free = page;
    }
}

void page_pool_init(struct page_pool *pool, size_t limit_bytes)
{
    memset(pool, 0, sizeof(*pool));
    pool->limit_bytes = limit_bytes;
}

void page_pool_fini(struct page_pool *pool)
{
    ASSERT(pool->used_bytes == 0);
    while (pool->slabs != NULL) {
        struct page_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        munmap(slab, PAGE_SLAB_BYTES);
    }
    pool->free = NULL;
}

static struct page *page_take(struct page_pool *pool, size_t bytes)
{
    struct page *page;
    if (bytes <= PAGE_BYTES) {
        if (pool->free == NULL) slab_add(pool);
        page = pool->free;
        pool->free = page->next;
        page->bytes = PAGE_BYTES;
    } else {
        page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) PANIC("out of memory for a large batch page");
        page->bytes = bytes;
    }
    pool->used_bytes += page->bytes;
    if (pool->used_bytes > pool->peak_bytes) pool->peak_bytes = pool->used_bytes;
    return page;
}

static void page_give(struct page_pool *pool, struct page *page)
{
    ASSERT(pool->used_bytes >= page->bytes);
    pool->used_bytes -= page->bytes;
    if (page->bytes > PAGE_BYTES) {
        munmap(page, page->bytes);
        return;
    }
    page->next = pool->free;
    pool->free = page;
}

static void arena_enter(struct arena *arena, struct page *page)
{
    arena->at = (char *)(page + 1);
    arena->end = (char *)page + page->bytes - PAGE_PAD;
}

void arena_init(struct arena *arena, struct page_pool *pool)
{
    memset(arena, 0, sizeof(*arena));
    arena->pool = pool;
}

void arena_reset(struct arena *arena)
{
    if (arena->pages == NULL) return;
    while (arena->pages->next != NULL || arena->pages->bytes > PAGE_BYTES) {
        struct page *page = arena->pages;
        arena->pages = page->next;
        arena->bytes -= page->bytes;
        page_give(arena->pool, page);
        if (arena->pages == NULL) {
            arena->at = arena->end = NULL;
            return;
        }
    }
    arena_enter(arena, arena->pages);
}

void arena_fini(struct arena *arena)
{
    while (arena->pages != NULL) {
        struct page *page = arena->pages;
        arena->pages = page->next;
        page_give(arena->pool, page);
    }
    arena->at = arena->end = NULL;
    arena->bytes = 0;
}

void *arena_grow(struct arena *arena, size_t size, size_t align)
{
    ASSERT(align <= PAGE_PAD);
    size_t need = sizeof(struct page) + size + align + PAGE_PAD;
    size_t bytes = need <= PAGE_BYTES ? PAGE_BYTES : (need + 4095) & ~(size_t)4095;
    struct page *page = page_take(arena->pool, bytes);
    arena->bytes += page->bytes;
    if (bytes > PAGE_BYTES && arena->pages != NULL) {
        /* A page of its own goes behind the current one, whose rest stays in use. */
        page->next = arena->pages->next;
        arena->pages->next = page;
        uintptr_t at = (uintptr_t)(page + 1);
        return (void *)((at + align - 1) & ~(uintptr_t)(align - 1));
    }
    page->next = arena->pages;
    arena->pages = page;
    arena_enter(arena, page);
    return arena_alloc(arena, size, align);
}

slice arena_copy(struct arena *arena, slice s)
{
    char *p = arena_alloc(arena, s.n, 1);
    if (s.n > 0) memcpy(p, s.p, s.n);
    return (slice){p, s.n};
}

slice arena_join(struct arena *arena, slice a, slice b)
{
    char *p = arena_alloc(arena, (size_t)a.n + b.n, 1);
    if (a.n > 0) memcpy(p, a.p, a.n);
    if (b.n > 0) memcpy(p + a.n, b.p, b.n);
    return (slice){p, a.n + b.n};
}
