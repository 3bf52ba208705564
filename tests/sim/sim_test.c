/*
 * sim_test.c - whole shards on a simulated kernel: what was acknowledged is never lost.
 *
 * Each seed makes a world: some shards, clients with numbered lines, a configuration with real
 * filters, two outputs with slow and lossy far sides, faults in the kernel; and now and then a
 * reload or a sudden end in mid-stream. One thread drives everybody in an order that the seed
 * gives. Rules: model.h. Also: everybody is served in the end, credit, blobs and pages come back.
 * In some worlds the input is a pipeline of its own that sends to another one, which may have fewer
 * shards; each is reloaded by itself.
 *
 *   sim_test            runs 200 seeds and prints the one that fails
 *   sim_test SEED       replays one, with its numbers
 *   sim_test FROM N     runs N seeds from FROM on
 */
#include "tests/unit/rig.h"

#include "engine/base/clock.h"
#include "engine/shard/bus.h"
#include "tests/sim/plugins.h"

#define STEPS_MAX 3000000u

/* ---- the world of a seed ---------------------------------------------------------------- */

struct client {
    uint32_t acked; /* lines the server said are safe */
    uint32_t next;  /* first line not yet written to the connection */
    int fd;         /* -1: none */
    bool finished;  /* said that no more comes */
    struct buf out, in;
    bool done;
};

/* A running plan: on each of its shards a worker and an input. */
struct part {
    struct plan *plan;
    struct output output[OUTPUTS];
    struct input input;
    struct worker *worker[SIM_SHARDS_MAX];
    uint32_t shard_n;
};

/* What clients send comes in at the front; in a relayed world the back is a second pipeline, else
 * there is none. */
struct running {
    struct part *front, *back;
};

static struct heap settings_heap;
static struct process_settings *settings;
static struct registry registry;
static struct shard shards[SIM_SHARDS_MAX];
static struct peers *peers[SIM_SHARDS_MAX];
static struct bus_inlet *inlets[SIM_SHARDS_MAX];
static uint32_t shard_n, back_shard_n;
static struct running now_running;
static struct client clients[CLIENTS_MAX];
static uint32_t reset_chance;

static uint64_t below(uint64_t n)
{
    return prng_below(sim_prng(world.sim), n);
}

static bool json; /* what clients write in this world: JSON, or key=value */
static bool relayed;
#define WAY                                                                                        \
    "filter { mutate { convert => { 's' => 'integer' } }"                                          \
    "  if [k] == 'd' { drop { } }"                                                                 \
    "  else if [k] == 'c' { clone { clones => ['twin'] } }"                                        \
    "  if [s] > 10 { pause { } mutate { add_field => { 'late' => '%{c}' } } }"                     \
    "  mutate { remove_field => ['message', 'event'] } }"                                          \
    "output { remote { number => 0 } if [k] == 'b' and 'twin' not in [tags] {"                     \
    "  remote { number => 1 } } }"
#define FRONT(codec) "input { peers { codec => " codec " } } filter { kv { } }"
#define BACK "input { pipeline { address => 'back' } }" WAY
#define RELAY "output { pipeline { send_to => ['back'] } }"

/* ---- clients ------------------------------------------------------------------------------- */

static void client_connect(struct client *c, uint32_t index)
{
    int fd = sim_peer_connect(world.sim, world.listener[below(shard_n)]);
    CHECK(fd >= 0, "no listener");
    c->fd = fd;
    c->next = c->acked;
    c->out.n = c->in.n = 0;
    c->finished = false;
    *model_connection(fd) = (struct connection_model){.client = index, .first_line = c->acked};
}

static void client_write_line(struct client *c, uint32_t index)
{
    const struct line_model *line = &model.client[index].line[c->next];
    buf_printf(&c->out, json ? "{\"c\":%u,\"s\":%u,\"k\":\"%c\"" : "c=%u s=%u k=%c", index, c->next,
               line->kind);
    if (line->kind == LINE_LARGE) {
        buf_add_cstr(&c->out, json ? ",\"p\":\"\\u0041" : " p=");
        for (uint32_t i = 0; i < 3000 + c->next * 40; i++)
            buf_add_byte(&c->out, (char)('a' + (i + c->next) % 26));
        if (json) buf_add_byte(&c->out, '"');
    }
    if (json) buf_add_byte(&c->out, '}');
    c->next++;
    /* The last line sometimes lacks its end: the end of the stream ends it. */
    if (c->next < model.client[index].line_n || below(2) == 0) buf_add_byte(&c->out, '\n');
}

