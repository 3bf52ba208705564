/*
 * calibrate.c - what the machine gives right now: clock by dependent additions, round trip of a
 * cache line between two processors, the price of sending over loopback. Printed as JSON before
 * every bench, because virtual machines change both from minute to minute.
 *
 * usage: bench_calibrate [CPU0 CPU1]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
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
    int bytes = RECEIVE_BYTES;
    pin(r->cpu);
    setsockopt(r->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
    while (recv(r->fd, NULL, RECEIVE_BYTES, MSG_TRUNC) > 0) {
    }
    return NULL;
}

static double send_ns_per_kb(int other)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(to);
    struct receiver r = {.cpu = other};
    pthread_t thread;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    char *piece = malloc(PIECE_BYTES);
    ASSERT(listener >= 0 && fd >= 0 && piece != NULL);
    memset(piece, 'x', PIECE_BYTES);
    if (bind(listener, (struct sockaddr *)&to, n) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&to, &n) < 0 ||
        connect(fd, (struct sockaddr *)&to, n) < 0)
        return -1;
    r.fd = accept(listener, NULL, NULL);
    if (r.fd < 0 || pthread_create(&thread, NULL, receive, &r) != 0) return -1;
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
    close(listener);
    free(piece);
    return per_kb;
}

int main(int argc, char **argv)
{
    int cpu0 = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    int cpu1 = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1;
    pin(cpu0);
    double ghz = clock_ghz(), trip_ns = round_trip_ns(cpu1);
    printf("{\"ghz\":%.3f,\"round_trip_ns\":%.0f,\"send_ns_per_kb\":%.0f}\n", ghz, trip_ns,
           send_ns_per_kb(cpu1));
    return 0;
}
