/* sim_test.c - the simulated kernel does what io.h promises and what a kernel may do. */
#include "tests/unit/t.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "net/sim/sim.h"

struct seen {
    struct io_op op; /* first */
    struct buf bytes;
    int32_t last;
    uint32_t n, ends; /* completions; of them with more == false */
    int fd[16];
    uint32_t fd_n;
    struct blob *kept[64];
    uint32_t kept_n;
    bool keep;
};

static struct sim *sim;
static struct io *io;

static void begin(uint64_t seed, struct sim_faults faults, uint32_t buffers)
{
    sim = sim_new(seed, faults);
    io = sim_io_new(sim, (struct io_config){64, buffers, buffers});
}

static void end(void)
{
    assert_int_equal(sim_io_blobs_out(io), 0);
    io_free(io);
    sim_free(sim);
}

static void on_any(struct io_op *op, int32_t result)
{
    struct seen *s = (struct seen *)op;
    s->n++;
    s->last = result;
    assert_int_equal(op->armed, op->more);
    if (!op->more) s->ends++;
    if (op->blob == NULL) return;
    assert_int_equal(op->payload.n, result);
    buf_add_slice(&s->bytes, op->payload);
    if (s->keep)
        s->kept[s->kept_n++] = op->blob;
    else
        blob_unpin(op->blob);
}

static void on_accept(struct io_op *op, int32_t result)
{
    struct seen *s = (struct seen *)op;
    on_any(op, result);
    if (result >= 0) s->fd[s->fd_n++] = result;
}

static void settle(void)
{
    for (int i = 0; i < 200; i++) io_step(io, NS_PER_MS, 1);
}

static void test_stream(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 50; seed++) {
        begin(seed, (struct sim_faults){.delay_ns_max = 1000, .short_read = 600}, 2);
        struct seen accept = {.op.done = on_accept}, recv = {.op.done = on_any},
                    send = {.op.done = on_any};
        int listener = sim_listen(sim), peer = sim_peer_connect(sim, listener);
        io_accept(io, &accept.op, listener);
        settle();
        assert_int_equal(accept.fd_n, 1);
        assert_int_equal(accept.fd[0], peer);
        io_recv(io, &recv.op, peer);
        assert_int_equal(sim_peer_send(sim, peer, SLICE("hello ")), 6);
        settle();
        assert_int_equal(sim_peer_send(sim, peer, SLICE("world")), 5);
        sim_peer_finish(sim, peer);
        settle();
        assert_slice_equal(buf_slice(&recv.bytes), SLICE("hello world"));
        assert_true(recv.last == 0 && !recv.op.armed);
        assert_int_equal(recv.ends, 1);
        io_send(io, &send.op, peer, "answer", 6);
        settle();
        assert_int_equal(send.last, 6);
        struct buf got = {0};
        assert_false(sim_peer_hung_up(sim, peer));
        sim_peer_receive(sim, peer, &got);
        assert_slice_equal(buf_slice(&got), SLICE("answer"));
        io_close(io, peer);
        assert_true(sim_peer_hung_up(sim, peer));
        io_cancel(io, &accept.op);
        settle();
        assert_true(accept.last == -ECANCELED && !accept.op.armed);
        assert_int_equal(sim_io_pending(io), 0);
        buf_fini(&got);
        buf_fini(&recv.bytes);
        end();
    }
}

