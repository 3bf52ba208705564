/* transplant_test.c - copies that outlive the batch and the configuration they were made from. */
#include "tests/unit/rig.h"

#include "engine/event/transplant.h"

struct fixture {
    struct bench_batch *from, to;
    struct key_table *keys;
    struct transplant t;
};
static struct fixture f;

static int setup(void **state)
{
    (void)state;
    f.from = calloc(1, sizeof(*f.from));
    ASSERT(f.from != NULL);
    bench_batch_init(f.from);
    bench_batch_init(&f.to);
    f.keys = key_table_new();
    f.to.b.now_ns = 77;
    transplant_init(&f.t, &f.to.b, f.keys);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (f.from != NULL) bench_batch_fini(f.from);
    free(f.from);
    bench_batch_fini(&f.to);
    key_table_free(f.keys);
    return 0;
}

/* Everything the copy might still point into. */
static void burn_originals(void)
{
    bench_batch_fini(f.from);
    free(f.from);
    f.from = NULL;
}

static struct event *original(void)
{
    f.from->b.now_ns = 5;
    return batch_add(&f.from->b);
}

static void put(struct event *ev, const char *name, struct value v)
{
    struct fieldref ref = bench_ref(f.from, name);
    assert_int_equal(event_put(&f.from->b, ev, &ref, v), ERR_OK);
}

static struct value text(const char *s)
{
    return value_string(arena_copy(&f.from->b.arena, slice_from_cstr(s)));
}

static void test_all_kinds_of_values(void **state)
{
    (void)state;
    struct event *ev = original();
    put(ev, "[text]", text("h\xc3\xa9\"llo"));
    put(ev, "[empty]", value_string(SLICE_NONE));
    put(ev, "[a][b][c]", value_int(-3));
    put(ev, "[flag]", value_bool(true));
    put(ev, "[none]", value_nil());
    put(ev, "[real]", value_float(2.5));
    struct value *items = arena_alloc(&f.from->b.arena, 3 * sizeof(*items), 16);
    items[0] = text("x");
    items[1] = value_list(NULL, 0);
    items[2] = value_map(map_new(&f.from->b.arena));
    put(ev, "[list]", value_list(items, 3));
    struct value lazy = text("tab\\tend"), raw = text("1e400");
    lazy.flags = VALUE_ESCAPED;
    raw.type = VALUE_FLOAT;
    raw.flags = VALUE_RAW;
    put(ev, "[lazy]", lazy);
    put(ev, "[raw]", raw);
    put(ev, "[@metadata][way][out]", text("m"));
    put(ev, "[@version]", text("9"));
    struct event *copy = transplant_event(&f.t, ev);
    burn_originals();
    assert_event_json(&f.to.b, copy,
                      "{\"text\":\"h\xc3\xa9\\\"llo\",\"empty\":\"\",\"a\":{\"b\":{\"c\":-3}},"
                      "\"flag\":true,\"none\":null,\"real\":2.5,\"list\":[\"x\",[],{}],"
                      "\"lazy\":\"tab\\tend\",\"raw\":1e400,\"@version\":\"9\"}");
    struct fieldref ref = bench_ref(&f.to, "[@metadata][way][out]");
    assert_slice_equal(value_slice(event_get(&f.to.b, copy, &ref)), SLICE("m"));
    ref = bench_ref(&f.to, "[lazy]");
    assert_slice_equal(value_slice(event_get(&f.to.b, copy, &ref)), SLICE("tab\tend"));
    assert_int_equal(copy->time.u.time_ns, 5);
    assert_true(f.t.bytes > 10);
}

/* As every new event has them. */
static void test_version_and_time_come_back(void **state)
{
    (void)state;
    struct event *ev = original();
    ev->time = value_nil();
    struct event *copy = transplant_event(&f.t, ev);
    assert_event_json(&f.to.b, copy, "{\"@version\":\"1\"}");
    assert_int_equal(copy->time.type, VALUE_TIME);
    assert_int_equal(copy->time.u.time_ns, 77);
}

