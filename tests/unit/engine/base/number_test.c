/* number_test.c - numbers to text as Ruby and Java show them, and UTF-8, and the log gate. */
#include "tests/unit/t.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/number.h"
#include "engine/base/number_shortest.h"
#include "engine/base/prng.h"
#include "engine/base/utf8.h"

static slice f64(double real)
{
    static char text[NUMBER_TEXT_MAX];
    return slice_make(text, number_f64_text(real, text));
}

static void test_java_and_ruby_floats(void **state)
{
    (void)state;
    static const struct {
        double real;
        const char *java, *ruby;
    } cases[] = {{0.0, "0.0", "0.0"},
                 {-0.0, "-0.0", "-0.0"},
                 {1.0, "1.0", "1.0"},
                 {-0.001, "-0.001", "-0.001"},
                 {0.00099, "9.9E-4", "0.00099"},
                 {0.0001, "1.0E-4", "0.0001"},
                 {0.00001, "1.0E-5", "1.0e-05"},
                 {9999999.0, "9999999.0", "9999999.0"},
                 {1e7, "1.0E7", "10000000.0"},
                 {12345678.5, "1.23456785E7", "12345678.5"},
                 {1e10, "1.0E10", "10000000000.0"},
                 {1e16, "1.0E16", "10000000000000000.0"},
                 {1.5e18, "1.5E18", "1500000000000000000.0"},
                 {1e19, "1.0E19", "1.0e+19"},
                 {1.2345678901234567e19, "1.2345678901234567E19", "1.23456789012346e+19"},
                 {-1.5e19, "-1.5E19", "-1.5e+19"},
                 {1e20, "1.0E20", "1.0e+20"},
                 {1e100, "1.0E100", "1.0e+100"},
                 {-1e-100, "-1.0E-100", "-1.0e-100"},
                 {1e101, "1.0E101", "1.0e+101"},
                 {INFINITY, "Infinity", "Infinity"},
                 {-INFINITY, "-Infinity", "-Infinity"},
                 {NAN, "NaN", "NaN"}};
    char text[NUMBER_TEXT_MAX];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t n = number_f64_java(cases[i].real, text);
        assert_slice_equal(slice_make(text, n), slice_from_cstr(cases[i].java));
        n = number_f64_ruby(cases[i].real, text);
        assert_slice_equal(slice_make(text, n), slice_from_cstr(cases[i].ruby));
    }
}

static void test_floats_in_short(void **state)
{
    (void)state;
    static const struct {
        double real;
        const char *text;
    } cases[] = {{0.0, "0.0"},
                 {-0.0, "-0.0"},
                 {1.0, "1.0"},
                 {-1.5, "-1.5"},
                 {100.0, "100.0"},
                 {0.1, "0.1"},
                 {0.0001, "0.0001"},
                 {0.00012, "0.00012"},
                 {0.00001, "1.0e-05"},
                 {0.000012345, "1.2345e-05"},
                 {1e15, "1000000000000000.0"},
                 {123456789012345.6, "123456789012345.6"},
                 {1e16, "1.0e+16"},
                 {1.5e16, "1.5e+16"},
                 {1e22, "1.0e+22"},
                 {1e100, "1.0e+100"},
                 {5e-324, "5.0e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1e-100, "1.0e-100"},
                 {INFINITY, "Infinity"},
                 {-INFINITY, "-Infinity"},
                 {NAN, "NaN"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_slice_equal(f64(cases[i].real), slice_from_cstr(cases[i].text));
    char text[NUMBER_TEXT_MAX];
    assert_slice_equal(slice_make(text, number_f64_json(NAN, text)), SLICE("\"NaN\""));
    assert_slice_equal(slice_make(text, number_f64_json(2.5, text)), SLICE("2.5"));
}

static void test_floats_read_back(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 3);
    for (int i = 0; i < 3000; i++) {
        uint64_t bits = prng_next(&r);
        double real, back = 0;
        memcpy(&real, &bits, sizeof(real));
        if (!isfinite(real)) continue;
        slice text = f64(real);
        assert_true(text.n <= NUMBER_TEXT_MAX);
        assert_true(number_f64_parse(text, &back));
        assert_memory_equal(&real, &back, sizeof(real));
    }
}

/* The digits by trying one more until they read back. */
static struct decimal_float slow_digits(double real)
{
    char text[40];
    struct decimal_float d = {0, 0};
    int precision = 0;
    do {
        snprintf(text, sizeof(text), "%.*e", precision, fabs(real));
    } while (strtod(text, NULL) != fabs(real) && precision++ < 16);
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p != '.') d.digits = d.digits * 10 + (uint64_t)(*p - '0');
    d.exponent = (int32_t)strtol(p + 1, NULL, 10) - precision;
    if (d.digits == 0) d.exponent = 0;
    for (; d.digits != 0 && d.digits % 10 == 0; d.digits /= 10) d.exponent++;
    return d;
}

static void check_digits(uint64_t bits)
{
    double real, back = 0;
    memcpy(&real, &bits, sizeof(real));
    if (!isfinite(real)) return;
    struct decimal_float want = slow_digits(real), got = number_shortest(real);
    bool same = got.digits == want.digits && got.exponent == want.exponent;
    /* Below a power of two half the distance rounds away from it, so that the closest decimal of
     * some length may not read back where one above it does: that is the shorter one. */
    bool power = (bits & ((1ull << 52) - 1)) == 0;
    if (!same && !(power && got.digits < want.digits)) fail_msg("%a", real);
    assert_true(number_f64_parse(f64(real), &back));
    assert_memory_equal(&real, &back, sizeof(real));
}

static uint64_t bits_of(double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof(bits));
    return bits;
}

