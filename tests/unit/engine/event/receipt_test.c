/* receipt_test.c - windows: out-of-order settlement, prefixes, failures, credit. */
#include "tests/unit/rig.h"

#include "engine/base/prng.h"
#include "engine/event/receipt.h"

struct heard {
    struct ack_window w; /* first: callbacks get it */
    struct intake intake;
    uint64_t acked, failed;
    uint32_t acked_n, failed_n;
    struct receipt *opened[2]; /* by the callback */
    bool opens;
};

static void on_acked(struct ack_window *w, uint64_t position)
{
    struct heard *h = (struct heard *)w;
    assert_true(position > h->acked || h->acked_n == 0);
    assert_int_equal(h->failed_n, 0);
    h->acked = position;
    h->acked_n++;
    for (uint64_t i = 0; h->opens && i < 2; i++) h->opened[i] = ack_window_open(w, 1000 + i, 1);
}

static void on_failed(struct ack_window *w, uint64_t position)
{
    struct heard *h = (struct heard *)w;
    h->failed = position;
    h->failed_n++;
}

static void heard_init(struct heard *h, uint32_t slots)
{
    memset(h, 0, sizeof(*h));
    intake_init(&h->intake, 1000, NULL);
    ack_window_init(&h->w, slots, &h->intake);
    h->w.acked = on_acked;
    h->w.failed = on_failed;
}

static void test_prefix(void **state)
{
    (void)state;
    struct heard h;
    heard_init(&h, 4);
    struct receipt *r[4];
    for (uint64_t i = 0; i < 4; i++) r[i] = ack_window_open(&h.w, i + 1, 100);
    assert_int_equal(h.intake.credit_bytes, 600);
    assert_null(ack_window_open(&h.w, 9, 1));
    assert_int_equal(h.w.full_n, 1);
    receipt_release(r[2], OUTCOME_DELIVERED);
    receipt_release(r[1], OUTCOME_DEAD_LETTERED);
    assert_int_equal(h.acked_n, 0);
    assert_int_equal(h.intake.credit_bytes, 800); /* credit does not wait for the order */
    receipt_release(r[0], OUTCOME_DELIVERED);
    assert_int_equal(h.acked_n, 1); /* once for the whole prefix */
    assert_int_equal(h.acked, 3);
    receipt_release(r[3], OUTCOME_DELIVERED);
    assert_int_equal(h.acked, 4);
    assert_true(ack_window_idle(&h.w));
    assert_int_equal(h.intake.credit_bytes, 1000);
    ack_window_fini(&h.w);
}

static void test_worst_outcome_wins(void **state)
{
    (void)state;
    struct heard h;
    heard_init(&h, 8);
    struct receipt *a = ack_window_open(&h.w, 1, 1), *b = ack_window_open(&h.w, 2, 1),
                   *c = ack_window_open(&h.w, 3, 1);
    receipt_hold(b);
    receipt_hold(b);
    receipt_release(b, OUTCOME_FAILED);
    receipt_release(b, OUTCOME_DELIVERED);
    receipt_release(c, OUTCOME_DELIVERED);
    receipt_release(a, OUTCOME_DELIVERED);
    assert_int_equal(h.acked, 1);
    assert_int_equal(h.failed_n, 0); /* one holder is left */
    receipt_release(b, OUTCOME_DEAD_LETTERED);
    assert_int_equal(h.failed_n, 1);
    assert_int_equal(h.failed, 2);
    assert_int_equal(h.acked_n, 1); /* nothing behind a failure is ever acknowledged */
    receipt_release(ack_window_open(&h.w, 4, 1), OUTCOME_DELIVERED);
    assert_int_equal(h.acked_n, 1);
    assert_int_equal(h.intake.credit_bytes, 1000);
    ack_window_fini(&h.w);
}

/* acked() may read on and open receipts in the slots that have just become free. */
static void test_reopening_in_acked(void **state)
{
    (void)state;
    struct heard h;
    heard_init(&h, 2);
    struct receipt *a = ack_window_open(&h.w, 7, 1), *b = ack_window_open(&h.w, 8, 1);
    receipt_release(b, OUTCOME_FAILED);
    h.opens = true;
    receipt_release(a, OUTCOME_DELIVERED);
    h.opens = false;
    assert_int_equal(h.acked, 7);
    assert_int_equal(h.failed, 8); /* not the position of what took its slot */
    for (int i = 0; i < 2; i++) receipt_release(h.opened[i], OUTCOME_DELIVERED);
    ack_window_fini(&h.w);
}

static void test_charge(void **state)
{
    (void)state;
    struct heard h;
    heard_init(&h, 8);
    bool fresh;
    struct receipt *a = ack_window_charge(&h.w, 5, 100, &fresh);
    assert_true(fresh);
    assert_ptr_equal(ack_window_charge(&h.w, 5, 50, &fresh), a);
    assert_false(fresh);
    assert_int_equal(h.intake.credit_bytes, 850);
    struct receipt *b = ack_window_charge(&h.w, 6, 10, &fresh);
    assert_true(fresh && b != a);
    receipt_release(b, OUTCOME_DELIVERED);
    /* The settled one is not charged again, even under its own serial. */
    struct receipt *c = ack_window_charge(&h.w, 6, 10, &fresh);
    assert_true(fresh);
    receipt_release(c, OUTCOME_DELIVERED);
    receipt_release(a, OUTCOME_DELIVERED);
    assert_int_equal(h.acked, 6);
    assert_int_equal(h.intake.credit_bytes, 1000);
    ack_window_fini(&h.w);
}

static void test_ready(void **state)
{
    (void)state;
    struct heard h;
    heard_init(&h, 8);
    struct receipt *a = ack_window_open(&h.w, 1, 600), *b = ack_window_open(&h.w, 2, 600);
    assert_int_equal(h.intake.credit_bytes, -200);
    assert_false(intake_ready(&h.intake));
    receipt_release(a, OUTCOME_DELIVERED);
    assert_false(intake_ready(&h.intake)); /* 400: not yet half of the window */
    receipt_release(b, OUTCOME_DELIVERED);
    assert_true(intake_ready(&h.intake));
    ack_window_fini(&h.w);
}

/* Random settlement: acknowledged is always exactly the settled prefix. */
static void test_random(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 5);
    for (int round = 0; round < 200; round++) {
        struct heard h;
        heard_init(&h, 16);
        struct receipt *open[16];
        uint64_t position[16], next = 1;
        uint32_t n = 0;
        for (int step = 0; step < 200 || n > 0; step++) {
            if (step < 200 && prng_below(&r, 2)) {
                struct receipt *fresh = ack_window_open(&h.w, next, 10);
                if (fresh == NULL) continue;
                open[n] = fresh;
                position[n++] = next++;
            } else if (n > 0) {
                uint32_t at = (uint32_t)prng_below(&r, n);
                receipt_release(open[at], OUTCOME_DELIVERED);
                n--;
                memmove(open + at, open + at + 1, (n - at) * sizeof(*open));
                memmove(position + at, position + at + 1, (n - at) * sizeof(*position));
            }
            uint64_t want = n > 0 ? position[0] - 1 : next - 1;
            assert_int_equal(h.acked, want);
            assert_int_equal(h.intake.credit_bytes, 1000 - (int64_t)n * 10);
        }
        ack_window_fini(&h.w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix), cmocka_unit_test(test_worst_outcome_wins),
        cmocka_unit_test(test_charge), cmocka_unit_test(test_reopening_in_acked),
        cmocka_unit_test(test_ready),  cmocka_unit_test(test_random),
    };
    return T_RUN(tests);
}
