/* edition_test.c - a publisher and users that come and go, each on a thread of its own. */
#include "tests/unit/t.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "engine/plan/edition.h"

#define USERS 3
#define EDITIONS 20000

struct number {
    struct edition edition;
    uint32_t n, twice;
};

static _Atomic uint32_t made, freed, users_left;

static struct edition *number_new(uint32_t n)
{
    struct number *number = calloc(1, sizeof(*number));
    assert_non_null(number);
    number->n = n;
    number->twice = 2 * n;
    made++;
    return &number->edition;
}

static void number_free(struct edition *edition)
{
    struct number *number = (struct number *)edition;
    /* Who still reads it finds out. */
    number->twice = number->n = UINT32_MAX;
    free(number);
    freed++;
}

static void *publish(void *arg)
{
    struct editions *e = arg;
    for (uint32_t i = 1; i <= EDITIONS; i++) editions_publish(e, number_new(i));
    while (users_left > 0) editions_serve(e);
    return NULL;
}

static void *use(void *arg)
{
    struct editions *e = arg;
    uint32_t rounds = 0;
    for (bool done = false; !done; rounds++) {
        struct edition_user *user = edition_join(e);
        uint32_t before = 0;
        for (uint32_t i = 0; i < 1000 && !done; i++) {
            const struct number *now = (const struct number *)edition_now(user);
            assert_int_equal(now->twice, 2 * now->n);
            assert_true(now->n >= before);
            before = now->n;
            done = before == EDITIONS;
        }
        edition_leave(user);
        /* The messages of those that come and go have room for so many. */
        if (rounds == 100) break;
    }
    users_left--;
    return NULL;
}

static void test_users(void **state)
{
    struct editions e;
    pthread_t publisher, user[USERS];
    (void)state;
    users_left = USERS;
    editions_init(&e, number_new(0), true, number_free);
    assert_int_equal(pthread_create(&publisher, NULL, publish, &e), 0);
    for (uint32_t i = 0; i < USERS; i++)
        assert_int_equal(pthread_create(&user[i], NULL, use, &e), 0);
    for (uint32_t i = 0; i < USERS; i++) pthread_join(user[i], NULL);
    pthread_join(publisher, NULL);
    assert_int_equal(e.newest == e.first, false);
    editions_fini(&e);
    assert_int_equal(made, EDITIONS + 1);
    assert_int_equal(freed, made);
}

/* A user that has not looked for a while finds the newest, and holds what it has until then. */
static void test_full_ring(void **state)
{
    struct editions e;
    (void)state;
    made = freed = 0;
    editions_init(&e, number_new(0), true, number_free);
    struct edition_user *user = edition_join(&e);
    assert_false(edition_is_over(user));
    for (uint32_t i = 1; i <= 100; i++) editions_publish(&e, number_new(i));
    assert_true(edition_is_over(user));
    const struct number *now = (const struct number *)edition_now(user);
    assert_true(now->n >= 8 && now->n < 100);
    editions_serve(&e);
    now = (const struct number *)edition_now(user);
    assert_int_equal(now->n, 100);
    edition_leave(user);
    editions_fini(&e);
    assert_int_equal(freed, made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_full_ring),
    };
    return T_RUN(tests);
}
