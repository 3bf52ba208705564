/* event_test.c - getting, setting, appending, removing fields; children; pins and holds. */
#include "tests/unit/rig.h"

#include "engine/event/blob.h"
#include "engine/event/receipt.h"

struct fixture {
    struct bench_batch t;
    struct batch *b;
    struct event *ev;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    bench_batch_init(&f->t);
    f->b = &f->t.b;
    f->b->now_ns = 1000;
    f->ev = batch_add(f->b);
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

static err put(struct fixture *f, const char *field, struct value val)
{
    struct fieldref ref = bench_ref(&f->t, field);
    return event_put(f->b, f->ev, &ref, val);
}

static err append(struct fixture *f, const char *field, struct value val)
{
    struct fieldref ref = bench_ref(&f->t, field);
    return event_append(f->b, f->ev, &ref, val);
}

static struct value *get(struct fixture *f, const char *field)
{
    struct fieldref ref = bench_ref(&f->t, field);
    return event_get(f->b, f->ev, &ref);
}

static bool remove_field(struct fixture *f, const char *field)
{
    struct fieldref ref = bench_ref(&f->t, field);
    return event_remove(f->b, f->ev, &ref);
}

static struct value str(const char *text)
{
    return value_string(slice_from_cstr(text));
}

static struct value list3(struct fixture *f)
{
    struct value *items = arena_alloc(&f->b->arena, 3 * sizeof(*items), 16);
    for (int i = 0; i < 3; i++) items[i] = value_int(i * 10);
    return value_list(items, 3);
}

static void test_put_and_get(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "a", value_int(1)), ERR_OK);
    assert_int_equal(put(f, "[b][c][d]", str("x")), ERR_OK);
    assert_int_equal(put(f, "[b][e]", value_nil()), ERR_OK);
    assert_int_equal(put(f, "a", value_bool(true)), ERR_OK);
    assert_event_json(f->b, f->ev, "{\"a\":true,\"b\":{\"c\":{\"d\":\"x\"},\"e\":null}}");
    assert_slice_equal(value_slice(get(f, "[b][c][d]")), SLICE("x"));
    assert_null(get(f, "[b][c][nope]"));
    assert_null(get(f, "[a][b]"));
    assert_null(get(f, "[b][c][d][e]"));
    assert_int_equal(get(f, "[b][e]")->type, VALUE_NIL);
    /* Null makes way for a map, a scalar does not, and a refused put leaves nothing behind. */
    assert_int_equal(put(f, "[b][e][f]", value_int(2)), ERR_OK);
    assert_int_equal(put(f, "[a][x][y]", value_int(2)), ERR_TYPE);
    assert_event_json(f->b, f->ev, "{\"a\":true,\"b\":{\"c\":{\"d\":\"x\"},\"e\":{\"f\":2}}}");
}

static void test_lists(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "l", list3(f)), ERR_OK);
    assert_int_equal(get(f, "[l][0]")->u.num, 0);
    assert_int_equal(get(f, "[l][-1]")->u.num, 20);
    assert_int_equal(get(f, "[l][-3]")->u.num, 0);
    assert_null(get(f, "[l][-4]"));
    assert_null(get(f, "[l][3]"));
    assert_null(get(f, "[l][x]"));
    assert_int_equal(put(f, "[l][1]", str("b")), ERR_OK);
    assert_int_equal(put(f, "[l][-1]", str("c")), ERR_OK);
    assert_int_equal(put(f, "[l][5]", value_int(5)), ERR_OK);
    assert_int_equal(put(f, "[l][4][k]", value_int(6)), ERR_OK);
    assert_event_json(f->b, f->ev, "{\"l\":[0,\"b\",\"c\",null,{\"k\":6},5]}");
    assert_int_equal(put(f, "[l][-7]", value_int(0)), ERR_TYPE);
    assert_int_equal(put(f, "[l][x]", value_int(0)), ERR_OK); /* ... and nothing happens */
    assert_int_equal(put(f, "[l][x][y]", value_int(0)), ERR_OK);
    assert_int_equal(put(f, "[l][0][x]", value_int(0)), ERR_TYPE);
    assert_int_equal(put(f, "[l][1000000]", value_int(0)), ERR_TYPE); /* bounded padding */
    assert_true(remove_field(f, "[l][0]"));
    assert_true(remove_field(f, "[l][-1]"));
    assert_false(remove_field(f, "[l][4]"));
    assert_false(remove_field(f, "[l][-5]"));
    assert_event_json(f->b, f->ev, "{\"l\":[\"b\",\"c\",null,{\"k\":6}]}");
    assert_true(remove_field(f, "[l][3][k]"));
    assert_event_json(f->b, f->ev, "{\"l\":[\"b\",\"c\",null,{}]}");
}

