/* http1_response_test.c - answers whole, cut at every place, byte by byte, broken and too large. */
#include "parsers/frame/http1_response.h"

#include "tests/unit/t.h"

#define BODY_MAX 1000u

struct sample {
    const char *text, *body;
    uint32_t status;
    bool keep_alive;
    bool to_end; /* the end of the connection ends it */
};

static const struct sample samples[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, true, false},
    {"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", "", 200, true, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", "ab", 200, true, false},
    {"HTTP/1.1 200 \r\nContent-Length: 1\r\nConnection: x, close\r\n\r\na", "a", 200, false, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "a", 200, false, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\na", "a", 200, true,
     false},
    {"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", "", 204, true, false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "", 304, true, false},
    {"HTTP/1.1 503 Busy\r\nServer: x\r\n\r\nuntil the end", "until the end", 503, false, true},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n"
     "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc",
     "abc", 201, true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00B ;x=\"y\"\r\n big "
     "world.\r\n0\r\n\r\n",
     "hello big world.", 200, true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1;q\r\nc\r\n0;z\r\n"
     "Trailer: x\r\nOther: y\r\n\r\n",
     "abc", 200, true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", 200, true, false},
};

/* Adds `piece` and reads. */
static enum http1_result feed(struct http1_response *r, struct buf *in, slice piece)
{
    /* Buffers that move find pointers that were kept. */
    struct buf moved = {0};
    buf_add_slice(&moved, buf_slice(in));
    buf_add_slice(&moved, piece);
    buf_fini(in);
    *in = moved;
    return http1_response_read(r, in);
}

static void check(const struct sample *s, struct http1_response *r, struct buf *in,
                  enum http1_result last)
{
    assert_int_equal(last, s->to_end ? HTTP1_MORE : HTTP1_DONE);
    assert_true(http1_response_end(r));
    assert_int_equal(r->status, s->status);
    assert_int_equal(r->keep_alive, s->keep_alive);
    assert_int_equal(r->at, in->n);
    assert_slice_equal(http1_response_body(r, in), slice_from_cstr(s->body));
    buf_fini(in);
}

static void takes_answers_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        slice text = slice_from_cstr(samples[i].text);
        for (uint32_t cut = 0; cut <= text.n; cut++) {
            struct http1_response r;
            struct buf in = {0};
            http1_response_begin(&r, BODY_MAX);
            enum http1_result result = feed(&r, &in, slice_part(text, 0, cut));
            if (cut < text.n) {
                assert_int_equal(result, HTTP1_MORE);
                result = feed(&r, &in, slice_from(text, cut));
            }
            check(&samples[i], &r, &in, result);
        }
    }
}

static void takes_answers_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        slice text = slice_from_cstr(samples[i].text);
        struct http1_response r;
        struct buf in = {0};
        enum http1_result result = HTTP1_MORE;
        http1_response_begin(&r, BODY_MAX);
        for (uint32_t at = 0; at < text.n; at++) {
            assert_int_equal(result, HTTP1_MORE);
            result = feed(&r, &in, slice_part(text, at, 1));
        }
        check(&samples[i], &r, &in, result);
    }
}

/* What a connection that ends too early leaves is no answer. */
static void knows_a_cut_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        slice text = slice_from_cstr(samples[i].text);
        if (samples[i].to_end) continue;
        for (uint32_t cut = 0; cut < text.n; cut++) {
            struct http1_response r;
            struct buf in = {0};
            http1_response_begin(&r, BODY_MAX);
            assert_int_equal(feed(&r, &in, slice_part(text, 0, cut)), HTTP1_MORE);
            assert_false(http1_response_end(&r));
            buf_fini(&in);
        }
    }
}

static void leaves_what_comes_behind(void **state)
{
    (void)state;
    struct http1_response r;
    struct buf in = {0};
    http1_response_begin(&r, BODY_MAX);
    slice text =
        SLICE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nmore");
    assert_int_equal(feed(&r, &in, text), HTTP1_DONE);
    assert_slice_equal(http1_response_body(&r, &in), SLICE("a"));
    assert_slice_equal(slice_make(in.data + r.at, in.n - r.at), SLICE("more"));
    buf_fini(&in);
}

