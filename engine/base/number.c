/* number.c - conversions; text to float is strtod but for the short numbers of logs. */
#define _GNU_SOURCE
#include "engine/base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/number_shortest.h"

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

static uint32_t not_finite(double real, char *out)
{
    if (isnan(real)) return (uint32_t)sprintf(out, "NaN");
    return (uint32_t)sprintf(out, real < 0 ? "-Infinity" : "Infinity");
}

/* d.ddde+05, and Java's d.dddE5. */
static uint32_t exponent_form(const char *digits, uint32_t digit_n, int exponent, bool java,
                              char *out)
{
    uint32_t n = 0, size = (uint32_t)abs(exponent);
    out[n++] = digits[0];
    out[n++] = '.';
    if (digit_n == 1) out[n++] = '0';
    memcpy(out + n, digits + 1, digit_n - 1);
    n += digit_n - 1;
    out[n++] = java ? 'E' : 'e';
    if (exponent < 0)
        out[n++] = '-';
    else if (!java)
        out[n++] = '+';
    if (java && size < 10) {
        out[n++] = (char)('0' + size);
        return n;
    }
    if (size >= 100) out[n++] = (char)('0' + size / 100);
    memcpy(out + n, digit_pairs + size % 100 * 2, 2);
    return n + 2;
}

static inline uint32_t plain_form(const char *digits, uint32_t digit_n, int exponent, char *out)
{
    if (exponent < 0) {
        memcpy(out, "0.000", 5);
        memcpy(out + 1 - exponent, digits, digit_n);
        return 1 + (uint32_t)-exponent + digit_n;
    }
    uint32_t whole = (uint32_t)exponent + 1;
    if (digit_n <= whole) {
        memcpy(out, digits, digit_n);
        memset(out + digit_n, '0', whole - digit_n);
        memcpy(out + whole, ".0", 2);
        return whole + 2;
    }
    memcpy(out, digits, whole);
    out[whole] = '.';
    memcpy(out + whole + 1, digits + whole, digit_n - whole);
    return digit_n + 1;
}

/* Plain from 10^low to below 10^high. */
static inline __attribute__((always_inline)) uint32_t shortest_text(double real, int low, int high,
                                                                    bool java, char *out)
{
    char digits[24];
    if (!isfinite(real)) return not_finite(real, out);
    struct decimal_float d = number_shortest(real);
    uint32_t digit_n = number_i64_text((int64_t)d.digits, digits), n = 0;
    int exponent = d.exponent + (int)digit_n - 1; /* of d.ddd */
    if (signbit(real)) out[n++] = '-';
    out += n;
    if (d.digits == 0) {
        memcpy(out, "0.0", 3);
        return n + 3;
    }
    if (exponent < low || exponent >= high)
        return n + exponent_form(digits, digit_n, exponent, java, out);
    return n + plain_form(digits, digit_n, exponent, out);
}

uint32_t number_f64_text(double real, char *out)
{
    return shortest_text(real, -4, 16, false, out);
}

uint32_t number_f64_java(double real, char *out)
{
    return shortest_text(real, -3, 7, true, out);
}

uint32_t number_f64_ruby(double real, char *out)
{
    double size = fabs(real);
    if (!(size >= 1e19 && size < 1e20)) return shortest_text(real, -4, 20, false, out);
    char text[32];
    uint32_t n = (uint32_t)sprintf(text, "%.14e", real), end = n - 4;
    while (text[end - 1] == '0' && text[end - 2] != '.') end--;
    memcpy(out, text, end);
    memcpy(out + end, text + n - 4, 4);
    return end + 4;
}

uint32_t number_f64_json(double real, char *out)
{
    if (isfinite(real)) return number_f64_text(real, out);
    out[0] = '"';
    uint32_t n = 1 + number_f64_text(real, out + 1);
    out[n] = '"';
    return n + 1;
}

/* Digits that fit 53 bits and a power of ten that is exact: one operation rounds once, as strtod
 * does (Clinger, "How to read floating point numbers accurately", 1990). */
bool number_f64_short(slice s, double *out)
{
    static const double pow10[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    uint32_t i = s.n > 0 && s.p[0] == '-', from = i, point = 0;
    uint64_t num = 0;
    if (s.n - i > 16) return false;
    for (; i < s.n; i++) {
        uint32_t digit = (uint32_t)(unsigned char)s.p[i] - '0';
        if (digit <= 9) {
            num = num * 10 + digit;
        } else {
            /* One point with digits on both sides. */
            if (s.p[i] != '.' || point != 0 || i == from || i + 1 == s.n) return false;
            point = i + 1;
        }
    }
    if (i == from || num >= 1ull << 53) return false;
    double real = point == 0 ? (double)num : (double)num / pow10[s.n - point];
    *out = s.p[0] == '-' ? -real : real;
    return true;
}

bool number_f64_parse(slice s, double *out)
{
    char text[400];
    if (number_f64_short(s, out)) return true;
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
