/*
 * line_frame_test.c - the same lines whatever the cuts, and the bounds.
 */
#include "parsers/frame/line_frame.h"

#include <stdlib.h>

#include "engine/base/prng.h"
#include "parsers/frame/syslog_frame.h"
#include "tests/unit/t.h"

/* Feeds a piece from memory of its exact size and appends "text|raw size|cut;" per line. */
static void feed(struct line_frame *f, slice piece, struct buf *out)
{
    char *copy = malloc(piece.n + (piece.n == 0));
    assert_non_null(copy);
    if (piece.n > 0) memcpy(copy, piece.p, piece.n);
    line_frame_feed(f, slice_make(copy, piece.n));
    struct line line;
    while (line_frame_next(f, &line))
        buf_printf(out, "%.*s|%u|%d;", SLICE_FMT(line.text), line.raw.n, line.cut);
    free(copy);
}

static void flush(struct line_frame *f, struct buf *out)
{
    struct line line;
    if (line_frame_flush(f, &line))
        buf_printf(out, "rest %.*s|%u|%d;", SLICE_FMT(line.text), line.raw.n, line.cut);
    assert_false(line_frame_flush(f, &line));
}

/* The lines of a text by the plainest code there is. */
static void reference(slice text, slice delimiter, uint32_t max, struct buf *out)
{
    for (;;) {
        int64_t at = slice_find(text, delimiter);
        uint32_t n = at < 0 ? text.n : (uint32_t)at;
        if (at < 0 && n == 0) return;
        bool cut = n > max;
        buf_printf(out, "%s%.*s|%u|%d;", at < 0 ? "rest " : "", cut ? (int)max : (int)n, text.p,
                   cut ? max : n + (at < 0 ? 0 : delimiter.n), cut);
        if (at < 0) return;
        text = slice_from(text, n + delimiter.n);
    }
}

static void check_pieces(slice text, slice delimiter, uint32_t max, const uint32_t *cuts,
                         uint32_t cut_n)
{
    struct buf want = {0};
    struct buf got = {0};
    reference(text, delimiter, max, &want);
    struct line_frame f;
    assert_int_equal(line_frame_init(&f, delimiter, max), ERR_OK);
    uint32_t at = 0;
    for (uint32_t i = 0; i < cut_n; i++) {
        feed(&f, slice_part(text, at, cuts[i] - at), &got);
        at = cuts[i];
    }
    feed(&f, slice_from(text, at), &got);
    flush(&f, &got);
    assert_slice_equal(buf_slice(&got), buf_slice(&want));
    line_frame_fini(&f);
    buf_fini(&want);
    buf_fini(&got);
}

