/*
 * civil.c - see civil.h.
 *
 * The year starts in March, so that the leap day is its last; an era is 400 years or
 * 146097 days (Hinnant).
 */
#include "engine/base/civil.h"

#define ERA_DAYS 146097
/* Days from 0000-03-01 to 1970-01-01. */
#define EPOCH_SHIFT_DAYS 719468

int64_t civil_days(int64_t year, uint32_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = civil_floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_SHIFT_DAYS;
}

struct civil_date civil_from_days(int64_t days)
{
    days += EPOCH_SHIFT_DAYS;
    int64_t era = civil_floor_div(days, ERA_DAYS);
    uint32_t day_of_era = (uint32_t)(days - era * ERA_DAYS);
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month_from_march = (5 * day_of_year + 2) / 153;
    uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct civil_date){
        .year = (int32_t)(era * 400 + year_of_era + (month <= 2)),
        .month = (uint8_t)month,
        .day = (uint8_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
}

uint32_t civil_month_days(int64_t year, uint32_t month)
{
    static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && civil_is_leap(year) ? 29 : days[month];
}

uint32_t civil_day_of_year(struct civil_date date)
{
    static const uint16_t before[13] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    return before[date.month] + date.day + (date.month > 2 && civil_is_leap(date.year));
}

int64_t civil_iso_year_start(int64_t weekyear)
{
    /* January 4th is always in week 1. */
    int64_t fourth = civil_days(weekyear, 1, 4);
    return fourth - (civil_weekday(fourth) - 1);
}

uint32_t civil_iso_week(int64_t days, int32_t *weekyear)
{
    /* A week belongs to the year its Thursday is in. */
    int64_t thursday = days - civil_weekday(days) + 4;
    struct civil_date date = civil_from_days(thursday);
    *weekyear = date.year;
    return (civil_day_of_year(date) - 1) / 7 + 1;
}
