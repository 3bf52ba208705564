/*
 * fuzz_dictionary.c - the first byte chooses reader and mode, the rest is a dictionary file: what
 * was read is found again, and replacing keys in the text itself ends.
 */
#include <stdint.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "engine/plan/dictionary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1 || n > 65536) return 0;
    char reason[DICTIONARY_ERROR_BYTES] = "";
    slice text = slice_from(slice_make((const char *)data, n), 1);
    if (!utf8_valid(text)) return 0;
    bool replaces = data[0] & 8;
    struct dictionary *d = dictionary_new(replaces ? DICTIONARY_UNION : DICTIONARY_EXACT);
    bool ok;
    switch (data[0] % 3) {
    case 0: ok = dictionary_read_yaml(d, text, reason); break;
    case 1: ok = dictionary_read_json(d, text, reason); break;
    default: ok = dictionary_read_csv(d, text, reason);
    }
    ASSERT(ok || reason[0] != '\0');
    if (ok && dictionary_finish(d, NULL, reason)) {
        struct arena arena;
        struct buf out = {0};
        for (uint32_t i = 0; i < d->n; i++)
            ASSERT(dictionary_get(d, d->at[i].key, d->at[i].is_int) == &d->at[i].val);
        arena_init(&arena, &d->pool);
        if (replaces) dictionary_replace(d, slice_part(text, 0, 256), &arena, &out);
        arena_fini(&arena);
        buf_fini(&out);
    }
    dictionary_free(d);
    return 0;
}