static void client_read(struct client *c)
{
    sim_peer_receive(world.sim, c->fd, &c->in);
    uint32_t first = model_connection(c->fd)->first_line;
    slice rest = buf_slice(&c->in);
    int64_t end;
    while ((end = slice_find_byte(rest, '\n')) >= 0) {
        int64_t n;
        slice line = slice_part(rest, 0, (uint32_t)end);
        CHECK(slice_starts(line, SLICE("A ")) && slice_to_i64(slice_from(line, 2), &n),
              "an answer `%.*s`", SLICE_FMT(line));
        CHECK(first + n > c->acked && first + n <= c->next, "acknowledged %lld after %u of %u",
              (long long)(first + n), c->acked, c->next);
        c->acked = first + (uint32_t)n;
        rest = slice_from(rest, (uint32_t)end + 1);
    }
    memmove(c->in.data, rest.p, rest.n);
    c->in.n = rest.n;
}

static void client_send(struct client *c, uint32_t index)
{
    uint32_t line_n = model.client[index].line_n;
    for (uint64_t lines = below(8); lines > 0 && c->next < line_n; lines--)
        client_write_line(c, index);
    if (c->out.n > 0) {
        slice part = slice_part(buf_slice(&c->out), 0, 1 + (uint32_t)below(c->out.n));
        uint32_t sent = sim_peer_send(world.sim, c->fd, part);
        c->out.n -= sent;
        memmove(c->out.data, c->out.data + sent, c->out.n);
    } else if (c->next == line_n && !c->finished) {
        c->finished = true;
        sim_peer_finish(world.sim, c->fd);
    }
}

static void client_turn(uint32_t index)
{
    struct client *c = &clients[index];
    if (c->done) return;
    if (c->fd < 0) {
        client_connect(c, index);
        return;
    }
    if (c->in.data == NULL) buf_room(&c->in, 1);
    client_read(c);
    if (sim_peer_hung_up(world.sim, c->fd)) {
        c->fd = -1;
        c->done = c->acked == model.client[index].line_n;
        CHECK(!model.clean || c->done, "client %u was hung up on at %u of %u", index, c->acked,
              model.client[index].line_n);
        return;
    }
    /* Not for ever: where answers are slow nobody would get anything done. */
    if (model.resets < FAULTS_MAX && sim_chance(world.sim, reset_chance)) {
        model.resets++;
        sim_peer_reset(world.sim, c->fd);
        c->fd = -1;
        return;
    }
    if (!c->finished) client_send(c, index);
}

/* ---- starting, reloading, stopping ------------------------------------------------------------
 */

static struct part *part_new(const char *config, uint32_t shards_wanted)
{
    struct part *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    p->shard_n = shards_wanted;
    p->plan = rig_compile(settings, &registry, config);
    ASSERT(p->plan != NULL && p->plan->output_n <= OUTPUTS);
    rig_open_outputs(p->output, p->plan, p->shard_n);
    p->input = (struct input){.ops = p->plan->input[0].ops,
                              .cfg = p->plan->input[0].cfg,
                              .decoration = &p->plan->input[0].decoration,
                              .pipeline_id = p->plan->pipeline_id};
    for (uint32_t i = 0; i < p->shard_n; i++) {
        p->worker[i] = worker_new(&shards[i], p->plan, p->output);
        ASSERT(p->worker[i] != NULL);
    }
    return p;
}

static struct part *front_new(void)
{
    if (relayed) return part_new(json ? FRONT("json_lines") RELAY : FRONT("line") RELAY, shard_n);
    return part_new(json ? FRONT("json_lines") WAY : FRONT("line") WAY, shard_n);
}

static void part_free_workers(struct part *p)
{
    for (uint32_t i = 0; i < p->shard_n; i++) worker_free(p->worker[i]);
}

/* The workers are gone. */
static void part_free(struct part *p)
{
    rig_close_outputs(p->output, p->plan);
    plan_free(p->plan);
    free(p);
}

/* The outputs to far away belong to the last pipeline. */
static struct part *last_part(void)
{
    return relayed ? now_running.back : now_running.front;
}

