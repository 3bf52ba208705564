/* date_parse_test.c - texts to instants: every letter, every trap, memory against no memory. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/civil.h"
#include "engine/base/clock.h"
#include "engine/base/prng.h"
#include "engine/event/time_format.h"
#include "parsers/text/date_parse.h"

/* 2024-06-15T12:00:00Z */
#define JUNE_NS (INT64_C(1718452800) * NS_PER_SEC)

static struct date_format *format_of(const char *pattern, const char *locale)
{
    struct date_format_error error;
    struct date_format *format =
        date_format_new(slice_from_cstr(pattern), slice_from_cstr(locale), JUNE_NS, &error);
    if (format == NULL) fail_msg("%s: %u: %s", pattern, error.at, error.expected);
    return format;
}

/* The text in memory of its own, so that a read behind its end is seen. */
static bool parse(const struct date_format *format, struct date_state *state, slice text,
                  const struct tz *zone, int64_t now_ns, int64_t *ns)
{
    char *copy = malloc(text.n + 1u);
    if (text.n > 0) memcpy(copy, text.p, text.n);
    char *end = realloc(copy, text.n > 0 ? text.n : 1);
    bool ok = date_parse(format, state, slice_make(end, text.n), zone, now_ns, ns);
    free(end);
    return ok;
}

struct row {
    const char *pattern, *locale, *zone, *text, *want; /* want NULL: does not parse */
};

