/*
 * date_fields.c - see date_fields.h.
 */
#include "parsers/text/date_fields.h"

#include "engine/base/civil.h"

/* A little less than what int64 milliseconds hold, so that an offset can still be added. */
#define YEAR_MIN (-290000000)
#define YEAR_MAX 290000000

#define BIT(field) (1u << (field))
#define YEAR_BITS                                                                                  \
    (BIT(DATE_ERA) | BIT(DATE_CENTURY) | BIT(DATE_YEAR) | BIT(DATE_YEAR_OF_ERA) |                  \
     BIT(DATE_WEEKYEAR))
#define DATE_BITS                                                                                  \
    (BIT(DATE_MONTH) | BIT(DATE_WEEK) | BIT(DATE_DAY_OF_YEAR) | BIT(DATE_DAY) | BIT(DATE_WEEKDAY))

#define HOUR_MS 3600000
#define HALFDAY_MS (12 * HOUR_MS)
#define MINUTE_MS 60000

struct moment {
    int64_t days;
    int32_t ms; /* of the day */
};

static bool within(int32_t value, int32_t min, int32_t max)
{
    return value >= min && value <= max;
}

/* Keeps the place in the year; February 29th and what follows it step over the leap day. */
static bool year_set(struct moment *m, int64_t year)
{
    if (year < YEAR_MIN || year > YEAR_MAX) return false;
    struct civil_date date = civil_from_days(m->days);
    uint32_t days = civil_month_days(year, date.month);
    m->days = civil_days(year, date.month, date.day < days ? date.day : days);
    return true;
}

static bool month_set(struct moment *m, int32_t month)
{
    struct civil_date date = civil_from_days(m->days);
    if (!within(month, 1, 12)) return false;
    uint32_t days = civil_month_days(date.year, (uint32_t)month);
    m->days = civil_days(date.year, (uint32_t)month, date.day < days ? date.day : days);
    return true;
}

static int32_t weeks_in_year(int64_t weekyear)
{
    return (int32_t)((civil_iso_year_start(weekyear + 1) - civil_iso_year_start(weekyear)) / 7);
}

/* Keeps week and weekday; a week 53 that the year lacks becomes its last. */
static bool weekyear_set(struct moment *m, int64_t weekyear)
{
    int32_t now;
    if (weekyear < YEAR_MIN || weekyear > YEAR_MAX) return false;
    int32_t week = (int32_t)civil_iso_week(m->days, &now);
    if (now == weekyear) return true;
    if (week > weeks_in_year(weekyear)) week = weeks_in_year(weekyear);
    m->days = civil_iso_year_start(weekyear) + (week - 1) * 7 + civil_weekday(m->days) - 1;
    return true;
}

static bool week_set(struct moment *m, int32_t week)
{
    int32_t weekyear;
    int32_t now = (int32_t)civil_iso_week(m->days, &weekyear);
    if (!within(week, 1, week > 52 ? weeks_in_year(weekyear) : 52)) return false;
    m->days += (week - now) * 7;
    return true;
}

static bool day_of_year_set(struct moment *m, int32_t day)
{
    struct civil_date date = civil_from_days(m->days);
    if (!within(day, 1, civil_is_leap(date.year) ? 366 : 365)) return false;
    m->days = civil_days(date.year, 1, day);
    return true;
}

static bool day_set(struct moment *m, int32_t day)
{
    struct civil_date date = civil_from_days(m->days);
    if (!within(day, 1, (int32_t)civil_month_days(date.year, date.month))) return false;
    m->days += day - date.day;
    return true;
}

static bool century_set(struct moment *m, int32_t century)
{
    return within(century, 0, YEAR_MAX / 100) &&
           year_set(m, (int64_t)century * 100 + civil_from_days(m->days).year % 100);
}

static bool date_set(struct moment *m, enum date_field field, int32_t value)
{
    switch (field) {
    /* Years before 1 are outside what nanoseconds since 1970 hold: BC never resolves. */
    case DATE_ERA: return value == 1;
    case DATE_CENTURY: return century_set(m, value);
    case DATE_YEAR: return year_set(m, value);
    case DATE_YEAR_OF_ERA: return value >= 0 && year_set(m, value);
    case DATE_WEEKYEAR: return weekyear_set(m, value);
    case DATE_MONTH: return month_set(m, value);
    case DATE_WEEK: return week_set(m, value);
    case DATE_DAY_OF_YEAR: return day_of_year_set(m, value);
    case DATE_DAY: return day_set(m, value);
    default:
        if (!within(value, 1, 7)) return false;
        m->days += value - (int32_t)civil_weekday(m->days);
        return true;
    }
}

