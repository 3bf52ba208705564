/*
 * shortcut_run.h - recognizes what shortcut.c has proven; compiled once for each CPU level. Private
 * to parsers/grok. Any thread.
 */
#ifndef PARSERS_GROK_SHORTCUT_RUN_H
#define PARSERS_GROK_SHORTCUT_RUN_H
#include "parsers/grok/run_end.h"
#include "parsers/grok/shortcut.h"

static inline uint32_t two_digits(const char *p)
{
    return (uint32_t)(p[0] - '0') * 10 + (uint32_t)(p[1] - '0');
}

/* Whether VEC_BYTES bytes from `from` on are within the stamp's ranges; those behind it are wide.
 */
static inline bool stamp_within(const struct stamp *stamp, const char *p, uint32_t from)
{
    vec v = vec_sub(vec_load(p + from), vec_load(stamp->low + from));
    return vec_mask_le(v, vec_load(stamp->span + from)) == mask_low(VEC_BYTES);
}

static inline bool stamp_fits(const struct stamp *stamp, slice line, uint32_t at)
{
    const char *p = line.p + at;
    if (line.n - at >= STAMP_BYTES_MAX) {
        for (uint32_t from = 0; from < STAMP_BYTES_MAX; from += VEC_BYTES)
            if (!stamp_within(stamp, p, from)) return false;
        return true;
    }
    if (line.n - at < stamp->n) return false;
    for (uint32_t i = 0; i < stamp->n; i++)
        if ((uint8_t)((uint8_t)p[i] - stamp->low[i]) > stamp->span[i]) return false;
    return true;
}

/* Months by the sum of what tells them apart: 12 of 32 places are taken. */
static const char month_place[32][4] = {
    [15] = "Jan", [7] = "Feb",  [19] = "Mar", [2] = "Apr",  [26] = "May", [3] = "Jun",
    [1] = "Jul",  [28] = "Aug", [21] = "Sep", [23] = "Oct", [5] = "Nov",  [8] = "Dec"};

static inline bool is_month(const char *p)
{
    uint32_t place = ((uint32_t)(uint8_t)p[1] + (uint32_t)(uint8_t)p[2]) & 31;
    const char *name = month_place[place];
    return p[0] == name[0] && p[1] == name[1] && p[2] == name[2];
}

static inline bool stamp_run(const struct stamp *stamp, slice line, uint32_t at)
{
    const char *p = line.p + at;
    if (!stamp_fits(stamp, line, at)) return false;
    if (stamp->day != STAMP_NONE && two_digits(p + stamp->day) - 1 > 30) return false;
    if (stamp->hour != STAMP_NONE && two_digits(p + stamp->hour) > 23) return false;
    if (stamp->month != STAMP_NONE && two_digits(p + stamp->month) - 1 > 11) return false;
    if (stamp->sign != STAMP_NONE && p[stamp->sign] == ',') return false;
    return stamp->name == STAMP_NONE || is_month(p + stamp->name);
}

/* Up to three digits that are no more than 255 and start with no needless zero. */
static inline bool is_octet(const char *p, uint32_t n)
{
    static const uint32_t low[4] = {1, 0x30, 0x3130, 0x313030};
    static const uint32_t high[4] = {0, 0x39, 0x3939, 0x323535};
    uint32_t text;
    if (n - 1 > 2) return false;
    memcpy(&text, p, sizeof(text));
    text = __builtin_bswap32(text) >> (32 - 8 * n);
    return text >= low[n] && text <= high[n];
}

