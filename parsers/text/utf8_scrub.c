/* utf8_scrub.c - one U+FFFD per byte that belongs to no character. */
#include "parsers/text/utf8_scrub.h"

#include "engine/base/utf8.h"
#include "parsers/scan/utf8_scan.h"

slice utf8_scrub(slice text, struct arena *arena)
{
    if (utf8_scan_valid(text)) return text;
    char *out = arena_alloc(arena, (size_t)text.n * 3, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.n;) {
        uint32_t step = utf8_valid_at(text, i);
        if (step == 0) {
            memcpy(out + n, "\xEF\xBF\xBD", 3);
            n += 3;
            i++;
        } else {
            memcpy(out + n, text.p + i, step);
            n += step;
            i += step;
        }
    }
    return slice_make(out, n);
}
