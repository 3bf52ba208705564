/*
 * json_index.h - first pass of the JSON decoder: where the tokens are.
 *
 * A token is a byte at which something begins or ends:
 *   { } [ ] : ,     outside strings
 *   "               both quotes of a string
 *   \               inside strings, where an escape begins
 *   < 0x20          inside strings, where it is an error
 *   any other byte  the first of a number, a literal or of what is neither
 *   \n              in lines mode, outside strings
 * In lines mode a newline always ends its line: one inside an open string is a token too, and
 * indexing stops behind it with fresh state, so that the next line is not affected. Scalar truth
 * and variants for SSE, AVX2, AVX-512, chosen by json_index_init(). Loads overrun the end of the
 * text by up to 63 bytes.
 */
#ifndef PARSERS_JSON_JSON_INDEX_H
#define PARSERS_JSON_JSON_INDEX_H
#include "parsers/json/json_decode.h"

/* Where one call writes: `token` and `position` have room for every byte of the window and
 * JSON_INDEX_SLACK more, because whole vectors are stored. */
#define JSON_INDEX_SLACK 64u
struct json_index {
    uint8_t *token;
    uint32_t *position;
    uint32_t n;
};

/* Indexes text[from, to); `to` is the end of the text or a multiple of 64 bytes from `from`.
 * Returns how far it got: `to`, or less in lines mode (see above). */
extern uint32_t (*json_index)(const char *text, uint32_t from, uint32_t to, bool lines,
                              struct json_scan *scan, struct json_index *index);

void json_index_init(enum cpu_level level);

#endif
