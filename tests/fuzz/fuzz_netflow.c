/* fuzz_netflow.c - any packet: what is accepted iterates to its end, and every value can be shown.
 */
#include <stdint.h>

#include "engine/base/assert.h"
#include "parsers/wire/netflow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void values(slice body, struct arena *arena)
{
    for (uint8_t type = 0; type <= NETFLOW_NTP; type++) {
        slice rest = body, bytes;
        uint16_t length = type % 2 == 0 ? NETFLOW_VARIABLE : type;
        for (uint32_t i = 0; i < 64 && netflow_bytes_next(length, &rest, &bytes); i++) {
            ASSERT(bytes.n <= body.n);
            netflow_value(type, bytes, arena);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct netflow_packet packet;
    if (n > 65536 || !netflow_packet_read(slice_make((const char *)data, n), &packet)) return 0;
    struct page_pool pool;
    struct arena arena;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    slice rest = packet.body;
    struct netflow_set set;
    values(rest, &arena);
    while (packet.version != 5 && netflow_set_next(&rest, &set)) {
        slice body = set.body;
        struct netflow_template t;
        while (netflow_set_is_template(&set) &&
               netflow_template_next(packet.version, set.id, &body, &t)) {
            struct netflow_spec spec;
            uint32_t fields = 0;
            while (netflow_spec_next(packet.version, &t.specs, &spec)) fields++;
            ASSERT(fields == t.field_n && t.scope_n <= t.field_n);
        }
    }
    ASSERT(packet.version == 5 || rest.n == 0);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}
