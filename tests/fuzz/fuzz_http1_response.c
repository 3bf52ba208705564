/*
 * fuzz_http1_response.c - answers read whole and in pieces: the same verdict, the same body, and
 * never a byte outside the buffer. The first byte of the input says where the cuts are.
 */
#include <stdint.h>

#include "engine/base/assert.h"
#include "parsers/frame/http1_response.h"

#define BODY_BYTES_MAX 4096u

static enum http1_result read_pieces(struct http1_response *r, struct buf *in, slice text,
                                     uint32_t step)
{
    enum http1_result result = HTTP1_MORE;
    http1_response_begin(r, BODY_BYTES_MAX);
    for (uint32_t at = 0; at < text.n && result == HTTP1_MORE; at += step) {
        buf_add_slice(in, slice_part(text, at, step));
        result = http1_response_read(r, in);
        ASSERT(r->at <= in->n && r->body_at + r->body_n <= r->at);
        ASSERT(r->body_n <= BODY_BYTES_MAX || result == HTTP1_TOO_LARGE);
        ASSERT((r->why != NULL) == (result != HTTP1_MORE && result != HTTP1_DONE));
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2 || n > 2 * HTTP1_RESPONSE_HEAD_BYTES_MAX) return 0;
    slice text = slice_make((const char *)data + 1, n - 1);
    struct http1_response whole, cut;
    struct buf a = {0}, b = {0};
    enum http1_result first = read_pieces(&whole, &a, text, text.n);
    enum http1_result second = read_pieces(&cut, &b, text, data[0] % 61u + 1);
    ASSERT(first == second);
    if (first == HTTP1_MORE || first == HTTP1_DONE) {
        ASSERT(whole.status == cut.status && whole.keep_alive == cut.keep_alive);
        ASSERT(slice_equal(http1_response_body(&whole, &a), http1_response_body(&cut, &b)));
        ASSERT(http1_response_end(&whole) == http1_response_end(&cut));
    }
    buf_fini(&a);
    buf_fini(&b);
    return 0;
}
