/* http1_test.c - request heads: what is taken, what is refused, what is not complete. */
#include "parsers/frame/http1.h"

#include "tests/unit/t.h"

static enum http1_result parse(const char *text, struct http1_request *r)
{
    return http1_request_parse(slice_from_cstr(text), r);
}

static void takes_a_request(void **state)
{
    (void)state;
    struct http1_request r;
    const char *text =
        "PUT /_node/logging?pretty&x=1 HTTP/1.1\r\nHost: a\r\nContent-Length:  12 \r\n"
        "EXPECT: 100-continue\r\n\r\n{\"a\":\"b\"}...";
    assert_int_equal(parse(text, &r), HTTP1_DONE);
    assert_slice_equal(r.method, SLICE("PUT"));
    assert_slice_equal(r.path, SLICE("/_node/logging"));
    assert_slice_equal(r.query, SLICE("pretty&x=1"));
    assert_int_equal(r.content_bytes, 12);
    assert_int_equal(r.header_n, 3);
    assert_true(r.keep_alive && r.expects_continue && !r.chunked);
    assert_slice_equal(http1_header_find(&r, SLICE("HOST")), SLICE("a"));
    assert_null(http1_header_find(&r, SLICE("absent")).p);
    assert_memory_equal(text + r.head_bytes, "{\"a\"", 4);
}

static void knows_when_the_connection_ends(void **state)
{
    (void)state;
    struct http1_request r;
    assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &r), HTTP1_DONE);
    assert_false(r.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &r), HTTP1_DONE);
    assert_true(r.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.1\r\nConnection: x, close\r\n\r\n", &r), HTTP1_DONE);
    assert_false(r.keep_alive);
}

static void asks_for_more(void **state)
{
    (void)state;
    struct http1_request r;
    const char *text = "\r\nGET /x HTTP/1.1\r\nA: b\r\n\r\n";
    for (size_t n = 0; n < strlen(text); n++)
        assert_int_equal(http1_request_parse(slice_make(text, n), &r), HTTP1_MORE);
    assert_int_equal(parse(text, &r), HTTP1_DONE);
    assert_int_equal(r.head_bytes, strlen(text));
}

static void refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET / HTTP/1.1\n\n",                                               /* bare LF */
        "GET  / HTTP/1.1\r\n\r\n",                                          /* empty target */
        "GET /\r\n\r\n",                                                    /* HTTP/0.9 */
        "G(T / HTTP/1.1\r\n\r\n",                                           /* no token */
        "GET / HTTP/1.1\r\nA : b\r\n\r\n",                                  /* blank before colon */
        "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",                        /* folded line */
        "GET / HTTP/1.1\r\n: b\r\n\r\n",                                    /* no name */
        "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",                                /* CR inside */
        "GET / HTTP/1.1\r\nA: \x01\r\n\r\n",                                /* control byte */
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",                     /* sign */
        "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",                   /* a list */
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", /* two lengths */
        "GET / HTTP/1.1\r\nContent-Length: 9999999999999999999\r\n\r\n",    /* huge */
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "GET / HTTP/x.1\r\n\r\n",
    };
    struct http1_request r;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (parse(bad[i], &r) != HTTP1_BAD) fail_msg("taken: %s", bad[i]);
    assert_int_equal(parse("GET / HTTP/2.0\r\n\r\n", &r), HTTP1_VERSION);
}

static void is_bounded(void **state)
{
    (void)state;
    struct http1_request r;
    static char text[HTTP1_HEAD_BYTES_MAX + 100];
    memset(text, 'a', sizeof(text));
    assert_int_equal(http1_request_parse(slice_make(text, sizeof(text)), &r), HTTP1_TOO_LARGE);
    size_t n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n");
    for (uint32_t i = 0; i < HTTP1_HEADERS_MAX + 1; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "a%u: b\r\n", i);
    snprintf(text + n, sizeof(text) - n, "\r\n");
    assert_int_equal(parse(text, &r), HTTP1_TOO_LARGE);
}

static void reads_targets(void **state)
{
    (void)state;
    char out[16];
    uint32_t n;
    assert_true(http1_unescape(SLICE("a%20b%2f"), out, &n));
    assert_slice_equal(slice_make(out, n), SLICE("a b/"));
    assert_false(http1_unescape(SLICE("a%2"), out, &n));
    assert_false(http1_unescape(SLICE("a%zz"), out, &n));
    assert_false(http1_unescape(SLICE("%00"), out, &n));
    slice value;
    assert_true(http1_query_find(SLICE("a=1&pretty&b=2"), SLICE("pretty"), &value));
    assert_slice_equal(value, SLICE(""));
    assert_true(http1_query_find(SLICE("a=1&pretty&b=2"), SLICE("b"), &value));
    assert_slice_equal(value, SLICE("2"));
    assert_false(http1_query_find(SLICE("a=1"), SLICE("b"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_request), cmocka_unit_test(knows_when_the_connection_ends),
        cmocka_unit_test(asks_for_more),   cmocka_unit_test(refuses),
        cmocka_unit_test(is_bounded),      cmocka_unit_test(reads_targets),
    };
    return T_RUN(tests);
}
