/* machine_test.c - control groups of both versions, from files in a folder of the test's own. */
#include "tests/unit/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/machine.h"

static char root[64];

static void folder_make(const char *path)
{
    char text[512];
    snprintf(text, sizeof(text), "mkdir -p '%s%s'", root, path);
    assert_int_equal(system(text), 0);
}

static void file_put(const char *folder, const char *name, const char *content)
{
    char path[512];
    folder_make(folder);
    snprintf(path, sizeof(path), "%s%s/%s", root, folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static int begin(void **state)
{
    (void)state;
    memcpy(root, "/tmp/spate-machine-XXXXXX", 26);
    return mkdtemp(root) == NULL;
}

static int end(void **state)
{
    char text[128];
    (void)state;
    snprintf(text, sizeof(text), "rm -rf '%s'", root);
    return system(text);
}

static struct machine read_it(void)
{
    struct machine m;
    machine_read(&m, root);
    return m;
}

static void without_groups(void **state)
{
    (void)state;
    struct machine m = read_it();
    assert_true(m.cpus_online >= 1 && m.cpus_allowed >= 1);
    assert_int_equal(m.cpus_usable, m.cpus_allowed);
    assert_true(m.cpus_quota == 0);
    assert_int_equal(m.memory_limit, 0);
    assert_true(m.memory_bytes > 0);
}

static void version_2(void **state)
{
    (void)state;
    file_put("/proc/self", "cgroup", "0::/system.slice/spate.service\n");
    file_put("/sys/fs/cgroup/system.slice/spate.service", "cpu.max", "50000 100000\n");
    file_put("/sys/fs/cgroup/system.slice/spate.service", "memory.max", "max\n");
    struct machine m = read_it();
    assert_true(m.cpus_quota == 0.5);
    assert_int_equal(m.cpus_usable, 1);
    assert_int_equal(m.memory_limit, 0);
}

/* The tightest of the groups on the way up counts. */
static void version_2_parents(void **state)
{
    (void)state;
    file_put("/proc/self", "cgroup", "0::/a/b\n");
    file_put("/sys/fs/cgroup/a/b", "cpu.max", "max 100000\n");
    file_put("/sys/fs/cgroup/a", "cpu.max", "75000 100000\n");
    file_put("/sys/fs/cgroup", "memory.max", "1048576\n");
    file_put("/sys/fs/cgroup/a", "memory.max", "2097152\n");
    struct machine m = read_it();
    assert_true(m.cpus_quota == 0.75);
    assert_int_equal(m.memory_limit, 1048576);
    assert_int_equal(m.memory_bytes, 1048576);
}

/* In a container the path of the host is not there: the mount is the group. */
static void version_2_container(void **state)
{
    (void)state;
    file_put("/proc/self", "cgroup", "0::/docker/0123\n");
    file_put("/sys/fs/cgroup", "cpu.max", "150000 100000\n");
    struct machine m = read_it();
    assert_true(m.cpus_quota == 1.5);
    assert_int_equal(m.cpus_usable, m.cpus_allowed < 2 ? m.cpus_allowed : 2);
}

static void version_1(void **state)
{
    (void)state;
    file_put("/proc/self", "cgroup", "4:memory:/job\n1:cpu,cpuacct:/job\n0::/\n");
    file_put("/sys/fs/cgroup/cpu,cpuacct/job", "cpu.cfs_quota_us", "25000\n");
    file_put("/sys/fs/cgroup/cpu,cpuacct/job", "cpu.cfs_period_us", "100000\n");
    file_put("/sys/fs/cgroup/cpu,cpuacct", "cpu.cfs_quota_us", "-1\n");
    file_put("/sys/fs/cgroup/cpu,cpuacct", "cpu.cfs_period_us", "100000\n");
    file_put("/sys/fs/cgroup/memory/job", "memory.limit_in_bytes", "536870912\n");
    file_put("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "9223372036854771712\n");
    struct machine m = read_it();
    assert_true(m.cpus_quota == 0.25);
    assert_int_equal(m.cpus_usable, 1);
    assert_int_equal(m.memory_limit, 536870912);
}

static void nonsense(void **state)
{
    (void)state;
    file_put("/proc/self", "cgroup", "\n:\nx::\n0:\n0::/../../..\n1:cpu\n");
    file_put("/sys/fs/cgroup", "cpu.max", "\n");
    file_put("/sys/fs/cgroup/unified", "cpu.max", "100000 0\n");
    file_put("/sys/fs/cgroup", "memory.max", "-\n");
    struct machine m = read_it();
    assert_true(m.cpus_quota == 0);
    assert_int_equal(m.memory_limit, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_groups, begin, end),
        cmocka_unit_test_setup_teardown(version_2, begin, end),
        cmocka_unit_test_setup_teardown(version_2_parents, begin, end),
        cmocka_unit_test_setup_teardown(version_2_container, begin, end),
        cmocka_unit_test_setup_teardown(version_1, begin, end),
        cmocka_unit_test_setup_teardown(nonsense, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
