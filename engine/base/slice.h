/*
 * slice.h - borrowed bytes, passed by value.
 *
 * A slice owns nothing and has no NUL. It is valid while what it points into is
 * (a blob, an arena, the configuration) and is never stored past that. Any thread.
 */
#ifndef ENGINE_BASE_SLICE_H
#define ENGINE_BASE_SLICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct slice {
    const char *p;
    uint32_t n;
} slice;

/* A slice of a string literal. */
#define SLICE(lit) ((slice){("" lit), (uint32_t)(sizeof(lit) - 1)})
#define SLICE_NONE ((slice){NULL, 0})
/* For printf's "%.*s". */
#define SLICE_FMT(s) (int)(s).n, (s).p

static inline slice slice_make(const char *p, size_t n)
{
    return (slice){p, (uint32_t)n};
}

/* From a NUL-terminated string; only at the borders to libc and the OS. */
static inline slice slice_from_cstr(const char *text)
{
    return (slice){text, text == NULL ? 0 : (uint32_t)strlen(text)};
}

/* Whether n bytes are the same: names are short, and a call of memcmp takes longer than they do. */
static inline __attribute__((always_inline)) bool bytes_equal(const char *a, const char *b,
                                                              uint32_t n)
{
    uint64_t a0, b0, a1, b1;
    uint32_t c0, d0, c1, d1;
    if (n > 16) return memcmp(a, b, n) == 0;
    if (n >= 8) {
        memcpy(&a0, a, 8), memcpy(&b0, b, 8);
        memcpy(&a1, a + n - 8, 8), memcpy(&b1, b + n - 8, 8);
        return ((a0 ^ b0) | (a1 ^ b1)) == 0;
    }
    if (n >= 4) {
        memcpy(&c0, a, 4), memcpy(&d0, b, 4);
        memcpy(&c1, a + n - 4, 4), memcpy(&d1, b + n - 4, 4);
        return ((c0 ^ d0) | (c1 ^ d1)) == 0;
    }
    return n == 0 || (a[0] == b[0] && a[n >> 1] == b[n >> 1] && a[n - 1] == b[n - 1]);
}

static inline bool slice_equal(slice a, slice b)
{
    return a.n == b.n && bytes_equal(a.p, b.p, a.n);
}

static inline bool slice_starts(slice s, slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool slice_ends(slice s, slice suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* The part from `from` on; empty when `from` lies past the end. An empty slice may have no address,
 * to which nothing may be added; compilers make the same code of it. */
static inline slice slice_from(slice s, uint32_t from)
{
    if (from >= s.n) return (slice){s.n == 0 ? s.p : s.p + s.n, 0};
    return (slice){s.p + from, s.n - from};
}

static inline slice slice_part(slice s, uint32_t from, uint32_t n)
{
    s = slice_from(s, from);
    if (n < s.n) s.n = n;
    return s;
}

/* Index of the first byte `c`, or -1. */
static inline int64_t slice_find_byte(slice s, char c)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);
    return at == NULL ? -1 : at - s.p;
}

/* Index of the first occurrence of `needle`, or -1; an empty needle is at 0. */
int64_t slice_find(slice s, slice needle);
/* Bytewise order as memcmp has it, a prefix before its extension: <0, 0, >0. */
int slice_compare(slice a, slice b);
bool slice_equal_nocase(slice a, slice b); /* ASCII letters only */
/* Without ASCII white space (space, \t \n \v \f \r) at both ends. */
slice slice_trim(slice s);
/* Copies into `out` with a NUL, cut to cap - 1 bytes; returns out. */
char *slice_cstr(slice s, char *out, size_t cap);
/* A heap copy with a NUL; the caller frees it. For the control plane. */
char *slice_dup_cstr(slice s);
/* Whole slice as a decimal number (optional '-'); false on junk or overflow. */
bool slice_to_i64(slice s, int64_t *out);

#endif
