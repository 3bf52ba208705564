/*
 * json_layout.h - remembered layouts of events, so that the encoder need not walk them.
 *
 * Most events of a pipeline have the same fields in the same order. A layout holds, for every value
 * of such an event, the JSON text that stands before it: the end of the value before, ends of maps,
 * comma, key, quote. Encoding then is comparing key pointers and copying text, value, text, value.
 * Only keys of the configuration (KEY_STATIC) are remembered, because their addresses are not
 * reused while the pipeline lives; what does not fit a layout is encoded by json_write_event. The
 * event's shape (event.h) guesses which one to try first.
 * The owner is one thread.
 */
#ifndef PARSERS_JSON_JSON_LAYOUT_H
#define PARSERS_JSON_JSON_LAYOUT_H
#include "engine/event/event.h"

#define JSON_LAYOUTS 16u
#define JSON_LAYOUT_SLOTS_MAX 48u
#define JSON_LAYOUT_DEPTH_MAX 8u
#define JSON_LAYOUT_TEXT_BYTES_MAX 1536u
#define JSON_LAYOUT_TEXT_PAD 64u
#define JSON_LAYOUT_MISSED 64u
#define JSON_LAYOUT_GUESSES 64u

enum json_slot_kind {
    JSON_SLOT_TEXT,     /* string, to be escaped */
    JSON_SLOT_VERBATIM, /* u.str as it is: a clean or escaped string, a raw number */
    JSON_SLOT_SHARED,   /* a shared map's own text */
    JSON_SLOT_MAP,      /* nothing is written: the first member's text has it */
    JSON_SLOT_OTHER
};

/* A member as it must be, in the order of the event. */
struct json_slot {
    struct member like; /* key and head of the value; text and length are zero */
    uint32_t map_n;     /* members of a JSON_SLOT_MAP */
    uint8_t kind;       /* enum json_slot_kind */
    uint8_t up;         /* maps that end between the value before and this one */
    bool turns;         /* a map begins or ended */
};

/* A value that is written, and the text before it. */
struct json_leaf {
    uint16_t text_at, text_n;
    uint8_t kind;
};

struct json_layout {
    uint32_t member_n; /* of the event's own map; 0: this entry is free */
    uint32_t hits;
    const char *last_key;
    uint32_t slot_n, leaf_n, text_n;
    uint32_t tail_at; /* what follows the last value; up to text_n */
    struct json_slot slot[JSON_LAYOUT_SLOTS_MAX];
    struct json_leaf leaf[JSON_LAYOUT_SLOTS_MAX];
    char text[JSON_LAYOUT_TEXT_BYTES_MAX + JSON_LAYOUT_TEXT_PAD];
};

struct json_layouts {
    struct json_layout at[JSON_LAYOUTS];
    uint8_t guess[JSON_LAYOUT_GUESSES]; /* by the event's shape: the entry that fitted last */
    uint8_t missed[JSON_LAYOUT_MISSED]; /* by a hash of number and last key */
};

/* 62 KiB; freed by free(). */
struct json_layouts *json_layouts_new(void);
/* Remembers the event's layout, if it can be. To be called for an event that fitted no layout. */
void json_layout_learn(struct json_layouts *layouts, const struct event *ev);

#endif
