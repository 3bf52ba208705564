/* slice.c - the slice functions that are too long to inline. */
#define _GNU_SOURCE
#include "engine/base/slice.h"

#include <stdlib.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "engine/base/assert.h"

#if defined(__SSE2__)
/* Longer needles are memmem's, whose time does not grow with them. */
#define NEEDLE_BYTES_MAX 32u

/* Sixteen places at once: those where the needle's first and last byte are right are compared.
 * From "SIMD-friendly algorithms for substring searching" (Mula 2016). */
static inline __attribute__((always_inline)) int64_t find_short(slice s, slice needle)
{
    const __m128i first = _mm_set1_epi8(needle.p[0]);
    const __m128i last = _mm_set1_epi8(needle.p[needle.n - 1]);
    const char *p = s.p, *end = s.p + (s.n - needle.n - 15); /* the last block */
    for (;;) {
        __m128i head = _mm_cmpeq_epi8(_mm_loadu_si128((const void *)p), first);
        __m128i tail = _mm_cmpeq_epi8(_mm_loadu_si128((const void *)(p + needle.n - 1)), last);
        uint32_t hits = (uint32_t)_mm_movemask_epi8(_mm_and_si128(head, tail));
        for (; hits != 0; hits &= hits - 1) {
            const char *at = p + __builtin_ctz(hits);
            if (bytes_equal(at, needle.p, needle.n)) return at - s.p;
        }
        if (p == end) return -1;
        /* The last block begins inside of the one before it, to stay inside the text. */
        p = end - p < 16 ? end : p + 16;
    }
}
#endif

int64_t slice_find(slice s, slice needle)
{
    if (needle.n == 0) return 0;
    if (needle.n > s.n) return -1;
#if defined(__SSE2__)
    if (needle.n <= NEEDLE_BYTES_MAX && s.n - needle.n >= 15) return find_short(s, needle);
#endif
    for (uint32_t at = 0; s.n - needle.n < 15; at++) {
        if (at > s.n - needle.n) return -1;
        if (s.p[at] == needle.p[0] && bytes_equal(s.p + at, needle.p, needle.n)) return at;
    }
    const char *at = memmem(s.p, s.n, needle.p, needle.n);
    return at == NULL ? -1 : at - s.p;
}

int slice_compare(slice a, slice b)
{
    uint32_t n = a.n < b.n ? a.n : b.n;
    int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (order != 0) return order;
    return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

static char lower_ascii(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool slice_equal_nocase(slice a, slice b)
{
    if (a.n != b.n) return false;
    for (uint32_t i = 0; i < a.n; i++)
        if (lower_ascii(a.p[i]) != lower_ascii(b.p[i])) return false;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

slice slice_trim(slice s)
{
    while (s.n > 0 && is_space(s.p[0])) s = slice_from(s, 1);
    while (s.n > 0 && is_space(s.p[s.n - 1])) s.n--;
    return s;
}

char *slice_cstr(slice s, char *out, size_t cap)
{
    ASSERT(cap > 0);
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    if (n > 0) memcpy(out, s.p, n);
    out[n] = '\0';
    return out;
}

char *slice_dup_cstr(slice s)
{
    char *out = malloc((size_t)s.n + 1);
    ASSERT(out != NULL);
    return slice_cstr(s, out, (size_t)s.n + 1);
}

bool slice_to_i64(slice s, int64_t *out)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    if (minus) s = slice_from(s, 1);
    if (s.n == 0 || s.n > 19) return false;
    uint64_t num = 0; /* 19 digits fit in 64 bits without a check in the loop. */
    for (uint32_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9) return false;
        num = num * 10 + digit;
    }
    if (num > (uint64_t)INT64_MAX + (minus ? 1 : 0)) return false;
    *out = minus ? (int64_t)(0 - num) : (int64_t)num;
    return true;
}
