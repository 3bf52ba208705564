/*
 * fuzz_grok.c - an expression, a newline, a subject. Nothing may crash or overrun; programs agree
 * with PCRE2 on the same expression. (Oniguruma is asked in tests/unit/parsers/grok/oracle_test.c.)
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"
#include "parsers/grok/grok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum grok_status match(slice pattern, slice line, bool no_program, struct regex_span *whole)
{
    struct grok_error error;
    struct grok_options options = {
        .no_program = no_program, .match_limit = 20000, .program_after = 1};
    struct grok_dict *dict = grok_dict_new(NULL);
    grok_dict_add_text(
        dict, SLICE("INT [+-]?[0-9]+\nDATA .*?\nWORD \\b\\w+\\b\nPAIR %{WORD:k}=%{DATA:v}"));
    struct grok_set *set = grok_set_new(&pattern, 1, dict, &options, &error);
    grok_dict_free(dict);
    if (set == NULL) return GROK_LIMIT;
    struct grok_scratch *scratch = grok_scratch_new(set);
    struct grok_result result;
    enum grok_status status = grok_match(set, scratch, line, 0, &result);
    if (status == GROK_MATCH)
        *whole = (struct regex_span){(uint32_t)(result.whole.p - line.p), result.whole.n};
    grok_scratch_free(scratch);
    grok_set_free(set);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 2000) return 0;
    const char *text = (const char *)data;
    const char *end = n == 0 ? NULL : memchr(text, '\n', n);
    if (end == NULL) return 0;
    /* Copies of exact size, so that ASan sees one byte too far. */
    uint32_t pattern_n = (uint32_t)(end - text), line_n = (uint32_t)(n - pattern_n - 1);
    char *pattern = malloc(pattern_n + 1), *line = malloc(line_n == 0 ? 1 : line_n);
    ASSERT(pattern != NULL);
    ASSERT(line != NULL);
    memcpy(pattern, text, pattern_n);
    memcpy(line, end + 1, line_n);
    struct regex_span a = {0}, b = {0};
    /* Each level has its own code: the line's length picks one. */
    grok_init(line_n % 2 == 0 ? CPU_SSE42 : cpu_init());
    enum grok_status with =
        match(slice_make(pattern, pattern_n), slice_make(line, line_n), false, &a);
    enum grok_status without =
        match(slice_make(pattern, pattern_n), slice_make(line, line_n), true, &b);
    if (with != GROK_LIMIT && without != GROK_LIMIT) {
        ASSERT(with == without);
        ASSERT(a.from == b.from);
        ASSERT(a.to == b.to);
    }
    free(pattern);
    free(line);
    return 0;
}