static void *input_start(struct part *p, uint32_t i)
{
    void *state = calloc(1, p->input.ops->state_size);
    ASSERT(state != NULL);
    err e = p->input.ops->start(state, p->input.shared, p->input.cfg, p->worker[i], &p->input);
    ASSERT(e == ERR_OK);
    return state;
}

static void running_start(void)
{
    struct running *r = &now_running;
    r->front = front_new();
    if (relayed) {
        r->back = part_new(BACK, back_shard_n);
        struct input *in = &r->back->input;
        in->shared = calloc(1, in->ops->shared_size);
        ASSERT(in->shared != NULL);
        err e = in->ops->open(in->shared, in->cfg, in, back_shard_n);
        ASSERT(e == ERR_OK);
        for (uint32_t i = 0; i < back_shard_n; i++) inlets[i] = input_start(r->back, i);
    }
    for (uint32_t i = 0; i < shard_n; i++) peers[i] = input_start(r->front, i);
}

static void step_shard(uint32_t i)
{
    shard_step(&shards[i], 0);
    if (peers[i] != NULL) peers_sweep(peers[i]);
}

/* Everybody but the clients. */
static void turn_servers(void)
{
    struct part *last = last_part();
    for (uint32_t i = 0; i < shard_n; i++)
        if (below(3) > 0) step_shard(i);
    for (uint32_t i = 0; i < OUTPUTS; i++)
        if (below(3) > 0) remote_turn(last->output[i].shared);
    sim_advance(world.sim, (int64_t)below(100 * NS_PER_US));
}

static bool part_drain(struct part *p)
{
    bool drained = true;
    for (uint32_t i = 0; i < p->shard_n; i++)
        if (!worker_drain(p->worker[i])) drained = false;
    return drained;
}

/* The old outputs' far sides still have to answer. */
static void turn_until_drained(struct part *p)
{
    for (uint32_t n = 0; !part_drain(p); n++) {
        CHECK(n < STEPS_MAX, "a reload never drains");
        turn_servers();
        for (uint32_t i = 0; i < model.client_n; i++) client_turn(i);
    }
}

/* The same pipeline under a new plan: connections stay, nothing is lost or repeated. */
static void reload(void)
{
    bool front = !relayed || below(2) == 0;
    struct part **at = front ? &now_running.front : &now_running.back, *p = *at;
    struct part *fresh = front ? front_new() : part_new(BACK, back_shard_n);
    for (uint32_t i = 0; i < p->shard_n; i++) worker_pause(p->worker[i], true);
    turn_until_drained(p);
    fresh->input.shared = p->input.shared;
    for (uint32_t i = 0; i < p->shard_n; i++) {
        void *state = front ? (void *)peers[i] : (void *)inlets[i];
        fresh->input.ops->moved(state, fresh->input.cfg, fresh->worker[i], &fresh->input);
        worker_free(p->worker[i]);
    }
    *at = fresh;
    part_free(p);
    model.reloads++;
}

static void inputs_stop(void)
{
    const struct input *front = &now_running.front->input;
    for (uint32_t i = 0; i < shard_n; i++) front->ops->stop(peers[i], front->cfg);
    if (!relayed) return;
    const struct input *back = &now_running.back->input;
    for (uint32_t i = 0; i < back_shard_n; i++) back->ops->stop(inlets[i], back->cfg);
}

static void backs_free(void)
{
    struct input *back = &now_running.back->input;
    for (uint32_t i = 0; i < back_shard_n; i++) {
        bool stopped = back->ops->stopped(inlets[i], back->cfg);
        CHECK(stopped, "a promise to the front is open");
        free(inlets[i]);
        inlets[i] = NULL;
    }
    back->ops->close(back->shared, back->cfg);
    free(back->shared);
}

/* The workers are freed, so every promise is settled: what the kernel has comes back. */
static void inputs_free(void)
{
    const struct input *front = &now_running.front->input;
    for (uint32_t i = 0; i < shard_n; i++) {
        for (uint32_t n = 0; !front->ops->stopped(peers[i], front->cfg); n++) {
            CHECK(n < 10000, "an input that never stops");
            sim_advance(world.sim, NS_PER_MS);
            io_step(shards[i].io, 0, 0);
        }
        peers_check_idle(peers[i]);
        free(peers[i]);
        peers[i] = NULL;
        CHECK(sim_io_blobs_out(shards[i].io) == 0, "%u blobs are missing",
              sim_io_blobs_out(shards[i].io));
    }
}

