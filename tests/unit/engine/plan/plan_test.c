/* plan_test.c - the stepper: branches, cancellation, order of children, waiting and going on. */
#include "tests/unit/rig.h"

/* ---- plugins of this test; what they see goes to one trace ------------------------------- */

static struct buf trace;
static bool output_full[2]; /* outputs "a" and "b" answer PUSH_FULL */
static uint32_t park_n;     /* so many times `park` waits */
static uint32_t ticks_wanted;

struct text_cfg {
    slice text;
};

static const struct setting text_settings[] = {
    {.name = "text", SETTING_AT(struct text_cfg, text, STRING), .doc = "Text."}, {0}};

static void append_text(struct batch *b, struct event *ev, const char *field, slice text)
{
    struct key key = key_borrow(slice_from_cstr(field));
    struct member *m = map_find(&ev->data, key.name, key.hash);
    slice old = m == NULL ? SLICE_NONE : value_slice(&m->val);
    map_put(&ev->data, &b->arena, key, value_string(arena_join(&b->arena, old, text)));
}

static slice id_of(struct event *ev)
{
    struct member *m = map_find(&ev->data, SLICE("id"), hash_key("id", 2));
    return value_slice(&m->val);
}

static bool listed(slice list, struct event *ev)
{
    return slice_find_byte(list, id_of(ev).p[0]) >= 0;
}

/* Adds its text to `path`. */
static enum applied mark_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                               struct sel *hit, struct plan_run *run)
{
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        assert_true(i == 0 || in->at[i] != in->at[i - 1]);
        append_text(b, &b->event[in->at[i]], "path", ((const struct text_cfg *)cfg)->text);
        sel_add(hit, in->at[i]);
    }
    return APPLIED;
}
static const struct filter_ops mark = {.name = "mark",
                                       .doc = "Marks.",
                                       .settings = text_settings,
                                       .cfg_size = sizeof(struct text_cfg),
                                       .apply = mark_apply};

/* One child for every letter of its text, for every event. */
static enum applied spawn_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                                struct sel *hit, struct plan_run *run)
{
    (void)state, (void)run;
    slice text = ((const struct text_cfg *)cfg)->text;
    for (uint32_t i = 0; i < in->n; i++)
        for (uint32_t k = 0; k < text.n; k++) {
            struct event *child = batch_add_child(b, in->at[i]);
            event_copy(b, child, &b->event[in->at[i]]);
            append_text(b, child, "id", slice_part(text, k, 1));
            sel_push(b, hit, batch_index(b, child));
        }
    return APPLIED;
}
static const struct filter_ops spawn = {.name = "spawn",
                                        .doc = "Spawns.",
                                        .settings = text_settings,
                                        .cfg_size = sizeof(struct text_cfg),
                                        .apply = spawn_apply};

/* Cancels events whose id begins with one of the letters. */
static enum applied kill_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                               struct sel *hit, struct plan_run *run)
{
    (void)state, (void)run, (void)hit;
    for (uint32_t i = 0; i < in->n; i++)
        if (listed(((const struct text_cfg *)cfg)->text, &b->event[in->at[i]]))
            event_cancel(b, &b->event[in->at[i]]);
    return APPLIED;
}
static const struct filter_ops kill = {.name = "kill",
                                       .doc = "Cancels.",
                                       .settings = text_settings,
                                       .cfg_size = sizeof(struct text_cfg),
                                       .apply = kill_apply};

static enum applied park_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                               struct sel *hit, struct plan_run *run)
{
    if (park_n > 0) {
        park_n--;
        return APPLY_PARKED;
    }
    return mark_apply(state, cfg, b, in, hit, run);
}
static const struct filter_ops park = {.name = "park",
                                       .doc = "Waits.",
                                       .flags = FILTER_WAITS,
                                       .settings = text_settings,
                                       .cfg_size = sizeof(struct text_cfg),
                                       .apply = park_apply};

static void tick_tick(void *state, const void *cfg, struct batch *out, int64_t now_ns, bool last)
{
    (void)state, (void)now_ns, (void)last;
    for (; ticks_wanted > 0; ticks_wanted--) {
        struct event *ev = batch_add(out);
        map_put(&ev->data, &out->arena, key_borrow(SLICE("id")),
                value_string(((const struct text_cfg *)cfg)->text));
    }
}
static const struct filter_ops ticker = {.name = "ticker",
                                         .doc = "Makes events by itself.",
                                         .settings = text_settings,
                                         .cfg_size = sizeof(struct text_cfg),
                                         .apply = mark_apply,
                                         .tick = tick_tick};

