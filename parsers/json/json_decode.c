/* json_decode.c - readers, windows of the index, texts and lines. */
#include "parsers/json/json_decode.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "parsers/json/json_index.h"
#include "parsers/json/json_walk.h"
#include "parsers/scan/utf8_scan.h"

/* A window's tokens, those left over from the one before, and the NULs behind the last. */
#define INDEX_CAP (JSON_WINDOW_BYTES + 2 * JSON_AHEAD + JSON_INDEX_SLACK)

void json_reader_init(struct json_reader *r)
{
    *r = (struct json_reader){.depth_max = JSON_DEPTH_MAX,
                              .members_max = JSON_MEMBERS_MAX,
                              .fields_max = JSON_FIELDS_MAX,
                              .members_hint = MAP_CAP_FIRST};
    r->token = calloc(INDEX_CAP, sizeof(*r->token));
    r->position = calloc(INDEX_CAP, sizeof(*r->position));
    r->stack_cap = 64;
    r->stack = malloc(r->stack_cap * sizeof(*r->stack));
    ASSERT(r->token != NULL && r->position != NULL && r->stack != NULL);
}

void json_reader_fini(struct json_reader *r)
{
    free(r->token);
    free(r->position);
    free(r->stack);
    *r = (struct json_reader){0};
}

/* Checks the bytes indexed since the last time, up to the last whole sequence. The index pass
 * told whether there is anything but ASCII. */
static void check_utf8(struct json_reader *r, uint32_t from)
{
    uint32_t end = r->indexed;
    if (r->scan.high == 0 && r->utf8_from == from) {
        r->utf8_from = end;
        return;
    }
    r->scan.high = 0;
    for (uint32_t i = 1; end < r->text.n && i <= 3 && i <= end - r->utf8_from; i++) {
        unsigned char c = (unsigned char)r->text.p[end - i];
        if (c >= 0xc0) end -= i;
        if (c < 0x80 || c >= 0xc0) break;
    }
    if (!utf8_scan_valid(slice_part(r->text, r->utf8_from, end - r->utf8_from)))
        r->utf8_suspect = true;
    r->utf8_from = end;
}

static void index_window(struct json_reader *r)
{
    struct json_index index = {r->token, r->position, r->token_n};
    uint32_t from = r->indexed, left = r->text.n - from;
    uint32_t to = left > JSON_WINDOW_BYTES ? from + JSON_WINDOW_BYTES : r->text.n;
    r->indexed = json_index(r->text.p, from, to, r->lines, &r->scan, &index);
    r->token_n = index.n;
    check_utf8(r, from);
}

/* Marks the end, so that the walk may look JSON_AHEAD tokens further without asking. */
static void index_end(struct json_reader *r)
{
    for (uint32_t i = 0; i < JSON_AHEAD; i++) {
        r->token[r->token_n + i] = 0;
        r->position[r->token_n + i] = r->text.n;
    }
}

void json_fill(struct json_reader *r)
{
    while (r->token_n - r->at < JSON_AHEAD && r->indexed < r->text.n) {
        uint32_t left = r->token_n - r->at;
        memmove(r->token, r->token + r->at, left);
        memmove(r->position, r->position + r->at, left * sizeof(*r->position));
        r->at = 0;
        r->token_n = left;
        index_window(r);
    }
    if (r->indexed == r->text.n) index_end(r);
}

static void reader_begin(struct json_reader *r, slice text, bool lines, enum json_mode mode,
                         struct arena *arena)
{
    ASSERT(r->token != NULL && r->depth_max <= JSON_DEPTH_MAX);
    ASSERT(text.n < UINT32_MAX - 2 * JSON_WINDOW_BYTES);
    r->text = text;
    r->lines = lines;
    r->mode = mode;
    r->arena = arena;
    r->token_n = r->at = r->indexed = r->utf8_from = r->line_from = 0;
    r->utf8_suspect = false;
    r->scan = (struct json_scan){0};
    if (text.n == 0)
        index_end(r);
    else
        json_fill(r);
}

static int walk_top(struct json_reader *r, struct value *out)
{
    r->fields = r->stack_n = 0;
    r->event_depth = r->token[r->at] == '[' ? 1 : 0;
    int status = json_walk_value(r, out, 0);
    if (status == JSON_DEPTH || status == JSON_MEMBERS) r->limit_hits++;
    return status;
}

