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
    enum encoding encoding; /* of the text begun */
};

/* Below this many, a pass over the text costs more than trying. */
#define SELECT_FROM 4u

struct regex_list *regex_list_new_flags(const slice *patterns, const uint32_t *flags, uint32_t n,
                                        const char *cache_dir, struct grok_error *error)
{
    struct regex_list *list = calloc(1, sizeof(*list));
    ASSERT(list != NULL);
    list->at = calloc((size_t)n + 1, sizeof(struct regex *));
    ASSERT(list->at != NULL);
    for (; list->n < n; list->n++) {
        uint32_t i = list->n;
        list->at[i] = regex_new(patterns[i], flags == NULL ? 0 : flags[i], error);
        if (list->at[i] != NULL) continue;
        error->pattern = i;
        regex_list_free(list);
        return NULL;
    }
    if (n >= SELECT_FROM) list->selector = select_new(list->at, n, cache_dir);
    return list;
}

struct regex_list *regex_list_new(const slice *patterns, uint32_t n, const char *cache_dir,
                                  struct grok_error *error)
{
    return regex_list_new_flags(patterns, NULL, n, cache_dir, error);
}

void regex_list_free(struct regex_list *list)
{
    if (list == NULL) return;
    if (list->selector != NULL) select_free(list->selector);
    for (uint32_t i = 0; i < list->n; i++) regex_free(list->at[i]);
    free(list->at);
    free(list);
}

uint32_t regex_list_groups(const struct regex_list *list, uint32_t index)
{
    return regex_groups(list->at[index]);
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

void regex_list_begin(const struct regex_list *list, struct regex_list_scratch *scratch, slice text)
{
    scratch->encoding = encoding_of(text);
    if (list->selector != NULL)
        select_run(list->selector, scratch->selector, text, scratch->encoding, scratch->candidates);
}

/* The first candidate at or after `from`; list->n when there is none. */
static uint32_t candidate_from(const struct regex_list *list,
                               const struct regex_list_scratch *scratch, uint32_t from)
{
    if (list->selector == NULL || from >= list->n) return from;
    uint64_t bits = scratch->candidates[from / 64] >> from % 64 << from % 64;
    for (uint32_t word = from / 64;; bits = scratch->candidates[word]) {
        if (bits != 0) return word * 64 + (uint32_t)__builtin_ctzll(bits);
        if (++word * 64 >= list->n) return list->n;
    }
}

int64_t regex_list_next(const struct regex_list *list, struct regex_list_scratch *scratch,
                        slice text, uint32_t from, const struct regex_span **spans)
{
    for (uint32_t i = from; (i = candidate_from(list, scratch, i)) < list->n; i++)
        if (regex_run(list->at[i], scratch->regex, text, 0, scratch->encoding, spans) ==
            REGEX_MATCH)
            return i;
    return -1;
}

int64_t regex_list_first(const struct regex_list *list, struct regex_list_scratch *scratch,
                         slice text)
{
    regex_list_begin(list, scratch, text);
    return regex_list_next(list, scratch, text, 0, NULL);
}
