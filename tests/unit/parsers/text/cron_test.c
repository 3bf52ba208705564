/* cron_test.c - cron lines, and the times that they name. */
#include "tests/unit/t.h"

#include "engine/base/civil.h"
#include "parsers/text/cron.h"

static int64_t at(int year, uint32_t month, int day, int hour, int minute, int second)
{
    return civil_days(year, month, day) * CIVIL_DAY_SEC + hour * 3600 + minute * 60 + second;
}

static struct cron parsed(const char *text)
{
    struct cron c;
    uint32_t where;
    if (cron_parse(slice_from_cstr(text), &c, &where)) return c;
    fail_msg("%s: refused at %u", text, where);
    return c;
}

static void next_is(const char *text, int64_t after, int64_t want)
{
    struct cron c = parsed(text);
    const struct tz *zone = c.zone.n > 0 ? tz_load(c.zone) : tz_utc();
    int64_t got;
    assert_non_null(zone);
    assert_true(cron_next(&c, zone, after, &got));
    if (got != want) fail_msg("%s: %lld, not %lld", text, (long long)got, (long long)want);
}

static void test_fields(void **state)
{
    (void)state;
    int64_t now = at(2024, 2, 28, 22, 59, 30); /* a Wednesday */
    next_is("* * * * *", now, at(2024, 2, 28, 23, 0, 0));
    next_is("* * * * * *", now, now + 1);
    next_is("*/20 * * * * *", now, at(2024, 2, 28, 22, 59, 40));
    next_is("*/30 * * * *", now, at(2024, 2, 28, 23, 0, 0));
    next_is("5-59/20 * * * *", now, at(2024, 2, 28, 23, 5, 0));
    next_is("50/5 * * * *", now, at(2024, 2, 28, 23, 50, 0));
    next_is("0 */2 * * *", now, at(2024, 2, 29, 0, 0, 0));
    next_is("* 5 * 1-3 *", now, at(2024, 2, 29, 5, 0, 0));
    next_is("0 24 * * *", now, at(2024, 2, 29, 0, 0, 0));
    next_is("0 0 1,15 * *", now, at(2024, 3, 1, 0, 0, 0));
    next_is("0 0 29 2 *", at(2024, 3, 1, 0, 0, 0), at(2028, 2, 29, 0, 0, 0));
    next_is("0 22-1 * * *", now, at(2024, 2, 28, 23, 0, 0));
    next_is("0 0 1 jan *", now, at(2025, 1, 1, 0, 0, 0));
    next_is("0 0 1 February,december *", now, at(2024, 12, 1, 0, 0, 0));
    next_is("59 59 23 31 12 *", now, at(2024, 12, 31, 23, 59, 59));
}

static void test_days(void **state)
{
    (void)state;
    int64_t now = at(2024, 2, 28, 22, 59, 30);
    next_is("0 0 L * *", now, at(2024, 2, 29, 0, 0, 0));
    next_is("0 0 last * *", now, at(2024, 2, 29, 0, 0, 0));
    next_is("0 0 -2 * *", now, at(2024, 3, 30, 0, 0, 0));
    next_is("0 0 * * mon", now, at(2024, 3, 4, 0, 0, 0));
    next_is("0 0 * * 7", now, at(2024, 3, 3, 0, 0, 0));
    next_is("0 0 * * 0", now, at(2024, 3, 3, 0, 0, 0));
    next_is("0 0 * * fri-mon", now, at(2024, 3, 1, 0, 0, 0));
    next_is("0 0 * * mon#2", now, at(2024, 3, 11, 0, 0, 0));
    next_is("0 0 * * mon#-1", now, at(2024, 3, 25, 0, 0, 0));
    next_is("0 0 * * Friday#L", now, at(2024, 3, 29, 0, 0, 0));
    /* Either will do. */
    next_is("0 0 13 * 5", now, at(2024, 3, 1, 0, 0, 0));
    next_is("0 0 2 * 5#2", now, at(2024, 3, 2, 0, 0, 0));
    next_is("0 0 * * */3", now, at(2024, 3, 2, 0, 0, 0));
    next_is("@hourly", now, at(2024, 2, 28, 23, 0, 0));
    next_is("@weekly", now, at(2024, 3, 3, 0, 0, 0));
    next_is(" @yearly ", now, at(2025, 1, 1, 0, 0, 0));
}

static void test_zones(void **state)
{
    (void)state;
    next_is("0 6 * * * America/Chicago", at(2024, 1, 10, 0, 0, 0), at(2024, 1, 10, 12, 0, 0));
    next_is("0 0 6 * * * +02:00", at(2024, 1, 10, 0, 0, 0), at(2024, 1, 10, 4, 0, 0));
    next_is("0 6 * * mon Europe/Berlin", at(2024, 1, 10, 0, 0, 0), at(2024, 1, 15, 5, 0, 0));
    /* Spring: 02:30 is not there on the 31st; midnight and 03:00 are where they should be. */
    int64_t eve = at(2024, 3, 30, 12, 0, 0);
    next_is("30 2 * * * Europe/Berlin", eve, at(2024, 4, 1, 0, 30, 0));
    next_is("0 3 * * * Europe/Berlin", eve, at(2024, 3, 31, 1, 0, 0));
    next_is("0 0 1 4 * Europe/Berlin", eve, at(2024, 3, 31, 22, 0, 0));
    /* Autumn: 02:30 comes twice. */
    next_is("30 2 * * * Europe/Berlin", at(2024, 10, 26, 12, 0, 0), at(2024, 10, 27, 0, 30, 0));
    next_is("30 2 * * * Europe/Berlin", at(2024, 10, 27, 0, 30, 0), at(2024, 10, 27, 1, 30, 0));
    next_is("0 0 28 10 * Europe/Berlin", at(2024, 10, 26, 12, 0, 0), at(2024, 10, 27, 23, 0, 0));
    /* Midnight itself is skipped. */
    next_is("0 1 * * * America/Havana", at(2024, 3, 9, 12, 0, 0), at(2024, 3, 10, 5, 0, 0));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t at;
    } cases[] = {{"", 0},
                 {"* * * *", 7},
                 {"60 * * * *", 0},
                 {"* 25 * * *", 2},
                 {"* * 0 * *", 4},
                 {"* * 32 * *", 4},
                 {"* * * 13 *", 6},
                 {"* * * * 8", 8},
                 {"*/0 * * * *", 3},
                 {"*/ * * * *", 2},
                 {"1- * * * *", 2},
                 {"1,, * * * *", 2},
                 {"x * * * *", 0},
                 {"* * * * mon#6", 11},
                 {"@reboot", 0},
                 {"* * * * * * *x*y * *", 9},
                 {"every 5 minutes", 0},
                 {"10m", 2}};
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cron c;
        uint32_t where = UINT32_MAX;
        if (cron_parse(slice_from_cstr(cases[i].text), &c, &where))
            fail_msg("%s: taken", cases[i].text);
        if (where != cases[i].at) fail_msg("%s: refused at %u", cases[i].text, where);
    }
    int64_t never;
    struct cron c = parsed("0 0 30 2 *");
    assert_false(cron_next(&c, tz_utc(), 0, &never));
    c = parsed("* * * * * No/Where");
    assert_slice_equal(c.zone, SLICE("No/Where"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_refused),
    };
    return T_RUN(tests);
}
