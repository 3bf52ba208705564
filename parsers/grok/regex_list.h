/*
 * regex_list.h - the first of many expressions that matches a text.
 *
 * Hyperscan over the literals that expressions need (select.h) rules most of them out in one pass;
 * what is left is tried in order. Immutable; a scratch per thread. Control thread compiles.
 */
#ifndef PARSERS_GROK_REGEX_LIST_H
#define PARSERS_GROK_REGEX_LIST_H
#include "parsers/grok/regex.h"

struct regex_list;
struct regex_list_scratch;

/* NULL when an expression is wrong: error->pattern says which. */
struct regex_list *regex_list_new(const slice *patterns, uint32_t n, const char *cache_dir,
                                  struct grok_error *error);
/* The same with enum regex_flag for each. */
struct regex_list *regex_list_new_flags(const slice *patterns, const uint32_t *flags, uint32_t n,
                                        const char *cache_dir, struct grok_error *error);
void regex_list_free(struct regex_list *list);
uint32_t regex_list_groups(const struct regex_list *list, uint32_t index);
struct regex_list_scratch *regex_list_scratch_new(const struct regex_list *list);
void regex_list_scratch_free(struct regex_list_scratch *scratch);
/* Its index, or -1. A search that gives up counts as no match. */
int64_t regex_list_first(const struct regex_list *list, struct regex_list_scratch *scratch,
                         slice text);
/* One after the other: begin(), then next() with 0, with the last index + 1 ..., for the same text;
 * -1 is the end. *spans are those of regex_search. */
void regex_list_begin(const struct regex_list *list, struct regex_list_scratch *scratch,
                      slice text);
int64_t regex_list_next(const struct regex_list *list, struct regex_list_scratch *scratch,
                        slice text, uint32_t from, const struct regex_span **spans);

#endif
