/*
 * date_parse.c - runs compiled date formats; see date_parse.h.
 *
 * Logs repeat their date, hour by hour the same bytes around a clock that moves. The texts
 * before and after the clock are remembered with the instant their day begins; while they
 * stay the same, a date costs a few comparisons and the digits of the clock. Everything else
 * goes the long way, which alone decides what is right.
 */
#include "parsers/text/date_parse.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/civil.h"
#include "engine/base/clock.h"
#include "parsers/text/date_pattern.h"

#define MS_MAX (INT64_MAX / NS_PER_MS)
#define DAY_NS (CIVIL_DAY_SEC * NS_PER_SEC)
/* No two offsets of a zone are further apart than two days and a bit (RFC 8536). */
#define PLAIN_MARGIN_S (3 * CIVIL_DAY_SEC)

static bool ms_to_ns(int64_t ms, int64_t *out_ns)
{
    bool fits = ms <= MS_MAX && ms >= -MS_MAX;
    *out_ns = fits ? ms * NS_PER_MS : ms;
    return fits;
}

/* ---- operations ------------------------------------------------------------- */

static bool literal_fits(const char *want, const char *got, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (want[i] == got[i]) continue;
        char lower = (char)(want[i] | 32);
        if (lower < 'a' || lower > 'z' || lower != (got[i] | 32)) return false;
    }
    return true;
}

/* At most max digits; 0 when the number leaves int32, as Java's parseInt does. A sign does not
 * count, but Joda-Time takes none where one digit is all there is room for. */
static uint32_t number_read(slice text, uint32_t max, bool with_sign, int32_t *out)
{
    uint32_t sign = 0;
    bool negative = false;
    if (with_sign && max > 1 && text.n > 1 && (text.p[0] == '-' || text.p[0] == '+')) {
        negative = text.p[0] == '-';
        sign = 1;
    }
    int64_t value = 0;
    uint32_t n = sign;
    while (n < text.n && n - sign < max && text.p[n] >= '0' && text.p[n] <= '9') {
        value = value * 10 + (text.p[n++] - '0');
        if (value > (int64_t)INT32_MAX + negative) return 0;
    }
    *out = (int32_t)(negative ? -value : value);
    return n > sign ? n : 0;
}

static int32_t pivot_year(int32_t pivot, int32_t two)
{
    int32_t low = pivot - 50;
    int32_t low_two = low % 100;
    return two + low + (two < low_two ? 100 : 0) - low_two;
}

static uint32_t two_read(const struct date_format *format, const struct date_op *op, slice text,
                         int32_t *year)
{
    if (op->kind == DATE_OP_TWO) {
        if (number_read(text, 2, false, year) != 2) return 0;
        *year = pivot_year(format->pivot_year, *year);
        return 2;
    }
    bool has_sign = text.n > 0 && (text.p[0] == '-' || text.p[0] == '+');
    uint32_t n = number_read(text, UINT32_MAX, true, year);
    if (n == 2 && !has_sign) *year = pivot_year(format->pivot_year, *year);
    return n;
}

static uint32_t zone_name_read(const struct date_format *format, slice text, const struct tz **zone)
{
    for (uint32_t i = 0; i < DATE_ZONE_NAMES; i++) {
        if (!slice_starts(text, date_zone_names[i].name)) continue;
        *zone = format->zone_named[i];
        return *zone == NULL ? 0 : date_zone_names[i].name.n;
    }
    return 0;
}

static uint32_t op_read(const struct date_format *format, const struct date_op *op, slice text,
                        struct date_fields *f)
{
    int32_t value = 0;
    uint32_t n;
    switch (op->kind) {
    case DATE_OP_LITERAL:
        if (text.n < op->max) return 0;
        return literal_fits(format->text + op->at, text.p, op->max) ? op->max : 0;
    case DATE_OP_OFFSET:
        n = date_offset_read(text, &f->offset_ms);
        f->has_offset |= n > 0;
        return n;
    case DATE_OP_ZONE_NAME: return zone_name_read(format, text, &f->zone);
    case DATE_OP_ZONE_ID: f->zone = tz_find_prefix(text, &n); return f->zone == NULL ? 0 : n;
    case DATE_OP_NUMBER: n = number_read(text, op->max, false, &value); break;
    case DATE_OP_SIGNED: n = number_read(text, op->max, true, &value); break;
    case DATE_OP_FRACTION: n = date_fraction_read(text, op->max, 1000, &value); break;
    case DATE_OP_WORD: n = date_word_match(&format->words[op->at], text, &value); break;
    default: n = two_read(format, op, text, &value); break;
    }
    if (n > 0) date_fields_add(f, op->field, value);
    return n;
}

