/*
 * date_lenient.c - the text of an event's own @timestamp; see date_parse.h.
 *
 * java.time's ISO_LOCAL_DATE, then optionally T and ISO_LOCAL_TIME, then optionally a zone: Z,
 * +hh:mm[:ss], +hh[mm[ss]] or a zone id. Resolved the "smart" way: the 31st of a shorter month
 * is its last day, 24:00 is the next midnight, a wall clock reading inside a gap moves on by
 * the length of the gap.
 */
#include <immintrin.h>

#include "engine/base/civil.h"
#include "engine/base/clock.h"
#include "parsers/text/date_parse.h"

struct reader {
    const char *at, *end;
};

struct stamp {
    int64_t year;
    uint32_t month, day, hour, minute, second, nanos;
};

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static uint32_t digit_run(const struct reader *r)
{
    uint32_t n = 0;
    while (r->at + n < r->end && r->at[n] >= '0' && r->at[n] <= '9') n++;
    return n;
}

static bool two(struct reader *r, uint32_t max, uint32_t *out)
{
    if (r->end - r->at < 2 || r->at[0] < '0' || r->at[0] > '9' || r->at[1] < '0' || r->at[1] > '9')
        return false;
    *out = (uint32_t)(r->at[0] - '0') * 10 + (uint32_t)(r->at[1] - '0');
    r->at += 2;
    return *out <= max;
}

/* Four digits, or more behind a plus sign; negative years never fit int64 nanoseconds. */
static bool year(struct reader *r, int64_t *out)
{
    bool plus = take(r, '+');
    uint32_t n = digit_run(r);
    if (plus ? n < 5 || n > 10 : n != 4) return false;
    *out = 0;
    for (uint32_t i = 0; i < n; i++) *out = *out * 10 + (*r->at++ - '0');
    return true;
}

static bool date(struct reader *r, struct stamp *s)
{
    if (!year(r, &s->year) || !take(r, '-') || !two(r, 12, &s->month) || s->month < 1) return false;
    if (!take(r, '-') || !two(r, 31, &s->day) || s->day < 1) return false;
    uint32_t last = civil_month_days(s->year, s->month);
    if (s->day > last) s->day = last;
    return true;
}

/* The seconds and their fraction are optional; a dot may stand without digits. */
static bool seconds(struct reader *r, struct stamp *s)
{
    uint32_t unit = 100000000;
    if (!take(r, ':')) return true;
    if (!two(r, 59, &s->second)) return false;
    if (!take(r, '.')) return true;
    for (uint32_t n = 0; n < 9 && r->at < r->end && *r->at >= '0' && *r->at <= '9'; n++) {
        s->nanos += (uint32_t)(*r->at++ - '0') * unit;
        unit /= 10;
    }
    return true;
}

static bool time_of_day(struct reader *r, struct stamp *s)
{
    if (!two(r, 24, &s->hour) || !take(r, ':') || !two(r, 59, &s->minute) || !seconds(r, s))
        return false;
    return s->hour < 24 || (s->minute == 0 && s->second == 0 && s->nanos == 0);
}

/* java.time's offsets stay within 18 hours. */
#define OFFSET_MAX_S (18 * 3600)

static bool offset(slice text, int32_t *offset_s)
{
    struct reader r = {text.p + 1, text.p + text.n};
    uint32_t hours, minutes = 0, secs = 0;
    if (!two(&r, 18, &hours)) return false;
    bool colons = r.at < r.end && *r.at == ':';
    if (r.at < r.end) {
        if (colons) r.at++;
        if (!two(&r, 59, &minutes)) return false;
    }
    if (r.at < r.end) {
        if (colons && !take(&r, ':')) return false;
        if (!two(&r, 59, &secs)) return false;
    }
    int32_t total = (int32_t)(hours * 3600 + minutes * 60 + secs);
    *offset_s = text.p[0] == '-' ? -total : total;
    return r.at == r.end && total <= OFFSET_MAX_S;
}

/* What is left must be nothing, an offset or a zone. */
static bool zone_read(slice text, const struct tz **zone, bool *has_offset, int32_t *offset_s)
{
    *has_offset = true;
    *offset_s = 0;
    if (text.n == 1 && (text.p[0] == 'Z' || text.p[0] == 'z')) return true;
    if (text.n > 0 && (text.p[0] == '+' || text.p[0] == '-')) return offset(text, offset_s);
    *has_offset = false;
    if (text.n == 0) return true;
    *zone = tz_find(text);
    return *zone != NULL;
}

static bool to_ns(int64_t utc_s, uint32_t nanos, int64_t *out_ns)
{
    int64_t ns;
    if (__builtin_mul_overflow(utc_s, NS_PER_SEC, &ns)) return false;
    return !__builtin_add_overflow(ns, (int64_t)nanos, out_ns);
}

