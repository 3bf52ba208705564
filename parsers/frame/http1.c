/* http1.c - request line, headers, and what they say about the body. */
#include "parsers/frame/http1.h"

#include <string.h>

/* tchar of RFC 9110, section 5.6.2. */
static bool is_token_byte(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(slice s)
{
    for (uint32_t i = 0; i < s.n; i++)
        if (!is_token_byte((unsigned char)s.p[i])) return false;
    return s.n > 0;
}

/* Visible characters, blanks and bytes above ASCII. */
static bool is_value(slice s)
{
    for (uint32_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

static slice trim_blanks(slice s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) s = slice_from(s, 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
    return s;
}

bool http1_list_has(slice list, slice word)
{
    while (list.n > 0) {
        int64_t comma = slice_find_byte(list, ',');
        slice item = trim_blanks(comma < 0 ? list : slice_part(list, 0, (uint32_t)comma));
        if (slice_equal_nocase(item, word)) return true;
        if (comma < 0) return false;
        list = slice_from(list, (uint32_t)comma + 1);
    }
    return false;
}

enum http1_result http1_version_read(slice s, uint32_t *minor)
{
    if (s.n != 8 || !slice_starts(s, SLICE("HTTP/"))) return HTTP1_BAD;
    char major = s.p[5], dot = s.p[6], digit = s.p[7];
    if (major < '0' || major > '9' || dot != '.' || digit < '0' || digit > '9') return HTTP1_BAD;
    if (major != '1') return HTTP1_VERSION;
    *minor = digit == '0' ? 0 : 1;
    return HTTP1_DONE;
}

static enum http1_result request_line(slice line, struct http1_request *out)
{
    int64_t first = slice_find_byte(line, ' ');
    if (first <= 0) return HTTP1_BAD;
    slice rest = slice_from(line, (uint32_t)first + 1);
    int64_t second = slice_find_byte(rest, ' ');
    if (second <= 0) return HTTP1_BAD;
    out->method = slice_part(line, 0, (uint32_t)first);
    out->target = slice_part(rest, 0, (uint32_t)second);
    if (!is_token(out->method)) return HTTP1_BAD;
    for (uint32_t i = 0; i < out->target.n; i++)
        if ((unsigned char)out->target.p[i] <= 0x20 || out->target.p[i] == 0x7f) return HTTP1_BAD;
    int64_t mark = slice_find_byte(out->target, '?');
    out->path = mark < 0 ? out->target : slice_part(out->target, 0, (uint32_t)mark);
    out->query = mark < 0 ? SLICE("") : slice_from(out->target, (uint32_t)mark + 1);
    return http1_version_read(slice_from(rest, (uint32_t)second + 1), &out->minor);
}

bool http1_length_read(slice text, uint64_t *out)
{
    uint64_t n = 0;
    if (text.n == 0 || text.n > 18) return false;
    for (uint32_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return false;
        n = n * 10 + (uint64_t)(text.p[i] - '0');
    }
    *out = n;
    return true;
}

/* What is known about the body after some headers. */
struct body {
    bool has_length, has_encoding;
};

static bool header_use(const struct http1_header *h, struct http1_request *out, struct body *body)
{
    if (slice_equal_nocase(h->name, SLICE("content-length"))) {
        uint64_t n;
        if (!http1_length_read(h->value, &n) || (body->has_length && n != out->content_bytes))
            return false;
        body->has_length = true;
        out->content_bytes = n;
    } else if (slice_equal_nocase(h->name, SLICE("transfer-encoding"))) {
        if (body->has_encoding || !slice_equal_nocase(h->value, SLICE("chunked"))) return false;
        body->has_encoding = true;
        out->chunked = true;
    } else if (slice_equal_nocase(h->name, SLICE("connection"))) {
        if (http1_list_has(h->value, SLICE("close"))) out->keep_alive = false;
        if (http1_list_has(h->value, SLICE("keep-alive"))) out->keep_alive = true;
    } else if (slice_equal_nocase(h->name, SLICE("expect"))) {
        out->expects_continue = slice_equal_nocase(h->value, SLICE("100-continue"));
    }
    return true;
}

bool http1_header_read(slice line, struct http1_header *out)
{
    int64_t colon = slice_find_byte(line, ':');
    if (colon <= 0) return false;
    out->name = slice_part(line, 0, (uint32_t)colon);
    out->value = trim_blanks(slice_from(line, (uint32_t)colon + 1));
    return is_token(out->name) && is_value(out->value);
}

static enum http1_result header_line(slice line, struct http1_request *out, struct body *body)
{
    if (out->header_n == HTTP1_HEADERS_MAX) return HTTP1_TOO_LARGE;
    struct http1_header *h = &out->header[out->header_n];
    if (!http1_header_read(line, h)) return HTTP1_BAD;
    out->header_n++;
    return header_use(h, out, body) ? HTTP1_DONE : HTTP1_BAD;
}

/* The next line without its CRLF; a bare LF or a CR elsewhere is an error. */
static enum http1_result next_line(slice in, uint32_t *at, slice *line)
{
    slice rest = slice_from(in, *at);
    int64_t end = slice_find_byte(rest, '\n');
    if (end < 0) {
        bool full = in.n >= HTTP1_HEAD_BYTES_MAX;
        return full ? HTTP1_TOO_LARGE : HTTP1_MORE;
    }
    *at += (uint32_t)end + 1;
    if (*at > HTTP1_HEAD_BYTES_MAX) return HTTP1_TOO_LARGE;
    if (end == 0 || rest.p[end - 1] != '\r') return HTTP1_BAD;
    *line = slice_part(rest, 0, (uint32_t)end - 1);
    return slice_find_byte(*line, '\r') >= 0 ? HTTP1_BAD : HTTP1_DONE;
}

enum http1_result http1_request_parse(slice in, struct http1_request *out)
{
    uint32_t at = 0;
    slice line;
    struct body body = {0};
    out->header_n = 0;
    out->content_bytes = 0;
    out->chunked = out->expects_continue = false;
    enum http1_result result = next_line(in, &at, &line);
    /* One empty line before a request is allowed: old clients end a body with one. */
    if (result == HTTP1_DONE && line.n == 0) result = next_line(in, &at, &line);
    if (result == HTTP1_DONE) result = request_line(line, out);
    if (result != HTTP1_DONE) return result;
    out->keep_alive = out->minor >= 1;
    for (;;) {
        result = next_line(in, &at, &line);
        if (result != HTTP1_DONE) return result;
        if (line.n == 0) break;
        result = header_line(line, out, &body);
        if (result != HTTP1_DONE) return result;
    }
    out->head_bytes = at;
    if (body.has_length && body.has_encoding) return HTTP1_BAD;
    return HTTP1_DONE;
}

slice http1_header_find(const struct http1_request *r, slice name)
{
    for (uint32_t i = 0; i < r->header_n; i++)
        if (slice_equal_nocase(r->header[i].name, name)) return r->header[i].value;
    return SLICE_NONE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool http1_unescape(slice in, char *out, uint32_t *n)
{
    *n = 0;
    for (uint32_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int high = in.n - i > 2 ? hex_digit(in.p[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(in.p[i + 2]) : -1;
            if (low < 0) return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') return false;
        out[(*n)++] = c;
    }
    return true;
}

bool http1_query_find(slice query, slice name, slice *value)
{
    while (query.n > 0) {
        int64_t end = slice_find_byte(query, '&');
        slice pair = end < 0 ? query : slice_part(query, 0, (uint32_t)end);
        int64_t equals = slice_find_byte(pair, '=');
        slice key = equals < 0 ? pair : slice_part(pair, 0, (uint32_t)equals);
        if (slice_equal(key, name)) {
            *value = equals < 0 ? SLICE("") : slice_from(pair, (uint32_t)equals + 1);
            return true;
        }
        if (end < 0) return false;
        query = slice_from(query, (uint32_t)end + 1);
    }
    return false;
}
