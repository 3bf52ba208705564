/*
 * csv.c - ns a field of reading CSV rows and of dissecting text.
 *
 * Prints one line a case: the best of several rounds over 4096 lines.
 */
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "parsers/text/csv.h"
#include "parsers/text/dissect.h"

#define LINES 4096u
#define ROUNDS 200

static struct buf texts;
static slice line_at[LINES];

/* Each # becomes a number. */
static void lines_make(const char *format)
{
    static uint32_t begin[LINES + 1];
    texts.n = 0;
    for (uint32_t i = 0; i < LINES; i++) {
        begin[i] = (uint32_t)texts.n;
        for (const char *p = format; *p != '\0'; p++) {
            if (*p == '#')
                buf_printf(&texts, "%u", i * 7919u % 100000u);
            else
                buf_add_byte(&texts, *p);
        }
    }
    begin[LINES] = (uint32_t)texts.n;
    for (uint32_t i = 0; i < LINES; i++)
        line_at[i] = slice_make(texts.data + begin[i], begin[i + 1] - begin[i]);
}

static void report(const char *name, int64_t best_ns, uint64_t fields, uint64_t sum)
{
    printf("%-44s %7.1f ns/line %6.1f ns/field   (%llx)\n", name, (double)best_ns / LINES,
           (double)best_ns / (double)fields, (unsigned long long)sum);
}

static void bench_csv(const char *name, const char *format)
{
    struct csv_format csv;
    struct csv_row row = {0};
    struct page_pool pool;
    struct arena arena;
    int64_t best_ns = INT64_MAX;
    uint64_t fields = 0, sum = 0;
    err e = csv_format_init(&csv, SLICE(","), SLICE("\""));
    ASSERT(e == ERR_OK);
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    lines_make(format);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = clock_mono_ns();
        fields = 0;
        for (uint32_t i = 0; i < LINES; i++) {
            ASSERT(csv_row_read(&csv, line_at[i], &arena, &row) == CSV_ROW);
            fields += row.n;
            sum += row.at[row.n - 1].text.n;
        }
        int64_t took_ns = clock_mono_ns() - begin_ns;
        if (took_ns < best_ns) best_ns = took_ns;
        arena_reset(&arena);
    }
    report(name, best_ns, fields, sum);
    csv_row_fini(&row);
    arena_fini(&arena);
    page_pool_fini(&pool);
}

static void bench_dissect(const char *name, const char *mapping, const char *format)
{
    struct dissect d;
    slice value[DISSECT_FIELDS_MAX + 1];
    int64_t best_ns = INT64_MAX;
    uint64_t sum = 0;
    ASSERT(dissect_compile(&d, slice_from_cstr(mapping)) == NULL);
    lines_make(format);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = clock_mono_ns();
        for (uint32_t i = 0; i < LINES; i++) {
            ASSERT(dissect_run(&d, line_at[i], value));
            sum += value[d.n - 1].n;
        }
        int64_t took_ns = clock_mono_ns() - begin_ns;
        if (took_ns < best_ns) best_ns = took_ns;
    }
    report(name, best_ns, (uint64_t)d.n * LINES, sum);
    dissect_fini(&d);
}

int main(void)
{
    bench_csv("csv, 10 plain fields", "2024-03-05,web-#,GET,/index.html,200,#,eu-west,1.5,yes,end");
    bench_csv("csv, quoted fields", "#,\"a, b\",\"say \"\"hi\"\" to\",\"plain\",#,\"end\"");
    bench_dissect("dissect, syslog", "<%{pri}>%{+ts} %{+ts} %{+ts} %{host} %{prog}[%{pid}]: %{msg}",
                  "<13>Mar 5 06:07:08 web-# app[#]: it works: yes");
    bench_dissect("dissect, combined log",
                  "%{ip} %{} %{user} [%{ts}] \"%{verb} %{path} %{proto}\" %{code} %{bytes}",
                  "10.0.0.1 - ann# [05/Mar/2024:06:07:08 +0000] \"GET /x?y=z HTTP/1.1\" 200 #");
    buf_fini(&texts);
    return 0;
}
