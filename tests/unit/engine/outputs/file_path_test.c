/* Path rules of the file output: what is made absolute, what the root is, what escapes it. */
#include "tests/unit/t.h"

#include "engine/outputs/file_path.h"

static void check_expand(const char *path, const char *want)
{
    struct buf out = {0};
    file_path_expand(&out, slice_from_cstr(path), SLICE("/home/x"));
    assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
    buf_fini(&out);
}

static void test_expand(void **state)
{
    (void)state;
    check_expand("/a/b", "/a/b");
    check_expand("a", "/home/x/a");
    check_expand("./a/../b", "/home/x/b");
    check_expand("/a/./b//c/", "/a/b/c");
    check_expand("/../../a", "/a");
    check_expand("../../../..", "/");
    check_expand("/a/..b/...", "/a/..b/...");
}

static void test_reference(void **state)
{
    (void)state;
    assert_int_equal(file_path_reference(SLICE("/a/b")), -1);
    assert_int_equal(file_path_reference(SLICE("/a/%{b}")), 3);
    assert_int_equal(file_path_reference(SLICE("/a/%{}%{b}")), 6);
    assert_int_equal(file_path_reference(SLICE("/a/%{b")), -1);
}

static void test_root(void **state)
{
    (void)state;
    assert_slice_equal(file_path_root(SLICE("/var/log/x.log")), SLICE("/var/log"));
    assert_slice_equal(file_path_root(SLICE("/var/log/%{host}/x")), SLICE("/var/log"));
    assert_slice_equal(file_path_root(SLICE("/var/log/a-%{host}/x")), SLICE("/var/log"));
    assert_slice_equal(file_path_root(SLICE("/var/%{+yyyy/MM}/x")), SLICE("/var"));
    assert_slice_equal(file_path_root(SLICE("/%{host}/x")), SLICE(""));
    assert_slice_equal(file_path_root(SLICE("/a%{host}/x")), SLICE(""));
}

static bool inside(slice path)
{
    struct buf scratch = {0};
    bool yes = file_path_inside(&path, SLICE("/var/log"), &scratch);
    buf_fini(&scratch);
    return yes;
}

static void test_inside(void **state)
{
    (void)state;
    assert_true(inside(SLICE("/var/log/a")));
    assert_true(inside(SLICE("/var/log/a/../b")));
    assert_true(inside(SLICE("/var/log/..a")));
    assert_false(inside(SLICE("/var/log")));
    assert_false(inside(SLICE("/var/log/")));
    assert_false(inside(SLICE("/var/logs/a")));
    assert_false(inside(SLICE("/var/log/../a")));
    assert_false(inside(SLICE("/var/log/a/../../../etc/passwd")));
    assert_false(inside(SLICE("/var/log/a\0b")));
    static char longer[5000];
    memset(longer, 'a', sizeof(longer));
    memcpy(longer, "/var/log/", 9);
    assert_false(inside(slice_make(longer, sizeof(longer))));
}

static void test_dots_are_resolved(void **state)
{
    (void)state;
    struct buf scratch = {0};
    slice path = SLICE("/var/log/a/../b");
    assert_true(file_path_inside(&path, SLICE("/var/log"), &scratch));
    assert_slice_equal(path, SLICE("/var/log/b"));
    buf_fini(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_dots_are_resolved),
    };
    return T_RUN(tests);
}
