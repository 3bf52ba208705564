/*
 * fuzz_frame.c - line, syslog and gzip framing give the same whatever the cut; charsets decode.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "parsers/frame/gzip_stream.h"
#include "parsers/frame/syslog_frame.h"
#include "parsers/text/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void add_line(struct buf *out, const struct line *line)
{
    buf_add_slice(out, line->text);
    buf_printf(out, "|%u|%d;", line->raw.n, line->cut);
}

static void lines(slice text, uint32_t cut, slice delimiter, struct buf *out)
{
    struct line_frame f;
    struct line line;
    err e = line_frame_init(&f, delimiter, 40);
    ASSERT(e == ERR_OK);
    line_frame_feed(&f, slice_part(text, 0, cut));
    while (line_frame_next(&f, &line)) add_line(out, &line);
    line_frame_feed(&f, slice_from(text, cut));
    while (line_frame_next(&f, &line)) add_line(out, &line);
    if (line_frame_flush(&f, &line)) add_line(out, &line);
    line_frame_fini(&f);
}

static void syslog_frames(slice text, uint32_t cut, struct buf *out)
{
    struct syslog_frame f;
    struct line line;
    int r = 0;
    syslog_frame_init(&f, 1000);
    slice pieces[] = {slice_part(text, 0, cut), slice_from(text, cut)};
    for (int i = 0; i < 2 && r == 0; i++) {
        syslog_frame_feed(&f, pieces[i]);
        while ((r = syslog_frame_next(&f, &line)) == 1) add_line(out, &line);
    }
    if (r == 0 && syslog_frame_flush(&f, &line)) add_line(out, &line);
    buf_printf(out, "%d", r);
    syslog_frame_fini(&f);
}

static void gunzip(slice text, uint32_t cut, struct buf *out)
{
    struct gzip_stream *s = gzip_stream_new(GZIP_GZIP, 20000);
    slice pieces[] = {slice_part(text, 0, cut), slice_from(text, cut)};
    size_t before = out->n;
    int r = 0;
    for (int i = 0; i < 2 && r >= 0; i++) {
        do {
            char room[777];
            uint32_t made;
            r = gzip_stream_run(s, &pieces[i], room, sizeof(room), &made);
            buf_add(out, room, made);
        } while (r == GZIP_FULL);
    }
    /* How much of a damaged stream comes out before the error is seen may differ. */
    if (r < 0) out->n = before;
    buf_printf(out, "%d %d", r, gzip_stream_trailing(s));
    gzip_stream_free(s);
}

static void decode(slice text, slice name)
{
    struct page_pool pool;
    struct arena arena;
    const struct charset *charset;
    struct charset_decoder d;
    page_pool_init(&pool, 1 << 24);
    arena_init(&arena, &pool);
    err e = charset_find(name, &charset);
    if (e == ERR_OK) e = charset_decoder_init(&d, charset);
    ASSERT(e == ERR_OK);
    slice out = charset_decode(&d, text, &arena, NULL);
    ASSERT(utf8_valid(out));
    charset_decoder_fini(&d);
    arena_fini(&arena);
    page_pool_fini(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"UTF-8", "UTF-16LE",    "Shift_JIS", "CP1252",
                                        "UTF-7", "ISO-2022-JP", "GB18030",   "ASCII-8BIT"};
    static const char *const delimiters[] = {"\n", "\r\n", "aab"};
    if (n < 2) return 0;
    slice text = slice_make((const char *)data + 2, n - 2);
    uint32_t cut = text.n == 0 ? 0 : data[0] % text.n;
    slice delimiter = slice_from_cstr(delimiters[data[1] % 3]);
    struct buf whole = {0};
    struct buf split = {0};
    lines(text, 0, delimiter, &whole);
    lines(text, cut, delimiter, &split);
    syslog_frames(text, 0, &whole);
    syslog_frames(text, cut, &split);
    gunzip(text, 0, &whole);
    gunzip(text, cut, &split);
    ASSERT(slice_equal(buf_slice(&whole), buf_slice(&split)));
    buf_fini(&whole);
    buf_fini(&split);
    decode(text, slice_from_cstr(names[data[1] % 8]));
    return 0;
}