/* Back to the first day of the unit. */
static void date_floor(struct moment *m, enum date_field field)
{
    struct civil_date date = civil_from_days(m->days);
    int32_t weekyear;
    m->ms = 0;
    switch (field) {
    case DATE_ERA: m->days = civil_days(1, 1, 1); break;
    case DATE_CENTURY: m->days = civil_days(civil_floor_div(date.year, 100) * 100, 1, 1); break;
    case DATE_YEAR:
    case DATE_YEAR_OF_ERA: m->days = civil_days(date.year, 1, 1); break;
    case DATE_WEEKYEAR:
        civil_iso_week(m->days, &weekyear);
        m->days = civil_iso_year_start(weekyear);
        break;
    case DATE_MONTH: m->days -= date.day - 1; break;
    case DATE_WEEK: m->days -= civil_weekday(m->days) - 1; break;
    default: break;
    }
}

/* Replaces the part of the day that is `unit` wide and repeats every `range`. */
static bool part_set(struct moment *m, int32_t unit, int32_t range, int32_t value)
{
    if (!within(value, 0, range / unit - 1)) return false;
    m->ms += (value - m->ms % range / unit) * unit;
    return true;
}

static bool time_set(struct moment *m, enum date_field field, int32_t value)
{
    switch (field) {
    case DATE_HALFDAY: return part_set(m, HALFDAY_MS, (int32_t)DATE_DAY_MS, value);
    case DATE_HOUR: return part_set(m, HOUR_MS, (int32_t)DATE_DAY_MS, value);
    case DATE_CLOCKHOUR:
        return value > 0 && part_set(m, HOUR_MS, (int32_t)DATE_DAY_MS, value == 24 ? 0 : value);
    case DATE_HALF_HOUR: return part_set(m, HOUR_MS, HALFDAY_MS, value);
    case DATE_HALF_CLOCKHOUR:
        return value > 0 && part_set(m, HOUR_MS, HALFDAY_MS, value == 12 ? 0 : value);
    case DATE_MINUTE: return part_set(m, MINUTE_MS, HOUR_MS, value);
    case DATE_MS_OF_HOUR: return part_set(m, 1, HOUR_MS, value);
    case DATE_SECOND: return part_set(m, 1000, MINUTE_MS, value);
    case DATE_MS_OF_MINUTE: return part_set(m, 1, MINUTE_MS, value);
    default: return part_set(m, 1, 1000, value);
    }
}

static void time_floor(struct moment *m, enum date_field field)
{
    static const int32_t unit[] = {
        [DATE_HALFDAY] = HALFDAY_MS,     [DATE_HOUR] = HOUR_MS,
        [DATE_CLOCKHOUR] = HOUR_MS,      [DATE_HALF_HOUR] = HOUR_MS,
        [DATE_HALF_CLOCKHOUR] = HOUR_MS, [DATE_MINUTE] = MINUTE_MS,
        [DATE_MS_OF_HOUR] = 1,           [DATE_SECOND] = 1000,
        [DATE_MS_OF_MINUTE] = 1,         [DATE_MS] = 1,
    };
    m->ms -= m->ms % unit[field];
}

static bool field_set(struct moment *m, enum date_field field, int32_t value, bool floor)
{
    bool date = field < DATE_HALFDAY;
    if (date ? !date_set(m, field, value) : !time_set(m, field, value)) return false;
    if (floor) (date ? date_floor : time_floor)(m, field);
    return true;
}

/* Fields of the same width keep the order of the text: the last one wins. */
static uint32_t field_rank(enum date_field field)
{
    switch (field) {
    case DATE_YEAR_OF_ERA:
    case DATE_WEEKYEAR: return DATE_YEAR;
    case DATE_CLOCKHOUR: return DATE_HOUR;
    case DATE_HALF_CLOCKHOUR: return DATE_HALF_HOUR;
    default: return field;
    }
}

static void fields_sort(struct date_fields *f)
{
    for (uint32_t i = 1; i < f->n; i++)
        for (uint32_t j = i; j > 0; j--) {
            if (field_rank(f->at[j - 1].field) <= field_rank(f->at[j].field)) break;
            __typeof__(f->at[0]) swap = f->at[j];
            f->at[j] = f->at[j - 1];
            f->at[j - 1] = swap;
        }
}

static bool resolve_any(struct date_fields *f, int64_t *local_ms)
{
    struct moment m = {0, 0};
    if (!(f->seen & YEAR_BITS) && (f->seen & DATE_BITS)) m.days = civil_days(2000, 1, 1);
    bool no_year = !(f->seen & YEAR_BITS) && (f->seen & DATE_BITS);
    fields_sort(f);
    for (uint32_t i = 0; i < f->n; i++)
        if (!field_set(&m, f->at[i].field, f->at[i].value, true)) return false;
    if (no_year && !year_set(&m, 2000)) return false;
    for (uint32_t i = 0; i < f->n; i++)
        if (!field_set(&m, f->at[i].field, f->at[i].value, i == f->n - 1)) return false;
    *local_ms = m.days * DATE_DAY_MS + m.ms;
    return true;
}

