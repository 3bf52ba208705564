/*
 * fuzz_lumberjack.c - frames of the input in one piece and in two must be the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/frame/lumberjack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct lumberjack_limits limits = {
    .frame_bytes_max = 1 << 16, .inflated_bytes_max = 1 << 18, .pairs_max = 50};

static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * 0x9e3779b97f4a7c15ull;
}

/* A digest of all frames and of how it ended. */
static uint64_t run(slice text, uint32_t cut)
{
    struct lumberjack l;
    lumberjack_init(&l, &limits);
    slice pieces[] = {slice_part(text, 0, cut), slice_from(text, cut)};
    uint64_t h = 1;
    int r = 0;
    for (int i = 0; i < 2 && r >= 0; i++) {
        struct lumberjack_frame f;
        char *copy = malloc(pieces[i].n + 1);
        ASSERT(copy != NULL);
        memcpy(copy, pieces[i].p, pieces[i].n);
        lumberjack_feed(&l, slice_make(copy, pieces[i].n));
        while ((r = lumberjack_next(&l, &f)) == 1) {
            h = mix(h, (uint64_t)f.type << 32 | f.seq);
            for (uint32_t k = 0; k < f.payload.n; k++) h = mix(h, (uint8_t)f.payload.p[k]);
            slice rest = f.payload;
            slice key;
            slice value;
            uint32_t pairs = 0;
            if (f.type != LUMBERJACK_DATA) continue;
            while (lumberjack_pair_next(&rest, &key, &value)) pairs++;
            ASSERT(pairs == f.pairs && rest.n == 0);
        }
        free(copy);
    }
    h = mix(h, (uint64_t)(int64_t)r);
    lumberjack_fini(&l);
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) return 0;
    slice text = slice_make((const char *)data + 1, n - 1);
    uint64_t whole = run(text, 0);
    ASSERT(run(text, text.n == 0 ? 0 : data[0] % text.n) == whole);
    return 0;
}