static void test_buffers_run_out(void **state)
{
    (void)state;
    begin(1, (struct sim_faults){.short_read = 1000}, 2);
    struct seen recv = {.op.done = on_any, .keep = true};
    int listener = sim_listen(sim), peer = sim_peer_connect(sim, listener);
    io_recv(io, &recv.op, peer);
    sim_peer_send(sim, peer, SLICE("a long enough text to need many short reads"));
    settle();
    assert_int_equal(recv.kept_n, 2);
    assert_int_equal(recv.last, -ENOBUFS);
    assert_false(recv.op.armed);
    assert_int_equal(io->stats.buffers_exhausted, 1);
    assert_int_equal(sim_io_blobs_out(io), 2);
    blob_unpin(recv.kept[0]);
    blob_unpin(recv.kept[1]);
    recv.keep = false;
    io_recv(io, &recv.op, peer);
    settle();
    assert_slice_equal(buf_slice(&recv.bytes),
                       SLICE("a long enough text to need many short reads"));
    sim_peer_reset(sim, peer);
    settle();
    assert_int_equal(recv.last, -ECONNRESET);
    buf_fini(&recv.bytes);
    end();
}

/* A sender waits while the other side does not read, and its bytes arrive whole. */
static void test_slow_peer(void **state)
{
    (void)state;
    begin(3, (struct sim_faults){0}, 1);
    struct seen send = {.op.done = on_any};
    int listener = sim_listen(sim), peer = sim_peer_connect(sim, listener);
    uint32_t n = SIM_STREAM_BYTES_MAX * 3;
    char *text = malloc(n);
    for (uint32_t i = 0; i < n; i++) text[i] = (char)(i * 31 >> 3);
    io_send(io, &send.op, peer, text, n);
    settle();
    assert_int_equal(send.n, 0);
    struct buf got = {0};
    for (int i = 0; i < 5; i++) {
        sim_peer_receive(sim, peer, &got);
        settle();
    }
    assert_int_equal(send.last, n);
    assert_int_equal(got.n, n);
    assert_memory_equal(got.data, text, n);
    io_send(io, &send.op, peer, text, n);
    settle();
    sim_peer_reset(sim, peer);
    settle();
    assert_int_equal(send.last, -EPIPE);
    buf_fini(&got);
    free(text);
    end();
}

static void test_connect(void **state)
{
    (void)state;
    begin(4, (struct sim_faults){.delay_ns_max = 100}, 1);
    struct seen good = {.op.done = on_any}, bad = {.op.done = on_any};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9200)};
    sim_serve(sim, 9200);
    int fd = sim_socket(sim), other = sim_socket(sim);
    io_connect(io, &good.op, fd, (struct sockaddr *)&to, sizeof(to));
    to.sin_port = htons(9300);
    io_connect(io, &bad.op, other, (struct sockaddr *)&to, sizeof(to));
    settle();
    assert_int_equal(good.last, 0);
    assert_int_equal(bad.last, -ECONNREFUSED);
    assert_int_equal(sim_server_accept(sim, 9200), fd);
    assert_int_equal(sim_server_accept(sim, 9200), -1);
    end();
}

static void test_datagrams(void **state)
{
    (void)state;
    begin(5, (struct sim_faults){0}, 4);
    struct seen recv = {.op.done = on_any};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(7)};
    int fd = sim_datagram_socket(sim);
    uint32_t lost = 0;
    for (uint32_t i = 0; i < SIM_DATAGRAMS_MAX + 3; i++)
        if (!sim_datagram_send(sim, fd, (struct sockaddr *)&from, sizeof(from), SLICE("d"))) lost++;
    assert_int_equal(lost, 3);
    io_recvmsg(io, &recv.op, fd);
    for (uint32_t i = 0; i < SIM_DATAGRAMS_MAX; i++) io_step(io, 0, 1);
    assert_int_equal(recv.bytes.n, SIM_DATAGRAMS_MAX);
    assert_int_equal(io_dropped(io, fd), 3);
    assert_true(recv.op.armed);
    io_cancel(io, &recv.op);
    settle();
    assert_int_equal(recv.last, -ECANCELED);
    buf_fini(&recv.bytes);
    end();
}

