/*
 * delivery_test.c - shards, mailboxes and a writer on real threads; also run under TSan.
 *
 * Shards push requests through lanes to a writer thread and take outcomes home, while control
 * threads call into the shards the way the engine does. The io of these shards is the real one.
 */
#include "tests/unit/t.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/prng.h"
#include "engine/shard/delivery.h"

#define SHARDS 2u
#define CALLERS 2u
#define CALLS 400u
#define REQUESTS 3000u

struct fixture {
    struct shard shard[SHARDS];
    pthread_t thread[SHARDS];
    sem_t ready;
    struct delivery delivery;
    uint64_t written;                 /* writer only, read after its end */
    struct lane *lane[SHARDS];        /* shard only */
    struct worker fake[SHARDS];       /* lane_new wants to know the shard */
    struct intake intake[SHARDS];     /* shard only */
    struct ack_window window[SHARDS]; /* shard only */
    uint64_t pushed[SHARDS], acked[SHARDS];
    uint32_t calls[SHARDS];
};
static struct fixture f;

static void *shard_main(void *arg)
{
    struct shard *shard = arg;
    char why[200];
    uint32_t index = (uint32_t)(shard - f.shard);
    struct io *io = io_uring_new(IO_CONFIG_DEFAULT, why, sizeof(why));
    if (io == NULL) PANIC("io_uring does not work here");
    shard_init(shard, index, io, 0);
    sem_post(&f.ready);
    shard_run(shard);
    return NULL;
}

/* ---- calls as the control thread makes them ---------------------------------------------- */

struct call {
    struct message message;
    void (*fn)(struct call *call, struct shard *shard);
    uint64_t result;
    sem_t done;
};

static void call_run(struct message *message, struct shard *shard)
{
    struct call *call = (struct call *)message;
    call->fn(call, shard);
    sem_post(&call->done);
}

static uint64_t shard_ask(uint32_t shard, void (*fn)(struct call *, struct shard *))
{
    struct call call = {.message = {call_run}, .fn = fn};
    sem_init(&call.done, 0, 0);
    shard_post(&f.shard[shard], &call.message);
    while (sem_wait(&call.done) != 0) continue;
    sem_destroy(&call.done);
    return call.result;
}

static void do_start(struct call *call, struct shard *shard)
{
    (void)call;
    uint32_t i = shard->index;
    f.fake[i].shard = shard;
    f.lane[i] = lane_new(&f.delivery, &f.fake[i]);
    f.lane[i]->seal_bytes = 64;
    intake_init(&f.intake[i], 1 << 30, NULL);
    ack_window_init(&f.window[i], 4096, &f.intake[i]);
}

/* One turn of a pretended output: fills requests until the lane is full, takes outcomes home. */
static void do_push(struct call *call, struct shard *shard)
{
    uint32_t i = shard->index;
    lane_poll(f.lane[i]);
    for (uint32_t n = 0; n < 8 && f.pushed[i] < REQUESTS; n++) {
        struct delivery_request *r = lane_request(f.lane[i]);
        if (r == NULL) break;
        struct batch *b = shard_batch_take(shard);
        struct receipt *receipt = ack_window_open(&f.window[i], ++f.pushed[i], 1);
        ASSERT(receipt != NULL);
        batch_hold(b, receipt);
        receipt_release(receipt, OUTCOME_DELIVERED);
        buf_printf(&r->body, "%u %llu;", i, (unsigned long long)f.pushed[i]);
        lane_add(f.lane[i], b, 1);
        shard_batch_give(shard, b);
    }
    call->result = f.pushed[i];
}

static void do_drain(struct call *call, struct shard *shard)
{
    call->result = lane_drain(f.lane[shard->index]);
}

static void do_close(struct call *call, struct shard *shard)
{
    (void)call;
    uint32_t i = shard->index;
    lane_close(f.lane[i]);
    ASSERT(ack_window_idle(&f.window[i]));
    ASSERT(f.intake[i].credit_bytes == f.intake[i].window_bytes);
    ack_window_fini(&f.window[i]);
}

