/* delivery_test.c - lanes with the test as their writer: bounds, order, outcomes, closing. */
#include "tests/unit/rig.h"

#include "engine/base/clock.h"
#include "engine/shard/delivery.h"

static const struct setting no_settings[] = {{0}};
static enum push sink_push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)state, (void)cfg, (void)b, (void)in;
    return PUSH_TAKEN;
}
static err no_compile(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}
static const struct output_ops sink = {.name = "sink",
                                       .doc = "Takes.",
                                       .settings = no_settings,
                                       .compile = no_compile,
                                       .push = sink_push};
static const struct output_ops *const outputs[] = {&sink, NULL};
static const struct input_ops *const no_inputs[] = {NULL};
static const struct filter_ops *const no_filters[] = {NULL};
static const char *const none[] = {NULL};

struct fixture {
    struct rig r;
    struct delivery d;
    struct lane *lane;
    struct intake intake;
    struct ack_window w;
    uint64_t acked, failed;
};
static struct fixture f;

static void run_nothing(struct delivery *d)
{
    (void)d; /* the test is the writer */
}

static void on_acked(struct ack_window *w, uint64_t position)
{
    (void)w;
    f.acked = position;
}
static void on_failed(struct ack_window *w, uint64_t position)
{
    (void)w;
    f.failed = position;
}

static int setup(void **state)
{
    (void)state;
    const struct registry registry = {no_inputs, plugin_registry.codecs, no_filters, outputs, none};
    memset(&f, 0, sizeof(f));
    rig_init(&f.r, &registry, "output { sink { } }", NULL);
    assert_int_equal(delivery_start(&f.d, 1, "test", run_nothing, NULL), ERR_OK);
    f.lane = lane_new(&f.d, f.r.worker);
    intake_init(&f.intake, 1 << 20, NULL);
    ack_window_init(&f.w, 256, &f.intake);
    f.w.acked = on_acked;
    f.w.failed = on_failed;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(f.intake.credit_bytes, f.intake.window_bytes); /* every promise settled */
    ack_window_fini(&f.w);
    delivery_stop(&f.d);
    rig_fini(&f.r);
    return 0;
}

/* One batch with one promise goes into the open request; false: the lane is full. */
static bool add(uint64_t position, const char *body)
{
    struct delivery_request *r = lane_request(f.lane);
    if (r == NULL) return false;
    struct batch *b = shard_batch_take(&f.r.shard);
    struct receipt *receipt = ack_window_open(&f.w, position, 10);
    batch_hold(b, receipt);
    receipt_release(receipt, OUTCOME_DELIVERED);
    buf_add_cstr(&r->body, body);
    lane_add(f.lane, b, 1);
    shard_batch_give(&f.r.shard, b);
    return true;
}

static void test_batches_share_a_request(void **state)
{
    (void)state;
    assert_true(add(1, "a") && add(2, "b"));
    assert_null(delivery_next(&f.d, 0)); /* not sealed yet */
    sim_advance(f.r.sim, DELIVERY_LINGER_NS);
    shard_step(&f.r.shard, 0); /* lingered long enough */
    struct delivery_request *r = delivery_next(&f.d, 0);
    assert_non_null(r);
    assert_slice_equal(buf_slice(&r->body), SLICE("ab"));
    assert_int_equal(r->events, 2);
    assert_int_equal(f.acked, 0);
    delivery_done(r, OUTCOME_DELIVERED);
    assert_int_equal(f.acked, 0); /* the shard hears of it in its own turn */
    lane_poll(f.lane);
    assert_int_equal(f.acked, 2);
    assert_true(lane_drain(f.lane));
    /* A recycled request starts empty. */
    assert_true(add(3, "c"));
    assert_false(lane_drain(f.lane));
    r = delivery_next(&f.d, 0);
    assert_slice_equal(buf_slice(&r->body), SLICE("c"));
    assert_int_equal(r->events, 1);
    delivery_done(r, OUTCOME_FAILED);
    assert_true(lane_drain(f.lane));
    assert_int_equal(f.failed, 3);
    lane_close(f.lane);
}

