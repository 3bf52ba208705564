/* time_format_test.c - every pattern letter, and the timestamp text against the slow way. */
#include "tests/unit/t.h"

#include <stdlib.h>
#include <time.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/prng.h"
#include "engine/event/time_format.h"

/* 2021-03-04T05:06:07.089123456Z, a Thursday */
#define MARCH_NS INT64_C(1614834367089123456)
/* 2020-12-31T23:59:59.999Z, Thursday, ISO week 53, US week 1 of 2021 */
#define EVE_NS INT64_C(1609459199999000000)
/* 1969-07-20T20:17:40.000000001Z, a Sunday */
#define MOON_NS (-INT64_C(14182940) * NS_PER_SEC + 1)

struct row {
    int64_t ns;
    const char *pattern, *want;
};

static void check(enum time_syntax syntax, const struct row *row, const char *zone_name)
{
    struct time_format_error error;
    const struct tz *zone = tz_load(slice_from_cstr(zone_name));
    struct time_format *format = time_format_new(slice_from_cstr(row->pattern), syntax, &error);
    if (format == NULL) fail_msg("%s: %u: %s", row->pattern, error.at, error.expected);
    struct buf out = {0};
    buf_add_cstr(&out, "");
    time_format_add(format, row->ns, zone, &out);
    if (strcmp(buf_cstr(&out), row->want) != 0)
        fail_msg("%s: got '%s' want '%s'", row->pattern, buf_cstr(&out), row->want);
    assert_true(out.n <= time_format_bytes_max(format));
    buf_fini(&out);
    time_format_free(format);
}

static void test_joda_letters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {MARCH_NS, "YYYY.MM.dd", "2021.03.04"},
        {MARCH_NS, "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2021-03-04T05:06:07.089+0000"},
        {MARCH_NS, "YYYY'T'MM", "2021T03"},
        {MARCH_NS, "G GGGG", "AD AD"},
        {MARCH_NS, "C CC CCC", "20 20 020"},
        {MARCH_NS, "Y YY YYY YYYYY", "2021 21 2021 02021"},
        {MARCH_NS, "y yy yyy yyyyy", "2021 21 2021 02021"},
        {EVE_NS, "x xx xxxx-'W'ww-e w", "2020 20 2020-W53-4 53"},
        {MARCH_NS, "e ee E EEE EEEE EEEEE", "4 04 Thu Thu Thursday Thursday"},
        {MARCH_NS, "D DDD DDDD", "63 063 0063"},
        {MARCH_NS, "M MM MMM MMMM MMMMM", "3 03 Mar March March"},
        {MARCH_NS, "d dd ddd", "4 04 004"},
        {MARCH_NS, "a aa", "AM AM"},
        {EVE_NS, "a K KK h hh H HH k kk", "PM 11 11 11 11 23 23 23 23"},
        {INT64_C(1614816000) * NS_PER_SEC, "K h H k kk", "0 12 0 24 24"},
        {MARCH_NS, "m mm s ss", "6 06 7 07"},
        {MARCH_NS, "S SS SSS SSSSSS SSSSSSSSSS", "0 08 089 089000 0890000000"},
        {MARCH_NS, "z zzz zzzz", "UTC UTC Coordinated Universal Time"},
        {MARCH_NS, "Z ZZ ZZZ ZZZZ", "+0000 +00:00 UTC UTC"},
        {MARCH_NS, "'it''s' ''yyyy'' 'o''clock", "it's '2021' o'clock"},
        {MARCH_NS, "yyyy-MM-dd \xc3\xa9 [1] {2} #", "2021-03-04 \xc3\xa9 [1] {2} #"},
        {MOON_NS, "yyyy-MM-dd HH:mm:ss.SSS", "1969-07-20 20:17:40.000"},
        {-1, "yyyy-MM-dd HH:mm:ss.SSS", "1969-12-31 23:59:59.999"},
        {INT64_MIN, "yyyy-MM-dd", "1677-09-21"},
        {INT64_MAX, "yyyy-MM-dd", "2262-04-11"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) check(TIME_JODA, &rows[i], "UTC");
}

