/* csv_date.c - two shapes each: ISO 8601, and month name, day, year. */
#include "parsers/text/csv_date.h"

#include "engine/base/civil.h"
#include "engine/base/clock.h"

struct cursor {
    slice text;
    uint32_t at;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* min..max digits. */
static bool number_take(struct cursor *c, uint32_t min, uint32_t max, int64_t *out, uint32_t *n)
{
    uint32_t from = c->at;
    *out = 0;
    while (c->at < c->text.n && c->at - from < max && c->text.p[c->at] >= '0' &&
           c->text.p[c->at] <= '9')
        *out = *out * 10 + (c->text.p[c->at++] - '0');
    if (n != NULL) *n = c->at - from;
    return c->at - from >= min;
}

static void digits_skip(struct cursor *c)
{
    while (c->at < c->text.n && c->text.p[c->at] >= '0' && c->text.p[c->at] <= '9') c->at++;
}

static bool byte_take(struct cursor *c, char byte)
{
    if (c->at >= c->text.n || c->text.p[c->at] != byte) return false;
    c->at++;
    return true;
}

static bool blanks_take(struct cursor *c)
{
    uint32_t from = c->at;
    while (c->at < c->text.n && is_blank(c->text.p[c->at])) c->at++;
    return c->at > from;
}

static slice word_take(struct cursor *c)
{
    uint32_t from = c->at;
    while (c->at < c->text.n && is_word(c->text.p[c->at])) c->at++;
    return slice_part(c->text, from, c->at - from);
}

static uint32_t month_of(slice word)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (uint32_t i = 0; word.n >= 3 && i < 12; i++)
        if (slice_equal_nocase(slice_part(word, 0, 3), slice_make(names + i * 3, 3))) return i + 1;
    return 0;
}

static bool days_of(int64_t year, int64_t month, int64_t day, int64_t *days)
{
    if (month < 1 || month > 12 || day < 1) return false;
    if (day > (int64_t)civil_month_days(year, (uint32_t)month)) return false;
    *days = civil_days(year, (uint32_t)month, day);
    return true;
}

static bool iso_take(struct cursor *c, int64_t *days)
{
    int64_t year, month, day;
    return number_take(c, 4, 4, &year, NULL) && byte_take(c, '-') &&
           number_take(c, 2, 2, &month, NULL) && byte_take(c, '-') &&
           number_take(c, 2, 2, &day, NULL) && days_of(year, month, day, days);
}

/* "Tue, March 5" : an optional first word, the month, the day. */
static bool month_day_take(struct cursor *c, uint32_t *month, int64_t *day)
{
    slice word = word_take(c);
    if (word.n == 0) return false;
    bool comma = byte_take(c, ',');
    if (!blanks_take(c)) return false;
    struct cursor back = *c;
    if (!comma && number_take(c, 1, 2, day, NULL)) {
        *month = month_of(word);
        return *month > 0;
    }
    *c = back;
    *month = month_of(word_take(c));
    return *month > 0 && blanks_take(c) && number_take(c, 1, 2, day, NULL);
}

/* Two digits mean 1969 to 2068, as Date.parse completes them. */
static bool year_take(struct cursor *c, int64_t *year)
{
    uint32_t n;
    if (!number_take(c, 2, 4, year, &n)) return false;
    if (n == 2) *year += *year >= 69 ? 1900 : 2000;
    return true;
}

bool csv_date_parse(slice text, int64_t *days)
{
    struct cursor c = {text, 0};
    if (iso_take(&c, days)) return c.at == text.n;
    c.at = 0;
    uint32_t month;
    int64_t day, year;
    if (!month_day_take(&c, &month, &day)) return false;
    byte_take(&c, ',');
    return blanks_take(&c) && year_take(&c, &year) && c.at == text.n &&
           days_of(year, month, day, days);
}

/* hh:mm or hh:mm:ss.fraction as nanoseconds of the day. `seconds` says whether they are needed,
 * and then whether they are there. */
static bool clock_take(struct cursor *c, uint32_t digits_min, bool *seconds, int64_t *ns)
{
    bool seconds_needed = *seconds;
    int64_t hour, minute, second = 0, fraction = 0;
    if (!number_take(c, digits_min, 2, &hour, NULL) || !byte_take(c, ':') ||
        !number_take(c, digits_min, 2, &minute, NULL))
        return false;
    *seconds = byte_take(c, ':');
    if (*seconds) {
        uint32_t n = 0;
        if (!number_take(c, digits_min, 2, &second, NULL)) return false;
        if (!seconds_needed && byte_take(c, '.')) {
            if (!number_take(c, 1, 9, &fraction, &n)) return false;
            for (; n < 9; n++) fraction *= 10;
            digits_skip(c); /* finer than nanoseconds */
        }
    } else if (seconds_needed) {
        return false;
    }
    if (second == 60) second = 59; /* Ruby has no leap seconds */
    if (hour > 24 || minute > 59 || second > 59) return false;
    if (hour == 24 && (minute > 0 || second > 0 || fraction > 0)) return false;
    *ns = ((hour * 60 + minute) * 60 + second) * NS_PER_SEC + fraction;
    return true;
}

/* Nothing, Z or +hh:mm, as nanoseconds to subtract; only seconds have one. */
static bool offset_take(struct cursor *c, bool seconds, int64_t *ns)
{
    int64_t hours, minutes;
    *ns = 0;
    if (c->at == c->text.n) return true;
    if (!seconds) return false;
    if (byte_take(c, 'Z')) return c->at == c->text.n;
    char sign = c->text.p[c->at];
    if (sign != '+' && sign != '-') return false;
    c->at++;
    if (!number_take(c, 2, 2, &hours, NULL) || !byte_take(c, ':') ||
        !number_take(c, 2, 2, &minutes, NULL))
        return false;
    *ns = (hours * 60 + minutes) * 60 * NS_PER_SEC * (sign == '-' ? -1 : 1);
    return c->at == c->text.n;
}

static bool ns_of(int64_t days, int64_t clock_ns, int64_t offset_ns, int64_t *ns)
{
    int64_t whole;
    if (__builtin_mul_overflow(days, CIVIL_DAY_SEC * NS_PER_SEC, &whole)) return false;
    return !__builtin_add_overflow(whole, clock_ns - offset_ns, ns);
}

bool csv_date_time_parse(slice text, int64_t *ns)
{
    struct cursor c = {text, 0};
    int64_t days, clock_ns = 0, offset_ns = 0, day, year;
    bool seconds = false;
    if (iso_take(&c, &days)) {
        if (c.at == text.n) return ns_of(days, 0, 0, ns);
        if (!byte_take(&c, 'T') && !(c.at < text.n && is_blank(text.p[c.at]) && ++c.at > 0))
            return false;
        return clock_take(&c, 2, &seconds, &clock_ns) && offset_take(&c, seconds, &offset_ns) &&
               ns_of(days, clock_ns, offset_ns, ns);
    }
    c.at = 0;
    seconds = true;
    uint32_t month;
    if (!month_day_take(&c, &month, &day) || !blanks_take(&c) ||
        !clock_take(&c, 1, &seconds, &clock_ns))
        return false;
    byte_take(&c, ',');
    return blanks_take(&c) && year_take(&c, &year) && c.at == text.n &&
           days_of(year, month, day, &days) && ns_of(days, clock_ns, 0, ns);
}
