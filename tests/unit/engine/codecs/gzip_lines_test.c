/* gzip_lines_test.c - whole, cut, broken and very dense gzip. */
#include "tests/unit/engine/codecs/codec_rig.h"

#include <zlib.h>

static slice packed(const char *text, size_t n, char *out, size_t cap)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text,
                  .avail_in = (uInt)n,
                  .next_out = (Bytef *)out,
                  .avail_out = (uInt)cap};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return slice_make(out, cap - z.avail_out);
}

static void test_lines(void **unused)
{
    (void)unused;
    struct codec_rig r;
    char out[512];
    slice gz = packed("one\n\ntwo", 8, out, sizeof(out));
    const char *want = "{\"message\":\"one\\n\"}\n{\"message\":\"\\n\"}\n{\"message\":\"two\"}\n";
    codec_rig_init(&r, "gzip_lines", "v8");
    assert_decodes_slice(&r, gz, want);
    assert_decodes_slice(&r, gz, want); /* The next message is a stream of its own. */
    assert_int_equal(codec_rig_decode(&r, slice_part(gz, 0, 9), false), 9);
    assert_decodes_slice(&r, slice_from(gz, 9), want);
    assert_decodes(&r, "no gzip at all", "");
    assert_decodes(&r, "", "");
    assert_decodes_slice(&r, slice_part(gz, 0, gz.n - 4), want);
    assert_decodes_slice(&r, gz, want);
    codec_rig_fini(&r);
    codec_rig_init(&r, "gzip_lines { charset => \"ISO-8859-1\" }", "disabled");
    assert_decodes_slice(&r, packed("\xe4", 1, out, sizeof(out)), "{\"message\":\"\xc3\xa4\"}\n");
    codec_rig_fini(&r);
    assert_codec_refused("gzip_lines { charset => \"moon\" }");
}

static void test_dense(void **unused)
{
    (void)unused;
    enum { LINES = 1 << 20 };
    static char text[LINES], out[1 << 14];
    memset(text, '\n', sizeof(text));
    slice gz = packed(text, sizeof(text), out, sizeof(out));
    struct codec_rig r;
    codec_rig_init(&r, "gzip_lines", "disabled");
    uint64_t total = 0;
    while (gz.n > 0) {
        uint32_t used = codec_rig_decode(&r, gz, true);
        total += r.t.b.n;
        assert_true(r.t.b.n > 0 && r.t.b.n < 4096);
        gz = slice_from(gz, used);
    }
    assert_int_equal(total, LINES);
    codec_rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_dense)};
    return T_RUN(tests);
}
