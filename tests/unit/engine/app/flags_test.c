/* flags_test.c - argv in all its spellings, and what is refused. */
#include "engine/app/flags.h"

#include "tests/unit/t.h"

struct read {
    struct flags flags;
    struct diag diag;
    struct buf text;
    err e;
};

#define READ(r, ...) read_args(r, (char *[]){"spate", __VA_ARGS__, NULL})
static void read_args(struct read *r, char **argv)
{
    int n = 0;
    while (argv[n] != NULL) n++;
    memset(r, 0, sizeof(*r));
    r->e = flags_read(n, argv, &r->flags, &r->diag);
    diag_print(&r->diag, &r->text);
    buf_cstr(&r->text);
}

static void done(struct read *r)
{
    diag_fini(&r->diag);
    buf_fini(&r->text);
}

static void assert_set(const struct read *r, uint32_t i, const char *name, const char *text)
{
    assert_true(i < r->flags.set_n);
    assert_slice_equal(r->flags.set[i].name, slice_from_cstr(name));
    assert_slice_equal(r->flags.set[i].text, slice_from_cstr(text));
}

static void takes_every_spelling(void **state)
{
    (void)state;
    struct read r;
    READ(&r, "-w", "4", "-b250", "--pipeline.batch.delay=7", "-tr", "--path.settings", "/etc/x",
         "-S", "queue.type=persisted", "-e", "", "--log.level", "-x");
    assert_int_equal(r.e, ERR_OK);
    assert_int_equal(r.flags.set_n, 8);
    assert_set(&r, 0, "pipeline.workers", "4");
    assert_set(&r, 1, "pipeline.batch.size", "250");
    assert_set(&r, 2, "pipeline.batch.delay", "7");
    assert_set(&r, 3, "config.test_and_exit", "true");
    assert_set(&r, 4, "config.reload.automatic", "true");
    assert_set(&r, 5, "queue.type", "persisted");
    assert_set(&r, 6, "config.string", "");
    assert_set(&r, 7, "log.level", "-x");
    assert_string_equal(r.flags.path_settings, "/etc/x");
    done(&r);
}

static void tells_version_and_help(void **state)
{
    (void)state;
    struct read r;
    READ(&r, "-V");
    assert_true(r.flags.version && !r.flags.help);
    done(&r);
    READ(&r, "--help");
    assert_true(r.flags.help);
    done(&r);
}

static void knows_old_flags(void **state)
{
    (void)state;
    struct read r;
    READ(&r, "--debug", "--http.port", "9601");
    assert_int_equal(r.e, ERR_OK);
    assert_set(&r, 0, "log.level", "debug");
    assert_set(&r, 1, "http.port", "9601");
    assert_non_null(strstr(r.text.data, "deprecated"));
    done(&r);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        char *arg, *says;
    } bad[] = {
        {"--pipeline.worker", "did you mean '--pipeline.workers'?"},
        {"-Z", "Unrecognised option '-Z'"},
        {"-tZ", "Unrecognised option '-Z'"},
        {"stray", "too many arguments: 'stray'"},
        {"-f", "'-f' needs a value"},
        {"--path.data", "'--path.data' needs a value"},
        {"--config.debug=yes", "takes no value"},
        {"-Sname", "NAME=VALUE"},
        {"-S=value", "NAME=VALUE"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct read r;
        READ(&r, bad[i].arg);
        assert_int_equal(r.e, ERR_CONFIG);
        if (strstr(r.text.data, bad[i].says) == NULL) fail_msg("%s: %s", bad[i].arg, r.text.data);
        done(&r);
    }
}

static void reports_every_wrong_flag(void **state)
{
    (void)state;
    struct read r;
    READ(&r, "--one", "--two");
    assert_int_equal(r.diag.errors, 2);
    done(&r);
    READ(&r, "--", "--version");
    assert_int_equal(r.e, ERR_CONFIG);
    assert_false(r.flags.version);
    done(&r);
}

static void applies_in_order(void **state)
{
    (void)state;
    struct read r;
    struct heap heap = HEAP_INIT;
    struct process_settings *s = process_settings_new(&heap);
    READ(&r, "-w", "3", "-S", "pipeline.workers=5");
    assert_int_equal(flags_apply(&r.flags, s, &r.diag), ERR_OK);
    assert_int_equal(process_settings_int(s, "pipeline.workers"), 5);
    done(&r);
    READ(&r, "-w", "none", "-b", "x");
    assert_int_equal(flags_apply(&r.flags, s, &r.diag), ERR_CONFIG);
    assert_int_equal(r.diag.errors, 2);
    done(&r);
    heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_spelling),     cmocka_unit_test(tells_version_and_help),
        cmocka_unit_test(knows_old_flags),          cmocka_unit_test(refuses),
        cmocka_unit_test(reports_every_wrong_flag), cmocka_unit_test(applies_in_order),
    };
    return T_RUN(tests);
}
