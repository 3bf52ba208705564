/* flow_test.c - which windows are shown when, and what rates they give. */
#include "engine/app/flow.h"

#include <stdlib.h>

#include "engine/base/clock.h"
#include "tests/unit/t.h"

static int64_t now_ns;
static int64_t read_now(void)
{
    return now_ns;
}

/* The text of the process's flow. */
static slice show(const struct flows *f, const struct engine *engine, struct buf *out)
{
    struct json_out j = {out, false};
    out->n = 0;
    json_open(&j, NULL);
    flow_json(flows_find(f, ""), engine_totals(engine), 2, &j);
    json_close(&j);
    return slice_from_cstr(buf_cstr(out));
}

static void assert_shows(slice text, const char *part)
{
    if (slice_find(text, slice_from_cstr(part)) < 0)
        fail_msg("no %s in %.*s", part, SLICE_FMT(text));
}

static void shows_windows_once_lived_through(void **state)
{
    (void)state;
    struct engine *engine = calloc(1, sizeof(*engine));
    struct flows flows = {0};
    struct buf out = {0};
    assert_non_null(engine);
    clock_simulate(NULL, read_now);
    now_ns = 1000 * NS_PER_SEC;
    flows_sample(&flows, engine, now_ns);
    assert_shows(show(&flows, engine, &out), "\"input_throughput\":{\"current\":0,\"lifetime\":0}");
    /* 100 a second for two hours, then nothing for thirty seconds. */
    for (int second = 1; second <= 7200; second++) {
        now_ns += NS_PER_SEC;
        engine->past.in += 100;
        engine->past.busy_ns += NS_PER_SEC / 2;
        flows_sample(&flows, engine, now_ns);
        if (second == 70)
            assert_shows(show(&flows, engine, &out),
                         "{\"current\":100,\"last_1_minute\":100,\"lifetime\":100}");
    }
    slice text = show(&flows, engine, &out);
    assert_shows(text, "\"input_throughput\":{\"current\":100,\"last_1_minute\":100,"
                       "\"last_5_minutes\":100,\"last_15_minutes\":100,\"last_1_hour\":100,"
                       "\"lifetime\":100}");
    assert_shows(text, "\"worker_concurrency\":{\"current\":0.5,");
    assert_shows(text, "\"worker_utilization\":{\"current\":25,");
    for (int second = 0; second < 30; second++) {
        now_ns += NS_PER_SEC;
        flows_sample(&flows, engine, now_ns);
    }
    text = show(&flows, engine, &out);
    assert_shows(text, "\"input_throughput\":{\"current\":0,\"last_1_minute\":50,");
    clock_simulate(NULL, NULL);
    buf_fini(&out);
    flows_fini(&flows);
    free(engine);
}

static void keeps_a_bounded_past(void **state)
{
    (void)state;
    struct engine *engine = calloc(1, sizeof(*engine));
    struct flows flows = {0};
    assert_non_null(engine);
    now_ns = NS_PER_SEC;
    for (uint32_t i = 0; i < 40000; i++) {
        now_ns += FLOW_SAMPLE_NS;
        engine->past.in += 5;
        flows_sample(&flows, engine, now_ns);
    }
    struct buf out = {0};
    clock_simulate(NULL, read_now);
    assert_shows(show(&flows, engine, &out), "\"last_24_hours\":1,\"lifetime\":1}");
    clock_simulate(NULL, NULL);
    assert_null(flows_find(&flows, "other"));
    buf_fini(&out);
    flows_fini(&flows);
    free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_windows_once_lived_through),
        cmocka_unit_test(keeps_a_bounded_past),
    };
    return T_RUN(tests);
}