static __attribute__((noinline)) uint32_t run_quad(slice line, uint32_t at)
{
    if (line.n - at < QUAD_BYTES_MAX + 1) return SHORTCUT_NONE;
    const char *p = line.p + at;
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    __m128i value = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value);
    uint32_t digits = (uint32_t)_mm_movemask_epi8(digit);
    uint32_t dots = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')));
    uint32_t end = (uint32_t)__builtin_ctz(~(digits | dots));
    dots &= (1u << end) - 1;
    if (__builtin_popcount(dots) != 3) return SHORTCUT_NONE;
    uint32_t a = (uint32_t)__builtin_ctz(dots);
    dots &= dots - 1;
    uint32_t b = (uint32_t)__builtin_ctz(dots);
    dots &= dots - 1;
    uint32_t c = (uint32_t)__builtin_ctz(dots);
    /* With three digits each at most, all loads are within the 16 bytes. */
    bool ok = is_octet(p, a) && is_octet(p + a + 1, b - a - 1) && is_octet(p + b + 1, c - b - 1) &&
              is_octet(p + c + 1, end - c - 1);
    return ok ? at + end : SHORTCUT_NONE;
}

static inline bool is_digit(slice line, uint32_t at)
{
    return at < line.n && (uint8_t)(line.p[at] - '0') < 10;
}

/* Digits on both sides of a dot; they are few, as a rule. */
static inline uint32_t run_decimal(slice line, uint32_t at)
{
    while (is_digit(line, at)) at++;
    if (at >= line.n || line.p[at] != '.' || !is_digit(line, ++at)) return SHORTCUT_NONE;
    while (is_digit(line, at)) at++;
    return at;
}

/* Whether the symbol at `end` is one before which the shortcut holds. */
static inline bool shortcut_stops(const struct shortcut *s, slice line, uint32_t end, uint32_t bit)
{
    return (s->stops[end < line.n ? (uint8_t)line.p[end] : SYMBOL_END] & bit) != 0;
}

/* Stamps and quads are out of line, because their constants would take the registers of the runs,
 * which are more frequent. */
static __attribute__((noinline)) uint32_t run_stamps(const struct shortcut *s, slice line,
                                                     uint32_t at, uint32_t bits)
{
    for (; bits != 0; bits &= bits - 1) {
        const struct stamp *stamp = &s->stamp[__builtin_ctz(bits / SHORTCUT_STAMP)];
        if (!stamp_run(stamp, line, at)) continue;
        if (shortcut_stops(s, line, at + stamp->n, bits & -bits)) return at + stamp->n;
    }
    return SHORTCUT_NONE;
}

/* The end of the part that starts at `at`, or SHORTCUT_NONE: ask the automaton. The order does not
 * matter, as each has been proven: what is tried first is what costs least. */
static inline uint32_t shortcut_run(const struct shortcut *s, slice line, uint32_t at)
{
    if (at >= line.n) return SHORTCUT_NONE;
    uint32_t previous = at == 0 ? SYMBOL_END : (uint8_t)line.p[at - 1], end;
    uint32_t bits = s->starts[previous] & s->first[(uint8_t)line.p[at]];
    if (bits & SHORTCUT_QUOTED) {
        end = run_end(&s->quoted, line, at + 1);
        if (end < line.n && (uint8_t)line.p[end] == s->quote &&
            shortcut_stops(s, line, end + 1, SHORTCUT_QUOTED))
            return end + 1;
    }
    if (bits & SHORTCUT_RUN) {
        end = run_end(&s->run, line, at + 1);
        if (end - at <= s->run_max && shortcut_stops(s, line, end, SHORTCUT_RUN)) return end;
    }
    if (bits & SHORTCUT_QUAD) {
        end = run_quad(line, at);
        if (end != SHORTCUT_NONE && shortcut_stops(s, line, end, SHORTCUT_QUAD)) return end;
    }
    if (bits & SHORTCUT_STAMPS) {
        end = run_stamps(s, line, at, bits & SHORTCUT_STAMPS);
        if (end != SHORTCUT_NONE) return end;
    }
    if (bits & SHORTCUT_DECIMAL) {
        end = run_decimal(line, at);
        if (end != SHORTCUT_NONE && shortcut_stops(s, line, end, SHORTCUT_DECIMAL)) return end;
    }
    return SHORTCUT_NONE;
}

#endif
