/*
 * What people do wrong, and what they are told: every tests/corpus/diagnostics/NAME.conf says
 * exactly the text in NAME.txt, as `spate -t -f` prints it.
 *
 * With SPATE_GOLDEN=write the texts are written instead; read them before they are committed.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <stdlib.h>

#include "engine/app/wanted.h"
#include "engine/base/cpu.h"
#include "engine/plan/plan.h"
#include "parsers/init.h"
#include "tests/unit/t.h"

#define FOLDER "tests/corpus/diagnostics/"
#define CASES_MIN 40

static void golden_path(const char *conf, char *out, size_t cap)
{
    snprintf(out, cap, "%.*s.txt", (int)strlen(conf) - 5, conf);
}

static void read_golden(const char *conf, struct buf *out)
{
    char path[512];
    golden_path(conf, path, sizeof(path));
    FILE *f = fopen(path, "re");
    if (f == NULL) return;
    buf_room(out, 65536);
    out->n = fread(out->data, 1, 65536, f);
    fclose(f);
}

static void write_golden(const char *conf, const struct buf *text)
{
    char path[512];
    golden_path(conf, path, sizeof(path));
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text->data, 1, text->n, f), text->n);
    fclose(f);
}

static bool check(const char *conf, const struct process_settings *settings)
{
    struct wanted wanted = {.settings = settings, .id = "main", .path = conf};
    struct lint_request lint = {.run = true};
    struct load_report report;
    struct buf want = {0};
    struct plan *plan = wanted_compile(&wanted, NULL, &lint, &report);
    if (getenv("SPATE_GOLDEN") != NULL) write_golden(conf, &report.text);
    read_golden(conf, &want);
    bool good = report.text.n > 0 && slice_equal(buf_slice(&report.text), buf_slice(&want));
    if (!good)
        print_error("%s says\n%s\nand should say\n%s\n", conf, buf_cstr(&report.text),
                    buf_cstr(&want));
    if (plan != NULL) plan_free(plan);
    load_report_fini(&report);
    buf_fini(&want);
    return good;
}

static void test_texts(void **state)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct process_settings *settings = process_settings_new(&heap);
    glob_t found;
    uint32_t bad = 0;
    (void)state;
    assert_int_equal(process_settings_finish(settings, &diag), ERR_OK);
    assert_int_equal(glob(FOLDER "*.conf", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= CASES_MIN);
    for (size_t i = 0; i < found.gl_pathc; i++) bad += !check(found.gl_pathv[i], settings);
    globfree(&found);
    diag_fini(&diag);
    heap_fini(&heap);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts)};
    unsetenv("SPATE_TEST_NO_SUCH_HOST");
    parsers_init(cpu_init());
    return T_RUN(tests);
}
