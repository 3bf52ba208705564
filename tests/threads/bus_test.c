/*
 * bus_test.c - two pipelines on real shard threads, one of which is on fewer; also run under TSan.
 *
 * A pipeline on every shard generates events and sends them to one on the first shard alone. Rules:
 * every event that was sent arrives once, every promise comes back to its shard, whoever ends
 * first, and whatever is still between the shards then.
 */
#include "tests/unit/rig.h"

#include <pthread.h>
#include <semaphore.h>

#include "engine/base/clock.h"
#include "engine/shard/bus.h"

#define SHARDS 3u
#define EVENTS 60000u /* as in the configuration below */

extern const struct input_ops input_generator, input_pipeline;
extern const struct output_ops output_pipeline;

/* ---- the last output: counts what it gets --------------------------------------------------- */

static uint64_t arrived, sum; /* of the first shard; read when it is at rest */

static enum push count_push(void *state, const void *cfg, struct batch *b, const struct sel *in)
{
    (void)state, (void)cfg;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        struct member *m = map_find(&ev->data, SLICE("sequence"), hash_key("sequence", 8));
        ASSERT(m != NULL && m->val.type == VALUE_INT);
        sum += (uint64_t)m->val.u.num;
        arrived++;
    }
    return PUSH_TAKEN;
}

static err no_compile(void *cfg, struct compiler *c)
{
    (void)cfg, (void)c;
    return ERR_OK;
}

static const struct setting no_settings[] = {{0}};
static const struct output_ops output_count = {.name = "count",
                                               .doc = "Counts.",
                                               .settings = no_settings,
                                               .compile = no_compile,
                                               .push = count_push};

/* ---- shards -----------------------------------------------------------------------------------
 */

struct part {
    struct plan *plan;
    struct output output[2];
    struct input input;
    void *state[SHARDS];
    struct worker *worker[SHARDS];
    uint32_t shard_n;
};

struct fixture {
    struct shard shard[SHARDS];
    pthread_t thread[SHARDS];
    sem_t ready;
    struct heap heap;
    struct process_settings *settings;
    struct part front, back;
    _Atomic uint32_t finished;
};
static struct fixture f;

static void *shard_main(void *arg)
{
    struct shard *shard = arg;
    char why[200];
    struct io *io = io_uring_new(IO_CONFIG_DEFAULT, why, sizeof(why));
    if (io == NULL) PANIC("io_uring does not work here");
    shard_init(shard, (uint32_t)(shard - f.shard), io, 0);
    sem_post(&f.ready);
    shard_run(shard);
    return NULL;
}

struct call {
    struct message message;
    bool (*fn)(struct part *p, uint32_t at);
    struct part *part;
    bool answer;
    sem_t done;
};

static void call_run(struct message *message, struct shard *shard)
{
    struct call *call = (struct call *)message;
    call->answer = call->fn(call->part, shard->index);
    sem_post(&call->done);
}

/* True when fn said so on every shard of the part (NULL: of all). */
static bool everywhere(struct part *p, bool (*fn)(struct part *p, uint32_t at))
{
    bool all = true;
    for (uint32_t i = 0; i < (p == NULL ? SHARDS : p->shard_n); i++) {
        struct call call = {.message = {call_run}, .fn = fn, .part = p};
        sem_init(&call.done, 0, 0);
        shard_post(&f.shard[i], &call.message);
        while (sem_wait(&call.done) != 0) continue;
        sem_destroy(&call.done);
        if (!call.answer) all = false;
    }
    return all;
}

static bool do_join(struct part *p, uint32_t at)
{
    struct shard *all[SHARDS];
    (void)p;
    for (uint32_t i = 0; i < SHARDS; i++) all[i] = &f.shard[i];
    bus_join(&f.shard[at], all, SHARDS);
    return true;
}

static bool do_worker(struct part *p, uint32_t at)
{
    p->worker[at] = worker_new(&f.shard[at], p->plan, p->output);
    return p->worker[at] != NULL;
}

static bool do_input(struct part *p, uint32_t at)
{
    size_t size = (p->input.ops->state_size + CACHE_LINE) / CACHE_LINE * CACHE_LINE;
    p->state[at] = aligned_alloc(CACHE_LINE, size);
    ASSERT(p->state[at] != NULL);
    memset(p->state[at], 0, size);
    return p->input.ops->start(p->state[at], p->input.shared, p->input.cfg, p->worker[at],
                               &p->input) == ERR_OK;
}

static bool do_stop_input(struct part *p, uint32_t at)
{
    p->input.ops->stop(p->state[at], p->input.cfg);
    return true;
}

static bool do_drain(struct part *p, uint32_t at)
{
    return worker_drain(p->worker[at]);
}

static bool do_free_worker(struct part *p, uint32_t at)
{
    worker_free(p->worker[at]);
    return true;
}

static bool do_free_input(struct part *p, uint32_t at)
{
    bool stopped = p->input.ops->stopped(p->state[at], p->input.cfg);
    ASSERT(stopped); /* every promise has come back */
    free(p->state[at]);
    return true;
}

static bool do_end(struct part *p, uint32_t at)
{
    (void)p;
    f.shard[at].stop = true;
    return true;
}

/* ---- both pipelines ------------------------------------------------------------------------- */

static void on_finished(struct input *input)
{
    (void)input;
    atomic_fetch_add(&f.finished, 1);
}

