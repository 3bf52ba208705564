/* tz_test.c - zones against the C library's reading of the same files. */
#include "tests/unit/t.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/civil.h"
#include "engine/base/prng.h"
#include "engine/base/tz.h"
#include "engine/base/tz_rule.h"

static const char *const zone_names[] = {"Europe/Berlin",        "America/New_York",
                                         "Asia/Kolkata",         "Australia/Lord_Howe",
                                         "America/Sao_Paulo",    "Asia/Tehran",
                                         "Africa/Casablanca",    "Europe/Dublin",
                                         "Pacific/Apia",         "America/St_Johns",
                                         "Antarctica/Troll",     "Pacific/Kiritimati",
                                         "America/Indiana/Knox", "UTC",
                                         "Asia/Tokyo",           "America/Nuuk"};

static const struct tz *zone_of(const char *name)
{
    const struct tz *zone = tz_load(slice_from_cstr(name));
    if (zone == NULL) fail_msg("no zone %s", name);
    return zone;
}

static struct tm libc_local(int64_t utc_s)
{
    struct tm tm;
    time_t t = (time_t)utc_s;
    assert_non_null(localtime_r(&t, &tm));
    return tm;
}

static void test_offsets_like_libc(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 1);
    for (size_t z = 0; z < ARRAY_LEN(zone_names); z++) {
        const struct tz *zone = zone_of(zone_names[z]);
        struct tz_hint hint = {0};
        setenv("TZ", zone_names[z], 1);
        tzset();
        for (int i = 0; i < 4000; i++) {
            /* 1901 to 2199 */
            int64_t utc_s = (int64_t)prng_below(&r, 9400000000ull) - 2177000000;
            struct tm tm = libc_local(utc_s);
            if (tz_offset(zone, utc_s, NULL) != tm.tm_gmtoff ||
                tz_offset(zone, utc_s, &hint) != tm.tm_gmtoff ||
                tz_offset(zone, utc_s, &hint) != tm.tm_gmtoff)
                fail_msg("%s at %lld", zone_names[z], (long long)utc_s);
            assert_string_equal(tz_abbreviation(zone, utc_s), tm.tm_zone);
            assert_int_equal(tz_is_dst(zone, utc_s), tm.tm_isdst > 0);
        }
    }
    unsetenv("TZ");
}

/* All instants that show a reading, found by trying every quarter hour of offset. */
static uint32_t slow_local(const struct tz *zone, int64_t local_s, int32_t found[4])
{
    uint32_t n = 0;
    for (int32_t offset_s = 26 * 3600; offset_s >= -26 * 3600; offset_s -= 60)
        if (tz_offset(zone, local_s - offset_s, NULL) == offset_s && n < 4) found[n++] = offset_s;
    return n;
}

static void check_local(const struct tz *zone, int64_t local_s, struct tz_hint *hint)
{
    int32_t found[4] = {0};
    uint32_t n = slow_local(zone, local_s, found);
    struct tz_local got = tz_local(zone, local_s, hint);
    enum tz_local_kind want = n == 0 ? TZ_LOCAL_GAP : n == 1 ? TZ_LOCAL_UNIQUE : TZ_LOCAL_OVERLAP;
    if (got.kind != want) fail_msg("%s %lld kind %d", tz_name(zone), (long long)local_s, got.kind);
    if (n == 0) {
        assert_true(got.offset_after_s > got.offset_s);
    } else {
        assert_int_equal(got.offset_s, found[0]); /* the largest offset is the earliest instant */
        assert_int_equal(got.offset_after_s, found[n - 1]);
    }
}

/* Around each change of a year, every ten minutes; offsets with seconds came before 1972. */
static void test_local_around_changes(void **state)
{
    (void)state;
    for (size_t z = 0; z < ARRAY_LEN(zone_names); z++) {
        const struct tz *zone = zone_of(zone_names[z]);
        struct tz_hint hint = {0}, ask = {0};
        static const int32_t years[] = {1996, 2011, 2024, 2090};
        for (size_t y = 0; y < ARRAY_LEN(years); y++) {
            int64_t at = civil_days(years[y], 1, 1) * CIVIL_DAY_SEC;
            int64_t end = at + 366 * CIVIL_DAY_SEC;
            for (int changes = 0; changes < 5 && at < end; changes++) {
                tz_offset(zone, at, &ask);
                for (int64_t s = -5 * 3600; s <= 5 * 3600; s += 1200)
                    check_local(zone, at + ask.offset_s + s, &hint);
                if (ask.until_s == INT64_MAX) break;
                at = ask.until_s;
            }
        }
    }
}

