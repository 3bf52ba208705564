/* utf8.c - scalar validation, decoding, encoding. */
#include "engine/base/utf8.h"

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

uint32_t utf8_valid_at(slice s, uint32_t i)
{
    const unsigned char *p = (const unsigned char *)s.p + i;
    uint32_t left = s.n - i;
    if (left == 0) return 0;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2) return 0;
    if (p[0] < 0xe0) return left >= 2 && is_tail(p[1]) ? 2 : 0;
    if (p[0] < 0xf0) {
        if (left < 3 || !is_tail(p[1]) || !is_tail(p[2])) return 0;
        if (p[0] == 0xe0 && p[1] < 0xa0) return 0; /* longer than needed */
        if (p[0] == 0xed && p[1] > 0x9f) return 0; /* surrogate */
        return 3;
    }
    if (p[0] > 0xf4 || left < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3])) return 0;
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;
    if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
    return 4;
}

uint32_t utf8_decode(slice s, uint32_t i, uint32_t *step)
{
    const unsigned char *p = (const unsigned char *)s.p + i;
    *step = utf8_valid_at(s, i);
    switch (*step) {
    case 1: return p[0];
    case 2: return ((p[0] & 0x1fu) << 6) | (p[1] & 0x3fu);
    case 3: return ((p[0] & 0x0fu) << 12) | ((p[1] & 0x3fu) << 6) | (p[2] & 0x3fu);
    case 4:
        return ((p[0] & 0x07u) << 18) | ((p[1] & 0x3fu) << 12) | ((p[2] & 0x3fu) << 6) |
               (p[3] & 0x3fu);
    default: *step = 1; return 0xfffd;
    }
}

uint32_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | (cp >> 6));
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | (cp >> 12));
        out[1] = (char)(0x80 | ((cp >> 6) & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (cp >> 18));
    out[1] = (char)(0x80 | ((cp >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((cp >> 6) & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

bool utf8_valid(slice s)
{
    for (uint32_t i = 0; i < s.n;) {
        uint32_t step = utf8_valid_at(s, i);
        if (step == 0) return false;
        i += step;
    }
    return true;
}

uint32_t utf8_length(slice s)
{
    uint32_t n = 0, step;
    for (uint32_t i = 0; i < s.n; i += step, n++) utf8_decode(s, i, &step);
    return n;
}
