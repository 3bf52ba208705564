/* number.c - conversions; the float path is exact, not fast: floats are rare in logs. */
#define _GNU_SOURCE
#include "engine/base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char digit_pairs[] = "0001020304050607080910111213141516171819"
                                  "2021222324252627282930313233343536373839"
                                  "4041424344454647484950515253545556575859"
                                  "6061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

uint32_t number_i64_text(int64_t num, char *out)
{
    char text[20];
    uint32_t at = sizeof(text);
    uint64_t left = num < 0 ? 0 - (uint64_t)num : (uint64_t)num;
    while (left >= 100) {
        at -= 2;
        memcpy(text + at, digit_pairs + left % 100 * 2, 2);
        left /= 100;
    }
    if (left >= 10) {
        at -= 2;
        memcpy(text + at, digit_pairs + left * 2, 2);
    } else {
        text[--at] = (char)('0' + left);
    }
    uint32_t n = 0;
    if (num < 0) out[n++] = '-';
    memcpy(out + n, text + at, sizeof(text) - at);
    return n + (uint32_t)sizeof(text) - at;
}

/* Shortest digits that read back equal, as "d.ddde[+-]xx". */
static void shortest(double real, char text[40])
{
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, 40, "%.*e", precision, real);
        if (strtod(text, NULL) == real) return;
    }
}

uint32_t number_f64_text(double real, char *out)
{
    if (isnan(real)) return (uint32_t)sprintf(out, "NaN");
    if (isinf(real)) return (uint32_t)sprintf(out, real < 0 ? "-Infinity" : "Infinity");
    char text[40], digits[24];
    shortest(real, text);
    const char *at = text;
    uint32_t n = 0, digit_n = 0;
    if (*at == '-') {
        out[n++] = '-';
        at++;
    }
    for (; *at != 'e'; at++)
        if (*at != '.') digits[digit_n++] = *at;
    int exponent = (int)strtol(at + 1, NULL, 10);
    /* Ruby switches to the exponent form below 1e-4 and from 1e16 on. */
    if (exponent < -4 || exponent >= 16) {
        out[n++] = digits[0];
        out[n++] = '.';
        if (digit_n == 1) out[n++] = '0';
        for (uint32_t i = 1; i < digit_n; i++) out[n++] = digits[i];
        return n + (uint32_t)sprintf(out + n, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    }
    if (exponent < 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = -1; i > exponent; i--) out[n++] = '0';
        for (uint32_t i = 0; i < digit_n; i++) out[n++] = digits[i];
        return n;
    }
    for (uint32_t i = 0; i < digit_n || (int)i <= exponent + 1; i++) {
        if ((int)i == exponent + 1) out[n++] = '.';
        out[n++] = i < digit_n ? digits[i] : '0';
    }
    return n;
}

uint32_t number_f64_json(double real, char *out)
{
    if (isfinite(real)) return number_f64_text(real, out);
    out[0] = '"';
    uint32_t n = 1 + number_f64_text(real, out + 1);
    out[n] = '"';
    return n + 1;
}

bool number_f64_parse(slice s, double *out)
{
    char text[400];
    if (s.n == 0 || s.n >= sizeof(text)) return false;
    for (uint32_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E')
            return false;
    }
    slice_cstr(s, text, sizeof(text));
    char *end;
    *out = strtod(text, &end);
    return end == text + s.n;
}
