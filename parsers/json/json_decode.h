/*
 * json_decode.h - JSON texts (RFC 8259) and buffers of NDJSON lines to values.
 *
 * A first pass with SIMD indexes quotes, escapes, structure and control characters, 64 bytes
 * a step, a window at a time (Geoff Langdale and Daniel Lemire, "Parsing Gigabytes of JSON per
 * Second", VLDB Journal 28, 2019); a walk over that index builds maps whose strings and numbers
 * are still spans of the text. Everything is validated on the way: structure, numbers,
 * escapes, control characters, UTF-8. What stays undone is unescaping and conversion:
 *   strings  VALUE_CLEAN (no escapes: the body may be copied into JSON) or VALUE_ESCAPED
 *   numbers  VALUE_RAW, typed VALUE_INT or VALUE_FLOAT by their grammar
 *   keys     KEY_QUOTED, and KEY_WIRE when ':' follows at once; an escaped key is unescaped
 *            into the arena and has no flags
 * Of duplicate keys the last value wins and the first place stays, as in Java's maps.
 *
 * The text must stay as long as the values, and JSON_PAD bytes behind its end must be readable
 * (blobs and arena pages guarantee that); json_decode_copy is for other memory. A reader is
 * scratch without state between texts: one per shard is enough. Owner: one thread at a time.
 */
#ifndef PARSERS_JSON_JSON_DECODE_H
#define PARSERS_JSON_JSON_DECODE_H
#include "engine/base/cpu.h"
#include "engine/base/err.h"
#include "engine/event/map.h"

#define JSON_PAD 64u

/* Named bounds, and their defaults. Nesting is Jackson's default. Members of one object are
 * bounded because their hashes can be chosen by an attacker; fields of a whole text, because
 * each takes 32 bytes where its text may take 5. */
#define JSON_DEPTH_MAX 1000u
#define JSON_MEMBERS_MAX 8192u
#define JSON_FIELDS_MAX (1u << 20)

/* Text indexed in one go; small enough that text, index and values share the L1 cache. */
#define JSON_WINDOW_BYTES 8192u

enum json_status {
    JSON_OK = 0,
    JSON_BLANK = -1,   /* white space only */
    JSON_CUT = -2,     /* the text ends inside the value */
    JSON_SYNTAX = -3,  /* some other token was expected */
    JSON_NUMBER = -4,  /* not a number of the grammar */
    JSON_STRING = -5,  /* control character or unknown escape in a string */
    JSON_UTF8 = -6,    /* the bytes are not UTF-8: the codec decides by its charset */
    JSON_DEPTH = -7,   /* deeper than depth_max */
    JSON_MEMBERS = -8, /* an object of more than members_max, or fields_max in all */
    JSON_TRAILING = -9 /* JSON_WHOLE only: something follows the value */
};

/* What may follow the value. */
enum json_mode {
    JSON_FIRST, /* anything: it is ignored, as Logstash's codecs do */
    JSON_WHOLE  /* white space only */
};

/* First-pass state that crosses windows; parsers/json/json_index.h. */
struct json_scan {
    uint64_t in_string; /* all ones inside a string */
    uint64_t escaped;   /* 1: the next byte is escaped */
    uint64_t scalar;    /* 1: the last byte was part of a number or literal */
    uint64_t high;      /* not 0: bytes above 0x7f were seen */
};

/* The keys of the last event, in order, and those of the maps in it. Events of one source mostly
 * have the same: then a comparison gives a key's hash, and that it is no duplicate. */
#define JSON_SHAPE_KEYS 128u
#define JSON_SHAPE_KEY_BYTES 32u /* of a key and two bytes more */
#define JSON_SHAPE_DEPTH_MAX 8u
/* Keys of one map, neighbours in the shape. */
struct json_shape_part {
    uint16_t from, n;
};
struct json_shape_key {
    char key[JSON_SHAPE_KEY_BYTES]; /* and the '":' that follows it in a text, then NULs */
    uint32_t mask;                  /* a bit for each byte that counts */
    uint32_t key_n, hash;
    struct json_shape_part below; /* of the map that is its value */
};
struct json_shape {
    struct json_shape_key at[JSON_SHAPE_KEYS];
    uint32_t n;
    struct json_shape_part root;
    bool missed;               /* by the event that is being read */
    uint32_t misses, patience; /* learn another shape after so many events that missed */
};

struct json_reader {
    uint32_t depth_max, members_max, fields_max; /* the owner may lower them after init */
    uint64_t limit_hits;                         /* texts refused with JSON_DEPTH, JSON_MEMBERS */
    uint32_t error_at;                           /* offset in the text of the last error */

    /* The rest is the decoder's own. */
    uint8_t *token;     /* the byte of each token; NULs behind the last one of a text */
    uint32_t *position; /* its offset; the length of the text behind the last one */
    uint32_t token_n, at;
    slice text;
    uint32_t indexed;   /* bytes of text that are in the index already */
    uint32_t utf8_from; /* bytes of text before this are checked */
    bool lines, utf8_suspect;
    enum json_mode mode;
    uint32_t line_from, fields;
    uint32_t event_depth;  /* maps down to here are likely events, which grow by a few fields */
    uint32_t members_hint; /* room for this many members pleased the last of them */
    struct json_scan scan;
    struct json_shape shape;
    struct arena *arena;
    struct value *stack; /* items of the lists being read */
    uint32_t stack_n, stack_cap;
};

void json_reader_init(struct json_reader *r);
void json_reader_fini(struct json_reader *r);

/* Decodes the first value of `text` into *out, memory from `arena`. Returns the bytes used,
 * white space before included (JSON_WHOLE: all of them), or an enum json_status below 0 with
 * r->error_at set. *out is undefined then. */
int64_t json_decode(struct json_reader *r, slice text, enum json_mode mode, struct arena *arena,
                    struct value *out) MUST_USE;
/* The same for text without JSON_PAD bytes behind it or with a shorter life: the values point
 * into a copy in the arena. */
int64_t json_decode_copy(struct json_reader *r, slice text, enum json_mode mode,
                         struct arena *arena, struct value *out) MUST_USE;

struct json_line {
    slice text;         /* without its newline */
    int status;         /* enum json_status; JSON_BLANK for an empty line */
    uint32_t error_at;  /* in text, when status is an error */
    struct value value; /* when status is JSON_OK; a map is usually what is wanted */
};

/* Starts on a buffer of lines, the last of which may lack its newline. A broken line, even
 * one with an open string, never affects the next. */
void json_lines_begin(struct json_reader *r, slice lines, enum json_mode mode, struct arena *arena);
/* The next line; false at the end of the buffer. Nothing else may use `r` in between. */
bool json_lines_next(struct json_reader *r, struct json_line *line);

/* A short English text, e.g. for [error] fields and logs. */
const char *json_status_text(int status);

#endif
