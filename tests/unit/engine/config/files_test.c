/* Finding and joining configuration files; what -e completes. */
#include "engine/config/files.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/engine/config/fixture.h"

static char folder[] = "/tmp/spate_files_XXXXXX";
static char path[256];

static const char *in_folder(const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    write_file("20-b.conf", "filter {\n bad }\n");
    write_file("10-a", "input { }");
    write_file("30-c.conf~", "nonsense");
    write_file(".hidden", "nonsense");
    mkdir(in_folder("sub"), 0755);
    write_file("sub/latin", "# \xE9\n");
    mkdir(in_folder("empty"), 0755);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"20-b.conf", "10-a", "30-c.conf~", ".hidden", "sub/latin"};
    for (size_t i = 0; i < 5; i++) unlink(in_folder(names[i]));
    rmdir(in_folder("sub"));
    rmdir(in_folder("empty"));
    return rmdir(folder);
}

static const struct source *load(struct fixture *f, const char *what)
{
    *f = (struct fixture){0};
    const struct source *source;
    err e = config_files_load(slice_from_cstr(what), &f->heap, &f->diag, &source);
    assert_int_equal(e == ERR_OK, source != NULL);
    return source;
}

static void joins_a_folder(void **state)
{
    (void)state;
    struct fixture f;
    const struct source *source = load(&f, folder);
    assert_non_null(source);
    assert_int_equal(source->n, 2);
    assert_slice_equal(source->text, SLICE("input { }\nfilter {\n bad }\n"));
    /* Errors know their file and its own lines. */
    err e = ast_parse(source, (struct ast_options){0}, &f.heap, &f.diag, &f.ast);
    assert_int_equal(e, ERR_CONFIG);
    assert_says(&f, "20-b.conf:2:6: error");
    fixture_fini(&f);
}

static void takes_files_and_globs(void **state)
{
    (void)state;
    struct fixture f;
    char url[300];
    snprintf(url, sizeof(url), "file://%s", in_folder("10-a"));
    assert_slice_equal(load(&f, url)->text, SLICE("input { }"));
    fixture_fini(&f);
    assert_int_equal(load(&f, in_folder("{10,20}-*"))->n, 2);
    fixture_fini(&f);
    assert_int_equal(load(&f, in_folder("*.conf"))->n, 1);
    fixture_fini(&f);
}

static void reports_errors(void **state)
{
    (void)state;
    struct fixture f;
    assert_null(load(&f, in_folder("empty")));
    assert_says(&f, "No config files found in path");
    fixture_fini(&f);
    assert_null(load(&f, in_folder("absent*.conf")));
    assert_says(&f, "No config files found in path");
    fixture_fini(&f);
    assert_null(load(&f, in_folder("sub")));
    assert_says(&f, "latin:1:3: error: the configuration file is not valid UTF-8");
    fixture_fini(&f);
    assert_null(load(&f, "https://localhost/x.conf"));
    assert_says(&f, "does not load configurations over the network");
    fixture_fini(&f);
}

static void completes_strings(void **state)
{
    (void)state;
    struct fixture f = {0};
    const struct source *source;
    err e = config_string_load(SLICE("filter { }"), true, &f.heap, &f.diag, &source);
    assert_int_equal(e, ERR_OK);
    e = ast_parse(source, (struct ast_options){0}, &f.heap, &f.diag, &f.ast);
    assert_int_equal(e, ERR_OK);
    assert_slice_equal(f.ast.sections[SECTION_INPUT].at[0].plugin->name, SLICE("stdin"));
    assert_slice_equal(f.ast.sections[SECTION_OUTPUT].at[0].plugin->name, SLICE("stdout"));
    e = config_string_load(SLICE("output\n{ x }input{}"), true, &f.heap, &f.diag, &source);
    assert_int_equal(e, ERR_OK);
    assert_slice_equal(source->text, SLICE("output\n{ x }input{}"));
    e = config_string_load(SLICE("x"), false, &f.heap, &f.diag, &source);
    assert_int_equal(e, ERR_OK);
    assert_slice_equal(source->text, SLICE("x"));
    assert_slice_equal(source->parts[0].name, SLICE("config string"));
    e = config_string_load(SLICE("\xFF"), false, &f.heap, &f.diag, &source);
    assert_int_equal(e, ERR_CONFIG);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_a_folder),
        cmocka_unit_test(takes_files_and_globs),
        cmocka_unit_test(reports_errors),
        cmocka_unit_test(completes_strings),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
