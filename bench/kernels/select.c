/* select.c - which of many patterns can match a line at all, by the literals they need. */
#include <stdio.h>

#include "bench/harness/harness.h"
#include "bench/harness/lines.h"
#include "engine/base/assert.h"
#include "parsers/grok/regex.h"
#include "parsers/grok/select.h"

#define PATTERNS_MAX 200u
#define LINES 2000u

static struct lines lines;

struct selection {
    struct selector *selector;
    struct selector_scratch *scratch;
};

static uint64_t select_all(void *opaque)
{
    struct selection *s = opaque;
    uint64_t candidates[PATTERNS_MAX / 64 + 1], n = 0;
    for (uint32_t i = 0; i < lines.n; i++) {
        select_run(s->selector, s->scratch, lines.line[i], ENCODING_ASCII, candidates);
        n += (uint64_t)__builtin_popcountll(candidates[0]);
    }
    return n;
}

/* Pattern i needs the text "app<i>["; `one` of them "kernel: ", which every line has. */
static void measure(const char *name, uint32_t n, bool one)
{
    struct regex *list[PATTERNS_MAX];
    struct grok_error error;
    if (!bench_wanted(name)) return;
    for (uint32_t i = 0; i < n; i++) {
        struct buf text = {0};
        buf_printf(&text, one && i == n - 1 ? "\\w+ kernel: \\[\\d+" : "\\w+ app%u\\[\\d+\\]: .*",
                   i);
        list[i] = regex_new(buf_slice(&text), 0, &error);
        ASSERT(list[i] != NULL);
        buf_fini(&text);
    }
    struct selection s = {.selector = select_new(list, n, NULL)};
    s.scratch = select_scratch_new(s.selector);
    bench_run(&(struct bench_case){
        .name = name, .body = select_all, .opaque = &s, .events = lines.n, .bytes = lines.text.n});
    select_scratch_free(s.scratch);
    select_free(s.selector);
    for (uint32_t i = 0; i < n; i++) regex_free(list[i]);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "select");
    lines_make(&lines, LINES, line_firewall);
    measure("10 literals, one found", 10, true);
    measure("50 literals, one found", 50, true);
    measure("50 literals, none found", 50, false);
    measure("200 literals, none found", 200, false);
    lines_fini(&lines);
    return bench_end();
}
