/* csv.c - CSV rows read and text dissected, 4096 lines a round. */
#include "bench/harness/harness.h"
#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "parsers/text/csv.h"
#include "parsers/text/dissect.h"

#define LINES 4096u

static struct buf texts;
static slice line_at[LINES];

struct reading {
    struct csv_format csv;
    struct csv_row row;
    struct page_pool pool;
    struct arena arena;
};

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

static void run(const char *name, uint64_t (*body)(void *), void (*prepare)(void *), void *opaque)
{
    bench_run(&(struct bench_case){.name = name,
                                   .body = body,
                                   .prepare = prepare,
                                   .opaque = opaque,
                                   .events = LINES,
                                   .bytes = texts.n});
}

static uint64_t read_rows(void *opaque)
{
    struct reading *r = opaque;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < LINES; i++) {
        ASSERT(csv_row_read(&r->csv, line_at[i], &r->arena, &r->row) == CSV_ROW);
        sum += r->row.at[r->row.n - 1].text.n;
    }
    return sum;
}

static void arena_clear(void *opaque)
{
    struct reading *r = opaque;
    arena_reset(&r->arena);
}

static void bench_csv(const char *name, const char *format)
{
    struct reading r = {0};
    err e = csv_format_init(&r.csv, SLICE(","), SLICE("\""));
    ASSERT(e == ERR_OK);
    page_pool_init(&r.pool, SIZE_MAX);
    arena_init(&r.arena, &r.pool);
    lines_make(format);
    run(name, read_rows, arena_clear, &r);
    csv_row_fini(&r.row);
    arena_fini(&r.arena);
    page_pool_fini(&r.pool);
}

static uint64_t dissect_all(void *opaque)
{
    const struct dissect *d = opaque;
    slice value[DISSECT_FIELDS_MAX + 1];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < LINES; i++) {
        ASSERT(dissect_run(d, line_at[i], value));
        sum += value[d->n - 1].n;
    }
    return sum;
}

static void bench_dissect(const char *name, const char *mapping, const char *format)
{
    struct dissect d;
    ASSERT(dissect_compile(&d, slice_from_cstr(mapping)) == NULL);
    lines_make(format);
    run(name, dissect_all, NULL, &d);
    dissect_fini(&d);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "csv");
    bench_csv("csv, 10 plain fields", "2024-03-05,web-#,GET,/index.html,200,#,eu-west,1.5,yes,end");
    bench_csv("csv, 6 fields, quoted ones", "#,\"a, b\",\"say \"\"hi\"\" to\",\"plain\",#,\"end\"");
    bench_dissect("dissect, syslog", "<%{pri}>%{+ts} %{+ts} %{+ts} %{host} %{prog}[%{pid}]: %{msg}",
                  "<13>Mar 5 06:07:08 web-# app[#]: it works: yes");
    bench_dissect("dissect, combined log",
                  "%{ip} %{} %{user} [%{ts}] \"%{verb} %{path} %{proto}\" %{code} %{bytes}",
                  "10.0.0.1 - ann# [05/Mar/2024:06:07:08 +0000] \"GET /x?y=z HTTP/1.1\" 200 #");
    buf_fini(&texts);
    return bench_end();
}
