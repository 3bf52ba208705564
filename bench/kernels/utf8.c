/* utf8.c - is a stretch of text UTF-8: plain ASCII, a word in ten with accents, all Cyrillic. */
#include "bench/harness/harness.h"
#include "bench/harness/lines.h"
#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "parsers/scan/utf8_scan.h"

static struct lines lines;

static uint64_t stream(void *opaque)
{
    (void)opaque;
    return utf8_scan_valid(buf_slice(&lines.text));
}

static uint64_t each_line(void *opaque)
{
    uint64_t n = 0;
    (void)opaque;
    for (uint32_t i = 0; i < lines.n; i++) n += utf8_scan_valid(lines.line[i]);
    return n;
}

static uint64_t length(void *opaque)
{
    uint64_t n = 0;
    (void)opaque;
    for (uint32_t i = 0; i < lines.n; i++) n += utf8_length(lines.line[i]);
    return n;
}

static void line_accents(struct prng *r, struct buf *out)
{
    line_json(r,
              "commande pay\xc3\xa9"
              "e \xe2\x82\xac",
              out);
}

static void line_cyrillic(struct prng *r, struct buf *out)
{
    static const char *const words[] = {"ошибка", "соединение", "пользователь", "время", "ответ"};
    for (int i = 0; i < 12; i++) buf_printf(out, "%s ", words[prng_below(r, 5)]);
}

static void measure(const char *names[3], void (*write)(struct prng *, struct buf *))
{
    lines_make(&lines, 2048, write);
    struct bench_case c = {.events = lines.n, .bytes = lines.text.n, .simd = true};
    c.name = names[0], c.body = stream;
    bench_run(&c);
    c.name = names[1], c.body = each_line;
    bench_run(&c);
    c.name = names[2], c.body = length, c.simd = false;
    bench_run(&c);
    lines_fini(&lines);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "utf8");
    measure((const char *[]){"stream, ASCII", "each line, ASCII", "length, ASCII"}, line_rfc3164);
    measure((const char *[]){"stream, accents", "each line, accents", "length, accents"},
            line_accents);
    measure((const char *[]){"stream, Cyrillic", "each line, Cyrillic", "length, Cyrillic"},
            line_cyrillic);
    return bench_end();
}
