/*
 * dissect.h - fields between literal delimiters: "%{a} %{+b/2->}[%{?c}] %{&c}".
 *
 * A mapping is compiled once and shared. dissect_run finds where each field lies; what becomes
 * of the spans (normal, appended, indirect, skipped; in which order) is told by the fields and is
 * the caller's work. All delimiters must be found in order, or nothing is.
 * A first field that is empty does not move on (its delimiter is looked for again by the next
 * field), as in Logstash 9. Pure: any thread.
 * Facts: the dissect filter's documentation ("field notation") and its observed behaviour.
 */
#ifndef PARSERS_TEXT_DISSECT_H
#define PARSERS_TEXT_DISSECT_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"

#define DISSECT_FIELDS_MAX 512u

enum dissect_kind { DISSECT_SKIP, DISSECT_NORMAL, DISSECT_APPEND, DISSECT_INDIRECT };

struct dissect_field {
    enum dissect_kind kind;
    slice name;
    slice before;   /* the delimiter in front; the appender's joint */
    bool greedy;    /* delimiters may be repeated in front of it */
    uint32_t order; /* fields are saved in this order, equal ones as written */
};

struct dissect {
    struct dissect_field *at; /* heap */
    uint32_t n;
    uint32_t *save; /* indices of the fields to save, in order */
    uint32_t save_n;
};

/* NULL, or why the mapping is refused. Names and delimiters borrow from `mapping`. */
const char *dissect_compile(struct dissect *d, slice mapping);
void dissect_fini(struct dissect *d);
/* Fills value[0..d->n); false when a delimiter is missing. */
bool dissect_run(const struct dissect *d, slice text, slice *value);

#endif
