/*
 * grok.c - lines through grok sets: one pattern by program and by PCRE2, and many patterns of which
 * the last or none matches. The library is the legacy one where the name does not say ECS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/harness/harness.h"
#include "bench/harness/lines.h"
#include "engine/base/assert.h"
#include "parsers/grok/grok.h"
#include "parsers/grok/patterns.h"

#define LINES 2000u
#define PATTERNS_MAX 200u

static struct lines lines;

struct matching {
    struct grok_set *set;
    struct grok_scratch *scratch;
};

static bool lookup(void *library, slice name, slice *pattern)
{
    const char *text = grok_pattern_find(*(const enum grok_library *)library, name);
    *pattern = slice_from_cstr(text);
    return text != NULL;
}

static uint64_t match_all(void *opaque)
{
    struct matching *m = opaque;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < lines.n; i++) {
        struct grok_result result;
        if (grok_match(m->set, m->scratch, lines.line[i], 0, &result) != GROK_MATCH) continue;
        for (uint32_t k = 0; k < result.n; k++) bytes += result.values[k].n;
    }
    return bytes;
}

static void measure(const char *name, const slice *patterns, uint32_t n,
                    const struct grok_options *options)
{
    enum grok_library library = strstr(name, "ECS") == NULL ? GROK_LEGACY : GROK_ECS_V1;
    struct grok_error error;
    if (!bench_wanted(name)) return;
    struct grok_dict *dict = grok_dict_new(NULL);
    grok_dict_lookup(dict, lookup, &library);
    struct matching m = {.set = grok_set_new(patterns, n, dict, options, &error)};
    if (m.set == NULL) fprintf(stderr, "%s\n", error.text);
    ASSERT(m.set != NULL);
    m.scratch = grok_scratch_new(m.set);
    bench_run(&(struct bench_case){
        .name = name, .body = match_all, .opaque = &m, .events = lines.n, .bytes = lines.text.n});
    grok_scratch_free(m.scratch);
    grok_set_free(m.set);
    grok_dict_free(dict);
}

static void measure_many(uint32_t n, bool last)
{
    static struct buf texts[PATTERNS_MAX];
    slice list[PATTERNS_MAX];
    char name[80];
    for (uint32_t i = 0; i < n; i++) {
        texts[i].n = 0;
        buf_printf(&texts[i],
                   "%%{SYSLOGTIMESTAMP:ts} %%{NOTSPACE:host} app%u\\[%%{POSINT:pid}\\]: "
                   "%%{WORD:action} user=%%{USER:user} from %%{IP:ip}",
                   i);
        list[i] = buf_slice(&texts[i]);
    }
    if (last)
        list[n - 1] = SLICE("%{SYSLOGTIMESTAMP:ts} %{NOTSPACE:host} kernel: \\[%{NUMBER:up}\\] "
                            "%{WORD:action} IN=%{WORD:in} OUT= SRC=%{IP:src} DST=%{IP:dst}");
    snprintf(name, sizeof(name), "%u patterns, %s matches", n, last ? "the last" : "none");
    measure(name, list, n, NULL);
    for (uint32_t i = 0; i < n; i++) buf_fini(&texts[i]);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "grok");
    slice combined = SLICE("%{COMBINEDAPACHELOG}"), anchored = SLICE("^%{COMBINEDAPACHELOG}$");
    slice syslog = SLICE("%{SYSLOGBASE} %{GREEDYDATA:message}");
    struct grok_options plain = {.no_program = true};
    lines_make(&lines, LINES, line_access);
    measure("COMBINEDAPACHELOG", &combined, 1, NULL);
    measure("COMBINEDAPACHELOG, PCRE2 alone", &combined, 1, &plain);
    measure("ECS COMBINEDAPACHELOG", &combined, 1, NULL);
    measure("ECS COMBINEDAPACHELOG, PCRE2 alone", &combined, 1, &plain);
    measure("^COMBINEDAPACHELOG$", &anchored, 1, NULL);
    measure("SYSLOGBASE on access lines, no match", &syslog, 1, NULL);
    lines_fini(&lines);
    lines_make(&lines, LINES, line_firewall);
    measure("SYSLOGBASE GREEDYDATA", &syslog, 1, NULL);
    measure("SYSLOGBASE GREEDYDATA, PCRE2 alone", &syslog, 1, &plain);
    measure("COMBINEDAPACHELOG on syslog lines, no match", &combined, 1, NULL);
    static const uint32_t many[] = {10, 50, PATTERNS_MAX};
    for (uint32_t i = 0; i < 3; i++) {
        measure_many(many[i], true);
        measure_many(many[i], false);
    }
    lines_fini(&lines);
    return bench_end();
}
