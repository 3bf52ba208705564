/* value_test.c - lazy values, equality, text and JSON of values, unescaping. */
#include "tests/unit/rig.h"

#include <math.h>

static slice unescape(slice in)
{
    /* As many bytes as the input has are enough; the sanitizer watches. */
    static char *out;
    free(out);
    out = malloc(in.n + 1);
    return slice_make(out, json_string_unescape(in, out));
}

static void test_unescape(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } cases[] = {{"plain", "plain"},
                 {"\\b\\f\\n\\r\\t", "\b\f\n\r\t"},
                 {"\\\"\\\\\\/", "\"\\/"},
                 {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac"},
                 {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                 {"\\uDBFF\\uDFFF", "\xf4\x8f\xbf\xbf"},
                 {"\\ud83d", "\xef\xbf\xbd"},
                 {"\\ud83dx", "\xef\xbf\xbdx"},
                 {"\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd"},
                 {"\\ud83d\\u0041", "\xef\xbf\xbd"
                                    "A"},
                 {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
                 {"\\ud83d\\n", "\xef\xbf\xbd\n"},
                 {"x\\", "x"},
                 {"x\\u12", "x"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_slice_equal(unescape(slice_from_cstr(cases[i].in)), slice_from_cstr(cases[i].want));
    assert_slice_equal(unescape(SLICE("a\\u0000b")), SLICE("a\0b"));
    assert_slice_equal(unescape(SLICE("")), SLICE(""));
}

static struct value raw(enum value_type type, const char *text)
{
    return (struct value){.type = (uint8_t)type,
                          .flags = VALUE_RAW,
                          .key_flags = KEY_WIRE,
                          .n = (uint32_t)strlen(text),
                          .u.str = text};
}

static void test_resolve(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct value v = raw(VALUE_INT, "-9223372036854775808");
    value_resolve(&v, &t.arena);
    assert_true(v.type == VALUE_INT && v.u.num == INT64_MIN && v.key_flags == KEY_WIRE);
    v = raw(VALUE_INT, "9223372036854775808");
    value_resolve(&v, &t.arena);
    assert_int_equal(v.type, VALUE_BIGNUM);
    assert_int_equal(v.flags, 0);
    assert_slice_equal(value_slice(&v), SLICE("9223372036854775808"));
    v = raw(VALUE_FLOAT, "1.5e3");
    value_resolve(&v, &t.arena);
    assert_true(v.type == VALUE_FLOAT && v.u.real == 1500.0);
    /* No double holds it: it stays what the sender wrote, it does not become null. */
    v = raw(VALUE_FLOAT, "1e999");
    value_resolve(&v, &t.arena);
    assert_int_equal(v.type, VALUE_BIGNUM);
    struct buf out = {0};
    value_json(&v, &out);
    assert_slice_equal(buf_slice(&out), SLICE("1e999"));
    buf_fini(&out);
    v = (struct value){.type = VALUE_STRING, .flags = VALUE_ESCAPED, .n = 2, .u.str = "\\n"};
    value_resolve(&v, &t.arena);
    assert_slice_equal(value_slice(&v), SLICE("\n"));
    assert_int_equal(v.flags, 0);
    v = (struct value){.type = VALUE_STRING, .flags = VALUE_ESCAPED, .n = 0, .u.str = ""};
    value_resolve(&v, &t.arena);
    assert_int_equal(v.n, 0);
    bench_batch_fini(&t);
}

static void test_equal(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct value items[] = {value_int(1), value_string(SLICE("x"))};
    struct map *a = map_new(&t.arena), *b = map_new(&t.arena);
    map_put(a, &t.arena, key_borrow(SLICE("p")), value_int(1));
    map_put(a, &t.arena, key_borrow(SLICE("q")), raw(VALUE_INT, "2"));
    map_put(b, &t.arena, key_borrow(SLICE("q")), value_int(2)); /* order does not matter */
    map_put(b, &t.arena, key_borrow(SLICE("p")), value_int(1));
    /* All pairwise different, each equal to itself. */
    struct value v[] = {value_nil(),
                        value_bool(true),
                        value_bool(false),
                        value_int(1),
                        value_float(1.0),
                        value_int(0),
                        value_string(SLICE("1")),
                        value_string(SLICE("")),
                        value_time(1),
                        (struct value){.type = VALUE_BIGNUM, .n = 1, .u.str = "1"},
                        value_list(items, 2),
                        value_list(items, 1),
                        value_list(NULL, 0),
                        value_map(a),
                        value_map(map_new(&t.arena))};
    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        for (size_t k = 0; k < ARRAY_LEN(v); k++)
            assert_int_equal(value_equal(&v[i], &v[k], &t.arena), i == k);
    struct value map_a = value_map(a), map_b = value_map(b);
    assert_true(value_equal(&map_a, &map_b, &t.arena));
    map_put(b, &t.arena, key_borrow(SLICE("p")), value_int(3));
    assert_false(value_equal(&map_a, &map_b, &t.arena));
    struct value lazy = raw(VALUE_INT, "1");
    assert_true(value_equal(&lazy, &v[3], &t.arena));
    bench_batch_fini(&t);
}

static void test_text_and_json(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct value items[] = {value_string(SLICE("a\"")), value_nil(), value_float(NAN),
                            value_bool(false), raw(VALUE_FLOAT, "1.50")};
    struct map *map = map_new(&t.arena);
    map_put(map, &t.arena, key_borrow(SLICE("k\n")), value_list(items, 5));
    struct value v = value_map(map);
    struct buf out = {0};
    value_json(&v, &out);
    assert_slice_equal(buf_slice(&out), SLICE("{\"k\\n\":[\"a\\\"\",null,\"NaN\",false,1.50]}"));
    out.n = 0;
    struct value list = value_list(items, 5);
    value_text(&list, &t.arena, &out);
    assert_slice_equal(buf_slice(&out), SLICE("a\",,NaN,false,1.5"));
    struct value s = value_string(SLICE("own"));
    assert_ptr_equal(value_to_slice(&s, &t.arena, &out).p, s.u.str);
    struct value n = value_int(12);
    assert_slice_equal(value_to_slice(&n, &t.arena, &out), SLICE("12"));
    buf_fini(&out);
    bench_batch_fini(&t);
}

static void test_copy_shares_no_container(void **state)
{
    (void)state;
    struct bench_batch t;
    bench_batch_init(&t);
    struct map *map = map_new(&t.arena);
    map_put(map, &t.arena, key_borrow(SLICE("p")), value_int(1));
    struct value items[] = {value_map(map)}, list = value_list(items, 1);
    struct value copy = value_copy(&list, &t.arena);
    assert_true(value_equal(&copy, &list, &t.arena));
    map_put(map, &t.arena, key_borrow(SLICE("p")), value_int(2));
    assert_false(value_equal(&copy, &list, &t.arena));
    struct value none = value_list(NULL, 0), none_copy = value_copy(&none, &t.arena);
    assert_int_equal(none_copy.n, 0);
    bench_batch_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_text_and_json),
        cmocka_unit_test(test_copy_shares_no_container),
    };
    return T_RUN(tests);
}