static void test_gap_and_overlap(void **state)
{
    (void)state;
    const struct tz *berlin = zone_of("Europe/Berlin");
    struct tz_local gap = tz_local(berlin, civil_days(2024, 3, 31) * 86400 + 9000, NULL);
    assert_int_equal(gap.kind, TZ_LOCAL_GAP);
    assert_int_equal(gap.offset_s, 3600);
    assert_int_equal(gap.offset_after_s, 7200);
    struct tz_local overlap = tz_local(berlin, civil_days(2024, 10, 27) * 86400 + 9000, NULL);
    assert_int_equal(overlap.kind, TZ_LOCAL_OVERLAP);
    assert_int_equal(overlap.offset_s, 7200);
    assert_int_equal(overlap.offset_after_s, 3600);
    /* Samoa skipped December 30th 2011. */
    struct tz_local day = tz_local(zone_of("Pacific/Apia"), civil_days(2011, 12, 30) * 86400, NULL);
    assert_int_equal(day.kind, TZ_LOCAL_GAP);
    assert_int_equal(day.offset_after_s - day.offset_s, 86400);
}

static void check_fixed(const char *name, int32_t want_s)
{
    int32_t offset_s = -1;
    const struct tz *zone = zone_of(name);
    assert_true(tz_is_fixed(zone, &offset_s));
    assert_int_equal(offset_s, want_s);
    assert_ptr_equal(tz_find(slice_from_cstr(name)), zone);
    assert_int_equal(tz_offset(zone, 1700000000, NULL), want_s);
    assert_int_equal(tz_local(zone, 1700000000, NULL).kind, TZ_LOCAL_UNIQUE);
}

static void test_fixed_names(void **state)
{
    (void)state;
    check_fixed("UTC", 0);
    check_fixed("Z", 0);
    check_fixed("GMT", 0);
    check_fixed("+00:00", 0);
    check_fixed("+02:00", 7200);
    check_fixed("+0200", 7200);
    check_fixed("+02", 7200);
    check_fixed("-05:30", -19800);
    check_fixed("UTC+01:00", 3600);
    check_fixed("GMT-0800", -28800);
    check_fixed("UT+03", 10800);
    check_fixed("+23:59", 86340);
    check_fixed("+01:02:03", 3723);
    check_fixed("Etc/GMT+2", -7200);
    assert_string_equal(tz_name(zone_of("-0530")), "-05:30");
    assert_string_equal(tz_name(zone_of("+010203")), "+01:02:03");
    assert_ptr_equal(zone_of("+00"), tz_utc());
}

static void test_refused_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "Nowhere/City",
                                      "+24:00",
                                      "+2",
                                      "GMT+2",
                                      "+02:60",
                                      "+02:0",
                                      "+02:00x",
                                      "../../etc/passwd",
                                      "/etc/passwd",
                                      "Europe/",
                                      "Europe",
                                      ".",
                                      "..",
                                      "a//b",
                                      "Europe/../UTC",
                                      "Europe/.hide",
                                      "+",
                                      "Berlin\n",
                                      "tzdata.zi",
                                      "zone.tab"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (tz_load(slice_from_cstr(bad[i])) != NULL) fail_msg("'%s' was loaded", bad[i]);
    assert_null(tz_load(slice_make("UTC\0x", 5)));
    char longest[200];
    memset(longest, 'A', sizeof(longest));
    assert_null(tz_load(slice_make(longest, sizeof(longest))));
    assert_null(tz_find(SLICE("Nowhere/City")));
}

static void test_all_and_prefix(void **state)
{
    (void)state;
    assert_true(tz_load_all() > 400);
    uint32_t n;
    const struct tz *zone = tz_find_prefix(SLICE("America/Argentina/Ushuaia x"), &n);
    assert_non_null(zone);
    assert_string_equal(tz_name(zone), "America/Argentina/Ushuaia");
    assert_int_equal(n, 25);
    assert_ptr_equal(tz_find_prefix(SLICE("UTC]"), &n), tz_utc());
    assert_int_equal(n, 3);
    assert_string_equal(tz_name(tz_find_prefix(SLICE("GMT+0"), &n)), "GMT+0");
    assert_null(tz_find_prefix(SLICE("+02:00"), &n));
    assert_null(tz_find_prefix(SLICE("Nowhere"), &n));
    assert_null(tz_find_prefix(SLICE(""), &n));
    assert_non_null(tz_find(SLICE("EST")));
    assert_non_null(tz_find(SLICE("MST7MDT")));
    assert_non_null(tz_find(SLICE("+04:30")));
    assert_null(tz_find(SLICE("localtime")));
}

