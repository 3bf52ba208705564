/* regex_list.c - a selector in front of plain expressions. */
#include "parsers/grok/regex_list.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/grok/code.h"
#include "parsers/grok/select.h"

struct regex_list {
    struct regex **at;
    uint32_t n;
    struct selector *selector; /* NULL for a few, which are tried at once */
};

struct regex_list_scratch {
    struct regex_scratch *regex;
    struct selector_scratch *selector;
    uint64_t *candidates;
};

/* Below this many, a pass over the text costs more than trying. */
#define SELECT_FROM 4u

struct regex_list *regex_list_new(const slice *patterns, uint32_t n, const char *cache_dir,
                                  struct grok_error *error)
{
    struct regex_list *list = calloc(1, sizeof(*list));
    ASSERT(list != NULL);
    list->at = calloc((size_t)n + 1, sizeof(struct regex *));
    ASSERT(list->at != NULL);
    for (; list->n < n; list->n++) {
        list->at[list->n] = regex_new(patterns[list->n], 0, error);
        if (list->at[list->n] != NULL) continue;
        error->pattern = list->n;
        regex_list_free(list);
        return NULL;
    }
    if (n >= SELECT_FROM) list->selector = select_new(list->at, n, cache_dir);
    return list;
}

void regex_list_free(struct regex_list *list)
{
    if (list == NULL) return;
    if (list->selector != NULL) select_free(list->selector);
    for (uint32_t i = 0; i < list->n; i++) regex_free(list->at[i]);
    free(list->at);
    free(list);
}

struct regex_list_scratch *regex_list_scratch_new(const struct regex_list *list)
{
    struct regex_list_scratch *scratch = calloc(1, sizeof(*scratch));
    ASSERT(scratch != NULL);
    scratch->regex = regex_scratch_new();
    if (list->selector == NULL) return scratch;
    scratch->selector = select_scratch_new(list->selector);
    scratch->candidates = calloc((size_t)list->n / 64 + 1, sizeof(uint64_t));
    ASSERT(scratch->candidates != NULL);
    return scratch;
}

void regex_list_scratch_free(struct regex_list_scratch *scratch)
{
    if (scratch == NULL) return;
    regex_scratch_free(scratch->regex);
    if (scratch->selector != NULL) select_scratch_free(scratch->selector);
    free(scratch->candidates);
    free(scratch);
}

int64_t regex_list_first(const struct regex_list *list, struct regex_list_scratch *scratch,
                         slice text)
{
    enum encoding encoding = encoding_of(text);
    if (list->selector == NULL) {
        for (uint32_t i = 0; i < list->n; i++)
            if (regex_run(list->at[i], scratch->regex, text, 0, encoding, NULL) == REGEX_MATCH)
                return i;
        return -1;
    }
    select_run(list->selector, scratch->selector, text, encoding, scratch->candidates);
    for (uint32_t word = 0; word * 64 < list->n; word++) {
        for (uint64_t bits = scratch->candidates[word]; bits != 0; bits &= bits - 1) {
            uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (i >= list->n) break;
            if (regex_run(list->at[i], scratch->regex, text, 0, encoding, NULL) == REGEX_MATCH)
                return i;
        }
    }
    return -1;
}
