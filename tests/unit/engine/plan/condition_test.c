/* condition_test.c - every operator over every combination of types; common options. */
#include "tests/unit/rig.h"

static const struct filter_ops *const no_filters[] = {NULL};
static const struct input_ops *const no_inputs[] = {NULL};
static const char *const none[] = {NULL};

struct truth_cfg {
    int unused;
};
static enum verdict verdict;
static const char *shown;

/* The condition under test stands before this output; it runs once when true. */
static enum push truth_push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)state, (void)cfg, (void)b;
    assert_int_equal(in->n, 1);
    verdict = VERDICT_TRUE;
    return PUSH_TAKEN;
}
static err no_compile(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}
static const struct setting no_settings[] = {{0}};
static const struct output_ops truth = {.name = "truth",
                                        .doc = "Was reached.",
                                        .settings = no_settings,
                                        .cfg_size = sizeof(struct truth_cfg),
                                        .compile = no_compile,
                                        .push = truth_push};
static const struct output_ops *const outputs[] = {&truth, NULL};

static void put(struct batch *b, struct event *ev, const char *field, struct value val)
{
    struct fieldref ref;
    assert_int_equal(fieldref_parse(&ref, slice_from_cstr(field), &b->arena), ERR_OK);
    assert_int_equal(event_put(b, ev, &ref, val), ERR_OK);
}

static void fill(struct batch *b)
{
    struct event *ev = batch_add(b);
    static struct value list[3];
    list[0] = value_string(SLICE("x"));
    list[1] = value_int(5);
    list[2] = value_nil();
    put(b, ev, "s", value_string(SLICE("abc")));
    put(b, ev, "s2", value_string(SLICE("abc")));
    put(b, ev, "sub", value_string(SLICE("bc")));
    put(b, ev, "empty", value_string(SLICE("")));
    put(b, ev, "no", value_string(SLICE("false")));
    put(b, ev, "five", value_int(5));
    put(b, ev, "fivef", value_float(5.0));
    put(b, ev, "fives", value_string(SLICE("5")));
    put(b, ev, "zero", value_int(0));
    put(b, ev, "t", value_bool(true));
    put(b, ev, "f", value_bool(false));
    put(b, ev, "nil", value_nil());
    put(b, ev, "l", value_list(list, 3));
    put(b, ev, "el", value_list(list, 0));
    put(b, ev, "[m][k]", value_int(1));
    put(b, ev, "t1", value_time(1000));
    put(b, ev, "t2", value_time(2000));
    put(b, ev, "ml", value_string(SLICE("one\ntwo")));
    put(b, ev, "big",
        (struct value){.type = VALUE_BIGNUM, .n = 20, .u.str = "99999999999999999999"});
    put(b, ev, "raw", (struct value){.type = VALUE_INT, .flags = VALUE_RAW, .n = 1, .u.str = "5"});
    put(b, ev, "esc",
        (struct value){.type = VALUE_STRING, .flags = VALUE_ESCAPED, .n = 8, .u.str = "\\u0061bc"});
    put(b, ev, "[@metadata][x]", value_string(SLICE("meta")));
}

static enum verdict test_one(const char *condition)
{
    const struct registry registry = {no_inputs, plugin_registry.codecs, no_filters, outputs, none};
    struct rig r;
    char config[300];
    shown = condition;
    snprintf(config, sizeof(config), "output { if %s { truth { } } }", condition);
    rig_init(&r, &registry, config, NULL);
    fill(worker_batch(r.worker));
    verdict = VERDICT_FALSE;
    log_set_level(LOG_ERROR); /* errors of conditions are warnings */
    worker_flush(r.worker);
    uint64_t errors = counter_read(&r.worker->state->condition_errors);
    if (errors > 0) {
        assert_int_equal(errors, 1);
        assert_int_equal(verdict, VERDICT_FALSE); /* an error counts as false */
        verdict = VERDICT_ERROR;
    }
    rig_fini(&r);
    return verdict;
}

static void expect(enum verdict want, const char *const *conditions)
{
    for (; *conditions != NULL; conditions++)
        if (test_one(*conditions) != want) fail_msg("%s: %d, not %d", *conditions, verdict, want);
}

