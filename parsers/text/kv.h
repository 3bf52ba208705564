/*
 * kv.h - key-value pairs in text, cut the way Logstash's kv filter cuts them.
 *
 * The filter scans with one regex, KEY SPLIT VALUE? (FIELD_SPLIT | end of line); this is that
 * language and its preferences in linear code: splits are character classes or patterns,
 * backslash pairs hide separators, values may be quoted "", '' or bracketed () [] <>. What
 * happens to a pair (prefix, transform, include and exclude, duplicates, recursion, empty values)
 * is the filter's business; it gets slices of the text. A kv is immutable once compiled and
 * shared; a kv_scan lives on the stack. Source: the filter's documented options and scan regex.
 */
#ifndef PARSERS_TEXT_KV_H
#define PARSERS_TEXT_KV_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"

#define KV_CLASS_RANGES_MAX 32u

/* A set of characters, the inside of a Ruby [...]. */
struct kv_class {
    bool ascii[128];
    bool negated; /* of non-ASCII characters; ascii[] is final */
    bool others;  /* all non-ASCII characters, before negation */
    bool intersected;
    uint32_t range_n;
    struct {
        uint32_t from, to;
    } range[KV_CLASS_RANGES_MAX]; /* of non-ASCII code points */
};

/* Ruby's syntax: ranges, leading ^, escapes (\t \n \s \d \w \h \xNN \uNNNN \\ \] ...),
 * [:alpha:] and kin, a&&b of ASCII sets. ERR_SYNTAX, ERR_UNSUPPORTED for a nested [...], or
 * ERR_LIMIT for too many ranges. */
err kv_class_parse(slice text, struct kv_class *out) MUST_USE;
/* Whether the character at index i of s belongs; its length in *n. */
bool kv_class_at(const struct kv_class *c, slice s, uint32_t i, uint32_t *n);

/* A regex, plugged in by the filter: the length of the match that begins exactly at `at`, or
 * -1. Lookbehind may see the text before. */
struct kv_regex {
    int64_t (*match_at)(void *user, slice text, uint32_t at);
    void *user;
};

struct kv_options {
    slice field_split;                   /* a class; p == NULL: " " */
    slice value_split;                   /* a class; p == NULL: "=" */
    struct kv_regex field_split_pattern; /* match_at NULL: not given */
    struct kv_regex value_split_pattern;
    bool include_brackets; /* the filter's default is true */
    bool whitespace_strict;
};

enum kv_stop { KV_STOP_KEY = 1, KV_STOP_FIELD = 2, KV_STOP_SLASH = 4, KV_STOP_VALUE = 8 };

struct kv {
    struct kv_class field_split, value_split, key_stop;
    struct kv_regex field_pattern, value_pattern;
    bool brackets, strict, split_has_space;
    /* Bytes decide: no non-ASCII character splits, so nothing needs decoding. */
    bool bytes_only;
    uint8_t stop[256]; /* KV_STOP_ bits per byte */
};

/* Fails as kv_class_parse does; ERR_UNSUPPORTED too for splits that are negated or intersected, or
 * that lose a character when the filter glues both into the class of a key ("a-" and "z"). */
err kv_compile(const struct kv_options *options, struct kv *out) MUST_USE;

struct kv_pair {
    slice key, value; /* value may be empty: nothing there, or empty quotes */
    char quote;       /* the opening " ' ( [ < that was stripped, or 0 */
};

struct kv_scan {
    const struct kv *kv;
    slice text;
    uint32_t at;
    uint64_t steps, steps_max; /* work bound: characters looked at */
    bool exhausted;            /* the bound was hit, pairs may be missing */
};

static inline struct kv_scan kv_scan_start(const struct kv *kv, slice text)
{
    return (struct kv_scan){.kv = kv, .text = text, .steps_max = 64 * (uint64_t)text.n + (1 << 20)};
}
bool kv_scan_next(struct kv_scan *scan, struct kv_pair *out);

/* trim_key, trim_value: characters of the class off both ends of every line of s. Returns a
 * part of s, or, when s has several lines, bytes in scratch (room for s.n). */
slice kv_trim(const struct kv_class *c, slice s, char *scratch);
/* remove_char_key, remove_char_value: s without the characters of the class. */
slice kv_remove(const struct kv_class *c, slice s, char *scratch);

#endif
