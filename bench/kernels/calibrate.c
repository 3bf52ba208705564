/*
 * calibrate.c - what the machine gives right now: clock by dependent additions, round trip of a
 * cache line between two processors, and what the kernel alone takes to send and receive over
 * loopback. Printed as JSON before every bench, because virtual machines change all of them from
 * minute to minute.
 *
 * usage: bench_calibrate [CPU0 CPU1]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

#define ADDITIONS 400000000ULL
#define TRIPS 200000u
#define PIECE_BYTES (2u << 20)
#define PIECES 600u
#define RECEIVE_BYTES (256 * 1024)
#define WAKE_BYTES (1024 * 1024)
#define STREAM_BYTES (1u << 30)
#define WRITE_BYTES (128 * 1024)
#define DATAGRAMS 400000u
#define DATAGRAM_BYTES 200u
#define DATAGRAMS_AT_ONCE 64u
#define DATAGRAM_BUFFER_BYTES (8 << 20)
#define DATAGRAM_SLEEP_NS 300000
#define LULL_MS 200

/* The two threads hand each other this line; each waits for the other's number. */
static _Alignas(128) _Atomic uint32_t ball;

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* Of this thread, so that other work on the processor does not count. */
static double thread_cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* One addition a cycle, each needing the one before. */
static double clock_ghz(void)
{
    uint64_t sum = 0;
    double begin_ns = thread_cpu_ns();
    for (uint64_t i = 0; i < ADDITIONS / 8; i++)
        __asm__ volatile("add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0\n"
                         "add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0\n"
                         : "+r"(sum));
    return (double)sum / (thread_cpu_ns() - begin_ns);
}

static void *echo(void *arg)
{
    pin(*(int *)arg);
    for (uint32_t trip = 0; trip < TRIPS; trip++) {
        while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * trip + 1) {
        }
        atomic_store_explicit(&ball, 2 * trip + 2, memory_order_release);
    }
    return NULL;
}

static double round_trip_ns(int other)
{
    pthread_t thread;
    int64_t begin_ns;
    if (pthread_create(&thread, NULL, echo, &other) != 0) return -1;
    begin_ns = clock_mono_ns();
    for (uint32_t trip = 0; trip < TRIPS; trip++) {
        atomic_store_explicit(&ball, 2 * trip + 1, memory_order_release);
        while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * trip + 2) {
        }
    }
    pthread_join(thread, NULL);
    return (double)(clock_mono_ns() - begin_ns) / TRIPS;
}

struct receiver {
    int fd, cpu;
};

/* As bench/run's sink: bytes are dropped unread, and it wakes for many at once. */
static void *receive(void *arg)
{
    const struct receiver *r = arg;
    int bytes = WAKE_BYTES;
    pin(r->cpu);
    setsockopt(r->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
    while (recv(r->fd, NULL, WAKE_BYTES, MSG_TRUNC) > 0) {
    }
    return NULL;
}

/* Two ends of a TCP connection; false when there is none to be had. */
static bool pair_open(int *near, int *far)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(to);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    *near = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = listener >= 0 && *near >= 0 && bind(listener, (struct sockaddr *)&to, n) == 0 &&
              listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&to, &n) == 0 &&
              connect(*near, (struct sockaddr *)&to, n) == 0;
    *far = ok ? accept(listener, NULL, NULL) : -1;
    if (listener >= 0) close(listener);
    return *far >= 0;
}

static double send_ns_per_kb(int other)
{
    struct receiver r = {.cpu = other};
    pthread_t thread;
    int fd;
    char *piece = malloc(PIECE_BYTES);
    ASSERT(piece != NULL);
    memset(piece, 'x', PIECE_BYTES);
    if (!pair_open(&fd, &r.fd) || pthread_create(&thread, NULL, receive, &r) != 0) return -1;
    double begin_ns = 0;
    for (uint32_t i = 0; i < PIECES; i++) {
        if (i == PIECES / 10) begin_ns = thread_cpu_ns();
        for (size_t at = 0; at < PIECE_BYTES;) {
            ssize_t done = send(fd, piece + at, PIECE_BYTES - at, MSG_NOSIGNAL);
            if (done < 0) return -1;
            at += (size_t)done;
        }
    }
    double bytes = (double)PIECE_BYTES * (PIECES - PIECES / 10);
    double per_kb = (thread_cpu_ns() - begin_ns) / bytes * 1000;
    close(fd);
    pthread_join(thread, NULL);
    close(r.fd);
    free(piece);
    return per_kb;
}

