/* harness.c - options, rounds and the table of the kernel benches. */
#include "bench/harness/harness.h"

#include <getopt.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "parsers/init.h"

#define ROUNDS_MIN 5
#define ROUNDS_MAX 100000u
#define WARM_ROUNDS 3

static struct {
    const char *kernel, *only, *level;
    int64_t case_ns;
    bool json, count, header;
    uint32_t cases_n;
    enum cpu_level top;
    int cycles_fd, instructions_fd; /* -1: the machine does not count */
} bench = {.only = "", .case_ns = 200 * NS_PER_MS, .cycles_fd = -1, .instructions_fd = -1};

struct reading {
    double ns, cycles, instructions; /* of one round; 0: unknown */
};

static int counter_open(uint64_t what, int group_fd)
{
    struct perf_event_attr attr = {.size = sizeof(attr),
                                   .type = PERF_TYPE_HARDWARE,
                                   .config = what,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, group_fd, 0);
}

static uint64_t counter_read(int fd)
{
    uint64_t value = 0;
    if (fd < 0 || read(fd, &value, sizeof(value)) != (ssize_t)sizeof(value)) return 0;
    return value;
}

static void usage(int code)
{
    fprintf(code == 0 ? stdout : stderr,
            "usage: bench_%s [--only TEXT] [--level scalar|sse42|avx2|avx512] [--ms N] [--json] "
            "[--count]\n",
            bench.kernel);
    exit(code);
}

