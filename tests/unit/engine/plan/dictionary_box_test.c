/* dictionary_box_test.c - a file that changes under its users. */
#include "engine/plan/dictionary_box.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "tests/unit/t.h"

static char path[64];
static int written;

/* Each version of the file has a time of its own. */
static void file_write(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    struct timespec times[2] = {{1700000000 + written, 0}, {1700000000 + written, 0}};
    written++;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static const char *value_of(struct dictionary_user *user, const char *key, char out[64])
{
    const struct value *v = dictionary_get(dictionary_now(user), slice_from_cstr(key), false);
    return v == NULL ? NULL : slice_cstr(value_slice(v), out, 64);
}

/* Waits for up to ten seconds until the key has the text; NULL: is gone. */
static void assert_becomes(struct dictionary_user *user, const char *key, const char *text)
{
    char out[64];
    for (int i = 0; i < 1000; i++) {
        const char *now = value_of(user, key, out);
        if (text == NULL ? now == NULL : now != NULL && strcmp(now, text) == 0) return;
        usleep(10000);
    }
    fail_msg("%s never became %s", key, text == NULL ? "nothing" : text);
}

static struct dictionary_source source_of(bool merge)
{
    return (struct dictionary_source){.path = path,
                                      .mode = DICTIONARY_EXACT,
                                      .merge = merge,
                                      .yaml_chars_max = 1000,
                                      .refresh_ns = 20 * NS_PER_MS};
}

static void test_merge(void **state)
{
    char reason[DICTIONARY_ERROR_BYTES];
    struct dictionary_source source = source_of(true);
    (void)state;
    file_write("a: one\nb: two\n");
    struct dictionary_box *box = dictionary_box_new(&source, reason);
    assert_non_null(box);
    struct dictionary_user *first = dictionary_join(box), *second = dictionary_join(box);
    assert_becomes(first, "a", "one");
    file_write("a: three\n");
    assert_becomes(first, "a", "three");
    assert_becomes(second, "a", "three");
    assert_becomes(second, "b", "two");
    file_write("a: [broken\n");
    usleep(100000);
    assert_becomes(first, "a", "three");
    unlink(path);
    usleep(100000);
    assert_becomes(first, "a", "three");
    file_write("a: four\n");
    assert_becomes(first, "a", "four");
    struct dictionary_user *late = dictionary_join(box);
    assert_becomes(late, "a", "four");
    dictionary_leave(first);
    file_write("a: five\n");
    assert_becomes(late, "a", "five");
    dictionary_leave(late);
    dictionary_leave(second);
    dictionary_box_free(box);
    unlink(path);
}

static void test_replace(void **state)
{
    char reason[DICTIONARY_ERROR_BYTES];
    struct dictionary_source source = source_of(false);
    (void)state;
    file_write("a: one\nb: two\n");
    struct dictionary_box *box = dictionary_box_new(&source, reason);
    assert_non_null(box);
    struct dictionary_user *user = dictionary_join(box);
    assert_becomes(user, "b", "two");
    file_write("a: three\n");
    assert_becomes(user, "b", NULL);
    /* One that does not look for a while misses some, and gets the last. */
    for (int i = 0; i < 30; i++) {
        char text[32];
        snprintf(text, sizeof(text), "a: v%d\n", i);
        file_write(text);
        usleep(30000);
    }
    assert_becomes(user, "a", "v29");
    dictionary_leave(user);
    dictionary_box_free(box);
    unlink(path);
}

static void test_never(void **state)
{
    char reason[DICTIONARY_ERROR_BYTES] = "";
    struct dictionary_source source = source_of(true);
    (void)state;
    source.refresh_ns = 0;
    file_write("a: one\n");
    struct dictionary_box *box = dictionary_box_new(&source, reason);
    struct dictionary_user *user = dictionary_join(box);
    assert_becomes(user, "a", "one");
    dictionary_leave(user);
    dictionary_box_free(box);
    file_write("- a list\n");
    assert_null(dictionary_box_new(&source, reason));
    assert_string_equal(reason, "the file is no mapping");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_never),
    };
    snprintf(path, sizeof(path), "/tmp/spate_dictionary_%d.yml", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
