/* ruby_number_test.c - Ruby's lenient and strict readings of numbers. */
#include "tests/unit/t.h"

#include <math.h>

#include "parsers/text/ruby_number.h"

static struct page_pool pool;
static struct arena arena;

static slice text_of(struct value v)
{
    static struct buf out;
    out.n = 0;
    value_text(&v, &arena, &out);
    return buf_slice(&out);
}

static void to_i(const char *in, const char *want)
{
    assert_slice_equal(text_of(ruby_to_i(slice_from_cstr(in), &arena)), slice_from_cstr(want));
}

static void test_to_i(void **state)
{
    (void)state;
    to_i("", "0");
    to_i("abc", "0");
    to_i("12x", "12");
    to_i("  -7.9", "-7");
    to_i("+5", "5");
    to_i("+ 5", "0");
    to_i("1_000", "1000");
    to_i("1__0", "1");
    to_i("_1", "0");
    to_i("0x1A", "0");
    to_i("0042", "42");
    to_i("-9223372036854775808", "-9223372036854775808");
    to_i("123456789012345678901234567890", "123456789012345678901234567890");
}

static void to_f(const char *in, double want)
{
    assert_true(ruby_to_f(slice_from_cstr(in)) == want);
}

static void test_to_f(void **state)
{
    (void)state;
    to_f("", 0.0);
    to_f("abc", 0.0);
    to_f(".5", 0.5);
    to_f("1.", 1.0);
    to_f("1.e5", 1.0);
    to_f("1e3x", 1000.0);
    to_f("1e", 1.0);
    to_f("-2.5 apples", -2.5);
    to_f("1_0.5", 10.5);
    to_f("1_.5", 1.0);
    to_f("0x1A", 0.0);
    assert_true(isinf(ruby_to_f(SLICE("1e400"))));
}

/* want NULL: refused. */
static void integer(const char *in, const char *want)
{
    struct value v;
    bool ok = ruby_integer_parse(slice_from_cstr(in), &arena, &v);
    if (ok != (want != NULL)) fail_msg("%s", in);
    if (ok) assert_slice_equal(text_of(v), slice_from_cstr(want));
}

static void test_integer(void **state)
{
    (void)state;
    integer("17", "17");
    integer("+17", "17");
    integer(" -3 ", "-3");
    integer("1.99", "1");
    integer("-1.99", "-1");
    integer(".5", "0");
    integer("1.", "1");
    integer("1.23e+02", "123");
    integer("1.5e1", "15");
    integer("125e-1", "12");
    integer("5e-3", "0");
    integer("1e20", "100000000000000000000");
    integer("0x7b", "123");
    integer("-0x1A", "-26");
    integer("0x1.edcdp6", "123");
    integer("1_000", "1000");
    integer("9007199254740993", "9007199254740993");
    integer("", NULL);
    integer("abc", NULL);
    integer("12abc", NULL);
    integer("1e", NULL);
    integer("0x", NULL);
    integer("1 2", NULL);
    integer("1e999999999", NULL);
    integer("-", NULL);
}

static void real(const char *in, bool want, double value)
{
    double got;
    assert_int_equal(ruby_float_parse(slice_from_cstr(in), &arena, &got), want);
    if (want) assert_true(got == value);
}

static void test_float(void **state)
{
    (void)state;
    real("-1.5e-3", true, -0.0015);
    real("5", true, 5.0);
    real(".5", true, 0.5);
    real("0x7b", true, 123.0);
    real("1_0.5", true, 10.5);
    real("1.", false, 0);
    real("", false, 0);
    real("nan", false, 0);
    real("1.5x", false, 0);
    struct value v;
    assert_true(ruby_float_to_i(-1.9, &arena, &v) && v.u.num == -1);
    assert_true(ruby_float_to_i(1e20, &arena, &v));
    assert_slice_equal(text_of(v), SLICE("100000000000000000000"));
    assert_false(ruby_float_to_i(NAN, &arena, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_to_i), cmocka_unit_test(test_to_f),
                                       cmocka_unit_test(test_integer),
                                       cmocka_unit_test(test_float)};
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    return T_RUN(tests);
}
