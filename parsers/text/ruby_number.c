/* ruby_number.c - Ruby's lenient and strict number grammars over strtod and plain digits. */
#include "parsers/text/ruby_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/number.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number taken apart; digits keep no underscores. */
struct decimal {
    bool negative;
    slice whole, fraction; /* digits only, in the arena or the text */
    int64_t exponent;
    bool has_whole, has_fraction, has_exponent;
    uint32_t end; /* bytes used */
};

/* Digits with single underscores between them; copied when there are underscores. */
static uint32_t digits_read(slice text, uint32_t at, struct arena *arena, slice *out)
{
    uint32_t from = at, underscores = 0;
    while (at < text.n) {
        bool joins = text.p[at] == '_' && at > from && text.p[at - 1] != '_' && at + 1 < text.n &&
                     is_digit(text.p[at + 1]);
        if (!is_digit(text.p[at]) && !joins) break;
        if (joins) underscores++;
        at++;
    }
    *out = slice_part(text, from, at - from);
    if (underscores == 0) return at;
    char *clean = arena_alloc(arena, at - from, 1);
    uint32_t n = 0;
    for (uint32_t i = from; i < at; i++)
        if (text.p[i] != '_') clean[n++] = text.p[i];
    *out = slice_make(clean, n);
    return at;
}

static int64_t exponent_value(slice digits, bool negative)
{
    int64_t value = 0;
    for (uint32_t i = 0; i < digits.n && value < INT32_MAX; i++)
        value = value * 10 + (digits.p[i] - '0');
    return negative ? -value : value;
}

/* Reads as much of a decimal number as there is. */
static struct decimal decimal_read(slice text, struct arena *arena)
{
    struct decimal d = {0};
    uint32_t at = 0;
    if (at < text.n && (text.p[at] == '+' || text.p[at] == '-')) d.negative = text.p[at++] == '-';
    uint32_t from = at;
    at = digits_read(text, at, arena, &d.whole);
    d.has_whole = at > from;
    if (at + 1 < text.n && text.p[at] == '.' && is_digit(text.p[at + 1])) {
        d.has_fraction = true;
        at = digits_read(text, at + 1, arena, &d.fraction);
    }
    d.end = d.has_whole || d.has_fraction ? at : 0;
    if (d.end == 0 || at >= text.n || (text.p[at] != 'e' && text.p[at] != 'E')) return d;
    bool negative = false;
    at++;
    if (at < text.n && (text.p[at] == '+' || text.p[at] == '-')) negative = text.p[at++] == '-';
    slice digits;
    from = at;
    at = digits_read(text, at, arena, &digits);
    if (at == from) return d;
    d.has_exponent = true;
    d.exponent = exponent_value(digits, negative);
    d.end = at;
    return d;
}

/* The integer that these digits are, with their sign. */
static struct value integer_make(bool negative, slice digits, struct arena *arena)
{
    while (digits.n > 1 && digits.p[0] == '0') digits = slice_from(digits, 1);
    if (digits.n == 0) return value_int(0);
    char *text = arena_alloc(arena, (size_t)digits.n + 1, 1);
    uint32_t n = 0;
    if (negative) text[n++] = '-';
    memcpy(text + n, digits.p, digits.n);
    n += digits.n;
    int64_t num;
    if (slice_to_i64(slice_make(text, n), &num)) return value_int(num);
    return (struct value){.type = VALUE_BIGNUM, .n = n, .u.str = text};
}

static double double_make(const struct decimal *d, slice text)
{
    /* Bounded: strtod needs no more than 800 digits, and underscores are rare. */
    char copy[1024];
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->end && n < sizeof(copy) - 1; i++)
        if (text.p[i] != '_') copy[n++] = text.p[i];
    if (d->end < sizeof(copy)) {
        copy[n] = '\0';
        return strtod(copy, NULL);
    }
    char *whole = slice_dup_cstr(slice_part(text, 0, d->end));
    char *to = whole;
    for (char *from = whole; *from != '\0'; from++)
        if (*from != '_') *to++ = *from;
    *to = '\0';
    double real = strtod(whole, NULL);
    free(whole);
    return real;
}

static slice skip_space(slice text)
{
    while (text.n > 0 && (text.p[0] == ' ' || (text.p[0] >= '\t' && text.p[0] <= '\r')))
        text = slice_from(text, 1);
    return text;
}