#if defined(__SSSE3__)
/* What stands before the seconds, as the last text had it: times of a stream are neighbours. */
static _Thread_local struct {
    __m128i text;
    int64_t utc_s;
} minute;

/* 16 bytes as in 2026-11-21T18:08 to seconds; false: the long way decides. */
static bool minute_read(__m128i text, int64_t *utc_s)
{
    const __m128i low = _mm_setr_epi8('0', '0', '0', '0', '-', '0', '0', '-', '0', '0', 'T', '0',
                                      '0', ':', '0', '0');
    const __m128i span = _mm_setr_epi8(9, 9, 9, 9, 0, 1, 9, 0, 3, 9, 0, 2, 9, 0, 5, 9);
    const __m128i digits = _mm_setr_epi8(0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, -1, -1, -1, -1);
    __m128i v = _mm_sub_epi8(text, low);
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, span), v)) != 0xffff) return false;
    v = _mm_maddubs_epi16(_mm_shuffle_epi8(v, digits), _mm_set1_epi16(0x010a));
    int64_t years = _mm_extract_epi16(v, 0) * 100 + _mm_extract_epi16(v, 1);
    uint32_t month = (uint32_t)_mm_extract_epi16(v, 2), day = (uint32_t)_mm_extract_epi16(v, 3);
    uint32_t hour = (uint32_t)_mm_extract_epi16(v, 4);
    if (month - 1 > 11 || day - 1 >= civil_month_days(years, month) || hour > 23) return false;
    *utc_s =
        civil_days(years, month, day) * CIVIL_DAY_SEC + hour * 3600 + _mm_extract_epi16(v, 5) * 60;
    minute.text = text;
    minute.utc_s = *utc_s;
    return true;
}

/* Eight bytes as in :14.287Z; false: the long way decides. */
static bool milliseconds_read(const char *p, struct stamp *s)
{
    const uint64_t marks = 0xff000000ff0000ff, wanted = 0x5a0000002e00003a; /* Z . : */
    const uint64_t zeros = 0x0030303000303000, sixes = 0x0006060600060600;
    uint64_t text;
    memcpy(&text, p, sizeof(text));
    if ((text & marks) != wanted) return false;
    uint64_t digit = (text & ~marks) - zeros, high = 0x00f0f0f000f0f000;
    if ((((text & ~marks) & high) ^ zeros) != 0 || ((digit + sixes) & high) != 0) return false;
    s->second = (uint32_t)(digit >> 8 & 15) * 10 + (uint32_t)(digit >> 16 & 15);
    s->nanos = ((uint32_t)(digit >> 32 & 15) * 100 + (uint32_t)(digit >> 40 & 15) * 10 +
                (uint32_t)(digit >> 48 & 15)) *
               1000000;
    return s->second < 60;
}

/* Nearly all are 2026-11-21T18:08:14[.287853]Z. False: the long way decides. */
static bool usual_read(slice text, struct stamp *s, int64_t *utc_s)
{
    if (text.n < 20 || text.n > 30) return false;
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)text.p);
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(v, minute.text)) == 0xffff)
        *utc_s = minute.utc_s;
    else if (!minute_read(v, utc_s))
        return false;
    if (text.n != 24 || !milliseconds_read(text.p + 16, s)) {
        struct reader r = {text.p + 16, text.p + text.n - 1};
        *s = (struct stamp){0};
        if (*r.at != ':' || *r.end != 'Z' || !seconds(&r, s) || r.at != r.end) return false;
    }
    *utc_s += s->second;
    return true;
}
#else
static bool usual_read(slice text, struct stamp *s, int64_t *utc_s)
{
    (void)text, (void)s, (void)utc_s;
    return false;
}
#endif

bool iso8601_lenient_parse(slice text, const struct tz *zone, struct tz_hint *hint, int64_t *out_ns)
{
    struct reader r = {text.p, text.p + text.n};
    struct stamp s;
    int64_t utc_s;
    if (__builtin_expect(usual_read(text, &s, &utc_s), 1)) return to_ns(utc_s, s.nanos, out_ns);
    s = (struct stamp){0};
    bool has_offset;
    int32_t offset_s;
    if (text.n < 10 || !date(&r, &s)) return false;
    if ((take(&r, 'T') || take(&r, 't')) && !time_of_day(&r, &s)) return false;
    if (!zone_read(slice_make(r.at, (size_t)(r.end - r.at)), &zone, &has_offset, &offset_s))
        return false;
    int64_t local_s = civil_days(s.year, s.month, s.day) * CIVIL_DAY_SEC + s.hour * 3600 +
                      s.minute * 60 + s.second;
    /* A gap is left with the offset from before it, which moves the reading past it. */
    if (!has_offset) {
        if (local_s > INT64_MAX / NS_PER_SEC * 2) return false;
        offset_s = tz_local(zone, local_s, hint).offset_s;
    }
    return to_ns(local_s - offset_s, s.nanos, out_ns);
}
