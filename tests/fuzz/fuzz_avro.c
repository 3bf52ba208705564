/* fuzz_avro.c - a schema, a NUL and a datum, any bytes: what was read can be read again after it
 * was written. */
#include <stdint.h>

#include "engine/base/assert.h"
#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/wire/avro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void datum(const struct avro_schema *schema, slice in, struct arena *arena)
{
    struct buf first = {0}, second = {0};
    struct value val, again;
    slice misfit;
    int64_t used = avro_read(schema, in, arena, &val);
    ASSERT(used <= (int64_t)in.n);
    /* Numbers may be too large for an int, and scrubbed bytes too many for a fixed. */
    if (used >= 0 && avro_write(schema, &val, arena, &first, &misfit)) {
        used = avro_read(schema, buf_slice(&first), arena, &again);
        ASSERT(used == (int64_t)first.n);
        bool fits = avro_write(schema, &again, arena, &second, &misfit);
        ASSERT(fits);
    }
    buf_fini(&first);
    buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 1u << 18) return 0;
    parsers_init(cpu_init());
    struct page_pool pool;
    struct arena arena;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    slice in = slice_make((const char *)data, n);
    int64_t end = slice_find_byte(in, 0);
    slice text = end < 0 ? in : slice_part(in, 0, (uint32_t)end);
    char *copy = arena_alloc(&arena, (size_t)text.n + JSON_PAD, 1);
    memset(copy, 0, (size_t)text.n + JSON_PAD);
    if (text.n > 0) memcpy(copy, text.p, text.n);
    struct avro_schema schema;
    struct avro_error error;
    if (avro_schema_parse(&schema, slice_make(copy, text.n), &arena, &error) == ERR_OK)
        datum(&schema, slice_from(in, text.n + 1), &arena);
    else
        ASSERT(error.at <= text.n && error.text[0] != 0);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}