void bench_begin(int argc, char **argv, const char *kernel)
{
    static const struct option options[] = {{"only", 1, NULL, 'o'},  {"level", 1, NULL, 'l'},
                                            {"ms", 1, NULL, 'm'},    {"json", 0, NULL, 'j'},
                                            {"count", 0, NULL, 'c'}, {"help", 0, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int id;
    bench.kernel = kernel;
    while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (id) {
        case 'o': bench.only = optarg; break;
        case 'l': bench.level = optarg; break;
        case 'm': bench.case_ns = strtol(optarg, NULL, 10) * NS_PER_MS; break;
        case 'j': bench.json = true; break;
        case 'c': bench.count = true; break;
        default: usage(id == 'h' ? 0 : 2);
        }
    }
    bench.top = cpu_init();
    parsers_init(bench.top);
    bench.cycles_fd = counter_open(PERF_COUNT_HW_CPU_CYCLES, -1);
    bench.instructions_fd = counter_open(PERF_COUNT_HW_INSTRUCTIONS, -1);
}

bool bench_wanted(const char *name)
{
    return strstr(name, bench.only) != NULL;
}

__attribute__((noinline, noipa)) uint64_t bench_counted(uint64_t (*body)(void *opaque),
                                                        void *opaque)
{
    return body(opaque);
}

/* CPU time does not count what others do on the machine meanwhile. */
static int64_t now_ns(const struct bench_case *c)
{
    return c->wall ? clock_mono_ns() : clock_thread_cpu_ns();
}

static void prepare(const struct bench_case *c)
{
    if (c->prepare != NULL) c->prepare(c->opaque);
}

static int by_ns(const void *a, const void *b)
{
    double x = ((const struct reading *)a)->ns, y = ((const struct reading *)b)->ns;
    return (x > y) - (x < y);
}

/* The median: the clock of a virtual machine now and then says that next to no time has passed, so
 * the best round need not have happened. */
static struct reading usual_round(const struct bench_case *c, uint64_t *sum)
{
    static struct reading rounds[ROUNDS_MAX];
    uint32_t n = 0;
    int64_t until_ns = clock_mono_ns() + bench.case_ns;
    while (n < ROUNDS_MIN || (n < ROUNDS_MAX && clock_mono_ns() < until_ns)) {
        prepare(c);
        uint64_t cycles = counter_read(bench.cycles_fd);
        uint64_t instructions = counter_read(bench.instructions_fd);
        int64_t from_ns = now_ns(c);
        *sum += c->body(c->opaque);
        struct reading r = {.ns = (double)(now_ns(c) - from_ns)};
        r.instructions = (double)(counter_read(bench.instructions_fd) - instructions);
        r.cycles = (double)(counter_read(bench.cycles_fd) - cycles);
        rounds[n++] = r;
    }
    qsort(rounds, n, sizeof(rounds[0]), by_ns);
    return rounds[n / 2];
}

static void optional(char out[16], double value, const char *format)
{
    if (value <= 0) {
        memcpy(out, "-", 2);
        return;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* one of print's literals */
    snprintf(out, 16, format, value);
#pragma GCC diagnostic pop
}

static void print(const struct bench_case *c, const char *level, struct reading r, double scalar_ns)
{
    char bytes[16], cycles[16], instructions[16], ratio[16], budget[16];
    double events = (double)c->events;
    if (bench.json) {
        printf("{\"kernel\":\"%s\",\"case\":\"%s\",\"level\":\"%s\",\"events\":%lu,\"bytes\":%lu,"
               "\"ns_per_event\":%.3f,\"cycles_per_event\":%.2f,\"instructions_per_event\":%.2f,"
               "\"scalar_ns_per_event\":%.3f,\"budget_ns\":%g}\n",
               bench.kernel, c->name, level, c->events, c->bytes, r.ns / events, r.cycles / events,
               r.instructions / events, scalar_ns / events, c->budget_ns);
        return;
    }
    if (!bench.header)
        printf("%-10s %-44s %-7s %10s %9s %10s %12s %9s %7s\n", "kernel", "case", "CPU", "ns/event",
               "ns/byte", "cycles/ev", "instr./ev", "to scalar", "budget");
    bench.header = true;
    optional(bytes, c->bytes == 0 ? 0 : r.ns / (double)c->bytes, "%.4f");
    optional(cycles, r.cycles / events, "%.1f");
    optional(instructions, r.instructions / events, "%.1f");
    optional(ratio, scalar_ns == 0 ? 0 : scalar_ns / r.ns, "%.2fx");
    optional(budget, c->budget_ns, "%g");
    printf("%-10s %-44s %-7s %10.2f %9s %10s %12s %9s %7s%s\n", bench.kernel, c->name, level,
           r.ns / events, bytes, cycles, instructions, ratio, budget,
           c->budget_ns > 0 && r.ns / events > c->budget_ns ? " over" : "");
}

/* One line a case, in the order in which the counting tool sees the calls of bench_counted. */
static void count(const struct bench_case *c, const char *level)
{
    uint64_t sum = 0;
    for (int round = 0; round < WARM_ROUNDS; round++) {
        prepare(c);
        sum += c->body(c->opaque);
    }
    prepare(c);
    sum += bench_counted(c->body, c->opaque);
    printf("%s\t%s\t%s\t%lu\t%lx\n", bench.kernel, c->name, level, c->events, sum);
}

static struct reading run_at(const struct bench_case *c, const char *level, double scalar_ns)
{
    struct reading r = {0};
    uint64_t sum = 0;
    if (bench.count) {
        count(c, level);
        return r;
    }
    prepare(c);
    sum = c->body(c->opaque);
    r = usual_round(c, &sum);
    if (sum == UINT64_MAX) puts(""); /* the compiler cannot know that it never is */
    print(c, level, r, scalar_ns);
    return r;
}

void bench_run(const struct bench_case *c)
{
    double scalar_ns = 0;
    if (!bench_wanted(c->name)) return;
    bench.cases_n++;
    if (!c->simd) {
        run_at(c, "-", 0);
        return;
    }
    for (int i = CPU_SCALAR; i <= (int)bench.top; i++) {
        const char *level = cpu_level_name((enum cpu_level)i);
        if (bench.level != NULL && strcmp(bench.level, level) != 0) continue;
        parsers_init((enum cpu_level)i);
        struct reading r = run_at(c, level, scalar_ns);
        if (i == CPU_SCALAR) scalar_ns = r.ns;
    }
    parsers_init(bench.top);
    fflush(stdout);
}

int bench_end(void)
{
    return bench.cases_n > 0 ? 0 : 1;
}
