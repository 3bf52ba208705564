/*
 * calibrate.c - what the machine gives right now: clock by dependent additions, round trip of a
 * cache line between two processors. Printed as JSON before every bench, because virtual machines
 * change both from minute to minute.
 *
 * usage: bench_calibrate [CPU0 CPU1]
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"

#define ADDITIONS 400000000ULL
#define TRIPS 200000u

/* The two threads hand each other this line; each waits for the other's number. */
static _Alignas(128) _Atomic uint32_t ball;

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* One addition a cycle, each needing the one before. */
static double clock_ghz(void)
{
    uint64_t sum = 0;
    int64_t begin_ns = clock_mono_ns();
    for (uint64_t i = 0; i < ADDITIONS / 8; i++)
        __asm__ volatile("add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0\n"
                         "add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0\n"
                         : "+r"(sum));
    return (double)sum / (double)(clock_mono_ns() - begin_ns);
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

int main(int argc, char **argv)
{
    int cpu0 = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    int cpu1 = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1;
    double ghz, trip_ns;
    pin(cpu0);
    ghz = clock_ghz();
    trip_ns = round_trip_ns(cpu1);
    printf("{\"ghz\":%.3f,\"round_trip_ns\":%.0f}\n", ghz, trip_ns);
    return 0;
}
