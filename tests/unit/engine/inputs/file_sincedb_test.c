/* The sincedb's text: Logstash's lines, old lines, junk; devices; expiry; saving in place. */
#include "tests/unit/t.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "engine/inputs/file_sincedb.h"

static void test_round_trip(void **state)
{
    (void)state;
    struct file_sincedb db = {0};
    slice text = SLICE("1234 0 64513 99 1700000000.500000 /var/log/a b.log\n");
    assert_int_equal(file_sincedb_parse(&db, text, 5), 0);
    struct buf out = {0};
    file_sincedb_format(&db, &out);
    assert_slice_equal(buf_slice(&out), text);
    buf_fini(&out);
    file_sincedb_fini(&db);
}

static void test_old_lines(void **state)
{
    (void)state;
    struct file_sincedb db = {0};
    assert_int_equal(file_sincedb_parse(&db, SLICE("7 0 64513 42\n8 0 64513 43 1.5"), 100), 0);
    struct file_since *since = file_sincedb_find(&db, 7, 64513);
    assert_non_null(since);
    assert_int_equal(since->position, 42);
    assert_true(since->seen_s == 100 && since->path == NULL);
    assert_true(file_sincedb_find(&db, 8, 64513)->seen_s == 1.5);
    file_sincedb_fini(&db);
}

static void test_junk_is_counted(void **state)
{
    (void)state;
    struct file_sincedb db = {0};
    slice junk = SLICE("x\n\n1 2\n1 2 3 -4\n1 2 3 99999999999999999999\n1 2 3 4 when /x\n\0\xff\n");
    assert_int_equal(file_sincedb_parse(&db, junk, 0), 6);
    assert_int_equal(db.n, 0);
    file_sincedb_fini(&db);
}

static void test_both_ways_to_split_a_device(void **state)
{
    (void)state;
    struct file_sincedb db = {0};
    dev_t dev = makedev(252, 1);
    struct buf text = {0};
    buf_printf(&text, "1 0 %u 5\n2 252 1 6\n3 252 2 7\n", (unsigned)dev);
    assert_int_equal(file_sincedb_parse(&db, buf_slice(&text), 0), 0);
    assert_int_equal(file_sincedb_find(&db, 1, dev)->position, 5);
    assert_int_equal(file_sincedb_find(&db, 2, dev)->position, 6);
    assert_null(file_sincedb_find(&db, 3, dev));
    buf_fini(&text);
    file_sincedb_fini(&db);
}

static void test_expiry_spares_what_is_used(void **state)
{
    (void)state;
    struct file_sincedb db = {0};
    file_sincedb_add(&db, 1, 1, SLICE("/a"))->seen_s = 10;
    file_sincedb_add(&db, 2, 1, SLICE("/b"))->seen_s = 20;
    file_sincedb_add(&db, 3, 1, SLICE("/c"))->used = true;
    file_sincedb_expire(&db, 15);
    assert_int_equal(db.n, 2);
    assert_null(file_sincedb_find(&db, 1, 1));
    assert_non_null(file_sincedb_find(&db, 3, 1));
    file_sincedb_fini(&db);
    assert_int_equal(db.n, 0);
}

static void test_save_and_load(void **state)
{
    (void)state;
    char folder[] = "/tmp/sincedb-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/db", folder);
    struct buf text = {0};
    assert_int_equal(file_sincedb_load(path, &text), ERR_MISSING);
    assert_int_equal(file_sincedb_save(path, SLICE("one")), ERR_OK);
    assert_int_equal(file_sincedb_save(path, SLICE("two")), ERR_OK);
    assert_int_equal(file_sincedb_load(path, &text), ERR_OK);
    assert_slice_equal(buf_slice(&text), SLICE("two"));
    buf_fini(&text);
    unlink(path);
    /* Nothing else may stay behind, and a device must stay a device. */
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(file_sincedb_save("/dev/null", SLICE("x")), ERR_OK);
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(file_sincedb_save("/nonexistent/db", SLICE("x")), ERR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_old_lines),
        cmocka_unit_test(test_junk_is_counted),
        cmocka_unit_test(test_both_ways_to_split_a_device),
        cmocka_unit_test(test_expiry_spares_what_is_used),
        cmocka_unit_test(test_save_and_load),
    };
    return T_RUN(tests);
}
