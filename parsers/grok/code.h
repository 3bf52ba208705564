/*
 * code.h - compiled PCRE2 code of one expression in its encodings. Private to parsers/grok.
 *
 * The ASCII code is compiled (without JIT) when the regex is made, so that every error is found
 * then; JIT and the other encodings follow at first use, under a process-wide mutex, and are
 * published to all threads. See regex.h for who owns what.
 */
#ifndef PARSERS_GROK_CODE_H
#define PARSERS_GROK_CODE_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "parsers/grok/regex.h"
#include "parsers/grok/tree.h"

enum encoding { ENCODING_ASCII, ENCODING_UTF8, ENCODING_INVALID, ENCODINGS };

/* Which code a subject needs. */
enum encoding encoding_of(slice subject);

const struct regex_tree *regex_get_tree(const struct regex *);
void regex_set_match_limit(struct regex *, uint32_t match_limit);
/* regex_search for a caller that knows the encoding. */
enum regex_status regex_run(const struct regex *, struct regex_scratch *, slice subject,
                            uint32_t from, enum encoding, const struct regex_span **spans);
/* Held while anything shared is built lazily. */
void lazy_lock(void);
void lazy_unlock(void);

#endif
