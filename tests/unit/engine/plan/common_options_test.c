/* common_options_test.c - add_field, remove_field, add_tag, remove_tag: order, texts, refusals. */
#include "tests/unit/rig.h"

static const struct input_ops *const no_inputs[] = {NULL};
static const char *const none[] = {NULL};
static const struct setting no_settings[] = {{0}};

/* Says that it has succeeded for every event but those with a field `miss`. */
static enum applied hit_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                              struct sel *hit, struct plan_run *run)
{
    (void)state, (void)cfg, (void)run;
    for (uint32_t i = 0; i < in->n; i++)
        if (map_find(&b->event[in->at[i]].data, SLICE("miss"), hash_key("miss", 4)) == NULL)
            sel_add(hit, in->at[i]);
    return APPLIED;
}
static const struct filter_ops hit_filter = {
    .name = "hit", .doc = "Hits.", .settings = no_settings, .apply = hit_apply};

static struct buf got;
static enum push show_push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)state, (void)cfg;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        buf_add_slice(&got, event_json(b, ev));
        if (ev->meta.n > 0) {
            struct value meta = event_meta_value(ev);
            buf_add_byte(&got, '+');
            value_json(&meta, &got);
        }
    }
    return PUSH_TAKEN;
}
static err no_compile(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}
static const struct output_ops show = {.name = "show",
                                       .doc = "Shows.",
                                       .settings = no_settings,
                                       .compile = no_compile,
                                       .push = show_push};
static const struct filter_ops *const filters[] = {&hit_filter, NULL};
static const struct output_ops *const outputs[] = {&show, NULL};

/* An event {"a":"x"[,"tags":tag][,"miss":true]} through `hit` with these options. */
static void check_event(const char *options, const char *tag, bool miss, const char *want)
{
    const struct registry registry = {no_inputs, plugin_registry.codecs, filters, outputs, none};
    struct rig r;
    char config[600];
    snprintf(config, sizeof(config), "filter { hit { %s } } output { show { } }", options);
    rig_init(&r, &registry, config, NULL);
    struct batch *b = worker_batch(r.worker);
    struct event *ev = batch_add(b);
    map_put(&ev->data, &b->arena, key_borrow(SLICE("a")), value_string(SLICE("x")));
    if (tag != NULL)
        map_put(&ev->data, &b->arena, key_borrow(SLICE("tags")),
                value_string(slice_from_cstr(tag)));
    if (miss) map_put(&ev->data, &b->arena, key_borrow(SLICE("miss")), value_bool(true));
    got.n = 0;
    worker_flush(r.worker);
    assert_slice_equal(buf_slice(&got), slice_from_cstr(want));
    rig_fini(&r);
    buf_fini(&got);
}

static void check(const char *options, const char *want)
{
    check_event(options, NULL, false, want);
}

static void test_add_field(void **state)
{
    (void)state;
    check("add_field => { 'b' => 'y' }", "{\"a\":\"x\",\"b\":\"y\"}");
    check("add_field => { 'b' => '%{a}-%{nope}' }", "{\"a\":\"x\",\"b\":\"x-%{nope}\"}");
    check("add_field => { 'a' => 'y' }", "{\"a\":[\"x\",\"y\"]}");
    check("add_field => { '[m][k]' => '1' 'n_%{a}' => '2' }",
          "{\"a\":\"x\",\"n_x\":\"2\",\"m\":{\"k\":\"1\"}}");
    check("add_field => { 'l' => ['1', '%{a}'] }", "{\"a\":\"x\",\"l\":[\"1\",\"x\"]}");
    check("add_field => { '[@metadata][m]' => '%{a}' }", "{\"a\":\"x\"}+{\"m\":\"x\"}");
    /* What one adds the next one sees. */
    check("add_field => { 'b' => '%{a}' 'c' => '%{b}%{b}' }",
          "{\"a\":\"x\",\"b\":\"x\",\"c\":\"xx\"}");
    /* A scalar in the way, the timestamp, a name that is no reference: nothing is added. */
    check("add_field => { '[a][b]' => '1' }", "{\"a\":\"x\"}");
    check("add_field => { '@timestamp' => '1' }", "{\"a\":\"x\"}");
    check("add_field => { '[%{a}' => '1' }", "{\"a\":\"x\"}");
}

static void test_remove_field(void **state)
{
    (void)state;
    check("remove_field => ['a']", "{}");
    check("remove_field => ['nope', '[a][b]', '[m][k]']", "{\"a\":\"x\"}");
    check("add_field => { 'x' => '1' } remove_field => ['%{a}']", "{\"a\":\"x\"}");
    check("add_field => { '[@metadata][k]' => '1' } remove_field => ['@metadata']",
          "{\"a\":\"x\"}");
}

static void test_tags(void **state)
{
    (void)state;
    check("add_tag => ['one', '%{a}']", "{\"a\":\"x\",\"tags\":[\"one\",\"x\"]}");
    check_event("add_tag => ['one']", "one", false, "{\"a\":\"x\",\"tags\":[\"one\",\"one\"]}");
    check_event("remove_tag => ['one', 'two']", "one", false, "{\"a\":\"x\",\"tags\":[]}");
    check("remove_tag => ['one']", "{\"a\":\"x\"}");
}

/* Logstash's order is fixed, whatever the order they are written in. */
static void test_order(void **state)
{
    (void)state;
    check("remove_tag => ['t'] add_tag => ['t', '%{a}'] remove_field => ['a'] "
          "add_field => { 'b' => '%{a}' }",
          "{\"b\":\"x\",\"tags\":[\"%{a}\"]}");
}

static void test_only_on_success(void **state)
{
    (void)state;
    check_event("add_field => { 'b' => '1' } remove_field => ['a'] add_tag => ['t']", NULL, true,
                "{\"a\":\"x\",\"miss\":true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_field),
        cmocka_unit_test(test_remove_field),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_only_on_success),
    };
    return T_RUN(tests);
}
