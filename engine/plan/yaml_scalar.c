/* yaml_scalar.c - one small scanner for each of Psych's expressions, tried in its order. */
#include "engine/plan/yaml_scalar.h"

#include <math.h>

#include "engine/base/civil.h"
#include "engine/base/number.h"
#include "parsers/text/ruby_number.h"

#define TIME_SEC_MAX 9000000000 /* what nanoseconds can count */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool has(slice text, uint32_t at, const char *bytes)
{
    return at < text.n && text.p[at] != '\0' && strchr(bytes, text.p[at]) != NULL;
}

/* Where the bytes of `bytes` end. */
static uint32_t run(slice text, uint32_t at, const char *bytes)
{
    while (has(text, at, bytes)) at++;
    return at;
}

static uint32_t sign(slice text)
{
    return has(text, 0, "+-") ? 1 : 0;
}

static slice without(slice text, struct arena *arena)
{
    char *out = arena_alloc(arena, (size_t)text.n + 1, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.n; i++)
        if (text.p[i] != ',' && text.p[i] != '_') out[n++] = text.p[i];
    return slice_make(out, n);
}

static bool is_word(slice text, struct value *out)
{
    static const struct {
        const char *word;
        enum value_type type;
        bool yes;
    } words[] = {
        {"", VALUE_NIL, false},    {"~", VALUE_NIL, false},      {"null", VALUE_NIL, false},
        {"yes", VALUE_BOOL, true}, {"true", VALUE_BOOL, true},   {"on", VALUE_BOOL, true},
        {"no", VALUE_BOOL, false}, {"false", VALUE_BOOL, false}, {"off", VALUE_BOOL, false}};
    for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!slice_equal_nocase(text, slice_from_cstr(words[i].word))) continue;
        *out = words[i].type == VALUE_NIL ? value_nil() : value_bool(words[i].yes);
        return true;
    }
    return false;
}

/* [-+]?0b..., 0 and octal digits, decimal with single separators, [-+]?0x... */
static bool is_integer(slice text)
{
    uint32_t at = sign(text);
    if (at == text.n) return false;
    if (has(text, at, "0") && has(text, at + 1, "b"))
        return at + 2 < text.n && run(text, at + 2, "01_,") == text.n;
    if (has(text, at, "0") && has(text, at + 1, "x"))
        return at + 2 < text.n && run(text, at + 2, "0123456789abcdefABCDEF_,") == text.n;
    if (has(text, at, "0")) return run(text, at + 1, "01234567_,") == text.n;
    if (!is_digit(text.p[at])) return false;
    for (at++; at < text.n; at++) {
        if (is_digit(text.p[at])) continue;
        if (!has(text, at, ",_") || at + 1 == text.n || !is_digit(text.p[at + 1])) return false;
    }
    return true;
}

/* [-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][-+][0-9]+)?, and more than a point. */
static bool is_float(slice text)
{
    uint32_t at = sign(text), from = at;
    if (at < text.n && is_digit(text.p[at])) at = run(text, at, "0123456789_,");
    if (!has(text, at, ".")) return false;
    at = run(text, at + 1, "0123456789");
    if (at == text.n) return text.n - from > 1;
    if (!has(text, at, "eE") || !has(text, at + 1, "+-")) return false;
    return at + 2 < text.n && run(text, at + 2, "0123456789") == text.n;
}

/* Numbers with one or two colons; whole: without a fraction at the end. */
static bool is_base60(slice text, bool *whole)
{
    uint32_t at = sign(text), colons = 0;
    if (at == text.n || !is_digit(text.p[at])) return false;
    at = run(text, at, "0123456789_");
    while (colons < 2 && has(text, at, ":")) {
        uint32_t from = at + 1, end = run(text, from, "0123456789");
        if (end == from || end - from > 2 || (end - from == 2 && text.p[from] > '5')) return false;
        at = end;
        colons++;
    }
    *whole = at == text.n;
    if (colons == 0) return false;
    return *whole || (has(text, at, ".") && run(text, at + 1, "0123456789_") == text.n);
}

/* The first part counts 3600 times, however many there are. */
static struct value base60(slice text, bool whole, struct arena *arena)
{
    double sum = 0;
    for (double unit = 3600; text.n > 0; unit /= 60) {
        int64_t colon = slice_find_byte(text, ':');
        slice part = colon < 0 ? text : slice_part(text, 0, (uint32_t)colon);
        sum += ruby_to_f(without(part, arena)) * unit;
        text = slice_from(text, colon < 0 ? text.n : (uint32_t)colon + 1);
    }
    return whole && fabs(sum) < 9e15 ? value_int((int64_t)sum) : value_float(sum);
}

