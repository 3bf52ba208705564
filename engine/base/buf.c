/* buf.c - growth and formatted appends. */
#include "engine/base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"

void buf_grow(struct buf *b, size_t more)
{
    size_t cap = b->cap < 240 ? 240 : b->cap * 2;
    while (cap - b->n < more) cap *= 2;
    b->data = realloc(b->data, cap + BUF_PAD);
    ASSERT(b->data != NULL);
    b->cap = cap;
}

void buf_fini(struct buf *b)
{
    free(b->data);
    b->data = NULL;
    b->n = b->cap = 0;
}

void buf_add_cstr(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    buf_room(b, 120);
    int n = vsnprintf(buf_end(b), b->cap - b->n, format, args);
    ASSERT(n >= 0);
    if ((size_t)n >= b->cap - b->n) {
        buf_room(b, (size_t)n + 1);
        vsnprintf(buf_end(b), (size_t)n + 1, format, again);
    }
    va_end(again);
    b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

/* The letters of the escapes that JSON has for control characters, 0 where only \u will do. */
static const char json_short[32] = {
    ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

/* How many bytes at the front are ASCII that JSON shows as it is. */
static uint32_t json_plain(slice text)
{
    uint32_t i = 0;
    while (i < text.n && text.p[i] >= 0x20 && text.p[i] != '"' && text.p[i] != '\\') i++;
    return i;
}

void buf_add_json(struct buf *b, slice text)
{
    buf_add_byte(b, '"');
    for (uint32_t i = 0; i < text.n;) {
        uint32_t plain = json_plain(slice_from(text, i));
        buf_add(b, text.p + i, plain);
        i += plain;
        if (i == text.n) break;
        unsigned char c = (unsigned char)text.p[i];
        uint32_t step = 1;
        if (c == '"' || c == '\\') {
            buf_add_byte(b, '\\');
            buf_add_byte(b, (char)c);
        } else if (c < 0x20 && json_short[c] != 0) {
            buf_add_byte(b, '\\');
            buf_add_byte(b, json_short[c]);
        } else if (c < 0x20) {
            buf_printf(b, "\\u%04x", c);
        } else if ((step = utf8_valid_at(text, i)) > 0) {
            buf_add(b, text.p + i, step);
        } else {
            buf_add_cstr(b, "\xef\xbf\xbd");
            step = 1;
        }
        i += step;
    }
    buf_add_byte(b, '"');
}

const char *buf_cstr(struct buf *b)
{
    buf_room(b, 1);
    b->data[b->n] = '\0';
    return b->data;
}
