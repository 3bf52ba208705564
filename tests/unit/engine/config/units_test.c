/* Texts with units in their four dialects. */
#include "engine/config/units.h"

#include "tests/unit/t.h"

typedef bool parse(slice text, int64_t *out);

static void check(parse *p, const char *text, int64_t want)
{
    int64_t got = -2;
    bool ok = p(slice_from_cstr(text), &got);
    if (ok != (want != -2) || got != want) print_error("%s gives %lld\n", text, (long long)got);
    assert_true(ok == (want != -2));
    assert_true(got == want);
}

static void reads_bytes(void **state)
{
    (void)state;
    check(bytes_parse_plugin, "10", 10);
    check(bytes_parse_plugin, "10 MiB", 10 << 20);
    check(bytes_parse_plugin, "64mb", 64000000);
    check(bytes_parse_plugin, "1.5KB", 1500);
    check(bytes_parse_plugin, "2k", 2000);
    check(bytes_parse_plugin, "7b", 7);
    check(bytes_parse_plugin, "7x", -2);
    check(bytes_parse_plugin, "mb", -2);
    check(bytes_parse_plugin, "1mbs", -2);
    check(bytes_parse_plugin, "-1", -2);
    check(bytes_parse_plugin, "99999999999999999999", -2);
    check(bytes_parse_settings, "64mb", 64 << 20);
    check(bytes_parse_settings, "1GB", 1 << 30);
    check(bytes_parse_settings, "1024", 1024);
    check(bytes_parse_settings, "1 gib", -2);
}

static void reads_durations(void **state)
{
    (void)state;
    check(duration_parse_plugin, "5", INT64_C(5000000000));
    check(duration_parse_plugin, "0.25", 250000000);
    check(duration_parse_plugin, "250 ms", 250000000);
    check(duration_parse_plugin, "2 weeks", INT64_C(1209600000000000));
    check(duration_parse_plugin, "1min", INT64_C(60000000000));
    check(duration_parse_plugin, "1 month", -2);
    check(duration_parse_settings, "3s", INT64_C(3000000000));
    check(duration_parse_settings, "60", 60);
    check(duration_parse_settings, "10micros", 10000);
    check(duration_parse_settings, "-1", -1);
    check(duration_parse_settings, "", -2);
    check(age_parse, "7d", INT64_C(604800000000000));
    check(age_parse, "7", -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_bytes),
                                       cmocka_unit_test(reads_durations)};
    return T_RUN(tests);
}
