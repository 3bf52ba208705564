/* Filename patterns on a small tree, as Ruby's Dir.glob answers them. */
#include "tests/unit/t.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/buf.h"
#include "engine/inputs/file_glob.h"

static char root[] = "/tmp/glob-XXXXXX";

static void touch(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    mkdir(path, 0700);
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL) return -1;
    const char *folders[] = {"d", "d/e", ".h"};
    const char *files[] = {"a.log",     "b.log",    "c.txt",   ".s.log", "d/a.log",
                           "d/e/x.log", ".h/y.log", "[z].log", "{q}.log"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) folder(folders[i]);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) touch(files[i]);
    char link[64];
    snprintf(link, sizeof(link), "%s/d/loop", root);
    return symlink("..", link);
}

static int tear_down(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", root);
    return system(command);
}

static void check(const char *pattern, const char *want)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, pattern);
    struct file_paths found = {0};
    file_glob(&found, slice_from_cstr(path));
    file_paths_sort(&found);
    struct buf got = {0};
    for (uint32_t i = 0; i < found.n; i++)
        buf_printf(&got, "%s%s", i > 0 ? " " : "", found.at[i] + strlen(root) + 1);
    assert_slice_equal(buf_slice(&got), slice_from_cstr(want));
    buf_fini(&got);
    file_paths_fini(&found);
}

static void test_parts(void **state)
{
    (void)state;
    check("a.log", "a.log");
    check("none", "");
    check("*.log", "[z].log a.log b.log {q}.log");
    check("?.log", "a.log b.log");
    check("[ab].log", "a.log b.log");
    check(".*.log", ".s.log");
    check("*/a.log", "d/a.log");
    check("\\[z\\].log", "[z].log");
}

static void test_braces(void **state)
{
    (void)state;
    check("{a,c}.{log,txt}", "a.log c.txt");
    check("{a,{b,c}}.log", "a.log b.log");
    check("{d,none}/{,e/}*.log", "d/a.log d/e/x.log");
    check("a{}.log", "a.log");
    check("{a", "");
}

static void test_any_depth(void **state)
{
    (void)state;
    check("**/*.log", "[z].log a.log b.log d/a.log d/e/x.log {q}.log");
    check("**/e/*", "d/e/x.log");
    check("**/**/x.log", "d/e/x.log");
    check("d/**/*.log", "d/a.log d/e/x.log");
    check("**.log", "[z].log a.log b.log {q}.log");
}

static void test_names(void **state)
{
    (void)state;
    assert_true(file_glob_match_braces(SLICE("*.{gz,bak}"), SLICE("a.gz")));
    assert_false(file_glob_match_braces(SLICE("*.{gz,bak}"), SLICE("a.log")));
    assert_false(file_glob_match(SLICE("*"), SLICE(".hidden")));
}

static void test_brace_bombs_are_bounded(void **state)
{
    (void)state;
    struct file_paths found = {0};
    file_glob(&found, SLICE("/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"));
    assert_true(found.cut);
    file_paths_fini(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_braces),
        cmocka_unit_test(test_any_depth),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_brace_bombs_are_bounded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
