/*
 * json_walk.h - second pass of the JSON decoder: from tokens to values.
 *
 * Internal to json_decode.c and json_walk.c. All functions leave r->at behind what they
 * consumed and return an enum json_status.
 */
#ifndef PARSERS_JSON_JSON_WALK_H
#define PARSERS_JSON_JSON_WALK_H
#include "parsers/json/json_decode.h"

/* A step of the walk looks at no more tokens than this before it asks again. */
#define JSON_AHEAD 8u

/* Indexes more text until JSON_AHEAD tokens are there or the text ends. */
void json_fill(struct json_reader *r);

static inline void json_need(struct json_reader *r)
{
    if (__builtin_expect(r->at + JSON_AHEAD > r->token_n, 0) && r->indexed < r->text.n)
        json_fill(r);
}

/* Whether the next token is the one behind the text. */
static inline bool json_at_end(const struct json_reader *r)
{
    return r->token[r->at] == 0 && r->position[r->at] == r->text.n;
}

static inline bool json_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Reads the value that begins at the next token; json_need was called. `depth` containers
 * are open around it. */
int json_walk_value(struct json_reader *r, struct value *out, uint32_t depth);

#endif
