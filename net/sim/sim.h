/*
 * sim.h - a simulated kernel behind io.h, for tests.
 *
 * One sim is a world: a virtual clock that replaces the process's, a seeded source of chance, and
 * the streams, datagram sockets and files in it. Every shard gets an io of that world; the test
 * plays everybody else through the sim_ functions below. Completions come late and in any order
 * that a kernel may choose, reads come short, multishots end, buffers run out: as often as struct
 * sim_faults says. Everything follows from the seed. One world at a time, one thread, one fd
 * space from SIM_FD_FIRST on; numbers are never used twice. Using a closed descriptor or closing
 * one twice is a panic: in a kernel it would hit somebody else's connection.
 */
#ifndef NET_SIM_SIM_H
#define NET_SIM_SIM_H
#include "engine/base/buf.h"
#include "engine/base/prng.h"
#include "net/io.h"

#define SIM_FD_FIRST 100000
/* Bytes a stream holds in each direction before its sender must wait. */
#define SIM_STREAM_BYTES_MAX (128u * 1024)
#define SIM_DATAGRAMS_MAX 256u

/* Chances are in a thousand, per completion. */
struct sim_faults {
    int64_t delay_ns_max;   /* every completion comes up to this much later */
    uint32_t short_read;    /* less than there is: recv, read, write */
    uint32_t multishot_end; /* a multishot completion without `more` */
    uint32_t no_buffers;    /* -ENOBUFS though there are buffers */
    uint32_t again;         /* -EAGAIN of a read */
    uint32_t accept_error;  /* -ECONNABORTED, the multishot over */
    uint32_t connect_refused;
    uint32_t read_error; /* -EIO of a file */
};

struct sim;

struct sim *sim_new(uint64_t seed, struct sim_faults faults);
/* All ios must be gone. The real clock is back afterwards. */
void sim_free(struct sim *sim);
struct prng *sim_prng(struct sim *sim);
/* Whether a thing of so many in a thousand happens now. */
bool sim_chance(struct sim *sim, uint32_t in_thousand);
void sim_set_faults(struct sim *sim, struct sim_faults faults);

/* An io of this world. Its step with a timeout moves the clock while nothing is ready. */
struct io *sim_io_new(struct sim *sim, struct io_config config);
/* Blobs that were handed out and not given back. */
uint32_t sim_io_blobs_out(const struct io *io);
/* Operations in the kernel's hands. */
uint32_t sim_io_pending(const struct io *io);

int64_t sim_now_ns(const struct sim *sim); /* the monotonic clock */
void sim_advance(struct sim *sim, int64_t ns);

/* ---- streams: the descriptor names both ends, sim_peer_* is the other end ----------------- */

int sim_listen(struct sim *sim);
/* A new connection in the backlog of a listener; -ECONNREFUSED when it is closed. */
int sim_peer_connect(struct sim *sim, int listener);
/* What of `bytes` had room; 0 when the engine hung up (see sim_peer_hung_up). */
uint32_t sim_peer_send(struct sim *sim, int fd, slice bytes);
/* No more from the peer: the engine reads the rest, then 0. */
void sim_peer_finish(struct sim *sim, int fd);
/* What was not read is lost, operations fail with ECONNRESET. */
void sim_peer_reset(struct sim *sim, int fd);
/* Bytes from the engine, appended to `out`; returns how many. */
uint32_t sim_peer_receive(struct sim *sim, int fd, struct buf *out);
/* The engine closed its end (or the connection was reset) and everything it sent was received. */
bool sim_peer_hung_up(struct sim *sim, int fd);
/* A stream without a listener, for io_connect; and who listens at a port of this world. */
int sim_socket(struct sim *sim);
void sim_serve(struct sim *sim, uint16_t port);
/* The next connection that the engine made to the port, or -1. */
int sim_server_accept(struct sim *sim, uint16_t port);

/* ---- datagrams and files -------------------------------------------------------------------- */

int sim_datagram_socket(struct sim *sim);
/* false: the socket's queue is full and the datagram is dropped, and counted. */
bool sim_datagram_send(struct sim *sim, int fd, const struct sockaddr *from, socklen_t from_n,
                       slice bytes);
/* A file with this content; grows to bytes_max at the most (then -ENOSPC). */
int sim_file(struct sim *sim, slice content, uint64_t bytes_max);
slice sim_file_content(struct sim *sim, int fd);
/* The engine's stdin: a stream at descriptor 0, for io_read. */
int sim_stdin(struct sim *sim);

#endif
