/*
 * Every lint against the configurations in tests/corpus/lint/NAME.txt.
 *
 * A file has cases: a line "--- fires" or "--- sound", then a configuration. Settings may follow
 * the word (fires config.support_escapes=true). A line "=== NAME" in a case begins a file of that
 * name: the case is a folder then. What fires must say this lint's name, with a place and a fix,
 * and nothing else; what is sound must say nothing at all.
 */
#define _GNU_SOURCE
#include "engine/app/wanted.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/cpu.h"
#include "engine/plan/plan.h"
#include "parsers/init.h"
#include "tests/unit/t.h"

#define FOLDER "tests/corpus/lint"

static uint32_t failures; /* all are shown before the test fails */

struct lint_case {
    const char *lint;
    slice head, text;
    bool fires;
};

static slice file_text(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) return SLICE_NONE;
    buf_room(out, 1 << 20);
    out->n = fread(out->data, 1, 1 << 20, f);
    fclose(f);
    return buf_slice(out);
}

static void write_file(const char *path, slice text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    fclose(f);
}

/* The part up to the next line that starts with `marker`, which *rest then begins with. */
static slice until(slice *rest, slice marker)
{
    for (uint32_t i = 0; i < rest->n; i++) {
        bool line = i == 0 || rest->p[i - 1] == '\n';
        if (!line || !slice_starts(slice_from(*rest, i), marker)) continue;
        slice part = slice_part(*rest, 0, i);
        *rest = slice_from(*rest, i);
        return part;
    }
    slice part = *rest;
    *rest = SLICE_NONE;
    return part;
}

static slice take_line(slice *rest)
{
    int64_t end = slice_find_byte(*rest, '\n');
    slice line = end < 0 ? *rest : slice_part(*rest, 0, (uint32_t)end);
    *rest = end < 0 ? SLICE_NONE : slice_from(*rest, (uint32_t)end + 1);
    return line;
}

