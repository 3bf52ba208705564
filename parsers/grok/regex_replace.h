/*
 * regex_replace.h - Ruby's String#gsub with a replacement text.
 *
 * In the replacement \0 and \& are the match, \1..\9 groups, \k<name> a named group, \` and \'
 * what stands before and after the match, \\ a backslash; any other backslash stays. A group that
 * took no part is empty, and so is a number where groups have names. Source: Ruby's documentation
 * of String#gsub, rb_reg_regsub. Any thread with its own scratch.
 */
#ifndef PARSERS_GROK_REGEX_REPLACE_H
#define PARSERS_GROK_REGEX_REPLACE_H
#include "engine/base/buf.h"
#include "parsers/grok/regex.h"

/* REGEX_MATCH: `out` (cleared first) holds the new text; REGEX_NO_MATCH: nothing to replace;
 * REGEX_LIMIT: a search gave up, `out` is undefined. Output is bounded by bytes_max. */
enum regex_status regex_replace_all(const struct regex *regex, struct regex_scratch *scratch,
                                    slice subject, slice replacement, size_t bytes_max,
                                    struct buf *out);

#endif
