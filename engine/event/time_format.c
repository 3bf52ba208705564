/*
 * time_format.c - see time_format.h. The compiler is time_pattern.c.
 */
#include "engine/event/time_format.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/civil.h"
#include "engine/base/clock.h"
#include "engine/event/time_pattern.h"

/* What an instant looks like in a zone. */
struct fields {
    int64_t days, local_s, utc_s;
    int32_t offset_s, year;
    uint32_t month, day, hour, minute, second, nanos;
    const struct tz *zone;
};

struct writer {
    const struct fields *f;
    char *at;
};

static void put_text(struct writer *w, const char *text, uint32_t n)
{
    memcpy(w->at, text, n);
    w->at += n;
}

static void put_cstr(struct writer *w, const char *text)
{
    put_text(w, text, (uint32_t)strlen(text));
}

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static inline void put_pair(struct writer *w, uint32_t num)
{
    memcpy(w->at, digit_pairs + 2 * num, 2);
    w->at += 2;
}

/* At least `width` digits, a minus sign before them. */
static void put_number(struct writer *w, int64_t num, uint32_t width)
{
    /* As nearly all parts of dates are. */
    if (width == 2 && num >= 0 && num < 100) {
        put_pair(w, (uint32_t)num);
        return;
    }
    if (width <= 4 && num >= 1000 && num < 10000) {
        put_pair(w, (uint32_t)num / 100);
        put_pair(w, (uint32_t)num % 100);
        return;
    }
    char digits[20];
    uint32_t n = 0;
    uint64_t size = num < 0 ? 0 - (uint64_t)num : (uint64_t)num;
    do {
        digits[n++] = (char)('0' + size % 10);
        size /= 10;
    } while (size > 0);
    if (num < 0) *w->at++ = '-';
    for (uint32_t i = n; i < width; i++) *w->at++ = '0';
    while (n > 0) *w->at++ = digits[--n];
}

/* The first `width` digits of the fraction of a second. */
static void put_fraction(struct writer *w, uint32_t nanos, uint32_t width)
{
    uint32_t unit = 100000000;
    if (width == 3) {
        *w->at++ = (char)('0' + nanos / 100000000);
        put_pair(w, nanos / 1000000 % 100);
        return;
    }
    for (uint32_t i = 0; i < width; i++, unit /= 10)
        *w->at++ = unit == 0 ? '0' : (char)('0' + nanos / unit % 10);
}

/* ---- names ---------------------------------------------------------------- */

static const char *const month_names[12] = {"January",   "February", "March",    "April",
                                            "May",       "June",     "July",     "August",
                                            "September", "October",  "November", "December"};
static const char *const day_names[7] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                         "Friday", "Saturday", "Sunday"};

static void put_name(struct writer *w, const char *name, enum time_text style)
{
    if (style == TIME_TEXT_FULL)
        put_cstr(w, name);
    else
        put_text(w, name, style == TIME_TEXT_SHORT ? 3 : 1);
}

static void put_quarter(struct writer *w, enum time_text style)
{
    static const char *const full[4] = {"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"};
    uint32_t index = (w->f->month - 1) / 3;
    if (style == TIME_TEXT_FULL) {
        put_cstr(w, full[index]);
        return;
    }
    if (style == TIME_TEXT_SHORT) *w->at++ = 'Q';
    *w->at++ = (char)('1' + index);
}

static void put_era(struct writer *w, enum time_text style)
{
    bool before = w->f->year <= 0;
    if (style == TIME_TEXT_FULL)
        put_cstr(w, before ? "Before Christ" : "Anno Domini");
    else
        put_text(w, before ? "BC" : "AD", style == TIME_TEXT_NARROW ? 1 : 2);
}

/* CLDR's English day periods. */
static void put_day_period(struct writer *w, enum time_text style)
{
    uint32_t hour = w->f->hour;
    bool exact = w->f->minute == 0;
    const char *name = "at night";
    if (hour == 0 && exact)
        name = style == TIME_TEXT_NARROW ? "mi" : "midnight";
    else if (hour == 12 && exact)
        name = style == TIME_TEXT_NARROW ? "n" : "noon";
    else if (hour >= 6 && hour < 12)
        name = "in the morning";
    else if (hour >= 12 && hour < 18)
        name = "in the afternoon";
    else if (hour >= 18 && hour < 21)
        name = "in the evening";
    put_cstr(w, name);
}