static void test_host(void **state)
{
    (void)state;
    setenv("TZ", "Asia/Tokyo", 1);
    assert_string_equal(tz_name(tz_host()), "Asia/Tokyo");
    setenv("TZ", ":Europe/Paris", 1);
    assert_string_equal(tz_name(tz_host()), "Europe/Paris");
    setenv("TZ", "", 1);
    assert_ptr_equal(tz_host(), tz_utc());
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    const struct tz *zone = tz_host();
    assert_int_equal(tz_offset(zone, 1720000000, NULL), 7200);
    assert_int_equal(tz_offset(zone, 1704067200, NULL), 3600);
    assert_ptr_equal(tz_host(), zone);
    unsetenv("TZ");
    assert_non_null(tz_host());
}

static void test_rules(void **state)
{
    (void)state;
    static const char *const good[] = {"UTC0",
                                       "EST5EDT",
                                       "<-03>3",
                                       "<+0330>-3:30<+0430>,J79/24,J263/24",
                                       "IST-2IDT,M3.4.4/26,M10.5.0",
                                       "XXX-24:59:59YYY,0/-167,365/167"};
    static const char *const bad[] = {"",
                                      "UTC",
                                      "UTC25",
                                      "UTC0x",
                                      "EST5EDT,M3.2.0",
                                      "EST5EDT,M13.1.0,M11.1.0",
                                      "EST5EDT,M3.6.0,M1.1.0",
                                      "EST5EDT,J0,J1",
                                      "<UTC0",
                                      "EST5EDT,M3.2.7,M11.1.0",
                                      "ABCDEFGHIJKLMNOPQ0",
                                      "EST5EDT,M3.2.0/168,M11.1.0"};
    struct tz_rule rule;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!tz_rule_parse(slice_from_cstr(good[i]), &rule)) fail_msg("%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (tz_rule_parse(slice_from_cstr(bad[i]), &rule)) fail_msg("%s", bad[i]);
    /* The southern summer spans the new year. */
    assert_true(tz_rule_parse(SLICE("AEST-10AEDT,M10.1.0,M4.1.0/3"), &rule));
    assert_true(tz_rule_range(&rule, civil_days(2050, 1, 10) * 86400).dst);
    assert_false(tz_rule_range(&rule, civil_days(2050, 7, 10) * 86400).dst);
    /* Changes in both directions are where they belong. */
    struct tz_range range = tz_rule_range(&rule, civil_days(2050, 7, 10) * 86400);
    assert_int_equal(range.from_s, (civil_days(2050, 4, 3) - 1) * 86400 + 16 * 3600);
    assert_int_equal(range.until_s, (civil_days(2050, 10, 2) - 1) * 86400 + 16 * 3600);
}

static void test_broken_files(void **state)
{
    (void)state;
    static char bytes[8192];
    int fd = open("/usr/share/zoneinfo/Europe/Berlin", O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, bytes, sizeof(bytes));
    close(fd);
    assert_true(n > 100 && n < (ssize_t)sizeof(bytes));
    struct tz *whole = tz_parse(SLICE("x"), slice_make(bytes, (size_t)n));
    assert_non_null(whole);
    assert_int_equal(tz_offset(whole, 4000000000, NULL),
                     tz_offset(zone_of("Europe/Berlin"), 4000000000, NULL));
    tz_free(whole);
    for (ssize_t cut = 0; cut < n; cut++) {
        char *copy = malloc((size_t)cut + 1);
        memcpy(copy, bytes, (size_t)cut);
        if (tz_parse(SLICE("x"), slice_make(copy, (size_t)cut)) != NULL)
            fail_msg("cut at %zd", cut);
        free(copy);
    }
    struct prng r;
    prng_seed(&r, 7);
    for (int i = 0; i < 2000; i++) {
        static char broken[sizeof(bytes)];
        memcpy(broken, bytes, (size_t)n);
        for (int k = 0; k < 3; k++) broken[prng_below(&r, (uint64_t)n)] = (char)prng_next(&r);
        struct tz *zone = tz_parse(SLICE("x"), slice_make(broken, (size_t)n));
        if (zone != NULL) {
            tz_offset(zone, (int64_t)prng_next(&r) >> 28, NULL);
            tz_local(zone, (int64_t)prng_next(&r) >> 28, NULL);
        }
        tz_free(zone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_like_libc),
        cmocka_unit_test(test_local_around_changes),
        cmocka_unit_test(test_gap_and_overlap),
        cmocka_unit_test(test_fixed_names),
        cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_all_and_prefix),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_broken_files),
    };
    return T_RUN(tests);
}
