/*
 * nic_poll_test.c - a shard with an interface of its own: what the udp input gets of its frames,
 * what is answered, counted, held back and passed on. The interface is a list in memory that checks
 * that every frame comes back once.
 */
#include "tests/unit/frames.h"
#include "tests/unit/rig.h"

#include "engine/base/clock.h"
#include "engine/shard/nic_poll.h"

#define FRAMES_MAX 4096u

/* ---- an interface in memory ---------------------------------------------------------------- */

struct memory_frame {
    struct nic_kept kept;
    char *p;
    uint32_t n;
    bool out; /* with the engine */
};

static struct memory_frame frames[FRAMES_MAX];
static uint32_t frame_n, next_frame, out_n, queues;
static struct made_frame sent;
static bool may_send;

static err memory_open(const struct nic_config *config, struct nic_device *device, char *why)
{
    (void)why;
    assert_int_equal(config->device_n, 1);
    memcpy(device[0].mac, FRAME_MAC, PACKET_MAC_BYTES);
    snprintf(device[0].name, sizeof(device[0].name), "%s", config->device[0].device);
    device[0].queue_n = queues;
    return ERR_OK;
}

static void memory_close(void) {}

static uint32_t memory_receive(uint32_t device, uint32_t queue, struct nic_frame *at, uint32_t n)
{
    uint32_t got = 0;
    assert_true(device == 0 && queue < queues);
    for (; got < n && next_frame < frame_n; got++, next_frame++, out_n++) {
        struct memory_frame *f = &frames[next_frame];
        f->out = true;
        at[got] = (struct nic_frame){.p = f->p, .n = f->n, .handle = f};
    }
    return got;
}

static void memory_give(const struct nic_frame *at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, out_n--) {
        struct memory_frame *f = at[i].handle;
        assert_true(f->out);
        f->out = false;
        free(f->p);
        f->p = NULL;
    }
}

static struct nic_kept *memory_keep(const struct nic_frame *frame)
{
    return &((struct memory_frame *)frame->handle)->kept;
}

static bool memory_send(uint32_t device, uint32_t queue, const void *p, uint32_t n)
{
    assert_true(device == 0 && queue < queues);
    if (!may_send) return false;
    sent.n = 0;
    frame_add(&sent, p, n);
    return true;
}

static const struct nic_backend memory = {.name = "memory",
                                          .open = memory_open,
                                          .close = memory_close,
                                          .receive = memory_receive,
                                          .give = memory_give,
                                          .keep = memory_keep,
                                          .send = memory_send};

/* The copy is as long as the frame, so that the sanitizer sees what is read behind it. */
static void put(const struct made_frame *f)
{
    struct memory_frame *to = &frames[frame_n++];
    assert_true(frame_n <= FRAMES_MAX);
    *to = (struct memory_frame){.p = malloc(f->n), .n = f->n};
    memcpy(to->p, f->at, f->n);
}

/* ---- an output that may be full ------------------------------------------------------------- */

static const char *const none[] = {NULL};
static const struct setting no_settings[] = {{0}};
static struct buf got;
static bool full;

static slice text_at(struct event *ev, const char *name)
{
    struct member *m = map_find(&ev->data, slice_from_cstr(name), hash_key(name, strlen(name)));
    return m == NULL ? SLICE("-") : value_slice(&m->val);
}

static enum push collect_push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)state, (void)cfg;
    if (full) return PUSH_FULL;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        buf_printf(&got, "%.*s %.*s\n", SLICE_FMT(text_at(ev, "host")),
                   SLICE_FMT(text_at(ev, "message")));
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

struct running {
    struct input input;
    struct input_counters counters;
    void *state, *shared;
    bool open;
};

static struct rig r;
static struct running inputs[4];
static struct nic_poll *nic[4];

static void input_begin(uint32_t i)
{
    const struct plan_input *in = &r.plan->input[i];
    struct running *run = &inputs[i];
    size_t bytes = (in->ops->state_size + 63) / 64 * 64;
    *run = (struct running){.input = {.ops = in->ops,
                                      .cfg = in->cfg,
                                      .decoration = &in->decoration,
                                      .counters = &run->counters}};
    run->shared = calloc(1, in->ops->shared_size);
    run->state = aligned_alloc(64, bytes);
    memset(run->state, 0, bytes);
    run->open = in->ops->open(run->shared, in->cfg, &run->input, 1) == ERR_OK;
    if (run->open)
        assert_int_equal(in->ops->start(run->state, run->shared, in->cfg, r.worker, &run->input),
                         ERR_OK);
}