/* ---- weeks ---------------------------------------------------------------- */

static uint32_t iso_week(const struct fields *f, int32_t *weekyear)
{
    return civil_iso_week(f->days, weekyear);
}

/* The Sunday on or before January 1st: week 1 of the US has that day in it. */
static int64_t us_year_start(int64_t year)
{
    int64_t first = civil_days(year, 1, 1);
    return first - civil_weekday(first) % 7;
}

static uint32_t us_week(const struct fields *f, int32_t *weekyear)
{
    int64_t next = us_year_start((int64_t)f->year + 1);
    *weekyear = f->days >= next ? f->year + 1 : f->year;
    int64_t start = f->days >= next ? next : us_year_start(f->year);
    return (uint32_t)((f->days - start) / 7) + 1;
}

static uint32_t us_week_of_month(const struct fields *f)
{
    uint32_t first_weekday = civil_weekday(f->days - f->day + 1) % 7;
    return (f->day - 1 + first_weekday) / 7 + 1;
}

/* ---- zones ---------------------------------------------------------------- */

/* Hours always; minutes and seconds as asked. */
static void put_offset(struct writer *w, uint32_t flags)
{
    int32_t offset_s = w->f->offset_s;
    if (offset_s == 0 && (flags & TIME_OFFSET_Z)) {
        *w->at++ = 'Z';
        return;
    }
    uint32_t size = (uint32_t)(offset_s < 0 ? -offset_s : offset_s);
    uint32_t minutes = size / 60 % 60, seconds = size % 60;
    bool with_seconds = (flags & TIME_OFFSET_SECONDS) && seconds != 0;
    bool with_minutes = !(flags & TIME_OFFSET_SHORT) || minutes != 0;
    /* java.time shows no sign of an offset that rounds to zero as negative. */
    bool zero = size / 3600 == 0 && !(with_minutes && minutes != 0) && !with_seconds;
    *w->at++ = offset_s < 0 && !zero ? '-' : '+';
    put_number(w, size / 3600, 2);
    if (!with_minutes) return;
    if (flags & TIME_OFFSET_COLON) *w->at++ = ':';
    put_number(w, minutes, 2);
    if (!with_seconds) return;
    if (flags & TIME_OFFSET_COLON) *w->at++ = ':';
    put_number(w, seconds, 2);
}

/* GMT, GMT+8, GMT+5:30 or GMT+08:00. */
static void put_gmt(struct writer *w, bool full)
{
    int32_t offset_s = w->f->offset_s;
    uint32_t size = (uint32_t)(offset_s < 0 ? -offset_s : offset_s);
    put_text(w, "GMT", 3);
    if (offset_s == 0) return;
    *w->at++ = offset_s < 0 ? '-' : '+';
    put_number(w, size / 3600, full ? 2 : 1);
    if (!full && size % 3600 == 0) return;
    *w->at++ = ':';
    put_number(w, size / 60 % 60, 2);
    if (size % 60 == 0) return;
    *w->at++ = ':';
    put_number(w, size % 60, 2);
}

static void put_zone(struct writer *w, enum time_zone_text kind)
{
    const struct fields *f = w->f;
    bool utc = f->zone == tz_utc();
    switch (kind) {
    case TIME_ZONE_JODA_LONG:
        put_cstr(w, utc ? "Coordinated Universal Time" : tz_name(f->zone));
        break;
    case TIME_ZONE_JODA_ID: put_cstr(w, tz_name(f->zone)); break;
    case TIME_ZONE_JODA_SHORT: put_cstr(w, tz_abbreviation(f->zone, f->utc_s)); break;
    /* java.time formats with ZoneOffset.UTC, whose id and names are all "Z". */
    case TIME_ZONE_JAVA_ID: put_cstr(w, utc ? "Z" : tz_name(f->zone)); break;
    case TIME_ZONE_JAVA_NAME: put_cstr(w, utc ? "Z" : tz_abbreviation(f->zone, f->utc_s)); break;
    }
}

/* ---- fields --------------------------------------------------------------- */

