/* Secrets in a file: what goes in comes out, with the right key only, and damage is seen. */
#define _GNU_SOURCE
#include "engine/config/keystore.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/t.h"

struct place {
    char folder[64], path[128], key[160];
    struct diag diag;
    struct buf said;
};

static void place_init(struct place *p)
{
    *p = (struct place){.folder = "/tmp/keystore_test_XXXXXX"};
    unsetenv("SPATE_KEYSTORE_PASS");
    unsetenv("LOGSTASH_KEYSTORE_PASS");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->path, sizeof(p->path), "%s/%s", p->folder, KEYSTORE_FILE);
    snprintf(p->key, sizeof(p->key), "%s.key", p->path);
}

static void place_fini(struct place *p)
{
    char command[200];
    snprintf(command, sizeof(command), "rm -r %s", p->folder);
    assert_int_equal(system(command), 0);
    diag_fini(&p->diag);
    buf_fini(&p->said);
    unsetenv("SPATE_KEYSTORE_PASS");
    unsetenv("LOGSTASH_KEYSTORE_PASS");
}

static void assert_said(struct place *p, const char *part)
{
    p->said.n = 0;
    diag_print(&p->diag, &p->said);
    if (strstr(buf_cstr(&p->said), part) == NULL) fail_msg("%s", p->said.data);
}

static void save(struct place *p, const char *name, const char *text)
{
    struct keystore *ks = keystore_new();
    assert_int_equal(keystore_set(ks, slice_from_cstr(name), slice_from_cstr(text), &p->diag),
                     ERR_OK);
    assert_int_equal(keystore_save(ks, p->path, &p->diag), ERR_OK);
    keystore_free(ks);
}

static void assert_opens(struct place *p, const char *name, const char *text)
{
    struct keystore *ks;
    slice got;
    assert_int_equal(keystore_open(p->path, &ks, &p->diag), ERR_OK);
    assert_true(keystore_get(ks, slice_from_cstr(name), &got));
    assert_slice_equal(got, slice_from_cstr(text));
    keystore_free(ks);
}

static void assert_refused(struct place *p, const char *part)
{
    struct keystore *ks;
    assert_int_equal(keystore_open(p->path, &ks, &p->diag), ERR_CONFIG);
    assert_null(ks);
    assert_said(p, part);
}

static void test_names_and_values(void **state)
{
    struct diag diag = DIAG_INIT;
    struct keystore *ks = keystore_new();
    slice got;
    (void)state;
    static const char *const names[] = {"es_pwd", "B.b", "a1", "_x"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(keystore_set(ks, slice_from_cstr(names[i]), SLICE("v"), &diag), ERR_OK);
    assert_int_equal(keystore_n(ks), 4);
    assert_slice_equal(keystore_name(ks, 1), SLICE("a1"));
    assert_true(keystore_get(ks, SLICE("ES_PWD"), &got));
    assert_int_equal(keystore_set(ks, SLICE("Es_Pwd"), SLICE("new"), &diag), ERR_OK);
    assert_int_equal(keystore_n(ks), 4);
    assert_true(keystore_get(ks, SLICE("es_pwd"), &got));
    assert_slice_equal(got, SLICE("new"));
    assert_true(keystore_remove(ks, SLICE("A1")));
    assert_false(keystore_remove(ks, SLICE("a1")));
    assert_false(keystore_get(ks, SLICE("a1"), &got));
    static const char *const bad[] = {"", "1a", "a-b", "a b", "\xC3\xA9"};
    for (int i = 0; i < 5; i++)
        assert_int_equal(keystore_set(ks, slice_from_cstr(bad[i]), SLICE("v"), &diag), ERR_CONFIG);
    assert_int_equal(keystore_set(ks, SLICE("a"), SLICE(""), &diag), ERR_CONFIG);
    assert_int_equal(keystore_set(ks, SLICE("a"), SLICE("x\0y"), &diag), ERR_CONFIG);
    keystore_free(ks);
    diag_fini(&diag);
}

static void test_key_file(void **state)
{
    struct place p;
    struct stat st;
    (void)state;
    place_init(&p);
    save(&p, "pwd", "s3cret \xC3\xA9");
    assert_opens(&p, "PWD", "s3cret \xC3\xA9");
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(p.key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 32);
    save(&p, "pwd", "other"); /* with the same key */
    assert_opens(&p, "pwd", "other");
    assert_int_equal(chmod(p.key, 0640), 0);
    assert_refused(&p, "others may read the key");
    assert_int_equal(unlink(p.key), 0);
    assert_refused(&p, "its key file is missing");
    place_fini(&p);
}

static void test_password(void **state)
{
    struct place p;
    (void)state;
    place_init(&p);
    setenv("LOGSTASH_KEYSTORE_PASS", "right", 1);
    save(&p, "pwd", "s3cret");
    assert_int_not_equal(access(p.key, F_OK), 0);
    assert_opens(&p, "pwd", "s3cret");
    setenv("SPATE_KEYSTORE_PASS", "wrong", 1); /* wins over the other name */
    assert_refused(&p, "the key does not fit");
    unsetenv("SPATE_KEYSTORE_PASS");
    unsetenv("LOGSTASH_KEYSTORE_PASS");
    assert_refused(&p, "it has a password, and none is set");
    place_fini(&p);
}

/* Every byte counts, and every length. */
static void test_damage(void **state)
{
    struct place p;
    char bytes[1024];
    (void)state;
    place_init(&p);
    save(&p, "pwd", "s3cret");
    FILE *f = fopen(p.path, "re");
    size_t n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    assert_true(n > 60 && n < sizeof(bytes));
    assert_null(memmem(bytes, n, "s3cret", 6));
    for (size_t i = 0; i <= n; i++) {
        struct keystore *ks;
        f = fopen(p.path, "we");
        if (i < n) bytes[i] ^= 1;
        /* The last round cuts the file short instead. */
        fwrite(bytes, 1, i < n ? n : n - 1, f);
        fclose(f);
        if (i < n) bytes[i] ^= 1;
        assert_int_equal(keystore_open(p.path, &ks, &p.diag), ERR_CONFIG);
    }
    f = fopen(p.path, "we");
    fclose(f);
    assert_refused(&p, "not a keystore");
    place_fini(&p);
}

static void test_missing(void **state)
{
    struct place p;
    struct keystore *ks;
    (void)state;
    place_init(&p);
    assert_int_equal(keystore_open(p.path, &ks, &p.diag), ERR_MISSING);
    assert_int_equal(p.diag.errors, 0);
    place_fini(&p);
}

static void test_lookup_order(void **state)
{
    struct place p;
    slice got;
    (void)state;
    place_init(&p);
    struct keystore *ks = keystore_new();
    assert_int_equal(keystore_set(ks, SLICE("both"), SLICE("kept"), &p.diag), ERR_OK);
    setenv("both", "env", 1);
    setenv("only", "env", 1);
    struct env env = {keystore_lookup, ks};
    assert_true(env_lookup(&env, SLICE("both"), &got));
    assert_slice_equal(got, SLICE("kept"));
    assert_true(env_lookup(&env, SLICE("only"), &got));
    assert_slice_equal(got, SLICE("env"));
    env.context = NULL;
    assert_true(env_lookup(&env, SLICE("both"), &got));
    assert_slice_equal(got, SLICE("env"));
    keystore_free(ks);
    place_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_values), cmocka_unit_test(test_key_file),
        cmocka_unit_test(test_password),         cmocka_unit_test(test_damage),
        cmocka_unit_test(test_missing),          cmocka_unit_test(test_lookup_order),
    };
    return T_RUN(tests);
}
