/*
 * fuzz_dissect.c - the first line is a mapping, the rest is text: values lie inside of it and in
 * order, and every delimiter stands where the mapping says.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/text/dissect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    slice all = slice_make((const char *)data, n), mapping = all, text = SLICE("");
    if (n > 1u << 20) return 0;
    int64_t end = slice_find_byte(all, '\n');
    if (end >= 0) {
        mapping = slice_part(all, 0, (uint32_t)end);
        text = slice_from(all, (uint32_t)end + 1);
    }
    struct dissect d;
    const char *wrong = dissect_compile(&d, mapping);
    if (wrong == NULL) {
        slice *value = calloc(d.n, sizeof(*value));
        ASSERT(value != NULL && d.n > 0 && d.save_n <= d.n);
        if (dissect_run(&d, text, value)) {
            uint32_t at = 0;
            for (uint32_t i = 0; i < d.n; i++) {
                ASSERT(value[i].p >= text.p + at && value[i].n <= text.n);
                uint32_t value_end = (uint32_t)(value[i].p - text.p) + value[i].n;
                ASSERT(value_end <= text.n);
                at = (uint32_t)(value[i].p - text.p);
                if (i + 1 == d.n) break;
                slice next = d.at[i + 1].before;
                ASSERT(slice_starts(slice_from(text, value_end), next));
            }
        }
        free(value);
    }
    dissect_fini(&d);
    return 0;
}
