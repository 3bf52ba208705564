/*
 * gzip_stream_test.c - members, padding, junk, bounds; input in pieces, output in small rooms.
 */
#include "parsers/frame/gzip_stream.h"

#include <stdlib.h>
#include <zlib.h>

#include "engine/base/buf.h"
#include "engine/base/prng.h"
#include "tests/unit/t.h"

static void add_deflated(struct buf *out, slice text, int window_bits)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uLong bound = deflateBound(&z, text.n) + 64;
    buf_room(out, bound);
    z.next_in = (Bytef *)(uintptr_t)text.p;
    z.avail_in = text.n;
    z.next_out = (Bytef *)buf_end(out);
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->n += bound - z.avail_out;
    deflateEnd(&z);
}

/* Inflates in pieces of piece_n bytes and rooms of room_n; returns the last step. */
static int inflate_all(struct gzip_stream *s, slice in, uint32_t piece_n, uint32_t room_n,
                       struct buf *out)
{
    int r = GZIP_MORE;
    while (in.n > 0 && r >= 0) {
        uint32_t n = piece_n < in.n ? piece_n : in.n;
        char *copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, in.p, n);
        slice piece = slice_make(copy, n);
        do {
            char *room = malloc(room_n);
            assert_non_null(room);
            uint32_t made;
            r = gzip_stream_run(s, &piece, room, room_n, &made);
            buf_add(out, room, made);
            free(room);
        } while (r == GZIP_FULL);
        uint32_t used = n - piece.n;
        free(copy);
        in = slice_from(in, used);
        if (r == GZIP_END && used < n) break;
    }
    return r;
}

static void pieces_and_rooms(void **state)
{
    (void)state;
    static const int windows[] = {[GZIP_GZIP] = 31, [GZIP_ZLIB] = 15, [GZIP_RAW] = -15};
    struct prng r;
    prng_seed(&r, 5);
    for (enum gzip_kind kind = GZIP_GZIP; kind <= GZIP_RAW; kind++) {
        struct gzip_stream *s = gzip_stream_new(kind, 0);
        for (int i = 0; i < 120; i++) {
            struct buf text = {0};
            uint32_t n = (uint32_t)prng_below(&r, i < 60 ? 40 : 6000);
            for (uint32_t k = 0; k < n; k++)
                buf_add_byte(&text, (char)(i % 3 ? 'a' + prng_below(&r, 4) : prng_next(&r)));
            struct buf packed = {0};
            struct buf got = {0};
            add_deflated(&packed, buf_slice(&text), windows[kind]);
            gzip_stream_reset(s);
            int e = inflate_all(s, buf_slice(&packed), 1 + (uint32_t)prng_below(&r, 50),
                                1 + (uint32_t)prng_below(&r, 300), &got);
            assert_int_equal(e, GZIP_END);
            assert_slice_equal(buf_slice(&got), buf_slice(&text));
            assert_true(gzip_stream_at_end(s));
            buf_fini(&text);
            buf_fini(&packed);
            buf_fini(&got);
        }
        gzip_stream_free(s);
    }
}

static void members_padding_junk(void **state)
{
    (void)state;
    static const char *const tails[] = {"", "\0\0\0\0", "junk"};
    static const uint32_t tail_n[] = {0, 4, 4};
    for (int tail = 0; tail < 3; tail++) {
        struct buf packed = {0};
        add_deflated(&packed, SLICE("first "), 31);
        add_deflated(&packed, SLICE(""), 31);
        add_deflated(&packed, SLICE("second"), 31);
        buf_add(&packed, tails[tail], tail_n[tail]);
        for (uint32_t piece = 1; piece <= packed.n; piece++) {
            struct gzip_stream *s = gzip_stream_new(GZIP_GZIP, 0);
            struct buf got = {0};
            assert_int_equal(inflate_all(s, buf_slice(&packed), piece, 100, &got), GZIP_END);
            assert_slice_equal(buf_slice(&got), SLICE("first second"));
            assert_int_equal(gzip_stream_trailing(s), tail == 2);
            buf_fini(&got);
            gzip_stream_free(s);
        }
        buf_fini(&packed);
    }
}

