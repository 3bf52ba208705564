/* fuzz_protobuf.c - the version, a Ruby file, a NUL and a message of its newest class, any bytes:
 * what was read and can be written can be read again. */
#include <stdint.h>

#include "engine/base/assert.h"
#include "parsers/init.h"
#include "parsers/wire/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void message(const struct protobuf_message *m, bool names, slice in, struct arena *arena)
{
    struct protobuf_read_options options = {.names = names, .oneof_info = names};
    struct protobuf_write_options to = {.convert = true, .defaults = !names};
    struct buf out = {0};
    struct value val, info;
    slice misfit;
    enum protobuf_status status = protobuf_read(m, in, options, arena, &val, &info);
    /* A oneof that has two fields in the values loses one; texts grow by what was no UTF-8. */
    if (status == PROTOBUF_OK && val.type == VALUE_MAP &&
        protobuf_write(m, val.u.map, to, arena, &out, &misfit)) {
        status = protobuf_read(m, buf_slice(&out), options, arena, &val, &info);
        ASSERT(status == PROTOBUF_OK || status == PROTOBUF_LIMIT);
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1 || n > 1u << 18) return 0;
    parsers_init(cpu_init());
    struct page_pool pool;
    struct arena arena;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    bool two = data[0] == '2';
    slice in = slice_make((const char *)data + 1, n - 1);
    int64_t end = slice_find_byte(in, 0);
    slice text = end < 0 ? in : slice_part(in, 0, (uint32_t)end);
    struct protobuf_schema schema = {.arena = &arena};
    struct protobuf_error error = {.at = 0};
    err e = protobuf_ruby_read(&schema, text, two ? 2 : 3, &error);
    ASSERT(e == ERR_OK || (error.at <= text.n && error.text[0] != 0));
    for (uint32_t i = 0; e == ERR_OK && i < schema.require_n; i++) {
        /* As the codec does, which reads each file once. */
        if (schema.messages == NULL || i == 0) protobuf_known_read(&schema, schema.require[i]);
    }
    if (e == ERR_OK && protobuf_schema_link(&schema, &error) == ERR_OK && schema.messages != NULL)
        message(schema.messages, !two, slice_from(in, text.n + 1), &arena);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}
