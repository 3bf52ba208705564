/* fuzz_edn.c - any UTF-8: what is read can be written, and reads the same again. */
#include <stdint.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "parsers/text/edn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    slice text = slice_make((const char *)data, n);
    if (n > 1u << 18 || !utf8_valid(text)) return 0;
    struct page_pool pool;
    struct arena arena;
    struct buf first = {0}, second = {0};
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    struct value val;
    if (edn_read(text, &arena, &val)) {
        ASSERT(val.type != VALUE_STRING || utf8_valid(value_slice(&val)));
        edn_write(&first, &val, &arena);
        if (edn_read(buf_slice(&first), &arena, &val)) edn_write(&second, &val, &arena);
        ASSERT(slice_equal(buf_slice(&first), buf_slice(&second)));
    }
    buf_fini(&first);
    buf_fini(&second);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}