/* The original is not changed by what happens to the copy, nor the other way round. */
static void test_copies_are_apart(void **state)
{
    (void)state;
    struct event *ev = original();
    put(ev, "[a][b]", text("1"));
    put(ev, "[tags]", text("t"));
    struct event *one = transplant_event(&f.t, ev), *two = transplant_event(&f.t, ev);
    struct fieldref ref = bench_ref(&f.to, "[a][c]");
    assert_int_equal(event_put(&f.to.b, one, &ref, value_int(2)), ERR_OK);
    event_tag(&f.to.b, one, SLICE("more"), false);
    put(ev, "[a][b]", text("3"));
    assert_event_json(&f.to.b, one,
                      "{\"a\":{\"b\":\"1\",\"c\":2},\"tags\":[\"t\",\"more\"],\"@version\":\"1\"}");
    assert_event_json(&f.to.b, two, "{\"a\":{\"b\":\"1\"},\"tags\":\"t\",\"@version\":\"1\"}");
}

static void test_shared_maps_stay_shared(void **state)
{
    (void)state;
    struct map *map = map_new(&f.from->b.arena);
    map_append(map, &f.from->b.arena, key_make(&f.from->b.arena, SLICE("name")), text("h"));
    struct value shared = value_share(value_map(map), true, &f.from->b.arena);
    struct event *first = original(), *second = original();
    put(first, "[host]", shared);
    put(second, "[host]", shared);
    struct event *one = transplant_event(&f.t, first), *two = transplant_event(&f.t, second);
    burn_originals();
    assert_ptr_equal(one->data.at[0].val.u.map, two->data.at[0].val.u.map);
    assert_int_equal(one->data.at[0].val.flags, VALUE_SHARED);
    struct fieldref ref = bench_ref(&f.to, "[host][name]");
    assert_int_equal(event_put(&f.to.b, one, &ref, value_int(1)), ERR_OK);
    assert_event_json(&f.to.b, one, "{\"host\":{\"name\":1},\"@version\":\"1\"}");
    assert_event_json(&f.to.b, two, "{\"host\":{\"name\":\"h\"},\"@version\":\"1\"}");
}

static struct key named(uint32_t i, uint32_t bytes)
{
    char name[300];
    int n = snprintf(name, sizeof(name), "%u", i);
    while ((uint32_t)n < bytes) name[n++] = 'x';
    return key_borrow(arena_copy(&f.from->b.arena, slice_make(name, (size_t)n)));
}

/* One address for a name, as long as there is room; then, and for long names, each batch's own. */
static void test_names_are_kept_within_bounds(void **state)
{
    (void)state;
    struct event *ev = original();
    for (uint32_t i = 0; i < 3 * KEY_TABLE_MAX; i++)
        map_append(&ev->data, &f.from->b.arena, named(i, 0), value_int(i));
    map_append(&ev->data, &f.from->b.arena, named(0, KEY_TABLE_NAME_BYTES_MAX + 1), value_int(1));
    struct event *one = transplant_event(&f.t, ev), *two = transplant_event(&f.t, ev);
    burn_originals();
    assert_int_equal(one->data.n, 3 * KEY_TABLE_MAX + 2);
    assert_in_range(key_table_size(f.keys), KEY_TABLE_MAX / 2, KEY_TABLE_MAX);
    uint32_t same = 0;
    for (uint32_t i = 0; i < one->data.n; i++) {
        struct member *a = &one->data.at[i], *b = &two->data.at[i];
        assert_slice_equal(slice_make(a->key, a->key_n), slice_make(b->key, b->key_n));
        assert_int_equal(a->key == b->key, (a->val.key_flags & KEY_STATIC) != 0);
        assert_ptr_equal(map_find(&two->data, slice_make(a->key, a->key_n), a->hash), b);
        if (a->key == b->key) same++;
    }
    assert_in_range(same, key_table_size(f.keys), key_table_size(f.keys) + 1); /* @version */
    assert_false(one->data.at[3 * KEY_TABLE_MAX].val.key_flags & KEY_STATIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_kinds_of_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version_and_time_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shared_maps_stay_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_are_kept_within_bounds, setup, teardown),
    };
    return T_RUN(tests);
}
