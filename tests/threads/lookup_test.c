/*
 * lookup_test.c - questions and answers between real threads; also run under TSan.
 *
 * A service answers some questions at once and some later, out of order; askers on threads of their
 * own ask, wait, and leave in the middle; a real shard parks and is resumed. Every question that
 * was made is freed once: counted here, and seen by ASan.
 */
#include "tests/unit/t.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/prng.h"
#include "engine/shard/lookup.h"
#include "engine/shard/worker.h"

#define ASKERS 4u
#define ROUNDS 60u

struct question {
    struct lookup_question base;
    char name[24];
    uint64_t answer;
};

static _Atomic uint64_t made, freed;

static void discard(struct lookup_question *q)
{
    atomic_fetch_add(&freed, 1);
    free(q);
}

static void ask(struct lookup_asker *a, struct lookup_service *s, uint64_t number)
{
    struct question *q = calloc(1, sizeof(*q));
    ASSERT(q != NULL);
    int n = snprintf(q->name, sizeof(q->name), "%llu", (unsigned long long)number);
    q->base.key = slice_make(q->name, (size_t)n);
    q->base.hash = hash_bytes(q->name, (size_t)n, 0);
    q->base.discard = discard;
    atomic_fetch_add(&made, 1);
    lookup_ask(a, s, &q->base);
}

static struct question *find(struct lookup_asker *a, uint64_t number)
{
    char name[24];
    int n = snprintf(name, sizeof(name), "%llu", (unsigned long long)number);
    slice key = slice_make(name, (size_t)n);
    return (struct question *)lookup_find(a, key, hash_bytes(key.p, key.n, 0));
}

/* ---- the service ---------------------------------------------------------------------------- */

#define RUNNING_MAX 50u

struct service {
    struct question *late[RUNNING_MAX];
    uint32_t late_n, most_n;
    struct prng prng;
    bool mute; /* late ones stay where they are */
};

static void answer(struct question *q)
{
    int64_t number;
    bool ok = slice_to_i64(q->base.key, &number);
    ASSERT(ok);
    q->answer = (uint64_t)number * 2;
    lookup_answer(&q->base);
}

static void take(void *ctx, struct lookup_question *q)
{
    struct service *s = ctx;
    if (!s->mute && prng_below(&s->prng, 3) == 0) {
        answer((struct question *)q);
        return;
    }
    ASSERT(s->late_n < RUNNING_MAX);
    s->late[s->late_n++] = (struct question *)q;
    if (s->late_n > s->most_n) s->most_n = s->late_n;
}

static void wait_late(void *ctx, int bell_fd, int64_t timeout_ns)
{
    struct service *s = ctx;
    (void)timeout_ns;
    struct bell bell = {.fd = bell_fd};
    bell_wait(&bell, s->mute || s->late_n == 0 ? NS_PER_SEC / 20 : 1000);
    while (!s->mute && s->late_n > 0) {
        uint32_t at = (uint32_t)prng_below(&s->prng, s->late_n);
        struct question *q = s->late[at];
        s->late[at] = s->late[--s->late_n];
        answer(q);
        if (prng_below(&s->prng, 4) == 0) break;
    }
}

static void release_late(void *arg)
{
    struct service *s = arg;
    while (s->late_n > 0) answer(s->late[--s->late_n]);
}

static const struct lookup_service_ops ops = {.name = "test", .take = take, .wait = wait_late};

static struct lookup_service *service_start(struct service *s)
{
    *s = (struct service){0};
    prng_seed(&s->prng, 5);
    struct lookup_service *service = lookup_service_new(&ops, s, RUNNING_MAX);
    assert_non_null(service);
    return service;
}

static void service_end(struct lookup_service *service, struct service *s)
{
    lookup_service_call(service, release_late, s);
    lookup_service_free(service);
    assert_int_equal(atomic_load(&made), atomic_load(&freed));
}

/* ---- askers without a shard ----------------------------------------------------------------- */

static void *asker_main(void *arg)
{
    struct lookup_service *service = arg;
    struct lookup_counters counters = {0};
    struct prng prng;
    prng_seed(&prng, (uint64_t)(uintptr_t)&prng);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct lookup_asker *a = lookup_join(NULL);
        for (uint32_t batch = 0; batch < 5; batch++) {
            uint64_t n = prng_below(&prng, 300);
            for (uint64_t i = 0; i < n; i++)
                if (find(a, i) == NULL && lookup_may_ask(a, &counters)) ask(a, service, i);
            if (batch == 4 && round % 2 == 0) break;
            ASSERT(lookup_wait(a) == APPLIED);
            for (uint64_t i = 0; i < n; i++)
                ASSERT(find(a, i)->base.known && find(a, i)->answer == 2 * i);
            lookup_end(a);
            ASSERT(n == 0 || find(a, 0) == NULL);
        }
        lookup_leave(a);
    }
    return NULL;
}

static void test_askers(void **state)
{
    struct service s;
    pthread_t thread[ASKERS];
    (void)state;
    struct lookup_service *service = service_start(&s);
    for (uint32_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, asker_main, service), 0);
    for (uint32_t i = 0; i < ASKERS; i++) pthread_join(thread[i], NULL);
    service_end(service, &s);
    assert_true(s.most_n > 0 && s.most_n <= RUNNING_MAX);
}

