/*
 * json_out.h - writes JSON of the monitoring API into a buf: commas, keys, numbers, indentation.
 *
 * A NULL key is an array's item. Control plane only; for events there is parsers/json.
 */
#ifndef ENGINE_APP_JSON_OUT_H
#define ENGINE_APP_JSON_OUT_H
#include "engine/base/buf.h"

struct json_out {
    struct buf *out;
    bool comma; /* something stands before in this object or array */
};

void json_open(struct json_out *j, const char *key);  /* { */
void json_close(struct json_out *j);                  /* } */
void json_array(struct json_out *j, const char *key); /* [ */
void json_array_end(struct json_out *j);
void json_text(struct json_out *j, const char *key, slice text);
void json_cstr(struct json_out *j, const char *key, const char *text); /* NULL: null */
void json_int(struct json_out *j, const char *key, int64_t n);
void json_float(struct json_out *j, const char *key, double n);
void json_bool(struct json_out *j, const char *key, bool yes);
/* RFC 3339 in UTC with milliseconds; 0: null. */
void json_time(struct json_out *j, const char *key, int64_t real_ns);
/* `,"key":value` pairs that a plugin wrote, into an object that has a member already. */
void json_raw_pairs(struct json_out *j, slice pairs);
/* The same document with line breaks and indentation. */
void json_pretty(slice compact, struct buf *out);
/* Adds the whole numbers of `more` to those of `sum`, if the texts agree in all else; otherwise
 * leaves `sum` as it is. */
void json_add_numbers(struct buf *sum, slice more);

#endif