static enum http1_result read_all(struct http1_response *r, slice text)
{
    struct buf in = {0};
    http1_response_begin(r, BODY_MAX);
    enum http1_result result = feed(r, &in, text);
    buf_fini(&in);
    return result;
}

static void reads_what_the_headers_say(void **state)
{
    (void)state;
    struct http1_response r;
    read_all(&r,
             SLICE("HTTP/1.1 429 x\r\nRetry-After:  120 \r\nContent-Encoding: identity\r\n\r\n"));
    assert_string_equal(r.retry_after, "120");
    assert_false(r.encoded);
    read_all(&r, SLICE("HTTP/1.1 503 x\r\nRetry-After: Sat, 21 Nov 2026 14:45:04 GMT\r\n\r\n"));
    assert_string_equal(r.retry_after, "Sat, 21 Nov 2026 14:45:04 GMT");
    read_all(&r, SLICE("HTTP/1.1 200 x\r\nContent-Encoding: gzip\r\n\r\n"));
    assert_true(r.encoded);
    /* What an interim answer says is not said of the real one. */
    read_all(&r, SLICE("HTTP/1.1 100 x\r\nRetry-After: 9\r\nConnection: close\r\n\r\n"
                       "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n"));
    assert_string_equal(r.retry_after, "");
    assert_true(r.keep_alive);
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void refuses(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\n\n",
        "\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 abc OK\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 600 OK\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n",
        "http/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n",
        "HTTP/1.1 200 OK\r\nA: \x01\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        CHUNKED "\r\n",
        CHUNKED "x\r\n",
        CHUNKED "-1\r\n",
        CHUNKED "0x1\r\n",
        CHUNKED "1\n",
        CHUNKED "0000000000000001\r\n",
        CHUNKED "1\r\nab\r\n",
        CHUNKED "0\r\nno colon\r\n",
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        struct http1_response r;
        if (read_all(&r, slice_from_cstr(broken[i])) != HTTP1_BAD) fail_msg("taken: %s", broken[i]);
        assert_non_null(r.why);
    }
    struct http1_response r;
    assert_int_equal(read_all(&r, SLICE("HTTP/2.0 200 OK\r\n")), HTTP1_VERSION);
    assert_non_null(r.why);
}

static void is_bounded(void **state)
{
    (void)state;
    struct http1_response r;
    static char text[HTTP1_RESPONSE_HEAD_BYTES_MAX + 100];
    memset(text, 'a', sizeof(text));
    assert_int_equal(read_all(&r, slice_make(text, sizeof(text))), HTTP1_TOO_LARGE);
    /* Many interim answers share the bound of one. */
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t n = 0;
    while (n + sizeof(interim) < sizeof(text)) {
        memcpy(text + n, interim, sizeof(interim) - 1);
        n += sizeof(interim) - 1;
    }
    assert_int_equal(read_all(&r, slice_make(text, n)), HTTP1_TOO_LARGE);
    assert_int_equal(read_all(&r, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")),
                     HTTP1_TOO_LARGE);
    assert_int_equal(read_all(&r, SLICE(CHUNKED "3e9\r\n")), HTTP1_TOO_LARGE);
    assert_int_equal(read_all(&r, SLICE(CHUNKED "1\r\na\r\n3e8\r\n")), HTTP1_TOO_LARGE);
    assert_int_equal(read_all(&r, SLICE(CHUNKED "3e8\r\n")), HTTP1_MORE);
    n = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(read_all(&r, slice_make(text, n + 1000)), HTTP1_MORE);
    memset(text + n, 'b', 2000);
    assert_int_equal(read_all(&r, slice_make(text, n + 1001)), HTTP1_TOO_LARGE);
    n = (size_t)snprintf(text, sizeof(text), CHUNKED "1;");
    memset(text + n, 'c', HTTP1_CHUNK_LINE_BYTES_MAX);
    assert_int_equal(read_all(&r, slice_make(text, n + HTTP1_CHUNK_LINE_BYTES_MAX)),
                     HTTP1_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_answers_in_any_pieces),
        cmocka_unit_test(takes_answers_byte_by_byte),
        cmocka_unit_test(knows_a_cut_answer),
        cmocka_unit_test(leaves_what_comes_behind),
        cmocka_unit_test(reads_what_the_headers_say),
        cmocka_unit_test(refuses),
        cmocka_unit_test(is_bounded),
    };
    return T_RUN(tests);
}
