/* ring_test.c - the two queues and the bell under load of real threads; also run under TSan. */
#include "tests/unit/t.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "engine/base/bell.h"
#include "engine/base/clock.h"
#include "engine/base/ring.h"

#define ITEMS 200000u
#define PRODUCERS 3u

struct spsc_fixture {
    struct ring ring;
    struct bell bell;
    uint32_t payload[1024];
};

static void *spsc_produce(void *arg)
{
    struct spsc_fixture *f = arg;
    for (uint32_t i = 0; i < ITEMS; i++) {
        /* The slot is only written again after the consumer has passed it: the ring is shorter. */
        f->payload[i % 1024] = i;
        while (!ring_push(&f->ring, &f->payload[i % 1024])) sched_yield();
        bell_ring(&f->bell);
    }
    return NULL;
}

/* Every item arrives once, in order, with what was written before it was pushed; the consumer
 * sleeps on the bell whenever it finds nothing and is never forgotten. */
static void test_spsc(void **state)
{
    (void)state;
    static struct spsc_fixture f;
    ring_init(&f.ring, 256);
    assert_true(bell_init(&f.bell));
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, spsc_produce, &f), 0);
    for (uint32_t want = 0; want < ITEMS;) {
        uint32_t *item = ring_pop(&f.ring);
        if (item == NULL) {
            bell_arm(&f.bell);
            item = ring_pop(&f.ring);
            /* Far longer than any delay: a lost wake-up shows as a failure, not as slowness. */
            int64_t from_ns = clock_mono_ns();
            if (item == NULL) bell_wait(&f.bell, 20 * NS_PER_SEC);
            assert_true(clock_mono_ns() - from_ns < 15 * NS_PER_SEC);
            bell_disarm(&f.bell);
            if (item == NULL) continue;
        }
        assert_int_equal(*item, want);
        want++;
    }
    pthread_join(producer, NULL);
    assert_null(ring_pop(&f.ring));
    bell_fini(&f.bell);
    ring_fini(&f.ring);
}

struct mpsc_fixture {
    struct mpsc queue;
    struct mpsc_item {
        uint32_t producer, number;
    } * item;
};

struct mpsc_arg {
    struct mpsc_fixture *f;
    uint32_t producer;
};

static void *mpsc_produce(void *arg_)
{
    struct mpsc_arg *arg = arg_;
    for (uint32_t i = 0; i < ITEMS; i++) {
        struct mpsc_item *item = &arg->f->item[arg->producer * ITEMS + i];
        *item = (struct mpsc_item){arg->producer, i};
        while (!mpsc_push(&arg->f->queue, item)) sched_yield();
    }
    return NULL;
}

static void test_mpsc(void **state)
{
    (void)state;
    struct mpsc_fixture f;
    mpsc_init(&f.queue, 512);
    f.item = calloc(PRODUCERS * ITEMS, sizeof(*f.item));
    pthread_t thread[PRODUCERS];
    struct mpsc_arg arg[PRODUCERS];
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        arg[i] = (struct mpsc_arg){&f, i};
        assert_int_equal(pthread_create(&thread[i], NULL, mpsc_produce, &arg[i]), 0);
    }
    uint32_t next[PRODUCERS] = {0};
    for (uint32_t n = 0; n < PRODUCERS * ITEMS;) {
        struct mpsc_item *item = mpsc_pop(&f.queue);
        if (item == NULL) {
            sched_yield();
            continue;
        }
        /* Producers interleave, each one's items stay in order. */
        assert_int_equal(item->number, next[item->producer]);
        next[item->producer]++;
        n++;
    }
    for (uint32_t i = 0; i < PRODUCERS; i++) pthread_join(thread[i], NULL);
    assert_null(mpsc_pop(&f.queue));
    free(f.item);
    mpsc_fini(&f.queue);
}

static void test_bounds(void **state)
{
    (void)state;
    struct ring ring;
    int item;
    ring_init(&ring, 3); /* rounded up to 4 */
    for (int i = 0; i < 4; i++) assert_true(ring_push(&ring, &item));
    assert_false(ring_push(&ring, &item));
    assert_int_equal(ring_depth(&ring), 4);
    assert_ptr_equal(ring_pop(&ring), &item);
    assert_true(ring_push(&ring, &item));
    ring_fini(&ring);
    struct mpsc queue;
    mpsc_init(&queue, 4);
    for (int i = 0; i < 4; i++) assert_true(mpsc_push(&queue, &item));
    assert_false(mpsc_push(&queue, &item));
    assert_ptr_equal(mpsc_pop(&queue), &item);
    assert_true(mpsc_push(&queue, &item));
    mpsc_fini(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_spsc),
        cmocka_unit_test(test_mpsc),
    };
    return T_RUN(tests);
}