static void test_append(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, "a", value_int(1)), ERR_OK);
    assert_event_json(f->b, f->ev, "{\"a\":1}");
    assert_int_equal(append(f, "a", str("x")), ERR_OK);
    assert_int_equal(append(f, "a", value_bool(false)), ERR_OK);
    assert_event_json(f->b, f->ev, "{\"a\":[1,\"x\",false]}");
    assert_int_equal(put(f, "n", value_nil()), ERR_OK);
    assert_int_equal(append(f, "n", value_int(3)), ERR_OK);
    assert_int_equal(append(f, "[m][k]", value_int(1)), ERR_OK);
    assert_int_equal(append(f, "[m][k]", value_int(2)), ERR_OK);
    assert_int_equal(append(f, "[n][k]", value_int(2)), ERR_TYPE);
    assert_event_json(f->b, f->ev, "{\"a\":[1,\"x\",false],\"n\":3,\"m\":{\"k\":[1,2]}}");
}

static void test_timestamp(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(get(f, "@timestamp")->u.time_ns, 1000);
    assert_null(get(f, "[@timestamp][x]"));
    assert_int_equal(put(f, "@timestamp", str("x")), ERR_TYPE);
    assert_int_equal(put(f, "[@timestamp][x]", value_time(1)), ERR_TYPE);
    assert_int_equal(append(f, "@timestamp", value_time(1)), ERR_TYPE);
    assert_int_equal(put(f, "[@timestamp]", value_time(7)), ERR_OK);
    assert_int_equal(get(f, "@timestamp")->u.time_ns, 7);
    assert_false(remove_field(f, "[@timestamp][x]"));
    assert_true(remove_field(f, "@timestamp"));
    assert_null(get(f, "@timestamp"));
    assert_false(remove_field(f, "@timestamp"));
    assert_int_equal(append(f, "@timestamp", value_time(9)), ERR_OK);
    assert_event_json(f->b, f->ev, "{}"); /* it never sits in the data */
}

static void test_metadata(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "[@metadata][a][b]", value_int(1)), ERR_OK);
    assert_int_equal(put(f, "[@metadata][c]", value_int(2)), ERR_OK);
    assert_event_json(f->b, f->ev, "{}");
    assert_int_equal(get(f, "[@metadata][a][b]")->u.num, 1);
    assert_int_equal(event_meta_value(f->ev).u.map->n, 2);
    assert_int_equal(put(f, "[@metadata]", value_int(1)), ERR_TYPE);
    assert_true(remove_field(f, "[@metadata][a]"));
    assert_null(get(f, "[@metadata][a]"));
    struct map *map = map_new(&f->b->arena);
    map_put(map, &f->b->arena, key_borrow(SLICE("z")), value_int(3));
    assert_int_equal(put(f, "[@metadata]", value_map(map)), ERR_OK);
    assert_null(get(f, "[@metadata][c]"));
    assert_int_equal(get(f, "[@metadata][z]")->u.num, 3);
    assert_true(remove_field(f, "@metadata"));
    assert_int_equal(f->ev->meta.n, 0);
}

