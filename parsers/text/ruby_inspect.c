#include "parsers/text/ruby_inspect.h"

#include "engine/base/utf8.h"

#define ESCAPE_BYTES_MAX 10u /* \u{10FFFF} */

static const char hex_digits[] = "0123456789ABCDEF";

/* The letter of a two-byte escape, or 0. */
static char escape_letter(slice s, uint32_t i)
{
    switch (s.p[i]) {
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    case '\f': return 'f';
    case '\v': return 'v';
    case '\b': return 'b';
    case '\a': return 'a';
    case 0x1b: return 'e';
    case '"':
    case '\\': return s.p[i];
    case '#':
        /* Only what would interpolate is escaped. */
        if (i + 1 < s.n && (s.p[i + 1] == '{' || s.p[i + 1] == '$' || s.p[i + 1] == '@'))
            return '#';
        return 0;
    default: return 0;
    }
}

static bool printable(uint32_t cp)
{
    if (cp == 0x85) return true; /* NEL is a blank to Ruby */
    if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) return false;
    if (cp == 0x2028 || cp == 0x2029) return false;
    if (cp >= 0xfdd0 && cp <= 0xfdef) return false;
    return (cp & 0xfffe) != 0xfffe;
}

static uint32_t write_byte_escape(uint8_t byte, char *out)
{
    out[0] = '\\';
    out[1] = 'x';
    out[2] = hex_digits[byte >> 4];
    out[3] = hex_digits[byte & 15];
    return 4;
}

/* \uNNNN, or \u{NNNNN} above the basic plane. */
static uint32_t write_code_escape(uint32_t cp, char *out)
{
    uint32_t n = 0;
    int digits = cp > 0xfffff ? 6 : cp > 0xffff ? 5 : 4;
    out[n++] = '\\';
    out[n++] = 'u';
    if (digits > 4) out[n++] = '{';
    while (digits-- > 0) out[n++] = hex_digits[cp >> (4 * digits) & 15];
    if (cp > 0xffff) out[n++] = '}';
    return n;
}

/* Writes what stands for the character at i and returns how many bytes; its length in *step. */
static uint32_t inspect_one(slice s, uint32_t i, char *out, uint32_t *step)
{
    uint8_t byte = (uint8_t)s.p[i];
    *step = 1;
    if (byte < 0x80) {
        char letter = escape_letter(s, i);
        if (letter != 0) {
            out[0] = '\\';
            out[1] = letter;
            return 2;
        }
        if (byte < 0x20 || byte == 0x7f) return write_code_escape(byte, out);
        out[0] = (char)byte;
        return 1;
    }
    uint32_t n = utf8_valid_at(s, i);
    if (n == 0) return write_byte_escape(byte, out);
    uint32_t cp = utf8_decode(s, i, step);
    if (!printable(cp)) return write_code_escape(cp, out);
    memcpy(out, s.p + i, n);
    return n;
}

size_t ruby_inspect_bytes(slice text)
{
    char one[ESCAPE_BYTES_MAX];
    size_t n = 0;
    uint32_t step;
    for (uint32_t i = 0; i < text.n; i += step) n += inspect_one(text, i, one, &step);
    return n;
}

char *ruby_inspect_write(slice text, char *out)
{
    char one[ESCAPE_BYTES_MAX];
    uint32_t step;
    for (uint32_t i = 0; i < text.n; i += step) {
        uint32_t n = inspect_one(text, i, one, &step);
        memcpy(out, one, n);
        out += n;
    }
    return out;
}

slice ruby_inspect_body(slice text, struct arena *arena)
{
    size_t n = ruby_inspect_bytes(text);
    char *out = arena_alloc(arena, n, 1);
    ruby_inspect_write(text, out);
    return slice_make(out, n);
}

void ruby_inspect_add(struct buf *out, slice text)
{
    size_t n = ruby_inspect_bytes(text);
    buf_room(out, n + 2);
    buf_add_byte(out, '"');
    ruby_inspect_write(text, buf_end(out));
    out->n += n;
    buf_add_byte(out, '"');
}
