/* json_out.c - JSON text, piece by piece. */
#include "engine/app/json_out.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

static void item(struct json_out *j, const char *key)
{
    if (j->comma) buf_add_byte(j->out, ',');
    j->comma = true;
    if (key == NULL) return;
    buf_add_json(j->out, slice_from_cstr(key));
    buf_add_byte(j->out, ':');
}

void json_open(struct json_out *j, const char *key)
{
    item(j, key);
    buf_add_byte(j->out, '{');
    j->comma = false;
}

void json_close(struct json_out *j)
{
    buf_add_byte(j->out, '}');
    j->comma = true;
}

void json_array(struct json_out *j, const char *key)
{
    item(j, key);
    buf_add_byte(j->out, '[');
    j->comma = false;
}

void json_array_end(struct json_out *j)
{
    buf_add_byte(j->out, ']');
    j->comma = true;
}

void json_text(struct json_out *j, const char *key, slice text)
{
    item(j, key);
    buf_add_json(j->out, text);
}

void json_cstr(struct json_out *j, const char *key, const char *text)
{
    item(j, key);
    if (text == NULL)
        buf_add_cstr(j->out, "null");
    else
        buf_add_json(j->out, slice_from_cstr(text));
}

void json_int(struct json_out *j, const char *key, int64_t n)
{
    item(j, key);
    buf_printf(j->out, "%lld", (long long)n);
}

void json_float(struct json_out *j, const char *key, double n)
{
    item(j, key);
    if (!isfinite(n)) n = 0;
    buf_printf(j->out, fabs(n) >= 10000 ? "%.0f" : "%.4g", n);
}

void json_bool(struct json_out *j, const char *key, bool yes)
{
    item(j, key);
    buf_add_cstr(j->out, yes ? "true" : "false");
}

void json_time(struct json_out *j, const char *key, int64_t real_ns)
{
    item(j, key);
    if (real_ns == 0) {
        buf_add_cstr(j->out, "null");
        return;
    }
    time_t sec = (time_t)(real_ns / 1000000000);
    struct tm tm;
    char text[40];
    gmtime_r(&sec, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(j->out, "\"%s.%03dZ\"", text, (int)(real_ns % 1000000000 / 1000000));
}

void json_raw_pairs(struct json_out *j, slice pairs)
{
    if (pairs.n > 0) buf_add_slice(j->out, pairs);
}

/* ---- shaping -------------------------------------------------------------------------- */

static void new_line(struct buf *out, uint32_t depth)
{
    buf_add_byte(out, '\n');
    for (uint32_t i = 0; i < depth; i++) buf_add(out, "  ", 2);
}

/* Copies a string with its quotes; returns the index behind it. */
static uint32_t copy_string(slice in, uint32_t at, struct buf *out)
{
    uint32_t end = at + 1;
    while (end < in.n && in.p[end] != '"') end += in.p[end] == '\\' ? 2 : 1;
    if (end >= in.n) end = in.n - 1;
    buf_add(out, in.p + at, end + 1 - at);
    return end + 1;
}

void json_pretty(slice in, struct buf *out)
{
    uint32_t depth = 0;
    for (uint32_t at = 0; at < in.n;) {
        char c = in.p[at];
        bool empty = at + 1 < in.n && (in.p[at + 1] == '}' || in.p[at + 1] == ']');
        if (c == '"') {
            at = copy_string(in, at, out);
            continue;
        }
        if (c == '}' || c == ']') new_line(out, --depth);
        buf_add_byte(out, c);
        at++;
        if ((c == '{' || c == '[') && empty) {
            buf_add_byte(out, in.p[at++]);
        } else if (c == '{' || c == '[') {
            new_line(out, ++depth);
        } else if (c == ',') {
            new_line(out, depth);
        } else if (c == ':') {
            buf_add_byte(out, ' ');
        }
    }
    buf_add_byte(out, '\n');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads the digits at *at; false when there are none or they belong to a fraction. */
static bool digits(slice s, uint32_t *at, uint64_t *out)
{
    uint32_t from = *at;
    *out = 0;
    while (*at < s.n && is_digit(s.p[*at])) *out = *out * 10 + (uint64_t)(s.p[(*at)++] - '0');
    return *at > from && (*at == s.n || (s.p[*at] != '.' && s.p[*at] != 'e'));
}

static bool add_into(slice a, slice b, struct buf *out)
{
    bool in_string = false;
    uint32_t i = 0, k = 0;
    while (i < a.n && k < b.n) {
        if (!in_string && is_digit(a.p[i]) && is_digit(b.p[k])) {
            uint64_t x, y;
            if (!digits(a, &i, &x) || !digits(b, &k, &y)) return false;
            buf_printf(out, "%llu", (unsigned long long)(x + y));
            continue;
        }
        if (a.p[i] != b.p[k]) return false;
        if (a.p[i] == '"' && (i == 0 || a.p[i - 1] != '\\')) in_string = !in_string;
        buf_add_byte(out, a.p[i]);
        i++;
        k++;
    }
    return i == a.n && k == b.n;
}

void json_add_numbers(struct buf *sum, slice more)
{
    struct buf out = {0};
    if (sum->n == 0) {
        buf_add_slice(sum, more);
    } else if (add_into(buf_slice(sum), more, &out)) {
        sum->n = 0;
        buf_add_slice(sum, buf_slice(&out));
    }
    buf_fini(&out);
}