static void part_open(struct part *p, const char *config, uint32_t shards)
{
    static const struct input_ops *const inputs[] = {&input_generator, &input_pipeline, NULL};
    static const struct output_ops *const outputs[] = {&output_pipeline, &output_count, NULL};
    struct registry registry = plugin_registry;
    registry.inputs = inputs;
    registry.outputs = outputs;
    p->shard_n = shards;
    p->plan = rig_compile(f.settings, &registry, config);
    ASSERT(p->plan != NULL);
    rig_open_outputs(p->output, p->plan, shards);
    p->input = (struct input){.ops = p->plan->input[0].ops,
                              .cfg = p->plan->input[0].cfg,
                              .decoration = &p->plan->input[0].decoration,
                              .pipeline_id = p->plan->pipeline_id,
                              .finished = on_finished};
    p->input.shared = calloc(1, p->input.ops->shared_size + 1);
    ASSERT(p->input.shared != NULL);
    err e = p->input.ops->open == NULL
                ? ERR_OK
                : p->input.ops->open(p->input.shared, p->input.cfg, &p->input, shards);
    ASSERT(e == ERR_OK);
    assert_true(everywhere(p, do_worker));
}

static void part_close(struct part *p)
{
    everywhere(p, do_free_input);
    if (p->input.ops->close != NULL) p->input.ops->close(p->input.shared, p->input.cfg);
    free(p->input.shared);
    rig_close_outputs(p->output, p->plan);
    plan_free(p->plan);
}

static void begin(const char *front)
{
    struct diag diag = DIAG_INIT;
    memset(&f, 0, sizeof(f));
    arrived = sum = 0;
    parsers_init(cpu_init());
    sem_init(&f.ready, 0, 0);
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_int_equal(pthread_create(&f.thread[i], NULL, shard_main, &f.shard[i]), 0);
        while (sem_wait(&f.ready) != 0) continue;
    }
    everywhere(NULL, do_join);
    f.settings = process_settings_new(&f.heap);
    err e = process_settings_set(f.settings, SLICE("pipeline.ecs_compatibility"), SLICE("disabled"),
                                 POS_NONE, &diag);
    ASSERT(e == ERR_OK);
    diag_fini(&diag);
    part_open(&f.back, "input { pipeline { address => 'back' } } output { count { } }", 1);
    part_open(&f.front, front, SHARDS);
    assert_true(everywhere(&f.back, do_input));
    assert_true(everywhere(&f.front, do_input));
}

/* Both are stopped; who is given up first is the caller's wish. */
static void end(bool front_first)
{
    struct part *first = front_first ? &f.front : &f.back;
    struct part *second = front_first ? &f.back : &f.front;
    everywhere(first, do_free_worker);
    everywhere(second, do_free_worker);
    part_close(&f.back);
    part_close(&f.front);
    everywhere(NULL, do_end);
    for (uint32_t i = 0; i < SHARDS; i++) {
        pthread_join(f.thread[i], NULL);
        struct io *io = f.shard[i].io;
        shard_fini(&f.shard[i]); /* asserts that parcels and cargoes are back */
        io_free(io);
    }
    heap_fini(&f.heap);
    sem_destroy(&f.ready);
}

static void wait_until(bool (*done)(void))
{
    int64_t from_ns = clock_mono_ns();
    while (!done()) assert_true(clock_mono_ns() - from_ns < 60 * NS_PER_SEC);
}

static bool all_generated(void)
{
    return atomic_load(&f.finished) == SHARDS;
}

static bool drained(void)
{
    return everywhere(&f.front, do_drain) && everywhere(&f.back, do_drain);
}

static void test_every_event_arrives_once(void **state)
{
    (void)state;
    begin("input { generator { count => 60000 } } output { pipeline { send_to => 'back' } }");
    wait_until(all_generated);
    everywhere(&f.front, do_stop_input);
    wait_until(drained);
    everywhere(&f.back, do_stop_input);
    end(true);
    uint64_t n = EVENTS;
    assert_int_equal(arrived, SHARDS * n);
    assert_int_equal(sum, SHARDS * (n * (n - 1) / 2));
}

/* Nobody listens any more after a while: with ensure_delivery nothing is lost, so it never drains.
 */
static void test_ends_under_way(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 12; round++) {
        begin(round % 3 == 0
                  ? "input { generator { } } output { pipeline { send_to => ['back', 'nobody'] "
                    "ensure_delivery => false } }"
                  : "input { generator { } } output { pipeline { send_to => 'back' } }");
        int64_t until_ns = clock_mono_ns() + (int64_t)(round + 1) * 3 * NS_PER_MS;
        while (clock_mono_ns() < until_ns) everywhere(&f.back, do_drain);
        if (round % 2 == 0) {
            everywhere(&f.back, do_stop_input);
            until_ns = clock_mono_ns() + 300 * NS_PER_MS;
            while (clock_mono_ns() < until_ns) everywhere(&f.front, do_drain);
            everywhere(&f.front, do_stop_input);
        } else {
            everywhere(&f.front, do_stop_input);
            everywhere(&f.back, do_stop_input);
        }
        end(round % 4 < 2);
        assert_true(arrived > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_event_arrives_once),
        cmocka_unit_test(test_ends_under_way),
    };
    return T_RUN(tests);
}
