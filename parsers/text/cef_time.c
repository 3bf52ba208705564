/* cef_time.c - numbers, or month, day, perhaps a year, a clock and perhaps a zone. */
#include "parsers/text/cef_time.h"

#include "engine/base/civil.h"

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define TWO_DAYS_SEC (2 * CIVIL_DAY_SEC)

static bool is_digit(slice text, uint32_t at)
{
    return at < text.n && text.p[at] >= '0' && text.p[at] <= '9';
}

/* Exactly n digits, cut off the front. */
static bool digits(slice *text, uint32_t n, int64_t *out)
{
    int64_t value = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!is_digit(*text, i)) return false;
        value = value * 10 + (text->p[i] - '0');
    }
    *text = slice_from(*text, n);
    *out = value;
    return true;
}

static bool cut(slice *text, char c)
{
    if (text->n == 0 || text->p[0] != c) return false;
    *text = slice_from(*text, 1);
    return true;
}

static uint32_t digits_n(slice text)
{
    uint32_t n = 0;
    while (is_digit(text, n)) n++;
    return n;
}

/* [1-9][0-9]* with perhaps a fraction: milliseconds. */
static bool is_number(slice text)
{
    uint32_t n = digits_n(text);
    if (n == 0 || text.p[0] == '0') return false;
    if (n == text.n) return true;
    slice rest = slice_from(text, n);
    return cut(&rest, '.') && rest.n > 0 && digits_n(rest) == rest.n;
}

static bool number_read(slice text, int64_t *out_ns)
{
    uint32_t n = digits_n(text);
    int64_t ms = 0, fraction = 0;
    if (n > 13) return false;
    slice whole = slice_part(text, 0, n), rest = slice_from(text, n + 1);
    if (!digits(&whole, n, &ms)) return false;
    for (uint32_t i = 0; i < 6; i++) fraction = fraction * 10 + (i < rest.n ? rest.p[i] - '0' : 0);
    return !__builtin_mul_overflow(ms, NS_PER_MS, &ms) &&
           !__builtin_add_overflow(ms, fraction, out_ns);
}

/* Short names of zones that are spoken of in logs. */
static const struct tz *zone_find(slice text)
{
    static const struct {
        slice name, id;
    } names[] = {
        {{"EST", 3}, {"America/New_York", 16}},
        {{"EDT", 3}, {"America/New_York", 16}},
        {{"CST", 3}, {"America/Chicago", 15}},
        {{"CDT", 3}, {"America/Chicago", 15}},
        {{"MST", 3}, {"America/Denver", 14}},
        {{"MDT", 3}, {"America/Denver", 14}},
        {{"PST", 3}, {"America/Los_Angeles", 19}},
        {{"PDT", 3}, {"America/Los_Angeles", 19}},
        {{"CET", 3}, {"Europe/Paris", 12}},
        {{"CEST", 4}, {"Europe/Paris", 12}},
        {{"EET", 3}, {"Europe/Helsinki", 15}},
        {{"EEST", 4}, {"Europe/Helsinki", 15}},
        {{"BST", 3}, {"Europe/London", 13}},
        {{"MSK", 3}, {"Europe/Moscow", 13}},
        {{"IST", 3}, {"Asia/Kolkata", 12}},
        {{"JST", 3}, {"Asia/Tokyo", 10}},
        {{"Z", 1}, {"UTC", 3}},
    };
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(text, names[i].name)) return tz_find(names[i].id);
    return tz_find(text);
}

static int64_t local_to_utc(const struct tz *zone, int64_t local_s)
{
    return local_s - tz_local(zone, local_s, NULL).offset_s;
}

struct cef_date {
    int64_t year, month, day; /* year 0: none */
    int64_t clock_s, fraction_ns;
};

/* The day may be cut to the month's last one. */
static int64_t date_utc(const struct cef_date *d, int64_t year, const struct tz *zone)
{
    int64_t last = civil_month_days(year, (uint32_t)d->month);
    int64_t day = d->day < last ? d->day : last;
    int64_t days = civil_days(year, (uint32_t)d->month, day);
    return local_to_utc(zone, days * CIVIL_DAY_SEC + d->clock_s);
}

static int64_t date_recent(const struct cef_date *d, const struct tz *zone, int64_t now_s)
{
    int64_t local_s = now_s + tz_offset(zone, now_s, NULL);
    struct civil_date today = civil_from_days(civil_floor_div(local_s, CIVIL_DAY_SEC));
    int64_t utc = date_utc(d, today.year, zone);
    if (utc > now_s + TWO_DAYS_SEC) return date_utc(d, today.year - 1, zone);
    if (today.month != 12) return utc;
    int64_t next = date_utc(d, today.year + 1, zone);
    return next <= now_s + TWO_DAYS_SEC ? next : utc;
}

static bool date_read(slice *text, const struct date_word_set *months, struct cef_date *d)
{
    int32_t month;
    uint32_t n = date_word_match(months, *text, &month);
    if (n == 0) return false;
    *text = slice_from(*text, n);
    d->month = month;
    if (!cut(text, ' ') || !digits(text, 2, &d->day) || !cut(text, ' ')) return false;
    if (digits_n(*text) == 4 && (!digits(text, 4, &d->year) || !cut(text, ' '))) return false;
    return d->day >= 1 && d->day <= 31;
}

static bool clock_read(slice *text, struct cef_date *d)
{
    int64_t hour, minute, second;
    if (!digits(text, 2, &hour) || !cut(text, ':') || !digits(text, 2, &minute)) return false;
    if (!cut(text, ':') || !digits(text, 2, &second)) return false;
    if (hour > 23 || minute > 59 || second > 59) return false;
    d->clock_s = hour * 3600 + minute * 60 + second;
    if (!cut(text, '.')) return true;
    uint32_t n = digits_n(*text);
    if ((n != 3 && n != 6 && n != 9) || !digits(text, n, &d->fraction_ns)) return false;
    for (; n < 9; n++) d->fraction_ns *= 10;
    return true;
}

bool cef_time_parse(slice text, const struct date_word_set *months, const struct tz *zone,
                    int64_t now_ns, int64_t *out_ns)
{
    if (is_number(text)) return number_read(text, out_ns);
    struct cef_date d = {0};
    if (!date_read(&text, months, &d) || !clock_read(&text, &d)) return false;
    if (text.n > 0) {
        if (!cut(&text, ' ')) return false;
        zone = zone_find(text);
    }
    if (zone == NULL) return false;
    /* Without a year a day must be one that some year has. */
    if (d.year == 0 && d.day > (int64_t)civil_month_days(2000, (uint32_t)d.month)) return false;
    int64_t utc = d.year == 0 ? date_recent(&d, zone, civil_floor_div(now_ns, NS_PER_SEC))
                              : date_utc(&d, d.year, zone);
    return !__builtin_mul_overflow(utc, NS_PER_SEC, &utc) &&
           !__builtin_add_overflow(utc, d.fraction_ns, out_ns);
}
