/*
 * fuzz_kv.c - the first bytes choose splits, the rest is text: pairs lie inside it, in order.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/text/kv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 4) return 0;
    uint32_t field_n = data[0] % 4u;
    uint32_t value_n = data[1] % 4u;
    struct kv_options o = {.include_brackets = data[2] & 1, .whitespace_strict = data[2] & 2};
    slice text = slice_from(slice_make((const char *)data, n), 3);
    if (field_n > 0) o.field_split = slice_part(text, 0, field_n);
    text = slice_from(text, field_n);
    if (value_n > 0) o.value_split = slice_part(text, 0, value_n);
    text = slice_from(text, value_n);
    struct kv kv;
    if (kv_compile(&o, &kv) != ERR_OK) return 0;
    struct kv_scan scan = kv_scan_start(&kv, text);
    struct kv_pair pair;
    uint32_t at = 0;
    char *scratch = malloc(text.n + 1);
    ASSERT(scratch != NULL);
    while (kv_scan_next(&scan, &pair)) {
        ASSERT(pair.key.n > 0 && pair.key.p >= text.p + at);
        ASSERT(pair.value.p >= pair.key.p + pair.key.n);
        ASSERT(pair.value.p + pair.value.n <= text.p + text.n);
        ASSERT(scan.at > at && scan.at <= text.n);
        at = scan.at;
        ASSERT(kv_trim(&kv.field_split, pair.value, scratch).n <= pair.value.n);
        ASSERT(kv_remove(&kv.value_split, pair.key, scratch).n <= pair.key.n);
    }
    free(scratch);
    return 0;
}