static void check_at(const struct row *row, int64_t now_ns)
{
    struct date_format *format = format_of(row->pattern, row->locale);
    const struct tz *zone = tz_load(slice_from_cstr(row->zone));
    struct date_state state = {0};
    struct time_iso_cache cache = {0};
    char got[TIME_ISO_BYTES_MAX + 1];
    /* The second time the text may be remembered. */
    for (int round = 0; round < 2; round++) {
        int64_t ns;
        bool ok = parse(format, &state, slice_from_cstr(row->text), zone, now_ns, &ns);
        if (ok) got[time_iso_write(ns, &cache, got)] = 0;
        if (ok != (row->want != NULL) || (ok && strcmp(got, row->want) != 0))
            fail_msg("[%s] [%s] round %d: got %s want %s", row->pattern, row->text, round,
                     ok ? got : "failure", row->want == NULL ? "failure" : row->want);
    }
    date_format_free(format);
}

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) check_at(&rows[i], JUNE_NS);
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"yyyy-MM-dd HH:mm:ss,SSS", "", "UTC", "2024-03-05 06:07:08,9", "2024-03-05T06:07:08.900Z"},
        {"yyyy-MM-dd HH:mm:ss,SSS", "", "UTC", "2024-03-05 06:07:08,987",
         "2024-03-05T06:07:08.987Z"},
        {"yyyy-MM-dd HH:mm:ss,SSS", "", "UTC", "2024-03-05 06:07:08,9876", NULL},
        {"yyyy-MM-dd'T'HH:mm:ss.SSSSSS", "", "UTC", "2024-03-05T06:07:08.123456",
         "2024-03-05T06:07:08.123Z"},
        {"EEE MMM dd HH:mm:ss yyyy", "", "UTC", "Tue Mar 05 06:07:08 2024",
         "2024-03-05T06:07:08.000Z"},
        {"EEEE, d MMMM yyyy", "", "UTC", "Tuesday, 5 March 2024", "2024-03-05T00:00:00.000Z"},
        {"EEE dd MMM yyyy", "", "UTC", "Wed 05 Mar 2024", "2024-03-06T00:00:00.000Z"},
        {"EEE MMM yyyy", "", "UTC", "Mon May 2024", "2024-05-27T00:00:00.000Z"},
        {"dd/MMM/yyyy:HH:mm:ss Z", "", "UTC", "05/Mar/2024:06:07:08 +0100",
         "2024-03-05T05:07:08.000Z"},
        {"yyyy-MM-dd HH:mm:ss Z", "", "UTC", "2024-03-05 06:07:08 +05:30",
         "2024-03-05T00:37:08.000Z"},
        {"yyyy-MM-dd HH:mm:ss ZZ", "", "UTC", "2024-03-05 06:07:08 Z", "2024-03-05T06:07:08.000Z"},
        {"yyyy-MM-dd HH:mm:ss Z", "", "UTC", "2024-03-05 06:07:08 +5", NULL},
        {"yyyy-MM-dd HH:mm:ss Z", "", "UTC", "2024-03-05 06:07:08 UTC", NULL},
        {"yyyy-MM-dd HH:mm:ss ZZZ", "", "UTC", "2024-07-05 06:07:08 America/New_York",
         "2024-07-05T10:07:08.000Z"},
        {"yyyy-MM-dd HH:mm:ss ZZZ", "", "UTC", "2024-07-05 06:07:08 Mars/Base", NULL},
        {"EEE MMM dd HH:mm:ss z yyyy", "", "UTC", "Tue Mar 05 06:07:08 PST 2024",
         "2024-03-05T14:07:08.000Z"},
        {"EEE MMM dd HH:mm:ss z yyyy", "", "Europe/Berlin", "Tue Mar 05 06:07:08 UTC 2024",
         "2024-03-05T06:07:08.000Z"},
        {"yyyy-MM-dd HH:mm:ss z", "", "UTC", "2024-03-05 06:07:08 CEST", NULL},
        {"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "", "Europe/Berlin", "2024-03-05T06:07:08.123Z",
         "2024-03-05T05:07:08.123Z"},
        {"MM/dd/yyyy hh:mm:ss aa", "", "UTC", "03/05/2024 12:07:08 AM", "2024-03-05T00:07:08.000Z"},
        {"MM/dd/yyyy hh:mm:ss aa", "", "UTC", "03/05/2024 12:07:08 pm", "2024-03-05T12:07:08.000Z"},
        {"MM/dd/yyyy hh:mm:ss a", "", "UTC", "03/05/2024 13:07:08 AM", NULL},
        {"MM/dd/yyyy hh:mm:ss a", "", "UTC", "03/05/2024 11:07:08 Am", NULL},
        {"yyyy-MM-dd KK:mm a", "", "UTC", "2024-03-05 00:30 PM", "2024-03-05T12:30:00.000Z"},
        {"yyyy-MM-dd kk:mm", "", "UTC", "2024-03-05 24:30", "2024-03-05T00:30:00.000Z"},
        {"yyyy-MM-dd HH:mm", "", "UTC", "2024-03-05 24:00", NULL},
        {"yyyy-MM-dd HH:mm:ss", "", "UTC", "2024-03-05 23:59:60", NULL},
        {"dd/MM/yyyy", "", "UTC", "5/3/2024", "2024-03-05T00:00:00.000Z"},
        {"d/M/yyyy", "", "UTC", "05/03/2024", "2024-03-05T00:00:00.000Z"},
        {"d/M/yyyy", "", "UTC", "005/03/2024", NULL},
        {"ddd/M/yyyy", "", "UTC", "005/3/2024", "2024-03-05T00:00:00.000Z"},
        {"yyyyMMddHHmmss", "", "UTC", "20240305060708", "2024-03-05T06:07:08.000Z"},
        {"yyyy-MM-dd", "", "UTC", "2024-02-29", "2024-02-29T00:00:00.000Z"},
        {"yyyy-MM-dd", "", "UTC", "2023-02-29", NULL},
        {"yyyy-MM-dd", "", "UTC", "2024-13-01", NULL},
        {"yyyy-MM-dd", "", "UTC", "2024-00-01", NULL},
        {"yyyy-MM-dd", "", "UTC", "24-03-05", NULL}, /* the year 24 leaves int64 nanoseconds */
        {"yyyy-MM-dd", "", "UTC", "9999-12-31", NULL},
        {"yyyy-MM-dd", "", "UTC", "0001-01-01", NULL},
        {"yyyy-MM-dd", "", "UTC", "1677-09-22", "1677-09-22T00:00:00.000Z"},
        {"yyyy-MM-dd", "", "UTC", "2262-04-11", "2262-04-11T00:00:00.000Z"},
        {"yyyy-MM-dd", "", "UTC", "1969-12-31", "1969-12-31T00:00:00.000Z"},
        {"yyyy-MM", "", "UTC", "2024-03", "2024-03-01T00:00:00.000Z"},
        {"yyyy", "", "UTC", "2024", "2024-01-01T00:00:00.000Z"},
        {"YYYY-DDD", "", "UTC", "2024-065", "2024-03-05T00:00:00.000Z"},
        {"YYYY-DDD", "", "UTC", "2023-366", NULL},
        {"xxxx-'W'ww-e y", "", "UTC", "2024-W10-2 2024", "2024-03-05T00:00:00.000Z"},
        {"yy/MM/dd", "", "UTC", "24/03/05", "2024-03-05T00:00:00.000Z"},
        {"yy/MM/dd", "", "UTC", "44/03/05", "1944-03-05T00:00:00.000Z"},
        {"yy/MM/dd", "", "UTC", "43/03/05", "2043-03-05T00:00:00.000Z"},
        {"yy/MM/dd", "", "UTC", "2024/03/05", "2024-03-05T00:00:00.000Z"},
        {"yyMMdd", "", "UTC", "240305", "2024-03-05T00:00:00.000Z"},
        {"yyMMdd", "", "UTC", "2403055", NULL},
        {"CCyy G", "", "UTC", "2024 AD", "2024-01-01T00:00:00.000Z"},
        {"dd MMM yyyy", "", "UTC", "05 MAR 2024", "2024-03-05T00:00:00.000Z"},
        {"dd MMM yyyy", "", "UTC", "05 mar 2024", "2024-03-05T00:00:00.000Z"},
        {"dd MMM yyyy", "", "UTC", "05 mAR 2024", NULL},
        {"dd MMM yyyy", "", "UTC", "05 March 2024", "2024-03-05T00:00:00.000Z"},
        {"dd 'OF' MMM yyyy", "", "UTC", "05 of Mar 2024", "2024-03-05T00:00:00.000Z"},
        {"yyyy-MM-dd", "", "UTC", "2024-03-05 ", NULL},
        {"yyyy-MM-dd", "", "UTC", "garbage", NULL},
        {"yyyy-MM-dd", "", "UTC", "", NULL},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_locales(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"dd. MMMM yyyy", "de", "UTC", "05. März 2024", "2024-03-05T00:00:00.000Z"},
        {"dd. MMMM yyyy", "de", "UTC", "05. MÄRZ 2024", "2024-03-05T00:00:00.000Z"},
        {"dd. MMMM yyyy", "de-AT", "UTC", "05. Jänner 2024", "2024-01-05T00:00:00.000Z"},
        {"dd. MMMM yyyy", "de_CH", "UTC", "05. Januar 2024", "2024-01-05T00:00:00.000Z"},
        {"d MMMM yyyy", "fr", "UTC", "1 août 2022", "2022-08-01T00:00:00.000Z"},
        {"d MMMM yyyy", "fr-FR", "UTC", "14 juillet 2023", "2023-07-14T00:00:00.000Z"},
        {"d 'de' MMMM yyyy", "es", "UTC", "5 de marzo 2024", "2024-03-05T00:00:00.000Z"},
        {"dd MMM yyyy", "en-US", "UTC", "05 Mar 2024", "2024-03-05T00:00:00.000Z"},
        {"dd MMM yyyy", "en-GB", "UTC", "05 Sept 2024", "2024-09-05T00:00:00.000Z"},
        {"dd MMM yyyy", "xx", "UTC", "05 Mar 2024", "2024-03-05T00:00:00.000Z"},
        {"d MMMM yyyy", "ru", "UTC", "5 марта 2024", "2024-03-05T00:00:00.000Z"},
        {"d MMMM yyyy", "ru", "UTC", "5 МАРТА 2024", "2024-03-05T00:00:00.000Z"},
        {"d MMMM yyyy", "tr", "UTC", "5 kasım 2024", "2024-11-05T00:00:00.000Z"},
        {"d MMMM yyyy", "tr", "UTC", "5 HAZİRAN 2024", "2024-06-05T00:00:00.000Z"},
        {"d MMMM yyyy", "pl", "UTC", "5 października 2024", "2024-10-05T00:00:00.000Z"},
        {"yyyy MMM d", "ja", "UTC", "2024 3月 5", "2024-03-05T00:00:00.000Z"},
        {"dd. MMMM yyyy", "de", "UTC", "05. March 2024", NULL},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_iso8601(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"2024-03-05T06:07:08Z", "2024-03-05T06:07:08.000Z"},
        {"2024-03-05t06:07:08z", "2024-03-05T06:07:08.000Z"},
        {"2024-03-05T06:07:08.123Z", "2024-03-05T06:07:08.123Z"},
        {"2024-03-05T06:07:08,456Z", "2024-03-05T06:07:08.456Z"},
        {"2024-03-05T06:07:08.123456789Z", "2024-03-05T06:07:08.123Z"},
        {"2024-03-05T06:07:08.1234567891Z", NULL},
        {"2024-03-05T06:07:08.Z", NULL},
        {"2024-03-05T06:07:08+02:00", "2024-03-05T04:07:08.000Z"},
        {"2024-03-05T06:07:08-0300", "2024-03-05T09:07:08.000Z"},
        {"2024-03-05T06:07:08+02", "2024-03-05T04:07:08.000Z"},
        {"2024-03-05T06:07:08+24:00", NULL},
        {"2024-03-05 06:07:08", NULL},
        {"2024-03-05 06:07:08.1", "2024-03-05T06:07:08.100Z"},
        {"2024-03-05 06:07:08,456", "2024-03-05T06:07:08.456Z"},
        {"2024-03-05 06:07:08,456+0100", "2024-03-05T05:07:08.456Z"},
        {"2024-03-05 06:07:08.4567", NULL},
        {"2024-03-05 06:07:08Z", NULL},
        {"2024-03-05T06:07", "2024-03-05T06:07:00.000Z"},
        {"2024-03-05T06", "2024-03-05T06:00:00.000Z"},
        {"2024-03-05T06.5", "2024-03-05T06:30:00.000Z"},
        {"2024-03-05T06:07,5", "2024-03-05T06:07:30.000Z"},
        {"2024-03-05T", "2024-03-05T00:00:00.000Z"},
        {"2024-03-05T+01:00", "2024-03-04T23:00:00.000Z"},
        {"T06:07:08", "1970-01-01T06:07:08.000Z"},
        {"2024-03-05", "2024-03-05T00:00:00.000Z"},
        {"2024-3-5", "2024-03-05T00:00:00.000Z"},
        {"2024-03", "2024-03-01T00:00:00.000Z"},
        {"2024", "2024-01-01T00:00:00.000Z"},
        {"2024-W10-2", "2024-03-05T00:00:00.000Z"},
        {"2024-W10", "2024-03-04T00:00:00.000Z"},
        {"2020-W53-5T01:00Z", "2021-01-01T01:00:00.000Z"},
        {"2021-W53", NULL},
        {"2024-065", "2024-03-05T00:00:00.000Z"},
        {"2024-366", "2024-12-31T00:00:00.000Z"},
        {"2024-02-30", NULL},
        {"20240305", NULL},
        {"2024-03-05T24:00:00", NULL},
        {"2024-03-05X", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_at(&(struct row){"ISO8601", "", "UTC", rows[i].text, rows[i].want}, JUNE_NS);
    static const struct row zoned[] = {
        {"ISO8601", "", "Europe/Berlin", "2024-07-05T06:07:08", "2024-07-05T04:07:08.000Z"},
        {"ISO8601", "", "Europe/Berlin", "2024-03-31T02:30:00", NULL},
        {"ISO8601", "", "Europe/Berlin", "2024-03-31T02:30:00Z", "2024-03-31T02:30:00.000Z"}};
    check_rows(zoned, ARRAY_LEN(zoned));
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text, *want;
    } rows[] = {
        {"UNIX", "1709618828", "2024-03-05T06:07:08.000Z"},
        {"UNIX", "1709618828.25", "2024-03-05T06:07:08.250Z"},
        {"UNIX", "1709618828.123999", "2024-03-05T06:07:08.123Z"},
        {"UNIX", "1709618828.123junk", "2024-03-05T06:07:08.123Z"},
        {"UNIX", "+5", "1970-01-01T00:00:05.000Z"},
        {"UNIX", "-1.5", "1969-12-31T23:59:59.500Z"},
        {"UNIX", "2147483647", "2038-01-19T03:14:07.000Z"},
        {"UNIX", "2147483648", NULL},
        {"UNIX", "1709618828.", NULL},
        {"UNIX", ".5", NULL},
        {"UNIX", "1709618828 ", NULL},
        {"UNIX", "", NULL},
        {"UNIX", "99999999999999999999", NULL},
        {"UNIX", "-9223372036854775808", NULL},
        {"UNIX_MS", "1709618828123", "2024-03-05T06:07:08.123Z"},
        {"UNIX_MS", "0", "1970-01-01T00:00:00.000Z"},
        {"UNIX_MS", "-1", "1969-12-31T23:59:59.999Z"},
        {"UNIX_MS", "9223372036854", "2262-04-11T23:47:16.854Z"},
        {"UNIX_MS", "9223372036855", NULL},
        {"UNIX_MS", "1.5", NULL},
        {"TAI64N", "@4000000065e6b7c41dcd6500", "2024-03-05T06:12:10.500Z"},
        {"TAI64N", "4000000065E6B7C41DCD6500", "2024-03-05T06:12:10.500Z"},
        {"TAI64N", "@4000000065e6b7c41dcd6500 tail", "2024-03-05T06:12:10.500Z"},
        {"TAI64N", "@4000000065e6b7c41dcd650", NULL},
        {"TAI64N", "@4000000065e6b7c4ffffffff", NULL},
        {"TAI64N", "@8000000065e6b7c41dcd6500", NULL},
        {"TAI64N", "@40000000g5e6b7c41dcd6500", NULL},
        {"TAI64N", "", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_at(&(struct row){rows[i].pattern, "", "UTC", rows[i].text, rows[i].want}, JUNE_NS);

    struct date_format *seconds = format_of("UNIX", ""), *ms = format_of("UNIX_MS", "");
    struct date_format *iso = format_of("ISO8601", "");
    int64_t ns;
    assert_true(date_parse_float(seconds, 1709618828.25, &ns));
    assert_int_equal(ns, INT64_C(1709618828250) * NS_PER_MS);
    assert_true(date_parse_int(seconds, INT32_MAX, &ns));
    assert_false(date_parse_int(seconds, INT64_C(2147483648), &ns));
    assert_false(date_parse_int(seconds, INT64_MIN, &ns));
    assert_true(date_parse_int(ms, -1, &ns));
    assert_int_equal(ns, -NS_PER_MS);
    assert_false(date_parse_int(ms, INT64_MAX, &ns));
    assert_true(date_parse_float(ms, 1.9, &ns));
    assert_int_equal(ns, NS_PER_MS);
    assert_false(date_parse_float(seconds, 1e300, &ns));
    assert_false(date_parse_float(seconds, -1e300, &ns));
    assert_true(date_parse_float(seconds, __builtin_nan(""), &ns));
    assert_int_equal(ns, 0);
    assert_false(date_parse_int(iso, 1, &ns));
    assert_false(date_parse_float(iso, 1, &ns));
    date_format_free(seconds);
    date_format_free(ms);
    date_format_free(iso);
}

static void test_dst(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"yyyy-MM-dd HH:mm:ss", "", "America/New_York", "2024-07-05 06:07:08",
         "2024-07-05T10:07:08.000Z"},
        {"yyyy-MM-dd HH:mm:ss", "", "Europe/Berlin", "2024-03-31 01:59:59",
         "2024-03-31T00:59:59.000Z"},
        {"yyyy-MM-dd HH:mm:ss", "", "Europe/Berlin", "2024-03-31 02:30:00", NULL},
        {"yyyy-MM-dd HH:mm:ss", "", "Europe/Berlin", "2024-03-31 03:00:00",
         "2024-03-31T01:00:00.000Z"},
        {"yyyy-MM-dd HH:mm:ss", "", "Europe/Berlin", "2024-10-27 02:30:00",
         "2024-10-27T00:30:00.000Z"},
        {"yyyy-MM-dd HH:mm:ss", "", "Europe/Berlin", "2024-10-27 03:00:00",
         "2024-10-27T02:00:00.000Z"},
        /* Without a year the gap of 2000 counts (March 26th), that of this year does not. */
        {"MMM dd HH:mm:ss", "", "Europe/Berlin", "Mar 31 02:30:00", "2024-03-31T01:30:00.000Z"},
        {"MMM dd HH:mm:ss", "", "Europe/Berlin", "Mar 26 02:30:00", NULL},
        {"MMM dd HH:mm:ss", "", "Australia/Lord_Howe", "Oct 06 02:15:00",
         "2024-10-05T15:45:00.000Z"},
        {"MMM dd HH:mm:ss", "", "America/New_York", "Mar 10 02:30:00", "2024-03-10T07:30:00.000Z"},
        {"MMM dd HH:mm:ss", "", "Europe/Berlin", "Jul 10 02:30:00", "2024-07-10T00:30:00.000Z"},
        {"MMM d HH:mm:ss Z", "", "UTC", "Jul 10 02:30:00 +0200", "2024-07-10T00:30:00.000Z"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_guessed_year(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    static const struct {
        const char *now, *text, *want;
    } rows[] = {
        {"2024-06-15T12:00:00Z", "Jun 15 06:07:08", "2024-06-15T06:07:08.000Z"},
        {"2024-06-15T12:00:00Z", "Dec 31 06:07:08", "2024-12-31T06:07:08.000Z"},
        {"2024-01-01T00:00:01Z", "Dec 31 23:59:59", "2023-12-31T23:59:59.000Z"},
        {"2024-01-31T00:00:01Z", "Jan  1 00:00:00", "2024-01-01T00:00:00.000Z"},
        {"2023-12-31T23:59:59Z", "Jan  1 00:00:00", "2024-01-01T00:00:00.000Z"},
        {"2023-12-31T23:59:59Z", "Nov  1 00:00:00", "2023-11-01T00:00:00.000Z"},
        {"2023-06-01T00:00:00Z", "Feb 29 01:00:00", "2023-02-28T01:00:00.000Z"},
        {"2024-06-01T00:00:00Z", "Feb 29 01:00:00", "2024-02-29T01:00:00.000Z"},
        {"2023-06-01T00:00:00Z", "Feb 30 01:00:00", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t now_ns;
        assert_true(iso8601_lenient_parse(slice_from_cstr(rows[i].now), tz_utc(), NULL, &now_ns));
        const char *pattern = rows[i].text[4] == ' ' ? "MMM  d HH:mm:ss" : "MMM dd HH:mm:ss";
        check_at(&(struct row){pattern, "", "UTC", rows[i].text, rows[i].want}, now_ns);
    }
    /* A remembered day must not outlive the month in which it was guessed. */
    struct date_format *format = format_of("MMM dd HH:mm:ss", "");
    struct date_state memory = {0};
    int64_t ns, december_ns = INT64_C(1703980800) * NS_PER_SEC; /* 2023-12-31 */
    slice text = SLICE("Jan 01 00:00:00");
    assert_true(parse(format, &memory, text, tz_utc(), december_ns, &ns));
    assert_int_equal(ns / NS_PER_SEC, 1704067200);
    assert_true(
        parse(format, &memory, text, tz_utc(), december_ns + 400 * 86400 * NS_PER_SEC, &ns));
    assert_int_equal(ns / NS_PER_SEC, 1735689600);
    date_format_free(format);
    unsetenv("TZ");
}

static const char *const memory_patterns[] = {"dd/MMM/yyyy:HH:mm:ss Z",
                                              "ISO8601",
                                              "MMM dd HH:mm:ss",
                                              "MMM  d HH:mm:ss",
                                              "yyyy-MM-dd HH:mm:ss",
                                              "yyyy-MM-dd HH:mm:ss,SSS",
                                              "EEE MMM dd HH:mm:ss yyyy",
                                              "HH:mm:ss.SSSSSS",
                                              "yyyy-MM-dd'T'HH:mm:ss.SSSZZ",
                                              "d.M.yyyy HH:mm:ss ZZZ",
                                              "yyyy/MM/dd-HH.mm.ss yy",
                                              "MM/dd/yyyy hh:mm:ss aa"};

static void mutate(struct prng *r, struct buf *text)
{
    static const char bytes[] = "0123456789:-+Z. ,T/aAJ\xc3";
    for (uint64_t k = prng_below(r, 3); k > 0 && text->n > 0; k--) {
        size_t at = prng_below(r, text->n);
        char byte = bytes[prng_below(r, sizeof(bytes) - 1)];
        switch (prng_below(r, 4)) {
        case 0: text->data[at] = byte; break;
        case 1: memmove(text->data + at, text->data + at + 1, --text->n - at); break;
        case 2: buf_add_byte(text, byte); break;
        default: text->data[at] = (char)('0' + prng_below(r, 10)); break;
        }
    }
}

/* A parser that remembers must say what one that never saw another text says. */
static void test_memory_is_invisible(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 11);
    const struct tz *zones[] = {tz_utc(), tz_load(SLICE("Europe/Berlin")),
                                tz_load(SLICE("America/New_York")), tz_load(SLICE("+05:30"))};
    for (size_t p = 0; p < ARRAY_LEN(memory_patterns); p++) {
        struct date_format *format = format_of(memory_patterns[p], "");
        struct time_format_error error;
        bool iso = strcmp(memory_patterns[p], "ISO8601") == 0;
        struct time_format *writer = time_format_new(iso ? SLICE("yyyy-MM-dd'T'HH:mm:ss.SSSZZ")
                                                         : slice_from_cstr(memory_patterns[p]),
                                                     TIME_JODA, &error);
        struct date_state memory = {0};
        struct buf text = {0};
        int64_t ns = INT64_C(1711700000) * NS_PER_SEC; /* two days before a gap in Berlin */
        uint32_t parsed = 0;
        for (int i = 0; i < 6000; i++) {
            ns += (int64_t)prng_below(&r, 200) * NS_PER_SEC +
                  (int64_t)prng_below(&r, 999) * NS_PER_MS;
            const struct tz *zone = zones[prng_below(&r, 8) == 0 ? prng_below(&r, 4) : 1];
            text.n = 0;
            time_format_add(writer, ns, zone, &text);
            if (prng_below(&r, 2)) mutate(&r, &text);
            int64_t now_ns = JUNE_NS + i / 1000 * 40 * 86400 * NS_PER_SEC, a = 0, b = 0;
            struct date_state fresh = {0};
            bool got = parse(format, &memory, buf_slice(&text), zone, now_ns, &a);
            bool want = parse(format, &fresh, buf_slice(&text), zone, now_ns, &b);
            if (got != want || a != b)
                fail_msg("[%s] '%.*s'", memory_patterns[p], SLICE_FMT(buf_slice(&text)));
            parsed += got;
        }
        assert_true(parsed > 2000);
        buf_fini(&text);
        time_format_free(writer);
        date_format_free(format);
    }
}

static void test_truncated(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"dd/MMM/yyyy:HH:mm:ss Z", "", "UTC", "05/Mar/2024:06:07:08 +0100", ""},
        {"EEE MMM dd HH:mm:ss.SSS z yyyy", "", "UTC", "Tue Mar 05 06:07:08.123 PST 2024", ""},
        {"yyyy-MM-dd hh:mm:ss a ZZZ", "", "UTC", "2024-03-05 06:07:08 PM Europe/Berlin", ""}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct date_format *format = format_of(rows[i].pattern, "");
        struct date_state memory = {0};
        int64_t ns;
        slice text = slice_from_cstr(rows[i].text);
        assert_true(parse(format, &memory, text, tz_utc(), JUNE_NS, &ns));
        for (uint32_t cut = 0; cut < text.n; cut++) {
            slice part = slice_part(text, 0, cut);
            struct date_state fresh = {0};
            bool ok = parse(format, &memory, part, tz_utc(), JUNE_NS, &ns);
            assert_int_equal(ok, parse(format, &fresh, part, tz_utc(), JUNE_NS, &ns));
            /* A shorter year or offset may still be one; all else is broken. */
            if (ok) assert_true(cut > text.n - 6);
        }
        date_format_free(format);
    }
}

