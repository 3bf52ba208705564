/*
 * cron.h - cron lines: "0 6 * * mon-fri Europe/Paris", with seconds or without.
 *
 * The language is that of Ruby's fugit, which Logstash's schedulers read: five fields (minute,
 * hour, day, month, weekday), six with seconds in front, a time zone behind them. A field is a star
 * or a list of a, a-b, each with /n behind it for every n-th; months and weekdays have names; L and
 * -n count days from the end of the month; mon#2 and mon#-1 (or #L) are one weekday of a month;
 * hour 24 is 0 and weekday 7 is 0; a range may run over the end (fri-mon). With both a day and a
 * weekday, either will do, as in cron(5). @yearly, @annually, @monthly, @weekly, @daily, @midnight
 * and @hourly. Pure functions, any thread; the caller loads the zone.
 */
#ifndef PARSERS_TEXT_CRON_H
#define PARSERS_TEXT_CRON_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"
#include "engine/base/tz.h"

/* How far cron_next looks: leap days are at most eight years apart. */
#define CRON_DAYS_MAX (9 * 366)

/* A bit per value. */
struct cron {
    uint64_t seconds, minutes;
    uint32_t hours, months;
    uint32_t days;      /* of the month, from bit 1 */
    uint32_t days_back; /* bit 1: the last day of the month, bit 2: the one before ... */
    uint8_t weekdays;   /* bit 0: Sunday */
    uint16_t nth[7];    /* bit n: the n-th of its weekday; bit 8 + n: the n-th last */
    bool day_any, weekday_any;
    slice zone; /* as written; empty: none */
};

/* False: `*at` is the byte that cannot be. */
bool cron_parse(slice text, struct cron *out, uint32_t *at) MUST_USE;
/* The first second after `after_s` (of 1970, UTC) that the line names on the wall clock of the
 * zone. A time that the clock shows twice counts twice, one that it skips not at all. False when
 * there is none within CRON_DAYS_MAX. */
bool cron_next(const struct cron *cron, const struct tz *zone, int64_t after_s,
               int64_t *out) MUST_USE;

#endif
