/* grok_report.c - explains a set and times it on sample lines. */
#include "engine/plan/grok_report.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

/* What lines cost whose winner was this pattern. */
struct share {
    uint64_t lines;
    int64_t ns;
};

struct trial {
    struct share *share; /* per pattern, and one more for lines that none matched */
    struct share all;
    uint64_t limited; /* lines on which some search gave up */
};

static bool next_line(slice *rest, slice *line)
{
    if (rest->n == 0) return false;
    int64_t end = slice_find_byte(*rest, '\n');
    *line = end < 0 ? *rest : slice_part(*rest, 0, (uint32_t)end);
    *rest = end < 0 ? SLICE_NONE : slice_from(*rest, (uint32_t)end + 1);
    return true;
}

/* Two rounds: what is made at first use (tables, JIT variants) is not to be measured. */
static void try_lines(const struct grok_set *set, slice sample, struct trial *trial)
{
    struct grok_scratch *scratch = grok_scratch_new(set);
    uint32_t n = grok_set_size(set);
    for (int round = 0; round < 2; round++) {
        slice rest = sample, line;
        while (next_line(&rest, &line)) {
            struct grok_result result = {0};
            int64_t begin = clock_mono_ns();
            enum grok_status status = grok_match(set, scratch, line, 0, &result);
            int64_t ns = clock_mono_ns() - begin;
            if (round == 0) continue;
            struct share *share = &trial->share[status == GROK_MATCH ? result.winner : n];
            share->lines++;
            share->ns += ns;
            trial->all.lines++;
            trial->all.ns += ns;
            trial->limited += status == GROK_LIMIT || result.limited > 0;
        }
    }
    grok_scratch_free(scratch);
}

static void add_share(const struct share *share, const struct share *all, struct buf *out)
{
    double percent = all->ns == 0 ? 0 : 100.0 * (double)share->ns / (double)all->ns;
    double mean = share->lines == 0 ? 0 : (double)share->ns / (double)share->lines;
    buf_printf(out, "  %10llu %7.1f%% %10.0f  ", (unsigned long long)share->lines, percent, mean);
}

static void add_trial(const struct grok_set *set, slice sample, struct buf *out)
{
    uint32_t n = grok_set_size(set);
    struct trial trial = {.share = calloc(n + 1, sizeof(*trial.share))};
    ASSERT(trial.share != NULL);
    try_lines(set, sample, &trial);
    buf_printf(out, "sample:\n  %10s %8s %10s\n", "lines", "time", "ns/line");
    for (uint32_t i = 0; i < n; i++) {
        add_share(&trial.share[i], &trial.all, out);
        buf_printf(out, "pattern %u\n", i);
    }
    add_share(&trial.share[n], &trial.all, out);
    buf_add_cstr(out, "no match\n");
    add_share(&trial.all, &trial.all, out);
    buf_add_cstr(out, "all\n");
    if (trial.limited > 0)
        buf_printf(out, "  a search gave up on %llu lines: _groktimeout\n",
                   (unsigned long long)trial.limited);
    free(trial.share);
}

void grok_report(const struct grok_set *set, const slice *patterns, slice sample, struct buf *out)
{
    for (uint32_t i = 0; i < grok_set_size(set); i++)
        buf_printf(out, "pattern %u: %.*s\n", i, SLICE_FMT(patterns[i]));
    grok_set_explain(set, out);
    if (sample.n > 0) add_trial(set, sample, out);
}
