/* mmdb_file_test.c - a database whose file changes, breaks and goes away. */
#define _GNU_SOURCE /* mkdtemp, usleep */
#include "engine/plan/mmdb_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "tests/unit/t.h"

static char folder[] = "/tmp/spate-mmdb-XXXXXX", path[64], next[64];

/* Replaced at once, as geoipupdate does. */
static void put(const char *from, long bytes)
{
    char data[8192];
    FILE *in = fopen(from, "rb"), *out = fopen(next, "wb");
    assert_non_null(in);
    assert_non_null(out);
    size_t n = fread(data, 1, sizeof(data), in);
    if (bytes >= 0) n = (size_t)bytes;
    assert_int_equal(fwrite(data, 1, n, out), n);
    fclose(in);
    fclose(out);
    assert_int_equal(rename(next, path), 0);
}

static const struct mmdb *until(struct mmdb_file *file, const struct mmdb *mine, const char *kind)
{
    for (int i = 0; i < 1500; i++) {
        mine = mmdb_file_follow(file, mine);
        if (slice_equal(mine->kind, slice_from_cstr(kind))) return mine;
        usleep(10000);
    }
    fail_msg("it never became %s", kind);
    return mine;
}

static void test_follows(void **state)
{
    char reason[MMDB_FILE_ERROR_BYTES];
    (void)state;
    put("tests/spec/geoip/asn.mmdb", -1);
    struct mmdb_file *file = mmdb_file_open(path, reason);
    assert_non_null(file);
    const struct mmdb *mine = mmdb_file_take(file), *other = mmdb_file_take(file);
    assert_ptr_equal(mine, mmdb_file_first(file));
    assert_ptr_equal(mmdb_file_follow(file, mine), mine);
    put("tests/spec/geoip/isp.mmdb", -1);
    mine = until(file, mine, "GeoIP2-ISP");
    /* The old one stays for who has it. */
    assert_string_equal(other->db.metadata.database_type, "GeoLite2-ASN");
    other = mmdb_file_follow(file, other);
    assert_ptr_equal(other, mine);
    /* A broken file is refused, the next good one is taken. */
    put("tests/spec/geoip/asn.mmdb", 300);
    for (int i = 0; i < 300; i++) {
        assert_ptr_equal(mmdb_file_follow(file, mine), mine);
        usleep(10000);
    }
    unlink(path);
    assert_ptr_equal(mmdb_file_follow(file, mine), mine);
    put("tests/spec/geoip/city.mmdb", -1);
    mine = until(file, mine, "GeoLite2-City");
    mmdb_file_give(file, other);
    mmdb_file_give(file, mine);
    mmdb_file_close(file);
}

static void test_refuses(void **state)
{
    char reason[MMDB_FILE_ERROR_BYTES] = "";
    (void)state;
    assert_null(mmdb_file_open("/nonexistent/x.mmdb", reason));
    assert_non_null(strstr(reason, "cannot be read"));
    assert_null(mmdb_file_open("/tmp", reason));
    assert_null(mmdb_file_open("/dev/null", reason));
    for (long n = 0; n < 400; n += 100) {
        put("tests/spec/geoip/asn.mmdb", n);
        assert_null(mmdb_file_open(path, reason));
        assert_non_null(strstr(reason, "no MaxMind database"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refuses),
                                       cmocka_unit_test(test_follows)};
    log_set_level(LOG_FATAL);
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof(path), "%s/x.mmdb", folder);
    snprintf(next, sizeof(next), "%s/y.mmdb", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    unlink(next);
    rmdir(folder);
    return failed;
}