/* Writes the case's files below the folder; the path to load. */
static void lay_out(const struct lint_case *c, const char *folder, char *path, size_t cap)
{
    slice rest = c->text;
    slice plain = until(&rest, SLICE("=== "));
    snprintf(path, cap, "%s/case.conf", folder);
    if (rest.n == 0) {
        write_file(path, plain);
        return;
    }
    snprintf(path, cap, "%s/conf.d", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    while (rest.n > 0) {
        char file[512];
        slice name = slice_from(take_line(&rest), 4);
        snprintf(file, sizeof(file), "%s/conf.d/%.*s", folder, SLICE_FMT(name));
        write_file(file, until(&rest, SLICE("=== ")));
    }
}

static void apply_head(struct process_settings *settings, slice head, struct diag *diag)
{
    while (head.n > 0) {
        int64_t blank = slice_find_byte(head, ' ');
        slice one = blank < 0 ? head : slice_part(head, 0, (uint32_t)blank);
        head = blank < 0 ? SLICE_NONE : slice_from(head, (uint32_t)blank + 1);
        int64_t equals = slice_find_byte(one, '=');
        if (equals < 0) continue;
        assert_int_equal(process_settings_set(settings, slice_part(one, 0, (uint32_t)equals),
                                              slice_from(one, (uint32_t)equals + 1), POS_NONE,
                                              diag),
                         ERR_OK);
    }
}

/* How often `part` stands in the text. */
static uint32_t count(const char *text, const char *part)
{
    uint32_t n = 0;
    for (; (text = strstr(text, part)) != NULL; text++) n++;
    return n;
}

/* Plugins give theirs in the text. */
static bool has_advice(const struct lint_case *c, const char *said)
{
    return strstr(said, "  fix: ") != NULL || strstr(said, "  did you mean ") != NULL ||
           strcmp(c->lint, "plugin-warning") == 0;
}

static void judge(const struct lint_case *c, const struct plan *plan, const char *said)
{
    char name[100];
    snprintf(name, sizeof(name), "[%s]\n", c->lint);
    bool good = plan != NULL && (c->fires ? count(said, name) > 0 && has_advice(c, said) &&
                                                count(said, name) == count(said, "warning: ") &&
                                                count(said, "^\n") >= count(said, name)
                                          : said[0] == '\0');
    if (good) return;
    print_error("%s, a case that %s:\n%.*s\nsaid:\n%s\n", c->lint, c->fires ? "fires" : "is sound",
                SLICE_FMT(c->text), said);
    failures++;
}

static void run_case(const struct lint_case *c)
{
    char folder[] = "/tmp/lint_test_XXXXXX", path[256], command[300];
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct process_settings *settings = process_settings_new(&heap);
    struct lint_request lint = {.run = true};
    struct load_report report;
    assert_non_null(mkdtemp(folder));
    lay_out(c, folder, path, sizeof(path));
    apply_head(settings, c->head, &diag);
    assert_int_equal(process_settings_finish(settings, &diag), ERR_OK);
    struct wanted wanted = {.settings = settings, .id = "main", .path = path};
    struct plan *plan = wanted_compile(&wanted, NULL, &lint, &report);
    judge(c, plan, buf_cstr(&report.text));
    if (plan != NULL) plan_free(plan);
    load_report_fini(&report);
    diag_fini(&diag);
    heap_fini(&heap);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void run_file(const char *lint)
{
    char path[256];
    struct buf buf = {0};
    uint32_t fires = 0, sound = 0;
    snprintf(path, sizeof(path), FOLDER "/%s.txt", lint);
    slice rest = file_text(path, &buf);
    until(&rest, SLICE("--- "));
    while (rest.n > 0) {
        struct lint_case c = {.lint = lint, .head = take_line(&rest)};
        c.text = until(&rest, SLICE("--- "));
        c.fires = slice_starts(c.head, SLICE("--- fires"));
        if (c.fires)
            fires++;
        else
            sound++;
        run_case(&c);
    }
    if (fires < 1 || sound < 2) {
        print_error("%s: needs a case that fires and two that are sound\n", path);
        failures++;
    }
    buf_fini(&buf);
}

static void test_every_lint(void **state)
{
    (void)state;
    for (const struct lint_entry *e = lint_table; e->name != NULL; e++)
        if (strcmp(e->name, "settings-warning") != 0) run_file(e->name); /* see tests/e2e */
    assert_int_equal(failures, 0);
}

static void test_names_are_unique_and_documented(void **state)
{
    (void)state;
    for (const struct lint_entry *e = lint_table; e->name != NULL; e++) {
        assert_true(strlen(e->doc) > 10);
        for (const struct lint_entry *o = e + 1; o->name != NULL; o++)
            assert_string_not_equal(e->name, o->name);
    }
}

static const char octal[] = "input { generator { count => 010 } }\noutput { null {} }\n";

static char *lint_text(const char *text, const struct lint_request *lint, uint32_t *warnings)
{
    struct heap heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct process_settings *settings = process_settings_new(&heap);
    struct load_report report;
    assert_int_equal(process_settings_finish(settings, &diag), ERR_OK);
    struct wanted wanted = {.settings = settings, .id = "main", .text = text};
    struct plan *plan = wanted_compile(&wanted, NULL, lint, &report);
    assert_non_null(plan);
    char *said = strdup(buf_cstr(&report.text));
    *warnings = report.warnings;
    plan_free(plan);
    load_report_fini(&report);
    diag_fini(&diag);
    heap_fini(&heap);
    return said;
}

static void assert_warnings(const char *text, const struct lint_request *lint, uint32_t n,
                            const char *part)
{
    uint32_t warnings;
    char *said = lint_text(text, lint, &warnings);
    assert_int_equal(warnings, n);
    if (part != NULL) assert_non_null(strstr(said, part));
    free(said);
}

static void test_silencing(void **state)
{
    struct lint_request all = {.run = true};
    struct lint_request named = {.run = true, .allow = {.names = {"octal-number"}, .n = 1}};
    (void)state;
    assert_warnings(octal, &all, 1, "config string:1:30: warning: ");
    assert_warnings(octal, &named, 0, NULL);
    assert_warnings("input { generator { count => 010 } } # spate: allow octal-number\n"
                    "output { null {} }",
                    &all, 0, NULL);
    assert_warnings(
        "# spate: allow no-newline, octal-number\ninput { generator { count => 010 } }\n"
        "output { null {} }",
        NULL, 0, NULL);
    /* Not the line before the line before, and not another name. */
    assert_warnings("# spate: allow octal-number\n\ninput { generator { count => 010 } }\n"
                    "output { null {} }",
                    &all, 1, "octal");
    assert_warnings("# spate: allow no-newline\ninput { generator { count => 010 } }\n"
                    "output { null {} }",
                    &all, 1, "octal");
    assert_warnings("# spate: allow octal-numbers\ninput { generator { count => 1 } }\n"
                    "output { null {} }",
                    &all, 1, "did you mean 'octal-number'?");
}

static void test_unknown_name_is_an_error(void **state)
{
    struct diag diag = DIAG_INIT;
    (void)state;
    assert_true(lint_known(SLICE("tags-compare"), &diag));
    assert_false(lint_known(SLICE("tags-comparison"), &diag));
    assert_int_equal(diag.errors, 1);
    diag_fini(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_lint),
        cmocka_unit_test(test_names_are_unique_and_documented),
        cmocka_unit_test(test_silencing),
        cmocka_unit_test(test_unknown_name_is_an_error),
    };
    parsers_init(cpu_init());
    return T_RUN(tests);
}
