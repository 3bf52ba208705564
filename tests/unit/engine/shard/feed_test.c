/* feed_test.c - streams cut anywhere, batches that fill up, workers that refuse, long frames. */
#include "tests/unit/rig.h"

#include "engine/event/blob.h"
#include "engine/shard/feed.h"

/* ---- an input that is only a codec, an output that collects -------------------------------- */

struct probe_cfg {
    struct codec codec;
};
static err probe_compile(void *cfg, struct compiler *c)
{
    return compile_codec(c, &((struct probe_cfg *)cfg)->codec, &c->common_input->codec,
                         BYTES_STREAM);
}
static void probe_release(void *cfg)
{
    codec_release(&((struct probe_cfg *)cfg)->codec);
}
static const struct setting no_settings[] = {{0}};
static const struct input_ops probe = {.name = "probe",
                                       .doc = "A codec.",
                                       .settings = no_settings,
                                       .cfg_size = sizeof(struct probe_cfg),
                                       .compile = probe_compile,
                                       .release = probe_release};

static struct buf got; /* "line;line;" and "line!;" for one tagged as too long */
static bool full;      /* the output refuses */
static bool keep;      /* the output keeps its promises for later */
static struct receipt *kept[4096];
static uint32_t kept_n;

static enum push collect_push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)state, (void)cfg;
    if (full) return PUSH_FULL;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        struct member *m = map_find(&ev->data, SLICE("message"), hash_key("message", 7));
        buf_add_slice(&got, value_slice(&m->val));
        buf_add_cstr(&got, event_has_tag(b, ev, SLICE("_frame_too_long")) ? "!;" : ";");
    }
    for (uint32_t i = 0; keep && i < b->hold_n; i++) {
        receipt_hold(b->hold[i]);
        kept[kept_n++] = b->hold[i];
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

static const struct input_ops *const inputs[] = {&probe, NULL};
static const struct output_ops *const outputs[] = {&collect, NULL};
static const char *const none[] = {NULL};

struct stream {
    struct rig r;
    struct feed feed;
    struct intake intake;
    struct ack_window window;
    uint32_t resumed;
};
static struct stream s;

static void resume(struct intake *intake)
{
    struct stream *owner = (struct stream *)((char *)intake - offsetof(struct stream, intake));
    owner->resumed++;
    feed_resume(&owner->feed);
}

static const char *line = "line"; /* the codec, with its options */

static const struct registry registry = {inputs, NULL, NULL, outputs, none};

static void stream_init(const char *batch_size, uint32_t slots, uint32_t frame_bytes_max)
{
    static const struct filter_ops *const no_filters[] = {NULL};
    struct registry all = registry;
    all.codecs = plugin_registry.codecs;
    all.filters = no_filters;
    got.n = kept_n = 0;
    full = keep = false;
    s.resumed = 0;
    char config[128];
    snprintf(config, sizeof(config), "input { probe { codec => %s } } output { collect { } }",
             line);
    rig_init(&s.r, &all, config, batch_size);
    struct codec *codec = &((struct probe_cfg *)s.r.plan->input[0].cfg)->codec;
    codec->frame_bytes_max = frame_bytes_max;
    intake_init(&s.intake, 1 << 20, resume);
    ack_window_init(&s.window, slots, &s.intake);
    worker_add_intake(s.r.worker, &s.intake);
    assert_int_equal(feed_init(&s.feed, s.r.worker, &s.intake, &s.window, codec, NULL), ERR_OK);
}

static void release_kept(void)
{
    while (kept_n > 0) receipt_release(kept[--kept_n], OUTCOME_DELIVERED);
}

static void stream_fini(void)
{
    feed_fini(&s.feed);
    assert_int_equal(s.intake.waiting, 0);
    worker_flush(s.r.worker);
    release_kept();
    worker_remove_intake(s.r.worker, &s.intake);
    assert_int_equal(s.intake.credit_bytes, s.intake.window_bytes);
    ack_window_fini(&s.window);
    rig_fini(&s.r);
}

/* Bytes arrive in a blob of their own, which is gone as soon as nobody needs it. */
static bool arrive(slice bytes)
{
    struct blob *blob = blob_new(bytes.n + 1);
    memcpy(blob->data, bytes.p, bytes.n);
    bool taken = feed_bytes(&s.feed, blob, slice_make(blob->data, bytes.n));
    blob_unpin(blob);
    return taken;
}

static void finish(void)
{
    feed_end(&s.feed);
    worker_flush(s.r.worker);
}

static const char text[] = "first\n\nthird line\r\n\xc3\xa9\xff\n4\n5\nlast without end";
static slice want_of_text(void)
{
    return SLICE("first;;third line\r;\xc3\xa9\\xFF;4;5;last without end;");
}

static void test_every_cut(void **state)
{
    (void)state;
    static const char *const sizes[] = {NULL, "1", "2", "3"};
    slice all = slice_from_cstr(text);
    for (size_t size = 0; size < ARRAY_LEN(sizes); size++) {
        stream_init(sizes[size], 64, 0);
        for (uint32_t a = 0; a <= all.n; a++) {
            for (uint32_t b = a; b <= all.n; b += size == 0 ? 1 : 7) {
                got.n = 0;
                assert_true(arrive(slice_part(all, 0, a)));
                assert_true(arrive(slice_part(all, a, b - a)));
                assert_true(arrive(slice_from(all, b)));
                finish();
                s.feed.ended = false; /* used again for the next cut */
                assert_slice_equal(buf_slice(&got), want_of_text());
            }
        }
        stream_fini();
    }
}

static void test_large_blobs(void **state)
{
    (void)state;
    struct buf in = {0}, want = {0};
    for (int i = 0; i < 3000; i++) {
        buf_printf(&in, "line number %d\n", i);
        buf_printf(&want, "line number %d;", i);
    }
    slice all = buf_slice(&in);
    for (uint32_t cut = 1; cut < all.n; cut += 997) { /* some beyond FEED_COPY_BYTES, some not */
        stream_init("100", 64, 0);
        for (uint32_t at = 0; at < all.n; at += cut) arrive(slice_part(all, at, cut));
        finish();
        assert_slice_equal(buf_slice(&got), buf_slice(&want));
        stream_fini();
    }
    buf_fini(&in);
    buf_fini(&want);
}

/* The output refuses again and again: bytes are kept and nothing is lost or turned around. */
static void test_refusal(void **state)
{
    (void)state;
    struct buf in = {0}, want = {0};
    for (int i = 0; i < 200; i++) {
        buf_printf(&in, "%d\n", i);
        buf_printf(&want, "%d;", i);
    }
    slice all = buf_slice(&in);
    uint32_t refused = 0;
    for (uint32_t cut = 1; cut < 80; cut += 6) {
        stream_init("2", 256, 0);
        for (uint32_t at = 0, n = 0; at < all.n; at += cut, n++) {
            full = n % 40 < 30;
            if (!arrive(slice_part(all, at, cut))) refused++;
            if (!full) worker_poll(s.r.worker);
        }
        full = true;
        feed_end(&s.feed);
        full = false;
        for (int i = 0; i < 10; i++) worker_poll(s.r.worker);
        assert_false(feed_is_waiting(&s.feed));
        worker_flush(s.r.worker);
        assert_slice_equal(buf_slice(&got), buf_slice(&want));
        assert_int_equal(s.intake.waiting, 0);
        stream_fini();
    }
    assert_true(refused > 10);
    buf_fini(&in);
    buf_fini(&want);
}

/* The stream ends while bytes wait: a frame that is cut between them is still one frame. */
static void test_end_while_waiting(void **state)
{
    (void)state;
    stream_init("1", 64, 0);
    full = true;
    for (uint32_t i = 0; i < WORKER_PARKED_MAX; i++) arrive(SLICE("x\n"));
    arrive(SLICE("one\ntw"));
    arrive(SLICE("o\nthr"));
    arrive(SLICE("ee"));
    assert_false(feed_end(&s.feed));
    full = false;
    got.n = 0;
    for (int i = 0; i < 10; i++) worker_poll(s.r.worker);
    worker_flush(s.r.worker);
    assert_true(slice_ends(buf_slice(&got), SLICE("x;one;two;three;")));
    assert_false(feed_is_waiting(&s.feed));
    stream_fini();
}

/* A window with two slots and an output that keeps its promises: no more is taken in, the worker
 * does not ask again and again, and it goes on when a promise is kept. */
static void test_full_window(void **state)
{
    (void)state;
    stream_init("1", 2, 0);
    keep = true;
    assert_false(arrive(SLICE("1\n2\n3\n4\n5\n")));
    assert_slice_equal(buf_slice(&got), SLICE("1;2;"));
    assert_true(s.intake.stopped);
    for (int i = 0; i < 100; i++) worker_poll(s.r.worker);
    assert_int_equal(s.resumed, 0);
    assert_false(worker_is_busy(s.r.worker)); /* or the shard would spin */
    receipt_release(kept[0], OUTCOME_DELIVERED);
    assert_true(worker_is_busy(s.r.worker));
    worker_poll(s.r.worker);
    assert_slice_equal(buf_slice(&got), SLICE("1;2;3;"));
    memmove(kept, kept + 1, --kept_n * sizeof(*kept));
    for (int i = 0; i < 5; i++) {
        release_kept();
        worker_poll(s.r.worker);
    }
    assert_slice_equal(buf_slice(&got), SLICE("1;2;3;4;5;"));
    stream_fini();
}

/* A machine with many shards leaves each little memory: less than a batch might need at its worst.
 * While nothing waits the shard reads on; while something waits it does not. */
static void test_small_pool(void **state)
{
    (void)state;
    stream_init("1", 64, 0);
    s.r.shard.pool.limit_bytes = 4 * PAGE_BYTES;
    for (int i = 0; i < 100; i++) assert_true(arrive(SLICE("a\n")));
    full = true;
    assert_false(arrive(SLICE("b\nc\nd\n")));
    assert_int_equal(s.r.worker->parked_n, 1);
    assert_true(counter_read(&s.r.shard.counters.pages_limit_hits) > 0);
    for (int i = 0; i < 3; i++) worker_poll(s.r.worker);
    assert_int_equal(s.r.worker->parked_n, 1);
    full = false;
    for (int i = 0; i < 3; i++) worker_poll(s.r.worker);
    worker_flush(s.r.worker);
    assert_false(feed_is_waiting(&s.feed));
    assert_true(slice_ends(buf_slice(&got), SLICE("a;b;c;d;")));
    stream_fini();
}

/* A frame that is too long comes in pieces, all of it, and never needs more than the bound. */
static void test_long_frames(void **state)
{
    (void)state;
    for (uint32_t cut = 1; cut < 12; cut++) {
        stream_init(NULL, 64, 10);
        slice all = SLICE("abcdefghijklmnopqrstuvwxyz\nok\n0123456\n");
        uint32_t carry = 0;
        for (uint32_t at = 0; at < all.n; at += cut) {
            assert_true(arrive(slice_part(all, at, cut)));
            if (s.feed.carry_n > carry) carry = s.feed.carry_n;
        }
        finish();
        assert_true(carry <= 10);
        struct buf plain = {0};
        for (size_t i = 0; i < got.n; i++)
            if (got.data[i] >= 'a' && got.data[i] <= 'z') buf_add_byte(&plain, got.data[i]);
        assert_slice_equal(buf_slice(&plain), SLICE("abcdefghijklmnopqrstuvwxyzok"));
        assert_true(slice_ends(buf_slice(&got), SLICE(";ok;0123456;")));
        assert_true(slice_find(buf_slice(&got), SLICE("!;")) > 0);
        buf_fini(&plain);
        stream_fini();
    }
}

static const struct codec_ops *real;
static uint32_t decode_n;

static uint32_t decode_counted(void *state, const void *cfg, slice in, struct decode *d)
{
    decode_n++;
    return real->decode(state, cfg, in, d);
}

/* decode_n counts the stream's calls of its codec, until count_end. */
static void count_begin(void)
{
    static struct codec_ops counted;
    struct codec *codec = &((struct probe_cfg *)s.r.plan->input[0].cfg)->codec;
    real = codec->ops;
    counted = *real;
    counted.decode = decode_counted;
    codec->ops = &counted;
    decode_n = 0;
}

static void count_end(void)
{
    ((struct probe_cfg *)s.r.plan->input[0].cfg)->codec.ops = real;
}

/* A long line costs what its bytes cost, not their square. */
static void test_long_line_is_looked_at_once(void **state)
{
    (void)state;
    stream_init(NULL, 64, 0);
    count_begin();
    for (int i = 0; i < 1000; i++) assert_true(arrive(SLICE("0123456789")));
    assert_true(arrive(SLICE("\n")));
    assert_int_equal(decode_n, 2);
    finish();
    assert_int_equal(got.n, 10001);
    count_end();
    stream_fini();
}

/* Neither does a frame that ends otherwise, whatever newlines are in it. */
static void test_newlines_in_frames(void **state)
{
    (void)state;
    line = "line { delimiter => \"<>\" }";
    stream_init(NULL, 64, 0);
    line = "line";
    count_begin();
    for (int i = 0; i < 1000; i++) assert_true(arrive(SLICE("<\n\n\n\n\n\n\n\n>")));
    assert_int_equal(decode_n, 1000);
    assert_true(arrive(SLICE("<>\n<")));
    assert_true(arrive(SLICE(">")));
    finish();
    assert_int_equal(got.n, 10001 + 2);
    count_end();
    stream_fini();
}

/* Many long lines at a time are cut when they hold more than all may; one alone is not. */
static void test_long_frames_share_memory(void **state)
{
    (void)state;
    struct carry_budget budget = {.max_bytes = 400000, .shard_n = 1};
    stream_init(NULL, 64, 0);
    s.r.worker->shard->carry_budget = &budget;
    char piece[40000];
    memset(piece, 'x', sizeof(piece));
    for (int i = 0; i < 5; i++) assert_true(arrive(slice_make(piece, sizeof(piece))));
    assert_true(arrive(SLICE("\n")));
    worker_flush(s.r.worker);
    assert_int_equal(got.n, 200001);
    assert_int_equal(slice_find(buf_slice(&got), SLICE("!;")), -1);
    assert_int_equal(counter_read(&budget.used_bytes[0]), 0);

    got.n = 0;
    budget.max_bytes = 70000;
    for (int i = 0; i < 50; i++) {
        arrive(slice_make(piece, sizeof(piece)));
        assert_true(counter_read(&budget.used_bytes[0]) <= 2 * 65536);
    }
    arrive(SLICE("\nshort\n"));
    finish();
    uint32_t n = 0;
    for (size_t i = 0; i < got.n; i++) n += got.data[i] == 'x';
    assert_int_equal(n, 50 * sizeof(piece));
    assert_true(slice_find(buf_slice(&got), SLICE("!;")) > 0);
    assert_true(slice_ends(buf_slice(&got), SLICE(";short;")));
    feed_fini(&s.feed);
    assert_int_equal(counter_read(&budget.used_bytes[0]), 0);
    s.r.worker->shard->carry_budget = NULL;
    stream_fini();
}

/* The same while the window is full at the moment of cutting. */
static void test_long_frames_and_full_window(void **state)
{
    (void)state;
    for (uint32_t size = 300000; size < 700000; size += 100000) {
        stream_init("1000", 2, 100000);
        keep = true;
        struct buf in = {0};
        for (uint32_t i = 0; i < size; i++) buf_add_byte(&in, 'x');
        buf_add_byte(&in, '\n');
        slice all = buf_slice(&in);
        for (uint32_t at = 0; at < all.n; at += 65536) arrive(slice_part(all, at, 65536));
        feed_end(&s.feed);
        for (int i = 0; i < 50; i++) {
            worker_flush(s.r.worker);
            release_kept();
            worker_poll(s.r.worker);
        }
        assert_false(feed_is_waiting(&s.feed));
        uint32_t n = 0;
        for (size_t i = 0; i < got.n; i++) n += got.data[i] == 'x';
        assert_int_equal(n, size);
        buf_fini(&in);
        stream_fini();
    }
}

/* A stream given up while bytes wait. */
static void test_fini_while_waiting(void **state)
{
    (void)state;
    stream_init("1", 64, 0);
    full = true;
    for (int i = 0; i < 40; i++) arrive(SLICE("a\nb\nc"));
    assert_int_equal(s.intake.waiting, 1);
    assert_true(feed_is_waiting(&s.feed));
    feed_fini(&s.feed);
    assert_int_equal(s.intake.waiting, 0);
    full = false;
    for (int i = 0; i < 3; i++) worker_poll(s.r.worker);
    stream_fini();
}

static int free_got(void **state)
{
    (void)state;
    buf_fini(&got);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_large_blobs),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_full_window),
        cmocka_unit_test(test_long_frames),
        cmocka_unit_test(test_long_line_is_looked_at_once),
        cmocka_unit_test(test_newlines_in_frames),
        cmocka_unit_test(test_long_frames_share_memory),
        cmocka_unit_test(test_long_frames_and_full_window),
        cmocka_unit_test(test_fini_while_waiting),
        cmocka_unit_test(test_small_pool),
        cmocka_unit_test(test_end_while_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, free_got);
}
