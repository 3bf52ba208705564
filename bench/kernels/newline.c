/* newline.c - newlines found in a stream, and lines cut out of it as inputs do. */
#include "bench/harness/harness.h"
#include "bench/harness/lines.h"
#include "engine/base/assert.h"
#include "parsers/frame/line_frame.h"
#include "parsers/scan/newline.h"

#define READ_BYTES (64u * 1024)

static struct lines lines;

static uint64_t collect(void *opaque)
{
    static uint32_t at[4096 + NEWLINE_SLACK];
    slice text = buf_slice(&lines.text);
    uint64_t n = 0;
    (void)opaque;
    for (uint32_t from = 0; from < text.n;) n += newline_collect(text, from, at, 4096, &from);
    return n;
}

static uint64_t count(void *opaque)
{
    (void)opaque;
    return newline_count(buf_slice(&lines.text));
}

/* In pieces as a socket gives them, so that lines are carried over. */
static uint64_t frame(void *opaque)
{
    struct line_frame f;
    struct line line;
    uint64_t n = 0;
    (void)opaque;
    err e = line_frame_init(&f, SLICE("\n"), 0);
    ASSERT(e == ERR_OK);
    for (uint32_t at = 0; at < lines.text.n; at += READ_BYTES) {
        line_frame_feed(&f, slice_part(buf_slice(&lines.text), at, READ_BYTES));
        while (line_frame_next(&f, &line)) n += line.text.n;
    }
    line_frame_fini(&f);
    return n;
}

static void line_short(struct prng *r, struct buf *out)
{
    buf_printf(out, "web cart=%u", (uint32_t)prng_below(r, 1000));
}

static void measure(const char *names[3], void (*write)(struct prng *, struct buf *))
{
    lines_make(&lines, 4096, write);
    struct bench_case c = {.events = lines.n, .bytes = lines.text.n, .simd = true};
    c.name = names[0], c.body = collect;
    bench_run(&c);
    c.name = names[1], c.body = count;
    bench_run(&c);
    c.name = names[2], c.body = frame, c.simd = false;
    bench_run(&c);
    lines_fini(&lines);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "newline");
    measure((const char *[]){"collect, syslog lines", "count, syslog lines", "frame, syslog lines"},
            line_rfc3164);
    measure(
        (const char *[]){"collect, 12-byte lines", "count, 12-byte lines", "frame, 12-byte lines"},
        line_short);
    return bench_end();
}
