/* corpus.c - lines in memory, numbered and stamped in place. */
#include "tools/loadgen/corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "tools/loadgen/workload.h"

/* "0000" to "9999", so that twelve digits are three stores. */
static char four_digits[10000][4];

static void four_digits_init(void)
{
    for (uint32_t i = 0; i < 10000; i++) {
        four_digits[i][0] = (char)('0' + i / 1000);
        four_digits[i][1] = (char)('0' + i / 100 % 10);
        four_digits[i][2] = (char)('0' + i / 10 % 10);
        four_digits[i][3] = (char)('0' + i % 10);
    }
}

static void number_write(uint64_t number, char *out)
{
    memcpy(out, four_digits[number / 100000000 % 10000], 4);
    memcpy(out + 4, four_digits[number / 10000 % 10000], 4);
    memcpy(out + 8, four_digits[number % 10000], 4);
}

static void time_write(int64_t ns, char *out)
{
    for (uint32_t i = SENT_DIGITS; i-- > 0; ns /= 10) out[i] = (char)('0' + ns % 10);
}

/* Pads with dots, or cuts, but never into the marker: it is moved to the front of what is cut. */
static void line_pad(struct buf *line, uint32_t bytes, struct workload_line *marks)
{
    while (line->n < bytes) buf_add_byte(line, '.');
    if (marks->number_at != SIZE_MAX && marks->number_at + MARKER_DIGITS > bytes) {
        marks->number_at = bytes - MARKER_DIGITS;
        memcpy(line->data + marks->number_at - 4, "seq=", 4);
    }
    line->n = bytes;
}

static void line_add(struct corpus *c, const struct options *opt, struct buf *line,
                     struct workload_line *marks)
{
    struct corpus_line *to = &c->lines[c->lines_n++];
    char prefix[16] = "";
    if (opt->pad_bytes > 0) line_pad(line, opt->pad_bytes, marks);
    if (opt->octet_counted) snprintf(prefix, sizeof(prefix), "%zu ", line->n);
    /* Places are 32 bits wide; a corpus has no business beyond that. */
    ASSERT(c->text.n + line->n < UINT32_MAX - sizeof(prefix));
    to->at = (uint32_t)c->text.n;
    buf_add_cstr(&c->text, prefix);
    to->number_at =
        marks->number_at == SIZE_MAX ? CORPUS_NONE : (uint32_t)(c->text.n + marks->number_at);
    to->sent_at = marks->sent_at == SIZE_MAX ? CORPUS_NONE : (uint32_t)(c->text.n + marks->sent_at);
    to->stamp_at =
        marks->stamp_at == SIZE_MAX ? CORPUS_NONE : (uint32_t)(c->text.n + marks->stamp_at);
    buf_add(&c->text, line->data, line->n);
    if (!opt->udp && !opt->octet_counted) buf_add_byte(&c->text, '\n');
    to->bytes = (uint32_t)c->text.n - to->at;
}

static void lines_make(struct corpus *c, const struct options *opt)
{
    struct buf line = {0};
    struct prng random;
    uint32_t wanted = (opt->marker ? MARK_NUMBER : 0) | (opt->latency ? MARK_SENT : 0);
    prng_seed(&random, opt->seed);
    for (uint32_t i = 0; i < opt->corpus_lines; i++) {
        struct workload_line marks;
        line.n = 0;
        workload_line(opt->workload, &random, wanted, &line, &marks);
        line_add(c, opt, &line, &marks);
    }
    buf_fini(&line);
}

static void lines_read(struct corpus *c, const struct options *opt)
{
    FILE *file = fopen(opt->file, "rb");
    char *text = NULL;
    size_t cap = 0;
    ssize_t n;
    if (file == NULL) {
        perror(opt->file);
        exit(1);
    }
    while (c->lines_n < opt->corpus_lines && (n = getline(&text, &cap, file)) > 0) {
        struct workload_line marks = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
        struct buf line = {0};
        if (text[n - 1] == '\n') n--;
        buf_add(&line, text, (size_t)n);
        line_add(c, opt, &line, &marks);
        buf_fini(&line);
    }
    free(text);
    fclose(file);
    if (c->lines_n == 0) {
        fprintf(stderr, "loadgen: %s has no lines\n", opt->file);
        exit(1);
    }
}

/* The fewest whole lines that reach bytes_min make a run. */
static void runs_cut(struct corpus *c, uint32_t bytes_min, uint32_t n_exact)
{
    for (uint32_t i = 0; i < c->lines_n;) {
        struct corpus_run run = {.line = i, .at = c->lines[i].at};
        do {
            run.bytes += c->lines[i++].bytes;
            run.n++;
        } while (i < c->lines_n && (n_exact > 0 ? run.n < n_exact : run.bytes < bytes_min));
        /* A remainder shorter than a segment train would need another segment count. */
        if (n_exact > 0 && run.n < n_exact) break;
        c->runs[c->runs_n++] = run;
    }
}

void corpus_init(struct corpus *c, const struct options *opt)
{
    memset(c, 0, sizeof(*c));
    four_digits_init();
    c->lines = calloc(opt->corpus_lines, sizeof(c->lines[0]));
    c->runs = calloc(opt->corpus_lines, sizeof(c->runs[0]));
    ASSERT(c->lines != NULL && c->runs != NULL);
    if (opt->workload == WORKLOAD_FILE) {
        lines_read(c, opt);
    } else {
        lines_make(c, opt);
        c->stamp_format = workload_stamp_format(opt->workload);
    }
    runs_cut(c, opt->udp ? 0 : opt->write_bytes, opt->lumberjack ? opt->window : opt->gso);
    ASSERT(c->runs_n > 0);
}

void corpus_fini(struct corpus *c)
{
    buf_fini(&c->text);
    free(c->lines);
    free(c->runs);
}

static void stamp_make(struct corpus *c, int64_t now_sec)
{
    struct tm tm;
    time_t when = (time_t)now_sec;
    gmtime_r(&when, &tm);
    /* The format is one of workload.c's literals. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    c->stamp_bytes = (uint32_t)strftime(c->stamp, sizeof(c->stamp), c->stamp_format, &tm);
#pragma GCC diagnostic pop
    c->stamp_sec = now_sec;
}

static void run_stamp(struct corpus *c, struct corpus_run *run, int64_t now_sec)
{
    if (c->stamp_sec != now_sec) stamp_make(c, now_sec);
    for (uint32_t i = run->line; i < run->line + run->n; i++)
        memcpy(c->text.data + c->lines[i].stamp_at, c->stamp, c->stamp_bytes);
    run->stamp_sec = now_sec;
}

struct corpus_run corpus_take(struct corpus *c, uint64_t first, int64_t now_sec, uint64_t n_max)
{
    struct corpus_run *run = &c->runs[c->next_run], part;
    if (++c->next_run == c->runs_n) c->next_run = 0;
    if (c->stamp_format != NULL && run->stamp_sec != now_sec) run_stamp(c, run, now_sec);
    part = *run;
    while (part.n > n_max) part.bytes -= c->lines[part.line + --part.n].bytes;
    int64_t sent_ns = c->lines[part.line].sent_at == CORPUS_NONE ? 0 : clock_mono_ns();
    for (uint32_t i = 0; i < part.n; i++) {
        const struct corpus_line *line = &c->lines[part.line + i];
        if (line->number_at != CORPUS_NONE) number_write(first + i, c->text.data + line->number_at);
        if (line->sent_at != CORPUS_NONE) time_write(sent_ns, c->text.data + line->sent_at);
    }
    return part;
}
