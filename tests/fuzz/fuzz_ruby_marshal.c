/* fuzz_ruby_marshal.c - any bytes: what is read can be written, and reads the same again. */
#include <stdint.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "parsers/wire/ruby_marshal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 1u << 16) return 0;
    struct page_pool pool;
    struct arena arena;
    struct buf first = {0}, second = {0};
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    struct value val;
    /* Links make trees that are wide without end: only texts without are written. */
    bool linked = memchr(data, '@', n) != NULL;
    if (marshal_read(slice_make((const char *)data, n), &arena, &val) == ERR_OK && !linked) {
        marshal_write(&val, &arena, &first);
        err e = marshal_read(buf_slice(&first), &arena, &val);
        ASSERT(e == ERR_OK);
        marshal_write(&val, &arena, &second);
        ASSERT(slice_equal(buf_slice(&first), buf_slice(&second)));
    }
    buf_fini(&first);
    buf_fini(&second);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}
