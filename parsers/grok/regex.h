/*
 * regex.h - Ruby (Onigmo) regular expressions as Logstash uses them.
 *
 * A struct regex is immutable to its users and shared by all threads; each thread brings its own
 * struct regex_scratch. ^ and $ are line anchors, always; with REGEX_DOT_ALL (grok) the dot
 * matches a newline too. Matching runs on PCRE2 with JIT: one code for pure ASCII subjects, one
 * for UTF-8, one for bytes that are no UTF-8 (which then never match); the latter two are compiled
 * at first use. A search that exceeds its bound says REGEX_LIMIT, never "no match".
 * Facts about the syntax: Onigmo's doc/RE and PCRE2's pcre2pattern(3).
 */
#ifndef PARSERS_GROK_REGEX_H
#define PARSERS_GROK_REGEX_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"

#define REGEX_GROUPS_MAX 1000u             /* capture groups of one expression */
#define REGEX_PATTERN_BYTES_MAX (1u << 20) /* after grok expansion */
#define REGEX_NESTING_MAX 200u             /* groups within groups */
#define REGEX_MATCH_LIMIT 300000u          /* backtracks of one attempt; long lines may have more */

enum regex_flag { REGEX_DOT_ALL = 1, REGEX_NO_CASE = 2, REGEX_EXTENDED = 4 };
enum regex_status { REGEX_NO_MATCH, REGEX_MATCH, REGEX_LIMIT };

/* Why an expression, pattern or definition was refused. */
struct grok_error {
    uint32_t pattern; /* index in the list given to grok_set_new */
    uint32_t at;      /* byte offset in the (expanded) expression */
    char text[400];   /* what was expected or is missing; one line, no offset */
};

/* A capture: offsets into the subject; REGEX_UNSET in `from` when the group took no part. */
#define REGEX_UNSET UINT32_MAX
struct regex_span {
    uint32_t from, to;
};

struct regex;
struct regex_scratch;

/* NULL when the expression is wrong; *error then says where. Control thread. */
struct regex *regex_new(slice pattern, uint32_t flags, struct grok_error *error);
void regex_free(struct regex *);
/* Number of capture groups, the whole match (index 0) not counted. */
uint32_t regex_groups(const struct regex *);
/* Whether groups have names; plain parentheses do not capture then. */
bool regex_has_names(const struct regex *);
/* Index of the last group of that name, 0 when there is none. */
uint32_t regex_group_by_name(const struct regex *, slice name);

/* One per thread, serves every regex. */
struct regex_scratch *regex_scratch_new(void);
void regex_scratch_free(struct regex_scratch *);

/*
 * Leftmost match at or after `from`. *spans then points at 1 + regex_groups() spans, span 0 being
 * the whole match; they live in the scratch until the next search. `spans` may be NULL.
 */
enum regex_status regex_search(const struct regex *, struct regex_scratch *, slice subject,
                               uint32_t from, const struct regex_span **spans);

#endif