/* Writes "a(id:path id:path)" to the trace. */
static enum push catch_push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)state;
    slice name = ((const struct text_cfg *)cfg)->text;
    if (output_full[name.p[0] - 'a']) return PUSH_FULL;
    buf_add_slice(&trace, name);
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        struct member *m = map_find(&ev->data, SLICE("path"), hash_key("path", 4));
        buf_printf(&trace, "%c%.*s", i == 0 ? '(' : ' ', SLICE_FMT(id_of(ev)));
        if (m != NULL) buf_printf(&trace, ":%.*s", SLICE_FMT(value_slice(&m->val)));
    }
    buf_add_byte(&trace, ')');
    return PUSH_TAKEN;
}
static err no_compile(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}
static const struct output_ops catch = {.name = "catch",
                                        .doc = "Catches.",
                                        .settings = text_settings,
                                        .cfg_size = sizeof(struct text_cfg),
                                        .compile = no_compile,
                                        .push = catch_push};

static const struct filter_ops *const filters[] = {&mark, &spawn, &kill, &park, &ticker, NULL};
static const struct output_ops *const outputs[] = {&catch, NULL};
static const struct input_ops *const no_inputs[] = {NULL};
static const char *const none[] = {NULL};
static struct registry registry;

/* ---- running ------------------------------------------------------------------------------- */

static void begin(struct rig *r, const char *config)
{
    registry = (struct registry){no_inputs, plugin_registry.codecs, filters, outputs, none};
    trace.n = 0;
    output_full[0] = output_full[1] = false;
    park_n = ticks_wanted = 0;
    rig_init(r, &registry, config, NULL);
}

/* One event per letter. */
static void feed_events(struct rig *r, const char *ids)
{
    struct batch *b = worker_batch(r->worker);
    for (; *ids != 0; ids++) {
        struct event *ev = batch_add(b);
        map_put(&ev->data, &b->arena, key_borrow(SLICE("id")),
                value_string(arena_copy(&b->arena, slice_make(ids, 1))));
    }
    worker_flush(r->worker);
}

static void end(struct rig *r)
{
    rig_fini(r);
    buf_fini(&trace);
}

static void check(const char *config, const char *ids, const char *want)
{
    struct rig r;
    begin(&r, config);
    feed_events(&r, ids);
    assert_slice_equal(buf_slice(&trace), slice_from_cstr(want));
    end(&r);
}

#define OUT " output { catch { text => \"a\" } }"

static void test_branches(void **state)
{
    (void)state;
    check("filter { mark { text => '1' } }" OUT, "xyz", "a(x:1 y:1 z:1)");
    check("filter { if [id] == 'y' { mark { text => '1' } } }" OUT, "xyz", "a(x y:1 z)");
    check("filter { if [id] == 'y' { mark { text => '1' } } else { mark { text => '2' } } }" OUT,
          "xyz", "a(x:2 y:1 z:2)");
    check("filter { if [id] == 'x' { mark { text => '1' } } else if [id] == 'y' {"
          " mark { text => '2' } } else if [id] == 'x' { mark { text => '3' } }"
          " else { mark { text => '4' } } mark { text => '5' } }" OUT,
          "zyxw", "a(z:45 y:25 x:15 w:45)");
    /* Nested, with arms that nothing reaches and empty ones. */
    check("filter { if [id] in ['x', 'y'] { if [id] == 'x' { mark { text => '1' } } else {"
          " if [nope] { mark { text => '2' } } else { mark { text => '3' } } } mark { text => '4' }"
          " } else if [id] == 'z' { } else { mark { text => '5' } } }" OUT,
          "wxyz", "a(w:5 x:14 y:34 z)");
    check("output { if [id] == 'x' { catch { text => 'a' } } else { catch { text => 'b' } }"
          " catch { text => 'a' } }",
          "xyx", "a(x x)b(y)a(x y x)");
    check("output { if [id] == 'q' { catch { text => 'a' } } }", "xy", "");
}

static void test_cancel(void **state)
{
    (void)state;
    check("filter { kill { text => 'y' } mark { text => '1' } }" OUT, "xyz", "a(x:1 z:1)");
    check("filter { if [id] != 'x' { kill { text => 'y' } mark { text => '1' } }"
          " mark { text => '2' } }" OUT,
          "xyz", "a(x:2 z:12)");
    check("filter { kill { text => 'xyz' } mark { text => '1' } }" OUT, "xyz", "");
    check("filter { if [id] == 'y' { kill { text => 'y' } } else { kill { text => 'x' } }"
          " mark { text => '2' } }" OUT,
          "xyz", "a(z:2)");
    check("filter { if [id] == 'y' { kill { text => 'y' } if [id] == 'y' { mark { text => '1' } } "
          "} }" OUT,
          "xy", "a(x)");
}