/* As loadgen's stream. */
static void *send_stream(void *arg)
{
    const struct receiver *r = arg;
    char *lines = malloc(WRITE_BYTES);
    ASSERT(lines != NULL);
    memset(lines, 'x', WRITE_BYTES);
    pin(r->cpu);
    for (size_t sent = 0; sent < STREAM_BYTES;) {
        ssize_t n = send(r->fd, lines, WRITE_BYTES, MSG_NOSIGNAL);
        if (n < 0) break;
        sent += (size_t)n;
    }
    free(lines);
    close(r->fd);
    return NULL;
}

static double receive_ns_per_kb(int other)
{
    struct receiver r = {.cpu = other};
    pthread_t thread;
    int fd;
    size_t got = 0;
    char *buffer = malloc(RECEIVE_BYTES);
    ASSERT(buffer != NULL);
    if (!pair_open(&fd, &r.fd) || pthread_create(&thread, NULL, send_stream, &r) != 0) return -1;
    double begin_ns = thread_cpu_ns();
    for (ssize_t n; (n = recv(fd, buffer, RECEIVE_BYTES, 0)) > 0;) got += (size_t)n;
    double per_kb = (thread_cpu_ns() - begin_ns) / (double)got * 1000;
    pthread_join(thread, NULL);
    close(fd);
    free(buffer);
    return per_kb;
}

/* As loadgen's datagrams. */
static void *send_datagrams(void *arg)
{
    const struct receiver *r = arg;
    static char payload[DATAGRAM_BYTES];
    struct iovec part = {payload, sizeof(payload)};
    struct mmsghdr heads[DATAGRAMS_AT_ONCE] = {0};
    pin(r->cpu);
    for (uint32_t i = 0; i < DATAGRAMS_AT_ONCE; i++)
        heads[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
    for (uint32_t sent = 0; sent < DATAGRAMS; sent += DATAGRAMS_AT_ONCE)
        if (sendmmsg(r->fd, heads, DATAGRAMS_AT_ONCE, 0) < 0) break;
    return NULL;
}

/* Drains what is there, then sleeps: the cheapest way to receive datagrams that is known. */
static double drain(int fd)
{
    static char buffer[DATAGRAMS_AT_ONCE][DATAGRAM_BYTES];
    struct iovec part[DATAGRAMS_AT_ONCE];
    struct mmsghdr heads[DATAGRAMS_AT_ONCE] = {0};
    struct timespec nap = {.tv_nsec = DATAGRAM_SLEEP_NS};
    uint32_t got = 0;
    for (uint32_t i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        part[i] = (struct iovec){buffer[i], DATAGRAM_BYTES};
        heads[i].msg_hdr = (struct msghdr){.msg_iov = &part[i], .msg_iovlen = 1};
    }
    double begin_ns = thread_cpu_ns();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (poll(&ready, 1, LULL_MS) > 0) {
        int n;
        do {
            n = recvmmsg(fd, heads, DATAGRAMS_AT_ONCE, MSG_DONTWAIT, NULL);
            if (n > 0) got += (uint32_t)n;
        } while (n == (int)DATAGRAMS_AT_ONCE);
        nanosleep(&nap, NULL);
    }
    return got == 0 ? -1 : (thread_cpu_ns() - begin_ns) / got;
}

static double receive_ns_per_datagram(int other)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(to);
    struct receiver r = {.cpu = other, .fd = socket(AF_INET, SOCK_DGRAM, 0)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = DATAGRAM_BUFFER_BYTES;
    pthread_t thread;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    if (bind(fd, (struct sockaddr *)&to, n) < 0 ||
        getsockname(fd, (struct sockaddr *)&to, &n) < 0 ||
        connect(r.fd, (struct sockaddr *)&to, n) < 0 ||
        pthread_create(&thread, NULL, send_datagrams, &r) != 0)
        return -1;
    double each_ns = drain(fd);
    pthread_join(thread, NULL);
    close(fd);
    close(r.fd);
    return each_ns;
}

int main(int argc, char **argv)
{
    int cpu0 = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    int cpu1 = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1;
    pin(cpu0);
    double ghz = clock_ghz(), trip_ns = round_trip_ns(cpu1);
    double send_ns = send_ns_per_kb(cpu1), receive_ns = receive_ns_per_kb(cpu1);
    printf("{\"ghz\":%.3f,\"round_trip_ns\":%.0f,\"send_ns_per_kb\":%.0f,"
           "\"receive_ns_per_kb\":%.0f,\"receive_ns_per_datagram\":%.0f}\n",
           ghz, trip_ns, send_ns, receive_ns, receive_ns_per_datagram(cpu1));
    return 0;
}
