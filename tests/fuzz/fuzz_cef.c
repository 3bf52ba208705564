/* fuzz_cef.c - a message is taken apart without reading outside of it; times never go wrong. */
#include <stdint.h>

#include "engine/base/assert.h"
#include "parsers/text/cef.h"
#include "parsers/text/cef_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 1u << 20) return 0;
    slice text = slice_make((const char *)data, n);
    struct page_pool pool;
    struct arena arena;
    struct buf out = {0};
    struct date_word_set months;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    date_word_set_init(&months, SLICE_NONE, DATE_WORDS_MONTH);
    struct cef_header header = {.rest = text};
    if (cef_header_read(text, &arena, &header)) ASSERT(header.rest.n + 7 <= n);
    struct cef_pair pair;
    uint64_t total = 0;
    while (cef_pair_next(&header.rest, &pair)) {
        int64_t ns;
        total += pair.key.n + 1 + pair.value.n;
        slice value = cef_value_unescape(pair.value, &arena);
        ASSERT(value.n <= pair.value.n);
        out.n = 0;
        cef_value_add(&out, value);
        cef_header_add(&out, value);
        cef_time_parse(value, &months, tz_utc(), INT64_C(1709618828000000000), &ns);
    }
    ASSERT(total <= n);
    date_word_set_fini(&months);
    buf_fini(&out);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}
