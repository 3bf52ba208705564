/* civil_test.c - the calendar against counting days one by one. */
#include "tests/unit/t.h"

#include "engine/base/civil.h"

/* Walks every day of the years -400 to 9999 beside a plain counter. */
static void test_every_day(void **state)
{
    (void)state;
    int64_t days = civil_days(-400, 1, 1);
    uint32_t weekday = civil_weekday(days);
    for (int32_t year = -400; year <= 9999; year++) {
        uint32_t day_of_year = 1;
        for (uint32_t month = 1; month <= 12; month++) {
            for (uint32_t day = 1; day <= civil_month_days(year, month); day++) {
                struct civil_date date = civil_from_days(days);
                if (date.year != year || date.month != month || date.day != day)
                    fail_msg("%d-%u-%u is day %lld", year, month, day, (long long)days);
                if (civil_day_of_year(date) != day_of_year++) fail_msg("day of year");
                if (civil_weekday(days) != weekday) fail_msg("weekday");
                if (day == 1 && civil_days(year, month, 1) != days) fail_msg("civil_days");
                weekday = weekday % 7 + 1;
                days++;
            }
        }
    }
    assert_int_equal(civil_days(10000, 1, 1), days);
}

static void test_known_days(void **state)
{
    (void)state;
    assert_int_equal(civil_days(1970, 1, 1), 0);
    assert_int_equal(civil_days(1969, 12, 31), -1);
    assert_int_equal(civil_days(2000, 2, 29), 11016);
    assert_int_equal(civil_days(1, 1, 1), -719162);
    assert_int_equal(civil_days(9999, 12, 31), 2932896);
    assert_int_equal(civil_days(2024, 1, 366), civil_days(2024, 12, 31));
    assert_int_equal(civil_weekday(0), 4);
    assert_int_equal(civil_weekday(-1), 3);
    assert_true(civil_is_leap(2000) && civil_is_leap(2024) && civil_is_leap(0));
    assert_false(civil_is_leap(1900) || civil_is_leap(2023) || civil_is_leap(-1));
}

/* Week 1 has the first Thursday; checked against the definition, day by day. */
static void test_iso_weeks(void **state)
{
    (void)state;
    static const struct {
        int32_t year, month, day, weekyear, week;
    } known[] = {{2024, 12, 30, 2025, 1}, {2021, 1, 3, 2020, 53}, {2020, 12, 31, 2020, 53},
                 {2024, 3, 5, 2024, 10},  {1970, 1, 1, 1970, 1},  {2016, 1, 1, 2015, 53}};
    int32_t weekyear;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        int64_t days = civil_days(known[i].year, (uint32_t)known[i].month, known[i].day);
        assert_int_equal(civil_iso_week(days, &weekyear), known[i].week);
        assert_int_equal(weekyear, known[i].weekyear);
    }
    for (int64_t days = civil_days(1890, 1, 1); days < civil_days(2110, 1, 1); days++) {
        uint32_t week = civil_iso_week(days, &weekyear);
        int64_t start = civil_iso_year_start(weekyear);
        if (days != start + (week - 1) * 7 + civil_weekday(days) - 1) fail_msg("week");
        if (civil_from_days(start + 3).year != weekyear) fail_msg("first Thursday");
        if (civil_weekday(start) != 1) fail_msg("Monday");
    }
}

static void test_floor_div(void **state)
{
    (void)state;
    assert_int_equal(civil_floor_div(7, 3), 2);
    assert_int_equal(civil_floor_div(-7, 3), -3);
    assert_int_equal(civil_floor_div(-6, 3), -2);
    assert_int_equal(civil_floor_div(0, 3), 0);
    assert_int_equal(civil_floor_div(INT64_MIN, 1000), INT64_MIN / 1000 - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_known_days),
        cmocka_unit_test(test_iso_weeks),
        cmocka_unit_test(test_floor_div),
    };
    return T_RUN(tests);
}
