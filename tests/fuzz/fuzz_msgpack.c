/* fuzz_msgpack.c - any bytes: skip and decode agree, and what is written decodes to the same. */
#include <stdint.h>

#include "engine/base/assert.h"
#include "parsers/wire/msgpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 1u << 20) return 0;
    slice in = slice_make((const char *)data, n);
    struct page_pool pool;
    struct arena arena;
    struct buf first = {0}, second = {0};
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    struct value val, again;
    int64_t skipped = msgpack_skip(in);
    int64_t used = msgpack_decode(in, &arena, &val);
    ASSERT(skipped <= (int64_t)n);
    if (used >= 0) {
        ASSERT(used == skipped);
        msgpack_write(&first, &val, &arena);
        used = msgpack_decode(buf_slice(&first), &arena, &again);
        ASSERT(used == (int64_t)first.n);
        msgpack_write(&second, &again, &arena);
        ASSERT(slice_equal(buf_slice(&first), buf_slice(&second)));
    }
    buf_fini(&first);
    buf_fini(&second);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}