static void test_bad_formats(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        uint32_t at;
    } rows[] = {{"", 0}, {"yyyy-TT", 5}, {"iso8601", 0}, {"yyyy zzzz", 5}, {"u", 0}, {"UNIXX", 0}};
    struct date_format_error error;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        error = (struct date_format_error){99, ""};
        if (date_format_new(slice_from_cstr(rows[i].pattern), SLICE_NONE, 0, &error) != NULL)
            fail_msg("'%s' compiled", rows[i].pattern);
        assert_int_equal(error.at, rows[i].at);
        assert_true(error.expected[0] != 0);
    }
    static char many[200];
    for (size_t i = 0; i < sizeof(many); i += 2) memcpy(many + i, "d ", 2);
    assert_null(date_format_new(slice_make(many, sizeof(many)), SLICE_NONE, 0, &error));
    struct date_format *zoned = format_of("HH Z", ""), *plain = format_of("HH 'Z'", "");
    assert_true(date_format_has_zone(zoned));
    assert_false(date_format_has_zone(plain));
    date_format_free(zoned);
    date_format_free(plain);
}

static void test_lenient(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *text, *want;
    } rows[] = {
        {"UTC", "2001-02-03T04:05:06.000Z", "2001-02-03T04:05:06.000Z"},
        {"UTC", "2001-02-03T04:05:06.123456789Z", "2001-02-03T04:05:06.123456789Z"},
        {"UTC", "2001-02-03T04:05:06.Z", "2001-02-03T04:05:06.000Z"},
        {"UTC", "2001-02-03T04:05:06.1234567891Z", NULL},
        {"UTC", "2001-02-03T04:05:06,123Z", NULL},
        {"UTC", "2001-02-03t04:05z", "2001-02-03T04:05:00.000Z"},
        {"UTC", "2001-02-03T04Z", NULL},
        {"Europe/Berlin", "2001-02-03", "2001-02-02T23:00:00.000Z"},
        {"Europe/Berlin", "2001-02-03Z", "2001-02-03T00:00:00.000Z"},
        {"Europe/Berlin", "2001-02-03T04:05:06", "2001-02-03T03:05:06.000Z"},
        {"Europe/Berlin", "2024-03-31T02:30:00", "2024-03-31T01:30:00.000Z"},
        {"Europe/Berlin", "2024-10-27T02:30:00", "2024-10-27T00:30:00.000Z"},
        {"UTC", "2001-02-03T04:05:06+01:00", "2001-02-03T03:05:06.000Z"},
        {"UTC", "2001-02-03T04:05:06+0100", "2001-02-03T03:05:06.000Z"},
        {"UTC", "2001-02-03T04:05:06-01", "2001-02-03T05:05:06.000Z"},
        {"UTC", "2001-02-03T04:05:06+01:00:30", "2001-02-03T03:04:36.000Z"},
        {"UTC", "2001-02-03T04:05:06+18:01", NULL},
        {"UTC", "2001-02-03T04:05:06+1:00", NULL},
        {"UTC", "2001-02-30", "2001-02-28T00:00:00.000Z"},
        {"UTC", "2001-02-32", NULL},
        {"UTC", "2001-13-01", NULL},
        {"UTC", "2001-02-03T24:00:00", "2001-02-04T00:00:00.000Z"},
        {"UTC", "2001-02-03T24:00:01", NULL},
        {"UTC", "2001-02-03T23:59:60Z", NULL},
        {"UTC", "2001-02-03 04:05:06Z", NULL},
        {"UTC", "2001-2-3", NULL},
        {"UTC", "9999-01-01", NULL},
        {"UTC", "2001-02-03T04:05:06Zx", NULL},
        {"UTC", "2001-02-03T04:05:06.123456789Z", "2001-02-03T04:05:06.123456789Z"},
        {"UTC", "2001-02-03T04:05:06.1234567890Z", NULL},
        {"UTC", "2001-02-03T04:05:06.Z", "2001-02-03T04:05:06.000Z"},
        {"UTC", "2001-02-29T04:05:06Z", "2001-02-28T04:05:06.000Z"},
        {"UTC", "2001-02-03T24:00:00Z", "2001-02-04T00:00:00.000Z"},
        {"UTC", "2001-00-03T04:05:06Z", NULL},
        {"UTC", "2001-02-00T04:05:06Z", NULL},
        {"UTC", "2001-02-03T04:05:06Europe/Berlin", "2001-02-03T03:05:06.000Z"},
        {"UTC", "", NULL},
        {"UTC", "1709618828", NULL},
    };
    struct time_iso_cache cache = {0};
    struct tz_hint hint = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ns;
        char got[TIME_ISO_BYTES_MAX + 1];
        const struct tz *zone = tz_load(slice_from_cstr(rows[i].zone));
        bool ok = iso8601_lenient_parse(slice_from_cstr(rows[i].text), zone, &hint, &ns);
        if (ok) got[time_iso_write(ns, &cache, got)] = 0;
        if (ok != (rows[i].want != NULL) || (ok && strcmp(got, rows[i].want) != 0))
            fail_msg("'%s' got %s", rows[i].text, ok ? got : "failure");
    }
}