/* Where the value ends whose last token was just consumed. */
static uint32_t value_end(const struct json_reader *r)
{
    uint8_t last = r->token[r->at - 1];
    if (last == '}' || last == ']' || last == '"') return r->position[r->at - 1] + 1;
    uint32_t end = r->position[r->at];
    while (json_is_space(r->text.p[end - 1])) end--;
    return end;
}

static uint32_t utf8_error_at(slice text)
{
    for (uint32_t i = 0; i < text.n;) {
        uint32_t step = utf8_valid_at(text, i);
        if (step == 0) return i;
        i += step;
    }
    return text.n;
}

int64_t json_decode(struct json_reader *r, slice text, enum json_mode mode, struct arena *arena,
                    struct value *out)
{
    reader_begin(r, text, false, mode, arena);
    if (json_at_end(r)) return JSON_BLANK;
    int status = walk_top(r, out);
    uint32_t used = text.n;
    if (status == JSON_OK && mode == JSON_FIRST) used = value_end(r);
    if (status == JSON_OK && mode == JSON_WHOLE) {
        json_need(r);
        if (!json_at_end(r)) {
            status = JSON_TRAILING;
            r->error_at = r->position[r->at];
        }
    }
    if (r->utf8_suspect) {
        status = JSON_UTF8;
        r->error_at = utf8_error_at(text);
    }
    return status == JSON_OK ? (int64_t)used : status;
}

int64_t json_decode_copy(struct json_reader *r, slice text, enum json_mode mode,
                         struct arena *arena, struct value *out)
{
    char *copy = arena_alloc(arena, (size_t)text.n + JSON_PAD, 1);
    if (text.n > 0) memcpy(copy, text.p, text.n);
    memset(copy + text.n, 0, JSON_PAD);
    return json_decode(r, slice_make(copy, text.n), mode, arena, out);
}

void json_lines_begin(struct json_reader *r, slice lines, enum json_mode mode, struct arena *arena)
{
    reader_begin(r, lines, true, mode, arena);
}

/* Moves to the newline token that ends the current line, or to the end of the text. */
static void skip_line(struct json_reader *r)
{
    for (;;) {
        const uint8_t *newline = memchr(r->token + r->at, '\n', r->token_n - r->at);
        r->at = newline != NULL ? (uint32_t)(newline - r->token) : r->token_n;
        if (newline != NULL || r->indexed == r->text.n) return;
        json_fill(r);
    }
}

bool json_lines_next(struct json_reader *r, struct json_line *line)
{
    if (r->line_from >= r->text.n) return false;
    json_need(r);
    uint32_t from = r->line_from;
    if (r->token[r->at] == '\n' || json_at_end(r)) {
        line->status = JSON_BLANK;
    } else {
        line->status = walk_top(r, &line->value);
        json_need(r);
    }
    if (r->token[r->at] != '\n' && !json_at_end(r)) {
        if (line->status == JSON_OK && r->mode == JSON_WHOLE) {
            line->status = JSON_TRAILING;
            r->error_at = r->position[r->at];
        }
        skip_line(r);
    }
    uint32_t end = r->position[r->at];
    line->text = slice_make(r->text.p + from, end - from);
    line->error_at = line->status < JSON_BLANK ? r->error_at - from : 0;
    r->line_from = end + 1;
    if (end < r->text.n) r->at++;
    if (__builtin_expect(r->utf8_suspect, 0) && !utf8_scan_valid(line->text)) {
        line->status = JSON_UTF8;
        line->error_at = utf8_error_at(line->text);
    }
    return true;
}

const char *json_status_text(int status)
{
    static const char *const text[] = {"ok",
                                       "no JSON in it",
                                       "unexpected end of JSON",
                                       "unexpected token",
                                       "malformed number",
                                       "control character or unknown escape in a string",
                                       "invalid UTF-8",
                                       "nested too deep",
                                       "too many fields",
                                       "unexpected text behind the value"};
    ASSERT(status <= 0 && -status < (int)ARRAY_LEN(text));
    return text[-status];
}