/* Up to 18 digits and nothing else, as nearly always. */
static bool short_integer(slice text, int64_t *out)
{
    uint32_t at = text.n > 0 && text.p[0] == '-';
    if (text.n == at || text.n > 18 + at) return false;
    int64_t num = 0;
    for (uint32_t i = at; i < text.n; i++) {
        if (!is_digit(text.p[i])) return false;
        num = num * 10 + (text.p[i] - '0');
    }
    *out = at == 1 ? -num : num;
    return true;
}

struct value ruby_to_i(slice text, struct arena *arena)
{
    int64_t num;
    if (short_integer(text, &num)) return value_int(num);
    text = skip_space(text);
    bool negative = text.n > 0 && text.p[0] == '-';
    slice digits;
    uint32_t from = text.n > 0 && (text.p[0] == '-' || text.p[0] == '+');
    digits_read(text, from, arena, &digits);
    return integer_make(negative, digits, arena);
}

double ruby_to_f(slice text)
{
    double real;
    text = skip_space(text);
    if (number_f64_short(text, &real)) return real;
    if (slice_find_byte(text, '_') < 0) {
        struct decimal d = decimal_read(text, NULL); /* The arena is for underscores only. */
        return d.end == 0 ? 0.0 : double_make(&d, text);
    }
    /* Underscores between digits are taken out first; any other ends the number. */
    char clean[512];
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.n && n < sizeof(clean); i++) {
        bool joins = text.p[i] == '_' && i > 0 && is_digit(text.p[i - 1]) && i + 1 < text.n &&
                     is_digit(text.p[i + 1]);
        if (text.p[i] == '_' && !joins) break;
        if (text.p[i] != '_') clean[n++] = text.p[i];
    }
    struct decimal d = decimal_read(slice_make(clean, n), NULL);
    return d.end == 0 ? 0.0 : double_make(&d, slice_make(clean, n));
}

/* [+-]0x1A, [+-]0x1.8p3: strtod knows the form, but not which texts Ruby refuses. */
static bool hex_parse(slice text, double *out)
{
    char copy[128];
    uint32_t at = text.n > 0 && (text.p[0] == '+' || text.p[0] == '-');
    if (text.n - at < 3 || text.n >= sizeof(copy) || text.p[at] != '0' ||
        (text.p[at + 1] != 'x' && text.p[at + 1] != 'X'))
        return false;
    slice_cstr(text, copy, sizeof(copy));
    if (text.p[at + 2] == '.' || text.p[text.n - 1] == '.') return false;
    char *end;
    *out = strtod(copy, &end);
    return end == copy + text.n;
}

static bool is_hex(slice text)
{
    uint32_t at = text.n > 0 && (text.p[0] == '+' || text.p[0] == '-');
    return text.n > at + 1 && text.p[at] == '0' && (text.p[at + 1] == 'x' || text.p[at + 1] == 'X');
}

bool ruby_float_to_i(double real, struct arena *arena, struct value *out)
{
    if (!isfinite(real)) return false;
    if (real > -9.2e18 && real < 9.2e18) {
        *out = value_int((int64_t)real);
        return true;
    }
    char *text = arena_alloc(arena, 330, 1); /* 309 digits, sign and NUL */
    int n = snprintf(text, 330, "%.0f", trunc(real));
    int64_t num;
    slice digits = slice_make(text, (uint32_t)n);
    *out = slice_to_i64(digits, &num)
               ? value_int(num)
               : (struct value){.type = VALUE_BIGNUM, .n = digits.n, .u.str = text};
    return true;
}

/* Hexadecimal integers beyond the 53 bits of a double. */
static bool hex_integer(slice text, struct value *out)
{
    bool negative = text.p[0] == '-';
    uint32_t at = negative || text.p[0] == '+' ? 3 : 2;
    if (text.n - at > 15 || text.n == at) return false;
    int64_t num = 0;
    for (; at < text.n; at++) {
        char c = text.p[at] | 0x20;
        int digit = is_digit(text.p[at]) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        num = num * 16 + digit;
    }
    *out = value_int(negative ? -num : num);
    return true;
}