static bool pattern_read(const struct date_format *format, slice text, struct date_fields *f,
                         struct date_trace *trace)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < format->n; i++) {
        if (i == format->clock.op_from) trace->clock_from = at;
        if (i == format->clock.op_from + 5) trace->fraction_from = at;
        if (i == format->clock.op_until) trace->clock_until = at;
        uint32_t n = op_read(format, &format->op[i], slice_from(text, at), f);
        if (n == 0) return false;
        at += n;
    }
    if (format->n == format->clock.op_from + 5) trace->fraction_from = at;
    if (format->n == format->clock.op_until) trace->clock_until = at;
    return at == text.n;
}

/* ---- zones -------------------------------------------------------------------- */

static int64_t seconds_of(int64_t ms)
{
    return civil_floor_div(ms, 1000);
}

/* Joda-Time refuses a wall clock reading that never was; of two it takes the first. */
static bool local_to_utc(const struct tz *zone, int64_t local_ms, struct tz_hint *hint,
                         int64_t *utc_ms)
{
    struct tz_local local = tz_local(zone, seconds_of(local_ms), hint);
    *utc_ms = local_ms - local.offset_s * INT64_C(1000);
    return local.kind != TZ_LOCAL_GAP;
}

/* Offset and the end of the range it holds in. */
static int32_t offset_until(const struct tz *zone, int64_t utc_s, int64_t *until_s)
{
    struct tz_hint hint = {0};
    int32_t offset_s = tz_offset(zone, utc_s, &hint);
    *until_s = hint.until_s;
    return offset_s;
}

/* Joda-Time's lenient conversion after a year was replaced: keeps the offset the instant had,
 * else estimates; in a gap west of Greenwich it stays before the jump, east after it. */
static int64_t local_to_utc_lenient(const struct tz *zone, int64_t local_s, int32_t offset_before_s)
{
    int64_t until_a, until_b;
    if (offset_until(zone, local_s - offset_before_s, &until_a) == offset_before_s)
        return local_s - offset_before_s;
    int32_t estimate_s = offset_until(zone, local_s, &until_a);
    int32_t offset_s = offset_until(zone, local_s - estimate_s, &until_a);
    if (offset_s != estimate_s && estimate_s < 0) {
        offset_until(zone, local_s - offset_s, &until_b);
        if (until_a != until_b) offset_s = estimate_s;
    }
    return local_s - offset_s;
}

/* ---- the year that is missing --------------------------------------------------- */

static void now_update(const struct date_format *format, struct date_state *state, int64_t now_ns)
{
    if (now_ns >= state->now_from_ns && now_ns < state->now_until_ns) return;
    int64_t utc_s = civil_floor_div(now_ns, NS_PER_SEC);
    int64_t local_s = utc_s + tz_offset(format->host, utc_s, NULL);
    int64_t days = civil_floor_div(local_s, CIVIL_DAY_SEC);
    struct civil_date date = civil_from_days(days);
    state->year_now = date.year;
    state->month_now = date.month;
    /* Looked at again every quarter of an hour, the step in which days begin. */
    state->now_from_ns = civil_floor_div(utc_s, 900) * 900 * NS_PER_SEC;
    state->now_until_ns = state->now_from_ns + 900 * NS_PER_SEC;
    state->known = false;
}

static int32_t year_guess(const struct date_state *state, uint32_t month)
{
    if (month == 12 && state->month_now == 1) return state->year_now - 1;
    if (month == 1 && state->month_now == 12) return state->year_now + 1;
    return state->year_now;
}

