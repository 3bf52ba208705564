/*
 * lumberjack_test.c - frames at every split point, compressed and not, and every bound.
 */
#include "parsers/frame/lumberjack.h"

#include <stdlib.h>
#include <zlib.h>

#include "tests/unit/t.h"

static void add_u32(struct buf *b, uint32_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8) buf_add_byte(b, (char)(n >> shift));
}

static void add_head(struct buf *b, char version, char type, uint32_t number)
{
    buf_add_byte(b, version);
    buf_add_byte(b, type);
    add_u32(b, number);
}

static void add_text(struct buf *b, const char *text)
{
    add_u32(b, (uint32_t)strlen(text));
    buf_add_cstr(b, text);
}

static void add_json(struct buf *b, uint32_t seq, const char *json)
{
    add_head(b, '2', 'J', seq);
    add_text(b, json);
}

static void add_compressed(struct buf *b, const struct buf *inner)
{
    uLongf n = compressBound(inner->n);
    Bytef *out = malloc(n);
    assert_non_null(out);
    assert_int_equal(compress(out, &n, (const Bytef *)inner->data, inner->n), Z_OK);
    add_head(b, '2', 'C', (uint32_t)n);
    buf_add(b, out, n);
    free(out);
}

static void describe(const struct lumberjack_frame *f, struct buf *out)
{
    static const char types[] = "WDJA";
    buf_printf(out, "%u%c%u", f->version, types[f->type], f->seq);
    slice rest = f->payload;
    slice key;
    slice value;
    if (f->type == LUMBERJACK_DATA) {
        uint32_t pairs = 0;
        while (lumberjack_pair_next(&rest, &key, &value)) {
            buf_printf(out, " %.*s=%.*s", SLICE_FMT(key), SLICE_FMT(value));
            pairs++;
        }
        assert_int_equal(pairs, f->pairs);
        assert_int_equal(rest.n, 0);
    } else if (f->type == LUMBERJACK_JSON) {
        buf_printf(out, " %.*s", SLICE_FMT(f->payload));
    }
    buf_add_byte(out, ';');
}

/* Feeds text in pieces of exactly sized memory: two when cut, or single bytes for cut == ~0. */
static int run(slice text, uint32_t cut, const struct lumberjack_limits *limits, struct buf *out,
               const char **reason)
{
    struct lumberjack l;
    lumberjack_init(&l, limits);
    int r = 0;
    for (uint32_t at = 0; at < text.n && r >= 0;) {
        uint32_t n = cut == UINT32_MAX ? 1 : at < cut ? cut - at : text.n - at;
        char *copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, text.p + at, n);
        lumberjack_feed(&l, slice_make(copy, n));
        struct lumberjack_frame f;
        while ((r = lumberjack_next(&l, &f)) == 1) describe(&f, out);
        free(copy);
        at += n;
    }
    if (r == 0 && !lumberjack_idle(&l)) buf_add_cstr(out, "unfinished");
    *reason = l.reason;
    lumberjack_fini(&l);
    return r;
}

static void every_split(void **state)
{
    (void)state;
    struct buf inner = {0};
    add_json(&inner, 1, "{\"message\":\"a\"}");
    add_json(&inner, 2, "{}");
    struct buf text = {0};
    add_head(&text, '2', 'W', 4);
    add_compressed(&text, &inner);
    add_json(&text, 3, "{\"x\":1}");
    add_head(&text, '1', 'D', 7);
    add_u32(&text, 2);
    add_text(&text, "line");
    add_text(&text, "some text");
    add_text(&text, "");
    add_text(&text, "");
    add_head(&text, '1', 'D', 8);
    add_u32(&text, 0);
    add_head(&text, '2', 'A', 9);
    const char *want =
        "2W4;2J1 {\"message\":\"a\"};2J2 {};2J3 {\"x\":1};1D7 line=some text =;1D8;2A9;";
    for (uint32_t cut = 0; cut <= text.n + 1; cut++) {
        struct buf got = {0};
        const char *reason;
        uint32_t at = cut > text.n ? UINT32_MAX : cut;
        assert_int_equal(run(buf_slice(&text), at, NULL, &got, &reason), 0);
        assert_slice_equal(buf_slice(&got), slice_from_cstr(want));
        buf_fini(&got);
    }
    /* Every proper prefix is unfinished or ends between frames; none is an error. */
    for (uint32_t n = 0; n < text.n; n++) {
        struct buf got = {0};
        const char *reason;
        assert_int_equal(run(slice_part(buf_slice(&text), 0, n), 0, NULL, &got, &reason), 0);
        buf_fini(&got);
    }
    buf_fini(&inner);
    buf_fini(&text);
}

static void expect_error(const struct buf *text, const struct lumberjack_limits *limits, int error,
                         const char *reason_wanted)
{
    for (int bytes = 0; bytes < 2; bytes++) {
        struct buf got = {0};
        const char *reason = NULL;
        int r = run(buf_slice(text), bytes ? UINT32_MAX : 0, limits, &got, &reason);
        if (r != error) fail_msg("%s: %d (%s)", reason_wanted, r, reason == NULL ? "" : reason);
        assert_string_equal(reason, reason_wanted);
        buf_fini(&got);
    }
}