static int64_t us_weekyear(const struct fields *f)
{
    int32_t weekyear;
    us_week(f, &weekyear);
    return weekyear;
}

static int64_t iso_weekyear(const struct fields *f)
{
    int32_t weekyear;
    iso_week(f, &weekyear);
    return weekyear;
}

static int64_t field_date(const struct fields *f, enum time_field field)
{
    int32_t unused;
    struct civil_date date = {f->year, (uint8_t)f->month, (uint8_t)f->day};
    switch (field) {
    case TIME_FIELD_YEAR: return f->year;
    case TIME_FIELD_YEAR_OF_ERA: return f->year > 0 ? f->year : 1 - (int64_t)f->year;
    case TIME_FIELD_CENTURY: return (f->year > 0 ? f->year : 1 - (int64_t)f->year) / 100;
    case TIME_FIELD_ISO_WEEKYEAR: return iso_weekyear(f);
    case TIME_FIELD_US_WEEKYEAR: return us_weekyear(f);
    case TIME_FIELD_ISO_WEEK: return iso_week(f, &unused);
    case TIME_FIELD_US_WEEK: return us_week(f, &unused);
    case TIME_FIELD_US_WEEK_OF_MONTH: return us_week_of_month(f);
    case TIME_FIELD_ALIGNED_WEEK_OF_MONTH: return (f->day - 1) / 7 + 1;
    case TIME_FIELD_MONTH: return f->month;
    case TIME_FIELD_QUARTER: return (f->month - 1) / 3 + 1;
    case TIME_FIELD_DAY: return f->day;
    case TIME_FIELD_DAY_OF_YEAR: return civil_day_of_year(date);
    case TIME_FIELD_ISO_WEEKDAY: return civil_weekday(f->days);
    case TIME_FIELD_US_WEEKDAY: return civil_weekday(f->days) % 7 + 1;
    /* Day 0 of the modified Julian calendar is 1858-11-17. */
    case TIME_FIELD_MODIFIED_JULIAN: return f->days + 40587;
    default: PANIC("not a date field");
    }
}

static int64_t field_value(const struct fields *f, enum time_field field)
{
    int64_t second_of_day = f->hour * 3600 + f->minute * 60 + f->second;
    switch (field) {
    case TIME_FIELD_HOUR: return f->hour;
    case TIME_FIELD_CLOCKHOUR: return f->hour == 0 ? 24 : f->hour;
    case TIME_FIELD_HALF_HOUR: return f->hour % 12;
    case TIME_FIELD_HALF_CLOCKHOUR: return f->hour % 12 == 0 ? 12 : f->hour % 12;
    case TIME_FIELD_MINUTE: return f->minute;
    case TIME_FIELD_SECOND: return f->second;
    case TIME_FIELD_NANO: return f->nanos;
    case TIME_FIELD_MILLI_OF_DAY: return second_of_day * 1000 + f->nanos / 1000000;
    case TIME_FIELD_NANO_OF_DAY: return second_of_day * NS_PER_SEC + f->nanos;
    default: return field_date(f, field);
    }
}

static void put_two_digits(struct writer *w, int64_t num)
{
    put_number(w, (num < 0 ? -num : num) % 100, 2);
}

static void op_run(struct writer *w, const struct time_op *op, const char *text)
{
    const struct fields *f = w->f;
    int64_t num;
    switch (op->kind) {
    case TIME_OP_LITERAL: put_text(w, text + op->at, op->width); break;
    case TIME_OP_NUMBER: put_number(w, field_value(f, op->arg), op->width); break;
    case TIME_OP_NUMBER_PLUS:
        num = field_value(f, op->arg);
        /* More digits than the pattern has letters: 4-digit years get a plus sign. */
        if (op->width == 4 && num > 9999) *w->at++ = '+';
        put_number(w, num, op->width);
        break;
    case TIME_OP_TWO_DIGITS: put_two_digits(w, field_value(f, op->arg)); break;
    case TIME_OP_FRACTION: put_fraction(w, f->nanos, op->width); break;
    case TIME_OP_MONTH: put_name(w, month_names[f->month - 1], op->arg); break;
    case TIME_OP_WEEKDAY: put_name(w, day_names[civil_weekday(f->days) - 1], op->arg); break;
    case TIME_OP_HALFDAY: put_text(w, f->hour < 12 ? "AM" : "PM", 2); break;
    case TIME_OP_ERA: put_era(w, op->arg); break;
    case TIME_OP_QUARTER: put_quarter(w, op->arg); break;
    case TIME_OP_DAY_PERIOD: put_day_period(w, op->arg); break;
    case TIME_OP_OFFSET: put_offset(w, op->arg); break;
    case TIME_OP_GMT: put_gmt(w, op->arg != 0); break;
    case TIME_OP_ZONE: put_zone(w, op->arg); break;
    }
}

