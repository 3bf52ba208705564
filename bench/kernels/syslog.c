/*
 * syslog.c - ns per line of the syslog parsers over synthetic lines, hot and streaming.
 *
 * Lines are 205 bytes (RFC 3164) and 226 bytes (RFC 5424) long on average, as in the design
 * budget. The median of several rounds is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/prng.h"
#include "parsers/wire/syslog.h"

#define ROUNDS 15

struct lines {
    char *bytes;
    slice *line;
    uint32_t n;
    size_t used;
};

static const char *const words[] = {"connection", "from",   "accepted", "user",   "session",
                                    "timeout",    "worker", "request",  "closed", "10.1.2.3"};
static const char *const programs[] = {"sshd", "nginx", "postfix/smtpd", "kernel", "systemd"};

/* CPU time, not wall time: other work on the machine must not count. */
static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static struct lines lines_make(uint32_t n, int kind)
{
    struct lines l = {.bytes = malloc((size_t)n * 400 + 64), .line = calloc(n, sizeof(slice))};
    struct prng r;
    prng_seed(&r, 1);
    if (l.bytes == NULL || l.line == NULL) abort();
    for (; l.n < n; l.n++) {
        char *p = l.bytes + l.used;
        uint32_t day = 1 + (uint32_t)prng_below(&r, 28);
        uint32_t host = (uint32_t)prng_below(&r, 100);
        const char *program = programs[prng_below(&r, 5)];
        uint32_t pid = 1 + (uint32_t)prng_below(&r, 30000);
        uint32_t second = (uint32_t)prng_below(&r, 60);
        uint32_t priority = 1 + (uint32_t)prng_below(&r, 190);
        uint32_t size = (kind == 0 ? 165 : 186) + (uint32_t)prng_below(&r, 80);
        uint32_t at;
        if (kind == 0)
            at = (uint32_t)snprintf(p, 400, "<%u>Mar %2u 06:07:%02u web-%02u.example.com %s",
                                    priority, day, second, host, program);
        else
            at = (uint32_t)snprintf(p, 400,
                                    "<%u>1 2024-03-%02uT06:07:%02u.123Z web-%02u.example.com %s %u "
                                    "ID47 [x@1 a=\"b\" c=\"d\"] ",
                                    priority, day, second, host, program, pid);
        if (kind == 0 && pid % 4) at += (uint32_t)snprintf(p + at, 400 - at, "[%u]", pid);
        if (kind == 0) at += (uint32_t)snprintf(p + at, 400 - at, ": ");
        while (at < size)
            at += (uint32_t)snprintf(p + at, 400 - at, "%s ", words[prng_below(&r, 10)]);
        l.line[l.n] = slice_make(p, at);
        l.used += at;
    }
    return l;
}

static uint64_t parse_all(const struct lines *l, int kind)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        if (kind == 0) {
            struct syslog_fields f;
            if (!syslog_3164_parse(l->line[i], SYSLOG_LEGACY, &f)) abort();
            sum += f.priority + f.logsource.n + f.program.n + f.pid.n + f.message.n;
        } else {
            struct syslog_5424 m;
            if (!syslog_5424_parse(l->line[i], &m)) abort();
            sum += m.priority + m.hostname.n + m.structured_data.n + m.message.n;
        }
    }
    return sum;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench(const char *name, uint32_t n, uint32_t repeat, int kind)
{
    struct lines l = lines_make(n, kind);
    double ns[ROUNDS];
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t from = now_ns();
        for (uint32_t i = 0; i < repeat; i++) sum += parse_all(&l, kind);
        ns[round] = (double)(now_ns() - from) / n / repeat;
    }
    qsort(ns, ROUNDS, sizeof(ns[0]), compare);
    printf("%-8s %6u lines of %zu bytes: %5.1f ns/line (min %.1f) sum %llu\n", name, n, l.used / n,
           ns[ROUNDS / 2], ns[0], (unsigned long long)sum);
    free(l.bytes);
    free(l.line);
}

int main(void)
{
    bench("rfc3164", 1200, 200, 0);
    bench("rfc3164", 100000, 3, 0);
    bench("rfc5424", 1200, 200, 1);
    bench("rfc5424", 100000, 3, 1);
    return 0;
}