static void test_java_letters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {MARCH_NS, "yyyy-MM-dd", "2021-03-04"},
        {EVE_NS, "YYYY-'W'ww YY Y YYYYY", "2021-W01 21 2021 02021"},
        {MARCH_NS, "u uu uuu uuuu uuuuu", "2021 21 2021 2021 02021"},
        {MARCH_NS, "y yy yyyyyy", "2021 21 002021"},
        {MARCH_NS, "G GGG GGGG GGGGG", "AD AD Anno Domini A"},
        {MARCH_NS, "M MM MMM MMMM MMMMM", "3 03 Mar March M"},
        {MARCH_NS, "L LL LLL LLLL LLLLL", "3 03 Mar March M"},
        {MARCH_NS, "Q QQ QQQ QQQQ QQQQQ", "1 01 Q1 1st quarter 1"},
        {EVE_NS, "q qq qqq qqqq qqqqq", "4 04 Q4 4th quarter 4"},
        {MARCH_NS, "d dd D DD DDD", "4 04 63 63 063"},
        {MARCH_NS, "E EEE EEEE EEEEE", "Thu Thu Thursday T"},
        {MARCH_NS, "e ee eee eeee eeeee", "5 05 Thu Thursday T"},
        {MOON_NS, "c ccc cccc ccccc", "1 Sun Sunday S"},
        {MARCH_NS, "w ww W F g", "10 10 1 1 59277"},
        {EVE_NS, "a h hh H HH k kk K KK", "PM 11 11 23 23 23 23 11 11"},
        {MARCH_NS, "m mm s ss", "6 06 7 07"},
        {MARCH_NS, "S SSS SSSSSS SSSSSSSSS", "0 089 089123 089123456"},
        {MARCH_NS, "A n N", "18367089 89123456 18367089123456"},
        {MARCH_NS, "VV v vvvv z zzzz", "Z Z Z Z Z"},
        {MARCH_NS, "X XX XXX XXXX XXXXX", "Z Z Z Z Z"},
        {MARCH_NS, "x xx xxx xxxx xxxxx", "+00 +0000 +00:00 +0000 +00:00"},
        {MARCH_NS, "Z ZZZ ZZZZ ZZZZZ O OOOO", "+0000 +0000 GMT Z GMT GMT"},
        {MARCH_NS, "B BBBB BBBBB", "at night at night at night"},
        {EVE_NS, "ppppH:ppm:ppppM", "  23:59:  12"},
        {MARCH_NS, "yyyy[-MM[-dd]]", "2021-03-04"},
        {MARCH_NS, "'it''s' ''y'' '''q''' ''''", "it's '2021' 'q' '"},
        {MARCH_NS, "", ""},
        {MOON_NS, "HH:mm:ss.SSSSSSSSS", "20:17:40.000000001"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) check(TIME_JAVA, &rows[i], "UTC");
}

static void test_zones(void **state)
{
    (void)state;
    static const struct row joda[] = {
        {MARCH_NS, "HH Z ZZ ZZZ z", "06 +0100 +01:00 Europe/Berlin CET"}};
    static const struct row java[] = {
        {MARCH_NS, "HH:mm x xx xxx X XXX Z ZZZZ ZZZZZ O OOOO VV",
         "10:36 +0530 +0530 +05:30 +0530 +05:30 +0530 GMT+05:30 +05:30 GMT+5:30 GMT+05:30 "
         "Asia/Kolkata"}};
    static const struct row west[] = {{MARCH_NS, "HH x XXX O Z", "02 -03 -03:00 GMT-3 -0300"}};
    check(TIME_JODA, &joda[0], "Europe/Berlin");
    check(TIME_JAVA, &java[0], "Asia/Kolkata");
    check(TIME_JAVA, &west[0], "America/Sao_Paulo");
}