static void begin(const char *config, uint32_t shards, uint32_t queue_n)
{
    const struct registry registry = {plugin_registry.inputs, plugin_registry.codecs, no_filters,
                                      outputs, none};
    struct nic_config c = {.device_n = 1, .shards = shards, .idle_sleep_ns = 500 * NS_PER_US};
    char why[NIC_WHY_BYTES];
    frame_n = next_frame = out_n = 0;
    got.n = sent.n = 0;
    full = false;
    may_send = true;
    queues = queue_n;
    assert_true(nic_device_parse(SLICE("memory0,a=1  192.0.2.10\t2001:db8::10 239.1.2.3"),
                                 &c.device[0], why));
    assert_int_equal(nics_open(&memory, &c, why), ERR_OK);
    free((char *)(uintptr_t)c.device[0].device);
    rig_init(&r, &registry, config, NULL);
    for (uint32_t i = 0; i < shards; i++) {
        nic[i] = nic_poll_new(i, nic);
        nic[i]->started = true;
    }
    r.shard.nic = nic[0];
    for (uint32_t i = 0; i < r.plan->input_n; i++) input_begin(i);
}

static void step(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) shard_step(&r.shard, 0);
}

static void finish(uint32_t shards)
{
    for (uint32_t i = 0; i < r.plan->input_n; i++) {
        struct running *run = &inputs[i];
        const struct plan_input *in = &r.plan->input[i];
        if (run->open) {
            in->ops->stop(run->state, in->cfg);
            while (!in->ops->stopped(run->state, in->cfg)) step(1);
            worker_forget_intakes(r.worker, run->state, in->ops->state_size);
            in->ops->close(run->shared, in->cfg);
        }
        free(run->state);
        free(run->shared);
    }
    for (uint32_t i = 0; i < shards; i++) nic_poll_free(nic[i]);
    rig_fini(&r);
    nics_close();
    assert_int_equal(out_n, 0);
    for (uint32_t i = next_frame; i < frame_n; i++) free(frames[i].p);
    buf_fini(&got);
}

static uint64_t count(uint32_t shard, uint32_t what)
{
    return counter_read(&nic[shard]->count[0][what]);
}

static void datagram(const char *from, const char *to, uint16_t port, const char *text)
{
    struct made_frame f;
    frame_datagram(&f, from, to, port, text);
    put(&f);
}

/* The input's own number, out of its statistics. */
static uint64_t stat_of(uint32_t i, const char *name)
{
    struct buf json = {0};
    inputs[i].input.ops->stats(inputs[i].shared, inputs[i].input.cfg, &json);
    char key[64];
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(buf_cstr(&json), key);
    assert_non_null(at);
    uint64_t n = strtoull(at + strlen(key), NULL, 10);
    buf_fini(&json);
    return n;
}

#define UDP "udp { ecs_compatibility => disabled "
#define ONE "input { " UDP "host => '192.0.2.10' port => 514 } } output { collect { } }"

/* ---- tests ------------------------------------------------------------------------------------
 */

static void test_datagrams(void **state)
{
    (void)state;
    begin("input { " UDP "host => '192.0.2.10' port => 514 } " UDP
          "host => '2001:db8::10' port => 514 } " UDP "host => '239.1.2.3' port => 7 } }"
          "output { collect { } }",
          1, 1);
    struct made_frame f;
    datagram("192.0.2.1", "192.0.2.10", 514, "four");
    datagram("2001:db8::1", "2001:db8::10", 514, "six");
    frame_datagram(&f, "192.0.2.2", "239.1.2.3", 7, "many");
    memcpy(f.at, "\x01\0\x5E\1\2\3", 6);
    put(&f);
    datagram("192.0.2.1", "192.0.2.10", 514, "");
    datagram("192.0.2.3", "192.0.2.10", 514, "last");
    step(3);
    assert_slice_equal(buf_slice(&got), SLICE("192.0.2.1 four\n2001:db8::1 six\n192.0.2.2 many\n"
                                              "192.0.2.3 last\n"));
    assert_int_equal(count(0, PACKET_DATAGRAM), 5);
    assert_int_equal(stat_of(0, "datagrams"), 3);
    assert_int_equal(stat_of(0, "datagrams_polled"), 3);
    assert_int_equal(stat_of(0, "datagrams_empty"), 1);
    assert_int_equal(stat_of(1, "datagrams_polled"), 1);
    finish(1);
}