bool yaml_is_symbol(slice text)
{
    return text.n > 1 && text.p[0] == ':' && slice_find_byte(text, '\n') < 0;
}

static slice symbol_name(slice text)
{
    slice name = slice_from(text, 1);
    if (!has(name, 0, "\"'")) return name;
    for (uint32_t end = name.n - 1; end > 0; end--) {
        if (name.p[end] != name.p[0]) continue;
        name = slice_part(name, 1, end - 1);
        return slice_starts(name, SLICE(":")) ? slice_from(name, 1) : name;
    }
    return name;
}

/* A number of so many digits, then the byte `next` (or none). */
static bool take(slice *rest, uint32_t least, uint32_t most, char next, int64_t *out)
{
    uint32_t n = 0;
    *out = 0;
    while (n < most && n < rest->n && is_digit(rest->p[n])) *out = *out * 10 + (rest->p[n++] - '0');
    if (n < least) return false;
    *rest = slice_from(*rest, n);
    if (next == '\0') return true;
    if (rest->n == 0 || rest->p[0] != next) return false;
    *rest = slice_from(*rest, 1);
    return true;
}

/* What follows the seconds: a fraction, a zone. */
static bool take_rest(slice rest, int64_t *ns, int64_t *zone_sec)
{
    int64_t unit = 100000000, hour = 0, minute = 0;
    *ns = *zone_sec = 0;
    if (has(rest, 0, ".")) {
        for (rest = slice_from(rest, 1); rest.n > 0 && is_digit(rest.p[0]);
             rest = slice_from(rest, 1), unit /= 10)
            *ns += (rest.p[0] - '0') * unit;
    }
    rest = slice_trim(rest);
    if (rest.n == 0 || slice_equal(rest, SLICE("Z"))) return true;
    bool minus = rest.p[0] == '-';
    if (!minus && rest.p[0] != '+') return false;
    rest = slice_from(rest, 1);
    if (!take(&rest, 1, 2, '\0', &hour)) return false;
    if (has(rest, 0, ":")) rest = slice_from(rest, 1);
    if (rest.n > 0 && (!take(&rest, 2, 2, '\0', &minute) || rest.n > 0)) return false;
    *zone_sec = (hour * 3600 + minute * 60) * (minus ? -1 : 1);
    return true;
}

static bool is_time(slice text, struct value *out)
{
    int64_t y, m, d, hour, minute, second, ns, zone_sec;
    slice rest = text;
    if (!take(&rest, 4, 4, '-', &y) || !take(&rest, 1, 2, '-', &m) ||
        !take(&rest, 1, 2, '\0', &d) || !has(rest, 0, "Tt \t"))
        return false;
    rest = has(rest, 0, "Tt") ? slice_from(rest, 1) : slice_trim(rest);
    if (!take(&rest, 1, 2, ':', &hour) || !take(&rest, 2, 2, ':', &minute) ||
        !take(&rest, 2, 2, '\0', &second) || !take_rest(rest, &ns, &zone_sec))
        return false;
    if (m < 1 || m > 12 || d < 1 || d > 31 || hour > 24 || minute > 59 || second > 60) return false;
    int64_t days = civil_days(y, (uint32_t)m, d);
    int64_t sec = days * CIVIL_DAY_SEC + hour * 3600 + minute * 60 + second - zone_sec;
    if (sec < -TIME_SEC_MAX || sec > TIME_SEC_MAX) return false;
    *out = value_time(sec * 1000000000 + ns);
    return true;
}

static bool is_no_number(slice text, struct value *out)
{
    slice bare = slice_from(text, sign(text));
    bool minus = text.n > 0 && text.p[0] == '-';
    if (slice_equal_nocase(bare, SLICE(".inf"))) {
        *out = value_float(minus ? -(double)INFINITY : (double)INFINITY);
        return true;
    }
    *out = value_float((double)NAN);
    return slice_equal_nocase(text, SLICE(".nan"));
}

struct value yaml_scalar_read(slice text, struct arena *arena)
{
    struct value val;
    double real;
    bool whole;
    if (is_word(text, &val)) return val;
    if (slice_find_byte(text, '\n') >= 0) return value_string(text);
    if (is_time(text, &val) || is_no_number(text, &val)) return val;
    if (yaml_is_symbol(text)) return value_string(symbol_name(text));
    if (is_base60(text, &whole)) return base60(text, whole, arena);
    if (is_float(text) && number_f64_parse(without(text, arena), &real)) return value_float(real);
    if (is_integer(text) && ruby_kernel_integer(without(text, arena), arena, &val)) return val;
    return value_string(text);
}