static void every_two_cuts(void **state)
{
    (void)state;
    static const struct {
        slice text, delimiter;
        uint32_t max;
    } cases[] = {
        {{"a\nbc\n\ndef\r\nx", 12}, {"\n", 1}, 100},
        {{"one\r\ntwo\r\r\nthree\n\r\n", 19}, {"\r\n", 2}, 100},
        {{"aabaaabaaaab", 12}, {"aab", 3}, 100},
        {{"aaaaaaa", 7}, {"aa", 2}, 100},
        {{"abcdefgh\nij\nklmnopq\n", 20}, {"\n", 1}, 4},
        {{"abcdefgh--ij--klmnop-q--rstu", 28}, {"--", 2}, 4},
        {{"abababcababd", 12}, {"ababd", 5}, 3},
        {{"", 0}, {"\n", 1}, 4},
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
        for (uint32_t i = 0; i <= cases[k].text.n; i++)
            for (uint32_t j = i; j <= cases[k].text.n; j++)
                check_pieces(cases[k].text, cases[k].delimiter, cases[k].max, (uint32_t[]){i, j},
                             2);
}

static void random_cuts(void **state)
{
    (void)state;
    static const char *const delimiters[] = {"\n", "ab", "aba", "aabb"};
    struct prng r;
    prng_seed(&r, 3);
    for (int i = 0; i < 3000; i++) {
        char text[200];
        uint32_t n = (uint32_t)prng_below(&r, sizeof(text));
        for (uint32_t k = 0; k < n; k++) text[k] = "ab\nx"[prng_below(&r, 4)];
        uint32_t cuts[8];
        uint32_t at = 0;
        for (int k = 0; k < 8; k++) cuts[k] = at += (uint32_t)prng_below(&r, (n - at) / 2 + 1);
        check_pieces(slice_make(text, n), slice_from_cstr(delimiters[i % 4]),
                     1 + (uint32_t)prng_below(&r, 30), cuts, 8);
    }
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct line_frame f;
    assert_int_equal(line_frame_init(&f, SLICE("\n"), 1000), ERR_OK);
    static char block[4096];
    memset(block, 'x', sizeof(block));
    struct line line;
    for (int i = 0; i < 1000; i++) {
        line_frame_feed(&f, slice_make(block, sizeof(block)));
        assert_false(line_frame_next(&f, &line));
        assert_true(line_frame_held(&f) < 4000);
    }
    line_frame_feed(&f, SLICE("\n"));
    assert_true(line_frame_next(&f, &line));
    assert_true(line.cut && line.text.n == 1000);
    assert_int_equal(f.cuts, 1);
    assert_false(line_frame_next(&f, &line));
    line_frame_fini(&f);
    assert_int_equal(line_frame_init(&f, SLICE(""), 0), ERR_LIMIT);
}

/* ---- syslog framing ---- */

static int frames(slice text, uint32_t cut, uint32_t max, struct buf *out, const char **reason)
{
    struct syslog_frame f;
    syslog_frame_init(&f, max);
    slice pieces[] = {slice_part(text, 0, cut), slice_from(text, cut)};
    int r = 0;
    struct line line;
    for (int i = 0; i < 2 && r >= 0; i++) {
        char *copy = malloc(pieces[i].n + (pieces[i].n == 0));
        assert_non_null(copy);
        memcpy(copy, pieces[i].p, pieces[i].n);
        syslog_frame_feed(&f, slice_make(copy, pieces[i].n));
        while ((r = syslog_frame_next(&f, &line)) == 1)
            buf_printf(out, "%.*s;", SLICE_FMT(line.text));
        free(copy);
    }
    *reason = f.reason;
    if (r == 0 && syslog_frame_flush(&f, &line))
        buf_printf(out, "rest %.*s;", SLICE_FMT(line.text));
    if (r < 0) assert_int_equal(syslog_frame_next(&f, &line), r);
    syslog_frame_fini(&f);
    return r;
}

static void syslog_framings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
        int result;
    } cases[] = {
        {"<13>a\n<14>b\n\nc", "<13>a;<14>b;;rest c;", 0},
        {"5 <1>ab3 <2>11 hello world", "<1>ab;<2>;hello world;", 0},
        {"5 <1>ab\n3 <2>\r\n4 <3>", "<1>ab;<2>;rest <3>;", 0},
        {"5 <1>\nb", "<1>\nb;", 0},
        {"0 x", "rest 0 x;", 0},
        {"3 <1>0 x", "<1>;", ERR_FRAME},
        {"3x<1>", "", ERR_FRAME},
        {"3 <1><2>x", "<1>;", ERR_FRAME},
        {"1234567890 x", "", ERR_FRAME},
        {"101 x", "", ERR_LIMIT},
        {"12", "", 0},
        {"", "", 0},
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        slice text = slice_from_cstr(cases[k].text);
        for (uint32_t cut = 0; cut <= text.n; cut++) {
            struct buf got = {0};
            const char *reason;
            int r = frames(text, cut, 100, &got, &reason);
            const char *want = cases[k].want;
            if (r != cases[k].result) fail_msg("%s cut %u: %d", cases[k].text, cut, r);
            assert_slice_equal(buf_slice(&got), slice_from_cstr(want));
            if (r < 0) assert_non_null(reason);
            buf_fini(&got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_two_cuts),
        cmocka_unit_test(random_cuts),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(syslog_framings),
    };
    return T_RUN(tests);
}
