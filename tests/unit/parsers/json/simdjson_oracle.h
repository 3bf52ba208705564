/*
 * simdjson_oracle.h - another JSON parser's opinion, for differential tests only.
 *
 * simdjson is C++, so its use is confined to simdjson_oracle.cc behind this C interface.
 */
#ifndef TESTS_UNIT_PARSERS_JSON_SIMDJSON_ORACLE_H
#define TESTS_UNIT_PARSERS_JSON_SIMDJSON_ORACLE_H
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum oracle_answer {
    ORACLE_NO = 0,
    ORACLE_YES = 1,
    ORACLE_NUMBER = 2, /* refused for a number: its grammar or its range */
    ORACLE_STRING = 3, /* refused for an escape: its grammar or a lone surrogate */
    ORACLE_DEPTH = 4
};

/* Parses the whole text; ORACLE_YES fills a malloc'ed canonical form (*out, NUL-terminated):
 * "i<int>" "d<%.17g>" "s<hex>" "t" "f" "n" "[...]" "{<hex key>:...}", duplicates resolved to
 * the last value at the first place. The caller frees it. */
enum oracle_answer simdjson_oracle(const char *text, size_t n, char **out);

#ifdef __cplusplus
}
#endif

#endif