static void test_bounds(void **state)
{
    (void)state;
    f.lane->linger_ns = 0; /* every batch is a request */
    for (uint64_t i = 1; i <= DELIVERY_REQUESTS_MAX; i++) assert_true(add(i, "x"));
    assert_false(add(99, "x"));
    assert_int_equal(counter_read(&f.lane->full_hits), 1);
    /* Answered in another order: nothing is acknowledged before the first. */
    struct delivery_request *r[DELIVERY_REQUESTS_MAX];
    for (uint32_t i = 0; i < DELIVERY_REQUESTS_MAX; i++) r[i] = delivery_next(&f.d, 0);
    assert_null(delivery_next(&f.d, 0));
    for (uint32_t i = DELIVERY_REQUESTS_MAX - 1; i > 0; i--) delivery_done(r[i], OUTCOME_DELIVERED);
    lane_poll(f.lane);
    assert_int_equal(f.acked, 0);
    assert_true(add(DELIVERY_REQUESTS_MAX + 1, "y"));
    delivery_done(r[0], OUTCOME_DEAD_LETTERED);
    lane_poll(f.lane);
    assert_int_equal(f.acked, DELIVERY_REQUESTS_MAX);
    delivery_done(delivery_next(&f.d, 0), OUTCOME_DELIVERED);
    assert_true(lane_drain(f.lane));
    assert_int_equal(f.lane->in_flight_bytes, 0);
    /* In bytes as well. */
    atomic_store(&f.r.shard.lane_bytes_max, 3);
    assert_true(add(100, "ab") && add(101, "cd"));
    assert_false(add(102, "e"));
    for (int i = 0; i < 2; i++) delivery_done(delivery_next(&f.d, 0), OUTCOME_DELIVERED);
    lane_poll(f.lane);
    assert_true(add(103, "e"));
    delivery_done(delivery_next(&f.d, 0), OUTCOME_DELIVERED);
    lane_close(f.lane);
    assert_int_equal(f.acked, 103);
}

static void test_sealed_by_size(void **state)
{
    (void)state;
    f.lane->seal_bytes = 4;
    assert_true(add(1, "abc"));
    assert_null(delivery_next(&f.d, 0));
    assert_true(add(2, "d"));
    struct delivery_request *r = delivery_next(&f.d, 0);
    assert_slice_equal(buf_slice(&r->body), SLICE("abcd"));
    assert_false(timer_is_set(&f.lane->linger));
    delivery_done(r, OUTCOME_DELIVERED);
    lane_close(f.lane);
}

/* Closed with requests in every state: open, sealed, with the writer, answered but not seen. */
static void test_close_in_flight(void **state)
{
    (void)state;
    f.lane->seal_bytes = 1;
    for (uint64_t i = 1; i <= 3; i++) assert_true(add(i, "x"));
    struct delivery_request *first = delivery_next(&f.d, 0), *second = delivery_next(&f.d, 0);
    f.lane->seal_bytes = 100;
    assert_true(add(4, "open"));
    delivery_done(first, OUTCOME_DELIVERED);
    lane_close(f.lane);
    assert_int_equal(f.acked, 1);
    assert_int_equal(f.failed, 2);
    assert_true(ack_window_idle(&f.w));
    delivery_done(second, OUTCOME_DELIVERED); /* the writer may still finish it */
    assert_int_equal(f.acked, 1);
}

/* A batch whose events went into two requests is delivered when both are. */
static void test_batch_over_two_requests(void **state)
{
    (void)state;
    struct batch *b = shard_batch_take(&f.r.shard);
    struct receipt *receipt = ack_window_open(&f.w, 1, 10);
    batch_hold(b, receipt);
    receipt_release(receipt, OUTCOME_DELIVERED);
    for (int i = 0; i < 2; i++) {
        buf_add_cstr(&lane_request(f.lane)->body, "x");
        lane_add(f.lane, b, 1);
        lane_seal(f.lane);
    }
    lane_seal(f.lane); /* nothing is open: nothing happens */
    shard_batch_give(&f.r.shard, b);
    struct delivery_request *one = delivery_next(&f.d, 0), *two = delivery_next(&f.d, 0);
    delivery_done(two, OUTCOME_FAILED);
    lane_poll(f.lane);
    assert_int_equal(f.failed, 0);
    delivery_done(one, OUTCOME_DELIVERED);
    lane_poll(f.lane);
    assert_int_equal(f.failed, 1);
    assert_int_equal(f.acked, 0);
    lane_close(f.lane);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_batches_share_a_request), CASE(test_bounds),
        CASE(test_sealed_by_size),          CASE(test_close_in_flight),
        CASE(test_batch_over_two_requests),
    };
    return T_RUN(tests);
}
