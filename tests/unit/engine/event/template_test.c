/* template_test.c - sprintf texts: fields of every type, missing ones, times, broken ones. */
#include "tests/unit/rig.h"

struct fixture {
    struct bench_batch t;
    struct event *ev;
};

static void put(struct fixture *f, const char *field, struct value val)
{
    struct fieldref ref = bench_ref(&f->t, field);
    assert_int_equal(event_put(&f->t.b, f->ev, &ref, val), ERR_OK);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    bench_batch_init(&f->t);
    struct batch *b = &f->t.b;
    b->now_ns = 1709618828123456789; /* 2024-03-05T06:07:08.123456789Z */
    f->ev = batch_add(b);
    put(f, "s", value_string(SLICE("text")));
    put(f, "i", value_int(-7));
    put(f, "f", value_float(1.0));
    put(f, "t", value_bool(true));
    put(f, "nil", value_nil());
    put(f, "empty", value_string(SLICE("")));
    put(f, "[m][k]", value_string(SLICE("v\"")));
    put(f, "[m][l]", value_int(1));
    struct value *items = arena_alloc(&b->arena, 4 * sizeof(*items), 16);
    items[0] = value_string(SLICE("a"));
    items[1] = value_nil();
    items[2] = value_int(2);
    items[3] = value_list(items, 1);
    put(f, "l", value_list(items, 4));
    put(f, "[@metadata][x]", value_string(SLICE("meta")));
    put(f, "when", value_time(1709618828123000000));
    put(f, "big", (struct value){.type = VALUE_BIGNUM, .n = 22, .u.str = "1234567890123456789012"});
    put(f, "[a b]", value_string(SLICE("blank")));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bench_batch_fini(&f->t);
    free(f);
    return 0;
}

static slice render(struct fixture *f, slice text, bool *missing)
{
    struct template t;
    struct template_error error = {0};
    assert_int_equal(template_compile(&t, text, &f->t.arena, &error), ERR_OK);
    slice out = template_render(&t, &f->t.b, f->ev, missing);
    /* Appending gives the same text. */
    struct buf added = {0};
    bool again;
    template_add(&t, &f->t.b, f->ev, &added, &again);
    assert_slice_equal(buf_slice(&added), out);
    assert_int_equal(again, *missing);
    buf_fini(&added);
    template_fini(&t);
    return out;
}

static void test_texts(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *want;
        bool missing;
    } cases[] = {
        {"", "", false},
        {"plain", "plain", false},
        {"%{s}", "text", false},
        {"a%{s}b%{i}c", "atextb-7c", false},
        {"%{f} %{t}", "1.0 true", false},
        {"%{empty}", "", false},
        {"%{[m][k]}", "v\"", false},
        {"%{m}", "{\"k\":\"v\\\"\",\"l\":1}", false},
        {"%{l}", "a,,2,a", false},
        {"%{[l][0]}%{[l][-2]}", "a2", false},
        {"%{nope}", "%{nope}", true},
        {"x%{[m][nope]}y", "x%{[m][nope]}y", true},
        {"%{nil}", "%{nil}", true},
        {"%{s}%{nope}%{s}", "text%{nope}text", true},
        {"%{[@metadata][x]}", "meta", false},
        {"%{@metadata}", "{\"x\":\"meta\"}", false},
        {"%{when}", "2024-03-05T06:07:08.123Z", false},
        {"%{@timestamp}", "2024-03-05T06:07:08.123456789Z", false},
        {"%{big}", "1234567890123456789012", false},
        {"%{a b}", "blank", false},
        {"%{+YYYY.MM.dd}", "2024.03.05", false},
        {"i-%{+YYYY}-%{s}", "i-2024-text", false},
        {"%{+%s}", "1709618828", false},
        {"%{{yyyy-MM-dd}}", "2024-03-05", false},
        /* Not placeholders. */
        {"%", "%", false},
        {"%{", "%{", false},
        {"100%{", "100%{", false},
        {"%{s", "%{s", false},
        {"%s}", "%s}", false},
        {"{s}", "{s}", false},
        {"%%{s}", "%text", false},
        {"%{}", "%{}", true},
        {"%{[}", "%{[}", false},
        {"%{[a]b}%{s}", "%{[a]b}text", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool missing;
        assert_slice_equal(render(f, slice_from_cstr(cases[i].text), &missing),
                           slice_from_cstr(cases[i].want));
        assert_int_equal(missing, cases[i].missing);
    }
}

static void test_without_timestamp(void **state)
{
    struct fixture *f = *state;
    bool missing;
    f->ev->time = value_nil();
    assert_slice_equal(render(f, SLICE("a%{+YYYY}%{+%s}b"), &missing), SLICE("ab"));
    assert_slice_equal(render(f, SLICE("%{@timestamp}"), &missing), SLICE("%{@timestamp}"));
    /* Before 1970 seconds go down, not towards zero. */
    f->ev->time = value_time(-1);
    assert_slice_equal(render(f, SLICE("%{+%s}"), &missing), SLICE("-1"));
}

static void test_bad_pattern(void **state)
{
    struct fixture *f = *state;
    struct template t;
    struct template_error error = {0};
    assert_int_equal(
        template_compile(&t, SLICE("ok %{s} %{+YYYY%{b}"), &f->t.arena, &error) == ERR_OK, 0);
    assert_true(error.at >= 8 && error.expected[0] != 0);
    template_fini(&t);
}

static void test_constant(void **state)
{
    struct fixture *f = *state;
    struct template t;
    struct template_error error;
    const char *constant[] = {"", "abc", "%{"}, *varying[] = {"%{}", "%{s}", "a%{s}", "%{+YYYY}"};
    for (size_t i = 0; i < ARRAY_LEN(constant); i++) {
        assert_int_equal(template_compile(&t, slice_from_cstr(constant[i]), &f->t.arena, &error),
                         ERR_OK);
        assert_true(template_is_constant(&t));
        template_fini(&t);
    }
    for (size_t i = 0; i < ARRAY_LEN(varying); i++) {
        assert_int_equal(template_compile(&t, slice_from_cstr(varying[i]), &f->t.arena, &error),
                         ERR_OK);
        assert_false(template_is_constant(&t));
        template_fini(&t);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_texts),
        CASE(test_without_timestamp),
        CASE(test_bad_pattern),
        CASE(test_constant),
    };
    return T_RUN(tests);
}