static void test_refused(void **state)
{
    (void)state;
    struct made_frame f;
    begin(ONE, 1, 1);
    datagram("192.0.2.1", "192.0.2.10", 515, "other port");
    datagram("192.0.2.1", "192.0.2.11", 514, "other address");
    datagram("2001:db8::1", "2001:db8::10", 514, "nobody on this one");
    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "other station");
    f.at[5] ^= 4;
    put(&f);
    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "damaged");
    f.at[f.n - 1] ^= 4;
    put(&f);
    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "in pieces");
    frame_put_16(&f, f.ip + 6, 0x2000);
    frame_close(&f);
    put(&f);
    frame_datagram(&f, "192.0.2.1", "192.0.2.11", 514, "in pieces, for another");
    frame_put_16(&f, f.ip + 6, 0x2000);
    frame_close(&f);
    put(&f);
    frame_datagram(&f, "192.0.2.1", "192.0.2.10", 514, "cut");
    f.n -= 2;
    put(&f);
    f.n = 3;
    put(&f);
    step(3);
    assert_int_equal(got.n, 0);
    assert_int_equal(count(0, NIC_NO_INPUT), 2);
    assert_int_equal(count(0, NIC_OTHER_ADDRESS), 3);
    assert_int_equal(count(0, NIC_BAD_UDP), 1);
    assert_int_equal(count(0, PACKET_FRAGMENT), 1);
    assert_int_equal(count(0, PACKET_SHORT), 2);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < NIC_COUNTS; i++) sum += count(0, i);
    assert_int_equal(sum, 9);
    finish(1);
}

static void test_answers(void **state)
{
    (void)state;
    struct made_frame f;
    begin(ONE, 1, 1);
    frame_arp(&f, "192.0.2.1", "192.0.2.10");
    put(&f);
    step(1);
    assert_int_equal(sent.n, 60);
    assert_memory_equal(sent.at, FRAME_PEER FRAME_MAC, 12);
    assert_int_equal(count(0, PACKET_ARP), 1);
    sent.n = 0;
    frame_arp(&f, "192.0.2.1", "192.0.2.12");
    put(&f);
    frame_arp(&f, "192.0.2.1", "239.1.2.3"); /* a group has no station */
    put(&f);
    step(1);
    assert_int_equal(sent.n, 0);
    assert_int_equal(count(0, NIC_OTHER_ADDRESS), 2);
    frame_solicitation(&f, "2001:db8::1", "2001:db8::10");
    put(&f);
    step(1);
    assert_int_equal(sent.n, 14 + 40 + 32);
    assert_int_equal(count(0, PACKET_SOLICITATION), 1);
    may_send = false;
    put(&f);
    step(1);
    assert_int_equal(count(0, NIC_NO_ANSWER), 1);
    finish(1);
}

/* While the output is full nothing is taken; frames are held, in order, then dropped and counted.
 */
static void test_held_back(void **state)
{
    (void)state;
    char text[40];
    begin(ONE, 1, 1);
    full = true;
    uint32_t n = 0;
    while (nic[0]->held_n == 0) {
        snprintf(text, sizeof(text), "%u", n++);
        datagram("192.0.2.1", "192.0.2.10", 514, text);
        step(1);
        assert_true(n < 100);
    }
    uint32_t before = n;
    for (; n < before + NIC_HELD_MAX + 10; n++) {
        snprintf(text, sizeof(text), "%u", n);
        datagram("192.0.2.1", "192.0.2.10", 514, text);
    }
    step(20);
    assert_int_equal(nic[0]->held_n, NIC_HELD_MAX);
    assert_int_equal(count(0, NIC_PIPELINE_FULL), 11);
    assert_int_equal(stat_of(0, "datagrams_polled_dropped"), 11);
    assert_int_equal(got.n, 0);
    full = false;
    step(20);
    assert_int_equal(nic[0]->held_n, 0);
    assert_int_equal(out_n, 0);
    const char *at = buf_cstr(&got);
    for (uint32_t i = 0; i < n - 11; i++) {
        snprintf(text, sizeof(text), "192.0.2.1 %u\n", i);
        assert_memory_equal(at, text, strlen(text));
        at += strlen(text);
    }
    assert_int_equal(*at, '\0');
    finish(1);
}

/* Stopped while it holds frames: they are still delivered, new ones have no input. */
static void test_stop_while_held(void **state)
{
    (void)state;
    begin(ONE, 1, 1);
    full = true;
    for (uint32_t i = 0; i < 300; i++) {
        datagram("192.0.2.1", "192.0.2.10", 514, "x");
        step(1);
    }
    assert_true(nic[0]->held_n > 0);
    inputs[0].input.ops->stop(inputs[0].state, inputs[0].input.cfg);
    full = false;
    datagram("192.0.2.1", "192.0.2.10", 514, "late");
    step(20);
    assert_int_equal(nic[0]->held_n, 0);
    assert_int_equal(got.n, 300 * strlen("192.0.2.1 x\n"));
    assert_int_equal(count(0, NIC_NO_INPUT), 1);
    finish(1);
}

