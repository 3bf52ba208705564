/*
 * harness.h - what the kernel benches have in common: options, rounds, counters, the table.
 *
 * A bench makes its input, describes each measurement as a bench_case and hands it to bench_run,
 * which warms up, repeats the body for a while and prints the median round. Cases with .simd run
 * once for every CPU level of the machine, so that each variant stands beside its scalar twin. One
 * thread, the main one; cycles and instructions come from perf_event_open, user mode only, where
 * the machine counts them.
 *
 * Options of every bench: --only TEXT, --level NAME, --ms N (for each case), --json, and --count:
 * three rounds to warm up and one inside bench_counted, for a tool that counts instructions.
 */
#ifndef BENCH_HARNESS_HARNESS_H
#define BENCH_HARNESS_HARNESS_H
#include <stdbool.h>
#include <stdint.h>

struct bench_case {
    const char *name;
    uint64_t (*body)(void *opaque); /* one round; what it returns keeps the work alive */
    void (*prepare)(void *opaque);  /* before every round, not measured; may be NULL */
    void *opaque;
    uint64_t events;  /* of one round */
    uint64_t bytes;   /* of one round; 0: the case is not about bytes */
    bool simd;        /* measured at every CPU level */
    bool wall;        /* several threads take part: the clock on the wall counts */
    double budget_ns; /* what an event may take; 0: nobody says */
};

/* Reads the options, finds the CPU's level and raises the parsers to it. */
void bench_begin(int argc, char **argv, const char *kernel);
/* Whether any case whose name begins so may run: expensive input can be left out. */
bool bench_wanted(const char *name);
void bench_run(const struct bench_case *c);
/* The exit code: 1 when no case had a wanted name. */
int bench_end(void);

/* Runs the body once. Never inlined: callgrind collects inside this function. */
uint64_t bench_counted(uint64_t (*body)(void *opaque), void *opaque);

#endif