static void test_bad_patterns(void **state)
{
    (void)state;
    static const struct {
        enum time_syntax syntax;
        const char *pattern;
        uint32_t at;
    } rows[] = {{TIME_JODA, "", 0},       {TIME_JODA, "yyyy-TT", 5},    {TIME_JODA, "'", 0},
                {TIME_JODA, "L", 0},      {TIME_JAVA, "yyyy'T", 4},     {TIME_JAVA, "MMMMMM", 0},
                {TIME_JAVA, "dd-ddd", 3}, {TIME_JAVA, "a aa", 2},       {TIME_JAVA, "V", 0},
                {TIME_JAVA, "cc", 0},     {TIME_JAVA, "SSSSSSSSSS", 0}, {TIME_JAVA, "x]", 1},
                {TIME_JAVA, "{", 0},      {TIME_JAVA, "y#", 1},         {TIME_JAVA, "T", 0},
                {TIME_JAVA, "pp", 0},     {TIME_JAVA, "BB", 0},         {TIME_JAVA, "OO", 0},
                {TIME_JAVA, "zzzzz", 0},  {TIME_JAVA, "DDDD", 0},       {TIME_JAVA, "FF", 0}};
    struct time_format_error error;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        error = (struct time_format_error){99, ""};
        if (time_format_new(slice_from_cstr(rows[i].pattern), rows[i].syntax, &error) != NULL)
            fail_msg("'%s' compiled", rows[i].pattern);
        assert_int_equal(error.at, rows[i].at);
        assert_true(error.expected[0] != 0);
    }
    static char huge[5000];
    memset(huge, 'y', sizeof(huge));
    assert_null(time_format_new(slice_make(huge, sizeof(huge)), TIME_JODA, &error));
    assert_null(time_format_new(slice_make(huge, 300), TIME_JODA, &error));
}

static void test_steps(void **state)
{
    (void)state;
    static const struct {
        enum time_syntax syntax;
        const char *pattern;
        int64_t step_ns;
    } rows[] = {{TIME_JODA, "'logs-'YYYY.MM.dd EEE ww Z", 86400 * NS_PER_SEC},
                {TIME_JODA, "YYYY.MM.dd.HH", 3600 * NS_PER_SEC},
                {TIME_JODA, "YYYY hh a", 3600 * NS_PER_SEC},
                {TIME_JODA, "ss HH:mm", NS_PER_SEC},
                {TIME_JODA, "SSS", NS_PER_MS},
                {TIME_JAVA, "B", 60 * NS_PER_SEC},
                {TIME_JAVA, "SSSSSSSSS", 1},
                {TIME_JAVA, "A", NS_PER_MS},
                {TIME_JAVA, "n", 1},
                {TIME_JAVA, "uuuu-MM-dd", 86400 * NS_PER_SEC}};
    struct time_format_error error;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct time_format *format =
            time_format_new(slice_from_cstr(rows[i].pattern), rows[i].syntax, &error);
        assert_non_null(format);
        assert_int_equal(time_format_step_ns(format), rows[i].step_ns);
        time_format_free(format);
    }
}

static void slow_iso(int64_t ns, char out[64])
{
    int64_t s = ns / NS_PER_SEC, rest = ns % NS_PER_SEC;
    if (rest < 0) {
        s--;
        rest += NS_PER_SEC;
    }
    struct tm tm;
    time_t t = (time_t)s;
    gmtime_r(&t, &tm);
    size_t n = strftime(out, 64, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest % 1000000 == 0)
        snprintf(out + n, 64 - n, ".%03dZ", (int)(rest / 1000000));
    else if (rest % 1000 == 0)
        snprintf(out + n, 64 - n, ".%06dZ", (int)(rest / 1000));
    else
        snprintf(out + n, 64 - n, ".%09dZ", (int)rest);
}

