/* uring_test.c - receive buffers that several receives fill, on the real kernel. */
#include "tests/unit/t.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/prng.h"
#include "net/io.h"

#define BUFFERS 2u
#define CONNECTIONS 300u

struct peer {
    struct io_op op; /* first */
    struct buf got;
    struct blob *kept;
    slice kept_bytes;
    int fd[2];
    int32_t last;
    bool keep;
};

static struct io *io;

static void on_recv(struct io_op *op, int32_t n)
{
    struct peer *p = (struct peer *)op;
    p->last = n;
    if (n <= 0) return;
    assert_int_equal(op->payload.n, n);
    assert_true(op->payload.p >= op->blob->data);
    assert_true(op->payload.p + n <= op->blob->data + op->blob->size);
    buf_add_slice(&p->got, op->payload);
    if (p->keep && p->kept == NULL) {
        p->kept = op->blob;
        p->kept_bytes = op->payload;
        return;
    }
    blob_unpin(op->blob);
}

static void peer_open(struct peer *p)
{
    *p = (struct peer){.op.done = on_recv};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p->fd), 0);
    io_recv(io, &p->op, p->fd[0]);
}

static void peer_close(struct peer *p)
{
    close(p->fd[1]);
    for (int i = 0; i < 100 && p->op.armed; i++) io_step(io, NS_PER_MS, 1);
    assert_false(p->op.armed);
    close(p->fd[0]);
    buf_fini(&p->got);
}

static void begin(void)
{
    char why[200] = "";
    io = io_uring_new((struct io_config){512, BUFFERS, BUFFERS}, why, sizeof(why));
    if (io == NULL) fail_msg("%s", why);
}

/* Where the kernel shares buffers all lines fit two of them, and none overwrites another
 * while it is pinned; elsewhere the others have to wait, and still none is overwritten. */
static void test_lines(void **state)
{
    (void)state;
    begin();
    struct peer *peer = calloc(CONNECTIONS, sizeof(*peer));
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        peer_open(&peer[i]);
        peer[i].keep = true;
    }
    io_step(io, 0, 1);
    for (uint32_t i = 0; i < CONNECTIONS; i++) dprintf(peer[i].fd[1], "line of peer %u\n", i);
    for (int i = 0; i < 50; i++) io_step(io, NS_PER_MS, CONNECTIONS);
    uint32_t whole = 0;
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        struct peer *p = &peer[i];
        char want[40];
        snprintf(want, sizeof(want), "line of peer %u\n", i);
        if (p->kept == NULL) {
            assert_int_equal(p->last, -ENOBUFS);
            continue;
        }
        assert_slice_equal(p->kept_bytes, slice_from_cstr(want));
        whole++;
    }
    assert_true(whole == CONNECTIONS || (whole == BUFFERS && io->stats.buffers_exhausted > 0));
    assert_int_equal(io->stats.pieces, whole);
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        if (peer[i].kept != NULL) blob_unpin(peer[i].kept);
    for (uint32_t i = 0; i < CONNECTIONS; i++) peer_close(&peer[i]);
    free(peer);
    io_free(io);
}

/* Writes of all sizes through a few buffers, some of which stay pinned for a while. */
static void test_cycles(void **state)
{
    (void)state;
    begin();
    struct prng r;
    prng_seed(&r, 5);
    struct peer p;
    struct buf sent = {0};
    peer_open(&p);
    for (uint32_t i = 0; i < 600; i++) {
        static char text[100000];
        size_t n = 1 + prng_below(&r, prng_below(&r, 4) == 0 ? sizeof(text) - 1 : 300);
        for (size_t k = 0; k < n; k++) text[k] = (char)('a' + (i + k) % 26);
        ssize_t put = send(p.fd[1], text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put > 0) buf_add(&sent, text, (size_t)put);
        if (p.kept != NULL && prng_below(&r, 3) == 0) {
            blob_unpin(p.kept);
            p.kept = NULL;
        }
        p.keep = prng_below(&r, 2) == 0;
        io_step(io, 0, 1);
        if (!p.op.armed) io_recv(io, &p.op, p.fd[0]);
    }
    if (p.kept != NULL) blob_unpin(p.kept);
    p.keep = false;
    for (int i = 0; i < 200 && p.got.n < sent.n; i++) {
        if (!p.op.armed) io_recv(io, &p.op, p.fd[0]);
        io_step(io, NS_PER_MS, 1);
    }
    assert_true(sent.n > 5 * BUFFERS * IO_STREAM_BUFFER_BYTES);
    assert_int_equal(p.got.n, sent.n);
    assert_memory_equal(p.got.data, sent.data, sent.n);
    peer_close(&p);
    buf_fini(&sent);
    io_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_cycles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
