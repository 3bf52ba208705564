/* pace.c - when to send and when to stop. */
#include "engine/base/clock.h"
#include "tools/loadgen/send.h"

#include <time.h>

volatile bool send_stop;

/* How many lines are due by now at the rate; sleeps a while when none is. */
static uint64_t due(const struct options *opt, struct result *r)
{
    for (;;) {
        double seconds = (double)(clock_mono_ns() - r->started_ns) / 1e9;
        double target = opt->rate * seconds + 1;
        if (target > (double)r->events) return (uint64_t)(target - (double)r->events) + 1;
        if (send_stop || (opt->seconds_max > 0 && seconds >= opt->seconds_max)) return 0;
        nanosleep(&(struct timespec){0, 500 * NS_PER_US}, NULL);
    }
}

uint64_t pace_allow(const struct options *opt, struct result *r)
{
    uint64_t left = UINT64_MAX, now;
    if (send_stop) return 0;
    if (opt->events_max > 0) left = opt->events_max - r->events;
    if (left == 0) return 0;
    if (opt->seconds_max > 0 && (double)(clock_mono_ns() - r->started_ns) >= opt->seconds_max * 1e9)
        return 0;
    if (opt->rate <= 0) return left;
    now = due(opt, r);
    return now < left ? now : left;
}