/* Shards 1 to 3 have a queue each and no input. */
static void test_passed_on(void **state)
{
    (void)state;
    begin(ONE, 4, 4);
    assert_ptr_equal(nic[1]->lower, nic[0]);
    assert_ptr_equal(nic[2]->lower, nic[0]);
    assert_ptr_equal(nic[3]->lower, nic[1]);
    datagram("192.0.2.1", "192.0.2.10", 514, "from afar");
    datagram("192.0.2.1", "192.0.2.10", 515, "unwanted");
    nic_poll_turn(nic[3], 0);
    assert_int_equal(count(3, NIC_PASSED), 2);
    nic_poll_turn(nic[1], 0);
    assert_int_equal(count(1, NIC_PASSED), 2);
    step(2);
    assert_slice_equal(buf_slice(&got), SLICE("192.0.2.1 from afar\n"));
    assert_int_equal(count(0, PACKET_DATAGRAM), 1);
    assert_int_equal(count(0, NIC_NO_INPUT), 1);
    for (uint32_t i = 0; i < NIC_PASSED_MAX + 5; i++) datagram("192.0.2.1", "192.0.2.10", 514, "y");
    for (uint32_t i = 0; i < 40; i++) nic_poll_turn(nic[2], 0);
    assert_int_equal(count(2, NIC_PASSED), NIC_PASSED_MAX);
    assert_int_equal(count(2, NIC_PASS_FULL), 5);
    datagram("192.0.2.1", "192.0.2.10", 514, "left behind");
    nic_poll_turn(nic[3], 0);
    finish(4);
}

/* A device with one queue: the other shards are not woken for nothing. */
static void test_sleep(void **state)
{
    (void)state;
    begin(ONE, 3, 1);
    assert_true(nic[0]->needed && !nic[1]->needed && !nic[2]->needed);
    assert_int_equal(nic_poll_turn(nic[1], NS_PER_SEC), NS_PER_SEC);
    int64_t last = 0, sleep_ns = 0;
    for (uint32_t i = 0; i < 10; i++, last = sleep_ns) {
        sleep_ns = nic_poll_turn(nic[0], NS_PER_SEC);
        assert_true(sleep_ns >= last && sleep_ns > 0);
    }
    assert_int_equal(sleep_ns, 500 * NS_PER_US);
    assert_int_equal(nic_poll_turn(nic[0], 5), 5);
    for (uint32_t i = 0; i < 40; i++) datagram("192.0.2.1", "192.0.2.10", 514, "z");
    assert_int_equal(nic_poll_turn(nic[0], NS_PER_SEC), 0);
    datagram("192.0.2.1", "192.0.2.10", 514, "z");
    assert_true(nic_poll_turn(nic[0], NS_PER_SEC) < 100 * NS_PER_US);
    step(2);
    finish(3);
}

/* No kernel says that an address is taken. */
static void test_claims(void **state)
{
    (void)state;
    begin("input { " UDP "host => '192.0.2.10' port => 514 } " UDP
          "host => '192.0.2.10' port => 514 } " UDP "host => '192.0.2.10' port => 515 } }"
          "output { collect { } }",
          1, 1);
    assert_true(inputs[0].open && !inputs[1].open && inputs[2].open);
    finish(1);
    begin(ONE, 1, 1);
    assert_true(inputs[0].open);
    finish(1);
}

static void test_settings(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "0000:3b:00.0", "net_tap0 192.0.2.300",
                                        "net_tap0 0.0.0.0", "net_tap0 192.0.2.1 ::"};
    struct nic_device_config c;
    char why[NIC_WHY_BYTES];
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_false(nic_device_parse(slice_from_cstr(wrong[i]), &c, why));
        assert_true(why[0] != '\0');
    }
    assert_true(nic_device_parse(SLICE(" 0000:3b:00.0,x=y 192.0.2.1 2001:db8::1 "), &c, why));
    assert_string_equal(c.device, "0000:3b:00.0,x=y");
    assert_int_equal(c.address_n, 2);
    assert_true(c.address[0].version == 4 && c.address[1].version == 6);
    free((char *)(uintptr_t)c.device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagrams),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_answers),         cmocka_unit_test(test_held_back),
        cmocka_unit_test(test_stop_while_held), cmocka_unit_test(test_passed_on),
        cmocka_unit_test(test_sleep),           cmocka_unit_test(test_claims),
        cmocka_unit_test(test_settings),
    };
    return T_RUN(tests);
}