static void test_children(void **state)
{
    (void)state;
    /* Children follow their parent, and go on with the next filter. */
    check("filter { spawn { text => '12' } mark { text => '!' } }" OUT, "xy",
          "a(x:! x1:! x2:! y:! y1:! y2:!)");
    /* Inside of a branch they are in the branch, and outside again in their place. */
    check("filter { if [id] == 'x' { spawn { text => '12' } mark { text => '!' } }"
          " mark { text => '?' } }" OUT,
          "xy", "a(x:!? x1:!? x2:!? y:?)");
    /* They do not come into the other arms. */
    check("filter { if [id] == 'x' { spawn { text => '1' } } else { mark { text => '!' } } }" OUT,
          "yx", "a(y:! x x1)");
    /* Children of children; a cancelled parent leaves its children. */
    check("filter { spawn { text => '1' } spawn { text => '2' } }" OUT, "x", "a(x x2 x1 x12)");
    check("filter { spawn { text => '1' } if [id] == 'x' { kill { text => 'x' } }"
          " mark { text => '!' } }" OUT,
          "xy", "a(x1:! y:! y1:!)");
    check("filter { if [id] == 'x' { if [id] == 'x' { spawn { text => '1' } } mark { text => '!' }"
          " spawn { text => '2' } } }" OUT,
          "xy", "a(x:! x2:! x1:! x12:! y)");
    /* Common options are for what the filter says it has hit: here the children. */
    check("filter { spawn { text => '1' add_field => { 'path' => 'c' } } }" OUT, "x", "a(x x1:c)");
}

static void test_output_full(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, "filter { if [id] == 'x' { spawn { text => '1' } } }"
              " output { catch { text => 'a' } if [id] == 'x' { catch { text => 'b' } } }");
    output_full[1] = true;
    feed_events(&r, "xy");
    feed_events(&r, "x"); /* queues behind, though it would be taken by a */
    feed_events(&r, "z");
    assert_slice_equal(buf_slice(&trace), SLICE("a(x x1 y)"));
    assert_int_equal(r.worker->parked_n, 3);
    for (int i = 0; i < 3; i++) worker_poll(r.worker);
    assert_slice_equal(buf_slice(&trace), SLICE("a(x x1 y)"));
    output_full[1] = false;
    output_full[0] = true;
    worker_poll(r.worker);
    assert_slice_equal(buf_slice(&trace), SLICE("a(x x1 y)b(x)"));
    assert_int_equal(r.worker->parked_n, 2);
    output_full[0] = false;
    worker_poll(r.worker);
    assert_slice_equal(buf_slice(&trace), SLICE("a(x x1 y)b(x)a(x x1)b(x)a(z)"));
    assert_int_equal(r.worker->parked_n, 0);
    feed_events(&r, "w");
    assert_int_equal(r.worker->parked_n, 0);
    end(&r);
}

static void test_filter_that_waits(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, "filter { mark { text => '1' } if [id] == 'x' { park { text => '2' } }"
              " mark { text => '3' } }" OUT);
    park_n = 1;
    feed_events(&r, "xy");
    feed_events(&r, "y");
    worker_poll(r.worker); /* does not go on by itself */
    assert_slice_equal(buf_slice(&trace), SLICE(""));
    assert_int_equal(r.worker->parked_n, 2);
    worker_resume(r.worker);
    assert_slice_equal(buf_slice(&trace), SLICE("a(x:123 y:13)a(y:13)"));
    /* Given up while it waits: memory is back all the same, which end() checks. */
    park_n = 1;
    feed_events(&r, "x");
    assert_int_equal(r.worker->parked_n, 1);
    end(&r);
}

/* Events that a filter makes by itself go on behind it, inside of its branch and after it. */
static void test_tick_inside_a_branch(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, "filter { mark { text => '0' } if [id] == 'x' { if [id] == 'x' {"
              " ticker { text => 't' } mark { text => '1' } } else { mark { text => '2' } }"
              " mark { text => '3' } } else if [id] == 't' { mark { text => '4' } }"
              " else { mark { text => '5' } } if [id] == 't' { mark { text => '6' } } }" OUT);
    ticks_wanted = 2;
    sim_advance(r.sim, 2000000000);
    shard_step(&r.shard, 0);
    assert_slice_equal(buf_slice(&trace), SLICE("a(t:136 t:136)"));
    trace.n = 0;
    ticks_wanted = 1;
    assert_true(worker_drain(r.worker));
    assert_slice_equal(buf_slice(&trace), SLICE("a(t:136)"));
    end(&r);
}

static void test_counters(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, "filter { kill { text => 'x' } if [id] == 'y' { mark { text => '1' } } }" OUT);
    feed_events(&r, "xyzx");
    const struct plan_state *s = r.worker->state;
    assert_int_equal(counter_read(&s->events_filtered), 2);
    assert_int_equal(counter_read(&s->events_dropped), 2);
    assert_int_equal(counter_read(&s->events_out), 2);
    assert_int_equal(counter_read(&s->node[r.plan->filter[0].node].in), 4);
    assert_int_equal(counter_read(&s->node[r.plan->filter[1].node].in), 1);
    assert_int_equal(counter_read(&s->node[r.plan->filter[1].node].hits), 1);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_children),
        cmocka_unit_test(test_output_full),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_filter_that_waits),
        cmocka_unit_test(test_tick_inside_a_branch),
    };
    return T_RUN(tests);
}