/* Moves an instant of 2000 to the guessed year on the zone's wall clock. */
static bool year_replace(const struct date_state *state, const struct tz *zone, int64_t *utc_ms)
{
    int64_t utc_s = seconds_of(*utc_ms), ms = *utc_ms - utc_s * 1000;
    int32_t offset_s = tz_offset(zone, utc_s, NULL);
    int64_t local_s = utc_s + offset_s;
    int64_t days = civil_floor_div(local_s, CIVIL_DAY_SEC);
    struct civil_date date = civil_from_days(days);
    int32_t year = year_guess(state, date.month);
    uint32_t days_max = civil_month_days(year, date.month);
    uint32_t day = date.day < days_max ? date.day : days_max;
    int64_t moved_s = local_s + (civil_days(year, date.month, day) - days) * CIVIL_DAY_SEC;
    utc_s = local_to_utc_lenient(zone, moved_s, offset_s);
    *utc_ms = utc_s * 1000 + ms;
    int64_t shown_s = utc_s + tz_offset(zone, utc_s, NULL);
    return civil_from_days(civil_floor_div(shown_s, CIVIL_DAY_SEC)).year == year;
}

/* ---- fields to instants ----------------------------------------------------------- */

static bool fields_to_utc(const struct date_fields *f, struct date_state *state,
                          const struct tz *zone, int64_t local_ms, int64_t *utc_ms)
{
    if (!f->has_offset)
        return local_to_utc(f->zone == NULL ? zone : f->zone, local_ms, &state->hint, utc_ms);
    *utc_ms = local_ms - f->offset_ms;
    return true;
}

static bool yearless_to_utc(const struct date_format *format, const struct date_fields *f,
                            struct date_state *state, const struct tz *zone, int64_t local_ms,
                            int64_t *utc_ms)
{
    if (!fields_to_utc(f, state, zone, local_ms, utc_ms)) return false;
    /* A zone name (z) is checked but then only its wall clock is used: the date filter looks
     * for the letter Z to know whether a pattern has a zone. */
    if (!format->has_zone_letter && f->zone != NULL &&
        !local_to_utc(zone, local_ms, &state->hint, utc_ms))
        return false;
    return year_replace(state, zone, utc_ms);
}

static bool yearless(const struct date_format *format)
{
    return format->kind == DATE_JODA && !format->has_year;
}

/* ---- memory of the last text --------------------------------------------------------- */

#define MEMO_BYTES_MAX 16u

