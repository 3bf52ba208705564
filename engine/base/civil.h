/*
 * civil.h - the proleptic Gregorian calendar on plain integers.
 *
 * Days are counted from 1970-01-01. Year 0 is 1 BC. Exact for every year an int32 holds.
 * Pure functions, any thread. Algorithms: Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms" (days_from_civil, civil_from_days); ISO 8601 weeks.
 */
#ifndef ENGINE_BASE_CIVIL_H
#define ENGINE_BASE_CIVIL_H
#include <stdbool.h>
#include <stdint.h>

#define CIVIL_DAY_SEC 86400

struct civil_date {
    int32_t year;
    uint8_t month, day; /* 1..12, 1..31 */
};

/* month 1..12; day may lie outside the month, it is simply added. */
int64_t civil_days(int64_t year, uint32_t month, int64_t day);
struct civil_date civil_from_days(int64_t days);
uint32_t civil_month_days(int64_t year, uint32_t month);
/* 1..366 */
uint32_t civil_day_of_year(struct civil_date date);
/* ISO 8601 week number 1..53 of a day and the year that week belongs to. */
uint32_t civil_iso_week(int64_t days, int32_t *weekyear);
/* The Monday of week 1 of an ISO week year. */
int64_t civil_iso_year_start(int64_t weekyear);

static inline bool civil_is_leap(int64_t year)
{
    return (year & 3) == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Monday is 1, Sunday 7. Day 0 was a Thursday. */
static inline uint32_t civil_weekday(int64_t days)
{
    int64_t from_monday = (days + 3) % 7;
    return (uint32_t)(from_monday < 0 ? from_monday + 8 : from_monday + 1);
}

/* Division that rounds to minus infinity; b > 0. */
static inline int64_t civil_floor_div(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}

#endif