static void test_tags(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "tags", value_int(1)), ERR_TYPE);
    assert_int_equal(put(f, "tags", list3(f)), ERR_TYPE); /* numbers in it */
    assert_int_equal(put(f, "[tags][x]", str("y")), ERR_TYPE);
    assert_int_equal(put(f, "tags", str("one")), ERR_OK);
    assert_true(event_has_tag(f->b, f->ev, SLICE("one")));
    event_tag(f->b, f->ev, SLICE("two"), true);
    event_tag(f->b, f->ev, SLICE("two"), true);
    event_tag(f->b, f->ev, SLICE("two"), false);
    assert_event_json(f->b, f->ev, "{\"tags\":[\"one\",\"two\",\"two\"]}");
    assert_int_equal(append(f, "tags", value_int(1)), ERR_TYPE);
    assert_int_equal(append(f, "tags", str("three")), ERR_OK);
    assert_true(remove_field(f, "[tags][0]"));
    assert_false(event_has_tag(f->b, f->ev, SLICE("one")));
    assert_true(event_has_tag(f->b, f->ev, SLICE("three")));
    assert_true(remove_field(f, "tags"));
    event_tag(f->b, f->ev, SLICE("new"), true);
    assert_event_json(f->b, f->ev, "{\"tags\":[\"new\"]}");
    assert_false(event_has_tag(f->b, f->ev, SLICE("ne")));
}

/* What a decoder left lazy is resolved by whoever asks, in nested places too. */
static void test_lazy(void **state)
{
    struct fixture *f = *state;
    struct value lazy = {.type = VALUE_STRING, .flags = VALUE_ESCAPED, .n = 4, .u.str = "a\\nb"};
    struct value raw = {.type = VALUE_INT, .flags = VALUE_RAW, .n = 2, .u.str = "42"};
    struct value tag = {.type = VALUE_STRING, .flags = VALUE_ESCAPED, .n = 6, .u.str = "\\u0041"};
    assert_int_equal(put(f, "[x][y]", lazy), ERR_OK);
    assert_int_equal(put(f, "n", raw), ERR_OK);
    assert_event_json(f->b, f->ev, "{\"x\":{\"y\":\"a\\nb\"},\"n\":42}");
    assert_slice_equal(value_slice(get(f, "[x][y]")), SLICE("a\nb"));
    assert_int_equal(get(f, "n")->u.num, 42);
    assert_int_equal(get(f, "n")->flags, 0);
    struct value *items = arena_alloc(&f->b->arena, sizeof(*items), 16);
    items[0] = tag;
    assert_int_equal(put(f, "tags", value_list(items, 1)), ERR_OK);
    assert_true(event_has_tag(f->b, f->ev, SLICE("A")));
}

/* A copy shares no container with its original, in either direction. */
static void test_copy(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "[a][b]", value_int(1)), ERR_OK);
    assert_int_equal(put(f, "l", list3(f)), ERR_OK);
    assert_int_equal(put(f, "[@metadata][m]", value_int(2)), ERR_OK);
    struct event *original = f->ev, *copy = batch_add_child(f->b, 0);
    event_copy(f->b, copy, original);
    assert_int_equal(copy->time.u.time_ns, 1000);
    assert_int_equal(put(f, "[a][b]", value_int(9)), ERR_OK);
    assert_int_equal(put(f, "[l][0]", value_int(9)), ERR_OK);
    assert_true(remove_field(f, "[@metadata][m]"));
    f->ev = copy;
    assert_int_equal(put(f, "[a][c]", value_int(3)), ERR_OK);
    assert_int_equal(get(f, "[@metadata][m]")->u.num, 2);
    assert_event_json(f->b, copy, "{\"a\":{\"b\":1,\"c\":3},\"l\":[0,10,20]}");
    assert_event_json(f->b, original, "{\"a\":{\"b\":9},\"l\":[9,10,20]}");
}

static void test_children(void **state)
{
    struct fixture *f = *state;
    struct event *other = batch_add(f->b);
    uint32_t first = batch_index(f->b, batch_add_child(f->b, 0));
    uint32_t second = batch_index(f->b, batch_add_child(f->b, 0));
    uint32_t grandchild = batch_index(f->b, batch_add_child(f->b, first));
    assert_int_equal(f->b->event[0].child, first);
    assert_int_equal(f->b->event[first].sibling, second);
    assert_int_equal(f->b->event[first].child, grandchild);
    assert_int_equal(f->b->event[second].sibling, EVENT_NONE);
    assert_int_equal(other->child, EVENT_NONE);
    event_cancel(f->b, other);
    event_cancel(f->b, other);
    assert_int_equal(f->b->cancelled_n, 1);
}

