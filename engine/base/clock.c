/* clock.c - real and simulated time. */
#include "engine/base/clock.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

static int64_t (*sim_real_ns)(void);
static int64_t (*sim_mono_ns)(void);

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t clock_real_ns(void)
{
    return sim_real_ns != NULL ? sim_real_ns() : read_ns(CLOCK_REALTIME);
}
int64_t clock_mono_ns(void)
{
    return sim_mono_ns != NULL ? sim_mono_ns() : read_ns(CLOCK_MONOTONIC);
}
int64_t clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void clock_simulate(int64_t (*real_ns)(void), int64_t (*mono_ns)(void))
{
    sim_real_ns = real_ns;
    sim_mono_ns = mono_ns;
}

static double cycles_per_sec;

static void cycles_measure(void)
{
    /* 10 ms is enough for four digits and short enough for a start-up path. */
    int64_t from_ns = read_ns(CLOCK_MONOTONIC);
    uint64_t from = clock_cycles();
    struct timespec pause = {0, 10 * NS_PER_MS};
    nanosleep(&pause, NULL);
    uint64_t cycles = clock_cycles() - from;
    cycles_per_sec = (double)cycles * 1e9 / (double)(read_ns(CLOCK_MONOTONIC) - from_ns);
}

double clock_cycles_per_sec(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, cycles_measure);
    return cycles_per_sec;
}