/* The deadline of a shutdown has passed: everything under way is given up. */
static void sudden_end(bool restart)
{
    bool front_first = below(2) == 0;
    inputs_stop();
    if (front_first) part_free_workers(now_running.front);
    if (relayed) part_free_workers(now_running.back);
    if (!front_first) part_free_workers(now_running.front);
    if (relayed) backs_free();
    inputs_free();
    part_free(now_running.front);
    if (relayed) part_free(now_running.back);
    if (!restart) return;
    running_start();
    model.restarts++;
}

/* ---- one seed ---------------------------------------------------------------------------------
 */

static void make_faults(struct sim_faults *faults)
{
    faults->delay_ns_max = (int64_t)below(3) * (int64_t)below(2 * NS_PER_MS);
    faults->short_read = (uint32_t)below(2) * (uint32_t)below(1000);
    faults->multishot_end = (uint32_t)below(2) * (uint32_t)below(300);
    faults->no_buffers = (uint32_t)below(2) * (uint32_t)below(200);
    faults->accept_error = (uint32_t)below(2) * (uint32_t)below(300);
    world.window_slots = 2u << below(6);
    world.window_bytes = 1 + (int64_t)below(below(2) ? 2000 : 200000);
    world.seal_bytes = 1 + below(below(2) ? 50 : 5000);
    world.linger_ns = (int64_t)below(2) * (int64_t)below(2 * NS_PER_MS);
    world.answer_ns_max = (int64_t)below(below(3) ? NS_PER_MS : 50 * NS_PER_MS);
    world.pause_chance = (uint32_t)below(2) * (uint32_t)below(200);
    world.fail_chance = world.retry_chance = reset_chance = 0;
    if (model.clean) return;
    world.fail_chance = (uint32_t)below(2) * (uint32_t)below(60);
    world.retry_chance = (uint32_t)below(2) * (uint32_t)below(400);
    reset_chance = (uint32_t)below(2) * (uint32_t)below(5);
}

static void make_clients(void)
{
    static const char kinds[] = {LINE_KEEP, LINE_KEEP, LINE_DROP, LINE_BOTH, LINE_CLONE};
    model.client_n = 1 + (uint32_t)below(CLIENTS_MAX);
    for (uint32_t i = 0; i < model.client_n; i++) {
        struct client_model *c = &model.client[i];
        c->line_n = 1 + (uint32_t)below(LINES_MAX);
        for (uint32_t k = 0; k < c->line_n; k++) {
            c->line[k].kind = kinds[below(sizeof(kinds))];
            if (below(20) == 0) c->line[k].kind = LINE_LARGE;
        }
        clients[i] = (struct client){.fd = -1};
    }
}

static void world_init(uint64_t seed)
{
    memset(&model, 0, sizeof(model));
    model.seed = seed;
    model.clean = seed % 3 == 0;
    world.sim = sim_new(seed, (struct sim_faults){0});
    struct sim_faults faults = {0};
    make_faults(&faults);
    sim_set_faults(world.sim, faults);
    make_clients();
    json = below(2) == 0;
    struct diag diag = DIAG_INIT;
    settings = process_settings_new(&settings_heap);
    char text[16];
    snprintf(text, sizeof(text), "%u", 1u << below(7));
    err e = process_settings_set(settings, SLICE("pipeline.batch.size"), slice_from_cstr(text),
                                 POS_NONE, &diag);
    ASSERT(e == ERR_OK);
    diag_fini(&diag);
    shard_n = 1 + (uint32_t)below(SIM_SHARDS_MAX);
    for (uint32_t i = 0; i < shard_n; i++) {
        world.listener[i] = sim_listen(world.sim);
        struct io *io =
            sim_io_new(world.sim, (struct io_config){.stream_buffers = 1 + (uint32_t)below(6)});
        /* None, less than a batch might need, or little more. */
        static const size_t pools[] = {0, 0, 256 << 10, (4 << 20) + (700 << 10)};
        shard_init(&shards[i], i, io, pools[below(ARRAY_LEN(pools))]);
    }
    struct shard *all[SIM_SHARDS_MAX];
    for (uint32_t i = 0; i < shard_n; i++) all[i] = &shards[i];
    for (uint32_t i = 0; i < shard_n; i++) bus_join(&shards[i], all, shard_n);
    relayed = below(2) == 0;
    back_shard_n = 1 + (uint32_t)below(shard_n);
    running_start();
}

