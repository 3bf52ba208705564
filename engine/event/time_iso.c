/*
 * time_iso.c - the text of an event's timestamp; see time_format.h.
 *
 * Events of one batch mostly share their second and nearly always their day, so both are
 * remembered: a repeat costs one copy and the fraction.
 */
#include <string.h>

#include "engine/base/civil.h"
#include "engine/base/clock.h"
#include "engine/event/time_format.h"

#define DAY_NS (CIVIL_DAY_SEC * NS_PER_SEC)

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static inline void put_pair(char *out, uint32_t num)
{
    memcpy(out, digit_pairs + 2 * num, 2);
}

static void cache_day(struct time_iso_cache *cache, int64_t ns)
{
    int64_t days = civil_floor_div(ns, DAY_NS);
    struct civil_date date = civil_from_days(days);
    char *text = cache->text;
    put_pair(text, (uint32_t)date.year / 100);
    put_pair(text + 2, (uint32_t)date.year % 100);
    text[4] = '-';
    put_pair(text + 5, date.month);
    text[7] = '-';
    put_pair(text + 8, date.day);
    text[10] = 'T';
    /* The first day of int64 begins before what int64 holds; it is simply not remembered. */
    cache->day_begin_ns = days * CIVIL_DAY_SEC < INT64_MIN / NS_PER_SEC ? INT64_MIN : days * DAY_NS;
}

static void cache_second(struct time_iso_cache *cache, int64_t ns)
{
    bool same_day = cache->valid && ns >= cache->day_begin_ns && cache->day_begin_ns != INT64_MIN &&
                    (uint64_t)ns - (uint64_t)cache->day_begin_ns < (uint64_t)DAY_NS;
    if (!same_day) cache_day(cache, ns);
    int64_t second_s = civil_floor_div(ns, NS_PER_SEC);
    uint32_t second =
        (uint32_t)(second_s - civil_floor_div(second_s, CIVIL_DAY_SEC) * CIVIL_DAY_SEC);
    char *text = cache->text;
    put_pair(text + 11, second / 3600);
    text[13] = ':';
    put_pair(text + 14, second / 60 % 60);
    text[16] = ':';
    put_pair(text + 17, second % 60);
    memcpy(text + 19, ".000Z", 5);
    /* The first second of int64 begins before what int64 holds: not remembered either. */
    cache->valid = second_s >= INT64_MIN / NS_PER_SEC;
    cache->second_begin_ns = (int64_t)((uint64_t)second_s * (uint64_t)NS_PER_SEC);
}

uint32_t time_iso_write(int64_t ns, struct time_iso_cache *cache, char out[TIME_ISO_BYTES_MAX])
{
    uint64_t nanos = (uint64_t)ns - (uint64_t)cache->second_begin_ns;
    bool same = nanos < (uint64_t)NS_PER_SEC && ns >= cache->second_begin_ns && cache->valid;
    if (__builtin_expect(!same, 0)) {
        cache_second(cache, ns);
        nanos = (uint64_t)ns - (uint64_t)cache->second_begin_ns;
    }
    memcpy(out, cache->text, 24);
    if (nanos == 0) return 24; /* syslog and access logs have whole seconds */
    uint32_t ms = (uint32_t)nanos / 1000000, rest = (uint32_t)nanos % 1000000;
    out[20] = (char)('0' + ms / 100);
    put_pair(out + 21, ms % 100);
    uint32_t n = 23;
    if (rest != 0) {
        uint32_t us = rest / 1000, ns_left = rest % 1000;
        out[23] = (char)('0' + us / 100);
        put_pair(out + 24, us % 100);
        n = 26;
        if (ns_left != 0) {
            out[26] = (char)('0' + ns_left / 100);
            put_pair(out + 27, ns_left % 100);
            n = 29;
        }
    }
    out[n] = 'Z';
    return n + 1;
}