/* ---- bounds --------------------------------------------------------------------------------- */

static void go_mute(void *arg)
{
    ((struct service *)arg)->mute = true;
}

static void test_in_flight_bound(void **state)
{
    struct service s;
    struct lookup_counters counters = {0};
    struct buf text = {0};
    (void)state;
    struct lookup_service *service = service_start(&s);
    lookup_service_call(service, go_mute, &s);
    struct lookup_asker *a = lookup_join(NULL);
    uint64_t n = 0;
    while (lookup_may_ask(a, &counters)) ask(a, service, n++);
    assert_int_equal(n, LOOKUP_IN_FLIGHT_MAX);
    assert_int_equal(counter_read(&counters.full), 1);
    lookup_stats(&counters, &text);
    assert_string_equal(buf_cstr(&text),
                        ",\"hits\":0,\"misses\":0,\"timeouts\":0,\"errors\":0,\"full_hits\":1");
    buf_fini(&text);
    /* Nothing was answered: what is out is left behind, and freed later. */
    lookup_leave(a);
    service_end(service, &s);
}

static void fill_room(void *arg)
{
    struct service *s = arg;
    struct lookup_question *q = &s->late[0]->base;
    ASSERT(lookup_room(q, LOOKUP_HELD_BYTES_MAX - 1) && lookup_room(q, 1));
    ASSERT(!lookup_room(q, 1) && lookup_room(q, 0));
}

static void room_is_back(void *arg)
{
    struct service *s = arg;
    ASSERT(lookup_room(&s->late[0]->base, LOOKUP_HELD_BYTES_MAX));
}

static void test_held_bytes_bound(void **state)
{
    struct service s;
    (void)state;
    struct lookup_service *service = service_start(&s);
    struct lookup_asker *a = lookup_join(NULL);
    void (*const rooms[])(void *) = {fill_room, room_is_back};
    lookup_service_call(service, go_mute, &s);
    for (uint64_t i = 0; i < 2; i++) {
        ask(a, service, i);
        /* Behind a call, what was asked before it is taken. */
        lookup_service_call(service, go_mute, &s);
        lookup_service_call(service, rooms[i], &s);
        lookup_service_call(service, release_late, &s);
        assert_int_equal(lookup_wait(a), APPLIED);
        lookup_end(a);
    }
    lookup_leave(a);
    service_end(service, &s);
}

/* ---- a shard -------------------------------------------------------------------------------- */

struct fixture {
    struct shard shard;
    struct worker worker; /* of no pipeline: nothing waits in it */
    struct lookup_asker *asker;
    struct lookup_service *service;
    uint32_t round, parked;
    sem_t ready, done;
};
static struct fixture f;

static void *shard_main(void *arg)
{
    char why[200];
    (void)arg;
    struct io *io = io_uring_new(IO_CONFIG_DEFAULT, why, sizeof(why));
    if (io == NULL) PANIC("io_uring does not work here");
    shard_init(&f.shard, 0, io, 0);
    sem_post(&f.ready);
    shard_run(&f.shard);
    return NULL;
}

static void round_begin(void)
{
    for (uint64_t i = 0; i < 100; i++) ask(f.asker, f.service, i);
    if (lookup_wait(f.asker) == APPLY_PARKED) f.parked++;
}

static void turn(struct timer *timer, int64_t now_ns)
{
    struct shard *shard = &f.shard;
    if (find(f.asker, 99) != NULL && lookup_wait(f.asker) == APPLIED) {
        for (uint64_t i = 0; i < 100; i++) ASSERT(find(f.asker, i)->answer == 2 * i);
        lookup_end(f.asker);
        f.round++;
        round_begin();
    }
    if (f.round == ROUNDS) {
        lookup_leave(f.asker); /* with questions out */
        ASSERT(shard->askers == NULL);
        shard->stop = true;
        return;
    }
    timer_set(&shard->timers, timer, now_ns + 100000);
}

static void begin(struct message *message, struct shard *shard)
{
    static struct timer timer = {.fire = turn};
    (void)message;
    f.worker.shard = shard;
    f.asker = lookup_join(&f.worker);
    round_begin();
    timer_set(&shard->timers, &timer, shard->now_mono_ns);
}

static void test_shard(void **state)
{
    struct service s;
    pthread_t thread;
    struct message message = {begin};
    (void)state;
    memset(&f, 0, sizeof(f));
    sem_init(&f.ready, 0, 0);
    f.service = service_start(&s);
    assert_int_equal(pthread_create(&thread, NULL, shard_main, NULL), 0);
    while (sem_wait(&f.ready) != 0) continue;
    shard_post(&f.shard, &message);
    pthread_join(thread, NULL);
    struct io *io = f.shard.io;
    shard_fini(&f.shard);
    io_free(io);
    assert_true(f.parked > 0);
    service_end(f.service, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_askers),
        cmocka_unit_test(test_in_flight_bound),
        cmocka_unit_test(test_held_bytes_bound),
        cmocka_unit_test(test_shard),
    };
    return T_RUN(tests);
}
