/*
 * patterns.c - lookup in the compiled-in pattern libraries; see patterns.h.
 */
#include "parsers/grok/patterns.h"

const char *grok_pattern_find(enum grok_library lib, slice name)
{
    const struct grok_pattern *at =
        lib == GROK_LEGACY ? grok_patterns_legacy : grok_patterns_ecs_v1;
    uint32_t from = 0;
    uint32_t to = lib == GROK_LEGACY ? grok_patterns_legacy_n : grok_patterns_ecs_v1_n;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order = slice_compare(name, slice_from_cstr(at[middle].name));
        if (order == 0) return at[middle].text;
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}
