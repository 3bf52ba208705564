/*
 * tz_rule.h - the POSIX TZ string, the rule for times after the last transition of a TZif file.
 *
 * Pure values, any thread. Format: POSIX.1-2017 section 8.3 with the RFC 8536 section 3.3.1
 * extension (times of day from -167 to 167 hours).
 */
#ifndef ENGINE_BASE_TZ_RULE_H
#define ENGINE_BASE_TZ_RULE_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define TZ_ABBREVIATION_MAX 15u
/* RFC 8536 section 3.2: offsets stay within -25 h and +26 h, less a second. */
#define TZ_OFFSET_MIN_S (-89999)
#define TZ_OFFSET_MAX_S 93599

enum tz_day_kind { TZ_DAY_JULIAN, TZ_DAY_ZERO, TZ_DAY_WEEK }; /* Jn, n, Mm.w.d */

struct tz_day {
    enum tz_day_kind kind;
    uint16_t day; /* 1..365, 0..365, or the weekday 0..6 from Sunday */
    uint8_t month, week;
    int32_t time_s; /* on the wall clock */
};

struct tz_rule {
    bool present, has_dst;
    int32_t std_offset_s, dst_offset_s;
    struct tz_day dst_start, dst_end;
    char std_name[TZ_ABBREVIATION_MAX + 1], dst_name[TZ_ABBREVIATION_MAX + 1];
};

/* One stretch of time without a change. */
struct tz_range {
    int64_t from_s, until_s;
    int32_t offset_s;
    bool dst;
    const char *abbreviation;
};

/* The whole slice must be a rule. */
bool tz_rule_parse(slice text, struct tz_rule *rule);
struct tz_range tz_rule_range(const struct tz_rule *rule, int64_t utc_s);

#endif