static void test_files(void **state)
{
    (void)state;
    begin(6, (struct sim_faults){.short_read = 500, .again = 200, .delay_ns_max = 50}, 1);
    struct seen op = {.op.done = on_any};
    int fd = sim_file(sim, SLICE("0123456789"), 12);
    char text[16];
    uint32_t n = 0;
    while (op.n == 0 || op.last != 0) { /* to the end, over short reads and EAGAIN */
        io_read(io, &op.op, fd, text + n, sizeof(text) - n, UINT64_MAX);
        while (op.op.armed) io_step(io, 1000, 1);
        if (op.last > 0) n += (uint32_t)op.last;
        assert_true(op.last >= 0 || op.last == -EAGAIN);
    }
    assert_slice_equal(slice_make(text, n), SLICE("0123456789"));
    uint32_t at = 8;
    do {
        io_write(io, &op.op, fd, "abcdefgh", 8, at);
        while (op.op.armed) io_step(io, 1000, 1);
        if (op.last > 0) at += (uint32_t)op.last;
    } while (op.last > 0);
    assert_int_equal(op.last, -ENOSPC);
    assert_int_equal(sim_file_content(sim, fd).n, 12);
    assert_slice_equal(slice_part(sim_file_content(sim, fd), 0, 9), SLICE("01234567a"));
    end();
}

/* Everything follows from the seed; other seeds give other worlds. */
static uint64_t fingerprint(uint64_t seed)
{
    begin(seed, (struct sim_faults){.delay_ns_max = 5000, .short_read = 500, .multishot_end = 300},
          8);
    struct seen recv[4];
    int listener = sim_listen(sim), fd[4];
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++) {
        recv[i] = (struct seen){.op.done = on_any};
        fd[i] = sim_peer_connect(sim, listener);
        io_recv(io, &recv[i].op, fd[i]);
    }
    for (int step = 0; step < 300; step++) {
        sim_peer_send(sim, fd[step % 4], SLICE("some bytes"));
        io_step(io, 700, 1);
        for (int i = 0; i < 4; i++) {
            if (!recv[i].op.armed) io_recv(io, &recv[i].op, fd[i]);
            sum = sum * 31 + recv[i].n * 7 + (uint64_t)recv[i].last;
        }
    }
    sum += (uint64_t)sim_now_ns(sim);
    for (int i = 0; i < 4; i++) {
        io_cancel(io, &recv[i].op);
        buf_fini(&recv[i].bytes);
    }
    settle();
    for (int i = 0; i < 4; i++) buf_fini(&recv[i].bytes);
    end();
    return sum;
}

static void test_replay(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        assert_true(fingerprint(seed) == fingerprint(seed));
        assert_true(fingerprint(seed) != fingerprint(seed + 1));
    }
}

static void test_clock(void **state)
{
    (void)state;
    begin(8, (struct sim_faults){0}, 1);
    int64_t mono_ns = clock_mono_ns(), real_ns = clock_real_ns();
    sim_advance(sim, 5 * NS_PER_SEC);
    assert_int_equal(clock_mono_ns() - mono_ns, 5 * NS_PER_SEC);
    assert_int_equal(clock_real_ns() - real_ns, 5 * NS_PER_SEC);
    io_step(io, 3 * NS_PER_SEC, 1); /* sleeps to its end, nothing happens */
    assert_int_equal(clock_mono_ns() - mono_ns, 8 * NS_PER_SEC);
    io_wake(io);
    io_step(io, 3 * NS_PER_SEC, 1); /* a wake ends it */
    assert_int_equal(clock_mono_ns() - mono_ns, 8 * NS_PER_SEC);
    io_step(io, 0, 1);
    assert_int_equal(clock_mono_ns() - mono_ns, 8 * NS_PER_SEC);
    end();
    assert_true(clock_real_ns() > 1700000000 * NS_PER_SEC); /* the real one is back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),    cmocka_unit_test(test_buffers_run_out),
        cmocka_unit_test(test_slow_peer), cmocka_unit_test(test_connect),
        cmocka_unit_test(test_datagrams), cmocka_unit_test(test_files),
        cmocka_unit_test(test_replay),    cmocka_unit_test(test_clock),
    };
    return T_RUN(tests);
}