/* Every combination of header parts, cut everywhere; with a right and a wrong checksum. */
static void headers(void **state)
{
    (void)state;
    struct gzip_stream *s = gzip_stream_new(GZIP_GZIP, 0);
    for (uint32_t k = 0; k < 64; k++) {
        uint32_t flags = k % 32;
        bool wrong = k >= 32;
        struct buf b = {0};
        buf_add(&b, "\x1f\x8b\x08\0tttt\0\3", 10);
        b.data[3] = (char)flags;
        if (flags & 4) buf_add(&b, flags & 1 ? "\0\0" : "\5\0extra", flags & 1 ? 2 : 7);
        if (flags & 8) buf_add(&b, "name", 5);
        if (flags & 16) buf_add(&b, "", 1);
        uLong crc = crc32(0, (const Bytef *)b.data, (uInt)b.n);
        if (flags & 2) buf_add_byte(&b, (char)(crc ^ wrong));
        if (flags & 2) buf_add_byte(&b, (char)(crc >> 8));
        struct buf whole = {0};
        add_deflated(&whole, SLICE("hello hello"), 31);
        buf_add(&b, whole.data + 10, whole.n - 10);
        for (uint32_t cut = 1; cut <= b.n; cut++) {
            struct buf got = {0};
            gzip_stream_reset(s);
            int r = inflate_all(s, slice_part(buf_slice(&b), 0, cut), 1000, 100, &got);
            if (r >= 0) r = inflate_all(s, slice_from(buf_slice(&b), cut), 1000, 100, &got);
            if (cut == b.n && r == GZIP_MORE) r = GZIP_END; /* nothing left to feed */
            assert_int_equal(r, wrong && (flags & 2) ? ERR_FRAME : GZIP_END);
            if (r == GZIP_END) assert_slice_equal(buf_slice(&got), SLICE("hello hello"));
            buf_fini(&got);
        }
        buf_fini(&whole);
        buf_fini(&b);
    }
    gzip_stream_free(s);
}

static void bounds_and_damage(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 100000; i++) buf_add_byte(&text, 'x');
    struct buf packed = {0};
    add_deflated(&packed, buf_slice(&text), 31);
    for (uint64_t max = 99998; max <= 100001; max++) {
        struct gzip_stream *s = gzip_stream_new(GZIP_GZIP, max);
        struct buf got = {0};
        int r = inflate_all(s, buf_slice(&packed), 7, 1000, &got);
        assert_int_equal(r, max < 100000 ? ERR_LIMIT : GZIP_END);
        assert_true(got.n <= max);
        buf_fini(&got);
        gzip_stream_free(s);
    }
    /* A damaged checksum, header, body; a stream that stops early. */
    struct gzip_stream *s = gzip_stream_new(GZIP_GZIP, 0);
    for (int k = 0; k < 3; k++) {
        static const int32_t places[] = {-6, 0, 20};
        size_t at = places[k] < 0 ? packed.n - 6 : (size_t)places[k];
        packed.data[at] = (char)(packed.data[at] ^ 0x55);
        struct buf got = {0};
        gzip_stream_reset(s);
        assert_int_equal(inflate_all(s, buf_slice(&packed), 1000, 1000, &got), ERR_FRAME);
        assert_true(strlen(gzip_stream_reason(s)) > 10);
        packed.data[at] = (char)(packed.data[at] ^ 0x55);
        buf_fini(&got);
    }
    struct buf got = {0};
    gzip_stream_reset(s);
    assert_true(gzip_stream_at_end(s));
    slice early = slice_part(buf_slice(&packed), 0, (uint32_t)packed.n - 1);
    assert_int_equal(inflate_all(s, early, 10, 1000, &got), GZIP_MORE);
    assert_false(gzip_stream_at_end(s));
    buf_fini(&got);
    gzip_stream_free(s);
    buf_fini(&text);
    buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_and_rooms),
        cmocka_unit_test(members_padding_junk),
        cmocka_unit_test(headers),
        cmocka_unit_test(bounds_and_damage),
    };
    return T_RUN(tests);
}
