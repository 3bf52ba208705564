/*
 * condition.c - the step of a conditional: what `if` takes for each event of a batch.
 *
 * The branches drop events that never come, so that nothing but the test runs.
 */
#include <stdio.h>

#include "bench/harness/harness.h"
#include "bench/harness/plan_rig.h"

#define EVENTS 1024u

extern const struct filter_ops filter_drop;
static const struct input_ops *const no_inputs[] = {NULL};
static const struct codec_ops *const no_codecs[] = {NULL};
static const struct filter_ops *const filters[] = {&filter_drop, NULL};
static const struct output_ops *const no_outputs[] = {NULL};
static const char *const none[] = {NULL};
static const struct registry only_drop = {no_inputs, no_codecs, filters, no_outputs, none};

static void put(struct batch *b, struct event *ev, const char *name, struct value v)
{
    map_append(&ev->data, &b->arena, key_make(&b->arena, slice_from_cstr(name)), v);
}

static void events_make(struct batch *b)
{
    static const char *const types[] = {"syslog", "apache", "app"};
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct event *ev = batch_add(b);
        put(b, ev, "message", value_string(SLICE("connection from 10.1.2.3 closed by peer")));
        put(b, ev, "host", value_string(SLICE("web-1.example.com")));
        put(b, ev, "type", value_string(slice_from_cstr(types[i % 3])));
        put(b, ev, "status", value_int(200 + i % 300));
        event_tag(b, ev, SLICE("beats_input"), true);
    }
}

static uint64_t step(void *opaque)
{
    struct plan_rig *rig = opaque;
    plan_rig_step(rig);
    return rig->batch.n;
}

static void measure(const char *name, const char *condition)
{
    static struct plan_rig rig;
    char config[400];
    if (!bench_wanted(name)) return;
    snprintf(config, sizeof(config), "filter { if %s { drop { } } }", condition);
    plan_rig_init(&rig, &only_drop, config);
    events_make(&rig.batch);
    bench_run(&(struct bench_case){.name = name, .body = step, .opaque = &rig, .events = EVENTS});
    plan_rig_fini(&rig);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "condition");
    measure("[type] == text", "[type] == \"never\"");
    measure("[status] >= number", "[status] >= 1000");
    measure("text in [tags]", "\"never\" in [tags]");
    measure("[type] in list of four", "[type] in [\"a\", \"bb\", \"ccc\", \"dddd\"]");
    measure("[message] =~ /literal/", "[message] =~ /refused/");
    measure("[message] =~ /alternatives/", "[message] =~ /^(error|fatal): \\d+$/");
    measure("[field] exists, and, or",
            "[nothing] or ([type] == \"never\" and [status] > 400 and ![host])");
    return bench_end();
}
