/*
 * tz_rule.c - see tz_rule.h.
 */
#include "engine/base/tz_rule.h"

#include "engine/base/civil.h"

struct reader {
    const char *at, *end;
};

static bool reader_take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static bool reader_number(struct reader *r, uint32_t max, uint32_t *out)
{
    const char *begin = r->at;
    uint32_t num = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - begin < 4)
        num = num * 10 + (uint32_t)(*r->at++ - '0');
    *out = num;
    return r->at > begin && num <= max;
}

static bool letter_is(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool reader_name(struct reader *r, char out[TZ_ABBREVIATION_MAX + 1])
{
    bool quoted = reader_take(r, '<');
    uint32_t n = 0;
    while (r->at < r->end && (quoted ? *r->at != '>' : letter_is(*r->at))) {
        if (n == TZ_ABBREVIATION_MAX) return false;
        out[n++] = *r->at++;
    }
    out[n] = 0;
    return n >= 3 && (!quoted || reader_take(r, '>')); /* POSIX wants three */
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool reader_time(struct reader *r, uint32_t hours_max, int32_t *out)
{
    bool negative = reader_take(r, '-');
    if (!negative) reader_take(r, '+');
    uint32_t hours, minutes = 0, seconds = 0;
    if (!reader_number(r, hours_max, &hours)) return false;
    if (reader_take(r, ':')) {
        if (!reader_number(r, 59, &minutes)) return false;
        if (reader_take(r, ':') && !reader_number(r, 59, &seconds)) return false;
    }
    int32_t total = (int32_t)(hours * 3600 + minutes * 60 + seconds);
    *out = negative ? -total : total;
    return true;
}

static bool reader_day(struct reader *r, struct tz_day *day)
{
    uint32_t a, b, c;
    day->time_s = 2 * 3600;
    if (reader_take(r, 'M')) {
        if (!reader_number(r, 12, &a) || a < 1 || !reader_take(r, '.')) return false;
        if (!reader_number(r, 5, &b) || b < 1 || !reader_take(r, '.')) return false;
        if (!reader_number(r, 6, &c)) return false;
        day->kind = TZ_DAY_WEEK;
        day->month = (uint8_t)a;
        day->week = (uint8_t)b;
        day->day = (uint16_t)c;
    } else {
        day->kind = reader_take(r, 'J') ? TZ_DAY_JULIAN : TZ_DAY_ZERO;
        if (!reader_number(r, 365, &a) || (day->kind == TZ_DAY_JULIAN && a < 1)) return false;
        day->day = (uint16_t)a;
    }
    return !reader_take(r, '/') || reader_time(r, 167, &day->time_s);
}

static bool reader_days(struct reader *r, struct tz_rule *rule)
{
    if (r->at == r->end) {
        /* POSIX leaves the days open; every implementation takes those of the US. */
        rule->dst_start = (struct tz_day){TZ_DAY_WEEK, 0, 3, 2, 7200};
        rule->dst_end = (struct tz_day){TZ_DAY_WEEK, 0, 11, 1, 7200};
        return true;
    }
    return reader_take(r, ',') && reader_day(r, &rule->dst_start) && reader_take(r, ',') &&
           reader_day(r, &rule->dst_end);
}

bool tz_rule_parse(slice text, struct tz_rule *rule)
{
    struct reader r = {text.p, text.p + text.n};
    int32_t west;
    *rule = (struct tz_rule){.present = true};
    if (!reader_name(&r, rule->std_name) || !reader_time(&r, 24, &west)) return false;
    rule->std_offset_s = -west;
    if (r.at == r.end) return true;

    rule->has_dst = true;
    rule->dst_offset_s = rule->std_offset_s + 3600;
    if (!reader_name(&r, rule->dst_name)) return false;
    if (r.at < r.end && *r.at != ',') {
        if (!reader_time(&r, 24, &west)) return false;
        rule->dst_offset_s = -west;
    }
    return reader_days(&r, rule) && r.at == r.end;
}

/* The wall clock reading at which the rule fires in a year. */
static int64_t day_local_s(const struct tz_day *day, int64_t year)
{
    int64_t days;
    if (day->kind == TZ_DAY_WEEK) {
        int64_t first = civil_days(year, day->month, 1);
        uint32_t first_weekday = civil_weekday(first) % 7; /* Sunday 0 */
        uint32_t index = (day->day + 7u - first_weekday) % 7 + (day->week - 1u) * 7;
        if (index >= civil_month_days(year, day->month)) index -= 7;
        days = first + index;
    } else if (day->kind == TZ_DAY_JULIAN) {
        days = civil_days(year, 1, day->day) + (day->day >= 60 && civil_is_leap(year));
    } else {
        days = civil_days(year, 1, 1) + day->day;
    }
    return days * CIVIL_DAY_SEC + day->time_s;
}

struct tz_range tz_rule_range(const struct tz_rule *rule, int64_t utc_s)
{
    struct tz_range range = {INT64_MIN, INT64_MAX, rule->std_offset_s, false, rule->std_name};
    if (!rule->has_dst) return range;
    /* The two changes of the years around, in order of time; the last one not after utc_s
     * holds. A change may fall outside its own year, by a week at most. */
    int64_t days = civil_floor_div(utc_s, CIVIL_DAY_SEC);
    int64_t year = civil_from_days(days).year;
    bool dst = false;
    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t start = day_local_s(&rule->dst_start, y) - rule->std_offset_s;
        int64_t end = day_local_s(&rule->dst_end, y) - rule->dst_offset_s;
        int64_t at[2] = {start < end ? start : end, start < end ? end : start};
        for (int i = 0; i < 2; i++) {
            if (at[i] <= utc_s) {
                range.from_s = at[i];
                dst = (i == 0) == (start < end);
            } else if (at[i] < range.until_s) {
                range.until_s = at[i];
            }
        }
    }
    range.dst = dst;
    range.offset_s = dst ? rule->dst_offset_s : rule->std_offset_s;
    range.abbreviation = dst ? rule->dst_name : rule->std_name;
    return range;
}
