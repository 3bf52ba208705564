/*
 * fuzz_http1.c - request heads: every slice lies inside the input, and the answer for a prefix of
 * a complete head is "more" or the same refusal, never another request.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/frame/http1.h"

static void inside(slice in, slice part)
{
    if (part.n > 0) ASSERT(part.p >= in.p && part.p + part.n <= in.p + in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 2 * HTTP1_HEAD_BYTES_MAX) return 0;
    slice in = slice_make((const char *)data, n);
    struct http1_request r, shorter;
    if (http1_request_parse(in, &r) != HTTP1_DONE) return 0;
    ASSERT(r.head_bytes <= n && r.header_n <= HTTP1_HEADERS_MAX);
    inside(in, r.method);
    inside(in, r.target);
    inside(in, r.path);
    for (uint32_t i = 0; i < r.header_n; i++) inside(in, r.header[i].value);
    ASSERT(http1_request_parse(slice_make(in.p, r.head_bytes - 1), &shorter) == HTTP1_MORE);
    char *path = malloc(r.path.n + 1);
    uint32_t path_n;
    slice value;
    if (path != NULL && http1_unescape(r.path, path, &path_n)) ASSERT(path_n <= r.path.n);
    http1_query_find(r.query, SLICE("pretty"), &value);
    free(path);
    return 0;
}