static void test_true(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "[s]", "[t]", "[zero]", "[five]", "[el]", "[m]", "[l]", "[t1]", "[@metadata][x]",
        "[@metadata]", "[@timestamp]", "[m][k]", "[l][0]", "![nope]", "![empty]", "![no]", "![f]",
        "![nil]", "!([s] == 'x')",
        /* Equality: type and content. */
        "[s] == 'abc'", "[s] == [s2]", "[esc] == 'abc'", "[five] == 5", "[fivef] == 5.0",
        "[raw] == 5", "[raw] == [five]", "[fives] == '5'", "[five] != '5'", "[five] != 5.0",
        "[fives] != 5", "[five] != [fivef]", "[nope] != 'x'", "[nope] != 5", "[nope] == [nope2]",
        "[nil] == [nope]", "[nope] != [s]", "[t] != 'true'", "[f] != 'false'", "'abc' == [s]",
        "[l] == [l]", "[@metadata][x] == 'meta'", "[nil] != 'x'",
        /* Order. */
        "[five] > 4", "[five] >= 5", "[five] <= 5.0", "[five] < 5.5", "[fivef] >= [five]",
        "[s] < 'abd'", "[s] > 'ab'", "[s] >= 'abc'", "[t1] < [t2]", "[big] > 5", "4 < [five]",
        /* Membership. ['x'] alone would be read as a field reference, as Logstash does. */
        "[five] in [5, 6]", "[five] in ['5', 'y']", "[fives] in [5, 6]", "[fivef] in ['5.0', 'y']",
        "[s] in ['x', 'abc']", "[sub] in [s]", "'bc' in [s]", "'x' in [l]", "5 in [l]",
        "[five] in [l]", "[five] in [raw]", "[s] in 'xabcx'", "[empty] in [s]", "[nope] not in [s]",
        "[s] not in ['a', 'b']", "'y' not in [l]", "[l] not in [l]", "[t] in ['true', 'x']",
        /* Matching. */
        "[s] =~ /b/", "[s] =~ /^abc$/", "[s] !~ /^b/", "[ml] =~ /^two$/", "[five] !~ /5/",
        "[nope] !~ /x/", "[esc] =~ /^a/", "[ml] !~ /one.two/", "[s] =~ 'b'",
        /* Joins. */
        "[s] and [t]", "[f] or [t]", "[f] xor [t]", "[f] nand [t]", "!([f] or [nope])",
        "([f] and [five] > 'x') or [t]", "[t] or [nope] > 5", "[f] nand [nope] > 5",
        "!([f] and [nope] > 5)", NULL};
    expect(VERDICT_TRUE, yes);
}

static void test_false(void **state)
{
    (void)state;
    static const char *const no[] = {"[nope]",
                                     "[empty]",
                                     "[no]",
                                     "[f]",
                                     "[nil]",
                                     "[s][x]",
                                     "[l][9]",
                                     "!([s])",
                                     "[s] == 'abcd'",
                                     "[five] == '5'",
                                     "[five] == 5.0",
                                     "[fives] == 5",
                                     "[five] == [fivef]",
                                     "[nope] == 'x'",
                                     "[nil] == 'x'",
                                     "[t] == 'true'",
                                     "[s] != 'abc'",
                                     "[nope] != [nope2]",
                                     "[five] > 5",
                                     "[five] < 5",
                                     "[s] < 'abc'",
                                     "[t2] < [t1]",
                                     "[big] < 5",
                                     "[nope] in [s]",
                                     "[nope] in ['x', 'y']",
                                     "[nope] in [nope2]",
                                     "[five] in [s]",
                                     "[five] in [6, 7]",
                                     "[s] in [sub]",
                                     "[sub] in ['abc', 'y']",
                                     "[l] in [l]",
                                     "[m] in [l]",
                                     "'5' in [l]",
                                     "[fivef] in [five]",
                                     "[s] in 'ab'",
                                     "'x' in [m]",
                                     "[fivef] in [5, 6]",
                                     "[s] =~ /^b/",
                                     "[s] !~ /b/",
                                     "[five] =~ /5/",
                                     "[nope] =~ /x/",
                                     "[l] =~ /x/",
                                     "[ml] =~ /one.two/",
                                     "[t] =~ /true/",
                                     "[s] and [f]",
                                     "[f] or [nope]",
                                     "[s] xor [t]",
                                     "[s] nand [t]",
                                     "[f] and [nope] > 5",
                                     NULL};
    expect(VERDICT_FALSE, no);
}

static void test_errors(void **state)
{
    (void)state;
    static const char *const wrong[] = {"[nope] > 5",
                                        "[nope] <= 'x'",
                                        "[s] > 5",
                                        "[five] < 'x'",
                                        "[nil] > 5",
                                        "[t] > 5",
                                        "[l] < 5",
                                        "[m] > 'x'",
                                        "[t1] < 5",
                                        "[nope] < [nope2]",
                                        "[t] and [nope] > 5",
                                        "[nope] > 5 or [t]",
                                        "!([nope] > 5)",
                                        "[t] xor [nope] > 5",
                                        "[t] nand [nope] > 5",
                                        NULL};
    expect(VERDICT_ERROR, wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_true),
        cmocka_unit_test(test_false),
        cmocka_unit_test(test_errors),
    };
    return T_RUN(tests);
}
