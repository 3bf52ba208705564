/*
 * value.h - a value as written in a configuration, with its place.
 *
 * The right side of `option => value`, an element of a list, an operand of a condition. Made by
 * the parser in the configuration's heap, changed only by environment expansion, read-only
 * afterwards. Every text slice is followed by a NUL.
 */
#ifndef ENGINE_CONFIG_VALUE_H
#define ENGINE_CONFIG_VALUE_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/config/diag.h"

struct ast_plugin;
struct config_pair;

enum config_type {
    CONFIG_STRING, /* quoted, or a bareword (flag CONFIG_BARE) */
    CONFIG_INT,
    CONFIG_FLOAT,
    CONFIG_LIST,
    CONFIG_HASH,
    CONFIG_PLUGIN,   /* json { charset => "UTF-8" } */
    CONFIG_SELECTOR, /* [a][b]: conditions only; text keeps the brackets */
    CONFIG_REGEX     /* the text between the slashes, \/ unchanged: conditions only */
};

enum config_flag {
    CONFIG_BARE = 1,
    CONFIG_BIG = 2, /* an integer beyond 64 bits: u.num is saturated, text is exact */
    CONFIG_EXPANDED =
        4,            /* came out of ${...}: offsets into the text are not offsets in the source */
    CONFIG_SECRET = 8 /* came out of the keystore: never shown */
};

struct config_value {
    uint8_t type, flags;
    uint32_t n;     /* items of a list, pairs of a hash */
    struct pos pos; /* the first byte of the value, its quote included */
    slice text;     /* STRING, numbers as written, SELECTOR, REGEX; the name of a PLUGIN */
    union {
        int64_t num;
        double real;
        struct config_value *list;
        struct config_pair *pairs;
        struct ast_plugin *plugin;
    } u;
};

/* Keys are strings, barewords or numbers; key.text is what counts. */
struct config_pair {
    struct config_value key, val;
};

/* What SETTING_LIST and SETTING_HASH options become. */
struct config_list {
    const struct config_value *at;
    uint32_t n;
};
struct config_hash {
    const struct config_pair *at;
    uint32_t n;
};

static inline bool config_is_scalar(const struct config_value *v)
{
    return v->type == CONFIG_STRING || v->type == CONFIG_INT || v->type == CONFIG_FLOAT;
}

/* Same type and content; places do not matter. */
bool config_value_equal(const struct config_value *a, const struct config_value *b);
/* The place of byte `at` of a string's text, so that an error inside a pattern points at it. */
struct pos config_value_pos_in(const struct config_value *v, uint32_t at);
/* Appends the value in the configuration language, cut to about 60 bytes: for messages. */
void config_value_show(const struct config_value *v, struct buf *out);
/* The value under `key`, or NULL; the last one wins. */
const struct config_value *config_hash_get(struct config_hash hash, slice key);

#endif
