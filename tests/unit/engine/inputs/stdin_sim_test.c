/* stdin_sim_test.c - the stdin input on the simulated kernel: short reads, EAGAIN, stopping. */
#include "tests/unit/rig.h"

static const char *const none[] = {NULL};
static const struct setting no_settings[] = {{0}};

static struct buf got;
static enum push collect_push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)state, (void)cfg;
    for (uint32_t i = 0; i < in->n; i++) {
        struct member *m =
            map_find(&b->event[in->at[i]].data, SLICE("message"), hash_key("message", 7));
        buf_add_slice(&got, value_slice(&m->val));
        buf_add_byte(&got, '\n');
    }
    return PUSH_TAKEN;
}
static err no_compile(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}
static const struct output_ops collect = {.name = "collect",
                                          .doc = "Collects.",
                                          .settings = no_settings,
                                          .compile = no_compile,
                                          .push = collect_push};
static const struct output_ops *const outputs[] = {&collect, NULL};
static const struct filter_ops *const no_filters[] = {NULL};

struct fixture {
    struct rig r;
    struct input input;
    struct input_counters counters;
    void *state;
    int fd;
};
static struct fixture f;
static uint32_t finished;

static void on_finished(struct input *input)
{
    (void)input;
    finished++;
}

static void begin(struct sim_faults faults)
{
    const struct registry registry = {plugin_registry.inputs, plugin_registry.codecs, no_filters,
                                      outputs, none};
    memset(&f, 0, sizeof(f));
    finished = 0;
    got.n = 0;
    rig_init(&f.r, &registry, "input { stdin { } } output { collect { } }", NULL);
    sim_set_faults(f.r.sim, faults);
    f.fd = sim_stdin(f.r.sim);
    const struct plan_input *in = &f.r.plan->input[0];
    f.input = (struct input){.ops = in->ops,
                             .cfg = in->cfg,
                             .decoration = &in->decoration,
                             .counters = &f.counters,
                             .finished = on_finished};
    size_t bytes = (in->ops->state_size + 63) / 64 * 64;
    f.state = aligned_alloc(64, bytes);
    memset(f.state, 0, bytes);
    assert_int_equal(in->ops->start(f.state, NULL, in->cfg, f.r.worker, &f.input), ERR_OK);
}

static void steps(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        shard_step(&f.r.shard, 0);
        sim_advance(f.r.sim, 20000);
    }
}

/* As the engine stops a pipeline: input, drain, worker, then what the input still has. */
static void end(void)
{
    f.input.ops->stop(f.state, f.input.cfg);
    while (!worker_drain(f.r.worker)) steps(1);
    worker_free(f.r.worker);
    for (int i = 0; !f.input.ops->stopped(f.state, f.input.cfg); i++) {
        assert_true(i < 1000);
        steps(1);
    }
    f.r.worker = worker_new(&f.r.shard, f.r.plan, f.r.output); /* for rig_fini */
    rig_fini(&f.r);
    free(f.state);
    buf_fini(&got);
}

static void test_to_the_end(void **state)
{
    (void)state;
    begin((struct sim_faults){.short_read = 500, .again = 300, .delay_ns_max = 30000});
    struct buf text = {0};
    for (int i = 0; i < 20000; i++) buf_printf(&text, "line %d\n", i);
    slice left = buf_slice(&text);
    while (left.n > 0) {
        left = slice_from(left, sim_peer_send(f.r.sim, f.fd, left));
        steps(20);
    }
    assert_int_equal(finished, 0);
    sim_peer_send(f.r.sim, f.fd, SLICE("without an end"));
    sim_peer_finish(f.r.sim, f.fd);
    steps(300);
    assert_int_equal(finished, 1);
    buf_add_cstr(&text, "without an end\n");
    assert_slice_equal(buf_slice(&got), buf_slice(&text));
    buf_fini(&text);
    end();
    assert_int_equal(finished, 1);
}

/* Stopped while a read is under way: it is no error and no end of the input. */
static void test_stopped(void **state)
{
    (void)state;
    begin((struct sim_faults){.delay_ns_max = 30000});
    sim_peer_send(f.r.sim, f.fd, SLICE("one\ntw"));
    steps(50);
    assert_slice_equal(buf_slice(&got), SLICE("one\n"));
    f.input.ops->stop(f.state, f.input.cfg);
    steps(50);
    assert_slice_equal(buf_slice(&got), SLICE("one\ntw\n"));
    assert_int_equal(finished, 0);
    end();
    assert_int_equal(finished, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_the_end),
        cmocka_unit_test(test_stopped),
    };
    return T_RUN(tests);
}