/* whole.fraction shifted by the exponent, the fraction cut off. */
static struct value decimal_integer(const struct decimal *d, struct arena *arena)
{
    if (!d->has_exponent) return integer_make(d->negative, d->whole, arena);
    int64_t whole_n = (int64_t)d->whole.n + d->exponent;
    if (whole_n <= 0) return value_int(0);
    char *digits = arena_alloc(arena, (size_t)whole_n, 1);
    for (int64_t i = 0; i < whole_n; i++) {
        int64_t in_fraction = i - d->whole.n;
        digits[i] = i < d->whole.n                ? d->whole.p[i]
                    : in_fraction < d->fraction.n ? d->fraction.p[in_fraction]
                                                  : '0';
    }
    return integer_make(d->negative, slice_make(digits, (uint32_t)whole_n), arena);
}

bool ruby_integer_parse(slice text, struct arena *arena, struct value *out)
{
    int64_t num;
    if (short_integer(text, &num)) return *out = value_int(num), true;
    text = slice_trim(text);
    if (is_hex(text)) {
        double real;
        return hex_integer(text, out) ||
               (hex_parse(text, &real) && ruby_float_to_i(real, arena, out));
    }
    struct decimal d = decimal_read(text, arena);
    if (d.end == 0) return false;
    /* BigDecimal also takes a bare final point. */
    bool whole_text = d.end == text.n || (d.end + 1 == text.n && text.p[d.end] == '.' &&
                                          !d.has_fraction && !d.has_exponent);
    if (!whole_text || d.exponent > RUBY_EXPONENT_MAX) return false;
    *out = decimal_integer(&d, arena);
    return true;
}

bool ruby_float_parse(slice text, struct arena *arena, double *out)
{
    text = slice_trim(text);
    if (number_f64_short(text, out)) return true;
    if (is_hex(text)) return hex_parse(text, out);
    struct decimal d = decimal_read(text, arena);
    if (d.end == 0 || d.end != text.n) return false;
    *out = double_make(&d, text);
    return true;
}

static uint32_t digit_of(char c)
{
    if (is_digit(c)) return (uint32_t)(c - '0');
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'z' ? (uint32_t)(lower - 'a') + 10 : 99;
}

/* The base that the prefix at the front of `text` says, which is cut off. */
static uint32_t base_read(slice *text)
{
    if (text->n < 2 || text->p[0] != '0') return 10;
    uint32_t base;
    switch (text->p[1] | 0x20) {
    case 'x': base = 16; break;
    case 'b': base = 2; break;
    case 'o': base = 8; break;
    case 'd': base = 10; break;
    default: *text = slice_from(*text, text->p[1] == '_' ? 2 : 1); return 8;
    }
    *text = slice_from(*text, 2);
    return base;
}

bool ruby_kernel_integer(slice text, struct arena *arena, struct value *out)
{
    int64_t num;
    if (text.n > 0 && text.p[0] != '0' && short_integer(text, &num) && text.p[0] != '-') {
        *out = value_int(num);
        return true;
    }
    text = skip_space(text);
    while (text.n > 0 && (text.p[text.n - 1] == ' ' ||
                          (text.p[text.n - 1] >= '\t' && text.p[text.n - 1] <= '\r')))
        text.n--;
    bool negative = text.n > 0 && text.p[0] == '-';
    if (text.n > 0 && (text.p[0] == '-' || text.p[0] == '+')) text = slice_from(text, 1);
    uint32_t base = base_read(&text);
    if (text.n == 0 || digit_of(text.p[0]) >= base) return false;
    unsigned __int128 sum = 0;
    bool big = false;
    for (uint32_t i = 0; i < text.n; i++) {
        if (text.p[i] == '_' && i + 1 < text.n && text.p[i - 1] != '_') continue;
        uint32_t digit = digit_of(text.p[i]);
        if (digit >= base) return false;
        if (!big) sum = sum * base + digit;
        big = big || sum > ((unsigned __int128)1 << 63);
    }
    /* Beyond 64 bits decimals stay exact text; other bases are refused, and so stay text. */
    if (big || (sum == (unsigned __int128)1 << 63 && !negative)) {
        if (base != 10) return false;
        slice digits;
        uint32_t end = digits_read(text, 0, arena, &digits);
        if (end == text.n) *out = integer_make(negative, digits, arena);
        return end == text.n;
    }
    *out = value_int(negative ? (int64_t)(0 - (uint64_t)sum) : (int64_t)sum);
    return true;
}