static void world_fini(void)
{
    sudden_end(false);
    /* What the pipelines sent each other finds its way home. */
    for (uint32_t n = 0; n < 4; n++)
        for (uint32_t i = 0; i < shard_n; i++) shard_step(&shards[i], 0);
    for (uint32_t i = 0; i < shard_n; i++) {
        struct io *io = shards[i].io;
        CHECK(sim_io_pending(io) == 0, "%u operations are left", sim_io_pending(io));
        CHECK(shards[i].timers.n == 0, "%u timers are left", shards[i].timers.n);
        shard_fini(&shards[i]); /* asserts that all pages are back */
        io_free(io);
    }
    for (uint32_t i = 0; i < model.client_n; i++) {
        buf_fini(&clients[i].out);
        buf_fini(&clients[i].in);
    }
    sim_free(world.sim);
    heap_fini(&settings_heap);
}

static bool all_done(void)
{
    for (uint32_t i = 0; i < model.client_n; i++)
        if (!clients[i].done) return false;
    return true;
}

static void report_stuck(void)
{
    for (uint32_t i = 0; i < model.client_n; i++)
        fprintf(stderr, "client %u: acked %u next %u of %u, fd %d finished %d\n", i,
                clients[i].acked, clients[i].next, model.client[i].line_n, clients[i].fd,
                clients[i].finished);
    for (uint32_t i = 0; i < shard_n; i++)
        fprintf(stderr, "shard %u: %u connections, parked %u\n", i, peers_connections(peers[i]),
                now_running.front->worker[i]->parked_n);
    CHECK(false, "somebody is never served");
}

static void run_seed(uint64_t seed, bool verbose)
{
    world_init(seed);
    uint32_t n = 0;
    for (; !all_done(); n++) {
        if (n >= STEPS_MAX) report_stuck();
        turn_servers();
        client_turn((uint32_t)below(model.client_n));
        if (below(2000) == 0 && model.reloads < 3) reload();
        if (!model.clean && below(2000) == 0 && model.restarts < 3) sudden_end(true);
    }
    model_finished();
    /* The world calms down: then nothing is held any more. */
    for (bool drained = false; !drained;) {
        turn_servers();
        drained = true;
        for (uint32_t i = 0; i < shard_n; i++)
            if (peers_connections(peers[i]) > 0) drained = false;
        if (!part_drain(now_running.front)) drained = false;
        if (relayed && !part_drain(now_running.back)) drained = false;
    }
    for (uint32_t i = 0; i < shard_n; i++) peers_check_idle(peers[i]);
    world_fini();
    if (!verbose) return;
    printf(
        "seed %llu%s: %u turns, %llu stored, %llu acked, %llu requests (%llu failed), %llu full, "
        "%llu pauses, %llu reloads, %llu restarts, %llu hangups, %llu resets\n",
        (unsigned long long)seed, relayed ? " (relayed)" : "", n,
        (unsigned long long)model.lines_stored, (unsigned long long)model.lines_acked,
        (unsigned long long)model.requests, (unsigned long long)model.failed_requests,
        (unsigned long long)model.parked, (unsigned long long)model.pauses,
        (unsigned long long)model.reloads, (unsigned long long)model.restarts,
        (unsigned long long)model.hangups, (unsigned long long)model.resets);
}

extern const struct input_ops input_pipeline;
extern const struct output_ops output_pipeline;

int main(int argc, char **argv)
{
    static const struct input_ops *const inputs[] = {&input_peers, &input_pipeline, NULL};
    static const struct output_ops *const outputs[] = {&output_remote, &output_pipeline, NULL};
    static const struct filter_ops *filters[128];
    uint32_t n = 0;
    for (; plugin_registry.filters[n] != NULL; n++) filters[n] = plugin_registry.filters[n];
    ASSERT(n + 2 < ARRAY_LEN(filters));
    filters[n] = &filter_pause;
    registry = plugin_registry;
    registry.inputs = inputs;
    registry.outputs = outputs;
    registry.filters = filters;
    parsers_init(cpu_init());
    uint64_t from = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t seeds = argc > 2 ? strtoull(argv[2], NULL, 10) : argc > 1 ? 1 : 200;
    for (uint64_t seed = from; seed < from + seeds; seed++) run_seed(seed, argc > 1);
    printf("%llu seeds from %llu: every rule held\n", (unsigned long long)seeds,
           (unsigned long long)from);
    return 0;
}
