/* newline.c - scalar truth and choice of the newline scan. */
#include "parsers/scan/newline.h"

#include "engine/base/assert.h"
#include "parsers/scan/newline_kernel.h"

static uint32_t collect_scalar(slice s, uint32_t from, uint32_t *out, uint32_t cap, uint32_t *next)
{
    uint32_t n = 0;
    while (from < s.n && n < cap) {
        const char *at = memchr(s.p + from, '\n', s.n - from);
        if (at == NULL) {
            from = s.n;
            break;
        }
        out[n++] = (uint32_t)(at - s.p);
        from = (uint32_t)(at - s.p) + 1;
    }
    *next = from;
    return n;
}

static uint32_t count_scalar(slice s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
    return n;
}

uint32_t (*newline_collect)(slice s, uint32_t from, uint32_t *out, uint32_t cap,
                            uint32_t *next) = collect_scalar;
uint32_t (*newline_count)(slice s) = count_scalar;

void newline_init(enum cpu_level level)
{
    static const struct newline_kernel scalar = {collect_scalar, count_scalar};
    static const struct newline_kernel *const kernels[] = {&scalar, &newline_sse42, &newline_avx2,
                                                           &newline_avx512};
    ASSERT(level < ARRAY_LEN(kernels));
    newline_collect = kernels[level]->collect;
    newline_count = kernels[level]->count;
}