static void test_shortest(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 11);
    for (uint64_t power = 0; power < 2047; power++)
        for (int near = -1; near <= 1; near++) check_digits((power << 52) + (uint64_t)near);
    for (int power = -323; power <= 308; power++) {
        char text[16];
        snprintf(text, sizeof(text), "1e%d", power);
        for (int near = -2; near <= 2; near++)
            check_digits(bits_of(strtod(text, NULL)) + (uint64_t)near);
    }
    for (int i = 0; i < 5000; i++) {
        check_digits((uint64_t)i); /* subnormal */
        check_digits(prng_next(&r));
        check_digits(bits_of((double)prng_below(&r, 100000000) / 1000));
        check_digits(bits_of((double)(prng_next(&r) >> prng_below(&r, 60)) / 1e7));
        check_digits(bits_of((double)(int64_t)prng_next(&r)));
    }
    assert_int_equal(f64(0x1p-44).n, 21); /* 5.684341886080802e-14 */
}

/* The short way and strtod agree, to the bit. */
static void test_f64_short(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "-",
                                         ".5",
                                         "5.",
                                         "1e3",
                                         "+1",
                                         "1..2",
                                         "1.2.3",
                                         "1,5",
                                         "12345678901234567",
                                         "9999999999999999"};
    struct prng r;
    char text[40];
    double fast, real;
    prng_seed(&r, 12);
    for (uint32_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(number_f64_short(slice_from_cstr(others[i]), &fast));
    for (int i = 0; i < 20000; i++) {
        uint32_t places = (uint32_t)prng_below(&r, 9);
        snprintf(text, sizeof(text), "%s%u.%0*u", i % 3 == 0 ? "-" : "",
                 (unsigned)prng_below(&r, 1000000), (int)places, (unsigned)prng_below(&r, 1000000));
        real = strtod(text, NULL);
        if (!number_f64_short(slice_from_cstr(text), &fast)) continue;
        assert_memory_equal(&real, &fast, sizeof(real));
    }
    assert_true(number_f64_short(SLICE("-0"), &fast) && signbit(fast));
    assert_true(number_f64_short(SLICE("900719925474.0991"), &fast) == false);
}

static void test_f64_parse(void **state)
{
    (void)state;
    double real;
    const char *bad[] = {"", "inf", "nan", "0x10", "1 ", " 1", "1e", "--1", "1_0", ".", "e5"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(number_f64_parse(slice_from_cstr(bad[i]), &real));
    assert_true(number_f64_parse(SLICE("-12.5e-1"), &real) && real == -1.25);
    assert_false(number_f64_parse(SLICE("1\0"), &real));
    char digits[500];
    memset(digits, '1', sizeof(digits));
    assert_false(number_f64_parse(slice_make(digits, sizeof(digits)), &real));
}

static void test_i64(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 4);
    for (int i = 0; i < 20000; i++) {
        int64_t num = (int64_t)prng_next(&r) >> prng_below(&r, 64);
        if (i == 0) num = INT64_MIN;
        if (i == 1) num = INT64_MAX;
        char got[20], want[32];
        uint32_t n = number_i64_text(num, got);
        snprintf(want, sizeof(want), "%" PRId64, num);
        assert_slice_equal(slice_make(got, n), slice_from_cstr(want));
    }
}

static void test_utf8(void **state)
{
    (void)state;
    char out[4];
    uint32_t step;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        if (cp >= 0xd800 && cp <= 0xdfff) continue;
        slice s = slice_make(out, utf8_encode(cp, out));
        assert_int_equal(utf8_valid_at(s, 0), s.n);
        assert_int_equal(utf8_decode(s, 0, &step), cp);
        assert_int_equal(step, s.n);
        /* Cut short it is no character. */
        if (s.n > 1) assert_int_equal(utf8_valid_at(slice_part(s, 0, s.n - 1), 0), 0);
    }
    const char *bad[] = {"\x80",         "\xc0\x80",         "\xc1\xbf",
                         "\xe0\x9f\xbf", "\xed\xa0\x80",     "\xf0\x8f\xbf\xbf",
                         "\xff",         "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        slice s = slice_from_cstr(bad[i]);
        assert_false(utf8_valid(s));
        assert_int_equal(utf8_decode(s, 0, &step), 0xfffd);
        assert_int_equal(step, 1);
        assert_int_equal(utf8_length(s), s.n);
    }
    assert_int_equal(utf8_length(SLICE("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xff")), 5);
    assert_true(utf8_valid(SLICE("")) && utf8_valid(SLICE("a\0b")));
}

static int64_t fake_now_ns;
static int64_t fake_clock(void)
{
    return fake_now_ns;
}

static void test_log_gate(void **state)
{
    (void)state;
    struct log_gate gate = {0};
    uint64_t held = 99;
    clock_simulate(fake_clock, fake_clock);
    fake_now_ns = NS_PER_SEC;
    assert_true(log_gate_open(&gate, &held));
    assert_int_equal(held, 0);
    for (int i = 0; i < 7; i++) assert_false(log_gate_open(&gate, &held));
    fake_now_ns += NS_PER_SEC - 1;
    assert_false(log_gate_open(&gate, &held));
    fake_now_ns += 1;
    assert_true(log_gate_open(&gate, &held));
    assert_int_equal(held, 8);
    assert_false(log_gate_open(&gate, &held));
    clock_simulate(NULL, NULL);
    enum log_level level;
    assert_true(log_level_parse("WaRn", &level) && level == LOG_WARN);
    assert_false(log_level_parse("warning", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats_in_short),
        cmocka_unit_test(test_java_and_ruby_floats),
        cmocka_unit_test(test_floats_read_back),
        cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_f64_short),
        cmocka_unit_test(test_f64_parse),
        cmocka_unit_test(test_i64),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_log_gate),
    };
    return T_RUN(tests);
}