static void test_full_batch(void **state)
{
    struct fixture *f = *state;
    while (f->b->n < BATCH_EVENTS_MAX) assert_non_null(batch_add(f->b));
    assert_null(batch_add(f->b));
    assert_null(batch_add_child(f->b, 3));
    assert_int_equal(f->b->event[3].child, EVENT_NONE);
    batch_reset(f->b);
    f->ev = batch_add(f->b);
    assert_int_equal(batch_index(f->b, f->ev), 0);
    assert_int_equal(f->ev->data.n, 0);
}

static void test_selection_grows(void **state)
{
    struct fixture *f = *state;
    struct sel s = {0};
    for (uint32_t i = 0; i < 1000; i++) sel_push(f->b, &s, i * 3);
    for (uint32_t i = 0; i < 1000; i++) assert_int_equal(s.at[i], i * 3);
}

static uint32_t given;
static void count_give(struct blob *blob)
{
    (void)blob;
    given++;
}

static void test_pins_and_holds(void **state)
{
    struct fixture *f = *state;
    struct blob one = {.pins = 1, .give = count_give}, two = {.pins = 1, .give = count_give};
    given = 0;
    for (int i = 0; i < 200; i++) batch_pin(f->b, i % 2 ? &one : &two);
    batch_pin(f->b, &one); /* the same again: no second pin */
    assert_int_equal(one.pins + two.pins, 202);
    blob_unpin(&one);
    blob_unpin(&two);
    assert_int_equal(given, 0);
    struct intake intake;
    struct ack_window w;
    intake_init(&intake, 100, NULL);
    ack_window_init(&w, 4, &intake);
    struct receipt *r = ack_window_open(&w, 1, 60);
    batch_hold(f->b, r);
    receipt_release(r, OUTCOME_DELIVERED);
    assert_int_equal(intake.credit_bytes, 40);
    batch_reset(f->b);
    assert_int_equal(given, 2);
    assert_int_equal(intake.credit_bytes, 100);
    ack_window_fini(&w);
}

/* A map that several events have in common: reading leaves it alone, changing makes a copy. */
static void test_shared_maps(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = &f->b->arena;
    struct map *log = map_new(arena), *level = map_new(arena);
    map_append(log, arena, key_make(arena, SLICE("level")), value_map(level));
    map_append(level, arena, key_make(arena, SLICE("code")), value_int(3));
    struct value shared = value_share(value_map(log), true, arena);
    assert_slice_equal(slice_make(shared_map_json(&shared), shared.n),
                       SLICE("{\"level\":{\"code\":3}}"));
    assert_int_equal(put(f, "log", shared), ERR_OK);
    struct event *other = batch_add(f->b), *third = batch_add(f->b);
    map_put(&other->data, arena, key_make(arena, SLICE("log")), shared);
    event_copy(f->b, third, f->ev);
    assert_true(third->data.at[0].val.flags & VALUE_SHARED);

    assert_int_equal(get(f, "[log][level][code]")->u.num, 3);
    assert_int_equal(put(f, "[log][level][code]", value_int(4)), ERR_OK);
    assert_int_equal(put(f, "[log][new]", str("x")), ERR_OK);
    assert_int_equal(get(f, "[log][level][code]")->u.num, 4);
    assert_int_equal(append(f, "[log][level][code]", value_int(5)), ERR_OK);
    assert_true(remove_field(f, "[log][level]"));
    assert_null(get(f, "[log][level]"));

    struct event *first = f->ev;
    f->ev = third;
    assert_true(remove_field(f, "[log][level][code]"));
    assert_int_equal(get(f, "[log][level]")->u.map->n, 0);
    f->ev = other;
    assert_int_equal(get(f, "[log][level][code]")->u.num, 3);
    assert_true(remove_field(f, "[log][level]"));
    f->ev = first;
    assert_int_equal(log->n, 1);
    assert_int_equal(level->at[0].val.u.num, 3);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_put_and_get),    CASE(test_lists),      CASE(test_append),
        CASE(test_timestamp),      CASE(test_metadata),   CASE(test_tags),
        CASE(test_lazy),           CASE(test_copy),       CASE(test_shared_maps),
        CASE(test_children),       CASE(test_full_batch), CASE(test_selection_grows),
        CASE(test_pins_and_holds),
    };
    return T_RUN(tests);
}
