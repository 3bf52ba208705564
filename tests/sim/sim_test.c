/*
 * sim_test.c - whole shards on a simulated kernel: what was acknowledged is never lost.
 *
 * Each seed makes a world: some shards, clients with numbered lines, a configuration with real
 * filters, two outputs with slow and lossy far sides, faults in the kernel; and now and then a
 * reload or a sudden end in mid-stream. One thread drives everybody in an order that the seed
 * gives. Rules: model.h. Also: everybody is served in the end, credit, blobs and pages come back.
 *
 *   sim_test            runs 200 seeds and prints the one that fails
 *   sim_test SEED       replays one, with its numbers
 *   sim_test FROM N     runs N seeds from FROM on
 */
#include "tests/unit/rig.h"

#include "engine/base/clock.h"
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

/* A running plan: on every shard a worker and an input. */
struct running {
    struct plan *plan;
    struct output output[OUTPUTS];
    struct input input;
    struct worker *worker[SHARDS_MAX];
};

static struct heap settings_heap;
static struct process_settings *settings;
static struct registry registry;
static struct shard shards[SHARDS_MAX];
static struct peers *peers[SHARDS_MAX];
static uint32_t shard_n;
static struct running *now_running;
static struct client clients[CLIENTS_MAX];
static uint32_t reset_chance;

static uint64_t below(uint64_t n)
{
    return prng_below(sim_prng(world.sim), n);
}

static bool json; /* what clients write in this world: JSON, or key=value */
#define CONFIG(codec)                                                                              \
    "input { peers { codec => " codec " } }"                                                       \
    "filter { kv { } mutate { convert => { 's' => 'integer' } }"                                   \
    "  if [k] == 'd' { drop { } }"                                                                 \
    "  else if [k] == 'c' { clone { clones => ['twin'] } }"                                        \
    "  if [s] > 10 { pause { } mutate { add_field => { 'late' => '%{c}' } } }"                     \
    "  mutate { remove_field => ['message', 'event'] } }"                                          \
    "output { remote { number => 0 } if [k] == 'b' and 'twin' not in [tags] {"                     \
    "  remote { number => 1 } } }"

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

static struct running *running_new(void)
{
    struct running *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->plan = rig_compile(settings, &registry, json ? CONFIG("json_lines") : CONFIG("line"));
    ASSERT(r->plan != NULL && r->plan->output_n == OUTPUTS);
    rig_open_outputs(r->output, r->plan, shard_n);
    r->input = (struct input){.ops = r->plan->input[0].ops, .cfg = r->plan->input[0].cfg};
    for (uint32_t i = 0; i < shard_n; i++) {
        r->worker[i] = worker_new(&shards[i], r->plan, r->output);
        ASSERT(r->worker[i] != NULL);
    }
    return r;
}

/* The workers are gone. */
static void running_free(struct running *r)
{
    rig_close_outputs(r->output, r->plan);
    plan_free(r->plan);
    free(r);
}

static void inputs_start(struct running *r)
{
    for (uint32_t i = 0; i < shard_n; i++) {
        peers[i] = calloc(1, r->input.ops->state_size);
        ASSERT(peers[i] != NULL);
        err e = r->input.ops->start(peers[i], NULL, r->input.cfg, r->worker[i], &r->input);
        ASSERT(e == ERR_OK);
    }
}

static void step_shard(uint32_t i)
{
    shard_step(&shards[i], 0);
    if (peers[i] != NULL) peers_sweep(peers[i]);
}

/* Everybody but the clients. */
static void turn_servers(void)
{
    for (uint32_t i = 0; i < shard_n; i++)
        if (below(3) > 0) step_shard(i);
    for (uint32_t i = 0; i < OUTPUTS; i++)
        if (below(3) > 0) remote_turn(now_running->output[i].shared);
    sim_advance(world.sim, (int64_t)below(100 * NS_PER_US));
}

/* The same pipeline under a new plan: connections stay, nothing is lost or repeated. */
static void reload(void)
{
    struct running *old = now_running, *fresh = running_new();
    for (uint32_t i = 0; i < shard_n; i++) worker_pause(old->worker[i], true);
    bool drained = false;
    for (uint32_t n = 0; !drained; n++) {
        CHECK(n < STEPS_MAX, "a reload never drains");
        turn_servers();
        for (uint32_t i = 0; i < model.client_n; i++) client_turn(i);
        drained = true;
        for (uint32_t i = 0; i < shard_n; i++)
            if (!worker_drain(old->worker[i])) drained = false;
    }
    for (uint32_t i = 0; i < shard_n; i++) {
        fresh->input.ops->moved(peers[i], fresh->input.cfg, fresh->worker[i], &fresh->input);
        worker_free(old->worker[i]);
    }
    now_running = fresh;
    running_free(old);
    model.reloads++;
}

static void inputs_stop(void)
{
    for (uint32_t i = 0; i < shard_n; i++)
        now_running->input.ops->stop(peers[i], now_running->input.cfg);
}

/* The workers are freed, so every promise is settled: what the kernel has comes back. */
static void inputs_free(void)
{
    for (uint32_t i = 0; i < shard_n; i++) {
        for (uint32_t n = 0; !now_running->input.ops->stopped(peers[i], now_running->input.cfg);
             n++) {
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
    inputs_stop();
    for (uint32_t i = 0; i < shard_n; i++) worker_free(now_running->worker[i]);
    inputs_free();
    running_free(now_running);
    now_running = NULL;
    if (!restart) return;
    now_running = running_new();
    inputs_start(now_running);
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
    shard_n = 1 + (uint32_t)below(SHARDS_MAX);
    for (uint32_t i = 0; i < shard_n; i++) {
        world.listener[i] = sim_listen(world.sim);
        struct io *io =
            sim_io_new(world.sim, (struct io_config){.stream_buffers = 1 + (uint32_t)below(6)});
        /* None, less than a batch might need, or little more. */
        static const size_t pools[] = {0, 0, 256 << 10, (4 << 20) + (700 << 10)};
        shard_init(&shards[i], i, io, pools[below(ARRAY_LEN(pools))]);
    }
    now_running = running_new();
    inputs_start(now_running);
}

static void world_fini(void)
{
    sudden_end(false);
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
                now_running->worker[i]->parked_n);
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
            if (!worker_drain(now_running->worker[i]) || peers_connections(peers[i]) > 0)
                drained = false;
    }
    for (uint32_t i = 0; i < shard_n; i++) peers_check_idle(peers[i]);
    world_fini();
    if (!verbose) return;
    printf("seed %llu: %u turns, %llu stored, %llu acked, %llu requests (%llu failed), %llu full, "
           "%llu pauses, %llu reloads, %llu restarts, %llu hangups, %llu resets\n",
           (unsigned long long)seed, n, (unsigned long long)model.lines_stored,
           (unsigned long long)model.lines_acked, (unsigned long long)model.requests,
           (unsigned long long)model.failed_requests, (unsigned long long)model.parked,
           (unsigned long long)model.pauses, (unsigned long long)model.reloads,
           (unsigned long long)model.restarts, (unsigned long long)model.hangups,
           (unsigned long long)model.resets);
}

int main(int argc, char **argv)
{
    static const struct input_ops *const inputs[] = {&input_peers, NULL};
    static const struct output_ops *const outputs[] = {&output_remote, NULL};
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