static void do_stop(struct call *call, struct shard *shard)
{
    (void)call;
    shard->stop = true;
}

static void do_count(struct call *call, struct shard *shard)
{
    call->result = ++f.calls[shard->index];
}

static void *caller_main(void *arg)
{
    struct prng r;
    prng_seed(&r, (uint64_t)(uintptr_t)arg);
    uint64_t last[SHARDS] = {0};
    for (uint32_t n = 0; n < CALLS; n++) {
        uint32_t i = (uint32_t)prng_below(&r, SHARDS);
        uint64_t count = shard_ask(i, do_count);
        ASSERT(count > last[i]);
        last[i] = count;
        shard_notify(&f.shard[prng_below(&r, SHARDS)]);
    }
    return NULL;
}

/* ---- the writer -------------------------------------------------------------------------- */

/* Keeps a few and answers them in another order than they came. */
static void writer(struct delivery *d)
{
    struct delivery_request *held[8];
    uint32_t n = 0;
    struct prng r;
    prng_seed(&r, 77);
    while (!delivery_stopping(d) || n > 0) {
        struct delivery_request *request =
            n < 8 ? delivery_next(d, n == 0 ? 20 * NS_PER_MS : 0) : NULL;
        if (request != NULL) held[n++] = request;
        if (n == 0 || (request != NULL && n < 8 && prng_below(&r, 2))) continue;
        uint32_t at = (uint32_t)prng_below(&r, n);
        for (size_t i = 0; i < held[at]->body.n; i++) f.written += held[at]->body.data[i] == ';';
        delivery_done(held[at], OUTCOME_DELIVERED);
        held[at] = held[--n];
    }
}

static void begin(void)
{
    memset(&f, 0, sizeof(f));
    sem_init(&f.ready, 0, 0);
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_int_equal(pthread_create(&f.thread[i], NULL, shard_main, &f.shard[i]), 0);
        while (sem_wait(&f.ready) != 0) continue;
    }
    assert_int_equal(delivery_start(&f.delivery, SHARDS, "writer", writer, NULL), ERR_OK);
    for (uint32_t i = 0; i < SHARDS; i++) shard_ask(i, do_start);
}

static void end(void)
{
    for (uint32_t i = 0; i < SHARDS; i++) shard_ask(i, do_close);
    delivery_stop(&f.delivery);
    for (uint32_t i = 0; i < SHARDS; i++) {
        shard_ask(i, do_stop);
        pthread_join(f.thread[i], NULL);
        /* As the engine does: the one who asked may have been ringing its bell to the end. */
        struct io *io = f.shard[i].io;
        shard_fini(&f.shard[i]);
        io_free(io);
    }
    sem_destroy(&f.ready);
}

static void test_through_lanes(void **state)
{
    (void)state;
    begin();
    pthread_t caller[CALLERS];
    for (uintptr_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&caller[i], NULL, caller_main, (void *)(i + 1)), 0);
    bool more = true;
    while (more) {
        more = false;
        for (uint32_t i = 0; i < SHARDS; i++)
            if (shard_ask(i, do_push) < REQUESTS) more = true;
    }
    /* A lost wake-up would show as a drain that never ends. */
    int64_t from_ns = clock_mono_ns();
    for (uint32_t i = 0; i < SHARDS; i++)
        while (!shard_ask(i, do_drain)) assert_true(clock_mono_ns() - from_ns < 30 * NS_PER_SEC);
    for (uint32_t i = 0; i < CALLERS; i++) pthread_join(caller[i], NULL);
    end();
    assert_int_equal(f.written, (uint64_t)SHARDS * REQUESTS);
    assert_int_equal(f.calls[0] + f.calls[1], CALLERS * CALLS);
}

/* The shard leaves while the writer still holds requests: promises fail, nothing is freed twice. */
static void test_close_under_way(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        begin();
        for (int n = 0; n < 3; n++)
            for (uint32_t i = 0; i < SHARDS; i++) shard_ask(i, do_push);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_through_lanes),
        cmocka_unit_test(test_close_under_way),
    };
    return T_RUN(tests);
}
