/* The PROXY line, in every way it can be cut. */
#include "net/proxy_line.h"

#include "tests/unit/t.h"

static const char text[] = "PROXY TCP6 2001:db8::1 ::1 1234 514\r\nrest";

static void test_cut_anywhere(void **state)
{
    (void)state;
    for (uint32_t cut = 0; cut < sizeof(text) - 5; cut++) {
        struct proxy_line line = {0};
        slice first = slice_make(text, cut),
              second = slice_make(text + cut, sizeof(text) - 1 - cut);
        int result = proxy_line_take(&line, &first);
        assert_int_equal(first.n, 0);
        if (result == 0) result = proxy_line_take(&line, &second);
        assert_int_equal(result, 1);
        assert_slice_equal(proxy_line_part(&line, PROXY_CLIENT), SLICE("2001:db8::1"));
        assert_slice_equal(proxy_line_part(&line, PROXY_HOST), SLICE("::1"));
        assert_slice_equal(proxy_line_part(&line, PROXY_CLIENT_PORT), SLICE("1234"));
        assert_slice_equal(proxy_line_part(&line, PROXY_PORT), SLICE("514"));
        if (cut < sizeof(text) - 5) assert_slice_equal(second, SLICE("rest"));
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct proxy_line line = {0};
    slice in = SLICE("GET / HTTP/1.1\r\n");
    assert_int_equal(proxy_line_take(&line, &in), ERR_FRAME);
    char large[200];
    memset(large, 'x', sizeof(large));
    memcpy(large, "PROXY ", 6);
    line = (struct proxy_line){0};
    in = slice_make(large, sizeof(large));
    assert_int_equal(proxy_line_take(&line, &in), ERR_FRAME);
}

static void test_unknown(void **state)
{
    (void)state;
    struct proxy_line line = {0};
    slice in = SLICE("PROXY UNKNOWN\r\n");
    assert_int_equal(proxy_line_take(&line, &in), 1);
    assert_int_equal(proxy_line_part(&line, PROXY_CLIENT).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cut_anywhere),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_unknown)};
    return T_RUN(tests);
}
