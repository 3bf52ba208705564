/*
 * oracle.h - Oniguruma as the judge of what a Ruby expression matches. Tests only, one thread.
 */
#ifndef TESTS_UNIT_PARSERS_GROK_ORACLE_H
#define TESTS_UNIT_PARSERS_GROK_ORACLE_H
#include <oniguruma.h>
#include <stdbool.h>

#include "engine/base/slice.h"

struct oracle {
    regex_t *regex;
    OnigRegion *region;
};

/* Ruby's \w \d \s are ASCII; Oniguruma has options for it. */
static inline bool oracle_init(struct oracle *o, slice pattern, bool dot_all)
{
    OnigErrorInfo info;
    OnigOptionType options =
        ONIG_OPTION_WORD_IS_ASCII | ONIG_OPTION_DIGIT_IS_ASCII | ONIG_OPTION_SPACE_IS_ASCII;
    if (dot_all) options |= ONIG_OPTION_MULTILINE;
    const UChar *p = (const UChar *)pattern.p;
    o->region = onig_region_new();
    int rc =
        onig_new(&o->regex, p, p + pattern.n, options, ONIG_ENCODING_UTF8, ONIG_SYNTAX_RUBY, &info);
    if (rc == ONIG_NORMAL) return true;
    onig_region_free(o->region, 1);
    return false;
}

static inline void oracle_fini(struct oracle *o)
{
    onig_free(o->regex);
    onig_region_free(o->region, 1);
}

/* 1: matches, 0: does not, -1: gave up. */
static inline int oracle_search(struct oracle *o, slice line)
{
    const UChar *p = (const UChar *)line.p;
    onig_region_clear(o->region);
    int rc = onig_search(o->regex, p, p + line.n, p, p + line.n, o->region, ONIG_OPTION_NONE);
    return rc >= 0 ? 1 : rc == ONIG_MISMATCH ? 0 : -1;
}

#endif
