/* links_test.c - order, circles and addresses of pipelines that send to each other. */
#include "tests/unit/rig.h"

#include "engine/app/links.h"

#define PLANS 4u

struct fixture {
    struct heap heap[PLANS];
    const struct plan *plan[PLANS];
    uint32_t n;
    struct links_report report;
};
static struct fixture f;

static void add(const char *id, const char *config)
{
    struct diag diag = DIAG_INIT;
    struct process_settings *s = process_settings_new(&f.heap[f.n]);
    err e = process_settings_set(s, SLICE("pipeline.id"), slice_from_cstr(id), POS_NONE, &diag);
    assert_int_equal(e, ERR_OK);
    diag_fini(&diag);
    f.plan[f.n] = rig_compile(s, &plugin_registry, config);
    assert_non_null(f.plan[f.n]);
    f.n++;
}

#define IN(address) "input { pipeline { address => '" address "' } } "
#define SOURCE "input { heartbeat { } } "
#define OUT(list) "output { pipeline { send_to => " list " } }"
#define END "output { null { } }"

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    parsers_init(cpu_init());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    links_report_fini(&f.report);
    for (uint32_t i = 0; i < f.n; i++) {
        plan_free((struct plan *)(uintptr_t)f.plan[i]);
        heap_fini(&f.heap[i]);
    }
    return 0;
}

static void test_senders_come_first(void **state)
{
    (void)state;
    uint32_t order[PLANS];
    add("end", IN("end") END);
    add("alone", SOURCE END);
    add("middle", IN("middle") OUT("['end']"));
    add("source", SOURCE OUT("['end', 'middle']"));
    links_order(f.plan, f.n, order);
    uint32_t at[PLANS];
    for (uint32_t i = 0; i < PLANS; i++) at[order[i]] = i;
    assert_true(at[3] < at[2] && at[2] < at[0] && at[1] < PLANS);
    assert_true(links_send(f.plan[3], f.plan[0]) && !links_send(f.plan[0], f.plan[3]));
    links_check(f.plan, f.n, &f.report);
    assert_int_equal(f.report.errors + f.report.warnings, 0);
}

static void test_what_is_odd(void **state)
{
    (void)state;
    add("a", IN("a") OUT("'b'"));
    add("b", "input { pipeline { address => 'b' } pipeline { address => 'c' } }" OUT("['a']"));
    add("again", IN("c") OUT("['nobody', 'c']"));
    links_check(f.plan, f.n, &f.report);
    assert_int_equal(f.report.errors, 1);
    assert_int_equal(f.report.warnings, 3); /* two circles, one address */
    const char *text = buf_cstr(&f.report.text);
    assert_non_null(strstr(text, "in a circle: a -> b -> a."));
    assert_non_null(strstr(text, "in a circle: again -> again."));
    assert_non_null(strstr(text, "pipeline again sends to \"nobody\""));
    assert_non_null(strstr(text, "pipeline again: the address \"c\" already belongs to an input of "
                                 "pipeline b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_senders_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_odd, setup, teardown),
    };
    return T_RUN(tests);
}
