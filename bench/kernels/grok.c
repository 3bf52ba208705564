/*
 * grok.c - ns per line of grok sets: COMBINEDAPACHELOG, and many patterns of which the last
 * or none matches. The library is the legacy one where the name does not say ECS.
 * Usage: bench_grok [lines [part of a measurement's name]].
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/prng.h"
#include "parsers/grok/grok.h"
#include "parsers/grok/patterns.h"

#define LINES_MAX 20000u
#define ROUNDS 7

static slice lines[LINES_MAX];
static uint32_t n_lines = 5000;
static const char *only = "";

static bool lookup(void *library, slice name, slice *pattern)
{
    const char *text = grok_pattern_find(*(const enum grok_library *)library, name);
    *pattern = slice_from_cstr(text);
    return text != NULL;
}

static void free_lines(void)
{
    for (uint32_t i = 0; i < n_lines; i++) free((char *)(uintptr_t)lines[i].p);
}

static void make_lines(void (*write)(struct prng *, struct buf *))
{
    struct prng rng;
    prng_seed(&rng, 1);
    for (uint32_t i = 0; i < n_lines; i++) {
        struct buf line = {0};
        write(&rng, &line);
        lines[i] = buf_slice(&line);
    }
}

static void apache(struct prng *r, struct buf *out)
{
    static const char *const agents[] = {
        "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", "curl/7.88.1"};
    buf_printf(out, "%u.%u.%u.%u - ", (unsigned)prng_below(r, 256), (unsigned)prng_below(r, 256),
               (unsigned)prng_below(r, 256), (unsigned)prng_below(r, 256));
    buf_printf(out, "%s [%02u/Oct/2023:%02u:%02u:%02u +0200] ", prng_below(r, 2) ? "-" : "frank",
               1 + (unsigned)prng_below(r, 28), (unsigned)prng_below(r, 24),
               (unsigned)prng_below(r, 60), (unsigned)prng_below(r, 60));
    buf_printf(out, "\"GET /images/%u/product-%u.html?session=%u HTTP/1.1\" %u %u ",
               (unsigned)prng_below(r, 1000), (unsigned)prng_below(r, 100000),
               (unsigned)prng_below(r, 1000000), prng_below(r, 9) ? 200 : 404,
               (unsigned)prng_below(r, 100000));
    buf_printf(out, "\"http://www.example.com/shop/%u\" \"%s\"", (unsigned)prng_below(r, 1000),
               agents[prng_below(r, 3)]);
}

static void firewall(struct prng *r, struct buf *out)
{
    buf_printf(out,
               "Mar %2u 04:05:%02u fw-%u kernel: [%u.%06u] DROP IN=eth0 OUT= SRC=10.0.%u.%u "
               "DST=192.168.1.%u LEN=60 PROTO=TCP SPT=%u DPT=443",
               1 + (unsigned)prng_below(r, 28), (unsigned)prng_below(r, 60),
               (unsigned)prng_below(r, 10), (unsigned)prng_below(r, 100000),
               (unsigned)prng_below(r, 1000000), (unsigned)prng_below(r, 256),
               (unsigned)prng_below(r, 256), (unsigned)prng_below(r, 256),
               (unsigned)prng_below(r, 65536));
}

static void measure(const char *name, const slice *patterns, uint32_t n,
                    const struct grok_options *options)
{
    if (strstr(name, only) == NULL) return;
    enum grok_library library = strstr(name, "ECS") == NULL ? GROK_LEGACY : GROK_ECS_V1;
    struct grok_dict *dict = grok_dict_new(NULL);
    grok_dict_lookup(dict, lookup, &library);
    struct grok_error error;
    int64_t start = clock_mono_ns();
    struct grok_set *set = grok_set_new(patterns, n, dict, options, &error);
    if (set == NULL) fprintf(stderr, "%s\n", error.text);
    ASSERT(set != NULL);
    int64_t built = clock_mono_ns() - start;
    struct grok_scratch *scratch = grok_scratch_new(set);
    double best = 1e9;
    uint64_t matched = 0, bytes = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct grok_result result;
        matched = bytes = 0;
        start = clock_mono_ns();
        for (uint32_t i = 0; i < n_lines; i++) {
            if (grok_match(set, scratch, lines[i], 0, &result) != GROK_MATCH) continue;
            matched++;
            for (uint32_t k = 0; k < result.n; k++) bytes += result.values[k].n;
        }
        double ns = (double)(clock_mono_ns() - start) / n_lines;
        if (ns < best) best = ns;
    }
    printf("%-44s %8.1f ns/line  %6.2f %% match  %5.1f bytes  build %.2f ms\n", name, best,
           100.0 * (double)matched / n_lines, (double)bytes / n_lines, (double)built / 1e6);
    grok_scratch_free(scratch);
    grok_set_free(set);
    grok_dict_free(dict);
}

static void measure_many(uint32_t n, bool last)
{
    struct buf *texts = calloc(n, sizeof(*texts));
    slice *list = calloc(n, sizeof(*list));
    ASSERT(texts != NULL);
    ASSERT(list != NULL);
    for (uint32_t i = 0; i < n; i++) {
        buf_printf(&texts[i],
                   "%%{SYSLOGTIMESTAMP:ts} %%{NOTSPACE:host} app%u\\[%%{POSINT:pid}\\]: "
                   "%%{WORD:action} user=%%{USER:user} from %%{IP:ip}",
                   i);
        list[i] = buf_slice(&texts[i]);
    }
    if (last)
        list[n - 1] = SLICE("%{SYSLOGTIMESTAMP:ts} %{NOTSPACE:host} kernel: \\[%{NUMBER:up}\\] "
                            "%{WORD:action} IN=%{WORD:in} OUT= SRC=%{IP:src} DST=%{IP:dst}");
    char name[80];
    snprintf(name, sizeof(name), "%u patterns, %s matches", n, last ? "the last" : "none");
    measure(name, list, n, NULL);
    for (uint32_t i = 0; i < n; i++) buf_fini(&texts[i]);
    free(texts);
    free(list);
}

int main(int argc, char **argv)
{
    if (argc > 1) n_lines = (uint32_t)strtoul(argv[1], NULL, 10);
    if (argc > 2) only = argv[2];
    if (n_lines == 0 || n_lines > LINES_MAX) n_lines = LINES_MAX;
    slice combined = SLICE("%{COMBINEDAPACHELOG}"), anchored = SLICE("^%{COMBINEDAPACHELOG}$");
    slice syslog = SLICE("%{SYSLOGBASE} %{GREEDYDATA:message}");
    struct grok_options plain = {.no_program = true};
    make_lines(apache);
    measure("COMBINEDAPACHELOG", &combined, 1, NULL);
    measure("COMBINEDAPACHELOG, PCRE2 only", &combined, 1, &plain);
    measure("ECS COMBINEDAPACHELOG", &combined, 1, NULL);
    measure("ECS COMBINEDAPACHELOG, PCRE2 only", &combined, 1, &plain);
    measure("^COMBINEDAPACHELOG$", &anchored, 1, NULL);
    measure("SYSLOGBASE on access lines (no match)", &syslog, 1, NULL);
    free_lines();
    make_lines(firewall);
    measure("SYSLOGBASE GREEDYDATA", &syslog, 1, NULL);
    measure("SYSLOGBASE GREEDYDATA, PCRE2 only", &syslog, 1, &plain);
    measure("COMBINEDAPACHELOG on syslog lines (no match)", &combined, 1, NULL);
    for (uint32_t n = 10; n <= 250; n *= 5) {
        measure_many(n, true);
        measure_many(n, false);
    }
    free_lines();
    return 0;
}