/* The usual shape is read by a way of its own; with another spelling of UTC it is not. */
static void test_lenient_ways_agree(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 7);
    uint32_t good = 0;
    char minute[17] = "2024-02-29T23:59";
    for (int i = 0; i < 200000; i++) {
        char text[80], other[80];
        int n = snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u",
                         prng_below(&r, 4) == 0 ? (uint32_t)prng_below(&r, 10000)
                                                : 1990 + (uint32_t)prng_below(&r, 60),
                         (uint32_t)prng_below(&r, 14), (uint32_t)prng_below(&r, 33),
                         (uint32_t)prng_below(&r, 26), (uint32_t)prng_below(&r, 61),
                         (uint32_t)prng_below(&r, 61));
        if (prng_below(&r, 2) == 0) memcpy(text, minute, 16); /* it is remembered */
        memcpy(minute, text, 16);
        uint32_t digits = prng_below(&r, 2) == 0 ? 3 : (uint32_t)prng_below(&r, 12);
        if (prng_below(&r, 4) > 0) text[n++] = '.';
        for (uint32_t d = 0; d < digits; d++) text[n++] = (char)('0' + prng_below(&r, 10));
        if (prng_below(&r, 16) == 0) /* not by a letter: NZ is a zone */
            text[prng_below(&r, (uint32_t)n)] = (char)(32 + prng_below(&r, 33));
        memcpy(other, text, (size_t)n);
        memcpy(text + n, "Z", 2);
        memcpy(other + n, "+00:00", 7);
        int64_t ns = 0, other_ns = 0;
        bool ok = iso8601_lenient_parse(slice_from_cstr(text), tz_utc(), NULL, &ns);
        bool other_ok = iso8601_lenient_parse(slice_from_cstr(other), tz_utc(), NULL, &other_ns);
        if (ok != other_ok || ns != other_ns) fail_msg("'%s' and '%s' differ", text, other);
        good += ok;
    }
    assert_true(good > 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_locales),
        cmocka_unit_test(test_iso8601),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_dst),
        cmocka_unit_test(test_guessed_year),
        cmocka_unit_test(test_memory_is_invisible),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_bad_formats),
        cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_lenient_ways_agree),
    };
    return T_RUN(tests);
}