/* The usual fields, where the general rule comes down to plain arithmetic. */
#define HOUR_BITS                                                                                  \
    (BIT(DATE_HOUR) | BIT(DATE_CLOCKHOUR) | BIT(DATE_HALF_HOUR) | BIT(DATE_HALF_CLOCKHOUR))
#define SIMPLE_BITS                                                                                \
    (BIT(DATE_YEAR) | BIT(DATE_YEAR_OF_ERA) | BIT(DATE_MONTH) | BIT(DATE_DAY) |                    \
     BIT(DATE_WEEKDAY) | BIT(DATE_HALFDAY) | HOUR_BITS | BIT(DATE_MINUTE) | BIT(DATE_SECOND) |     \
     BIT(DATE_MS))

static bool one_bit(uint32_t bits)
{
    return (bits & (bits - 1)) == 0;
}

static bool is_simple(const struct date_fields *f)
{
    uint32_t years = f->seen & (BIT(DATE_YEAR) | BIT(DATE_YEAR_OF_ERA));
    uint32_t month_day = BIT(DATE_MONTH) | BIT(DATE_DAY);
    return !f->twice && (f->seen & ~SIMPLE_BITS) == 0 && one_bit(years) &&
           one_bit(f->seen & HOUR_BITS) &&
           (!(f->seen & BIT(DATE_WEEKDAY)) || (f->seen & month_day) == month_day);
}

static bool simple_days(const struct date_fields *f, const int32_t *value, int64_t *days)
{
    int32_t year = value[DATE_YEAR], month = value[DATE_MONTH], day = value[DATE_DAY];
    if (!within(year, f->seen & BIT(DATE_YEAR_OF_ERA) ? 0 : YEAR_MIN, YEAR_MAX)) return false;
    if (!within(month, 1, 12) || day < 1) return false;
    if (day > (int32_t)civil_month_days(year, (uint32_t)month)) return false;
    *days = civil_days(year, (uint32_t)month, day);
    if (f->seen & BIT(DATE_WEEKDAY)) {
        if (!within(value[DATE_WEEKDAY], 1, 7)) return false;
        *days += value[DATE_WEEKDAY] - (int32_t)civil_weekday(*days);
    }
    return true;
}

/* A half of the day counts only for hours of a half. */
static bool simple_hour(const struct date_fields *f, const int32_t *value, int32_t *hour)
{
    int32_t half = value[DATE_HALFDAY] * 12;
    switch (f->seen & HOUR_BITS) {
    case BIT(DATE_HOUR): *hour = value[DATE_HOUR]; return within(*hour, 0, 23);
    case BIT(DATE_CLOCKHOUR):
        *hour = value[DATE_CLOCKHOUR] % 24;
        return within(value[DATE_CLOCKHOUR], 1, 24);
    case BIT(DATE_HALF_HOUR):
        *hour = value[DATE_HALF_HOUR] + half;
        return within(value[DATE_HALF_HOUR], 0, 11);
    case BIT(DATE_HALF_CLOCKHOUR):
        *hour = value[DATE_HALF_CLOCKHOUR] % 12 + half;
        return within(value[DATE_HALF_CLOCKHOUR], 1, 12);
    default: *hour = half; return true;
    }
}

bool date_fields_resolve(struct date_fields *f, int64_t *local_ms)
{
    if (!is_simple(f)) return resolve_any(f, local_ms);
    int32_t value[DATE_MS + 1] = {[DATE_MONTH] = 1, [DATE_DAY] = 1};
    int32_t hour;
    int64_t days;
    value[DATE_YEAR] = f->seen & DATE_BITS ? 2000 : 1970;
    for (uint32_t i = 0; i < f->n; i++) value[f->at[i].field] = f->at[i].value;
    if (f->seen & BIT(DATE_YEAR_OF_ERA)) value[DATE_YEAR] = value[DATE_YEAR_OF_ERA];
    if (!simple_days(f, value, &days) || !simple_hour(f, value, &hour)) return false;
    if (!within(value[DATE_MINUTE], 0, 59) || !within(value[DATE_SECOND], 0, 59)) return false;
    *local_ms = days * DATE_DAY_MS + hour * HOUR_MS + value[DATE_MINUTE] * MINUTE_MS +
                value[DATE_SECOND] * 1000 + value[DATE_MS];
    return true;
}
