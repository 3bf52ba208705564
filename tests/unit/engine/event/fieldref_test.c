/* fieldref_test.c - the grammar of field references, good and bad, and joining. */
#include "tests/unit/rig.h"

/* The steps joined by '|', with the root in front: "data:a|b". */
static slice shape(struct bench_batch *t, const struct fieldref *ref)
{
    static const char *const roots[] = {"data:", "meta:", "time:"};
    struct buf *out = &t->b.scratch;
    out->n = 0;
    buf_add_cstr(out, roots[ref->root]);
    for (uint32_t i = 0; i < ref->depth; i++) {
        if (i > 0) buf_add_byte(out, '|');
        buf_add_slice(out, ref->step[i].key.name);
    }
    return buf_slice(out);
}

static void test_good(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    static const struct {
        const char *text, *shape;
    } cases[] = {{"a", "data:a"},
                 {"a b.c-d@e", "data:a b.c-d@e"},
                 {"[a]", "data:a"},
                 {"[a][b]", "data:a|b"},
                 {"[[a][b]][c]", "data:a|b|c"},
                 {"[a][[b][c]]", "data:a|b|c"},
                 {"[[a]]", "data:a"},
                 {"[[[a][b]][c]][d]", "data:a|b|c|d"},
                 {"[a b][0][-1]", "data:a b|0|-1"},
                 {"[@metadata]", "meta:"},
                 {"@metadata", "meta:"},
                 {"[@metadata][x]", "meta:x"},
                 {"[[@metadata][x]][y]", "meta:x|y"},
                 {"[@timestamp]", "time:"},
                 {"@timestamp", "time:"},
                 {"[@timestamp][x]", "time:x"},
                 {"[a][@metadata]", "data:a|@metadata"},
                 {"[\xc3\xa9]", "data:\xc3\xa9"},
                 {"[ ]", "data: "}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fieldref ref = bench_ref(&t, cases[i].text);
        assert_slice_equal(shape(&t, &ref), slice_from_cstr(cases[i].shape));
        assert_slice_equal(ref.text, slice_from_cstr(cases[i].text));
    }
    assert_true(bench_ref(&t, "tags").tags && bench_ref(&t, "[tags][0]").tags);
    assert_false(bench_ref(&t, "[@metadata][tags]").tags);
    bench_batch_fini(&t);
}

static void test_bad(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    const char *bad[] = {"[",       "]",         "[]",        "[a",      "a]",
                         "[a]b",    "a[b]",      "[a]]",      "[[a]",    "[a[b]]",
                         "[a][",    "[[]]",      "[[a]b]",    "[a] [b]", "[a]x[b]",
                         "[b[a]]c", "[[a] [b]]", "[a][]",     "[][a]",   "[[a][]]",
                         "][",      "[a]][b]",   "[a][b]]c[", "[[a]][",  "[[a]]]b["};
    struct fieldref ref;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (fieldref_parse(&ref, slice_from_cstr(bad[i]), &t.arena) != ERR_SYNTAX)
            fail_msg("%s was taken", bad[i]);
    bench_batch_fini(&t);
}

/* JSON has it; only without brackets. */
static void test_empty_name(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct fieldref ref = bench_ref(&t, "");
    assert_true(ref.top);
    assert_int_equal(ref.depth, 1);
    assert_slice_equal(ref.step->key.name, SLICE(""));
    bench_batch_fini(&t);
}

static void test_depth(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct buf text = {0};
    struct fieldref ref, joined, one = bench_ref(&t, "[x]");
    for (uint32_t n = 1; n <= FIELD_DEPTH_MAX + 1; n++) {
        buf_add_cstr(&text, "[f]");
        err e = fieldref_parse(&ref, buf_slice(&text), &t.arena);
        assert_int_equal(e, n <= FIELD_DEPTH_MAX ? ERR_OK : ERR_LIMIT);
        if (e != ERR_OK) continue;
        e = fieldref_join(&joined, &ref, &one, &t.arena);
        assert_int_equal(e, n < FIELD_DEPTH_MAX ? ERR_OK : ERR_LIMIT);
    }
    buf_fini(&text);
    bench_batch_fini(&t);
}

static void test_indices(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct fieldref ref = bench_ref(&t, "[a][0][-3][1x][12][99999999999]");
    assert_false(ref.step[0].is_index);
    assert_true(ref.step[1].is_index && ref.step[1].index == 0);
    assert_true(ref.step[2].is_index && ref.step[2].index == -3);
    assert_false(ref.step[3].is_index);
    assert_true(ref.step[4].is_index && ref.step[4].index == 12);
    assert_false(ref.step[5].is_index); /* no list is that long */
    bench_batch_fini(&t);
}

static void test_join(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    static const struct {
        const char *prefix, *ref, *shape;
    } cases[] = {{"[a]", "b", "data:a|b"},
                 {"[a][b]", "[c][d]", "data:a|b|c|d"},
                 {"[@metadata]", "x", "meta:x"},
                 {"[@metadata][t]", "[x][y]", "meta:t|x|y"},
                 {"tags", "x", "data:tags|x"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fieldref prefix = bench_ref(&t, cases[i].prefix), ref = bench_ref(&t, cases[i].ref),
                        out;
        assert_int_equal(fieldref_join(&out, &prefix, &ref, &t.arena), ERR_OK);
        assert_slice_equal(shape(&t, &out), slice_from_cstr(cases[i].shape));
    }
    bench_batch_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad),
        cmocka_unit_test(test_empty_name), cmocka_unit_test(test_empty_name),
        cmocka_unit_test(test_depth),      cmocka_unit_test(test_indices),
        cmocka_unit_test(test_join),
    };
    return T_RUN(tests);
}