/* Pushes what was written since `begin` to the right, to fill the width. */
static void put_padding(struct writer *w, char *begin, uint32_t width)
{
    uint32_t n = (uint32_t)(w->at - begin);
    if (n >= width) return;
    memmove(begin + (width - n), begin, n);
    memset(begin, ' ', width - n);
    w->at = begin + width;
}

static void fields_set(struct fields *f, int64_t ns, const struct tz *zone, enum time_syntax syntax)
{
    f->zone = zone;
    f->utc_s = civil_floor_div(ns, NS_PER_SEC);
    f->nanos = (uint32_t)((uint64_t)ns - (uint64_t)f->utc_s * (uint64_t)NS_PER_SEC);
    if (syntax == TIME_JODA) f->nanos -= f->nanos % NS_PER_MS;
    f->offset_s = zone == tz_utc() ? 0 : tz_offset(zone, f->utc_s, NULL);
    f->local_s = f->utc_s + f->offset_s;
    f->days = civil_floor_div(f->local_s, CIVIL_DAY_SEC);
    uint32_t second = (uint32_t)(f->local_s - f->days * CIVIL_DAY_SEC);
    struct civil_date date = civil_from_days(f->days);
    f->year = date.year;
    f->month = date.month;
    f->day = date.day;
    f->hour = second / 3600;
    f->minute = second / 60 % 60;
    f->second = second % 60;
}

uint32_t time_format_bytes_max(const struct time_format *format)
{
    return format->bytes_max;
}

int64_t time_format_step_ns(const struct time_format *format)
{
    return format->step_ns;
}

uint32_t time_format_write(const struct time_format *format, int64_t ns, const struct tz *zone,
                           char *out)
{
    struct fields f;
    fields_set(&f, ns, zone, format->syntax);
    struct writer w = {&f, out};
    for (uint32_t i = 0; i < format->n; i++) {
        char *begin = w.at;
        op_run(&w, &format->op[i], format->text);
        if (format->op[i].pad > 0) put_padding(&w, begin, format->op[i].pad);
    }
    DASSERT((uint32_t)(w.at - out) <= format->bytes_max);
    return (uint32_t)(w.at - out);
}

void time_format_add(const struct time_format *format, int64_t ns, const struct tz *zone,
                     struct buf *out)
{
    if (format->bytes_max == 0) return; /* an empty pattern; `out` may have no memory yet */
    buf_room(out, format->bytes_max);
    out->n += time_format_write(format, ns, zone, buf_end(out));
}

void time_format_add_utc(const struct time_format *format, int64_t ns, struct time_memo *last,
                         struct buf *out)
{
    last += format->id % TIME_MEMOS;
    uint64_t since_ns = (uint64_t)ns - (uint64_t)last->from_ns;
    if (last->id == format->id && since_ns < (uint64_t)format->step_ns) {
        buf_add(out, last->text, last->n);
        return;
    }
    size_t from = out->n;
    time_format_add(format, ns, tz_utc(), out);
    /* Not what nearly never repeats itself, nor the first step of all, which int64 cuts. */
    size_t n = out->n - from;
    if (format->step_ns < NS_PER_SEC || n == 0 || n > TIME_MEMO_BYTES ||
        ns < INT64_MIN + format->step_ns)
        return;
    last->id = format->id;
    last->from_ns = civil_floor_div(ns, format->step_ns) * format->step_ns;
    last->n = (uint32_t)n;
    memcpy(last->text, out->data + from, n);
}

void time_format_free(struct time_format *format)
{
    if (format == NULL) return;
    free(format->op);
    free(format->text);
    free(format);
}