static inline uint64_t load64(const char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/* Whether each byte of x, a text xored with zeros ('0'), was a digit. No carry leaves a byte but
 * one that is no digit. */
static inline bool all_digits(uint64_t x)
{
    return (((x + 0x7676767676767676ULL) | x) & 0x8080808080808080ULL) == 0;
}

/* "HH:mm:ss" in seconds, the separators being those of `zero`. */
static inline bool clock_read(const char *p, uint64_t zero, uint32_t *second)
{
    uint64_t x = load64(p) ^ zero;
    /* As in all_digits; a separator must be zero. */
    if (((x + 0x76767f76767f7676ULL) | x) & 0x8080808080808080ULL) return false;
    x = x * 10 + (x >> 8); /* bytes 0, 3 and 6: tens and ones; 99 fits a byte */
    uint32_t hour = (uint32_t)x & 0xff, minute = (uint32_t)(x >> 24) & 0xff;
    uint32_t sec = (uint32_t)(x >> 48) & 0xff;
    *second = hour * 3600 + minute * 60 + sec;
    return hour < 24 && minute < 60 && sec < 60;
}

/* The n bytes at p are a separator and digits as the format allows them. The word that is read
 * ends with the fraction's last or eighth digit: what lies before, the clock, is shifted out. */
static inline bool fraction_read(const struct date_state *state, const char *p, uint32_t n,
                                 uint32_t *ms)
{
    if (*p != state->fraction_separator[0] && *p != state->fraction_separator[1]) return false;
    if (--n == 0 || n > state->fraction_max) return false;
    uint32_t first = n < 8 ? n : 8;
    uint64_t x = (load64(p + 1 + first - 8) ^ 0x3030303030303030ULL) >> (64 - 8 * first);
    for (uint32_t i = 8; i < n; i++)
        if (p[1 + i] < '0' || p[1 + i] > '9') return false;
    *ms = (uint32_t)(x & 0xff) * 100 + (uint32_t)(x >> 8 & 0xff) * 10 + (uint32_t)(x >> 16 & 0xff);
    return all_digits(x);
}

/* Reads a text that differs from the last one in its clock only. The text before the clock is
 * compared with 8 bytes that may reach into the clock, the one behind with those before its end. */
static inline bool memo_read(const struct date_state *state, slice text, const struct tz *zone,
                             int64_t now_ns, int64_t *out_ns)
{
    uint32_t fixed = state->before_n + 8 + state->after_n, second, ms = 0;
    if (!state->known || state->zone != zone || text.n < fixed) return false;
    if (now_ns < state->now_from_ns || now_ns >= state->now_until_ns) return false;
    const char *p = text.p, *end = p + text.n, *clock = p + state->before_n;
    uint64_t before =
        (load64(p) ^ state->before[0]) | (load64(p + state->before_second) ^ state->before[1]);
    uint64_t after =
        (load64(end - 8) ^ state->after[0]) | (load64(end - state->after_second) ^ state->after[1]);
    if ((before & state->before_mask) | (after & state->after_mask)) return false;
    if (!clock_read(clock, state->clock_zero, &second)) return false;
    uint32_t fraction_n = text.n - fixed;
    bool good = fraction_n == 0 ? state->fraction_optional
                                : fraction_read(state, clock + 8, fraction_n, &ms);
    if (!good) return false;
    *out_ns = state->base_ns + second * NS_PER_SEC + ms * NS_PER_MS;
    return true;
}

/* The offset of a zone if it is the same on this whole day and around it. */
static bool day_is_plain(const struct tz *zone, int64_t day_s, int32_t *offset_s)
{
    struct tz_hint hint = {0};
    *offset_s = tz_offset(zone, day_s, &hint);
    return hint.from_s <= day_s - PLAIN_MARGIN_S && hint.until_s >= day_s + PLAIN_MARGIN_S;
}

/* Where the day of this event begins, if every reading of its clock counts from there. */
static bool memo_base(const struct date_format *format, const struct date_fields *f,
                      const struct tz *zone, int64_t local_ms, int64_t utc_ms, int64_t *base_s)
{
    int64_t day_s = civil_floor_div(local_ms, DATE_DAY_MS) * CIVIL_DAY_SEC;
    int32_t offset_s = f->offset_ms / 1000;
    if (f->has_offset) {
        if (f->offset_ms % 1000 != 0) return false;
        *base_s = day_s - offset_s;
        return true;
    }
    if (f->zone != NULL) zone = f->zone;
    if (!day_is_plain(zone, day_s, &offset_s)) return false;
    *base_s = day_s - offset_s;
    if (!yearless(format)) return true;
    /* So far that was 2000. The instant found tells the day of the guessed year. */
    int64_t shown_s = seconds_of(utc_ms) + tz_offset(zone, seconds_of(utc_ms), NULL);
    day_s = civil_floor_div(shown_s, CIVIL_DAY_SEC) * CIVIL_DAY_SEC;
    if (!day_is_plain(zone, day_s, &offset_s)) return false;
    *base_s = day_s - offset_s;
    return true;
}

static void memo_fraction_rule(const struct date_format *format, struct date_state *state,
                               bool iso_with_blank, char separator)
{
    if (format->kind == DATE_JODA) {
        state->fraction_max = format->clock.fraction_max;
        state->fraction_separator[0] = state->fraction_separator[1] =
            format->clock.fraction_separator;
        state->fraction_optional = format->clock.fraction_max == 0;
        return;
    }
    /* ISO8601: up to nine digits after a T, the four variants with a blank want one to three. */
    state->fraction_max = iso_with_blank ? 3 : 9;
    state->fraction_separator[0] = iso_with_blank ? separator : '.';
    state->fraction_separator[1] = iso_with_blank ? separator : ',';
    state->fraction_optional = !iso_with_blank;
}

struct parsed {
    slice text;
    struct date_fields f;
    struct date_trace trace;
    int64_t local_ms, utc_ms;
};

/* The texts before and behind the clock, which with its eight bytes are at least eight. */
static void memo_texts(struct date_state *state, slice text, uint32_t before_n, uint32_t after_n)
{
    const char *end = text.p + text.n;
    state->before_n = before_n;
    state->before_second = before_n > 8 ? before_n - 8 : 0;
    state->before_mask = before_n >= 8 ? UINT64_MAX : (1ULL << 8 * before_n) - 1;
    state->before[0] = load64(text.p);
    state->before[1] = load64(text.p + state->before_second);
    state->after_n = after_n;
    state->after_second = after_n > 8 ? after_n : 8;
    state->after_mask = after_n >= 8 ? UINT64_MAX : ~(UINT64_MAX >> 8 * after_n);
    state->after[0] = load64(end - 8);
    state->after[1] = load64(end - state->after_second);
}

static void memo_write(const struct date_format *format, struct date_state *state,
                       const struct parsed *p, const struct tz *zone)
{
    const struct date_trace *trace = &p->trace;
    uint32_t after_n = p->text.n - trace->clock_until;
    int64_t base_s;
    state->known = false;
    if (!format->clock.present || format->no_memo || trace->clock_until == 0) return;
    if (trace->fraction_from != trace->clock_from + 8) return;
    if (trace->clock_from > MEMO_BYTES_MAX || after_n > MEMO_BYTES_MAX) return;
    if (!memo_base(format, &p->f, zone, p->local_ms, p->utc_ms, &base_s)) return;
    if (base_s > INT64_MAX / NS_PER_SEC - CIVIL_DAY_SEC - 1 || base_s < -INT64_MAX / NS_PER_SEC)
        return;
    bool blank = trace->clock_from > 0 && p->text.p[trace->clock_from - 1] == ' ';
    memo_fraction_rule(format, state, blank,
                       trace->clock_until > trace->fraction_from ? p->text.p[trace->fraction_from]
                                                                 : 0);
    memo_texts(state, p->text, trace->clock_from, after_n);
    state->clock_zero = 0x3030003030003030ULL |
                        (uint64_t)(uint8_t)format->clock.separator[0] << 16 |
                        (uint64_t)(uint8_t)format->clock.separator[1] << 40;
    if (!yearless(format)) { /* holds whenever it is now */
        state->now_from_ns = INT64_MIN;
        state->now_until_ns = INT64_MAX;
    }
    state->zone = zone;
    state->base_ns = base_s * NS_PER_SEC;
    state->known = true;
}

/* ---- text formats ------------------------------------------------------------------------ */

static bool pattern_parse(const struct date_format *format, struct date_state *state,
                          struct parsed *p, const struct tz *zone)
{
    if (!pattern_read(format, p->text, &p->f, &p->trace)) return false;
    if (!date_fields_resolve(&p->f, &p->local_ms)) return false;
    if (yearless(format))
        return yearless_to_utc(format, &p->f, state, zone, p->local_ms, &p->utc_ms);
    return fields_to_utc(&p->f, state, zone, p->local_ms, &p->utc_ms);
}

/* The pattern yyyy-MM-dd HH:mm:ss, a separator, SSS and perhaps Z: the first part of it. */
static bool blank_variant_read(struct parsed *p)
{
    static const struct {
        uint8_t field, max;
        char end;
    } part[6] = {{DATE_YEAR, 9, '-'}, {DATE_MONTH, 2, '-'},  {DATE_DAY, 2, ' '},
                 {DATE_HOUR, 2, ':'}, {DATE_MINUTE, 2, ':'}, {DATE_SECOND, 2, 0}};
    uint32_t at = 0;
    int32_t value;
    p->f = (struct date_fields){0};
    p->trace = (struct date_trace){0};
    for (uint32_t i = 0; i < ARRAY_LEN(part); i++) {
        if (i == 3) p->trace.clock_from = at;
        uint32_t n = number_read(slice_from(p->text, at), part[i].max, i == 0, &value);
        at += n;
        if (n == 0 || at >= p->text.n) return false;
        if (part[i].end != 0 && p->text.p[at++] != part[i].end) return false;
        date_fields_add(&p->f, part[i].field, value);
    }
    p->trace.fraction_from = at;
    if (p->text.p[at] != '.' && p->text.p[at] != ',') return false;
    uint32_t n = date_fraction_read(slice_from(p->text, at + 1), 3, 1000, &value);
    if (n == 0) return false;
    date_fields_add(&p->f, DATE_MS, value);
    at += 1 + n;
    p->trace.clock_until = at;
    n = date_offset_read(slice_from(p->text, at), &p->f.offset_ms);
    p->f.has_offset = n > 0;
    return at + n == p->text.n;
}

static bool iso_parse(struct date_state *state, struct parsed *p, const struct tz *zone)
{
    bool read = date_iso_read(p->text, &p->f, &p->trace) || blank_variant_read(p);
    return read && date_fields_resolve(&p->f, &p->local_ms) &&
           fields_to_utc(&p->f, state, zone, p->local_ms, &p->utc_ms);
}

/* The long way. */
static bool text_parse(const struct date_format *format, struct date_state *state, slice text,
                       const struct tz *zone, int64_t now_ns, int64_t *out_ns)
{
    if (yearless(format)) now_update(format, state, now_ns);
    struct parsed p;
    p.text = text;
    p.f.n = p.f.seen = 0;
    p.f.has_offset = p.f.twice = false;
    p.f.offset_ms = 0;
    p.f.zone = NULL;
    p.trace = (struct date_trace){0};
    bool ok = format->kind == DATE_JODA ? pattern_parse(format, state, &p, zone)
                                        : iso_parse(state, &p, zone);
    if (!ok || !ms_to_ns(p.utc_ms, out_ns)) return false;
    memo_write(format, state, &p, zone);
    return true;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Java's Long.parseLong: an optional sign of either kind, then only digits. */
static bool java_long(slice s, int64_t *out)
{
    if (s.n > 1 && s.p[0] == '+' && s.p[1] != '-') s = slice_from(s, 1);
    return slice_to_i64(s, out);
}

static bool unix_ms(int64_t seconds, int64_t extra_ms, int64_t *out_ns)
{
    if (seconds > INT32_MAX || seconds < -MS_MAX / 1000) return false;
    return ms_to_ns(seconds * 1000 + extra_ms, out_ns);
}

/* Of a fraction only three digits are looked at, even if junk follows. */
static bool unix_parse(slice text, int64_t *out_ns)
{
    static const int64_t scale[4] = {0, 100, 10, 1};
    int64_t seconds, part, dot = slice_find_byte(text, '.');
    if (dot < 0) return java_long(text, &seconds) && unix_ms(seconds, 0, out_ns);
    slice digits = slice_part(text, (uint32_t)dot + 1, 3);
    return java_long(slice_part(text, 0, (uint32_t)dot), &seconds) && java_long(digits, &part) &&
           unix_ms(seconds, part * scale[digits.n], out_ns);
}

static bool hex_read(const char *p, uint32_t n, uint64_t *out)
{
    *out = 0;
    for (uint32_t i = 0; i < n; i++) {
        char c = p[i] | 32;
        bool digit = p[i] >= '0' && p[i] <= '9';
        if (!digit && (c < 'a' || c > 'f')) return false;
        *out = *out << 4 | (uint64_t)(digit ? p[i] - '0' : c - 'a' + 10);
    }
    return true;
}

/* 16 hex digits of seconds since 2^62 and 8 of nanoseconds (https://cr.yp.to/libtai/tai64.html);
 * the 10 seconds between TAI and UTC in 1970 are taken off, later leap seconds are not. */
static bool tai64n_parse(slice text, int64_t *out_ns)
{
    uint64_t seconds, nanos;
    if (text.n > 0 && text.p[0] == '@') text = slice_from(text, 1);
    if (text.n < 24 || !hex_read(text.p, 16, &seconds) || !hex_read(text.p + 16, 8, &nanos))
        return false;
    if (seconds > INT64_MAX || nanos > INT32_MAX) return false;
    int64_t since = (int64_t)(seconds & ((1ull << 62) - 1)) - 10;
    if (since > MS_MAX / 1000) return false;
    return ms_to_ns(since * 1000 + (int64_t)nanos / 1000000, out_ns);
}

bool date_parse_int(const struct date_format *format, int64_t num, int64_t *out_ns)
{
    *out_ns = DATE_UNREAD;
    if (format->kind == DATE_UNIX) return unix_ms(num, 0, out_ns);
    return format->kind == DATE_UNIX_MS && ms_to_ns(num, out_ns);
}

/* A double cut to a whole number as Java's cast does it. */
static int64_t java_cast(double real)
{
    if (real != real) return 0;
    if (real >= 9.2e18) return INT64_MAX;
    if (real <= -9.2e18) return INT64_MIN;
    return (int64_t)real;
}

bool date_parse_float(const struct date_format *format, double real, int64_t *out_ns)
{
    *out_ns = DATE_UNREAD;
    if (format->kind == DATE_UNIX_MS) return ms_to_ns(java_cast(real), out_ns);
    if (format->kind != DATE_UNIX || java_cast(real) > INT32_MAX) return false;
    return ms_to_ns(java_cast(real * 1000), out_ns);
}

/* Apart from date_parse, which then needs no stack of its own for what is usual. */
static __attribute__((noinline)) bool parse_anew(const struct date_format *format,
                                                 struct date_state *state, slice text,
                                                 const struct tz *zone, int64_t now_ns,
                                                 int64_t *out_ns)
{
    int64_t ms;
    *out_ns = DATE_UNREAD;
    switch (format->kind) {
    case DATE_UNIX: return unix_parse(text, out_ns);
    case DATE_UNIX_MS: return java_long(text, &ms) && ms_to_ns(ms, out_ns);
    case DATE_TAI64N: return tai64n_parse(text, out_ns);
    default: return text_parse(format, state, text, zone, now_ns, out_ns);
    }
}

bool date_parse(const struct date_format *format, struct date_state *state, slice text,
                const struct tz *zone, int64_t now_ns, int64_t *out_ns)
{
    /* Only formats with a clock are remembered. */
    if (__builtin_expect(memo_read(state, text, zone, now_ns, out_ns), 1)) return true;
    return parse_anew(format, state, text, zone, now_ns, out_ns);
}

/* ---- formats -----------------------------------------------------------------------------------
 */

static bool format_compile(struct date_format *format, slice pattern, slice locale,
                           struct date_format_error *error)
{
    if (slice_equal(pattern, SLICE("UNIX"))) {
        format->kind = DATE_UNIX;
    } else if (slice_equal(pattern, SLICE("UNIX_MS"))) {
        format->kind = DATE_UNIX_MS;
    } else if (slice_equal(pattern, SLICE("TAI64N"))) {
        format->kind = DATE_TAI64N;
    } else if (slice_equal(pattern, SLICE("ISO8601"))) {
        format->kind = DATE_ISO8601;
        format->clock = (struct date_clock){.present = true, .separator = {':', ':'}};
        format->has_zone_op = true;
    } else {
        return date_pattern_compile(format, pattern, locale, error);
    }
    return true;
}

struct date_format *date_format_new(slice pattern, slice locale, int64_t now_ns,
                                    struct date_format_error *error)
{
    struct date_format *format = calloc(1, sizeof(*format));
    if (format == NULL) PANIC("out of memory");
    format->host = tz_host();
    int64_t now_s = civil_floor_div(now_ns, NS_PER_SEC);
    now_s += tz_offset(format->host, now_s, NULL);
    /* Joda-Time reads two digits as the years from 80 before to 19 after the present one. */
    format->pivot_year = civil_from_days(civil_floor_div(now_s, CIVIL_DAY_SEC)).year - 30;
    if (format_compile(format, pattern, locale, error)) return format;
    date_format_free(format);
    return NULL;
}

void date_format_free(struct date_format *format)
{
    if (format == NULL) return;
    for (uint32_t i = 0; i < DATE_WORDS_KINDS; i++) date_word_set_fini(&format->words[i]);
    free(format->op);
    free(format->text);
    free(format);
}

bool date_format_has_zone(const struct date_format *format)
{
    return format->has_zone_op;
}
