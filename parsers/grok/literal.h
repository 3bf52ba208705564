/*
 * literal.h - what any match must contain. Private to parsers/grok.
 *
 * literal_need returns a set of strings of which every match of the expression contains at least
 * one, or none when there is no such set worth having. Sound for every subject, never complete.
 */
#ifndef PARSERS_GROK_LITERAL_H
#define PARSERS_GROK_LITERAL_H
#include "parsers/grok/tree.h"

#define NEED_LITERALS_MAX 24u
#define NEED_BYTES_MAX 64u /* of one literal; a longer one is cut, which stays sound */

struct need_literal {
    uint8_t n;
    bool no_case;
    char bytes[NEED_BYTES_MAX];
};

struct need {
    uint32_t n; /* 0: nothing known */
    struct need_literal literal[NEED_LITERALS_MAX];
};

void literal_need(const struct regex_tree *, struct need *out);

#endif