static void check_iso(int64_t ns, struct time_iso_cache *cache)
{
    char got[TIME_ISO_BYTES_MAX], want[64];
    slow_iso(ns, want);
    assert_slice_equal(slice_make(got, time_iso_write(ns, cache, got)), slice_from_cstr(want));
}

static void test_iso(void **state)
{
    (void)state;
    static const int64_t edges[] = {0,
                                    1,
                                    -1,
                                    999,
                                    1000,
                                    1000000,
                                    -1000000,
                                    MARCH_NS,
                                    EVE_NS,
                                    MOON_NS,
                                    INT64_MAX,
                                    INT64_MIN,
                                    INT64_MIN + 1,
                                    INT64_MIN + 145224193,
                                    INT64_MIN + NS_PER_SEC};
    struct time_iso_cache cache = {0};
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < ARRAY_LEN(edges); i++) check_iso(edges[i], &cache);
    struct prng r;
    prng_seed(&r, 3);
    int64_t ns = 0;
    for (int i = 0; i < 200000; i++) {
        static const int64_t step[4] = {1000, 500 * NS_PER_MS, 40000 * NS_PER_SEC, 0};
        int64_t most = step[prng_below(&r, 4)];
        ns = most == 0 ? (int64_t)prng_next(&r)
                       : (int64_t)((uint64_t)ns + prng_below(&r, (uint64_t)most));
        if (prng_below(&r, 2)) ns -= ns % NS_PER_MS;
        check_iso(ns, &cache);
    }
}

/* Remembered texts are those that would be written, whatever instants and formats follow. */
static void test_memo(void **state)
{
    (void)state;
    static const char *const patterns[] = {"YYYY.MM.dd",
                                           "yyyy-MM-dd HH:mm:ss",
                                           "xxxx.ww",
                                           "HH",
                                           "yyyy-MM-dd HH:mm:ss.SSS",
                                           "EEEE 'the' d. MMMM yyyy, HH:mm:ss 'o''clock and more'"};
    enum { N = sizeof(patterns) / sizeof(patterns[0]) };
    struct time_format *format[N];
    struct time_format_error error;
    struct time_memo memo[TIME_MEMOS] = {0};
    struct buf got = {0}, want = {0};
    struct prng r;
    prng_seed(&r, 9);
    for (uint32_t i = 0; i < N; i++) {
        format[i] = time_format_new(slice_from_cstr(patterns[i]), TIME_JODA, &error);
        assert_non_null(format[i]);
    }
    int64_t ns = MARCH_NS;
    for (int round = 0; round < 20000; round++) {
        const struct time_format *f = format[prng_below(&r, N)];
        int64_t step = INT64_C(1) << prng_below(&r, 50);
        ns += (int64_t)prng_below(&r, (uint64_t)step) - step / 2;
        if (round % 1000 == 0) ns = INT64_MIN + (int64_t)prng_below(&r, 1u << 30);
        if (round % 1000 == 300) ns = MOON_NS;
        if (round % 1000 == 600) ns = INT64_MAX - (int64_t)prng_below(&r, 1u << 30);
        got.n = want.n = 0;
        buf_add_cstr(&got, "x");
        buf_add_cstr(&want, "x");
        time_format_add_utc(f, ns, memo, &got);
        time_format_add(f, ns, tz_utc(), &want);
        assert_slice_equal(buf_slice(&got), buf_slice(&want));
        if (ns > INT64_MAX - (INT64_C(1) << 50)) ns = MARCH_NS;
        if (ns < INT64_MIN + (INT64_C(1) << 50)) ns = MARCH_NS;
    }
    for (uint32_t i = 0; i < N; i++) time_format_free(format[i]);
    buf_fini(&got);
    buf_fini(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joda_letters), cmocka_unit_test(test_java_letters),
        cmocka_unit_test(test_zones),        cmocka_unit_test(test_bad_patterns),
        cmocka_unit_test(test_steps),        cmocka_unit_test(test_memo),
        cmocka_unit_test(test_iso),
    };
    return T_RUN(tests);
}