static void breaches(void **state)
{
    (void)state;
    const struct lumberjack_limits limits = {
        .frame_bytes_max = 5000, .inflated_bytes_max = 100000, .pairs_max = 3};
    struct buf b = {0};
    buf_add_cstr(&b, "3W1234");
    expect_error(&b, &limits, ERR_FRAME, "unknown protocol version");
    b.n = 0;
    buf_add_cstr(&b, "2X1234");
    expect_error(&b, &limits, ERR_FRAME, "unknown frame type");
    b.n = 0;
    add_head(&b, '2', 'J', 1);
    add_u32(&b, UINT32_MAX);
    expect_error(&b, &limits, ERR_LIMIT, "frame above the size limit");
    b.n = 0;
    add_head(&b, '2', 'C', 5000);
    expect_error(&b, &limits, ERR_LIMIT, "frame above the size limit");
    b.n = 0;
    add_head(&b, '1', 'D', 1);
    add_u32(&b, 4);
    expect_error(&b, &limits, ERR_LIMIT, "more key-value pairs than allowed");
    b.n = 0;
    add_head(&b, '1', 'D', 1);
    add_u32(&b, 1);
    add_text(&b, "key");
    add_u32(&b, UINT32_MAX);
    expect_error(&b, &limits, ERR_LIMIT, "frame above the size limit");
    b.n = 0;
    add_head(&b, '2', 'C', 4);
    buf_add_cstr(&b, "junk");
    expect_error(&b, &limits, ERR_FRAME, "compressed data: bad header");
    b.n = 0;
    buf_fini(&b);
}

/* What a compressed frame may not hold. */
static void compressed_breaches(void **state)
{
    (void)state;
    const struct lumberjack_limits limits = {.inflated_bytes_max = 100000};
    struct buf inner = {0};
    struct buf b = {0};
    add_json(&inner, 1, "{}");
    inner.n--;
    add_compressed(&b, &inner);
    expect_error(&b, &limits, ERR_FRAME, "compressed frame ends inside a frame");
    b.n = 0;
    inner.n = 0;
    add_head(&inner, '2', 'C', 0);
    add_compressed(&b, &inner);
    expect_error(&b, &limits, ERR_FRAME, "compressed frame inside a compressed frame");
    b.n = inner.n = 0;
    for (uint32_t i = 0; i < 200000; i++) buf_add_byte(&inner, 0);
    add_compressed(&b, &inner);
    expect_error(&b, &limits, ERR_LIMIT, "compressed data: inflates beyond the limit");
    b.n = inner.n = 0;
    add_json(&inner, 1, "{}");
    add_compressed(&b, &inner);
    b.n -= 4;
    b.data[5] = (char)(b.data[5] - 4);
    expect_error(&b, &limits, ERR_FRAME, "compressed frame is truncated");
    b.n = 0;
    add_compressed(&b, &inner);
    b.data[5]++;
    buf_add_byte(&b, 'x');
    expect_error(&b, &limits, ERR_FRAME, "bytes after the compressed data");
    buf_fini(&inner);
    buf_fini(&b);
}

/* Exactly the limit passes; a pinned blob outlives the parser. */
static void inflated_limit_and_pins(void **state)
{
    (void)state;
    struct buf inner = {0};
    add_head(&inner, '2', 'J', 1);
    add_u32(&inner, 300000);
    for (uint32_t i = 0; i < 300000; i++) buf_add_byte(&inner, (char)('a' + i % 26));
    struct buf b = {0};
    add_compressed(&b, &inner);
    for (int over = 0; over < 2; over++) {
        struct lumberjack l;
        struct lumberjack_limits limits = {.inflated_bytes_max =
                                               (uint32_t)inner.n - (uint32_t)over};
        lumberjack_init(&l, &limits);
        lumberjack_feed(&l, buf_slice(&b));
        struct lumberjack_frame f;
        int r = lumberjack_next(&l, &f);
        assert_int_equal(r, over ? ERR_LIMIT : 1);
        if (!over) blob_pin(f.blob);
        if (!over) assert_int_equal(lumberjack_next(&l, &(struct lumberjack_frame){0}), 0);
        lumberjack_fini(&l);
        if (over) continue;
        assert_slice_equal(f.payload, slice_from(buf_slice(&inner), 10));
        blob_unpin(f.blob);
    }
    buf_fini(&inner);
    buf_fini(&b);
}

static void acks(void **state)
{
    (void)state;
    char out[LUMBERJACK_ACK_BYTES];
    lumberjack_ack_write(2, 0x01020304, out);
    assert_memory_equal(out, "2A\1\2\3\4", 6);
    lumberjack_ack_write(1, 0, out);
    assert_memory_equal(out, "1A\0\0\0\0", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split),
        cmocka_unit_test(breaches),
        cmocka_unit_test(compressed_breaches),
        cmocka_unit_test(inflated_limit_and_pins),
        cmocka_unit_test(acks),
    };
    return T_RUN(tests);
}
