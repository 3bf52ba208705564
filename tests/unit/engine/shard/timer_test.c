/* timer_test.c - the heap of deadlines against a model. */
#include "tests/unit/t.h"

#include "engine/base/prng.h"
#include "engine/shard/timer.h"

#define N 200

struct alarm {
    struct timer timer;
    bool set; /* in the model */
    int64_t deadline_ns;
    uint32_t fired;
};

static struct alarm alarms[N];
static struct timers timers;
static int64_t last_ns;
static struct alarm *rearm; /* sets itself again when it fires */

static void fire(struct timer *timer, int64_t now_ns)
{
    struct alarm *a = (struct alarm *)timer;
    assert_true(a->set && !timer_is_set(timer));
    assert_true(a->deadline_ns <= now_ns && a->deadline_ns >= last_ns); /* in order */
    last_ns = a->deadline_ns;
    a->set = false;
    a->fired++;
    if (a == rearm) {
        a->set = true;
        a->deadline_ns = now_ns + 50;
        timer_set(&timers, timer, now_ns + 50);
    }
}

static int64_t next_deadline(void)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < N; i++)
        if (alarms[i].set && alarms[i].deadline_ns < next) next = alarms[i].deadline_ns;
    return next;
}

static void test_model(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 9);
    int64_t now_ns = 0;
    rearm = &alarms[7];
    for (uint32_t i = 0; i < N; i++) alarms[i].timer.fire = fire;
    for (int step = 0; step < 50000; step++) {
        struct alarm *a = &alarms[prng_below(&r, N)];
        switch (prng_below(&r, 4)) {
        case 0:
        case 1:
            a->set = true;
            a->deadline_ns = now_ns + (int64_t)prng_below(&r, 1000);
            timer_set(&timers, &a->timer, a->deadline_ns);
            break;
        case 2:
            a->set = false;
            timer_cancel(&timers, &a->timer);
            break;
        default:
            now_ns += (int64_t)prng_below(&r, 20);
            last_ns = 0;
            timers_run(&timers, now_ns);
        }
        int64_t next = next_deadline(), want = next - now_ns < 0 ? 0 : next - now_ns;
        if (want > 600) want = 600;
        assert_int_equal(timers_wait(&timers, now_ns, 600), want);
    }
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(timer_is_set(&alarms[i].timer), alarms[i].set);
        timer_cancel(&timers, &alarms[i].timer);
        timer_cancel(&timers, &alarms[i].timer); /* twice does no harm */
    }
    assert_true(alarms[7].fired > 10);
    assert_int_equal(timers.n, 0);
    assert_int_equal(timers_wait(&timers, now_ns, 600), 600);
    timers_fini(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return T_RUN(tests);
}
